//! Revocation of a token by anyone who has it (RFC 7009).

use entity::values::PresentedToken;

use super::{
    access_tokens::AccessTokens,
    authenticator::Authenticator,
    credential::Credential,
    lookup::{Found, find},
    personal_tokens, sessions,
};
use crate::{db::Db, error::Error};

/// Revokes a personal access token, or ends the session of an access or refresh token. Does nothing if
/// the token is unknown, expired or revoked.
pub async fn revoke(
    db: &Db,
    access_tokens: &AccessTokens,
    authenticator: &Authenticator,
    token: PresentedToken,
) -> Result<(), Error> {
    // Only a token that exists costs a write.
    let revoked = match find(db, access_tokens, token).await? {
        None => return Ok(()),
        // Another server ended the session. This one may still have it in its cache.
        Some(Found::Access(token, None)) => {
            authenticator.end([Credential::Session(token.session_id)]);
            return Ok(());
        }
        Some(Found::Access(_, Some(session)) | Found::Refresh(_, session)) => {
            sessions::end(db, authenticator, session.user_id, session.id).await
        }
        Some(Found::Personal(token)) => {
            personal_tokens::revoke(db, authenticator, token.user_id, token.id).await
        }
    };
    match revoked {
        // Another request was faster.
        Err(Error::NotFound { .. }) => Ok(()),
        revoked => revoked,
    }
}
