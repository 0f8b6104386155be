//! `acclaim token`: personal access tokens, made by an operator.

use clap::Subcommand;
use entity::values::{Scope, Scopes, SignInName, TokenLifetime, TokenName};
use secrecy::ExposeSecret;

use super::database;
use crate::{
    db::Db,
    error::Error,
    services::{
        auth::personal_tokens::{self, NewToken},
        users,
    },
};

/// The commands.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Make a personal access token and print it, this once
    Create {
        /// The owner: username or e-mail address
        #[arg(long)]
        user: SignInName,
        /// A right of the token, such as posts:create; may be given several times
        #[arg(long = "scope", required = true)]
        scopes: Vec<Scope>,
        /// The lifetime, such as 30d or 12h, a year at most [default: until it is revoked]
        #[arg(long, value_parser = lifetime)]
        expires: Option<TokenLifetime>,
        /// The name that the owner sees
        #[arg(long, default_value = "made by the operator")]
        name: TokenName,
    },
}

fn lifetime(text: &str) -> Result<TokenLifetime, String> {
    let lifetime = humantime::parse_duration(text).map_err(|error| error.to_string())?;
    let seconds = i64::try_from(lifetime.as_secs()).unwrap_or(i64::MAX);
    TokenLifetime::parse(seconds).map_err(|_| "expected a second to 365 days".to_owned())
}

/// Runs `command`. Only the token goes to standard output.
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
    let new = NewToken {
        user_id: users::get_by_name(db, &user).await?.id,
        session_id: None,
        name,
        scopes: Scopes::of(&scopes),
        lifetime: expires,
    };
    let (_, token) = personal_tokens::create(db, new).await?;
    println!("{}", token.expose_secret());
    Ok(())
}
