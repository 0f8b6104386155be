//! Statements that commit together.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use sea_orm::{ConnectionTrait, DbBackend, DbErr, ExecResult, QueryResult, Statement};
use tokio::sync::{Mutex, MutexGuard};

use super::{
    autocommit::{exec_error, query_error},
    connection::{Canceller, is_reusable, is_stale},
    mode::Mode,
    pool::{Lease, Pool, closed},
    rows::Rows,
};
use crate::error::Error;

/// An open transaction. Clones share it.
///
/// It ends when the closure of [`Db::write`](super::Db::write) or
/// [`Db::snapshot`](super::Db::snapshot) returns. After that every use of a
/// clone fails.
#[derive(Clone)]
pub struct Transaction(Arc<State>);

struct State {
    backend: DbBackend,
    /// Set at the end of the transaction. Clones must not use the connection after that.
    ended: AtomicBool,
    /// The transaction is rolled back at its end, even if everything succeeds.
    discarded: AtomicBool,
    /// A statement failed or was refused. After a failed one PostgreSQL answers COMMIT with success,
    /// but rolls back.
    failed: AtomicBool,
    /// A stream is open. Another statement would wait for a connection that the stream keeps for as
    /// long as its consumer waits for the statement.
    streaming: AtomicBool,
    /// For a transaction of one statement, which commits by itself.
    single: Option<Single>,
    /// `None` if the connection is lost, or was left in the middle of a statement.
    lease: Mutex<Option<Lease>>,
}

/// The progress of a transaction of one statement.
#[derive(Default)]
struct Single {
    started: AtomicBool,
    committed: AtomicBool,
}

/// Runs `$work` on the connection of `$state` and keeps the connection if it can be used again.
macro_rules! with_connection {
    ($state:expr, |$connection:ident| $work:expr) => {{
        let mut guard = $state.lock().await?;
        let mut lease = $state.open(guard.take())?;
        let $connection = &mut lease.connection;
        let outcome = $work.await;
        if outcome.is_err() {
            $state.failed.store(true, Ordering::SeqCst);
        } else if let Some(single) = &$state.single {
            single.committed.store(true, Ordering::SeqCst);
        }
        match &outcome {
            Err(error) if !is_reusable(error) => lease.release(Some(error)),
            _ if $state.has_ended() => {}
            _ => *guard = Some(lease),
        }
        outcome
    }};
}

impl State {
    fn has_ended(&self) -> bool {
        self.ended.load(Ordering::SeqCst)
    }

    fn has_failed(&self) -> bool {
        self.failed.load(Ordering::SeqCst)
    }

    async fn lock(&self) -> Result<MutexGuard<'_, Option<Lease>>, DbErr> {
        if self.streaming.load(Ordering::SeqCst) {
            return Err(self.refuse(stream_is_open()));
        }
        Ok(self.lease.lock().await)
    }

    fn open(&self, lease: Option<Lease>) -> Result<Lease, DbErr> {
        let lease = lease.filter(|_| !self.has_ended()).ok_or_else(closed)?;
        if let Some(single) = &self.single
            && single.started.swap(true, Ordering::SeqCst)
        {
            lease.release(None);
            return Err(self.refuse(second_statement()));
        }
        Ok(lease)
    }

    fn refuse(&self, error: DbErr) -> DbErr {
        self.failed.store(true, Ordering::SeqCst);
        error
    }

    fn is_committed(&self) -> bool {
        let committed = |single: &Single| single.committed.load(Ordering::SeqCst);
        self.single.as_ref().is_some_and(committed)
    }
}

impl Transaction {
    /// Rolls the transaction back at its end, even if its work succeeds.
    pub fn discard(&self) {
        self.0.discarded.store(true, Ordering::SeqCst);
    }

    /// Runs `statement` and yields its rows as the database sends them. See
    /// [`Autocommit::stream`](super::Autocommit::stream) for the limits.
    ///
    /// Other statements of the transaction fail while the stream is open: from its first poll until
    /// it yields `None`, so read it to the end. If one fails, or the stream is dropped early, the
    /// transaction is rolled back.
    pub fn stream(&self, statement: Statement) -> Rows {
        let state = Arc::clone(&self.0);
        Rows::new(|mut sender| async move {
            with_connection!(state, |connection| async {
                let _open = OpenStream::of(&state);
                sender.send_all(connection, &statement).await
            })
            .map_err(query_error)
        })
    }
}

/// Marks that a stream is open, until it is dropped.
struct OpenStream<'a>(&'a State);

impl<'a> OpenStream<'a> {
    fn of(state: &'a State) -> Self {
        state.streaming.store(true, Ordering::SeqCst);
        Self(state)
    }
}

impl Drop for OpenStream<'_> {
    fn drop(&mut self) {
        self.0.streaming.store(false, Ordering::SeqCst);
    }
}

#[async_trait]
impl ConnectionTrait for Transaction {
    fn get_database_backend(&self) -> DbBackend {
        self.0.backend
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        with_connection!(self.0, |connection| connection.execute(&statement)).map_err(exec_error)
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        with_connection!(self.0, |connection| connection.execute_simple(sql)).map_err(exec_error)
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        Ok(self.query_all_raw(statement).await?.into_iter().next())
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        with_connection!(self.0, |connection| connection.rows(&statement)).map_err(query_error)
    }
}

