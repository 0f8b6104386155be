//! The quotas of users. Triggers count the usage and enforce the quotas.

use entity::{
    quotas::{ActiveModel, Column, Entity, Resource},
    usage,
    values::UserId,
};
use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter, sea_query::OnConflict};

use crate::{
    config::Quotas,
    db::{Constraint, Db},
    error::Error,
};

/// What a user stores.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// The number of posts, drafts included.
    pub posts: i64,
    /// The bytes of all titles and contents, in UTF-8.
    pub bytes: i64,
}

/// The errors of a new or longer post that exceeds a quota. [`explained`] adds the limit.
pub(super) fn exceeded() -> [(Constraint, Error); 2] {
    let of = |name, resource| {
        let error = Error::QuotaExceeded {
            resource,
            maximum: 0,
        };
        (Constraint::trigger(name), error)
    };
    [
        of("quotas_posts", Resource::Posts),
        of("quotas_bytes", Resource::Bytes),
    ]
}

/// Adds the limit to an error of [`exceeded`].
pub(super) async fn explained(db: &Db, error: Error) -> Error {
    let Error::QuotaExceeded { resource, .. } = error else {
        return error;
    };
    match read(db).await {
        Ok(quotas) => {
            let maximum = match resource {
                Resource::Posts => quotas.posts,
                Resource::Bytes => quotas.bytes,
            };
            Error::QuotaExceeded {
                resource,
                maximum: maximum.unwrap_or_default(),
            }
        }
        Err(error) => error,
    }
}

/// Stores `quotas`, unless they are stored.
///
/// # Errors
/// [`Error::Unavailable`].
pub async fn store(db: &Db, quotas: Quotas) -> Result<(), Error> {
    if read(db).await? == quotas {
        return Ok(());
    }
    let wanted = [
        (Resource::Posts, quotas.posts),
        (Resource::Bytes, quotas.bytes),
    ];
    db.write(|transaction| async move {
        for (resource, maximum) in wanted {
            let Some(maximum) = maximum else {
                Entity::delete_by_id(resource).exec(&transaction).await?;
                continue;
            };
            let row = ActiveModel {
                resource: Set(resource),
                maximum: Set(maximum),
            };
            let update = OnConflict::column(Column::Resource)
                .update_column(Column::Maximum)
                .to_owned();
            let insert = Entity::insert(row).on_conflict(update);
            insert.exec_without_returning(&transaction).await?;
        }
        Ok(())
    })
    .await
}

/// What user `id` stores and may store.
///
/// # Errors
/// [`Error::Unavailable`].
pub async fn of(db: &Db, id: UserId) -> Result<(Usage, Quotas), Error> {
    let parts = usage::Entity::find().filter(usage::Column::UserId.eq(id));
    let mut usage = Usage::default();
    for part in parts.all(db.read()).await? {
        usage.posts += part.posts;
        usage.bytes += part.bytes;
    }
    Ok((usage, read(db).await?))
}

async fn read(db: &Db) -> Result<Quotas, Error> {
    let rows = Entity::find().all(db.read()).await?;
    let maximum = |resource| {
        let row = rows.iter().find(|row| row.resource == resource);
        row.map(|row| row.maximum)
    };
    Ok(Quotas {
        posts: maximum(Resource::Posts),
        bytes: maximum(Resource::Bytes),
    })
}
