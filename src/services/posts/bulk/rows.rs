//! The changes of many posts as a table in SQL.

use entity::posts::ActiveModel;

use crate::db::ValuesTable;

/// True if `rows` changes neither the title nor the content of `posts`.
pub(super) const SAME_TEXT: &str = "coalesce(rows.title, posts.title) = posts.title
    AND coalesce(rows.content, posts.content) = posts.content";

/// True if `rows` changes nothing else of `posts`.
pub(super) const SAME_REST: &str = "coalesce(rows.published, posts.published) = posts.published
    AND coalesce(rows.tags, posts.tags) = posts.tags
    AND (NOT rows.sets_external_id OR rows.external_id IS NOT DISTINCT FROM posts.external_id)
    AND (NOT rows.sets_metadata OR rows.metadata IS NOT DISTINCT FROM posts.metadata)";

/// Adds the columns that `changes` set to `table`. Null is a column that a row does not set.
pub(super) fn with_changes(table: ValuesTable, changes: &[&ActiveModel]) -> ValuesTable {
    let rows = || changes.iter();
    table
        .nullable_column("title", rows().map(|row| row.title.try_as_ref().cloned()))
        .nullable_column(
            "content",
            rows().map(|row| row.content.try_as_ref().cloned()),
        )
        .nullable_column(
            "published",
            rows().map(|row| row.published.try_as_ref().copied()),
        )
        .nullable_column("tags", rows().map(|row| row.tags.try_as_ref().cloned()))
        .nullable_column(
            "external_id",
            rows().map(|row| row.external_id.try_as_ref().cloned().flatten()),
        )
        .column(
            "sets_external_id",
            rows().map(|row| row.external_id.is_set()),
        )
        .nullable_column(
            "metadata",
            rows().map(|row| row.metadata.try_as_ref().cloned().flatten()),
        )
        .column("sets_metadata", rows().map(|row| row.metadata.is_set()))
}
