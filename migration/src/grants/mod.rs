//! The roles of PostgreSQL and their privileges: one owns the schema and migrates, one serves, and others
//! only insert posts.

mod insert;
mod rights;

use std::{fmt, str::FromStr};

use sea_orm_migration::{
    prelude::*,
    sea_orm::{DbBackend, SqliteTransactionMode, Statement},
};

use crate::{Database, Error, database::Connected, pending};
pub use insert::InsertRole;
use insert::insert_function;
pub use rights::Rights;
use rights::{power, rights};

/// The tables, each with the privileges that the service uses. Foreign keys delete as the owner.
const TABLES: [(&str, &[&str]); 25] = [
    ("activity_days", &["SELECT", "INSERT", "UPDATE", "DELETE"]),
    ("audit_log", &["SELECT", "INSERT"]),
    ("event_outbox", &["SELECT", "INSERT", "DELETE"]),
    ("event_tickets", &["SELECT", "INSERT", "DELETE"]),
    ("events", &["SELECT", "INSERT", "DELETE"]),
    (
        "idempotency_keys",
        &["SELECT", "INSERT", "UPDATE", "DELETE"],
    ),
    ("imported_posts", &["SELECT", "INSERT"]),
    ("post_statistics", &["SELECT", "INSERT", "UPDATE", "DELETE"]),
    ("post_tags", &["SELECT", "INSERT", "DELETE"]),
    ("post_vote_days", &["SELECT", "INSERT", "UPDATE", "DELETE"]),
    ("posts", &["SELECT", "INSERT", "UPDATE", "DELETE"]),
    ("ranks", &["SELECT", "INSERT", "UPDATE"]),
    ("refresh_tokens", &["SELECT", "INSERT", "UPDATE", "DELETE"]),
    ("seaql_migrations", &["SELECT"]),
    ("sessions", &["SELECT", "INSERT", "UPDATE", "DELETE"]),
    ("statistics", &["SELECT", "UPDATE"]),
    ("tag_statistics", &["SELECT", "INSERT", "UPDATE", "DELETE"]),
    ("tokens", &["SELECT", "INSERT", "UPDATE", "DELETE"]),
    ("user_activity", &["SELECT", "INSERT", "DELETE"]),
    ("user_statistics", &["SELECT", "INSERT", "UPDATE", "DELETE"]),
    ("users", &["SELECT", "INSERT", "UPDATE", "DELETE"]),
    ("votes", &["SELECT", "INSERT", "DELETE"]),
    (
        "webhook_deliveries",
        &["SELECT", "INSERT", "UPDATE", "DELETE"],
    ),
    ("webhook_progress", &["SELECT", "UPDATE"]),
    ("webhooks", &["SELECT", "INSERT", "UPDATE", "DELETE"]),
];
/// The sequences of ids and positions, which `acclaim export` and the job of the event log read.
const SEQUENCES: [&str; 7] = [
    "audit_log_id_seq",
    "event_outbox_id_seq",
    "events_position_seq",
    "posts_id_seq",
    "tokens_id_seq",
    "users_id_seq",
    "webhooks_id_seq",
];
/// A function that runs with the privileges of the owner.
const MERGE: &str = "posts_search_merge()";

/// The name of a role: 1 to 40 of `[a-z0-9_]`, not beginning with a digit or `pg_`, and neither `public`
/// nor `none`, which PostgreSQL reserves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Role(String);

impl Role {
    /// The name, without quotes.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Role {
    type Err = &'static str;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let is_plain = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_');
        let begins_well = name.starts_with(|first: char| !first.is_ascii_digit());
        if begins_well
            && name.len() <= 40
            && name.bytes().all(is_plain)
            && !name.starts_with("pg_")
            && !["public", "none"].contains(&name)
        {
            return Ok(Self(name.to_owned()));
        }
        Err("must be 1 to 40 of [a-z0-9_], and not begin with a digit or `pg_`")
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Some words, such as `user`, are names only in quotes.
        write!(f, "\"{}\"", self.0)
    }
}

/// The roles that get privileges.
#[derive(Clone, Debug, clap::Args)]
pub struct Grants {
    /// The role that serves: it reads and writes rows, and cannot change the schema
    #[arg(long, value_name = "ROLE")]
    pub serve: Role,
    /// A role that may only insert posts of one user, by the function `ROLE_insert_post`
    #[arg(long, value_name = "ROLE=USERNAME")]
    pub insert: Vec<InsertRole>,
    /// Run the SQL instead of printing it
    #[arg(long)]
    pub apply: bool,
}

impl Grants {
    fn roles(&self) -> impl Iterator<Item = &Role> {
        self.insert
            .iter()
            .map(|insert| &insert.role)
            .chain([&self.serve])
    }
}

