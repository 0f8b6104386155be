use std::pin::pin;

use futures_util::future::{Either, join, join_all, poll_immediate, select};
use sqlx::sqlite::SqliteConnectOptions;
use tokio::{
    runtime::{self, Handle},
    sync::{Semaphore, mpsc, oneshot},
    task::{spawn_blocking, yield_now},
};

use super::*;
use crate::db::connection::Options;

/// A write that begins and ends when the test says so.
struct Controlled;

struct Row {
    begun: mpsc::UnboundedSender<()>,
    may_end: Arc<Semaphore>,
}

impl BatchedWrite for Controlled {
    type Row = Row;
    type Output = ();

    async fn write(_: &Transaction, rows: &[Arc<Row>]) -> Result<Vec<()>, Error> {
        for row in rows {
            row.begun.send(()).unwrap();
            row.may_end.acquire().await.unwrap().forget();
        }
        Ok(vec![(); rows.len()])
    }
}

/// The writes of one database.
struct Database {
    pool: Arc<Pool>,
    batches: Batches<Controlled>,
    begun: mpsc::UnboundedSender<()>,
    has_begun: mpsc::UnboundedReceiver<()>,
    may_end: Arc<Semaphore>,
}

impl Database {
    fn new() -> Self {
        let options = Options::Sqlite(SqliteConnectOptions::new().in_memory(true).into());
        let (begun, has_begun) = mpsc::unbounded_channel();
        Self {
            pool: Pool::new(options, 1),
            batches: Batches::default(),
            begun,
            has_begun,
            may_end: Arc::new(Semaphore::new(0)),
        }
    }

    fn write(&self) -> impl Future<Output = Result<(), Error>> + Send + 'static {
        let (pool, batches) = (Arc::clone(&self.pool), self.batches.clone());
        let (begun, may_end) = (self.begun.clone(), Arc::clone(&self.may_end));
        let row = Arc::new(Row { begun, may_end });
        let sharing = Sharing {
            runtime: Handle::current(),
            workers: 2,
        };
        async move { batches.write(&pool, Some(&sharing), row).await }
    }
}

#[tokio::test]
async fn a_worker_that_ends_does_not_end_the_batch_of_another() {
    let mut database = Database::new();
    let (first, mut second) = (database.write(), pin!(database.write()));
    let worker = spawn_blocking(|| {
        let mut builder = runtime::Builder::new_current_thread();
        builder.enable_all().build().unwrap().block_on(first)
    });
    database.has_begun.recv().await.unwrap();
    assert!(poll_immediate(&mut second).await.is_none());
    // The worker begins the second write when it ends the first one.
    database.may_end.add_permits(1);
    worker.await.unwrap().unwrap();
    database.may_end.add_permits(1);
    second.await.unwrap();
}

/// Otherwise a user with many large writes leaves the rows of all others one batch after each of them.
#[tokio::test]
async fn full_batches_wait_for_the_writer_together() {
    let mut database = Database::new();
    let mut first = pin!(database.write());
    assert!(poll_immediate(&mut first).await.is_none());
    let rows: Vec<_> = (0..2 * MAX_BATCH).map(|_| database.write()).collect();
    let mut rows = pin!(join_all(rows));
    assert!(poll_immediate(&mut rows).await.is_none());
    let one = async {
        database.has_begun.recv().await.unwrap();
        database.may_end.add_permits(1);
    };
    join(first, one).await.0.unwrap();
    // Both batches ask for the connection.
    yield_now().await;
    let other = pin!(database.pool.lease());
    let both = async {
        for _ in 0..2 * MAX_BATCH {
            database.has_begun.recv().await.unwrap();
            database.may_end.add_permits(1);
        }
    };
    let Either::Left(((), other)) = select(pin!(both), other).await else {
        panic!("a batch waits for more than the writes before it")
    };
    other.await.unwrap();
    let outcomes = rows.await;
    assert!(outcomes.iter().all(Result::is_ok));
}

/// Is never written.
struct Planned;

struct PlannedRow {
    index: usize,
    group: i64,
    bytes: usize,
}

impl BatchedWrite for Planned {
    type Row = PlannedRow;
    type Output = ();

    fn bytes(row: &PlannedRow) -> usize {
        row.bytes
    }

    fn group(row: &PlannedRow) -> i64 {
        row.group
    }

    async fn write(_: &Transaction, _: &[Arc<PlannedRow>]) -> Result<Vec<()>, Error> {
        Err(lost())
    }
}

/// The batches in which waiting rows of these groups and sizes are written, as indices into `rows`.
fn plan(rows: &[(i64, usize)]) -> Vec<Vec<usize>> {
    let request = |(index, &(group, bytes)): (usize, &(i64, usize))| Request {
        input: Arc::new(PlannedRow {
            index,
            group,
            bytes,
        }),
        since: None,
        context: None,
        answer: oneshot::channel().0,
    };
    let mut waiting: Vec<Request<Writes<Planned>>> = rows.iter().enumerate().map(request).collect();
    let mut batches = Vec::new();
    while !waiting.is_empty() {
        let (batch, rest) = Writes::split(waiting);
        batches.push(batch.iter().map(|request| request.input.index).collect());
        waiting = rest;
    }
    batches
}

/// The rows of one author do not hold up those of another who came later.
#[test]
fn groups_take_turns() {
    let mut rows = vec![(1, 10); 200];
    rows.push((2, 10));
    let mut batches = plan(&rows);
    assert_eq!(batches[0].pop(), Some(200));
    // Each row after those of its group that came before.
    let sizes: Vec<usize> = batches.iter().map(Vec::len).collect();
    assert_eq!(sizes, [63, 64, 64, 9]);
    assert!(batches.concat().is_sorted());
    // A batch has space for 16 of these rows. The groups that it leaves out come next.
    let mut rows: Vec<_> = (0..100).map(|row| (row % 20, LARGE)).collect();
    rows.push((20, 10));
    let batches = plan(&rows);
    assert!(batches[0].iter().copied().eq(0..16));
    assert!(batches[1].starts_with(&[16, 17, 18, 19]));
    assert!(batches[1].contains(&100));
}

#[test]
fn a_batch_is_bounded_in_bytes() {
    let rows: Vec<_> = (0..21).map(|group| (group, LARGE)).collect();
    let sizes: Vec<usize> = plan(&rows).iter().map(Vec::len).collect();
    assert_eq!(sizes, [16, 5]);
}
