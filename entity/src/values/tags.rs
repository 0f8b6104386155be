//! The tags of a post.

use sea_orm::DeriveValueType;
use serde_json::json;
use utoipa::openapi::schema::ArrayBuilder;
use validator::ValidateLength;

use super::{Invalid, Tag};

/// At most 10 different tags, in the order in which they were given. The database has them in one
/// column, with a space between them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, DeriveValueType)]
#[sea_orm(column_type = "Text")]
pub struct Tags(String);

impl Tags {
    /// The most tags of one post.
    const MAX: u64 = 10;

    /// Checks `tags`. A tag that is given twice counts once.
    pub fn parse(tags: &[String]) -> Result<Self, Invalid> {
        if !tags.validate_length(None, Some(Self::MAX), None) {
            let message = format!("must be at most {} tags", Self::MAX);
            return Err(Invalid::new("length", message));
        }
        let mut different: Vec<&str> = Vec::with_capacity(tags.len());
        for tag in tags {
            if Tag::RULE.check(tag).is_err() {
                let message = "must be tags of 1 to 30 characters, of a to z, 0 to 9 and `-`";
                return Err(Invalid::new("format", message));
            }
            if !different.contains(&tag.as_str()) {
                different.push(tag);
            }
        }
        Ok(Self(different.join(" ")))
    }

    /// The tags, one by one.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.split_whitespace()
    }
}

input_value!(
    Tags,
    read_sequence,
    ArrayBuilder::new()
        .items(Tag::schema())
        .max_items(usize::try_from(Self::MAX).ok())
        .examples([json!(["engines"])])
);
