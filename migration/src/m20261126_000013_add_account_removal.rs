use sea_orm_migration::prelude::*;

use crate::dialect;

#[derive(DeriveMigrationName)]
pub struct Migration;

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
        .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
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
