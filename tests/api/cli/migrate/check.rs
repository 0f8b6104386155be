//! `acclaim migrate check`

use sea_orm::DatabaseConnection;

use super::{execute, lines, migrate};
use crate::harness::{Fixture, apply, behaviour, column, postgres_behaviour};

async fn check(fixture: &Fixture) -> Vec<String> {
    let ended = migrate(fixture, &["check"]).await;
    assert_eq!(ended.stderr, "");
    let lines: Vec<_> = ended.stdout.lines().map(str::to_owned).collect();
    let agrees = lines == ["no differences"];
    assert_eq!(ended.code, Some(i32::from(!agrees)), "{lines:#?}");
    if agrees { Vec::new() } else { lines }
}

/// CI holds entities and migrations together by this test.
#[apply(behaviour)]
async fn the_migrated_schema_agrees_with_the_entities(fixture: Fixture) {
    let pending = check(&fixture_with_file(&fixture)).await;
    assert!(pending.len() >= 20, "{pending:#?}");
    assert_eq!(
        pending[0],
        "migration m20261121_000001_create_users is pending"
    );
    lines(&fixture, &["up"]).await;
    let before = super::schema(&fixture).await;
    assert_eq!(check(&fixture).await, [""; 0]);
    assert_eq!(super::schema(&fixture).await, before);
}

/// `check` does not create the file of an SQLite database.
fn fixture_with_file(fixture: &Fixture) -> Fixture {
    if !fixture.is_postgres() {
        std::fs::File::create(fixture.url.trim_start_matches("sqlite://")).expect("no file");
    }
    fixture.clone()
}

/// Replaces a part of the text of `table` in SQLite's catalogue, as no statement can.
async fn edit(connection: &DatabaseConnection, table: &str, part: &str, replacement: &str) {
    let sql = format!("SELECT sql FROM sqlite_master WHERE name = '{table}'");
    let text = column(connection, &sql).await.remove(0);
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(text.contains(part), "{text}");
    let text = text.replacen(part, replacement, 1).replace('\'', "''");
    execute(connection, "PRAGMA writable_schema = ON").await;
    let update = format!("UPDATE sqlite_master SET sql = '{text}' WHERE name = '{table}'");
    execute(connection, &update).await;
    if part.contains(" UNIQUE ") || part.contains(" PRIMARY KEY ") {
        // The index that SQLite made for the key.
        let index = format!(
            "SELECT max(name) FROM sqlite_master WHERE tbl_name = '{table}' AND sql IS NULL"
        );
        let delete = format!("DELETE FROM sqlite_master WHERE name = ({index})");
        execute(connection, &delete).await;
    }
    execute(connection, "PRAGMA writable_schema = RESET").await;
}

/// What is damaged, on PostgreSQL by a statement, on SQLite by a part of a table and its replacement, and
/// the line that reports it.
const DAMAGE: [(&str, [&str; 3], &str); 8] = [
    (
        "ALTER TABLE users DROP CONSTRAINT users_username_key",
        [
            "users",
            "CONSTRAINT users_username_key UNIQUE (username), ",
            "",
        ],
        "unique key users_username_key on users is missing",
    ),
    (
        "ALTER TABLE idempotency_keys DROP CONSTRAINT idempotency_keys_pkey",
        [
            "idempotency_keys",
            "CONSTRAINT idempotency_keys_pkey PRIMARY KEY (caller, key), ",
            "",
        ],
        "primary key idempotency_keys_pkey on idempotency_keys is missing",
    ),
    (
        "ALTER TABLE votes DROP CONSTRAINT votes_user_id_fkey",
        [
            "votes",
            ", CONSTRAINT votes_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE",
            "",
        ],
        "foreign key votes_user_id_fkey on votes is missing",
    ),
    (
        "ALTER TABLE imported_posts DROP CONSTRAINT imported_posts_origin_check",
        [
            "imported_posts",
            "CONSTRAINT imported_posts_origin_check CHECK (length(origin) BETWEEN 1 AND 100), ",
            "",
        ],
        "check imported_posts_origin_check on imported_posts is missing",
    ),
    (
        "ALTER TABLE posts DROP CONSTRAINT posts_external_id_check",
        [
            "posts",
            " CONSTRAINT posts_external_id_check CHECK (length(external_id) BETWEEN 1 AND 128)",
            "",
        ],
        "posts_external_id_check",
    ),
    (
        "ALTER TABLE idempotency_keys ALTER COLUMN status TYPE bigint",
        ["idempotency_keys", "status integer", "status bigint"],
        "column idempotency_keys.status is `",
    ),
    (
        "ALTER TABLE sessions ALTER COLUMN user_agent DROP NOT NULL",
        ["sessions", "user_agent text NOT NULL", "user_agent text"],
        "column sessions.user_agent is `",
    ),
    (
        "ALTER TABLE posts ALTER COLUMN version SET DEFAULT 2",
        [
            "posts",
            "version bigint NOT NULL DEFAULT 1",
            "version bigint NOT NULL DEFAULT 2",
        ],
        "column posts.version is `",
    ),
];

