//! The OpenAPI document: what each route says of itself, and what holds for all of them.

use actix_web::http::StatusCode;
use utoipa::{
    OpenApi, PartialSchema, ToSchema,
    openapi::{
        self, Components, ContentBuilder, HeaderBuilder, Ref, RefOr, Required, Response,
        ResponseBuilder,
        example::ExampleBuilder,
        header::Header,
        path::{Operation, Parameter, ParameterIn},
        security::{
            Flow, Http, HttpAuthScheme, OAuth2, Password, Scopes, SecurityRequirement,
            SecurityScheme,
        },
    },
};

use crate::{
    http::{
        limits,
        problem::{KINDS, Kind, ProblemDetails},
    },
    services::auth::SCOPES,
};

/// The OpenAPI document.
#[must_use]
pub fn document() -> openapi::OpenApi {
    let mut document = Document::openapi();
    for part in [
        super::users::Doc::openapi(),
        super::account::Doc::openapi(),
        super::export::Doc::openapi(),
        super::login::Doc::openapi(),
        super::sessions::Doc::openapi(),
        super::tokens::Doc::openapi(),
        super::staff::Doc::openapi(),
        super::posts::Doc::openapi(),
        super::votes::Doc::openapi(),
        super::service::Doc::openapi(),
        super::keys::Doc::openapi(),
        super::docs::Doc::openapi(),
        super::problems::Doc::openapi(),
    ] {
        document.merge(part);
    }
    share(document.components.get_or_insert_default());
    for (path, item) in &mut document.paths.paths {
        let limited = !path.starts_with(limits::EXEMPT);
        let operations = [
            &mut item.get,
            &mut item.put,
            &mut item.post,
            &mut item.delete,
            &mut item.patch,
        ];
        let operations = operations.into_iter().flatten();
        operations.for_each(|operation| complete(operation, limited));
    }
    document
}

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Acclaim",
        description = "Sign up, sign in, publish posts and vote on them. To try it here: `POST /users` signs you up, the button Authorize signs you in.\n\nEvery 4xx and 5xx answer is problem details (RFC 9457), whose `type` leads to a page about it. Every answer has an `X-Request-Id`, which is the request's own if it has one of 1 to 64 of `A-Z a-z 0-9 . _ -`. Paths answer with and without a trailing slash, GET routes answer HEAD too, and unknown members and parameters are passed over. A method that a path does not take is answered with 405 and `Allow`.",
        license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0"),
    ),
    servers((url = "/")),
    tags(
        (name = "users", description = "Sign up, and who is who"),
        (name = "sign-in", description = "The token endpoint of OAuth 2.0"),
        (name = "posts", description = "Write, read and list posts and drafts"),
        (name = "votes", description = "Vote, and take a vote back"),
        (name = "sessions", description = "Sign out, and see where one is signed in"),
        (name = "tokens", description = "Personal access tokens, for scripts, bots and devices"),
        (name = "moderation", description = "For admins"),
        (name = "service", description = "How the service is, and what it says of itself"),
    ),
)]
struct Document;

