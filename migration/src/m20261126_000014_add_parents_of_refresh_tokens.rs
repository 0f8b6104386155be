use sea_orm_migration::prelude::*;

use crate::dialect;

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        dialect::execute(
            manager,
            [
                // No foreign key: an expired parent is deleted before its children.
                "ALTER TABLE refresh_tokens ADD COLUMN parent_hash text",
                "CREATE INDEX refresh_tokens_parent_hash_idx ON refresh_tokens (parent_hash)",
            ],
        )
        .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        dialect::execute(
            manager,
            [
                "DROP INDEX refresh_tokens_parent_hash_idx",
                "ALTER TABLE refresh_tokens DROP COLUMN parent_hash",
            ],
        )
        .await
    }
}
