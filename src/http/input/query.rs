//! Extractor for query strings.

use std::future::{Ready, ready};

use actix_web::{FromRequest, HttpRequest, dev::Payload};
use deserr::Deserr;

use super::{
    QueryErrors,
    members::{pairs, read_pairs},
};
use crate::http::Problem;

/// A valid query string. Unknown parameters are ignored. Rejects with 400 or 422.
pub struct Query<T>(pub T);

impl<T: Deserr<QueryErrors>> FromRequest for Query<T> {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let query = pairs(request.query_string().as_bytes())
            .and_then(|pairs| read_pairs::<T, true>(pairs).map_err(Problem::invalid));
        ready(query.map(Self))
    }
}
