//! Revokes a token. All its secrets are refused from the next request on.

use lambda_http::{Body, Request, Response};
use latchkey::domain::action::Action;
use latchkey::domain::entropy::Entropy;
use latchkey::domain::token::Token;
use latchkey::http::ApiError;
use latchkey::http::body::Fields;
use latchkey::http::caller::{Caller, ConsoleClient};
use latchkey::http::openapi::Operation;
use latchkey::http::openapi::schema::{self, optional};
use latchkey::http::path::token_id;
use latchkey::http::token::TokenBody;
use latchkey::ports::{ChangeToken, Clock, GetAccount, GetToken};

/// Revokes a token and records that with the reason in the body, for an administrator of the account in the path.
/// Returns the token, unchanged if it is revoked already.
///
/// # Errors
/// Those of [`Caller::authorize`] and [`Caller::end_token`], `validation_failed`, and `unavailable` if the table can't
/// be reached.
pub async fn handle(
    store: &(impl GetAccount + GetToken + ChangeToken),
    system: &(impl Clock + Entropy),
    console: &ConsoleClient,
    request: Request,
) -> Result<Response<Body>, ApiError> {
    let caller = Caller::authorize(store, console, &request).await?;
    let id = token_id(&request)?;
    let reason = read_reason(&request)?;
    let revoke = |token: &Token, now| Ok(token.revoke(caller.actor(), now, reason.clone()));
    caller
        .end_token(store, system, &id, &request, Action::Revoke, revoke)
        .await
}

fn read_reason(request: &Request) -> Result<Option<String>, ApiError> {
    let mut fields = Fields::of_optional(request)?;
    let reason = fields.reason();
    let reason = fields.finish(|| reason)?;
    Ok(reason.filter(|reason| !reason.is_empty()))
}

/// Describes this operation for the OpenAPI document.
pub fn operation() -> Operation {
    Operation::new("revoke-token", "Revoke a token")
        .description(
            "The current secret stops working with the next request, until the token is reactivated. \
            A replaced secret ends for good. To revoke a revoked token changes nothing.",
        )
        .of_a_token()
        .changes_a_token()
        .body([optional("reason", schema::reason())])
        .answers::<TokenBody<'_>>(200, "The token.", &["ETag"])
}

#[cfg(test)]
mod tests;
