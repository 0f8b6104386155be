//! Sessions and the refresh tokens that extend them.

use entity::{
    refresh_tokens::{self, ActiveModel as RefreshRow},
    sessions::{Column, Entity, Model},
    users,
    values::{RefreshToken, SessionId, UserId},
};
use sea_orm::{
    ActiveModelTrait,
    ActiveValue::Set,
    ColumnTrait, EntityTrait, QueryFilter, QueryOrder,
    sea_query::{Expr, Func},
};
use secrecy::{ExposeSecret, SecretString};
use time::{Duration, OffsetDateTime};

use super::{
    authenticator::{Authenticator, Credential},
    opaque_token::{hash, new_refresh_token},
};
use crate::{
    db::{Constraint, Db, First, OnConstraint, Transaction},
    error::Error,
    services::now,
};

/// The session ended meanwhile.
const SESSION: Constraint = Constraint::foreign_key("refresh_tokens_session_id_fkey");

/// How long a used refresh token stays valid. Two browser tabs may send it at once, and a response
/// may be lost.
const GRACE: Duration = Duration::seconds(10);

/// A started or refreshed session with its new refresh token.
#[derive(Debug)]
pub struct IssuedSession {
    /// The session's id.
    pub id: SessionId,
    /// The user's id.
    pub user_id: UserId,
    /// Extends the session. Can be used once.
    pub refresh_token: SecretString,
}

/// Creates a refresh token for session `session_id`.
pub(super) async fn add_refresh_token(
    transaction: &Transaction,
    session_id: SessionId,
    now: OffsetDateTime,
) -> Result<SecretString, Error> {
    let token = new_refresh_token();
    let row = RefreshRow {
        hash: Set(hash(&token)),
        session_id: Set(session_id),
        created_at: Set(now),
        replaced_at: Set(None),
    };
    let inserted = row.insert(transaction).await;
    inserted.on_constraint([(SESSION, Error::InvalidGrant)])?;
    Ok(token.into())
}

/// Exchanges a refresh token for a new one and extends its session to `lifetime` from now.
///
/// A used token stays valid for 10 s. Its use after that ends the session, because the token may
/// have been stolen (RFC 9700, section 4.14.2).
///
/// # Errors
/// [`Error::InvalidGrant`].
pub async fn refresh(
    db: &Db,
    authenticator: &Authenticator,
    token: RefreshToken,
    lifetime: Duration,
) -> Result<IssuedSession, Error> {
    let hash = hash(token.into_secret().expose_secret());
    let (hash, now) = (hash.as_str(), now());
    let outcome = db
        .write(|transaction| async move {
            use refresh_tokens::{Column, Entity as Tokens};
            // Keeps the time of the first use, also for concurrent requests.
            let first = Func::coalesce([Expr::col(Column::ReplacedAt), Expr::value(now)]);
            let used = Tokens::update_many()
                .col_expr(Column::ReplacedAt, first.into())
                .filter(Column::Hash.eq(hash))
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
    Refreshed(IssuedSession),
    /// The session with this id was ended, because its token was used again.
    Ended(SessionId),
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
            session_id = id.get(),
            "a used refresh token was sent again: its session is ended"
        );
        return Ok(Outcome::Ended(id));
    }
    let found = Entity::find()
        .find_also_related(users::Entity)
        .filter(Column::Id.eq(id))
        .filter(Column::ExpiresAt.gt(now))
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
        .filter(Column::Id.eq(id))
        .exec(transaction)
        .await?;
    Ok(Outcome::Refreshed(IssuedSession {
        id,
        user_id: session.user_id,
        refresh_token: add_refresh_token(transaction, id, now).await?,
    }))
}

/// The sessions of user `user_id` that have not expired, newest first.
pub async fn list(db: &Db, user_id: UserId) -> Result<Vec<Model>, Error> {
    Ok(Entity::find()
        .filter(Column::UserId.eq(user_id))
        .filter(Column::ExpiresAt.gt(now()))
        .order_by_desc(Column::CreatedAt)
        .order_by_desc(Column::Id)
        .all(db.read())
        .await?)
}

/// Ends session `id` of user `user_id`.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn end(
    db: &Db,
    authenticator: &Authenticator,
    user_id: UserId,
    id: SessionId,
) -> Result<(), Error> {
    let deleted = db
        .write(|transaction| async move {
            let deleted = Entity::delete_many()
                .filter(Column::Id.eq(id))
                .filter(Column::UserId.eq(user_id))
                .exec(&transaction)
                .await?;
            Ok(deleted.rows_affected)
        })
        .await?;
    if deleted == 0 {
        return Err(Error::not_found("session", id.get()));
    }
    authenticator.end([Credential::Session(id)]);
    Ok(())
}

/// Ends every session of user `user_id`.
pub async fn end_all(db: &Db, authenticator: &Authenticator, user_id: UserId) -> Result<(), Error> {
    let ended = db
        .write(|transaction| async move { end_all_in(&transaction, user_id, None).await })
        .await?;
    authenticator.end(ended);
    Ok(())
}

/// Deletes every session of user `user_id` except `except`. Pass the result to
/// [`Authenticator::end`] after the commit.
pub(in crate::services) async fn end_all_in(
    transaction: &Transaction,
    user_id: UserId,
    except: Option<SessionId>,
) -> Result<Vec<Credential>, Error> {
    let mut sessions = Entity::delete_many().filter(Column::UserId.eq(user_id));
    if let Some(except) = except {
        sessions = sessions.filter(Column::Id.ne(except));
    }
    let deleted = sessions.exec_with_returning(transaction).await?;
    Ok(deleted
        .iter()
        .map(|session| Credential::Session(session.id))
        .collect())
}
