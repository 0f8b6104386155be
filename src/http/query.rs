//! Query strings.

use std::future::{Ready, ready};

use actix_web::{FromRequest, HttpRequest, dev::Payload};
use percent_encoding::percent_decode;

use super::{Problem, Request, fields};

/// A checked query string; parameters that nobody knows are passed over. Answers 400 or 422.
pub struct Query<T>(pub T);

impl<T: Request> FromRequest for Query<T> {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(
            pairs(request.query_string().as_bytes())
                .and_then(|pairs| fields::read_pairs(pairs).map_err(Problem::invalid))
                .map(Self),
        )
    }
}

/// Names and values of `application/x-www-form-urlencoded`.
pub(super) fn pairs(bytes: &[u8]) -> Result<Vec<(String, String)>, Problem> {
    // The parser would put U+FFFD for what is not UTF-8.
    if percent_decode(bytes).decode_utf8().is_err() {
        return Err(Problem::malformed("the form or query string is not UTF-8"));
    }
    serde_urlencoded::from_bytes(bytes)
        .map_err(|_| Problem::malformed("the form or query string cannot be read"))
}
