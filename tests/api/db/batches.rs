//! Rows of several writers that one statement writes.

use std::{collections::HashMap, sync::Arc};

use acclaim::{
    db::{Db, Each, Row, Written, table},
    error::Error,
};
use futures_util::future::join_all;
use sea_orm::{
    ConnectionTrait, QueryResult, Value,
    sea_query::{Expr, Query},
};

use crate::{
    db::one_thread::on_one_thread,
    db::pool::start_while_saturated,
    harness::{Fixture, apply, column},
};

/// Inserts each name together with the number of rows in its batch.
async fn write_names(each: Each, wanted: Vec<Row>) -> Written {
    let backend = each.get_database_backend();
    let names = Query::select()
        .column("name")
        .expr(Expr::value(i64::try_from(wanted.len()).unwrap()))
        .from_subquery(table(backend, &["name"], &wanted), "want")
        .take();
    let insert = Query::insert()
        .into_table("names")
        .columns(["name", "together"])
        .select_from(names)
        .unwrap()
        .returning_all()
        .take();
    let mut written = HashMap::new();
    for row in each.query_all(&insert).await? {
        written.insert(row.try_get::<String>("", "name")?, row);
    }
    let of = |row: &Row| match &row[..] {
        [Value::String(Some(name))] => written.remove(name),
        _ => None,
    };
    Ok(wanted.iter().map(of).collect())
}

/// Writes all `names` at the same time. Returns the name that each writer got back and the size of
/// its batch.
async fn write_all(
    fixture: &Fixture,
    db: &Db,
    names: &[&str],
) -> Vec<Result<(String, i64), Error>> {
    let all: Vec<_> = names
        .iter()
        .map(|name| db.write_row("names", [(*name).into()].into(), write_names))
        .collect();
    let told = |written: Option<Arc<QueryResult>>| {
        let row = written.expect("no row");
        let name = row.try_get("", "name").expect("no name");
        (name, row.try_get("", "together").expect("no number"))
    };
    let all = start_while_saturated(fixture, db, join_all(all)).await;
    all.into_iter().map(|written| written.map(told)).collect()
}

async fn open_with_names(fixture: &Fixture) -> Db {
    fixture.migrate().await;
    let create = "CREATE TABLE names (name text PRIMARY KEY, together bigint NOT NULL)";
    let connection = fixture.connect().await;
    connection.execute_unprepared(create).await.unwrap();
    Db::open(&fixture.database()).await.unwrap()
}

#[apply(on_one_thread)]
async fn concurrent_rows_are_written_by_one_statement(fixture: Fixture) {
    let db = open_with_names(&fixture).await;
    let names: Vec<String> = (0..100)
        .map(|number| format!("\"{number}\" 'é' {{}}\\"))
        .collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let all = write_all(&fixture, &db, &names).await;
    for (place, (written, name)) in all.into_iter().zip(&names).enumerate() {
        let together = if place == 0 {
            1
        } else if place < 65 {
            64
        } else {
            35
        };
        assert_eq!(written.unwrap(), ((*name).to_owned(), together));
    }
    assert_eq!(
        write_all(&fixture, &db, &["alone"]).await[0]
            .as_ref()
            .unwrap()
            .1,
        1
    );
}

#[apply(on_one_thread)]
async fn a_refused_row_does_not_fail_the_others(fixture: Fixture) {
    let db = open_with_names(&fixture).await;
    let all = write_all(&fixture, &db, &["a", "b", "a", "c", "b"]).await;
    let alone = |name: &str| (name.to_owned(), 1);
    let told: Vec<_> = all.into_iter().map(Result::ok).collect();
    let expected = [
        Some(alone("a")),
        Some(alone("b")),
        None,
        Some(alone("c")),
        None,
    ];
    assert_eq!(told, expected);
    let connection = fixture.connect().await;
    let names = column(&connection, "SELECT name FROM names ORDER BY name").await;
    assert_eq!(names, ["a", "b", "c"]);
}