/// Runs `work` in one transaction of kind `mode` on a connection of `pool`. Commits if `work` and all
/// its statements succeed, rolls back otherwise. After `limit`, if there is one, the statements of
/// `work` are cancelled; through a pooler, each of them after `limit`.
pub(super) async fn in_transaction<T, F, R>(
    pool: &Arc<Pool>,
    mode: Mode,
    limit: Option<Duration>,
    work: F,
) -> Result<T, Error>
where
    F: FnOnce(Transaction) -> R,
    R: Future<Output = Result<T, Error>>,
{
    let open = Open::begin(pool, mode, limit).await?;
    let outcome = open.run_within(pool, limit, work).await;
    let is_discarded = open.transaction.0.discarded.load(Ordering::SeqCst);
    if outcome.is_ok() && !is_discarded {
        open.end("COMMIT").await?;
        if mode == Mode::Write {
            pool.shared().commits.notify_one();
        }
    } else {
        // If this fails, the connection is closed, which also rolls back.
        let _ = open.end("ROLLBACK").await;
    }
    outcome
}

/// Runs `work`, which runs one statement, without BEGIN and COMMIT. A second statement fails. After
/// an error, returns whether the statement was committed nevertheless. After `limit`, if there is
/// one, the statement is cancelled.
pub(super) async fn in_one_statement<T, F, R>(
    pool: &Arc<Pool>,
    limit: Option<Duration>,
    work: F,
) -> Result<T, (Error, bool)>
where
    F: FnOnce(Transaction) -> R,
    R: Future<Output = Result<T, Error>>,
{
    let lease = pool.lease().await;
    let mut lease = lease.map_err(|error| (error.into(), false))?;
    lease.connection.limit_statements(limit);
    let open = Open::new(pool, lease, Some(Single::default()));
    let outcome = open.run_within(pool, limit, work).await;
    if let Ok(Some(lease)) = open.take_lease() {
        lease.release(None);
    }
    let is_committed = open.transaction.0.is_committed();
    if is_committed {
        pool.shared().commits.notify_one();
    }
    outcome.map_err(|error| (error, is_committed))
}

/// Ends its transaction when dropped. The connection is closed then, which rolls back.
struct Open {
    transaction: Transaction,
}

impl Open {
    async fn begin(pool: &Arc<Pool>, mode: Mode, limit: Option<Duration>) -> Result<Self, DbErr> {
        let mut lease = pool.lease().await?;
        lease.connection.limit_statements(limit);
        let mut begun = lease.connection.begin(mode).await;
        if lease.reused && begun.as_ref().is_err_and(is_stale) {
            lease.renew().await?;
            lease.connection.limit_statements(limit);
            begun = lease.connection.begin(mode).await;
        }
        if let Err(error) = begun {
            lease.release(Some(&error));
            return Err(exec_error(error));
        }
        Ok(Self::new(pool, lease, None))
    }

    fn new(pool: &Pool, lease: Lease, single: Option<Single>) -> Self {
        Self {
            transaction: Transaction(Arc::new(State {
                backend: pool.options().backend(),
                ended: AtomicBool::default(),
                discarded: AtomicBool::default(),
                failed: AtomicBool::default(),
                streaming: AtomicBool::default(),
                single,
                lease: Mutex::new(Some(lease)),
            })),
        }
    }

    /// Like [`run`](Self::run), and cancels the statements of `work` after `limit`.
    async fn run_within<T, F, R>(
        &self,
        pool: &Pool,
        limit: Option<Duration>,
        work: F,
    ) -> Result<T, Error>
    where
        F: FnOnce(Transaction) -> R,
        R: Future<Output = Result<T, Error>>,
    {
        let run = self.run(work);
        match limit.and_then(|limit| Some((limit, self.canceller()?))) {
            Some((limit, canceller)) => pool.limit(&canceller, limit, run).await,
            None => run.await,
        }
    }

    fn canceller(&self) -> Option<Canceller> {
        let Transaction(state) = &self.transaction;
        let lease = state.lease.try_lock().ok()?;
        lease.as_ref()?.connection.canceller()
    }

    /// Fails if `work` ignores the error of a statement.
    async fn run<T, F, R>(&self, work: F) -> Result<T, Error>
    where
        F: FnOnce(Transaction) -> R,
        R: Future<Output = Result<T, Error>>,
    {
        let done = work(self.transaction.clone()).await?;
        if self.transaction.0.has_failed() {
            return Err(ignored_error().into());
        }
        Ok(done)
    }

    /// If this fails, it is unknown whether the changes are committed.
    async fn end(self, sql: &str) -> Result<(), DbErr> {
        let mut lease = self.take_lease()?.ok_or_else(closed)?;
        lease.connection.end(sql).await.map_err(exec_error)?;
        // Not after an error: a COMMIT that SQLite refuses leaves the transaction open.
        lease.release(None);
        Ok(())
    }

    fn take_lease(&self) -> Result<Option<Lease>, DbErr> {
        let Transaction(state) = &self.transaction;
        state.ended.store(true, Ordering::SeqCst);
        // A clone outside the closure may be running a statement. It closes the connection then.
        let mut lease = state.lease.try_lock().map_err(|_| still_busy())?;
        Ok(lease.take())
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        let _ = self.take_lease();
    }
}

fn second_statement() -> DbErr {
    DbErr::Custom("a batch that is declared as one statement ran a second one".to_owned())
}

fn stream_is_open() -> DbErr {
    DbErr::Custom("a statement was sent while a stream of its transaction was open".to_owned())
}

fn ignored_error() -> DbErr {
    DbErr::Custom("a statement failed, and its transaction was to be committed".to_owned())
}

fn still_busy() -> DbErr {
    DbErr::Custom("a statement was running at the end of its transaction".to_owned())
}
