//! Returns a token's secret again, after recording that.

use lambda_http::{Body, Request, Response};
use latchkey::domain::action::Action;
use latchkey::domain::audit::AuditRecord;
use latchkey::domain::budget::Budget;
use latchkey::domain::entropy::Entropy;
use latchkey::domain::step_up::StepUp;
use latchkey::http::budget::spend;
use latchkey::http::caller::{Caller, ConsoleClient, check_sign_in};
use latchkey::http::openapi::Operation;
use latchkey::http::secret::RevealedBody;
use latchkey::http::{ApiError, ErrorCode, body, secret};
use latchkey::ports::{Clock, DecryptSecret, GetAccount, GetToken, RecordView, SpendBudget};

/// Decrypts and returns a token's secret, for an administrator of the account in the path who has developer mode. The
/// view is recorded before the secret is returned.
///
/// # Errors
/// Those of [`Caller::authorize`], [`check_sign_in`] and [`Caller::token`], `developer_mode_required`, `budget_exceeded`, `conflict`, and
/// `unavailable` if the table or the key can't be reached.
pub async fn handle(
    store: &(impl GetAccount + GetToken + RecordView + SpendBudget),
    vault: &impl DecryptSecret,
    system: &(impl Clock + Entropy),
    console: &ConsoleClient,
    step_up: Option<&StepUp>,
    request: Request,
) -> Result<Response<Body>, ApiError> {
    let caller = Caller::authorize(store, console, &request).await?;
    if !caller.member.developer_mode {
        return Err(ErrorCode::DeveloperModeRequired.into());
    }
    let now = system.now();
    check_sign_in(&request, step_up, now)?;
    let stored = caller.token(store, &request, now).await?;
    let token = &stored.token;
    body::check_empty(&request)?;
    let budget = Budget::Reveal(caller.member.id.clone());
    spend(store, &caller.account, budget, now).await?;
    let plain = vault
        .decrypt_secret(&token.account_id, &token.id, &stored.ciphertext)
        .await?;
    let origin = caller.origin();
    let audit = AuditRecord::new(Action::View, token, vec![], origin, now, system)?;
    store.record_view(&stored, &audit).await?;
    secret::revealed(token, &plain)
}

/// Describes this operation for the OpenAPI document.
pub fn operation() -> Operation {
    Operation::new("reveal-token", "Show a token's secret")
    .of_a_token()
    .changes_a_token()
    .description(
        "Needs the member's developer mode. Developer mode is no access control: an owner or administrator \
         without it can generate a new secret and sees that one.",
    )
    .no_body()
    .answers::<RevealedBody<'_>>(200, "The secret. The viewing is recorded.", &[])
    .budgeted()
    .wants_recent_sign_in()
    .refuses([ErrorCode::DeveloperModeRequired])
}

#[cfg(test)]
mod tests;
