//! The seeds of a suite's rounds.

use std::env;
use std::time::{Duration, Instant, SystemTime};

/// The environment variable with the minutes that each suite's long form runs. Without it, suites are bounded.
pub const MINUTES: &str = "LATCHKEY_MINUTES";

/// The environment variable with the only seed to run.
pub const SEED: &str = "LATCHKEY_SEED";

/// Returns how long the long form runs; `None` in the bounded form.
///
/// # Panics
/// If the variable isn't a number.
pub fn minutes() -> Option<Duration> {
    Some(Duration::from_secs(60 * number(MINUTES)?))
}

/// Returns the number in an environment variable; `None` if the variable isn't set.
fn number(name: &str) -> Option<u64> {
    let text = env::var(name).ok()?;
    let number = text.parse();
    Some(number.unwrap_or_else(|_| panic!("{name} is {text:?}: make it a number")))
}

/// The seeds of a suite's rounds. A failing round must name its seed, so that it can be run again alone.
#[derive(Debug)]
pub struct Rounds {
    next: u64,
    left: u64,
    until: Option<Instant>,
}

impl Rounds {
    /// Returns the seeds 0 to `bounded` − 1 in the bounded form. In the long form, returns seeds until the time is over,
    /// one at least.
    ///
    /// # Panics
    /// If a variable isn't a number.
    pub fn of(bounded: u64) -> Self {
        Self::with(bounded, minutes(), number(SEED))
    }

    fn with(bounded: u64, minutes: Option<Duration>, only: Option<u64>) -> Self {
        match (only, minutes) {
            (Some(seed), _) => Self {
                next: seed,
                left: 1,
                until: None,
            },
            (None, None) => Self {
                next: 0,
                left: bounded,
                until: None,
            },
            (None, Some(minutes)) => {
                #[expect(
                    clippy::disallowed_methods,
                    reason = "only the first seed depends on it"
                )]
                let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
                Self {
                    // Below 10^9, so that a seed is easy to type. Runs don't overlap in practice.
                    next: now.map_or(0, |now| now.as_secs() % 1_000_000 * 1_000),
                    left: u64::MAX,
                    until: Some(Instant::now() + minutes),
                }
            }
        }
    }
}

impl Iterator for Rounds {
    type Item = u64;

    fn next(&mut self) -> Option<u64> {
        let begun = self.left < u64::MAX;
        let over = self.until.is_some_and(|until| Instant::now() >= until);
        if self.left == 0 || (over && begun) {
            return None;
        }
        self.left -= 1;
        self.next += 1;
        Some(self.next - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bounded_form_has_the_same_seeds_each_time() {
        assert_eq!(Rounds::with(3, None, None).collect::<Vec<_>>(), [0, 1, 2]);
        assert_eq!(Rounds::with(0, None, None).count(), 0);
    }

    #[test]
    fn one_seed_runs_alone_in_both_forms() {
        assert_eq!(Rounds::with(3, None, Some(7)).collect::<Vec<_>>(), [7]);
        let long = Some(Duration::from_secs(60));
        assert_eq!(Rounds::with(3, long, Some(7)).collect::<Vec<_>>(), [7]);
    }

    #[test]
    fn the_long_form_runs_until_the_time_is_over_and_once_at_least() {
        let none = Rounds::with(3, Some(Duration::ZERO), None);
        assert_eq!(none.count(), 1);
        let long = Rounds::with(3, Some(Duration::from_secs(600)), None);
        assert_eq!(long.take(5).count(), 5);
    }
}