/// The SQL that gives the roles their privileges, and takes the others on the tables from them and from
/// PUBLIC. With [`Grants::apply`] it is run, in one transaction, and can be repeated. That checks the
/// rights of the roles, and changes nothing if one of them has too many, for example as a member of
/// another role.
///
/// # Errors
/// On SQLite, which has no roles; if a migration is pending; if a username is unknown, or the function of
/// a role inserts posts of another user; if a role owns the tables, is a superuser or has further rights;
/// if the caller does not own the tables; and those of the database, such as a missing right to create a
/// role.
pub async fn grants(database: &Database, grants: &Grants) -> Result<String, Error> {
    if matches!(database, Database::Sqlite(_)) {
        let message = "SQLite has no roles; restrict the access to its file instead";
        return Err(Error::Unsupported(message.to_owned()));
    }
    let connected = database.connect(false).await.map_err(Error::Connect)?;
    let outcome = run(&connected, grants).await;
    connected.end(database, outcome).await
}

/// The rights of the role of `database`, a PostgreSQL, compared with those to serve. Those of all tables
/// are lacking if the `search_path` does not lead to them, or if no migration is applied.
///
/// # Errors
/// Those of the database.
pub async fn rights_to_serve(database: &Database) -> Result<Rights, Error> {
    let connected = database.connect(false).await.map_err(Error::Connect)?;
    let read = async {
        let transaction = connected.begin(SqliteTransactionMode::Deferred).await?;
        Ok(rights(&transaction, None, true).await?)
    };
    let rights = read.await;
    connected.end(database, rights).await
}

async fn run(connected: &Connected, grants: &Grants) -> Result<String, Error> {
    let transaction = connected.begin(SqliteTransactionMode::Deferred).await?;
    if let Some(name) = pending(&transaction).await?.first() {
        return Err(refused(format!(
            "migration `{name}` is pending; run `acclaim migrate up` first"
        )));
    }
    let sql = sql(&transaction, grants).await?;
    if grants.apply {
        transaction.execute_unprepared(&sql).await?;
        for role in grants.roles() {
            let serves = *role == grants.serve;
            let rights = rights(&transaction, Some(role), serves).await?;
            if let Some(problem) = rights.problem() {
                return Err(refused(format!(
                    "the role {role} {problem}; nothing was changed"
                )));
            }
        }
    }
    transaction.commit().await.map_err(Error::Commit)?;
    Ok(format!("BEGIN;\n{sql}COMMIT;\n"))
}

async fn sql(connection: &impl ConnectionTrait, grants: &Grants) -> Result<String, Error> {
    let place = "SELECT quote_ident(nspname), quote_ident(pg_get_userbyid(relowner))
        FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
        WHERE pg_class.oid = to_regclass('posts')
            AND (NOT $1 OR pg_has_role(relowner, 'USAGE'))";
    let statement =
        Statement::from_sql_and_values(DbBackend::Postgres, place, [grants.apply.into()]);
    let Some(row) = connection.query_one_raw(statement).await? else {
        return Err(refused("only the owner of the tables can apply the grants"));
    };
    let (schema, owner): (String, String) = (row.try_get_by_index(0)?, row.try_get_by_index(1)?);
    let roles: Vec<_> = grants.roles().collect();
    for role in &roles {
        if roles.iter().filter(|other| *other == role).count() > 1 {
            return Err(refused(format!("the role {role} is named twice")));
        }
        if let Some(power) = power(connection, role.as_str()).await? {
            return Err(refused(format!(
                "the role {role} {power}, so it has every privilege; name another"
            )));
        }
    }
    let mut sql: Vec<_> = roles.iter().map(|role| create(role)).collect();
    // The functions belong to the owner, also if a superuser runs this.
    sql.push(format!("SET LOCAL ROLE {owner};\n"));
    let tables = TABLES
        .map(|(table, _)| format!("{schema}.{table}"))
        .join(", ");
    let sequences = SEQUENCES
        .map(|sequence| format!("{schema}.{sequence}"))
        .join(", ");
    let names: Vec<_> = roles.iter().map(ToString::to_string).collect();
    let names = names.join(", ");
    sql.push(format!(
        "REVOKE CREATE ON SCHEMA {schema} FROM PUBLIC, {names};
REVOKE ALL ON TABLE {tables} FROM PUBLIC, {names};
REVOKE ALL ON SEQUENCE {sequences} FROM PUBLIC, {names};
REVOKE ALL ON FUNCTION {schema}.{MERGE} FROM PUBLIC, {names};
GRANT USAGE ON SCHEMA {schema} TO {names};
"
    ));
    let serve = &grants.serve;
    sql.extend(TABLES.iter().map(|(table, privileges)| {
        let privileges = privileges.join(", ");
        format!("GRANT {privileges} ON {schema}.{table} TO {serve};\n")
    }));
    sql.push(format!(
        "GRANT SELECT ON SEQUENCE {sequences} TO {serve};\n\
         GRANT EXECUTE ON FUNCTION {schema}.{MERGE} TO {serve};\n"
    ));
    for insert in &grants.insert {
        sql.push(insert_function(connection, insert, &schema).await?);
    }
    sql.push("RESET ROLE;\n".to_owned());
    Ok(sql.concat())
}

/// Creates `role`, without a password, if it is missing.
fn create(role: &Role) -> String {
    let Role(name) = role;
    format!(
        "DO $$ BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{name}') THEN
        CREATE ROLE {role} LOGIN;
    END IF;
END $$;
"
    )
}

fn refused(message: impl Into<String>) -> Error {
    Error::Refused(message.into())
}
