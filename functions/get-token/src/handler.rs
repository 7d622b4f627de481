//! Answers one token.

use lambda_http::{Body, Request, Response};
use latchkey::http::caller::{Caller, token_id};
use latchkey::http::openapi::Operation;
use latchkey::http::token::TokenBody;
use latchkey::http::{ApiError, ErrorCode, response};
use latchkey::ports::{Clock, GetAccount, GetToken};

/// Answers one request.
///
/// # Errors
/// What the caller is answered instead.
pub async fn handle(
    store: &(impl GetAccount + GetToken),
    clock: &impl Clock,
    request: Request,
) -> Result<Response<Body>, ApiError> {
    let account = Caller::authorize(store, &request).await?.account.id;
    let id = token_id(&request)?;
    let now = clock.now();
    let stored = store.get_token(&account, &id, now).await?;
    response::token(&stored.ok_or(ErrorCode::TokenNotFound)?.token, now)
}

/// What the API's description says of this operation.
pub fn operation() -> Operation {
    Operation::new(
        "get-token",
        "GET",
        "/v1/accounts/{accountId}/tokens/{tokenId}",
        "Get a token",
    )
    .for_administrators()
    .of_a_token()
    .answers::<TokenBody<'_>>(200, "The token.", &["ETag"])
}

#[cfg(test)]
mod tests;
