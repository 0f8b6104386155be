//! A turn of a webhook: the next events of its endpoint, one after the other.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use entity::{
    values::EventPosition,
    webhook_deliveries::{Column, Entity, Model},
    webhooks,
};
use sea_orm::{ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect};
use tokio_util::sync::CancellationToken;

use super::{
    Webhooks,
    lease::{Leased, release},
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
        takes_new: true,
    };
    let is_held = Box::pin(turn.run(&stop)).await?;
    if !is_held {
        return Ok(());
    }
    delete_beyond_limit(&turn.db, turn.leased.webhook.id).await?;
    release(&turn.db, &turn.leased, turn.takes_new).await
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
    /// Whether the webhook may get new events.
    takes_new: bool,
}

/// What is delivered next.
enum Work {
    Again(Model),
    New(Told),
    Reset(EventPosition),
}

impl Turn {
    /// Returns false if the lease was lost.
    async fn run(&mut self, stop: &CancellationToken) -> Result<bool, Error> {
        let end = Instant::now() + TURN_TIME;
        while Instant::now() < end && self.may_go_on() && !stop.is_cancelled() {
            let Some(work) = self.next().await? else {
                break;
            };
            let delivery = Box::pin(self.deliver(work));
            let Some(is_held) = stop.run_until_cancelled(delivery).await else {
                break;
            };
            if !is_held? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn may_go_on(&self) -> bool {
        let webhook = &self.leased.webhook;
        webhook.disabled_at.is_none() && webhook.paused_until.is_none_or(|until| until <= now())
    }

    async fn next(&mut self) -> Result<Option<Work>, Error> {
        let id = self.leased.webhook.id;
        let of_webhook = || Entity::find().filter(Column::WebhookId.eq(id));
        let due = of_webhook()
            .filter(Column::NextAttemptAt.lte(now()))
            .order_by_asc(Column::Position)
            .limit(1);
        if let Some(delivery) = due.first(self.db.read()).await? {
            return Ok(Some(Work::Again(delivery)));
        }
        let pending = of_webhook().filter(Column::NextAttemptAt.is_not_null());
        self.takes_new = pending.count(self.db.read()).await? < MAX_PENDING;
        if !self.takes_new {
            return Ok(None);
        }
        self.next_event().await
    }

    async fn next_event(&mut self) -> Result<Option<Work>, Error> {
        if self.read_at.elapsed() > FRESH {
            self.told.clear();
            self.read_until = self.leased.webhook.delivered;
        }
        loop {
            if let Some(told) = self.told.pop_front() {
                return Ok(Some(Work::New(told)));
            }
            self.leased.webhook.delivered = self.read_until;
            let Extent { before_first, last } = events::extent(&self.db).await?;
            let wanted = self.wanted().await?.min(last);
            if self.read_until < before_first {
                return Ok(Some(Work::Reset(before_first)));
            }
            if self.read_until >= wanted {
                return Ok(None);
            }
            let kinds = self.leased.reader.filter.kinds_in_log();
            let page = read(self.db.read(), self.read_until, wanted, kinds, ROWS).await?;
            let told = page.events.iter();
            self.told = told
                .filter_map(|event| self.leased.reader.told(event))
                .collect();
            (self.read_until, self.read_at) = (page.end, Instant::now());
        }
    }

    /// The search for events goes on during the turn.
    async fn wanted(&self) -> Result<EventPosition, Error> {
        let webhook = webhooks::Entity::find_by_id(self.leased.webhook.id);
        let webhook = webhook.first(self.db.read()).await?;
        Ok(webhook.map_or(EventPosition::START, |webhook| webhook.wanted))
    }

    /// Returns false if the lease was lost.
    async fn deliver(&mut self, work: Work) -> Result<bool, Error> {
        let (position, message, before) = match work {
            Work::New(told) => (told.position, self.message(told).await?, None),
            Work::Reset(position) => (position, Some(self.reset(position)?), None),
            Work::Again(before) => {
                let message = self.message_again(&before).await?;
                (before.position, message, Some(before))
            }
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
