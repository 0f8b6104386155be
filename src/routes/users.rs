//! `/users`

use actix_web::{
    HttpRequest, HttpResponse,
    http::header::LOCATION,
    web::{Bytes, Data},
};
use deserr::{Deserr, IntoValue, Value, ValuePointerRef};
use entity::{
    users::{Model, Role},
    values::{ChosenPassword, ChosenUsername, Email, Scope, UserId, Username},
};
use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;

use crate::{
    config::QuotaSettings,
    http::{
        Body, Id, Problem, Reads, Route, State,
        idempotency::{self, Fingerprint, Keyed},
        input::{BodyErrors, ObjectReader},
        limits::AddressLimit,
        problem::types::{EMAIL_TAKEN, NOT_FOUND, USERNAME_TAKEN},
        route::route,
    },
    services::{
        auth::{Identity, sign_up},
        quotas::Usage as Stored,
        users,
    },
};

pub(super) fn routes() -> Vec<Route> {
    vec![
        route!(create)
            .limited_by(AddressLimit::SignUp)
            .honours_prefer()
            .idempotent_by(fingerprint)
            .fails_with(&[EMAIL_TAKEN, USERNAME_TAKEN]),
        route!(user)
            .accepts([Scope::PostsRead, Scope::Account])
            .fails_with(&[NOT_FOUND]),
    ]
}

/// A new user.
#[derive(ToSchema)]
struct UserCreate {
    /// Trimmed and converted to lower case. Must be unique. Visible only to the user.
    email: Email,
    /// 8 to 128 characters. Common passwords, the e-mail address and the username are rejected (422,
    /// `common`).
    password: ChosenPassword,
    /// Converted to lower case. Must be unique. Generated if omitted. Some words, such as `admin`, are
    /// rejected (422, `reserved`).
    username: Option<ChosenUsername>,
}

/// Not derived, because deserr can compare members only if all of them are valid. This way, an error
/// of one member does not hide that the password equals a name.
impl Deserr<BodyErrors> for UserCreate {
    fn deserialize_from_value<V: IntoValue>(
        value: Value<V>,
        location: ValuePointerRef<'_>,
    ) -> Result<Self, BodyErrors> {
        let mut object = ObjectReader::new(value, location)?;
        let email: Option<Email> = object.required("email");
        let password: Option<ChosenPassword> = object.required("password");
        let username: Option<ChosenUsername> = object.optional("username").flatten();
        let names = password.as_ref().map(|password| {
            password.check_names(email.as_ref(), username.as_ref().map(AsRef::as_ref))
        });
        if let Some(Err(invalid)) = names {
            object.reject("password", invalid);
        }
        let new = email.zip(password).map(|(email, password)| Self {
            email,
            password,
            username,
        });
        object.finish(new)
    }
}

/// A user.
#[derive(Serialize, ToSchema)]
pub(super) struct User {
    #[schema(example = 1)]
    id: i64,
    #[schema(example = "ada")]
    username: String,
    /// Visible only to the user.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "ada@example.com")]
    email: Option<String>,
    /// `user`, `moderator` or `admin`. Visible only to the user.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "user")]
    role: Option<String>,
    #[serde(with = "time::serde::rfc3339")]
    #[schema(format = DateTime, example = "2026-11-21T06:00:42.915716Z")]
    created_at: OffsetDateTime,
    /// The time of the suspension, if the user is suspended. Visible only to admins.
    #[serde(
        with = "time::serde::rfc3339::option",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(nullable = false, format = DateTime, example = "2026-11-21T06:00:42.915716Z")]
    suspended_at: Option<OffsetDateTime>,
    /// Only in `GET /users/me`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    usage: Option<Usage>,
    /// Only in `GET /users/me`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    quota: Option<Quota>,
}

/// The usage of a user.
#[derive(Serialize, ToSchema)]
struct Usage {
    /// The number of posts, drafts included.
    #[schema(example = 12)]
    posts: u64,
    /// The size of all titles, contents and metadata, and of the responses that are stored for
    /// `Idempotency-Key`, together, in bytes of UTF-8. A stored response counts 512 bytes more than its
    /// body.
    #[schema(example = 34_567)]
    bytes: u64,
}

