//! `cargo run -p migration -- COMMAND`: those of `acclaim migrate` that do not need the entities.

use std::{path::Path, process::ExitCode};

use clap::{Parser, Subcommand};
use migration::{
    Command, Database,
    generate::{TEMPLATE, generate},
    run,
};

/// Changes the schema of the database that `DATABASE_URL` names [default: `sqlite://acclaim.db`]
#[derive(Parser)]
#[command(
    name = "migration",
    after_help = "`acclaim migrate` also has `grants`, `check` and `generate --from-entities`, and reads DATABASE_URL_FILE."
)]
struct Arguments {
    #[command(subcommand)]
    command: Action,
}

#[derive(Subcommand)]
enum Action {
    #[command(flatten)]
    Run(Command),
    /// Write a new, empty migration to the sources in this folder
    Generate {
        /// Its name, from [a-z0-9_], such as `add_tags`
        name: String,
    },
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let outcome = match Arguments::parse().command {
        Action::Generate { name } => generate(Path::new("."), &name, TEMPLATE).map(|file| {
            println!("{}", file.display());
            0
        }),
        Action::Run(command) => migrate(&command).await,
    };
    ExitCode::from(outcome.unwrap_or_else(|error| {
        eprintln!("migration: {error}");
        2
    }))
}

async fn migrate(command: &Command) -> Result<u8, String> {
    // Without this it would migrate another database than the service uses.
    if setting("DATABASE_URL_FILE")?.is_some() {
        return Err("DATABASE_URL_FILE is not read here; use `acclaim migrate`".to_owned());
    }
    let url = setting("DATABASE_URL")?.unwrap_or_else(|| "sqlite://acclaim.db".to_owned());
    let database = Database::parse(&url).map_err(|error| format!("DATABASE_URL: {error}"))?;
    let report = run(&database, command)
        .await
        .map_err(|error| error.to_string())?;
    print!("{report}");
    Ok(u8::from(report.pending > 0))
}

/// The setting `name` of the environment, or of `.env`.
fn setting(name: &str) -> Result<Option<String>, String> {
    match std::env::var(name) {
        Ok(value) if !value.is_empty() => Ok(Some(value)),
        _ => from_dotenv(name),
    }
}

fn from_dotenv(name: &str) -> Result<Option<String>, String> {
    let file = match dotenvy::dotenv_iter() {
        Ok(file) => file,
        Err(error) if error.not_found() => return Ok(None),
        Err(error) => return Err(format!(".env cannot be read: {error}")),
    };
    for pair in file {
        // dotenvy's error message contains the line, which may contain a secret.
        let (other, value) = pair.map_err(|_| ".env has a line that is not NAME=VALUE")?;
        if other == name && !value.is_empty() {
            return Ok(Some(value));
        }
    }
    Ok(None)
}
