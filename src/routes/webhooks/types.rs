//! The request and response types of `/webhooks`.

#![expect(
    clippy::option_option,
    reason = "the inner option of a member to change is null, which removes it"
)]

use deserr::Deserr;
use entity::{
    values::{EventKinds, EventPosition, Limit, PostId, Tag, UserId, WebhookUrl},
    webhook_deliveries,
    webhooks::Model,
};
use sea_orm::ActiveEnum;
use serde::Serialize;
use time::OffsetDateTime;
use utoipa::{IntoParams, ToSchema};

use crate::{
    http::input::{BodyErrors, QueryErrors},
    services::webhooks::{Attempt, Changes, Selection},
};

/// A new webhook.
#[derive(Deserr, ToSchema)]
#[deserr(error = BodyErrors)]
#[schema(example = json!({
    "url": "https://hooks.example.com/acclaim",
    "kinds": "post.*,vote.added",
}))]
pub(super) struct WebhookCreate {
    /// An `https` URL with a public address.
    pub url: WebhookUrl,
    /// Only these kinds of events, separated by commas. `post.*` means all that begin with `post.`. If omitted,
    /// all kinds.
    #[deserr(default)]
    kinds: Option<EventKinds>,
    /// Only events of this user and of posts by this user.
    #[deserr(default)]
    owner_id: Option<UserId>,
    /// Only events of this post.
    #[deserr(default)]
    post_id: Option<PostId>,
    /// Only events of posts with this tag, and of deleted posts, whose tags are gone.
    #[deserr(default)]
    tag: Option<Tag>,
    /// Whether events of posts have the post.
    #[deserr(default)]
    #[schema(default = false, required = false)]
    include_post: bool,
    /// Whether the endpoint gets the events of all users, also of drafts, sessions and moderation. For admins.
    #[deserr(default)]
    #[schema(default = false, required = false)]
    pub everything: bool,
}

impl WebhookCreate {
    pub fn selection(&self) -> Selection {
        Selection {
            kinds: self.kinds,
            owner_id: self.owner_id,
            post_id: self.post_id,
            tag: self.tag.clone(),
            includes_post: self.include_post,
        }
    }
}

/// The members to change (RFC 7396). Omitted members stay unchanged, null removes a filter.
#[derive(Deserr, ToSchema)]
#[deserr(error = BodyErrors)]
pub(super) struct WebhookUpdate {
    /// An `https` URL with a public address.
    #[deserr(default, from(WebhookUrl) = Some)]
    #[schema(nullable = false)]
    pub url: Option<WebhookUrl>,
    /// Only these kinds of events, separated by commas.
    #[deserr(default, from(Option<EventKinds>) = Some)]
    #[schema(value_type = Option<EventKinds>)]
    kinds: Option<Option<EventKinds>>,
    /// Only events of this user and of posts by this user.
    #[deserr(default, from(Option<UserId>) = Some)]
    #[schema(value_type = Option<UserId>)]
    owner_id: Option<Option<UserId>>,
    /// Only events of this post.
    #[deserr(default, from(Option<PostId>) = Some)]
    #[schema(value_type = Option<PostId>)]
    post_id: Option<Option<PostId>>,
    /// Only events of posts with this tag, and of deleted posts, whose tags are gone.
    #[deserr(default, from(Option<Tag>) = Some)]
    #[schema(value_type = Option<Tag>)]
    tag: Option<Option<Tag>>,
    /// Whether events of posts have the post.
    #[deserr(default, from(bool) = Some)]
    #[schema(nullable = false)]
    include_post: Option<bool>,
    /// False stops deliveries. True continues where they stopped: the endpoint gets what it has missed.
    #[deserr(default, from(bool) = Some)]
    #[schema(nullable = false, example = true)]
    enabled: Option<bool>,
}

impl From<WebhookUpdate> for Changes {
    fn from(update: WebhookUpdate) -> Self {
        Self {
            url: update.url,
            kinds: update.kinds,
            owner_id: update.owner_id,
            post_id: update.post_id,
            tag: update.tag,
            includes_post: update.include_post,
            enabled: update.enabled,
        }
    }
}

/// The events that are delivered again.
#[derive(Deserr, ToSchema)]
#[deserr(error = BodyErrors)]
pub(super) struct Redelivery {
    /// Those after this position. 0 stands before the oldest event that is kept.
    pub after: EventPosition,
}

/// The page of a log of deliveries.
#[derive(Deserr, IntoParams)]
#[deserr(error = QueryErrors)]
#[into_params(parameter_in = Query)]
pub(super) struct DeliveryParameters {
    /// Maximum number of deliveries in a page.
    #[deserr(default)]
    #[param(inline, required = false)]
    pub limit: Limit,
    /// Only events before this position.
    #[deserr(default)]
    #[param(inline, nullable = false)]
    pub before: Option<EventPosition>,
}

