//! Answers the API's description: OpenAPI 3.1, as the operations' own code gives it.

use lambda_http::{Body, Response};
use latchkey::http::{ApiError, response};

/// Generated. A test keeps it equal to what the code says.
const DESCRIPTION: &str = include_str!("../openapi.json");

/// Answers one request.
///
/// # Errors
/// When the response doesn't build, which is a defect.
pub fn handle() -> Result<Response<Body>, ApiError> {
    response::json_text(200, DESCRIPTION)
}

#[cfg(test)]
mod tests;
