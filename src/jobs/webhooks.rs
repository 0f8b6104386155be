//! Delivers events to the endpoints of webhooks.

use std::{collections::HashMap, future::pending, time::Duration};

use tokio::{
    task::{self, JoinSet},
    time::{Instant, sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use crate::{
    db::Db,
    error::Error,
    metrics::Runs,
    services::{
        events::Hub,
        webhooks::{self, Busy, Found, UserId, WebhookId, Webhooks},
    },
};

/// Maximum time between two searches. An event of this process does not wait for it.
const PERIOD: Duration = Duration::from_secs(1);
/// Minimum time between two searches. Further events of that time share one.
const PAUSE: Duration = Duration::from_millis(100);
/// Time between two searches while there is no webhook. A webhook that this process creates ends it.
const WITHOUT_WEBHOOKS: Duration = Duration::from_secs(10);
/// Endpoints that this process delivers to at once.
const PLACES: usize = 64;
/// A user whose endpoints have so many of them gets no further ones.
const PLACES_OF_USER: usize = 4;
/// Time between two looks for deliveries that are due.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// Marks the webhooks that get new events.
pub(super) async fn find(
    db: Db,
    hub: Hub,
    context: Webhooks,
    stop: CancellationToken,
    runs: Runs,
) -> Result<(), Error> {
    let mut tail = hub.watch();
    let work = async {
        loop {
            tail.mark_unchanged();
            let began = Instant::now();
            let found = webhooks::find_work(&db, &context).await?;
            runs.succeeded();
            let took = began.elapsed();
            match found {
                Found::More => {}
                Found::End => {
                    let _ = timeout(PERIOD, tail.changed()).await;
                    // With many webhooks a search takes long. It must not take more than a quarter of the time.
                    sleep(PAUSE.max(took * 3)).await;
                }
                Found::NoWebhooks => {
                    let _ = timeout(WITHOUT_WEBHOOKS, context.changed()).await;
                }
            }
        }
    };
    // Drops the step that runs, which rolls back.
    stop.run_until_cancelled(work).await.unwrap_or(Ok(()))
}

/// Delivers to the webhooks that have something to get.
pub(super) async fn deliver(
    db: Db,
    context: Webhooks,
    stop: CancellationToken,
    runs: Runs,
) -> Result<(), Error> {
    let mut turns = Turns::default();
    while !stop.is_cancelled() {
        match webhooks::lease(&db, turns.free(), &turns.busy()).await {
            Ok(leased) => {
                runs.succeeded();
                for leased in leased {
                    let key = leased.key();
                    let turn =
                        webhooks::take_turn(db.clone(), context.clone(), leased, stop.clone());
                    turns.start(key, turn);
                }
            }
            // The end of the job would drop the attempts in progress.
            Err(error) => {
                runs.failed();
                tracing::warn!(cause = error.with_cause(), "no webhook can be leased");
            }
        }
        tokio::select! {
            () = stop.cancelled() => {}
            () = context.has_work() => {}
            () = sleep(POLL_INTERVAL) => {}
            () = turns.ended() => {}
        }
    }
    // They drop their attempts.
    while !turns.running.is_empty() {
        turns.ended().await;
    }
    Ok(())
}

/// The turns in progress.
#[derive(Default)]
struct Turns {
    tasks: JoinSet<Result<(), Error>>,
    running: HashMap<task::Id, (WebhookId, UserId)>,
}

impl Turns {
    fn free(&self) -> usize {
        PLACES.saturating_sub(self.running.len())
    }

    fn busy(&self) -> Busy {
        let mut places: HashMap<UserId, usize> = HashMap::new();
        for (_, user) in self.running.values() {
            *places.entry(*user).or_default() += 1;
        }
        places.retain(|_, places| *places >= PLACES_OF_USER);
        Busy {
            webhooks: self.running.values().map(|(webhook, _)| *webhook).collect(),
            users: places.into_keys().collect(),
        }
    }

    fn start(
        &mut self,
        key: (WebhookId, UserId),
        turn: impl Future<Output = Result<(), Error>> + Send + 'static,
    ) {
        let task = self.tasks.spawn(turn);
        self.running.insert(task.id(), key);
    }

    /// Waits for the end of a turn; for ever if there is none. A turn that failed ends neither the others nor
    /// the job.
    async fn ended(&mut self) {
        let Some(ended) = self.tasks.join_next_with_id().await else {
            return pending().await;
        };
        let (id, cause) = match ended {
            Ok((id, Ok(()))) => (id, None),
            Ok((id, Err(error))) => (id, Some(error.with_cause())),
            Err(error) => (error.id(), Some(error.to_string())),
        };
        self.running.remove(&id);
        if let Some(cause) = cause {
            tracing::warn!(
                cause,
                "the deliveries to a webhook failed; they are repeated"
            );
        }
    }
}
