//! Connections after cancelled work, failed writes and a lost server.

use std::pin::pin;

use acclaim::{db::Db, error::Error};
use futures_util::future::{join_all, poll_immediate};
use sea_orm::{ConnectionTrait, QueryResult, Statement};
use tokio::sync::Notify;

use crate::{
    db::one_thread::on_one_thread,
    harness::{Fixture, apply, column},
};

/// More than the pool has connections on any machine.
const MANY: usize = 40;
/// Queries that never end by themselves, for SQLite and for PostgreSQL.
const ENDLESS: [&str; 2] = [
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n",
    "SELECT pg_sleep(3600)",
];
/// The process id of the connection.
const BACKEND_PID: &str = "SELECT pg_backend_pid()";
const ADD: &str = "INSERT INTO users (username, email, password_hash, created_at, updated_at) \
                   VALUES ('ada', 'ada@example.com', 'x', '2026-01-01', '2026-01-01') RETURNING id";

async fn open(fixture: &Fixture) -> Db {
    fixture.migrate().await;
    Db::open(&fixture.database()).await.unwrap()
}

async fn rows(connection: &impl ConnectionTrait, sql: &str) -> Result<Vec<QueryResult>, Error> {
    let statement = Statement::from_string(connection.get_database_backend(), sql);
    Ok(connection.query_all_raw(statement).await?)
}

/// Starts `work` while all connections are in use, then frees them. All parts of `work` have begun
/// before any of its statements runs.
pub async fn start_while_saturated<T>(
    fixture: &Fixture,
    db: &Db,
    work: impl Future<Output = T>,
) -> T {
    let endless = ENDLESS[usize::from(fixture.is_postgres())];
    let read = async || rows(db.read(), endless).await.is_ok();
    let write = async || {
        let write = db.write(async |transaction| rows(transaction, endless).await);
        write.await.is_ok()
    };
    let mut reads: Vec<_> = (0..MANY).map(|_| Box::pin(read())).collect();
    let mut writes: Vec<_> = (0..MANY).map(|_| Box::pin(write())).collect();
    for read in &mut reads {
        assert!(poll_immediate(read).await.is_none());
    }
    for write in &mut writes {
        assert!(poll_immediate(write).await.is_none());
    }
    let mut work = pin!(work);
    assert!(poll_immediate(&mut work).await.is_none());
    drop((reads, writes));
    work.await
}

async fn backend_pid(connection: &impl ConnectionTrait) -> i32 {
    let rows = rows(connection, BACKEND_PID).await.unwrap();
    rows[0].try_get_by_index(0).unwrap()
}

async fn users(db: &Db) -> i64 {
    let rows = rows(db.read(), "SELECT count(*) FROM users").await.unwrap();
    rows[0].try_get_by_index(0).unwrap()
}

#[apply(on_one_thread)]
async fn a_cancelled_read_closes_its_connection(fixture: Fixture) {
    let db = open(&fixture).await;
    if !fixture.is_postgres() {
        for _ in 0..MANY {
            // Returns a connection that the next read uses at once.
            assert_eq!(users(&db).await, 0);
            let mut endless = pin!(rows(db.read(), ENDLESS[0]));
            assert!(poll_immediate(&mut endless).await.is_none());
        }
        assert_eq!(users(&db).await, 0);
        return;
    }
    let other = fixture.connect().await;
    let sleeps = "SELECT pid FROM pg_stat_activity WHERE query LIKE '%pg_sleep(3600)%' \
                  AND pid <> pg_backend_pid() AND state = 'active' AND datname = current_database()";
    let mut given_up = Vec::new();
    for _ in 0..MANY {
        let begun = async {
            loop {
                let pids = column(&other, &sleeps.replace("pid FROM", "pid::bigint FROM")).await;
                if let Some(new) = pids.into_iter().find(|pid| !given_up.contains(pid)) {
                    break new;
                }
            }
        };
        tokio::select! {
            ended = rows(db.read(), ENDLESS[1]) => panic!("{:?}", ended.is_ok()),
            pid = begun => given_up.push(pid),
        }
        let pid = backend_pid(db.read()).await.to_string();
        assert!(
            !given_up.contains(&pid),
            "connection {pid} was used again after its query was cancelled"
        );
    }
}

