//! Creating, changing and deleting posts.

use entity::{
    posts::{ActiveModel, COLUMN, Column, Entity, Model},
    users::Role,
};
use sea_orm::{
    ActiveValue::{NotSet, Set},
    ConnectionTrait, DbErr, EntityTrait, FromQueryResult, IdenStatic, Iterable, QueryFilter, Value,
    sea_query::{Expr, Query},
};

use super::{
    post::{Post, find},
    visibility::visible_to,
};
use crate::{
    db::{Db, Each, Row, Transaction, Written, table},
    error::Error,
    services::{
        auth::Identity,
        moderation::{
            audit_log::{Action, Entry, record},
            users::require_role,
        },
        now,
    },
};

/// The fields of a new post.
#[derive(Clone, Debug)]
pub struct NewPost {
    /// Valid.
    pub title: String,
    /// Valid.
    pub content: String,
    /// False for a draft.
    pub published: bool,
    /// Valid, separated by spaces.
    pub tags: String,
}

/// Changes of a post. `None` leaves a field as it is.
#[derive(Clone, Debug, Default)]
pub struct Changes {
    /// Valid.
    pub title: Option<String>,
    /// Valid.
    pub content: Option<String>,
    /// False for a draft.
    pub published: Option<bool>,
    /// Valid, separated by spaces.
    pub tags: Option<String>,
}

impl Changes {
    fn is_empty(&self) -> bool {
        self.title.is_none()
            && self.content.is_none()
            && self.published.is_none()
            && self.tags.is_none()
    }
}

/// Creates a post.
///
/// # Errors
/// [`Error::InvalidToken`] if the owner has just been deleted.
pub async fn create(db: &Db, owner: Identity, new: NewPost) -> Result<Post, Error> {
    let row = [
        owner.id.into(),
        new.title.into(),
        new.content.into(),
        new.published.into(),
        new.tags.into(),
    ];
    let inserted = db.write_row("posts", row.into(), insert).await?;
    let inserted = inserted
        .ok_or_else(|| Error::Internal("the database did not return the new post".into()))?;
    let Model {
        id,
        owner_id,
        title,
        content,
        published,
        votes,
        tags,
        created_at,
        updated_at,
        version,
        ..
    } = Model::from_query_result(&inserted, "")?;
    Ok(Post {
        id,
        title,
        content,
        published,
        tags,
        created_at,
        updated_at,
        version,
        owner_id,
        owner_username: owner.username,
        votes,
        voted: false,
    })
}

/// The columns of a row to insert, in order.
const COLUMNS: [Column; 5] = [
    Column::OwnerId,
    Column::Title,
    Column::Content,
    Column::Published,
    Column::Tags,
];

async fn insert(connection: Each, wanted: Vec<Row>) -> Written {
    let backend = connection.get_database_backend();
    let names = COLUMNS.map(|column| column.as_str());
    let now = now();
    let rows = Query::select()
        .columns(COLUMNS)
        .expr(Expr::value(now))
        .expr(Expr::value(now))
        .from_subquery(table(backend, &names, &wanted), "want")
        .take();
    let insert = Query::insert()
        .into_table(Entity)
        .columns(
            COLUMNS
                .into_iter()
                .chain([Column::CreatedAt, Column::UpdatedAt]),
        )
        .select_from(rows)
        .map_err(|error| DbErr::Custom(error.to_string()))?
        .returning(Query::returning().columns(Column::iter()))
        .take();
    // Neither database guarantees the order of returned rows. Equal rows may be exchanged.
    let mut inserted = Vec::with_capacity(wanted.len());
    for row in connection.query_all(&insert).await? {
        let Model {
            owner_id,
            title,
            content,
            published,
            tags,
            ..
        } = Model::from_query_result(&row, "")?;
        let values: [Value; 5] = [
            owner_id.into(),
            title.into(),
            content.into(),
            published.into(),
            tags.into(),
        ];
        inserted.push((values, row));
    }
    let of = |row: &Row| {
        let place = inserted
            .iter()
            .position(|(values, _)| values[..] == row[..])?;
        Some(inserted.swap_remove(place).1)
    };
    Ok(wanted.iter().map(of).collect())
}

/// Changes post `id` of `caller` and returns the new version.
///
/// # Errors
/// [`Error::NotFound`], [`Error::NotOwner`].
pub async fn update(db: &Db, caller: i64, id: i64, changes: Changes) -> Result<Post, Error> {
    let now = now();
    db.write(async |transaction| {
        if !changes.is_empty() {
            let set = ActiveModel {
                title: changes.title.clone().map_or(NotSet, Set),
                content: changes.content.clone().map_or(NotSet, Set),
                published: changes.published.map_or(NotSet, Set),
                tags: changes.tags.clone().map_or(NotSet, Set),
                updated_at: Set(now),
                ..Default::default()
            };
            Entity::update_many()
                .set(set)
                .col_expr(Column::Version, COLUMN.version.add(1))
                .filter(COLUMN.id.eq(id))
                .filter(COLUMN.owner_id.eq(caller))
                .exec(transaction)
                .await?;
        }
        owned(transaction, caller, id).await
    })
    .await
}

/// Deletes post `id` and its votes. A moderator may delete posts of other users; the audit log then
/// gets an entry with `reason`.
///
/// # Errors
/// [`Error::NotFound`], [`Error::NotOwner`].
pub async fn delete(db: &Db, caller: &Identity, id: i64, reason: &str) -> Result<(), Error> {
    db.write(async |transaction| {
        let mut delete = Entity::delete_many().filter(COLUMN.id.eq(id));
        // A personal access token has no moderator rights.
        let moderates = caller.role >= Role::Moderator && caller.session_id().is_some();
        if moderates {
            delete = delete.filter(visible_to(Some(Expr::value(caller.id))));
        } else {
            delete = delete.filter(COLUMN.owner_id.eq(caller.id));
        }
        let deleted = delete.exec_with_returning(transaction).await?;
        let Some(post) = deleted.into_iter().next() else {
            owned(transaction, caller.id, id).await?;
            return Ok(());
        };
        if post.owner_id != caller.id {
            require_role(transaction, Some(caller.id), Role::Moderator).await?;
            let entry = Entry {
                actor: &caller.into(),
                action: Action::DeletePost,
                subject_id: id,
                owner_id: Some(post.owner_id),
                subject: &post.title,
                reason,
            };
            record(transaction, entry).await?;
        }
        Ok(())
    })
    .await
}

/// Reads post `id` of `caller`.
///
/// # Errors
/// [`Error::NotFound`] if the caller cannot see it; [`Error::NotOwner`].
async fn owned(transaction: &Transaction, caller: i64, id: i64) -> Result<Post, Error> {
    let post = find(transaction, Some(caller), id)
        .await?
        .ok_or(Error::NotFound { what: "post", id })?;
    if post.owner_id == caller {
        Ok(post)
    } else {
        Err(Error::NotOwner { id })
    }
}
