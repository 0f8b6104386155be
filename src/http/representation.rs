//! Answers with an `ETag`, and conditional requests for them (RFC 9110, sections 8.8.3 and 13).

use actix_web::{
    HttpRequest, HttpResponse, HttpResponseBuilder,
    http::{
        StatusCode,
        header::{CACHE_CONTROL, ETAG, EntityTag, Header, IfNoneMatch},
    },
    web::Bytes,
};
use aws_lc_rs::digest::{Context, SHA256};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use serde::Serialize;

/// JSON as it goes to a client, and the strong validator of it. Clones share the bytes.
#[derive(Clone, Debug)]
pub struct Representation {
    body: Bytes,
    etag: EntityTag,
}

impl Representation {
    /// `value` in JSON. Its validator changes with `beside` too: what of the answer stands in other
    /// headers.
    ///
    /// # Errors
    /// When `value` cannot be written as JSON.
    pub fn of(value: &impl Serialize, beside: &str) -> Result<Self, String> {
        let body = serde_json::to_vec(value).map_err(|error| error.to_string())?;
        let mut hash = Context::new(&SHA256);
        hash.update(&body);
        hash.update(beside.as_bytes());
        let hash = hash.finish();
        // 132 bits: nobody finds two posts of one validator.
        let mut tag = BASE64_URL_SAFE_NO_PAD.encode(hash);
        tag.truncate(22);
        Ok(Self {
            body: body.into(),
            etag: EntityTag::new_strong(tag),
        })
    }

    /// Answers a GET or HEAD: 304 when the client has it already, 200 otherwise.
    #[must_use]
    pub fn read(self, request: &HttpRequest) -> HttpResponse {
        let known = match IfNoneMatch::parse(request) {
            Ok(IfNoneMatch::Any) => true,
            Ok(IfNoneMatch::Items(tags)) => tags.iter().any(|tag| tag.weak_eq(&self.etag)),
            // A header that nobody can read is no condition.
            Err(_) => false,
        };
        if known {
            return self.head(StatusCode::NOT_MODIFIED).finish();
        }
        self.answer(StatusCode::OK)
    }

    /// Answers with `status`, whatever the client has.
    #[must_use]
    pub fn answer(self, status: StatusCode) -> HttpResponse {
        self.head(status)
            .content_type("application/json")
            .body(self.body)
    }

    fn head(&self, status: StatusCode) -> HttpResponseBuilder {
        let mut head = HttpResponse::build(status);
        // Whoever keeps it asks each time whether it still holds: votes change it.
        head.insert_header((CACHE_CONTROL, "private, no-cache"));
        head.insert_header((ETAG, self.etag.to_string()));
        head
    }
}
