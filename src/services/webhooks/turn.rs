//! A turn of a webhook: the next events of its endpoint, one after the other.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use entity::{
    users,
    values::EventPosition,
    webhook_deliveries::{Column, Entity, Model},
    webhooks,
};
use sea_orm::{ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect};
use tokio_util::sync::CancellationToken;

use super::{
    Webhooks,
    find::reader_of,
    lease::{Leased, is_held, release, renew},
    message::{RESET, Ready, told_at},
    record::{record, withdraw},
    remove::delete_beyond_limit,
};
use crate::{
    db::{Db, First},
    error::Error,
    services::{
        events::{self, Extent, Told, read},
        now,
    },
};

/// Time after which other webhooks have their turns.
const TURN_TIME: Duration = Duration::from_secs(10);
/// Events that are read at once.
const ROWS: u64 = 100;
/// Time after which events that were read are read again: the owner gets what they may see at the delivery.
const FRESH: Duration = Duration::from_secs(1);
/// Time between two renewals of the lease while nothing is delivered.
const RENEWAL: Duration = Duration::from_secs(1);
/// Deliveries of a webhook that wait to be tried again. While there are more, it gets no new events.
const MAX_PENDING: u64 = 100;

/// Delivers to the endpoint of `leased` what is due, for up to 10 s and the attempt that runs then, and ends
/// the lease. When `stop` is cancelled, it drops the attempt: another server, or the next start, repeats it
/// with the same id.
///
/// # Errors
/// [`Error::Unavailable`]. Then the lease ends by itself, and the last delivery is repeated.
pub async fn take_turn(
    db: Db,
    context: Webhooks,
    leased: Leased,
    stop: CancellationToken,
) -> Result<(), Error> {
    let read_until = leased.webhook.delivered;
    let mut turn = Turn {
        db,
        context,
        leased,
        told: VecDeque::new(),
        read_until,
        read_at: Instant::now(),
        pending: 0,
    };
    let is_held = Box::pin(turn.run(&stop)).await?;
    if !is_held {
        return Ok(());
    }
    delete_beyond_limit(&turn.db, turn.leased.webhook.id).await?;
    release(&turn.db, &turn.leased, turn.pending < MAX_PENDING).await
}

struct Turn {
    db: Db,
    context: Webhooks,
    leased: Leased,
    /// Events that were read and not delivered.
    told: VecDeque<Told>,
    /// The end of what was read.
    read_until: EventPosition,
    read_at: Instant,
    /// Deliveries that wait to be tried again.
    pending: u64,
}

/// The next step of a turn.
enum Step {
    /// A delivery that is due to be tried again.
    Again(Model),
    New(Told),
    /// Events up to this position are missing.
    Reset(EventPosition),
    /// Nothing on this page of the log is for the reader.
    NextPage,
    /// There is nothing to do.
    End,
}

