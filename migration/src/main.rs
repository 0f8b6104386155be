//! `cargo run -p migration -- up|down|status|fresh|refresh|reset|generate`

use std::{
    error::Error,
    fs, io,
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::{Parser, Subcommand};
use migration::{Command, Database, run};

/// Changes the schema of the database that `DATABASE_URL` names [default: `sqlite://acclaim.db`]
#[derive(Parser)]
#[command(name = "migration")]
struct Arguments {
    #[command(subcommand)]
    command: Action,
}

#[derive(Subcommand)]
enum Action {
    #[command(flatten)]
    Run(Command),
    /// Write a new, empty migration
    Generate {
        /// Its name, from [a-z0-9_], such as `add_tags`
        name: String,
    },
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let outcome = match Arguments::parse().command {
        Action::Generate { name } => generate(&name).map(|()| 0),
        Action::Run(command) => migrate(&command).await,
    };
    ExitCode::from(outcome.unwrap_or_else(|error| {
        eprintln!("migration: {error}");
        2
    }))
}

async fn migrate(command: &Command) -> Result<u8, String> {
    let environment = std::env::var("DATABASE_URL").ok();
    let url = match environment {
        Some(url) if !url.is_empty() => url,
        _ => from_dotenv()?.unwrap_or_else(|| "sqlite://acclaim.db".to_owned()),
    };
    let database = Database::parse(&url).map_err(|error| format!("DATABASE_URL: {error}"))?;
    let report = run(&database, command)
        .await
        .map_err(|error| error.to_string())?;
    print!("{report}");
    Ok(u8::from(report.pending > 0))
}

fn from_dotenv() -> Result<Option<String>, String> {
    let file = match dotenvy::dotenv_iter() {
        Ok(file) => file,
        Err(error) if error.not_found() => return Ok(None),
        Err(error) => return Err(format!(".env cannot be read: {error}")),
    };
    for pair in file {
        // dotenvy's error message contains the line, which may contain a secret.
        let (name, value) = pair.map_err(|_| ".env has a line that is not NAME=VALUE")?;
        if name == "DATABASE_URL" && !value.is_empty() {
            return Ok(Some(value));
        }
    }
    Ok(None)
}

/// Writes the file of a new migration from `template.rs.txt` and adds it to `lib.rs`.
///
/// `name` consists of `[a-z0-9_]`. The error is one sentence for the developer.
fn generate(name: &str) -> Result<(), String> {
    if name.is_empty()
        || !name
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
    {
        return Err(format!("the name `{name}` must consist of [a-z0-9_]"));
    }
    let failed = |error: &dyn Error| format!("could not write the migration: {error}");
    let root = env!("CARGO_MANIFEST_DIR");
    sea_orm_cli::run_migrate_generate(root, name, true).map_err(|error| failed(&*error))?;
    let file = newest(&Path::new(root).join("src"), name).map_err(|error| failed(&error))?;
    // sea-orm-cli's own template does not follow the style of this crate.
    fs::write(file, include_str!("template.rs.txt")).map_err(|error| failed(&error))
}

/// The newest migration called `name`. File names begin with the time.
fn newest(folder: &Path, name: &str) -> io::Result<PathBuf> {
    let ending = format!("_{name}.rs");
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.to_string_lossy().ends_with(&ending) {
            files.push(path);
        }
    }
    files
        .into_iter()
        .max()
        .ok_or(io::ErrorKind::NotFound.into())
}
