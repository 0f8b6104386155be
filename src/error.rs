//! Errors of the services, without HTTP.

use std::{any::Any, error::Error as StdError, sync::Arc};

use entity::{
    users::Role,
    values::{EventPosition, Invalid, PostId, Scope, WebhookId},
};

/// One error in an input.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
pub struct FieldError {
    /// The member, parameter or path segment; empty for the input as a whole.
    #[schema(example = "title")]
    pub field: String,
    /// A code for programs: `required`, `type`, `length`, `blank`, `nul`, `format`, `range`,
    /// `unknown_value`, `mismatch`, `not_granted`, `duplicate`, `common`, `reserved`, `taken`, `already_voted`,
    /// `own_account`.
    #[schema(example = "length")]
    pub code: String,
    /// A sentence for people. It never repeats the rejected value, which may be a password.
    #[schema(example = "must be 1 to 300 characters")]
    pub message: String,
}

impl FieldError {
    /// An error of `field`.
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

    /// One error for each violation of `field`.
    pub fn all<'a>(field: &'a str, invalid: &'a Invalid) -> impl Iterator<Item = Self> + 'a {
        let violations = invalid.violations();
        violations.map(move |(code, message)| Self::new(field, code, message))
    }
}

/// The cause of an error, for the operator's log. Clones share it.
pub type Cause = Arc<dyn StdError + Send + Sync>;

