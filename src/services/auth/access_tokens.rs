//! Access tokens: JSON Web Tokens (RFC 7519) in the OAuth 2.0 profile (RFC 9068), verified as RFC 8725
//! recommends.

use std::{collections::BTreeMap, time::Duration};

use entity::values::{SessionId, UserId};
use jsonwebtoken::{Header, Validation};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{error::Error, keys::Keys};

/// `iss` and `aud`: the service is issuer and audience.
const ACCLAIM: &str = "acclaim";
/// `typ`: rejects every other kind of JWT (RFC 9068, section 2.1).
const TYPE: &str = "at+jwt";

/// Signs and verifies access tokens.
#[derive(Clone, Debug)]
pub struct AccessTokens {
    keys: Keys,
    validation: Validation,
    lifetime: Duration,
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
}

/// The claims of a valid token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VerifiedToken {
    /// The user's id.
    pub user_id: UserId,
    /// The session's id.
    pub session_id: SessionId,
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
        }
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

    /// Issues a token to user `user_id` in session `session_id`.
    pub fn issue(&self, user_id: UserId, session_id: SessionId) -> Result<String, Error> {
        let now = OffsetDateTime::now_utc();
        let claims = Claims {
            iss: ACCLAIM.to_owned(),
            aud: ACCLAIM.to_owned(),
            sub: user_id.to_string(),
            iat: now.unix_timestamp(),
            exp: (now + self.lifetime).unix_timestamp(),
            jti: Uuid::now_v7(),
            sid: session_id.to_string(),
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
        Some(VerifiedToken {
            user_id: token.claims.sub.parse().ok()?,
            session_id: token.claims.sid.parse().ok()?,
        })
    }
}
