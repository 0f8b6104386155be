//! What moderators, admins and the operator do to others.

use entity::{
    personal_tokens as tokens,
    users::{COLUMN, Column, Entity, Model, Role},
};
use sea_orm::{ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, QueryTrait, sea_query::Expr};

use super::audit_log::{Act, Action, Actor, record};
use crate::{
    db::{Db, Transaction, page},
    error::Error,
    services::{
        auth::{Authenticator, Credential, sessions},
        now, users as user_rules,
    },
};

/// Shuts user `id` out: sessions end, tokens stop, posts are hidden. Once more changes nothing.
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
            still(&transaction, actor.id, Role::Admin).await?;
            let mut user = find(&transaction, id).await?;
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
            let gone = sessions::end_in(&transaction, id, None).await?;
            let act = Act {
                actor,
                action: Action::SuspendUser,
                subject_id: id,
                owner_id: None,
                subject: &user.username,
                reason,
            };
            record(&transaction, act).await?;
            Ok((user, gone, token_keys(&transaction, id).await?))
        })
        .await?;
    authenticator.end(sessions);
    // They are there, for when the user is restored.
    authenticator.forget(tokens);
    Ok(user)
}

/// Lets user `id` in again: tokens work, posts are seen. Once more changes nothing.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Oneself`].
pub async fn restore(db: &Db, actor: &Actor, id: i64, reason: &str) -> Result<Model, Error> {
    if actor.id == Some(id) {
        return Err(Error::Oneself);
    }
    db.write(|transaction| async move {
        still(&transaction, actor.id, Role::Admin).await?;
        let mut user = find(&transaction, id).await?;
        if user.suspended_at.take().is_none() {
            return Ok(user);
        }
        let nobody = Expr::value(user.suspended_at);
        set(&transaction, id, Column::SuspendedAt, nobody).await?;
        let act = Act {
            actor,
            action: Action::RestoreUser,
            subject_id: id,
            owner_id: None,
            subject: &user.username,
            reason,
        };
        record(&transaction, act).await?;
        Ok(user)
    })
    .await
}

/// Gives user `id` `role`.
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
        let mut user = find(&transaction, id).await?;
        user.role = role;
        set(&transaction, id, Column::Role, Expr::value(role)).await?;
        let act = Act {
            actor,
            action: Action::ChangeRole,
            subject_id: id,
            owner_id: None,
            subject: &user.username,
            reason,
        };
        record(&transaction, act).await?;
        Ok(user)
    })
    .await
}

/// Users by number, `limit` (1 to 100) after `skip`.
pub async fn users(db: &Db, limit: u64, skip: u64) -> Result<Vec<Model>, Error> {
    let connection = db.read();
    let statement = Entity::find()
        .order_by_asc(Column::Id)
        .build(connection.get_database_backend());
    let statement = page(statement, limit, skip);
    let users = Entity::find().from_raw_sql(statement);
    Ok(users.all(connection).await?)
}

/// Whether the actor has `role` still, whatever a cache remembers. The operator has every role.
pub(in crate::services) async fn still(
    transaction: &Transaction,
    actor_id: Option<i64>,
    role: Role,
) -> Result<(), Error> {
    let Some(id) = actor_id else {
        return Ok(());
    };
    let actor = user_rules::held(transaction, id).await?;
    let may = actor.is_some_and(|actor| actor.role >= role && actor.suspended_at.is_none());
    let role = if role == Role::Admin {
        "admin"
    } else {
        "moderator"
    };
    may.then_some(()).ok_or(Error::RoleNeeded { role })
}

async fn find(transaction: &Transaction, id: i64) -> Result<Model, Error> {
    let user = user_rules::held(transaction, id).await?;
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

async fn token_keys(transaction: &Transaction, id: i64) -> Result<Vec<Credential>, Error> {
    let theirs = tokens::Entity::find().filter(tokens::COLUMN.user_id.eq(id));
    let theirs = theirs.all(transaction).await?;
    Ok(theirs
        .into_iter()
        .map(|token| Credential::Token(token.hash))
        .collect())
}
