//! Tokens as JSON.

use std::net::IpAddr;

use ipnet::IpNet;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use super::openapi::schema::{Cidr, DateTime};
use crate::domain::actor::Actor;
use crate::domain::auto_purge::AutoPurge;
use crate::domain::id::{AccountId, IntegrationId, TokenId};
use crate::domain::kind::Kind;
use crate::domain::scope::Scope;
use crate::domain::token::{Status, Token};

/// A token, without its secret.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Token")]
pub struct TokenBody<'a> {
    /// The token's id. It stays the same when the secret is replaced.
    id: &'a TokenId,
    account_id: &'a AccountId,
    kind: Kind,
    /// The Integration App of an Integration App token, else `null`.
    integration_id: Option<&'a IntegrationId>,
    /// The name, for people.
    name: &'a str,
    /// What the token is for; may be empty.
    description: &'a str,
    /// The chosen lifetime.
    auto_purge: AutoPurge,
    /// When the token ends; `null` if never.
    purge_at: Option<DateTime>,
    scope: &'a Scope,
    /// The address ranges from which it may be used. Empty: everywhere.
    #[schemars(with = "Vec<Cidr>")]
    allowed_cidrs: &'a [IpNet],
    status: Status,
    /// The current secret's last four characters.
    hint: &'a str,
    /// The version, which each change raises by one. The `ETag` is made of it.
    version: u64,
    /// When the token was created.
    created_at: DateTime,
    created_by: &'a Actor,
    /// When the token was last changed.
    updated_at: DateTime,
    updated_by: &'a Actor,
    /// When the token was revoked; `null` while it is active.
    revoked_at: Option<DateTime>,
    revoked_by: Option<&'a Actor>,
    /// Why the token was revoked, if a reason was given.
    revocation_reason: Option<&'a str>,
    /// When the current secret was reported as leaked, or revoked by its holder. The token needs a new secret
    /// before it can be reactivated.
    compromised_at: Option<DateTime>,
    /// The replaced secret, while it still works.
    previous_secret: Option<PreviousSecretBody<'a>>,
    /// The latest recorded use. Only the first use of a day from an address is recorded.
    last_used_at: Option<DateTime>,
    /// The address of that use.
    last_used_ip: Option<IpAddr>,
}

/// A replaced secret that still works.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "PreviousSecret")]
struct PreviousSecretBody<'a> {
    /// Its last four characters; empty if they weren't stored.
    hint: &'a str,
    /// The time from which it is refused.
    valid_until: DateTime,
}

impl<'a> TokenBody<'a> {
    /// A token as it is at `now`.
    pub fn at(token: &'a Token, now: Timestamp) -> Self {
        let revocation = token.revocation.as_ref();
        Self {
            id: &token.id,
            account_id: &token.account_id,
            kind: token.kind,
            integration_id: token.integration_id.as_ref(),
            name: &token.name,
            description: &token.description,
            auto_purge: token.auto_purge,
            purge_at: token.purge_at.map(DateTime),
            scope: &token.scope,
            allowed_cidrs: &token.allowed_cidrs,
            status: token.status(),
            hint: &token.hint,
            version: token.version,
            created_at: DateTime(token.created_at),
            created_by: &token.created_by,
            updated_at: DateTime(token.updated_at),
            updated_by: &token.updated_by,
            revoked_at: revocation.map(|revocation| DateTime(revocation.at)),
            revoked_by: revocation.map(|revocation| &revocation.by),
            revocation_reason: revocation.and_then(|revocation| revocation.reason.as_deref()),
            compromised_at: token.compromised.map(|ended| DateTime(ended.at)),
            previous_secret: token
                .previous_secret
                .as_ref()
                .filter(|previous| now < previous.valid_until)
                .map(|previous| PreviousSecretBody {
                    hint: &previous.hint,
                    valid_until: DateTime(previous.valid_until),
                }),
            last_used_at: token.last_use.map(|used| DateTime(used.at)),
            last_used_ip: token.last_use.map(|used| used.ip),
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;
    use crate::domain::token::PreviousSecret;
    use crate::testing;

    #[test]
    fn the_json_is_that_of_the_contract() {
        insta::assert_json_snapshot!(TokenBody::at(&testing::token(), testing::now()));
    }

    #[test]
    fn a_replaced_secret_is_told_until_it_ends() {
        let mut token = testing::token();
        let end = testing::now() + SignedDuration::from_secs(1);
        token.previous_secret = Some(PreviousSecret {
            hint: "ab12".into(),
            valid_until: end,
        });
        let told = |now| TokenBody::at(&token, now).previous_secret.is_some();
        assert!(told(testing::now()));
        assert!(!told(end));
    }
}
