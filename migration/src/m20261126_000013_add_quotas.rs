use sea_orm_migration::prelude::*;

use crate::dialect;

#[derive(DeriveMigrationName)]
pub struct Migration;

/// Counts the posts and the bytes of text of each user in `usage`, and refuses a post that exceeds a
/// row of `quotas`. The owner of a post never changes.
///
/// A user has a row for each slot, and each connection writes to its own slot. So two transactions
/// that add posts of one user rarely wait for each other. One that is not committed yet is not
/// counted by the other: together they can exceed a quota by what they add.
///
/// The trigger of new posts also writes `ranks`. One statement for all rows is faster than one for
/// each, which makes up for the time that `usage` takes.
const POSTGRES: [&str; 9] = [
    "CREATE OR REPLACE FUNCTION usage_check(owners bigint[]) RETURNS void LANGUAGE plpgsql AS $$
    DECLARE
        exceeded text;
    BEGIN
        SELECT resource INTO exceeded
        FROM (
            SELECT sum(posts) AS posts, sum(bytes) AS bytes
            FROM usage WHERE user_id = ANY (owners) GROUP BY user_id
        ) total
        JOIN quotas ON CASE resource WHEN 'posts' THEN total.posts ELSE total.bytes END > maximum
        LIMIT 1;
        IF FOUND THEN
            RAISE EXCEPTION 'a quota is exceeded'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'quotas_' || exceeded;
        END IF;
    END $$",
    "CREATE OR REPLACE FUNCTION posts_added() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        INSERT INTO ranks (post_id, votes, hot)
            SELECT id, votes, posts_hot(votes, created_at) FROM added;
        INSERT INTO usage AS total (user_id, slot, posts, bytes)
            SELECT owner_id, pg_backend_pid() % 8, count(*),
                sum(octet_length(title) + octet_length(content))
            FROM added GROUP BY owner_id ORDER BY owner_id
        ON CONFLICT (user_id, slot) DO UPDATE
            SET posts = total.posts + excluded.posts, bytes = total.bytes + excluded.bytes;
        PERFORM usage_check(ARRAY(SELECT DISTINCT owner_id FROM added));
        RETURN NULL;
    END $$",
    "CREATE TRIGGER posts_added AFTER INSERT ON posts REFERENCING NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION posts_added()",
    "DROP TRIGGER posts_rank ON posts",
    "CREATE TRIGGER posts_rank AFTER UPDATE OF votes, created_at ON posts
    FOR EACH ROW EXECUTE FUNCTION posts_rank()",
    // Any slot will do. If the owner is deleted, none is left.
    "CREATE OR REPLACE FUNCTION posts_removed() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        UPDATE usage SET posts = usage.posts - owner.posts, bytes = usage.bytes - owner.bytes
        FROM (
            SELECT owner_id, count(*) AS posts,
                sum(octet_length(title) + octet_length(content)) AS bytes
            FROM removed GROUP BY owner_id
        ) owner
        WHERE user_id = owner_id
            AND slot = (SELECT min(slot) FROM usage WHERE user_id = owner_id);
        RETURN NULL;
    END $$",
    "CREATE TRIGGER posts_removed AFTER DELETE ON posts REFERENCING OLD TABLE AS removed
    FOR EACH STATEMENT EXECUTE FUNCTION posts_removed()",
    "CREATE OR REPLACE FUNCTION posts_resized() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE
        more bigint := octet_length(NEW.title) + octet_length(NEW.content)
            - octet_length(OLD.title) - octet_length(OLD.content);
    BEGIN
        UPDATE usage SET bytes = bytes + more
        WHERE user_id = NEW.owner_id
            AND slot = (SELECT min(slot) FROM usage WHERE user_id = NEW.owner_id);
        IF more > 0 THEN
            PERFORM usage_check(ARRAY[NEW.owner_id]);
        END IF;
        RETURN NULL;
    END $$",
    "CREATE TRIGGER posts_resized AFTER UPDATE OF title, content ON posts
    FOR EACH ROW EXECUTE FUNCTION posts_resized()",
];

/// Bytes of text of a row, in SQLite. Versions before 3.43 lack `octet_length`.
fn bytes(row: &str) -> String {
    format!("length(CAST({row}.title AS blob)) + length(CAST({row}.content AS blob))")
}

