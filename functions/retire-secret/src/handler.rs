//! Ends a token's replaced secret now, before its grace period is over.

use lambda_http::{Body, Request, Response};
use latchkey::app::revoke::{Revoked, revoke};
use latchkey::domain::action::Action;
use latchkey::domain::entropy::Entropy;
use latchkey::http::body::{Fields, check_if_match};
use latchkey::http::caller::{Caller, ConsoleClient, token_id};
use latchkey::http::openapi::Operation;
use latchkey::http::token::TokenBody;
use latchkey::http::{ApiError, ErrorCode, response};
use latchkey::ports::{ChangeToken, Clock, GetAccount, GetToken};

/// Answers one request.
///
/// # Errors
/// What the caller is answered instead.
pub async fn handle(
    store: &(impl GetAccount + GetToken + ChangeToken),
    system: &(impl Clock + Entropy),
    console: &ConsoleClient,
    request: Request,
) -> Result<Response<Body>, ApiError> {
    let caller = Caller::authorize(store, &request).await?;
    let id = token_id(&request)?;
    Fields::of_optional(&request)?.finish()?;
    let token = (&caller.account.id, &id);
    let origin = caller.origin(console);
    let retired = revoke(
        store,
        system,
        token,
        &origin,
        Action::Retire,
        |before, now| {
            check_if_match(&request, &before.token)?;
            if !before.token.has_previous_secret(now) {
                return Err(ApiError::from(ErrorCode::NoPreviousSecret));
            }
            Ok(Some(before.token.end_previous_secret(caller.actor(), now)))
        },
    );
    match retired.await? {
        Revoked::NotFound => Err(ErrorCode::TokenNotFound.into()),
        Revoked::Unchanged(token) => response::token(&token.token, system.now()),
        Revoked::Changed(change) => response::token(&change.after.token, system.now()),
    }
}

/// What the API's description says of this operation.
pub fn operation() -> Operation {
    Operation::new(
        "retire-secret",
        "POST",
        "/v1/accounts/{accountId}/tokens/{tokenId}/retire",
        "End a token's replaced secret before its grace period is over",
    )
    .for_administrators()
    .of_a_token()
    .changes_a_token()
    .no_body()
    .answers::<TokenBody<'_>>(200, "The token.", &["ETag"])
    .refuses([ErrorCode::NoPreviousSecret])
}

#[cfg(test)]
mod tests;
