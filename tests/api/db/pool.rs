//! Connections and transactions: cancelled work, failed writes, streams and a lost server.

use std::pin::pin;

use acclaim::{
    db::{Constraint, Db, OnConstraint, Transaction},
    error::Error,
};
use futures_util::{
    StreamExt,
    future::{join_all, poll_immediate},
};
use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, QueryResult, Statement};
use tokio::sync::Notify;

use crate::harness::{
    Fixture, apply, behaviour, column, postgres_behaviour, runner::not_asked_for, sqlite_behaviour,
};

/// More than the pool has connections on any machine.
const MANY: usize = 40;
/// Queries that never end by themselves, for SQLite and for PostgreSQL.
pub const ENDLESS: [&str; 2] = [
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n",
    "SELECT pg_sleep(3600)",
];
/// The number of PostgreSQL's endless queries.
pub const SLEEPING: &str = "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' \
                            AND query = 'SELECT pg_sleep(3600)' AND datname = current_database()";
/// The process id of the connection.
const BACKEND_PID: &str = "SELECT pg_backend_pid()";
const ADD: &str = "INSERT INTO users (username, email, password_hash, created_at, updated_at) \
                   VALUES ('ada', 'ada@example.com', 'x', '2026-01-01', '2026-01-01') RETURNING id";

async fn open(fixture: &Fixture) -> Db {
    fixture.migrate().await;
    Db::open(&fixture.database()).await.unwrap()
}

