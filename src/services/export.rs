//! Export of all data of a user, from one snapshot, in constant memory.
//!
//! A job reads the rows page by page and hands them to the response. So it can end the snapshot even
//! if the client takes nothing and nothing polls the response.

use std::{fmt, sync::Arc, time::Duration};

use entity::{
    audit_log::{self, Action},
    personal_tokens as tokens, posts, sessions,
    users::{Column as UserColumn, Model as User},
    values::UserId,
    votes, webhooks,
};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DbErr, EntityTrait, ModelTrait, QueryFilter, QueryOrder,
    QueryTrait, Select, sea_query::ExprTrait,
};
use tokio::{
    sync::{
        Mutex as AsyncMutex,
        mpsc::{Receiver, Sender, channel},
        oneshot,
    },
    time::{Instant, timeout_at},
};

use super::{
    now,
    running::{Refused, Running, RunningGuard},
    users,
};
use crate::{
    db::{Db, First, LONG_SNAPSHOTS, Transaction, page},
    error::Error,
};

/// Maximum number of exports in progress. Each holds a connection to the database that the pool has for
/// this.
const MAX_RUNNING: usize = LONG_SNAPSHOTS;
/// Number of posts that are read at once: at most 3.2 MB.
const POSTS: u64 = 20;
/// Number of other rows that are read at once.
const ROWS: u64 = 1_000;
/// The client's average rate must be higher than this number of bytes in a second, because SQLite's
/// write-ahead log grows until the export ends.
const MIN_RATE: u64 = 500_000;
/// Time that a client gets in addition.
const ALLOWANCE: Duration = Duration::from_secs(30);
/// Number of bytes that count for each row, in addition to the text of posts.
const ROW_BYTES: usize = 200;

/// A part of an export. The parts come in the order of the variants. Each variant comes at least
/// once, maybe without rows.
#[derive(Debug)]
pub enum Part {
    /// The account.
    User(Box<User>),
    /// Posts and drafts, oldest first.
    Posts(Vec<posts::Model>),
    /// Votes, by post id.
    Votes(Vec<votes::Model>),
    /// Sessions that have not expired, newest first.
    Sessions(Vec<sessions::Model>),
    /// Personal access tokens, newest first.
    Tokens(Vec<tokens::Model>),
    /// Webhooks, newest first.
    Webhooks(Vec<webhooks::Model>),
    /// Audit log entries that affect the user or were made by the user, oldest first.
    AuditLog(Vec<audit_log::Model>),
    /// The export is complete.
    End,
}

impl Part {
    /// The approximate size.
    fn bytes(&self) -> usize {
        let rows = match self {
            Self::User(_) | Self::End => 1,
            Self::Posts(rows) => {
                let text = |post: &posts::Model| {
                    let metadata = post.metadata.as_ref();
                    let metadata = metadata.map_or(0, |metadata| metadata.as_str().len());
                    post.title.as_str().len() + post.content.as_str().len() + metadata + ROW_BYTES
                };
                return rows.iter().map(text).sum();
            }
            Self::Votes(rows) => rows.len(),
            Self::Sessions(rows) => rows.len(),
            Self::Tokens(rows) => rows.len(),
            Self::Webhooks(rows) => rows.len(),
            Self::AuditLog(rows) => rows.len(),
        };
        rows * ROW_BYTES
    }
}

/// The exports in progress. Clones share them.
#[derive(Clone)]
pub struct Exports {
    running: Running<UserId>,
    sender: Sender<Request>,
    receiver: Arc<AsyncMutex<Receiver<Request>>>,
}

impl Default for Exports {
    fn default() -> Self {
        let (sender, receiver) = channel(MAX_RUNNING);
        Self {
            running: Running::default(),
            sender,
            receiver: Arc::new(AsyncMutex::new(receiver)),
        }
    }
}

impl fmt::Debug for Exports {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Exports")
    }
}

impl Exports {
    /// Starts the export of user `id`.
    ///
    /// # Errors
    /// [`Error::ExportRunning`] if another one of this user is in progress on this server;
    /// [`Error::TooManyExports`].
    pub fn start(&self, id: UserId) -> Result<Export, Error> {
        let running = self.running.begin(id, MAX_RUNNING);
        let running = running.map_err(|refused| match refused {
            Refused::Same => Error::ExportRunning,
            Refused::Full => Error::TooManyExports,
        })?;
        let (part_sender, parts) = channel(1);
        let (done_sender, done) = oneshot::channel();
        let request = Request {
            id,
            parts: part_sender,
            done: done_sender,
            running,
        };
        let sent = self.sender.try_send(request);
        sent.map_err(|_| Error::TooManyExports)?;
        Ok(Export { parts, done })
    }

    /// The next export to read. Waits for one. Cancel safe.
    pub async fn next(&self) -> Option<Request> {
        self.receiver.lock().await.recv().await
    }
}

/// The parts of an export.
#[derive(Debug)]
pub struct Export {
    parts: Receiver<Result<Part, Error>>,
    /// Has a value once every part was sent.
    done: oneshot::Receiver<()>,
}

impl Export {
    /// The next part.
    ///
    /// # Errors
    /// If the export ended before [`Part::End`]: the response must not look complete then.
    pub async fn next(&mut self) -> Result<Part, Error> {
        match self.parts.recv().await {
            Some(part) => part,
            None if self.done.try_recv().is_ok() => Ok(Part::End),
            None => Err(Error::unavailable("the export was interrupted")),
        }
    }
}

/// An export for the job to read.
pub struct Request {
    id: UserId,
    parts: Sender<Result<Part, Error>>,
    done: oneshot::Sender<()>,
    running: RunningGuard<UserId>,
}

