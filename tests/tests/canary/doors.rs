//! Requests to every route of the one list, with a secret wherever a careless person can put one.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use end_to_end::{Account, Answer, send};
use futures_util::{StreamExt, stream};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use crate::routes::{Description, Route};

/// How many requests are sent at once.
const AT_ONCE: usize = 8;

/// The headers that clients and proxies set. None of them has an effect here.
const HEADERS: [&str; 14] = [
    "user-agent",
    "x-forwarded-for",
    "forwarded",
    "x-real-ip",
    "referer",
    "cookie",
    "from",
    "accept-language",
    "x-request-id",
    "x-correlation-id",
    "x-amzn-trace-id",
    "x-api-key",
    "traceparent",
    "x-canary",
];

/// The headers that mean something. Where they may be refused, each comes alone.
const MEANINGFUL: [&str; 7] = [
    "accept",
    "accept-encoding",
    "idempotency-key",
    "if-match",
    "if-none-match",
    "content-encoding",
    "origin",
];

/// The largest accepted body is 64 KiB.
const OVERSIZED: usize = 70_000;

/// A request with a secret in it.
pub(crate) struct Door {
    /// The route's name.
    pub(crate) route: String,
    /// Where the secret is.
    pub(crate) place: String,
    request: RequestBuilder,
}

/// An answer to a request with a secret in it.
pub(crate) struct Answered {
    pub(crate) route: String,
    pub(crate) place: String,
    pub(crate) answer: Answer,
}

/// A token to plant the secret of.
pub(crate) struct Planted {
    pub(crate) token: String,
    pub(crate) secret: String,
}

/// The doors of one route.
pub(crate) struct Doors<'a> {
    pub(crate) account: &'a Account,
    pub(crate) description: &'a Description,
    pub(crate) route: &'a Route,
    pub(crate) planted: &'a Planted,
    /// The secret of another token with full access, for routes that take one.
    pub(crate) bearer: &'a str,
    /// Counts the disguises.
    pub(crate) turn: usize,
}

/// A query with these parameters.
pub(crate) fn asked(parameters: &[(String, String)]) -> String {
    let encode = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    let pairs = parameters
        .iter()
        .map(|(name, value)| format!("{}={}", encode(name), encode(value)));
    format!("?{}", pairs.collect::<Vec<_>>().join("&"))
}

/// A secret, as careless people and programs write it. `turn` chooses how.
pub(crate) fn disguised(planted: &Planted, turn: usize) -> String {
    let Planted { token, secret } = planted;
    match turn % 6 {
        0 => secret.clone(),
        1 => secret
            .chars()
            .map(|c| format!("%{:02X}", u32::from(c)))
            .collect(),
        2 => STANDARD.encode(format!("Bearer {secret}")),
        3 => URL_SAFE.encode(format!("{token}:{secret}")),
        4 => format!("https://api.example/?token={secret}&x=1"),
        _ => format!("export TOKEN_{secret}_prod"),
    }
}

