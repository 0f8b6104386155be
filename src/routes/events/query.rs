//! The query parameters of `GET /events`.

use actix_web::HttpRequest;
use deserr::Deserr;
use entity::values::{EventKinds, EventPosition, Limit, PostId, PresentedTicket, Tag, UserId};
use utoipa::{IntoParams, ToSchema};

use crate::{
    db::Db,
    error::Error,
    http::{Problem, event_stream::LAST_EVENT_ID, input::QueryErrors},
    services::events::{self, EventFilter},
};

/// The query parameters of `GET /events`.
#[derive(Deserr, IntoParams)]
#[deserr(error = QueryErrors)]
#[into_params(parameter_in = Query)]
pub(super) struct EventParameters {
    /// Only events after this position. 0 stands before the oldest event that is kept. The default is
    /// the present end of the log.
    #[deserr(default)]
    #[param(inline, nullable = false)]
    pub after: Option<EventPosition>,
    /// Maximum number of events in a page. A stream ignores it.
    #[deserr(default)]
    #[param(inline, required = false)]
    pub limit: Limit,
    /// Only these kinds, separated by commas. `post.*` means all that begin with `post.`.
    #[deserr(default)]
    #[param(inline, nullable = false)]
    kinds: Option<EventKinds>,
    /// Only events of this user and of posts by this user.
    #[deserr(default)]
    #[param(inline, nullable = false)]
    owner_id: Option<UserId>,
    /// Only events of this post.
    #[deserr(default)]
    #[param(inline, nullable = false)]
    post_id: Option<PostId>,
    /// Only events of posts with this tag, and of deleted posts, whose tags are gone.
    #[deserr(default)]
    #[param(inline, nullable = false)]
    tag: Option<Tag>,
    /// `post`: events of a post have the post as it is at the time of delivery. Needs the scope
    /// `posts:read`.
    #[deserr(default)]
    #[param(inline, nullable = false)]
    pub include: Option<Include>,
    /// A ticket, in place of a token. It can be used once.
    #[deserr(default)]
    #[param(inline, nullable = false)]
    #[expect(dead_code, reason = "read before the input, by the authentication")]
    ticket: Option<PresentedTicket>,
}

/// What events have besides ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserr, ToSchema)]
#[deserr(error = QueryErrors, rename_all = lowercase)]
#[schema(rename_all = "lowercase")]
pub(super) enum Include {
    /// The post.
    Post,
}

impl EventParameters {
    /// The filter of the parameters for `viewer`.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn filter(&self, db: &Db, viewer: Option<UserId>) -> Result<EventFilter, Error> {
        let post = match self.post_id {
            Some(id) => Some(events::post_with_owner(db, viewer, id).await?),
            None => None,
        };
        Ok(EventFilter {
            kinds: self.kinds.unwrap_or(EventKinds::ALL),
            owner_id: self.owner_id,
            post,
            tag: self.tag.clone(),
        })
    }
}

/// The position that the client asks for: that of the header `Last-Event-ID`, which a browser sends when it
/// connects again, or `after`.
///
/// # Errors
/// 400.
pub(super) fn position(
    request: &HttpRequest,
    parameters: &EventParameters,
) -> Result<Option<EventPosition>, Problem> {
    let value = request.headers().get(LAST_EVENT_ID);
    let Some(value) = value.filter(|value| !value.is_empty()) else {
        return Ok(parameters.after);
    };
    let position = value.to_str().ok().and_then(|text| text.parse().ok());
    match position {
        Some(position) => Ok(Some(position)),
        None => Err(Problem::malformed(
            "the header `Last-Event-ID` is not a position",
        )),
    }
}
