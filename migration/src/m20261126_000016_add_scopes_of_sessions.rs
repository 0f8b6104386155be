use sea_orm_migration::prelude::*;

use crate::dialect;

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        dialect::execute(
            manager,
            // NULL is every scope, so existing sessions stay as they are.
            ["ALTER TABLE sessions ADD COLUMN scopes text"],
        )
        .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        dialect::execute(
            manager,
            [
                // Without the column they would have every scope.
                "DELETE FROM refresh_tokens WHERE session_id IN
                    (SELECT id FROM sessions WHERE scopes IS NOT NULL)",
                "DELETE FROM sessions WHERE scopes IS NOT NULL",
                "ALTER TABLE sessions DROP COLUMN scopes",
            ],
        )
        .await
    }
}
