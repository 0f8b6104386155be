//! Generates the OpenAPI document. Adds the security, headers and problems to each operation, as its
//! route declares them.

use entity::values::{Limit, Scope};
use utoipa::{
    OpenApi, PartialSchema, ToSchema,
    openapi::{
        self, Components, ContentBuilder, HeaderBuilder, HttpMethod, Ref, RefOr, Required,
        Response, ResponseBuilder, Schema,
        example::ExampleBuilder,
        header::Header,
        path::{Operation, Parameter, ParameterIn},
        security::{Flow, Http, HttpAuthScheme, OAuth2, Password, Scopes, SecurityScheme},
    },
};

use crate::{
    error::FieldError,
    http::{
        Route,
        authentication::{BEARER, PASSWORD_FLOW},
        database_position, limits,
        problem::{MAX_ROW_ERRORS, ProblemDetails, ProblemType, types::IDEMPOTENCY_KEY_IN_USE},
    },
    keys::MAX_KEYS,
    services::{
        auth::{personal_tokens::MAX_TOKENS, sessions::MAX_SESSIONS},
        webhooks::MAX_WEBHOOKS,
    },
};

/// The OpenAPI document.
#[must_use]
pub fn document() -> openapi::OpenApi {
    let mut document = Document::openapi();
    let components = document.components.get_or_insert_default();
    add_shared(components);
    for route in super::all() {
        components.schemas.extend(route.schemas());
        let operation = operation(&route, components);
        let methods: Vec<HttpMethod> = vec![route.method()];
        document
            .paths
            .add_path_operation(route.path(), methods, operation);
    }
    let components = document.components.get_or_insert_default();
    for (name, property, max) in MAX_ITEMS {
        if let Some(RefOr::T(Schema::Object(schema))) = components.schemas.get_mut(name)
            && let Some(RefOr::T(Schema::Array(array))) = schema.properties.get_mut(property)
        {
            array.max_items = usize::try_from(max).ok();
        }
    }
    inline_forms(&mut document);
    document
}

/// Replaces the references in forms by copies, and removes the schemas that nothing else refers to. For a
/// member of a form that is a reference with a description, openapi-generator writes a Rust type that
/// does not exist.
fn inline_forms(document: &mut openapi::OpenApi) {
    let components = document.components.get_or_insert_default();
    let all = components.schemas.clone();
    let mut copied = Vec::new();
    for form in FORMS {
        let Some(RefOr::T(Schema::Object(form))) = components.schemas.get_mut(form) else {
            continue;
        };
        for member in form.properties.values_mut() {
            let RefOr::Ref(reference) = member else {
                continue;
            };
            let name = reference
                .ref_location
                .rsplit('/')
                .next()
                .unwrap_or_default();
            if let Some(RefOr::T(Schema::Object(schema))) = all.get(name) {
                let mut schema = schema.clone();
                if !reference.description.is_empty() {
                    schema.description = Some(reference.description.clone());
                }
                copied.push(name.to_owned());
                *member = Schema::Object(schema).into();
            }
        }
    }
    let rest = serde_json::to_string(document).unwrap_or_default();
    let components = document.components.get_or_insert_default();
    for name in copied {
        if !rest.contains(&format!("#/components/schemas/{name}\"")) {
            components.schemas.remove(&name);
        }
    }
}

/// The schemas of forms.
const FORMS: [&str; 2] = ["TokenQuery", "TokenRequest"];

/// The maximum number of items of schemas' properties, because Utoipa's macros accept only literals. The
/// posts, votes and audit log entries of an account have no maximum.
const MAX_ITEMS: [(&str, &str, u64); 8] = [
    ("Export", "sessions", MAX_SESSIONS),
    ("Export", "tokens", MAX_TOKENS),
    ("Export", "webhooks", MAX_WEBHOOKS),
    ("Jwks", "keys", MAX_KEYS as u64),
    ("PersonalToken", "scopes", Scope::ALL.len() as u64),
    ("Problem", "errors", MAX_ROW_ERRORS as u64),
    (
        "ServerMetadata",
        "scopes_supported",
        Scope::ALL.len() as u64,
    ),
    ("Session", "scopes", Scope::ALL.len() as u64),
];

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Acclaim",
        description = "Sign up, sign in, publish posts and vote on them. To try it on this page, sign up with `POST /users`, then sign in with the button Authorize.\n\nEvery 4xx and 5xx response has problem details (RFC 9457), except the errors of OAuth 2.0 that `POST /login`, `POST /revoke` and `POST /introspect` describe. `type` is the path of the problem's documentation. Every response has an `X-Request-Id`. It is the request's own, if that has 1 to 64 characters of `A-Z a-z 0-9 . _ -`; otherwise it is a new UUID. Paths work with and without a trailing slash. GET routes also accept HEAD. Responses are `Cache-Control: no-store` unless their operation names another value. Unknown members and parameters are ignored. An unsupported method gets 405 with `Allow`.",
        contact(name = "Acclaim maintainers"),
        license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0"),
    ),
    // Swagger UI uses the first server, and can use only that of its own page.
    servers(
        (url = "/", description = "This server"),
        (url = "http://127.0.0.1:8000", description = "A server on this machine, with default settings"),
    ),
    tags(
        (name = "users", description = "Sign up, read users and manage your account"),
        (name = "sign-in", description = "OAuth 2.0: the token endpoint, revocation, introspection and metadata"),
        (name = "posts", description = "Create, read, list, change and delete posts and drafts"),
        (name = "votes", description = "Add and remove votes"),
        (name = "events", description = "Follow what happens, as a stream or in pages"),
        (name = "statistics", description = "Numbers of users, posts, votes and tags"),
        (name = "webhooks", description = "Get events by HTTP requests to an endpoint of yours"),
        (name = "sessions", description = "List sessions and sign out"),
        (name = "tokens", description = "Personal access tokens, for scripts, bots and devices"),
        (name = "moderation", description = "Suspend users and read the audit log, for admins"),
        (name = "service", description = "Health, documentation and public keys"),
    ),
)]
struct Document;

