//! What a reader sees of an event at the time of delivery.

use entity::{
    users::Role,
    values::{EventKind, EventPosition, Scope, UserId},
};
use time::OffsetDateTime;

use super::event::{ActorState, Audience, Event, PostState};
use crate::services::auth::Identity;

/// A reader of events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Viewer {
    /// `None` if anonymous.
    pub user: Option<UserId>,
    /// Sees the reader's own sessions, tokens and changes of the account.
    pub sees_account: bool,
    /// Sees moderation.
    pub is_admin: bool,
    /// Sees every event as it is in the log, but not the users who vote: for the webhooks of admins.
    pub sees_all: bool,
}

impl From<&Identity> for Viewer {
    fn from(identity: &Identity) -> Self {
        Self {
            user: Some(identity.id),
            sees_account: identity.scopes.contains(Scope::Account),
            is_admin: identity.acts_as(Role::Admin),
            sees_all: false,
        }
    }
}

/// An event as one reader sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Told {
    /// Its position in the log.
    pub position: EventPosition,
    /// Its kind for the reader.
    pub kind: EventKind,
    /// The time of the change, in UTC.
    pub at: OffsetDateTime,
    /// The post. `None` in an event about all posts of `owner_id`, and in other events.
    pub post_id: Option<i64>,
    /// The owner of the post.
    pub owner_id: Option<UserId>,
    /// The votes that the post has now.
    pub votes: Option<i64>,
    /// The user who is the subject; the reader, if they voted.
    pub user_id: Option<UserId>,
    /// A session of the reader.
    pub session_id: Option<i64>,
    /// A personal access token of the reader.
    pub token_id: Option<i64>,
    /// A webhook of the reader.
    pub webhook_id: Option<i64>,
    /// An entry of the audit log.
    pub audit_entry_id: Option<i64>,
    /// Whether all readers but the actor see the same.
    pub is_shared: bool,
}

impl Told {
    /// Whether the event is about a post that the reader sees now.
    #[must_use]
    pub fn has_post(&self) -> bool {
        self.post_id.is_some()
            && !matches!(
                self.kind,
                EventKind::PostDeleted | EventKind::PostUnpublished
            )
    }

    const fn of(event: &Event) -> Self {
        Self {
            position: event.position,
            kind: event.kind,
            at: event.at,
            post_id: None,
            owner_id: None,
            votes: None,
            user_id: None,
            session_id: None,
            token_id: None,
            webhook_id: None,
            audit_entry_id: None,
            is_shared: false,
        }
    }
}

impl PostState {
    fn is_visible_to(&self, viewer: &Viewer) -> bool {
        match self.audience {
            Audience::Everyone => true,
            Audience::Owner => viewer.user == Some(self.owner_id),
            Audience::Nobody => false,
        }
    }
}

