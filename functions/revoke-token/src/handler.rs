//! Revokes a token: every secret of it is refused from the next request on.

use lambda_http::{Body, Request, Response};
use latchkey::domain::audit::Action;
use latchkey::domain::ports::{
    ChangeToken, Clock, Entropy, GetAccount, GetToken, PortError, TokenChange,
};
use latchkey::domain::token::MAX_REASON;
use latchkey::http::body::{Fields, check_if_match};
use latchkey::http::caller::{Caller, ConsoleClient, token_id};
use latchkey::http::openapi::Operation;
use latchkey::http::openapi::schema::{self, optional};
use latchkey::http::token::TokenBody;
use latchkey::http::{ApiError, response};

/// How often a revocation is tried again when the token changes under it: whoever revokes is in a
/// hurry, and means the token however it looks by now.
const ATTEMPTS: usize = 5;

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
    let reason = read_reason(&request)?;
    for _ in 0..ATTEMPTS {
        let now = system.now();
        let before = store.get_token(&caller.account.id, &id, now).await?;
        let before = before.ok_or(ApiError::TokenNotFound)?;
        check_if_match(&request, &before.token)?;
        let Some(token) = before.token.revoke(caller.actor(), now, reason.clone()) else {
            // Revoked already: a repeated request has its answer, and nothing happened.
            return response::token(&before.token);
        };
        let origin = caller.origin(console);
        let change = TokenChange::new(before, token, Action::Revoke, origin, now, system)?;
        match store.change_token(&change).await {
            Ok(()) => return response::token(&change.after.token),
            Err(PortError::Conflict) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(ApiError::Conflict)
}

fn read_reason(request: &Request) -> Result<Option<String>, ApiError> {
    let mut fields = Fields::of_optional(request)?;
    let reason = fields.text("reason", 0..=MAX_REASON);
    fields.finish()?;
    Ok(reason.filter(|reason| !reason.is_empty()))
}

/// What the API's description says of this operation.
pub fn operation() -> Operation {
    Operation::new(
        "revoke-token",
        "POST",
        "/v1/accounts/{accountId}/tokens/{tokenId}/revoke",
        "Revoke a token",
    )
    .for_administrators()
    .of_a_token()
    .changes_a_token()
    .body([optional("reason", schema::reason())])
    .answers::<TokenBody<'_>>(200, "The token.", &["ETag"])
}

#[cfg(test)]
mod tests;
