use sea_orm_migration::prelude::*;

use crate::dialect;

#[derive(DeriveMigrationName)]
pub struct Migration;

/// Counts votes with statement triggers: a statement that adds many votes to a post updates that post
/// once.
///
/// Each trigger loops over the posts instead of running one UPDATE for all. PostgreSQL caches the plan
/// of that UPDATE, and a plan made for few rows would be used for many, and the reverse. The loops go
/// in the order of the post ids, so that two statements cannot deadlock.
///
/// `posts_hot` returns the same values as before. As an SQL function with a FROM clause it was set up
/// again for each call, which took longer than the rest of a vote.
const UP: [&str; 7] = [
    // A post takes about 1 kB, so 25 % of a page has room for the new version of a row. Without room,
    // each index of `posts` gets a new entry, the full-text index included. At 90 % two of five votes
    // found no room.
    "ALTER TABLE posts SET (fillfactor = 75)",
    "DROP TRIGGER votes_count ON votes",
    "CREATE OR REPLACE FUNCTION votes_count() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE
        post record;
    BEGIN
        IF TG_OP = 'INSERT' THEN
            FOR post IN
                SELECT post_id AS id, count(*) AS more FROM added GROUP BY post_id ORDER BY post_id
            LOOP
                UPDATE posts SET votes = votes + post.more WHERE id = post.id;
            END LOOP;
        ELSIF TG_OP = 'DELETE' THEN
            FOR post IN
                SELECT post_id AS id, count(*) AS less FROM removed GROUP BY post_id ORDER BY post_id
            LOOP
                UPDATE posts SET votes = votes - post.less WHERE id = post.id;
            END LOOP;
        ELSE
            FOR post IN
                SELECT post_id AS id, sum(difference) AS more
                FROM (
                    SELECT post_id, -1 AS difference FROM removed
                    UNION ALL
                    SELECT post_id, 1 FROM added
                ) moved
                GROUP BY post_id HAVING sum(difference) <> 0 ORDER BY post_id
            LOOP
                UPDATE posts SET votes = votes + post.more WHERE id = post.id;
            END LOOP;
        END IF;
        RETURN NULL;
    END $$",
    "CREATE TRIGGER votes_insert AFTER INSERT ON votes REFERENCING NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION votes_count()",
    "CREATE TRIGGER votes_delete AFTER DELETE ON votes REFERENCING OLD TABLE AS removed
    FOR EACH STATEMENT EXECUTE FUNCTION votes_count()",
    "CREATE TRIGGER votes_update AFTER UPDATE ON votes
    REFERENCING OLD TABLE AS removed NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION votes_count()",
    "CREATE OR REPLACE FUNCTION posts_hot(votes bigint, created_at timestamp with time zone)
    RETURNS bigint LANGUAGE plpgsql IMMUTABLE AS $$
    DECLARE
        voters bigint := votes + 1;
        tens integer := length(voters::text) - 1;
        power bigint := substr('1000000000000000000', 1, tens + 1);
    BEGIN
        RETURN floor(extract(epoch FROM created_at))::bigint
            + 45000 * tens + 5000 * (voters - power) / power;
    END $$",
];

const DOWN: [&str; 7] = [
    "ALTER TABLE posts SET (fillfactor = 90)",
    "DROP TRIGGER votes_insert ON votes",
    "DROP TRIGGER votes_delete ON votes",
    "DROP TRIGGER votes_update ON votes",
    "CREATE OR REPLACE FUNCTION votes_count() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF TG_OP <> 'INSERT' THEN
            UPDATE posts SET votes = votes - 1 WHERE id = OLD.post_id;
        END IF;
        IF TG_OP <> 'DELETE' THEN
            UPDATE posts SET votes = votes + 1 WHERE id = NEW.post_id;
        END IF;
        RETURN NULL;
    END $$",
    "CREATE TRIGGER votes_count AFTER INSERT OR DELETE OR UPDATE OF post_id ON votes
    FOR EACH ROW EXECUTE FUNCTION votes_count()",
    "CREATE OR REPLACE FUNCTION posts_hot(votes bigint, created_at timestamp with time zone)
    RETURNS bigint LANGUAGE sql IMMUTABLE AS $$
        SELECT floor(extract(epoch FROM created_at - to_timestamp(0)))::bigint
            + 45000 * (length(w::text) - 1) + 5000 * (w - p) / p
        FROM (SELECT votes + 1) AS s (w),
            substr('1000000000000000000', 1, length(w::text)) AS d,
            CAST(d AS bigint) AS p
    $$",
];

/// Changes PostgreSQL only: SQLite has no statement triggers.
#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        if dialect::is_postgres(manager) {
            dialect::execute(manager, UP).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        if dialect::is_postgres(manager) {
            dialect::execute(manager, DOWN).await?;
        }
        Ok(())
    }
}
