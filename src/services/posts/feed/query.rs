//! What lists are asked for, and what they are.

use std::{
    mem,
    sync::{Mutex, OnceLock, PoisonError},
};

use time::OffsetDateTime;

use super::{Position, Sort};
use crate::services::posts::Post;

/// Which posts to list.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Query {
    /// How many at most, 1 to 100.
    pub limit: u64,
    /// How many to pass over first.
    pub skip: u64,
    /// In which order, if `position` does not say.
    pub sort: Sort,
    /// Where to go on in an earlier list.
    pub position: Option<Position>,
    /// Words that must all occur in the title or the content; none when empty.
    pub search: String,
    /// Only with this tag.
    pub tag: Option<String>,
    /// Only this user's.
    pub owner_id: Option<i64>,
    /// Only those that the reader voted for, or only the others.
    pub voted: Option<bool>,
    /// Only published ones, or only (the reader's own) drafts.
    pub published: Option<bool>,
    /// Only later ones.
    pub created_after: Option<OffsetDateTime>,
    /// Only earlier ones.
    pub created_before: Option<OffsetDateTime>,
    /// Whether to count all that fit, wherever the list begins: that takes a second query.
    pub count: bool,
}

impl Query {
    pub(in crate::services::posts) fn sort(&self) -> Sort {
        self.position.map_or(self.sort, |position| position.sort)
    }

    /// Whether it is about a span of time, in which posts are ordered by their moments.
    pub(in crate::services::posts) fn in_span(&self) -> bool {
        self.created_after.is_some() || self.created_before.is_some()
    }

    /// Whether nothing but the numbers of posts, and what words they have, orders them.
    pub(in crate::services::posts) fn by_number(&self) -> bool {
        match self.sort() {
            Sort::Best => true,
            Sort::New | Sort::Old => !self.in_span(),
            Sort::Top | Sort::Hot => false,
        }
    }

    /// Whether readers differ in nothing but which drafts they see, and what they voted for.
    pub(super) fn is_for_all(&self) -> bool {
        let own = self.voted.is_some() || self.published == Some(false);
        // Passing over posts and counting them are different for one who has drafts among them.
        !own && self.skip == 0 && !self.count
    }

    pub(in crate::services::posts) fn backwards(&self) -> bool {
        self.position.is_some_and(|position| position.before)
    }
}

/// A page of a list. Readers who see the same share it.
#[derive(Debug)]
pub struct Page<R> {
    posts: Mutex<Vec<Post>>,
    rendered: OnceLock<Result<R, String>>,
    /// The position of the next page.
    pub next: Option<Position>,
    /// The position of the previous page.
    pub prev: Option<Position>,
    /// The number of posts of the whole list, if it was asked for.
    pub total: Option<u64>,
}

impl<R> Page<R> {
    pub(super) fn new(
        posts: Vec<Post>,
        next: Option<Position>,
        prev: Option<Position>,
        total: Option<u64>,
    ) -> Self {
        Self {
            posts: Mutex::new(posts),
            rendered: OnceLock::new(),
            next,
            prev,
            total,
        }
    }

    /// The page as `render` makes it of its posts. Renders once, however many readers share the
    /// page.
    ///
    /// # Errors
    /// That of `render`.
    pub fn rendered(
        &self,
        render: impl FnOnce(Vec<Post>, &Self) -> Result<R, String>,
    ) -> Result<R, String>
    where
        R: Clone,
    {
        let render = || {
            let mut posts = self.posts.lock().unwrap_or_else(PoisonError::into_inner);
            render(mem::take(&mut *posts), self)
        };
        self.rendered.get_or_init(render).clone()
    }
}
