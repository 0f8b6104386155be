//! Problem types: a general type for each status, and a specific type for each cause that clients
//! may need to distinguish.

use std::num::NonZeroU32;

use actix_web::http::StatusCode;
use entity::{
    users::Role,
    values::{EventPosition, PostId, Scope, WebhookId},
};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::{Problem, ProblemDetails};
use crate::error::{Error, FieldError};

/// A problem type (RFC 9457, section 3.1.1).
#[derive(Debug)]
pub struct ProblemType {
    /// The HTTP status.
    pub status: StatusCode,
    /// The last segment of its URI.
    pub slug: &'static str,
    /// A short summary.
    pub title: &'static str,
    /// The meaning, for human readers.
    pub meaning: &'static str,
    /// The remedy, for human readers.
    advice: &'static str,
    example: fn() -> Problem,
}

/// The documentation of a problem type.
#[derive(Serialize, ToSchema)]
#[schema(as = ProblemType)]
pub struct ProblemPage {
    /// The problem type: the path of this documentation.
    #[serde(rename = "type")]
    #[schema(format = UriReference, example = "/problems/not-found")]
    pub uri: String,
    /// A short summary of the problem type.
    #[schema(example = "Not found")]
    pub title: &'static str,
    /// The HTTP status code.
    #[schema(minimum = 400, maximum = 599, example = 404)]
    pub status: u16,
    /// The meaning.
    #[schema(example = "No resource exists at this path.")]
    pub meaning: &'static str,
    /// The remedy.
    #[schema(example = "Check the path and the id in it.")]
    pub advice: &'static str,
    /// An example of problem details with this type.
    #[schema(value_type = ProblemDetails)]
    pub example: Value,
}

/// The request id in examples.
const INSTANCE: &str = "01932f3e-8f0c-7c8e-b7d1-0c5a3f3f5d11";

/// The seconds to wait in examples.
const EXAMPLE_WAIT: NonZeroU32 = NonZeroU32::MIN.saturating_add(11);

impl ProblemType {
    /// The general type of `status`, if there is one.
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

    /// All types, the general ones first.
    pub fn all() -> impl Iterator<Item = &'static Self> {
        GENERAL.iter().chain(SPECIFIC).copied()
    }

    /// The path of its documentation.
    #[must_use]
    pub fn uri(&self) -> String {
        format!("/problems/{}", self.slug)
    }

    /// An example of problem details with this type.
    #[must_use]
    pub fn example(&self) -> Value {
        // Serialisation of strings and numbers cannot fail.
        serde_json::to_value((self.example)().details(INSTANCE)).unwrap_or_default()
    }

    /// Its documentation.
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

