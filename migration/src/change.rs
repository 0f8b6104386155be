//! Applies and reverts migrations: one run, one lock.
//!
//! A run is one transaction. A migration whose `use_transaction` is `Some(false)` runs outside it on
//! PostgreSQL, for `CREATE INDEX CONCURRENTLY`: such a run has a transaction before it and one after it,
//! and holds the lock for the whole session.

use std::time::Duration;

use sea_orm_migration::{
    MigrationTrait, MigratorTrait, SchemaManager,
    prelude::*,
    sea_orm::{
        DatabaseTransaction, DbBackend, RuntimeErr, SqliteTransactionMode, Statement,
        sqlx::Error as SqlxError,
    },
};
use tokio::time::{Instant, sleep};

use crate::{
    Command, Error, Migrator, Report, Session,
    database::{Connected, MIGRATION_BUSY_TIMEOUT},
    history::History,
};

/// Key of the advisory lock that a run holds on PostgreSQL: `acclaim` in ASCII.
pub(crate) const LOCK: i64 = 0x61_6363_6c61_696d;
/// Time limit to get the lock of a table on PostgreSQL. All requests for the table queue behind the
/// migration for as long.
pub(crate) const LOCK_TIMEOUT: &str = "SET LOCAL lock_timeout = '3s'";
/// Pauses between the attempts of a run that did not get the lock of a table.
const BACK_OFF: [Duration; 3] = [
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(2),
];
/// For `SET` or `SET LOCAL`. The role may have a limit for the statements of the service.
pub(crate) const UNLIMITED: &str = "statement_timeout = 0";
const POLL: Duration = Duration::from_millis(100);

/// A part of a run. The number is a place in the list of migrations.
#[derive(Clone, Copy)]
enum Step {
    Apply(usize),
    Revert(usize),
    DropEverything,
    Uninstall,
}

/// A run that changes the schema.
pub(crate) struct Run<'a> {
    pub connected: &'a Connected,
    pub migrations: &'a [Box<dyn MigrationTrait>],
    pub command: &'a Command,
}

