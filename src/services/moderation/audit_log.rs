//! The record of what was done to others, or to what is theirs.

pub use entity::audit_log::Action;
use entity::audit_log::{ActiveModel, Column, Entity, Model};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ConnectionTrait, EntityTrait, QueryOrder, QueryTrait,
};

use crate::{
    db::{Db, Transaction, page},
    error::Error,
    services::{auth::Identity, now},
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
pub(in crate::services) struct Act<'a> {
    pub actor: &'a Actor,
    pub action: Action,
    pub subject_id: i64,
    /// Whose post it is.
    pub owner_id: Option<i64>,
    pub subject: &'a str,
    pub reason: &'a str,
}

/// Adds `act` to the record, in the transaction that does it.
pub(in crate::services) async fn record(
    transaction: &Transaction,
    act: Act<'_>,
) -> Result<(), Error> {
    let row = ActiveModel {
        at: Set(now()),
        actor_id: Set(act.actor.id),
        actor: Set(act.actor.name.clone()),
        action: Set(act.action),
        subject_id: Set(act.subject_id),
        owner_id: Set(act.owner_id),
        subject: Set(act.subject.to_owned()),
        reason: Set(act.reason.to_owned()),
        ..Default::default()
    };
    row.insert(transaction).await?;
    Ok(())
}

/// The record, newest first, `limit` (1 to 100) after `skip`.
pub async fn list(db: &Db, limit: u64, skip: u64) -> Result<Vec<Model>, Error> {
    let connection = db.read();
    let statement = Entity::find()
        .order_by_desc(Column::Id)
        .build(connection.get_database_backend());
    let statement = page(statement, limit, skip);
    let acts = Entity::find().from_raw_sql(statement);
    Ok(acts.all(connection).await?)
}
