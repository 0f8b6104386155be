//! What users do with their own account.

use entity::{
    audit_log, personal_tokens as tokens, posts, sessions,
    users::{ActiveModel, Entity, Model, PasswordHash},
    votes,
};
use sea_orm::{
    ActiveModelTrait,
    ActiveValue::{NotSet, Set, Unchanged},
    ColumnTrait, EntityTrait, ExprTrait, QueryFilter, QueryOrder,
};
use secrecy::SecretString;

use super::{
    auth::{
        Authenticator, Identity, passwords::Passwords, personal_tokens, sessions as session_rules,
    },
    now, users as user_rules,
};
use crate::{
    db::{Db, OnConstraint, Transaction},
    error::Error,
};

/// What to change; `None` leaves it as it is.
#[derive(Clone, Debug, Default)]
pub struct Changes {
    /// Valid and lower-case.
    pub username: Option<String>,
    /// Valid and lower-case.
    pub email: Option<String>,
    /// Valid.
    pub password: Option<SecretString>,
}

/// Changes the caller's account. A new password ends every other session, and every token.
/// `verified` is what [`check_password`] gave, if it was asked.
///
/// # Errors
/// [`Error::Taken`]; [`Error::WrongPassword`] when the password was changed meanwhile.
pub async fn change(
    db: &Db,
    passwords: &Passwords,
    authenticator: &Authenticator,
    caller: &Identity,
    changes: Changes,
    verified: Option<&PasswordHash>,
) -> Result<Model, Error> {
    let hash = match changes.password {
        Some(password) => Some(passwords.hash(password).await?),
        None => None,
    };
    let has_new_password = hash.is_some();
    let user = ActiveModel {
        id: Unchanged(caller.id),
        username: changes.username.map_or(NotSet, Set),
        email: changes.email.map_or(NotSet, Set),
        password_hash: hash.map_or(NotSet, Set),
        updated_at: Set(now()),
        ..Default::default()
    };
    let user = &user;
    let (user, gone) = db
        .write(|transaction| async move {
            still(&transaction, caller, verified).await?;
            let updated = user.clone().update(&transaction).await;
            let user = updated.on_constraint(user_rules::taken())?;
            let mut gone = Vec::new();
            if has_new_password {
                gone = session_rules::end_in(&transaction, caller.id, caller.session_id()).await?;
                gone.extend(personal_tokens::revoke_in(&transaction, caller.id).await?);
            }
            Ok((user, gone))
        })
        .await?;
    authenticator.end(gone);
    // The name is in it.
    authenticator.forget([caller.by.clone()]);
    Ok(user)
}

/// Checks that `password` is the caller's, and gives its hash.
///
/// # Errors
/// [`Error::WrongPassword`].
pub async fn check_password(
    db: &Db,
    passwords: &Passwords,
    caller: &Identity,
    password: SecretString,
) -> Result<PasswordHash, Error> {
    let hash = user_rules::get(db, caller.id).await?.password_hash;
    if passwords.verify(password, Some(hash.clone())).await? {
        return Ok(hash);
    }
    Err(Error::WrongPassword)
}

/// Whether the caller's password is still what was `verified`; it stays so until `transaction` ends.
async fn still(
    transaction: &Transaction,
    caller: &Identity,
    verified: Option<&PasswordHash>,
) -> Result<(), Error> {
    let user = user_rules::held(transaction, caller.id).await?;
    let user = user.ok_or(Error::InvalidToken)?;
    if verified.is_some_and(|verified| *verified != user.password_hash) {
        return Err(Error::WrongPassword);
    }
    Ok(())
}

/// Deletes the caller, with posts, votes, sessions and tokens; the vote counts follow.
///
/// # Errors
/// [`Error::WrongPassword`] when the password was changed since it was `verified`.
pub async fn delete(
    db: &Db,
    authenticator: &Authenticator,
    caller: &Identity,
    verified: &PasswordHash,
) -> Result<(), Error> {
    let gone = db
        .write(|transaction| async move {
            still(&transaction, caller, Some(verified)).await?;
            let mut gone = session_rules::end_in(&transaction, caller.id, None).await?;
            gone.extend(personal_tokens::revoke_in(&transaction, caller.id).await?);
            Entity::delete_by_id(caller.id).exec(&transaction).await?;
            Ok(gone)
        })
        .await?;
    authenticator.end(gone);
    Ok(())
}

/// Everything that the service holds on a user.
#[derive(Debug)]
pub struct Export {
    /// The account.
    pub user: Model,
    /// Every post and draft, oldest first.
    pub posts: Vec<posts::Model>,
    /// Every vote.
    pub votes: Vec<votes::Model>,
    /// Every session.
    pub sessions: Vec<sessions::Model>,
    /// Every personal access token.
    pub tokens: Vec<tokens::Model>,
    /// What was done to the user or by them.
    pub audit_log: Vec<audit_log::Model>,
}

/// Everything that the service holds on user `id`.
pub async fn export(db: &Db, id: i64) -> Result<Export, Error> {
    use audit_log::Action::{ChangeRole, RestoreUser, SuspendUser};
    let user = user_rules::get(db, id).await?;
    let of_users = audit_log::Column::Action.is_in([ChangeRole, RestoreUser, SuspendUser]);
    let about = of_users.and(audit_log::COLUMN.subject_id.eq(id));
    let about = about.or(audit_log::COLUMN.owner_id.eq(id));
    Ok(Export {
        user,
        posts: posts::Entity::find()
            .filter(posts::COLUMN.owner_id.eq(id))
            .order_by_asc(posts::Column::Id)
            .all(db.read())
            .await?,
        votes: votes::Entity::find()
            .filter(votes::COLUMN.user_id.eq(id))
            .order_by_asc(votes::Column::PostId)
            .all(db.read())
            .await?,
        sessions: session_rules::list(db, id).await?,
        tokens: personal_tokens::list(db, id).await?,
        audit_log: audit_log::Entity::find()
            .filter(about.or(audit_log::COLUMN.actor_id.eq(id)))
            .order_by_asc(audit_log::Column::Id)
            .all(db.read())
            .await?,
    })
}