/// Uses slot 0 alone, because SQLite has one writer.
fn sqlite() -> [String; 3] {
    let (old, new) = (bytes("OLD"), bytes("NEW"));
    let check = |resource| {
        format!(
            "SELECT RAISE(ABORT, 'quotas_{resource}')
            WHERE (SELECT {resource} FROM usage WHERE user_id = NEW.owner_id AND slot = 0)
                > (SELECT maximum FROM quotas WHERE resource = '{resource}');"
        )
    };
    let (check_posts, check_bytes) = (check("posts"), check("bytes"));
    [
        format!(
            "CREATE TRIGGER usage_insert AFTER INSERT ON posts BEGIN
                INSERT INTO usage (user_id, slot, posts, bytes) VALUES (NEW.owner_id, 0, 1, {new})
                ON CONFLICT (user_id, slot) DO UPDATE
                    SET posts = posts + 1, bytes = bytes + excluded.bytes;
                {check_posts}
                {check_bytes}
            END"
        ),
        format!(
            "CREATE TRIGGER usage_delete AFTER DELETE ON posts BEGIN
                UPDATE usage SET posts = posts - 1, bytes = bytes - ({old})
                WHERE user_id = OLD.owner_id AND slot = 0;
            END"
        ),
        format!(
            "CREATE TRIGGER usage_update AFTER UPDATE OF title, content ON posts
            WHEN {new} <> {old} BEGIN
                UPDATE usage SET bytes = bytes + ({new}) - ({old})
                WHERE user_id = NEW.owner_id AND slot = 0;
                SELECT RAISE(ABORT, 'quotas_bytes')
                WHERE {new} > {old} AND (SELECT bytes FROM usage WHERE user_id = NEW.owner_id AND slot = 0)
                    > (SELECT maximum FROM quotas WHERE resource = 'bytes');
            END"
        ),
    ]
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let keyed = dialect::of(manager).keyed;
        let bytes = if dialect::is_postgres(manager) {
            "octet_length(title) + octet_length(content)".to_owned()
        } else {
            bytes("posts")
        };
        dialect::execute(
            manager,
            [
                format!(
                    "CREATE TABLE usage (
                        user_id bigint NOT NULL,
                        slot integer NOT NULL,
                        posts bigint NOT NULL,
                        bytes bigint NOT NULL,
                        CONSTRAINT usage_pkey PRIMARY KEY (user_id, slot),
                        CONSTRAINT usage_user_id_fkey
                            FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE
                    ) {keyed}"
                ),
                // A quota without a row is not limited.
                format!(
                    "CREATE TABLE quotas (
                        resource text NOT NULL,
                        maximum bigint NOT NULL,
                        CONSTRAINT quotas_pkey PRIMARY KEY (resource),
                        CONSTRAINT quotas_resource_check CHECK (resource IN ('posts', 'bytes')),
                        CONSTRAINT quotas_maximum_check CHECK (maximum > 0)
                    ) {keyed}"
                ),
                format!(
                    "INSERT INTO usage (user_id, slot, posts, bytes)
                        SELECT owner_id, 0, count(*), sum({bytes}) FROM posts GROUP BY owner_id"
                ),
            ],
        )
        .await?;
        if dialect::is_postgres(manager) {
            // Leaves room on each page for new versions of rows (HOT updates).
            dialect::execute(manager, ["ALTER TABLE usage SET (fillfactor = 50)"]).await?;
            dialect::execute(manager, POSTGRES).await
        } else {
            dialect::execute(manager, sqlite()).await
        }
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        if dialect::is_postgres(manager) {
            dialect::execute(
                manager,
                [
                    "DROP FUNCTION posts_added() CASCADE",
                    "DROP FUNCTION posts_removed() CASCADE",
                    "DROP FUNCTION posts_resized() CASCADE",
                    "DROP FUNCTION usage_check(bigint[])",
                    "DROP TRIGGER posts_rank ON posts",
                    "CREATE TRIGGER posts_rank AFTER INSERT OR UPDATE OF votes, created_at ON posts
                    FOR EACH ROW EXECUTE FUNCTION posts_rank()",
                ],
            )
            .await?;
        } else {
            let triggers = ["usage_insert", "usage_delete", "usage_update"];
            let drops = triggers.map(|name| format!("DROP TRIGGER {name}"));
            dialect::execute(manager, drops).await?;
        }
        dialect::execute(manager, ["DROP TABLE quotas", "DROP TABLE usage"]).await
    }
}
