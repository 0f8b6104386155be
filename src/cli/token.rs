//! `acclaim token`: personal access tokens, made by an operator.

use std::time::Duration;

use clap::Subcommand;
use secrecy::ExposeSecret;

use super::database;
use crate::{
    db::Db,
    error::Error,
    services::{
        auth::{SCOPES, Scopes, personal_tokens},
        users,
    },
};

/// What to do.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Make a personal access token and print it, this once
    Create {
        /// Whose it is: username or e-mail address
        #[arg(long)]
        user: String,
        /// What it may do, such as posts:create; may be given several times
        #[arg(long = "scope", required = true, value_parser = scope)]
        scopes: Vec<String>,
        /// For how long it is good, such as 30d or 12h, a year at most [default: until it is revoked]
        #[arg(long, value_parser = lifetime)]
        expires: Option<Duration>,
        /// What its owner will see it called
        #[arg(long, default_value = "made by the operator", value_parser = name)]
        name: String,
    },
}

fn scope(name: &str) -> Result<String, String> {
    if SCOPES.iter().any(|(_, known, _)| *known == name) {
        return Ok(name.to_owned());
    }
    let known = SCOPES.map(|(_, name, _)| name).join(", ");
    Err(format!("expected one of {known}"))
}

fn lifetime(text: &str) -> Result<Duration, String> {
    let lifetime = humantime::parse_duration(text).map_err(|error| error.to_string())?;
    let year = Duration::from_hours(365 * 24);
    if (Duration::from_secs(1)..=year).contains(&lifetime) {
        return Ok(lifetime);
    }
    Err("expected a second to 365 days".to_owned())
}

fn name(text: &str) -> Result<String, String> {
    let right = (1..=100).contains(&text.chars().count()) && !text.trim().is_empty();
    if right && !text.contains('\0') {
        return Ok(text.to_owned());
    }
    Err("expected 1 to 100 characters, not all blank".to_owned())
}

/// Runs `command`; the token alone goes to standard output.
pub(super) async fn run(command: Command) -> Result<(), String> {
    let db = database().await?;
    create(&db, command)
        .await
        .map_err(|error| super::sentence(&error))
}

async fn create(db: &Db, command: Command) -> Result<(), Error> {
    let Command::Create {
        user,
        scopes,
        expires,
        name,
    } = command;
    let user = users::get_by_name(db, &user).await?;
    let scopes = Scopes::parse(scopes.iter().map(String::as_str)).unwrap_or(Scopes(0));
    let lifetime = expires
        .map(time::Duration::try_from)
        .transpose()
        .map_err(Error::internal)?;
    let (_, token) = personal_tokens::create(db, user.id, None, name, scopes, lifetime).await?;
    println!("{}", token.expose_secret());
    Ok(())
}
