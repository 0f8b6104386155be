//! Problems of requests with several rows.

use super::{MAX_ROW_ERRORS, Problem};
use crate::error::FieldError;

impl Problem {
    /// The problem of a request with several rows, in which `rows` failed: that of the first one, with the
    /// errors of all, or the first error of each if there are more than [`MAX_ROW_ERRORS`]. The rows are items of
    /// `posts`.
    #[must_use]
    pub fn of_rows(rows: Vec<(usize, Self)>) -> Option<Self> {
        let (index, first) = rows.first()?;
        let count = rows.len();
        let s = if count == 1 { "" } else { "s" };
        let detail = format!(
            "{count} row{s} failed, and nothing was changed; posts[{index}]: {}",
            first.detail
        );
        let mut problem = Self {
            detail: detail.into(),
            ..first.clone()
        };
        let all: usize = rows.iter().map(|(_, row)| row.errors.len().max(1)).sum();
        let of_each = if all > MAX_ROW_ERRORS { 1 } else { all };
        let errors = rows.into_iter().flat_map(|(index, row)| {
            let prefix = format!("posts[{index}]");
            let code = row.definition.map_or("", |definition| definition.slug);
            let mut errors = row.errors;
            if errors.is_empty() {
                errors.push(FieldError::new("", code.replace('-', "_"), row.detail));
            }
            errors
                .into_iter()
                .take(of_each)
                .map(move |error| FieldError {
                    field: match &*error.field {
                        "" => prefix.clone(),
                        field => format!("{prefix}.{field}"),
                    },
                    ..error
                })
        });
        problem.errors = errors.take(MAX_ROW_ERRORS).collect();
        Some(problem)
    }
}
