//! The OpenAPI document: the operations of the routes, and what follows from their declarations.

use entity::values::Scope;
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
        limits,
        problem::{ProblemDetails, ProblemType},
    },
};

/// The OpenAPI document.
#[must_use]
pub fn document() -> openapi::OpenApi {
    let mut document = Document::openapi();
    let components = document.components.get_or_insert_default();
    share(components);
    for route in super::all() {
        components.schemas.extend(route.schemas());
        let operation = complete(&route, components);
        let methods: Vec<HttpMethod> = vec![route.method()];
        document
            .paths
            .add_path_operation(route.path(), methods, operation);
    }
    document
}

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Acclaim",
        description = "Sign up, sign in, publish posts and vote on them. To try it here: `POST /users` signs you up, the button Authorize signs you in.\n\nEvery 4xx and 5xx answer is problem details (RFC 9457). The `type` is the path of a page about the problem. Every answer has an `X-Request-Id`: that of the request if it has one of 1 to 64 characters `A-Z a-z 0-9 . _ -`, or a new one. Paths answer with and without a trailing slash. GET routes answer HEAD too. Unknown members and parameters are ignored. A method that a path does not take gets 405 and `Allow`.",
        license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0"),
    ),
    servers((url = "/")),
    tags(
        (name = "users", description = "Sign up, read users, manage the account"),
        (name = "sign-in", description = "The token endpoint of OAuth 2.0"),
        (name = "posts", description = "Write, read and list posts and drafts"),
        (name = "votes", description = "Vote, and take a vote back"),
        (name = "sessions", description = "List sessions and sign out"),
        (name = "tokens", description = "Personal access tokens, for scripts, bots and devices"),
        (name = "moderation", description = "For admins"),
        (name = "service", description = "Health, documentation and public keys"),
    ),
)]
struct Document;

