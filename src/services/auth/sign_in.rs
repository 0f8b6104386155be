//! From a name and a password to a session.

use entity::{sessions::ActiveModel, users as table};
use rand::RngExt;
use sea_orm::{ActiveModelTrait, ActiveValue::Set};
use secrecy::SecretString;
use time::Duration;

use super::{
    passwords::Passwords,
    sessions::{Session, add_token},
};
use crate::{
    db::{Constraint, Db, OnConstraint},
    error::Error,
    services::{now, users},
};

/// The user of a session was deleted meanwhile.
const USER: Constraint = Constraint::foreign_key("sessions_user_id_fkey");

/// Starts a session of `user`'s, if `password` is theirs, that ends in `lifetime` unless it is
/// refreshed.
///
/// # Errors
/// [`Error::BadCredentials`], after the same work, for nobody and for a wrong password;
/// [`Error::Suspended`] once the password was right.
pub async fn sign_in(
    db: &Db,
    passwords: &Passwords,
    mut user: Option<table::Model>,
    password: SecretString,
    user_agent: &str,
    lifetime: Duration,
) -> Result<Session, Error> {
    // The hash may be replaced, or the password changed, while it is verified: then once more.
    for _ in 0..2 {
        let hash = user.as_ref().map(|user| user.password_hash.clone());
        let right = passwords.verify(password.clone(), hash).await?;
        let Some(known) = user.filter(|_| right) else {
            break;
        };
        if known.suspended_at.is_some() {
            return Err(Error::Suspended);
        }
        if let Some(session) = start(db, &known, user_agent, lifetime).await? {
            users::rehash(db, passwords, known, password);
            return Ok(session);
        }
        user = users::get(db, known.id).await.ok();
    }
    Err(Error::BadCredentials)
}

/// Starts a session of `user`'s, unless they are not as they were when the password was verified.
async fn start(
    db: &Db,
    user: &table::Model,
    user_agent: &str,
    lifetime: Duration,
) -> Result<Option<Session>, Error> {
    // Below 2^53, so that readers of JSON keep it exact; two never meet.
    let id = rand::rng().random_range(1..1_i64 << 53);
    let now = now();
    db.write(|transaction| async move {
        let held = users::held(&transaction, user.id).await?;
        let as_verified = held.is_some_and(|held| {
            held.password_hash == user.password_hash && held.suspended_at.is_none()
        });
        if !as_verified {
            return Ok(None);
        }
        let session = ActiveModel {
            id: Set(id),
            user_id: Set(user.id),
            user_agent: Set(user_agent.to_owned()),
            created_at: Set(now),
            last_used_at: Set(now),
            expires_at: Set(now + lifetime),
        };
        let inserted = session.insert(&transaction).await;
        inserted.on_constraint([(USER, Error::InvalidToken)])?;
        let refresh_token = add_token(&transaction, id, now).await?;
        Ok(Some(Session {
            id,
            user_id: user.id,
            refresh_token,
        }))
    })
    .await
}
