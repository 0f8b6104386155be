//! `acclaim user`: what an operator does to users, the first admin above all.

use std::io::{self, IsTerminal};

use clap::{Subcommand, ValueEnum};

use super::database;
use crate::{
    db::{Db, workers},
    error::Error,
    http::rules::{self, Secret},
    services::{
        auth::{
            Authenticator, Role,
            passwords::Passwords,
            sign_up::{NewUser, sign_up},
        },
        moderation::{audit_log::Actor, users as staff},
        users,
    },
};

/// What to do.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Add a user; the password is asked for, or read from standard input
    Create {
        /// 3 to 30 of a to z, 0 to 9, `_` and `-`
        #[arg(long)]
        username: String,
        /// The e-mail address
        #[arg(long)]
        email: String,
        /// What the user may do
        #[arg(long, default_value = "user")]
        role: RoleName,
    },
    /// Give a user another role
    Promote {
        /// Username or e-mail address
        user: String,
        /// What the user may do
        #[arg(long, default_value = "admin")]
        role: RoleName,
        /// Why, for the audit log
        #[arg(long, default_value = "")]
        reason: String,
    },
    /// End a user's sessions, stop their tokens, hide their posts
    Suspend {
        /// Username or e-mail address
        user: String,
        /// Why, for the audit log
        #[arg(long, default_value = "")]
        reason: String,
    },
    /// Let a suspended user in again
    Restore {
        /// Username or e-mail address
        user: String,
        /// Why, for the audit log
        #[arg(long, default_value = "")]
        reason: String,
    },
    /// List every user: number, username, role, and whether suspended
    List,
}

/// A role as it is typed.
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

/// Runs `command` and prints a line for each user that it concerned.
pub(super) async fn run(command: Command) -> Result<(), String> {
    let db = database().await?;
    act(&db, command).await.map_err(|error| match error {
        Failure::Said(sentence) => sentence,
        Failure::Service(error) => super::sentence(&error),
    })
}

enum Failure {
    Said(String),
    Service(Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Service(error)
    }
}

async fn act(db: &Db, command: Command) -> Result<(), Failure> {
    let actor = Actor::operator();
    // Servers that run learn of it when their own caches forget.
    let authenticator = Authenticator::default();
    match command {
        Command::Create {
            username,
            email,
            role,
        } => {
            let new = checked(&username, &email).map_err(Failure::Said)?;
            let passwords = Passwords::start(workers(), 1)
                .map_err(|error| Failure::Said(format!("no thread for passwords: {error}")))?;
            let mut user = sign_up(db, &passwords, new).await?;
            if Role::from(role) != Role::User {
                user = staff::set_role(db, &actor, user.id, role.into(), "created so").await?;
            }
            print(&user);
        }
        Command::Promote { user, role, reason } => {
            let id = users::get_by_name(db, &user).await?.id;
            print(&staff::set_role(db, &actor, id, role.into(), &reason).await?);
        }
        Command::Suspend { user, reason } => {
            let id = users::get_by_name(db, &user).await?.id;
            print(&staff::suspend(db, &authenticator, &actor, id, &reason).await?);
        }
        Command::Restore { user, reason } => {
            let id = users::get_by_name(db, &user).await?.id;
            print(&staff::restore(db, &actor, id, &reason).await?);
        }
        Command::List => {
            let mut skip = 0;
            loop {
                let users = staff::users(db, 100, skip).await?;
                users.iter().for_each(print);
                if users.len() < 100 {
                    break;
                }
                skip += 100;
            }
        }
    }
    Ok(())
}

fn checked(username: &str, email: &str) -> Result<NewUser, String> {
    let username = username.to_ascii_lowercase();
    let email = email.trim().to_ascii_lowercase();
    let password = Secret(password()?.into());
    let checks = [
        ("username", rules::username(&username)),
        ("email", rules::email(&email)),
        ("password", rules::password(&password)),
    ];
    for (name, check) in checks {
        check.map_err(|fault| format!("{name} {fault}"))?;
    }
    if let Some(fault) = rules::own_name("password", &password, &[&email, &username]) {
        return Err(format!("password {}", fault.message));
    }
    Ok(NewUser {
        email,
        username: Some(username),
        password: password.0,
    })
}

/// Asked for on a terminal, where it is not shown; else a line of standard input.
fn password() -> Result<String, String> {
    let read = if io::stdin().is_terminal() {
        rpassword::prompt_password("Password: ")
    } else {
        let mut line = String::new();
        let read = io::stdin().read_line(&mut line);
        read.map(|_| line.trim_end_matches(['\r', '\n']).to_owned())
    };
    read.map_err(|error| format!("the password cannot be read: {error}"))
}

fn print(user: &users::Model) {
    let suspended = if user.suspended_at.is_some() {
        " suspended"
    } else {
        ""
    };
    println!("{} {} {}{suspended}", user.id, user.username, user.role);
}
