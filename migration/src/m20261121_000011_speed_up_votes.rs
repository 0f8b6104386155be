use sea_orm_migration::prelude::*;

use crate::dialect;

#[derive(DeriveMigrationName)]
pub struct Migration;

/// A statement that adds many votes to a post writes that post once. The loops, and not one UPDATE
/// for all, because a plan that was made for few rows is kept for many and the other way round;
/// in the order of the posts, so that no two statements wait for each other.
///
/// `posts_hot` is what it was; as an SQL function with a FROM it was set up anew for each call,
/// which took longer than all else of a vote.
const UP: [&str; 7] = [
    // A post has 1 kB or so: there is room for a new version of one, without which each index of
    // `posts`, that of words among them, gets a new entry. At 90 % two votes of five found none.
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

/// SQLite has triggers for rows alone.
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
