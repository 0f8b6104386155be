//! Problem details (RFC 9457). Converts every error to an HTTP response.

mod conversion;
mod details;
mod oauth;
mod rows;
pub mod types;

use std::{
    fmt,
    num::{NonZeroI64, NonZeroU32},
};

use actix_web::{
    HttpResponse, ResponseError,
    dev::ServiceResponse,
    http::{StatusCode, header},
};

use entity::values::Invalid;

use crate::error::FieldError;
pub use details::{ProblemDetails, render};
pub use oauth::{OAuthCode, OAuthError};
pub use types::{ProblemPage, ProblemType};

/// `Retry-After` of a 503, in seconds.
const RETRY_AFTER: Option<NonZeroU32> = NonZeroU32::new(2);

/// `Retry-After` for expensive reads, in seconds: their queries end by then.
const EXPENSIVE_RETRY_AFTER: Option<NonZeroU32> = NonZeroU32::new(2);

/// The maximum number of entries in `errors`. The members of an input have fewer.
pub const MAX_ERRORS: usize = 100;
/// Maximum number of errors of a request with several rows: one for each row that it can have.
pub const MAX_ROW_ERRORS: usize = 1000;

/// An error response: its content for the client, and its cause for the operator's log.
#[derive(Clone, Debug)]
pub struct Problem {
    status: StatusCode,
    /// `None` if only the status is known (`about:blank`).
    definition: Option<&'static ProblemType>,
    detail: Box<str>,
    errors: Vec<FieldError>,
    /// The version of the post that a precondition excludes.
    current_version: Option<NonZeroI64>,
    /// The OAuth 2.0 error code (RFC 6749, section 5.2).
    oauth_error: Option<OAuthCode>,
    /// `error_uri` of OAuth 2.0. If it is set, the body is an [`OAuthError`].
    error_uri: Option<Box<str>>,
    /// The value of `WWW-Authenticate`.
    challenge: Option<&'static str>,
    /// The value of `Retry-After`, in seconds.
    retry_after: Option<NonZeroU32>,
    /// Logged, and never sent to the client.
    cause: Option<String>,
}

impl Problem {
    fn new(problem_type: &'static ProblemType, detail: impl Into<String>) -> Self {
        Self {
            definition: Some(problem_type),
            ..Self::untyped(problem_type.status, detail)
        }
    }

    fn untyped(status: StatusCode, detail: impl Into<String>) -> Self {
        Self {
            status,
            definition: None,
            detail: detail.into().into(),
            errors: Vec::new(),
            current_version: None,
            oauth_error: None,
            error_uri: None,
            challenge: None,
            retry_after: None,
            cause: None,
        }
    }

    /// 400: the request cannot be parsed.
    pub fn malformed(detail: impl Into<String>) -> Self {
        Self::new(types::BAD_REQUEST, detail)
    }

    /// 401: the request has no credentials. The challenge then has no error code (RFC 6750, section
    /// 3.1).
    #[must_use]
    pub fn unauthenticated() -> Self {
        Self {
            challenge: Some("Bearer"),
            ..Self::new(
                types::UNAUTHORIZED,
                "an access token is required: `Authorization: Bearer TOKEN`",
            )
        }
    }

    /// 404: no route matches the path.
    #[must_use]
    pub fn no_route() -> Self {
        Self::new(types::NOT_FOUND, "no resource exists at this path")
    }

    /// 408: the body did not arrive in time.
    #[must_use]
    pub fn body_timeout() -> Self {
        Self::new(
            types::REQUEST_TIMEOUT,
            "the request body did not arrive in time",
        )
    }

    /// 408: the large body arrives slowly, and others wait for its place.
    #[must_use]
    pub fn slow_body() -> Self {
        Self::new(
            types::REQUEST_TIMEOUT,
            "the request body arrives too slowly, and other large bodies wait for its place",
        )
    }

    /// 413: the body is larger than `max_bytes`.
    #[must_use]
    pub fn too_large(max_bytes: usize) -> Self {
        Self::new(
            types::CONTENT_TOO_LARGE,
            format!("the request body is larger than {max_bytes} bytes"),
        )
    }

    /// 415: the media type or the content coding of the body is not supported. `detail` names the
    /// supported ones.
    pub fn unsupported(detail: impl Into<String>) -> Self {
        Self::new(types::UNSUPPORTED_MEDIA_TYPE, detail)
    }

    /// 422: the input has `errors`.
    #[must_use]
    pub fn invalid(mut errors: Vec<FieldError>) -> Self {
        errors.truncate(MAX_ERRORS);
        let detail = errors
            .iter()
            .map(|error| match error.field.as_str() {
                "" => error.message.clone(),
                field => format!("{field} {}", error.message),
            })
            .collect::<Vec<_>>()
            .join("; ");
        Self {
            errors,
            ..Self::new(types::UNPROCESSABLE_CONTENT, detail)
        }
    }

