//! The clock.

use jiff::Timestamp;

/// A clock.
pub trait Clock: Sync {
    /// The current time in whole milliseconds, so that what is answered equals what is stored.
    fn now(&self) -> Timestamp;
}