/// The quotas of a user.
#[derive(Serialize, ToSchema)]
struct Quota {
    /// The maximum number of posts. Null for no limit.
    #[schema(example = 100_000)]
    posts: Option<u64>,
    /// The maximum size of all titles, contents and metadata together, in bytes of UTF-8. Null for no limit.
    #[schema(example = 1_073_741_824)]
    bytes: Option<u64>,
}

impl User {
    fn public(user: Model) -> Self {
        Self {
            email: None,
            role: None,
            ..Self::own(user)
        }
    }

    pub(super) fn own(user: Model) -> Self {
        Self {
            id: user.id.get(),
            username: user.username.into(),
            email: Some(user.email.into()),
            role: Some(user.role.to_string()),
            created_at: user.created_at,
            suspended_at: None,
            usage: None,
            quota: None,
        }
    }

    pub(super) fn with_usage(user: Model, usage: Stored, quotas: &QuotaSettings) -> Self {
        Self {
            usage: Some(Usage {
                posts: usage.posts,
                bytes: usage.bytes,
            }),
            quota: Some(Quota {
                posts: quotas.posts,
                bytes: quotas.bytes,
            }),
            ..Self::own(user)
        }
    }
}

/// Sign up
///
/// The password has 8 to 128 characters. It must not be one of the most common passwords, the username,
/// the e-mail address, or the part of it before the `@` (422, `common`).
///
/// Sign-ups have no caller, so all of them share their `Idempotency-Key`s: use random ones.
#[utoipa::path(
    post, path = "/users", tag = "users", operation_id = "signUp",
    request_body = UserCreate,
    responses(
        (status = 201, description = "The new user", body = User, headers(("Location" = String, description = "The path of the user"), ("Cache-Control" = String, description = "`no-store`"))),
    ),
)]
async fn create(
    Body(new): Body<UserCreate>,
    Keyed(keyed): Keyed,
    state: Data<State>,
) -> Result<HttpResponse, Problem> {
    let new = sign_up::NewUser {
        email: new.email,
        username: new.username.map(Into::into),
        password: new.password,
    };
    let State { db, passwords, .. } = state.get_ref();
    let keyed = keyed.map(|keyed| {
        keyed.answered_by(|user: &Model| idempotency::stored(Ok(created(user.clone()))))
    });
    let user = sign_up::sign_up(db, passwords, new, keyed.as_ref()).await?;
    Ok(created(user))
}

fn created(user: Model) -> HttpResponse {
    HttpResponse::Created()
        .insert_header((LOCATION, format!("/users/{}", user.id)))
        .json(User::own(user))
}

/// All members but the password, of which no quick hash must be stored.
fn fingerprint(request: &HttpRequest, body: &Bytes) -> Result<Fingerprint, Problem> {
    let new: UserCreate = Body::parse(request, body)?;
    let username = new.username.map(Username::from);
    let username = username.as_ref().map_or("", Username::as_str);
    // A space is in neither of them.
    let text = format!("{} {username}", new.email);
    Ok(Fingerprint {
        text: text.into(),
        password: Some(new.password.into_secret()),
    })
}

/// Read a user
#[utoipa::path(
    get, path = "/users/{id}", tag = "users", operation_id = "getUser",
    params(Id<UserId>, Reads),
    responses(
        (status = 200, description = "The user. E-mail address and role are visible only to the user, a suspension only to admins", body = User, headers(("Cache-Control" = String, description = "`no-store`"))),
    ),
)]
async fn user(
    caller: Option<Identity>,
    Id(id): Id<UserId>,
    reads: Reads,
    state: Data<State>,
) -> Result<HttpResponse, Problem> {
    let is_own = |caller: &Identity| caller.id == id && caller.scopes.contains(Scope::Account);
    if caller.as_ref().is_some_and(is_own) {
        let user = users::get(&state.db, id).await?;
        return Ok(HttpResponse::Ok().json(User::own(user)));
    }
    // An admin decides by it.
    let is_admin = caller.is_some_and(|caller| caller.acts_as(Role::Admin));
    let user = if is_admin {
        users::get(&state.db, id).await?
    } else {
        reads.run(async |db| users::get(db, id).await).await?
    };
    let suspended_at = user.suspended_at.filter(|_| is_admin);
    Ok(HttpResponse::Ok().json(User {
        suspended_at,
        ..User::public(user)
    }))
}
