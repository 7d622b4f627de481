//! Foresees how the authorizer decides on a call, for a bearer who asks why it was refused. API Gateway's own refusal
//! of an HTTP API names no reason.

use super::verify::owner_of;
use crate::domain::policy::{self, AccessRequest, Denial, Obligation, Owner, Permission};
use crate::domain::verification::SecretRecord;
use crate::ports::{GetResources, PortError};

/// Decides on a call with a secret that was verified just now, as the authorizer decides on it. Records and logs
/// nothing.
///
/// `path` is what the authorizer is told: the path below the stage, without the query.
///
/// # Errors
/// The owner of the resource can't be read.
pub async fn foresee(
    store: &impl GetResources,
    secret: &SecretRecord,
    method: &str,
    path: &str,
) -> Result<Result<Vec<Obligation>, Denial>, PortError> {
    let Some(access) = AccessRequest::of_http(method, path) else {
        return Ok(Err(Denial::UnknownCall));
    };
    let (kind, scope) = (secret.kind, &secret.scope);
    let app = secret.integration_id.as_ref();
    let permission = match policy::permission(kind, app, scope, &access, &Owner::NotRead) {
        Permission::NeedsOwner(resource) => {
            let owner = owner_of(store, secret.account_id.clone(), resource).await?;
            policy::permission(kind, app, scope, &access, &owner)
        }
        permission => permission,
    };
    Ok(match permission {
        Permission::Granted(obligations) => Ok(obligations),
        Permission::NeedsOwner(_) | Permission::Denied => Err(policy::denial(kind, scope, &access)),
    })
}
