//! Queries for users. A deleted user does not exist for them: a job still has to remove the row.

use entity::{
    users::{Column, Entity, Model},
    values::{SignInName, UserId},
};
use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QuerySelect, QueryTrait, Select,
    sea_query::LockType,
};

use crate::{
    db::{Constraint, Db, First, Transaction},
    error::Error,
};

const EMAIL: Constraint = Constraint::unique("users_email_key", "users.email");
const USERNAME: Constraint = Constraint::unique("users_username_key", "users.username");

/// The errors of the constraints that a new or changed user can violate.
pub(super) fn taken() -> [(Constraint, Error); 2] {
    [(EMAIL, Error::EmailTaken), (USERNAME, Error::UsernameTaken)]
}

/// The users who are not deleted.
pub(super) fn existing() -> Select<Entity> {
    Entity::find().filter(Column::DeletedAt.is_null())
}

/// The user with this id.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn get(db: &Db, id: UserId) -> Result<Model, Error> {
    let user = existing().filter(Column::Id.eq(id));
    let user = user.first(db.read()).await?;
    user.ok_or_else(|| Error::not_found("user", id.get()))
}

/// The user with this e-mail address or username.
///
/// # Errors
/// [`Error::UserNotFound`].
pub async fn get_by_name(db: &Db, name: &SignInName) -> Result<Model, Error> {
    let name = name.normalised();
    let found = find_by_name(db, &name).await?;
    found.ok_or(Error::UserNotFound { name })
}

/// The user with this normalised e-mail address or username.
pub(super) async fn find_by_name(db: &Db, name: &str) -> Result<Option<Model>, Error> {
    // Every e-mail address contains an `@`, no username does.
    let column = if name.contains('@') {
        Column::Email.eq(name)
    } else {
        Column::Username.eq(name)
    };
    Ok(existing().filter(column).first(db.read()).await?)
}

/// Locks the one of `users`, so that two transactions do not create posts with the same keys of that user.
///
/// # Errors
/// [`Error::InvalidToken`] if there is none.
pub(super) async fn lock_keys(
    transaction: &Transaction,
    users: Select<Entity>,
) -> Result<(), Error> {
    let user = users
        .select_only()
        .column(Column::Id)
        .lock(LockType::NoKeyUpdate);
    let statement = user.build(transaction.get_database_backend());
    let user = transaction.query_one_raw(statement).await?;
    user.map(drop).ok_or(Error::InvalidToken)
}

/// Reads user `id` and locks the row until `transaction` ends.
pub(super) async fn lock_user(
    transaction: &Transaction,
    id: UserId,
) -> Result<Option<Model>, Error> {
    let user = existing().filter(Column::Id.eq(id)).lock_exclusive();
    Ok(user.first(transaction).await?)
}
