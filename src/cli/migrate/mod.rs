//! `acclaim migrate`

mod changes;
pub mod draft;
pub mod entities;

use std::{
    io::{self, Write},
    path::Path,
};

use clap::Subcommand;
use draft::Draft;
use migration::{Database, Grants, generate, schema};
use sea_orm::DbBackend;

use crate::config;

/// The subcommands of `acclaim migrate`.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    #[command(flatten)]
    Run(migration::Command),
    /// Compare the schema with the migrations and the entities; exit with 1 if they differ
    ///
    /// Prints one line for each difference or pending migration. On PostgreSQL the role needs the
    /// privilege CREATE on the database.
    Check,
    /// Print or run the SQL that gives the roles of PostgreSQL their privileges
    ///
    /// Run it as the owner of the tables, again after each upgrade. It takes all other privileges in the
    /// schema from these roles.
    Grants(Grants),
    /// Add a migration to the sources; for developers, in the folder of a clone
    Generate {
        /// Its name, from [a-z0-9_], such as `add_something`
        name: String,
        /// Draft the SQL from the difference between the entities and the migrations
        #[arg(long)]
        from_entities: bool,
    },
}

/// Runs `command` and prints its report. The exit code is 1 if `status` finds a pending migration, or
/// `check` a difference.
pub(super) async fn run(command: Command) -> Result<u8, String> {
    match command {
        Command::Run(command) => {
            let report = match migration::run(&database()?, &command).await {
                Ok(report) => report,
                Err(error) => return Err(error.to_string()),
            };
            print(&report.to_string())?;
            Ok(u8::from(report.pending > 0))
        }
        Command::Check => {
            let differences = check(&database()?).await?;
            let has_differences = !differences.is_empty();
            print(&if has_differences {
                differences.join("\n") + "\n"
            } else {
                "no differences\n".to_owned()
            })?;
            Ok(u8::from(has_differences))
        }
        Command::Grants(grants) => {
            let sql = migration::grants(&database()?, &grants).await;
            let sql = sql.map_err(|error| error.to_string())?;
            if !grants.apply {
                print(&sql)?;
            }
            Ok(0)
        }
        Command::Generate {
            name,
            from_entities,
        } => {
            let text = if from_entities {
                draft().await?
            } else {
                generate::TEMPLATE.to_owned()
            };
            let file = generate::generate(Path::new("."), &name, &text)?;
            print(&format!("{}\n", file.display()))?;
            Ok(0)
        }
    }
}

fn database() -> Result<Database, String> {
    config::load_database().map_err(|errors| errors.to_string())
}

/// A reader that closes the pipe early, such as `head`, is no error.
fn print(text: &str) -> Result<(), String> {
    match io::stdout().lock().write_all(text.as_bytes()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(format!("the output cannot be written: {error}"))
        }
        _ => Ok(()),
    }
}

/// The differences of the database from the migrations, and of the migrations from the entities.
async fn check(database: &Database) -> Result<Vec<String>, String> {
    let comparison = schema::compare(database).await;
    let comparison = comparison.map_err(|error| error.to_string())?;
    if !comparison.pending.is_empty() {
        let pending = comparison.pending.iter();
        return Ok(pending
            .map(|name| format!("migration {name} is pending"))
            .collect());
    }
    let entities = entities::tables(database.backend());
    let changes = changes::between(&comparison.tables, &entities);
    let mut differences = comparison.differences;
    differences.extend(changes.iter().map(ToString::to_string));
    Ok(differences)
}

/// The text of a migration that makes the schema agree with the entities.
async fn draft() -> Result<String, String> {
    let missing = generate::not_built(Path::new("."));
    if let Some(name) = missing.first() {
        return Err(format!(
            "this program lacks the migration `{name}` of the sources in this folder; build it again"
        ));
    }
    let tables = schema::migrated_tables().await;
    let tables = tables.map_err(|error| error.to_string())?;
    let draft = Draft::between(&tables, &entities::tables(DbBackend::Sqlite));
    draft.map(|draft| draft.to_string()).ok_or_else(|| {
        "the migrations and the entities agree, so there is nothing to draft".to_owned()
    })
}
