//! Requests in the form in which the gateway sends them to a function.

use lambda_http::Request;
use latchkey::testing::Event;
use serde_json::{Value, json};

use crate::operations;

/// A request to an operation.
#[derive(Debug, Clone)]
pub struct Call {
    operation: &'static str,
    event: Event,
}

impl Call {
    /// A request to that path, with or without a query.
    ///
    /// # Panics
    /// No route matches.
    pub fn new(method: &str, path_and_query: &str) -> Self {
        let call = Self::find(method, path_and_query);
        call.unwrap_or_else(|| panic!("no route for {method} {path_and_query}"))
    }

    /// Like [`Call::new`], but `None` if no route matches. The gateway then answers 404 itself.
    pub fn find(method: &str, path_and_query: &str) -> Option<Self> {
        let (path, query) = path_and_query
            .split_once('?')
            .unwrap_or((path_and_query, ""));
        let operations = operations();
        let route = operations
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
        })
    }

    /// By that user.
    #[must_use]
    pub fn by(self, user: &str) -> Self {
        self.with(|event| event.by(user))
    }

    /// With that request id of the gateway.
    #[must_use]
    pub fn request_id(self, id: &str) -> Self {
        self.with(|event| event.request_id(id))
    }

    /// With that body.
    #[must_use]
    pub fn json(self, body: &Value) -> Self {
        self.text(&body.to_string())
            .header("content-type", "application/json")
    }

    /// With that form.
    #[must_use]
    pub fn form(self, form: &str) -> Self {
        self.text(form)
            .header("content-type", "application/x-www-form-urlencoded")
    }

    /// With that text as the body.
    #[must_use]
    pub fn text(self, body: &str) -> Self {
        self.with(|event| event.raw_body(body))
    }

    /// With that header. The name is in lower case.
    #[must_use]
    pub fn header(self, name: &str, value: &str) -> Self {
        self.with(|event| event.header(name, value))
    }

    /// For that token.
    #[must_use]
    pub fn token(self, id: &str) -> Self {
        self.with(|event| event.token(id))
    }

    /// With that secret of a token.
    #[must_use]
    pub fn bearer(self, secret: &str) -> Self {
        self.header("authorization", &format!("Bearer {secret}"))
    }

    /// The operation of the route.
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

/// The values of a template's parameters in a path; `None` if the path doesn't match.
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
