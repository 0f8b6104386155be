//! Prints migrations as an SQL script, for `psql` or `sqlite3`.

use sea_orm_migration::{
    MigrationTrait, SchemaManager,
    sea_orm::{DatabaseConnection, DbBackend, Schema},
    seaql_migrations,
};
use sqlx::{
    postgres::{PgConnectOptions, PgPoolOptions},
    sqlite::{SqliteConnectOptions, SqlitePoolOptions},
};

use crate::{
    Error, Report,
    change::{LOCK, LOCK_TIMEOUT, record},
    dialect,
    history::History,
};

/// The places of the migrations to print: those after `from`, or the pending ones, up to `to`.
pub(crate) fn between(
    history: &History,
    from: Option<&str>,
    to: &str,
) -> Result<Vec<usize>, Error> {
    let end = history.position(to)?;
    let places = history.0.iter().zip(0..end);
    Ok(match from {
        Some(from) => {
            let start = history.position(from)?;
            (start..end).collect()
        }
        None => places
            .filter(|(entry, _)| !entry.applied)
            .map(|(_, place)| place)
            .collect(),
    })
}

/// The script of the migrations at `places`. It leaves the database as `up` would.
pub(crate) async fn print(
    backend: DbBackend,
    migrations: &[Box<dyn MigrationTrait>],
    places: &[usize],
) -> Result<Report, Error> {
    let mut script = Script::new(backend);
    let connection = nowhere(backend);
    let mut has_table = false;
    let planned = places.iter().filter_map(|place| migrations.get(*place));
    for migration in planned {
        let outside = backend == DbBackend::Postgres && migration.use_transaction() == Some(false);
        script.place(!outside);
        if !has_table {
            has_table = true;
            let mut table = Schema::new(backend).create_table_from_entity(seaql_migrations::Entity);
            let table = backend.build(table.if_not_exists());
            script.lines.push(format!("{table};"));
        }
        script.lines.push(format!("-- {}", migration.name()));
        let manager = SchemaManager::new(&connection);
        let recorded = dialect::record(migration.up(&manager)).await;
        let statements = recorded.map_err(|cause| Error::Failed {
            name: migration.name().to_owned(),
            cause,
        })?;
        for statement in statements {
            script.lines.push(format!("{statement};"));
        }
        let record = record(backend, migration.name());
        script.lines.push(format!("{record};"));
    }
    script.place(false);
    if script.lines.is_empty() {
        script.lines.push("-- nothing to do".to_owned());
    }
    Ok(Report {
        lines: script.lines,
        pending: 0,
    })
}

struct Script {
    backend: DbBackend,
    is_open: bool,
    lines: Vec<String>,
}

impl Script {
    fn new(backend: DbBackend) -> Self {
        Self {
            backend,
            is_open: false,
            lines: Vec::new(),
        }
    }

    /// Continues inside or outside a transaction.
    fn place(&mut self, inside: bool) {
        let mut add = |line: &str| self.lines.push(line.to_owned());
        match (self.is_open, inside, self.backend) {
            (false, true, DbBackend::Postgres) => {
                add("\\set ON_ERROR_STOP on");
                add("BEGIN;");
                add(&format!("SELECT pg_advisory_xact_lock({LOCK});"));
                add(&format!("{LOCK_TIMEOUT};"));
            }
            (false, true, _) => {
                add(".bail on");
                add("PRAGMA foreign_keys = OFF;");
                add("BEGIN IMMEDIATE;");
            }
            (true, false, _) => add("COMMIT;"),
            _ => {}
        }
        self.is_open = inside;
    }
}

/// A connection that is never opened: it only tells the migrations which database they are for. A
/// statement that is not recorded fails on it.
fn nowhere(backend: DbBackend) -> DatabaseConnection {
    if backend == DbBackend::Postgres {
        let options = PgConnectOptions::new_without_pgpass().host("/nowhere");
        return PgPoolOptions::new().connect_lazy_with(options).into();
    }
    let options = SqliteConnectOptions::new().filename("/nowhere/nothing.db");
    SqlitePoolOptions::new().connect_lazy_with(options).into()
}
