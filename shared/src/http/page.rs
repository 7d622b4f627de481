//! Pages of lists, as JSON.

use lambda_http::{Body, Request, Response};
use serde::Serialize;
use serde_json::{Value, json};

use super::query::Query;
use super::{ApiError, ErrorCode, cursor, response};
use crate::domain::paging::Page;

/// The most that a page's items may weigh, in bytes: below what Lambda lets a response have (6 MB),
/// with room for its wrapping.
pub const MAX_BYTES: usize = 4_000_000;

/// A page under its name, with `nextCursor` and the `Link` to the next page. A page that would be too
/// heavy ends earlier, and the next one starts there.
///
/// # Errors
/// When an item doesn't serialize, which is a defect.
pub fn respond<T, K: ToString>(
    request: &Request,
    query: &Query,
    name: &str,
    list: &str,
    page: &Page<T, K>,
    id: impl Fn(&T) -> K,
    body: impl Fn(&T) -> Result<Value, ApiError>,
) -> Result<Response<Body>, ApiError> {
    let mut items = Vec::new();
    let mut bytes = 0;
    let mut next = page.next.as_ref().map(ToString::to_string);
    let mut last = None;
    for item in &page.items {
        let value = body(item)?;
        bytes += value.to_string().len();
        if bytes > MAX_BYTES && last.is_some() {
            next = last;
            break;
        }
        last = Some(id(item).to_string());
        items.push(value);
    }
    let cursor = next.map(|position| cursor::encode(list, &position));
    let response = response::json(200, &json!({name: items, "nextCursor": cursor}))?;
    let path = request.uri().path();
    Ok(response::with_next(
        response,
        path,
        query.parameters(),
        cursor.as_deref(),
    ))
}

/// The JSON of an item.
///
/// # Errors
/// When it doesn't serialize, which is a defect.
pub fn item(body: &impl Serialize) -> Result<Value, ApiError> {
    serde_json::to_value(body).map_err(ApiError::internal)
}

/// The position that the query's cursor stands for.
///
/// # Errors
/// [`ErrorCode::InvalidCursor`] if this list didn't give it out.
pub fn position<K: std::str::FromStr>(query: &Query, list: &str) -> Result<Option<K>, ApiError> {
    let Some(text) = query.text("cursor") else {
        return Ok(None);
    };
    cursor::decode(list, text)?
        .parse()
        .map(Some)
        .map_err(|_| ErrorCode::InvalidCursor.into())
}