/// The same on both databases.
const STATEMENTS: [(&str, &str); 5] = [
    (
        "DROP INDEX posts_owner_id_external_id_idx",
        "index posts_owner_id_external_id_idx on posts is missing: CREATE UNIQUE INDEX",
    ),
    (
        "ALTER TABLE sessions DROP COLUMN scopes",
        "column sessions.scopes is missing: ",
    ),
    (
        "DROP TABLE imported_posts",
        "table imported_posts is missing",
    ),
    (
        "CREATE INDEX users_role_idx ON users (role)",
        "index users_role_idx on users is not from a migration",
    ),
    (
        "ALTER TABLE users ADD COLUMN nickname text",
        "column users.nickname is not from a migration",
    ),
];

#[apply(behaviour)]
async fn each_difference_from_the_migrations_is_reported(fixture: Fixture) {
    fixture.migrate().await;
    let connection = fixture.connect().await;
    let mut before = Vec::new();
    for (statement, [table, part, replacement], expected) in DAMAGE {
        if fixture.is_postgres() {
            execute(&connection, statement).await;
        } else {
            edit(&connection, table, part, replacement).await;
        }
        before = reports(&fixture, &before, expected).await;
    }
    for (statement, expected) in STATEMENTS {
        execute(&connection, statement).await;
        before = reports(&fixture, &before, expected).await;
    }
    let trigger = if fixture.is_postgres() {
        "DROP TRIGGER votes_insert ON votes"
    } else {
        "DROP TRIGGER votes_insert"
    };
    execute(&connection, trigger).await;
    reports(
        &fixture,
        &before,
        "trigger votes_insert on votes is missing",
    )
    .await;
}

/// The lines of `check`. One of them has `expected` and is not among those of `before`.
async fn reports(fixture: &Fixture, before: &[String], expected: &str) -> Vec<String> {
    let lines = check(fixture).await;
    let is_new = |line: &&String| line.contains(expected) && !before.contains(line);
    assert!(
        lines.iter().any(|line| is_new(&line)),
        "{expected}: {lines:#?}"
    );
    lines
}

#[apply(postgres_behaviour)]
async fn a_changed_function_and_a_disabled_trigger_are_reported(fixture: Fixture) {
    fixture.migrate().await;
    let connection = fixture.connect().await;
    let changed =
        "CREATE OR REPLACE FUNCTION votes_truncate() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN RETURN NULL; END $$";
    execute(&connection, changed).await;
    execute(
        &connection,
        "ALTER TABLE votes DISABLE TRIGGER votes_delete",
    )
    .await;
    let expected = [
        "function votes_truncate() differs from its migration",
        "trigger votes_delete on votes differs from its migration",
    ];
    assert_eq!(check(&fixture).await, expected);
}

/// It reads the catalogue and makes a schema of its own, so a writer that holds the tables does not matter,
/// and nothing is left.
#[apply(postgres_behaviour)]
async fn the_check_needs_no_lock_and_leaves_nothing(fixture: Fixture) {
    use sea_orm::{ConnectionTrait, TransactionTrait};
    fixture.migrate().await;
    let connection = fixture.connect().await;
    let writer = connection.begin().await.expect("no transaction");
    let lock = "LOCK TABLE users, posts, votes, sessions IN ROW EXCLUSIVE MODE";
    writer.execute_unprepared(lock).await.expect(lock);
    assert_eq!(check(&fixture).await, [""; 0]);
    writer.rollback().await.expect("no rollback");
    let schemas = "SELECT nspname::text FROM pg_namespace WHERE nspname LIKE 'acclaim%'";
    assert_eq!(column(&connection, schemas).await, [""; 0]);
}
