//! Problem types: one for each status, and one for each cause that a client may want to tell apart.

use std::num::NonZeroU32;

use actix_web::http::StatusCode;
use entity::{
    users::Role,
    values::{PostId, Scope},
};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::{Problem, ProblemDetails};
use crate::error::{Error, FieldError};

/// A problem type (RFC 9457, section 3.1.1).
#[derive(Debug)]
pub struct ProblemType {
    /// The status of its answers.
    pub status: StatusCode,
    /// The end of its URI.
    pub slug: &'static str,
    /// The type in words.
    pub title: &'static str,
    /// The meaning, for people.
    pub meaning: &'static str,
    advice: &'static str,
    example: fn() -> Problem,
}

/// The page of a problem type.
#[derive(Serialize, ToSchema)]
#[schema(as = ProblemType)]
pub struct ProblemPage {
    /// The page's own path.
    #[serde(rename = "type")]
    #[schema(format = UriReference, example = "/problems/not-found")]
    pub uri: String,
    /// The type in words.
    #[schema(example = "Not found")]
    pub title: &'static str,
    /// The HTTP status of its answers.
    #[schema(minimum = 400, maximum = 599, example = 404)]
    pub status: u16,
    /// The meaning.
    #[schema(example = "Nothing exists at this path.")]
    pub meaning: &'static str,
    /// The remedy.
    #[schema(example = "Check the path and the id in it.")]
    pub advice: &'static str,
    /// An answer of this type.
    #[schema(value_type = ProblemDetails)]
    pub example: Value,
}

/// The request id in examples.
const INSTANCE: &str = "01932f3e-8f0c-7c8e-b7d1-0c5a3f3f5d11";

/// The seconds to wait in examples.
const EXAMPLE_WAIT: NonZeroU32 = NonZeroU32::MIN.saturating_add(11);

impl ProblemType {
    /// The type of problems with `status` that have no special cause, if there is one.
    #[must_use]
    pub fn general(status: StatusCode) -> Option<&'static Self> {
        GENERAL
            .iter()
            .copied()
            .find(|general| general.status == status)
    }

    /// The type whose URI ends with `slug`.
    #[must_use]
    pub fn find(slug: &str) -> Option<&'static Self> {
        Self::all().find(|problem_type| problem_type.slug == slug)
    }

    /// Every type, the general ones first.
    pub fn all() -> impl Iterator<Item = &'static Self> {
        GENERAL.iter().chain(SPECIAL).copied()
    }

    /// The path of its page.
    #[must_use]
    pub fn uri(&self) -> String {
        format!("/problems/{}", self.slug)
    }

    /// The body of an answer of this type.
    #[must_use]
    pub fn example(&self) -> Value {
        // Serialising it cannot fail.
        serde_json::to_value((self.example)().details(INSTANCE)).unwrap_or_default()
    }

    /// Its page.
    #[must_use]
    pub fn page(&self) -> ProblemPage {
        ProblemPage {
            uri: self.uri(),
            title: self.title,
            status: self.status.as_u16(),
            meaning: self.meaning,
            advice: self.advice,
            example: self.example(),
        }
    }
}

/// Declares the types, and lists them.
macro_rules! problem_types {
    ($list:ident: $($name:ident $status:ident $slug:literal $title:literal, $meaning:literal, $advice:literal, $example:expr;)*) => {
        $(
            #[doc = $meaning]
            pub const $name: &ProblemType = &ProblemType {
                status: StatusCode::$status,
                slug: $slug,
                title: $title,
                meaning: $meaning,
                advice: $advice,
                example: $example,
            };
        )*

        const $list: &[&ProblemType] = &[$($name),*];
    };
}

problem_types! { GENERAL:
    BAD_REQUEST BAD_REQUEST "bad-request" "Bad request",
    "The request cannot be read: its body is not JSON, it is not UTF-8, or a header is malformed; or a browser sent it from an origin that is not allowed.",
    "Correct what the detail names. The same request will be refused again.",
    || Problem::malformed("the body is not JSON: see line 1 column 12");

    UNAUTHORIZED UNAUTHORIZED "unauthorized" "Unauthorized",
    "The request needs an access token and has none.",
    "Sign in with POST /login and send the token as Authorization: Bearer TOKEN.",
    Problem::unauthenticated;

    FORBIDDEN FORBIDDEN "forbidden" "Forbidden",
    "The caller is known, and may not do this.",
    "Use an account or a token that may.",
    || Problem::of_status(StatusCode::FORBIDDEN);

    NOT_FOUND NOT_FOUND "not-found" "Not found",
    "Nothing exists at this path, or nothing that the caller may know of: a draft exists for its owner alone.",
    "Check the path and the id in it; GET /openapi.json lists every path.",
    || Error::not_found("post", 42).into();

    METHOD_NOT_ALLOWED METHOD_NOT_ALLOWED "method-not-allowed" "Method not allowed",
    "The path exists, and does not take this method.",
    "Use a method that the answer's Allow header lists.",
    || Problem::of_status(StatusCode::METHOD_NOT_ALLOWED);

    REQUEST_TIMEOUT REQUEST_TIMEOUT "request-timeout" "Request timeout",
    "The request's body took too long to arrive. Nothing was done.",
    "Send the request again, over a better connection or with a smaller body.",
    Problem::body_timeout;

    CONFLICT CONFLICT "conflict" "Conflict",
    "The current state forbids the request.",
    "Read the state again, then decide.",
    || Problem::of_status(StatusCode::CONFLICT);

    CONTENT_TOO_LARGE PAYLOAD_TOO_LARGE "content-too-large" "Content too large",
    "The request's body is larger than the service reads.",
    "Send at most as many bytes as the detail names.",
    || Problem::too_large(crate::http::MAX_BODY_BYTES);

    UNSUPPORTED_MEDIA_TYPE UNSUPPORTED_MEDIA_TYPE "unsupported-media-type" "Unsupported media type",
    "The body's Content-Type is missing or is none that this path reads, or the body is compressed.",
    "Send the Content-Type that the detail names, without Content-Encoding.",
    || Problem::unsupported("`Content-Type` must be application/json");

    UNPROCESSABLE_CONTENT UNPROCESSABLE_ENTITY "unprocessable-content" "Unprocessable content",
    "The request was read, and its body, query string or path has invalid values. Nothing was done.",
    "Correct every fault in errors: each has the field, a code for programs and a message for people. Then send the request again.",
    || Problem::invalid(vec![FieldError::new("title", "length", "must be 1 to 300 characters")]);

    TOO_MANY_REQUESTS TOO_MANY_REQUESTS "too-many-requests" "Too many requests",
    "An address, a user or an account sent more requests in a short time than the service allows. Nothing was done.",
    "Send the request again after the seconds in Retry-After. RateLimit-Policy gives the limit, RateLimit the rest of it.",
    || Problem::too_many("sign-ins from this address", EXAMPLE_WAIT);

    INTERNAL_SERVER_ERROR INTERNAL_SERVER_ERROR "internal-server-error" "Internal server error",
    "The service failed in a way that it did not foresee.",
    "Report the instance to the operator: it leads to the cause in the service's log.",
    || Problem::internal(String::new());

    SERVICE_UNAVAILABLE SERVICE_UNAVAILABLE "service-unavailable" "Service unavailable",
    "The service cannot do this now: its database is away or busy, too many sign-ins wait, or it is stopping.",
    "Send the request again after the seconds in Retry-After.",
    || Problem::unavailable("the database is unavailable", None);
}

