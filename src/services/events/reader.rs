//! Events for one reader.

use entity::values::PostId;
use futures_util::future::try_join_all;

use super::{Event, EventFilter, Told, Viewer};
use crate::{
    db::Db,
    error::Error,
    services::posts::{self, PostView},
};

/// A reader and what they ask for.
#[derive(Clone, Debug)]
pub struct Reader {
    /// The reader.
    pub viewer: Viewer,
    /// The events that the reader asks for.
    pub filter: EventFilter,
    /// Whether events of posts have the post.
    pub with_posts: bool,
}

/// An event for a reader.
#[derive(Debug)]
pub struct Delivery {
    /// The event.
    pub told: Told,
    /// Its post, if the reader asks for posts.
    pub post: Option<PostView>,
}

impl Reader {
    /// `event` as the reader sees it, if they ask for it.
    #[must_use]
    pub fn told(&self, event: &Event) -> Option<Told> {
        let told = event.seen_by(&self.viewer)?;
        self.filter.selects(event, &told).then_some(told)
    }

    /// Adds the posts, if the reader asks for them. Leaves out events of posts that are no longer visible: a
    /// later event tells.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn with_posts(&self, db: &Db, told: &[Told]) -> Result<Vec<Delivery>, Error> {
        let deliveries = told.iter().map(|told| self.with_post(db, *told));
        let deliveries = try_join_all(deliveries).await?;
        Ok(deliveries.into_iter().flatten().collect())
    }

    /// Adds the post, like [`with_posts`](Self::with_posts).
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn with_post(&self, db: &Db, told: Told) -> Result<Option<Delivery>, Error> {
        let id = told.post_id.filter(|_| self.with_posts && told.has_post());
        let Some(id) = id.and_then(|id| PostId::parse(id).ok()) else {
            return Ok(Some(Delivery { told, post: None }));
        };
        match posts::get(db, self.viewer.user, id).await {
            Ok(post) => {
                let post = Some(post);
                Ok(Some(Delivery { told, post }))
            }
            // Everything includes the events of posts that an admin does not see.
            Err(Error::NotFound { .. }) if self.viewer.sees_all => {
                Ok(Some(Delivery { told, post: None }))
            }
            Err(Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }
}
