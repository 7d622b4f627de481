//! Returns one token, without its secret.

use lambda_http::{Body, Request, Response};
use latchkey::http::caller::authorize;
use latchkey::http::openapi::Operation;
use latchkey::http::path::find_token;
use latchkey::http::token::TokenBody;
use latchkey::http::{ApiError, response};
use latchkey::ports::{Clock, GetAccount, GetToken};

/// Returns the token in the path, with its version as the `ETag`, to an administrator of the account.
///
/// # Errors
/// Those of [`authorize`] and [`find_token`], and `unavailable` if the table can't be reached.
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

/// Describes this operation for the OpenAPI document.
pub fn operation() -> Operation {
    Operation::new("get-token", "Get a token")
        .description(
            "The token without its secret. `ETag` is its version, for `If-Match` of a change.",
        )
        .of_a_token()
        .answers::<TokenBody<'_>>(200, "The token.", &["ETag"])
}

#[cfg(test)]
mod tests;
