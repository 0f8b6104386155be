//! Suspension, roles and the list of users, for admins and the operator.

use entity::{
    users::{Column, Entity, Model, Role},
    values::{Limit, Reason, Skip, UserId},
};
use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, QueryTrait, sea_query::Expr,
};
use secrecy::SecretString;

use super::audit_log::{Action, Actor, NewAuditEntry, record};
use crate::{
    db::{Db, Transaction, page},
    error::Error,
    services::{
        auth::{
            Authenticator,
            personal_tokens::{self, NewToken},
            sessions,
        },
        now,
        users::{existing, lock_user},
    },
};

/// Suspends user `id`: ends the sessions, disables the tokens and hides the posts. Does nothing if
/// the user is suspended.
///
/// # Errors
/// [`Error::NotFound`], [`Error::OwnAccount`].
pub async fn suspend(
    db: &Db,
    authenticator: &Authenticator,
    actor: &Actor,
    id: UserId,
    reason: &Reason,
) -> Result<Model, Error> {
    if actor.id == Some(id) {
        return Err(Error::OwnAccount);
    }
    let (user, sessions, tokens) = db
        .write(|transaction| async move {
            require_role(&transaction, actor.id, Role::Admin).await?;
            let mut user = lock(&transaction, id).await?;
            if user.suspended_at.is_some() {
                return Ok((user, Vec::new(), Vec::new()));
            }
            user.suspended_at = Some(now());
            let value = Expr::value(user.suspended_at);
            set(&transaction, id, Column::SuspendedAt, value).await?;
            let ended = sessions::end_all_in(&transaction, id).await?;
            let entry = NewAuditEntry::about_user(actor, Action::SuspendUser, &user, reason);
            record(&transaction, entry).await?;
            let tokens = personal_tokens::credentials_of(&transaction, id).await?;
            Ok((user, ended, tokens))
        })
        .await?;
    authenticator.end(sessions);
    // Tokens are not deleted: they work again after a restoration.
    authenticator.forget(tokens);
    Ok(user)
}

/// Ends the suspension of user `id`. Does nothing if the user is not suspended.
///
/// # Errors
/// [`Error::NotFound`], [`Error::OwnAccount`].
pub async fn restore(db: &Db, actor: &Actor, id: UserId, reason: &Reason) -> Result<Model, Error> {
    if actor.id == Some(id) {
        return Err(Error::OwnAccount);
    }
    db.write(|transaction| async move {
        require_role(&transaction, actor.id, Role::Admin).await?;
        let mut user = lock(&transaction, id).await?;
        if user.suspended_at.take().is_none() {
            return Ok(user);
        }
        let value = Expr::value(user.suspended_at);
        set(&transaction, id, Column::SuspendedAt, value).await?;
        let entry = NewAuditEntry::about_user(actor, Action::RestoreUser, &user, reason);
        record(&transaction, entry).await?;
        Ok(user)
    })
    .await
}

/// Changes the role of user `id`.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn set_role(
    db: &Db,
    actor: &Actor,
    id: UserId,
    role: Role,
    reason: &Reason,
) -> Result<Model, Error> {
    db.write(|transaction| async move {
        let mut user = lock(&transaction, id).await?;
        user.role = role;
        set(&transaction, id, Column::Role, Expr::value(role)).await?;
        let entry = NewAuditEntry::about_user(actor, Action::ChangeRole, &user, reason);
        record(&transaction, entry).await?;
        Ok(user)
    })
    .await
}

/// Creates a personal access token for a user, on behalf of `actor`.
///
/// # Errors
/// [`Error::NotFound`], and those of [`personal_tokens::create`].
pub async fn create_token(db: &Db, actor: &Actor, new: &NewToken) -> Result<SecretString, Error> {
    // Names have at most 100 characters, and a token has few scopes, so that both fit.
    let reason = Reason::parse(format!("{}: {}", new.name, new.scopes)).unwrap_or_default();
    let reason = &reason;
    db.write(|transaction| async move {
        let user = lock(&transaction, new.user_id).await?;
        let (_, token) = personal_tokens::create_in(&transaction, new).await?;
        let entry = NewAuditEntry::about_user(actor, Action::CreateToken, &user, reason);
        record(&transaction, entry).await?;
        Ok(token)
    })
    .await
}

/// Up to `limit` users by id, after the first `skip`.
pub async fn list_users(db: &Db, limit: Limit, skip: Skip) -> Result<Vec<Model>, Error> {
    let connection = &db.read_list();
    let statement = existing()
        .order_by_asc(Column::Id)
        .build(connection.get_database_backend());
    let statement = page(statement, limit.get(), skip.get());
    let users = Entity::find().from_raw_sql(statement);
    Ok(users.all(connection).await?)
}

/// Checks in the database, not in a cache, that the actor has `role` and is not suspended. The
/// operator has every role.
///
/// # Errors
/// [`Error::RoleNeeded`].
pub(in crate::services) async fn require_role(
    transaction: &Transaction,
    actor_id: Option<UserId>,
    role: Role,
) -> Result<(), Error> {
    let Some(id) = actor_id else {
        return Ok(());
    };
    let actor = lock_user(transaction, id).await?;
    let permitted = actor.is_some_and(|actor| actor.role >= role && actor.suspended_at.is_none());
    permitted.then_some(()).ok_or(Error::RoleNeeded { role })
}

async fn lock(transaction: &Transaction, id: UserId) -> Result<Model, Error> {
    let user = lock_user(transaction, id).await?;
    user.ok_or_else(|| Error::not_found("user", id.get()))
}

async fn set(
    transaction: &Transaction,
    id: UserId,
    column: Column,
    value: Expr,
) -> Result<(), Error> {
    Entity::update_many()
        .col_expr(column, value)
        .filter(Column::Id.eq(id))
        .exec(transaction)
        .await?;
    Ok(())
}
