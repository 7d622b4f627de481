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

/// A JSON response that no cache keeps.
///
/// # Errors
/// When the body doesn't serialize, which is a defect.
pub fn json(status: u16, body: &impl Serialize) -> Result<Response<Body>, ApiError> {
    let text = serde_json::to_string(body).map_err(ApiError::internal)?;
    json_text(status, text)
}

/// A JSON response that is text already.
///
/// # Errors
/// When the response doesn't build, which is a defect.
pub fn json_text(status: u16, text: impl Into<Body>) -> Result<Response<Body>, ApiError> {
    Response::builder()
        .status(status)
        .header(CONTENT_TYPE, "application/json")
        .header(CACHE_CONTROL, "no-store")
        .body(text.into())
        .map_err(ApiError::internal)
}

/// The answer that has nothing to say.
///
/// # Errors
/// When the response doesn't build, which is a defect.
pub fn no_content() -> Result<Response<Body>, ApiError> {
    empty(204)
}

/// An answer whose status says everything.
///
/// # Errors
/// When the response doesn't build, which is a defect.
pub fn empty(status: u16) -> Result<Response<Body>, ApiError> {
    Response::builder()
        .status(status)
        .header(CACHE_CONTROL, "no-store")
        .body(Body::Empty)
        .map_err(ApiError::internal)
}

/// A token as it is at `now`, with its version as the `ETag`.
///
/// # Errors
/// When the body doesn't serialize, which is a defect.
pub fn token(token: &Token, now: Timestamp) -> Result<Response<Body>, ApiError> {
    let response = json(200, &TokenBody::at(token, now))?;
    Ok(with_etag(response, token))
}

/// Adds a token's version as the `ETag`.
pub fn with_etag(mut response: Response<Body>, token: &Token) -> Response<Body> {
    set(&mut response, ETAG, &format!("\"{}\"", token.version));
    response
}

/// Adds where the created thing is found.
pub fn with_location(mut response: Response<Body>, path: &str) -> Response<Body> {
    set(&mut response, LOCATION, path);
    response
}

/// Adds the link to the next page: the same query with its cursor.
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

/// Sets a header whose value is made of ids, numbers and escaped text, so that it is always valid.
fn set(response: &mut Response<Body>, name: lambda_http::http::HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}
