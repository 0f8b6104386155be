//! What a problem's `type` can be, and the page that it leads to.

use std::num::NonZeroU32;

use actix_web::http::StatusCode;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::Problem;
use crate::error::{Error, Fault};

/// A kind of problem.
pub struct Kind {
    /// The status that goes with it, which no other kind has.
    pub status: StatusCode,
    /// `type`: the path of its page.
    pub uri: &'static str,
    /// The kind in words.
    pub title: &'static str,
    /// What it means.
    pub meaning: &'static str,
    advice: &'static str,
    example: fn() -> Problem,
}

/// What the page of a kind of problem says.
#[derive(Serialize, ToSchema)]
#[schema(as = ProblemType)]
pub struct Page {
    /// The page's own path.
    #[serde(rename = "type")]
    #[schema(format = UriReference, example = "/problems/not-found")]
    pub uri: &'static str,
    /// The kind in words.
    #[schema(example = "Not found")]
    pub title: &'static str,
    /// The HTTP status that goes with it.
    #[schema(minimum = 400, maximum = 599, example = 404)]
    pub status: u16,
    /// What it means.
    #[schema(example = "There is nothing at this path.")]
    pub meaning: &'static str,
    /// What to do.
    #[schema(example = "Check the path and the number in it.")]
    pub advice: &'static str,
    /// An answer of this kind.
    #[schema(value_type = super::ProblemDetails)]
    pub example: Value,
}

/// The request id in examples.
const INSTANCE: &str = "01932f3e-8f0c-7c8e-b7d1-0c5a3f3f5d11";

/// The seconds to wait in examples.
const EXAMPLE_WAIT: NonZeroU32 = NonZeroU32::MIN.saturating_add(11);

impl Kind {
    /// The kind that goes with `status`, if there is one.
    #[must_use]
    pub fn of(status: StatusCode) -> Option<&'static Self> {
        KINDS.iter().find(|kind| kind.status == status)
    }

    /// The kind whose page is at `uri`.
    #[must_use]
    pub fn at(uri: &str) -> Option<&'static Self> {
        KINDS.iter().find(|kind| kind.uri == uri)
    }

    /// The body of an answer of this kind.
    #[must_use]
    pub fn example(&self) -> Value {
        // Nothing in it can fail to serialise.
        serde_json::to_value((self.example)().details(INSTANCE)).unwrap_or_default()
    }

    /// Its page.
    #[must_use]
    pub fn page(&self) -> Page {
        Page {
            uri: self.uri,
            title: self.title,
            status: self.status.as_u16(),
            meaning: self.meaning,
            advice: self.advice,
            example: self.example(),
        }
    }
}

