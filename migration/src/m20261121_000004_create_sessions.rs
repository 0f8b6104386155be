use sea_orm_migration::prelude::*;

use crate::dialect;

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let dialect::Dialect {
            timestamp, keyed, ..
        } = dialect::of(manager);
        dialect::execute(
            manager,
            [
                // The program assigns random ids. Access tokens contain the id, and a token from
                // before `migrate fresh` must not match a session created after it.
                format!(
                    "CREATE TABLE sessions (
                        id bigint NOT NULL,
                        user_id bigint NOT NULL,
                        user_agent text NOT NULL,
                        created_at {timestamp} NOT NULL,
                        last_used_at {timestamp} NOT NULL,
                        expires_at {timestamp} NOT NULL,
                        CONSTRAINT sessions_pkey PRIMARY KEY (id),
                        CONSTRAINT sessions_user_id_fkey
                            FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE
                    ) {keyed}"
                ),
                "CREATE INDEX sessions_user_id_idx ON sessions (user_id)".to_owned(),
                "CREATE INDEX sessions_expires_at_idx ON sessions (expires_at)".to_owned(),
                format!(
                    "CREATE TABLE refresh_tokens (
                        hash text NOT NULL,
                        session_id bigint NOT NULL,
                        created_at {timestamp} NOT NULL,
                        replaced_at {timestamp},
                        CONSTRAINT refresh_tokens_pkey PRIMARY KEY (hash),
                        CONSTRAINT refresh_tokens_session_id_fkey
                            FOREIGN KEY (session_id) REFERENCES sessions (id) ON DELETE CASCADE
                    ) {keyed}"
                ),
                "CREATE INDEX refresh_tokens_session_id_idx ON refresh_tokens (session_id)"
                    .to_owned(),
                "CREATE INDEX refresh_tokens_created_at_idx ON refresh_tokens (created_at)"
                    .to_owned(),
            ],
        )
        .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        dialect::execute(
            manager,
            ["DROP TABLE refresh_tokens", "DROP TABLE sessions"],
        )
        .await
    }
}
