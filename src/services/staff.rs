//! What moderators, admins and the operator do to others, and the record of it.

use entity::{
    audit_log::{self, Action},
    tokens,
    users::{COLUMN, Column, Entity, Model, Role},
};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, DatabaseTransaction, EntityTrait, QueryFilter, QueryOrder,
    QueryTrait, sea_query::Expr,
};

use super::{
    access::{Access, Identity, Key},
    now, sessions,
};
use crate::{
    db::{Db, page},
    error::Error,
};

/// Who acts.
#[derive(Clone, Debug)]
pub struct Actor {
    /// None for the operator's command line.
    pub id: Option<i64>,
    /// As the record has it.
    pub name: String,
}

impl Actor {
    /// Whoever runs `acclaim`.
    #[must_use]
    pub fn operator() -> Self {
        Self {
            id: None,
            name: "operator".to_owned(),
        }
    }
}

impl From<&Identity> for Actor {
    fn from(identity: &Identity) -> Self {
        Self {
            id: Some(identity.id),
            name: identity.username.clone(),
        }
    }
}

/// An act to be recorded.
pub(super) struct Act<'a> {
    pub actor: &'a Actor,
    pub action: Action,
    pub subject_id: i64,
    pub subject: &'a str,
    pub reason: &'a str,
}

/// Adds `act` to the record, in the transaction that does it.
pub(super) async fn record(transaction: &DatabaseTransaction, act: Act<'_>) -> Result<(), Error> {
    let row = audit_log::ActiveModel {
        at: Set(now()),
        actor_id: Set(act.actor.id),
        actor: Set(act.actor.name.clone()),
        action: Set(act.action),
        subject_id: Set(act.subject_id),
        subject: Set(act.subject.to_owned()),
        reason: Set(act.reason.to_owned()),
        ..Default::default()
    };
    row.insert(transaction).await?;
    Ok(())
}

/// Shuts user `id` out: sessions end, tokens stop, posts are hidden. Once more changes nothing.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Oneself`].
pub async fn suspend(
    db: &Db,
    access: &Access,
    actor: &Actor,
    id: i64,
    reason: &str,
) -> Result<Model, Error> {
    if actor.id == Some(id) {
        return Err(Error::Oneself);
    }
    let (user, gone) = db
        .write(async |transaction| {
            let mut user = find(transaction, id).await?;
            if user.suspended_at.is_some() {
                return Ok((user, Vec::new()));
            }
            user.suspended_at = Some(now());
            set(
                transaction,
                id,
                Column::SuspendedAt,
                Expr::value(user.suspended_at),
            )
            .await?;
            let mut gone = sessions::end_in(transaction, id, None).await?;
            gone.extend(token_keys(transaction, id).await?);
            let act = Act {
                actor,
                action: Action::SuspendUser,
                subject_id: id,
                subject: &user.username,
                reason,
            };
            record(transaction, act).await?;
            Ok((user, gone))
        })
        .await?;
    access.end(gone);
    Ok(user)
}

/// Lets user `id` in again: tokens work, posts are seen. Once more changes nothing.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn restore(
    db: &Db,
    access: &Access,
    actor: &Actor,
    id: i64,
    reason: &str,
) -> Result<Model, Error> {
    let (user, tokens) = db
        .write(async |transaction| {
            let mut user = find(transaction, id).await?;
            if user.suspended_at.take().is_none() {
                return Ok((user, Vec::new()));
            }
            let nobody = Expr::value(user.suspended_at);
            set(transaction, id, Column::SuspendedAt, nobody).await?;
            let act = Act {
                actor,
                action: Action::RestoreUser,
                subject_id: id,
                subject: &user.username,
                reason,
            };
            record(transaction, act).await?;
            Ok((user, token_keys(transaction, id).await?))
        })
        .await?;
    access.restore(tokens);
    Ok(user)
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
    db.write(async |transaction| {
        let mut user = find(transaction, id).await?;
        user.role = role;
        set(transaction, id, Column::Role, Expr::value(role)).await?;
        let act = Act {
            actor,
            action: Action::ChangeRole,
            subject_id: id,
            subject: &user.username,
            reason,
        };
        record(transaction, act).await?;
        Ok(user)
    })
    .await
}

/// Users by number, `limit` (1 to 100) after `skip`.
pub async fn users(db: &Db, limit: u64, skip: u64) -> Result<Vec<Model>, Error> {
    let connection = db.read();
    let statement = Entity::find()
        .order_by_asc(Column::Id)
        .build(sea_orm::ConnectionTrait::get_database_backend(connection));
    let statement = page(statement, limit, skip);
    let users = Entity::find().from_raw_sql(statement);
    Ok(users.all(connection).await?)
}

/// The record, newest first, `limit` (1 to 100) after `skip`.
pub async fn audit(db: &Db, limit: u64, skip: u64) -> Result<Vec<audit_log::Model>, Error> {
    let connection = db.read();
    let statement = audit_log::Entity::find()
        .order_by_desc(audit_log::Column::Id)
        .build(sea_orm::ConnectionTrait::get_database_backend(connection));
    let statement = page(statement, limit, skip);
    let acts = audit_log::Entity::find().from_raw_sql(statement);
    Ok(acts.all(connection).await?)
}

async fn find(transaction: &DatabaseTransaction, id: i64) -> Result<Model, Error> {
    let found = Entity::find().filter(COLUMN.id.eq(id));
    let user = found.all(transaction).await?.into_iter().next();
    user.ok_or(Error::NotFound { what: "user", id })
}

async fn set(
    transaction: &DatabaseTransaction,
    id: i64,
    column: Column,
    value: Expr,
) -> Result<(), Error> {
    Entity::update_many()
        .col_expr(column, value)
        .filter(COLUMN.id.eq(id))
        .exec(transaction)
        .await?;
    Ok(())
}

async fn token_keys(transaction: &DatabaseTransaction, id: i64) -> Result<Vec<Key>, Error> {
    let theirs = tokens::Entity::find().filter(tokens::COLUMN.user_id.eq(id));
    let theirs = theirs.all(transaction).await?;
    Ok(theirs
        .into_iter()
        .map(|token| Key::Token(token.hash))
        .collect())
}
