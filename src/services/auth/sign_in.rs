//! Sign-in: a name and a password for a session.

use entity::{
    sessions::ActiveModel,
    users::Model as User,
    values::{Password, SessionId, SignInName},
};
use sea_orm::{ActiveModelTrait, ActiveValue::Set};
use time::Duration;

use super::{
    passwords::Passwords,
    rehash::RehashQueue,
    sessions::{IssuedSession, add_refresh_token},
};
use crate::{
    db::Db,
    error::Error,
    services::{now, users},
};

/// A request to sign in.
pub struct SignIn {
    /// The user's e-mail address or username.
    pub name: SignInName,
    /// The password to verify.
    pub password: Password,
    /// The client's `User-Agent`, at most 200 characters.
    pub user_agent: String,
    /// Lifetime of the session if it is not refreshed.
    pub lifetime: Duration,
}

/// Starts a session if the password is right. An outdated hash is sent to `rehashes`.
///
/// `admit` gets the name of the account before any password is hashed, and can refuse the attempt.
/// The name is the username, or the name that was sent if no user has it. So an account has one
/// name, whether its username or its e-mail address was used.
///
/// # Errors
/// The error of `admit`; [`Error::BadCredentials`] for an unknown user or a wrong password, after
/// the same amount of work; [`Error::Suspended`] if the password was right;
/// [`Error::Overloaded`] if too many passwords wait to be hashed.
pub async fn sign_in<E: From<Error>>(
    db: &Db,
    passwords: &Passwords,
    rehashes: &RehashQueue,
    attempt: SignIn,
    admit: impl FnOnce(&str) -> Result<(), E>,
) -> Result<IssuedSession, E> {
    let name = attempt.name.normalised();
    let user = users::find_by_name(db, &name).await?;
    admit(user.as_ref().map_or(&name, |user| user.username.as_str()))?;
    Ok(verify(db, passwords, rehashes, attempt, user).await?)
}

async fn verify(
    db: &Db,
    passwords: &Passwords,
    rehashes: &RehashQueue,
    attempt: SignIn,
    mut user: Option<User>,
) -> Result<IssuedSession, Error> {
    // The hash can change while it is verified: a new password, or a re-hash. Then try once more.
    let password = attempt.password.clone().into_secret();
    for _ in 0..2 {
        let hash = user.as_ref().map(|user| user.password_hash.clone());
        let right = passwords.verify(password.clone(), hash).await?;
        let Some(known) = user.filter(|_| right) else {
            break;
        };
        if known.suspended_at.is_some() {
            return Err(Error::Suspended);
        }
        if let Some(session) = start(db, &known, &attempt).await? {
            rehashes.push_if_outdated(known, password);
            return Ok(session);
        }
        user = users::get(db, known.id).await.ok();
    }
    Err(Error::BadCredentials)
}

/// Starts a session, unless the user was suspended or has another password hash since the
/// verification.
async fn start(db: &Db, user: &User, attempt: &SignIn) -> Result<Option<IssuedSession>, Error> {
    let (id, now) = (SessionId::random(), now());
    db.write(|transaction| async move {
        let locked = users::lock_user(&transaction, user.id).await?;
        let unchanged = locked.is_some_and(|locked| {
            locked.password_hash == user.password_hash && locked.suspended_at.is_none()
        });
        if !unchanged {
            return Ok(None);
        }
        let session = ActiveModel {
            id: Set(id),
            user_id: Set(user.id),
            user_agent: Set(attempt.user_agent.clone()),
            created_at: Set(now),
            last_used_at: Set(now),
            expires_at: Set(now + attempt.lifetime),
        };
        session.insert(&transaction).await?;
        let refresh_token = add_refresh_token(&transaction, id, now).await?;
        Ok(Some(IssuedSession {
            id,
            user_id: user.id,
            refresh_token,
        }))
    })
    .await
}
