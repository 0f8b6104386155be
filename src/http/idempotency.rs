//! The header `Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header): a request that a client sends
//! again gets the answer of the first, and has no further effect.

use std::future::{Ready, ready};

use actix_web::{
    Error as ActixError, FromRequest, HttpMessage, HttpRequest, HttpResponse, ResponseError,
    body::{BodySize, BoxBody, MessageBody},
    dev::{Payload, ServiceRequest, ServiceResponse},
    http::{
        StatusCode,
        header::{CONTENT_TYPE, ETAG, HeaderName, HeaderValue},
    },
    middleware::Next,
    web::Bytes,
};
use aws_lc_rs::digest::{Context, SHA256};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use entity::values::IdempotencyKey;
use secrecy::SecretString;
use utoipa::{
    PartialSchema,
    openapi::{
        Required,
        path::{Operation, ParameterBuilder, ParameterIn},
    },
};

use super::{
    Problem, Representation, State,
    authentication::authenticated_user,
    input::Received,
    problem::{
        ProblemType,
        types::{IDEMPOTENCY_KEY_IN_USE, IDEMPOTENCY_KEY_REUSED},
    },
    success_header::declare_on_success,
};
use crate::{
    error::Error,
    services::{
        auth::sign_up,
        idempotency::{KeyedRequest, StoredAnswer},
        quotas::Reservation,
    },
};

/// The key, in a request.
pub const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// `true` in an answer that was sent before.
pub const IDEMPOTENCY_REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");
/// The problems of every route that accepts the key.
pub const PROBLEMS: &[&ProblemType] = &[IDEMPOTENCY_KEY_IN_USE, IDEMPOTENCY_KEY_REUSED];

/// Adds the header of the key to the request, and to each success the header of a stored response.
pub(super) fn declare(operation: &mut Operation) {
    let key = ParameterBuilder::new()
        .name("Idempotency-Key")
        .parameter_in(ParameterIn::Header)
        .required(Required::False)
        .description(Some(
            "A key of 1 to 255 visible ASCII characters, such as a random UUID, bare or in quotation marks. For 24 hours, a request with the same key, path and body gets the response of the first one and has no further effect. A response that is not a success is not stored.",
        ))
        .schema(Some(IdempotencyKey::schema()));
    operation
        .parameters
        .get_or_insert_default()
        .push(key.build().into());
    declare_on_success(operation, "Idempotency-Replayed", "IdempotencyReplayed");
}

/// What a body must have in common with an earlier one to be the same request.
#[derive(Debug)]
pub struct Fingerprint {
    /// The service stores its SHA-256.
    pub text: Bytes,
    /// A password. The service compares it with that of the user whom the earlier request created:
    /// a stored SHA-256 would let a thief of the database guess it quickly.
    pub password: Option<SecretString>,
}

/// Reads the fingerprint of the body of a request.
pub type FingerprintOf = fn(&HttpRequest, &Bytes) -> Result<Fingerprint, Problem>;

/// The fingerprint of a body without secrets.
///
/// # Errors
/// None.
pub fn whole_body(_: &HttpRequest, body: &Bytes) -> Result<Fingerprint, Problem> {
    Ok(Fingerprint {
        text: body.clone(),
        password: None,
    })
}

/// How a route treats a request with a key.
#[derive(Clone, Copy)]
pub(super) struct Rule {
    fingerprint: FingerprintOf,
    /// Whether the stored answer is looked for before the handler runs. Otherwise the batch that writes
    /// looks for it.
    looks_first: bool,
}

impl Rule {
    pub(super) const IN_BATCH: Self = Self {
        fingerprint: whole_body,
        looks_first: false,
    };

    pub(super) fn first(fingerprint: FingerprintOf) -> Self {
        Self {
            fingerprint,
            looks_first: true,
        }
    }
}

/// Answers a request with a key: with the stored answer, or by `next`. The caller must be
/// authenticated.
///
/// # Errors
/// 400, 408, 409, 413, 422, 429 or 503.
pub(super) async fn answer(
    rule: Rule,
    mut request: ServiceRequest,
    next: &Next<impl MessageBody + 'static>,
) -> Result<Result<ServiceResponse<BoxBody>, ActixError>, Problem> {
    let parts = request.request().clone();
    let state = State::of(&parts)?;
    let key = key_of(&parts)?;
    let caller = authenticated_user(&parts);
    let scope = caller.into();
    let _running = state.in_flight.begin(scope, &key)?;
    let received = Received::of(&parts, request.take_payload()).await?;
    let length = received.bytes.len();
    let Fingerprint { text, password } = (rule.fingerprint)(&parts, &received.bytes)?;
    let hash = hash(&parts, &text);
    // From here on the handler alone has the body, and frees it.
    drop(text);
    let keyed = KeyedRequest { scope, key, hash };
    let stored = || replay(state, &parts, &keyed, password.as_ref());
    if rule.looks_first
        && let Some(response) = stored().await?
    {
        return Ok(Ok(response));
    }
    {
        let mut extensions = parts.extensions_mut();
        extensions.insert(received);
        extensions.insert(keyed.clone());
    }
    let answer = async {
        let State { db, quotas, .. } = state;
        let reservation = match caller {
            Some(caller) => Some(quotas.reserve_answer(db, caller, length).await?),
            // A sign-up creates its user.
            None => None,
        };
        let answer = next.call(request).await;
        let answer = answer.map(ServiceResponse::map_into_boxed_body);
        if let (Some(reservation), Ok(answer)) = (reservation, &answer) {
            settle(reservation, answer, length);
        }
        Ok(answer)
    };
    let answer: Result<_, Problem> = answer.await;
    let is_refused = match &answer {
        Ok(Ok(answer)) => answer.status().is_client_error(),
        Ok(Err(_)) => false,
        Err(problem) => problem.status_code().is_client_error(),
    };
    // An earlier request, or another server meanwhile, can be the cause: it used up the quota, or voted.
    if is_refused && let Some(response) = stored().await? {
        return Ok(Ok(response));
    }
    answer
}