/// Every kind.
pub static KINDS: [Kind; 13] = [
    Kind {
        status: StatusCode::BAD_REQUEST,
        uri: "/problems/bad-request",
        title: "Bad request",
        meaning: "The request could not be read: its body is not JSON at all, it is not UTF-8, or a header is malformed; or a browser asked for a page whose origin is not on the service's list.",
        advice: "Send what the detail asks for. The same request will be refused again.",
        example: || Problem::malformed("the body is not JSON: see line 1 column 12"),
    },
    Kind {
        status: StatusCode::UNAUTHORIZED,
        uri: "/problems/unauthorized",
        title: "Unauthorized",
        meaning: "The request came without an access token, with one that is not valid or has expired, or the username or the password is wrong.",
        advice: "Sign in with POST /login and send the token as Authorization: Bearer TOKEN.",
        example: Problem::unauthenticated,
    },
    Kind {
        status: StatusCode::FORBIDDEN,
        uri: "/problems/forbidden",
        title: "Forbidden",
        meaning: "You are known, but may not do this: the thing belongs to somebody else, your token lacks the scope, you lack the role, the current password is wrong, or the account is suspended.",
        advice: "Sign in as its owner, or make a token with the scope that the detail names. Only the owner may change a post; only the owner and moderators may delete it.",
        example: || Error::NotOwner { id: 42 }.into(),
    },
    Kind {
        status: StatusCode::NOT_FOUND,
        uri: "/problems/not-found",
        title: "Not found",
        meaning: "There is nothing at this path, or no such thing that you may know of: to everyone but its owner a draft does not exist.",
        advice: "Check the path and the number in it; GET /openapi.json lists every path.",
        example: || {
            Error::NotFound {
                what: "post",
                id: 42,
            }
            .into()
        },
    },
    Kind {
        status: StatusCode::METHOD_NOT_ALLOWED,
        uri: "/problems/method-not-allowed",
        title: "Method not allowed",
        meaning: "The path exists, but does not take this method.",
        advice: "Use one of the methods that the answer's Allow header lists.",
        example: || Problem::of_status(StatusCode::METHOD_NOT_ALLOWED),
    },
    Kind {
        status: StatusCode::REQUEST_TIMEOUT,
        uri: "/problems/request-timeout",
        title: "Request timeout",
        meaning: "The request's body took too long to arrive; nothing was done.",
        advice: "Send the request again, over a better connection or with a smaller body.",
        example: Problem::too_slow,
    },
    Kind {
        status: StatusCode::CONFLICT,
        uri: "/problems/conflict",
        title: "Conflict",
        meaning: "What is there already forbids it: the e-mail address or the username is taken, or you voted for this post before.",
        advice: "Choose another name, or take the detail as your answer: the vote is there.",
        example: || Error::AlreadyVoted { post_id: 42 }.into(),
    },
    Kind {
        status: StatusCode::PAYLOAD_TOO_LARGE,
        uri: "/problems/content-too-large",
        title: "Content too large",
        meaning: "The request's body is larger than the service reads.",
        advice: "Send less than the detail names.",
        example: || Problem::too_large(crate::http::body::LIMIT),
    },
    Kind {
        status: StatusCode::UNSUPPORTED_MEDIA_TYPE,
        uri: "/problems/unsupported-media-type",
        title: "Unsupported media type",
        meaning: "The body's Content-Type is missing or is not one that this path reads, or the body is compressed.",
        advice: "Send the Content-Type that the detail names, without Content-Encoding.",
        example: || Problem::unsupported("`Content-Type` must be application/json"),
    },
    Kind {
        status: StatusCode::UNPROCESSABLE_ENTITY,
        uri: "/problems/unprocessable-content",
        title: "Unprocessable content",
        meaning: "The request could be read, but something in its body, its query string or its path is not valid. Nothing was done.",
        advice: "Every fault is listed in errors: the field, a code for programs and a message for people. Mend them all and send the request again.",
        example: || {
            Problem::invalid(vec![Fault::new(
                "title",
                "length",
                "must be 1 to 300 characters",
            )])
        },
    },
    Kind {
        status: StatusCode::TOO_MANY_REQUESTS,
        uri: "/problems/too-many-requests",
        title: "Too many requests",
        meaning: "More was asked in a short time than the service allows, from one address, by one user or for one account. Nothing was done.",
        advice: "Send the request again after the seconds that Retry-After names. RateLimit-Policy says how often you may ask, RateLimit how much of that is left.",
        example: || Problem::too_many("sign-ins from this address", EXAMPLE_WAIT),
    },
    Kind {
        status: StatusCode::INTERNAL_SERVER_ERROR,
        uri: "/problems/internal-server-error",
        title: "Internal server error",
        meaning: "The service failed in a way that it did not foresee.",
        advice: "Tell its operator the instance: it leads to the cause in the service's log.",
        example: || Problem::internal(String::new()),
    },
    Kind {
        status: StatusCode::SERVICE_UNAVAILABLE,
        uri: "/problems/service-unavailable",
        title: "Service unavailable",
        meaning: "The service cannot do this now: its database is away or busy, too many sign-ins wait, or it is stopping.",
        advice: "Send the request again after the seconds that Retry-After names.",
        example: || Problem::unavailable("the database is away", None),
    },
];
