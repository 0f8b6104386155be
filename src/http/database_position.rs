//! The header `Database-Position`: reads on replicas show the client's own writes, also through another
//! server than the writes.

use std::future::{Ready, ready};

use actix_web::{
    FromRequest, HttpRequest,
    body::BoxBody,
    dev::{Payload, ServiceResponse},
    http::header::{HeaderName, HeaderValue},
    web::Data,
};
use entity::values::UserId;
use utoipa::{
    IntoParams,
    openapi::{
        ObjectBuilder, RefOr, Schema,
        path::{Operation, Parameter, ParameterBuilder, ParameterIn},
        schema::Type,
    },
};

use super::{
    Problem, State, authentication::authenticated_user, state::NO_STATE,
    success_header::declare_on_success,
};
use crate::{
    db::{Db, Position, Reader},
    error::Error,
};

/// The position of a write, in its response, or the least position of a read, in its request.
pub const DATABASE_POSITION: HeaderName = HeaderName::from_static("database-position");

/// The form of a position, as a JSON Schema.
#[must_use]
pub fn schema() -> RefOr<Schema> {
    let position = ObjectBuilder::new()
        .schema_type(Type::String)
        .pattern(Some("^[0-9A-Fa-f]{1,8}/[0-9A-Fa-f]{1,8}$"))
        .examples(["16/B374D848"]);
    position.build().into()
}

/// Adds the header to the successes of an operation that writes.
pub(super) fn declare(operation: &mut Operation) {
    declare_on_success(operation, "Database-Position", "DatabasePosition");
}

/// Runs reads that tolerate a state that is some seconds old, on a replica if there is one. They show the
/// caller's own writes, and those before the `Database-Position` of the request.
#[derive(Debug)]
pub struct Reads {
    state: Data<State>,
    reader: Reader,
}

impl Reads {
    /// Runs `read`, which must use the database that it is given. It may run a second time.
    ///
    /// # Errors
    /// Those of `read`.
    pub async fn run<T>(&self, read: impl AsyncFn(&Db) -> Result<T, Error>) -> Result<T, Error> {
        self.state.db.read_for(self.reader, read).await
    }

    fn of(request: &HttpRequest) -> Result<Self, Problem> {
        let state = request.app_data::<Data<State>>().cloned();
        Ok(Self {
            state: state.ok_or_else(|| Problem::internal(NO_STATE))?,
            reader: Reader {
                id: authenticated_user(request).map(UserId::get),
                position: position(request)?,
            },
        })
    }
}

fn position(request: &HttpRequest) -> Result<Option<Position>, Problem> {
    let mut values = request.headers().get_all(DATABASE_POSITION);
    let Some(value) = values.next() else {
        return Ok(None);
    };
    let position = value.to_str().ok().and_then(Position::parse);
    let position = position.filter(|_| values.next().is_none());
    position.map(Some).ok_or_else(|| {
        Problem::malformed(
            "the header `Database-Position` is not one position such as 16/B374D848, from the response to a write",
        )
    })
}

impl FromRequest for Reads {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Self::of(request))
    }
}

impl IntoParams for Reads {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let position = ParameterBuilder::new()
            .name("Database-Position")
            .parameter_in(ParameterIn::Header)
            .description(Some(
                "The `Database-Position` of the response to a write: the response to this request shows that write. A client needs it only if its requests go to several servers, or to read what another client wrote. Has no effect without replicas.",
            ))
            .schema(Some(schema()))
            .build();
        vec![position]
    }
}

/// A request that may write, if there are replicas. When it is dropped before its [end](Self::end), as if the
/// client disconnects, it may have written nevertheless.
pub(super) struct Write {
    state: Data<State>,
    /// The caller, until the end.
    writer: Option<i64>,
}

impl Write {
    /// `None` for a GET or HEAD, and without replicas. Call it after the authentication of `request`.
    pub(super) fn begin(request: &HttpRequest) -> Option<Self> {
        let state = request.app_data::<Data<State>>()?;
        if request.method().is_safe() || !state.db.has_replicas() {
            return None;
        }
        Some(Self {
            state: Data::clone(state),
            writer: authenticated_user(request).map(UserId::get),
        })
    }

    /// Adds the header to `response`, unless the caller is anonymous and the request failed.
    pub(super) async fn end(mut self, response: &mut ServiceResponse<BoxBody>) {
        if self.writer.is_none() && !response.status().is_success() {
            return;
        }
        let position = self.state.db.position_after(self.writer).await;
        // From here on the writer is known to see the write.
        self.writer = None;
        let value = position.map(|position| HeaderValue::from_str(&position.to_string()));
        if let Some(Ok(value)) = value {
            response.headers_mut().insert(DATABASE_POSITION, value);
        }
    }
}

impl Drop for Write {
    fn drop(&mut self) {
        if let Some(writer) = self.writer {
            self.state.db.may_have_written(writer);
        }
    }
}
