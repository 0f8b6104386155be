//! The messages to endpoints.

use entity::{
    values::{EventPosition, UserId, WebhookId, WebhookSecret},
    webhooks::Model,
};
use serde_json::json;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use uuid::Uuid;

use super::{Attempt, MAX_TESTS, Webhooks, get, sender::Message};
use crate::{
    db::Db,
    error::Error,
    services::{
        events::{Delivery, Reader, Told, read},
        now,
        running::Refused,
    },
};

/// Makes the JSON of an event.
pub type Render = fn(&Delivery) -> serde_json::Result<String>;

/// The kind of the message that events are missing.
pub(super) const RESET: &str = "reset";
/// The kind of the message of a test.
const TEST: &str = "webhook.test";

/// The body of a message: `data` is JSON.
fn body(kind: &str, at: OffsetDateTime, data: &str) -> Result<String, Error> {
    let at = at.format(&Rfc3339).map_err(Error::internal)?;
    // Kinds and times need no escapes.
    Ok(format!(
        r#"{{"type":"{kind}","timestamp":"{at}","data":{data}}}"#
    ))
}

/// The `webhook-id` of the event at `position`. The time of the event tells events with the same position
/// apart: after a restored backup, positions are used again.
fn id(webhook: WebhookId, position: EventPosition, at: OffsetDateTime) -> String {
    let micros = at.unix_timestamp_nanos() / 1_000;
    format!("evt_{webhook}_{position}_{micros}")
}

/// The keys that sign the messages of `webhook` now.
fn secrets(webhook: &Model) -> Vec<&WebhookSecret> {
    let is_valid = webhook.previous_secret_until > Some(now());
    let previous = webhook.previous_secret.as_ref().filter(|_| is_valid);
    std::iter::once(&webhook.secret).chain(previous).collect()
}

/// A message that is ready to be sent.
pub(super) struct Ready {
    pub id: String,
    pub kind: String,
    body: String,
}

impl Ready {
    /// The same message as an earlier attempt with `id`.
    pub fn with_id(self, id: String) -> Self {
        Self { id, ..self }
    }
}

impl Webhooks {
    /// The message of `told` for `webhook`; `None` if the post of the event is no longer visible.
    pub(super) async fn message(
        &self,
        db: &Db,
        webhook: WebhookId,
        reader: &Reader,
        told: Told,
    ) -> Result<Option<Ready>, Error> {
        let Some(delivery) = reader.with_post(db, told).await? else {
            return Ok(None);
        };
        let kind = told.kind.name();
        let data = (self.render)(&delivery).map_err(Error::internal)?;
        Ok(Some(Ready {
            id: id(webhook, told.position, told.at),
            kind: kind.to_owned(),
            body: body(kind, told.at, &data)?,
        }))
    }

    /// The message that events before and at `position` are missing, because they are no longer kept.
    pub(super) fn reset(webhook: &Model, position: EventPosition) -> Result<Ready, Error> {
        Ok(Ready {
            // It has no time of its own, and needs the same id if it is sent again.
            id: id(webhook.id, position, webhook.created_at),
            kind: RESET.to_owned(),
            body: body(RESET, now(), &json!({"position": position}).to_string())?,
        })
    }

    /// Sends `message` to the endpoint of `webhook`.
    pub(super) async fn send(&self, webhook: &Model, message: &Ready) -> Result<Attempt, Error> {
        let Ready { id, body, .. } = message;
        let secrets = secrets(webhook);
        self.sender
            .send(&webhook.url, &Message { id, body, secrets })
            .await
    }
}

/// The event at `position` as `reader` sees it; `None` if it is no longer kept, or not for them.
pub(super) async fn told_at(
    db: &Db,
    reader: &Reader,
    position: EventPosition,
) -> Result<Option<Told>, Error> {
    let kinds = reader.filter.kinds_in_log();
    let page = read(db.read(), position.before(), position, kinds, 1).await?;
    Ok(page.events.first().and_then(|event| reader.told(event)))
}

/// Sends a message `webhook.test` to the endpoint of webhook `id` of user `user_id`, and waits for its answer. The
/// outcome counts neither for nor against the endpoint.
///
/// # Errors
/// [`Error::NotFound`]; [`Error::WebhookTestRunning`] if the user has one in progress in this process;
/// [`Error::Busy`] if 32 users have.
pub async fn send_test(
    db: &Db,
    webhooks: &Webhooks,
    user_id: UserId,
    id: WebhookId,
) -> Result<Attempt, Error> {
    let webhook = &get(db, user_id, id).await?;
    let running = webhooks.tests.begin(user_id, MAX_TESTS);
    let _running = running.map_err(|refused| match refused {
        Refused::Same => Error::WebhookTestRunning,
        Refused::Full => Error::Busy,
    })?;
    let data = json!({"webhook_id": webhook.id}).to_string();
    let message = Ready {
        id: format!("test_{}", Uuid::now_v7().simple()),
        kind: TEST.to_owned(),
        body: body(TEST, now(), &data)?,
    };
    webhooks.send(webhook, &message).await
}
