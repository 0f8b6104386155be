use sea_orm_migration::prelude::*;

use crate::dialect;

#[derive(DeriveMigrationName)]
pub struct Migration;

/// Adds a function that merges the pending list of the full-text index, for a job of the service, and
/// raises the size at which PostgreSQL itself does so.
///
/// Before, an INSERT that made the list longer than 512 kB merged the words of all posts in it. The
/// longest post adds 400 kB, so the author of a short post waited up to 2.6 s. With the job the list
/// stays short. PostgreSQL itself merges only if no server runs the job, or if writes are faster than it,
/// as in an import.
///
/// Only the owner of an index may merge its list, and the role of the service may be another one. A
/// fixed `search_path` keeps that role from putting an index of its own in the place of this one.
const UP: [&str; 2] = [
    "DO $do$ BEGIN
        EXECUTE format(
            'CREATE OR REPLACE FUNCTION posts_search_merge() RETURNS bigint LANGUAGE sql
            SECURITY DEFINER SET search_path = %I, pg_temp AS $$
                SELECT gin_clean_pending_list(''posts_search_idx'')
            $$',
            current_schema()
        );
    END $do$",
    "ALTER INDEX posts_search_idx SET (gin_pending_list_limit = 16384)",
];

const DOWN: [&str; 2] = [
    "ALTER INDEX posts_search_idx SET (gin_pending_list_limit = 512)",
    "DROP FUNCTION posts_search_merge()",
];

/// Changes PostgreSQL only: FTS5 merges in small steps.
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
