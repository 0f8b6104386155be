use sea_orm_migration::prelude::*;

use crate::dialect;

#[derive(DeriveMigrationName)]
pub struct Migration;

/// Ranks the new posts of a statement together, which takes a fifth off the time of a batch of posts.
const UP: [&str; 4] = [
    "CREATE OR REPLACE FUNCTION posts_rank_insert() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        INSERT INTO ranks (post_id, votes, hot)
            SELECT id, votes, posts_hot(votes, created_at) FROM new_posts;
        RETURN NULL;
    END $$",
    "DROP TRIGGER posts_rank ON posts",
    "CREATE TRIGGER posts_rank_insert AFTER INSERT ON posts
    REFERENCING NEW TABLE AS new_posts
    FOR EACH STATEMENT EXECUTE FUNCTION posts_rank_insert()",
    "CREATE TRIGGER posts_rank AFTER UPDATE OF votes, created_at ON posts
    FOR EACH ROW EXECUTE FUNCTION posts_rank()",
];

const DOWN: [&str; 4] = [
    "DROP TRIGGER posts_rank_insert ON posts",
    "DROP FUNCTION posts_rank_insert()",
    "DROP TRIGGER posts_rank ON posts",
    "CREATE TRIGGER posts_rank AFTER INSERT OR UPDATE OF votes, created_at ON posts
    FOR EACH ROW EXECUTE FUNCTION posts_rank()",
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // SQLite has only triggers for each row.
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