/// The error of a service function. Its text is sent to clients, without the [`Cause`].
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// The row does not exist, or the caller must not learn that it exists.
    #[error("{resource} {id} does not exist")]
    NotFound {
        /// `user`, `post`, `session`, `token`, `webhook` or `delivery`.
        resource: &'static str,
        /// Its id.
        id: i64,
    },
    /// No user has this username or e-mail address.
    #[error("user {name} does not exist")]
    UserNotFound {
        /// The username or e-mail address.
        name: String,
    },
    /// The post was deleted during the request.
    #[error("the post no longer exists")]
    PostDeleted,
    /// Another post of the owner has the external id.
    #[error("your post {id} has this external_id")]
    ExternalIdTaken {
        /// The other post.
        id: PostId,
    },
    /// No post of the caller has the external id.
    #[error("no post of yours has this external_id")]
    ExternalIdNotFound,
    /// An earlier row of the request is about the same post, or sets the same external id.
    #[error("an earlier row is about the same post")]
    RowRepeated,
    /// The row is correct, but another one of its request failed.
    #[error("another row of the request failed")]
    RowNotWritten,
    /// The rows of the request change too much text at once.
    #[error(
        "must add, replace and delete at most {max} bytes of text at once, and come to {bytes}; send fewer rows"
    )]
    TooMuchText {
        /// The bytes that the rows add and take away.
        bytes: usize,
        /// Maximum number of bytes.
        max: usize,
    },
    /// Only the owner may change the post.
    #[error("post {id} belongs to another user")]
    NotOwner {
        /// The post.
        id: PostId,
    },
    /// The post does not have the version that the caller expects.
    #[error("post {id} is in version {version}, which the preconditions of the request exclude")]
    PreconditionFailed {
        /// The post.
        id: PostId,
        /// Its version.
        version: i64,
    },
    /// There is no post yet, and the caller expects one.
    #[error("no post has this external id, and `If-Match` requires one")]
    NothingToMatch,
    /// Another user has this e-mail address.
    #[error("the email is taken")]
    EmailTaken,
    /// Another user has this username.
    #[error("the username is taken")]
    UsernameTaken,
    /// The caller's vote exists already.
    #[error("you voted for post {post_id} already")]
    AlreadyVoted {
        /// The post.
        post_id: PostId,
    },
    /// The caller's vote does not exist.
    #[error("you have no vote for post {post_id}")]
    NoVote {
        /// The post.
        post_id: PostId,
    },
    /// No user has this name and password. The text does not tell whether the name is known.
    #[error("the username or the password is wrong")]
    BadCredentials,
    /// The refresh token is unknown, expired, or was used before.
    #[error("the refresh token is not valid")]
    InvalidGrant,
    /// A refresh asks for a scope that its session lacks.
    #[error("the session lacks a scope of the request")]
    ScopeNotGranted,
    /// The credentials are right, and the account is suspended.
    #[error("this account is suspended")]
    Suspended,
    /// `current_password` is wrong.
    #[error("the current password is wrong")]
    WrongPassword,
    /// The token lacks the scope.
    #[error("the token needs the scope {}", scope.name())]
    InsufficientScope {
        /// A scope that suffices.
        scope: Scope,
    },
    /// The request needs a session, and came with a personal access token.
    #[error("this operation needs a sign-in; a personal access token is not accepted")]
    SessionNeeded,
    /// The request needs every scope, and came with a session that is limited to some.
    #[error("this operation needs a sign-in with every scope; the access token has fewer")]
    FullSessionNeeded,
    /// The user lacks the role.
    #[error("this operation needs the role {role}")]
    RoleNeeded {
        /// The lowest role that suffices.
        role: Role,
    },
    /// The user, or all users together, have the maximum number of webhooks.
    #[error("there are {max} webhooks already, the maximum")]
    WebhookLimit {
        /// The maximum.
        max: u64,
    },
    /// The user has a test of a webhook in progress.
    #[error("a test of a webhook of yours is in progress")]
    WebhookTestRunning,
    /// The rules of the operator exclude the URL.
    #[error("url {invalid}")]
    WebhookUrlRefused {
        /// The reason.
        invalid: Invalid,
    },
    /// The webhook is disabled, so it delivers nothing.
    #[error("webhook {id} is disabled")]
    WebhookDisabled {
        /// The webhook.
        id: WebhookId,
    },
    /// The user has the maximum number of personal access tokens.
    #[error("you already have {max} tokens, the maximum")]
    TokenLimit {
        /// Maximum number of tokens per user.
        max: u64,
    },
    /// The owner has as many posts as the quota allows.
    #[error("you have {used} posts, and the quota is {limit}; delete a post to add another")]
    PostQuotaExceeded {
        /// The quota.
        limit: u64,
        /// The number of posts.
        used: u64,
    },
    /// The text of the owner's posts and stored answers would be longer than the quota allows.
    #[error(
        "your posts and stored responses have {used} bytes of text, and would exceed the quota of {limit}; shorten or delete posts"
    )]
    TextQuotaExceeded {
        /// The quota, in bytes.
        limit: u64,
        /// The bytes of the text without this change.
        used: u64,
    },
    /// A request with the key is in progress, or another server is about to store its answer.
    #[error("a request with this `Idempotency-Key` is in progress")]
    IdempotencyKeyInUse,
    /// The key belongs to another request.
    #[error("this `Idempotency-Key` was sent with another request; send a new key")]
    IdempotencyKeyReused,
    /// The request was sent before, and its answer has a secret that must not be stored.
    #[error(
        "the request was sent before and created {location}; the response has a secret, which is not sent again"
    )]
    AnswerNotStored {
        /// The path of what it created.
        location: String,
    },
    /// The action is not allowed on the caller's own account.
    #[error("you cannot do this to your own account")]
    OwnAccount,
    /// The access token is malformed, forged or expired, or its user was deleted.
    #[error("the access token is not valid")]
    InvalidToken,
    /// The ticket is unknown, used or expired.
    #[error("the ticket is not valid: it can be used once, within 30 s")]
    InvalidTicket,
    /// Events after the position were removed, or the position is not in the log.
    #[error(
        "the events after position {after} are not kept; read the present state, then continue after position {last}"
    )]
    EventsExpired {
        /// The position of the request.
        after: EventPosition,
        /// The last position of the log.
        last: EventPosition,
    },
    /// An export of the user is in progress.
    #[error("an export of this account is in progress; try again when it has ended")]
    ExportRunning,
    /// The maximum number of exports is in progress.
    #[error("too many exports at once")]
    TooManyExports,
    /// An import of the user is in progress.
    #[error("an import into this account is in progress; try again when it has ended")]
    ImportRunning,
    /// The maximum number of imports is in progress.
    #[error("too many imports at once")]
    TooManyImports,
    /// The queue of the hashing threads is full.
    #[error("too many sign-ins at once")]
    Overloaded,
    /// Too many expensive lists are in progress or wait.
    #[error("the service is busy with other lists")]
    Busy,
    /// The list has too many posts to count them.
    #[error(
        "cannot be `exact`: the list has more than {max} posts; leave `count` out and page by `cursor`, from the `Link` header"
    )]
    TooManyToCount {
        /// Maximum number of posts that are counted.
        max: u64,
    },
    /// The query of an expensive list was cancelled because it took too long.
    #[error("the list takes too long")]
    ListTooSlow(#[source] Cause),
    /// The transaction failed and can be retried.
    #[error("the database is busy")]
    TryAgain(#[source] Cause),
    /// A statement was cancelled because it took too long. It changed nothing.
    #[error("the database took too long")]
    TooSlow(#[source] Cause),
    /// The database cannot be reached or cannot execute statements.
    #[error("the database is unavailable")]
    Unavailable(#[source] Cause),
    /// The disk of the database is full.
    #[error("the service has no space left for data")]
    StorageFull(#[source] Cause),
    /// An unexpected error inside the service.
    #[error("internal error")]
    Internal(#[source] Cause),
}

impl Error {
    /// [`Error::TryAgain`] with its cause.
    pub fn try_again(cause: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self::TryAgain(cause.into().into())
    }

    /// [`Error::TooSlow`] with its cause.
    pub fn too_slow(cause: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self::TooSlow(cause.into().into())
    }

    /// [`Error::ListTooSlow`] with its cause.
    pub fn list_too_slow(cause: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self::ListTooSlow(cause.into().into())
    }

    /// [`Error::Unavailable`] with its cause.
    pub fn unavailable(cause: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self::Unavailable(cause.into().into())
    }

    /// [`Error::StorageFull`] with its cause.
    pub fn storage_full(cause: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self::StorageFull(cause.into().into())
    }

    /// [`Error::Internal`] with its cause.
    pub fn internal(cause: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self::Internal(cause.into().into())
    }

    /// The text for the operator: the error with its cause, if it has one.
    #[must_use]
    pub fn with_cause(&self) -> String {
        match self.source() {
            Some(cause) => format!("{self}: {cause}"),
            None => self.to_string(),
        }
    }

    /// A missing row: `resource` is `user`, `post`, `session` or `token`.
    #[must_use]
    pub fn not_found(resource: &'static str, id: i64) -> Self {
        Self::NotFound { resource, id }
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
