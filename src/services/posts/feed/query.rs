//! The parameters of a list of posts.

use entity::values::{FeedSkip, Limit, MetadataFilters, SearchText, Tag, UserId};
use time::OffsetDateTime;

use super::{
    order::{FeedCursor, Sort},
    source::FeedSource,
};
use crate::services::paging::PageRequest;

/// A list that skips more posts is expensive: the database reads and discards them. 1,000 take it up
/// to 6 ms.
const MAX_CHEAP_SKIP: u64 = 1_000;

/// The parameters of a list of posts.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct FeedQuery {
    /// Maximum number of posts.
    pub limit: Limit,
    /// Number of posts to skip.
    pub skip: FeedSkip,
    /// The order, unless `cursor` has one.
    pub sort: Sort,
    /// The position at which the page starts or ends.
    pub cursor: Option<FeedCursor>,
    /// Words that must all occur in the title or the content. Empty for no search.
    pub search: SearchText,
    /// Only posts with this tag.
    pub tag: Option<Tag>,
    /// Only posts of this user.
    pub owner_id: Option<UserId>,
    /// True: only posts that the viewer voted for; false: only the others.
    pub voted: Option<bool>,
    /// True: only published posts; false: only the viewer's drafts.
    pub published: Option<bool>,
    /// Only posts created after this time.
    pub created_after: Option<OffsetDateTime>,
    /// Only posts created before this time.
    pub created_before: Option<OffsetDateTime>,
    /// Only posts with these members in their metadata.
    pub metadata: MetadataFilters,
    /// Count all posts of the list. This takes a second statement.
    pub count: bool,
}

impl FeedQuery {
    /// True if the database may read many more posts than the page has: no index has both the order
    /// and the conditions of the list, or the posts are searched, counted or skipped.
    #[must_use]
    pub fn is_expensive(&self) -> bool {
        let drafts = self.published == Some(false);
        let indexes = [
            self.owner_id.is_some() || drafts,
            self.voted == Some(true),
            self.tag.is_some(),
            self.has_time_bounds(),
            matches!(self.sort(), Sort::Top | Sort::Hot),
        ];
        // An index finds the posts with a member, but not in the order of the list.
        let is_unindexed = drafts || self.voted == Some(false) || !self.metadata.is_empty();
        self.count
            || self.skip.get() > MAX_CHEAP_SKIP
            || !self.search.as_str().trim().is_empty()
            || is_unindexed
            || indexes.into_iter().filter(|needed| *needed).count() > 1
    }

    /// The order of the list.
    pub(super) fn sort(&self) -> Sort {
        self.cursor.map_or(self.sort, |cursor| cursor.sort)
    }

    /// Size, direction and start of the page.
    pub(super) fn page_request(&self) -> PageRequest {
        PageRequest {
            limit: self.limit.get(),
            backwards: self.cursor.is_some_and(|cursor| cursor.cursor.before),
            resumed: self.cursor.is_some() || self.skip.get() > 0,
        }
    }

    /// True if the list has time bounds. `new` and `old` then order by time and not by id.
    pub(super) fn has_time_bounds(&self) -> bool {
        self.created_after.is_some() || self.created_before.is_some()
    }

    /// True if the order depends only on ids and, for `best`, on matches in the title.
    pub(super) fn is_ordered_by_id(&self) -> bool {
        match self.sort() {
            Sort::Best => true,
            Sort::New | Sort::Old => !self.has_time_bounds(),
            Sort::Top | Sort::Hot => false,
        }
    }

    /// True if the pages of different viewers differ only by their drafts and votes.
    pub(super) fn is_shareable(&self) -> bool {
        let personal = self.voted.is_some() || self.published == Some(false);
        // A viewer's drafts change which posts are skipped and counted.
        !personal && self.skip.get() == 0 && !self.count
    }

    /// The sources whose intersection is listed; empty for all posts. `None` if the list needs a
    /// viewer and the request is anonymous: no post matches.
    pub(super) fn sources(&self, viewer: Option<UserId>) -> Option<Vec<FeedSource>> {
        let mut sources = Vec::new();
        sources.extend(self.owner_id.map(FeedSource::Owner));
        if self.published == Some(false) {
            sources.push(FeedSource::Drafts(viewer?));
        }
        if self.voted == Some(true) {
            sources.push(FeedSource::VotedBy(viewer?));
        }
        sources.extend(self.tag.clone().map(FeedSource::Tag));
        Some(sources)
    }
}
