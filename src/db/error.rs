//! Database errors in the service's terms. Knows SQLSTATE and SQLite's result codes; a resource
//! declares its constraints itself, see [`Constraint`](super::Constraint).

use sea_orm::{DbErr, RuntimeErr};
use sqlx::error::{DatabaseError, ErrorKind};

use super::places::is_busy;
use crate::error::Error;

impl From<DbErr> for Error {
    /// A violated constraint is [`Error::Internal`] here. Use
    /// [`on_constraint`](super::OnConstraint::on_constraint) where a client can cause it.
    fn from(error: DbErr) -> Self {
        match &error {
            busy if is_busy(busy) => Self::Busy,
            // Without a connection the server's reason does not matter: the database may be
            // dropped, or the password changed.
            DbErr::ConnectionAcquire(_) | DbErr::Conn(_) => Self::unavailable(error),
            DbErr::Exec(RuntimeErr::SqlxError(cause))
            | DbErr::Query(RuntimeErr::SqlxError(cause)) => match cause.as_ref() {
                sqlx::Error::Database(refusal) => match meaning(refusal.as_ref()) {
                    Meaning::TryAgain => Self::try_again(error),
                    Meaning::TooSlow => Self::too_slow(error),
                    Meaning::Unavailable => Self::unavailable(error),
                    Meaning::Full => Self::storage_full(error),
                    Meaning::Refused => Self::internal(error),
                },
                sqlx::Error::Io(_)
                // A proxy or a dying server may not speak the protocol.
                | sqlx::Error::Protocol(_)
                | sqlx::Error::Tls(_)
                | sqlx::Error::WorkerCrashed => Self::unavailable(error),
                _ => Self::internal(error),
            },
            _ => Self::internal(error),
        }
    }
}

/// The database's refusal in `error`, if that is its cause.
pub(super) fn refusal(error: &DbErr) -> Option<&dyn DatabaseError> {
    match error {
        DbErr::Exec(RuntimeErr::SqlxError(cause)) | DbErr::Query(RuntimeErr::SqlxError(cause)) => {
            cause.as_database_error()
        }
        _ => None,
    }
}

/// True if the database asks to try the same statement again.
pub(super) fn is_refused(error: &DbErr) -> bool {
    refusal(error).is_some_and(|refusal| matches!(meaning(refusal), Meaning::TryAgain))
}

/// True if the connection that returned `refusal` must be closed: it or the database cannot be used
/// for now, or its statement was cancelled, and a late cancellation would hit the next one.
pub(super) fn ends_connection(refusal: &dyn DatabaseError) -> bool {
    matches!(
        meaning(refusal),
        Meaning::Unavailable | Meaning::TooSlow | Meaning::Full
    )
}

enum Meaning {
    /// The same transaction may succeed if it is repeated.
    TryAgain,
    /// The statement was cancelled, after its time limit or by a request. It changed nothing.
    TooSlow,
    /// The database cannot do its work for now.
    Unavailable,
    /// The disk of the database is full.
    Full,
    /// The database refuses this statement, or these values.
    Refused,
}

fn meaning(refusal: &dyn DatabaseError) -> Meaning {
    match refusal.kind() {
        ErrorKind::Other => code_meaning(&refusal.code().unwrap_or_default()),
        _ => Meaning::Refused,
    }
}

/// The meaning of a SQLSTATE (five characters; PostgreSQL manual, appendix A) or of an extended
/// SQLite result code (a decimal number whose low byte is the primary code).
fn code_meaning(code: &str) -> Meaning {
    match code {
        "40001" | "40P01" => Meaning::TryAgain,
        // disk_full, SQLITE_FULL
        "53100" | "13" => Meaning::Full,
        "57014" => Meaning::TooSlow,
        // 25006: a standby, which cannot write. Classes 08, 53, 57, 58: out of connections, memory or
        // disk; shutting down or starting.
        "25006" => Meaning::Unavailable,
        state
            if state.len() == 5
                && ["08", "53", "57", "58"]
                    .iter()
                    .any(|class| state.starts_with(class)) =>
        {
            Meaning::Unavailable
        }
        number => match number.parse::<u32>().map(|code| code & 0xff) {
            // SQLITE_BUSY, SQLITE_LOCKED
            Ok(5 | 6) if number.len() < 5 => Meaning::TryAgain,
            // SQLITE_INTERRUPT
            Ok(9) if number.len() < 5 => Meaning::TooSlow,
            // SQLITE_READONLY, SQLITE_IOERR, SQLITE_CANTOPEN
            Ok(8 | 10 | 14) if number.len() < 5 => Meaning::Unavailable,
            _ => Meaning::Refused,
        },
    }
}