/// What operations refer to.
fn share(components: &mut Components) {
    let scopes = SCOPES.map(|(_, name, meaning)| (name, meaning));
    let password = Password::new("/login", Scopes::from_iter(scopes));
    let password = OAuth2::with_description(
        [Flow::Password(password)],
        "The e-mail address or username, and the password, that you signed up with; the client's name and secret stay empty.",
    );
    let mut token = Http::new(HttpAuthScheme::Bearer);
    token.description = Some(
        "An access token, as `POST /login` answers it, or a personal access token.".to_owned(),
    );
    // In the order of their names, as Swagger UI shows them: what a newcomer has comes first.
    components.add_security_scheme("password", SecurityScheme::OAuth2(password));
    components.add_security_scheme("token", SecurityScheme::Http(token));
    let headers = [
        (
            "RequestId",
            header(
                String::schema(),
                "Names the request in the log: what the request's own `X-Request-Id` said, or a new UUID.",
            ),
        ),
        (
            "Challenge",
            header(
                String::schema(),
                "`Bearer`, with `error=\"invalid_token\"` when a token came (RFC 6750).",
            ),
        ),
        (
            "RetryAfter",
            header(u32::schema(), "In how many seconds to try again."),
        ),
        (
            "RateLimitPolicy",
            header(
                String::schema(),
                "The limit that is nearest, where one is set: `\"sign-in\";q=30;w=60` are 30 in 60 seconds, and then one more each 2 seconds.",
            ),
        ),
        (
            "RateLimit",
            header(
                String::schema(),
                "How it stands: `\"sign-in\";r=29;t=2` are 29 more now, and all of them again in 2 seconds; with 429 `t` is `Retry-After`.",
            ),
        ),
    ];
    for (name, header) in headers {
        components.headers.insert(name.to_owned(), header.into());
    }
    // Only what the document does not know can be answered with 405.
    let answered = |kind: &&Kind| kind.status != StatusCode::METHOD_NOT_ALLOWED;
    for kind in KINDS.iter().filter(answered) {
        let example = ExampleBuilder::new()
            .summary(kind.title)
            .value(Some(kind.example()))
            .build();
        components.examples.insert(name(kind), example.into());
    }
}

fn header(schema: RefOr<openapi::Schema>, meaning: &str) -> Header {
    HeaderBuilder::new()
        .schema(Some(schema))
        .description(Some(meaning))
        .build()
}

/// Adds the answers that follow from what an operation takes, and to each what its status brings.
fn complete(operation: &mut Operation, limited: bool) {
    let body = operation.request_body.is_some();
    if let Some(RefOr::T(body)) = &mut operation.request_body {
        body.required = Some(Required::True);
    }
    let asked = |what: fn(&Parameter) -> bool| {
        let parameters = operation.parameters.iter().flatten();
        parameters
            .into_iter()
            .any(|parameter| matches!(parameter, RefOr::T(parameter) if what(parameter)))
    };
    let query = asked(|parameter| parameter.parameter_in == ParameterIn::Query);
    // The other paths are text, of which there is such a thing or not.
    let id = asked(|parameter| parameter.name == "id");
    let requirements = operation.security.as_deref().unwrap_or_default();
    let nobody = SecurityRequirement::default();
    let signed_in = !requirements.is_empty() && !requirements.contains(&nobody);
    let token = requirements.iter().any(|one| *one != nobody);
    let implied = [
        (400, body || query || token),
        (401, signed_in),
        (403, signed_in),
        (408, body),
        (413, body),
        (415, body),
        (422, body || query || id),
        (429, limited),
        (500, true),
        (503, true),
    ];
    let answers = &mut operation.responses.responses;
    for (status, _) in implied.into_iter().filter(|(_, holds)| *holds) {
        let meaning = kind(status).map_or("", |kind| kind.meaning);
        answers
            .entry(status.to_string())
            .or_insert_with(|| Response::new(meaning).into());
    }
    for (status, answer) in answers {
        if let RefOr::T(answer) = answer {
            let status = status.parse().unwrap_or_default();
            let whole = of_status(std::mem::take(answer).into(), status, limited);
            *answer = whole;
        }
    }
}

fn of_status(answer: ResponseBuilder, status: u16, limited: bool) -> Response {
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
    let Some(kind) = kind(status) else {
        return answer.build();
    };
    let name = name(kind);
    let example = Ref::new(format!("#/components/examples/{name}"));
    let body = ContentBuilder::new()
        .schema(Some(Ref::from_schema_name(ProblemDetails::name())))
        .examples_from_iter([(name, RefOr::Ref(example))])
        .build();
    answer.content("application/problem+json", body).build()
}

fn kind(status: u16) -> Option<&'static Kind> {
    StatusCode::from_u16(status).ok().and_then(Kind::of)
}

/// `NotFound` of `/problems/not-found`.
fn name(kind: &Kind) -> String {
    kind.uri
        .trim_start_matches("/problems/")
        .split('-')
        .flat_map(|word| {
            let (first, rest) = word.split_at(1);
            [first.to_uppercase(), rest.to_owned()]
        })
        .collect()
}
