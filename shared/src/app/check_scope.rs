//! The check of a scope against the account's resources.

use crate::domain::account::Account;
use crate::domain::id::IntegrationId;
use crate::domain::kind::Kind;
use crate::domain::scope::{Scope, misfits};
use crate::domain::validation::FieldError;
use crate::ports::{GetResources, PortError};

/// Checks that every resource of a scope exists in the account and can be listed by the token's kind. Returns one
/// failure per invalid id.
///
/// # Errors
/// The resources can't be read.
pub async fn check_scope(
    store: &impl GetResources,
    account: &Account,
    kind: Kind,
    integration_id: Option<&IntegrationId>,
    scope: &Scope,
) -> Result<Vec<FieldError>, PortError> {
    let Scope::Custom(lists) = scope else {
        return Ok(vec![]);
    };
    let names: Vec<_> = lists.iter().collect();
    let found = store.get_resources(&account.id, &names).await?;
    Ok(misfits(lists, &found, kind, integration_id))
}
