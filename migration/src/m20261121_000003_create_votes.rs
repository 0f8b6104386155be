use sea_orm_migration::prelude::*;

use crate::dialect;

#[derive(DeriveMigrationName)]
pub struct Migration;

/// Keeps `posts.votes` equal to the number of rows in `votes`, after every insert, delete, update and
/// cascade.
const POSTGRES: [&str; 4] = [
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
    // TRUNCATE does not fire row triggers.
    "CREATE OR REPLACE FUNCTION votes_truncate() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        UPDATE posts SET votes = 0 WHERE votes <> 0;
        RETURN NULL;
    END $$",
    "CREATE TRIGGER votes_truncate AFTER TRUNCATE ON votes
    FOR EACH STATEMENT EXECUTE FUNCTION votes_truncate()",
];

/// Limit: `INSERT OR REPLACE` does not fire the delete trigger for the replaced row unless
/// `recursive_triggers` is on. The service never uses `INSERT OR REPLACE`.
const SQLITE: [&str; 3] = [
    "CREATE TRIGGER votes_insert AFTER INSERT ON votes BEGIN
        UPDATE posts SET votes = votes + 1 WHERE id = NEW.post_id;
    END",
    "CREATE TRIGGER votes_delete AFTER DELETE ON votes BEGIN
        UPDATE posts SET votes = votes - 1 WHERE id = OLD.post_id;
    END",
    "CREATE TRIGGER votes_update AFTER UPDATE OF post_id ON votes BEGIN
        UPDATE posts SET votes = votes - 1 WHERE id = OLD.post_id;
        UPDATE posts SET votes = votes + 1 WHERE id = NEW.post_id;
    END",
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let dialect::Dialect {
            timestamp, keyed, ..
        } = dialect::of(manager);
        dialect::execute(
            manager,
            [
                format!(
                    "CREATE TABLE votes (
                        post_id bigint NOT NULL,
                        user_id bigint NOT NULL,
                        created_at {timestamp} NOT NULL,
                        CONSTRAINT votes_pkey PRIMARY KEY (post_id, user_id),
                        CONSTRAINT votes_post_id_fkey
                            FOREIGN KEY (post_id) REFERENCES posts (id) ON DELETE CASCADE,
                        CONSTRAINT votes_user_id_fkey
                            FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE
                    ) {keyed}"
                ),
                // For the cascade from users.
                "CREATE INDEX votes_user_id_post_id_idx ON votes (user_id, post_id)".to_owned(),
            ],
        )
        .await?;
        if dialect::is_postgres(manager) {
            dialect::execute(manager, POSTGRES).await
        } else {
            dialect::execute(manager, SQLITE).await
        }
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        dialect::execute(manager, ["DROP TABLE votes"]).await?;
        if dialect::is_postgres(manager) {
            dialect::execute(
                manager,
                [
                    "DROP FUNCTION votes_count()",
                    "DROP FUNCTION votes_truncate()",
                ],
            )
            .await?;
        }
        // The triggers are gone with the table, so the counts must be reset here.
        dialect::execute(manager, ["UPDATE posts SET votes = 0 WHERE votes <> 0"]).await
    }
}
