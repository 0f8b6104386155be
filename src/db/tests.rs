use super::*;

fn assert_send<T: Send>(_: &T) {}

/// Compiles only if a write can run in a spawned task.
#[tokio::test]
async fn a_write_is_send() {
    let db = Db::sqlite(&SqliteConnectOptions::new());
    let name = String::from("ada");
    let name = &name;
    let write = db.write(|transaction| async move {
        let statement = sea_orm::Statement::from_string(sea_orm::DbBackend::Sqlite, name);
        sea_orm::ConnectionTrait::execute_raw(&transaction, statement).await?;
        Ok(name.len())
    });
    assert_send(&write);
}

#[test]
fn the_connections_are_divided_among_the_workers_and_the_jobs() {
    assert_eq!(divide(DEFAULT_CONNECTIONS, 2), (2, 8));
    assert_eq!(divide(DEFAULT_CONNECTIONS, 64), (13, 2));
    for connections in 7..=1000 {
        for cores in 1..=128 {
            let (workers, size) = divide(connections, cores);
            assert!((1..=cores).contains(&workers) && (MIN_POOL..=MAX_POOL).contains(&size));
            let of_jobs = size + LONG_SNAPSHOTS;
            let all = workers * size + of_jobs + EXTRA_CONNECTIONS;
            assert!(all <= connections, "{connections} {cores}");
        }
    }
}
