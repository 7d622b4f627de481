//! Audit records as JSON.

use std::net::IpAddr;

use schemars::JsonSchema;
use serde::Serialize;

use super::openapi::schema::DateTime;
use crate::domain::action::Action;
use crate::domain::actor::Actor;
use crate::domain::audit::{AuditRecord, Change, Source};
use crate::domain::client::client_name;
use crate::domain::id::{AuditId, TokenId};

/// An audit record.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "AuditRecord")]
pub struct AuditBody<'a> {
    id: &'a AuditId,
    /// When it happened.
    time: DateTime,
    action: Action,
    source: Source,
    user: &'a Actor,
    resource: ResourceBody<'a>,
    /// What changed, if anything did.
    changes: &'a [Change],
    /// The caller's address.
    ip: Option<IpAddr>,
    /// The address of the token's bearer, as claimed by the API that asked about the token.
    asserted_ip: Option<IpAddr>,
    /// The user agent of the caller, as claimed.
    user_agent: Option<&'a str>,
    /// The client of that user agent in words, as claimed: such as "Chrome 126 on Windows". `null` if it names nothing.
    client: Option<String>,
    /// The request's id in the logs.
    request_id: &'a str,
}

/// The resource of the action.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "AuditedResource")]
struct ResourceBody<'a> {
    #[serde(rename = "type")]
    #[schemars(extend("const" = "apiToken"))]
    kind: &'static str,
    id: &'a TokenId,
    /// Its name at that time.
    name: &'a str,
}

impl<'a> From<&'a AuditRecord> for AuditBody<'a> {
    fn from(record: &'a AuditRecord) -> Self {
        Self {
            id: &record.id,
            time: DateTime(record.time),
            action: record.action,
            source: record.origin.source,
            user: &record.origin.actor,
            resource: ResourceBody {
                kind: "apiToken",
                id: &record.token_id,
                name: &record.token_name,
            },
            changes: &record.changes,
            ip: record.origin.ip,
            asserted_ip: record.asserted_ip,
            user_agent: record.origin.user_agent.as_deref(),
            client: record.origin.user_agent.as_deref().and_then(client_name),
            request_id: &record.origin.request_id,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    #[test]
    fn the_json_is_that_of_the_contract() {
        let mut record = testing::audit(Action::Update, &testing::token(), testing::now(), 7);
        record.changes = vec![Change::new("name", Some("old".into()), Some("new".into()))];
        insta::assert_json_snapshot!(AuditBody::from(&record));
    }
}
