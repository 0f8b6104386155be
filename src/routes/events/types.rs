//! The response types of `/events`.

use entity::values::{EventKind, UserId};
use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;

use crate::{
    routes::posts::Post,
    services::{
        events::{Delivery, Told},
        posts::PostView,
    },
};

/// A change, as the reader may see it. Members that do not apply to its kind are left out.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({
    "position": 42,
    "kind": "vote.added",
    "at": "2026-11-21T06:00:42.915716Z",
    "post_id": 1,
    "owner_id": 1,
    "votes": 3,
}))]
pub(super) struct Event<'a> {
    /// The position in the log. Later changes have higher positions, with gaps for events that the reader
    /// must not see.
    #[schema(example = 42)]
    position: i64,
    #[schema(value_type = EventKind)]
    kind: EventKind,
    #[serde(with = "time::serde::rfc3339")]
    #[schema(format = DateTime, example = "2026-11-21T06:00:42.915716Z")]
    at: OffsetDateTime,
    /// The post. Without it, `post.deleted` and `post.published` are about all posts of `owner_id`: the owner
    /// was suspended or restored.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = 1, nullable = false)]
    post_id: Option<i64>,
    /// The owner of the post.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = 1, nullable = false)]
    owner_id: Option<i64>,
    /// The number of votes that the post has at the time of delivery.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = 3, nullable = false)]
    votes: Option<i64>,
    /// The user, in the events of users. In those of votes the reader, if the vote is theirs.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = 1, nullable = false)]
    user_id: Option<i64>,
    /// A session of the reader; of any user in a webhook for everything. The same holds for the next two.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = 4_217_630_912_345_i64, nullable = false)]
    session_id: Option<i64>,
    /// A personal access token of the reader.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = 1, nullable = false)]
    token_id: Option<i64>,
    /// A webhook of the reader.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = 1, nullable = false)]
    webhook_id: Option<i64>,
    /// An entry of the audit log.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = 1, nullable = false)]
    audit_entry_id: Option<i64>,
    /// The post at the time of delivery, with `include=post`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    post: Option<Post<'a>>,
}

impl<'a> Event<'a> {
    pub fn position(&self) -> i64 {
        self.position
    }

    pub fn kind(&self) -> EventKind {
        self.kind
    }

    /// `told`, with `post`.
    pub fn of(told: &Told, post: Option<&'a PostView>) -> Self {
        Self {
            position: told.position.get(),
            kind: told.kind,
            at: told.at,
            post_id: told.post_id,
            owner_id: told.owner_id.map(UserId::get),
            votes: told.votes,
            user_id: told.user_id.map(UserId::get),
            session_id: told.session_id,
            token_id: told.token_id,
            webhook_id: told.webhook_id,
            audit_entry_id: told.audit_entry_id,
            post: post.map(Post::from),
        }
    }
}

impl<'a> From<&'a Delivery> for Event<'a> {
    fn from(delivery: &'a Delivery) -> Self {
        Self::of(&delivery.told, delivery.post.as_ref())
    }
}

/// A ticket for a stream.
#[derive(Serialize, ToSchema)]
pub(super) struct EventTicket {
    /// The value of `ticket`. Can be used once.
    #[schema(example = "Rk2dQmN5wYt8bVx0cJz4sLhTgAe1Fu")]
    pub ticket: String,
    /// The seconds after which it is no longer valid.
    #[schema(example = 30)]
    pub expires_in: i64,
}
