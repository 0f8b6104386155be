//! Routes: a handler with its path, its OpenAPI operation, its access rule and its limit.

use std::{panic::AssertUnwindSafe, time::Duration};

use actix_web::{
    Error, FromRequest, Handler, HttpRequest, Responder,
    body::{BoxBody, MessageBody},
    dev::{ServiceRequest, ServiceResponse},
    http::Method,
    middleware::{Next, from_fn},
    web::{self, ServiceConfig},
};
use entity::{users::Role, values::Scope};
use futures_util::FutureExt;
use utoipa::{
    __dev::{SchemaReferences, Tags},
    openapi::{HttpMethod, RefOr, Schema, path::Operation},
};

use crate::error::panic_message;

use super::{
    Problem, RequestRecord, State,
    authentication::{Access, authenticate},
    database_position::{self, Write},
    idempotency::{self, FingerprintOf, IDEMPOTENCY_KEY, Rule},
    limits::AddressLimit,
    prefer,
    problem::ProblemType,
};

/// The longest time that a request may take, including the arrival of its body. Must be shorter than
/// the time that a stopping server grants to its requests. [`Route::takes_up_to`] replaces it.
pub const TIMEOUT: Duration = Duration::from_secs(20);

/// A named schema of the OpenAPI document.
pub type NamedSchema = (String, RefOr<Schema>);

/// A handler and its declaration, made by `route!`. [`Access::Public`] by default.
pub struct Route {
    path: String,
    /// A further path that is no operation of its own.
    alias: Option<&'static str>,
    method: HttpMethod,
    operation: fn() -> Operation,
    tags: fn() -> Vec<&'static str>,
    schemas: fn(&mut Vec<NamedSchema>),
    handle: Box<dyn Fn(Method, Guard) -> actix_web::Route>,
    guard: Guard,
    problems: &'static [&'static ProblemType],
}

/// Checks that run before the handler.
#[derive(Clone, Copy)]
struct Guard {
    access: Access,
    limit: Option<AddressLimit>,
    /// Whether `Prefer: return=minimal` is applied.
    prefer: bool,
    /// `None` if the route ignores `Idempotency-Key`.
    key: Option<Rule>,
    timeout: Duration,
    /// The position of the path in [`paths`], for metrics.
    pattern: usize,
}

impl Guard {
    const PUBLIC: Self = Self {
        access: Access::Public,
        limit: None,
        prefer: false,
        key: None,
        timeout: TIMEOUT,
        pattern: 0,
    };
}

/// `route!(handler)`: a [`Route`] of a handler that has `#[utoipa::path]`, which gives the method,
/// the path and the operation.
macro_rules! route {
    ($handler:ident) => {
        pastey::paste! { $crate::http::route::Route::new::<[<__path_ $handler>], _, _>($handler) }
    };
}
pub(crate) use route;