/// Declares a constant for each type, and the list `$list` of all of them.
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
    "The request is malformed: its body is not JSON, its text is not UTF-8, or a header is malformed. Or a browser sent it from an origin that CORS does not allow.",
    "Correct the error in detail. The same request fails again.",
    || Problem::malformed("the body is not valid JSON at line 1 column 12");

    UNAUTHORIZED UNAUTHORIZED "unauthorized" "Unauthorized",
    "The request has no access token, and needs one.",
    "Sign in with POST /login and send the token as Authorization: Bearer TOKEN.",
    Problem::unauthenticated;

    FORBIDDEN FORBIDDEN "forbidden" "Forbidden",
    "The caller is authenticated, but lacks permission.",
    "Use an account or a token with the permission.",
    || Problem::of_status(StatusCode::FORBIDDEN);

    NOT_FOUND NOT_FOUND "not-found" "Not found",
    "No resource exists at this path, or the caller cannot see it: only its owner can see a draft.",
    "Check the path and the id in it; GET /openapi.json lists every path.",
    || Error::not_found("post", 42).into();

    METHOD_NOT_ALLOWED METHOD_NOT_ALLOWED "method-not-allowed" "Method not allowed",
    "The path exists, but does not support this method.",
    "Use a method from the response's Allow header.",
    || Problem::of_status(StatusCode::METHOD_NOT_ALLOWED);

    REQUEST_TIMEOUT REQUEST_TIMEOUT "request-timeout" "Request timeout",
    "The request body took too long to arrive. A body of more than 16 KiB must arrive faster while others wait to be sent. Unless it is an import, the request had no effect.",
    "Repeat the request over a better connection or with a smaller body.",
    Problem::body_timeout;

    CONFLICT CONFLICT "conflict" "Conflict",
    "The request conflicts with the current state of the resource.",
    "Read the resource again and adapt the request.",
    || Problem::of_status(StatusCode::CONFLICT);

    CONTENT_TOO_LARGE PAYLOAD_TOO_LARGE "content-too-large" "Content too large",
    "The request body is larger than the path accepts. A path that needs no access token accepts less than others.",
    "Send at most the number of bytes in detail.",
    || Problem::too_large(crate::http::MAX_BODY_BYTES);

    UNSUPPORTED_MEDIA_TYPE UNSUPPORTED_MEDIA_TYPE "unsupported-media-type" "Unsupported media type",
    "The body's Content-Type is missing or not supported by this path, or the body is compressed.",
    "Send a Content-Type that detail lists, without Content-Encoding.",
    || Problem::unsupported("`Content-Type` must be application/json");

    UNPROCESSABLE_CONTENT UNPROCESSABLE_ENTITY "unprocessable-content" "Unprocessable content",
    "The body, query string or path of the request has invalid values. The request had no effect.",
    "Correct all fields in errors, then repeat the request. Each entry has the field, a code for programs and a message for human readers. An OAuth 2.0 error has status 400 and names the fields in error_description.",
    || Problem::invalid(vec![FieldError::new("title", "length", "must be 1 to 300 characters")]);

    TOO_MANY_REQUESTS TOO_MANY_REQUESTS "too-many-requests" "Too many requests",
    "An address, a user or an account exceeded a rate limit, or an address or a user sends too many large request bodies at the same time. The request had no effect.",
    "Repeat the request after the number of seconds in Retry-After. RateLimit-Policy has the rate limit, and RateLimit the remaining requests.",
    || Problem::too_many("sign-ins from this address", EXAMPLE_WAIT);

    INTERNAL_SERVER_ERROR INTERNAL_SERVER_ERROR "internal-server-error" "Internal server error",
    "The service failed unexpectedly.",
    "Report instance to the operator. It identifies the cause in the service's log.",
    || Problem::internal(String::new());

    SERVICE_UNAVAILABLE SERVICE_UNAVAILABLE "service-unavailable" "Service unavailable",
    "The service cannot handle the request now: its database is unavailable or busy, too many sign-ins are waiting, or it is stopping. A write may have taken effect nevertheless.",
    "Wait for the number of seconds in Retry-After. Then repeat the request: with the same Idempotency-Key, or after checking that a write did not take effect.",
    || Error::unavailable(String::new()).into();

    INSUFFICIENT_STORAGE INSUFFICIENT_STORAGE "insufficient-storage" "Insufficient storage",
    "The disk of the service's database is full. The request had no effect.",
    "Tell the operator. Repeat the request once there is space again.",
    || Error::storage_full(String::new()).into();
}

