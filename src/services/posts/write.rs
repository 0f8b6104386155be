//! Creating, changing and deleting posts.

use std::sync::Arc;

use entity::{
    posts::{ActiveModel, COLUMN, Column, Entity, Model},
    users::Role,
};
use sea_orm::{
    ActiveValue::{NotSet, Set},
    EntityTrait, QueryFilter,
    sea_query::Expr,
};

use super::{
    post::{Post, find},
    visibility::visible_to,
};
use crate::{
    db::{BatchedWrite, Constraint, Db, OnConstraint, Transaction, insert_all},
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

/// The owner was deleted after the token was checked.
const OWNER: Constraint = Constraint::foreign_key("posts_owner_id_fkey");

/// Creates a post.
///
/// # Errors
/// [`Error::InvalidToken`] if the owner was deleted meanwhile.
pub async fn create(db: &Db, owner: Identity, new: NewPost) -> Result<Post, Error> {
    let row = OwnedPost {
        owner_id: owner.id,
        new,
    };
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
    } = db.batched_write::<CreatePosts>(row).await?;
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

struct CreatePosts;

struct OwnedPost {
    owner_id: i64,
    new: NewPost,
}

impl BatchedWrite for CreatePosts {
    type Row = OwnedPost;
    type Output = Model;

    async fn write(
        transaction: &Transaction,
        rows: &[Arc<OwnedPost>],
    ) -> Result<Vec<Model>, Error> {
        let now = now();
        let posts = rows.iter().map(|row| ActiveModel {
            owner_id: Set(row.owner_id),
            title: Set(row.new.title.clone()),
            content: Set(row.new.content.clone()),
            published: Set(row.new.published),
            tags: Set(row.new.tags.clone()),
            created_at: Set(now),
            updated_at: Set(now),
            ..Default::default()
        });
        let posts = insert_all(transaction, posts.collect()).await;
        posts.on_constraint([(OWNER, Error::InvalidToken)])
    }
}

/// Changes post `id` of `caller` and returns the new version.
///
/// # Errors
/// [`Error::NotFound`], [`Error::NotOwner`].
pub async fn update(db: &Db, caller: i64, id: i64, changes: Changes) -> Result<Post, Error> {
    let (changes, now) = (&changes, now());
    db.write(|transaction| async move {
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
                .exec(&transaction)
                .await?;
        }
        owned(&transaction, caller, id).await
    })
    .await
}

/// Deletes post `id` and its votes. A moderator may delete posts of other users; the audit log then
/// gets an entry with `reason`.
///
/// # Errors
/// [`Error::NotFound`], [`Error::NotOwner`].
pub async fn delete(db: &Db, caller: &Identity, id: i64, reason: &str) -> Result<(), Error> {
    db.write(|transaction| async move {
        let mut delete = Entity::delete_many().filter(COLUMN.id.eq(id));
        // A personal access token has no moderator rights.
        let moderates = caller.role >= Role::Moderator && caller.session_id().is_some();
        if moderates {
            delete = delete.filter(visible_to(Some(Expr::value(caller.id))));
        } else {
            delete = delete.filter(COLUMN.owner_id.eq(caller.id));
        }
        let deleted = delete.exec_with_returning(&transaction).await?;
        let Some(post) = deleted.into_iter().next() else {
            owned(&transaction, caller.id, id).await?;
            return Ok(());
        };
        if post.owner_id != caller.id {
            require_role(&transaction, Some(caller.id), Role::Moderator).await?;
            let entry = Entry {
                actor: &caller.into(),
                action: Action::DeletePost,
                subject_id: id,
                owner_id: Some(post.owner_id),
                subject: &post.title,
                reason,
            };
            record(&transaction, entry).await?;
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