impl Route {
    /// See `route!`.
    pub fn new<P, F, A>(handler: F) -> Self
    where
        P: utoipa::Path + SchemaReferences + Tags<'static>,
        F: Handler<A> + Clone,
        A: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        Self {
            path: P::path(),
            alias: None,
            method: P::methods().pop().unwrap_or(HttpMethod::Get),
            operation: P::operation,
            tags: P::tags,
            schemas: P::schemas,
            handle: Box::new(move |method, guard| {
                guarded(web::method(method).to(handler.clone()), guard)
            }),
            guard: Guard::PUBLIC,
            problems: &[],
        }
    }

    /// Needs a token with `scope`.
    #[must_use]
    pub fn needs(self, scope: Scope) -> Self {
        self.access(Access::Scope(scope))
    }

    /// Needs a token with `scope`, unless `PUBLIC_READS` is on.
    #[must_use]
    pub fn needs_unless_public(self, scope: Scope) -> Self {
        self.access(Access::ScopeOrPublicReads(scope))
    }

    /// Needs a token with `scope` or a ticket, unless `PUBLIC_READS` is on.
    #[must_use]
    pub fn streams(self, scope: Scope) -> Self {
        self.access(Access::Stream(scope))
    }

    /// Needs no token. If one is sent, it must be valid and have one of `scopes`.
    #[must_use]
    pub fn accepts(self, scopes: [Scope; 2]) -> Self {
        self.access(Access::Optional(scopes))
    }

    /// Needs the access token of a session.
    #[must_use]
    pub fn needs_session(self) -> Self {
        self.access(Access::Session)
    }

    /// Needs the access token of a session, with every scope.
    #[must_use]
    pub fn needs_full_session(self) -> Self {
        self.access(Access::FullSession)
    }

    /// Needs the access token of a session, with every scope, of a user with `role` or a higher one.
    #[must_use]
    pub fn needs_role(self, role: Role) -> Self {
        self.access(Access::Role(role))
    }

    /// Limits how often an address may call the route.
    #[must_use]
    pub fn limited_by(mut self, limit: AddressLimit) -> Self {
        self.guard.limit = Some(limit);
        self
    }

    /// Sends no body with a success if the request has `Prefer: return=minimal`. For a write: what a read
    /// returns is its purpose.
    #[must_use]
    pub fn honours_prefer(mut self) -> Self {
        self.guard.prefer = true;
        self
    }

    /// Accepts `Idempotency-Key`. The handler takes [`Keyed`](super::idempotency::Keyed) and stores its
    /// answer in the transaction of its write.
    #[must_use]
    pub fn idempotent(self) -> Self {
        self.idempotent_by(idempotency::whole_body)
    }

    /// Like [`idempotent`](Self::idempotent), for a body that must not be hashed as a whole.
    #[must_use]
    pub fn idempotent_by(mut self, fingerprint: FingerprintOf) -> Self {
        self.guard.key = Some(Rule::first(fingerprint));
        self
    }

    /// Like [`idempotent`](Self::idempotent), for a batched write, which looks for the stored answer itself.
    #[must_use]
    pub fn idempotent_in_batch(mut self) -> Self {
        self.guard.key = Some(Rule::IN_BATCH);
        self
    }

    /// Replaces [`TIMEOUT`]. The handler must end soon when the server stops.
    #[must_use]
    pub fn takes_up_to(mut self, timeout: Duration) -> Self {
        self.guard.timeout = timeout;
        self
    }

    /// Declares the problems of the handler itself. Those of its input, its credentials and its
    /// limits need no declaration.
    #[must_use]
    pub fn fails_with(mut self, problems: &'static [&'static ProblemType]) -> Self {
        self.problems = problems;
        self
    }

    /// Answers at `path` too.
    #[must_use]
    pub fn also_at(mut self, path: &'static str) -> Self {
        self.alias = Some(path);
        self
    }

    fn access(mut self, access: Access) -> Self {
        self.guard.access = access;
        self
    }

    /// The path of the operation.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The method of the operation.
    #[must_use]
    pub fn method(&self) -> HttpMethod {
        self.method.clone()
    }

    /// The operation with its `tags`, its `security` and its key.
    #[must_use]
    pub fn operation(&self) -> Operation {
        let mut operation = (self.operation)();
        operation.tags = Some((self.tags)().into_iter().map(str::to_owned).collect());
        operation.security = Some(self.guard.access.security());
        if self.guard.key.is_some() {
            idempotency::declare(&mut operation);
        }
        if !matches!(self.method, HttpMethod::Get) {
            database_position::declare(&mut operation);
        }
        operation
    }

    /// Whether the route reads the header `Authorization`.
    #[must_use]
    pub fn may_authenticate(&self) -> bool {
        self.guard.access != Access::Public
    }

    /// The problems of the handler, of its credentials and of its key.
    pub fn problems(&self) -> impl Iterator<Item = &'static ProblemType> {
        let of_access = self.guard.access.problems();
        let of_key = self.guard.key.map_or(&[][..], |_| idempotency::PROBLEMS);
        let all = of_access.iter().chain(self.problems).chain(of_key);
        all.copied()
    }

    /// The schemas that the operation refers to.
    #[must_use]
    pub fn schemas(&self) -> Vec<NamedSchema> {
        let mut schemas = Vec::new();
        (self.schemas)(&mut schemas);
        schemas
    }
}

