//! Sessions: a sign-in until its end, kept going by refresh tokens.

use entity::{
    refresh_tokens::{self, ActiveModel as RefreshRow},
    sessions::{COLUMN, Column, Entity, Model},
    users,
};
use sea_orm::{
    ActiveModelTrait,
    ActiveValue::Set,
    EntityTrait, QueryFilter, QueryOrder,
    sea_query::{Expr, Func},
};
use secrecy::{ExposeSecret, SecretString};
use time::{Duration, OffsetDateTime};

use super::{
    authenticator::{Authenticator, Credential},
    opaque_token::{hash, random},
};
use crate::{
    db::{Constraint, Db, First, OnConstraint, Transaction},
    error::Error,
    services::now,
};

/// How long a refresh token still works after it was used: two tabs of a browser, or an answer that
/// got lost.
const GRACE: Duration = Duration::seconds(10);
/// 256 bits.
const TOKEN_LENGTH: usize = 43;

/// The session of a refresh token was ended meanwhile.
const SESSION: Constraint = Constraint::foreign_key("refresh_tokens_session_id_fkey");

/// What a sign-in or a refresh gives.
#[derive(Debug)]
pub struct Session {
    /// Its number.
    pub id: i64,
    /// Whose it is.
    pub user_id: i64,
    /// What keeps it going, to be used once.
    pub refresh_token: SecretString,
}

/// Adds a refresh token of session `session_id`.
pub(super) async fn add_token(
    transaction: &Transaction,
    session_id: i64,
    now: OffsetDateTime,
) -> Result<SecretString, Error> {
    let token = random(TOKEN_LENGTH);
    let row = RefreshRow {
        hash: Set(hash(&token)),
        session_id: Set(session_id),
        created_at: Set(now),
        replaced_at: Set(None),
    };
    let inserted = row.insert(transaction).await;
    inserted.on_constraint([(SESSION, Error::InvalidToken)])?;
    Ok(token.into())
}

/// Exchanges `token` for a new one, and moves the end of its session to `lifetime` from now.
///
/// A token that was used before works for another 10 s. After that somebody else may have it: its
/// use ends the session.
///
/// # Errors
/// [`Error::InvalidGrant`].
pub async fn refresh(
    db: &Db,
    authenticator: &Authenticator,
    token: &SecretString,
    lifetime: Duration,
) -> Result<Session, Error> {
    let hash = &hash(token.expose_secret());
    let now = now();
    let outcome = db
        .write(|transaction| async move {
            use refresh_tokens::{COLUMN, Column, Entity as Tokens};
            // The first use counts, however many come at once.
            let first = Func::coalesce([Expr::col(Column::ReplacedAt), Expr::value(now)]);
            let used = Tokens::update_many()
                .col_expr(Column::ReplacedAt, first.into())
                .filter(COLUMN.hash.eq(hash.as_str()))
                .exec_with_returning(&transaction)
                .await?;
            let Some(used) = used.into_iter().next() else {
                return Ok(Outcome::Unknown);
            };
            exchange(&transaction, &used, now, lifetime).await
        })
        .await?;
    match outcome {
        Outcome::Refreshed(session) => Ok(session),
        Outcome::Ended(id) => {
            authenticator.end([Credential::Session(id)]);
            Err(Error::InvalidGrant)
        }
        Outcome::Unknown => Err(Error::InvalidGrant),
    }
}

enum Outcome {
    Refreshed(Session),
    /// This session, because its token was used again.
    Ended(i64),
    Unknown,
}

async fn exchange(
    transaction: &Transaction,
    token: &refresh_tokens::Model,
    now: OffsetDateTime,
    lifetime: Duration,
) -> Result<Outcome, Error> {
    let id = token.session_id;
    if token.replaced_at.is_some_and(|at| at + GRACE < now) {
        Entity::delete_by_id(id).exec(transaction).await?;
        tracing::warn!(
            session_id = id,
            "a refresh token was used again: its session is ended"
        );
        return Ok(Outcome::Ended(id));
    }
    let found = Entity::find()
        .find_also_related(users::Entity)
        .filter(COLUMN.id.eq(id))
        .filter(COLUMN.expires_at.gt(now))
        .first(transaction)
        .await?;
    let Some((session, Some(user))) = found else {
        return Ok(Outcome::Unknown);
    };
    if user.suspended_at.is_some() {
        return Ok(Outcome::Unknown);
    }
    Entity::update_many()
        .col_expr(Column::ExpiresAt, Expr::value(now + lifetime))
        .col_expr(Column::LastUsedAt, Expr::value(now))
        .filter(COLUMN.id.eq(id))
        .exec(transaction)
        .await?;
    Ok(Outcome::Refreshed(Session {
        id,
        user_id: session.user_id,
        refresh_token: add_token(transaction, id, now).await?,
    }))
}

/// The sessions of `user_id` that have not expired, the last started first.
pub async fn list(db: &Db, user_id: i64) -> Result<Vec<Model>, Error> {
    Ok(Entity::find()
        .filter(COLUMN.user_id.eq(user_id))
        .filter(COLUMN.expires_at.gt(now()))
        .order_by_desc(Column::CreatedAt)
        .order_by_desc(Column::Id)
        .all(db.read())
        .await?)
}

/// Ends session `id` of `user_id`'s.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn end(
    db: &Db,
    authenticator: &Authenticator,
    user_id: i64,
    id: i64,
) -> Result<(), Error> {
    let gone = db
        .write(|transaction| async move {
            let gone = Entity::delete_many()
                .filter(COLUMN.id.eq(id))
                .filter(COLUMN.user_id.eq(user_id))
                .exec(&transaction)
                .await?;
            Ok(gone.rows_affected)
        })
        .await?;
    if gone == 0 {
        return Err(Error::NotFound {
            what: "session",
            id,
        });
    }
    authenticator.end([Credential::Session(id)]);
    Ok(())
}

/// Ends every session of `user_id`.
pub async fn end_all(db: &Db, authenticator: &Authenticator, user_id: i64) -> Result<(), Error> {
    let gone = db
        .write(|transaction| async move { end_in(&transaction, user_id, None).await })
        .await?;
    authenticator.end(gone);
    Ok(())
}

/// Deletes every session of `user_id` except `but`; what is to be ended once that is committed.
pub(in crate::services) async fn end_in(
    transaction: &Transaction,
    user_id: i64,
    but: Option<i64>,
) -> Result<Vec<Credential>, Error> {
    let gone = Entity::delete_many()
        .filter(COLUMN.user_id.eq(user_id))
        .filter(COLUMN.id.ne(but.unwrap_or_default()))
        .exec_with_returning(transaction)
        .await?;
    Ok(gone
        .iter()
        .map(|session| Credential::Session(session.id))
        .collect())
}
