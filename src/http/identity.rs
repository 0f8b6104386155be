//! Who makes a request: `Authorization: Bearer` (RFC 6750).

use actix_web::{
    FromRequest, HttpMessage, HttpRequest, dev::Payload, http::header::AUTHORIZATION, web::Data,
};
use futures_util::future::LocalBoxFuture;

use super::{Problem, State, limits};
use crate::{
    error::Error,
    services::users::{self, Identity},
};

/// A signed-in user. Answers 401 when there is none.
///
/// It stands first among a handler's arguments: who may not ask is not told what was wrong with
/// the question.
pub struct Caller(pub Identity);

/// A signed-in user if a token came. A token that is not valid answers 401 all the same.
pub struct Anyone(pub Option<Identity>);

/// Who reads posts: a signed-in user, or anyone where `PUBLIC_READS` is on.
pub struct Reader(pub Option<Identity>);

/// The number of the signed-in user, for the log.
#[derive(Clone, Copy)]
pub(super) struct UserId(pub i64);

impl FromRequest for Caller {
    type Error = Problem;
    type Future = LocalBoxFuture<'static, Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        Box::pin(async move {
            let caller = identify(&request).await?;
            caller.map(Self).ok_or_else(Problem::unauthenticated)
        })
    }
}

impl FromRequest for Anyone {
    type Error = Problem;
    type Future = LocalBoxFuture<'static, Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        Box::pin(async move { identify(&request).await.map(Self) })
    }
}

impl FromRequest for Reader {
    type Error = Problem;
    type Future = LocalBoxFuture<'static, Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        Box::pin(async move {
            let reader = identify(&request).await?;
            if reader.is_none() && !state(&request)?.public_reads {
                return Err(Problem::unauthenticated());
            }
            Ok(Self(reader))
        })
    }
}

impl Reader {
    /// The number of the signed-in user.
    #[must_use]
    pub fn id(&self) -> Option<i64> {
        self.0.as_ref().map(|reader| reader.id)
    }
}

async fn identify(request: &HttpRequest) -> Result<Option<Identity>, Problem> {
    let Some(token) = bearer(request)? else {
        return Ok(None);
    };
    let state = state(request)?;
    let id = state.tokens.verify(token)?;
    let caller = users::identify(&state.db, id).await?;
    let caller = caller.ok_or(Error::InvalidToken)?;
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
