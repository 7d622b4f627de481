//! Revokes tokens that nobody has used or changed for the configured time.

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

/// The reason in these revocations' records.
const REASON: &str = "idle";

/// Only the first use of a day from each address is recorded. The last use may be this much later.
const UNRECORDED: SignedDuration = SignedDuration::from_hours(24);

/// Revokes every token that has been idle for `idle_time`. Does nothing if that is `None`. Starts no revocation after
/// `until`.
///
/// # Errors
/// When a token couldn't be revoked. The next attempt revokes the others.
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

/// Revokes a token if it was neither used nor changed after `since`. Returns whether it did.
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
            // The index knows the token's changes, but not its uses. The note keeps the token off the idle list.
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
