//! The gateway's questions and our answers: HTTP APIs (payload format 2.0, simple responses) and REST
//! APIs (or payload format 1.0; policy documents). The event tells which.

use std::collections::HashMap;
use std::net::IpAddr;

use latchkey::domain::policy::{Obligation, Operation, Owner};
use latchkey::domain::verification::{Client, MAX_USER_AGENT, Presentation, SecretRecord};
use latchkey::http::bearer::bearer;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// A gateway's event, as far as it matters. A stage's name at the start of an HTTP API's path is not
/// part of the API's own path.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Event {
    /// REST APIs say `null` of a request without any.
    headers: Option<HashMap<String, String>>,
    /// HTTP APIs.
    raw_path: Option<String>,
    /// REST APIs.
    path: Option<String>,
    /// REST APIs.
    http_method: Option<String>,
    /// REST APIs: what a policy has to name.
    method_arn: Option<String>,
    request_context: Context,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Context {
    #[serde(default)]
    request_id: String,
    stage: Option<String>,
    http: Option<Http>,
    identity: Option<Identity>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Http {
    method: String,
    source_ip: IpAddr,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Identity {
    source_ip: IpAddr,
}

impl Event {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .flatten()
            .find(|(given, _)| given.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// The secret of `Authorization: Bearer <secret>`.
    pub(crate) fn secret(&self) -> Option<&str> {
        bearer(self.header("authorization")?)
    }

    /// What is asked for, and from where.
    pub(crate) fn presentation(&self) -> Option<Presentation> {
        let context = &self.request_context;
        let (method, path, ip) = match (&context.http, &context.identity) {
            (Some(http), _) => {
                let path = self.raw_path.as_deref()?;
                let stage = context
                    .stage
                    .as_deref()
                    .filter(|stage| *stage != "$default");
                let own = stage
                    .and_then(|stage| path.strip_prefix('/')?.strip_prefix(stage))
                    .filter(|rest| rest.starts_with('/'));
                (http.method.as_str(), own.unwrap_or(path), http.source_ip)
            }
            (None, Some(identity)) => (
                self.http_method.as_deref()?,
                self.path.as_deref()?,
                identity.source_ip,
            ),
            (None, None) => return None,
        };
        let operation = Some(Operation::of_request(method, path));
        Some(Presentation {
            ip,
            operation,
            owner: Owner::NotRead,
        })
    }

    /// Who asks, for the record of a use.
    pub(crate) fn client(&self) -> Client {
        let name = self
            .header("user-agent")
            .map(|name| name.chars().take(MAX_USER_AGENT).collect());
        Client {
            user_agent: name,
            request_id: self.request_context.request_id.clone(),
        }
    }

    /// The method that a REST API's policy names; `None` for HTTP APIs.
    pub(crate) fn method_arn(&self) -> Option<&str> {
        self.method_arn.as_deref()
    }
}

/// What the API behind the authorizer is told. Every value is a string: REST APIs allow nothing else.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Grant {
    account_id: String,
    token_id: String,
    kind: &'static str,
    integration_id: String,
    scope: &'static str,
    obligations: String,
}

impl Grant {
    pub(crate) fn new(secret: &SecretRecord, obligations: &[Obligation]) -> Self {
        let app = secret.integration_id.as_ref().map(ToString::to_string);
        Self {
            account_id: secret.account_id.to_string(),
            token_id: secret.token_id.to_string(),
            kind: secret.kind.as_str(),
            integration_id: app.unwrap_or_default(),
            scope: secret.scope.type_name(),
            obligations: json!(obligations).to_string(),
        }
    }
}

/// The answer in the form that the event's gateway wants.
pub(crate) fn answer(method_arn: Option<&str>, grant: Option<&Grant>) -> Value {
    let Some(arn) = method_arn else {
        return json!({"isAuthorized": grant.is_some(), "context": grant.map_or(json!({}), |grant| json!(grant))});
    };
    json!({
        "principalId": grant.map_or("anonymous", |grant| grant.token_id.as_str()),
        "policyDocument": {
            "Version": "2012-10-17",
            "Statement": [{
                "Action": "execute-api:Invoke",
                "Effect": if grant.is_some() { "Allow" } else { "Deny" },
                "Resource": arn,
            }],
        },
        "context": grant.map_or(json!({}), |grant| json!(grant)),
    })
}
