//! `acclaim user`: manages users without a token. It creates the first admin.

use std::io::{self, IsTerminal};

use clap::{Subcommand, ValueEnum};
use entity::{
    users::{Model, Role},
    values::{ChosenPassword, Email, Invalid, Limit, Reason, SignInName, Skip, Username},
};

use super::database;
use crate::{
    db::{Db, workers},
    error::Error,
    services::{
        auth::{
            Authenticator,
            passwords::Passwords,
            sign_up::{NewUser, sign_up},
        },
        moderation::{self, audit_log::Actor},
        users,
    },
};

/// The subcommands of `acclaim user`.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Create a user; prompts for the password, or reads it from standard input
    Create {
        /// 3 to 30 characters: a to z, 0 to 9, `_` and `-`
        #[arg(long)]
        username: String,
        /// The e-mail address
        #[arg(long)]
        email: String,
        /// The role
        #[arg(long, default_value = "user")]
        role: RoleName,
    },
    /// Change the role of a user
    Promote {
        /// Username or e-mail address
        user: SignInName,
        /// The role
        #[arg(long, default_value = "admin")]
        role: RoleName,
        /// The reason, for the audit log
        #[arg(long, default_value = "")]
        reason: Reason,
    },
    /// Suspend a user: end their sessions, disable their tokens and hide their posts
    Suspend {
        /// Username or e-mail address
        user: SignInName,
        /// The reason, for the audit log
        #[arg(long, default_value = "")]
        reason: Reason,
    },
    /// Lift the suspension of a user
    Restore {
        /// Username or e-mail address
        user: SignInName,
        /// The reason, for the audit log
        #[arg(long, default_value = "")]
        reason: Reason,
    },
    /// List all users: id, username, role and suspension
    List,
}

/// A role on the command line.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum RoleName {
    User,
    Moderator,
    Admin,
}

impl From<RoleName> for Role {
    fn from(name: RoleName) -> Self {
        match name {
            RoleName::User => Self::User,
            RoleName::Moderator => Self::Moderator,
            RoleName::Admin => Self::Admin,
        }
    }
}

/// Runs `command` and prints one line per affected user.
pub(super) async fn run(command: Command) -> Result<(), String> {
    let db = database().await?;
    let outcome = execute(&db, command).await;
    db.disconnect().await;
    outcome.map_err(|error| match error {
        Failure::Message(message) => message,
        Failure::Service(error) => error.with_cause(),
    })
}

enum Failure {
    Message(String),
    Service(Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Service(error)
    }
}

async fn execute(db: &Db, command: Command) -> Result<(), Failure> {
    let actor = Actor::operator();
    // A running server is not notified. It follows when its cache entries expire.
    let authenticator = Authenticator::default();
    match command {
        Command::Create {
            username,
            email,
            role,
        } => {
            let new = new_user(&username, &email).map_err(Failure::Message)?;
            if new
                .username
                .as_ref()
                .is_some_and(|name| name.as_str() == actor.name)
            {
                let message =
                    "the audit log uses this username for the command line; choose another one";
                return Err(Failure::Message(message.to_owned()));
            }
            let passwords = Passwords::start(workers(), 1, None).map_err(|error| {
                Failure::Message(format!("cannot start the password thread: {error}"))
            })?;
            let mut user = sign_up(db, &passwords, new, None).await?;
            if Role::from(role) != Role::User {
                let reason = Reason::parse("created with this role").unwrap_or_default();
                user = moderation::set_role(db, &actor, user.id, role.into(), &reason).await?;
            }
            print_user(&user);
        }
        Command::Promote { user, role, reason } => {
            let id = users::get_by_name(db, &user).await?.id;
            print_user(&moderation::set_role(db, &actor, id, role.into(), &reason).await?);
        }
        Command::Suspend { user, reason } => {
            let id = users::get_by_name(db, &user).await?.id;
            print_user(&moderation::suspend(db, &authenticator, &actor, id, &reason).await?);
        }
        Command::Restore { user, reason } => {
            let id = users::get_by_name(db, &user).await?.id;
            print_user(&moderation::restore(db, &actor, id, &reason).await?);
        }
        Command::List => list(db).await?,
    }
    Ok(())
}

/// Prints all users. Reads them in pages of `Limit::MAX`.
async fn list(db: &Db) -> Result<(), Failure> {
    let mut skip = Skip::default();
    loop {
        let users = moderation::list_users(db, Limit::MAX, skip).await?;
        users.iter().for_each(print_user);
        if (users.len() as u64) < Limit::MAX.get() {
            return Ok(());
        }
        skip = skip.plus(Limit::MAX);
    }
}

fn new_user(username: &str, email: &str) -> Result<NewUser, String> {
    let with_name = |name: &'static str| move |invalid: Invalid| format!("{name} {invalid}");
    let username = Username::parse(username).map_err(with_name("username"))?;
    let email = Email::parse(email).map_err(with_name("email"))?;
    let password = ChosenPassword::parse(password()?).map_err(with_name("password"))?;
    password
        .check_names(Some(&email), Some(&username))
        .map_err(with_name("password"))?;
    Ok(NewUser {
        email,
        username: Some(username),
        password,
    })
}

/// Prompts without echo on a terminal. Otherwise reads one line of standard input.
fn password() -> Result<String, String> {
    let line = if io::stdin().is_terminal() {
        rpassword::prompt_password("Password: ")
    } else {
        let mut line = String::new();
        let result = io::stdin().read_line(&mut line);
        result.map(|_| line.trim_end_matches(['\r', '\n']).to_owned())
    };
    line.map_err(|error| format!("the password cannot be read: {error}"))
}

fn print_user(user: &Model) {
    let suspended = if user.suspended_at.is_some() {
        " suspended"
    } else {
        ""
    };
    println!("{} {} {}{suspended}", user.id, user.username, user.role);
}