impl Doors<'_> {
    /// Returns all requests.
    pub(crate) fn open(mut self) -> Vec<Door> {
        let mut doors = Vec::new();
        self.headers(&mut doors);
        self.addresses(&mut doors);
        if self.route.has_body() {
            self.bodies(&mut doors);
        }
        doors
    }

    fn next(&mut self) -> String {
        self.turn += 1;
        disguised(self.planted, self.turn)
    }

    fn door(&self, place: impl Into<String>, request: RequestBuilder) -> Door {
        Door {
            route: self.route.name.clone(),
            place: place.into(),
            request,
        }
    }

    /// The path, with the value of each parameter.
    fn path(&self, value: impl Fn(&str) -> Option<String>) -> String {
        let mut path = self.route.path().to_owned();
        for name in self.route.parameters() {
            let own = match name {
                "accountId" => self.account.id.clone(),
                "tokenId" => self.planted.token.clone(),
                _ => "canary".to_owned(),
            };
            let value = value(name).unwrap_or(own);
            for braced in [format!("{{{name}}}"), format!("{{{name}+}}")] {
                path = path.replace(&braced, &value);
            }
        }
        path
    }

    fn to(&self, path: &str) -> RequestBuilder {
        let method = Method::from_bytes(self.route.method().as_bytes()).expect("a method");
        self.account.stack.api(method, path)
    }

    /// A request as it should be, without its body.
    fn bare(&self, path: &str) -> RequestBuilder {
        let request = self.to(path);
        match self.route.caller.as_str() {
            "administrator" | "person" => request
                .bearer_auth(&self.account.owner.access)
                .header("sec-fetch-site", "same-origin"),
            "token" | "api" => request.bearer_auth(self.bearer),
            _ => request,
        }
    }

    /// A body that the route accepts.
    fn body(&self) -> Value {
        if self.route.name == "create-token" {
            return json!({"name": "Canary", "autoPurge": "1h", "scope": {"type": "full"}});
        }
        let mut body = self.description.example(self.route);
        for secret in ["token", "client_secret"] {
            if body.get(secret).is_some() {
                // Of the right form, and nobody's.
                body[secret] = json!("lka_9zuQWWzsuUItctynUYyncDlKI5ZTuPizoWXgXaviRS63nAJ1Y");
            }
        }
        body
    }

    fn is_form(&self) -> bool {
        self.description.media_type(self.route).contains("form")
    }

    fn with_body(&self, request: RequestBuilder, body: &Value) -> RequestBuilder {
        if !self.route.has_body() {
            request
        } else if self.is_form() {
            request.form(body)
        } else {
            request.json(body)
        }
    }

    fn raw(&self, body: String) -> RequestBuilder {
        let kind = self.description.media_type(self.route);
        let request = self.bare(&self.path(|_| None));
        request.header("content-type", kind).body(body)
    }

    fn good(&self) -> RequestBuilder {
        self.with_body(self.bare(&self.path(|_| None)), &self.body())
    }

    fn headers(&mut self, doors: &mut Vec<Door>) {
        let mut request = self.good();
        for name in HEADERS {
            request = request.header(name, self.next());
        }
        doors.push(self.door("headers", request));
        if !self.route.has_body() {
            let mut request = self.good();
            for name in MEANINGFUL {
                request = request.header(name, self.next());
            }
            doors.push(self.door("headers with a meaning", request));
        }
        if self.route.has_body() {
            for name in MEANINGFUL {
                let request = self.good().header(name, self.next());
                doors.push(self.door(name, request));
            }
            let request = self.bare(&self.path(|_| None));
            let request = request.header("content-type", self.next());
            let request = request.body(self.body().to_string());
            doors.push(self.door("content-type", request));
        }
        let path = self.path(|_| None);
        let Planted { token, secret } = self.planted;
        for (place, request) in [
            ("as the bearer", self.to(&path).bearer_auth(secret)),
            (
                "as the password",
                self.to(&path).basic_auth(token, Some(secret)),
            ),
            (
                "as the user name",
                self.to(&path).basic_auth(secret, None::<&str>),
            ),
            (
                "as the whole authorization",
                self.to(&path).header("authorization", secret),
            ),
        ] {
            let request = self.with_body(request, &self.body());
            doors.push(self.door(place, request));
        }
    }

    fn addresses(&mut self, doors: &mut Vec<Door>) {
        for name in self.route.parameters() {
            let secret = self.next().replace(['/', '?', '&'], "-");
            let path = self.path(|each| (each == name).then(|| secret.clone()));
            let request = self.with_body(self.bare(&path), &self.body());
            doors.push(self.door(format!("path parameter {name}"), request));
        }
        let path = format!(
            "{}/{}",
            self.path(|_| None).trim_end_matches('/'),
            self.planted.secret
        );
        doors.push(self.door(
            "path segment",
            self.with_body(self.bare(&path), &self.body()),
        ));
        let plain = self.path(|_| None);
        let ask = |query: &[(String, String)]| {
            let request = self.bare(&format!("{plain}{}", asked(query)));
            self.with_body(request, &self.body())
        };
        let pair = |name: &str, value: String| [(name.to_owned(), value)];
        let mut asked = vec![
            (
                "query".to_owned(),
                ask(&pair("canary", disguised(self.planted, self.turn))),
            ),
            (
                "query parameter's name".to_owned(),
                ask(&pair(&self.planted.secret, "1".to_owned())),
            ),
        ];
        for (name, turn) in self
            .description
            .query(self.route)
            .into_iter()
            .zip(self.turn..)
        {
            let value = disguised(self.planted, turn);
            asked.push((format!("query parameter {name}"), ask(&pair(&name, value))));
        }
        self.turn += asked.len();
        let asked = asked.into_iter();
        doors.extend(asked.map(|(place, request)| self.door(place, request)));
    }

    fn bodies(&mut self, doors: &mut Vec<Door>) {
        let secret = self.planted.secret.clone();
        let body = self.body();
        for (place, text) in [
            ("malformed body", format!("{{\"name\": \"{secret}")),
            ("body that is a word", secret.clone()),
            ("body that is a string", json!(secret).to_string()),
            ("body that is a list", json!([secret]).to_string()),
            ("member's name", json!({&secret: 1}).to_string()),
            (
                "member twice",
                format!("{{\"{secret}\": 1, \"{secret}\": 2}}"),
            ),
            ("form", format!("token={secret}&{secret}=1&token={secret}")),
            (
                "oversized body",
                json!({"name": secret, "rest": "x".repeat(OVERSIZED)}).to_string(),
            ),
        ] {
            doors.push(self.door(place, self.raw(text)));
        }
        let request = self
            .good()
            .header("content-type", "text/plain")
            .body(secret.clone());
        doors.push(self.door("body of another type", request));
        let mut members = self.description.members(self.route);
        members.push("canary".to_owned());
        for member in members {
            let mut body = body.clone();
            body[&member] = json!(self.next());
            let request = self.with_body(self.bare(&self.path(|_| None)), &body);
            doors.push(self.door(format!("member {member}"), request));
        }
        if body.get("scope").is_some() {
            let mut body = body;
            body["scope"] =
                json!({"type": "custom", "exports": [self.next(), secret], &secret: [1]});
            let request = self.with_body(self.bare(&self.path(|_| None)), &body);
            doors.push(self.door("member scope's lists", request));
        }
    }
}

