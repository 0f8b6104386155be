//! Looks at the replicas and the primary all the time.

use std::{convert::Infallible, pin::pin, sync::atomic::Ordering, time::Duration};

use futures_util::future::{Either, join_all, select};
use sea_orm::{ConnectionTrait, DbBackend, DbErr, QueryResult, Statement};
use tokio::time::{Instant, sleep, timeout};

use super::{
    Position,
    monitor::Monitor,
    replica::{Outside, Replica},
};
use crate::db::Autocommit;

/// A replica whose state is older is not in the rotation. It must be below the time for which writers are
/// remembered.
const MAX_LAG: Duration = Duration::from_secs(5);
/// Pause between two looks at a server.
const INTERVAL: Duration = Duration::from_millis(200);
/// Least pause between two looks at a replica, while reads wait for its position.
const MIN_INTERVAL: Duration = Duration::from_millis(5);
/// Maximum pause between two attempts at reaching a replica. The first is [`INTERVAL`], and it doubles.
const MAX_PAUSE: Duration = Duration::from_secs(2);
/// Time limit of one look.
const CHECK_LIMIT: Duration = Duration::from_secs(1);

/// Servers that were copied from each other have one system identifier. The timeline is that of the last
/// checkpoint, or of a later write of changed pages: no view that everybody may read has that of the log.
const STATE: &str = "SELECT system_identifier::text || '/' || current_database() AS identity,
    pg_is_in_recovery() AS is_replica,
    pg_postmaster_start_time()::text AS started,
    coalesce(pg_last_wal_replay_lsn()::text, '0/0') AS position,
    greatest(timeline_id, min_recovery_end_timeline)::bigint AS timeline
    FROM pg_control_system(), pg_control_checkpoint(), pg_control_recovery()";
/// The name of a file of the log begins with the timeline.
const PRIMARY: &str = "SELECT system_identifier::text || '/' || current_database() AS identity,
    pg_postmaster_start_time()::text AS started,
    pg_current_wal_lsn()::text AS position,
    ('x' || lpad(substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8), 16, '0'))::bit(64)::bigint AS timeline
    FROM pg_control_system()";

/// The state of a server.
struct Server {
    identity: String,
    started: String,
    position: Position,
    timeline: i64,
    is_replica: bool,
}

impl Monitor {
    /// Keeps the rotation right.
    pub(super) async fn run(&self, primary: &Autocommit) {
        let replicas = self.replicas.iter();
        let watch = join_all(replicas.map(|replica| self.watch(replica, primary)));
        let follow = self.follow(primary);
        if let Either::Left((never, _)) = select(pin!(follow), pin!(watch)).await {
            match never {}
        }
    }

    /// Looks at each replica until it belongs into the rotation, for up to [`MAX_LAG`].
    pub(super) async fn check_all(
        &self,
        primary: &Autocommit,
    ) -> Vec<(String, Result<Duration, String>)> {
        let check = async |replica: &Replica| {
            let end = Instant::now() + MAX_LAG;
            loop {
                match self.check(replica, primary).await {
                    Ok(()) => return Ok(replica.lag()),
                    Err((Outside::Behind | Outside::Unchecked, _)) if Instant::now() < end => {
                        sleep(INTERVAL).await;
                    }
                    Err((outside, cause)) if cause.is_empty() => return Err(outside.to_string()),
                    Err((outside, cause)) => return Err(format!("{outside}: {cause}")),
                }
            }
        };
        let replicas = self.replicas.iter();
        let checks = replicas.map(async |replica| (replica.name.clone(), check(replica).await));
        join_all(checks).await
    }

    /// Samples the position of the primary.
    async fn follow(&self, primary: &Autocommit) -> Infallible {
        loop {
            self.sample(primary).await;
            sleep(INTERVAL).await;
        }
    }

    async fn watch(&self, replica: &Replica, primary: &Autocommit) -> Infallible {
        let mut pause = INTERVAL;
        loop {
            match self.check(replica, primary).await {
                Ok(()) => {
                    pause = INTERVAL;
                    self.advanced.notify_waiters();
                    self.pause().await;
                }
                Err((outside, cause)) => {
                    replica.leave(outside, &cause);
                    sleep(pause).await;
                    pause = MAX_PAUSE.min(pause * 2);
                }
            }
        }
    }

