//! The preconditions of a change: `If-Match` and `If-None-Match` (RFC 9110, section 13.1).

use std::future::{Ready, ready};

use actix_web::{
    FromRequest, HttpRequest,
    dev::Payload,
    http::header::{EntityTag, Header, HeaderName, IF_MATCH, IF_NONE_MATCH, IfMatch, IfNoneMatch},
};
use entity::values::PostId;
use utoipa::{
    IntoParams, PartialSchema,
    openapi::path::{Parameter, ParameterBuilder, ParameterIn},
};

use super::Problem;
use crate::services::posts::{Precondition, Versions};

/// The entity tags of `If-Match` and `If-None-Match`. Rejects a header without a valid tag with 400.
#[derive(Debug)]
pub struct Preconditions {
    if_match: Option<Tags>,
    if_none_match: Option<Tags>,
}

#[derive(Debug)]
enum Tags {
    Any,
    These(Vec<EntityTag>),
}

/// The start of the `ETag` of post `id` in `version`. A hash of the representation follows, so a vote
/// changes the tag, but not its start.
#[must_use]
pub fn version_tag(id: PostId, version: i64) -> String {
    format!("{id}-{version}-")
}

impl Preconditions {
    /// The condition for a change of post `id`. Tags of other resources match no version of it. A weak
    /// tag counts: proxies that compress responses weaken tags, and only the version is compared.
    #[must_use]
    pub fn for_post(self, id: PostId) -> Precondition {
        let versions = |tags| match tags {
            Tags::Any => Versions::Any,
            Tags::These(tags) => {
                let version = |tag: &EntityTag| version_of(tag.tag(), id);
                Versions::These(tags.iter().filter_map(version).collect())
            }
        };
        Precondition {
            if_match: self.if_match.map(versions),
            if_none_match: self.if_none_match.map(versions),
        }
    }

    fn read(request: &HttpRequest) -> Result<Self, Problem> {
        let if_match = tags(request, &IF_MATCH, |request| {
            Ok(match IfMatch::parse(request)? {
                IfMatch::Any => Tags::Any,
                IfMatch::Items(tags) => Tags::These(tags),
            })
        });
        let if_none_match = tags(request, &IF_NONE_MATCH, |request| {
            Ok(match IfNoneMatch::parse(request)? {
                IfNoneMatch::Any => Tags::Any,
                IfNoneMatch::Items(tags) => Tags::These(tags),
            })
        });
        Ok(Self {
            if_match: if_match?,
            if_none_match: if_none_match?,
        })
    }
}

fn version_of(tag: &str, id: PostId) -> Option<i64> {
    let (of_id, rest) = tag.split_once('-')?;
    let (version, _hash) = rest.split_once('-')?;
    version.parse().ok().filter(|_| of_id.parse() == Ok(id))
}

fn tags(
    request: &HttpRequest,
    name: &HeaderName,
    parse: fn(&HttpRequest) -> Result<Tags, actix_web::error::ParseError>,
) -> Result<Option<Tags>, Problem> {
    if !request.headers().contains_key(name) {
        return Ok(None);
    }
    match parse(request) {
        // The parser leaves out what is no tag.
        Ok(Tags::These(tags)) if tags.is_empty() => Err(()),
        Ok(tags) => Ok(Some(tags)),
        Err(_) => Err(()),
    }
    .map_err(|()| {
        Problem::malformed(format!(
            "the header `{name}` is neither `*` nor a list of entity tags such as \"42-1-x\""
        ))
    })
}

impl FromRequest for Preconditions {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Self::read(request))
    }
}

impl IntoParams for Preconditions {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let header = |name: &str, description: &str| {
            ParameterBuilder::new()
                .name(name)
                .parameter_in(ParameterIn::Header)
                .description(Some(description))
                .schema(Some(String::schema()))
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
