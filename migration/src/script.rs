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
    change::{LOCK, LOCK_TIMEOUT, UNLIMITED, record},
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
        script.enter(if outside {
            Section::Session
        } else {
            Section::Transaction
        });
        if !has_table {
            has_table = true;
            let mut table = Schema::new(backend).create_table_from_entity(seaql_migrations::Entity);
            let table = backend.build(table.if_not_exists());
            script.add(&format!("{table};"));
        }
        script.add(&format!("-- {}", migration.name()));
        let manager = SchemaManager::new(&connection);
        let recorded = dialect::record(migration.up(&manager)).await;
        let statements = recorded.map_err(|cause| Error::Failed {
            name: migration.name().to_owned(),
            cause,
        })?;
        for statement in statements {
            script.add(&format!("{statement};"));
        }
        let record = record(backend, migration.name());
        script.add(&format!("{record};"));
    }
    if script.lines.is_empty() {
        script.add("-- nothing to do");
    }
    script.enter(Section::None);
    Ok(Report {
        lines: script.lines,
        pending: 0,
    })
}

struct Script {
    backend: DbBackend,
    section: Section,
    lines: Vec<String>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Section {
    None,
    Transaction,
    /// For migrations that must not run in a transaction. Only on PostgreSQL.
    Session,
}

impl Script {
    fn new(backend: DbBackend) -> Self {
        Self {
            backend,
            section: Section::None,
            lines: Vec::new(),
        }
    }

    /// Continues in `section`. Each ends by giving back its lock.
    fn enter(&mut self, section: Section) {
        if section == self.section {
            return;
        }
        match self.section {
            Section::None => {}
            Section::Transaction => self.add("COMMIT;"),
            Section::Session => {
                self.add(&format!("SELECT pg_advisory_unlock({LOCK});"));
                self.add("RESET statement_timeout;");
            }
        }
        if self.lines.is_empty() {
            self.add(if self.backend == DbBackend::Postgres {
                "\\set ON_ERROR_STOP on"
            } else {
                ".bail on"
            });
        }
        match (section, self.backend) {
            (Section::None, _) => {}
            (Section::Transaction, DbBackend::Postgres) => {
                self.add("BEGIN;");
                self.add(&format!("{LOCK_TIMEOUT};"));
                self.add(&format!("SET LOCAL {UNLIMITED};"));
                self.add(&format!("SELECT pg_advisory_xact_lock({LOCK});"));
            }
            (Section::Transaction, _) => {
                self.add("PRAGMA foreign_keys = OFF;");
                self.add("BEGIN IMMEDIATE;");
            }
            (Section::Session, _) => {
                self.add(&format!("SET {UNLIMITED};"));
                // Does not wait: a statement that waits holds a snapshot, for whose end the other run may wait.
                self.add(&format!(
                    "DO $$ BEGIN IF NOT pg_try_advisory_lock({LOCK}) THEN \
                     RAISE EXCEPTION 'another run of migrations has not ended'; END IF; END $$;"
                ));
            }
        }
        self.section = section;
    }

    fn add(&mut self, line: &str) {
        self.lines.push(line.to_owned());
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
