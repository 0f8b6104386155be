use sea_orm_migration::prelude::*;

use crate::dialect;

/// Without statistics, PostgreSQL expects that one post in a hundred has any given member. Version 13 has no
/// statistics of expressions.
const STATISTICS: &str = "DO $$ BEGIN
    IF current_setting('server_version_num')::integer >= 140000 THEN
        CREATE STATISTICS posts_metadata_stats ON (metadata::jsonb) FROM posts;
    END IF;
END $$";

#[derive(DeriveMigrationName)]
pub struct Migration;

/// Posts without an external id or metadata have no entry in the new indexes.
#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let (bytes, json_type, metadata_index) = if dialect::is_postgres(manager) {
            // Without `fastupdate` each post pays for its own entries. With it a write of another user
            // would merge the pending ones.
            let index = "CREATE INDEX posts_metadata_idx ON posts
                USING gin ((metadata::jsonb) jsonb_path_ops) WITH (fastupdate = off)
                WHERE metadata IS NOT NULL";
            (
                "octet_length(metadata)",
                "json_typeof(metadata::json)",
                index,
            )
        } else {
            // SQLite has no index on members. A filter reads these posts and no others.
            let index = "CREATE INDEX posts_metadata_idx ON posts (id) WHERE metadata IS NOT NULL";
            // The `sqlite3` of older systems lacks `octet_length`, and could not restore a dump.
            (
                "length(CAST(metadata AS blob))",
                "json_type(metadata)",
                index,
            )
        };
        dialect::execute(
            manager,
            [
                "ALTER TABLE posts ADD COLUMN external_id text
                    CONSTRAINT posts_external_id_check CHECK (length(external_id) BETWEEN 1 AND 128)"
                    .to_owned(),
                // Text, because it keeps the spelling of numbers and the order of members.
                format!(
                    "ALTER TABLE posts ADD COLUMN metadata text
                        CONSTRAINT posts_metadata_check
                            CHECK ({bytes} <= 4096 AND {json_type} = 'object')"
                ),
                "CREATE UNIQUE INDEX posts_owner_id_external_id_idx ON posts (owner_id, external_id)
                    WHERE external_id IS NOT NULL"
                    .to_owned(),
                metadata_index.to_owned(),
            ],
        )
        .await?;
        if dialect::is_postgres(manager) {
            dialect::execute(manager, [STATISTICS]).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        dialect::execute(
            manager,
            [
                "DROP INDEX posts_metadata_idx",
                "DROP INDEX posts_owner_id_external_id_idx",
                "ALTER TABLE posts DROP COLUMN metadata",
                "ALTER TABLE posts DROP COLUMN external_id",
            ],
        )
        .await
    }
}
