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
            [format!(
                "CREATE TABLE users (
                    id {id},
                    email text NOT NULL,
                    username text NOT NULL,
                    password_hash text NOT NULL,
                    created_at {timestamp} NOT NULL,
                    updated_at {timestamp} NOT NULL,
                    CONSTRAINT users_email_key UNIQUE (email),
                    CONSTRAINT users_username_key UNIQUE (username),
                    CONSTRAINT users_email_check
                        CHECK (length(email) BETWEEN 3 AND 254 AND email = lower(email)),
                    CONSTRAINT users_username_check
                        CHECK (length(username) BETWEEN 3 AND 30 AND username = lower(username))
                )"
            )],
        )
        .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        dialect::execute(manager, ["DROP TABLE users"]).await
    }
}
