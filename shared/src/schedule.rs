//! Functions that a schedule starts.

use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;

use crate::domain::actor::Actor;
use crate::domain::audit::{Origin, Source};

/// How long before Lambda ends a function it begins nothing more: enough for what it is at.
const MARGIN: SignedDuration = SignedDuration::from_secs(20);

/// What the schedule sends.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ScheduledEvent {
    /// EventBridge's id: the same one when an attempt is made again.
    pub id: String,
}

impl ScheduledEvent {
    /// Where what the function does comes from.
    pub fn origin(&self) -> Origin {
        Origin {
            source: Source::System,
            actor: Actor::system(),
            ip: None,
            user_agent: None,
            request_id: self.id.clone(),
        }
    }
}

/// Until when a function may begin something, given when Lambda ends it (in milliseconds since 1970).
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
