//! JSON responses with an `ETag`, and conditional requests (RFC 9110, sections 8.8.3 and 13).

use actix_web::{
    HttpRequest, HttpResponse, HttpResponseBuilder,
    http::{
        StatusCode,
        header::{
            CACHE_CONTROL, ETAG, EntityTag, Header, HeaderName, HeaderValue, IfNoneMatch, VARY,
        },
    },
    web::Bytes,
};
use aws_lc_rs::digest::{Context, SHA256};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use serde::Serialize;

use super::authentication::authenticated_user;

/// Votes change the representation, so caches must revalidate every copy.
const PRIVATE: &str = "private, no-cache";

/// A serialised JSON body and its strong `ETag`. Clones share the bytes.
#[derive(Clone, Debug)]
pub struct Representation {
    body: Bytes,
    etag: EntityTag,
}

impl Representation {
    /// Serialises `value`. The `ETag` also covers `headers`: the response headers that belong to
    /// the representation, such as `Link`.
    ///
    /// # Errors
    /// If `value` cannot be serialised.
    pub fn of(value: &impl Serialize, headers: &str) -> Result<Self, String> {
        let body = serde_json::to_vec(value).map_err(|error| error.to_string())?;
        let mut hash = Context::new(&SHA256);
        hash.update(&body);
        hash.update(headers.as_bytes());
        let hash = hash.finish();
        // 22 base64 characters are 132 bits, so collisions are infeasible to find.
        let mut tag = BASE64_URL_SAFE_NO_PAD.encode(hash);
        tag.truncate(22);
        Ok(Self {
            body: body.into(),
            etag: EntityTag::new_strong(tag),
        })
    }

    /// With `prefix` before the hash in the `ETag`. It must be characters of an opaque tag (RFC 9110,
    /// section 8.8.3).
    #[must_use]
    pub fn with_tag_prefix(self, prefix: &str) -> Self {
        let tag = format!("{prefix}{}", self.etag.tag());
        Self {
            etag: EntityTag::new_strong(tag),
            ..self
        }
    }

    /// The response to a GET or HEAD: 304 if `If-None-Match` matches, otherwise 200. Shared caches
    /// may store it only if the request has no token.
    #[must_use]
    pub fn conditional_response(self, request: &HttpRequest) -> HttpResponse {
        let matches = match IfNoneMatch::parse(request) {
            Ok(IfNoneMatch::Any) => true,
            Ok(IfNoneMatch::Items(tags)) => tags.iter().any(|tag| tag.weak_eq(&self.etag)),
            // A malformed header is ignored.
            Err(_) => false,
        };
        let caching = if authenticated_user(request).is_some() {
            PRIVATE
        } else {
            "public, no-cache"
        };
        if matches {
            return self.head(StatusCode::NOT_MODIFIED, caching).finish();
        }
        self.full(StatusCode::OK, caching)
    }

    /// The response to a write, with `status` and the body.
    #[must_use]
    pub fn response(self, status: StatusCode) -> HttpResponse {
        self.full(status, PRIVATE)
    }

    /// The headers about caching that each response to a write has.
    pub(super) fn caching_headers() -> [(HeaderName, HeaderValue); 2] {
        [
            (CACHE_CONTROL, HeaderValue::from_static(PRIVATE)),
            (VARY, HeaderValue::from_static("Authorization")),
        ]
    }

    fn full(self, status: StatusCode, caching: &'static str) -> HttpResponse {
        self.head(status, caching)
            .content_type("application/json")
            .body(self.body)
    }

    fn head(&self, status: StatusCode, caching: &'static str) -> HttpResponseBuilder {
        let mut head = HttpResponse::build(status);
        head.insert_header((CACHE_CONTROL, HeaderValue::from_static(caching)));
        head.insert_header((VARY, HeaderValue::from_static("Authorization")));
        head.insert_header((ETAG, self.etag.to_string()));
        head
    }
}
