//! Clients that write as fast as they can, repeat what is not answered, and remember what is.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use reqwest::{Response, StatusCode, header::RETRY_AFTER};
use sea_orm::{ConnectionTrait, DatabaseConnection, Statement};
use serde_json::{Value, json};
use tokio::{sync::watch, task::JoinHandle, time::sleep};

use crate::harness::{
    Fixture, column,
    service::{Service, User},
};

/// Concurrent clients.
const CLIENTS: usize = 16;
/// The pause before a repetition.
const PAUSE: Duration = Duration::from_millis(20);

/// The acknowledged writes.
#[derive(Default)]
struct Written {
    /// The id of each post, by its title, which is unique.
    posts: BTreeMap<String, i64>,
    /// Post and user.
    votes: BTreeSet<(i64, i64)>,
}

/// What the clients saw since [`Storm::reset`].
#[derive(Clone, Debug, Default)]
pub struct Seen {
    reset: Option<Instant>,
    /// Acknowledged writes.
    pub writes: usize,
    /// Requests without an answer.
    pub broken: usize,
    /// Answers 409 of a key in use.
    pub in_use: usize,
    /// Replayed answers.
    pub replayed: usize,
    /// Answers 503.
    pub unavailable: usize,
    /// Answers 507.
    pub full: usize,
    /// The longest time of a request, which may have begun before the reset.
    pub slowest: Duration,
    /// The longest time to a 503 or 507, of a request that began after the reset.
    pub slowest_refusal: Duration,
    /// The time of the first 201.
    pub first_success: Option<Instant>,
}

#[derive(Default)]
struct Shared {
    written: Mutex<Written>,
    seen: Mutex<Seen>,
    writes: AtomicUsize,
}

/// A running storm.
pub struct Storm {
    shared: Arc<Shared>,
    stop: watch::Sender<bool>,
    clients: Vec<JoinHandle<()>>,
}

impl Storm {
    /// Starts clients that write to the servers at `bases`. A client whose request fails goes on with the
    /// next server.
    pub async fn start(bases: &[&str]) -> Self {
        let services: Vec<Service> = bases
            .iter()
            .map(|base| Service::new((*base).to_owned()))
            .collect();
        let shared = Arc::<Shared>::default();
        let stop = watch::Sender::new(false);
        let mut clients = Vec::new();
        for number in 0..CLIENTS {
            let user = services[0].user(&format!("client{number}")).await;
            let client = Client {
                number,
                user,
                services: services.clone(),
                current: number % services.len(),
                shared: Arc::clone(&shared),
            };
            clients.push(tokio::spawn(client.run(stop.subscribe())));
        }
        Self {
            shared,
            stop,
            clients,
        }
    }

    /// Waits until the clients have `writes` more acknowledged writes.
    pub async fn wait_for(&self, writes: usize) {
        let target = self.shared.writes.load(Ordering::SeqCst) + writes;
        self.wait_until(|_| self.shared.writes.load(Ordering::SeqCst) >= target)
            .await;
    }

    /// Waits until what was [seen](Self::seen) meets `condition`.
    pub async fn wait_until(&self, condition: impl Fn(&Seen) -> bool) {
        let deadline = Instant::now() + Duration::from_mins(2);
        while !condition(&self.seen()) {
            assert!(
                self.clients.iter().all(|client| !client.is_finished()),
                "a client ended"
            );
            assert!(Instant::now() < deadline, "still {}", self.seen());
            sleep(Duration::from_millis(5)).await;
        }
    }

    pub fn seen(&self) -> Seen {
        self.shared.seen.lock().unwrap().clone()
    }

    /// Forgets what was [seen](Self::seen), and returns it.
    pub fn reset(&self) -> Seen {
        let nothing = Seen {
            reset: Some(Instant::now()),
            ..Seen::default()
        };
        std::mem::replace(&mut *self.shared.seen.lock().unwrap(), nothing)
    }

    /// Ends the storm: each client repeats its last write until it is acknowledged. Then compares the
    /// database with the acknowledged writes: each must be there once, and nothing else. Returns what was
    /// [seen](Self::seen).
    pub async fn end(mut self, fixture: &Fixture) -> Seen {
        self.stop.send_replace(true);
        for client in self.clients.drain(..) {
            client.await.expect("a client failed");
        }
        let Written { posts, votes } = std::mem::take(&mut *self.shared.written.lock().unwrap());
        verify(&fixture.connect().await, &posts, &votes).await;
        let seen = self.seen();
        eprintln!(
            "{}: {} posts and {} votes acknowledged, each found once; since the last fault {seen}",
            fixture.kind,
            posts.len(),
            votes.len()
        );
        seen
    }
}

async fn verify(
    connection: &DatabaseConnection,
    posts: &BTreeMap<String, i64>,
    votes: &BTreeSet<(i64, i64)>,
) {
    let mut found = BTreeMap::new();
    for (id, title) in rows(connection, "SELECT id, title FROM posts", |row| {
        Ok((
            row.try_get_by_index::<i64>(0)?,
            row.try_get_by_index::<String>(1)?,
        ))
    })
    .await
    {
        let other = found.insert(title.clone(), id);
        assert_eq!(other, None, "post {title} exists twice: {id}");
    }
    let lost: Vec<_> = posts
        .iter()
        .filter(|(title, _)| !found.contains_key(*title))
        .collect();
    assert!(lost.is_empty(), "lost posts: {lost:?}");
    assert_eq!(
        &found, posts,
        "the database has other posts than were acknowledged"
    );
    let found = rows(connection, "SELECT post_id, user_id FROM votes", |row| {
        Ok((row.try_get_by_index(0)?, row.try_get_by_index(1)?))
    })
    .await;
    let found: BTreeSet<(i64, i64)> = found.into_iter().collect();
    assert_eq!(
        &found, votes,
        "the database has other votes than were acknowledged"
    );
    let counts = [
        (
            "SELECT count(*) FROM posts WHERE votes <> \
             (SELECT count(*) FROM votes WHERE votes.post_id = posts.id)",
            0,
        ),
        (
            "SELECT count(*) FROM posts JOIN ranks ON post_id = id AND ranks.votes = posts.votes",
            posts.len(),
        ),
        ("SELECT count(*) FROM post_tags", posts.len()),
        (
            "SELECT count(*) FROM idempotency_keys",
            posts.len() + votes.len(),
        ),
    ];
    for (sql, count) in counts {
        assert_eq!(column(connection, sql).await, [count.to_string()], "{sql}");
    }
}

