//! Users: sign-up and sign-in.

use entity::users::{ActiveModel, COLUMN, Entity, Model};
use rand::RngExt;
use sea_orm::{ActiveModelTrait, ActiveValue::Set, EntityTrait, QueryFilter};
use secrecy::SecretString;

use super::{now, passwords::Passwords};
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
/// `password`.
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
    let right = passwords.verify(password, hash).await?;
    match user {
        Some(user) if right && user.suspended_at.is_some() => Err(Error::Suspended),
        Some(user) if right => Ok(user.id),
        _ => Err(Error::BadCredentials),
    }
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
