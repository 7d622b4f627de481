//! Revokes tokens that nobody has used or changed for as long as the operator allows.

use jiff::{SignedDuration, Timestamp};
use latchkey::app::retry::{ATTEMPTS, retry_on_conflict, unavailable_for_now, unless_conflict};
use latchkey::app::sweep::sweep;
use latchkey::domain::action::Action;
use latchkey::domain::actor::Actor;
use latchkey::domain::change::TokenChange;
use latchkey::domain::entropy::Entropy;
use latchkey::domain::id::{AccountId, TokenId};
use latchkey::ports::{Clock, GetToken, PortError, RevokeIdle};
use latchkey::schedule::ScheduledEvent;

/// Why these tokens are revoked, as their records say.
const REASON: &str = "idle";

/// Of the uses of a day the record has the first from each address: the last may have been that much later.
const UNRECORDED: SignedDuration = SignedDuration::from_hours(24);

/// Revokes every token that has been idle for that long; none if there is no such time. It begins
/// nothing after `until`.
///
/// # Errors
/// When not every one could be revoked; the next attempt revokes the others.
pub async fn handle(
    store: &(impl RevokeIdle + GetToken),
    system: &(impl Clock + Entropy),
    idle_time: Option<SignedDuration>,
    until: Timestamp,
    event: ScheduledEvent,
) -> Result<(), PortError> {
    let Some(idle_time) = idle_time else {
        return Ok(());
    };
    let since = system.now().checked_sub(idle_time);
    let since = since.and_then(|since| since.checked_sub(UNRECORDED));
    let (since, event) = (since.unwrap_or(Timestamp::MIN), &event);
    let revoked = sweep(
        system,
        until,
        |position| store.list_idle(since, position),
        |(account, id)| async move { revoke(store, system, since, &account, &id, event).await },
    )
    .await?;
    tracing::info!(revoked, "revoked idle tokens");
    Ok(())
}

/// Revokes a token if nothing has happened to it after `since`.
async fn revoke(
    store: &(impl RevokeIdle + GetToken),
    system: &(impl Clock + Entropy),
    since: Timestamp,
    account: &AccountId,
    id: &TokenId,
    event: &ScheduledEvent,
) -> Result<bool, PortError> {
    let attempt = || async {
        let now = system.now();
        let Some(before) = store.get_token(account, id, now).await? else {
            return Ok(Some(false));
        };
        if before.token.last_activity() > since {
            // The index goes by the token's own changes, and its uses are elsewhere.
            store.record_activity(&before).await?;
            return Ok(Some(false));
        }
        let Some(token) = before
            .token
            .revoke(Actor::system(), now, Some(REASON.into()))
        else {
            return Ok(Some(false));
        };
        let origin = event.origin();
        let change = TokenChange::new(before, token, Action::Revoke, origin, now, system)?;
        let written = unless_conflict(store.change_idle(&change, since).await)?;
        Ok(written.map(|()| true))
    };
    retry_on_conflict(ATTEMPTS, attempt)
        .await
        .map_err(|error| unavailable_for_now(error, id))
}

#[cfg(test)]
mod tests;