async fn rows<T>(
    connection: &DatabaseConnection,
    sql: &str,
    read: impl Fn(&sea_orm::QueryResult) -> Result<T, sea_orm::DbErr>,
) -> Vec<T> {
    let statement = Statement::from_string(connection.get_database_backend(), sql);
    let rows = connection.query_all_raw(statement).await.expect(sql);
    rows.iter().map(|row| read(row).expect(sql)).collect()
}

struct Client {
    number: usize,
    user: User,
    services: Vec<Service>,
    current: usize,
    shared: Arc<Shared>,
}

impl Client {
    /// Writes a post and votes for it, again and again, until `stop`.
    async fn run(mut self, stop: watch::Receiver<bool>) {
        for round in 0.. {
            if *stop.borrow() {
                return;
            }
            let title = format!("{}-{round}", self.number);
            let post = json!({"title": title, "content": "Words.", "tags": ["storm"]});
            let made = self.write("/posts", &format!("post-{title}"), post).await;
            let id = made["id"].as_i64().expect("no id");
            self.written(|written| assert_eq!(written.posts.insert(title.clone(), id), None));
            let vote = json!({"post_id": id, "dir": 1});
            self.write("/vote", &format!("vote-{title}"), vote).await;
            let user = self.user.id;
            self.written(|written| assert!(written.votes.insert((id, user))));
        }
    }

    fn written(&self, record: impl FnOnce(&mut Written)) {
        record(&mut self.shared.written.lock().unwrap());
        self.shared.writes.fetch_add(1, Ordering::SeqCst);
    }

    /// Sends the request, with the same key, until it is acknowledged.
    async fn write(&mut self, path: &str, key: &str, body: Value) -> Value {
        loop {
            let began = Instant::now();
            let request = self.services[self.current].request("POST", path);
            let request = request
                .bearer_auth(&self.user.token)
                .header("Idempotency-Key", key);
            let sent = request
                .json(&body)
                .timeout(Duration::from_secs(30))
                .send()
                .await;
            let outcome = outcome(sent).await;
            self.record(&outcome, began);
            if let Outcome::Acknowledged { body, .. } = outcome {
                return body;
            }
            self.current = (self.current + 1) % self.services.len();
            sleep(PAUSE).await;
        }
    }

    fn record(&self, outcome: &Outcome, began: Instant) {
        let mut seen = self.shared.seen.lock().unwrap();
        let took = began.elapsed();
        seen.slowest = seen.slowest.max(took);
        match outcome {
            Outcome::Acknowledged { replayed, .. } => {
                seen.writes += 1;
                seen.replayed += usize::from(*replayed);
                seen.first_success.get_or_insert_with(Instant::now);
            }
            Outcome::InUse => seen.in_use += 1,
            Outcome::Broken => seen.broken += 1,
            Outcome::Refused(status) => {
                match *status {
                    StatusCode::INSUFFICIENT_STORAGE => seen.full += 1,
                    _ => seen.unavailable += 1,
                }
                if seen.reset.is_none_or(|reset| began > reset) {
                    seen.slowest_refusal = seen.slowest_refusal.max(took);
                }
            }
        }
    }
}

enum Outcome {
    Acknowledged {
        body: Value,
        replayed: bool,
    },
    /// The key of the request is in use.
    InUse,
    /// 503 or 507.
    Refused(StatusCode),
    /// There was no complete answer.
    Broken,
}

/// Panics at an answer that no fault explains.
async fn outcome(sent: Result<Response, reqwest::Error>) -> Outcome {
    let Ok(answer) = sent else {
        return Outcome::Broken;
    };
    let (status, headers) = (answer.status(), answer.headers().clone());
    let Ok(text) = answer.text().await else {
        return Outcome::Broken;
    };
    match status {
        StatusCode::CREATED => Outcome::Acknowledged {
            body: serde_json::from_str(&text).expect("not JSON"),
            replayed: headers.contains_key("Idempotency-Replayed"),
        },
        StatusCode::CONFLICT if text.contains("/problems/idempotency-key-in-use") => Outcome::InUse,
        StatusCode::SERVICE_UNAVAILABLE | StatusCode::INSUFFICIENT_STORAGE => {
            let waits = headers.contains_key(RETRY_AFTER);
            assert!(waits || status != StatusCode::SERVICE_UNAVAILABLE, "{text}");
            Outcome::Refused(status)
        }
        _ => panic!("{status}: {text}"),
    }
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} writes ({} replayed), {} broken, {} unavailable, {} full, {} in use, \
             slowest {:?}, slowest refusal {:?}",
            self.writes,
            self.replayed,
            self.broken,
            self.unavailable,
            self.full,
            self.in_use,
            self.slowest,
            self.slowest_refusal
        )
    }
}