impl Run<'_> {
    pub async fn change(&self) -> Result<Report, Error> {
        let reading = self
            .connected
            .begin(SqliteTransactionMode::Deferred)
            .await?;
        let plan = self.plan(&reading).await?;
        reading.rollback().await?;
        let Some(outside) = self.first_outside(&plan) else {
            return self.transaction(None).await;
        };
        if self.connected.session != Session::Own {
            return Err(Error::Pooled(outside.to_owned()));
        }
        // Not the lock of a transaction, because the run has several.
        lock(&self.connected.db, "pg_try_advisory_lock").await?;
        let unlimited = format!("SET {UNLIMITED}");
        self.connected.db.execute_unprepared(&unlimited).await?;
        let plan = self.plan(&self.connected.db).await?;
        let mut report = Report::default();
        for steps in plan.chunk_by(|a, b| !self.is_outside(*a) && !self.is_outside(*b)) {
            let done = match steps {
                [step] if self.is_outside(*step) => self.outside(*step).await,
                steps => self.transaction(Some(steps)).await,
            };
            match done {
                Ok(done) => report.lines.extend(done.lines),
                Err(Error::Failed { name, cause }) => return Err(Error::Stopped { name, cause }),
                Err(Error::Database(cause)) => return Err(Error::StoppedBetween(cause)),
                Err(error) => return Err(error),
            }
        }
        // The end of the session releases the lock.
        Ok(report)
    }

    fn is_postgres(&self) -> bool {
        self.connected.db.get_database_backend() == DbBackend::Postgres
    }

    /// The name of the first migration of `plan` that must not run in a transaction.
    fn first_outside(&self, plan: &[Step]) -> Option<&str> {
        plan.iter().find_map(|step| self.outside_name(*step))
    }

    /// True if the migration of `step` must not run in a transaction.
    fn is_outside(&self, step: Step) -> bool {
        self.outside_name(step).is_some()
    }

    /// The name of the migration of `step`, if it must not run in a transaction.
    fn outside_name(&self, step: Step) -> Option<&str> {
        let (Step::Apply(place) | Step::Revert(place)) = step else {
            return None;
        };
        let migration = self.migrations.get(place)?;
        let is_outside = self.is_postgres() && migration.use_transaction() == Some(false);
        is_outside.then(|| migration.name())
    }

    async fn plan(&self, db: &impl ConnectionTrait) -> Result<Vec<Step>, Error> {
        let apply_all = || (0..self.migrations.len()).map(Step::Apply);
        if matches!(self.command, Command::Fresh) {
            // It does not matter what the database has.
            let steps = std::iter::once(Step::DropEverything).chain(apply_all());
            return Ok(steps.collect());
        }
        let history = History::read(db, self.migrations).await?;
        let places = |applied: bool| {
            let entries = history.0.iter().enumerate();
            entries
                .filter(move |(_, entry)| entry.applied == applied)
                .map(|(place, _)| place)
        };
        let revert_all = || places(true).rev().map(Step::Revert);
        Ok(match self.command {
            Command::Up { steps, to } => {
                let end = match to {
                    Some(name) => history.position(name)?,
                    None => usize::MAX,
                };
                let pending = places(false).filter(|place| *place < end);
                pending.take(at_most(*steps)).map(Step::Apply).collect()
            }
            Command::Down { steps, to } => {
                let (end, steps) = match to {
                    Some(name) => (history.position(name)?, None),
                    None => (0, Some(steps.unwrap_or(1))),
                };
                let target = end.checked_sub(1).and_then(|place| history.0.get(place));
                if let Some(entry) = target.filter(|entry| !entry.applied) {
                    let name = &entry.name;
                    return Err(Error::Name(format!(
                        "`{name}` is not applied, so the database cannot go back to it"
                    )));
                }
                let applied = places(true).rev().filter(|place| *place >= end);
                applied.take(at_most(steps)).map(Step::Revert).collect()
            }
            Command::Refresh => revert_all().chain(apply_all()).collect(),
            Command::Reset => revert_all().chain([Step::Uninstall]).collect(),
            _ => Vec::new(),
        })
    }

    /// Runs `steps`, or the plan of the command, in one transaction. Repeats it if another transaction
    /// holds the lock of a table for too long.
    async fn transaction(&self, steps: Option<&[Step]>) -> Result<Report, Error> {
        let mut pauses = BACK_OFF.iter();
        loop {
            let outcome = self.attempt(steps).await;
            let Err(Error::Failed { cause, .. } | Error::Database(cause)) = &outcome else {
                return outcome;
            };
            if !is_lock_failure(cause) {
                return outcome;
            }
            match pauses.next() {
                Some(pause) => sleep(*pause).await,
                None => return outcome.map_err(Error::locked),
            }
        }
    }

    async fn attempt(&self, steps: Option<&[Step]>) -> Result<Report, Error> {
        // IMMEDIATE takes SQLite's write lock. PostgreSQL ignores it and uses the advisory lock below.
        let mode = SqliteTransactionMode::Immediate;
        let transaction = self.connected.begin(mode).await?;
        if self.is_postgres() {
            lock(&transaction, "pg_try_advisory_xact_lock").await?;
            transaction.execute_unprepared(LOCK_TIMEOUT).await?;
            let unlimited = format!("SET LOCAL {UNLIMITED}");
            transaction.execute_unprepared(&unlimited).await?;
        }
        let plan = match steps {
            Some(steps) => steps.to_vec(),
            None => self.plan(&transaction).await?,
        };
        if steps.is_none() && self.first_outside(&plan).is_some() {
            let message = "another run changed the schema meanwhile; run the command again";
            return Err(Error::Database(DbErr::Migration(message.to_owned())));
        }
        let mut report = Report::default();
        for step in plan {
            self.step(&transaction, step, &mut report).await?;
        }
        // The check reads every row, so it is skipped if nothing changed.
        if !self.is_postgres() && !report.lines.is_empty() {
            check_foreign_keys(&transaction).await?;
        }
        transaction.commit().await.map_err(Error::Commit)?;
        Ok(report)
    }

    async fn step(
        &self,
        db: &DatabaseTransaction,
        step: Step,
        report: &mut Report,
    ) -> Result<(), Error> {
        match step {
            Step::DropEverything => {
                Nothing::fresh(db).await?;
                report.add("dropped", "every table");
            }
            Step::Uninstall => Migrator::uninstall(db).await?,
            Step::Apply(_) | Step::Revert(_) => {
                self.migrate(&SchemaManager::new(db), step, report).await?;
            }
        }
        Ok(())
    }

    async fn outside(&self, step: Step) -> Result<Report, Error> {
        let mut report = Report::default();
        let manager = SchemaManager::new(&self.connected.db);
        self.migrate(&manager, step, &mut report).await?;
        Ok(report)
    }

    /// Applies or reverts one migration, and records it.
    async fn migrate(
        &self,
        manager: &SchemaManager<'_>,
        step: Step,
        report: &mut Report,
    ) -> Result<(), Error> {
        let (Step::Apply(place) | Step::Revert(place)) = step else {
            return Ok(());
        };
        let Some(migration) = self.migrations.get(place) else {
            return Ok(());
        };
        let name = migration.name();
        let failed = |cause| Error::Failed {
            name: name.to_owned(),
            cause,
        };
        let applies = matches!(step, Step::Apply(_));
        let connection = manager.get_connection();
        Migrator::install(connection).await?;
        let changed = if applies {
            migration.up(manager).await
        } else {
            migration.down(manager).await
        };
        changed.map_err(failed)?;
        let record = if applies { record } else { unrecord };
        let record = record(manager.get_database_backend(), name);
        let recorded = connection.execute_unprepared(&record).await;
        recorded.map_err(failed)?;
        report.add(if applies { "applied" } else { "reverted" }, name);
        Ok(())
    }
}

