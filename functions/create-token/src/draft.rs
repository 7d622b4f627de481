//! Reads the fields of the new token.

use lambda_http::Request;
use latchkey::app::check_scope::check_scope;
use latchkey::domain::account::Account;
use latchkey::domain::auto_purge::AutoPurge;
use latchkey::domain::kind::Kind;
use latchkey::domain::token::Draft;
use latchkey::http::ApiError;
use latchkey::http::body::Fields;
use latchkey::ports::GetResources;

/// Reads the new token's fields from a request's body.
///
/// # Errors
/// `validation_failed` with every field that isn't valid, the errors of [`Fields::of`], and `unavailable` if the
/// resources of the scope can't be read.
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
    let kind = fields.choice("kind", kinds, Kind::parse);
    let kind = kind.map(|kind| kind.unwrap_or(Kind::Account));
    let integration_id = fields.choice("integrationId", "an id", |id| id.parse().ok());
    let auto_purge = fields.auto_purge();
    let auto_purge = fields.require("autoPurge", auto_purge);
    let scope = fields.scope();
    let scope = fields.require("scope", scope);
    let allowed_cidrs = fields.allowed_cidrs();
    let integration_id = match (kind, integration_id) {
        (Ok(Kind::IntegrationApp), given) => fields.require("integrationId", given).map(Some),
        (Ok(Kind::Account), Ok(Some(_))) => {
            let message = "only Integration App tokens have one";
            Err(fields.fail("integrationId", "not_for_account", message))
        }
        (_, given) => given,
    };
    if kind == Ok(Kind::IntegrationApp) && auto_purge == Ok(AutoPurge::Never) {
        let message = "Integration App tokens can't live forever";
        fields.fail("autoPurge", "not_for_integration_app", message);
    }
    if let Ok(scope) = &scope {
        // The resources can be checked only if the Integration App is known.
        let app = integration_id.as_ref().ok().and_then(Option::as_ref);
        let judged = kind.ok().filter(|_| app.is_some()).unwrap_or(Kind::Account);
        fields.fail_all(check_scope(store, account, judged, app, scope).await?);
    }
    fields.finish(|| {
        Ok(Draft {
            kind: kind?,
            integration_id: integration_id?,
            name: name?,
            description: description?.unwrap_or_default(),
            auto_purge: auto_purge?,
            scope: scope?,
            allowed_cidrs: allowed_cidrs?.unwrap_or_default(),
        })
    })
}
