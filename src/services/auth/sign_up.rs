//! Sign-up: a new user with a password.

use entity::{
    users::{ActiveModel, Model},
    values::{ChosenPassword, Email, UserId, Username},
};
use sea_orm::{ActiveModelTrait, ActiveValue::Set};
use secrecy::SecretString;

use super::passwords::Passwords;
use crate::{
    db::{Db, OnConstraint},
    error::Error,
    services::{idempotency::Keyed, now, users},
};

/// The fields of a new user.
pub struct NewUser {
    /// The e-mail address.
    pub email: Email,
    /// The username. Without it the service generates one.
    pub username: Option<Username>,
    /// The password.
    pub password: ChosenPassword,
}

/// Creates a user, and stores the answer of `keyed`.
///
/// # Errors
/// [`Error::EmailTaken`], [`Error::UsernameTaken`]; [`Error::Overloaded`] if too many passwords wait
/// to be hashed; [`Error::IdempotencyKeyInUse`].
pub async fn sign_up(
    db: &Db,
    passwords: &Passwords,
    new: NewUser,
    keyed: Option<&Keyed<Model>>,
) -> Result<Model, Error> {
    let now = now();
    let user = ActiveModel {
        email: Set(new.email),
        username: Set(new.username.unwrap_or_else(Username::generate)),
        password_hash: Set(passwords.hash(new.password.into_secret()).await?),
        created_at: Set(now),
        updated_at: Set(now),
        ..Default::default()
    };
    let user = &user;
    db.write(|transaction| async move {
        let inserted = user.clone().insert(&transaction).await;
        let user = inserted.on_constraint(users::taken())?;
        if let Some(keyed) = keyed {
            keyed.store(&transaction, user.id, &user).await?;
        }
        Ok(user)
    })
    .await
}

/// Checks the password of a repeated sign-up, which created `user`. `admit` gets the user before the
/// password is hashed, and can refuse the attempt. A refused attempt has the work and the result of a
/// wrong password.
///
/// # Errors
/// [`Error::IdempotencyKeyReused`] if it is not the password of the user; [`Error::Overloaded`] if too
/// many passwords wait to be hashed.
pub async fn verify_repeated(
    db: &Db,
    passwords: &Passwords,
    user: UserId,
    password: SecretString,
    admit: impl FnOnce(UserId) -> bool,
) -> Result<(), Error> {
    let user = match users::get(db, user).await {
        Err(Error::NotFound { .. }) => None,
        user => Some(user?),
    };
    let user = user.filter(|user| admit(user.id));
    let hash = user.map(|user| user.password_hash);
    if passwords.verify(password, hash).await? {
        Ok(())
    } else {
        Err(Error::IdempotencyKeyReused)
    }
}
