//! TLS to PostgreSQL.

use acclaim::config::Origins;
use migration::Database;

use crate::harness::{Fixture, apply, column, postgres_behaviour};

/// With `sslmode=require`. A PostgreSQL without TLS must fail in one line. SQLite has no network.
#[apply(postgres_behaviour)]
async fn postgresql_is_reached_over_tls(fixture: Fixture) {
    fixture.migrate().await;
    let connection = fixture.connect().await;
    let url = format!("{}?sslmode=require", fixture.url);
    let database = Database::parse(&url).expect("not a URL");
    if column(&connection, "SHOW ssl").await == ["off"] {
        let refusal = acclaim::db::Db::open(&database)
            .await
            .expect_err("TLS to a server without it");
        assert!(
            refusal.starts_with("cannot open the PostgreSQL database"),
            "{refusal}"
        );
        return;
    }
    let service = fixture.start(fixture.state(&database).await, Origins::Any);
    service.user("ada").await;
    let encrypted = "SELECT count(*) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) \
                     WHERE ssl AND datname = current_database()";
    assert_ne!(column(&connection, encrypted).await, ["0"]);
}
