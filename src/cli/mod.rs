//! The command line, with one file per command.

mod doctor;
mod migrate;
mod open_files;
mod openapi;
mod serve;
mod token;
mod user;

use std::process::ExitCode;

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
    /// Apply, revert and list schema migrations
    #[command(subcommand)]
    Migrate(migration::Command),
    /// Create, promote, suspend, restore and list users
    #[command(subcommand)]
    User(user::Command),
    /// Create personal access tokens
    #[command(subcommand)]
    Token(token::Command),
    /// Check the installation: settings, secrets, database, files and clock
    Doctor,
    /// Print the OpenAPI document
    Openapi,
}

/// Runs the command. A failure is reported in one sentence on standard error.
///
/// The exit code is 0 on success and 2 on failure. It is 1 if `migrate status` finds a pending
/// migration, or if `doctor` finds a fault.
pub async fn run(arguments: Arguments) -> ExitCode {
    let outcome = match arguments.command.unwrap_or(Command::Serve) {
        Command::Serve => serve::run().await.map(|()| 0),
        Command::Migrate(command) => migrate::run(command).await,
        Command::User(command) => user::run(command).await.map(|()| 0),
        Command::Token(command) => token::run(command).await.map(|()| 0),
        Command::Doctor => doctor::run().await,
        Command::Openapi => openapi::run().map(|()| 0),
    };
    ExitCode::from(outcome.unwrap_or_else(|message| {
        eprintln!("acclaim: {message}");
        2
    }))
}

/// Opens the database of `DATABASE_URL`. Fails if migrations are pending.
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
