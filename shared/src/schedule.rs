//! Functions that run on a schedule.

use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;

use crate::domain::audit::Origin;
use crate::telemetry::request::Subject;

/// A function starts nothing more when Lambda ends it within this time. It is enough to finish what has started.
const MARGIN: SignedDuration = SignedDuration::from_secs(20);

/// The event of a schedule.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ScheduledEvent {
    /// EventBridge's id of the event. Repeated attempts have the same id.
    pub id: String,
}

impl ScheduledEvent {
    /// Returns what the log's line says of the event.
    pub fn subject(&self) -> Subject {
        Subject {
            request_id: Some(self.id.clone()),
            account_id: None,
        }
    }

    /// Returns the origin for the audit records of this run.
    pub fn origin(&self) -> Origin {
        Origin::system(self.id.clone())
    }
}

/// Returns the time until which a function may start new work. `deadline` is when Lambda ends the function, in
/// milliseconds since 1970.
pub fn until(deadline: u64) -> Timestamp {
    i64::try_from(deadline)
        .ok()
        .and_then(|deadline| Timestamp::from_millisecond(deadline).ok())
        .and_then(|deadline| deadline.checked_sub(MARGIN).ok())
        .unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_ends_by_itself_in_time() {
        let deadline = "2026-11-23T10:15:00Z".parse::<Timestamp>().unwrap();
        let milliseconds = u64::try_from(deadline.as_millisecond()).unwrap();
        assert_eq!(
            until(milliseconds),
            deadline - SignedDuration::from_secs(20)
        );
        assert_eq!(until(u64::MAX), Timestamp::MAX);
    }
}
