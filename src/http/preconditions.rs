//! The preconditions of a change: `If-Match` and `If-None-Match` (RFC 9110, section 13.1).

use std::future::{Ready, ready};

use actix_web::{
    FromRequest, HttpRequest,
    dev::Payload,
    http::header::{EntityTag, HeaderName, IF_MATCH, IF_NONE_MATCH, from_comma_delimited},
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
/// header without a valid tag with 400.
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
    let headers = request.headers();
    let Some(first) = headers.get(name) else {
        return Ok(None);
    };
    if first.to_str().is_ok_and(|text| text.trim() == "*") {
        return Ok(Some(Versions::Any));
    }
    // The parser leaves out what is no tag.
    let tags = from_comma_delimited::<_, EntityTag>(headers.get_all(name)).unwrap_or_default();
    if tags.is_empty() {
        return Err(Problem::malformed(format!(
            "the header `{name}` is neither `*` nor a list of entity tags such as \"42-1-x\""
        )));
    }
    let versions = tags.iter().filter_map(|tag| version_of(tag.tag()));
    Ok(Some(Versions::These(versions.collect())))
}

fn version_of(tag: &str) -> Option<(PostId, i64)> {
    let (id, rest) = tag.split_once('-')?;
    let (version, _hash) = rest.split_once('-')?;
    Some((id.parse().ok()?, version.parse().ok()?))
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
