//! Problem details (RFC 9457): the one place where what went wrong becomes an HTTP answer.

mod details;
mod kinds;

use std::{fmt, num::NonZeroU32};

use actix_web::{
    HttpResponse, ResponseError,
    http::{StatusCode, header},
};

use crate::error::{Error, Fault};
pub use details::{ProblemDetails, render};
pub use kinds::{KINDS, Kind, Page};

/// After how many seconds a client that was told 503 may come back.
const RETRY_AFTER: Option<NonZeroU32> = NonZeroU32::new(2);

/// What a client is told, and what the operator's log is told.
#[derive(Clone, Debug)]
pub struct Problem {
    status: StatusCode,
    detail: String,
    errors: Vec<Fault>,
    error: Option<&'static str>,
    challenge: Option<&'static str>,
    /// In seconds.
    retry_after: Option<NonZeroU32>,
    /// For the operator alone.
    cause: Option<String>,
}

impl Problem {
    fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self {
            status,
            detail: detail.into(),
            errors: Vec::new(),
            error: None,
            challenge: None,
            retry_after: None,
            cause: None,
        }
    }

    /// 400: what was sent cannot be read at all.
    pub fn malformed(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, detail)
    }

    /// 401: no credentials were sent (RFC 6750, section 3.1: a bare challenge).
    #[must_use]
    pub fn unauthenticated() -> Self {
        Self {
            challenge: Some("Bearer"),
            ..Self::new(
                StatusCode::UNAUTHORIZED,
                "this needs an access token: `Authorization: Bearer TOKEN`",
            )
        }
    }

    /// 404: the router knows no such path.
    #[must_use]
    pub fn no_route() -> Self {
        Self::new(StatusCode::NOT_FOUND, "there is nothing at this path")
    }

    /// 408: the body did not arrive in time.
    #[must_use]
    pub fn too_slow() -> Self {
        Self::new(
            StatusCode::REQUEST_TIMEOUT,
            "the request's body did not arrive in time",
        )
    }

    /// 413.
    #[must_use]
    pub fn too_large(bytes: usize) -> Self {
        Self::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            format!("the request's body is larger than {bytes} bytes"),
        )
    }

    /// 415: `expected` says what would be right.
    pub fn unsupported(expected: impl Into<String>) -> Self {
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, expected)
    }

    /// 422, one of `errors` for each fault.
    #[must_use]
    pub fn invalid(errors: Vec<Fault>) -> Self {
        let detail = errors
            .iter()
            .map(|fault| match fault.field.as_str() {
                "" => fault.message.clone(),
                field => format!("{field} {}", fault.message),
            })
            .collect::<Vec<_>>()
            .join("; ");
        Self {
            errors,
            ..Self::new(StatusCode::UNPROCESSABLE_ENTITY, detail)
        }
    }

    /// 429: of `what`, which says what and where. There is room again in `seconds`.
    #[must_use]
    pub fn too_many(what: &str, seconds: NonZeroU32) -> Self {
        let s = if seconds.get() == 1 { "" } else { "s" };
        Self {
            retry_after: Some(seconds),
            ..Self::new(
                StatusCode::TOO_MANY_REQUESTS,
                format!("too many {what}; try again in {seconds} second{s}"),
            )
        }
    }

    /// 500: `cause` is for the operator's log.
    #[must_use]
    pub fn internal(cause: String) -> Self {
        Self {
            cause: Some(cause),
            ..Self::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                "the service failed; the operator's log has the cause under this request id",
            )
        }
    }

    /// 503: worth another try soon. `cause` is for the operator's log.
    pub fn unavailable(detail: impl Into<String>, cause: Option<String>) -> Self {
        Self {
            cause,
            retry_after: RETRY_AFTER,
            ..Self::new(StatusCode::SERVICE_UNAVAILABLE, detail)
        }
    }

    /// What the operator's log is told, if anything.
    #[must_use]
    pub fn cause(&self) -> Option<&str> {
        self.cause.as_deref()
    }

    /// A problem that no code of ours raised: the router, the CORS check, a library.
    fn of_status(status: StatusCode) -> Self {
        let detail = match status {
            StatusCode::METHOD_NOT_ALLOWED => "this path does not take this method; see `Allow`",
            _ => status.canonical_reason().unwrap_or("the request failed"),
        };
        Self::new(status, detail)
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let detail = error.to_string();
        match &error {
            Error::NotFound { .. }
            | Error::NoUser { .. }
            | Error::PostGone
            | Error::NoVote { .. } => Self::new(StatusCode::NOT_FOUND, detail),
            Error::NotOwner { .. }
            | Error::Suspended
            | Error::RoleNeeded { .. }
            | Error::WrongPassword => Self::new(StatusCode::FORBIDDEN, detail),
            Error::Taken { .. }
            | Error::AlreadyVoted { .. }
            | Error::TooMany { .. }
            | Error::Oneself => Self::new(StatusCode::CONFLICT, detail),
            Error::BadCredentials | Error::InvalidGrant => Self {
                error: Some("invalid_grant"),
                challenge: Some("Bearer"),
                ..Self::new(StatusCode::UNAUTHORIZED, detail)
            },
            Error::InsufficientScope { .. } | Error::SessionNeeded => Self {
                challenge: Some(r#"Bearer error="insufficient_scope""#),
                ..Self::new(StatusCode::FORBIDDEN, detail)
            },
            Error::InvalidToken => Self {
                challenge: Some(r#"Bearer error="invalid_token""#),
                ..Self::new(StatusCode::UNAUTHORIZED, detail)
            },
            Error::Overloaded => Self::unavailable(detail, None),
            Error::TryAgain(cause) | Error::Unavailable(cause) => {
                Self::unavailable(detail, Some(cause.to_string()))
            }
            Error::Internal(cause) => Self::internal(cause.to_string()),
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
        response.content_type("application/problem+json");
        if let Some(challenge) = self.challenge {
            response.insert_header((header::WWW_AUTHENTICATE, challenge));
        }
        if let Some(seconds) = self.retry_after {
            response.insert_header((header::RETRY_AFTER, seconds.get()));
        }
        if self.error.is_some() || self.status == StatusCode::TOO_MANY_REQUESTS {
            response.insert_header((header::CACHE_CONTROL, "no-store"));
        }
        response.body(self.body(""))
    }
}
