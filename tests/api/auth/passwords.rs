//! Password hashes and the queue of the hashing threads.

use std::time::{Duration, Instant};

use acclaim::{config::Origins, db::workers, services::auth::passwords::Passwords};
use futures_util::future::join_all;
use sea_orm::{ConnectionTrait, DatabaseConnection};
use serde_json::json;
use tokio::{task::JoinSet, time::sleep};

use crate::harness::{Fixture, apply, behaviour, column, process::Running, service::PASSWORD};

async fn set_hash(connection: &DatabaseConnection, hash: &str) {
    let sql = format!("UPDATE users SET password_hash = '{hash}'");
    connection.execute_unprepared(&sql).await.expect(&sql);
}

async fn hash(connection: &DatabaseConnection) -> String {
    column(connection, "SELECT password_hash FROM users").await[0].clone()
}

/// Hashes of `PASSWORD` with less memory, fewer passes, another variant and an older version.
const OUTDATED: [&str; 4] = [
    "$argon2id$v=19$m=8192,t=2,p=1$SZiH1mY78dzWhqyNxkgIXQ$RwGZ7kk9xvd3W5oU/0Iqod8eYrs5WRcs2uXBc6DIgHk",
    "$argon2id$v=19$m=19456,t=1,p=1$kPMwMQdV0Ie+lKSpxkahwg$3jBbn77zG7+GK0Iu7medFWd1unoVoYwMBVHDnwEHdsU",
    "$argon2i$v=19$m=19456,t=2,p=1$Url1bUOE4fJD+rBN4V39vg$pD6tEodpuyeJJzMs8MFfWdm5mPYf8Pl+qo9tFvoMHIU",
    "$argon2id$v=16$m=19456,t=2,p=1$Pnoh6F+GRSlvz1VUM4n4tA$FFdMp4P/Dqh9jVsWhsxZhy6xOQp4ekdGqzS4+gHkEF4",
];
/// A hash of `PASSWORD` with higher parameters than the current ones.
const HIGHER: &str = "$argon2id$v=19$m=32768,t=2,p=2$3snveSss1cVKmQrS7kUD3w$EPcY9BdsgkVPPj//4caGh3LjIORVuLiBSf/WRmPDHdM";

#[apply(behaviour)]
async fn a_hash_with_weaker_parameters_is_replaced(fixture: Fixture) {
    let service = fixture.serve().await;
    service.user("ada").await;
    let connection = fixture.connect().await;
    let login = async |password: &str, status| {
        let body = json!({"username": "ada", "password": password});
        let answer = service.call("POST", "/login", None, Some(body)).await;
        answer.expect(status);
    };
    for old in OUTDATED {
        set_hash(&connection, old).await;
        login("wrong password", 401).await;
        assert_eq!(hash(&connection).await, old);
        login(PASSWORD, 200).await;
        let deadline = Instant::now() + Duration::from_secs(20);
        while hash(&connection).await == old {
            assert!(Instant::now() < deadline, "{old} was not replaced");
            sleep(Duration::from_millis(20)).await;
        }
        let new = hash(&connection).await;
        assert!(new.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{new}");
        login("wrong password", 401).await;
        login(PASSWORD, 200).await;
        assert_eq!(hash(&connection).await, new);
    }
    set_hash(&connection, HIGHER).await;
    login(PASSWORD, 200).await;
    sleep(Duration::from_millis(300)).await;
    assert_eq!(hash(&connection).await, HIGHER);
}

#[apply(behaviour)]
async fn rehashing_keeps_a_password_that_changed_meanwhile(fixture: Fixture) {
    fixture.migrate().await;
    let state = fixture.state(&fixture.database()).await;
    let passwords = state.passwords.clone();
    let service = fixture.start(state, Origins::These(Vec::new()));
    service.user("ada").await;
    let connection = fixture.connect().await;
    set_hash(&connection, OUTDATED[0]).await;
    // Keep thirty hashes queued, so that the re-hash runs after the password has changed.
    let mut waiting = JoinSet::new();
    for _ in 0..30 {
        let passwords = passwords.clone();
        waiting.spawn(async move { while passwords.hash(PASSWORD.into()).await.is_ok() {} });
    }
    let body = json!({"username": "ada", "password": PASSWORD});
    let answer = service.call("POST", "/login", None, Some(body)).await;
    set_hash(&connection, HIGHER).await;
    answer.expect(200);
    sleep(Duration::from_secs(1)).await;
    waiting.shutdown().await;
    assert_eq!(hash(&connection).await, HIGHER);
}

#[apply(behaviour)]
async fn a_full_password_queue_answers_503(fixture: Fixture) {
    fixture.migrate().await;
    let mut state = fixture.state(&fixture.database()).await;
    state.passwords = Passwords::start(1, 4, None).expect("no thread");
    let service = fixture.start(state, Origins::Any);
    let body = json!({"username": "nobody", "password": "password"});
    let calls = (0..100).map(|_| service.call("POST", "/login", None, Some(body.clone())));
    let answers = join_all(calls).await;
    let (refused, worked): (Vec<_>, Vec<_>) = answers.iter().partition(|a| a.status == 503);
    assert!(
        !refused.is_empty() && worked.len() >= 5,
        "{} were refused",
        refused.len()
    );
    for answer in refused {
        assert_eq!(answer.problem(503)["detail"], "too many sign-ins at once");
    }
    for answer in worked {
        answer.problem(401);
    }
}

/// Hashes on all threads return their memory each time, not only the first.
#[cfg(target_os = "linux")]
#[apply(behaviour)]
async fn idle_threads_return_their_memory(fixture: Fixture) {
    let settings = [
        ("DATABASE_URL", fixture.owner_url.as_str()),
        ("AUTO_MIGRATE", "true"),
        ("RATE_LIMIT_SIGN_IN", "off"),
        ("RATE_LIMIT_SIGN_IN_ACCOUNT", "off"),
    ];
    let running = Running::start(fixture.folder(), &settings).await;
    let service = &running.service;
    service.user("ada").await;
    for _ in 0..3 {
        let sign_ins = (0..8).map(|_| service.sign_in("ada", PASSWORD));
        join_all(sign_ins).await;
        // Of the 19 MiB of each thread; at least two threads were busy.
        let blocks = u64::try_from(workers().min(2)).unwrap() * 18 * 1024;
        let used = running.resident();
        let deadline = Instant::now() + Duration::from_secs(30);
        while running.resident() > used - blocks {
            assert!(Instant::now() < deadline, "{used} KiB stay in use");
            sleep(Duration::from_millis(50)).await;
        }
    }
    running.signal("TERM");
    running.end().await;
}
