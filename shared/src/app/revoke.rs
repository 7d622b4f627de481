//! Changes that go on until they are through: whoever revokes is in a hurry, and means the token however it
//! looks by now.

use jiff::Timestamp;

use super::retry::{ATTEMPTS, retry_on_conflict, unless_conflict};
use crate::domain::action::Action;
use crate::domain::audit::Origin;
use crate::domain::change::TokenChange;
use crate::domain::entropy::Entropy;
use crate::domain::id::{AccountId, TokenId};
use crate::domain::token::{StoredToken, Token};
use crate::ports::{ChangeToken, Clock, GetToken, PortError};

/// What became of a token.
#[derive(Debug)]
pub enum Revoked {
    /// There is no such token.
    NotFound,
    /// There was nothing to do.
    Unchanged(Box<StoredToken>),
    /// It was changed.
    Changed(Box<TokenChange>),
}

/// Revokes a token, or ends it in another way, with the record of that. `end` makes of the token what it is to
/// be, or nothing if it is so already.
///
/// # Errors
/// What `end` refuses; [`PortError::Conflict`] if the token changes again and again.
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
