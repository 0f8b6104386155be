//! Sign-in: a name and a password for a session.

use entity::{
    users::Model as User,
    values::{Password, SignInName, UserId},
};

use super::{
    authenticator::Authenticator,
    credential::Credential,
    passwords::Passwords,
    rehash::RehashQueue,
    sessions::{self, IssuedSession, NewSession},
};
use crate::{db::Db, error::Error, services::users};

/// A request to sign in.
pub struct SignIn {
    /// The user's e-mail address or username.
    pub name: SignInName,
    /// The password to verify.
    pub password: Password,
    /// The session to start.
    pub session: NewSession,
}

/// Starts a session if the password is right. An outdated hash is sent to `rehashes`.
///
/// `admit` gets the account before any password is hashed, and can refuse the attempt. A refused
/// attempt has the work and the result of a wrong password.
///
/// # Errors
/// [`Error::BadCredentials`] for an unknown user, a wrong password or a refused attempt, after the
/// same amount of work; [`Error::Suspended`] if the password was right; [`Error::Overloaded`] if too
/// many passwords wait to be hashed.
pub async fn sign_in(
    db: &Db,
    passwords: &Passwords,
    rehashes: &RehashQueue,
    authenticator: &Authenticator,
    attempt: SignIn,
    admit: impl FnOnce(UserId) -> bool,
) -> Result<IssuedSession, Error> {
    let user = users::find_by_name(db, &attempt.name.normalised()).await?;
    let mut user = user.filter(|user| admit(user.id));
    // The hash can change while it is verified: a new password, or a re-hash. Then try once more.
    let password = attempt.password.into_secret();
    for _ in 0..2 {
        let hash = user.as_ref().map(|user| user.password_hash.clone());
        let right = passwords.verify(password.clone(), hash).await?;
        let Some(known) = user.filter(|_| right) else {
            break;
        };
        if known.suspended_at.is_some() {
            return Err(Error::Suspended);
        }
        if let Some((session, ended)) = start(db, &known, &attempt.session).await? {
            authenticator.end(ended);
            rehashes.push_if_outdated(known, password);
            return Ok(session);
        }
        user = users::get(db, known.id).await.ok();
    }
    Err(Error::BadCredentials)
}

/// Starts a session, unless the user was suspended or has another password hash since the
/// verification. Returns the credentials that ended too.
async fn start(
    db: &Db,
    user: &User,
    session: &NewSession,
) -> Result<Option<(IssuedSession, Vec<Credential>)>, Error> {
    db.write(|transaction| async move {
        let locked = users::lock_user(&transaction, user.id).await?;
        let unchanged = locked.is_some_and(|locked| {
            locked.password_hash == user.password_hash && locked.suspended_at.is_none()
        });
        if !unchanged {
            return Ok(None);
        }
        let ended = sessions::make_room_in(&transaction, user.id).await?;
        let session = sessions::start_in(&transaction, user.id, session).await?;
        Ok(Some((session, ended)))
    })
    .await
}
