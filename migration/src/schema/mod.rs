//! The schema that the migrations make, beside that of a database.

mod catalogue;
mod definitions;
mod tables;

use std::collections::BTreeMap;

use sea_orm_migration::{
    MigrationTrait, MigratorTrait, SchemaManager,
    sea_orm::{
        ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr,
        SqliteTransactionMode, Statement,
    },
};
use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};
pub use tables::{Column, ForeignKey, Table, read as read_tables};

use crate::{Database, Error, Migrator, database::Connected, dialect, history::History, support};

/// Definitions of objects, by kind and name, such as `index posts_owner_id_idx`.
type Objects = BTreeMap<String, String>;

/// Maximum length of a definition in a difference, in characters.
const MAX_SHOWN: usize = 300;

/// The result of [`compare`].
#[derive(Debug)]
pub struct Comparison {
    /// The pending migrations, oldest first. If there is one, nothing was compared.
    pub pending: Vec<String>,
    /// The differences of the database from the schema that the migrations make, one per line.
    pub differences: Vec<String>,
    /// The tables that the migrations make.
    pub tables: Vec<Table>,
}

/// Compares the schema of `database` with the one that the migrations make. Takes no lock on its tables.
///
/// The migrations run in an SQLite database in memory, or in a schema of their own in a transaction that is
/// rolled back. On PostgreSQL the role needs the privilege CREATE on the database.
pub async fn compare(database: &Database) -> Result<Comparison, Error> {
    let connected = database.connect(false).await.map_err(Error::Connect)?;
    let outcome = compare_connected(database, &connected).await;
    connected.end(database, outcome).await
}

async fn compare_connected(
    database: &Database,
    connected: &Connected,
) -> Result<Comparison, Error> {
    // Without a commit it is rolled back, also if this process is killed.
    let transaction = connected.begin(SqliteTransactionMode::Deferred).await?;
    support::require(database, &transaction).await?;
    let migrations = Migrator::migrations();
    let history = History::read(&transaction, &migrations).await?;
    let pending = history.pending();
    if !pending.is_empty() {
        return Ok(Comparison {
            pending,
            differences: Vec::new(),
            tables: Vec::new(),
        });
    }
    let (actual, expected, tables) = if transaction.get_database_backend() == DbBackend::Postgres {
        in_own_schema(&transaction, &migrations).await?
    } else {
        let actual = catalogue::objects(&transaction).await?;
        let scratch = in_memory(&migrations).await?;
        let expected = catalogue::objects(&scratch).await?;
        (actual, expected, tables::read(&scratch).await?)
    };
    Ok(Comparison {
        pending,
        differences: differences(&actual, &expected),
        tables,
    })
}

/// The tables that the migrations make on SQLite.
pub async fn migrated_tables() -> Result<Vec<Table>, Error> {
    let scratch = in_memory(&Migrator::migrations()).await?;
    Ok(tables::read(&scratch).await?)
}

async fn in_memory(migrations: &[Box<dyn MigrationTrait>]) -> Result<DatabaseConnection, Error> {
    let pool = SqlitePoolOptions::new()
        .max_connections(1)
        .idle_timeout(None)
        .max_lifetime(None)
        .connect_with(
            SqliteConnectOptions::new()
                .in_memory(true)
                .foreign_keys(false),
        );
    let pool = pool.await.map_err(|error| {
        Error::Connect(format!(
            "no SQLite database in memory could be opened: {error}"
        ))
    })?;
    let connection = DatabaseConnection::from(pool);
    apply(&SchemaManager::new(&connection), migrations).await?;
    Ok(connection)
}

/// The objects of the database, the objects that the migrations make, and the tables that they make.
async fn in_own_schema(
    db: &DatabaseTransaction,
    migrations: &[Box<dyn MigrationTrait>],
) -> Result<(Objects, Objects, Vec<Table>), Error> {
    let names = "SELECT current_schema()::text, 'acclaim_check_' || pg_backend_pid()::text, \
                 has_database_privilege(current_database(), 'CREATE')";
    let row = db.query_one_raw(Statement::from_string(DbBackend::Postgres, names));
    let Some(row) = row.await? else {
        return Err(Error::Connect(
            "the database has no current schema".to_owned(),
        ));
    };
    let (actual, own): (String, String) = (row.try_get_by_index(0)?, row.try_get_by_index(1)?);
    if !row.try_get_by_index::<bool>(2)? {
        return Err(Error::Connect(
            "the role may not create a schema, which the check rolls back; use the role that migrates"
                .to_owned(),
        ));
    }
    use_schema(db, &actual).await?;
    let actual = catalogue::objects(db).await?;
    db.execute_unprepared(&format!("CREATE SCHEMA {own}"))
        .await?;
    use_schema(db, &own).await?;
    apply(&SchemaManager::new(db), migrations).await?;
    let expected = catalogue::objects(db).await?;
    Ok((actual, expected, tables::read(db).await?))
}

/// Names without a schema are those of `schema`, and the catalogue shows them so.
async fn use_schema(db: &DatabaseTransaction, schema: &str) -> Result<(), DbErr> {
    let schema = schema.replace('"', "\"\"");
    db.execute_unprepared(&format!("SET LOCAL search_path = \"{schema}\""))
        .await?;
    Ok(())
}

async fn apply(
    manager: &SchemaManager<'_>,
    migrations: &[Box<dyn MigrationTrait>],
) -> Result<(), Error> {
    for migration in migrations {
        let applied = if migration.use_transaction() == Some(false) {
            at_once(manager, migration.as_ref()).await
        } else {
            migration.up(manager).await
        };
        applied.map_err(|cause| Error::Failed {
            name: migration.name().to_owned(),
            cause,
        })?;
    }
    Ok(())
}

/// Builds the indexes of a migration in a transaction.
async fn at_once(manager: &SchemaManager<'_>, migration: &dyn MigrationTrait) -> Result<(), DbErr> {
    let statements = dialect::record(migration.up(manager)).await?;
    let statements: Vec<_> = statements
        .iter()
        .map(|statement| statement.replace(" CONCURRENTLY", ""))
        .collect();
    dialect::execute(manager, statements).await
}

fn differences(actual: &Objects, expected: &Objects) -> Vec<String> {
    let mut differences = Vec::new();
    for (name, definition) in expected {
        match actual.get(name) {
            None => differences.push(format!("{name} is missing: {}", shown(definition))),
            Some(other) if other != definition => {
                differences.push(changed(name, other, definition));
            }
            Some(_) => {}
        }
    }
    for name in actual.keys().filter(|name| !expected.contains_key(*name)) {
        differences.push(format!("{name} is not from a migration"));
    }
    differences
}

fn changed(name: &str, actual: &str, expected: &str) -> String {
    if name.starts_with("function ") || name.starts_with("trigger ") {
        return format!("{name} differs from its migration");
    }
    let (actual, expected) = (shown(actual), shown(expected));
    format!("{name} is `{actual}`, but the migrations make `{expected}`")
}

fn shown(definition: &str) -> String {
    if definition.chars().count() <= MAX_SHOWN {
        return definition.to_owned();
    }
    let start: String = definition.chars().take(MAX_SHOWN).collect();
    format!("{start} …")
}
