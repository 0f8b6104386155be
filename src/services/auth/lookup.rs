//! The row behind a token of any kind.

use entity::{personal_tokens, refresh_tokens, sessions, values::PresentedToken};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use secrecy::ExposeSecret;

use super::{
    access_tokens::{AccessTokens, VerifiedToken},
    opaque_token::{hash, hash_personal, is_personal},
};
use crate::{
    db::{Db, First},
    error::Error,
};

/// A token and its row. The row may be expired, and its user may be suspended.
pub(super) enum Found {
    /// An access token that has not expired, and its session; `None` if that has ended.
    Access(VerifiedToken, Option<sessions::Model>),
    /// A refresh token, used or not, and its session.
    Refresh(refresh_tokens::Model, sessions::Model),
    /// A personal access token.
    Personal(personal_tokens::Model),
}

/// Looks `token` up. `None` if this service does not know it.
pub(super) async fn find(
    db: &Db,
    access_tokens: &AccessTokens,
    token: PresentedToken,
) -> Result<Option<Found>, Error> {
    let token = token.into_secret();
    let token = token.expose_secret();
    if is_personal(token) {
        let Some(hash) = hash_personal(token) else {
            return Ok(None);
        };
        let row = personal_tokens::Entity::find()
            .filter(personal_tokens::COLUMN.hash.eq(hash))
            .first(db.read())
            .await?;
        return Ok(row.map(Found::Personal));
    }
    if let Ok(verified) = access_tokens.verify(token) {
        let session = sessions::Entity::find()
            .filter(sessions::Column::Id.eq(verified.session_id))
            .filter(sessions::Column::UserId.eq(verified.user_id))
            .first(db.read())
            .await?;
        return Ok(Some(Found::Access(verified, session)));
    }
    let row = refresh_tokens::Entity::find()
        .find_also_related(sessions::Entity)
        .filter(refresh_tokens::Column::Hash.eq(hash(token)))
        .first(db.read())
        .await?;
    Ok(row.and_then(|(token, session)| Some(Found::Refresh(token, session?))))
}
