//! The gateway's events and the authorizer's answers: for HTTP APIs (payload format 2.0, simple responses), and for
//! REST APIs or payload format 1.0 (policy documents). The event tells which.

use std::fmt;
use std::net::IpAddr;

use latchkey::app::verify::Client;
use latchkey::domain::policy::Obligation;
use latchkey::domain::verification::{Purpose, SecretRecord};
use latchkey::http::bearer::bearer;
use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::json;

/// A gateway's event, without the parts that don't matter. At the start of an HTTP API's path, the stage's name isn't
/// part of the API's own path.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Event {
    /// REST APIs send `null` for a request without headers.
    headers: Option<Headers>,
    /// Only HTTP APIs send it.
    raw_path: Option<String>,
    /// Only REST APIs send it.
    path: Option<String>,
    /// Only REST APIs send it.
    http_method: Option<String>,
    /// Only REST APIs send it: the method that a policy must name.
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

/// The headers that matter. Their names are compared without case. The others are skipped without a copy: clients send
/// many, and they come with every call.
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
    /// Returns the secret of `Authorization: Bearer <secret>`; `None` without such a header.
    pub(crate) fn secret(&self) -> Option<&str> {
        bearer(self.headers.as_ref()?.authorization.as_deref()?)
    }

    /// Returns what the call asks for, and who calls; `None` if the event is neither an HTTP API's nor a REST API's.
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
                    // With a custom domain name, the path doesn't contain the stage. The stage may also be called
                    // `v1`.
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

    /// Returns the ARN of the method, which a REST API's policy names; `None` for HTTP APIs.
    pub(crate) fn method_arn(&self) -> Option<&str> {
        self.method_arn.as_deref()
    }
}

/// What the API behind the authorizer receives. Every value is a string: REST APIs allow no other type.
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

/// The answer to the gateway, in the form that the gateway expects.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum Answer {
    /// For HTTP APIs.
    #[serde(rename_all = "camelCase")]
    Simple {
        /// Whether the call may proceed.
        is_authorized: bool,
        /// What the API receives.
        context: Context,
    },
    /// For REST APIs.
    #[serde(rename_all = "camelCase")]
    Policy {
        /// The caller: the token's id, or `anonymous`.
        principal_id: String,
        /// The statement that allows or denies the call.
        policy_document: PolicyDocument,
        /// What the API receives.
        context: Context,
    },
}

/// What the API receives. Empty if the call is denied.
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
    /// The answer that lets the call proceed. `method_arn` is the method that a REST API's policy must name; `None`
    /// for HTTP APIs.
    pub(crate) fn allow(
        method_arn: Option<&str>,
        secret: &SecretRecord,
        obligations: &[Obligation],
    ) -> Self {
        let grant = Grant::new(secret, obligations);
        let principal = grant.token_id.clone();
        Self::new(method_arn, "Allow", principal, Told::Grant(grant))
    }

    /// The answer that denies the call. `method_arn` is as in [`Answer::allow`].
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
