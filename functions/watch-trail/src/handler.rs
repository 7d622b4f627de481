//! Reads what CloudTrail has of the last hours, and tells what an intruder would have done: changes of what protects the
//! stack, and secrets that were decrypted without a record in the audit log.

mod cloudtrail;
mod watch;

use jiff::Timestamp;
use latchkey::domain::trail::{DECRYPT, Decryption, Stack, WATCHED, suspicious};
use latchkey::ports::{Clock, ListAudit, NoteFinding, PortError, ReadTrail};
use serde::Deserialize;

pub use cloudtrail::{CloudTrail, PAUSE};
use watch::{Finding, Progress, Watch};

/// The event of the hourly schedule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub struct Hour {
    /// When EventBridge made the event. It decides what is read, so an event that is handed over again reads the same
    /// hours.
    pub time: Timestamp,
}

/// Tells each finding of the event's hours in a line at level ERROR, once unless noting that fails. What fails doesn't
/// hold up the rest. Begins no reading after `until`.
///
/// # Errors
/// When something couldn't be read or noted. The next attempt, and the runs of the next two hours, read it again.
pub async fn handle(
    trail: &impl ReadTrail,
    store: &(impl ListAudit + NoteFinding),
    clock: &impl Clock,
    stack: &Stack,
    until: Timestamp,
    event: Hour,
) -> Result<(), PortError> {
    let watch = Watch {
        trail,
        store,
        clock,
        stack,
        until,
        hour: event.time,
    };
    let mut progress = Progress::default();
    for watched in &WATCHED {
        for event in watch.read(watched, &mut progress).await {
            if let Some(resource) = suspicious(watched, &event, stack) {
                let finding = Finding {
                    kind: "change",
                    resource,
                    token: None,
                };
                watch.tell(&event, &finding, &mut progress).await;
            }
        }
    }
    let decrypted = watch.read(&DECRYPT, &mut progress).await.into_iter();
    let decrypted = decrypted.filter_map(|event| Decryption::of(event, stack));
    watch.compare(decrypted.collect(), &mut progress).await;

    let Progress {
        events,
        findings,
        left,
    } = progress;
    tracing::info!(events, findings, left = left.len(), "read the trail");
    if left.is_empty() {
        return Ok(());
    }
    let told = format!("events are left to the next attempt ({})", left.join("; "));
    Err(PortError::Unavailable(told.into()))
}

#[cfg(test)]
mod tests;
