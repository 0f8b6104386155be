//! Problem details (RFC 9457): the one place where what went wrong becomes an HTTP answer.

use std::fmt;

use actix_web::{
    HttpResponse, ResponseError,
    body::BoxBody,
    dev::ServiceResponse,
    http::{
        StatusCode,
        header::{self, HeaderValue},
    },
};
use serde::Serialize;

use super::request_id::RequestId;
use crate::error::{Error, Fault};

/// After how many seconds a client that was told 503 may come back.
const RETRY_AFTER: &str = "2";

/// What a client is told, and what the operator's log is told.
#[derive(Clone, Debug)]
pub struct Problem {
    status: StatusCode,
    detail: String,
    errors: Vec<Fault>,
    error: Option<&'static str>,
    challenge: Option<&'static str>,
    /// For the operator alone.
    cause: Option<String>,
}

/// The body of every 4xx and 5xx answer.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = Problem)]
pub struct ProblemDetails<'a> {
    /// What kind of problem it is.
    #[serde(rename = "type")]
    #[schema(example = "/problems/not-found")]
    kind: &'a str,
    /// The kind in words.
    #[schema(example = "Not found")]
    title: &'a str,
    /// The HTTP status.
    #[schema(example = 404)]
    status: u16,
    /// One sentence on what is wrong this time.
    #[schema(example = "post 42 does not exist")]
    detail: &'a str,
    /// The request id.
    #[schema(example = "01932f3e-8f0c-7c8e-b7d1-0c5a3f3f5d11")]
    instance: &'a str,
    /// With 422: everything that is wrong with the input.
    #[serde(skip_serializing_if = "<[Fault]>::is_empty")]
    #[schema(required = false)]
    errors: &'a [Fault],
    /// With 401 of `/login`: the error code of OAuth 2.0 (RFC 6749, section 5.2).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "invalid_grant")]
    error: Option<&'a str>,
}

impl Problem {
    fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self {
            status,
            detail: detail.into(),
            errors: Vec::new(),
            error: None,
            challenge: None,
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

    fn kind(&self) -> (&'static str, &'static str) {
        match self.status {
            StatusCode::BAD_REQUEST => ("/problems/bad-request", "Bad request"),
            StatusCode::UNAUTHORIZED => ("/problems/unauthorized", "Unauthorized"),
            StatusCode::FORBIDDEN => ("/problems/forbidden", "Forbidden"),
            StatusCode::NOT_FOUND => ("/problems/not-found", "Not found"),
            StatusCode::METHOD_NOT_ALLOWED => {
                ("/problems/method-not-allowed", "Method not allowed")
            }
            StatusCode::REQUEST_TIMEOUT => ("/problems/request-timeout", "Request timeout"),
            StatusCode::CONFLICT => ("/problems/conflict", "Conflict"),
            StatusCode::PAYLOAD_TOO_LARGE => ("/problems/content-too-large", "Content too large"),
            StatusCode::UNSUPPORTED_MEDIA_TYPE => {
                ("/problems/unsupported-media-type", "Unsupported media type")
            }
            StatusCode::UNPROCESSABLE_ENTITY => {
                ("/problems/unprocessable-content", "Unprocessable content")
            }
            StatusCode::INTERNAL_SERVER_ERROR => {
                ("/problems/internal-server-error", "Internal server error")
            }
            StatusCode::SERVICE_UNAVAILABLE => {
                ("/problems/service-unavailable", "Service unavailable")
            }
            // RFC 9457, section 4.2.1: no more than the status says.
            other => (
                "about:blank",
                other.canonical_reason().unwrap_or("Unknown"),
            ),
        }
    }

    fn body(&self, instance: &str) -> BoxBody {
        let (kind, title) = self.kind();
        let details = ProblemDetails {
            kind,
            title,
            status: self.status.as_u16(),
            detail: &self.detail,
            instance,
            errors: &self.errors,
            error: self.error,
        };
        // Nothing in it can fail to serialise.
        BoxBody::new(serde_json::to_vec(&details).unwrap_or_default())
    }
}

/// `response`, which is a 4xx or 5xx, with problem details for its body. Its headers stay.
#[must_use]
pub fn render(response: ServiceResponse, id: &RequestId) -> ServiceResponse {
    let ours = response.response().error().and_then(|e| e.as_error());
    let problem: Problem = match ours {
        Some(problem) => Clone::clone(problem),
        None => Problem::of_status(response.status()),
    };
    let mut response = response.map_body(|_, _| problem.body(&id.0));
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/problem+json"),
    );
    response
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let detail = error.to_string();
        match &error {
            Error::NotFound { .. } | Error::NoVote { .. } => {
                Self::new(StatusCode::NOT_FOUND, detail)
            }
            Error::NotOwner { .. } => Self::new(StatusCode::FORBIDDEN, detail),
            Error::Taken { .. } | Error::AlreadyVoted { .. } => {
                Self::new(StatusCode::CONFLICT, detail)
            }
            Error::BadCredentials => Self {
                error: Some("invalid_grant"),
                challenge: Some("Bearer"),
                ..Self::new(StatusCode::UNAUTHORIZED, detail)
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
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            response.insert_header((header::RETRY_AFTER, RETRY_AFTER));
        }
        if self.error.is_some() {
            response.insert_header((header::CACHE_CONTROL, "no-store"));
        }
        response.body(self.body(""))
    }
}
