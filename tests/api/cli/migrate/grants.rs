//! `acclaim migrate grants`

use sea_orm::{ConnectionTrait, Database, DatabaseConnection};
use serde_json::json;

use super::{lines, migrate};
use crate::harness::{Fixture, apply, column, postgres_behaviour, sqlite_behaviour};

/// Applies the grants for the serving role, and for one that inserts posts of ada. Returns a connection
/// as the latter.
async fn insert_only(fixture: &Fixture) -> DatabaseConnection {
    let serve = fixture.separate_role();
    let serve = serve.as_str();
    let name = format!("{serve}_sensor");
    let insert = format!("{name}=Ada");
    let grants = ["grants", "--serve", serve, "--insert", &insert, "--apply"];
    // A second run changes nothing.
    for _ in 0..2 {
        let ended = migrate(fixture, &grants).await;
        assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
    }
    let password = format!("ALTER ROLE {name} PASSWORD 'hidden'");
    execute(&fixture.connect().await, &password).await;
    connect_as(fixture, &name).await
}

/// A connection to the server itself as `role`, whose password is `hidden`.
async fn connect_as(fixture: &Fixture, role: &str) -> DatabaseConnection {
    let mut url = url::Url::parse(&fixture.owner_url).expect("no URL");
    url.set_username(role).expect("no user");
    url.set_password(Some("hidden")).expect("no password");
    let connected = Database::connect(url.as_str()).await;
    connected.expect("no connection")
}

/// Drops the role of [`insert_only`].
async fn drop_insert_only(fixture: &Fixture) {
    let name = format!("{}_sensor", fixture.separate_role().as_str());
    let drop = format!("DROP OWNED BY {name}; DROP ROLE {name}");
    execute(&fixture.connect().await, &drop).await;
}

async fn execute(connection: &DatabaseConnection, sql: &str) {
    connection.execute_unprepared(sql).await.expect(sql);
}

/// The message of PostgreSQL for a statement that fails.
async fn refusal(connection: &DatabaseConnection, sql: &str) -> String {
    connection
        .execute_unprepared(sql)
        .await
        .expect_err(sql)
        .to_string()
}

const DENIED: &str = "permission denied";

#[apply(postgres_behaviour)]
async fn a_role_that_only_inserts_posts_is_refused_everything_else(fixture: Fixture) {
    let service = fixture.serve().await;
    let ada = service.user("ada").await;
    let first = service.new_post(&ada, "Title").await;
    let sensor = insert_only(&fixture).await;
    let serve = fixture.separate_role();
    let insert = format!("{}_sensor_insert_post", serve.as_str());
    let full = format!(
        "SELECT {insert}('Station 7', 'Rain', '{{weather,rain,weather}}', 's-1', '{{\"celsius\": 21.5}}')"
    );
    execute(&sensor, &full).await;
    execute(&sensor, &format!("SELECT {insert}('Short', 'Text')")).await;
    let posts = service.get("/posts?owner_id=1&sort=old", &ada).await.json();
    assert_eq!(posts[1]["title"], "Station 7");
    assert_eq!(posts[1]["tags"], json!(["weather", "rain"]));
    assert_eq!(posts[1]["external_id"], "s-1");
    assert_eq!(posts[1]["metadata"], json!({"celsius": 21.5}));
    assert_eq!(posts[2]["title"], "Short");
    let found = service.get("/posts?search=rain", &ada).await.json();
    assert_eq!(found.as_array().map(Vec::len), Some(1));

    let long = "x".repeat(40_001);
    let deep = r#"{"a": {"b": 1}}"#;
    let refused = [
        ("SELECT * FROM posts".to_owned(), DENIED),
        ("SELECT email FROM users".to_owned(), DENIED),
        ("SELECT password_hash FROM users".to_owned(), DENIED),
        ("SELECT * FROM seaql_migrations".to_owned(), DENIED),
        ("SELECT last_value FROM posts_id_seq".to_owned(), DENIED),
        ("SELECT nextval('posts_id_seq')".to_owned(), DENIED),
        ("COPY posts TO STDOUT".to_owned(), DENIED),
        ("TABLE audit_log".to_owned(), DENIED),
        ("INSERT INTO posts (owner_id, title, content, published, tags, created_at, updated_at) \
          VALUES (1, 'x', 'x', true, '', now(), now())".to_owned(), DENIED),
        ("INSERT INTO votes (user_id, post_id) VALUES (1, 1)".to_owned(), DENIED),
        (format!("UPDATE posts SET title = 'x' WHERE id = {first}"), DENIED),
        (format!("DELETE FROM posts WHERE id = {first}"), DENIED),
        ("TRUNCATE posts CASCADE".to_owned(), DENIED),
        ("DO $$ BEGIN LOCK TABLE posts; END $$".to_owned(), DENIED),
        ("SELECT posts_search_merge()".to_owned(), DENIED),
        ("CREATE TABLE mine (id int)".to_owned(), DENIED),
        ("CREATE FUNCTION mine() RETURNS int LANGUAGE sql AS 'SELECT 1'".to_owned(), DENIED),
        ("DROP TABLE posts".to_owned(), "must be owner"),
        ("ALTER TABLE posts ADD COLUMN mine int".to_owned(), "must be owner"),
        (format!("ALTER FUNCTION {insert} RESET ALL"), "must be owner"),
        (format!("SET ROLE {serve}"), DENIED),
        ("CREATE ROLE mine".to_owned(), DENIED),
        (format!("SELECT {insert}(' ', 'Text')"), "must not be blank"),
        (format!("SELECT {insert}(E'\\u200b', 'Text')"), "must not be blank"),
        (format!("SELECT {insert}('Title', E'\\n\\ufeff\\U000e0001')"), "must not be blank"),
        (format!("SELECT {insert}('Title', 'Text', external_id => ' ')"), "must not be blank"),
        (format!("SELECT {insert}('Title', '{long}')"), "posts_content_check"),
        (format!("SELECT {insert}('Title', 'Text', '{{Tag One}}')"), "tags must be"),
        (format!("SELECT {insert}('Title', 'Text', external_id => 's-1')"), "duplicate key"),
        (format!("SELECT {insert}('Title', 'Text', metadata => '[1]')"), "must be an object"),
        (format!("SELECT {insert}('Title', 'Text', metadata => '{deep}')"), "no object or array"),
    ];
    for (sql, message) in refused {
        let refusal = refusal(&sensor, &sql).await;
        assert!(refusal.contains(message), "{sql}: {refusal}");
    }

    // A table of the role hides none of the function's.
    execute(
        &sensor,
        "CREATE TEMPORARY TABLE users (id bigint, suspended_at timestamptz)",
    )
    .await;
    let connection = fixture.connect().await;
    execute(
        &connection,
        "UPDATE users SET suspended_at = now() WHERE id = 1",
    )
    .await;
    let suspended = refusal(&sensor, &format!("SELECT {insert}('Title', 'Text')")).await;
    assert!(suspended.contains("suspended or deleted"), "{suspended}");
    assert_eq!(
        column(&connection, "SELECT count(*) FROM posts").await,
        ["3"]
    );
    sensor.close().await.expect("not closed");
    drop_insert_only(&fixture).await;
}

