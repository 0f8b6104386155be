//! The preconditions of a change: `If-Match` and `If-None-Match` (RFC 9110, section 13.1).

use std::future::{Ready, ready};

use actix_web::{
    FromRequest, HttpRequest,
    dev::Payload,
    http::header::{HeaderName, HeaderValue, IF_MATCH, IF_NONE_MATCH},
};
use entity::values::PostId;
use utoipa::{
    IntoParams,
    openapi::{
        ObjectBuilder,
        path::{Parameter, ParameterBuilder, ParameterIn},
        schema::Type,
    },
};

use super::Problem;
use crate::services::posts::{Precondition, Versions};

/// `*` or a list of entity tags (RFC 9110, section 8.8.3), as far as a JSON Schema can say it.
const TAGS: &str = r#"^(\*|(W/)?"[!#-+.-~-]*"(, (W/)?"[!#-+.-~-]*")*)$"#;

/// The condition of `If-Match` and `If-None-Match`. Tags of other resources than posts match nothing. A weak
/// tag counts: proxies that compress responses weaken tags, and only the version is compared. Rejects a
/// header that is neither with 400: a condition that was dropped would let a change pass.
#[derive(Debug)]
pub struct Preconditions(pub Precondition);

/// The start of the `ETag` of post `id` in `version`. A hash of the representation follows, so a vote
/// changes the tag, but not its start.
#[must_use]
pub fn version_tag(id: PostId, version: i64) -> String {
    format!("{id}-{version}-")
}

fn read(request: &HttpRequest) -> Result<Precondition, Problem> {
    Ok(Precondition {
        if_match: versions(request, &IF_MATCH)?,
        if_none_match: versions(request, &IF_NONE_MATCH)?,
    })
}

/// The versions of header `name`, if the request has it.
fn versions(request: &HttpRequest, name: &HeaderName) -> Result<Option<Versions>, Problem> {
    if !request.headers().contains_key(name) {
        return Ok(None);
    }
    // Several lines are one list (RFC 9110, section 5.3).
    let lines = request.headers().get_all(name).map(HeaderValue::to_str);
    let lines = lines.collect::<Result<Vec<_>, _>>().unwrap_or_default();
    if lines == ["*"] {
        return Ok(Some(Versions::Any));
    }
    let text = lines.join(",");
    let tags = tags(&text).filter(|tags| !tags.is_empty());
    let tags = tags.ok_or_else(|| {
        Problem::malformed(format!(
            "the header `{name}` is neither `*` nor a list of entity tags such as \"42-1-x\""
        ))
    })?;
    let versions = tags.into_iter().filter_map(version_of);
    Ok(Some(Versions::These(versions.collect())))
}

/// The opaque parts of the tags in `list`. `None` if an element is not a tag. Elements may be empty.
fn tags(list: &str) -> Option<Vec<&str>> {
    const SPACE: [char; 2] = [' ', '\t'];
    const BETWEEN: [char; 3] = [' ', '\t', ','];
    let mut tags = Vec::new();
    let mut rest = list.trim_start_matches(BETWEEN);
    while !rest.is_empty() {
        let quoted = rest.strip_prefix("W/").unwrap_or(rest);
        let (tag, after) = quoted.strip_prefix('"')?.split_once('"')?;
        let after = after.trim_start_matches(SPACE);
        if tag.contains(SPACE) || !(after.is_empty() || after.starts_with(',')) {
            return None;
        }
        tags.push(tag);
        rest = after.trim_start_matches(BETWEEN);
    }
    Some(tags)
}

fn version_of(tag: &str) -> Option<(PostId, i64)> {
    let (id, rest) = tag.split_once('-')?;
    let (version, _hash) = rest.split_once('-')?;
    let (id, version) = (id.parse().ok()?, version.parse().ok()?);
    // Numbers have one spelling.
    let is_ours = tag.starts_with(&version_tag(id, version));
    is_ours.then_some((id, version))
}

impl FromRequest for Preconditions {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(read(request).map(Self))
    }
}

impl IntoParams for Preconditions {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let schema = ObjectBuilder::new()
            .schema_type(Type::String)
            .min_length(Some(1))
            .pattern(Some(TAGS))
            .build();
        let header = |name: &str, description: &str| {
            ParameterBuilder::new()
                .name(name)
                .parameter_in(ParameterIn::Header)
                .description(Some(description))
                .schema(Some(schema.clone()))
                .build()
        };
        vec![
            header(
                "If-Match",
                "An `ETag` of the post: fails with 412 if the post has been changed since. Votes do not count as changes.",
            ),
            header(
                "If-None-Match",
                "Fails with 412 if the post has the version of this `ETag`, or exists at all for `*`.",
            ),
        ]
    }
}
