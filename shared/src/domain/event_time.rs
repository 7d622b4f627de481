//! The times of events that others report by their own clocks.

use jiff::{SignedDuration, Timestamp};

/// How far a reporter's clock may be ahead of ours.
pub const MAX_AHEAD: SignedDuration = SignedDuration::from_mins(5);

/// The time of an event of the platform, which serves as the version of the state that the event carries. With it
/// comes the latest time that is accepted by our own clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventTime {
    time: Timestamp,
    latest: Timestamp,
}

impl EventTime {
    /// The time of an event received at `now`; `None` if it is more than [`MAX_AHEAD`] in the future.
    pub fn heard(time: Timestamp, now: Timestamp) -> Option<Self> {
        let latest = now.checked_add(MAX_AHEAD).unwrap_or(Timestamp::MAX);
        (time <= latest).then_some(Self { time, latest })
    }

    /// When the event happened.
    pub fn time(self) -> Timestamp {
        self.time
    }

    /// The latest time that is accepted. A stored state with a later time was accepted by mistake, and counts as older
    /// than any event.
    pub fn latest(self) -> Timestamp {
        self.latest
    }
}

/// The time of an event that is received when it happens.
impl From<Timestamp> for EventTime {
    fn from(time: Timestamp) -> Self {
        let latest = time.checked_add(MAX_AHEAD).unwrap_or(Timestamp::MAX);
        Self { time, latest }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::now;

    #[test]
    fn clocks_may_be_five_minutes_ahead_and_no_more() {
        let limit = now() + SignedDuration::from_mins(5);
        let believed = EventTime::heard(limit, now()).unwrap();
        assert_eq!((believed.time(), believed.latest()), (limit, limit));
        let beyond = limit + SignedDuration::from_micros(1);
        assert_eq!(EventTime::heard(beyond, now()), None);
        assert_eq!(EventTime::heard(Timestamp::MAX, now()), None);
        assert!(EventTime::heard(Timestamp::MAX, Timestamp::MAX).is_some());
        assert!(EventTime::heard(Timestamp::MIN, now()).is_some());
    }
}
