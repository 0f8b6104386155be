//! The account of the caller.

use entity::{
    users::{ActiveModel, Column, Entity, Model, PasswordHash},
    values::{ChosenPassword, Email, Password, Username},
};
use sea_orm::{
    ActiveModelTrait,
    ActiveValue::{NotSet, Set, Unchanged},
    ColumnTrait, EntityTrait, QueryFilter,
    sea_query::Expr,
};

use super::{
    auth::{
        Authenticator, Identity,
        passwords::Passwords,
        personal_tokens,
        sessions::{self as session_rules, IssuedSession, NewSession},
    },
    now,
    removal::Removals,
    users as user_rules, webhooks,
};
use crate::{
    db::{Db, OnConstraint, Transaction},
    error::Error,
};

/// The caller's account.
///
/// # Errors
/// [`Error::InvalidToken`] if the account was deleted after the token was checked.
pub async fn me(db: &Db, caller: &Identity) -> Result<Model, Error> {
    match user_rules::get(db, caller.id).await {
        Err(Error::NotFound { .. }) => Err(Error::InvalidToken),
        user => user,
    }
}

/// Changes of an account. `None` leaves a field as it is.
#[derive(Clone, Debug, Default)]
pub struct Changes {
    /// The new username.
    pub username: Option<Username>,
    /// The new e-mail address.
    pub email: Option<Email>,
    /// The new password.
    pub password: Option<ChosenPassword>,
}

/// Changes the caller's account. `verified` is the result of [`verify_password`], if the change needs
/// the password.
///
/// A new password ends every session and token, because any of them may be stolen. If a session made
/// the request, `session` replaces it and is returned.
///
/// # Errors
/// [`Error::EmailTaken`]; [`Error::UsernameTaken`]; [`Error::WrongPassword`] if the password was
/// changed since the verification.
pub async fn change(
    db: &Db,
    passwords: &Passwords,
    authenticator: &Authenticator,
    caller: &Identity,
    changes: Changes,
    verified: Option<&PasswordHash>,
    session: &NewSession,
) -> Result<(Model, Option<IssuedSession>), Error> {
    let hash = match changes.password {
        Some(password) => Some(passwords.hash(password.into_secret()).await?),
        None => None,
    };
    let ends_sessions = hash.is_some();
    let user = ActiveModel {
        id: Unchanged(caller.id),
        username: changes.username.map_or(NotSet, Set),
        email: changes.email.map_or(NotSet, Set),
        password_hash: hash.map_or(NotSet, Set),
        updated_at: Set(now()),
        ..Default::default()
    };
    let user = &user;
    let (user, session, ended) = db
        .write(|transaction| async move {
            lock_verified(&transaction, caller, verified).await?;
            let updated = user.clone().update(&transaction).await;
            let user = updated.on_constraint(user_rules::taken())?;
            let (mut session_of_caller, mut ended) = (None, Vec::new());
            if ends_sessions {
                ended = session_rules::end_all_in(&transaction, caller.id).await?;
                ended.extend(personal_tokens::revoke_all_in(&transaction, caller.id).await?);
                webhooks::disable_all_in(&transaction, caller.id).await?;
                if caller.session_id().is_some() {
                    let started = session_rules::start_in(&transaction, caller.id, session);
                    session_of_caller = Some(started.await?);
                }
            }
            Ok((user, session_of_caller, ended))
        })
        .await?;
    authenticator.end(ended);
    // The cache entry contains the username.
    authenticator.forget([caller.credential.clone()]);
    Ok((user, session))
}

/// Verifies the password of `user` and returns its hash.
///
/// # Errors
/// [`Error::WrongPassword`].
pub async fn verify_password(
    passwords: &Passwords,
    user: &Model,
    password: Password,
) -> Result<PasswordHash, Error> {
    let hash = &user.password_hash;
    let password = password.into_secret();
    if passwords.verify(password, Some(hash.clone())).await? {
        return Ok(hash.clone());
    }
    Err(Error::WrongPassword)
}

/// Locks the caller's row until `transaction` ends, and checks that the caller is not suspended and
/// that the password hash is `verified`.
async fn lock_verified(
    transaction: &Transaction,
    caller: &Identity,
    verified: Option<&PasswordHash>,
) -> Result<(), Error> {
    let user = user_rules::lock_user(transaction, caller.id).await?;
    let user = user.filter(|user| user.suspended_at.is_none());
    let user = user.ok_or(Error::InvalidToken)?;
    if verified.is_some_and(|verified| *verified != user.password_hash) {
        return Err(Error::WrongPassword);
    }
    Ok(())
}

/// Deletes the caller: from the commit on, the account and its posts are hidden, and its sessions
/// and tokens are gone. The job of `removals` removes the rest. The username and the e-mail address
/// stay taken until then.
///
/// # Errors
/// [`Error::WrongPassword`] if the password was changed since the verification.
pub async fn delete(
    db: &Db,
    authenticator: &Authenticator,
    removals: &Removals,
    caller: &Identity,
    verified: &PasswordHash,
) -> Result<(), Error> {
    let ended = db
        .write(|transaction| async move {
            lock_verified(&transaction, caller, Some(verified)).await?;
            let mut ended = session_rules::end_all_in(&transaction, caller.id).await?;
            ended.extend(personal_tokens::revoke_all_in(&transaction, caller.id).await?);
            let now = Expr::value(now());
            Entity::update_many()
                .col_expr(Column::DeletedAt, now.clone())
                .col_expr(Column::SuspendedAt, now)
                .filter(Column::Id.eq(caller.id))
                .exec(&transaction)
                .await?;
            Ok(ended)
        })
        .await?;
    authenticator.end(ended);
    removals.notify();
    Ok(())
}
