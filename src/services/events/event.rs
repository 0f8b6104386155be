//! An event, with the present state of its subject.

use std::sync::OnceLock;

use entity::values::{EventKind, EventPosition, Tags, UserId};
use sea_orm::{DbErr, QueryResult};
use serde::Deserialize;
use time::OffsetDateTime;

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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Audience {
    Everyone,
    Owner,
    Nobody,
}

/// A user at the time of reading.
#[derive(Clone, Debug)]
pub(super) struct ActorState {
    /// Not also deleted.
    pub is_suspended: bool,
    pub is_deleted: bool,
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

impl Event {
    /// The names of the columns that [`log`](super::log) selects. `None` for a kind of a later version.
    pub(super) fn of(row: &QueryResult) -> Result<Option<Self>, DbErr> {
        let Ok(kind) = row.try_get::<String>("", "kind")?.parse() else {
            return Ok(None);
        };
        let payload: Option<String> = row.try_get("", "payload")?;
        let payload = payload.as_deref().map(serde_json::from_str).transpose();
        let payload = payload.map_err(|error| DbErr::Type(error.to_string()))?;
        let owner_id: Option<UserId> = row.try_get("", "owner_id")?;
        let post = match owner_id {
            Some(owner_id) => Some(PostState {
                owner_id,
                tags: row.try_get("", "tags")?,
                votes: row.try_get("", "votes")?,
                audience: if row.try_get("", "is_public")? {
                    Audience::Everyone
                } else if row.try_get("", "is_visible_to_owner")? {
                    Audience::Owner
                } else {
                    Audience::Nobody
                },
            }),
            None => None,
        };
        let actor: Option<UserId> = row.try_get("", "existing_actor_id")?;
        let actor = match actor {
            Some(_) => Some(ActorState {
                is_suspended: row.try_get("", "is_suspended")?,
                is_deleted: row.try_get("", "is_deleted")?,
            }),
            None => None,
        };
        Ok(Some(Self {
            position: row.try_get("", "position")?,
            kind,
            at: row.try_get("", "at")?,
            subject_id: row.try_get("", "subject_id")?,
            actor_id: row.try_get("", "actor_id")?,
            payload: payload.unwrap_or_default(),
            post,
            actor,
            shared: OnceLock::new(),
        }))
    }

    /// Whether the post has `tag`, or had it, as far as is known: the log has no tags of deleted posts.
    pub(super) fn may_have(&self, tag: &str) -> bool {
        let has = |post: &PostState| post.tags.iter().any(|other| other == tag);
        self.post.as_ref().is_none_or(has)
    }
}
