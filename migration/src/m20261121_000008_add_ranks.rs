use sea_orm_migration::prelude::*;

use crate::dialect;

#[derive(DeriveMigrationName)]
pub struct Migration;

/// `ranks` holds the values that order lists. They are not columns of `posts`: each vote changes them,
/// and an update of an indexed column of `posts` writes a new entry to every index of that table.
///
/// `hot` is in seconds since 1970: the time of the post, plus 45,000 seconds (12.5 hours) for each
/// power of ten in votes + 1, interpolated linearly between the powers (5,000 seconds for each ninth).
/// It uses integers only, so that both databases compute the same value. It never needs recomputing
/// as time passes, because later posts start higher.
const POSTGRES: [&str; 5] = [
    "CREATE OR REPLACE FUNCTION posts_hot(votes bigint, created_at timestamp with time zone)
    RETURNS bigint LANGUAGE sql IMMUTABLE AS $$
        SELECT floor(extract(epoch FROM created_at - to_timestamp(0)))::bigint
            + 45000 * (length(w::text) - 1) + 5000 * (w - p) / p
        FROM (SELECT votes + 1) AS s (w),
            substr('1000000000000000000', 1, length(w::text)) AS d,
            CAST(d AS bigint) AS p
    $$",
    "CREATE OR REPLACE FUNCTION posts_rank() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF TG_OP = 'INSERT' THEN
            INSERT INTO ranks (post_id, votes, hot)
                VALUES (NEW.id, NEW.votes, posts_hot(NEW.votes, NEW.created_at));
        ELSE
            UPDATE ranks SET votes = NEW.votes, hot = posts_hot(NEW.votes, NEW.created_at)
                WHERE post_id = NEW.id;
        END IF;
        RETURN NULL;
    END $$",
    "CREATE TRIGGER posts_rank AFTER INSERT OR UPDATE OF votes, created_at ON posts
    FOR EACH ROW EXECUTE FUNCTION posts_rank()",
    "INSERT INTO ranks (post_id, votes, hot)
        SELECT id, votes, posts_hot(votes, created_at) FROM posts",
    // Leaves free space on each page for the new version of a row after a vote (a HOT update).
    // Otherwise each index of `posts` would get a new entry.
    "ALTER TABLE posts SET (fillfactor = 90)",
];

/// SQL expression for `hot` of a row of `posts`. `row` is the row's name: `NEW` or `posts`.
fn hot(row: &str) -> String {
    let power =
        format!("CAST(substr('1000000000000000000', 1, length({row}.votes + 1)) AS integer)");
    format!(
        "unixepoch({row}.created_at) + 45000 * (length({row}.votes + 1) - 1)
            + 5000 * ({row}.votes + 1 - {power}) / {power}"
    )
}

fn sqlite() -> [String; 3] {
    let new = hot("NEW");
    [
        format!(
            "CREATE TRIGGER posts_rank_insert AFTER INSERT ON posts BEGIN
                INSERT INTO ranks (post_id, votes, hot) VALUES (NEW.id, NEW.votes, {new});
            END"
        ),
        format!(
            "CREATE TRIGGER posts_rank_update AFTER UPDATE OF votes, created_at ON posts BEGIN
                UPDATE ranks SET votes = NEW.votes, hot = {new} WHERE post_id = NEW.id;
            END"
        ),
        format!(
            "INSERT INTO ranks (post_id, votes, hot) SELECT id, votes, {} FROM posts",
            hot("posts")
        ),
    ]
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let keyed = dialect::of(manager).keyed;
        // SQLite compares timestamps as text, which needs the zone removed.
        let created_at = if dialect::is_postgres(manager) {
            "created_at"
        } else {
            "rtrim(created_at, 'Z')"
        };
        dialect::execute(
            manager,
            [
                format!(
                    "CREATE TABLE ranks (
                        post_id bigint NOT NULL,
                        votes bigint NOT NULL,
                        hot bigint NOT NULL,
                        CONSTRAINT ranks_pkey PRIMARY KEY (post_id),
                        CONSTRAINT ranks_post_id_fkey
                            FOREIGN KEY (post_id) REFERENCES posts (id) ON DELETE CASCADE
                    ) {keyed}"
                ),
                "CREATE INDEX ranks_votes_idx ON ranks (votes, post_id)".to_owned(),
                "CREATE INDEX ranks_hot_idx ON ranks (hot, post_id)".to_owned(),
                format!("CREATE INDEX posts_created_at_idx ON posts ({created_at}, id)"),
            ],
        )
        .await?;
        if dialect::is_postgres(manager) {
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
                    "ALTER TABLE posts RESET (fillfactor)",
                    "DROP FUNCTION posts_rank() CASCADE",
                    "DROP FUNCTION posts_hot(bigint, timestamp with time zone)",
                ],
            )
            .await?;
        } else {
            dialect::execute(
                manager,
                [
                    "DROP TRIGGER posts_rank_insert",
                    "DROP TRIGGER posts_rank_update",
                ],
            )
            .await?;
        }
        dialect::execute(
            manager,
            ["DROP INDEX posts_created_at_idx", "DROP TABLE ranks"],
        )
        .await
    }
}
