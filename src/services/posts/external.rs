//! The external id of a post: a key of its owner.

use entity::{
    posts::{ActiveModel, Column, Entity},
    values::{ExternalId, PostId, UserId},
};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QuerySelect,
    QueryTrait,
};

use crate::{db::Constraint, error::Error, services::now};

/// The owner was deleted after the token was checked.
pub(in crate::services) const OWNER: Constraint = Constraint::foreign_key("posts_owner_id_fkey");
/// Another post of the owner has the external id.
pub(in crate::services) const EXTERNAL_ID: Constraint = Constraint::unique(
    "posts_owner_id_external_id_idx",
    "posts.owner_id, posts.external_id",
);

/// The columns that the service sets in a new post.
pub(super) fn created_now() -> ActiveModel {
    let now = now();
    ActiveModel {
        created_at: Set(now),
        updated_at: Set(now),
        ..Default::default()
    }
}

/// The external id that `post` sets.
pub(in crate::services) fn external_id_of(post: &ActiveModel) -> Option<&ExternalId> {
    post.external_id.try_as_ref()?.as_ref()
}

/// The post of `owner` with `external_id`.
pub(super) async fn id_of(
    connection: &impl ConnectionTrait,
    owner: UserId,
    external_id: &ExternalId,
) -> Result<Option<PostId>, Error> {
    let post = Entity::find()
        .select_only()
        .column(Column::Id)
        .filter(Column::OwnerId.eq(owner))
        .filter(Column::ExternalId.eq(external_id.clone()));
    let statement = post.build(connection.get_database_backend());
    let row = connection.query_one_raw(statement).await?;
    Ok(row.map(|row| row.try_get("", "id")).transpose()?)
}
