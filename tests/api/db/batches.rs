//! Rows that several requests write in one transaction.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use acclaim::{
    db::{BatchedWrite, Db, Transaction, ValuesTable, insert_all},
    error::Error,
};
use entity::{
    audit_log::{self, Action},
    values::{Reason, UserId},
};
use futures_util::future::join_all;
use sea_orm::{
    ActiveValue::{NotSet, Set},
    ConnectionTrait,
    sea_query::{Expr, Query},
};
use time::OffsetDateTime;

use crate::{
    db::pool::start_while_saturated,
    harness::{Fixture, apply, behaviour, column, sqlite_behaviour},
};

/// Inserts each name together with the number of rows in its batch, and each name into another table.
struct AddNames;

impl BatchedWrite for AddNames {
    type Row = String;
    type Output = i64;

    async fn write(transaction: &Transaction, names: &[Arc<String>]) -> Result<Vec<i64>, Error> {
        let backend = transaction.get_database_backend();
        let together = i64::try_from(names.len()).unwrap();
        let table = || {
            let names = names.iter().map(ToString::to_string);
            ValuesTable::new().column("name", names).select(backend)
        };
        let notes = Query::insert()
            .into_table("notes")
            .columns(["name"])
            .select_from(table())
            .unwrap()
            .take();
        transaction.execute(&notes).await?;
        let rows = Query::select()
            .column("name")
            .expr(Expr::value(together))
            .from_subquery(table(), "want")
            .take();
        let insert = Query::insert()
            .into_table("names")
            .columns(["name", "together"])
            .select_from(rows)
            .unwrap()
            .take();
        transaction.execute(&insert).await?;
        Ok(vec![together; names.len()])
    }
}

/// Is refused for several rows, and unavailable for one. Counts the calls for one row.
struct LosesTheDatabase;

impl BatchedWrite for LosesTheDatabase {
    type Row = Arc<AtomicUsize>;
    type Output = ();

    async fn write(_: &Transaction, rows: &[Arc<Self::Row>]) -> Result<Vec<()>, Error> {
        match rows {
            [calls] => {
                calls.fetch_add(1, Ordering::SeqCst);
                Err(Error::unavailable("no database"))
            }
            _ => Err(Error::internal("refused")),
        }
    }
}

/// Writes all `names` at the same time. Returns the size of each writer's batch, or `None` if it failed.
async fn write_all(fixture: &Fixture, db: &Db, names: &[&str]) -> Vec<Option<i64>> {
    let all = names.iter().map(|name| (*name).to_owned());
    let all = all.map(|name| db.batched_write::<AddNames>(name));
    let all = start_while_saturated(fixture, db, join_all(all.collect::<Vec<_>>())).await;
    all.into_iter().map(Result::ok).collect()
}

async fn open_with_names(fixture: &Fixture) -> Db {
    fixture.migrate().await;
    let connection = fixture.connect().await;
    for create in [
        "CREATE TABLE names (name text PRIMARY KEY, together bigint NOT NULL)",
        "CREATE TABLE notes (name text NOT NULL)",
    ] {
        connection.execute_unprepared(create).await.unwrap();
    }
    Db::open(&fixture.owned_database()).await.unwrap()
}

#[apply(behaviour)]
async fn concurrent_rows_are_written_by_one_transaction(fixture: Fixture) {
    let db = open_with_names(&fixture).await;
    let names: Vec<String> = (0..100)
        .map(|number| format!("\"{number}\" 'é' {{}}\\"))
        .collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let all = write_all(&fixture, &db, &names).await;
    assert_eq!(all[0], Some(1));
    assert_eq!(all[1..65], [Some(64); 64]);
    assert_eq!(all[65..], [Some(35); 35]);
    let connection = fixture.connect().await;
    let mut added = column(&connection, "SELECT name FROM names").await;
    added.sort_unstable();
    let mut names = names;
    names.sort_unstable();
    assert_eq!(added, names);
    assert_eq!(write_all(&fixture, &db, &["alone"]).await, [Some(1)]);
}

#[apply(behaviour)]
async fn a_refused_row_does_not_fail_the_others(fixture: Fixture) {
    let db = open_with_names(&fixture).await;
    let all = write_all(&fixture, &db, &["a", "b", "a", "c", "b"]).await;
    assert_eq!(all, [Some(1), Some(1), None, Some(1), None]);
    let connection = fixture.connect().await;
    let names = column(&connection, "SELECT name FROM names ORDER BY name").await;
    assert_eq!(names, ["a", "b", "c"]);
}