/// Reads an export and sends its parts. Ends it if the client takes them too slowly, or if SQLite's
/// write-ahead log must be emptied.
pub async fn read(db: &Db, request: Request) {
    let Request {
        id,
        parts,
        done,
        running,
    } = request;
    if db.is_log_full() {
        drop(running);
        let _ = parts.try_send(Err(Error::TooManyExports));
        return;
    }
    let mut sending = Parts {
        sender: &parts,
        end: Instant::now() + ALLOWANCE,
    };
    let outcome = db
        .snapshot(async |transaction| Ok(sending.send_all(&transaction, id).await))
        .await;
    // Before the client can see the end, and start another one.
    drop(running);
    match outcome.unwrap_or_else(|error| Err(Stop::Failed(error))) {
        Ok(()) => {
            let _ = done.send(());
        }
        Err(Stop::Gone) => {}
        Err(Stop::TooSlow) => {
            tracing::warn!(
                user_id = id.get(),
                "an export was ended: its client is too slow"
            );
        }
        Err(Stop::Failed(error)) => {
            // Not for a deleted account: its tokens may start exports for some seconds more.
            if !matches!(error, Error::InvalidToken) {
                let cause = error.with_cause();
                tracing::warn!(user_id = id.get(), cause, "an export was ended");
            }
            // Before the first part, the response can still report it.
            let _ = parts.try_send(Err(error));
        }
    }
}

/// The reason for which an export ends early.
enum Stop {
    /// The client has disconnected.
    Gone,
    TooSlow,
    Failed(Error),
}

impl From<DbErr> for Stop {
    fn from(error: DbErr) -> Self {
        Self::Failed(error.into())
    }
}

/// Sends the parts of one export.
struct Parts<'a> {
    sender: &'a Sender<Result<Part, Error>>,
    /// The time at which the client is too slow.
    end: Instant,
}

impl Parts<'_> {
    async fn send_all(&mut self, transaction: &Transaction, id: UserId) -> Result<(), Stop> {
        let user = users::existing().filter(UserColumn::Id.eq(id));
        let user = user.first(transaction).await?;
        let user = user.ok_or(Stop::Failed(Error::InvalidToken))?;
        self.send(Part::User(user.into())).await?;
        let select = posts::Entity::find().filter(posts::Column::OwnerId.eq(id));
        let key = posts::Column::Id;
        self.pages(transaction, select, key, POSTS, Part::Posts)
            .await?;
        let select = votes::Entity::find().filter(votes::Column::UserId.eq(id));
        let key = votes::Column::PostId;
        self.pages(transaction, select, key, ROWS, Part::Votes)
            .await?;
        let sessions = sessions::Entity::find()
            .filter(sessions::Column::UserId.eq(id))
            .filter(sessions::Column::ExpiresAt.gt(now()))
            .order_by_desc(sessions::Column::CreatedAt)
            .order_by_desc(sessions::Column::Id);
        let sessions = sessions.all(transaction).await?;
        self.send(Part::Sessions(sessions)).await?;
        let tokens = tokens::Entity::find().filter(tokens::Column::UserId.eq(id));
        let tokens = tokens.order_by_desc(tokens::Column::Id);
        let tokens = tokens.all(transaction).await?;
        self.send(Part::Tokens(tokens)).await?;
        let webhooks = webhooks::Entity::find().filter(webhooks::Column::UserId.eq(id));
        let webhooks = webhooks.order_by_desc(webhooks::Column::Id);
        let webhooks = webhooks.all(transaction).await?;
        self.send(Part::Webhooks(webhooks)).await?;
        let key = audit_log::Column::Id;
        self.pages(transaction, about(id), key, ROWS, Part::AuditLog)
            .await
    }

    /// Sends the rows of `select` in the order of `key`, in parts of `limit`.
    async fn pages<E: EntityTrait>(
        &mut self,
        transaction: &Transaction,
        select: Select<E>,
        key: E::Column,
        limit: u64,
        part: fn(Vec<E::Model>) -> Part,
    ) -> Result<(), Stop> {
        let select = select.order_by_asc(key);
        let mut rest = select.clone();
        loop {
            let statement = rest.build(transaction.get_database_backend());
            let rows = E::find().from_raw_sql(page(statement, limit, 0));
            let rows = rows.all(transaction).await?;
            let last = rows.last().map(|row| row.get(key));
            let is_full = u64::try_from(rows.len()) == Ok(limit);
            self.send(part(rows)).await?;
            match last {
                Some(last) if is_full => rest = select.clone().filter(key.gt(last)),
                _ => return Ok(()),
            }
        }
    }

    async fn send(&mut self, part: Part) -> Result<(), Stop> {
        let bytes = u64::try_from(part.bytes()).unwrap_or(u64::MAX);
        self.end += Duration::from_millis(bytes.saturating_mul(1_000) / MIN_RATE);
        match timeout_at(self.end, self.sender.send(Ok(part))).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(Stop::Gone),
            Err(_) => Err(Stop::TooSlow),
        }
    }
}

/// Audit log entries that affect user `id` or were made by the user.
fn about(id: UserId) -> Select<audit_log::Entity> {
    use Action::{ChangeRole, CreateToken, RestoreUser, SuspendUser};
    use audit_log::Column;
    let affects_a_user = Column::Action.is_in([ChangeRole, CreateToken, RestoreUser, SuspendUser]);
    let affects_user = affects_a_user.and(Column::SubjectId.eq(id.get()));
    let affects_user = affects_user.or(Column::OwnerId.eq(id));
    audit_log::Entity::find().filter(affects_user.or(Column::ActorId.eq(id)))
}