/// A webhook: an endpoint that gets events.
#[derive(Serialize, ToSchema)]
pub(in crate::routes) struct Webhook {
    #[schema(example = 1)]
    id: i64,
    #[schema(example = "https://hooks.example.com/acclaim")]
    url: String,
    /// The kinds of events, separated by commas; null for all.
    #[schema(example = "post.*,vote.added")]
    kinds: Option<String>,
    /// Only events of this user and of posts by this user; null for all.
    #[schema(example = json!(null))]
    owner_id: Option<i64>,
    /// Only events of this post; null for all.
    #[schema(example = json!(null))]
    post_id: Option<i64>,
    /// Only events of posts with this tag; null for all.
    #[schema(example = json!(null))]
    tag: Option<String>,
    /// Whether events of posts have the post.
    #[schema(example = false)]
    include_post: bool,
    /// Whether the endpoint gets the events of all users.
    #[schema(example = false)]
    everything: bool,
    #[serde(with = "time::serde::rfc3339")]
    #[schema(format = DateTime, example = "2026-11-21T06:00:42.915716Z")]
    created_at: OffsetDateTime,
    #[schema(example = true)]
    enabled: bool,
    /// `owner`: the owner disabled it. `password`: the password of the owner was changed. `gone`: the endpoint answered 410. `failing`: it failed for 5 days
    /// or longer. Null if it is enabled.
    #[schema(example = json!(null))]
    disabled_reason: Option<String>,
    /// Null if it is enabled.
    #[serde(with = "time::serde::rfc3339::option")]
    #[schema(format = DateTime, example = json!(null))]
    disabled_at: Option<OffsetDateTime>,
    /// The time of the first failure since the last success; null if there is none.
    #[serde(with = "time::serde::rfc3339::option")]
    #[schema(format = DateTime, example = json!(null))]
    failing_since: Option<OffsetDateTime>,
    /// No attempt is made before this time, because several in a row have failed.
    #[serde(with = "time::serde::rfc3339::option")]
    #[schema(format = DateTime, example = json!(null))]
    paused_until: Option<OffsetDateTime>,
    /// The position of the event log up to which events were delivered, or wait to be tried again.
    #[schema(example = 42)]
    position: i64,
    /// The key that signs deliveries. Only in the responses that create it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD")]
    secret: Option<String>,
}

impl From<Model> for Webhook {
    fn from(webhook: Model) -> Self {
        Self {
            id: webhook.id.get(),
            url: webhook.url.as_str().to_owned(),
            kinds: webhook.kinds.map(|kinds| kinds.to_string()),
            owner_id: webhook.owner_id.map(UserId::get),
            post_id: webhook.post_id.map(PostId::get),
            tag: webhook.tag.map(String::from),
            include_post: webhook.includes_post,
            everything: webhook.sees_all,
            created_at: webhook.created_at,
            enabled: webhook.disabled_at.is_none(),
            disabled_reason: webhook.disabled_reason.map(|reason| reason.to_value()),
            disabled_at: webhook.disabled_at,
            failing_since: webhook.failing_since,
            paused_until: webhook.paused_until,
            position: webhook.delivered.get(),
            secret: None,
        }
    }
}

impl Webhook {
    pub fn with_secret(webhook: Model) -> Self {
        let secret = webhook.secret.expose().to_owned();
        Self {
            secret: Some(secret),
            ..webhook.into()
        }
    }
}

/// The delivery of an event to an endpoint.
#[derive(Serialize, ToSchema)]
pub(super) struct Delivery {
    /// The header `webhook-id`, the same in each attempt.
    #[schema(example = "evt_1_42_1795413642915716")]
    id: String,
    /// The position of the event.
    #[schema(example = 42)]
    position: i64,
    /// The kind of the event. `reset`: events up to this position are missing, because they are no longer kept.
    #[schema(example = "post.created")]
    kind: String,
    /// `succeeded`, `pending` if it is tried again, `failed` if every attempt failed, or `withdrawn` if the
    /// event is no longer visible to the owner, or no longer kept.
    #[schema(example = "succeeded")]
    state: String,
    #[schema(example = 1)]
    attempts: i64,
    /// The time of the last attempt.
    #[serde(with = "time::serde::rfc3339")]
    #[schema(format = DateTime, example = "2026-11-21T06:00:43.015716Z")]
    attempted_at: OffsetDateTime,
    /// Null if there is none.
    #[serde(with = "time::serde::rfc3339::option")]
    #[schema(format = DateTime, example = json!(null))]
    next_attempt_at: Option<OffsetDateTime>,
    /// The duration of the last attempt, in milliseconds.
    #[schema(example = 87)]
    duration_ms: i64,
    /// The HTTP status of the last answer; null if there was none.
    #[schema(example = 204)]
    status: Option<i64>,
    /// The first 1,024 bytes of the last answer.
    #[schema(example = "")]
    answer: Option<String>,
    /// The reason why the last attempt failed.
    #[schema(example = json!(null))]
    error: Option<String>,
}

impl From<webhook_deliveries::Model> for Delivery {
    fn from(delivery: webhook_deliveries::Model) -> Self {
        Self {
            id: delivery.message_id,
            position: delivery.position.get(),
            kind: delivery.kind,
            state: delivery.state.to_value(),
            attempts: delivery.attempts,
            attempted_at: delivery.attempted_at,
            next_attempt_at: delivery.next_attempt_at,
            duration_ms: delivery.duration_ms,
            status: delivery.status,
            answer: delivery.answer,
            error: delivery.error,
        }
    }
}

/// The outcome of a test.
#[derive(Serialize, ToSchema)]
pub(super) struct WebhookTest {
    /// Whether the endpoint answered 2xx.
    #[schema(example = true)]
    succeeded: bool,
    /// In milliseconds.
    #[schema(example = 87)]
    duration_ms: u64,
    /// The HTTP status of the answer; null if there was none.
    #[schema(example = 204)]
    status: Option<u16>,
    /// The first 1,024 bytes of the answer.
    #[schema(example = "")]
    answer: Option<String>,
    /// The reason why it failed.
    #[schema(example = json!(null))]
    error: Option<&'static str>,
}

impl From<Attempt> for WebhookTest {
    fn from(attempt: Attempt) -> Self {
        Self {
            succeeded: attempt.is_success(),
            duration_ms: u64::try_from(attempt.duration.as_millis()).unwrap_or(u64::MAX),
            status: attempt.status,
            answer: attempt.answer,
            error: attempt.error,
        }
    }
}