    /// Waits for the next look, which is soon while reads wait.
    async fn pause(&self) {
        sleep(MIN_INTERVAL).await;
        let mut wanted = pin!(self.wanted.notified());
        wanted.as_mut().enable();
        if self.waiting.load(Ordering::SeqCst) == 0 {
            let _ = timeout(INTERVAL, wanted).await;
        }
    }

    /// Looks at `replica`, and admits it to the rotation.
    ///
    /// # Errors
    /// The reason for which it does not belong there, and the cause.
    async fn check(
        &self,
        replica: &Replica,
        primary: &Autocommit,
    ) -> Result<(), (Outside, String)> {
        let connection = Autocommit::new(replica.pool.clone());
        let server = ask(&connection, STATE).await;
        let server = server.map_err(|cause| (Outside::Away, cause))?;
        let outside = |outside| Err((outside, String::new()));
        if !server.is_replica {
            return outside(Outside::Writable);
        }
        replica.server.set(server.started.clone());
        let position = server.position;
        let is_new = replica.replayed().is_none();
        // Only a sample that is newer than the position of the replica shows that they have diverged.
        if is_new && !self.sample(primary).await {
            return outside(Outside::Unknown);
        }
        let known = self.known();
        let Some(newest) = known.samples.newest() else {
            return outside(Outside::Unknown);
        };
        if known.identity != server.identity {
            return outside(Outside::Other);
        }
        if is_new && position > newest {
            replica.diverge(server.started.clone(), known.started.clone());
        }
        if replica.has_diverged(&server.started, &known.started) {
            return outside(Outside::Diverged);
        }
        if known.timeline != server.timeline {
            return outside(Outside::Timeline);
        }
        match known.samples.max_age(position) {
            Some(lag) if lag <= MAX_LAG => replica.enter(position, lag),
            // At the start it may be some milliseconds behind the first sample.
            None if known.samples.covered() < MAX_LAG => return outside(Outside::Unchecked),
            lag => {
                // Without an age it is older than all samples.
                replica.note_lag(lag.unwrap_or_else(|| known.samples.covered()));
                return outside(Outside::Behind);
            }
        }
        Ok(())
    }

    /// Samples the position of the primary, and returns false if the primary does not tell it. Replicas that
    /// were beyond it before have followed another server.
    async fn sample(&self, primary: &Autocommit) -> bool {
        let replicas = self.replicas.iter();
        let before: Vec<_> = replicas.map(Replica::replayed).collect();
        let at = Instant::now();
        let server = match ask(primary, PRIMARY).await {
            Ok(server) => server,
            Err(cause) => {
                // After some seconds all replicas count as too old.
                tracing::debug!(cause, "the primary does not tell its position");
                return false;
            }
        };
        let mut known = self.known();
        let is_promoted = known.timeline != server.timeline;
        known.identity = server.identity;
        known.timeline = server.timeline;
        known.started.clone_from(&server.started);
        known.samples.add(at, server.position);
        for (replica, before) in self.replicas.iter().zip(before) {
            if before.is_some_and(|before| before > server.position) {
                replica.diverge(replica.server.started(), server.started.clone());
                replica.leave(Outside::Diverged, "");
            } else if before.is_some() && is_promoted {
                replica.leave(Outside::Timeline, "");
            }
        }
        true
    }
}

/// Reads the state of a server.
async fn ask(connection: &Autocommit, sql: &str) -> Result<Server, String> {
    let statement = Statement::from_string(DbBackend::Postgres, sql);
    let query = connection.query_one_raw(statement);
    let answer = timeout(CHECK_LIMIT, query).await;
    let answer = answer.map_err(|_| format!("no answer within {CHECK_LIMIT:?}"))?;
    let read = |row: QueryResult| {
        let position: String = row.try_get("", "position")?;
        let position = Position::parse(&position);
        Ok(Server {
            identity: row.try_get("", "identity")?,
            started: row.try_get("", "started")?,
            position: position.ok_or_else(|| DbErr::Type("not a position".to_owned()))?,
            timeline: row.try_get("", "timeline")?,
            // Only asked of a replica.
            is_replica: row.try_get("", "is_replica").unwrap_or_default(),
        })
    };
    let missing = || DbErr::RecordNotFound("no row".to_owned());
    let row = answer.and_then(|row| row.ok_or_else(missing));
    row.and_then(read).map_err(|error: DbErr| error.to_string())
}
