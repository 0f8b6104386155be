//! Reads on replicas, each a real one of a server of its own.

mod balancer;
mod promotion;

use std::time::{Duration, Instant};

use acclaim::{
    config::{Config, Origins, ReplicaSettings},
    db::{Db, ReplicaState},
};
use migration::Database;
use sea_orm::{ConnectionTrait, DatabaseConnection};
use serde_json::{Value, json};
use tokio::time::sleep;
use url::Url;

use crate::harness::{
    Fixture, Kind, apply, check,
    postgres::OwnServer,
    postgres_behaviour,
    process::run,
    service::{Answer, Service, User},
};

const PATIENCE: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(10);

fn settings(urls: &str) -> Vec<ReplicaSettings> {
    let lookup = |name: &str| match name {
        "DATABASE_URL" => Some("postgres://db.example/acclaim".to_owned()),
        "DATABASE_REPLICA_URL" => Some(urls.to_owned()),
        _ => None,
    };
    Config::from_lookup(lookup).expect("invalid").replicas
}

/// A service with a primary, and a replica of it.
struct Replicated {
    fixture: Fixture,
    replica: OwnServer,
    replica_url: String,
    service: Service,
    db: Db,
    /// Last, because the replica must end before its primary.
    primary: OwnServer,
}

impl Replicated {
    /// Starts all. The service has `others` as replicas too, and reads are public.
    async fn start(others: &str) -> Self {
        let primary = OwnServer::start().await;
        let fixture = Fixture::new(Kind::Postgres(primary.url.clone())).await;
        fixture.migrate().await;
        let replica = primary.replica().await;
        let replica_url = with_port(&fixture.url, port(&replica.url));
        let urls = format!("{others} {replica_url}");
        let (service, db) = serve(&fixture, &fixture.database(), &urls).await;
        let replicated = Self {
            fixture,
            replica,
            replica_url,
            service,
            db,
            primary,
        };
        replicated.rotation(true).await;
        replicated
    }

    /// Waits until the replica is in the rotation, or outside of it.
    async fn rotation(&self, inside: bool) {
        rotation(&self.db, inside).await;
    }

    /// Reads `path` until the replica answers, and returns its answer.
    async fn until_replica_answers(&self, path: &str, user: Option<&User>) -> Answer {
        let (deadline, before) = (Instant::now() + PATIENCE, self.reads());
        loop {
            let answer = read(&self.service, path, user, None).await.expect(200);
            if self.reads() > before {
                return answer;
            }
            assert!(Instant::now() < deadline, "the replica does not answer");
            sleep(PAUSE).await;
        }
    }

    /// The reads that the replica answered.
    fn reads(&self) -> u64 {
        last(&self.db).reads
    }

    fn fallbacks(&self, reason: &str) -> u64 {
        let fallbacks = self.db.replica_statistics().fallbacks;
        let found = fallbacks.into_iter().find(|(name, _)| *name == reason);
        found.expect("no such reason").1
    }

    async fn on_replica(&self) -> DatabaseConnection {
        self.on(&self.replica).await
    }

    /// A connection to the database on `server`, as the owner.
    async fn on(&self, server: &OwnServer) -> DatabaseConnection {
        let url = with_port(&self.fixture.owner_url, port(&server.url));
        let connection = sea_orm::Database::connect(url).await;
        connection.expect("no connection")
    }

    async fn end(self) {
        self.db.disconnect().await;
        self.fixture.end().await;
    }
}

/// A service with the replicas of `urls`, and public reads.
async fn serve(fixture: &Fixture, database: &Database, urls: &str) -> (Service, Db) {
    let mut state = fixture.state(database).await;
    state.public_reads = true;
    state.db = state.db.with_replicas(&settings(urls));
    let db = state.db.clone();
    (fixture.start(state, Origins::Any), db)
}

/// Waits until the last replica is in the rotation, or outside of it.
async fn rotation(db: &Db, inside: bool) {
    let deadline = Instant::now() + PATIENCE;
    while last(db).in_rotation != inside {
        assert!(Instant::now() < deadline, "in the rotation: {}", !inside);
        sleep(PAUSE).await;
    }
}

fn last(db: &Db) -> ReplicaState {
    let mut replicas = db.replica_statistics().replicas;
    replicas.pop().expect("no replica")
}

