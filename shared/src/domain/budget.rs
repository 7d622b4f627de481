//! Budgets: how often an account or a member may show secrets, change tokens, create tokens and get mails at once.
//! Actions that end something (revoking, retiring, deleting) and the platform's events have no budget.

use jiff::{SignedDuration, Timestamp};

use super::id::UserId;

/// The length of a window in which spending is counted, in seconds. Windows start with the hour. Around the start of
/// a window, up to twice the budget can be spent within a short time.
const WINDOW: i64 = 3_600;

/// An action that has a budget.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Budget {
    /// A member is shown a secret.
    Reveal(UserId),
    /// A token of the account is created, changed, reactivated or given a new secret.
    Change,
    /// The account gets one more token.
    Token,
    /// A member gets a mail at once.
    Mail(UserId),
}

/// The limits of all budgets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budgets {
    /// Secrets shown to a member per hour.
    pub reveals: u32,
    /// Changes of an account's tokens per hour.
    pub changes: u32,
    /// Tokens that an account has at the same time.
    pub tokens: u32,
    /// Mails to a member per hour.
    pub mails: u32,
}

impl Budgets {
    /// The limit of a budget.
    pub fn limit(&self, budget: &Budget) -> u32 {
        match budget {
            Budget::Reveal(_) => self.reveals,
            Budget::Change => self.changes,
            Budget::Token => self.tokens,
            Budget::Mail(_) => self.mails,
        }
    }
}

/// Whether an action is within its budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spending {
    /// It is, and has been counted.
    Granted,
    /// The budget is spent.
    Exceeded {
        /// When the next window starts, or the tokens are counted again; `None` if waiting doesn't help.
        until: Option<Timestamp>,
    },
}

/// A window in which spending is counted: one hour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// The first instant of the window.
    pub start: Timestamp,
    /// The first instant after the window.
    pub end: Timestamp,
}

impl Window {
    /// The window that contains an instant.
    pub fn of(instant: Timestamp) -> Self {
        // Rounds down to the whole second, before 1970 too.
        let before = i64::from(instant.subsec_nanosecond() < 0);
        let second = instant.as_second() - before;
        let start = second - second.rem_euclid(WINDOW);
        let at = |second| Timestamp::from_second(second).unwrap_or(instant);
        Self {
            start: at(start),
            end: at(start + WINDOW),
        }
    }
}

/// The whole seconds from `now` until an instant has passed, at least one.
pub fn seconds_until(instant: Timestamp, now: Timestamp) -> u64 {
    let left = instant.duration_since(now);
    let rounded = left + SignedDuration::from_nanos(999_999_999);
    u64::try_from(rounded.as_secs()).unwrap_or_default().max(1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_window_is_an_hour_of_the_clock() {
        for (instant, start, end) in [
            (
                "2026-11-23T10:00:00Z",
                "2026-11-23T10:00:00Z",
                "2026-11-23T11:00:00Z",
            ),
            (
                "2026-11-23T10:59:59.999Z",
                "2026-11-23T10:00:00Z",
                "2026-11-23T11:00:00Z",
            ),
            (
                "1970-01-01T00:00:00Z",
                "1970-01-01T00:00:00Z",
                "1970-01-01T01:00:00Z",
            ),
            (
                "1969-12-31T23:59:59.999Z",
                "1969-12-31T23:00:00Z",
                "1970-01-01T00:00:00Z",
            ),
            (
                "1969-12-31T23:00:00Z",
                "1969-12-31T23:00:00Z",
                "1970-01-01T00:00:00Z",
            ),
        ] {
            let window = Window::of(at(instant));
            assert_eq!(
                (window.start, window.end),
                (at(start), at(end)),
                "{instant}"
            );
        }
    }

    #[test]
    fn whoever_waits_as_long_as_told_finds_a_new_window() {
        let end = at("2026-11-23T11:00:00Z");
        assert_eq!(seconds_until(end, at("2026-11-23T10:00:00Z")), 3_600);
        assert_eq!(seconds_until(end, at("2026-11-23T10:59:58.001Z")), 2);
        assert_eq!(seconds_until(end, at("2026-11-23T10:59:59.999Z")), 1);
        assert_eq!(seconds_until(end, end), 1);
    }

    proptest! {
        #[test]
        fn every_instant_is_in_one_window_whose_end_is_waited_for(
            millisecond in -60_000_000_000_000_i64..60_000_000_000_000,
        ) {
            let instant = Timestamp::from_millisecond(millisecond).unwrap();
            let window = Window::of(instant);
            prop_assert!(window.start <= instant && instant < window.end);
            prop_assert_eq!(Window::of(window.end).start, window.end);
            let wait = i64::try_from(seconds_until(window.end, instant)).unwrap();
            prop_assert!((1..=3_600).contains(&wait));
            prop_assert!(instant + SignedDuration::from_secs(wait) >= window.end);
        }
    }
}
