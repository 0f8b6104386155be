//! The sources of a list of posts. A source decides which index the database scans.

use entity::{
    post_tags,
    posts::{COLUMN, Column, Entity},
    values::{Tag, UserId},
    votes,
};
use sea_orm::{
    ColumnTrait, IntoSimpleExpr, QueryFilter, Select,
    sea_query::{Expr, ExprTrait, Query, SelectStatement},
};

/// A set of posts with an index of its own.
pub(super) enum FeedSource {
    /// The posts of a user.
    Owner(UserId),
    /// The drafts of a user.
    Drafts(UserId),
    /// The posts that a user voted for.
    VotedBy(UserId),
    /// The posts with a tag.
    Tag(Tag),
}

impl FeedSource {
    /// The post's id in the table that [`join`](Self::join) adds, if it adds one. A list that is
    /// ordered by this column scans the index of that table.
    pub(super) fn id(&self) -> Option<Expr> {
        match self {
            Self::Owner(_) | Self::Drafts(_) => None,
            Self::VotedBy(_) => Some(votes::Column::PostId.into_simple_expr()),
            Self::Tag(_) => Some(post_tags::Column::PostId.into_simple_expr()),
        }
    }

    /// Joins the table of the source, if it has one.
    pub(super) fn join(&self, select: Select<Entity>) -> Select<Entity> {
        match self {
            Self::Owner(_) | Self::Drafts(_) => select,
            Self::VotedBy(user_id) => select
                .inner_join(votes::Entity)
                .filter(votes::Column::UserId.eq(*user_id)),
            Self::Tag(tag) => select
                .inner_join(post_tags::Entity)
                .filter(post_tags::Column::Tag.eq(tag.as_str())),
        }
    }

    /// The conditions of a source without a table, on the columns of `posts`.
    pub(super) fn conditions(&self) -> Vec<Expr> {
        match self {
            Self::Owner(user_id) => vec![Column::OwnerId.eq(*user_id)],
            // A viewer sees only their own drafts. The query planner cannot infer this.
            Self::Drafts(user_id) => {
                vec![COLUMN.published.eq(false), Column::OwnerId.eq(*user_id)]
            }
            Self::VotedBy(_) | Self::Tag(_) => Vec::new(),
        }
    }

    /// The table of the source as a condition on `posts.id`, instead of a join.
    pub(super) fn subquery(&self) -> Option<Expr> {
        let ids: SelectStatement = match self {
            Self::Owner(_) | Self::Drafts(_) => return None,
            Self::VotedBy(user_id) => Query::select()
                .column(votes::Column::PostId)
                .from(votes::Entity)
                .and_where(votes::Column::UserId.eq(*user_id))
                .take(),
            Self::Tag(tag) => Query::select()
                .column(post_tags::Column::PostId)
                .from(post_tags::Entity)
                .and_where(post_tags::Column::Tag.eq(tag.as_str()))
                .take(),
        };
        Some(Expr::col((Entity, Column::Id)).in_subquery(ids))
    }
}