    /// 422: `field` breaks the rules in `invalid`.
    #[must_use]
    pub fn invalid_field(field: &str, invalid: &Invalid) -> Self {
        Self::invalid(FieldError::all(field, invalid).collect())
    }

    /// 429: too many requests of the kind `counted`, such as "sign-ins from this address". The next
    /// one is allowed after `seconds`.
    #[must_use]
    pub fn too_many(counted: &str, seconds: NonZeroU32) -> Self {
        let s = if seconds.get() == 1 { "" } else { "s" };
        Self {
            retry_after: Some(seconds),
            ..Self::new(
                types::TOO_MANY_REQUESTS,
                format!("too many {counted}; try again in {seconds} second{s}"),
            )
        }
    }

    /// 429: the caller has `max` expensive reads in progress already.
    #[must_use]
    pub fn too_many_expensive_reads(max: usize) -> Self {
        Self {
            retry_after: EXPENSIVE_RETRY_AFTER,
            ..Self::new(
                types::TOO_MANY_EXPENSIVE_READS,
                format!("you have {max} expensive lists in progress; wait for them to end"),
            )
        }
    }

    /// 429: the caller has `max` streams open already.
    #[must_use]
    pub fn too_many_streams(max: usize) -> Self {
        Self {
            retry_after: EXPENSIVE_RETRY_AFTER,
            ..Self::new(
                types::TOO_MANY_STREAMS,
                format!("you have {max} streams open; close one to open another"),
            )
        }
    }

    /// 429: the sender, such as "you have", has `max` large request bodies in progress already.
    #[must_use]
    pub fn too_many_large_bodies(sender_has: &str, max: usize) -> Self {
        Self {
            retry_after: RETRY_AFTER,
            ..Self::new(
                types::TOO_MANY_REQUESTS,
                format!(
                    "{sender_has} {max} large request bodies in progress; wait for them to end"
                ),
            )
        }
    }

    /// 503: too much work of one kind is in progress; other requests are not affected.
    pub fn busy(detail: impl Into<String>) -> Self {
        Self {
            retry_after: RETRY_AFTER,
            ..Self::new(types::SERVICE_BUSY, detail)
        }
    }

    /// 500: an internal error. `cause` is only logged.
    #[must_use]
    pub fn internal(cause: impl Into<String>) -> Self {
        Self {
            cause: Some(cause.into()),
            ..Self::new(
                types::INTERNAL_SERVER_ERROR,
                "internal error; the operator's log has the cause under this request id",
            )
        }
    }

    /// 503: a retry may soon succeed. `cause` is only logged.
    pub fn unavailable(detail: impl Into<String>, cause: Option<String>) -> Self {
        Self {
            cause,
            retry_after: RETRY_AFTER,
            ..Self::new(types::SERVICE_UNAVAILABLE, detail)
        }
    }

    /// The same with another sentence in its detail.
    #[must_use]
    pub fn adding(self, sentence: &str) -> Self {
        let detail = format!("{}; {sentence}", self.detail).into();
        Self { detail, ..self }
    }

    /// The type of `response`, a 4xx or 5xx; `None` if only its status is known.
    #[must_use]
    pub fn type_of(response: &ServiceResponse) -> Option<&'static ProblemType> {
        let error = response.response().error();
        match error.and_then(|error| error.as_error::<Self>()) {
            Some(problem) => problem.definition,
            None => ProblemType::general(response.status()),
        }
    }

    /// The path of the documentation; `about:blank` without a type.
    fn type_uri(&self) -> String {
        let uri = self.definition.map(ProblemType::uri);
        uri.unwrap_or_else(|| "about:blank".to_owned())
    }

    /// The cause for the operator's log.
    #[must_use]
    pub fn cause(&self) -> Option<&str> {
        self.cause.as_deref()
    }

    /// A problem from the router, the CORS check or a library.
    fn of_status(status: StatusCode) -> Self {
        let detail = match status {
            StatusCode::METHOD_NOT_ALLOWED => "this path does not support this method; see `Allow`",
            _ => status.canonical_reason().unwrap_or("the request failed"),
        };
        Self {
            definition: ProblemType::general(status),
            ..Self::untyped(status, detail)
        }
    }

    /// A problem with one entry in `errors`.
    fn of_field(
        problem_type: &'static ProblemType,
        detail: String,
        [field, code, message]: [&str; 3],
    ) -> Self {
        Self {
            errors: vec![FieldError::new(field, code, message)],
            ..Self::new(problem_type, detail)
        }
    }

    fn with_challenge(self, challenge: &'static str) -> Self {
        Self {
            challenge: Some(challenge),
            ..self
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.detail)
    }
}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        self.status
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = HttpResponse::build(self.status);
        response.content_type(self.media_type());
        if let Some(challenge) = self.challenge {
            response.insert_header((header::WWW_AUTHENTICATE, challenge));
        }
        if let Some(seconds) = self.retry_after {
            response.insert_header((header::RETRY_AFTER, seconds.get()));
        }
        response.body(self.body(""))
    }
}