/// Corrects the reservation for the stored answer, by which the request was answered. `reserved` is the
/// length of its body.
fn settle(mut reservation: Reservation, answer: &ServiceResponse<BoxBody>, reserved: usize) {
    if answer.status().is_client_error() || answer.headers().contains_key(IDEMPOTENCY_REPLAYED) {
        reservation.release();
    } else if let BodySize::Sized(length) = answer.response().body().size() {
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        reservation.add_bytes(length.saturating_sub(reserved));
    }
}

/// The stored answer of `keyed`.
async fn replay(
    state: &State,
    request: &HttpRequest,
    keyed: &KeyedRequest,
    password: Option<&SecretString>,
) -> Result<Option<ServiceResponse<BoxBody>>, Problem> {
    let Some(found) = keyed.find(&state.db).await? else {
        return Ok(None);
    };
    if let Some(password) = password {
        let admit = |user| state.limits.admits_password(user);
        let user = found.new_user();
        let user = user.ok_or_else(|| Problem::internal("the stored sign-up has no user"))?;
        let password = password.clone();
        sign_up::verify_repeated(&state.db, &state.passwords, user, password, admit).await?;
    }
    let response = response(found.into_answer()?)?;
    Ok(Some(ServiceResponse::new(request.clone(), response)))
}

fn key_of(request: &HttpRequest) -> Result<IdempotencyKey, Problem> {
    let mut values = request.headers().get_all(IDEMPOTENCY_KEY);
    let value = values.next().and_then(|value| value.to_str().ok());
    if values.next().is_some() {
        return Err(Problem::malformed(
            "the header `Idempotency-Key` must occur only once",
        ));
    }
    // A value that is not ASCII is no key either.
    let key = IdempotencyKey::parse_header(value.unwrap_or_default());
    key.map_err(|invalid| Problem::malformed(format!("the header `Idempotency-Key` {invalid}")))
}

/// The SHA-256 of method, path, query string and `text`, base64url. None of the first three can contain
/// a NUL.
fn hash(request: &HttpRequest, text: &[u8]) -> String {
    let mut hash = Context::new(&SHA256);
    for part in [
        request.method().as_str(),
        request.path(),
        request.query_string(),
    ] {
        hash.update(part.as_bytes());
        hash.update(&[0]);
    }
    hash.update(text);
    BASE64_URL_SAFE_NO_PAD.encode(hash.finish())
}

/// The key of a request, for its handler. `None` if the request has none.
#[derive(Debug)]
pub struct Keyed(pub Option<KeyedRequest>);

impl FromRequest for Keyed {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Ok(Self(request.extensions_mut().remove())))
    }
}

/// The answer to store for `response`.
///
/// # Errors
/// [`Error::Internal`] if it is a problem or a stream, or not text.
pub fn stored(response: Result<HttpResponse, Problem>) -> Result<StoredAnswer, Error> {
    let response = response.map_err(|problem| Error::internal(problem.to_string()))?;
    let status = response.status().as_u16();
    let common = common_headers(response.headers().contains_key(ETAG));
    let mut headers = Vec::new();
    for (name, value) in response.headers() {
        let is_common = |(other, common): &(_, _)| other == name && common == value;
        if !common.iter().any(is_common) {
            let value = value.to_str().map_err(Error::internal)?;
            headers.push(format!("{name}: {value}"));
        }
    }
    let bytes = response.into_body().try_into_bytes();
    let bytes = bytes.map_err(|_| Error::internal("a stream cannot be stored"))?;
    let body = String::from_utf8(bytes.into()).map_err(Error::internal)?;
    Ok(StoredAnswer {
        status,
        headers: headers.join("\n"),
        body: Some(body),
        is_replayed: false,
    })
}

/// The headers of most answers, which are not stored.
fn common_headers(has_etag: bool) -> Vec<(HeaderName, HeaderValue)> {
    let json = HeaderValue::from_static("application/json");
    let mut headers = vec![(CONTENT_TYPE, json)];
    if has_etag {
        headers.extend(Representation::caching_headers());
    }
    headers
}

/// The response that was stored as `answer`.
///
/// # Errors
/// 500 if it is not a response.
pub fn response(answer: StoredAnswer) -> Result<HttpResponse, Problem> {
    let status = StatusCode::from_u16(answer.status);
    let mut response = HttpResponse::build(status.map_err(unreadable)?);
    for header in common_headers(answer.header(ETAG.as_str()).is_some()) {
        response.insert_header(header);
    }
    for (name, value) in answer.headers() {
        let name = HeaderName::try_from(name).map_err(unreadable)?;
        let value = HeaderValue::try_from(value).map_err(unreadable)?;
        response.insert_header((name, value));
    }
    if answer.is_replayed {
        response.insert_header((IDEMPOTENCY_REPLAYED, HeaderValue::from_static("true")));
    }
    Ok(response.body(answer.body.unwrap_or_default()))
}

fn unreadable(error: impl std::fmt::Display) -> Problem {
    Problem::internal(format!("a stored answer is not a response: {error}"))
}
