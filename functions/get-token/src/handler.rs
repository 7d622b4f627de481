//! Answers one token.

use lambda_http::{Body, Request, Response};
use latchkey::http::caller::authorize;
use latchkey::http::openapi::Operation;
use latchkey::http::path::find_token;
use latchkey::http::token::TokenBody;
use latchkey::http::{ApiError, response};
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
    let (account, _) = authorize(store, &request).await?;
    let now = clock.now();
    let stored = find_token(store, &account, &request, now).await?;
    response::token(&stored.token, now)
}

/// What the API's description says of this operation.
pub fn operation() -> Operation {
    Operation::new("get-token", "Get a token")
        .of_a_token()
        .answers::<TokenBody<'_>>(200, "The token.", &["ETag"])
}

#[cfg(test)]
mod tests;
