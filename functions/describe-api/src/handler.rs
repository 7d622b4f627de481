//! Returns the OpenAPI 3.1 document of the API, which is generated from the operations' code.

use lambda_http::{Body, Response};
use latchkey::http::{ApiError, response};

/// The generated document. A test compares it with the code.
const DESCRIPTION: &str = include_str!("../openapi.json");

/// Returns the OpenAPI document.
///
/// # Errors
/// `internal_error` when the response can't be built, which is a defect.
pub fn handle() -> Result<Response<Body>, ApiError> {
    response::json_text(200, DESCRIPTION)
}

#[cfg(test)]
mod tests;
