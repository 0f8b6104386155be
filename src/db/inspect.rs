//! The checks of `acclaim doctor`, on one read-only connection.

use std::{
    net::IpAddr,
    time::{Duration, Instant},
};

use migration::{Database, Opened, Servers, Session};
use sqlx::{ConnectOptions, SqliteConnection, postgres::PgConnectOptions, query_scalar};
use time::OffsetDateTime;

use super::{BUSY_TIMEOUT, STATEMENT_TIMEOUT, connection::CONNECT_TIMEOUT};

/// The state of a database.
#[derive(Debug)]
pub struct Inspection {
    /// Response time of the first query.
    pub answered: Duration,
    /// Facts that only one kind of database has.
    pub facts: Facts,
}

/// Facts that only one kind of database has.
#[derive(Debug)]
pub enum Facts {
    /// A file.
    Sqlite(Sqlite),
    /// A server.
    Postgres(Postgres),
}

/// The state of a database file.
#[derive(Debug)]
pub struct Sqlite {
    /// True if it uses a write-ahead log.
    pub wal: bool,
    /// Findings of `PRAGMA quick_check`, at most about ten lines. Empty if the file is sound.
    pub damage: Vec<String>,
}

/// The state of a database server.
#[derive(Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent facts, each with its own finding"
)]
pub struct Postgres {
    /// `server_version_num`: 150018 is 15.18.
    pub version: i32,
    /// True if the connection uses TLS.
    pub encrypted: bool,
    /// True if the server, or each of them, runs on this machine.
    pub local: bool,
    /// What lasts between transactions.
    pub session: Session,
    /// True if the server has a time limit for the statements of the role, and for those of clients that
    /// are gone.
    pub has_limits: bool,
    /// True if the URL lists several servers, and one that accepts no writes would be used.
    pub may_be_standby: bool,
    /// Connections of all clients together that are not reserved for superusers.
    pub connections: i32,
    /// Seconds by which its clock is ahead of this machine's. Negative if it is behind.
    pub ahead: f64,
}

/// Inspects `database`. The error is one sentence for the operator.
pub async fn inspect(database: &Database) -> Result<Inspection, String> {
    // Has the clearest message if the server cannot be reached.
    database.check_connection().await?;
    let looked = match database {
        Database::Sqlite(options) => {
            let options = options.as_ref().clone().read_only(true);
            match options.busy_timeout(BUSY_TIMEOUT).connect().await {
                Ok(mut connection) => sqlite(&mut connection).await,
                Err(error) => Err(error),
            }
        }
        Database::Postgres(servers) => postgres(servers).await,
    };
    looked.map_err(|error| database.explain(&error))
}

async fn sqlite(connection: &mut SqliteConnection) -> Result<Inspection, sqlx::Error> {
    let asked = Instant::now();
    let journal: String = query_scalar("PRAGMA journal_mode")
        .fetch_one(&mut *connection)
        .await?;
    let answered = asked.elapsed();
    let check = query_scalar("PRAGMA quick_check(10)").fetch_all(connection);
    let found: Vec<String> = match check.await {
        // Damage can make the check itself fail.
        Err(sqlx::Error::Database(refusal)) => vec![refusal.message().to_owned()],
        found => found?,
    };
    Ok(Inspection {
        answered,
        facts: Facts::Sqlite(Sqlite {
            wal: journal == "wal",
            damage: damage(&found),
        }),
    })
}

/// The errors in the rows of SQLite's check, one a line.
pub(super) fn damage(found: &[String]) -> Vec<String> {
    // A row has several lines. The first names the database.
    let lines = found.iter().flat_map(|row| row.lines());
    let damage = lines.filter(|line| *line != "ok" && !line.starts_with("***"));
    damage.map(str::to_owned).collect()
}

async fn postgres(servers: &Servers) -> Result<Inspection, sqlx::Error> {
    let mut opened = servers.connect(CONNECT_TIMEOUT, &[]).await?;
    let timeout = STATEMENT_TIMEOUT.as_millis();
    let begin = format!("BEGIN; SET LOCAL statement_timeout = {timeout}");
    opened.begin(&begin).await?;
    let Opened {
        connection,
        session,
    } = &mut opened;
    let asked = Instant::now();
    let version: i32 = query_scalar("SELECT current_setting('server_version_num')::int")
        .fetch_one(&mut *connection)
        .await?;
    let answered = asked.elapsed();
    let encrypted = query_scalar("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()")
        .fetch_one(&mut *connection)
        .await?;
    // PostgreSQL has `reserved_connections` since version 16.
    let connections = "SELECT current_setting('max_connections')::int \
                       - current_setting('superuser_reserved_connections')::int \
                       - coalesce(current_setting('reserved_connections', true)::int, 0)";
    let connections = query_scalar(connections)
        .fetch_one(&mut *connection)
        .await?;
    let limits = "SELECT count(*) = 2 FROM pg_settings WHERE reset_val <> '0' \
                  AND name IN ('statement_timeout', 'client_connection_check_interval')";
    let has_limits = query_scalar(limits).fetch_one(&mut *connection).await?;
    let before = OffsetDateTime::now_utc();
    let theirs: f64 = query_scalar("SELECT extract(epoch FROM clock_timestamp())::float8")
        .fetch_one(connection)
        .await?;
    let way = (OffsetDateTime::now_utc() - before) / 2_i32;
    let ours = (before + way - OffsetDateTime::UNIX_EPOCH).as_seconds_f64();
    Ok(Inspection {
        answered,
        facts: Facts::Postgres(Postgres {
            version,
            encrypted,
            local: servers.options().iter().all(is_local),
            session: *session,
            has_limits,
            may_be_standby: servers.may_be_standbys(),
            connections,
            ahead: theirs - ours,
        }),
    })
}

fn is_local(options: &PgConnectOptions) -> bool {
    let host = options.get_host();
    options.get_socket().is_some()
        || host.starts_with('/')
        || host == "localhost"
        || host.parse().is_ok_and(|host: IpAddr| host.is_loopback())
}
