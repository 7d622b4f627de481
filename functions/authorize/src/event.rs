//! The gateway's questions and our answers: HTTP APIs (payload format 2.0, simple responses) and REST
//! APIs (or payload format 1.0; policy documents). The event tells which.

use std::fmt;
use std::net::IpAddr;

use latchkey::app::verify::Client;
use latchkey::domain::policy::Obligation;
use latchkey::domain::verification::{Purpose, SecretRecord};
use latchkey::http::bearer::bearer;
use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::json;

/// A gateway's event, as far as it matters. A stage's name at the start of an HTTP API's path is not
/// part of the API's own path.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Event {
    /// REST APIs say `null` of a request without any.
    headers: Option<Headers>,
    /// HTTP APIs.
    raw_path: Option<String>,
    /// REST APIs.
    path: Option<String>,
    /// REST APIs.
    http_method: Option<String>,
    /// REST APIs: what a policy has to name.
    method_arn: Option<String>,
    request_context: RequestContext,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RequestContext {
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

/// The headers that matter, whose names have no case. The others are passed over without a copy: a client
/// sends many, and all of them come with every call.
#[derive(Default)]
struct Headers {
    authorization: Option<String>,
    user_agent: Option<String>,
}

impl<'de> Deserialize<'de> for Headers {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(HeadersVisitor)
    }
}

struct HeadersVisitor;

impl<'de> Visitor<'de> for HeadersVisitor {
    type Value = Headers;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("headers")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Headers, M::Error> {
        let mut headers = Headers::default();
        while let Some(name) = map.next_key()? {
            match name {
                Name::Authorization => headers.authorization = Some(map.next_value()?),
                Name::UserAgent => headers.user_agent = Some(map.next_value()?),
                Name::Other => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(headers)
    }
}

/// A header's name.
enum Name {
    Authorization,
    UserAgent,
    Other,
}

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(NameVisitor)
    }
}

struct NameVisitor;

impl Visitor<'_> for NameVisitor {
    type Value = Name;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a header's name")
    }

    fn visit_str<E>(self, name: &str) -> Result<Name, E> {
        Ok(if name.eq_ignore_ascii_case("authorization") {
            Name::Authorization
        } else if name.eq_ignore_ascii_case("user-agent") {
            Name::UserAgent
        } else {
            Name::Other
        })
    }
}

impl Event {
    /// The secret of `Authorization: Bearer <secret>`.
    pub(crate) fn secret(&self) -> Option<&str> {
        bearer(self.headers.as_ref()?.authorization.as_deref()?)
    }

    /// What is asked for, and by whom.
    pub(crate) fn request(&self) -> Option<(Purpose<'static>, Client<'_>)> {
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
                    // A domain of one's own leaves the stage out, and it may be called `v1` too.
                    .filter(|rest| rest.starts_with("/v1/"));
                (http.method.as_str(), own.unwrap_or(path), http.source_ip)
            }
            (None, Some(identity)) => (
                self.http_method.as_deref()?,
                self.path.as_deref()?,
                identity.source_ip,
            ),
            (None, None) => return None,
        };
        let headers = self.headers.as_ref();
        let client = Client {
            ip,
            user_agent: headers.and_then(|headers| headers.user_agent.as_deref()),
            request_id: &context.request_id,
        };
        Some((Purpose::of_http(method, path), client))
    }

    /// The method that a REST API's policy names; `None` for HTTP APIs.
    pub(crate) fn method_arn(&self) -> Option<&str> {
        self.method_arn.as_deref()
    }
}

/// What the API behind the authorizer is told. Every value is a string: REST APIs allow nothing else.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Grant {
    account_id: String,
    token_id: String,
    kind: &'static str,
    integration_id: String,
    scope: &'static str,
    obligations: String,
}

impl Grant {
    fn new(secret: &SecretRecord, obligations: &[Obligation]) -> Self {
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

/// What the gateway is told, in the form that it wants.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum Answer {
    /// For HTTP APIs.
    #[serde(rename_all = "camelCase")]
    Simple {
        /// Whether the call may go on.
        is_authorized: bool,
        /// What the API is told.
        context: Context,
    },
    /// For REST APIs.
    #[serde(rename_all = "camelCase")]
    Policy {
        /// Who calls.
        principal_id: String,
        /// Whether the call may go on.
        policy_document: PolicyDocument,
        /// What the API is told.
        context: Context,
    },
}

/// What the API is told: nothing about a call that it doesn't get.
#[derive(Debug, Serialize)]
#[serde(transparent)]
pub struct Context(Told);

#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Told {
    Grant(Grant),
    Nothing {},
}

/// A policy with one statement.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct PolicyDocument {
    version: &'static str,
    statement: [Statement; 1],
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Statement {
    action: &'static str,
    effect: &'static str,
    resource: String,
}

impl Answer {
    /// The call may go on. `method_arn` is what a REST API's policy has to name.
    pub(crate) fn allow(
        method_arn: Option<&str>,
        secret: &SecretRecord,
        obligations: &[Obligation],
    ) -> Self {
        let grant = Grant::new(secret, obligations);
        let principal = grant.token_id.clone();
        Self::new(method_arn, "Allow", principal, Told::Grant(grant))
    }

    /// It may not.
    pub(crate) fn deny(method_arn: Option<&str>) -> Self {
        Self::new(method_arn, "Deny", "anonymous".into(), Told::Nothing {})
    }

    fn new(
        method_arn: Option<&str>,
        effect: &'static str,
        principal_id: String,
        told: Told,
    ) -> Self {
        let is_authorized = matches!(told, Told::Grant(_));
        let context = Context(told);
        let Some(arn) = method_arn else {
            return Self::Simple {
                is_authorized,
                context,
            };
        };
        let statement = Statement {
            action: "execute-api:Invoke",
            effect,
            resource: arn.into(),
        };
        Self::Policy {
            principal_id,
            policy_document: PolicyDocument {
                version: "2012-10-17",
                statement: [statement],
            },
            context,
        }
    }
}
