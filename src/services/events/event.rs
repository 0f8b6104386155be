//! An event, with the present state of its subject.

use std::sync::OnceLock;

use entity::values::{EventKind, EventPosition, Tags, UserId};
use sea_orm::{DbErr, DeriveActiveEnum, EnumIter, FromQueryResult};
use serde::Deserialize;
use time::OffsetDateTime;

use crate::db::Moment;

/// An event, with what decides who may see it.
#[derive(Clone, Debug)]
pub struct Event {
    /// Its position in the log.
    pub position: EventPosition,
    /// Its kind in the log.
    pub kind: EventKind,
    /// The time of the change, in UTC.
    pub at: OffsetDateTime,
    /// The id of the post, user, session, token, webhook or entry of the audit log.
    pub subject_id: i64,
    /// The user who owns the subject, who voted, or who is the subject. For an entry of the audit log the
    /// moderator.
    pub actor_id: Option<UserId>,
    /// What the subject was like.
    pub(super) payload: Payload,
    /// The post as it is now. `None` if it was deleted, and for other events than those of posts and votes.
    pub(super) post: Option<PostState>,
    /// The actor as they are now. `None` if there is none any more.
    pub(super) actor: Option<ActorState>,
    /// What most readers are sent, from the first of them.
    pub shared: OnceLock<Box<[u8]>>,
}

/// A post at the time of reading.
#[derive(Clone, Debug)]
pub(super) struct PostState {
    pub owner_id: UserId,
    pub tags: Tags,
    pub votes: i64,
    pub audience: Audience,
}

/// The users who see a post.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub(super) enum Audience {
    Everyone,
    Owner,
    Nobody,
}

/// A user at the time of reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub(super) enum ActorState {
    Active,
    /// Not also deleted.
    Suspended,
    Deleted,
}

/// The members of all payloads.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Payload {
    /// Whether the post was published.
    pub published: bool,
    /// Whether the username has changed.
    pub username: bool,
}

/// The columns of an event that [`log`](super::log) selects.
#[derive(Deserialize, FromQueryResult)]
pub(super) struct Row {
    pub position: EventPosition,
    at: Moment,
    kind: String,
    subject_id: i64,
    actor_id: Option<UserId>,
    payload: Option<String>,
    /// Null without a post, as are the tags and votes.
    owner_id: Option<UserId>,
    tags: Option<Tags>,
    votes: Option<i64>,
    /// Has no meaning without a post.
    audience: Audience,
    /// Null without an actor, or if they are gone.
    actor_state: Option<ActorState>,
}

impl Event {
    /// `None` for a kind of a later version.
    pub(super) fn of(row: Row) -> Result<Option<Self>, DbErr> {
        let Ok(kind) = row.kind.parse() else {
            return Ok(None);
        };
        let payload = row.payload.as_deref().map(serde_json::from_str).transpose();
        let payload = payload.map_err(|error| DbErr::Type(error.to_string()))?;
        let post = match (row.owner_id, row.tags, row.votes) {
            (Some(owner_id), Some(tags), Some(votes)) => Some(PostState {
                owner_id,
                tags,
                votes,
                audience: row.audience,
            }),
            _ => None,
        };
        Ok(Some(Self {
            position: row.position,
            kind,
            at: row.at.0,
            subject_id: row.subject_id,
            actor_id: row.actor_id,
            payload: payload.unwrap_or_default(),
            post,
            actor: row.actor_state,
            shared: OnceLock::new(),
        }))
    }

    /// Whether the post has `tag`, or had it, as far as is known: the log has no tags of deleted posts.
    pub(super) fn may_have(&self, tag: &str) -> bool {
        let has = |post: &PostState| post.tags.iter().any(|other| other == tag);
        self.post.as_ref().is_none_or(has)
    }
}
