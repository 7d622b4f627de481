//! Successful responses.

use jiff::Timestamp;
use lambda_http::http::HeaderValue;
use lambda_http::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, LINK, LOCATION};
use lambda_http::{Body, Response};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Serialize;

use super::ApiError;
use super::token::TokenBody;
use crate::domain::token::Token;

/// Returns a JSON response that no cache stores.
///
/// # Errors
/// When the body can't be serialized, which is a defect.
pub fn json(status: u16, body: &impl Serialize) -> Result<Response<Body>, ApiError> {
    let text = serde_json::to_string(body).map_err(ApiError::internal)?;
    json_text(status, text)
}

/// Returns a JSON response whose body is already serialized.
///
/// # Errors
/// When the response can't be built, which is a defect.
pub fn json_text(status: u16, text: impl Into<Body>) -> Result<Response<Body>, ApiError> {
    Response::builder()
        .status(status)
        .header(CONTENT_TYPE, "application/json")
        .header(CACHE_CONTROL, "no-store")
        .body(text.into())
        .map_err(ApiError::internal)
}

/// Returns a 204.
///
/// # Errors
/// When the response can't be built, which is a defect.
pub fn no_content() -> Result<Response<Body>, ApiError> {
    empty(204)
}

/// Returns a response without a body.
///
/// # Errors
/// When the response can't be built, which is a defect.
pub fn empty(status: u16) -> Result<Response<Body>, ApiError> {
    Response::builder()
        .status(status)
        .header(CACHE_CONTROL, "no-store")
        .body(Body::Empty)
        .map_err(ApiError::internal)
}

/// Returns a token as it is at `now`, with its version as the `ETag`.
///
/// # Errors
/// When the body can't be serialized, which is a defect.
pub fn token(token: &Token, now: Timestamp) -> Result<Response<Body>, ApiError> {
    let response = json(200, &TokenBody::at(token, now))?;
    Ok(with_etag(response, token))
}

/// Adds the `ETag` header, which is the token's version.
pub fn with_etag(mut response: Response<Body>, token: &Token) -> Response<Body> {
    set(&mut response, ETAG, &format!("\"{}\"", token.version));
    response
}

/// Adds the `Location` header of a created resource.
pub fn with_location(mut response: Response<Body>, path: &str) -> Response<Body> {
    set(&mut response, LOCATION, path);
    response
}

/// Adds the `Link` header to the next page: the same query with the next cursor.
pub fn with_next(
    mut response: Response<Body>,
    path: &str,
    parameters: &[(String, String)],
    cursor: Option<&str>,
) -> Response<Body> {
    if let Some(cursor) = cursor {
        let query: Vec<_> = parameters
            .iter()
            .filter(|(name, _)| name != "cursor")
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .chain([("cursor", cursor)])
            .map(|(name, value)| format!("{}={}", escape(name), escape(value)))
            .collect();
        set(
            &mut response,
            LINK,
            &format!("<{path}?{}>; rel=\"next\"", query.join("&")),
        );
    }
    response
}

fn escape(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

/// Sets a header. The values consist of ids, numbers and escaped text, so they are always valid.
fn set(response: &mut Response<Body>, name: lambda_http::http::HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}
