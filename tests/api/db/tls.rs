//! TLS to PostgreSQL.

use acclaim::{config::Origins, db::Db};
use migration::Database;
use sea_orm::ConnectionTrait;

use crate::harness::{
    Fixture, Kind, apply, column, postgres::OwnServer, postgres_behaviour, wait_for,
};

/// With `sslmode=require`. A PostgreSQL without TLS must fail in one line. SQLite has no network.
#[apply(postgres_behaviour)]
async fn postgresql_is_reached_over_tls(_: Fixture) {
    let server = OwnServer::start().await;
    let fixture = Fixture::new(Kind::Postgres(server.url.clone())).await;
    fixture.migrate().await;
    let connection = fixture.connect().await;
    let url = format!("{}?sslmode=require", fixture.url);
    let database = Database::parse(&url).expect("not a URL");
    let refusal = Db::open(&database)
        .await
        .expect_err("TLS to a server without it");
    assert!(
        refusal.starts_with("cannot open the PostgreSQL database"),
        "{refusal}"
    );
    for sql in ["ALTER SYSTEM SET ssl = on", "SELECT pg_reload_conf()"] {
        connection.execute_unprepared(sql).await.expect(sql);
    }
    wait_for(&connection, "SHOW ssl", &["on"]).await;
    let service = fixture.start(fixture.state(&database).await, Origins::Any);
    service.user("ada").await;
    let encrypted = "SELECT count(*) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) \
                     WHERE ssl AND datname = current_database()";
    assert_ne!(column(&connection, encrypted).await, ["0"]);
}
