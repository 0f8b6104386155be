use std::pin::pin;

use futures_util::future::poll_immediate;
use sqlx::sqlite::SqliteConnectOptions;
use tokio::{
    runtime,
    sync::{Semaphore, mpsc},
    task::spawn_blocking,
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

#[tokio::test]
async fn a_worker_that_ends_does_not_end_the_batch_of_another() {
    let options = Options::Sqlite(SqliteConnectOptions::new().in_memory(true).into());
    let pool = Pool::new(options, 1);
    let batches = Batches::<Controlled>::default();
    let (begun, mut has_begun) = mpsc::unbounded_channel();
    let may_end = Arc::new(Semaphore::new(0));
    let write = || {
        let (pool, batches) = (Arc::clone(&pool), batches.clone());
        let (begun, may_end) = (begun.clone(), Arc::clone(&may_end));
        let row = Arc::new(Row { begun, may_end });
        async move { batches.write(&pool, row).await }
    };
    let (first, mut second) = (write(), pin!(write()));
    let worker = spawn_blocking(|| {
        let mut builder = runtime::Builder::new_current_thread();
        builder.enable_all().build().unwrap().block_on(first)
    });
    has_begun.recv().await.unwrap();
    assert!(poll_immediate(&mut second).await.is_none());
    // The worker begins the second write when it ends the first one.
    may_end.add_permits(1);
    worker.await.unwrap().unwrap();
    may_end.add_permits(1);
    second.await.unwrap();
}
