//! A step of the job: what to look at, and the state after it.

use std::collections::{BTreeMap, BTreeSet};

use entity::{
    statistics::Model,
    values::{EventKind, PostId, UserId},
};

use super::{DayNumber, day_of, page::Event};

/// Votes that were given and taken back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Votes {
    pub added: i64,
    pub removed: i64,
}

/// What a step looks at. The sizes are bounded by those who make it.
#[derive(Debug)]
pub(super) struct Step {
    /// The state after the step, with the revision of the state before it. The differences are added to its totals.
    pub next: Model,
    /// Posts that may have changed.
    pub posts: BTreeSet<PostId>,
    /// Users who may be new or deleted.
    pub users: BTreeSet<UserId>,
    /// Users and the days on which they were active.
    pub active: BTreeSet<(UserId, DayNumber)>,
    /// Votes for posts by day.
    pub votes: BTreeMap<(PostId, DayNumber), Votes>,
    /// The votes by day of the posts with ids above the first and up to the second are counted anew.
    pub recount: Option<(i64, i64)>,
}

impl Step {
    /// A step to the state `next` that looks at nothing.
    pub fn to(next: Model) -> Self {
        Self {
            next,
            posts: BTreeSet::new(),
            users: BTreeSet::new(),
            active: BTreeSet::new(),
            votes: BTreeMap::new(),
            recount: None,
        }
    }
}

pub(super) fn post(id: i64) -> Option<PostId> {
    PostId::parse(id).ok()
}

pub(super) fn user(id: i64) -> Option<UserId> {
    UserId::parse(id).ok()
}

impl Step {
    /// Adds what `event` changes.
    pub(super) fn add(&mut self, event: &Event) {
        match event.kind {
            EventKind::VoteAdded | EventKind::VoteRemoved => {
                let Some(post) = post(event.subject_id) else {
                    return;
                };
                self.posts.insert(post);
                let votes = self.votes.entry((post, day_of(event.at))).or_default();
                if event.kind == EventKind::VoteAdded {
                    votes.added += 1;
                } else {
                    votes.removed += 1;
                }
            }
            EventKind::UserCreated => self.users.extend(user(event.subject_id)),
            _ => self.posts.extend(post(event.subject_id)),
        }
        self.add_activity(event);
    }

    /// The actor of `event` was active, if they made the change themselves. A deletion may be that of a
    /// moderator, and a vote may be gone with its post.
    pub(super) fn add_activity(&mut self, event: &Event) {
        let actor = event.actor_id.and_then(user);
        if let Some(actor) = actor
            && ACTS.contains(&event.kind)
        {
            self.active.insert((actor, day_of(event.at)));
        }
    }
}

/// The kinds by which users are active.
pub(super) const ACTS: [EventKind; 5] = [
    EventKind::PostCreated,
    EventKind::PostUpdated,
    EventKind::PostPublished,
    EventKind::PostUnpublished,
    EventKind::VoteAdded,
];
