//! Users: sign-up and sign-in.

pub use entity::users::Model;
use entity::users::{ActiveModel, COLUMN, Column, Entity};
use rand::RngExt;
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter, sea_query::Expr,
};
use secrecy::SecretString;

use super::{
    now,
    passwords::{self, Passwords},
};
use crate::{db::Db, error::Error};

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
    db.write(async |transaction| {
        let user = ActiveModel {
            email: Set(new.email.clone()),
            username: Set(username.clone()),
            password_hash: Set(password_hash.clone()),
            created_at: Set(now),
            updated_at: Set(now),
            ..Default::default()
        };
        Ok(user.insert(transaction).await?)
    })
    .await
}

/// The user with number `id`.
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

/// The user whose e-mail address or username is `name`.
///
/// # Errors
/// [`Error::NoUser`].
pub async fn find(db: &Db, name: &str) -> Result<Model, Error> {
    let name = name.trim().to_ascii_lowercase();
    let found = by_name(db, &name).await?;
    found.ok_or(Error::NoUser { name })
}

async fn by_name(db: &Db, name: &str) -> Result<Option<Model>, Error> {
    // A username has no `@`, an e-mail address always has one.
    let column = if name.contains('@') {
        COLUMN.email.eq(name)
    } else {
        COLUMN.username.eq(name)
    };
    let found = Entity::find().filter(column).all(db.read()).await?;
    Ok(found.into_iter().next())
}

/// The number of the user whose e-mail address or username is `name` and whose password is
/// `password`. A hash of lower parameters than today's is replaced behind the caller's back, on the
/// `LocalSet` that this must run in, as whatever runs on a worker of the server does.
///
/// # Errors
/// [`Error::BadCredentials`], after the same work, for an unknown name and for a wrong password;
/// [`Error::Suspended`] once the password was right.
pub async fn sign_in(
    db: &Db,
    passwords: &Passwords,
    name: &str,
    password: SecretString,
) -> Result<i64, Error> {
    let user = by_name(db, name).await?;
    let hash = user.as_ref().map(|user| user.password_hash.clone());
    let right = passwords.verify(password.clone(), hash).await?;
    match user {
        Some(user) if right && user.suspended_at.is_some() => Err(Error::Suspended),
        Some(user) if right => {
            let id = user.id;
            if passwords::is_outdated(&user.password_hash) {
                let (db, passwords) = (db.clone(), passwords.clone());
                // Nobody waits for it: what is not done now is done at the next sign-in.
                tokio::task::spawn_local(async move {
                    if let Err(error) = rehash(&db, &passwords, &user, password).await {
                        tracing::warn!(user_id = id, ?error, "the password was not re-hashed");
                    }
                });
            }
            Ok(id)
        }
        _ => Err(Error::BadCredentials),
    }
}

/// Replaces the hash of `user`, whose password is `password`, by one of today's parameters, unless
/// the password was changed meanwhile.
async fn rehash(
    db: &Db,
    passwords: &Passwords,
    user: &Model,
    password: SecretString,
) -> Result<(), Error> {
    let new = passwords.hash(password).await?;
    db.write(async |transaction| {
        Entity::update_many()
            .col_expr(Column::PasswordHash, Expr::value(new.clone()))
            .filter(COLUMN.id.eq(user.id))
            .filter(COLUMN.password_hash.eq(user.password_hash.clone()))
            .exec(transaction)
            .await?;
        Ok(())
    })
    .await
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
