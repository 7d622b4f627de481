//! Tells an API whether the token that its caller presents is good, and what it may do: RFC 7662.

mod asker;

use std::net::IpAddr;

use jiff::Timestamp;
use lambda_http::{Body, Request, Response};
use latchkey::domain::id::{AccountId, IntegrationId, TokenId};
use latchkey::domain::ports::{Clock, Entropy, GetSecret, RecordUse};
use latchkey::domain::scope::Scope;
use latchkey::domain::token::Kind;
use latchkey::domain::verification::{Introspection, SecretRecord, introspect};
use latchkey::http::form::Form;
use latchkey::http::openapi::Operation;
use latchkey::http::openapi::schema::{self, optional, required};
use latchkey::http::sender::Sender;
use latchkey::http::{ApiError, response};
use schemars::JsonSchema;
use serde::Serialize;

use asker::Credentials;

/// What is said of a token that is good. The names in snake case are the RFC's, the others ours.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ActiveToken")]
struct ActiveBody<'a> {
    #[schemars(extend("const" = true))]
    active: bool,
    /// `full`, or each listed resource as `exports:exp_1`, with spaces between them.
    scope: String,
    /// The token's id: also what the token authenticates with as a client.
    client_id: &'a TokenId,
    token_type: &'static str,
    /// The second in which this secret ends; left out for never.
    #[serde(skip_serializing_if = "Option::is_none")]
    exp: Option<i64>,
    /// The second in which the token was created.
    iat: i64,
    /// On whose behalf the token acts.
    sub: &'a AccountId,
    /// Stays the same when the secret is replaced.
    jti: &'a TokenId,
    #[serde(rename = "accountId")]
    account_id: &'a AccountId,
    #[serde(rename = "tokenId")]
    token_id: &'a TokenId,
    kind: Kind,
    #[serde(rename = "integrationId")]
    integration_id: Option<&'a IntegrationId>,
    /// The scope as the token's own JSON has it.
    #[serde(rename = "scopeDetail")]
    scope_detail: &'a Scope,
}

/// All that is said of a token that isn't: not even why.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "InactiveToken")]
struct InactiveBody {
    #[schemars(extend("const" = false))]
    active: bool,
}

/// What is said of a token.
#[derive(Serialize, JsonSchema)]
#[serde(untagged)]
#[schemars(rename = "Introspection")]
enum IntrospectionBody<'a> {
    Active(ActiveBody<'a>),
    Inactive(InactiveBody),
}

impl<'a> From<&'a SecretRecord> for ActiveBody<'a> {
    fn from(secret: &'a SecretRecord) -> Self {
        Self {
            active: true,
            scope: scope(&secret.scope),
            client_id: &secret.token_id,
            token_type: "Bearer",
            exp: secret.end().map(Timestamp::as_second),
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

/// Answers one request.
///
/// # Errors
/// What the caller is answered instead.
pub async fn handle(
    store: &(impl GetSecret + RecordUse),
    system: &(impl Clock + Entropy),
    request: Request,
) -> Result<Response<Body>, ApiError> {
    let form = Form::of(&request)?;
    let sender = Sender::of(&request)?;
    let credentials = Credentials::of(&request, &form)?;
    let token = form.required("token")?;
    let bearer_ip = client_ip(&form)?;
    let asker = credentials.verify(store, system, &sender).await?;
    let introspection = Introspection {
        asker: &asker,
        asker_ip: sender.ip,
        bearer_ip,
    };
    match introspect(store, system, token, &introspection, &sender.client).await? {
        Ok(secret) => {
            let active = ActiveBody::from(&secret);
            response::json(200, &IntrospectionBody::Active(active))
        }
        Err(refusal) => {
            tracing::info!(refusal = refusal.as_str(), "inactive");
            let inactive = InactiveBody { active: false };
            response::json(200, &IntrospectionBody::Inactive(inactive))
        }
    }
}

/// What the API's description says of this operation.
pub fn operation() -> Operation {
    let text = "RFC 7662. Takes an account token with full access of the same account; of any other \
                account's token it says that it isn't active. A client may also give `client_id` and \
                `client_secret` in the form.";
    Operation::new(
        "introspect-token",
        "POST",
        "/v1/introspect",
        "Ask about a token that somebody presents",
    )
    .description(text)
    .for_apis()
    .form([
        required("token", schema::text()).describe("The secret."),
        optional("client_ip", schema::text())
            .describe("Where the bearer is. Without it, a token with `allowedCidrs` isn't active."),
    ])
    .answers::<IntrospectionBody<'_>>(200, "The token, or that it isn't active.", &[])
}

/// Where the bearer is, if the API tells: RFC 7662 (2.1) leaves this parameter's name to us.
fn client_ip(form: &Form<'_>) -> Result<Option<IpAddr>, ApiError> {
    let invalid = |_| ApiError::InvalidRequest("`client_ip` is not an IP address".into());
    let ip = form.optional("client_ip")?;
    ip.map(|ip| ip.parse().map_err(invalid)).transpose()
}

#[cfg(test)]
mod tests;
