//! Numbers in paths.

use std::future::{Ready, ready};

use actix_web::{FromRequest, HttpRequest, dev::Payload};

use super::Problem;
use crate::error::Fault;

/// The `{id}` of a path, 1 to 2^63 - 1. Answers 422 for anything else.
#[derive(Clone, Copy, Debug)]
pub struct Id(pub i64);

impl FromRequest for Id {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let number = request.match_info().get("id").map(str::parse::<i64>);
        ready(match number {
            Some(Ok(id @ 1..)) => Ok(Self(id)),
            _ => Err(Problem::invalid(vec![Fault::new(
                "id",
                "type",
                "must be a whole number from 1 to 9223372036854775807",
            )])),
        })
    }
}
