//! Requests, as the gateway sends them to a function.

use std::sync::LazyLock;

use lambda_http::Request;
use latchkey::domain::step_up::StepUp;
use latchkey::http::openapi::Operation;
use latchkey::testing::Event;
use serde_json::{Value, json};

use crate::operations;

/// The operations. To describe them all takes longer than most calls.
static OPERATIONS: LazyLock<Vec<Operation>> = LazyLock::new(operations);

/// A request to an operation.
#[derive(Debug, Clone)]
pub struct Call {
    operation: &'static str,
    event: Event,
    step_up: Option<StepUp>,
}

impl Call {
    /// Creates a request for a path, with or without a query.
    ///
    /// # Panics
    /// If no route has that path.
    pub fn new(method: &str, path_and_query: &str) -> Self {
        let call = Self::find(method, path_and_query);
        call.unwrap_or_else(|| panic!("no route for {method} {path_and_query}"))
    }

    /// Creates a request for a path; `None` if no route has it, and the gateway itself answers 404.
    pub fn find(method: &str, path_and_query: &str) -> Option<Self> {
        let (path, query) = path_and_query
            .split_once('?')
            .unwrap_or((path_and_query, ""));
        let route = OPERATIONS
            .iter()
            .filter(|operation| operation.method() == method)
            .find_map(|operation| Some((operation, parameters(operation.path(), path)?)));
        let (operation, parameters) = route?;
        let event = json!({
            "version": "2.0",
            "routeKey": format!("{method} {}", operation.path()),
            "rawPath": path,
            "rawQueryString": "",
            "headers": {"user-agent": "tests"},
            "requestContext": {
                "authorizer": {"jwt": {"claims": {"token_use": "access"}, "scopes": null}},
                "http": {"method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "192.0.2.1"},
                "requestId": "req-1",
                "stage": "$default",
            },
            "isBase64Encoded": false,
        });
        let event = parameters
            .into_iter()
            .fold(Event::sample(&event.to_string()), |event, (name, value)| {
                event.path(name, value)
            });
        let event = if query.is_empty() {
            event
        } else {
            event.query(query)
        };
        Some(Self {
            operation: operation.name(),
            event,
            step_up: None,
        })
    }

    /// Sets the signed-in person.
    #[must_use]
    pub fn by(self, user: &str) -> Self {
        self.with(|event| event.by(user))
    }

    /// Sets the gateway's id of the request.
    #[must_use]
    pub fn request_id(self, id: &str) -> Self {
        self.with(|event| event.request_id(id))
    }

    /// Sets a JSON body.
    #[must_use]
    pub fn json(self, body: &Value) -> Self {
        self.text(&body.to_string())
            .header("content-type", "application/json")
    }

    /// Sets a form as the body.
    #[must_use]
    pub fn form(self, form: &str) -> Self {
        self.text(form)
            .header("content-type", "application/x-www-form-urlencoded")
    }

    /// Sets a text as the body.
    #[must_use]
    pub fn text(self, body: &str) -> Self {
        self.with(|event| event.raw_body(body))
    }

    /// Sets any bytes as the body, in base64 as the gateway sends what it doesn't take for text.
    #[must_use]
    pub fn bytes(self, body: &[u8]) -> Self {
        self.with(|event| event.encoded_body(body))
    }

    /// Sets a header. `name` is in lower case.
    #[must_use]
    pub fn header(self, name: &str, value: &str) -> Self {
        self.with(|event| event.header(name, value))
    }

    /// Sets the token in the path.
    #[must_use]
    pub fn token(self, id: &str) -> Self {
        self.with(|event| event.token(id))
    }

    /// Sets a token's secret as the bearer token.
    #[must_use]
    pub fn bearer(self, secret: &str) -> Self {
        self.header("authorization", &format!("Bearer {secret}"))
    }

    /// Sets how recent the sign-in must be.
    #[must_use]
    pub fn step_up(self, step_up: StepUp) -> Self {
        Self {
            step_up: Some(step_up),
            ..self
        }
    }

    /// Returns how recent the sign-in must be.
    pub(crate) fn wanted_step_up(&self) -> Option<&StepUp> {
        self.step_up.as_ref()
    }

    /// Returns the name of the operation that the route leads to.
    pub fn operation(&self) -> &'static str {
        self.operation
    }

    pub(crate) fn request(&self) -> Request {
        self.event.request()
    }

    fn with(self, change: impl FnOnce(Event) -> Event) -> Self {
        Self {
            event: change(self.event),
            ..self
        }
    }
}

/// Returns the values of a template's parameters in a path; `None` if the path doesn't match.
fn parameters<'a>(template: &'static str, path: &'a str) -> Option<Vec<(&'static str, &'a str)>> {
    let (names, segments) = (template.split('/'), path.split('/'));
    if names.clone().count() != segments.clone().count() {
        return None;
    }
    let mut parameters = Vec::new();
    for (name, segment) in names.zip(segments) {
        match name
            .strip_prefix('{')
            .and_then(|name| name.strip_suffix('}'))
        {
            Some(parameter) => parameters.push((parameter, segment)),
            None if name == segment => {}
            None => return None,
        }
    }
    Some(parameters)
}
