//! Introspection of tokens (RFC 7662). It reads the current rows, and does not count as a use.

use entity::{
    users,
    values::{PresentedToken, Scopes, UserId, Username},
};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use time::OffsetDateTime;

use super::{
    access_tokens::AccessTokens,
    lookup::{Found, find},
    sessions::is_stolen,
};
use crate::{
    db::{Db, First},
    error::Error,
};

/// A token that is active: it would be accepted now.
#[derive(Debug)]
pub struct ActiveToken {
    /// The id of its user.
    pub user_id: UserId,
    /// The username of its user.
    pub username: Username,
    /// Its scopes; for a refresh token, those of its session.
    pub scopes: Scopes,
    /// Whether it is a refresh token, which no route but `/login` accepts.
    pub is_refresh_token: bool,
    /// In seconds since 1970.
    pub issued_at: i64,
    /// In seconds since 1970. `None` if it does not expire.
    pub expires_at: Option<i64>,
}

/// Describes `token`; `None` if it is not active.
pub async fn introspect(
    db: &Db,
    access_tokens: &AccessTokens,
    token: PresentedToken,
) -> Result<Option<ActiveToken>, Error> {
    let Some(found) = find(db, access_tokens, token).await? else {
        return Ok(None);
    };
    let now = OffsetDateTime::now_utc();
    let is_refresh_token = matches!(found, Found::Refresh(..));
    let (user_id, scopes, issued_at, expires_at) = match found {
        Found::Access(_, None) => return Ok(None),
        Found::Access(token, Some(session)) => {
            let end = session.expires_at.unix_timestamp();
            (
                session.user_id,
                token.scopes(session.granted_scopes()),
                token.issued_at,
                Some(end.min(token.expires_at)),
            )
        }
        Found::Refresh(token, _) if is_stolen(db.read(), &token, now).await? => return Ok(None),
        Found::Refresh(token, session) => (
            session.user_id,
            session.granted_scopes(),
            token.created_at.unix_timestamp(),
            Some(session.expires_at.unix_timestamp()),
        ),
        Found::Personal(token) => (
            token.user_id,
            token.scopes,
            token.created_at.unix_timestamp(),
            token.expires_at.map(OffsetDateTime::unix_timestamp),
        ),
    };
    if expires_at.is_some_and(|end| end <= now.unix_timestamp()) {
        return Ok(None);
    }
    // A deleted user is suspended too.
    let user = users::Entity::find()
        .filter(users::Column::Id.eq(user_id))
        .filter(users::Column::SuspendedAt.is_null())
        .first(db.read())
        .await?;
    Ok(user.map(|user| ActiveToken {
        user_id,
        username: user.username,
        scopes,
        is_refresh_token,
        issued_at,
        expires_at,
    }))
}
