//! Step-up: operations that hand out secrets need a recent sign-in.

use jiff::{SignedDuration, Timestamp};

use super::event_time::MAX_AHEAD;

/// How recent a sign-in must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepUp {
    max_age: u32,
    claim: String,
}

impl StepUp {
    /// Creates it with the largest age of a sign-in, in seconds, and the claim of the access token that has the time of
    /// the sign-in.
    pub fn new(max_age: u32, claim: impl Into<String>) -> Self {
        Self {
            max_age,
            claim: claim.into(),
        }
    }

    /// The largest age of a sign-in, in seconds.
    pub fn max_age(&self) -> u32 {
        self.max_age
    }

    /// The name of the claim that has the time of the sign-in, in seconds since 1970.
    pub fn claim(&self) -> &str {
        &self.claim
    }

    /// Whether the claim's value is the time of a sign-in that is recent at `now`. A claim that is missing or isn't a
    /// whole number isn't, and neither is a time more than [`MAX_AHEAD`] in the future.
    pub fn is_recent(&self, value: Option<&str>, now: Timestamp) -> bool {
        let seconds = value.and_then(|value| value.parse().ok());
        let time = seconds.and_then(|seconds| Timestamp::from_second(seconds).ok());
        time.is_some_and(|time| {
            let age = now.duration_since(time);
            -MAX_AHEAD <= age && age <= SignedDuration::from_secs(self.max_age.into())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::now;

    #[test]
    fn a_sign_in_is_recent_up_to_its_largest_age() {
        let step_up = StepUp::new(300, "auth_time");
        let recent = |age: i64| {
            let time = (now().as_second() - age).to_string();
            step_up.is_recent(Some(&time), now())
        };
        for (age, expected) in [
            (0, true),
            (300, true),
            (301, false),
            (1_000_000, false),
            // Another clock may be ahead.
            (-300, true),
            (-301, false),
        ] {
            assert_eq!(recent(age), expected, "{age}");
        }
        let last = now() + SignedDuration::from_millis(1);
        let time = (now().as_second() - 300).to_string();
        assert!(!step_up.is_recent(Some(&time), last));
    }

    #[test]
    fn what_is_no_time_is_never_recent() {
        let step_up = StepUp::new(u32::MAX, "auth_time");
        assert!(step_up.is_recent(Some(&now().as_second().to_string()), now()));
        for value in ["", "now", "1.5e9", "NaN", "99999999999999999999", "[1]"] {
            assert!(!step_up.is_recent(Some(value), now()), "{value}");
        }
        assert!(!step_up.is_recent(None, now()));
    }
}
