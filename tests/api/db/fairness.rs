//! Slow and large work of one request does not fail or hold up that of others.

use std::{
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use acclaim::{
    db::{Autocommit, BatchedWrite, Db, Found, SharedRead, Transaction},
    error::Error,
    services::{
        posts::{Precondition, update},
        quotas::Quotas,
    },
};
use entity::{
    posts,
    values::{Content, PostId, UserId},
};
use futures_util::{
    StreamExt,
    future::{join, join_all, poll_immediate},
    stream::FuturesUnordered,
};
use sea_orm::{ActiveValue::Set, ConnectionTrait, TransactionTrait};
use tokio::sync::Semaphore;

use crate::{
    db::pool::{ENDLESS, SLEEPING, rows, start_while_saturated},
    harness::{Fixture, apply, behaviour, column, postgres_behaviour, sqlite_behaviour, wait_for},
};

/// Returns the number of the batch and the number of its rows.
struct CountBatches;

struct Counted {
    batches: Arc<AtomicUsize>,
    group: i64,
    bytes: usize,
    /// Has a permit after a small row was written. Large rows wait for it.
    small: Option<Arc<Semaphore>>,
}

impl BatchedWrite for CountBatches {
    type Row = Counted;
    type Output = (usize, usize);

    fn bytes(row: &Counted) -> usize {
        row.bytes
    }

    fn group(row: &Counted) -> i64 {
        row.group
    }

    async fn write(_: &Transaction, rows: &[Arc<Counted>]) -> Result<Vec<(usize, usize)>, Error> {
        if let Some(small) = &rows[0].small {
            if rows[0].bytes < 1024 {
                small.add_permits(1);
            }
            drop(small.acquire().await.unwrap());
        }
        let number = rows[0].batches.fetch_add(1, Ordering::SeqCst);
        Ok(vec![(number, rows.len()); rows.len()])
    }
}

/// Writes rows of these groups and sizes at the same time. The first is written alone, and the others
/// wait for it.
async fn count_batches(
    fixture: &Fixture,
    rows: &[(i64, usize)],
    small: Option<Arc<Semaphore>>,
) -> Vec<(usize, usize)> {
    fixture.migrate().await;
    let db = &Db::open(&fixture.database()).await.unwrap();
    let batches = &Arc::new(AtomicUsize::new(0));
    let write = |&(group, bytes): &(i64, usize)| {
        let row = Counted {
            batches: Arc::clone(batches),
            group,
            bytes,
            small: small.clone(),
        };
        async move { db.batched_write::<CountBatches>(row).await.unwrap() }
    };
    let writes = join_all(rows.iter().map(write).collect::<Vec<_>>());
    start_while_saturated(fixture, db, writes).await
}

/// A large row is written alone, and the next one lets the small ones go first. On PostgreSQL several
/// connections write at once, and large rows use only some of them.
#[apply(behaviour)]
async fn large_rows_do_not_hold_up_small_ones(fixture: Fixture) {
    let mut rows = vec![(1, 100_000); 40];
    rows.extend([(2, 100_000), (3, 10)]);
    let small = fixture.is_postgres().then(|| Arc::new(Semaphore::new(0)));
    let batches = count_batches(&fixture, &rows, small).await;
    assert!(batches.iter().all(|(_, rows)| *rows == 1));
    if !fixture.is_postgres() {
        let [.., (large, _), (small, _)] = batches[..] else {
            panic!("{batches:?}");
        };
        assert!(large <= 3 && small <= 3, "{batches:?}");
    }
}

/// Changes of posts are not batched.
#[apply(sqlite_behaviour)]
async fn changes_by_one_user_do_not_hold_up_the_posts_of_others(fixture: Fixture) {
    let service = fixture.serve().await;
    let ada = service.user("ada").await;
    let id = PostId::parse(service.new_post(&ada, "Post").await).unwrap();
    let ada = UserId::parse(ada.id).unwrap();
    let db = &Db::open(&fixture.database()).await.unwrap();
    let (batches, done) = (Arc::new(AtomicUsize::new(0)), AtomicUsize::new(0));
    let changes = (0..40).map(|_| async {
        let content = Set(Content::parse("Changed").unwrap());
        let change = posts::ActiveModel {
            content,
            ..Default::default()
        };
        update(
            db,
            &Quotas::default(),
            ada,
            id,
            &Precondition::default(),
            change,
        )
        .await
        .unwrap();
        done.fetch_add(1, Ordering::SeqCst);
    });
    let row = Counted {
        batches,
        group: 2,
        bytes: 10,
        small: None,
    };
    let other = async {
        db.batched_write::<CountBatches>(row).await.unwrap();
        done.load(Ordering::SeqCst)
    };
    let work = join(join_all(changes.collect::<Vec<_>>()), other);
    let (_, before) = start_while_saturated(&fixture, db, work).await;
    assert!(before <= 3, "{before}");
}

/// On PostgreSQL a change waits for as long as another transaction locks its post.
#[apply(postgres_behaviour)]
async fn changes_of_a_locked_post_do_not_hold_up_those_of_others(fixture: Fixture) {
    const WAITING: &str = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' \
                           AND datname = current_database()";
    let service = fixture.serve().await;
    let mut authors = Vec::new();
    for name in ["ada", "bob"] {
        let author = service.user(name).await;
        let id = service.new_post(&author, "Post").await;
        let author = UserId::parse(author.id).unwrap();
        authors.push((author, PostId::parse(id).unwrap()));
    }
    let db = &Db::open(&fixture.database()).await.unwrap();
    let change = |(author, id): (UserId, PostId)| async move {
        let change = posts::ActiveModel {
            content: Set(Content::parse("Changed").unwrap()),
            ..Default::default()
        };
        update(
            db,
            &Quotas::default(),
            author,
            id,
            &Precondition::default(),
            change,
        )
        .await
        .is_ok()
    };
    let (connection, other) = (fixture.connect().await, fixture.connect().await);
    let transaction = connection.begin().await.unwrap();
    let lock = format!("SELECT 1 FROM posts WHERE id = {} FOR UPDATE", authors[0].1);
    transaction.execute_unprepared(&lock).await.unwrap();
    let mut waiting: FuturesUnordered<_> = (0..40).map(|_| change(authors[0])).collect();
    let changed = async {
        wait_for(&other, WAITING, &["1"]).await;
        change(authors[1]).await
    };
    tokio::select! {
        ended = waiting.next() => panic!("{ended:?}"),
        changed = changed => assert!(changed),
    }
}

/// Adds a name. One row never ends, unless it is written by itself a second time.
struct AddSlowly;

struct Name {
    name: String,
    /// For the slow row.
    calls_alone: Option<AtomicUsize>,
}

impl BatchedWrite for AddSlowly {
    type Row = Name;
    type Output = usize;

    async fn write(transaction: &Transaction, names: &[Arc<Name>]) -> Result<Vec<usize>, Error> {
        let is_postgres = transaction.get_database_backend() == sea_orm::DbBackend::Postgres;
        for name in names {
            let insert = format!("INSERT INTO names VALUES ('{}')", name.name);
            transaction.execute_unprepared(&insert).await?;
            let Some(calls_alone) = &name.calls_alone else {
                continue;
            };
            if names.len() > 1 || calls_alone.fetch_add(1, Ordering::SeqCst) == 0 {
                let endless = ENDLESS[usize::from(is_postgres)];
                transaction.execute_unprepared(endless).await?;
            }
        }
        Ok(vec![names.len(); names.len()])
    }
}

#[apply(behaviour)]
async fn a_batch_that_takes_too_long_is_written_in_parts(fixture: Fixture) {
    fixture.migrate().await;
    let connection = fixture.connect().await;
    let create = "CREATE TABLE names (name text PRIMARY KEY)";
    connection.execute_unprepared(create).await.unwrap();
    let db = &Db::open(&fixture.owned_database()).await.unwrap();
    let write = |name: &str| {
        let row = Name {
            name: name.to_owned(),
            calls_alone: (name == "slow").then(AtomicUsize::default),
        };
        db.batched_write::<AddSlowly>(row)
    };
    let writes = ["first", "a", "slow", "b", "c"].map(write);
    let written = start_while_saturated(&fixture, db, join_all(writes)).await;
    let written: Vec<_> = written.into_iter().map(Result::ok).collect();
    assert_eq!(written, [Some(1); 5]);
    let names = column(&connection, "SELECT name FROM names ORDER BY name").await;
    assert_eq!(names, ["a", "b", "c", "first", "slow"]);
}

/// The key 0 is read by a query that never ends.
struct ReadSlowly;

impl SharedRead for ReadSlowly {
    type Parameters = ();
    type Key = u8;
    type Value = usize;

    async fn read(connection: Autocommit, (): (), keys: Vec<u8>) -> Found<u8, usize> {
        if keys.contains(&0) {
            let is_postgres = connection.get_database_backend() == sea_orm::DbBackend::Postgres;
            let endless = ENDLESS[usize::from(is_postgres)];
            connection.execute_unprepared(endless).await?;
        }
        Ok(keys.iter().map(|key| (*key, keys.len())).collect())
    }
}

#[apply(behaviour)]
async fn a_slow_read_does_not_hold_up_the_next(fixture: Fixture) {
    fixture.migrate().await;
    let db = Db::open(&fixture.database()).await.unwrap();
    let mut slow = pin!(db.shared_read::<ReadSlowly>((), 0));
    assert!(poll_immediate(&mut slow).await.is_none());
    // The first waits until the query is slow. The second starts at once.
    for _ in 0..2 {
        let read = db.shared_read::<ReadSlowly>((), 1);
        assert_eq!(read.await.unwrap(), Some(1));
    }
    assert!(poll_immediate(&mut slow).await.is_none());
}

/// The connection of the first attempt hangs, as one does whose server process is stopped.
#[apply(postgres_behaviour)]
async fn a_read_whose_connection_hangs_is_repeated_on_another(fixture: Fixture) {
    fixture.migrate().await;
    let db = Db::open(&fixture.database()).await.unwrap();
    // Only the first to take the lock sleeps.
    let sql =
        "SELECT CASE WHEN pg_try_advisory_xact_lock(1) THEN pg_sleep(3600)::text ELSE 'read' END";
    let statement = sea_orm::Statement::from_string(sea_orm::DbBackend::Postgres, sql);
    let rows = db.read().query_all_raw(statement).await.unwrap();
    assert_eq!(rows[0].try_get_by_index::<String>(0).unwrap(), "read");
}

#[apply(postgres_behaviour)]
async fn a_repeated_read_leaves_connections_to_waiting_requests(fixture: Fixture) {
    fixture.migrate().await;
    let db = Db::open_with(&fixture.database(), 7).await.unwrap();
    // With two connections.
    let db = db.for_worker();
    let other = fixture.connect().await;
    let mut read = pin!(rows(db.read(), ENDLESS[1]));
    let write = db.write(|transaction| async move { rows(&transaction, ENDLESS[1]).await });
    let mut write = Box::pin(write);
    // Then more time than that after which the read is repeated.
    let pass = async {
        wait_for(&other, SLEEPING, &["2"]).await;
        column(&other, "SELECT pg_sleep(0.5)::text").await;
    };
    tokio::select! {
        _ = &mut read => panic!("the read ended"),
        _ = &mut write => panic!("the write ended"),
        () = pass => {}
    }
    let mut waiting = pin!(rows(db.read(), "SELECT 1"));
    assert!(poll_immediate(&mut waiting).await.is_none());
    drop(write);
    tokio::select! {
        _ = &mut read => panic!("the read ended"),
        rows = waiting => assert_eq!(rows.unwrap().len(), 1),
    }
}

/// A post that another program has locked holds up its own votes, not those for other posts.
#[apply(postgres_behaviour)]
async fn a_locked_post_does_not_hold_up_votes_for_others(fixture: Fixture) {
    let service = fixture.serve().await;
    let ada = service.user("ada").await;
    let mut ids = Vec::new();
    for _ in 0..20 {
        ids.push(service.new_post(&ada, "Post").await);
    }
    let bob = service.user("bob").await;
    let vote = async |user, id| {
        let path = format!("/posts/{id}/vote");
        let vote = service.call("PUT", &path, Some(user), None).await;
        vote.expect(200).json()["votes"].clone()
    };
    let lock = fixture.connect().await.begin().await.unwrap();
    let locked = ids.pop().unwrap();
    let sql = format!("SELECT 1 FROM posts WHERE id = {locked} FOR UPDATE");
    lock.execute_unprepared(&sql).await.unwrap();
    let mut first = pin!(vote(&ada, locked));
    let other = fixture.connect().await;
    let waiting = "SELECT count(*) FROM pg_stat_activity \
                   WHERE datname = current_database() AND wait_event_type = 'Lock'";
    let waits = async { while column(&other, waiting).await == ["0"] {} };
    tokio::select! {
        _ = &mut first => panic!("the lock was ignored"),
        () = waits => {}
    }
    let mut second = pin!(vote(&bob, locked));
    let others = join_all(ids.iter().map(|id| vote(&ada, *id)));
    tokio::select! {
        _ = &mut first => panic!("the lock was ignored"),
        _ = &mut second => panic!("the lock was ignored"),
        votes = others => assert_eq!(votes, vec![1; ids.len()]),
    }
    lock.commit().await.unwrap();
    tokio::join!(first, second);
    let post = service.get(&format!("/posts/{locked}"), &ada).await;
    assert_eq!(post.expect(200).json()["votes"], 2);
}
