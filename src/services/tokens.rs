//! Access tokens: JSON Web Tokens (RFC 7519), HS256 and nothing else (RFC 8725, section 3.1).

use std::{fmt, time::Duration};

use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::error::Error;

/// `iss` and `aud`: the service issues its tokens to itself.
const ACCLAIM: &str = "acclaim";

/// Signs and checks access tokens.
#[derive(Clone)]
pub struct Tokens {
    sign: EncodingKey,
    check: DecodingKey,
    validation: Validation,
    lifetime: Duration,
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tokens({:?})", self.lifetime)
    }
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
    /// The session.
    sid: i64,
}

/// What a good token says.
#[derive(Clone, Copy, Debug)]
pub struct Verified {
    /// Whom it was issued to.
    pub user_id: i64,
    /// In which session.
    pub session_id: i64,
}

impl Tokens {
    /// Tokens signed with `secret`, good for `lifetime`.
    #[must_use]
    pub fn new(secret: &SecretString, lifetime: Duration) -> Self {
        let secret = secret.expose_secret().as_bytes();
        let mut validation = Validation::new(Algorithm::HS256);
        validation.set_issuer(&[ACCLAIM]);
        validation.set_audience(&[ACCLAIM]);
        validation.set_required_spec_claims(&["iss", "aud", "sub", "exp"]);
        // One service both issues and checks: no clocks to differ.
        validation.leeway = 0;
        Self {
            sign: EncodingKey::from_secret(secret),
            check: DecodingKey::from_secret(secret),
            validation,
            lifetime,
        }
    }

    /// How long a token is good for.
    #[must_use]
    pub fn lifetime(&self) -> Duration {
        self.lifetime
    }

    /// A token for user `user_id`.
    pub fn issue(&self, user_id: i64, session_id: i64) -> Result<String, Error> {
        let now = OffsetDateTime::now_utc();
        let claims = Claims {
            iss: ACCLAIM.to_owned(),
            aud: ACCLAIM.to_owned(),
            sub: user_id.to_string(),
            iat: now.unix_timestamp(),
            exp: (now + self.lifetime).unix_timestamp(),
            jti: Uuid::now_v7(),
            sid: session_id,
        };
        jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &self.sign)
            .map_err(|error| Error::Internal(error.into()))
    }

    /// The number of the user to whom `token` was issued.
    ///
    /// # Errors
    /// [`Error::InvalidToken`] when it is not a token of this service, or is past its time.
    pub fn verify(&self, token: &str) -> Result<Verified, Error> {
        let data = jsonwebtoken::decode::<Claims>(token, &self.check, &self.validation)
            .map_err(|_| Error::InvalidToken)?;
        Ok(Verified {
            user_id: data.claims.sub.parse().map_err(|_| Error::InvalidToken)?,
            session_id: data.claims.sid,
        })
    }
}