#[apply(behaviour)]
async fn rows_are_not_tried_one_by_one_without_a_database(fixture: Fixture) {
    fixture.migrate().await;
    let db = Db::open(&fixture.database()).await.unwrap();
    let calls = Arc::new(AtomicUsize::new(0));
    let writes = (0..10).map(|_| db.batched_write::<LosesTheDatabase>(Arc::clone(&calls)));
    let writes = join_all(writes.collect::<Vec<_>>());
    let answers = start_while_saturated(&fixture, &db, writes).await;
    let is_unavailable = |answer: &_| matches!(answer, Err(Error::Unavailable(_)));
    assert!(answers.iter().all(is_unavailable), "{answers:?}");
    // The first request, and the first row of the batch.
    assert_eq!(calls.load(Ordering::SeqCst), 2);
}

#[apply(behaviour)]
async fn all_statements_of_a_batch_commit_together(fixture: Fixture) {
    let db = open_with_names(&fixture).await;
    write_all(&fixture, &db, &["a", "b", "a", "c", "b"]).await;
    assert!(db.batched_write::<AddNames>("a".to_owned()).await.is_err());
    let connection = fixture.connect().await;
    let notes = column(&connection, "SELECT name FROM notes ORDER BY name").await;
    assert_eq!(notes, ["a", "b", "c"]);
}

/// Every row is compared as it was sent: with and without null, and with equal contents.
#[apply(behaviour)]
async fn rows_are_returned_in_their_order(fixture: Fixture) {
    fixture.migrate().await;
    let db = Db::open(&fixture.database()).await.unwrap();
    let at = OffsetDateTime::from_unix_timestamp(1_790_000_000).unwrap();
    let row = |number: i64| audit_log::ActiveModel {
        at: Set(at + time::Duration::microseconds(number % 3)),
        actor_id: Set((number % 4 > 0).then(|| UserId::parse(number).unwrap())),
        actor: Set(format!("'{}' \"é\" \\ 🦀", number % 5)),
        action: Set(Action::DeletePost),
        subject_id: Set(100 - number),
        owner_id: Set(None),
        subject: Set("same".to_owned()),
        reason: Set(Reason::default()),
        ..Default::default()
    };
    for count in [1, 100] {
        let inserted = db.write(|transaction| async move {
            let common = audit_log::ActiveModel {
                subject: Set("same".to_owned()),
                ..Default::default()
            };
            let rows = (0..count).map(|number| audit_log::ActiveModel {
                subject: NotSet,
                ..row(number)
            });
            Ok(insert_all(&transaction, common, rows.collect()).await?)
        });
        let inserted = inserted.await.unwrap();
        assert!(inserted.is_sorted_by(|one, next| one.id < next.id));
        let sent = (0..count).zip(&inserted).map(|(number, model)| {
            let row = audit_log::ActiveModel {
                id: Set(model.id),
                ..row(number)
            };
            audit_log::Model::try_from(row).unwrap()
        });
        assert_eq!(inserted, sent.collect::<Vec<_>>());
    }
    // SeaORM's own INSERT writes the same values.
    let connection = fixture.connect().await;
    sea_orm::ActiveModelTrait::insert(row(0), &connection)
        .await
        .unwrap();
    let values = "SELECT DISTINCT CAST(at AS text) || actor || action FROM audit_log \
                  WHERE subject_id = 100";
    assert_eq!(column(&connection, values).await.len(), 1);
}

#[apply(sqlite_behaviour)]
async fn the_workers_of_the_one_writer_share_batches(fixture: Fixture) {
    let db = open_with_names(&fixture).await;
    let workers = [db.for_worker(), db.for_worker()];
    let write = |number: usize| workers[number % 2].batched_write::<AddNames>(number.to_string());
    let all = start_while_saturated(&fixture, &db, join_all((0..11).map(write))).await;
    let all: Vec<_> = all.into_iter().map(Result::unwrap).collect();
    assert_eq!(all[0], 1);
    assert_eq!(all[1..], [10; 10]);
}

/// The flags are in `.cargo/config.toml`.
#[apply(sqlite_behaviour)]
async fn sqlite_has_no_memory_statistics_and_no_common_page_cache(fixture: Fixture) {
    fixture.migrate().await;
    let options = column(&fixture.connect().await, "PRAGMA compile_options").await;
    assert!(
        options.iter().any(|option| option == "DEFAULT_MEMSTATUS=0"),
        "{options:?}"
    );
    assert!(
        !options
            .iter()
            .any(|option| option == "ENABLE_MEMORY_MANAGEMENT")
    );
}
