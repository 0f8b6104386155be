//! Access tokens: JSON Web Tokens (RFC 7519) in the OAuth 2.0 profile (RFC 9068), verified as RFC 8725
//! recommends.

use std::{collections::BTreeMap, time::Duration};

use entity::values::{Scopes, SessionId, UserId};
use jsonwebtoken::{Header, Validation};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{error::Error, keys::Keys};

/// `aud`, and `iss` if the issuer has no URL: the service is issuer and audience.
const ACCLAIM: &str = "acclaim";
/// `typ`: rejects every other kind of JWT (RFC 9068, section 2.1).
const TYPE: &str = "at+jwt";

/// Signs and verifies access tokens.
#[derive(Clone, Debug)]
pub struct AccessTokens {
    keys: Keys,
    validation: Validation,
    lifetime: Duration,
    issuer: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct Claims {
    iss: String,
    aud: String,
    /// The user's id as text: RFC 7519 requires a string, and JSON numbers are exact only to 2^53.
    sub: String,
    iat: i64,
    exp: i64,
    jti: Uuid,
    /// The session's id as text, because JSON numbers are exact only to 2^53.
    sid: String,
    /// The scopes, separated by spaces, for services that verify tokens themselves (RFC 9068, section
    /// 2.2.3). Tokens of earlier versions lack it.
    #[serde(default)]
    scope: String,
    /// Whether the token has fewer scopes than its session.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    narrowed: bool,
}

/// The claims of a valid token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VerifiedToken {
    /// The user's id.
    pub user_id: UserId,
    /// The session's id.
    pub session_id: SessionId,
    /// The scopes that the token is limited to; `None` for all scopes of the session.
    scopes: Option<Scopes>,
    /// In seconds since 1970.
    pub issued_at: i64,
    /// In seconds since 1970.
    pub expires_at: i64,
}

impl VerifiedToken {
    /// The scopes of the token, if its session has `granted`.
    #[must_use]
    pub fn scopes(&self, granted: Scopes) -> Scopes {
        self.scopes
            .map_or(granted, |scopes| scopes.intersection(granted))
    }
}

impl AccessTokens {
    /// Signs and verifies with `keys`. Tokens expire after `lifetime`.
    #[must_use]
    pub fn new(keys: Keys, lifetime: Duration) -> Self {
        let mut validation = Validation::new(keys.algorithm());
        validation.set_issuer(&[ACCLAIM]);
        validation.set_audience(&[ACCLAIM]);
        validation.set_required_spec_claims(&["iss", "aud", "sub", "exp"]);
        validation.validate_nbf = true;
        // The same service issues and verifies: there is no clock skew.
        validation.leeway = 0;
        // A token is expired from the second of its `exp` on (RFC 7519, section 4.1.4).
        validation.reject_tokens_expiring_in_less_than = 1;
        Self {
            keys,
            validation,
            lifetime,
            issuer: None,
        }
    }

    /// Issues tokens with the URL `issuer` as `iss` (RFC 8414, section 2). Those with `acclaim` still
    /// verify.
    #[must_use]
    pub fn with_issuer(mut self, issuer: Option<String>) -> Self {
        let accepted = [ACCLAIM].into_iter().chain(issuer.as_deref());
        self.validation.set_issuer(&accepted.collect::<Vec<_>>());
        Self { issuer, ..self }
    }

    /// The URL of the service, if it is known.
    #[must_use]
    pub fn issuer(&self) -> Option<&str> {
        self.issuer.as_deref()
    }

    /// `iss` of new tokens.
    #[must_use]
    pub fn iss(&self) -> &str {
        self.issuer().unwrap_or(ACCLAIM)
    }

    /// `aud` of all tokens.
    #[must_use]
    pub fn audience(&self) -> &'static str {
        ACCLAIM
    }

    /// Lifetime of a token.
    #[must_use]
    pub fn lifetime(&self) -> Duration {
        self.lifetime
    }

    /// `kid` and `x` (RFC 8037) of the public keys that verify tokens.
    #[must_use]
    pub fn public_keys(&self) -> &BTreeMap<String, String> {
        self.keys.public_keys()
    }

    /// Issues a token with `scopes` to user `user_id` in session `session_id`. `narrowed` is true if
    /// the session has more scopes.
    pub fn issue(
        &self,
        user_id: UserId,
        session_id: SessionId,
        scopes: Scopes,
        narrowed: bool,
    ) -> Result<String, Error> {
        let now = OffsetDateTime::now_utc();
        let claims = Claims {
            iss: self.iss().to_owned(),
            aud: ACCLAIM.to_owned(),
            sub: user_id.to_string(),
            iat: now.unix_timestamp(),
            exp: (now + self.lifetime).unix_timestamp(),
            jti: Uuid::now_v7(),
            sid: session_id.to_string(),
            scope: scopes.to_string(),
            narrowed,
        };
        let (kid, key) = self.keys.signing_key();
        let header = Header {
            typ: Some(TYPE.to_owned()),
            kid: Some(kid.to_owned()),
            ..Header::new(self.keys.algorithm())
        };
        jsonwebtoken::encode(&header, &claims, key).map_err(Error::internal)
    }

    /// Verifies `token`.
    ///
    /// # Errors
    /// [`Error::InvalidToken`] if this service did not issue it, or if it is expired.
    pub fn verify(&self, token: &str) -> Result<VerifiedToken, Error> {
        self.check(token).ok_or(Error::InvalidToken)
    }

    fn check(&self, token: &str) -> Option<VerifiedToken> {
        let header = jsonwebtoken::decode_header(token).ok()?;
        // The service supports no critical extension (RFC 7515, section 4.1.11).
        if header.typ.as_deref() != Some(TYPE) || header.crit.is_some() {
            return None;
        }
        let key = self.keys.verification_key(header.kid.as_deref()?)?;
        let token = jsonwebtoken::decode::<Claims>(token, key, &self.validation).ok()?;
        let claims = token.claims;
        let scopes = claims.narrowed.then(|| claims.scope.parse());
        Some(VerifiedToken {
            user_id: claims.sub.parse().ok()?,
            session_id: claims.sid.parse().ok()?,
            scopes: scopes.transpose().ok()?,
            issued_at: claims.iat,
            expires_at: claims.exp,
        })
    }
}
