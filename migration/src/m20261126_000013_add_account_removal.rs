use sea_orm_migration::prelude::*;

use crate::dialect;

#[derive(DeriveMigrationName)]
pub struct Migration;

/// Sets the number of index segments at which FTS5 merges a level at once. With its default of 16
/// it did so instead of merging in small steps, because `automerge` is 16 too. During the removal of
/// 100 MB of text, such merges blocked SQLite's writer for up to half a second, and longer for more
/// text.
fn merge_at(segments: u32) -> [String; 2] {
    ["posts_search", "posts_titles"]
        .map(|name| format!("INSERT INTO {name} ({name}, rank) VALUES ('crisismerge', {segments})"))
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let timestamp = dialect::of(manager).timestamp;
        dialect::execute(
            manager,
            [
                // The check makes every rule for suspended users hold for deleted ones: their posts
                // are hidden, and they cannot sign in.
                format!(
                    "ALTER TABLE users ADD COLUMN deleted_at {timestamp}
                        CONSTRAINT users_deleted_check
                        CHECK (deleted_at IS NULL OR suspended_at IS NOT NULL)"
                ),
                // For the job that removes deleted users.
                "CREATE INDEX users_deleted_idx ON users (id) WHERE deleted_at IS NOT NULL"
                    .to_owned(),
            ],
        )
        .await?;
        if dialect::is_postgres(manager) {
            return Ok(());
        }
        dialect::execute(manager, merge_at(64)).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        if !dialect::is_postgres(manager) {
            dialect::execute(manager, merge_at(16)).await?;
            // Foreign keys are off during migrations of SQLite, so nothing cascades.
            let users = "SELECT id FROM users WHERE deleted_at IS NOT NULL";
            let posts = format!("SELECT id FROM posts WHERE owner_id IN ({users})");
            let deletions = [
                format!("DELETE FROM votes WHERE user_id IN ({users}) OR post_id IN ({posts})"),
                format!("DELETE FROM post_tags WHERE post_id IN ({posts})"),
                format!("DELETE FROM ranks WHERE post_id IN ({posts})"),
                format!("DELETE FROM posts WHERE owner_id IN ({users})"),
                format!(
                    "DELETE FROM refresh_tokens WHERE session_id IN \
                     (SELECT id FROM sessions WHERE user_id IN ({users}))"
                ),
                format!("DELETE FROM sessions WHERE user_id IN ({users})"),
                format!("DELETE FROM tokens WHERE user_id IN ({users})"),
            ];
            dialect::execute(manager, deletions).await?;
        }
        dialect::execute(
            manager,
            [
                // Without the column they would be suspended users, who can be restored.
                "DELETE FROM users WHERE deleted_at IS NOT NULL",
                "DROP INDEX users_deleted_idx",
                "ALTER TABLE users DROP COLUMN deleted_at",
            ],
        )
        .await
    }
}
