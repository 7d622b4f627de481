//! Reads what the token is to be.

use lambda_http::Request;
use latchkey::app::check_scope::check_scope;
use latchkey::domain::account::Account;
use latchkey::domain::auto_purge::AutoPurge;
use latchkey::domain::kind::Kind;
use latchkey::domain::token::Draft;
use latchkey::http::ApiError;
use latchkey::http::body::Fields;
use latchkey::ports::GetResources;

/// The draft in a request's body.
///
/// # Errors
/// Every field that can't be taken, or what keeps the scope from being checked.
pub(super) async fn read_draft(
    store: &impl GetResources,
    account: &Account,
    request: &Request,
) -> Result<Draft, ApiError> {
    let mut fields = Fields::of(request)?;
    let name = fields.name();
    let name = fields.require("name", name);
    let description = fields.description();
    let kinds = "account or integrationApp";
    let kind = fields.choice_or("kind", Kind::Account, kinds, Kind::parse);
    let integration_id = fields.choice("integrationId", "an id", |id| id.parse().ok());
    let auto_purge = fields.auto_purge();
    let auto_purge = fields.require("autoPurge", auto_purge);
    let scope = fields.scope();
    let scope = fields.require("scope", scope);
    let allowed_cidrs = fields.allowed_cidrs();
    match kind {
        Some(Kind::IntegrationApp) => {
            fields.require("integrationId", integration_id.as_ref());
            if auto_purge == Some(AutoPurge::Never) {
                let message = "Integration App tokens can't live forever";
                fields.fail("autoPurge", "not_for_integration_app", message);
            }
        }
        Some(Kind::Account) if integration_id.is_some() => {
            let message = "only Integration App tokens have one";
            fields.fail("integrationId", "not_for_account", message);
        }
        _ => {}
    }
    if let Some(scope) = &scope {
        // What belongs to an app can be judged only if the app is known.
        let app = integration_id.as_ref();
        let judged = kind.filter(|_| app.is_some()).unwrap_or(Kind::Account);
        fields.fail_all(check_scope(store, account, judged, app, scope).await?);
    }
    fields.finish()?;
    match (name, kind, auto_purge, scope) {
        (Some(name), Some(kind), Some(auto_purge), Some(scope)) => Ok(Draft {
            kind,
            integration_id,
            name,
            description: description.unwrap_or_default(),
            auto_purge,
            scope,
            allowed_cidrs: allowed_cidrs.unwrap_or_default(),
        }),
        _ => Err(ApiError::internal(
            "a required field passed without a value",
        )),
    }
}
