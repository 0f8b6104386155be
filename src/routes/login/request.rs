//! The access token request of OAuth 2.0.

use deserr::{Deserr, IntoValue, Value, ValuePointerRef};
use entity::values::{IgnoredText, Password, RefreshToken, RequestedScopes, Scopes, SignInName};
use utoipa::ToSchema;

use crate::http::input::{BodyErrors, ObjectReader};

/// An OAuth 2.0 access token request: a sign-in (`username` or `email`, and `password`), or the
/// exchange of a `refresh_token`. A member with an empty text counts as missing. Members of the other
/// grant are checked and not used.
#[derive(ToSchema)]
#[expect(dead_code, reason = "declares what `AccessTokenRequest` reads")]
pub(super) struct TokenRequest {
    // The description is that of the type: next to an inline schema it would be a second one.
    #[schema(inline, nullable = false)]
    grant_type: Option<GrantType>,
    /// The e-mail address or the username. Required with the grant type `password`, unless the request
    /// has `email`.
    #[schema(nullable = false)]
    username: Option<SignInName>,
    /// Accepted in place of `username`, which counts if the request has both.
    #[schema(nullable = false)]
    email: Option<SignInName>,
    /// Required with the grant type `password`.
    #[schema(nullable = false)]
    password: Option<Password>,
    /// Required with the grant type `refresh_token`. Valid for one use. The response has the next one.
    #[schema(nullable = false)]
    refresh_token: Option<RefreshToken>,
    /// A sign-in starts a session with these scopes, by default every scope. A refresh returns an access
    /// token with these scopes, which must be scopes of the session, by default all of them.
    #[schema(nullable = false)]
    scope: Option<RequestedScopes>,
    /// Ignored: the service has no registered clients.
    #[schema(nullable = false)]
    client_id: Option<IgnoredText>,
    /// Ignored.
    #[schema(nullable = false)]
    client_secret: Option<IgnoredText>,
}

/// With it the client speaks OAuth 2.0, and gets errors as RFC 6749 defines them (400, `OAuthError`).
/// Without it, the request is a sign-in and gets problem details.
#[derive(Default, Deserr, ToSchema)]
#[deserr(error = BodyErrors, rename_all = lowercase)]
#[schema(rename_all = "snake_case")]
enum GrantType {
    #[default]
    Password,
    #[deserr(rename = "refresh_token")]
    RefreshToken,
}

/// A valid access token request.
pub(super) struct AccessTokenRequest {
    pub(super) grant: Grant,
    /// The requested scopes.
    pub(super) scopes: Option<Scopes>,
}

pub(super) enum Grant {
    /// The password grant (RFC 6749, section 4.3): a sign-in.
    Password {
        username: SignInName,
        password: Password,
    },
    /// The refresh token grant (RFC 6749, section 6).
    RefreshToken(RefreshToken),
}

/// Not derived, because the required members depend on the grant type.
impl Deserr<BodyErrors> for AccessTokenRequest {
    fn deserialize_from_value<V: IntoValue>(
        value: Value<V>,
        location: ValuePointerRef<'_>,
    ) -> Result<Self, BodyErrors> {
        let mut object = ObjectReader::new(value, location)?;
        let grant_type = object.optional("grant_type");
        let is_supported = object.is_valid();
        let scopes = object.optional("scope").map(RequestedScopes::scopes);
        for name in ["client_id", "client_secret"] {
            object.optional::<IgnoredText>(name);
        }
        let grant = match grant_type.unwrap_or_default() {
            // The members that another grant type requires are not known.
            _ if !is_supported => None,
            GrantType::Password => {
                object.optional::<RefreshToken>("refresh_token");
                let username = object.any_of(["username", "email"]);
                let password = object.required("password");
                username
                    .zip(password)
                    .map(|(username, password)| Grant::Password { username, password })
            }
            GrantType::RefreshToken => {
                object.optional::<SignInName>("username");
                object.optional::<SignInName>("email");
                object.optional::<Password>("password");
                let token = object.required("refresh_token");
                token.map(Grant::RefreshToken)
            }
        };
        object.finish(grant.map(|grant| Self { grant, scopes }))
    }
}
