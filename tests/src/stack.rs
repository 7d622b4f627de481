//! The deployed stack and its HTTP APIs.

use std::path::{Path, PathBuf};
use std::{env, fs};

use reqwest::header::HeaderMap;
use reqwest::{Client, Method, RequestBuilder};
use serde_json::Value;

/// The `User-Agent` of the tests' client.
pub const USER_AGENT: &str = "latchkey-end-to-end/1.0";

/// The stack under test.
#[derive(Debug, Clone)]
pub struct Stack {
    pub(crate) http: Client,
    description: Value,
}

impl Stack {
    /// Reads the stack's description from the file in `LATCHKEY_STACK`.
    ///
    /// # Panics
    /// If the variable or the file is missing.
    pub fn from_env() -> Self {
        let file = env::var_os("LATCHKEY_STACK").map(PathBuf::from);
        Self::of(&file.expect("these tests need a local cloud: run `make test`"))
    }

    /// Reads a stack's description from a file.
    ///
    /// # Panics
    /// If the file is missing.
    pub fn of(file: &Path) -> Self {
        let text = fs::read_to_string(file)
            .unwrap_or_else(|error| panic!("{}: {error}; run `make test`", file.display()));
        let http = Client::builder().user_agent(USER_AGENT).build();
        Self {
            http: http.expect("a client"),
            description: serde_json::from_str(&text).expect("the stack's description is JSON"),
        }
    }

    /// Returns the folder with the local cloud's log, its data on disk and the files that it makes while it runs.
    ///
    /// # Panics
    /// If the variable is missing.
    pub fn folder(&self) -> PathBuf {
        let mut file = env::var_os("LATCHKEY_STACK")
            .map(PathBuf::from)
            .expect("a local cloud");
        file.pop();
        file
    }

    /// Returns a member of the stack's description, such as `tokensTable`.
    ///
    /// # Panics
    /// If there is none.
    pub fn get(&self, member: &str) -> &str {
        self.description[member]
            .as_str()
            .unwrap_or_else(|| panic!("the stack's description has no {member}"))
    }

    /// Returns a request to the management API.
    pub fn api(&self, method: Method, path: &str) -> RequestBuilder {
        let url = format!("{}{path}", self.get("apiUrl"));
        self.http.request(method, url)
    }

    /// Returns a request to the example API, which the authorizer protects.
    pub fn protected(&self, method: Method, path: &str) -> RequestBuilder {
        let url = format!("{}{path}", self.get("protectedApiUrl"));
        self.http.request(method, url)
    }

    /// Returns a request to the example API as a REST API.
    pub fn protected_rest(&self, method: Method, path: &str) -> RequestBuilder {
        let url = format!("{}{path}", self.get("protectedRestApiUrl"));
        self.http.request(method, url)
    }
}

/// A response with its whole body.
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
    /// Returns the body as JSON; `null` if it isn't JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_default()
    }

    /// Returns the body as JSON.
    ///
    /// # Panics
    /// If the response has another status.
    #[track_caller]
    pub fn expect(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.text);
        self.json()
    }

    /// Returns a header's value; an empty text if it is missing.
    pub fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name);
        value
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    }

    /// Whether an error has the right media type: that of problems, or JSON for OAuth's errors.
    pub fn is_declared(&self) -> bool {
        let code = self.code();
        let oauth = matches!(code.as_str(), "invalid_client" | "invalid_request");
        let json = if oauth { "json" } else { "problem+json" };
        self.header("content-type") == format!("application/{json}")
    }

    /// Returns the stable code of a problem; an empty text if it has none.
    pub fn code(&self) -> String {
        self.json()["code"].as_str().unwrap_or_default().to_owned()
    }
}

/// Sends a request and reads the whole response.
///
/// # Panics
/// If there is no response.
pub async fn send(request: RequestBuilder) -> Answer {
    let response = request.send().await.expect("an answer");
    Answer {
        status: response.status().as_u16(),
        headers: response.headers().clone(),
        text: response.text().await.expect("a body"),
    }
}
