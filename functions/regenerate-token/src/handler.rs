//! Replaces a token's secret. The token keeps its id and its purge time.

use jiff::SignedDuration;
use lambda_http::{Body, Request, Response};
use latchkey::domain::action::Action;
use latchkey::domain::audit::{AuditRecord, Change, changes};
use latchkey::domain::budget::Budget;
use latchkey::domain::change::TokenChange;
use latchkey::domain::entropy::Entropy;
use latchkey::domain::secret::PlainSecret;
use latchkey::domain::step_up::StepUp;
use latchkey::domain::token::{MAX_GRACE_SECONDS, NewSecret, Status, StoredToken};
use latchkey::http::body::Fields;
use latchkey::http::budget::spend;
use latchkey::http::caller::{Caller, ConsoleClient, check_sign_in};
use latchkey::http::idempotency::{Repeatable, repeated};
use latchkey::http::openapi::Operation;
use latchkey::http::openapi::schema::{self, optional};
use latchkey::http::path::token_id;
use latchkey::http::secret::IssuedBody;
use latchkey::http::{ApiError, ErrorCode, secret};
use latchkey::ports::{
    ChangeToken, Clock, EncryptSecret, GetAccount, GetIdempotency, GetToken, PortError, SpendBudget,
};

/// Replaces a token's secret, records that and returns the new secret, for an administrator of the account in the
/// path. The old secret works for the grace period in the body. A repeated request with the same `Idempotency-Key`
/// returns the token without the secret.
///
/// # Errors
/// Those of [`Caller::authorize`], [`check_sign_in`] and [`Caller::token`], `validation_failed`, `budget_exceeded`,
/// `idempotency_key_reused`, `conflict`, and `unavailable` if the table or the key can't be reached.
pub async fn handle(
    store: &(impl GetAccount + GetToken + GetIdempotency + ChangeToken + SpendBudget),
    vault: &impl EncryptSecret,
    system: &(impl Clock + Entropy),
    console: &ConsoleClient,
    step_up: Option<&StepUp>,
    request: Request,
) -> Result<Response<Body>, ApiError> {
    let caller = Caller::authorize(store, console, &request).await?;
    let now = system.now();
    check_sign_in(&request, step_up, now)?;
    let id = token_id(&request)?;
    let operation = format!("regenerate {id}");
    let repeatable = Repeatable::of(&request, &operation, &caller.member.id)?;
    if let Some(token) = repeated(store, &caller.account, repeatable.as_ref(), now).await? {
        return secret::issued(200, &token, None, now);
    }
    let before = caller.token(store, &request, now).await?;
    let grace = read_grace(&request, before.token.status())?;
    spend(store, &caller.account, Budget::Change, now).await?;

    let plain = PlainSecret::generate(before.token.kind, system)?;
    let account = &before.token.account_id;
    let ciphertext = vault.encrypt_secret(account, &id, &plain).await?;
    let new = NewSecret {
        hash: plain.hash(),
        hint: plain.hint(),
        ciphertext,
    };
    let after = before.regenerate(new, grace, caller.actor(), now);
    let origin = caller.origin();
    let changes = recorded(&before.at(now), &after);
    let audit = AuditRecord::new(
        Action::Regenerate,
        &after.token,
        changes,
        origin,
        now,
        system,
    )?;
    let idempotency = repeatable.clone().map(|request| request.record(id));
    let change = TokenChange {
        before,
        after,
        compromised: None,
        audit,
        idempotency,
    };
    match store.change_token(&change).await {
        Ok(()) => secret::issued(200, &change.after.token, Some(&plain), now),
        // An equal request may have been faster. Its secret is the new one then.
        Err(PortError::Conflict) => {
            match repeated(store, &caller.account, repeatable.as_ref(), now).await? {
                Some(token) => secret::issued(200, &token, None, now),
                None => Err(ErrorCode::Conflict.into()),
            }
        }
        Err(error) => Err(error.into()),
    }
}

/// Returns the changes for the audit record: the hints of both secrets, and when the old secret ends. Secrets
/// themselves aren't recorded.
fn recorded(before: &StoredToken, after: &StoredToken) -> Vec<Change> {
    let hint = |stored: &StoredToken| Some(stored.token.hint.clone());
    let mut recorded = vec![Change::new("hint", hint(before), hint(after))];
    recorded.extend(changes(Some(&before.token), &after.token));
    recorded
}

fn read_grace(request: &Request, status: Status) -> Result<SignedDuration, ApiError> {
    let mut fields = Fields::of_optional(request)?;
    let seconds = fields.number("gracePeriodSeconds", 0..=MAX_GRACE_SECONDS);
    if status == Status::Revoked && matches!(seconds, Ok(Some(1..))) {
        let message = "a revoked token's secret gets no grace period";
        fields.fail("gracePeriodSeconds", "token_revoked", message);
    }
    fields.finish(|| Ok(SignedDuration::from_secs(seconds?.unwrap_or(0))))
}

/// Describes this operation for the OpenAPI document.
pub fn operation() -> Operation {
    Operation::new("regenerate-token", "Replace a token's secret")
    .description(
        "The new secret is in this answer. The old one ends at once, or when the grace period is over. The token keeps its \
         id, its scope and its `purgeAt`.",
    )
    .of_a_token()
    .changes_a_token()
    .body([optional("gracePeriodSeconds", schema::grace_period())
        .describe("For how many seconds the old secret still works. Default: 0. Only 0 for a revoked token.")])
    .repeatable()
    .answers::<IssuedBody<'_>>(200, "The token and its new secret.", &["ETag"])
    .budgeted()
    .wants_recent_sign_in()
}

#[cfg(test)]
mod tests;
