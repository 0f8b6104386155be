//! Error responses of OAuth 2.0 (RFC 6749, section 5.2).

use actix_web::http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use super::Problem;

/// An error code of OAuth 2.0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum OAuthCode {
    /// A parameter is missing, repeated or malformed, or the body cannot be parsed.
    InvalidRequest,
    /// The password or the refresh token is wrong, or the account is suspended.
    InvalidGrant,
    /// The service does not support the grant type.
    UnsupportedGrantType,
    /// A scope is unknown, or the session lacks it.
    InvalidScope,
}

/// An error of OAuth 2.0 (RFC 6749, section 5.2).
#[derive(Serialize, ToSchema)]
#[schema(as = OAuthError)]
pub struct OAuthError<'a> {
    #[schema(inline, example = "invalid_grant")]
    error: OAuthCode,
    /// A sentence for people, in ASCII.
    #[schema(example = "the username or the password is wrong")]
    error_description: String,
    /// The documentation of the error: a URL, or its path if the service has no `PUBLIC_URL`.
    #[schema(format = UriReference, example = "/problems/invalid-credentials")]
    error_uri: &'a str,
}

impl Problem {
    /// The same problem for a client that speaks OAuth 2.0: status 400 with [`OAuthError`] as its body,
    /// if it is an error of the content of the request, of its credentials or of its grant. Any other
    /// problem, such as 413, 429 or 503, stays as it is: RFC 6749 has no code for it.
    ///
    /// `issuer` is the URL of the service, if it is known.
    #[must_use]
    pub fn for_oauth(self, issuer: Option<&str>) -> Self {
        let Some(code) = self.oauth_code() else {
            return self;
        };
        let uri = issuer.unwrap_or_default().to_owned() + &self.type_uri();
        Self {
            status: StatusCode::BAD_REQUEST,
            challenge: None,
            oauth_error: Some(code),
            error_uri: Some(uri.into()),
            ..self
        }
    }

    fn oauth_code(&self) -> Option<OAuthCode> {
        if self.oauth_error.is_some() {
            return self.oauth_error;
        }
        let has = |field: &str, codes: &[&str]| {
            let mut errors = self.errors.iter();
            errors.any(|error| error.field == field && codes.contains(&&*error.code))
        };
        let all_of_scope = || self.errors.iter().all(|error| error.field == "scope");
        match self.status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Some(OAuthCode::InvalidGrant),
            StatusCode::BAD_REQUEST => Some(OAuthCode::InvalidRequest),
            StatusCode::UNPROCESSABLE_ENTITY => Some(if has("grant_type", &["unknown_value"]) {
                OAuthCode::UnsupportedGrantType
            } else if has("scope", &["length", "unknown_value", "not_granted"]) && all_of_scope() {
                OAuthCode::InvalidScope
            } else {
                OAuthCode::InvalidRequest
            }),
            _ => None,
        }
    }

    /// The body for a client that speaks OAuth 2.0; `None` if the problem is not for such a client.
    pub(super) fn oauth_body(&self) -> Option<OAuthError<'_>> {
        self.oauth_error
            .zip(self.error_uri.as_deref())
            .map(|(error, error_uri)| OAuthError {
                error,
                error_description: allowed(&self.detail),
                error_uri,
            })
    }
}

/// `text` with the characters that RFC 6749 allows: `%x20-21 / %x23-5B / %x5D-7E`.
fn allowed(text: &str) -> String {
    let allowed = |character| match character {
        '"' => '\'',
        ' '..='[' | ']'..='~' => character,
        _ => '?',
    };
    text.chars().map(allowed).collect()
}
