//! What can go wrong, in the service's own words and without HTTP.

use std::{error::Error as StdError, sync::Arc};

/// One thing that is wrong with what a client sent.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
pub struct Fault {
    /// The member, parameter or path segment; empty when it is the whole.
    #[schema(example = "title")]
    pub field: String,
    /// A word for programs: `required`, `type`, `length`, `blank`, `nul`, `format`, `range`,
    /// `unknown_value`, `duplicate`, `common`.
    #[schema(example = "length")]
    pub code: String,
    /// A sentence for people. It never repeats the refused value, which may be a password.
    #[schema(example = "must be 1 to 300 characters")]
    pub message: String,
}

impl Fault {
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
}

/// Why the service did not do what it was asked to do.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// No such thing, or none that the caller may know of.
    #[error("{what} {id} does not exist")]
    NotFound {
        /// `user` or `post`.
        what: &'static str,
        /// Its number.
        id: i64,
    },
    /// No user goes by this name.
    #[error("there is no user {name}")]
    NoUser {
        /// A username or an e-mail address.
        name: String,
    },
    /// The post was deleted while the request was under way.
    #[error("the post does not exist any more")]
    PostGone,
    /// The thing belongs to somebody else.
    #[error("post {id} belongs to somebody else")]
    NotOwner {
        /// Its number.
        id: i64,
    },
    /// Somebody has this e-mail address or username.
    #[error("the {field} is taken")]
    Taken {
        /// `email` or `username`.
        field: &'static str,
    },
    /// The caller's vote is there already.
    #[error("you voted for post {post_id} already")]
    AlreadyVoted {
        /// The post.
        post_id: i64,
    },
    /// There is no vote to take back.
    #[error("you have no vote for post {post_id} to take back")]
    NoVote {
        /// The post.
        post_id: i64,
    },
    /// No user with this name and password: the same words for an unknown name.
    #[error("the username or the password is wrong")]
    BadCredentials,
    /// The refresh token is unknown, expired, or was used before.
    #[error("the refresh token is not valid")]
    InvalidGrant,
    /// The user signed in rightly, and is shut out.
    #[error("this account is suspended")]
    Suspended,
    /// `current_password` is not the user's.
    #[error("the current password is wrong")]
    WrongPassword,
    /// The token may not do this.
    #[error("the token needs the scope {scope}")]
    InsufficientScope {
        /// One that would do.
        scope: &'static str,
    },
    /// A personal access token came where only a signed-in user may do something.
    #[error("this needs a sign-in; a personal access token cannot do it")]
    SessionNeeded,
    /// The user has not the role for this.
    #[error("this needs the role {role}")]
    RoleNeeded {
        /// The least that would do.
        role: &'static str,
    },
    /// There are as many as there may be.
    #[error("you have {most} {what} already, the most there may be")]
    TooMany {
        /// `tokens`.
        what: &'static str,
        /// How many there may be.
        most: u64,
    },
    /// Nobody does this to themselves.
    #[error("you cannot do this to yourself")]
    Oneself,
    /// The access token is malformed, forged, expired, or its user is gone.
    #[error("the access token is not valid")]
    InvalidToken,
    /// More passwords wait to be hashed than the service takes on.
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

/// The cause of an error, for the operator's log. Clones share it.
pub type Cause = Arc<dyn StdError + Send + Sync>;

impl Error {
    /// [`Error::TryAgain`].
    pub fn try_again(cause: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self::TryAgain(Arc::from(cause.into()))
    }

    /// [`Error::Unavailable`].
    pub fn unavailable(cause: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self::Unavailable(Arc::from(cause.into()))
    }

    /// [`Error::Internal`].
    pub fn internal(cause: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self::Internal(Arc::from(cause.into()))
    }
}
