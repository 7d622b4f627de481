//! Reactivates a revoked token.

use lambda_http::{Body, Request, Response};
use latchkey::domain::action::Action;
use latchkey::domain::budget::Budget;
use latchkey::domain::change::TokenChange;
use latchkey::domain::entropy::Entropy;
use latchkey::http::body::check_empty;
use latchkey::http::budget::spend;
use latchkey::http::caller::{Caller, ConsoleClient};
use latchkey::http::openapi::Operation;
use latchkey::http::token::TokenBody;
use latchkey::http::{ApiError, ErrorCode, response};
use latchkey::ports::{ChangeToken, Clock, GetAccount, GetToken, SpendBudget};

/// Reactivates a revoked token and records that, for an administrator of the account in the path. The token's current
/// secret works again. Returns the token, unchanged if it is active already.
///
/// # Errors
/// Those of [`Caller::authorize`] and [`Caller::token`], `secret_compromised`, `account_deleted`,
/// `api_management_license_required`, `budget_exceeded`, `conflict`, and `unavailable` if the table can't be reached.
pub async fn handle(
    store: &(impl GetAccount + GetToken + ChangeToken + SpendBudget),
    system: &(impl Clock + Entropy),
    console: &ConsoleClient,
    request: Request,
) -> Result<Response<Body>, ApiError> {
    let caller = Caller::authorize(store, console, &request).await?;
    let now = system.now();
    let before = caller.token(store, &request, now).await?;
    check_empty(&request)?;
    let Some(token) = before.token.reactivate(caller.actor(), now)? else {
        // The token is active already. A repeated request succeeds and changes nothing.
        return response::token(&before.token, now);
    };
    if !caller.account.licenses(token.auto_purge) {
        return Err(ErrorCode::ApiManagementLicenseRequired.into());
    }
    spend(store, &caller.account, Budget::Change, now).await?;
    let origin = caller.origin();
    let change = TokenChange::new(before, token, Action::Reactivate, origin, now, system)?;
    store.change_token(&change).await?;
    response::token(&change.after.token, now)
}

/// Describes this operation for the OpenAPI document.
pub fn operation() -> Operation {
    Operation::new("reactivate-token", "Undo a revocation")
        .description(
            "The token's current secret works again, until the same `purgeAt` as before. A replaced \
            secret stays ended. A token with a compromised secret needs a new one first.",
        )
        .of_a_token()
        .changes_a_token()
        .no_body()
        .answers::<TokenBody<'_>>(200, "The token.", &["ETag"])
        .budgeted()
        .refuses([
            ErrorCode::ApiManagementLicenseRequired,
            ErrorCode::SecretCompromised,
            ErrorCode::AccountDeleted,
        ])
}

#[cfg(test)]
mod tests;
