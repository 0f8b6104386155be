//! What a database's refusal means in the service's words: the one place that knows SQLSTATE,
//! SQLite's result codes and the names of constraints.

use sea_orm::{DbErr, RuntimeErr};
use sqlx::error::{DatabaseError, ErrorKind};

use crate::error::Error;

impl From<DbErr> for Error {
    fn from(error: DbErr) -> Self {
        match &error {
            // No connection, whatever the server says: the database may be dropped, or the password
            // changed.
            DbErr::ConnectionAcquire(_) | DbErr::Conn(_) => Self::Unavailable(error.into()),
            DbErr::Exec(RuntimeErr::SqlxError(cause))
            | DbErr::Query(RuntimeErr::SqlxError(cause)) => match cause.as_ref() {
                sqlx::Error::Database(refusal) => refused(refusal.as_ref(), error.clone()),
                sqlx::Error::Io(_)
                // What a proxy or a dying server says instead of the protocol.
                | sqlx::Error::Protocol(_)
                | sqlx::Error::Tls(_)
                | sqlx::Error::WorkerCrashed => Self::Unavailable(error.into()),
                _ => Self::Internal(error.into()),
            },
            _ => Self::Internal(error.into()),
        }
    }
}

fn refused(refusal: &dyn DatabaseError, error: DbErr) -> Error {
    match refusal.kind() {
        ErrorKind::UniqueViolation => match unique(refusal) {
            Some(field) => Error::Taken { field },
            None => Error::Internal(error.into()),
        },
        // The post was there when the statement looked, and was deleted while it waited. SQLite
        // has one writer, which cannot meet another.
        ErrorKind::ForeignKeyViolation if refusal.constraint() == Some("votes_post_id_fkey") => {
            Error::PostGone
        }
        // Every other reference is to the caller, who was deleted after the token was checked.
        ErrorKind::ForeignKeyViolation => Error::InvalidToken,
        _ => match meaning(&refusal.code().unwrap_or_default()) {
            Meaning::TryAgain => Error::TryAgain(error.into()),
            Meaning::Away => Error::Unavailable(error.into()),
            Meaning::Fault => Error::Internal(error.into()),
        },
    }
}

/// The field of `users` whose value is taken. PostgreSQL names the constraint, SQLite the column.
fn unique(refusal: &dyn DatabaseError) -> Option<&'static str> {
    let named =
        |what: &str| refusal.constraint() == Some(what) || refusal.message().ends_with(what);
    if named("users_email_key") || named("users.email") {
        Some("email")
    } else if named("users_username_key") || named("users.username") {
        Some("username")
    } else {
        None
    }
}

/// Whether the database undid a statement because of what it was to write, and may accept a part of
/// that.
pub(super) fn refuses_the_values(error: &DbErr) -> bool {
    let (DbErr::Exec(RuntimeErr::SqlxError(cause)) | DbErr::Query(RuntimeErr::SqlxError(cause))) =
        error
    else {
        return false;
    };
    cause.as_database_error().is_some_and(|refusal| {
        let code = refusal.code().unwrap_or_default();
        refusal.kind() != ErrorKind::Other || matches!(meaning(&code), Meaning::Fault)
    })
}

/// Whether the database, or the connection that it says it on, is of no use for now.
pub(super) fn is_away(refusal: &dyn DatabaseError) -> bool {
    let code = refusal.code().unwrap_or_default();
    refusal.kind() == ErrorKind::Other && matches!(meaning(&code), Meaning::Away)
}

enum Meaning {
    TryAgain,
    Away,
    Fault,
}

/// The meaning of a SQLSTATE (five characters; PostgreSQL manual, appendix A) or of an extended
/// SQLite result code (a decimal number whose low byte is the primary code).
fn meaning(code: &str) -> Meaning {
    match code {
        "40001" | "40P01" => Meaning::TryAgain,
        // Statement time-out, out of connections or memory or disk, shutting down or starting up,
        // a standby that cannot write.
        "57014" | "25006" => Meaning::Away,
        state
            if state.len() == 5
                && ["08", "53", "57", "58"]
                    .iter()
                    .any(|c| state.starts_with(c)) =>
        {
            Meaning::Away
        }
        number => match number.parse::<u32>().map(|code| code & 0xff) {
            // SQLITE_BUSY, SQLITE_LOCKED
            Ok(5 | 6) if number.len() < 5 => Meaning::TryAgain,
            // SQLITE_READONLY, SQLITE_IOERR, SQLITE_FULL, SQLITE_CANTOPEN
            Ok(8 | 10 | 13 | 14) if number.len() < 5 => Meaning::Away,
            _ => Meaning::Fault,
        },
    }
}
