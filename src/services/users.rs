//! Users: sign-up, sign-in, and who is behind a token.

use entity::users::{self, ActiveModel, COLUMN, Entity, Model};
use rand::RngExt;
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter, QuerySelect,
    sea_query::Expr,
};
use secrecy::SecretString;

use super::{
    now,
    passwords::{self, Passwords},
};
use crate::{db::Db, error::Error};

/// Who makes a request.
#[derive(Clone, Debug, PartialEq, Eq, sea_orm::FromQueryResult)]
pub struct Identity {
    /// The user's number.
    pub id: i64,
    /// The user's name.
    pub username: String,
}

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

/// The user with number `id`, if there is one.
pub async fn identify(db: &Db, id: i64) -> Result<Option<Identity>, Error> {
    let found = Entity::find()
        .select_only()
        .columns([users::Column::Id, users::Column::Username])
        .filter(COLUMN.id.eq(id))
        .into_model::<Identity>()
        .all(db.read())
        .await?;
    Ok(found.into_iter().next())
}

/// The number of the user whose e-mail address or username is `name` and whose password is
/// `password`. A hash of lower parameters than today's is replaced behind the caller's back, on the
/// `LocalSet` that this must run in, as whatever runs on a worker of the server does.
///
/// # Errors
/// [`Error::BadCredentials`], after the same work, for an unknown name and for a wrong password.
pub async fn sign_in(
    db: &Db,
    passwords: &Passwords,
    name: &str,
    password: SecretString,
) -> Result<i64, Error> {
    // A username has no `@`, an e-mail address always has one.
    let column = if name.contains('@') {
        COLUMN.email.eq(name)
    } else {
        COLUMN.username.eq(name)
    };
    let found = Entity::find().filter(column).all(db.read()).await?;
    let user = found.into_iter().next();
    let hash = user.as_ref().map(|user| user.password_hash.clone());
    let right = passwords.verify(password.clone(), hash).await?;
    match user {
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
            .col_expr(users::Column::PasswordHash, Expr::value(new.clone()))
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
