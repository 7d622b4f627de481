//! The time.

use jiff::Timestamp;

/// The time.
pub trait Clock: Sync {
    /// Now, in whole milliseconds: what is answered is what was stored.
    fn now(&self) -> Timestamp;
}
