//! Edits a token: JSON Merge Patch (RFC 7396) of what people choose about it.

use lambda_http::{Body, Request, Response};
use latchkey::app::check_scope::check_scope;
use latchkey::domain::account::Account;
use latchkey::domain::action::Action;
use latchkey::domain::auto_purge::AutoPurge;
use latchkey::domain::budget::Budget;
use latchkey::domain::change::TokenChange;
use latchkey::domain::entropy::Entropy;
use latchkey::domain::kind::Kind;
use latchkey::domain::token::{Patch, Token};
use latchkey::http::body::{Fields, check_if_match};
use latchkey::http::budget::spend;
use latchkey::http::caller::{Caller, ConsoleClient, token_id};
use latchkey::http::openapi::Operation;
use latchkey::http::openapi::schema::{self, optional};
use latchkey::http::token::TokenBody;
use latchkey::http::{ApiError, response};
use latchkey::ports::{ChangeToken, Clock, GetAccount, GetResources, GetToken, SpendBudget};

/// Answers one request.
///
/// # Errors
/// What the caller is answered instead.
pub async fn handle(
    store: &(impl GetAccount + GetToken + GetResources + ChangeToken + SpendBudget),
    system: &(impl Clock + Entropy),
    console: &ConsoleClient,
    request: Request,
) -> Result<Response<Body>, ApiError> {
    let caller = Caller::authorize(store, &request).await?;
    let account = &caller.account;
    let id = token_id(&request)?;
    let now = system.now();
    let before = store.get_token(&account.id, &id, now).await?;
    let before = before.ok_or(ApiError::TokenNotFound)?;
    check_if_match(&request, &before.token)?;
    let patch = read_patch(store, account, &request, &before.token).await?;
    if !patch
        .auto_purge
        .is_none_or(|choice| account.licenses(choice))
    {
        return Err(ApiError::ApiManagementLicenseRequired);
    }
    let Some(token) = before.token.edit(patch, caller.actor(), now) else {
        return response::token(&before.token, now);
    };
    spend(store, account, Budget::Change, now).await?;
    let origin = caller.origin(console);
    let change = TokenChange::new(before, token, Action::Update, origin, now, system)?;
    store.change_token(&change).await?;
    response::token(&change.after.token, now)
}

/// In a merge patch `null` removes: a description and address ranges can be, the rest can't.
async fn read_patch(
    store: &impl GetResources,
    account: &Account,
    request: &Request,
    token: &Token,
) -> Result<Patch, ApiError> {
    let mut fields = Fields::of(request)?;
    let no_description = fields.take_null("description").then(String::new);
    let no_cidrs = fields.take_null("allowedCidrs").then(Vec::new);
    for field in ["name", "autoPurge", "scope"] {
        if fields.take_null(field) {
            fields.fail(field, "required", "can't be removed");
        }
    }
    fields.drop_same("name", &token.name);
    fields.drop_same("description", &token.description);
    let patch = Patch {
        name: fields.name(),
        description: fields.description().or(no_description),
        auto_purge: fields.auto_purge(),
        scope: fields.patched_scope(&token.scope),
        allowed_cidrs: fields.allowed_cidrs().or(no_cidrs),
    };
    if token.kind == Kind::IntegrationApp && patch.auto_purge == Some(AutoPurge::Never) {
        let message = "Integration App tokens can't live forever";
        fields.fail("autoPurge", "not_for_integration_app", message);
    }
    // A scope that stays may name what is gone by now; only a new one has to fit.
    if let Some(scope) = patch.scope.as_ref().filter(|scope| **scope != token.scope) {
        let app = token.integration_id.as_ref();
        fields.fail_all(check_scope(store, account, token.kind, app, scope).await?);
    }
    fields.finish()?;
    Ok(patch)
}

/// What the API's description says of this operation.
pub fn operation() -> Operation {
    Operation::new(
        "update-token",
        "PATCH",
        "/v1/accounts/{accountId}/tokens/{tokenId}",
        "Edit a token",
    )
    .for_administrators()
    .of_a_token()
    .changes_a_token()
    .merge_patch([
        optional("name", schema::name()),
        optional("description", schema::nullable(schema::description())),
        optional("autoPurge", schema::auto_purge())
            .describe("Restarts the lifetime, even with the same value."),
        optional("scope", schema::patched_scope()),
        optional("allowedCidrs", schema::nullable(schema::cidrs())),
    ])
    .answers::<TokenBody<'_>>(200, "The token.", &["ETag"])
    .budgeted()
    .refuses([ApiError::ApiManagementLicenseRequired])
}

#[cfg(test)]
mod tests;
