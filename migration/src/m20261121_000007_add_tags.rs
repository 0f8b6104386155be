use sea_orm_migration::prelude::*;

use crate::dialect;

#[derive(DeriveMigrationName)]
pub struct Migration;

/// Keeps `post_tags` in step with `posts.tags`, so that one statement writes a post and its tags.
const POSTGRES: [&str; 3] = [
    "CREATE OR REPLACE FUNCTION posts_tag() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF TG_OP = 'UPDATE' THEN
            DELETE FROM post_tags WHERE post_id = NEW.id;
        END IF;
        INSERT INTO post_tags (tag, post_id)
            SELECT tag, NEW.id FROM unnest(string_to_array(NEW.tags, ' ')) AS tag;
        RETURN NULL;
    END $$",
    "CREATE TRIGGER posts_tag_insert AFTER INSERT ON posts
    FOR EACH ROW WHEN (NEW.tags <> '') EXECUTE FUNCTION posts_tag()",
    "CREATE TRIGGER posts_tag_update AFTER UPDATE OF tags ON posts
    FOR EACH ROW WHEN (NEW.tags <> OLD.tags) EXECUTE FUNCTION posts_tag()",
];

/// Builds a JSON array of the tags by text replacement. No character of a tag needs escaping in JSON.
const SQLITE: [&str; 2] = [
    r#"CREATE TRIGGER posts_tag_insert AFTER INSERT ON posts WHEN NEW.tags <> '' BEGIN
        INSERT INTO post_tags (tag, post_id)
            SELECT value, NEW.id
            FROM json_each('["' || replace(NEW.tags, ' ', '","') || '"]');
    END"#,
    r#"CREATE TRIGGER posts_tag_update AFTER UPDATE OF tags ON posts WHEN NEW.tags <> OLD.tags BEGIN
        DELETE FROM post_tags WHERE post_id = NEW.id;
        INSERT INTO post_tags (tag, post_id)
            SELECT value, NEW.id
            FROM json_each('["' || replace(NEW.tags, ' ', '","') || '"]')
            WHERE NEW.tags <> '';
    END"#,
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let keyed = dialect::of(manager).keyed;
        let tags = if dialect::is_postgres(manager) {
            "tags ~ '^([a-z0-9-]{1,30}( [a-z0-9-]{1,30}){0,9})?$'"
        } else {
            "length(tags) <= 309 AND tags NOT GLOB '*[^a-z0-9 -]*'"
        };
        dialect::execute(
            manager,
            [
                // The tags in the order in which the client sent them, separated by spaces.
                format!(
                    "ALTER TABLE posts ADD COLUMN tags text NOT NULL DEFAULT ''
                        CONSTRAINT posts_tags_check CHECK ({tags})"
                ),
                format!(
                    "CREATE TABLE post_tags (
                        tag text NOT NULL,
                        post_id bigint NOT NULL,
                        CONSTRAINT post_tags_pkey PRIMARY KEY (tag, post_id),
                        CONSTRAINT post_tags_post_id_fkey
                            FOREIGN KEY (post_id) REFERENCES posts (id) ON DELETE CASCADE
                    ) {keyed}"
                ),
                // For the cascade from posts.
                "CREATE INDEX post_tags_post_id_idx ON post_tags (post_id)".to_owned(),
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
            dialect::execute(manager, ["DROP FUNCTION posts_tag() CASCADE"]).await?;
        } else {
            dialect::execute(
                manager,
                [
                    "DROP TRIGGER posts_tag_insert",
                    "DROP TRIGGER posts_tag_update",
                ],
            )
            .await?;
        }
        dialect::execute(
            manager,
            ["DROP TABLE post_tags", "ALTER TABLE posts DROP COLUMN tags"],
        )
        .await
    }
}
