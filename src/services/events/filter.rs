//! The events that a reader asks for.

use entity::values::{EventKind, EventKinds, PostId, Tag, UserId};

use super::{event::Event, view::Told};
use crate::{db::Db, error::Error, services::posts};

/// Post `id` with its owner, for [`EventFilter::post`]. Without the owner if `viewer` cannot see the post:
/// they must not learn of it.
///
/// # Errors
/// [`Error::Unavailable`].
pub async fn post_with_owner(
    db: &Db,
    viewer: Option<UserId>,
    id: PostId,
) -> Result<(PostId, Option<UserId>), Error> {
    match posts::get(db, viewer, id).await {
        Ok(post) => Ok((id, Some(post.row.owner_id))),
        Err(Error::NotFound { .. }) => Ok((id, None)),
        Err(error) => Err(error),
    }
}

/// Selects events, as the reader sees them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventFilter {
    /// The kinds.
    pub kinds: EventKinds,
    /// Only events of posts of this user and of the user.
    pub owner_id: Option<UserId>,
    /// Only events of this post, with its owner: events about all posts of the owner are about it too.
    pub post: Option<(PostId, Option<UserId>)>,
    /// Only events of posts with this tag, and of deleted posts, whose tags are gone.
    pub tag: Option<Tag>,
}

impl Default for EventFilter {
    fn default() -> Self {
        Self {
            kinds: EventKinds::ALL,
            owner_id: None,
            post: None,
            tag: None,
        }
    }
}

impl EventFilter {
    /// Whether the filter selects `event`, which the reader sees as `told`.
    #[must_use]
    pub fn selects(&self, event: &Event, told: &Told) -> bool {
        let is_of_all = told.post_id.is_none() && told.owner_id.is_some();
        let is_of_owner = |owner_id| {
            let user = told.owner_id.or(told.user_id);
            user == Some(owner_id)
        };
        let is_of_post = |(id, owner): (PostId, Option<UserId>)| {
            told.post_id == Some(id.get()) || is_of_all && told.owner_id == owner
        };
        let has_tag =
            |tag: &Tag| is_of_all || told.post_id.is_some() && event.may_have(tag.as_str());
        self.kinds.contains(told.kind)
            && self.owner_id.is_none_or(is_of_owner)
            && self.post.is_none_or(is_of_post)
            && self.tag.as_ref().is_none_or(has_tag)
    }

    /// The kinds in the log that a reader may see as one of those of the filter.
    #[must_use]
    pub fn kinds_in_log(&self) -> EventKinds {
        let mut kinds = self.kinds;
        let more = [
            (EventKind::PostDeleted, EventKind::PostUnpublished),
            (EventKind::PostDeleted, EventKind::UserSuspended),
            (EventKind::PostPublished, EventKind::UserRestored),
        ];
        for (told, logged) in more {
            if self.kinds.contains(told) {
                kinds = kinds.union(EventKinds::of(&[logged]));
            }
        }
        kinds
    }
}
