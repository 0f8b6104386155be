//! Finding users.

pub use entity::users::Model;
use entity::users::{COLUMN, Entity};
use sea_orm::{EntityTrait, QueryFilter, QuerySelect};

use crate::{
    db::{Db, Transaction},
    error::Error,
};

/// The user with this id.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn get(db: &Db, id: i64) -> Result<Model, Error> {
    let found = Entity::find()
        .filter(COLUMN.id.eq(id))
        .all(db.read())
        .await?;
    found
        .into_iter()
        .next()
        .ok_or(Error::NotFound { what: "user", id })
}

/// The user with this e-mail address or username. Case and surrounding spaces do not matter.
///
/// # Errors
/// [`Error::NoUser`].
pub async fn get_by_name(db: &Db, name: &str) -> Result<Model, Error> {
    let name = normalized(name);
    let found = find_by_name(db, &name).await?;
    found.ok_or(Error::NoUser { name })
}

/// `name` as e-mail addresses and usernames are stored.
pub(super) fn normalized(name: &str) -> String {
    name.trim().to_ascii_lowercase()
}

/// The user with this [normalized] e-mail address or username.
pub(super) async fn find_by_name(db: &Db, name: &str) -> Result<Option<Model>, Error> {
    // Every e-mail address contains an `@`, no username does.
    let column = if name.contains('@') {
        COLUMN.email.eq(name)
    } else {
        COLUMN.username.eq(name)
    };
    let found = Entity::find().filter(column).all(db.read()).await?;
    Ok(found.into_iter().next())
}

/// Reads user `id` and locks the row until `transaction` ends.
pub(super) async fn lock_user(transaction: &Transaction, id: i64) -> Result<Option<Model>, Error> {
    let found = Entity::find().filter(COLUMN.id.eq(id)).lock_exclusive();
    Ok(found.all(transaction).await?.into_iter().next())
}
