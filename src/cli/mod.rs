//! The command line, with one file per command.

mod backup;
mod doctor;
mod export;
mod health;
mod import;
pub mod migrate;
mod new_file;
mod open_files;
mod openapi;
mod progress;
mod restore;
mod serve;
mod token;
mod user;

use std::{path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand};

use crate::{config, db::Db};

/// A self-hosted social posting service
///
/// Settings are read from the environment and from `.env`; `docs/settings.md` lists them.
#[derive(Debug, Parser)]
#[command(version)]
pub struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the service (the default command)
    Serve,
    /// Apply, revert, list and check schema migrations
    #[command(subcommand)]
    Migrate(migrate::Command),
    /// Create, promote, suspend, restore and list users
    #[command(subcommand)]
    User(user::Command),
    /// Create personal access tokens
    #[command(subcommand)]
    Token(token::Command),
    /// Check the installation: settings, secrets, database, files and clock
    Doctor,
    /// Ask a running server whether it is ready
    ///
    /// The exit status is 1 if it is not, or does not answer within 5 seconds.
    Health {
        /// The server, by default that of HOST and PORT on this machine
        #[arg(long, value_name = "URL", value_parser = health::authority)]
        url: Option<String>,
    },
    /// Copy a running SQLite database to a new file
    ///
    /// The service keeps running. On PostgreSQL use `pg_dump`.
    Backup {
        /// The file to write; it must not exist
        file: PathBuf,
    },
    /// Replace the SQLite database with a copy made by `backup`
    ///
    /// The copy is checked first, and the old database is kept under another name. Stop the service
    /// before. On PostgreSQL use `pg_restore`.
    Restore {
        /// The copy
        file: PathBuf,
    },
    /// Write all data except sessions to a file that `import` reads into another database
    ///
    /// The file has a line of JSON for each row, the same for SQLite and PostgreSQL. It contains the
    /// hashes of passwords and tokens: keep it secret.
    Export {
        /// The file to write; it must not exist. A name that ends in .zst is compressed; - is the
        /// standard output
        file: PathBuf,
    },
    /// Read a file of `export` into an empty database
    ///
    /// Everything is imported, or nothing if the file is damaged or the import is interrupted. Stop the
    /// service before, and run `acclaim migrate up` first.
    Import {
        /// The file; - is the standard input
        file: PathBuf,
    },
    /// Print the OpenAPI document
    Openapi,
}

/// Runs the command. A failure is reported in one sentence on standard error.
///
/// The exit code is 0 on success and 2 on failure. It is 1 if `migrate status` finds a pending
/// migration, `migrate check` a difference, `doctor` a fault, or `health` a server that is not ready.
pub async fn run(arguments: Arguments) -> ExitCode {
    let outcome = match arguments.command.unwrap_or(Command::Serve) {
        Command::Serve => serve::run().await.map(|()| 0),
        Command::Migrate(command) => migrate::run(command).await,
        Command::User(command) => user::run(command).await.map(|()| 0),
        Command::Token(command) => token::run(command).await.map(|()| 0),
        Command::Doctor => doctor::run().await,
        Command::Health { url } => health::run(url).await,
        Command::Backup { file } => backup::run(&file).await.map(|()| 0),
        Command::Restore { file } => restore::run(&file).await.map(|()| 0),
        Command::Export { file } => export::run(&file).await.map(|()| 0),
        Command::Import { file } => import::run(&file).await.map(|()| 0),
        Command::Openapi => openapi::run().map(|()| 0),
    };
    ExitCode::from(outcome.unwrap_or_else(|message| {
        eprintln!("acclaim: {message}");
        2
    }))
}

/// Opens the database of the settings. Fails if migrations are pending.
async fn database() -> Result<Db, String> {
    let database = config::load_database().map_err(|errors| errors.to_string())?;
    let db = Db::open(&database).await?;
    let pending = db.pending().await.map_err(|error| error.with_cause())?;
    if pending.is_empty() {
        return Ok(db);
    }
    Err(format!(
        "{database} has {} pending migrations; run `acclaim migrate up`",
        pending.len()
    ))
}
