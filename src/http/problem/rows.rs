//! Problems of requests with several rows.

use super::{MAX_ERRORS, Problem};
use crate::error::FieldError;

impl Problem {
    /// The problem of a request with several rows, in which `rows` failed: that of the first one, with the
    /// errors of all. The rows are items of `posts`.
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
        let errors = rows.into_iter().flat_map(|(index, row)| {
            let prefix = format!("posts[{index}]");
            let code = row.definition.map_or("", |definition| definition.slug);
            let mut errors = row.errors;
            if errors.is_empty() {
                errors.push(FieldError::new("", code.replace('-', "_"), row.detail));
            }
            errors.into_iter().map(move |error| FieldError {
                field: match &*error.field {
                    "" => prefix.clone(),
                    field => format!("{prefix}.{field}"),
                },
                ..error
            })
        });
        problem.errors = errors.take(MAX_ERRORS).collect();
        Some(problem)
    }
}
