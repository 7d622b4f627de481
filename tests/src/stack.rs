//! The deployed stack and its HTTP APIs.

use std::path::PathBuf;
use std::{env, fs};

use reqwest::header::HeaderMap;
use reqwest::{Client, Method, RequestBuilder};
use serde_json::Value;

/// The user agent of the tests' client.
pub const USER_AGENT: &str = "latchkey-end-to-end/1.0";

/// The stack under test.
#[derive(Debug, Clone)]
pub struct Stack {
    pub(crate) http: Client,
    description: Value,
}

impl Stack {
    /// The stack that `LATCHKEY_STACK` describes.
    ///
    /// # Panics
    /// The variable isn't set, or the description can't be read.
    pub fn from_env() -> Self {
        let file = env::var_os("LATCHKEY_STACK").map(PathBuf::from);
        let file = file.expect("these tests need a local cloud: run `make test`");
        let text = fs::read_to_string(&file)
            .unwrap_or_else(|error| panic!("{}: {error}; run `make test`", file.display()));
        let http = Client::builder().user_agent(USER_AGENT).build();
        Self {
            http: http.expect("a client"),
            description: serde_json::from_str(&text).expect("the stack's description is JSON"),
        }
    }

    /// A member of the stack's description, such as `tokensTable`.
    ///
    /// # Panics
    /// There is no such member.
    pub fn get(&self, member: &str) -> &str {
        self.description[member]
            .as_str()
            .unwrap_or_else(|| panic!("the stack's description has no {member}"))
    }

    /// A request to the management API.
    pub fn api(&self, method: Method, path: &str) -> RequestBuilder {
        let url = format!("{}{path}", self.get("apiUrl"));
        self.http.request(method, url)
    }

    /// A request to the example API, which the authorizer protects.
    pub fn protected(&self, method: Method, path: &str) -> RequestBuilder {
        let url = format!("{}{path}", self.get("protectedApiUrl"));
        self.http.request(method, url)
    }

    /// A request to the example API as a REST API.
    pub fn protected_rest(&self, method: Method, path: &str) -> RequestBuilder {
        let url = format!("{}{path}", self.get("protectedRestApiUrl"));
        self.http.request(method, url)
    }
}

/// An answer, read completely.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub text: String,
}

impl Answer {
    /// The body as JSON; `null` if it isn't JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_default()
    }

    /// The JSON of an answer, which must have that status.
    ///
    /// # Panics
    /// The answer has another status.
    #[track_caller]
    pub fn expect(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.text);
        self.json()
    }

    /// The value of a header; empty if it is missing.
    pub fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name);
        value
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    }

    /// Whether an error has the right media type: that of a problem, or JSON where OAuth requires it.
    pub fn is_declared(&self) -> bool {
        let code = self.code();
        let oauth = matches!(code.as_str(), "invalid_client" | "invalid_request");
        let json = if oauth { "json" } else { "problem+json" };
        self.header("content-type") == format!("application/{json}")
    }

    /// The stable code of a problem; empty if it has none.
    pub fn code(&self) -> String {
        self.json()["code"].as_str().unwrap_or_default().to_owned()
    }
}

/// Sends a request and reads the answer.
///
/// # Panics
/// There is no answer.
pub async fn send(request: RequestBuilder) -> Answer {
    let response = request.send().await.expect("an answer");
    Answer {
        status: response.status().as_u16(),
        headers: response.headers().clone(),
        text: response.text().await.expect("a body"),
    }
}
