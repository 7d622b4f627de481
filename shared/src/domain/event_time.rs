//! The times of events that others report by their own clocks.

use jiff::{SignedDuration, Timestamp};

use super::redelivery::MARK_LIFETIME;

/// How far a reporter's clock may be ahead of ours.
pub const MAX_AHEAD: SignedDuration = SignedDuration::from_mins(5);

/// The time of an event of the platform, which serves as the version of the state that the event carries, and when
/// the event was received.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventTime {
    time: Timestamp,
    received: Timestamp,
}

impl EventTime {
    /// The time of an event received at `now`; `None` if it is more than [`MAX_AHEAD`] in the future.
    pub fn heard(time: Timestamp, now: Timestamp) -> Option<Self> {
        let heard = Self {
            time,
            received: now,
        };
        (time <= heard.latest()).then_some(heard)
    }

    /// When the event happened.
    pub fn time(self) -> Timestamp {
        self.time
    }

    /// The latest time that is accepted. A stored state with a later time was accepted by mistake, and counts as older
    /// than any event.
    pub fn latest(self) -> Timestamp {
        after(self.received, MAX_AHEAD)
    }

    /// The latest time at which the event may have happened by our own clock. The reporter's clock may be behind ours by
    /// as much as it may be ahead.
    pub fn latest_by_our_clock(self) -> Timestamp {
        after(self.time, MAX_AHEAD)
    }

    /// Until when the mark of a deletion is kept. It counts from when the event was received, if that is later: the mark
    /// of a deletion that comes late would be over at once otherwise.
    pub fn marked_until(self) -> Timestamp {
        after(self.time.max(self.received), MARK_LIFETIME)
    }
}

/// The time of an event that is received when it happens.
impl From<Timestamp> for EventTime {
    fn from(time: Timestamp) -> Self {
        Self {
            time,
            received: time,
        }
    }
}

fn after(time: Timestamp, duration: SignedDuration) -> Timestamp {
    time.checked_add(duration).unwrap_or(Timestamp::MAX)
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

    #[test]
    fn a_deletion_is_marked_for_as_long_from_its_time_as_from_its_receipt() {
        let end = now() + MARK_LIFETIME;
        let month = SignedDuration::from_hours(30 * 24);
        for (time, received) in [
            (now(), now()),
            (now() - month, now()),
            (now(), now() - MAX_AHEAD),
        ] {
            let heard = EventTime::heard(time, received).unwrap();
            assert_eq!(heard.marked_until(), end, "{heard:?}");
        }
    }
}
