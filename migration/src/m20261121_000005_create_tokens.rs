use sea_orm_migration::prelude::*;

use crate::dialect;

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let dialect::Dialect { id, timestamp, .. } = dialect::of(manager);
        dialect::execute(
            manager,
            [
                format!(
                    "CREATE TABLE tokens (
                        id {id},
                        user_id bigint NOT NULL,
                        name text NOT NULL,
                        hash text NOT NULL,
                        scopes text NOT NULL,
                        created_at {timestamp} NOT NULL,
                        expires_at {timestamp},
                        last_used_at {timestamp},
                        CONSTRAINT tokens_hash_key UNIQUE (hash),
                        CONSTRAINT tokens_name_check CHECK (length(name) BETWEEN 1 AND 100),
                        CONSTRAINT tokens_user_id_fkey
                            FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE
                    )"
                ),
                "CREATE INDEX tokens_user_id_idx ON tokens (user_id)".to_owned(),
                "CREATE INDEX tokens_expires_at_idx ON tokens (expires_at)".to_owned(),
            ],
        )
        .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        dialect::execute(manager, ["DROP TABLE tokens"]).await
    }
}
