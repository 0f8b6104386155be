//! Authentication by `Authorization: Bearer` (RFC 6750), and the access rule of a route.

use std::future::{Ready, ready};

use actix_web::{FromRequest, HttpMessage, HttpRequest, dev::Payload, http::header::AUTHORIZATION};
use entity::{
    users::Role,
    values::{Scope, SessionId, UserId},
};
use url::form_urlencoded;
use utoipa::openapi::security::SecurityRequirement;

use super::{
    Problem, RequestRecord, State,
    problem::{ProblemType, types},
};
use crate::{
    error::Error,
    services::auth::{Identity, tickets},
};

/// The credentials that a route needs. The route checks them before it reads its input:
/// unauthorised callers must not see validation errors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// None. A token is ignored.
    Public,
    /// None. A token must be valid and have one of these scopes.
    Optional([Scope; 2]),
    /// A token with this scope.
    Scope(Scope),
    /// A token with this scope, or none where `PUBLIC_READS` is on.
    ScopeOrPublicReads(Scope),
    /// The same as `ScopeOrPublicReads`, or a ticket of the caller in `ticket` of the query string.
    Stream(Scope),
    /// The access token of a session: a personal access token is refused.
    Session,
    /// The access token of a session, with every scope. For routes that create credentials: a session
    /// with fewer scopes must not get more by them.
    FullSession,
    /// The access token of a session, with every scope, of a user with this role or a higher one.
    Role(Role),
}

/// The names of the security schemes in the OpenAPI document.
pub const PASSWORD_FLOW: &str = "password";
/// See [`PASSWORD_FLOW`].
pub const BEARER: &str = "token";

impl Access {
    /// The alternatives of OpenAPI's `security`. Most importers use the first, so it is the one that
    /// needs only a variable for the token.
    #[must_use]
    pub fn security(self) -> Vec<SecurityRequirement> {
        let token = |scopes: &[Scope]| {
            let scopes = scopes.iter().map(|scope| scope.name());
            [
                SecurityRequirement::new(BEARER, None::<&str>),
                SecurityRequirement::new(PASSWORD_FLOW, scopes),
            ]
        };
        let none = SecurityRequirement::default();
        match self {
            Self::Public => vec![none],
            Self::Optional([scope, _]) => {
                let [bearer, password] = token(&[scope]);
                vec![bearer, password, none]
            }
            Self::Scope(scope) | Self::ScopeOrPublicReads(scope) | Self::Stream(scope) => {
                token(&[scope]).into()
            }
            Self::Session => token(&[]).into(),
            Self::FullSession | Self::Role(_) => token(Scope::ALL).into(),
        }
    }

    /// The problems of missing or insufficient credentials.
    #[must_use]
    pub fn problems(self) -> &'static [&'static ProblemType] {
        match self {
            Self::Public => &[],
            Self::Optional(_) => &[types::INVALID_TOKEN, types::INSUFFICIENT_SCOPE],
            Self::Scope(_) | Self::ScopeOrPublicReads(_) | Self::Stream(_) => &[
                types::UNAUTHORIZED,
                types::INVALID_TOKEN,
                types::INSUFFICIENT_SCOPE,
            ],
            Self::Session | Self::FullSession => &[
                types::UNAUTHORIZED,
                types::INVALID_TOKEN,
                types::SESSION_REQUIRED,
            ],
            Self::Role(_) => &[
                types::UNAUTHORIZED,
                types::INVALID_TOKEN,
                types::SESSION_REQUIRED,
                types::ROLE_REQUIRED,
            ],
        }
    }

    fn check(self, identity: Option<&Identity>, public_reads: bool) -> Result<(), Problem> {
        let Some(identity) = identity else {
            return match self {
                Self::Public | Self::Optional(_) => Ok(()),
                Self::ScopeOrPublicReads(_) | Self::Stream(_) if public_reads => Ok(()),
                _ => Err(Problem::unauthenticated()),
            };
        };
        let has = |scope| identity.scopes.contains(scope);
        let error = match self {
            Self::Optional([scope, other]) if !has(scope) && !has(other) => {
                Error::InsufficientScope { scope }
            }
            Self::Scope(scope) | Self::ScopeOrPublicReads(scope) | Self::Stream(scope)
                if !has(scope) =>
            {
                Error::InsufficientScope { scope }
            }
            Self::Session | Self::FullSession | Self::Role(_)
                if identity.session_id().is_none() =>
            {
                Error::SessionNeeded
            }
            Self::FullSession | Self::Role(_) if !identity.is_full_session() => {
                Error::FullSessionNeeded
            }
            Self::Role(role) if identity.role < role => Error::RoleNeeded { role },
            _ => return Ok(()),
        };
        Err(error.into())
    }
}