impl Event {
    /// The event as `viewer` sees it; `None` if they must not learn of it.
    #[must_use]
    pub fn seen_by(&self, viewer: &Viewer) -> Option<Told> {
        let is_actor = self.actor_id.is_some() && self.actor_id == viewer.user;
        let told = Told::of(self);
        if viewer.sees_all {
            return Some(self.as_logged());
        }
        match self.kind {
            EventKind::PostCreated | EventKind::PostUpdated | EventKind::PostPublished => {
                let post = self.post.as_ref()?;
                post.is_visible_to(viewer).then_some(Told {
                    post_id: Some(self.subject_id),
                    owner_id: Some(post.owner_id),
                    is_shared: post.audience == Audience::Everyone,
                    ..told
                })
            }
            EventKind::PostUnpublished | EventKind::PostDeleted => {
                let was_visible = self.kind == EventKind::PostUnpublished || self.payload.published;
                // Otherwise the suspension has told them.
                let was_told = self.actor == Some(ActorState::Suspended);
                let told = Told {
                    post_id: Some(self.subject_id),
                    owner_id: self.actor_id,
                    ..told
                };
                if is_actor {
                    return Some(told);
                }
                (was_visible && !was_told).then_some(Told {
                    kind: EventKind::PostDeleted,
                    is_shared: true,
                    ..told
                })
            }
            EventKind::VoteAdded | EventKind::VoteRemoved => {
                let post = self.post.as_ref()?;
                post.is_visible_to(viewer).then_some(Told {
                    post_id: Some(self.subject_id),
                    owner_id: Some(post.owner_id),
                    votes: Some(post.votes),
                    // Nobody else may know who votes.
                    user_id: self.actor_id.filter(|_| is_actor),
                    is_shared: post.audience == Audience::Everyone && !is_actor,
                    ..told
                })
            }
            EventKind::UserCreated | EventKind::UserUpdated => {
                let is_public = self.kind == EventKind::UserCreated || self.payload.username;
                let exists = self.actor.is_some_and(|state| state != ActorState::Deleted);
                let is_own = is_actor && viewer.sees_account;
                (exists && (is_public || is_own)).then_some(Told {
                    user_id: self.actor_id,
                    is_shared: is_public,
                    ..told
                })
            }
            EventKind::UserDeleted => Some(Told {
                user_id: self.actor_id,
                is_shared: true,
                ..told
            }),
            EventKind::UserSuspended => Some(Told {
                kind: EventKind::PostDeleted,
                owner_id: self.actor_id,
                is_shared: true,
                ..told
            }),
            EventKind::UserRestored => {
                let is_active = self.actor == Some(ActorState::Active);
                is_active.then_some(Told {
                    kind: EventKind::PostPublished,
                    owner_id: self.actor_id,
                    is_shared: true,
                    ..told
                })
            }
            EventKind::SessionEnded => (is_actor && viewer.sees_account).then_some(Told {
                session_id: Some(self.subject_id),
                ..told
            }),
            EventKind::TokenRevoked => (is_actor && viewer.sees_account).then_some(Told {
                token_id: Some(self.subject_id),
                ..told
            }),
            EventKind::WebhookDisabled => (is_actor && viewer.sees_account).then_some(Told {
                webhook_id: Some(self.subject_id),
                ..told
            }),
            EventKind::PostDeletedByModerator
            | EventKind::UserSuspendedByAdmin
            | EventKind::UserRestoredByAdmin
            | EventKind::RoleChanged
            | EventKind::TokenCreatedByOperator => viewer.is_admin.then_some(Told {
                audit_entry_id: Some(self.subject_id),
                ..told
            }),
        }
    }

    /// The event as it is in the log, without the user who votes.
    fn as_logged(&self) -> Told {
        let told = Told::of(self);
        let (post, subject) = (self.post.as_ref(), Some(self.subject_id));
        let of_actor = Told {
            user_id: self.actor_id,
            ..told
        };
        match self.kind {
            EventKind::PostCreated
            | EventKind::PostUpdated
            | EventKind::PostPublished
            | EventKind::PostUnpublished
            | EventKind::PostDeleted => Told {
                post_id: subject,
                owner_id: self.actor_id,
                ..told
            },
            EventKind::VoteAdded | EventKind::VoteRemoved => Told {
                post_id: subject,
                owner_id: post.map(|post| post.owner_id),
                votes: post.map(|post| post.votes),
                ..told
            },
            EventKind::UserCreated
            | EventKind::UserUpdated
            | EventKind::UserSuspended
            | EventKind::UserRestored
            | EventKind::UserDeleted => of_actor,
            EventKind::SessionEnded => Told {
                session_id: subject,
                ..of_actor
            },
            EventKind::TokenRevoked => Told {
                token_id: subject,
                ..of_actor
            },
            EventKind::WebhookDisabled => Told {
                webhook_id: subject,
                ..of_actor
            },
            EventKind::PostDeletedByModerator
            | EventKind::UserSuspendedByAdmin
            | EventKind::UserRestoredByAdmin
            | EventKind::RoleChanged
            | EventKind::TokenCreatedByOperator => Told {
                audit_entry_id: subject,
                ..told
            },
        }
    }
}
