//! Access tokens: JSON Web Tokens (RFC 7519) of the profile for OAuth 2.0 (RFC 9068), checked as
//! RFC 8725 asks.

use std::{collections::BTreeMap, time::Duration};

use jsonwebtoken::{Header, Validation};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{error::Error, keys::Keys};

/// `iss` and `aud`: the service issues its tokens to itself.
const ACCLAIM: &str = "acclaim";
/// `typ`: no other kind of JWT passes for an access token (RFC 9068, section 2.1).
const TYPE: &str = "at+jwt";

/// Signs and checks access tokens.
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
    /// The user's number, as text: RFC 7519 wants a string, and JSON numbers end at 2^53.
    sub: String,
    iat: i64,
    exp: i64,
    jti: Uuid,
    /// The session's number, as text for the same reason.
    sid: String,
}

/// What a valid token says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VerifiedToken {
    /// To whom it was issued.
    pub user_id: i64,
    /// In which of the user's sessions.
    pub session_id: i64,
}

impl AccessTokens {
    /// Tokens signed and checked with `keys`, good for `lifetime`.
    #[must_use]
    pub fn new(keys: Keys, lifetime: Duration) -> Self {
        let mut validation = Validation::new(keys.algorithm());
        validation.set_issuer(&[ACCLAIM]);
        validation.set_audience(&[ACCLAIM]);
        validation.set_required_spec_claims(&["iss", "aud", "sub", "exp"]);
        validation.validate_nbf = true;
        // One service both issues and checks: no clocks to differ.
        validation.leeway = 0;
        // In the second of its `exp` a token is past its time (RFC 7519, section 4.1.4).
        validation.reject_tokens_expiring_in_less_than = 1;
        Self {
            keys,
            validation,
            lifetime,
        }
    }

    /// How long a token is good for.
    #[must_use]
    pub fn lifetime(&self) -> Duration {
        self.lifetime
    }

    /// `kid` and `x` of the public keys with which others can check tokens (RFC 8037).
    #[must_use]
    pub fn public_keys(&self) -> &BTreeMap<String, String> {
        self.keys.public()
    }

    /// A token for user `user_id` in session `session_id`.
    pub fn issue(&self, user_id: i64, session_id: i64) -> Result<String, Error> {
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
        let (kid, key) = self.keys.signing();
        let header = Header {
            typ: Some(TYPE.to_owned()),
            kid: Some(kid.to_owned()),
            ..Header::new(self.keys.algorithm())
        };
        jsonwebtoken::encode(&header, &claims, key).map_err(Error::internal)
    }

    /// To whom `token` was issued.
    ///
    /// # Errors
    /// [`Error::InvalidToken`] when it is not a token of this service, or is past its time.
    pub fn verify(&self, token: &str) -> Result<VerifiedToken, Error> {
        self.check(token).ok_or(Error::InvalidToken)
    }

    fn check(&self, token: &str) -> Option<VerifiedToken> {
        let header = jsonwebtoken::decode_header(token).ok()?;
        if header.typ.as_deref() != Some(TYPE) {
            return None;
        }
        let key = self.keys.checking(header.kid.as_deref()?)?;
        let token = jsonwebtoken::decode::<Claims>(token, key, &self.validation).ok()?;
        Some(VerifiedToken {
            user_id: token.claims.sub.parse().ok()?,
            session_id: token.claims.sid.parse().ok()?,
        })
    }
}
