//! Users: who they are.

pub use entity::users::Model;
use entity::users::{ActiveModel, COLUMN, Column, Entity};
use rand::RngExt;
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter, QuerySelect,
    sea_query::Expr,
};
use secrecy::SecretString;

use super::{
    auth::passwords::{self, Passwords},
    now,
};
use crate::{
    db::{Constraint, Db, First, OnConstraint, Transaction},
    error::Error,
};

const EMAIL: Constraint = Constraint::unique("users_email_key", "users.email");
const USERNAME: Constraint = Constraint::unique("users_username_key", "users.username");

/// What is needed to sign up.
pub struct NewUser {
    /// Valid and lower-case.
    pub email: String,
    /// Valid and lower-case; made by the service when left out.
    pub username: Option<String>,
    /// Valid.
    pub password: SecretString,
}

/// Adds a user.
///
/// # Errors
/// [`Error::Taken`] when somebody has the e-mail address or the username.
pub async fn create(db: &Db, passwords: &Passwords, new: NewUser) -> Result<Model, Error> {
    let password_hash = passwords.hash(new.password).await?;
    let username = new.username.unwrap_or_else(made_up_username);
    let now = now();
    let user = ActiveModel {
        email: Set(new.email),
        username: Set(username),
        password_hash: Set(password_hash),
        created_at: Set(now),
        updated_at: Set(now),
        ..Default::default()
    };
    let user = &user;
    db.write(|transaction| async move {
        let inserted = user.clone().insert(&transaction).await;
        inserted.on_constraint(taken())
    })
    .await
}

/// The constraints that an insert or update of a user can violate.
pub(super) fn taken() -> [(Constraint, Error); 2] {
    [
        (EMAIL, Error::Taken { field: "email" }),
        (USERNAME, Error::Taken { field: "username" }),
    ]
}

/// The user with number `id`.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn get(db: &Db, id: i64) -> Result<Model, Error> {
    let found = Entity::find().filter(COLUMN.id.eq(id)).first(db.read());
    found.await?.ok_or(Error::NotFound { what: "user", id })
}

/// The user whose e-mail address or username is `name`.
///
/// # Errors
/// [`Error::NoUser`].
pub async fn find(db: &Db, name: &str) -> Result<Model, Error> {
    let name = name.trim().to_ascii_lowercase();
    let found = by_name(db, &name).await?;
    found.ok_or(Error::NoUser { name })
}

/// The user whose e-mail address or username is `name`, if there is one.
pub async fn by_name(db: &Db, name: &str) -> Result<Option<Model>, Error> {
    // A username has no `@`, an e-mail address always has one.
    let column = if name.contains('@') {
        COLUMN.email.eq(name)
    } else {
        COLUMN.username.eq(name)
    };
    Ok(Entity::find().filter(column).first(db.read()).await?)
}

/// Replaces a hash of lower parameters than today's by a new one of `password`, behind the caller's
/// back, on the `LocalSet` that this must run in, as whatever runs on a worker of the server does.
/// Nobody waits for it: what is not done now is done at the next sign-in.
pub fn rehash(db: &Db, passwords: &Passwords, user: Model, password: SecretString) {
    if !passwords::is_outdated(&user.password_hash) {
        return;
    }
    let (db, passwords) = (db.clone(), passwords.clone());
    tokio::task::spawn_local(async move {
        if let Err(error) = replace_hash(&db, &passwords, &user, password).await {
            tracing::warn!(user_id = user.id, ?error, "the password was not re-hashed");
        }
    });
}

/// Unless the password was changed meanwhile.
async fn replace_hash(
    db: &Db,
    passwords: &Passwords,
    user: &Model,
    password: SecretString,
) -> Result<(), Error> {
    let new = &passwords.hash(password).await?;
    db.write(|transaction| async move {
        Entity::update_many()
            .col_expr(Column::PasswordHash, Expr::value(new.clone()))
            .filter(COLUMN.id.eq(user.id))
            .filter(COLUMN.password_hash.eq(user.password_hash.clone()))
            .exec(&transaction)
            .await?;
        Ok(())
    })
    .await
}

/// User `id` as they are until `transaction` ends: nobody changes them meanwhile.
pub(super) async fn held(transaction: &Transaction, id: i64) -> Result<Option<Model>, Error> {
    let found = Entity::find().filter(COLUMN.id.eq(id)).lock_exclusive();
    Ok(found.first(transaction).await?)
}

/// `user-` and twelve random letters and digits: 10^18 of them, so that two never meet. Nothing of
/// the e-mail address goes into it, because a username is public.
fn made_up_username() -> String {
    const LETTERS: &[u8] = b"abcdefghijklmnopqrstuvwxyz0123456789";
    let mut random = rand::rng();
    let tail = (0..12).map(|_| {
        let at = random.random_range(0..LETTERS.len());
        LETTERS.get(at).copied().map_or('0', char::from)
    });
    "user-".chars().chain(tail).collect()
}