async fn read(
    service: &Service,
    path: &str,
    user: Option<&User>,
    position: Option<&str>,
) -> Answer {
    let mut request = service.request("GET", path);
    if let Some(user) = user {
        request = request.bearer_auth(&user.token);
    }
    if let Some(position) = position {
        request = request.header("database-position", position);
    }
    Answer::of(request.send().await.expect("no answer")).await
}

async fn execute(connection: &DatabaseConnection, sql: &str) {
    connection.execute_unprepared(sql).await.expect(sql);
}

fn title(answer: &Answer) -> Value {
    answer.json()["title"].clone()
}

/// Sends a new title of the post at `path`.
async fn rename(service: &Service, path: &str, user: &User, title: &str) -> Answer {
    let title = json!({ "title": title });
    service.call("PATCH", path, Some(user), Some(title)).await
}

#[apply(postgres_behaviour)]
async fn reads_on_replicas_show_the_writes_of_their_caller(_fixture: Fixture) {
    let replicated = Replicated::start("").await;
    let service = &replicated.service;
    let (ada, bob) = (service.user("ada").await, service.user("bob").await);
    let path = format!("/posts/{}", service.new_post(&ada, "Old").await);
    let answer = replicated.until_replica_answers(&path, None).await;
    assert_eq!(title(&answer), "Old");
    let mut pools = replicated.db.pool_statistics().into_iter();
    assert!(pools.any(|pool| pool.pool == "replicas" && pool.size > 0));
    let replica = replicated.on_replica().await;
    execute(&replica, "SELECT pg_wal_replay_pause()").await;

    let written = rename(service, &path, &ada, "New").await.expect(200);
    let position = written.header("database-position").expect("no position");
    let tag = written.header("etag").expect("no tag");
    // Others read the old state, but not that a row is missing.
    assert_eq!(
        title(&read(service, &path, None, None).await.expect(200)),
        "Old"
    );
    let newer = service.new_post(&ada, "Newer").await;
    read(service, &format!("/posts/{newer}"), None, None)
        .await
        .expect(200);
    assert_eq!(replicated.fallbacks("missing"), 1);
    // The writer, and a client that sends the position, read from the primary.
    for (user, position) in [
        (Some(&ada), None),
        (Some(&bob), Some(position)),
        (None, Some(position)),
    ] {
        let answer = read(service, &path, user, position).await.expect(200);
        assert_eq!(title(&answer), "New");
        let list = read(service, "/posts", user, position).await.expect(200);
        assert_eq!(list.json()[1]["title"], "New");
    }
    assert!(replicated.fallbacks("position") > 0);
    let known = service.request("GET", &path).bearer_auth(&ada.token);
    let known = known.header("if-none-match", tag).send().await;
    Answer::of(known.expect("no answer")).await.expect(304);
    // The number of votes after a vote is exact.
    let vote = service
        .call("PUT", &format!("{path}/vote"), Some(&bob), None)
        .await;
    assert_eq!(vote.expect(200).json()["votes"], 1);
    let voted = read(service, &path, Some(&bob), None)
        .await
        .expect(200)
        .json();
    assert_eq!(
        (&voted["votes"], &voted["voted"]),
        (&json!(1), &json!(true))
    );
    // Every answer to a write has a position: bob's failed too.
    let refused = rename(service, &path, &bob, "Mine").await.expect(403);
    assert!(refused.header("database-position").is_some());

    execute(&replica, "SELECT pg_wal_replay_resume()").await;
    let answer = read(service, &path, None, Some(position)).await;
    assert_eq!(title(&answer.expect(200)), "New");
    let answer = replicated.until_replica_answers(&path, Some(&ada)).await;
    assert_eq!(title(&answer), "New");
    replicated.end().await;
}

#[apply(postgres_behaviour)]
async fn the_primary_answers_while_a_replica_is_away(_fixture: Fixture) {
    // Nothing listens there, which is no error at the start.
    let mut replicated = Replicated::start("postgres://nobody:secret@127.0.0.1:9/acclaim").await;
    let service = replicated.service.clone();
    let ada = service.user("ada").await;
    let path = format!("/posts/{}", service.new_post(&ada, "Title").await);
    replicated.until_replica_answers(&path, None).await;
    for (signal, back) in [("STOP", true), ("KILL", true), ("promote", false)] {
        match signal {
            "STOP" => replicated.replica.signal_all("STOP"),
            "KILL" => replicated.replica.end("KILL").await,
            _ => {
                let replica = replicated.on_replica().await;
                execute(&replica, "SELECT pg_promote()").await;
            }
        }
        read(&service, &path, None, None).await.expect(200);
        replicated.rotation(false).await;
        let reads = replicated.reads();
        read(&service, &path, None, None).await.expect(200);
        assert_eq!(replicated.reads(), reads);
        assert!(replicated.fallbacks("no_replica") > 0);
        if back {
            match signal {
                "STOP" => replicated.replica.signal_all("CONT"),
                _ => replicated.replica.start_again().await,
            }
            replicated.rotation(true).await;
            replicated.until_replica_answers(&path, None).await;
        }
    }
    replicated.end().await;
}

