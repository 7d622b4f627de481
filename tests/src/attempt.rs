//! Requests to the local cloud with the credentials of a role.

use aws_credential_types::Credentials;
use reqwest::Method;
use serde_json::Value;

use crate::aws::send_until_served;
use crate::{Answer, Stack};

/// A request to one of AWS's APIs that may be refused.
#[derive(Debug, Clone)]
pub struct Attempt {
    /// The method.
    pub method: Method,
    /// The service that the signature names.
    pub service: String,
    /// The path, with a query.
    pub path: String,
    /// The headers.
    pub headers: Vec<(&'static str, &'static str)>,
    /// The header `X-Amz-Target`; empty for other protocols.
    pub target: String,
    /// The body.
    pub body: String,
}

impl Attempt {
    /// Creates a request to a service with a JSON protocol. `target` is the header `X-Amz-Target`.
    pub fn json(service: &str, target: &str, body: &Value) -> Self {
        Self {
            method: Method::POST,
            service: service.into(),
            path: "/".into(),
            headers: vec![("content-type", "application/x-amz-json-1.1")],
            target: target.into(),
            body: body.to_string(),
        }
    }

    /// Creates a request with the query protocol. The parameters' values must be percent-encoded.
    pub fn query(service: &str, version: &str, action: &str, parameters: &[(&str, &str)]) -> Self {
        let mut body = format!("Action={action}&Version={version}");
        for (name, value) in parameters {
            body.push_str(&format!("&{name}={value}"));
        }
        Self {
            method: Method::POST,
            service: service.into(),
            path: "/".into(),
            headers: vec![("content-type", "application/x-www-form-urlencoded")],
            target: String::new(),
            body,
        }
    }

    /// Creates a request to a service whose operations are methods and paths.
    pub fn rest(method: Method, service: &str, path: &str, body: &str) -> Self {
        Self {
            method,
            service: service.into(),
            path: path.into(),
            headers: vec![("content-type", "application/json")],
            target: String::new(),
            body: body.into(),
        }
    }
}

/// The credentials of a role.
#[derive(Debug, Clone)]
pub struct Session(Credentials);

impl Stack {
    /// Assumes a role as Lambda does for its function.
    ///
    /// # Panics
    /// If the local cloud refuses the request.
    pub async fn assume(&self, role_arn: &str) -> Session {
        let parameters = [("RoleArn", role_arn), ("RoleSessionName", "permissions")];
        let answer = self.query("sts", "2011-06-15", "AssumeRole", &parameters);
        let answer = answer.await;
        let part = |element: &str| {
            let (_, rest) = answer.split_once(&format!("<{element}>")).expect(element);
            rest.split('<').next().map(str::to_owned).expect(element)
        };
        let (id, secret) = (part("AccessKeyId"), part("SecretAccessKey"));
        let token = Some(part("SessionToken"));
        Session(Credentials::new(id, secret, token, None, "local cloud"))
    }

    /// Sends a request with a role's credentials. Returns the response, whatever it is.
    pub async fn attempt(&self, session: &Session, attempt: &Attempt) -> Answer {
        let mut headers: Vec<(&str, &str)> = attempt.headers.clone();
        if !attempt.target.is_empty() {
            headers.push(("x-amz-target", &attempt.target));
        }
        let request = self.signed_by(
            session.0.clone(),
            attempt.method.clone(),
            &attempt.service,
            &attempt.path,
            &headers,
            attempt.body.clone(),
        );
        send_until_served(request).await
    }
}
