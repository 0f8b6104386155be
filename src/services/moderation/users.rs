//! Suspension, roles and the list of users, for admins and the operator.

use entity::users::{COLUMN, Column, Entity, Model, Role};
use sea_orm::{ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, QueryTrait, sea_query::Expr};

use super::audit_log::{Action, Actor, Entry, record};
use crate::{
    db::{Db, Transaction, page},
    error::Error,
    services::{
        auth::{Authenticator, personal_tokens, sessions},
        now,
        users::lock_user,
    },
};

/// Suspends user `id`: ends the sessions, disables the tokens and hides the posts. Does nothing if
/// the user is suspended.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Oneself`].
pub async fn suspend(
    db: &Db,
    authenticator: &Authenticator,
    actor: &Actor,
    id: i64,
    reason: &str,
) -> Result<Model, Error> {
    if actor.id == Some(id) {
        return Err(Error::Oneself);
    }
    let (user, sessions, tokens) = db
        .write(|transaction| async move {
            require_role(&transaction, actor.id, Role::Admin).await?;
            let mut user = lock(&transaction, id).await?;
            if user.suspended_at.is_some() {
                return Ok((user, Vec::new(), Vec::new()));
            }
            user.suspended_at = Some(now());
            set(
                &transaction,
                id,
                Column::SuspendedAt,
                Expr::value(user.suspended_at),
            )
            .await?;
            let gone = sessions::end_all_in(&transaction, id, None).await?;
            let entry = Entry {
                actor,
                action: Action::SuspendUser,
                subject_id: id,
                owner_id: None,
                subject: &user.username,
                reason,
            };
            record(&transaction, entry).await?;
            Ok((
                user,
                gone,
                personal_tokens::credentials_of(&transaction, id).await?,
            ))
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
/// [`Error::NotFound`], [`Error::Oneself`].
pub async fn restore(db: &Db, actor: &Actor, id: i64, reason: &str) -> Result<Model, Error> {
    if actor.id == Some(id) {
        return Err(Error::Oneself);
    }
    db.write(|transaction| async move {
        require_role(&transaction, actor.id, Role::Admin).await?;
        let mut user = lock(&transaction, id).await?;
        if user.suspended_at.take().is_none() {
            return Ok(user);
        }
        let never = Expr::value(user.suspended_at);
        set(&transaction, id, Column::SuspendedAt, never).await?;
        let entry = Entry {
            actor,
            action: Action::RestoreUser,
            subject_id: id,
            owner_id: None,
            subject: &user.username,
            reason,
        };
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
    id: i64,
    role: Role,
    reason: &str,
) -> Result<Model, Error> {
    db.write(|transaction| async move {
        let mut user = lock(&transaction, id).await?;
        user.role = role;
        set(&transaction, id, Column::Role, Expr::value(role)).await?;
        let entry = Entry {
            actor,
            action: Action::ChangeRole,
            subject_id: id,
            owner_id: None,
            subject: &user.username,
            reason,
        };
        record(&transaction, entry).await?;
        Ok(user)
    })
    .await
}

/// Up to `limit` users (1 to 100) by id, after the first `skip`.
pub async fn users(db: &Db, limit: u64, skip: u64) -> Result<Vec<Model>, Error> {
    let connection = db.read();
    let statement = Entity::find()
        .order_by_asc(Column::Id)
        .build(connection.get_database_backend());
    let statement = page(statement, limit, skip);
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
    actor_id: Option<i64>,
    role: Role,
) -> Result<(), Error> {
    let Some(id) = actor_id else {
        return Ok(());
    };
    let actor = lock_user(transaction, id).await?;
    let may = actor.is_some_and(|actor| actor.role >= role && actor.suspended_at.is_none());
    let role = if role == Role::Admin {
        "admin"
    } else {
        "moderator"
    };
    may.then_some(()).ok_or(Error::RoleNeeded { role })
}

async fn lock(transaction: &Transaction, id: i64) -> Result<Model, Error> {
    let user = lock_user(transaction, id).await?;
    user.ok_or(Error::NotFound { what: "user", id })
}

async fn set(transaction: &Transaction, id: i64, column: Column, value: Expr) -> Result<(), Error> {
    Entity::update_many()
        .col_expr(column, value)
        .filter(COLUMN.id.eq(id))
        .exec(transaction)
        .await?;
    Ok(())
}