/// Adds the schemas, security schemes and headers that several operations refer to.
fn add_shared(components: &mut Components) {
    for schema in [ProblemDetails::schemas, FieldError::schemas] {
        let mut schemas = Vec::new();
        schema(&mut schemas);
        components.schemas.extend(schemas);
    }
    components.schemas.insert(
        ProblemDetails::name().into_owned(),
        ProblemDetails::schema(),
    );
    let scopes = Scope::ALL
        .iter()
        .map(|scope| (scope.name(), scope.meaning()));
    let password = Password::with_refresh_url("/login", scopes.collect::<Scopes>(), "/login");
    let password = OAuth2::with_description(
        [Flow::Password(password)],
        "The e-mail address or username, and the password. Leave client id and client secret empty.",
    );
    let mut token = Http::new(HttpAuthScheme::Bearer);
    token.description =
        Some("An access token from `POST /login`, or a personal access token.".to_owned());
    // Swagger UI sorts the schemes by name. `password` is the one that new users can use, so it must
    // come before `token`.
    components.add_security_scheme(PASSWORD_FLOW, SecurityScheme::OAuth2(password));
    components.add_security_scheme(BEARER, SecurityScheme::Http(token));
    let headers = [
        (
            "RequestId",
            header(
                String::schema(),
                "The request id, also in the service's log: the request's own `X-Request-Id`, or a new UUID.",
            ),
        ),
        (
            "Challenge",
            header(
                String::schema(),
                "`Bearer`, with `error=\"invalid_token\"` if the request had a token (RFC 6750).",
            ),
        ),
        (
            "RetryAfter",
            header(u32::schema(), "Number of seconds to wait before a retry."),
        ),
        (
            "DatabasePosition",
            header(
                database_position::schema(),
                "The position of this write in the database, if the service has replicas of it. A read with this `Database-Position` shows the write.",
            ),
        ),
        (
            "IdempotencyReplayed",
            header(
                bool::schema(),
                "`true` if this is the stored response of an earlier request with the same `Idempotency-Key`.",
            ),
        ),
        (
            "RateLimitPolicy",
            header(
                String::schema(),
                "The tightest limit, if any: `\"sign-in\";q=30;w=60` allows 30 requests at once, then one more every 2 seconds.",
            ),
        ),
        (
            "RateLimit",
            header(
                String::schema(),
                "The state of that limit: `\"sign-in\";r=29;t=2` allows 29 more requests now, and the full number in 2 seconds. With 429, `t` equals `Retry-After`.",
            ),
        ),
    ];
    for (name, header) in headers {
        components.headers.insert(name.to_owned(), header.into());
    }
}

fn header(schema: RefOr<Schema>, description: &str) -> Header {
    HeaderBuilder::new()
        .schema(Some(schema))
        .description(Some(description))
        .build()
}