/// Adds `routes` to a server: first those with a fixed path, which may fit a pattern too, then the others in
/// order. The server tries one after the other, and a pattern takes longer. A GET route answers HEAD too
/// (RFC 9110, section 9.3.2).
pub fn configure(config: &mut ServiceConfig, routes: &[Route]) {
    let numbered = paths(routes).into_iter().enumerate();
    let (fixed, templates): (Vec<_>, Vec<_>) = numbered.partition(|(_, path)| !path.contains('{'));
    for (pattern, path) in fixed.into_iter().chain(templates) {
        let of_path = || routes.iter().filter(|route| route.path() == path);
        let aliases = of_path().filter_map(|route| route.alias);
        let patterns: Vec<&str> = std::iter::once(path).chain(aliases).collect();
        let mut resource = web::resource(patterns);
        // `Allow` of a 405 lists the methods in this order.
        let (reads, others): (Vec<&Route>, Vec<&Route>) =
            of_path().partition(|route| matches!(route.method, HttpMethod::Get));
        for route in reads.into_iter().chain(others) {
            let guard = Guard {
                pattern,
                ..route.guard
            };
            for method in methods(&route.method) {
                resource = resource.route((route.handle)(method, guard));
            }
        }
        config.service(resource);
    }
}

/// The paths of `routes`, in order, each once.
#[must_use]
pub fn paths(routes: &[Route]) -> Vec<&str> {
    let mut paths: Vec<&str> = Vec::new();
    for route in routes {
        if !paths.contains(&route.path()) {
            paths.push(route.path());
        }
    }
    paths
}

fn methods(method: &HttpMethod) -> Vec<Method> {
    match method {
        HttpMethod::Get => vec![Method::GET, Method::HEAD],
        HttpMethod::Post => vec![Method::POST],
        HttpMethod::Put => vec![Method::PUT],
        HttpMethod::Delete => vec![Method::DELETE],
        HttpMethod::Options => vec![Method::OPTIONS],
        HttpMethod::Head => vec![Method::HEAD],
        HttpMethod::Patch => vec![Method::PATCH],
        HttpMethod::Trace => vec![Method::TRACE],
    }
}

fn guarded(route: actix_web::Route, guard: Guard) -> actix_web::Route {
    route.wrap(from_fn(move |request, next| run(guard, request, next)))
}

/// Answers 503 after the timeout of `guard` and 500 when the handler panics.
async fn run(
    guard: Guard,
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let parts = request.request().clone();
    if let Some(record) = RequestRecord::of(&parts) {
        record.route.set(Some(guard.pattern));
    }
    // Handlers share nothing that is not behind a lock or in a database.
    let answer = AssertUnwindSafe(async {
        admit(&parts, guard).await?;
        let write = Write::begin(&parts);
        if let Some(rule) = guard.key
            && parts.headers().contains_key(IDEMPOTENCY_KEY)
        {
            // Boxed, because it is rare, and every request would contain its large future.
            let answer = Box::pin(idempotency::answer(rule, request, &next)).await?;
            return Ok((answer, write));
        }
        let answer = next.call(request).await;
        Ok((answer.map(ServiceResponse::map_into_boxed_body), write))
    })
    .catch_unwind();
    let problem = match tokio::time::timeout(guard.timeout, answer).await {
        Ok(Ok(Ok((answer, write)))) => {
            let mut answer = answer?;
            if let Some(write) = write {
                // Boxed, because every request would contain its large future.
                Box::pin(write.end(&mut answer)).await;
            }
            return Ok(if guard.prefer {
                prefer::apply(answer)
            } else {
                answer
            });
        }
        Ok(Ok(Err(problem))) => problem,
        Ok(Err(panic)) => {
            Problem::internal(format!("a handler panicked: {}", panic_message(&*panic)))
        }
        Err(_) => Problem::unavailable(
            "the request took too long",
            Some(format!("a handler took longer than {:?}", guard.timeout)),
        ),
    };
    Ok(ServiceResponse::from_err(problem, parts))
}

async fn admit(request: &HttpRequest, guard: Guard) -> Result<(), Problem> {
    if let Some(limit) = guard.limit {
        State::of(request)?.limits.count_address(request, limit)?;
    }
    authenticate(request, guard.access).await
}

#[cfg(test)]
mod tests;
