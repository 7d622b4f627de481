//! The sample events of `events/`, with modifications for tests.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::{SignedDuration, Timestamp};
use lambda_http::Request;
use serde_json::{Value, json};

use super::samples::now;
use crate::http::gateway;

/// A gateway event from which a request is made.
#[derive(Debug, Clone)]
pub struct Event(Value);

impl Event {
    /// The sample event in that JSON.
    pub fn sample(json: &str) -> Self {
        Self(serde_json::from_str(json).unwrap())
    }

    /// Signed in as that user.
    pub fn by(mut self, user: &str) -> Self {
        self.0["requestContext"]["authorizer"]["jwt"]["claims"]["sub"] = json!(user);
        self
    }

    /// With that claim.
    pub fn claim(mut self, name: &str, value: &str) -> Self {
        self.0["requestContext"]["authorizer"]["jwt"]["claims"][name] = json!(value);
        self
    }

    /// Signed in at that time.
    pub fn signed_in_at(self, time: Timestamp) -> Self {
        self.claim("auth_time", &time.as_second().to_string())
    }

    /// Sent by the API tokens page in a browser.
    pub fn through_page(self) -> Self {
        self.claim("client_id", "console")
            .header("sec-fetch-site", "same-origin")
    }

    /// With that request id of the gateway.
    pub fn request_id(mut self, id: &str) -> Self {
        self.0["requestContext"]["requestId"] = json!(id);
        self
    }

    /// Not signed in.
    pub fn without_claims(mut self) -> Self {
        self.0["requestContext"]["authorizer"] = json!({});
        self
    }

    /// The same request for versions of the token other than `version`, each with the status and code that it must get.
    pub fn for_other_versions(&self, version: u64) -> [(Self, (u16, &'static str)); 4] {
        let other = if version == 1 { 2 } else { 1 };
        [
            format!("\"{other}\""),
            version.to_string(),
            format!("W/\"{version}\""),
            String::new(),
        ]
        .map(|tag| {
            let event = self.clone().header("if-match", &tag);
            (event, (412, "version_mismatch"))
        })
    }

    /// The same request by every kind of user without access to the account, each with the status and code that it must
    /// get.
    pub fn by_the_unauthorized(&self) -> [(Self, (u16, &'static str)); 9] {
        let event = || self.clone();
        [
            (event().by("owner-2"), (404, "account_not_found")),
            (event().account("globex"), (404, "account_not_found")),
            (event().account("initech"), (404, "account_not_found")),
            (event().account("no id"), (404, "account_not_found")),
            (event().by("manage-1"), (403, "role_required")),
            (event().by("monitor-1"), (403, "role_required")),
            (event().by("no#id"), (401, "access_token_required")),
            (
                event().claim("token_use", "id"),
                (401, "access_token_required"),
            ),
            (event().without_claims(), (401, "access_token_required")),
        ]
    }

    /// The same request with every kind of sign-in that isn't recent at [`now`] if the largest age is 300 seconds and
    /// the claim is `auth_time`.
    pub fn with_old_sign_ins(&self) -> [Self; 5] {
        let event = || self.clone();
        let future = now() + SignedDuration::from_secs(301);
        [
            event(),
            event().signed_in_at(now() - SignedDuration::from_secs(301)),
            event().signed_in_at(future),
            event().claim("auth_time", "recently"),
            event().claim("iat", &now().as_second().to_string()),
        ]
    }

    /// For that account.
    pub fn account(self, account: &str) -> Self {
        self.path("accountId", account)
    }

    /// For that token.
    pub fn token(self, token: &str) -> Self {
        self.path("tokenId", token)
    }

    /// With that path parameter.
    pub fn path(mut self, name: &str, value: &str) -> Self {
        self.0["pathParameters"][name] = json!(value);
        self
    }

    /// With that query.
    pub fn query(mut self, query: &str) -> Self {
        self.0["rawQueryString"] = json!(query);
        let parameters: serde_json::Map<_, _> = query
            .split('&')
            .filter_map(|pair| pair.split_once('='))
            .map(|(name, value)| (name.to_owned(), json!(value)))
            .collect();
        self.0["queryStringParameters"] = Value::Object(parameters);
        self
    }

    /// With that header. The name is in lower case, as the gateway sends it.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.0["headers"][name] = json!(value);
        self
    }

    /// Without that header.
    pub fn without_header(mut self, name: &str) -> Self {
        self.0["headers"].as_object_mut().unwrap().remove(name);
        self
    }

    /// With that body.
    pub fn body(mut self, body: &Value) -> Self {
        self.0["body"] = json!(body.to_string());
        self
    }

    /// With that text as the body.
    pub fn raw_body(mut self, body: &str) -> Self {
        self.0["body"] = json!(body);
        self.0["isBase64Encoded"] = json!(false);
        self
    }

    /// With that body in base64, as the gateway sends whatever it doesn't take for text, such as forms.
    pub fn encoded_body(mut self, body: &[u8]) -> Self {
        self.0["body"] = json!(STANDARD.encode(body));
        self.0["isBase64Encoded"] = json!(true);
        self
    }

    /// Without a body.
    pub fn without_body(mut self) -> Self {
        self.0.as_object_mut().unwrap().remove("body");
        self
    }

    /// The request that a function receives.
    pub fn request(&self) -> Request {
        gateway::request(&self.0.to_string()).unwrap()
    }
}
