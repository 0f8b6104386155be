//! The command line: one file a command.

mod doctor;
mod migrate;
mod openapi;
mod serve;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

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
        Command::Doctor => doctor::run().await,
        Command::Openapi => openapi::run().map(|()| 0),
    };
    ExitCode::from(outcome.unwrap_or_else(|sentence| {
        eprintln!("acclaim: {sentence}");
        2
    }))
}