#[apply(postgres_behaviour)]
async fn the_serving_role_changes_rows_only(fixture: Fixture) {
    let service = fixture.serve().await;
    service.user("ada").await;
    let serve = fixture.separate_role();
    let owner = fixture.connect().await;
    let more = format!(
        "GRANT UPDATE, TRUNCATE ON audit_log TO {serve}; GRANT CREATE ON SCHEMA public TO {serve}"
    );
    execute(&owner, &more).await;
    // Takes back what it does not need.
    fixture.migrate().await;
    let connection = connect_as(&fixture, serve.as_str()).await;
    for (sql, message) in [
        ("UPDATE audit_log SET reason = 'x'", DENIED),
        ("DELETE FROM audit_log", DENIED),
        ("DELETE FROM imported_posts", DENIED),
        ("INSERT INTO seaql_migrations VALUES ('x', 0)", DENIED),
        ("TRUNCATE votes", DENIED),
        ("CREATE TABLE mine (id int)", DENIED),
        ("DROP TABLE votes", "must be owner"),
        ("ALTER TABLE posts DISABLE TRIGGER ALL", "must be owner"),
        ("CREATE INDEX mine ON posts (title)", "must be owner"),
    ] {
        let refusal = refusal(&connection, sql).await;
        assert!(refusal.contains(message), "{sql}: {refusal}");
    }
    connection.close().await.expect("not closed");
}

/// The grants cannot take these rights back.
#[apply(postgres_behaviour)]
async fn rights_that_do_not_come_from_the_grants_are_refused(fixture: Fixture) {
    fixture.migrate().await;
    let serve = fixture.separate_role();
    let owner = fixture.connect().await;
    for (more, less, excess) in [
        (
            "ALTER ROLE {} CREATEROLE",
            "ALTER ROLE {} NOCREATEROLE",
            "CREATEROLE",
        ),
        (
            "ALTER ROLE {} BYPASSRLS",
            "ALTER ROLE {} NOBYPASSRLS",
            "BYPASSRLS",
        ),
        (
            "GRANT pg_read_all_data TO {}",
            "REVOKE pg_read_all_data FROM {}",
            "the rights of the role pg_read_all_data",
        ),
    ] {
        execute(&owner, &more.replace("{}", serve.as_str())).await;
        execute(&owner, &format!("GRANT TRUNCATE ON votes TO {serve}")).await;
        let ended = migrate(&fixture, &["grants", "--serve", serve.as_str(), "--apply"]).await;
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(2), ""));
        let message = format!("also has {excess}");
        assert!(
            ended.stderr.contains(&message),
            "{message}: {}",
            ended.stderr
        );
        let still = format!(
            "SELECT has_table_privilege('{}', 'votes', 'TRUNCATE')::text",
            serve.as_str()
        );
        assert_eq!(column(&owner, &still).await, ["true"]);
        execute(&owner, &less.replace("{}", serve.as_str())).await;
    }
}

