//! Creates a token and returns its secret once.

mod description;
mod draft;

use lambda_http::{Body, Request, Response};
use latchkey::domain::action::Action;
use latchkey::domain::audit::{AuditRecord, changes};
use latchkey::domain::budget::Budget;
use latchkey::domain::change::NewToken;
use latchkey::domain::entropy::Entropy;
use latchkey::domain::id::TokenId;
use latchkey::domain::secret::PlainSecret;
use latchkey::domain::step_up::StepUp;
use latchkey::domain::token::{StoredToken, Token};
use latchkey::http::budget::spend;
use latchkey::http::caller::{Caller, ConsoleClient, check_sign_in};
use latchkey::http::idempotency::{Repeatable, repeated};
use latchkey::http::{ApiError, ErrorCode, response, secret};
use latchkey::ports::{
    Clock, EncryptSecret, GetAccount, GetIdempotency, GetResources, GetToken, InsertToken,
    PortError, SpendBudget,
};

pub use description::operation;
use draft::read_draft;

/// Creates a token and returns its secret, for an administrator of the account in the path. Encrypts and stores the
/// secret, and records the creation. A repeated request with the same `Idempotency-Key` returns the first request's
/// token without its secret.
///
/// # Errors
/// Those of [`Caller::authorize`], [`check_sign_in`] and of the body's fields, `api_management_license_required`, `budget_exceeded`,
/// `idempotency_key_reused`, `conflict`, and `unavailable` if the table or the key can't be reached.
pub async fn handle(
    store: &(impl GetAccount + GetResources + GetIdempotency + GetToken + InsertToken + SpendBudget),
    vault: &impl EncryptSecret,
    system: &(impl Clock + Entropy),
    console: &ConsoleClient,
    step_up: Option<&StepUp>,
    request: Request,
) -> Result<Response<Body>, ApiError> {
    let caller = Caller::authorize(store, console, &request).await?;
    let now = system.now();
    check_sign_in(&request, step_up, now)?;
    let repeatable = Repeatable::of(&request, "create", &caller.member.id)?;
    if let Some(token) = repeated(store, &caller.account, repeatable.as_ref(), now).await? {
        return created(&token, None, system);
    }
    let draft = read_draft(store, &caller.account, &request).await?;
    if !caller.account.licenses(draft.auto_purge) {
        return Err(ErrorCode::ApiManagementLicenseRequired.into());
    }
    // The budget of tokens comes first: an account that is full stays full for long, and its refused requests must not
    // use up the hour's changes.
    spend(store, &caller.account, Budget::Token, now).await?;
    spend(store, &caller.account, Budget::Change, now).await?;

    let id = TokenId::generate(now, system)?;
    let account = caller.account.id.clone();
    let plain = PlainSecret::generate(draft.kind, system)?;
    let token = Token::create(id, account, draft, plain.hint(), caller.actor(), now);
    let ciphertext = vault
        .encrypt_secret(&token.account_id, &token.id, &plain)
        .await?;
    let origin = caller.origin();
    let changes = changes(None, &token);
    let audit = AuditRecord::new(Action::Create, &token, changes, origin, now, system)?;
    let idempotency = repeatable
        .clone()
        .map(|request| request.record(token.id.clone()));
    let secret_hash = plain.hash();
    let stored = StoredToken {
        token,
        secret_hash,
        ciphertext,
        previous_hash: None,
    };
    let new = NewToken {
        stored,
        audit,
        idempotency,
    };
    match store.insert_token(&new).await {
        Ok(()) => created(&new.stored.token, Some(&plain), system),
        // An equal request may have been faster. Its token is the answer then.
        Err(PortError::Conflict) => {
            match repeated(store, &caller.account, repeatable.as_ref(), now).await? {
                Some(token) => created(&token, None, system),
                None => Err(ErrorCode::Conflict.into()),
            }
        }
        Err(error) => Err(error.into()),
    }
}

/// Returns 201 with the secret, or 200 without it for a repeated request.
fn created(
    token: &Token,
    plain: Option<&PlainSecret>,
    clock: &impl Clock,
) -> Result<Response<Body>, ApiError> {
    let status = if plain.is_some() { 201 } else { 200 };
    let response = secret::issued(status, token, plain, clock.now())?;
    let path = format!("/v1/accounts/{}/tokens/{}", token.account_id, token.id);
    Ok(response::with_location(response, &path))
}

#[cfg(test)]
mod tests;
