//! Warns of tokens that will end soon. It runs daily. Each warning is an audit record, and the record causes a mail.

use jiff::Timestamp;
use latchkey::app::retry::{ATTEMPTS, retry_on_conflict, unavailable_for_now, unless_conflict};
use latchkey::app::sweep::sweep;
use latchkey::domain::action::Action;
use latchkey::domain::audit::{AuditRecord, Change};
use latchkey::domain::entropy::Entropy;
use latchkey::domain::time::rfc3339;
use latchkey::domain::upkeep::{ExpiringToken, SentReminder, Warnings};
use latchkey::ports::{Clock, ListExpiring, PortError, RecordReminder, Reminder};
use latchkey::schedule::ScheduledEvent;

/// Records every warning that is due. Starts no warning after `until`.
///
/// # Errors
/// When a warning couldn't be recorded. The next attempt records the others.
pub async fn handle(
    store: &(impl ListExpiring + RecordReminder),
    system: &(impl Clock + Entropy),
    warnings: &Warnings,
    until: Timestamp,
    event: ScheduledEvent,
) -> Result<(), PortError> {
    let (now, event) = (system.now(), &event);
    let horizon = warnings.horizon(now);
    let given = sweep(
        system,
        until,
        |position| store.list_expiring(now, horizon, position),
        |ending: ExpiringToken| async move {
            // Most listed tokens were warned of on an earlier day.
            if warnings.due(&ending, now).is_none() {
                return Ok(false);
            }
            warn(store, system, warnings, &ending, event).await
        },
    )
    .await?;
    tracing::info!(given, "warned of tokens that end");
    Ok(())
}

/// Reads the token again and records the warning that is due, if one still is. Returns whether it did.
async fn warn(
    store: &(impl ListExpiring + RecordReminder),
    system: &(impl Clock + Entropy),
    warnings: &Warnings,
    listed: &ExpiringToken,
    event: &ScheduledEvent,
) -> Result<bool, PortError> {
    let (account, id) = (&listed.account_id, &listed.token_id);
    let attempt = || async {
        let now = system.now();
        let Some((token, reminded)) = store.get_expiring(account, id, now).await? else {
            return Ok(Some(false));
        };
        let ending = ExpiringToken::of(&token, reminded);
        let due = ending.and_then(|ending| Some((warnings.due(&ending, now)?, ending.purge_at)));
        let Some((days, purge_at)) = due else {
            return Ok(Some(false));
        };
        // The token doesn't change. The record only says when it ends.
        let end = Some(rfc3339(purge_at));
        let changes = vec![Change::new("purgeAt", end.clone(), end)];
        let audit = AuditRecord::new(Action::Remind, &token, changes, event.origin(), now, system)?;
        let reminder = Reminder {
            reminded: SentReminder { purge_at, days },
            audit,
        };
        let written = unless_conflict(store.record_reminder(&reminder).await)?;
        Ok(written.map(|()| true))
    };
    retry_on_conflict(ATTEMPTS, attempt)
        .await
        .map_err(|error| unavailable_for_now(error, id))
}

#[cfg(test)]
mod tests;
