//! Extractors for request bodies, with limits on size and time.

use std::time::Duration;

use actix_multipart::Multipart;
use actix_web::{
    FromRequest, HttpMessage, HttpRequest,
    dev::Payload,
    error::PayloadError,
    http::header,
    web::{Bytes, BytesMut},
};
use deserr::Deserr;
use futures_util::{StreamExt, future::LocalBoxFuture, stream};
use serde_json::{Map, Value};

use super::{
    BodyErrors,
    json::{self, MAX_VALUES, ParseError},
    members::{pairs, read_object, read_pairs},
};
use crate::{
    error::FieldError,
    http::{
        MAX_BODY_BYTES, MAX_SMALL_BODY_BYTES, Problem, State, authentication::authenticated_user,
        connections::body_was_read, limits::LargeBody,
    },
};

/// Maximum time for the whole body to arrive.
const TIMEOUT: Duration = Duration::from_secs(10);

/// A valid JSON object. Unknown members are ignored. Rejects with 400, 408, 413, 415 or 422,
/// and a large body also with 429 or 503.
pub struct Body<T>(pub T);

/// The members of a form (urlencoded or multipart) or of a JSON object. A member with an empty text
/// counts as missing (RFC 6749, section 3.2). Rejects with 408, 413 or 415, with 400 for a malformed
/// header, and a large body also with 429 or 503.
pub struct Form {
    members: Members,
    /// The error of a body that cannot be parsed.
    malformed: Option<Problem>,
}

enum Members {
    /// The members of a JSON object, and an error for each repeated one.
    Object(Map<String, Value>, Vec<FieldError>),
    /// The names and values of a form.
    Pairs(Vec<(String, String)>),
}

impl Form {
    /// Whether the body has the member `name`.
    #[must_use]
    pub fn contains(&self, name: &str) -> bool {
        match &self.members {
            Members::Object(members, _) => members.contains_key(name),
            Members::Pairs(pairs) => pairs.iter().any(|(other, _)| other == name),
        }
    }

    /// Deserializes the members as `T`.
    ///
    /// # Errors
    /// 400 or 422.
    pub fn read<T: Deserr<BodyErrors>>(self) -> Result<T, Problem> {
        if let Some(problem) = self.malformed {
            return Err(problem);
        }
        let value = match self.members {
            Members::Object(members, repeated) => read_object(members, repeated),
            Members::Pairs(pairs) => read_pairs(pairs),
        };
        value.map_err(Problem::invalid)
    }

    async fn parse(request: &HttpRequest, format: Format, bytes: Bytes) -> Self {
        let parsed = match format {
            Format::Json => {
                object(&bytes).map(|(members, repeated)| Members::Object(members, repeated))
            }
            Format::Urlencoded => pairs(&bytes).map(Members::Pairs),
            Format::Multipart => {
                let pairs = multipart(request, bytes.clone()).await;
                pairs.map(Members::Pairs)
            }
        };
        let (mut members, malformed) = match (parsed, format) {
            (Ok(members), _) => (members, None),
            (Err(problem), Format::Urlencoded) => {
                // The names tell which errors the client understands.
                let pairs = serde_urlencoded::from_bytes(&bytes).unwrap_or_default();
                (Members::Pairs(pairs), Some(problem))
            }
            (Err(problem), _) => (Members::Pairs(Vec::new()), Some(problem)),
        };
        match &mut members {
            Members::Object(members, _) => members.retain(|_, value| value != ""),
            Members::Pairs(pairs) => pairs.retain(|(_, value)| !value.is_empty()),
        }
        Self { members, malformed }
    }
}

impl<T: Deserr<BodyErrors>> Body<T> {
    /// Parses the body of `request`.
    ///
    /// # Errors
    /// 400, 415 or 422.
    pub fn parse(request: &HttpRequest, body: &[u8]) -> Result<T, Problem> {
        Format::of(request, Accepted::Json)?;
        Self::parse_object(body)
    }

    /// Parses a JSON object.
    ///
    /// # Errors
    /// 400 or 422.
    pub fn parse_object(bytes: &[u8]) -> Result<T, Problem> {
        let (members, repeated) = object(bytes)?;
        read_object(members, repeated).map_err(Problem::invalid)
    }
}

impl<T: Deserr<BodyErrors> + 'static> FromRequest for Body<T> {
    type Error = Problem;
    type Future = LocalBoxFuture<'static, Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let request = request.clone();
        let payload = payload.take();
        Box::pin(async move {
            // The place is held until the bytes are parsed.
            let (_, received) = begin(&request, payload, Accepted::Json).await?;
            Self::parse_object(&received.bytes).map(Self)
        })
    }
}

impl FromRequest for Form {
    type Error = Problem;
    type Future = LocalBoxFuture<'static, Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let request = request.clone();
        let payload = payload.take();
        Box::pin(async move {
            let accepted = Accepted::FormOrJson;
            // The place is held until the bytes are parsed.
            let (format, received) = begin(&request, payload, accepted).await?;
            Ok(Self::parse(&request, format, received.bytes.clone()).await)
        })
    }
}

/// A body in memory, and its place if it is large.
pub(in crate::http) struct Received {
    pub bytes: Bytes,
    _place: Option<LargeBody>,
}

impl Received {
    /// Receives the body of `request`. To hand it to an extractor, insert the result into the
    /// extensions of the request.
    ///
    /// # Errors
    /// 400, 408, 413, 429 or 503.
    pub async fn of(request: &HttpRequest, payload: Payload) -> Result<Self, Problem> {
        let received = tokio::time::timeout(TIMEOUT, receive(request, payload))
            .await
            .map_err(|_| Problem::body_timeout())??;
        body_was_read(request);
        Ok(received)
    }
}

