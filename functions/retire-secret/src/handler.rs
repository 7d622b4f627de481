//! Ends a token's replaced secret before its grace period is over.

use lambda_http::{Body, Request, Response};
use latchkey::domain::action::Action;
use latchkey::domain::entropy::Entropy;
use latchkey::domain::token::Token;
use latchkey::http::body::check_empty;
use latchkey::http::caller::{Caller, ConsoleClient};
use latchkey::http::openapi::Operation;
use latchkey::http::path::token_id;
use latchkey::http::token::TokenBody;
use latchkey::http::{ApiError, ErrorCode};
use latchkey::ports::{ChangeToken, Clock, GetAccount, GetToken};

/// Ends a token's replaced secret and records that, for an administrator of the account in the path. The secret is
/// refused from the next request on. Returns the token.
///
/// # Errors
/// Those of [`Caller::authorize`] and [`Caller::end_token`], `no_previous_secret` if no replaced secret still works,
/// and `unavailable` if the table can't be reached.
pub async fn handle(
    store: &(impl GetAccount + GetToken + ChangeToken),
    system: &(impl Clock + Entropy),
    console: &ConsoleClient,
    request: Request,
) -> Result<Response<Body>, ApiError> {
    let caller = Caller::authorize(store, console, &request).await?;
    let id = token_id(&request)?;
    check_empty(&request)?;
    let retire = |token: &Token, now| {
        if !token.has_previous_secret(now) {
            return Err(ErrorCode::NoPreviousSecret.into());
        }
        Ok(Some(token.end_previous_secret(caller.actor(), now)))
    };
    caller
        .end_token(store, system, &id, &request, Action::Retire, retire)
        .await
}

/// Describes this operation for the OpenAPI document.
pub fn operation() -> Operation {
    Operation::new(
        "retire-secret",
        "End a token's replaced secret before its grace period is over",
    )
    .description(
        "The replaced secret stops working with the next request. The current one goes on working.",
    )
    .of_a_token()
    .changes_a_token()
    .no_body()
    .answers::<TokenBody<'_>>(200, "The token.", &["ETag"])
    .refuses([ErrorCode::NoPreviousSecret])
}

#[cfg(test)]
mod tests;
