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
                "ALTER TABLE users ADD COLUMN role text NOT NULL DEFAULT 'user'
                    CONSTRAINT users_role_check CHECK (role IN ('user', 'moderator', 'admin'))"
                    .to_owned(),
                format!("ALTER TABLE users ADD COLUMN suspended_at {timestamp}"),
                // Every list of posts reads the suspended users, of whom there are few.
                "CREATE INDEX users_suspended_idx ON users (id) WHERE suspended_at IS NOT NULL"
                    .to_owned(),
                // Stores names as well as ids, without foreign keys: an entry outlives its subject.
                format!(
                    "CREATE TABLE audit_log (
                        id {id},
                        at {timestamp} NOT NULL,
                        actor_id bigint,
                        actor text NOT NULL,
                        action text NOT NULL,
                        subject_id bigint NOT NULL,
                        owner_id bigint,
                        subject text NOT NULL,
                        reason text NOT NULL
                    )"
                ),
                "CREATE INDEX audit_log_subject_idx ON audit_log (action, subject_id)".to_owned(),
            ],
        )
        .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        dialect::execute(
            manager,
            [
                "DROP TABLE audit_log",
                "DROP INDEX users_suspended_idx",
                "ALTER TABLE users DROP COLUMN suspended_at",
                "ALTER TABLE users DROP COLUMN role",
            ],
        )
        .await
    }
}
