//! An answer as a client sees it.

use lambda_http::http::HeaderMap;
use lambda_http::{Body, Response};
use serde_json::Value;

use crate::http::ApiError;

/// An answer as a function returns it.
#[derive(Debug)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The body as text.
    pub text: String,
    /// The body's JSON; `null` if it isn't JSON.
    pub json: Value,
    headers: HeaderMap,
}

impl Answer {
    /// The answer for a handler's result. Checks what every answer must fulfil: no cache may store it, and an error is
    /// a problem document with the status.
    pub fn of(result: Result<Response<Body>, ApiError>) -> Self {
        let (parts, body) = result
            .unwrap_or_else(|error| error.respond("req-1"))
            .into_parts();
        let text = match body {
            Body::Text(text) => text,
            Body::Empty => String::new(),
            _ => panic!("not a text: {body:?}"),
        };
        let answer = Self {
            status: parts.status.as_u16(),
            json: serde_json::from_str(&text).unwrap_or_default(),
            text,
            headers: parts.headers,
        };
        assert_eq!(answer.header("cache-control"), "no-store");
        if answer.status >= 400 {
            let oauth = matches!(answer.outcome().1, "invalid_client" | "invalid_request");
            let json = if oauth { "json" } else { "problem+json" };
            let media_type = answer.header("content-type").to_owned();
            assert_eq!(media_type, format!("application/{json}"));
            assert_eq!(answer.json["status"], answer.status);
        }
        answer
    }

    /// The value of a header; empty if there is none.
    pub fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }

    /// The status and the problem's code; a success has an empty code.
    pub fn outcome(&self) -> (u16, &str) {
        (self.status, self.json["code"].as_str().unwrap_or_default())
    }

    /// Field and code of every validation failure, in the answer's order.
    pub fn failures(&self) -> Vec<(&str, &str)> {
        let errors = self.json["errors"].as_array().into_iter().flatten();
        errors
            .map(|error| {
                assert!(error["message"].is_string(), "{error}");
                (
                    error["field"].as_str().unwrap(),
                    error["code"].as_str().unwrap(),
                )
            })
            .collect()
    }

    /// The query of the link to the next page, if there is one.
    pub fn next(&self) -> Option<&str> {
        let link = self.header("link").strip_suffix(">; rel=\"next\"")?;
        link.split_once('?').map(|(_, query)| query)
    }
}
