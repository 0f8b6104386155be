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
                // A caller of 0 is a request without a caller. Then `user_id` is the user that it
                // created.
                format!(
                    "CREATE TABLE idempotency_keys (
                        caller bigint NOT NULL,
                        key text NOT NULL,
                        user_id bigint NOT NULL,
                        route text NOT NULL,
                        request_hash text NOT NULL,
                        status integer NOT NULL,
                        headers text NOT NULL,
                        body text,
                        created_at {timestamp} NOT NULL,
                        CONSTRAINT idempotency_keys_pkey PRIMARY KEY (caller, key),
                        CONSTRAINT idempotency_keys_key_check
                            CHECK (length(key) BETWEEN 1 AND 255),
                        CONSTRAINT idempotency_keys_user_id_fkey
                            FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE
                    )"
                ),
                // For the cascade from users and for quotas.
                "CREATE INDEX idempotency_keys_user_id_idx ON idempotency_keys (user_id)"
                    .to_owned(),
                // For the job that removes old rows.
                "CREATE INDEX idempotency_keys_created_at_idx ON idempotency_keys (created_at)"
                    .to_owned(),
            ],
        )
        .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        dialect::execute(manager, ["DROP TABLE idempotency_keys"]).await
    }
}
