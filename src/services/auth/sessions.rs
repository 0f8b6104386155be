//! Sessions and the refresh tokens that extend them.

use entity::{
    refresh_tokens::{self, ActiveModel as RefreshRow, Entity as Tokens},
    sessions::{ActiveModel as SessionRow, Column, Entity, Model},
    users,
    values::{Limit, RefreshToken, Scopes, SessionId, UserId},
};
use sea_orm::{
    ActiveModelTrait,
    ActiveValue::Set,
    ColumnTrait, ConnectionTrait, EntityTrait, IntoSimpleExpr, Order, QueryFilter, QueryOrder,
    QuerySelect, QueryTrait,
    sea_query::{Expr, Func},
};
use secrecy::{ExposeSecret, SecretString};
use time::{Duration, OffsetDateTime};

use super::{
    authenticator::Authenticator,
    credential::Credential,
    opaque_token::{hash, new_refresh_token},
};
use crate::{
    db::{Db, First, Transaction, comparable, page},
    error::Error,
    services::{
        now,
        paging::{Cursor, Keyset, Page, PageRequest, from_microseconds, to_microseconds},
    },
};

/// The maximum number of sessions of one user.
pub const MAX_SESSIONS: u64 = 100;
/// Maximum number of sessions that a sign-in ends. More than one is possible only if a user has more
/// than [`MAX_SESSIONS`].
const EVICTED: u64 = 500;
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
    /// The scopes of the access token to issue.
    pub scopes: Scopes,
    /// Whether the session has more scopes than that.
    pub narrowed: bool,
}

/// A session to be started.
#[derive(Clone, Debug)]
pub struct NewSession {
    /// The client's `User-Agent`, at most 200 characters.
    pub user_agent: String,
    /// Lifetime of the session if it is not refreshed.
    pub lifetime: Duration,
    /// The scopes that it is limited to; `None` for every scope.
    pub scopes: Option<Scopes>,
}

/// Starts a session of user `user_id`, whose row must be locked, with a first refresh token.
pub(in crate::services) async fn start_in(
    transaction: &Transaction,
    user_id: UserId,
    new: &NewSession,
) -> Result<IssuedSession, Error> {
    let (id, now) = (SessionId::random(), now());
    let session = SessionRow {
        id: Set(id),
        user_id: Set(user_id),
        user_agent: Set(new.user_agent.clone()),
        created_at: Set(now),
        last_used_at: Set(now),
        expires_at: Set(now + new.lifetime),
        scopes: Set(new.scopes),
    };
    let session = session.insert(transaction).await?;
    Ok(IssuedSession {
        id,
        user_id,
        refresh_token: add_refresh_token(transaction, id, None, now).await?,
        scopes: session.granted_scopes(),
        narrowed: false,
    })
}

/// Ends the least recently used sessions of user `user_id`, whose row must be locked, if there are
/// 100. Pass the result to [`Authenticator::end`] after the commit.
pub(super) async fn make_room_in(
    transaction: &Transaction,
    user_id: UserId,
) -> Result<Vec<Credential>, Error> {
    let sessions = Entity::find()
        .filter(Column::UserId.eq(user_id))
        .order_by_desc(Column::LastUsedAt)
        .order_by_desc(Column::Id)
        .build(transaction.get_database_backend());
    let sessions = Entity::find().from_raw_sql(page(sessions, EVICTED, MAX_SESSIONS - 1));
    let sessions = sessions.all(transaction).await?;
    if !sessions.is_empty() {
        let ids = sessions.iter().map(|session| session.id);
        Entity::delete_many()
            .filter(Column::Id.is_in(ids))
            .exec(transaction)
            .await?;
    }
    Ok(credentials(&sessions))
}

/// Creates a refresh token for session `session_id`, in exchange for `parent`.
async fn add_refresh_token(
    transaction: &Transaction,
    session_id: SessionId,
    parent: Option<String>,
    now: OffsetDateTime,
) -> Result<SecretString, Error> {
    let token = new_refresh_token();
    let row = RefreshRow {
        hash: Set(hash(&token)),
        session_id: Set(session_id),
        created_at: Set(now),
        replaced_at: Set(None),
        parent_hash: Set(parent),
    };
    row.insert(transaction).await?;
    Ok(token.into())
}

