//! Who makes a request: `Authorization: Bearer` (RFC 6750).

use actix_web::{
    FromRequest, HttpMessage, HttpRequest, dev::Payload, http::header::AUTHORIZATION, web::Data,
};
use futures_util::future::LocalBoxFuture;

use super::{Problem, State, limits};
use crate::{
    error::Error,
    services::auth::{ACCOUNT, Identity, POSTS_READ, Role, SCOPES},
};

/// A signed-in user, or a personal access token of theirs with one of the scopes of `ANY`. Answers
/// 401 when there is none, 403 when the token lacks the scope.
///
/// It stands first among a handler's arguments: who may not ask is not told what was wrong with
/// the question.
pub struct Caller<const ANY: u8>(pub Identity);

/// A user if a token came, which must be allowed to read or to see the account. A token that is not
/// valid answers 401 all the same.
pub struct Anyone(pub Option<Identity>);

/// Who reads posts: a user, or anyone where `PUBLIC_READS` is on.
pub struct Reader(pub Option<Identity>);

/// A user who is signed in, and the number of the session: no personal access token will do.
pub struct SignedIn(pub Identity, pub i64);

/// An admin who is signed in.
pub struct Admin(pub Identity);

/// The number of the signed-in user, for the log.
#[derive(Clone, Copy)]
pub(super) struct UserId(pub i64);

impl Reader {
    /// The number of the signed-in user.
    #[must_use]
    pub fn id(&self) -> Option<i64> {
        self.0.as_ref().map(|reader| reader.id)
    }
}

/// `$name`'s extractor: what `$from` makes of who sent the request.
macro_rules! extractor {
    ([$($generics:tt)*] $name:ty, $from:expr) => {
        impl<$($generics)*> FromRequest for $name {
            type Error = Problem;
            type Future = LocalBoxFuture<'static, Result<Self, Problem>>;

            fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
                let request = request.clone();
                Box::pin(async move {
                    let from: fn(Option<Identity>, &State) -> Result<Self, Problem> = $from;
                    let state = state(&request)?;
                    from(identify(&request, state).await?, state)
                })
            }
        }
    };
}

extractor!([const ANY: u8] Caller<ANY>, |who, _| scoped(known(who)?, ANY).map(Self));
extractor!([] Anyone, |who, _| {
    let who = who.map(|who| scoped(who, POSTS_READ | ACCOUNT));
    who.transpose().map(Self)
});
extractor!([] Reader, |who, state| {
    if who.is_none() && state.public_reads {
        return Ok(Self(None));
    }
    scoped(known(who)?, POSTS_READ).map(|who| Self(Some(who)))
});
extractor!([] SignedIn, |who, _| signed_in(known(who)?));
extractor!([] Admin, |who, _| {
    let SignedIn(who, _) = signed_in(known(who)?)?;
    if who.role < Role::Admin {
        return Err(Error::RoleNeeded { role: "admin" }.into());
    }
    Ok(Self(who))
});

fn known(who: Option<Identity>) -> Result<Identity, Problem> {
    who.ok_or_else(Problem::unauthenticated)
}

fn scoped(who: Identity, any: u8) -> Result<Identity, Problem> {
    if who.scopes.has(any) {
        return Ok(who);
    }
    let scope = SCOPES.iter().find(|(bit, ..)| any & bit != 0);
    let scope = scope.map_or("", |(_, name, _)| name);
    Err(Error::InsufficientScope { scope }.into())
}

fn signed_in(who: Identity) -> Result<SignedIn, Problem> {
    match who.session_id() {
        Some(session_id) => Ok(SignedIn(who, session_id)),
        None => Err(Error::SessionNeeded.into()),
    }
}

async fn identify(request: &HttpRequest, state: &State) -> Result<Option<Identity>, Problem> {
    let Some(token) = bearer(request)? else {
        return Ok(None);
    };
    let caller = state
        .authenticator
        .identify(&state.db, &state.access_tokens, token)
        .await?;
    request.extensions_mut().insert(UserId(caller.id));
    limits::write(request, caller.id)?;
    Ok(Some(caller))
}

pub(super) fn state(request: &HttpRequest) -> Result<&State, Problem> {
    request
        .app_data::<Data<State>>()
        .map(Data::get_ref)
        .ok_or_else(|| Problem::internal("the server was built without its state".to_owned()))
}

/// The token, if `Authorization` has one. Another scheme than Bearer counts as no credentials.
fn bearer(request: &HttpRequest) -> Result<Option<&str>, Problem> {
    let Some(value) = request.headers().get(AUTHORIZATION) else {
        return Ok(None);
    };
    let value = value
        .to_str()
        .map_err(|_| Problem::malformed("the header `Authorization` is not ASCII"))?;
    let (scheme, token) = value.split_once(' ').unwrap_or((value, ""));
    Ok(scheme
        .eq_ignore_ascii_case("bearer")
        .then(|| token.trim_matches(' ')))
}
