//! Pages of lists.

use std::str::FromStr;

use lambda_http::{Body, Request, Response};
use serde::Serialize;
use serde_json::{Value, json};

use super::query::{Parameters, Query};
use super::{ApiError, ErrorCode, cursor, response};
use crate::domain::paging::{DEFAULT_LIMIT, MAX_LIMIT, Page};

/// The largest total size of a page's items, in bytes [as Lambda sends them](sent_len). It is below Lambda's limit for a
/// response (6 MB), with room for the rest.
pub const MAX_BYTES: usize = 5_000_000;

/// The page of a list that a request asks for.
#[derive(Debug)]
pub struct Wanted<K> {
    /// The largest number of items.
    pub limit: usize,
    /// The item before the first one of this page; `None` for the first page.
    pub after: Option<K>,
    /// Identifies the list with all its filters, for cursors.
    list: String,
    path: String,
    parameters: Vec<(String, String)>,
}

impl<K: FromStr + ToString> Wanted<K> {
    /// Reads the remaining parameters of a request's query. `list` identifies the list without its filters.
    ///
    /// # Errors
    /// [`ErrorCode::ValidationFailed`] with every failure of the query, [`ErrorCode::InvalidCursor`] if this list with
    /// these filters didn't issue the cursor.
    pub fn of(request: &Request, query: Query, list: &str) -> Result<Self, ApiError> {
        Self::up_to(request, query, list, (DEFAULT_LIMIT, MAX_LIMIT))
    }

    /// As [`Wanted::of`], for a list with another default and maximum of items.
    ///
    /// # Errors
    /// As [`Wanted::of`].
    pub fn up_to(
        request: &Request,
        mut query: Query,
        list: &str,
        (default, max): (usize, usize),
    ) -> Result<Self, ApiError> {
        let limit = query.limit(max).unwrap_or(default);
        let cursor = query.cursor();
        let parameters = query.finish()?;
        let list = format!("{list} {:?}", selecting(&parameters));
        let position = cursor.map(|cursor| cursor::decode(&list, &cursor));
        let after = position.transpose()?.map(|position| position.parse());
        Ok(Self {
            limit,
            after: after.transpose().map_err(|_| ErrorCode::InvalidCursor)?,
            list,
            path: request.uri().path().to_owned(),
            parameters,
        })
    }

    /// Adds the `Link` header to the page after a position. `None` means that this page is the last.
    pub fn link(&self, response: Response<Body>, next: Option<&str>) -> Response<Body> {
        let cursor = self.cursor(next);
        response::with_next(response, &self.path, &self.parameters, cursor.as_deref())
    }

    fn cursor(&self, next: Option<&str>) -> Option<String> {
        next.map(|position| cursor::encode(&self.list, position))
    }

    /// Returns the page as the response. The items are in the member `name`. `nextCursor` and the `Link` header lead
    /// to the next page. A page beyond [`MAX_BYTES`] ends early, and the next page starts there.
    ///
    /// # Errors
    /// When an item can't be serialized, which is a defect.
    pub fn respond<T>(
        &self,
        name: &str,
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
            bytes += sent_len(&value.to_string());
            if bytes > MAX_BYTES && last.is_some() {
                next = last;
                break;
            }
            last = Some(id(item).to_string());
            items.push(value);
        }
        let cursor = self.cursor(next.as_deref());
        let response = response::json(200, &json!({name: items, "nextCursor": cursor}))?;
        Ok(self.link(response, next.as_deref()))
    }
}

/// The size of a part of a body in Lambda's response, in bytes. The response is JSON, and the body is a string in it: what
/// JSON escapes is longer there.
pub fn sent_len(body: &str) -> usize {
    let sent = body.bytes().map(|byte| match byte {
        b'"' | b'\\' | b'\n' | b'\r' | b'\t' | 8 | 12 => 2,
        0..=31 => 6,
        _ => 1,
    });
    sent.sum()
}

/// Returns the parameters that select the list's items, sorted.
fn selecting(parameters: &[(String, String)]) -> Vec<&(String, String)> {
    let selects =
        |name: &str, value: &str| !matches!(name, "limit" | "cursor") && !value.is_empty();
    let mut selecting: Vec<_> = parameters
        .iter()
        .filter(|(name, value)| selects(name, value))
        .collect();
    selecting.sort();
    selecting
}

/// Returns an item as JSON.
///
/// # Errors
/// When the item can't be serialized, which is a defect.
pub fn item(body: &impl Serialize) -> Result<Value, ApiError> {
    serde_json::to_value(body).map_err(ApiError::internal)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_size_of_a_body_is_that_of_the_string_that_lambda_sends(body in any::<String>()) {
            let sent = serde_json::to_string(&body).unwrap();
            prop_assert_eq!(sent_len(&body), sent.len() - "\"\"".len());
        }
    }
}
