//! Describes the API: for programs as an OpenAPI 3.1 document, which is generated from the operations' code, and for
//! people who were handed a token as a page that is made of the document.

mod docs;

use lambda_http::{Body, Error, Request, RequestExt, Response};
use latchkey::http::{ApiError, response};

pub use docs::Docs;

/// The generated document. A test compares it with the code.
const DESCRIPTION: &str = include_str!("../openapi.json");

/// Makes the page. `address` is the address of this deployment's API.
///
/// # Errors
/// When the document has something that the page can't show.
pub fn docs(address: &str) -> Result<Docs, Error> {
    Docs::new(DESCRIPTION, address)
}

/// Returns the document, the page or its style sheet, whichever the path names.
///
/// # Errors
/// `internal_error` when the response can't be built, which is a defect.
pub fn answer(docs: &Docs, request: &Request) -> Result<Response<Body>, ApiError> {
    match request.raw_http_path() {
        path if path.ends_with("/docs") => docs.page(),
        path if path.ends_with("/docs/style.css") => docs.style(),
        _ => handle(),
    }
}

/// Returns the OpenAPI document.
///
/// # Errors
/// `internal_error` when the response can't be built, which is a defect.
pub fn handle() -> Result<Response<Body>, ApiError> {
    response::json_text(200, DESCRIPTION)
}

#[cfg(test)]
mod tests;
