//! The start of a page of tags.

use std::fmt;

use utoipa::openapi::{
    ObjectBuilder,
    schema::{Schema, Type},
};

use super::{Invalid, Tag};

/// The last tag of a page, with its number of posts. The text form is the number, a dot and the tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TagCursor {
    posts: i64,
    tag: Tag,
}

impl TagCursor {
    /// Maximum length of the text form.
    const MAX_LENGTH: usize = 49;

    /// The position after `tag`, which has `posts` posts.
    #[must_use]
    pub fn new(posts: i64, tag: &Tag) -> Self {
        let tag = tag.clone();
        Self { posts, tag }
    }

    /// Reads the text form: up to 18 digits, a dot and a tag.
    pub fn parse(text: impl AsRef<str>) -> Result<Self, Invalid> {
        let invalid = || {
            Invalid::new(
                "format",
                "must be a cursor from the `Link` header of an earlier response",
            )
        };
        let (posts, tag) = text.as_ref().split_once('.').ok_or_else(invalid)?;
        let is_number =
            (1..=18).contains(&posts.len()) && posts.bytes().all(|byte| byte.is_ascii_digit());
        let posts = posts.parse().ok().filter(|_| is_number);
        Ok(Self {
            posts: posts.ok_or_else(invalid)?,
            tag: Tag::parse(tag).map_err(|_| invalid())?,
        })
    }

    /// The number of posts.
    #[must_use]
    pub fn posts(&self) -> i64 {
        self.posts
    }

    /// The tag.
    #[must_use]
    pub fn tag(&self) -> &str {
        self.tag.as_str()
    }

    fn text_schema() -> ObjectBuilder {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .max_length(Some(Self::MAX_LENGTH))
            .pattern(Some(r"^[0-9]{1,18}\.[a-z0-9-]{1,30}$"))
            .examples([serde_json::json!("12.engines")])
    }
}

impl fmt::Display for TagCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.posts, self.tag)
    }
}

input_value!(TagCursor, read_text, Schema::from(Self::text_schema()));
