//! The response's body: RFC 7662's members, and those of Latchkey.

use std::borrow::Cow;

use jiff::Timestamp;
use latchkey::domain::id::{AccountId, IntegrationId, TokenId};
use latchkey::domain::kind::Kind;
use latchkey::domain::scope::Scope;
use latchkey::domain::verification::SecretRecord;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Serialize;
use serde_json::json;

/// The body for a token that works. RFC 7662 defines the names in snake case, Latchkey the others.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ActiveToken")]
pub(crate) struct ActiveBody<'a> {
    /// Whether the token works. If not, there are no other members.
    active: bool,
    /// `full`, or each listed resource as `exports:exp_1`, with spaces between them.
    scope: String,
    /// The token's id, which is also its client id.
    client_id: &'a TokenId,
    /// `Bearer`.
    token_type: &'static str,
    /// When this secret ends, in seconds since 1970. Missing if never.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "i64")]
    exp: Option<i64>,
    /// When the token was created, in seconds since 1970.
    iat: i64,
    /// The account for which the token acts.
    sub: &'a AccountId,
    /// The token's id. It stays the same when the secret is replaced.
    jti: &'a TokenId,
    #[serde(rename = "accountId")]
    account_id: &'a AccountId,
    #[serde(rename = "tokenId")]
    token_id: &'a TokenId,
    kind: Kind,
    /// The Integration App of an Integration App token, else `null`.
    #[serde(rename = "integrationId")]
    integration_id: Option<&'a IntegrationId>,
    /// The scope in the form of the token's own JSON.
    #[serde(rename = "scopeDetail")]
    scope_detail: &'a Scope,
}

/// The body for a token that doesn't work. It doesn't say why.
#[derive(Serialize)]
pub(crate) struct InactiveBody {
    pub(crate) active: bool,
}

/// The response's body.
#[derive(Serialize)]
#[serde(untagged)]
pub(crate) enum IntrospectionBody<'a> {
    Active(ActiveBody<'a>),
    Inactive(InactiveBody),
}

/// RFC 7662 (2.2) describes one object of which only `active` is certain. Two schemas would not help: client
/// generators can't distinguish two objects by the value of a member that both have.
impl JsonSchema for IntrospectionBody<'_> {
    fn schema_name() -> Cow<'static, str> {
        "Introspection".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let mut schema = ActiveBody::json_schema(generator);
        schema.insert("required".into(), json!(["active"]));
        schema.insert(
            "description".into(),
            "A token, as introspection describes it.".into(),
        );
        schema
    }
}

impl<'a> From<&'a SecretRecord> for ActiveBody<'a> {
    fn from(secret: &'a SecretRecord) -> Self {
        Self {
            active: true,
            scope: scope(&secret.scope),
            client_id: &secret.token_id,
            token_type: "Bearer",
            exp: secret.last_instant().map(Timestamp::as_second),
            iat: secret.token_id.created_at().as_second(),
            sub: &secret.account_id,
            jti: &secret.token_id,
            account_id: &secret.account_id,
            token_id: &secret.token_id,
            kind: secret.kind,
            integration_id: secret.integration_id.as_ref(),
            scope_detail: &secret.scope,
        }
    }
}

fn scope(scope: &Scope) -> String {
    match scope {
        Scope::Full => "full".into(),
        Scope::Custom(lists) => {
            let names = lists.iter();
            let names: Vec<_> = names
                .map(|name| format!("{}:{}", name.kind.collection(), name.id))
                .collect();
            names.join(" ")
        }
    }
}
