//! The body of problem details.

use std::num::NonZeroI64;

use actix_cors::CorsError;
use actix_web::{
    body::BoxBody,
    dev::ServiceResponse,
    http::header::{self, HeaderValue},
};
use serde::Serialize;

use super::{OAuthCode, Problem};
use crate::{error::FieldError, http::request_id::RequestId};

/// The body of 4xx and 5xx responses (RFC 9457).
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = Problem)]
pub struct ProblemDetails<'a> {
    /// The problem type, as the path of its documentation.
    #[serde(rename = "type")]
    #[schema(value_type = &str, format = UriReference, example = "/problems/not-found")]
    uri: String,
    /// A short summary of the problem type.
    #[schema(example = "Not found")]
    title: &'a str,
    /// The HTTP status code.
    #[schema(minimum = 400, maximum = 599, example = 404)]
    status: u16,
    /// An explanation of this occurrence.
    #[schema(example = "post 42 does not exist")]
    detail: &'a str,
    /// The request id, as in `X-Request-Id`.
    #[schema(example = "01932f3e-8f0c-7c8e-b7d1-0c5a3f3f5d11")]
    instance: &'a str,
    /// With 422, all invalid fields; with 409, the field in conflict.
    #[serde(skip_serializing_if = "<[FieldError]>::is_empty")]
    #[schema(required = false)]
    errors: &'a [FieldError],
    /// With 412, the version of the post.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, value_type = Option<i64>, minimum = 1, example = 3)]
    current_version: Option<NonZeroI64>,
    /// With 401 of `/login`, the OAuth 2.0 error code (RFC 6749, section 5.2).
    #[serde(rename = "error", skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, value_type = Option<&str>, example = "invalid_grant")]
    oauth_error: Option<OAuthCode>,
}

impl Problem {
    /// The details, for the request with the id `instance`.
    #[must_use]
    pub fn details<'a>(&'a self, instance: &'a str) -> ProblemDetails<'a> {
        let title = match self.definition {
            Some(problem_type) => problem_type.title,
            // RFC 9457, section 4.2.1: the title of `about:blank` is the status phrase.
            None => self.status.canonical_reason().unwrap_or("Unknown"),
        };
        ProblemDetails {
            uri: self.type_uri(),
            title,
            status: self.status.as_u16(),
            detail: &self.detail,
            instance,
            errors: &self.errors,
            current_version: self.current_version,
            oauth_error: self.oauth_error,
        }
    }

    pub(super) fn body(&self, instance: &str) -> BoxBody {
        let body = match self.oauth_body() {
            Some(error) => serde_json::to_vec(&error),
            None => serde_json::to_vec(&self.details(instance)),
        };
        // Serialisation of strings and numbers cannot fail.
        BoxBody::new(body.unwrap_or_default())
    }

    pub(super) fn media_type(&self) -> &'static str {
        match self.error_uri {
            Some(_) => "application/json",
            None => "application/problem+json",
        }
    }
}

/// Replaces the body of `response`, a 4xx or 5xx, by problem details, or by an error of OAuth 2.0 where
/// the handler chose that. Keeps its headers.
#[must_use]
pub fn render(response: ServiceResponse, id: &RequestId) -> ServiceResponse {
    let status = response.status();
    let problem = response.response().error().and_then(|error| {
        let problem = error.as_error::<Problem>().cloned();
        problem.or_else(|| {
            error.as_error::<CorsError>().map(|error| Problem {
                detail: error.to_string().into(),
                ..Problem::of_status(status)
            })
        })
    });
    let problem = problem.unwrap_or_else(|| Problem::of_status(status));
    let mut response = response.map_body(|_, _| problem.body(&id.0));
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static(problem.media_type()),
    );
    response
}