/// Another user would let the holder of the password insert posts of that user.
#[apply(postgres_behaviour)]
async fn a_role_that_inserts_posts_keeps_its_user(fixture: Fixture) {
    let service = fixture.serve().await;
    service.user("ada").await;
    service.user("eve").await;
    let sensor = insert_only(&fixture).await;
    let serve = fixture.separate_role();
    let serve = serve.as_str();
    // Nor may another role use the function.
    let owner = fixture.connect().await;
    let all = "GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA public TO";
    execute(&owner, &format!("{all} {serve}")).await;
    let ended = migrate(&fixture, &["grants", "--serve", serve, "--apply"]).await;
    let excess = format!("also has EXECUTE on {serve}_sensor_insert_post()");
    assert!(ended.stderr.contains(&excess), "{}", ended.stderr);
    let insert = format!("{serve}_sensor=eve");
    let grants = ["grants", "--serve", serve, "--insert", &insert, "--apply"];
    let ended = migrate(&fixture, &grants).await;
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(2), ""));
    assert!(
        ended.stderr.contains("inserts posts of"),
        "{}",
        ended.stderr
    );
    execute(
        &sensor,
        &format!("SELECT {serve}_sensor_insert_post('Short', 'Text')"),
    )
    .await;
    let owners = "SELECT owner_id FROM posts";
    assert_eq!(column(&owner, owners).await, ["1"]);
    sensor.close().await.expect("not closed");
    drop_insert_only(&fixture).await;
}

#[apply(postgres_behaviour)]
async fn grants_are_printed_and_not_run(fixture: Fixture) {
    fixture.migrate().await;
    let role = format!("{}_new", fixture.url.rsplit('/').next().expect("no name"));
    let printed = lines(&fixture, &["grants", "--serve", &role]).await;
    let grant = format!("GRANT SELECT, INSERT ON public.audit_log TO \"{role}\";");
    assert!(printed.contains(&grant), "{printed:#?}");
    let roles = format!("SELECT rolname::text FROM pg_roles WHERE rolname = '{role}'");
    let connection = fixture.connect().await;
    assert_eq!(column(&connection, &roles).await, [""; 0]);
    // A DBA runs what was printed.
    if fixture.serving_role().is_some() {
        execute(&connection, &printed.join("\n")).await;
        assert_eq!(column(&connection, &roles).await, [role.as_str()]);
        execute(
            &connection,
            &format!("DROP OWNED BY {role}; DROP ROLE {role}"),
        )
        .await;
    }
    let agrees = migrate(&fixture, &["check"]).await;
    assert_eq!(agrees.stdout, "no differences\n");
}

#[apply(postgres_behaviour)]
async fn names_that_cannot_be_used_are_refused(fixture: Fixture) {
    fixture.migrate().await;
    let owner = "SELECT current_user::text";
    let owner = column(&fixture.connect().await, owner).await.remove(0);
    for (arguments, message) in [
        (
            vec!["--serve", "x; DROP TABLE posts"],
            "must be 1 to 40 of [a-z0-9_]",
        ),
        (
            vec!["--serve", "pg_monitor"],
            "must be 1 to 40 of [a-z0-9_]",
        ),
        (vec!["--serve", &owner], "so it has every privilege"),
        (
            vec!["--serve", "x", "--insert", "y"],
            "must be ROLE=USERNAME",
        ),
        (
            vec!["--serve", "x", "--insert", "y=nobody"],
            "no user has the name `nobody`",
        ),
        (vec!["--serve", "x", "--insert", "x=ada"], "is named twice"),
        (vec![], "--serve"),
    ] {
        let arguments = [vec!["grants"], arguments].concat();
        let ended = migrate(&fixture, &arguments).await;
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(2), ""));
        assert!(
            ended.stderr.contains(message),
            "{message}: {}",
            ended.stderr
        );
    }
}

#[apply(sqlite_behaviour)]
async fn sqlite_has_no_roles(fixture: Fixture) {
    fixture.migrate().await;
    let ended = migrate(&fixture, &["grants", "--serve", "x"]).await;
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(2), ""));
    assert!(
        ended.stderr.contains("SQLite has no roles"),
        "{}",
        ended.stderr
    );
}
