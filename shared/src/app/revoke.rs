//! Changes that are repeated until they succeed. A revocation is urgent and applies to the token's current state,
//! whatever was changed concurrently.

use jiff::Timestamp;

use super::retry::{ATTEMPTS, retry_on_conflict, unless_conflict};
use crate::domain::action::Action;
use crate::domain::audit::Origin;
use crate::domain::change::TokenChange;
use crate::domain::entropy::Entropy;
use crate::domain::id::{AccountId, TokenId};
use crate::domain::token::{StoredToken, Token};
use crate::ports::{ChangeToken, Clock, GetToken, PortError};

/// The outcome of a revocation.
#[derive(Debug)]
pub enum Revoked {
    /// There is no such token.
    NotFound,
    /// The token was in that state already.
    Unchanged(Box<StoredToken>),
    /// The token was changed.
    Changed(Box<TokenChange>),
}

/// Revokes a token, or ends it in another way, with its audit record. `end` returns the token's new state, or `None`
/// if nothing needs to change.
///
/// # Errors
/// The error of `end`. [`PortError::Conflict`] if the token changed concurrently at every attempt.
pub async fn revoke<E: From<PortError>>(
    store: &(impl GetToken + ChangeToken),
    system: &(impl Clock + Entropy),
    (account, id): (&AccountId, &TokenId),
    origin: &Origin,
    action: Action,
    end: impl Fn(&StoredToken, Timestamp) -> Result<Option<Token>, E>,
) -> Result<Revoked, E> {
    let attempt = || async {
        let now = system.now();
        let Some(before) = store.get_token(account, id, now).await? else {
            return Ok(Some(Revoked::NotFound));
        };
        let Some(token) = end(&before, now)? else {
            return Ok(Some(Revoked::Unchanged(Box::new(before))));
        };
        let change = TokenChange::new(before, token, action, origin.clone(), now, system)
            .map_err(PortError::from)?;
        let written = unless_conflict(store.change_token(&change).await)?;
        Ok(written.map(|()| Revoked::Changed(Box::new(change))))
    };
    retry_on_conflict(ATTEMPTS, attempt).await
}
