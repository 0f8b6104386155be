//! The tags of a post.

use sea_orm::DeriveValueType;
use serde::Deserialize;
use serde_json::json;
use utoipa::openapi::schema::ArrayBuilder;
use validator::ValidateLength;

use super::{Invalid, Tag};

/// At most 10 different tags, in the order of the request. The database stores them in one column,
/// separated by spaces.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Deserialize, DeriveValueType)]
#[sea_orm(column_type = "Text")]
pub struct Tags(String);

impl Tags {
    /// Maximum number of tags of a post.
    const MAX: u64 = 10;

    /// Checks `tags` and removes duplicates. The maximum applies before duplicates are removed.
    pub fn parse(tags: &[String]) -> Result<Self, Invalid> {
        if !tags.validate_length(None, Some(Self::MAX), None) {
            let message = format!("must be at most {} tags", Self::MAX);
            return Err(Invalid::new("length", message));
        }
        let mut distinct: Vec<&str> = Vec::with_capacity(tags.len());
        for tag in tags {
            if Tag::RULE.check(tag).is_err() {
                let message = "each tag must have 1 to 30 characters, of a to z, 0 to 9 and `-`";
                return Err(Invalid::new("format", message));
            }
            if !distinct.contains(&tag.as_str()) {
                distinct.push(tag);
            }
        }
        Ok(Self(distinct.join(" ")))
    }

    /// The tags in order.
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
