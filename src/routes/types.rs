//! Request types of several resources.

use deserr::{Deserr, IntoValue, Value, ValuePointerRef};
use entity::values::{InputError, Invalid, Limit, Reason, Skip, read_text};
use utoipa::{
    IntoParams, PartialSchema, ToSchema,
    openapi::{ObjectBuilder, RefOr, Schema, schema::Type},
};

use crate::{
    http::{input::QueryErrors, link::invalid_cursor},
    services::paging::Cursor,
};

/// The reason for a moderation action.
#[derive(Deserr, IntoParams, ToSchema)]
#[into_params(parameter_in = Query)]
pub(super) struct ModerationReason {
    /// The reason, for the audit log. Recorded only for actions on another user or another user's
    /// post.
    #[deserr(default, needs_predicate)]
    #[param(inline, required = false)]
    #[schema(required = false)]
    pub reason: Reason,
}

/// The page of a list.
#[derive(Deserr, IntoParams)]
#[deserr(error = QueryErrors)]
#[into_params(parameter_in = Query)]
pub(super) struct PageParameters {
    /// Maximum number of items in a page.
    #[deserr(default)]
    #[param(inline, required = false)]
    pub limit: Limit,
    /// Number of items to skip.
    #[deserr(default)]
    #[param(inline, required = false)]
    pub skip: Skip,
}

/// The page of a list with cursors.
#[derive(Deserr, IntoParams)]
#[deserr(error = QueryErrors)]
#[into_params(parameter_in = Query)]
pub(super) struct CursorParameters {
    /// Maximum number of items in a page.
    #[deserr(default)]
    #[param(inline, required = false)]
    pub limit: Limit,
    /// The start of a page, from the `Link` header of an earlier response.
    #[deserr(default, try_from(&String) = parse_cursor -> Invalid)]
    #[param(
        value_type = Option<String>,
        max_length = 39,
        pattern = r"^[ab]-?[0-9]{1,18}\.[0-9]{1,18}$",
        nullable = false
    )]
    pub cursor: Option<Cursor>,
}

fn parse_cursor(text: &str) -> Result<Option<Cursor>, Invalid> {
    Cursor::parse(text).map(Some).ok_or_else(invalid_cursor)
}

/// A text that the service accepts and does not keep.
pub(super) struct IgnoredText;

impl IgnoredText {
    /// Maximum length in characters.
    const MAX: usize = 1000;
}

impl PartialSchema for IgnoredText {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .max_length(Some(Self::MAX))
            .into()
    }
}

impl ToSchema for IgnoredText {}

impl<E: InputError> Deserr<E> for IgnoredText {
    fn deserialize_from_value<V: IntoValue>(
        value: Value<V>,
        location: ValuePointerRef<'_>,
    ) -> Result<Self, E> {
        read_text(value, location, |text| {
            if text.chars().count() <= Self::MAX {
                return Ok(Self);
            }
            let message = format!("must be at most {} characters", Self::MAX);
            Err(Invalid::new("length", message))
        })
    }
}
