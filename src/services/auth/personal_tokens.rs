//! Personal access tokens, for scripts, bots and devices.

use entity::{
    personal_tokens::{ActiveModel, COLUMN, Column, Entity, Model},
    sessions,
};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder,
    QuerySelect,
};
use secrecy::{ExposeSecret, SecretString};
use time::Duration;

use super::{
    authenticator::{Authenticator, Credential},
    opaque_token::{hash, new_personal_token},
    scopes::Scopes,
};
use crate::{
    db::{Constraint, Db, OnConstraint, Transaction},
    error::Error,
    services::{now, users},
};

/// Maximum number of tokens of one user.
const MOST: u64 = 100;

/// The user was deleted in the meantime.
const USER: Constraint = Constraint::foreign_key("tokens_user_id_fkey");

/// Creates a token of user `user_id` and returns its row and the token itself, which cannot be
/// shown again. `session_id` is the session of the request; `None` for the operator.
///
/// # Errors
/// [`Error::TooMany`] if the user has 100 tokens; [`Error::InvalidToken`] if the session has ended.
pub async fn create(
    db: &Db,
    user_id: i64,
    session_id: Option<i64>,
    name: String,
    scopes: Scopes,
    lifetime: Option<Duration>,
) -> Result<(Model, SecretString), Error> {
    let token = SecretString::from(new_personal_token());
    let now = now();
    let row = ActiveModel {
        user_id: Set(user_id),
        name: Set(name),
        hash: Set(hash(token.expose_secret())),
        scopes: Set(scopes.to_string()),
        created_at: Set(now),
        expires_at: Set(lifetime.map(|lifetime| now + lifetime)),
        ..Default::default()
    };
    let row = &row;
    let row = db
        .write(|transaction| async move {
            // The lock makes the count below exact and keeps the session alive until the commit.
            users::lock_user(&transaction, user_id).await?;
            if let Some(id) = session_id {
                let session = sessions::Entity::find().filter(sessions::COLUMN.id.eq(id));
                let session = session.lock_shared().all(&transaction).await?;
                if session.is_empty() {
                    return Err(Error::InvalidToken);
                }
            }
            let tokens = Entity::find().filter(COLUMN.user_id.eq(user_id));
            if tokens.count(&transaction).await? >= MOST {
                return Err(Error::TooMany {
                    what: "tokens",
                    most: MOST,
                });
            }
            let inserted = row.clone().insert(&transaction).await;
            inserted.on_constraint([(USER, Error::InvalidToken)])
        })
        .await?;
    Ok((row, token))
}

/// The tokens of user `user_id`, newest first.
pub async fn list(db: &Db, user_id: i64) -> Result<Vec<Model>, Error> {
    let tokens = Entity::find().filter(COLUMN.user_id.eq(user_id));
    Ok(tokens.order_by_desc(Column::Id).all(db.read()).await?)
}

/// Revokes token `id` of user `user_id`.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn revoke(
    db: &Db,
    authenticator: &Authenticator,
    user_id: i64,
    id: i64,
) -> Result<(), Error> {
    let revoked = db
        .write(|transaction| async move {
            let deleted = Entity::delete_many()
                .filter(COLUMN.id.eq(id))
                .filter(COLUMN.user_id.eq(user_id))
                .exec_with_returning(&transaction)
                .await?;
            Ok(deleted)
        })
        .await?;
    if revoked.is_empty() {
        return Err(Error::NotFound { what: "token", id });
    }
    authenticator.end(credentials(revoked));
    Ok(())
}

/// Deletes every token of user `user_id`. Pass the result to [`Authenticator::end`] after the
/// commit.
pub(in crate::services) async fn revoke_all_in(
    transaction: &Transaction,
    user_id: i64,
) -> Result<Vec<Credential>, Error> {
    let deleted = Entity::delete_many()
        .filter(COLUMN.user_id.eq(user_id))
        .exec_with_returning(transaction)
        .await?;
    Ok(credentials(deleted))
}

/// The credentials of every token of user `user_id`.
pub(in crate::services) async fn credentials_of(
    transaction: &Transaction,
    user_id: i64,
) -> Result<Vec<Credential>, Error> {
    let tokens = Entity::find().filter(COLUMN.user_id.eq(user_id));
    Ok(credentials(tokens.all(transaction).await?))
}

fn credentials(tokens: Vec<Model>) -> Vec<Credential> {
    let credential = |token: Model| Credential::Token(token.hash);
    tokens.into_iter().map(credential).collect()
}
