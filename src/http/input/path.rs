//! Extractors for the id in a path.

use std::{
    future::{Ready, ready},
    str::FromStr,
};

use actix_web::{FromRequest, HttpRequest, dev::Payload};
use entity::values::{EventPosition, ExternalId, Invalid};
use percent_encoding::percent_decode_str;
use utoipa::{
    IntoParams, PartialSchema,
    openapi::{
        Required,
        path::{Parameter, ParameterBuilder, ParameterIn},
    },
};

use crate::http::Problem;

/// The `{id}` segment of a path. Rejects an invalid id with 422.
#[derive(Clone, Copy, Debug)]
pub struct Id<T>(pub T);

impl<T: FromStr<Err = Invalid>> FromRequest for Id<T> {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(segment(request, "id").map(Self))
    }
}

impl<T: PartialSchema> IntoParams for Id<T> {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        vec![parameter::<T>("id", "The id")]
    }
}

/// The `{position}` segment of a path: the position of an event. Rejects an invalid one with 422.
#[derive(Clone, Copy, Debug)]
pub struct PositionSegment(pub EventPosition);

impl FromRequest for PositionSegment {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(segment(request, "position").map(Self))
    }
}

impl IntoParams for PositionSegment {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let description = "The position of the event";
        vec![parameter::<EventPosition>("position", description)]
    }
}

fn segment<T: FromStr<Err = Invalid>>(request: &HttpRequest, name: &str) -> Result<T, Problem> {
    let text = request.match_info().get(name).unwrap_or_default();
    text.parse()
        .map_err(|invalid| Problem::invalid_field(name, &invalid))
}

fn parameter<T: PartialSchema>(name: &str, description: &str) -> Parameter {
    ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Path)
        .required(Required::True)
        .description(Some(description))
        .schema(Some(T::schema()))
        .build()
}

/// The `{external_id}` segment of a path, percent-decoded. Rejects an invalid id with 422.
#[derive(Clone, Debug)]
pub struct ExternalIdSegment(pub ExternalId);

impl FromRequest for ExternalIdSegment {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        // Not `match_info`: it replaces bytes that are not UTF-8.
        let path = request.uri().path().trim_end_matches('/');
        let segment = path.rsplit('/').next().unwrap_or_default();
        let decoded = percent_decode_str(segment).decode_utf8();
        let decoded = decoded.map_err(|_| Invalid::new("format", "must be UTF-8"));
        let id = decoded.and_then(ExternalId::parse).map(Self);
        ready(id.map_err(|invalid| Problem::invalid_field("external_id", &invalid)))
    }
}

impl IntoParams for ExternalIdSegment {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let id = ParameterBuilder::new()
            .name("external_id")
            .parameter_in(ParameterIn::Path)
            .required(Required::True)
            .description(Some("The external id, percent-encoded"))
            .schema(Some(ExternalId::schema()));
        vec![id.build()]
    }
}