pub async fn rows(connection: &impl ConnectionTrait, sql: &str) -> Result<Vec<QueryResult>, Error> {
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
        let write = db.write(|transaction| async move { rows(&transaction, endless).await });
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

#[apply(behaviour)]
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
    if fixture.is_pooled() {
        not_asked_for(
            "the pooler decides whether to use the connection of a cancelled query again",
        );
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

#[apply(sqlite_behaviour)]
async fn lists_leave_a_connection_to_single_rows(fixture: Fixture) {
    let db = open(&fixture).await;
    let lists = db.read_list();
    let mut endless: Vec<_> = (0..MANY)
        .map(|_| Box::pin(rows(&lists, ENDLESS[0])))
        .collect();
    for list in &mut endless {
        assert!(poll_immediate(list).await.is_none());
    }
    assert_eq!(users(&db).await, 0);
}

#[apply(behaviour)]
async fn a_cancelled_write_is_rolled_back(fixture: Fixture) {
    let db = open(&fixture).await;
    // Each round inserts the same unique value, so it waits for the rollback of the one before.
    for _ in 0..12 {
        let (added, fixture) = (&Notify::new(), &fixture);
        let write = db.write(|transaction| async move {
            rows(&transaction, ADD).await?;
            added.notify_one();
            rows(&transaction, ENDLESS[usize::from(fixture.is_postgres())]).await
        });
        tokio::select! {
            ended = write => panic!("{:?}", ended.is_ok()),
            () = added.notified() => {}
        }
        assert_eq!(users(&db).await, 0);
    }
    if !fixture.is_postgres() {
        // The single write connection is free again before the next write times out.
        db.write(|transaction| async move { rows(&transaction, ADD).await })
            .await
            .unwrap();
        assert_eq!(users(&db).await, 1);
    }
}

#[apply(behaviour)]
async fn a_failed_write_is_rolled_back_and_its_connection_reused(fixture: Fixture) {
    let db = open(&fixture).await;
    let mut pids = Vec::new();
    for _ in 0..MANY {
        let write = db.write(|transaction| async move {
            rows(&transaction, ADD).await?;
            rows(&transaction, ADD).await
        });
        assert!(matches!(write.await, Err(Error::Internal(_))));
        assert_eq!(users(&db).await, 0);
        if fixture.is_postgres() {
            pids.push(backend_pid(db.read()).await);
        }
    }
    pids.dedup();
    assert!(pids.len() <= 1, "{pids:?}");
}

#[apply(postgres_behaviour)]
async fn connections_closed_by_the_server_are_replaced(fixture: Fixture) {
    let db = open(&fixture).await;
    let other = fixture.connect().await;
    for writes in [false, true] {
        close_by_server(&other).await;
        if writes {
            let added = db.write(|transaction| async move { rows(&transaction, ADD).await });
            added.await.unwrap();
        } else {
            assert_eq!(users(&db).await, 0);
        }
    }
}

#[apply(postgres_behaviour)]
async fn one_closed_connection_removes_the_other_idle_ones(fixture: Fixture) {
    let db = open(&fixture).await;
    let sleeps = (0..MANY).map(|_| rows(db.read(), "SELECT pg_sleep(0.02)"));
    join_all(sleeps).await;
    close_by_server(&fixture.connect().await).await;
    let mut errors = 0;
    // Statements that may write are not repeated.
    for _ in 0..MANY {
        let done = db.read().execute_unprepared("SELECT 1").await;
        errors += usize::from(done.is_err());
    }
    assert!(errors <= 1, "{errors}");
}

/// Closes the connections of the pool at the server.
async fn close_by_server(other: &DatabaseConnection) {
    let ours = "FROM pg_stat_activity WHERE datname = current_database() \
                AND application_name = 'acclaim' AND backend_type = 'client backend'";
    let ends = format!("SELECT pg_terminate_backend(pid)::text {ours}");
    assert!(!column(other, &ends).await.is_empty());
    while column(other, &format!("SELECT count(*) {ours}")).await != ["0"] {}
}

#[apply(postgres_behaviour)]
async fn the_pool_never_exceeds_its_size(fixture: Fixture) {
    let db = open(&fixture).await;
    let ask = async || {
        let rows = rows(db.read(), "SELECT pg_backend_pid(), pg_sleep(0.02)").await;
        rows.unwrap()[0].try_get_by_index::<i32>(0).unwrap()
    };
    let mut pids = join_all((0..MANY).map(|_| ask())).await;
    pids.sort_unstable();
    pids.dedup();
    assert!((2..=10).contains(&pids.len()), "{pids:?}");
}

fn backend(fixture: &Fixture) -> DbBackend {
    if fixture.is_postgres() {
        DbBackend::Postgres
    } else {
        DbBackend::Sqlite
    }
}

/// Selects the numbers from 1 to `up_to`.
fn numbers(fixture: &Fixture, up_to: i64) -> Statement {
    let sql = if fixture.is_postgres() {
        format!("SELECT n FROM generate_series(1, {up_to}) AS numbers (n)")
    } else {
        format!(
            "WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers LIMIT {up_to})
            SELECT n FROM numbers"
        )
    };
    Statement::from_string(backend(fixture), sql)
}

#[apply(behaviour)]
async fn rows_can_be_streamed(fixture: Fixture) {
    const ROWS: usize = 100_000;
    let db = &open(&fixture).await;
    let numbers = &numbers(&fixture, ROWS.try_into().unwrap());
    let streamed: Vec<_> = db.read().stream(numbers.clone()).collect().await;
    assert_eq!(streamed.len(), ROWS);
    assert!(streamed.iter().all(Result::is_ok));
    let within = |transaction: Transaction| async move {
        rows(&transaction, ADD).await?;
        let streamed = transaction.stream(numbers.clone()).count().await;
        rows(&transaction, "SELECT 1").await?;
        Ok(streamed)
    };
    assert_eq!(db.write(within).await.unwrap(), ROWS);
    assert_eq!(users(db).await, 1);
    let refused = Statement::from_string(backend(&fixture), "SELECT nothing FROM nowhere");
    let streamed: Vec<_> = db.read().stream(refused).collect().await;
    assert!(matches!(streamed[..], [Err(_)]));
}

#[apply(behaviour)]
async fn a_dropped_stream_closes_its_connection(fixture: Fixture) {
    let db = open(&fixture).await;
    let mut pids = Vec::new();
    for _ in 0..MANY {
        if fixture.is_postgres() {
            pids.push(backend_pid(db.read()).await);
        }
        let mut rows = db.read().stream(numbers(&fixture, 1_000_000));
        for _ in 0..3 {
            rows.next().await.unwrap().unwrap();
        }
    }
    assert_eq!(users(&db).await, 0);
    let streams = pids.len();
    pids.sort_unstable();
    pids.dedup();
    assert_eq!(pids.len(), streams);
}

#[apply(behaviour)]
async fn a_statement_fails_while_a_stream_of_its_transaction_is_open(fixture: Fixture) {
    let db = open(&fixture).await;
    let numbers = &numbers(&fixture, 10);
    let write = db.write(|transaction| async move {
        rows(&transaction, ADD).await?;
        let mut stream = transaction.stream(numbers.clone());
        stream.next().await.unwrap().unwrap();
        assert!(rows(&transaction, "SELECT 1").await.is_err());
        let rest = stream.filter(|row| std::future::ready(row.is_ok()));
        assert_eq!(rest.count().await, 9);
        rows(&transaction, "SELECT 1").await?;
        Ok(())
    });
    // The refused statement was not run, so the transaction must not be committed.
    assert!(matches!(write.await, Err(Error::Internal(_))));
    assert_eq!(users(&db).await, 0);
}

#[apply(behaviour)]
async fn a_transaction_with_an_ignored_error_is_rolled_back(fixture: Fixture) {
    let db = open(&fixture).await;
    let write = db.write(|transaction| async move {
        rows(&transaction, ADD).await?;
        let refused = rows(&transaction, "SELECT nothing FROM nowhere").await;
        assert!(refused.is_err());
        Ok(())
    });
    assert!(matches!(write.await, Err(Error::Internal(_))));
    assert_eq!(users(&db).await, 0);
}

#[apply(behaviour)]
async fn a_transaction_can_be_shared_between_tasks(fixture: Fixture) {
    let db = open(&fixture).await;
    let write = tokio::spawn(async move {
        let write = db.write(|transaction| async move {
            let other = transaction.clone();
            let added = tokio::spawn(async move { rows(&other, ADD).await.map(drop) });
            added.await.unwrap()?;
            Ok(rows(&transaction, "SELECT id FROM users").await?.len())
        });
        (write.await, users(&db).await)
    });
    let (seen, committed) = write.await.unwrap();
    assert_eq!((seen.unwrap(), committed), (1, 1));
}

#[apply(behaviour)]
async fn an_ended_transaction_is_unusable(fixture: Fixture) {
    let db = open(&fixture).await;
    // After its commit.
    let kept = db.write(|transaction| async move { Ok(transaction) }).await;
    let kept = kept.unwrap();
    assert!(rows(&kept, ADD).await.is_err());
    // With a statement that still runs at its end.
    let endless = ENDLESS[usize::from(fixture.is_postgres())];
    let write = db.write(|transaction| async move {
        rows(&transaction, ADD).await?;
        let other = transaction.clone();
        let mut busy = Box::pin(async move { rows(&other, endless).await.map(drop) });
        assert!(poll_immediate(&mut busy).await.is_none());
        tokio::spawn(busy);
        Ok(())
    });
    assert!(write.await.is_err());
    assert_eq!(users(&db).await, 0);
    assert!(rows(&kept, ADD).await.is_err());
}

#[apply(behaviour)]
async fn an_undeclared_constraint_is_an_internal_error(fixture: Fixture) {
    const KEY: Constraint = Constraint::unique("users_username_key", "users.username");
    const OTHER: Constraint = Constraint::unique("users_email_key", "users.email");
    let db = open(&fixture).await;
    let add = async |constraint| {
        let write = db.write(|transaction| async move {
            let add = Statement::from_string(transaction.get_database_backend(), ADD);
            transaction.execute_raw(add.clone()).await?;
            let same_name = add.sql.replace("ada@", "bob@");
            let again = transaction.execute_unprepared(&same_name).await;
            again.on_constraint([(constraint, Error::OwnAccount)])
        });
        write.await.map(drop)
    };
    assert!(matches!(add(KEY).await, Err(Error::OwnAccount)));
    assert!(matches!(add(OTHER).await, Err(Error::Internal(_))));
}
