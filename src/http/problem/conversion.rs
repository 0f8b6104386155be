//! The problem for each error of a service.

use std::num::{NonZeroI64, NonZeroU32};

use super::{EXPENSIVE_RETRY_AFTER, OAuthCode, Problem, types};
use crate::error::{Error, FieldError};

/// `Retry-After` of a request whose key is in use, in seconds: most requests take less.
const KEY_IN_USE_RETRY_AFTER: Option<NonZeroU32> = NonZeroU32::new(1);

/// `Retry-After` of a second export or import, in seconds: most take less.
const EXPORT_RETRY_AFTER: Option<NonZeroU32> = NonZeroU32::new(10);

impl From<Error> for Problem {
    #[expect(clippy::too_many_lines, reason = "one arm for each error")]
    fn from(error: Error) -> Self {
        let detail = error.to_string();
        match error {
            Error::NotFound { .. }
            | Error::UserNotFound { .. }
            | Error::PostDeleted
            | Error::ExternalIdNotFound => Self::new(types::NOT_FOUND, detail),
            Error::RowRepeated => Self::invalid(vec![FieldError::new("", "duplicate", detail)]),
            Error::TooMuchText { .. } => {
                Self::invalid(vec![FieldError::new("posts", "length", detail)])
            }
            Error::RowNotWritten => Self::new(types::CONFLICT, detail),
            Error::NoVote { .. } => Self::new(types::NO_VOTE, detail),
            Error::NotOwner { .. } => Self::new(types::NOT_OWNER, detail),
            Error::PreconditionFailed { version, .. } => Self {
                current_version: NonZeroI64::new(version),
                ..Self::new(types::PRECONDITION_FAILED, detail)
            },
            Error::NothingToMatch => Self::new(types::PRECONDITION_FAILED, detail),
            Error::Suspended => Self::new(types::ACCOUNT_SUSPENDED, detail),
            Error::RoleNeeded { .. } => Self::new(types::ROLE_REQUIRED, detail),
            Error::WrongPassword => Self::new(types::WRONG_PASSWORD, detail),
            Error::EmailTaken => {
                Self::of_field(types::EMAIL_TAKEN, detail, ["email", "taken", "is taken"])
            }
            Error::UsernameTaken => Self::of_field(
                types::USERNAME_TAKEN,
                detail,
                ["username", "taken", "is taken"],
            ),
            Error::ExternalIdTaken { .. } => Self::of_field(
                types::EXTERNAL_ID_TAKEN,
                detail,
                ["external_id", "taken", "is taken by another of your posts"],
            ),
            Error::AlreadyVoted { .. } => Self::of_field(
                types::ALREADY_VOTED,
                detail,
                ["post_id", "already_voted", "already has your vote"],
            ),
            Error::OwnAccount => Self::of_field(
                types::OWN_ACCOUNT,
                detail,
                ["id", "own_account", "is your own"],
            ),
            Error::TokenLimit { .. } => Self::new(types::TOKEN_LIMIT, detail),
            Error::WebhookLimit { .. } => Self::new(types::WEBHOOK_LIMIT, detail),
            Error::WebhookUrlRefused { invalid } => Self::invalid_field("url", &invalid),
            Error::WebhookTestRunning => Self::new(types::WEBHOOK_TEST_RUNNING, detail),
            Error::WebhookDisabled { .. } => Self::new(types::WEBHOOK_DISABLED, detail),
            Error::PostQuotaExceeded { .. } | Error::TextQuotaExceeded { .. } => {
                Self::new(types::QUOTA_EXCEEDED, detail)
            }
            Error::IdempotencyKeyInUse => Self {
                retry_after: KEY_IN_USE_RETRY_AFTER,
                ..Self::new(types::IDEMPOTENCY_KEY_IN_USE, detail)
            },
            Error::IdempotencyKeyReused => Self::new(types::IDEMPOTENCY_KEY_REUSED, detail),
            Error::AnswerNotStored { .. } => Self::new(types::ANSWER_NOT_STORED, detail),
            Error::BadCredentials => Self {
                oauth_error: Some(OAuthCode::InvalidGrant),
                ..Self::new(types::INVALID_CREDENTIALS, detail).with_challenge("Bearer")
            },
            Error::InvalidGrant => Self {
                oauth_error: Some(OAuthCode::InvalidGrant),
                ..Self::new(types::INVALID_REFRESH_TOKEN, detail)
            },
            Error::InsufficientScope { .. } => Self::new(types::INSUFFICIENT_SCOPE, detail)
                .with_challenge(r#"Bearer error="insufficient_scope""#),
            Error::SessionNeeded | Error::FullSessionNeeded => {
                Self::new(types::SESSION_REQUIRED, detail)
                    .with_challenge(r#"Bearer error="insufficient_scope""#)
            }
            Error::InvalidToken | Error::InvalidTicket => Self::new(types::INVALID_TOKEN, detail)
                .with_challenge(r#"Bearer error="invalid_token""#),
            Error::EventsExpired { .. } => Self::new(types::EVENTS_EXPIRED, detail),
            Error::ScopeNotGranted => Self::invalid(vec![FieldError::new(
                "scope",
                "not_granted",
                "must not have more scopes than the session",
            )]),
            Error::ExportRunning | Error::ImportRunning => Self {
                retry_after: EXPORT_RETRY_AFTER,
                ..Self::new(types::TOO_MANY_REQUESTS, detail)
            },
            Error::Busy => Self::busy(detail),
            Error::ListTooSlow(cause) => Self {
                cause: Some(cause.to_string()),
                retry_after: EXPENSIVE_RETRY_AFTER,
                ..Self::new(types::LIST_TOO_SLOW, detail)
            },
            Error::TooManyToCount { .. } => {
                Self::invalid(vec![FieldError::new("count", "range", detail)])
            }
            Error::Overloaded | Error::TooManyExports | Error::TooManyImports => {
                Self::unavailable(detail, None)
            }
            Error::TryAgain(cause) | Error::TooSlow(cause) | Error::Unavailable(cause) => {
                Self::unavailable(detail, Some(cause.to_string()))
            }
            Error::StorageFull(cause) => Self {
                cause: Some(format!("disk full: {cause}")),
                ..Self::new(types::INSUFFICIENT_STORAGE, detail)
            },
            Error::Internal(cause) => Self::internal(cause.to_string()),
        }
    }
}
