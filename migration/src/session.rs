//! A session on a server of PostgreSQL, direct or through a pooler.

use std::{
    hash::{BuildHasher, RandomState},
    sync::atomic::{AtomicBool, Ordering},
};

use sqlx::{
    AssertSqlSafe, ConnectOptions, Connection, Error, Executor, PgConnection, Row,
    postgres::PgConnectOptions, query_scalar, raw_sql,
};

/// An option of the session that only its own client sets.
const MARK: &str = "acclaim.session";
/// The names of this statement in the sessions of the server. A pooler that supports prepared statements
/// gives it a name of its own; the driver's begins with `sqlx_s_`. Null if the statement is not found.
const NAMES: &str = "SELECT bool_and(name NOT LIKE 'sqlx\\_s\\_%') FROM pg_prepared_statements \
                     WHERE statement LIKE '%acclaim asks for the name of this statement%'";

/// A connection, and its session.
#[derive(Debug)]
pub struct Opened {
    /// The connection.
    pub connection: PgConnection,
    /// What lasts from one transaction to the next.
    pub session: Session,
}

/// What lasts on a connection from one transaction to the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Session {
    /// Everything: the connection has a process of the server for itself.
    Own,
    /// Perhaps nothing: a pooler may give each transaction another process, as `PgBouncer` does with
    /// `pool_mode = transaction`.
    Pooled {
        /// True if the pooler takes care of prepared statements, as `PgBouncer` does since version 1.21 with
        /// `max_prepared_statements`.
        prepares: bool,
    },
}

/// What a server says about itself.
#[derive(Clone, Copy)]
pub(crate) struct ServerState {
    pub is_standby: bool,
    /// True if new transactions cannot write.
    pub is_read_only: bool,
}

impl Opened {
    /// Begins a transaction with `begin`, in which prepared statements work whatever the session.
    pub async fn begin(&mut self, begin: &str) -> Result<(), Error> {
        let begin = match self.session.clearing() {
            Some(clear) => format!("{begin}; {clear}"),
            None => begin.to_owned(),
        };
        let begin = AssertSqlSafe(begin);
        self.connection.execute(raw_sql(begin)).await?;
        if self.session.clearing().is_some() {
            self.connection.clear_cached_statements().await?;
        }
        Ok(())
    }
}

impl Session {
    /// The statement that must follow the begin of a transaction with prepared statements. Without it their
    /// names may be those of earlier ones of other clients, which stay in the process of the server.
    #[must_use]
    pub fn clearing(self) -> Option<&'static str> {
        (self == Self::Pooled { prepares: false }).then_some("DEALLOCATE ALL")
    }
}

/// Connects to the server of `options`. `settings` apply to the session only if it is [`Session::Own`].
/// `refuses` is true once a pooler has refused an option of the session.
pub(crate) async fn open(
    options: &PgConnectOptions,
    settings: &[(&str, &str)],
    refuses: &AtomicBool,
) -> Result<(Opened, ServerState), Error> {
    let mark = RandomState::new().hash_one(MARK).to_string();
    let marked = || {
        let settings = settings.iter().copied();
        let options = options.clone();
        options.options(settings.chain([(MARK, mark.as_str())]))
    };
    let mut connection = if refuses.load(Ordering::Relaxed) {
        options.connect().await?
    } else {
        match marked().connect().await {
            Err(error) if refuses_parameter(&error) => {
                refuses.store(true, Ordering::Relaxed);
                options.connect().await?
            }
            outcome => outcome?,
        }
    };
    // Not prepared, so that it is one transaction on one server process, whatever the session.
    let look = format!(
        "SELECT coalesce(current_setting('{MARK}', true), '') = '{mark}', pg_is_in_recovery(), \
         current_setting('transaction_read_only') = 'on'"
    );
    let row = raw_sql(AssertSqlSafe(look))
        .fetch_one(&mut connection)
        .await?;
    let state = ServerState {
        is_standby: row.try_get(1)?,
        is_read_only: row.try_get(2)?,
    };
    let session = if row.try_get(0)? {
        Session::Own
    } else {
        let prepares = prepares(&mut connection).await?;
        Session::Pooled { prepares }
    };
    let opened = Opened {
        connection,
        session,
    };
    Ok((opened, state))
}

/// True if a pooler refuses a parameter of the start of a session: `PgBouncer` as a violation of the protocol
/// (08P01), others as a feature that is not supported (0A000).
fn refuses_parameter(error: &Error) -> bool {
    let code = error
        .as_database_error()
        .and_then(sqlx::error::DatabaseError::code);
    matches!(code.as_deref(), Some("08P01" | "0A000"))
}

/// True if the pooler behind `connection` takes care of prepared statements.
async fn prepares(connection: &mut PgConnection) -> Result<bool, Error> {
    connection.execute("BEGIN").await?;
    // Fails if another client has left a statement with the same name.
    let renamed = query_scalar::<_, Option<bool>>(NAMES)
        .fetch_one(&mut *connection)
        .await;
    let renamed = match renamed {
        Ok(renamed) => renamed.unwrap_or(false),
        Err(Error::Database(_)) => false,
        Err(error) => return Err(error),
    };
    connection.execute("ROLLBACK").await?;
    Ok(renamed)
}
