use sea_orm::DbBackend;

use super::*;

fn assert_send<T: Send>(_: &T) {}

/// Compiles only if a write can run in a spawned task.
#[tokio::test]
async fn a_write_is_send() {
    let db = Db::sqlite(&SqliteConnectOptions::new());
    let name = String::from("ada");
    let name = &name;
    let write = db.write(|transaction| async move {
        let statement = sea_orm::Statement::from_string(DbBackend::Sqlite, name);
        sea_orm::ConnectionTrait::execute_raw(&transaction, statement).await?;
        Ok(name.len())
    });
    assert_send(&write);
}
