use sea_orm_migration::prelude::*;

use crate::{
    dialect,
    unicode61_v1::{TOKENIZER, separator, translation},
};

#[derive(DeriveMigrationName)]
pub struct Migration;

/// Defines `posts_search(title, content)`: the words of a post, split as FTS5 splits them.
///
/// Words of the title occur a second time with the prefix `=`, which no word contains. So one index
/// finds words anywhere and words in the title.
///
/// The function calls no other function of this schema, so that a dump can be restored with any
/// `search_path`. It does not depend on a locale. It cuts words to 500 characters, because a lexeme
/// holds at most 2,046 bytes.
fn function() -> String {
    let separator = separator();
    let (from, to) = translation();
    format!(
        "CREATE OR REPLACE FUNCTION posts_search(title text, content text) RETURNS tsvector
        LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
        DECLARE
            heading text COLLATE \"C\" := lower(title COLLATE \"C\");
            body text COLLATE \"C\" := lower(content COLLATE \"C\");
            unfolded text COLLATE \"C\";
            folded text COLLATE \"C\";
            words text[];
        BEGIN
            -- More bytes than characters: not ASCII alone.
            IF octet_length(heading) + octet_length(body) <> length(heading) + length(body) THEN
                -- `translate` compares each character with each of its argument: it gets those
                -- alone that occur.
                SELECT string_agg(letter, '' ORDER BY place),
                    string_agg(substr('{to}', place, 1), '' ORDER BY place)
                INTO unfolded, folded
                FROM (
                    SELECT letter, strpos('{from}' COLLATE \"C\", letter) AS place
                    FROM (
                        SELECT DISTINCT unnest(string_to_array(
                            regexp_replace(heading || body, '[\\u0001-\\u007f]+', '', 'g'), NULL
                        )) COLLATE \"C\" AS letter
                    ) letters
                ) places
                WHERE place > 0;
                heading := coalesce(translate(heading, unfolded, folded), heading);
                body := coalesce(translate(body, unfolded, folded), body);
            END IF;
            heading := regexp_replace(heading, '{separator}', ' ', 'g');
            body := regexp_replace(body, '{separator}', ' ', 'g');
            words := string_to_array(heading || ' ' || body, ' ');
            IF length(body) > 500 THEN
                SELECT array_agg(left(word, 500)) INTO words FROM unnest(words) word;
            END IF;
            words := words || string_to_array('=' || replace(heading, ' ', ' ='), ' ');
            RETURN array_to_tsvector(array_remove(array_remove(words, ''), '='));
        END $$"
    )
}

/// `gin_pending_list_limit` in kB: about 300 posts of 300 characters.
///
/// PostgreSQL collects new words in a pending list of up to this size, and every search reads the
/// whole list. Without the list, writing a post would take several times as long.
const PENDING: &str = "512";

/// FTS5 tables and triggers.
///
/// The tables are external-content tables that store only which posts contain a word: no copy of the
/// text, no positions, no column sizes. Prefixes of one to three letters have indexes of their own,
/// because many words begin with them.
fn sqlite() -> Vec<String> {
    let table = |name: &str, columns: &str| {
        format!(
            "CREATE VIRTUAL TABLE {name} USING fts5({columns}, content = 'posts',
            content_rowid = 'id', tokenize = \"{TOKENIZER}\", prefix = '1 2 3', detail = 'none',
            columnsize = 0)"
        )
    };
    let mut statements = vec![
        table("posts_search", "title, content"),
        // A table of its own, because a column filter would read every post that contains the word
        // anywhere.
        table("posts_titles", "title"),
    ];
    for name in ["posts_search", "posts_titles"] {
        // With the default of 4 segments, writing a post takes twice as long.
        statements.push(format!(
            "INSERT INTO {name} ({name}, rank) VALUES ('automerge', 16)"
        ));
        statements.push(format!("INSERT INTO {name} ({name}) VALUES ('rebuild')"));
    }
    let add = "INSERT INTO posts_search (rowid, title, content)
            VALUES (NEW.id, NEW.title, NEW.content);
        INSERT INTO posts_titles (rowid, title) VALUES (NEW.id, NEW.title);";
    let remove = "INSERT INTO posts_search (posts_search, rowid, title, content)
            VALUES ('delete', OLD.id, OLD.title, OLD.content);
        INSERT INTO posts_titles (posts_titles, rowid, title)
            VALUES ('delete', OLD.id, OLD.title);";
    for (name, event, work) in [
        ("insert", "INSERT", add.to_owned()),
        ("delete", "DELETE", remove.to_owned()),
        (
            "update",
            "UPDATE OF id, title, content",
            format!("{remove}\n        {add}"),
        ),
    ] {
        statements.push(format!(
            "CREATE TRIGGER posts_search_{name} AFTER {event} ON posts BEGIN
        {work}
    END"
        ));
    }
    statements
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        if !dialect::is_postgres(manager) {
            return dialect::execute(manager, sqlite()).await;
        }
        dialect::execute(
            manager,
            [
                function(),
                "ALTER TABLE posts ADD COLUMN search tsvector
                    GENERATED ALWAYS AS (posts_search(title, content)) STORED"
                    .to_owned(),
                format!(
                    "CREATE INDEX posts_search_idx ON posts USING gin (search)
                    WITH (gin_pending_list_limit = {PENDING})"
                ),
            ],
        )
        .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        if dialect::is_postgres(manager) {
            dialect::execute(
                manager,
                [
                    "ALTER TABLE posts DROP COLUMN search",
                    "DROP FUNCTION posts_search(text, text)",
                ],
            )
            .await
        } else {
            dialect::execute(
                manager,
                [
                    "DROP TRIGGER posts_search_insert",
                    "DROP TRIGGER posts_search_delete",
                    "DROP TRIGGER posts_search_update",
                    "DROP TABLE posts_search",
                    "DROP TABLE posts_titles",
                ],
            )
            .await
        }
    }
}