/// The result of [`authenticate`], on the request.
struct Authenticated(Option<Identity>);

/// The user whose token `request` has. `None` on a route of [`Access::Public`].
pub(super) fn authenticated_user(request: &HttpRequest) -> Option<UserId> {
    match request.extensions().get() {
        Some(Authenticated(Some(identity))) => Some(identity.id),
        _ => None,
    }
}

/// Authenticates `request`, applies the limit of writes, and checks `access`. Handlers then take
/// [`Identity`], [`Option<Identity>`] or [`CurrentSession`].
///
/// # Errors
/// 400, 401, 403, 429 or 503.
pub(super) async fn authenticate(request: &HttpRequest, access: Access) -> Result<(), Problem> {
    if access == Access::Public {
        return Ok(());
    }
    let state = State::of(request)?;
    let State {
        authenticator, db, ..
    } = state;
    let identity = match (bearer(request)?, access) {
        (Some(token), _) => {
            let access_tokens = &state.access_tokens;
            let identity = authenticator.authenticate(db, access_tokens, token);
            Some(identity.await?)
        }
        (None, Access::Stream(_)) => match ticket(request) {
            // Boxed, because the future of every request would contain its large future.
            Some(ticket) => Some(Box::pin(tickets::redeem(db, authenticator, &ticket)).await?),
            None => None,
        },
        (None, _) => None,
    };
    if let Some(identity) = &identity {
        if let Some(record) = RequestRecord::of(request) {
            record.user.set(Some(identity.id));
        }
        state.limits.count_write(request, identity.id)?;
    }
    access.check(identity.as_ref(), state.public_reads)?;
    request.extensions_mut().insert(Authenticated(identity));
    Ok(())
}

/// The caller. On a route of [`Access::Public`] this is a fault of the service, 500, and
/// `Option<Identity>` is always `None`.
impl FromRequest for Identity {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(match request.extensions().get() {
            Some(Authenticated(Some(identity))) => Ok(identity.clone()),
            Some(Authenticated(None)) => Err(Problem::unauthenticated()),
            None => Err(Problem::internal("a public route needs the caller")),
        })
    }
}

/// The caller and their session, on a route of [`Access::Session`], [`Access::FullSession`]
/// or [`Access::Role`].
#[derive(Clone, Debug)]
pub struct CurrentSession {
    /// The caller.
    pub identity: Identity,
    /// The session of the access token.
    pub id: SessionId,
}

impl FromRequest for CurrentSession {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let identity = Identity::from_request(request, payload).into_inner();
        ready(identity.and_then(|identity| match identity.session_id() {
            Some(id) => Ok(Self { identity, id }),
            None => Err(Error::SessionNeeded.into()),
        }))
    }
}

/// `ticket` of the query string.
fn ticket(request: &HttpRequest) -> Option<String> {
    let mut parameters = form_urlencoded::parse(request.query_string().as_bytes());
    let ticket = parameters.find(|(name, _)| name == "ticket");
    ticket.map(|(_, ticket)| ticket.into_owned())
}

/// The token of `Authorization`. Another scheme than Bearer counts as no credentials.
fn bearer(request: &HttpRequest) -> Result<Option<&str>, Problem> {
    let mut values = request.headers().get_all(AUTHORIZATION);
    let Some(value) = values.next() else {
        return Ok(None);
    };
    if values.next().is_some() {
        return Err(Problem::malformed(
            "the header `Authorization` must occur only once",
        ));
    }
    let value = value
        .to_str()
        .map_err(|_| Problem::malformed("the header `Authorization` is not ASCII"))?;
    let (scheme, token) = value.split_once(' ').unwrap_or((value, ""));
    Ok(scheme
        .eq_ignore_ascii_case("bearer")
        .then(|| token.trim_matches(' ')))
}
