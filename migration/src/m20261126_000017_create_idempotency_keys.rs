use sea_orm_migration::prelude::*;

use crate::dialect;

#[derive(DeriveMigrationName)]
pub struct Migration;

/// Deletes the rows of a deleted user. A foreign key would do that too, but it would also look up the
/// user for each new row, which is a fifth of the row's cost on PostgreSQL.
///
/// A write that deletes a row at the same time as its user is deleted can leave its answer. The job that
/// removes old rows deletes it, and no later user has the same id.
const POSTGRES: [&str; 2] = [
    "CREATE OR REPLACE FUNCTION idempotency_keys_of_user() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        DELETE FROM idempotency_keys WHERE caller = OLD.id;
        RETURN NULL;
    END $$",
    "CREATE TRIGGER idempotency_keys_of_user AFTER DELETE ON users
    FOR EACH ROW EXECUTE FUNCTION idempotency_keys_of_user()",
];

const SQLITE: [&str; 1] = [
    "CREATE TRIGGER idempotency_keys_of_user AFTER DELETE ON users BEGIN
        DELETE FROM idempotency_keys WHERE caller = OLD.id;
    END",
];

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
                        user_id bigint,
                        created_at {timestamp} NOT NULL,
                        status integer NOT NULL,
                        key text NOT NULL,
                        request_hash text NOT NULL,
                        headers text NOT NULL,
                        body text,
                        CONSTRAINT idempotency_keys_pkey PRIMARY KEY (caller, key),
                        CONSTRAINT idempotency_keys_key_check
                            CHECK (length(key) BETWEEN 1 AND 255),
                        CONSTRAINT idempotency_keys_user_id_check
                            CHECK ((caller = 0) = (user_id IS NOT NULL)),
                        CONSTRAINT idempotency_keys_user_id_fkey
                            FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE
                    )"
                ),
                // For the cascade from users.
                "CREATE INDEX idempotency_keys_user_id_idx ON idempotency_keys (user_id)
                    WHERE user_id IS NOT NULL"
                    .to_owned(),
                // For the job that removes old rows.
                "CREATE INDEX idempotency_keys_created_at_idx ON idempotency_keys (created_at)"
                    .to_owned(),
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
        if dialect::is_postgres(manager) {
            dialect::execute(
                manager,
                [
                    "DROP TRIGGER idempotency_keys_of_user ON users",
                    "DROP FUNCTION idempotency_keys_of_user()",
                ],
            )
            .await?;
        } else {
            dialect::execute(manager, ["DROP TRIGGER idempotency_keys_of_user"]).await?;
        }
        dialect::execute(manager, ["DROP TABLE idempotency_keys"]).await
    }
}
