//! Errors of the services, without HTTP.

use std::{any::Any, error::Error as StdError, sync::Arc};

use entity::{
    users::Role,
    values::{Invalid, PostId, Scope},
};

/// One fault of an input.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
pub struct FieldError {
    /// The member, parameter or path segment; empty for the input as a whole.
    #[schema(example = "title")]
    pub field: String,
    /// A word for programs: `required`, `type`, `length`, `blank`, `nul`, `format`, `range`,
    /// `unknown_value`, `duplicate`, `common`, `taken`, `already_voted`, `own_account`.
    #[schema(example = "length")]
    pub code: String,
    /// A sentence for people. It never repeats the refused value, which may be a password.
    #[schema(example = "must be 1 to 300 characters")]
    pub message: String,
}

impl FieldError {
    /// A fault of `field`.
    pub fn new(
        field: impl Into<String>,
        code: impl Into<String>,
        message: impl Into<String>,
    ) -> Self {
        Self {
            field: field.into(),
            code: code.into(),
            message: message.into(),
        }
    }

    /// The rules that `field` breaks, one each.
    pub fn all<'a>(field: &'a str, invalid: &'a Invalid) -> impl Iterator<Item = Self> + 'a {
        let violations = invalid.violations();
        violations.map(move |(code, message)| Self::new(field, code, message))
    }
}

/// The cause of an error, for the operator's log. Clones share it.
pub type Cause = Arc<dyn StdError + Send + Sync>;

/// The reason why a service refused or failed.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// No such row, or none that the caller may know of.
    #[error("{what} {id} does not exist")]
    NotFound {
        /// `user`, `post`, `session` or `token`.
        what: &'static str,
        /// Its id.
        id: i64,
    },
    /// No user has this username or e-mail address.
    #[error("there is no user {name}")]
    NoUser {
        /// The username or e-mail address.
        name: String,
    },
    /// The post was deleted while the request was under way.
    #[error("the post does not exist any more")]
    PostGone,
    /// Only the owner may change the post.
    #[error("post {id} belongs to somebody else")]
    NotOwner {
        /// The post.
        id: PostId,
    },
    /// Another user has this e-mail address.
    #[error("the email is taken")]
    EmailTaken,
    /// Another user has this username.
    #[error("the username is taken")]
    UsernameTaken,
    /// The caller's vote is there already.
    #[error("you voted for post {post_id} already")]
    AlreadyVoted {
        /// The post.
        post_id: PostId,
    },
    /// The caller has no vote to take back.
    #[error("you have no vote for post {post_id} to take back")]
    NoVote {
        /// The post.
        post_id: PostId,
    },
    /// No user has this name and password. An unknown name gives the same words.
    #[error("the username or the password is wrong")]
    BadCredentials,
    /// The refresh token is unknown, expired, or was used before.
    #[error("the refresh token is not valid")]
    InvalidGrant,
    /// The credentials are right, and the account is suspended.
    #[error("this account is suspended")]
    Suspended,
    /// `current_password` is wrong.
    #[error("the current password is wrong")]
    WrongPassword,
    /// The token lacks the scope.
    #[error("the token needs the scope {}", scope.name())]
    InsufficientScope {
        /// A scope that would do.
        scope: Scope,
    },
    /// The request needs a session, and came with a personal access token.
    #[error("this needs a sign-in; a personal access token cannot do it")]
    SessionNeeded,
    /// The user lacks the role.
    #[error("this needs the role {role}")]
    RoleNeeded {
        /// The lowest role that would do.
        role: Role,
    },
    /// The user has as many personal access tokens as allowed.
    #[error("you have {max} tokens already, the most there may be")]
    TokenLimit {
        /// The most tokens of one user.
        max: u64,
    },
    /// The act is not allowed on one's own account.
    #[error("you cannot do this to yourself")]
    OwnAccount,
    /// The access token is malformed, forged or expired, or its user is gone.
    #[error("the access token is not valid")]
    InvalidToken,
    /// The queue of passwords to be hashed is full.
    #[error("too many sign-ins at once")]
    Overloaded,
    /// The database asks for the transaction to be tried again.
    #[error("the database is busy")]
    TryAgain(#[source] Cause),
    /// The database cannot be reached, or cannot do its work.
    #[error("the database is away")]
    Unavailable(#[source] Cause),
    /// A fault of the service itself.
    #[error("internal error")]
    Internal(#[source] Cause),
}

impl Error {
    /// [`Error::TryAgain`] with its cause.
    pub fn try_again(cause: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self::TryAgain(cause.into().into())
    }

    /// [`Error::Unavailable`] with its cause.
    pub fn unavailable(cause: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self::Unavailable(cause.into().into())
    }

    /// [`Error::Internal`] with its cause.
    pub fn internal(cause: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self::Internal(cause.into().into())
    }

    /// A missing row: `what` is `user`, `post`, `session` or `token`.
    #[must_use]
    pub fn not_found(what: &'static str, id: i64) -> Self {
        Self::NotFound { what, id }
    }
}

/// The message of a panic that was caught.
#[must_use]
pub fn panic_message(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("without a message")
}
