//! Changes a token's settings by a JSON Merge Patch (RFC 7396).

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
use latchkey::http::body::Fields;
use latchkey::http::budget::spend;
use latchkey::http::caller::{Caller, ConsoleClient};
use latchkey::http::openapi::Operation;
use latchkey::http::openapi::schema::{self, optional};
use latchkey::http::token::TokenBody;
use latchkey::http::{ApiError, ErrorCode, response};
use latchkey::ports::{ChangeToken, Clock, GetAccount, GetResources, GetToken, SpendBudget};

/// Changes a token's name, description, lifetime, scope or address ranges and records that, for an administrator of
/// the account in the path. Returns the token, unchanged if the patch changes nothing.
///
/// # Errors
/// Those of [`Caller::authorize`] and [`Caller::token`], `validation_failed`, `api_management_license_required`,
/// `budget_exceeded`, `conflict`, and `unavailable` if the table can't be reached.
pub async fn handle(
    store: &(impl GetAccount + GetToken + GetResources + ChangeToken + SpendBudget),
    system: &(impl Clock + Entropy),
    console: &ConsoleClient,
    request: Request,
) -> Result<Response<Body>, ApiError> {
    let caller = Caller::authorize(store, console, &request).await?;
    let account = &caller.account;
    let now = system.now();
    let before = caller.token(store, &request, now).await?;
    let patch = read_patch(store, account, &request, &before.token).await?;
    if !patch
        .auto_purge
        .is_none_or(|choice| account.licenses(choice))
    {
        return Err(ErrorCode::ApiManagementLicenseRequired.into());
    }
    let Some(token) = before.token.edit(patch, caller.actor(), now) else {
        return response::token(&before.token, now);
    };
    spend(store, account, Budget::Change, now).await?;
    let origin = caller.origin();
    let change = TokenChange::new(before, token, Action::Update, origin, now, system)?;
    store.change_token(&change).await?;
    response::token(&change.after.token, now)
}

/// Reads the patch in a request's body. `null` removes a value (RFC 7396): the description and the address ranges can
/// be removed, the other fields can't.
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
    let name = fields.name();
    let description = fields.description();
    let auto_purge = fields.auto_purge();
    let scope = fields.patched_scope(&token.scope);
    let allowed_cidrs = fields.allowed_cidrs();
    if token.kind == Kind::IntegrationApp && auto_purge == Ok(Some(AutoPurge::Never)) {
        let message = "Integration App tokens can't live forever";
        fields.fail("autoPurge", "not_for_integration_app", message);
    }
    // An unchanged scope may name resources that no longer exist. Only a new scope is checked.
    if let Ok(Some(scope)) = &scope
        && *scope != token.scope
    {
        let app = token.integration_id.as_ref();
        fields.fail_all(check_scope(store, account, token.kind, app, scope).await?);
    }
    fields.finish(|| {
        Ok(Patch {
            name: name?,
            description: description?.or(no_description),
            auto_purge: auto_purge?,
            scope: scope?,
            allowed_cidrs: allowed_cidrs?.or(no_cidrs),
        })
    })
}

/// Describes this operation for the OpenAPI document.
pub fn operation() -> Operation {
    Operation::new("update-token", "Edit a token")
        .description(
            "Changes the given fields, with effect on the next use of the token. The secret stays the \
            same.",
        )
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
        .refuses([ErrorCode::ApiManagementLicenseRequired])
}

#[cfg(test)]
mod tests;
