//! Roles that only insert posts of one user.

use std::str::FromStr;

use sea_orm_migration::prelude::*;

use super::{Role, refused, rights::column};
use crate::Error;

/// Maximum number of members of the metadata: the service accepts 256 values, the object itself included.
const MAX_MEMBERS: u32 = 255;
/// Maximum number of tags of a post.
const MAX_TAGS: u32 = 10;
/// The code points that show nothing, as in `entity/src/values/blank.rs`, for a bracket expression of
/// PostgreSQL. Its own `\s` depends on the locale.
const BLANK: &str = r"\t-\r \u0085\u00a0\u00ad\u034f\u061c\u115f\u1160\u1680\u17b4\u17b5\u180b-\u180f\u2000-\u200f\u2028-\u202f\u205f-\u206f\u3000\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufff8\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff";

/// A role that only inserts posts, for one user: `ROLE=USERNAME`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InsertRole {
    pub(super) role: Role,
    username: String,
}

impl FromStr for InsertRole {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (role, username) = text.split_once('=').ok_or("must be ROLE=USERNAME")?;
        Ok(Self {
            role: role.parse()?,
            username: username.to_ascii_lowercase(),
        })
    }
}

/// The name of the function of `role`.
pub(super) fn insert_name(role: &str) -> String {
    format!("{role}_insert_post")
}

/// The SQL of a function that inserts a post of the user, the only right of the role.
///
/// It runs as the owner. So that no object of the role takes the place of another, its `search_path` is
/// fixed and functions and operators have their schema. The user is found by id and time of creation,
/// because ids start again after `migrate reset`. The constraints of the tables check the rest.
pub(super) async fn insert_function(
    connection: &impl ConnectionTrait,
    InsertRole { role, username }: &InsertRole,
    schema: &str,
) -> Result<String, Error> {
    let user = "SELECT format('users.id = %s AND users.created_at = %L', id, created_at AT TIME ZONE 'UTC') || '::timestamp AT TIME ZONE ''UTC'''
        FROM users WHERE username = $1";
    let user = column(connection, user, Some(username)).await?.concat();
    if user.is_empty() {
        return Err(refused(format!("no user has the name `{username}`")));
    }
    let name = insert_name(role.as_str());
    let present = "SELECT prosrc FROM pg_proc WHERE proname = $1
        AND pronamespace = (SELECT relnamespace FROM pg_class WHERE oid = to_regclass('posts'))";
    let present = column(connection, present, Some(&name)).await?;
    if present.iter().any(|source| !source.contains(&user)) {
        return Err(refused(format!(
            "the function `{name}` inserts posts of another user; drop it first"
        )));
    }
    let function = format!("{schema}.{name}(text, text, text[], text, jsonb, boolean)");
    Ok(format!(
        "CREATE OR REPLACE FUNCTION {schema}.{name}(
    title text, content text, tags text[] DEFAULT '{{}}', external_id text DEFAULT NULL,
    metadata jsonb DEFAULT NULL, published boolean DEFAULT true
) RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, {schema}, pg_temp AS $$
DECLARE
    new_id bigint;
BEGIN
    IF title OPERATOR(pg_catalog.!~) '[^{BLANK}]' OR content OPERATOR(pg_catalog.!~) '[^{BLANK}]'
        OR external_id OPERATOR(pg_catalog.!~) '[^{BLANK}]' THEN
        RAISE check_violation USING MESSAGE = 'title, content and external_id must not be blank';
    END IF;
    IF pg_catalog.cardinality(tags) OPERATOR(pg_catalog.>) {MAX_TAGS}
        OR EXISTS (SELECT FROM pg_catalog.unnest(tags) AS tag
            WHERE tag IS NULL OR tag OPERATOR(pg_catalog.!~) '^[a-z0-9-]{{1,30}}$') THEN
        RAISE check_violation USING MESSAGE = 'tags must be at most {MAX_TAGS}, each 1 to 30 of [a-z0-9-]';
    END IF;
    IF pg_catalog.jsonb_typeof(metadata) OPERATOR(pg_catalog.<>) 'object' THEN
        RAISE check_violation USING MESSAGE = 'metadata must be an object';
    END IF;
    IF (SELECT pg_catalog.count(*) FROM pg_catalog.jsonb_object_keys(metadata)) OPERATOR(pg_catalog.>) {MAX_MEMBERS}
        OR EXISTS (SELECT FROM pg_catalog.jsonb_each(metadata) AS member
            WHERE pg_catalog.jsonb_typeof(member.value) IN ('object', 'array')) THEN
        RAISE check_violation USING MESSAGE =
            'metadata must have at most {MAX_MEMBERS} members, and no object or array inside';
    END IF;
    -- Fails if a number is outside the range of a double.
    PERFORM member.value::double precision FROM pg_catalog.jsonb_each(metadata) AS member
        WHERE pg_catalog.jsonb_typeof(member.value) OPERATOR(pg_catalog.=) 'number';
    INSERT INTO {schema}.posts (owner_id, title, content, published, tags, external_id, metadata, created_at, updated_at)
        SELECT users.id, $1, $2, $6,
            coalesce((SELECT pg_catalog.string_agg(tag, ' ' ORDER BY place) FROM
                (SELECT tag, pg_catalog.min(place) AS place
                    FROM pg_catalog.unnest($3) WITH ORDINALITY AS tags (tag, place)
                    GROUP BY tag) AS tags), ''),
            $4, $5::text, pg_catalog.now(), pg_catalog.now()
        FROM {schema}.users WHERE {user} AND users.suspended_at IS NULL
        RETURNING posts.id INTO new_id;
    IF new_id IS NULL THEN
        RAISE insufficient_privilege USING MESSAGE = 'the user of this role is suspended or deleted';
    END IF;
    RETURN new_id;
END $$;
REVOKE ALL ON FUNCTION {function} FROM PUBLIC;
GRANT EXECUTE ON FUNCTION {function} TO {role};
"
    ))
}