/// Sends all requests, some at once.
pub(crate) async fn send_all(doors: Vec<Door>) -> Vec<Answered> {
    let sent = doors.into_iter().map(|door| async move {
        let Door {
            route,
            place,
            request,
        } = door;
        let answer = send(request).await;
        Answered {
            route,
            place,
            answer,
        }
    });
    stream::iter(sent).buffer_unordered(AT_ONCE).collect().await
}

/// Returns the routes of a list without a request in each place, or whose function answered none.
pub(crate) fn unplanted<'a>(routes: &'a [Route], answers: &[Answered]) -> Vec<&'a str> {
    let reached = |route: &&Route| {
        let mut places = vec!["headers", "as the bearer", "path segment", "query"];
        if route.has_body() {
            places.extend(["malformed body", "oversized body", "member canary"]);
        }
        let parameters = route.parameters().into_iter();
        let parameters: Vec<_> = parameters
            .map(|name| format!("path parameter {name}"))
            .collect();
        places.extend(parameters.iter().map(String::as_str));
        places.iter().all(|place| {
            answers.iter().any(|each| {
                let answered = *place != "headers" || is_answered(route, each.answer.status);
                each.route == route.name && each.place == *place && answered
            })
        })
    };
    let missing = routes.iter().filter(|route| !reached(route));
    missing.map(|route| route.name.as_str()).collect()
}

/// Whether a request as it should be came to the function, and not to an end at the gateway or at the first check.
fn is_answered(route: &Route, status: u16) -> bool {
    match status {
        // GitHub alone signs; the suite signs reports elsewhere.
        403 => route.caller == "scanner",
        // There is no such file. The text is the function's.
        404 => route.path().contains("{file+}"),
        401 | 405 | 500.. => false,
        _ => true,
    }
}
