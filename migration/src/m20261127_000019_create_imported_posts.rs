use sea_orm_migration::prelude::*;

use crate::dialect;

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let keyed = dialect::of(manager).keyed;
        dialect::execute(
            manager,
            [
                format!(
                    "CREATE TABLE imported_posts (
                        owner_id bigint NOT NULL,
                        origin text NOT NULL,
                        original_id bigint NOT NULL,
                        post_id bigint NOT NULL,
                        CONSTRAINT imported_posts_pkey PRIMARY KEY (owner_id, origin, original_id),
                        CONSTRAINT imported_posts_origin_check
                            CHECK (length(origin) BETWEEN 1 AND 100),
                        CONSTRAINT imported_posts_owner_id_fkey
                            FOREIGN KEY (owner_id) REFERENCES users (id) ON DELETE CASCADE,
                        CONSTRAINT imported_posts_post_id_fkey
                            FOREIGN KEY (post_id) REFERENCES posts (id) ON DELETE CASCADE
                    ) {keyed}"
                ),
                // For the cascade from posts. That from users has the primary key.
                "CREATE UNIQUE INDEX imported_posts_post_id_idx ON imported_posts (post_id)"
                    .to_owned(),
            ],
        )
        .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        dialect::execute(manager, ["DROP TABLE imported_posts"]).await
    }
}
