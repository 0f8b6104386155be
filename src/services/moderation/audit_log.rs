//! The audit log: actions of moderators, admins and the operator.

pub use entity::audit_log::Action;
use entity::{
    audit_log::{self, ActiveModel, Column, Model},
    users,
    values::{Limit, Reason, Skip, UserId},
};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ConnectionTrait, EntityTrait, QueryOrder, QueryTrait,
};

use crate::{
    db::{Db, Transaction, page},
    error::Error,
    services::{auth::Identity, now},
};

/// The author of an action.
#[derive(Clone, Debug)]
pub struct Actor {
    /// The user's id; `None` for the operator.
    pub id: Option<UserId>,
    /// The username at the time of the action, or `operator`.
    pub name: String,
}

impl Actor {
    /// The operator, who uses the command line.
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
            name: identity.username.to_string(),
        }
    }
}

/// A new entry of the audit log.
pub(in crate::services) struct NewAuditEntry<'a> {
    pub actor: &'a Actor,
    pub action: Action,
    /// The id of the user or post that the action affects.
    pub subject_id: i64,
    /// The owner of the post.
    pub owner_id: Option<UserId>,
    /// The username or the title at the time of the action.
    pub subject: &'a str,
    pub reason: &'a Reason,
}

impl<'a> NewAuditEntry<'a> {
    /// An action that affects `user`.
    pub(super) fn about_user(
        actor: &'a Actor,
        action: Action,
        user: &'a users::Model,
        reason: &'a Reason,
    ) -> Self {
        Self {
            actor,
            action,
            subject_id: user.id.get(),
            owner_id: None,
            subject: user.username.as_str(),
            reason,
        }
    }
}

/// Adds an entry in the transaction of the action.
pub(in crate::services) async fn record(
    transaction: &Transaction,
    entry: NewAuditEntry<'_>,
) -> Result<(), Error> {
    let row = ActiveModel {
        at: Set(now()),
        actor_id: Set(entry.actor.id),
        actor: Set(entry.actor.name.clone()),
        action: Set(entry.action),
        subject_id: Set(entry.subject_id),
        owner_id: Set(entry.owner_id),
        subject: Set(entry.subject.to_owned()),
        reason: Set(entry.reason.clone()),
        ..Default::default()
    };
    row.insert(transaction).await?;
    Ok(())
}

/// Up to `limit` entries, newest first, after the first `skip`.
pub async fn list(db: &Db, limit: Limit, skip: Skip) -> Result<Vec<Model>, Error> {
    let connection = &db.read_list();
    let statement = audit_log::Entity::find()
        .order_by_desc(Column::Id)
        .build(connection.get_database_backend());
    let statement = page(statement, limit.get(), skip.get());
    let entries = audit_log::Entity::find().from_raw_sql(statement);
    Ok(entries.all(connection).await?)
}
