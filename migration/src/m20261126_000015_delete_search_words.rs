use sea_orm_migration::prelude::*;

use crate::dialect;

/// Makes FTS5 remove the words of a deleted post from its index at once. Before, they stayed until
/// enough new posts had been written.
///
/// PostgreSQL stores the words in the row of the post, so it needs no change.
#[derive(DeriveMigrationName)]
pub struct Migration;

async fn set(manager: &SchemaManager<'_>, secure_delete: u8) -> Result<(), DbErr> {
    if dialect::is_postgres(manager) {
        return Ok(());
    }
    let statements = ["posts_search", "posts_titles"].map(|name| {
        format!("INSERT INTO {name} ({name}, rank) VALUES ('secure-delete', {secure_delete})")
    });
    dialect::execute(manager, statements).await
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        set(manager, 1).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        set(manager, 0).await
    }
}
