//! A token's JSON.

use std::net::IpAddr;

use ipnet::IpNet;
use jiff::Timestamp;
use serde::Serialize;

use crate::domain::audit::Actor;
use crate::domain::auto_purge::AutoPurge;
use crate::domain::id::{AccountId, IntegrationId, TokenId};
use crate::domain::scope::Scope;
use crate::domain::token::{Kind, Status, Token};

/// A token as it is answered. It has no place for the secret.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TokenBody<'a> {
    id: &'a TokenId,
    account_id: &'a AccountId,
    kind: Kind,
    integration_id: Option<&'a IntegrationId>,
    name: &'a str,
    description: &'a str,
    auto_purge: AutoPurge,
    purge_at: Option<Timestamp>,
    scope: &'a Scope,
    allowed_cidrs: &'a [IpNet],
    status: Status,
    hint: &'a str,
    version: u64,
    created_at: Timestamp,
    created_by: &'a Actor,
    updated_at: Timestamp,
    updated_by: &'a Actor,
    revoked_at: Option<Timestamp>,
    revoked_by: Option<&'a Actor>,
    revocation_reason: Option<&'a str>,
    last_used_at: Option<Timestamp>,
    last_used_ip: Option<IpAddr>,
}

impl<'a> From<&'a Token> for TokenBody<'a> {
    fn from(token: &'a Token) -> Self {
        let revocation = token.revocation.as_ref();
        Self {
            id: &token.id,
            account_id: &token.account_id,
            kind: token.kind,
            integration_id: token.integration_id.as_ref(),
            name: &token.name,
            description: &token.description,
            auto_purge: token.auto_purge,
            purge_at: token.purge_at,
            scope: &token.scope,
            allowed_cidrs: &token.allowed_cidrs,
            status: token.status(),
            hint: &token.hint,
            version: token.version,
            created_at: token.created_at,
            created_by: &token.created_by,
            updated_at: token.updated_at,
            updated_by: &token.updated_by,
            revoked_at: revocation.map(|revocation| revocation.at),
            revoked_by: revocation.map(|revocation| &revocation.by),
            revocation_reason: revocation.and_then(|revocation| revocation.reason.as_deref()),
            last_used_at: token.last_use.map(|used| used.at),
            last_used_ip: token.last_use.map(|used| used.ip),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    #[test]
    fn the_json_is_that_of_the_contract() {
        insta::assert_json_snapshot!(TokenBody::from(&testing::token()));
    }
}