/// The statement that lists the migration `name` as applied now.
pub(crate) fn record(backend: DbBackend, name: &str) -> String {
    let now = if backend == DbBackend::Postgres {
        "extract(epoch FROM clock_timestamp())::bigint"
    } else {
        "CAST(strftime('%s', 'now') AS integer)"
    };
    format!("INSERT INTO seaql_migrations (version, applied_at) VALUES ('{name}', {now})")
}

fn unrecord(_: DbBackend, name: &str) -> String {
    format!("DELETE FROM seaql_migrations WHERE version = '{name}'")
}

/// Drops every table, and applies nothing.
struct Nothing;

impl MigratorTrait for Nothing {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        Vec::new()
    }
}

fn at_most(steps: Option<u32>) -> usize {
    steps.map_or(usize::MAX, |steps| {
        usize::try_from(steps).unwrap_or(usize::MAX)
    })
}

/// Gets the advisory lock by `function`, which returns at once.
///
/// A statement that waits for the lock would hold a snapshot, and `CREATE INDEX CONCURRENTLY` of the
/// other run would wait for its end.
async fn lock(db: &impl ConnectionTrait, function: &str) -> Result<(), Error> {
    let deadline = Instant::now() + MIGRATION_BUSY_TIMEOUT;
    let sql = format!("SELECT {function}({LOCK})");
    loop {
        let row = db.query_one_raw(Statement::from_string(DbBackend::Postgres, &sql));
        let row = row.await?;
        if row.map_or(Ok(false), |row| row.try_get_by_index(0))? {
            return Ok(());
        }
        if Instant::now() >= deadline {
            return Err(Error::Busy);
        }
        sleep(POLL).await;
    }
}

/// True if a statement did not get a lock within its time limit, or was the victim of a deadlock.
fn is_lock_failure(error: &DbErr) -> bool {
    let (DbErr::Exec(RuntimeErr::SqlxError(cause)) | DbErr::Query(RuntimeErr::SqlxError(cause))) =
        error
    else {
        return false;
    };
    let SqlxError::Database(cause) = cause.as_ref() else {
        return false;
    };
    matches!(cause.code().as_deref(), Some("55P03" | "40P01"))
}

async fn check_foreign_keys(db: &DatabaseTransaction) -> Result<(), Error> {
    let check = Statement::from_string(DbBackend::Sqlite, "PRAGMA foreign_key_check");
    let violations = db.query_all_raw(check).await?.len();
    if violations == 0 {
        return Ok(());
    }
    Err(Error::Database(DbErr::Migration(format!(
        "{violations} rows would refer to rows that do not exist"
    ))))
}
