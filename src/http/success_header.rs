//! A header of the successes of an operation, in the OpenAPI document.

use utoipa::openapi::{Ref, RefOr, ResponseBuilder, path::Operation};

/// Adds the header `name` to each success of `operation`: the one that the components call `component`.
pub(super) fn declare_on_success(operation: &mut Operation, name: &str, component: &str) {
    for (status, response) in &mut operation.responses.responses {
        if let RefOr::T(response) = response
            && status.starts_with('2')
        {
            let header = Ref::new(format!("#/components/headers/{component}"));
            let builder: ResponseBuilder = std::mem::take(response).into();
            *response = builder.header_ref(name, header).build();
        }
    }
}