/// Exchanges a refresh token for a new one and extends its session to `lifetime` from now.
///
/// `scopes` limits the access token to issue, and not the session: the next refresh may ask for all
/// scopes of the session again (RFC 6749, section 6).
///
/// A used token stays valid for 10 s. Its use after that ends the session, because the token may
/// have been stolen (RFC 9700, section 4.14.2). So does the use of two tokens that were both issued
/// for one: either the client or a thief has the second.
///
/// # Errors
/// [`Error::InvalidGrant`]; [`Error::ScopeNotGranted`] if the session lacks one of `scopes`, which
/// leaves the token unused.
pub async fn refresh(
    db: &Db,
    authenticator: &Authenticator,
    token: RefreshToken,
    scopes: Option<Scopes>,
    lifetime: Duration,
) -> Result<IssuedSession, Error> {
    let hash = hash(token.into_secret().expose_secret());
    let (hash, now) = (hash.as_str(), now());
    let outcome = db
        .write(|transaction| async move {
            let token = Tokens::find().filter(refresh_tokens::Column::Hash.eq(hash));
            let Some(token) = token.first(&transaction).await? else {
                return Ok(Outcome::Unknown);
            };
            exchange(&transaction, token, scopes, now, lifetime).await
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
    /// The session with this id was ended, because its token may be stolen.
    Ended(SessionId),
    Unknown,
}

async fn exchange(
    transaction: &Transaction,
    token: refresh_tokens::Model,
    scopes: Option<Scopes>,
    now: OffsetDateTime,
    lifetime: Duration,
) -> Result<Outcome, Error> {
    let id = token.session_id;
    // The end of a session locks the session and then its tokens. Another order would deadlock.
    let session = Entity::find()
        .filter(Column::Id.eq(id))
        .filter(Column::ExpiresAt.gt(now))
        .lock_exclusive();
    let Some(session) = session.first(transaction).await? else {
        return Ok(Outcome::Unknown);
    };
    let Some(token) = mark_used(transaction, &token.hash, now).await? else {
        return Ok(Outcome::Unknown);
    };
    if is_stolen(transaction, &token, now).await? {
        Entity::delete_by_id(id).exec(transaction).await?;
        tracing::warn!(
            session_id = id.get(),
            "a refresh token was used by two clients: its session is ended"
        );
        return Ok(Outcome::Ended(id));
    }
    let user = users::Entity::find().filter(users::Column::Id.eq(session.user_id));
    let user = user.first(transaction).await?;
    if user.is_none_or(|user| user.suspended_at.is_some()) {
        return Ok(Outcome::Unknown);
    }
    let granted = session.granted_scopes();
    let scopes = scopes.unwrap_or(granted);
    if !granted.contains_all(scopes) {
        return Err(Error::ScopeNotGranted);
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
        refresh_token: add_refresh_token(transaction, id, Some(token.hash), now).await?,
        scopes,
        narrowed: scopes != granted,
    }))
}

/// Keeps the time of the first use. `None` if the token was deleted meanwhile.
async fn mark_used(
    transaction: &Transaction,
    hash: &str,
    now: OffsetDateTime,
) -> Result<Option<refresh_tokens::Model>, Error> {
    use refresh_tokens::Column;
    let first = Func::coalesce([Expr::col(Column::ReplacedAt), Expr::value(now)]);
    let used = Tokens::update_many()
        .col_expr(Column::ReplacedAt, first.into())
        .filter(Column::Hash.eq(hash))
        .exec_with_returning(transaction)
        .await?;
    Ok(used.into_iter().next())
}

/// True if the first use of `token` is more than 10 s ago, or if another token with the same parent
/// was used.
pub(super) async fn is_stolen(
    connection: &impl ConnectionTrait,
    token: &refresh_tokens::Model,
    now: OffsetDateTime,
) -> Result<bool, Error> {
    use refresh_tokens::Column;
    if token.replaced_at.is_some_and(|at| at + GRACE < now) {
        return Ok(true);
    }
    let Some(parent) = &token.parent_hash else {
        return Ok(false);
    };
    let sibling = Tokens::find()
        .filter(Column::ParentHash.eq(parent.as_str()))
        .filter(Column::Hash.ne(token.hash.as_str()))
        .filter(Column::ReplacedAt.is_not_null());
    Ok(sibling.first(connection).await?.is_some())
}

/// A page of the sessions of user `user_id` that have not expired, newest first.
pub async fn list_page(
    db: &Db,
    user_id: UserId,
    limit: Limit,
    cursor: Option<Cursor>,
) -> Result<Page<Model>, Error> {
    let connection = &db.read_list();
    let backend = connection.get_database_backend();
    let request = PageRequest {
        limit: limit.get(),
        backwards: cursor.is_some_and(|cursor| cursor.before),
        resumed: cursor.is_some(),
    };
    let start = from_microseconds(cursor.map_or(0, |cursor| cursor.key));
    let keyset = Keyset {
        key: Some(comparable(
            backend,
            Column::CreatedAt.into_simple_expr(),
            start,
        )),
        id: Column::Id.into_simple_expr(),
        direction: if request.backwards {
            Order::Asc
        } else {
            Order::Desc
        },
    };
    let sessions = Entity::find()
        .filter(Column::UserId.eq(user_id))
        .filter(Column::ExpiresAt.gt(now()));
    let sessions = keyset.apply(sessions, cursor.map(|cursor| cursor.id));
    let sessions = page(sessions.build(backend), request.rows(), 0);
    let sessions = Entity::find().from_raw_sql(sessions);
    let sessions = sessions.all(connection).await?;
    Ok(request.page(sessions, |session, before| Cursor {
        before,
        key: to_microseconds(session.created_at),
        id: session.id.get(),
    }))
}

/// The sessions of user `user_id` that have not expired, newest first.
pub async fn list(db: &Db, user_id: UserId) -> Result<Vec<Model>, Error> {
    Ok(Entity::find()
        .filter(Column::UserId.eq(user_id))
        .filter(Column::ExpiresAt.gt(now()))
        .order_by_desc(Column::CreatedAt)
        .order_by_desc(Column::Id)
        .all(&db.read_list())
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
        .write(|transaction| async move { end_all_in(&transaction, user_id).await })
        .await?;
    authenticator.end(ended);
    Ok(())
}

/// Deletes every session of user `user_id`. Pass the result to [`Authenticator::end`] after the
/// commit.
pub(in crate::services) async fn end_all_in(
    transaction: &Transaction,
    user_id: UserId,
) -> Result<Vec<Credential>, Error> {
    let sessions = Entity::delete_many().filter(Column::UserId.eq(user_id));
    let deleted = sessions.exec_with_returning(transaction).await?;
    Ok(credentials(&deleted))
}

fn credentials(sessions: &[Model]) -> Vec<Credential> {
    let credential = |session: &Model| Credential::Session(session.id);
    sessions.iter().map(credential).collect()
}
