//! Numbers in paths.

use std::future::{Ready, ready};

use actix_web::{FromRequest, HttpRequest, dev::Payload};

use utoipa::{
    IntoParams,
    openapi::{
        ObjectBuilder, Required,
        path::{Parameter, ParameterBuilder, ParameterIn},
        schema::{KnownFormat, SchemaFormat, Type},
    },
};

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

impl IntoParams for Id {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let schema = ObjectBuilder::new()
            .schema_type(Type::Integer)
            .format(Some(SchemaFormat::KnownFormat(KnownFormat::Int64)))
            .minimum(Some(1))
            .maximum(Some(i64::MAX))
            .examples([1]);
        let id = ParameterBuilder::new()
            .name("id")
            .parameter_in(ParameterIn::Path)
            .required(Required::True)
            .description(Some("Its number"))
            .schema(Some(schema));
        vec![id.build()]
    }
}
