//! An event, with the present state of its subject.

use std::{fmt, sync::OnceLock};

use entity::values::{EventKind, EventPosition, Tags, UserId};
use sea_orm::{
    ActiveEnum, DbErr, DeriveActiveEnum, EnumIter, FromQueryResult, sea_query::ValueType,
};
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "i32", db_type = "Integer")]
pub(super) enum Audience {
    Nobody = 0,
    Owner = 1,
    Everyone = 2,
}

/// A user at the time of reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "i32", db_type = "Integer")]
pub(super) enum ActorState {
    Active = 0,
    /// Not also deleted.
    Suspended = 1,
    Deleted = 2,
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

/// The columns of an event, in the order in which [`log`](super::log) selects them.
#[derive(Deserialize, FromQueryResult)]
pub(super) struct Row {
    position: i64,
    at: Moment,
    kind: String,
    subject_id: i64,
    actor_id: Option<i64>,
    payload: Option<String>,
    /// Null without a post, as are the tags and votes.
    owner_id: Option<i64>,
    tags: Option<String>,
    votes: Option<i64>,
    audience: i32,
    actor_state: Option<i32>,
}

impl Row {
    pub const COLUMNS: usize = 11;

    pub fn position(&self) -> EventPosition {
        EventPosition::START.plus(self.position)
    }

    fn post(&mut self) -> Result<Option<PostState>, DbErr> {
        let (Some(owner_id), Some(votes), Some(tags)) =
            (self.owner_id, self.votes, self.tags.take())
        else {
            return Ok(None);
        };
        Ok(Some(PostState {
            owner_id: user(owner_id)?,
            tags: ValueType::try_from(tags.into()).map_err(invalid)?,
            votes,
            audience: Audience::try_from_value(&self.audience)?,
        }))
    }
}

impl Event {
    /// `None` for a kind of a later version.
    pub(super) fn of(mut row: Row) -> Result<Option<Self>, DbErr> {
        let Ok(kind) = row.kind.parse() else {
            return Ok(None);
        };
        let payload = row.payload.as_deref().map(serde_json::from_str).transpose();
        let state = row.actor_state.as_ref().map(ActorState::try_from_value);
        Ok(Some(Self {
            position: row.position(),
            kind,
            at: row.at.0,
            subject_id: row.subject_id,
            actor_id: row.actor_id.map(user).transpose()?,
            payload: payload.map_err(invalid)?.unwrap_or_default(),
            post: row.post()?,
            actor: state.transpose()?,
            shared: OnceLock::new(),
        }))
    }

    /// Whether the post has `tag`, or had it, as far as is known: the log has no tags of deleted posts.
    pub(super) fn may_have(&self, tag: &str) -> bool {
        let has = |post: &PostState| post.tags.iter().any(|other| other == tag);
        self.post.as_ref().is_none_or(has)
    }
}

fn user(id: i64) -> Result<UserId, DbErr> {
    UserId::parse(id).map_err(invalid)
}

fn invalid(error: impl fmt::Display) -> DbErr {
    DbErr::Type(error.to_string())
}
