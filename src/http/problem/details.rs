//! The body of a problem.

use std::borrow::Cow;

use actix_cors::CorsError;
use actix_web::{
    body::BoxBody,
    dev::ServiceResponse,
    http::header::{self, HeaderValue},
};
use serde::Serialize;

use super::Problem;
use crate::{error::FieldError, http::request_id::RequestId};

/// The body of every 4xx and 5xx answer.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = Problem)]
pub struct ProblemDetails<'a> {
    /// The problem type: the path of a page about it.
    #[serde(rename = "type")]
    #[schema(value_type = &str, format = UriReference, example = "/problems/not-found")]
    uri: Cow<'a, str>,
    /// The type in words.
    #[schema(example = "Not found")]
    title: &'a str,
    /// The HTTP status.
    #[schema(minimum = 400, maximum = 599, example = 404)]
    status: u16,
    /// One sentence about this occurrence.
    #[schema(example = "post 42 does not exist")]
    detail: &'a str,
    /// The request id.
    #[schema(example = "01932f3e-8f0c-7c8e-b7d1-0c5a3f3f5d11")]
    instance: &'a str,
    /// With 422, each fault of the input; with 409, the field in conflict.
    #[serde(skip_serializing_if = "<[FieldError]>::is_empty")]
    #[schema(required = false)]
    errors: &'a [FieldError],
    /// With 401 of `/login`: the error code of OAuth 2.0 (RFC 6749, section 5.2).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "invalid_grant")]
    error: Option<&'a str>,
}

impl Problem {
    pub(super) fn details<'a>(&'a self, instance: &'a str) -> ProblemDetails<'a> {
        let (uri, title) = match self.kind {
            Some(problem_type) => (problem_type.uri().into(), problem_type.title),
            // RFC 9457, section 4.2.1: the status tells all.
            None => (
                "about:blank".into(),
                self.status.canonical_reason().unwrap_or("Unknown"),
            ),
        };
        ProblemDetails {
            uri,
            title,
            status: self.status.as_u16(),
            detail: &self.detail,
            instance,
            errors: &self.errors,
            error: self.error,
        }
    }

    pub(super) fn body(&self, instance: &str) -> BoxBody {
        // Serialising it cannot fail.
        BoxBody::new(serde_json::to_vec(&self.details(instance)).unwrap_or_default())
    }
}

/// Replaces the body of `response`, a 4xx or 5xx, by problem details. Its headers stay.
#[must_use]
pub fn render(response: ServiceResponse, id: &RequestId) -> ServiceResponse {
    let status = response.status();
    let problem = response.response().error().and_then(|error| {
        let ours = error.as_error::<Problem>().cloned();
        let cors = || error.as_error::<CorsError>();
        ours.or_else(|| {
            cors().map(|error| Problem {
                detail: error.to_string(),
                ..Problem::of_status(status)
            })
        })
    });
    let problem = problem.unwrap_or_else(|| Problem::of_status(status));
    let mut response = response.map_body(|_, _| problem.body(&id.0));
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/problem+json"),
    );
    response
}
