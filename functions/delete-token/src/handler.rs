//! Deletes a revoked token. Its audit records stay.

use lambda_http::{Body, Request, Response};
use latchkey::domain::action::Action;
use latchkey::domain::audit::AuditRecord;
use latchkey::domain::entropy::Entropy;
use latchkey::domain::token::Status;
use latchkey::http::body::check_empty;
use latchkey::http::caller::{Caller, ConsoleClient};
use latchkey::http::openapi::Operation;
use latchkey::http::{ApiError, ErrorCode, response};
use latchkey::ports::{Clock, DeleteToken, GetAccount, GetToken};

/// Deletes a revoked token and records that, for an administrator of the account in the path. Returns 204.
///
/// # Errors
/// Those of [`Caller::authorize`] and [`Caller::token`], `token_active` if the token isn't revoked, `conflict`, and
/// `unavailable` if the table can't be reached.
pub async fn handle(
    store: &(impl GetAccount + GetToken + DeleteToken),
    system: &(impl Clock + Entropy),
    console: &ConsoleClient,
    request: Request,
) -> Result<Response<Body>, ApiError> {
    let caller = Caller::authorize(store, console, &request).await?;
    let now = system.now();
    let stored = caller.token(store, &request, now).await?;
    check_empty(&request)?;
    if stored.token.status() == Status::Active {
        return Err(ErrorCode::TokenActive.into());
    }
    let origin = caller.origin();
    let audit = AuditRecord::new(Action::Delete, &stored.token, vec![], origin, now, system)?;
    store.delete_token(&stored, &audit).await?;
    response::no_content()
}

/// Describes this operation for the OpenAPI document.
pub fn operation() -> Operation {
    Operation::new("delete-token", "Delete a revoked token")
        .description(
            "Removes the token for good. Its audit log stays. A token that is active is a 409: revoke \
            it first.",
        )
        .of_a_token()
        .changes_a_token()
        .no_body()
        .answers_nothing(204, "The token was deleted. Its audit log stays.")
        .refuses([ErrorCode::TokenActive])
}

#[cfg(test)]
mod tests;
