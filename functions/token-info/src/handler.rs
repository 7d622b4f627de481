//! Tells the holder of a token its account, scope and end, and whether it may make a call.

mod decision;

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
use latchkey::http::query::Query;
use latchkey::http::{ApiError, response};
use latchkey::ports::{Clock, GetResources, RecallSecret, RecordUse};
use schemars::JsonSchema;
use serde::Serialize;

use decision::{Call, DecisionBody, read_call, refused};

/// A token, as it describes itself to its bearer.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "TokenInfo")]
struct TokenInfoBody<'a> {
    account_id: &'a AccountId,
    id: &'a TokenId,
    /// The name, for people.
    name: &'a str,
    kind: Kind,
    /// The Integration App of an Integration App token, else `null`.
    integration_id: Option<&'a IntegrationId>,
    scope: &'a Scope,
    /// The address ranges from which it may be used. Empty: everywhere.
    #[schemars(with = "Vec<Cidr>")]
    allowed_cidrs: &'a [IpNet],
    /// When the token ends; `null` if never.
    purge_at: Option<DateTime>,
    /// When this secret ends, if it was replaced; `null` for the current secret.
    secret_valid_until: Option<DateTime>,
    /// The decision on the call in the query. Missing if the query names none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "DecisionBody")]
    decision: Option<DecisionBody>,
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
            decision: None,
        }
    }
}

/// Verifies the token that the request presents, records its use and returns its account, scope, address ranges and
/// end. If the query names a call, also returns how the authorizer decides on it, and records nothing of that.
///
/// # Errors
/// `token_required` without a token, `invalid_token` if the token doesn't work or there are two, `validation_failed`
/// for an invalid query, and `unavailable` if the table can't be reached.
pub async fn handle(
    store: &(impl RecallSecret + GetResources + RecordUse),
    system: &(impl Clock + Entropy),
    request: Request,
) -> Result<Response<Body>, ApiError> {
    let bearer = Bearer::of(&request)?;
    let (secret, client) = (bearer.secret(), bearer.client());
    match verify(store, system, secret, Purpose::TokenInfo, client).await? {
        Verified::Granted { secret, .. } => {
            let mut body = TokenInfoBody::from(secret.as_ref());
            if let Some(call) = Call::of(Query::of(&request))? {
                body.decision = Some(call.decide(store, &secret).await?);
            }
            response::json(200, &body)
        }
        Verified::Refused { refusal, secret } => {
            Err(refused(refusal, secret.as_deref(), client.ip))
        }
    }
}

/// Describes this operation for the OpenAPI document.
pub fn operation() -> Operation {
    Operation::new(
        "token-info",
        "Describe the token that calls: its account, scope and end",
    )
    .description(
        "With `method` and `path`, also tells how the authorizer of a protected API decides on that call with this token \
         from this address, and why: ask after a 403 without a `code`. If a known secret doesn't work, the 401's \
         `detail` says why. Asking counts as a use of the token.",
    )
    .query(read_call)
    .answers::<TokenInfoBody<'_>>(200, "The token.", &[])
}

#[cfg(test)]
mod tests;
