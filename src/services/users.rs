//! Finding users.

pub use entity::users::Model;
use entity::users::{COLUMN, Entity};
use sea_orm::{EntityTrait, QueryFilter, QuerySelect};

use crate::{
    db::{Constraint, Db, First, Transaction},
    error::Error,
};

const EMAIL: Constraint = Constraint::unique("users_email_key", "users.email");
const USERNAME: Constraint = Constraint::unique("users_username_key", "users.username");

/// The constraints that an insert or update of a user can violate.
pub(super) fn taken() -> [(Constraint, Error); 2] {
    [
        (EMAIL, Error::Taken { field: "email" }),
        (USERNAME, Error::Taken { field: "username" }),
    ]
}

/// The user with this id.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn get(db: &Db, id: i64) -> Result<Model, Error> {
    let found = Entity::find().filter(COLUMN.id.eq(id)).first(db.read());
    found.await?.ok_or(Error::NotFound { what: "user", id })
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
    Ok(Entity::find().filter(column).first(db.read()).await?)
}

/// Reads user `id` and locks the row until `transaction` ends.
pub(super) async fn lock_user(transaction: &Transaction, id: i64) -> Result<Option<Model>, Error> {
    let found = Entity::find().filter(COLUMN.id.eq(id)).lock_exclusive();
    Ok(found.first(transaction).await?)
}
