//! Tells the holder of a token its account, scope and end.

use ipnet::IpNet;
use lambda_http::{Body, Request, Response};
use latchkey::app::verify::{Verified, verify};
use latchkey::domain::entropy::Entropy;
use latchkey::domain::id::{AccountId, IntegrationId, TokenId};
use latchkey::domain::kind::Kind;
use latchkey::domain::scope::Scope;
use latchkey::domain::verification::{Purpose, SecretRecord};
use latchkey::http::bearer::Bearer;
use latchkey::http::openapi::Operation;
use latchkey::http::openapi::schema::{Cidr, DateTime};
use latchkey::http::{ApiError, ErrorCode, response};
use latchkey::ports::{Clock, GetResources, RecallSecret, RecordUse};
use schemars::JsonSchema;
use serde::Serialize;

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "TokenInfo")]
struct TokenInfoBody<'a> {
    account_id: &'a AccountId,
    id: &'a TokenId,
    name: &'a str,
    kind: Kind,
    integration_id: Option<&'a IntegrationId>,
    scope: &'a Scope,
    #[schemars(with = "Vec<Cidr>")]
    allowed_cidrs: &'a [IpNet],
    /// When the token ends; `null` if never.
    purge_at: Option<DateTime>,
    /// When this secret ends, if it was replaced; `null` for the current secret.
    secret_valid_until: Option<DateTime>,
}

impl<'a> From<&'a SecretRecord> for TokenInfoBody<'a> {
    fn from(secret: &'a SecretRecord) -> Self {
        Self {
            account_id: &secret.account_id,
            id: &secret.token_id,
            name: &secret.token_name,
            kind: secret.kind,
            integration_id: secret.integration_id.as_ref(),
            scope: &secret.scope,
            allowed_cidrs: &secret.allowed_cidrs,
            purge_at: secret.purge_at.map(DateTime),
            secret_valid_until: secret.valid_until.map(DateTime),
        }
    }
}

/// Verifies the token that the request presents, records its use and returns its account, scope, address ranges and
/// end.
///
/// # Errors
/// `token_required` without a token, `invalid_token` if the token doesn't work or there are two, and `unavailable` if
/// the table can't be reached.
pub async fn handle(
    store: &(impl RecallSecret + GetResources + RecordUse),
    system: &(impl Clock + Entropy),
    request: Request,
) -> Result<Response<Body>, ApiError> {
    let bearer = Bearer::of(&request)?;
    let (secret, client) = (bearer.secret(), bearer.client());
    match verify(store, system, secret, Purpose::TokenInfo, client).await? {
        Verified::Granted { secret, .. } => {
            response::json(200, &TokenInfoBody::from(secret.as_ref()))
        }
        Verified::Refused { .. } => Err(ErrorCode::InvalidToken.into()),
    }
}

/// Describes this operation for the OpenAPI document.
pub fn operation() -> Operation {
    Operation::new(
        "token-info",
        "Describe the token that calls: its account, scope and end",
    )
    .answers::<TokenInfoBody<'_>>(200, "The token.", &[])
}

#[cfg(test)]
mod tests;
