//! Sign-up: a new user with a password.

use entity::users::{ActiveModel, Model};
use rand::RngExt;
use sea_orm::{ActiveModelTrait, ActiveValue::Set};
use secrecy::SecretString;

use super::passwords::Passwords;
use crate::{
    db::{Db, OnConstraint},
    error::Error,
    services::{now, users::taken},
};

/// The fields of a new user.
pub struct NewUser {
    /// Valid and lower-case.
    pub email: String,
    /// Valid and lower-case. Without it the service generates one.
    pub username: Option<String>,
    /// Valid.
    pub password: SecretString,
}

/// Creates a user.
///
/// # Errors
/// [`Error::Taken`] if another user has the e-mail address or the username.
pub async fn sign_up(db: &Db, passwords: &Passwords, new: NewUser) -> Result<Model, Error> {
    let password_hash = passwords.hash(new.password).await?;
    let username = new.username.unwrap_or_else(random_username);
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

/// `user-` and twelve random letters and digits: 5 * 10^18 possibilities, so that a collision is
/// not handled. It contains nothing of the e-mail address, because usernames are public.
fn random_username() -> String {
    const LETTERS: &[u8] = b"abcdefghijklmnopqrstuvwxyz0123456789";
    let mut random = rand::rng();
    let tail = (0..12).map(|_| {
        let at = random.random_range(0..LETTERS.len());
        LETTERS.get(at).copied().map_or('0', char::from)
    });
    "user-".chars().chain(tail).collect()
}