impl Turn {
    /// Returns false if the lease was lost.
    async fn run(&mut self, stop: &CancellationToken) -> Result<bool, Error> {
        let end = Instant::now() + TURN_TIME;
        let mut renewed = Instant::now();
        while Instant::now() < end && self.may_go_on() && !stop.is_cancelled() {
            let is_held = match self.next().await? {
                Step::End => break,
                Step::NextPage if renewed.elapsed() < RENEWAL => true,
                Step::NextPage => {
                    renewed = Instant::now();
                    renew(&self.db, &self.leased).await?
                }
                next => {
                    let delivery = Box::pin(self.deliver(next));
                    let Some(is_held) = stop.run_until_cancelled(delivery).await else {
                        break;
                    };
                    renewed = Instant::now();
                    is_held?
                }
            };
            if !is_held {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn may_go_on(&self) -> bool {
        let webhook = &self.leased.webhook;
        webhook.disabled_at.is_none() && webhook.paused_until.is_none_or(|until| until <= now())
    }

    async fn next(&mut self) -> Result<Step, Error> {
        let id = self.leased.webhook.id;
        let of_webhook = || Entity::find().filter(Column::WebhookId.eq(id));
        let due = of_webhook()
            .filter(Column::NextAttemptAt.lte(now()))
            .order_by_asc(Column::Position)
            .limit(1);
        let due = due.first(self.db.read()).await?;
        // A request for another delivery ends the lease in its transaction. The lease is read after the delivery, so
        // that only the next turn makes it.
        if !is_held(&self.db, &self.leased).await? {
            return Ok(Step::End);
        }
        if let Some(delivery) = due {
            return Ok(Step::Again(delivery));
        }
        let pending = of_webhook().filter(Column::NextAttemptAt.is_not_null());
        self.pending = pending.count(self.db.read()).await?;
        if self.pending < MAX_PENDING {
            self.next_event().await
        } else {
            Ok(Step::End)
        }
    }

    async fn next_event(&mut self) -> Result<Step, Error> {
        if self.read_at.elapsed() > FRESH {
            self.told.clear();
            self.read_until = self.leased.webhook.delivered;
        }
        if let Some(told) = self.told.pop_front() {
            return Ok(Step::New(told));
        }
        self.leased.webhook.delivered = self.read_until;
        let Extent { before_first, last } = events::extent(&self.db).await?;
        let Some(wanted) = self.refresh().await? else {
            return Ok(Step::End);
        };
        let wanted = wanted.min(last);
        if self.read_until < before_first {
            return Ok(Step::Reset(before_first));
        }
        if self.read_until >= wanted {
            return Ok(Step::End);
        }
        let reader = &self.leased.reader;
        let kinds = reader.filter.kinds_in_log();
        let page = read(self.db.read(), self.read_until, wanted, kinds, ROWS).await?;
        let told = page.events.iter();
        self.told = told.filter_map(|event| reader.told(event)).collect();
        (self.read_until, self.read_at) = (page.end, Instant::now());
        Ok(match self.told.pop_front() {
            Some(told) => Step::New(told),
            None => Step::NextPage,
        })
    }

    /// The present `wanted`, as the search goes on during the turn; `None` if the webhook is gone or its owner is
    /// suspended. Also takes over the present role of the owner.
    async fn refresh(&mut self) -> Result<Option<EventPosition>, Error> {
        let found = webhooks::Entity::find_by_id(self.leased.webhook.id)
            .find_also_related(users::Entity)
            .first(self.db.read())
            .await?;
        let Some((webhook, Some(user))) = found else {
            return Ok(None);
        };
        if user.suspended_at.is_some() || user.deleted_at.is_some() {
            return Ok(None);
        }
        self.leased.reader = reader_of(&webhook, user.role);
        Ok(Some(webhook.wanted))
    }

    /// Returns false if the lease was lost.
    async fn deliver(&mut self, next: Step) -> Result<bool, Error> {
        let (position, message, before) = match next {
            Step::New(told) => (told.position, self.message(told).await?, None),
            Step::Reset(position) => (position, Some(self.reset(position)?), None),
            Step::Again(before) => {
                let message = self.message_again(&before).await?;
                (before.position, message, Some(before))
            }
            Step::NextPage | Step::End => return Ok(true),
        };
        let db = &self.db;
        let Some(message) = message else {
            if let Some(before) = before {
                return withdraw(db, &self.leased, before).await;
            }
            // A later event tells that the post is not visible.
            let delivered = &mut self.leased.webhook.delivered;
            *delivered = position.max(*delivered);
            return Ok(true);
        };
        let attempt = self.context.send(&self.leased.webhook, &message).await?;
        let is_new = before.is_none();
        let is_held = record(
            db,
            &mut self.leased,
            position,
            message,
            before.as_ref(),
            is_new && self.pending == 0,
            &attempt,
        )
        .await?;
        if is_new {
            self.read_until = self.read_until.max(position);
        }
        Ok(is_held)
    }

    async fn message(&self, told: Told) -> Result<Option<Ready>, Error> {
        let id = self.leased.webhook.id;
        self.context
            .message(&self.db, id, &self.leased.reader, told)
            .await
    }

    fn reset(&self, position: EventPosition) -> Result<Ready, Error> {
        Webhooks::reset(&self.leased.webhook, position)
    }

    async fn message_again(&self, before: &Model) -> Result<Option<Ready>, Error> {
        let id = before.message_id.clone();
        let message = if before.kind == RESET {
            Some(self.reset(before.position)?)
        } else {
            match told_at(&self.db, &self.leased.reader, before.position).await? {
                Some(told) => self.message(told).await?,
                None => None,
            }
        };
        Ok(message.map(|message| message.with_id(id)))
    }
}