fn port(url: &str) -> u16 {
    let url = Url::parse(url).expect("not a URL");
    url.port().expect("no port")
}

fn with_port(url: &str, port: u16) -> String {
    let mut url = Url::parse(url).expect("not a URL");
    url.set_port(Some(port)).expect("no port");
    url.to_string()
}

#[apply(postgres_behaviour)]
async fn doctor_looks_at_replicas(_fixture: Fixture) {
    let replicated = Replicated::start("").await;
    let fixture = &replicated.fixture;
    let away = "postgres://nobody:hidden@127.0.0.1:9/acclaim";
    let urls = format!("{} {away} {}", replicated.replica_url, fixture.url);
    let settings = [
        ("DATABASE_URL", fixture.url.as_str()),
        ("DATABASE_REPLICA_URL", &urls),
    ];
    let ended = run(fixture.folder(), &["doctor"], &settings).await;
    let lines = ended.stdout.lines();
    let lines: Vec<&str> = lines.filter(|line| line.contains(" replica: ")).collect();
    let [good, away, writable] = lines[..] else {
        panic!("{}", ended.stdout)
    };
    for (line, level, address, words) in [
        (good, "ok ", &replicated.replica_url, "follows the primary"),
        (
            away,
            "warning ",
            &"postgres://127.0.0.1:9".to_owned(),
            "cannot be asked",
        ),
        (writable, "warning ", &fixture.url, "not in recovery"),
    ] {
        let address = format!("127.0.0.1:{}", port(address));
        assert!(
            line.starts_with(level) && line.contains(&address) && line.contains(words),
            "{line}"
        );
    }
    assert!(!ended.stdout.contains("hidden"), "{}", ended.stdout);
    replicated.end().await;
}

#[apply(postgres_behaviour)]
async fn another_database_is_no_replica(fixture: Fixture) {
    fixture.migrate().await;
    let mut state = fixture.state(&fixture.database()).await;
    state.public_reads = true;
    state.db = state.db.with_replicas(&settings(&fixture.url));
    let db = state.db.clone();
    let service = fixture.start(state, Origins::Any);
    read(&service, "/posts", None, None).await.expect(200);
    let statistics = db.replica_statistics();
    assert!(!statistics.replicas[0].in_rotation);
    assert_eq!(statistics.replicas[0].reads, 0);
}

#[apply(postgres_behaviour)]
async fn without_replicas_positions_have_no_effect(fixture: Fixture) {
    let service = fixture.serve().await;
    let ada = service.user("ada").await;
    let body = json!({"title": "Title", "content": "Words."});
    let post = service.post("/posts", &ada, body).await.expect(201);
    assert_eq!(post.header("database-position"), None);
    read(&service, "/posts", Some(&ada), Some("FFFFFFFF/FFFFFFFF"))
        .await
        .expect(200);
    for wrong in ["", "1", "0/+1", "0/G", "0/1, 0/2"] {
        for path in ["/posts", "/posts/1", "/users/1"] {
            let answer = read(&service, path, Some(&ada), Some(wrong)).await;
            let detail = answer.problem(400)["detail"].to_string();
            assert!(detail.contains("`Database-Position`"), "{detail}");
        }
    }
}

#[apply(check)]
fn urls_of_replicas_have_weights() {
    let replicas = settings(
        "postgres://a/x?weight=3&sslmode=require\n postgres://b:7/x?sslmode=require&weight=100 postgres://c/x",
    );
    let shown: Vec<_> = replicas
        .iter()
        .map(|replica| (replica.database.to_string(), replica.weight))
        .collect();
    let expected = [("a:5432", 3), ("b:7", 100), ("c:5432", 1)];
    let expected =
        expected.map(|(at, weight)| (format!("the PostgreSQL database `x` at {at}"), weight));
    assert_eq!(shown, expected);
}