problem_types! { SPECIFIC:
    INVALID_TOKEN UNAUTHORIZED "invalid-token" "Invalid token",
    "The access token is malformed, forged, expired or revoked, or its session has ended.",
    "Refresh the session or sign in again, then send the new token.",
    || Error::InvalidToken.into();

    INVALID_CREDENTIALS UNAUTHORIZED "invalid-credentials" "Invalid credentials",
    "The username or the password is wrong.",
    "Check both. The response is the same for an unknown username.",
    || Error::BadCredentials.into();

    INVALID_REFRESH_TOKEN BAD_REQUEST "invalid-refresh-token" "Invalid refresh token",
    "The refresh token is unknown, expired or was used more than 10 seconds ago. The response is an OAuth 2.0 error, `invalid_grant`.",
    "Sign in again with the password.",
    || Error::InvalidGrant.into();

    NOT_OWNER FORBIDDEN "not-owner" "Not owner",
    "The post belongs to another user. Only its owner can change it. Only its owner and moderators can delete it.",
    "Sign in as the owner of the post.",
    || example_of_post(|id| Error::NotOwner { id });

    PRECONDITION_FAILED PRECONDITION_FAILED "precondition-failed" "Precondition failed",
    "The post has another version than If-Match names, or one that If-None-Match excludes. The request had no effect.",
    "Read the post again, apply the change to its new version, and send the new ETag. current_version is the version of the post; votes do not change it.",
    || example_of_post(|id| Error::PreconditionFailed { id, version: 3 });

    INSUFFICIENT_SCOPE FORBIDDEN "insufficient-scope" "Insufficient scope",
    "The token lacks a scope that the request needs.",
    "Create a personal access token with the scope in detail, or sign in with it.",
    || Error::InsufficientScope { scope: Scope::PostsCreate }.into();

    SESSION_REQUIRED FORBIDDEN "session-required" "Session required",
    "The request needs the access token of a session, but has a personal access token. Or it needs one with every scope, but the session or the token is limited to some.",
    "Sign in with POST /login, without scope, and send the access token from the response.",
    || Error::SessionNeeded.into();

    ROLE_REQUIRED FORBIDDEN "role-required" "Role required",
    "The request needs a role that the user does not have.",
    "Ask the operator for the role in detail.",
    || Error::RoleNeeded { role: Role::Admin }.into();

    ACCOUNT_SUSPENDED FORBIDDEN "account-suspended" "Account suspended",
    "The username and the password are correct, but the account is suspended.",
    "Ask an admin of the service to restore the account.",
    || Error::Suspended.into();

    WRONG_PASSWORD FORBIDDEN "wrong-password" "Wrong password",
    "The current password is wrong.",
    "Send the current password of the account as current_password.",
    || Error::WrongPassword.into();

    NO_VOTE NOT_FOUND "no-vote" "No vote",
    "The caller has not voted for this post, so there is no vote to remove.",
    "No action is needed.",
    || example_of_post(|post_id| Error::NoVote { post_id });

    EMAIL_TAKEN CONFLICT "email-taken" "Email taken",
    "Another user has this e-mail address.",
    "Use another e-mail address, or sign in to the account that has this one.",
    || Error::EmailTaken.into();

    USERNAME_TAKEN CONFLICT "username-taken" "Username taken",
    "Another user has this username.",
    "Choose another username.",
    || Error::UsernameTaken.into();

    EXTERNAL_ID_TAKEN CONFLICT "external-id-taken" "External id taken",
    "Another post of the caller has this external id. detail has the id of that post.",
    "Change that post, or replace it with PUT /posts/by-external-id/{external_id}.",
    || example_of_post(|id| Error::ExternalIdTaken { id });

    ALREADY_VOTED CONFLICT "already-voted" "Already voted",
    "The caller has already voted for this post.",
    "No action is needed: the vote is counted.",
    || example_of_post(|post_id| Error::AlreadyVoted { post_id });

    TOKEN_LIMIT CONFLICT "token-limit" "Token limit",
    "The user has the maximum number of personal access tokens.",
    "Revoke a token that is no longer needed.",
    || Error::TokenLimit { max: 100 }.into();

    WEBHOOK_LIMIT CONFLICT "webhook-limit" "Webhook limit",
    "The user, or the service as a whole, has the maximum number of webhooks.",
    "Delete a webhook that is no longer needed.",
    || Error::WebhookLimit { max: 10 }.into();

    WEBHOOK_DISABLED CONFLICT "webhook-disabled" "Webhook disabled",
    "The webhook is disabled, so that it delivers nothing. `disabled_reason` of the webhook tells why.",
    "Enable it with PATCH /webhooks/{id}, then repeat the request.",
    example_of_disabled_webhook;

    WEBHOOK_TEST_RUNNING CONFLICT "webhook-test-running" "Webhook test running",
    "A test of one of the user's webhooks is in progress on this server. It takes at most 15 seconds.",
    "Repeat the request after its response.",
    || Error::WebhookTestRunning.into();

    TOO_MANY_EXPENSIVE_READS TOO_MANY_REQUESTS "too-many-expensive-reads" "Too many expensive reads",
    "The caller already has the maximum number of expensive lists in progress. The description of GET /posts says which lists are expensive.",
    "Wait for the responses, or for the number of seconds in Retry-After, and then repeat the request.",
    || Problem::too_many_expensive_reads(2);

    TOO_MANY_STREAMS TOO_MANY_REQUESTS "too-many-streams" "Too many streams",
    "The caller already has the maximum number of open streams of events on this server.",
    "Close a stream, or use one for several purposes, and then repeat the request.",
    || Problem::too_many_streams(100);

    EVENTS_EXPIRED GONE "events-expired" "Events expired",
    "Events after the position of the request are no longer kept, or the position is not in the log, as after the operator restored a backup.",
    "Read the lists that you follow again, then continue after the last position, which detail has.",
    || Error::EventsExpired { after: EventPosition::START.plus(7), last: EventPosition::START.plus(42) }.into();

    SERVICE_BUSY SERVICE_UNAVAILABLE "service-busy" "Service busy",
    "The service has too many expensive lists, or too many request bodies of more than 16 KiB, of all callers in progress. The request had no effect. Other requests are not affected.",
    "Wait for the number of seconds in Retry-After, and then repeat the request.",
    || Error::Busy.into();

    LIST_TOO_SLOW SERVICE_UNAVAILABLE "list-too-slow" "List too slow",
    "The list takes longer than an expensive list may take: the database reads very many posts to find the page or to count.",
    "Leave out filters, search or count, or use cursor instead of skip.",
    || Error::list_too_slow(String::new()).into();

    QUOTA_EXCEEDED CONFLICT "quota-exceeded" "Quota exceeded",
    "The post, or the response that is stored for an Idempotency-Key, would exceed the user's quota of posts or of bytes of text.",
    "Delete or shorten posts, or send a vote without a key. GET /users/me has the usage and the quota.",
    || Error::PostQuotaExceeded { limit: 100_000, used: 100_000 }.into();

    IDEMPOTENCY_KEY_IN_USE CONFLICT "idempotency-key-in-use" "Idempotency key in use",
    "A request with this Idempotency-Key is in progress. Only its response tells whether it has an effect.",
    "Repeat the same request, with the same key, after the number of seconds in Retry-After. The response is then that of the first request.",
    || Error::IdempotencyKeyInUse.into();

    IDEMPOTENCY_KEY_REUSED UNPROCESSABLE_ENTITY "idempotency-key-reused" "Idempotency key reused",
    "The Idempotency-Key was sent within the last 24 hours with another path, query string or body. The request had no effect.",
    "Send each request with a key of its own, such as a random UUID, and only a repetition with the same key and the same body.",
    || Error::IdempotencyKeyReused.into();

    ANSWER_NOT_STORED CONFLICT "answer-not-stored" "Answer not stored",
    "A request with this Idempotency-Key has succeeded. Its response has a secret that is shown once, and is not sent again. The repetition had no effect.",
    "If you do not have the response, delete what detail names, and create another with a new key.",
    || Error::AnswerNotStored { location: "/tokens/7".to_owned() }.into();

    OWN_ACCOUNT CONFLICT "own-account" "Own account",
    "An admin cannot suspend or restore their own account.",
    "Ask another admin.",
    || Error::OwnAccount.into();
}

/// The problem for an error about post 42.
fn example_of_post(error: fn(PostId) -> Error) -> Problem {
    match PostId::parse(42) {
        Ok(id) => error(id).into(),
        Err(invalid) => Problem::internal(invalid.to_string()),
    }
}

fn example_of_disabled_webhook() -> Problem {
    match WebhookId::parse(1) {
        Ok(id) => Error::WebhookDisabled { id }.into(),
        Err(invalid) => Problem::internal(invalid.to_string()),
    }
}
