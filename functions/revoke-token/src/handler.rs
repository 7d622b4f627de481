//! Revokes a token: every secret of it is refused from the next request on.

use lambda_http::{Body, Request, Response};
use latchkey::app::revoke::{Revoked, revoke};
use latchkey::domain::action::Action;
use latchkey::domain::entropy::Entropy;
use latchkey::http::body::{Fields, check_if_match};
use latchkey::http::caller::{Caller, ConsoleClient, token_id};
use latchkey::http::openapi::Operation;
use latchkey::http::openapi::schema::{self, optional};
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
    let reason = read_reason(&request)?;
    let token = (&caller.account.id, &id);
    let origin = caller.origin(console);
    let revoked = revoke(
        store,
        system,
        token,
        &origin,
        Action::Revoke,
        |before, now| {
            check_if_match(&request, &before.token)?;
            Ok::<_, ApiError>(before.token.revoke(caller.actor(), now, reason.clone()))
        },
    );
    match revoked.await? {
        Revoked::NotFound => Err(ErrorCode::TokenNotFound.into()),
        // Revoked already: a repeated request has its answer, and nothing happened.
        Revoked::Unchanged(token) => response::token(&token.token, system.now()),
        Revoked::Changed(change) => response::token(&change.after.token, system.now()),
    }
}

fn read_reason(request: &Request) -> Result<Option<String>, ApiError> {
    let mut fields = Fields::of_optional(request)?;
    let reason = fields.reason();
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