/// The format of a body, and the body.
async fn begin(
    request: &HttpRequest,
    payload: Payload,
    accepted: Accepted,
) -> Result<(Format, Received), Problem> {
    let format = Format::of(request, accepted)?;
    let received = request.extensions_mut().remove::<Received>();
    let received = match received {
        Some(received) => received,
        None => Received::of(request, payload).await?,
    };
    Ok((format, received))
}

/// Receives a body, and takes a place for it once it is large. Only an authenticated caller may send
/// a large one, so nobody else can take places. A large body that arrives slowly while others wait is
/// refused. The route has authenticated the caller before, see
/// [`Access`](crate::http::authentication::Access).
async fn receive(request: &HttpRequest, mut payload: Payload) -> Result<Received, Problem> {
    let user = authenticated_user(request);
    let max = user.map_or(MAX_SMALL_BODY_BYTES, |_| MAX_BODY_BYTES);
    if content_length(request).is_some_and(|length| length > max) {
        return Err(Problem::too_large(max));
    }
    let mut bytes = BytesMut::new();
    let mut place: Option<LargeBody> = None;
    loop {
        let chunk = match &mut place {
            None => payload.next().await,
            Some(place) => tokio::select! {
                biased;
                chunk = payload.next() => chunk,
                () = place.too_slow() => return Err(Problem::slow_body()),
            },
        };
        let Some(chunk) = chunk else { break };
        let chunk = chunk.map_err(|_| Problem::malformed("the request body is incomplete"))?;
        let length = bytes.len() + chunk.len();
        if length > max {
            return Err(Problem::too_large(max));
        }
        if let Some(place) = &mut place {
            place.received(chunk.len());
        } else if let Some(user) = user
            && length > MAX_SMALL_BODY_BYTES
        {
            let limits = &State::of(request)?.limits;
            place = Some(limits.begin_large_body(request, user).await?);
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(Received {
        bytes: bytes.freeze(),
        _place: place,
    })
}

/// The announced size of the body, in bytes. The largest number if it is not a number.
pub(super) fn content_length(request: &HttpRequest) -> Option<usize> {
    let length = request.headers().get(header::CONTENT_LENGTH)?.to_str();
    Some(
        length
            .ok()
            .and_then(|length| length.parse().ok())
            .unwrap_or(usize::MAX),
    )
}

/// The media types that an extractor accepts.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Accepted {
    Json,
    FormOrJson,
}

#[derive(Clone, Copy)]
pub(super) enum Format {
    Json,
    Urlencoded,
    Multipart,
}

impl Format {
    pub(super) fn of(request: &HttpRequest, accepted: Accepted) -> Result<Self, Problem> {
        let forms = accepted == Accepted::FormOrJson;
        let mut codings = request.headers().get_all(header::CONTENT_ENCODING);
        if codings.any(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"identity")) {
            return Err(Problem::unsupported(
                "the body must not have a `Content-Encoding`",
            ));
        }
        let mime = request
            .mime_type()
            .map_err(|_| Problem::malformed("the header `Content-Type` is not a media type"))?;
        let is = |essence: &str| mime.as_ref().is_some_and(|m| m.essence_str() == essence);
        let plus_json = mime.as_ref().and_then(mime::Mime::suffix) == Some(mime::JSON);
        if is("application/json") || plus_json {
            Ok(Self::Json)
        } else if forms && is("application/x-www-form-urlencoded") {
            Ok(Self::Urlencoded)
        } else if forms && is("multipart/form-data") {
            Ok(Self::Multipart)
        } else if forms {
            Err(Problem::unsupported(
                "`Content-Type` must be application/x-www-form-urlencoded, multipart/form-data or application/json",
            ))
        } else {
            Err(Problem::unsupported(
                "`Content-Type` must be application/json",
            ))
        }
    }
}

/// The members of a JSON object, and an error for each repeated one.
fn object(bytes: &[u8]) -> Result<(Map<String, Value>, Vec<FieldError>), Problem> {
    match json::parse(bytes) {
        Ok((Value::Object(members), repeated)) => Ok((members, repeated)),
        Ok(_) => Err(Problem::invalid(vec![FieldError::new(
            "",
            "type",
            "the body must be a JSON object",
        )])),
        Err(ParseError::Malformed(error)) => Err(Problem::malformed(format!(
            "the body is not valid JSON at line {} column {}",
            error.line(),
            error.column()
        ))),
        Err(ParseError::TooManyValues) => Err(Problem::invalid(vec![FieldError::new(
            "",
            "length",
            format!("the body must not contain more than {MAX_VALUES} JSON values"),
        )])),
    }
}

async fn multipart(request: &HttpRequest, bytes: Bytes) -> Result<Vec<(String, String)>, Problem> {
    let malformed = || Problem::malformed("the body is not valid multipart/form-data in UTF-8");
    let body = stream::iter([Ok::<_, PayloadError>(bytes)]);
    let mut form = Multipart::new(request.headers(), body);
    let mut pairs = Vec::new();
    while let Some(field) = form.next().await {
        let mut field = field.map_err(|_| malformed())?;
        let name = field.name().ok_or_else(malformed)?.to_owned();
        let value = field.bytes(MAX_BODY_BYTES).await.ok().and_then(Result::ok);
        let value = String::from_utf8(value.ok_or_else(malformed)?.to_vec());
        pairs.push((name, value.map_err(|_| malformed())?));
    }
    Ok(pairs)
}