#[apply(on_one_thread)]
async fn a_cancelled_write_is_rolled_back(fixture: Fixture) {
    let db = open(&fixture).await;
    // Each round inserts the same unique value, so it waits for the rollback of the one before.
    for _ in 0..12 {
        let added = Notify::new();
        let write = db.write(async |transaction| {
            rows(transaction, ADD).await?;
            added.notify_one();
            rows(transaction, ENDLESS[usize::from(fixture.is_postgres())]).await
        });
        tokio::select! {
            ended = write => panic!("{:?}", ended.is_ok()),
            () = added.notified() => {}
        }
        assert_eq!(users(&db).await, 0);
    }
    if !fixture.is_postgres() {
        // The single write connection is free again before the next write times out.
        db.write(async |transaction| rows(transaction, ADD).await)
            .await
            .unwrap();
        assert_eq!(users(&db).await, 1);
    }
}

#[apply(on_one_thread)]
async fn a_failed_write_is_rolled_back_and_its_connection_reused(fixture: Fixture) {
    let db = open(&fixture).await;
    let mut pids = Vec::new();
    for _ in 0..MANY {
        let write = db.write(async |transaction| {
            rows(transaction, ADD).await?;
            rows(transaction, ADD).await
        });
        assert!(matches!(write.await, Err(Error::Taken { .. })));
        assert_eq!(users(&db).await, 0);
        if fixture.is_postgres() {
            pids.push(backend_pid(db.read()).await);
        }
    }
    pids.dedup();
    assert!(pids.len() <= 1, "{pids:?}");
}

#[apply(on_one_thread)]
async fn connections_closed_by_the_server_are_replaced(fixture: Fixture) {
    if !fixture.is_postgres() {
        return;
    }
    let db = open(&fixture).await;
    let other = fixture.connect().await;
    let ours = "FROM pg_stat_activity WHERE datname = current_database() \
                AND application_name = 'acclaim' AND backend_type = 'client backend'";
    for writes in [false, true] {
        let ends = format!("SELECT pg_terminate_backend(pid)::text {ours}");
        assert!(!column(&other, &ends).await.is_empty());
        while column(&other, &format!("SELECT count(*) {ours}")).await != ["0"] {}
        if writes {
            let added = db.write(async |transaction| rows(transaction, ADD).await);
            added.await.unwrap();
        } else {
            assert_eq!(users(&db).await, 0);
        }
    }
}

#[apply(on_one_thread)]
async fn the_pool_never_exceeds_its_size(fixture: Fixture) {
    if !fixture.is_postgres() {
        return;
    }
    let db = open(&fixture).await;
    let ask = async || {
        let rows = rows(db.read(), "SELECT pg_backend_pid(), pg_sleep(0.02)").await;
        rows.unwrap()[0].try_get_by_index::<i32>(0).unwrap()
    };
    let mut pids = join_all((0..MANY).map(|_| ask())).await;
    pids.sort_unstable();
    pids.dedup();
    assert!((2..=8).contains(&pids.len()), "{pids:?}");
}

#[apply(on_one_thread)]
async fn a_statement_can_be_planned_each_time(fixture: Fixture) {
    let db = open(&fixture).await;
    let each = db.read().planned_each_time();
    let backend = each.get_database_backend();
    for number in 0..3 {
        let sql = "SELECT 1 WHERE $1 = 2";
        let statement = Statement::from_sql_and_values(backend, sql, [number.into()]);
        let found = each.query_all_raw(statement).await.unwrap().len();
        assert_eq!(found, usize::from(number == 2));
    }
    if fixture.is_postgres() {
        let kept = "SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE '%= 2'";
        let rows = rows(db.read(), kept).await.unwrap();
        assert_eq!(rows[0].try_get_by_index::<i64>(0).unwrap(), 0);
    }
}
