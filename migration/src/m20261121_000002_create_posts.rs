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
                    "CREATE TABLE posts (
                        id {id},
                        owner_id bigint NOT NULL,
                        title text NOT NULL,
                        content text NOT NULL,
                        published boolean NOT NULL,
                        votes bigint NOT NULL DEFAULT 0,
                        created_at {timestamp} NOT NULL,
                        updated_at {timestamp} NOT NULL,
                        CONSTRAINT posts_owner_id_fkey
                            FOREIGN KEY (owner_id) REFERENCES users (id) ON DELETE CASCADE,
                        CONSTRAINT posts_title_check CHECK (length(title) BETWEEN 1 AND 300),
                        CONSTRAINT posts_content_check CHECK (length(content) BETWEEN 1 AND 40000),
                        CONSTRAINT posts_votes_check CHECK (votes >= 0)
                    )"
                ),
                // For lists of one owner's posts in either order, for drafts, and for the cascade.
                "CREATE INDEX posts_owner_id_id_idx ON posts (owner_id, id)".to_owned(),
            ],
        )
        .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        dialect::execute(manager, ["DROP TABLE posts"]).await
    }
}