/// The operation of `route` with all its problem responses. Adds their examples to `components`.
fn operation(route: &Route, components: &mut Components) -> Operation {
    let mut operation = route.operation();
    let limited = !route.path().starts_with(limits::EXEMPT_PREFIX);
    if let Some(RefOr::T(body)) = &mut operation.request_body {
        body.required = Some(Required::True);
    }
    for parameter in operation.parameters.iter_mut().flatten() {
        // Swagger UI sends the example of an optional parameter by default.
        if let RefOr::T(parameter) = parameter
            && parameter.parameter_in == ParameterIn::Query
            && let Some(RefOr::T(Schema::Object(schema))) = &mut parameter.schema
        {
            schema.examples.clear();
        }
    }
    let problems: Vec<&ProblemType> =
        implied_problems(&operation, limited, route.may_authenticate())
            .chain(route.problems())
            .collect();
    for problem_type in &problems {
        let example = ExampleBuilder::new()
            .summary(problem_type.title)
            .value(Some(problem_type.example()))
            .build();
        components
            .examples
            .insert(component_name(problem_type), example.into());
        let status = problem_type.status.as_u16().to_string();
        operation
            .responses
            .responses
            .entry(status)
            .or_insert_with(|| {
                let same_status = problems
                    .iter()
                    .filter(|other| other.status == problem_type.status);
                let meanings: Vec<&str> = same_status.map(|other| other.meaning).collect();
                Response::new(meanings.join(" ")).into()
            });
    }
    for (status, response) in &mut operation.responses.responses {
        if let RefOr::T(response) = response {
            bound_list(response);
            let status = status.parse().unwrap_or_default();
            let mut problems = problems.clone();
            problems.retain(|problem_type| problem_type.status.as_u16() == status);
            let builder = std::mem::take(response).into();
            *response = complete_response(builder, status, limited, &problems);
        }
    }
    operation
}

/// A response that is a list has at most one page.
fn bound_list(response: &mut Response) {
    for content in response.content.values_mut() {
        if let RefOr::T(content) = content
            && let Some(RefOr::T(Schema::Array(list))) = &mut content.schema
        {
            list.max_items = usize::try_from(Limit::MAX.get()).ok();
        }
    }
}

/// The problem types that the input, the authentication and the rate limits of `operation` imply.
fn implied_problems(
    operation: &Operation,
    limited: bool,
    authenticates: bool,
) -> impl Iterator<Item = &'static ProblemType> {
    use crate::http::problem::types;
    let body = operation.request_body.is_some();
    let any_parameter = |matches: fn(&Parameter) -> bool| {
        let parameters = operation.parameters.iter().flatten();
        parameters
            .into_iter()
            .any(|parameter| matches!(parameter, RefOr::T(parameter) if matches(parameter)))
    };
    let query = any_parameter(|parameter| parameter.parameter_in == ParameterIn::Query);
    // A route of OAuth 2.0 declares its own 400, and reports invalid values with it.
    let oauth = operation.responses.responses.get("400");
    let oauth = oauth.is_some_and(|response| {
        matches!(response, RefOr::T(response) if response.content.contains_key("application/json"))
    });
    // Other path segments accept any text: an unknown one is 404.
    let id = any_parameter(|parameter| parameter.name == "id");
    [
        (types::BAD_REQUEST, body || query || authenticates),
        (types::REQUEST_TIMEOUT, body),
        (types::CONTENT_TOO_LARGE, body),
        (types::UNSUPPORTED_MEDIA_TYPE, body),
        (
            types::UNPROCESSABLE_CONTENT,
            (body || query || id) && !oauth,
        ),
        (types::TOO_MANY_REQUESTS, limited),
        (types::INTERNAL_SERVER_ERROR, true),
        (types::SERVICE_UNAVAILABLE, true),
        (types::SERVICE_BUSY, body && authenticates),
        (types::INSUFFICIENT_STORAGE, true),
    ]
    .into_iter()
    .filter_map(|(problem_type, applies)| applies.then_some(problem_type))
}

/// Adds the common headers, and for an error the body, to a response.
fn complete_response(
    response: ResponseBuilder,
    status: u16,
    limited: bool,
    problems: &[&ProblemType],
) -> Response {
    let header = |name| Ref::new(format!("#/components/headers/{name}"));
    let response = response.header_ref("X-Request-Id", header("RequestId"));
    let response = if limited {
        response
            .header_ref("RateLimit-Policy", header("RateLimitPolicy"))
            .header_ref("RateLimit", header("RateLimit"))
    } else {
        response
    };
    let response = match status {
        401 => response.header_ref("WWW-Authenticate", header("Challenge")),
        409 if problems
            .iter()
            .any(|problem| problem.slug == IDEMPOTENCY_KEY_IN_USE.slug) =>
        {
            response.header_ref("Retry-After", header("RetryAfter"))
        }
        429 | 503 => response.header_ref("Retry-After", header("RetryAfter")),
        _ => response,
    };
    if status < 400 {
        return response.build();
    }
    let examples = problems.iter().map(|problem_type| {
        let name = component_name(problem_type);
        let example = Ref::new(format!("#/components/examples/{name}"));
        (name, RefOr::Ref(example))
    });
    let body = ContentBuilder::new()
        .schema(Some(Ref::from_schema_name(ProblemDetails::name())))
        .examples_from_iter(examples)
        .build();
    response.content("application/problem+json", body).build()
}

/// The name of an example in `components`, such as `NotFound` for the slug `not-found`.
fn component_name(problem_type: &ProblemType) -> String {
    let words = problem_type.slug.split('-');
    words
        .flat_map(|word| {
            let (first, rest) = word.split_at(1);
            [first.to_uppercase(), rest.to_owned()]
        })
        .collect()
}
