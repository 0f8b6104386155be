//! Personal access tokens, for scripts, bots and devices: `acl_`, thirty random letters and digits,
//! and six that check them, so that a scanner of leaked secrets knows one when it sees it.

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
    opaque_token::{hash, random},
    scopes::Scopes,
};
use crate::{
    db::{Constraint, Db, OnConstraint, Transaction},
    error::Error,
    services::{now, users},
};

/// What every token starts with.
const PREFIX: &str = "acl_";
/// 178 bits.
const RANDOM: usize = 30;
/// CRC-32 of what stands before, in base 62.
const CHECKSUM: usize = 6;
/// The most tokens of one user.
const MOST: u64 = 100;

/// The user was deleted meanwhile.
const USER: Constraint = Constraint::foreign_key("tokens_user_id_fkey");

/// Whether `token` claims to be a personal access token.
#[must_use]
pub fn is_one(token: &str) -> bool {
    token.starts_with(PREFIX)
}

/// The hash of `token`, if its checksum is right.
#[must_use]
pub fn checked(token: &str) -> Option<String> {
    let random = token.strip_prefix(PREFIX)?;
    let (random, sum) = random.split_at_checked(RANDOM)?;
    (sum == checksum(random)).then(|| hash(token))
}

fn checksum(random: &str) -> String {
    format!(
        "{:0>width$}",
        base62::encode(crc32fast::hash(random.as_bytes())),
        width = CHECKSUM
    )
}

/// Makes a token of `user_id`'s: the row, and the token, which is shown this once.
/// `session_id` is the session that asks for it; none for the operator.
///
/// # Errors
/// [`Error::TooMany`] past a hundred; [`Error::InvalidToken`] when the session has just ended.
pub async fn create(
    db: &Db,
    user_id: i64,
    session_id: Option<i64>,
    name: String,
    scopes: Scopes,
    lifetime: Option<Duration>,
) -> Result<(Model, SecretString), Error> {
    let random = random(RANDOM);
    let token = SecretString::from(format!("{PREFIX}{random}{}", checksum(&random)));
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
            // Who ends the session, or makes another token, waits for this to be done.
            users::held(&transaction, user_id).await?;
            if let Some(id) = session_id {
                let asks = sessions::Entity::find().filter(sessions::COLUMN.id.eq(id));
                let asks = asks.lock_shared().all(&transaction).await?;
                if asks.is_empty() {
                    return Err(Error::InvalidToken);
                }
            }
            let theirs = Entity::find().filter(COLUMN.user_id.eq(user_id));
            if theirs.count(&transaction).await? >= MOST {
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

/// The tokens of `user_id`, newest first.
pub async fn list(db: &Db, user_id: i64) -> Result<Vec<Model>, Error> {
    let theirs = Entity::find().filter(COLUMN.user_id.eq(user_id));
    Ok(theirs.order_by_desc(Column::Id).all(db.read()).await?)
}

/// Revokes token `id` of `user_id`'s.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn revoke(
    db: &Db,
    authenticator: &Authenticator,
    user_id: i64,
    id: i64,
) -> Result<(), Error> {
    let gone = db
        .write(|transaction| async move {
            let gone = Entity::delete_many()
                .filter(COLUMN.id.eq(id))
                .filter(COLUMN.user_id.eq(user_id))
                .exec_with_returning(&transaction)
                .await?;
            Ok(gone)
        })
        .await?;
    if gone.is_empty() {
        return Err(Error::NotFound { what: "token", id });
    }
    authenticator.end(gone.into_iter().map(|token| Credential::Token(token.hash)));
    Ok(())
}

/// Revokes every token of `user_id`; what is to be ended once that is committed.
pub(in crate::services) async fn revoke_in(
    transaction: &Transaction,
    user_id: i64,
) -> Result<Vec<Credential>, Error> {
    let gone = Entity::delete_many()
        .filter(COLUMN.user_id.eq(user_id))
        .exec_with_returning(transaction)
        .await?;
    Ok(gone
        .into_iter()
        .map(|token| Credential::Token(token.hash))
        .collect())
}
