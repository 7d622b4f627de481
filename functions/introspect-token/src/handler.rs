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
use latchkey::http::sender::Sender;
use latchkey::http::{ApiError, response};
use serde::Serialize;

use asker::Credentials;

/// What is said of a token that is good. The names in snake case are the RFC's, the others ours.
#[derive(Serialize)]
struct ActiveBody<'a> {
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
#[derive(Serialize)]
struct InactiveBody {
    active: bool,
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
        Ok(secret) => response::json(200, &ActiveBody::from(&secret)),
        Err(refusal) => {
            tracing::info!(refusal = refusal.as_str(), "inactive");
            response::json(200, &InactiveBody { active: false })
        }
    }
}

/// Where the bearer is, if the API tells: RFC 7662 (2.1) leaves this parameter's name to us.
fn client_ip(form: &Form<'_>) -> Result<Option<IpAddr>, ApiError> {
    let invalid = |_| ApiError::InvalidRequest("`client_ip` is not an IP address".into());
    let ip = form.optional("client_ip")?;
    ip.map(|ip| ip.parse().map_err(invalid)).transpose()
}

#[cfg(test)]
mod tests;
