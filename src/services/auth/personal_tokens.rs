//! Personal access tokens, for scripts, bots and devices.

use entity::{
    personal_tokens::{ActiveModel, Column, Entity, Model},
    sessions,
    values::{Limit, Scopes, SessionId, TokenId, TokenLifetime, TokenName, UserId},
};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter,
    QueryOrder, QuerySelect,
};
use secrecy::{ExposeSecret, SecretString};
use time::Duration;

use super::{
    authenticator::Authenticator,
    credential::Credential,
    opaque_token::{hash, new_personal_token},
};
use crate::{
    db::{Constraint, Db, First, OnConstraint, Transaction},
    error::Error,
    services::{idempotency::Keyed, now, users},
};

/// The maximum number of tokens of one user: their list is one page.
pub const MAX_TOKENS: u64 = Limit::MAX.get();

/// The user was deleted meanwhile.
const USER: Constraint = Constraint::foreign_key("tokens_user_id_fkey");

/// The fields of a new token.
pub struct NewToken {
    /// The owner.
    pub user_id: UserId,
    /// The session of the request; `None` for the operator.
    pub session_id: Option<SessionId>,
    /// The owner's name for it.
    pub name: TokenName,
    /// Its rights.
    pub scopes: Scopes,
    /// Its lifetime; `None` for a token that does not expire.
    pub lifetime: Option<TokenLifetime>,
}

/// Creates a token and returns its row and the token itself, which cannot be shown again. Stores the
/// answer of `keyed`, which must not have the token.
///
/// # Errors
/// [`Error::TokenLimit`] if the user has 100 tokens; [`Error::InvalidToken`] if the session has
/// ended; [`Error::IdempotencyKeyInUse`].
pub async fn create(
    db: &Db,
    new: NewToken,
    keyed: Option<&Keyed<Model>>,
) -> Result<(Model, SecretString), Error> {
    let new = &new;
    db.write(|transaction| async move {
        let (row, token) = create_in(&transaction, new).await?;
        if let Some(keyed) = keyed {
            keyed.store(&transaction, new.user_id, &row).await?;
        }
        Ok((row, token))
    })
    .await
}

/// [`create`] in `transaction`.
pub(in crate::services) async fn create_in(
    transaction: &Transaction,
    new: &NewToken,
) -> Result<(Model, SecretString), Error> {
    let user_id = new.user_id;
    let token = SecretString::from(new_personal_token());
    let now = now();
    let lifetime = new.lifetime.map(|lifetime| {
        // At most one year, so the conversion cannot fail.
        Duration::seconds(i64::try_from(lifetime.get()).unwrap_or_default())
    });
    // The lock makes the count below exact and keeps the session alive until the commit.
    users::lock_user(transaction, user_id).await?;
    if let Some(id) = new.session_id {
        let session = sessions::Entity::find().filter(sessions::Column::Id.eq(id));
        let session = session.lock_shared().first(transaction).await?;
        session.ok_or(Error::InvalidToken)?;
    }
    let tokens = Entity::find().filter(Column::UserId.eq(user_id));
    if tokens.count(transaction).await? >= MAX_TOKENS {
        return Err(Error::TokenLimit { max: MAX_TOKENS });
    }
    let row = ActiveModel {
        user_id: Set(user_id),
        name: Set(new.name.clone()),
        hash: Set(hash(token.expose_secret())),
        scopes: Set(new.scopes),
        created_at: Set(now),
        expires_at: Set(lifetime.map(|lifetime| now + lifetime)),
        ..Default::default()
    };
    let inserted = row.insert(transaction).await;
    let row = inserted.on_constraint([(USER, Error::InvalidToken)])?;
    Ok((row, token))
}

/// The tokens of user `user_id`, newest first.
pub async fn list(db: &Db, user_id: UserId) -> Result<Vec<Model>, Error> {
    let tokens = Entity::find().filter(Column::UserId.eq(user_id));
    Ok(tokens
        .order_by_desc(Column::Id)
        .all(&db.read_list())
        .await?)
}

/// Revokes token `id` of user `user_id`.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn revoke(
    db: &Db,
    authenticator: &Authenticator,
    user_id: UserId,
    id: TokenId,
) -> Result<(), Error> {
    let revoked = db
        .write(|transaction| async move {
            let deleted = Entity::delete_many()
                .filter(Column::Id.eq(id))
                .filter(Column::UserId.eq(user_id))
                .exec_with_returning(&transaction)
                .await?;
            Ok(deleted)
        })
        .await?;
    if revoked.is_empty() {
        return Err(Error::not_found("token", id.get()));
    }
    authenticator.end(credentials(revoked));
    Ok(())
}

/// Deletes every token of user `user_id`. Pass the result to [`Authenticator::end`] after the
/// commit.
pub(in crate::services) async fn revoke_all_in(
    transaction: &Transaction,
    user_id: UserId,
) -> Result<Vec<Credential>, Error> {
    let deleted = Entity::delete_many()
        .filter(Column::UserId.eq(user_id))
        .exec_with_returning(transaction)
        .await?;
    Ok(credentials(deleted))
}

/// The credentials of every token of user `user_id`.
pub(in crate::services) async fn credentials_of(
    transaction: &Transaction,
    user_id: UserId,
) -> Result<Vec<Credential>, Error> {
    let tokens = Entity::find().filter(Column::UserId.eq(user_id));
    Ok(credentials(tokens.all(transaction).await?))
}

fn credentials(tokens: Vec<Model>) -> Vec<Credential> {
    let credential = |token: Model| Credential::Token(token.hash);
    tokens.into_iter().map(credential).collect()
}