/// Adds the components that operations refer to.
fn share(components: &mut Components) {
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
    let password = Password::new("/login", scopes.collect::<Scopes>());
    let password = OAuth2::with_description(
        [Flow::Password(password)],
        "The e-mail address or username and the password. Leave the client's id and secret empty.",
    );
    let mut token = Http::new(HttpAuthScheme::Bearer);
    token.description = Some(
        "An access token, as `POST /login` answers it, or a personal access token.".to_owned(),
    );
    // Swagger UI shows them by name: the one that a newcomer can use comes first.
    components.add_security_scheme(PASSWORD_FLOW, SecurityScheme::OAuth2(password));
    components.add_security_scheme(BEARER, SecurityScheme::Http(token));
    let headers = [
        (
            "RequestId",
            header(
                String::schema(),
                "The id of the request in the log: its own `X-Request-Id`, or a new UUID.",
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
            header(u32::schema(), "The seconds to wait before another try."),
        ),
        (
            "RateLimitPolicy",
            header(
                String::schema(),
                "The tightest limit, where one is set: `\"sign-in\";q=30;w=60` allows 30 at once, and then one more every 2 seconds.",
            ),
        ),
        (
            "RateLimit",
            header(
                String::schema(),
                "The rest of that limit: `\"sign-in\";r=29;t=2` allows 29 more now, and all of them again in 2 seconds. With 429, `t` is `Retry-After`.",
            ),
        ),
    ];
    for (name, header) in headers {
        components.headers.insert(name.to_owned(), header.into());
    }
}

fn header(schema: RefOr<Schema>, meaning: &str) -> Header {
    HeaderBuilder::new()
        .schema(Some(schema))
        .description(Some(meaning))
        .build()
}

/// The operation of `route` with every problem that it can answer. Adds their examples to
/// `components`.
fn complete(route: &Route, components: &mut Components) -> Operation {
    let mut operation = route.operation();
    let limited = !route.path().starts_with(limits::EXEMPT);
    if let Some(RefOr::T(body)) = &mut operation.request_body {
        body.required = Some(Required::True);
    }
    for parameter in operation.parameters.iter_mut().flatten() {
        // Swagger UI would send the example of an optional parameter.
        if let RefOr::T(parameter) = parameter
            && parameter.parameter_in == ParameterIn::Query
            && let Some(RefOr::T(Schema::Object(schema))) = &mut parameter.schema
        {
            schema.examples.clear();
        }
    }
    let problems: Vec<&ProblemType> = general(&operation, limited, route.may_authenticate())
        .chain(route.problems())
        .collect();
    for problem_type in &problems {
        let example = ExampleBuilder::new()
            .summary(problem_type.title)
            .value(Some(problem_type.example()))
            .build();
        components
            .examples
            .insert(component(problem_type), example.into());
        let status = problem_type.status.as_u16().to_string();
        operation
            .responses
            .responses
            .entry(status)
            .or_insert_with(|| {
                let same = problems
                    .iter()
                    .filter(|one| one.status == problem_type.status);
                let meanings: Vec<&str> = same.map(|one| one.meaning).collect();
                Response::new(meanings.join(" ")).into()
            });
    }
    for (status, answer) in &mut operation.responses.responses {
        if let RefOr::T(answer) = answer {
            let status = status.parse().unwrap_or_default();
            let mut examples: Vec<&ProblemType> = problems.clone();
            examples.retain(|one| one.status.as_u16() == status);
            let whole = of_status(std::mem::take(answer).into(), status, limited, &examples);
            *answer = whole;
        }
    }
    operation
}

/// The problems that follow from the input of `operation` and from its limits.
fn general(
    operation: &Operation,
    limited: bool,
    authenticates: bool,
) -> impl Iterator<Item = &'static ProblemType> {
    use crate::http::problem::types as t;
    let body = operation.request_body.is_some();
    let has = |matches: fn(&Parameter) -> bool| {
        let parameters = operation.parameters.iter().flatten();
        parameters
            .into_iter()
            .any(|parameter| matches!(parameter, RefOr::T(parameter) if matches(parameter)))
    };
    let query = has(|parameter| parameter.parameter_in == ParameterIn::Query);
    // Other segments of paths are text: an unknown one is 404.
    let id = has(|parameter| parameter.name == "id");
    [
        (t::BAD_REQUEST, body || query || authenticates),
        (t::REQUEST_TIMEOUT, body),
        (t::CONTENT_TOO_LARGE, body),
        (t::UNSUPPORTED_MEDIA_TYPE, body),
        (t::UNPROCESSABLE_CONTENT, body || query || id),
        (t::TOO_MANY_REQUESTS, limited),
        (t::INTERNAL_SERVER_ERROR, true),
        (t::SERVICE_UNAVAILABLE, true),
    ]
    .into_iter()
    .filter_map(|(problem_type, holds)| holds.then_some(problem_type))
}

fn of_status(
    answer: ResponseBuilder,
    status: u16,
    limited: bool,
    problems: &[&ProblemType],
) -> Response {
    let shared = |name| Ref::new(format!("#/components/headers/{name}"));
    let answer = answer.header_ref("X-Request-Id", shared("RequestId"));
    let answer = if limited {
        answer
            .header_ref("RateLimit-Policy", shared("RateLimitPolicy"))
            .header_ref("RateLimit", shared("RateLimit"))
    } else {
        answer
    };
    let answer = match status {
        401 => answer.header_ref("WWW-Authenticate", shared("Challenge")),
        429 | 503 => answer.header_ref("Retry-After", shared("RetryAfter")),
        _ => answer,
    };
    if status < 400 {
        return answer.build();
    }
    let examples = problems.iter().map(|problem_type| {
        let name = component(problem_type);
        let example = Ref::new(format!("#/components/examples/{name}"));
        (name, RefOr::Ref(example))
    });
    let body = ContentBuilder::new()
        .schema(Some(Ref::from_schema_name(ProblemDetails::name())))
        .examples_from_iter(examples)
        .build();
    answer.content("application/problem+json", body).build()
}

/// `NotFound` of `/problems/not-found`.
fn component(problem_type: &ProblemType) -> String {
    let words = problem_type.slug.split('-');
    words
        .flat_map(|word| {
            let (first, rest) = word.split_at(1);
            [first.to_uppercase(), rest.to_owned()]
        })
        .collect()
}
