//! The command line: one file a command.

mod doctor;
mod migrate;
mod openapi;
mod serve;
mod token;
mod user;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::{config, db::Db, error::Error};

/// A self-hosted social posting service
///
/// Settings come from the environment and from `.env`; the README lists them.
#[derive(Debug, Parser)]
#[command(version)]
pub struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the service (what happens without a command)
    Serve,
    /// Change the schema of the database, or tell how it stands
    #[command(subcommand)]
    Migrate(migration::Command),
    /// Add, promote, suspend, restore and list users
    #[command(subcommand)]
    User(user::Command),
    /// Make personal access tokens
    #[command(subcommand)]
    Token(token::Command),
    /// Check the set-up: settings, secrets, database, files, clock
    Doctor,
    /// Print the OpenAPI document of the service
    Openapi,
}

/// Runs the command that was given; what failed is said in one sentence on standard error.
///
/// Exits with 0 when all went well, with 1 when `migrate status` found something pending or
/// `doctor` found a fault, and with 2 when the command could not be carried out.
pub async fn run(arguments: Arguments) -> ExitCode {
    let outcome = match arguments.command.unwrap_or(Command::Serve) {
        Command::Serve => serve::run().await.map(|()| 0),
        Command::Migrate(command) => migrate::run(command).await,
        Command::User(command) => user::run(command).await.map(|()| 0),
        Command::Token(command) => token::run(command).await.map(|()| 0),
        Command::Doctor => doctor::run().await,
        Command::Openapi => openapi::run().map(|()| 0),
    };
    ExitCode::from(outcome.unwrap_or_else(|sentence| {
        eprintln!("acclaim: {sentence}");
        2
    }))
}

/// The database that `DATABASE_URL` names, which must be migrated.
async fn database() -> Result<Db, String> {
    let database = config::load_database().map_err(|faults| faults.to_string())?;
    let db = Db::open(&database).await?;
    let pending = db.pending().await.map_err(|error| sentence(&error))?;
    if pending.is_empty() {
        return Ok(db);
    }
    Err(format!(
        "{database} lacks {} migrations; run `acclaim migrate up`",
        pending.len()
    ))
}

/// What an operator is told: the cause too, where there is one.
fn sentence(error: &Error) -> String {
    match std::error::Error::source(error) {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}