problem_types! { SPECIAL:
    INVALID_TOKEN UNAUTHORIZED "invalid-token" "Invalid token",
    "The access token is malformed, forged, expired or revoked, or its session has ended.",
    "Refresh the session or sign in again, and send the new token.",
    || Error::InvalidToken.into();

    INVALID_CREDENTIALS UNAUTHORIZED "invalid-credentials" "Invalid credentials",
    "The username or the password is wrong.",
    "Check both; an unknown username gets the same answer.",
    || Error::BadCredentials.into();

    INVALID_REFRESH_TOKEN UNAUTHORIZED "invalid-refresh-token" "Invalid refresh token",
    "The refresh token is unknown or expired, or it was used before.",
    "Sign in again with the password.",
    || Error::InvalidGrant.into();

    NOT_OWNER FORBIDDEN "not-owner" "Not owner",
    "The post belongs to another user: only its owner may change it, and only its owner and moderators may delete it.",
    "Sign in as its owner.",
    || post(|id| Error::NotOwner { id });

    INSUFFICIENT_SCOPE FORBIDDEN "insufficient-scope" "Insufficient scope",
    "The personal access token lacks a scope that the request needs.",
    "Make a token with the scope that the detail names.",
    || Error::InsufficientScope { scope: Scope::PostsCreate }.into();

    SESSION_REQUIRED FORBIDDEN "session-required" "Session required",
    "The request needs a session, and came with a personal access token.",
    "Sign in with POST /login and send that access token.",
    || Error::SessionNeeded.into();

    ROLE_REQUIRED FORBIDDEN "role-required" "Role required",
    "The request needs a role that the user does not have.",
    "Ask the operator for the role that the detail names.",
    || Error::RoleNeeded { role: Role::Admin }.into();

    ACCOUNT_SUSPENDED FORBIDDEN "account-suspended" "Account suspended",
    "The username and the password are right, and an admin has suspended the account.",
    "Ask an admin of the service to restore it.",
    || Error::Suspended.into();

    WRONG_PASSWORD FORBIDDEN "wrong-password" "Wrong password",
    "The current password is wrong.",
    "Send the password that the account has now as current_password.",
    || Error::WrongPassword.into();

    NO_VOTE NOT_FOUND "no-vote" "No vote",
    "The caller has no vote for this post to take back.",
    "Nothing is left to do.",
    || post(|post_id| Error::NoVote { post_id });

    EMAIL_TAKEN CONFLICT "email-taken" "Email taken",
    "Another user has this e-mail address.",
    "Use another e-mail address, or sign in to the account that has this one.",
    || Error::EmailTaken.into();

    USERNAME_TAKEN CONFLICT "username-taken" "Username taken",
    "Another user has this username.",
    "Choose another username.",
    || Error::UsernameTaken.into();

    ALREADY_VOTED CONFLICT "already-voted" "Already voted",
    "The caller voted for this post before.",
    "Nothing is left to do: the vote counts.",
    || post(|post_id| Error::AlreadyVoted { post_id });

    TOKEN_LIMIT CONFLICT "token-limit" "Token limit",
    "The user has as many personal access tokens as the service allows.",
    "Revoke a token that is not needed any more.",
    || Error::TokenLimit { max: 100 }.into();

    OWN_ACCOUNT CONFLICT "own-account" "Own account",
    "An admin cannot suspend or restore their own account.",
    "Ask another admin.",
    || Error::OwnAccount.into();
}

/// An error about post 42, for an example.
fn post(error: fn(PostId) -> Error) -> Problem {
    match PostId::parse(42) {
        Ok(id) => error(id).into(),
        Err(invalid) => Problem::internal(invalid.to_string()),
    }
}
