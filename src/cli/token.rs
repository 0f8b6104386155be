//! `acclaim token`: creates personal access tokens for users.

use clap::Subcommand;
use entity::values::{Scope, Scopes, SignInName, TokenLifetime, TokenName};
use secrecy::ExposeSecret;

use super::database;
use crate::{
    db::Db,
    error::Error,
    services::{
        auth::personal_tokens::NewToken,
        moderation::{self, audit_log::Actor},
        users,
    },
};

/// The subcommands of `acclaim token`.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Create a personal access token and print it; it cannot be shown again
    Create {
        /// Username or e-mail address of the owner
        #[arg(long)]
        user: SignInName,
        /// A scope of the token, such as posts:create; repeat the option for more scopes
        #[arg(long = "scope", required = true)]
        scopes: Vec<Scope>,
        /// The lifetime, such as 30d or 12h, at most 365 days [default: valid until revoked]
        #[arg(long, value_parser = lifetime)]
        expires: Option<TokenLifetime>,
        /// The name of the token, shown to the owner
        #[arg(long, default_value = "made by the operator")]
        name: TokenName,
    },
}

fn lifetime(text: &str) -> Result<TokenLifetime, String> {
    let lifetime = humantime::parse_duration(text).map_err(|error| error.to_string())?;
    let seconds = i64::try_from(lifetime.as_secs()).unwrap_or(i64::MAX);
    TokenLifetime::parse(seconds)
        .map_err(|_| "expected a duration from 1 second to 365 days".to_owned())
}

/// Runs `command`. Prints only the token on standard output.
pub(super) async fn run(command: Command) -> Result<(), String> {
    let db = database().await?;
    let outcome = create(&db, command).await;
    db.disconnect().await;
    outcome.map_err(|error| error.with_cause())
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
    let token = moderation::create_token(db, &Actor::operator(), &new).await?;
    println!("{}", token.expose_secret());
    Ok(())
}
