//! Answers one token.

use lambda_http::{Body, Request, Response};
use latchkey::domain::ports::{Clock, GetAccount, GetToken};
use latchkey::http::caller::{Caller, token_id};
use latchkey::http::{ApiError, response};

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
    let stored = store.get_token(&account, &id, clock.now()).await?;
    response::token(&stored.ok_or(ApiError::TokenNotFound)?.token)
}

#[cfg(test)]
mod tests;
