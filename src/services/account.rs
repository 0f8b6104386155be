//! The account of the caller.

use entity::{
    audit_log, personal_tokens as tokens, posts, sessions,
    users::{ActiveModel, Column, Entity, Model, PasswordHash},
    values::{Email, NewPassword, Password, UserId, Username},
    votes,
};
use sea_orm::{
    ActiveModelTrait,
    ActiveValue::{NotSet, Set, Unchanged},
    ColumnTrait, EntityTrait, QueryFilter, QueryOrder,
    sea_query::{Expr, ExprTrait},
};

use super::{
    auth::{
        Authenticator, Identity, passwords::Passwords, personal_tokens, sessions as session_rules,
    },
    now,
    removal::Removals,
    users as user_rules,
};
use crate::{
    db::{Db, OnConstraint, Transaction},
    error::Error,
};

/// Changes of an account. `None` leaves a field as it is.
#[derive(Clone, Debug, Default)]
pub struct Changes {
    /// The new username.
    pub username: Option<Username>,
    /// The new e-mail address.
    pub email: Option<Email>,
    /// The new password.
    pub password: Option<NewPassword>,
}

/// Changes the caller's account. A new password ends every other session and every token.
/// `verified` is the result of [`verify_password`], if the change needs the password.
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
) -> Result<Model, Error> {
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
    let (user, ended) = db
        .write(|transaction| async move {
            lock_verified(&transaction, caller, verified).await?;
            let updated = user.clone().update(&transaction).await;
            let user = updated.on_constraint(user_rules::taken())?;
            let mut ended = Vec::new();
            if ends_sessions {
                let current = caller.session_id();
                ended = session_rules::end_all_in(&transaction, caller.id, current).await?;
                ended.extend(personal_tokens::revoke_all_in(&transaction, caller.id).await?);
            }
            Ok((user, ended))
        })
        .await?;
    authenticator.end(ended);
    // The cache entry contains the username.
    authenticator.forget([caller.credential.clone()]);
    Ok(user)
}

/// Verifies the caller's password and returns its hash.
///
/// # Errors
/// [`Error::WrongPassword`].
pub async fn verify_password(
    db: &Db,
    passwords: &Passwords,
    caller: &Identity,
    password: Password,
) -> Result<PasswordHash, Error> {
    let hash = user_rules::get(db, caller.id).await?.password_hash;
    let password = password.into_secret();
    if passwords.verify(password, Some(hash.clone())).await? {
        return Ok(hash);
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
            let mut ended = session_rules::end_all_in(&transaction, caller.id, None).await?;
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

/// All data of a user.
#[derive(Debug)]
pub struct Export {
    /// The account.
    pub user: Model,
    /// Posts and drafts, oldest first.
    pub posts: Vec<posts::Model>,
    /// Votes, by post id.
    pub votes: Vec<votes::Model>,
    /// Sessions that have not expired, newest first.
    pub sessions: Vec<sessions::Model>,
    /// Personal access tokens, newest first.
    pub tokens: Vec<tokens::Model>,
    /// Audit log entries that affect the user or were made by the user, oldest first.
    pub audit_log: Vec<audit_log::Model>,
}

/// Reads all data of user `id`.
pub async fn export(db: &Db, id: UserId) -> Result<Export, Error> {
    use audit_log::Action::{ChangeRole, RestoreUser, SuspendUser};
    let user = user_rules::get(db, id).await?;
    let affects_a_user = audit_log::Column::Action.is_in([ChangeRole, RestoreUser, SuspendUser]);
    let affects_user = affects_a_user.and(audit_log::Column::SubjectId.eq(id.get()));
    let affects_user = affects_user.or(audit_log::Column::OwnerId.eq(id));
    Ok(Export {
        user,
        posts: posts::Entity::find()
            .filter(posts::Column::OwnerId.eq(id))
            .order_by_asc(posts::Column::Id)
            .all(db.read())
            .await?,
        votes: votes::Entity::find()
            .filter(votes::Column::UserId.eq(id))
            .order_by_asc(votes::Column::PostId)
            .all(db.read())
            .await?,
        sessions: session_rules::list(db, id).await?,
        tokens: personal_tokens::list(db, id).await?,
        audit_log: audit_log::Entity::find()
            .filter(affects_user.or(audit_log::Column::ActorId.eq(id)))
            .order_by_asc(audit_log::Column::Id)
            .all(db.read())
            .await?,
    })
}
