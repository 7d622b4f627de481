//! The operating system's clock and random bits, as ports.

use jiff::Timestamp;

use crate::domain::entropy::{Entropy, EntropyError};
use crate::ports::Clock;

/// The operating system.
#[derive(Debug, Clone, Copy, Default)]
pub struct System;

impl Clock for System {
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that reads the clock"
    )]
    fn now(&self) -> Timestamp {
        let now = Timestamp::now();
        Timestamp::from_millisecond(now.as_millisecond()).unwrap_or(now)
    }
}

impl Entropy for System {
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that reads random bits"
    )]
    fn fill(&self, buffer: &mut [u8]) -> Result<(), EntropyError> {
        getrandom::fill(buffer).map_err(|_| EntropyError)
    }
}
