//! The account's history of calls to AWS.

use jiff::Timestamp;

use super::error::Result;
use crate::domain::paging::Page;
use crate::domain::trail::{TrailEvent, Watched, Window};

/// Reads CloudTrail's event history.
pub trait ReadTrail: Sync {
    /// A page of an operation's events in the window, newest first. The next page continues at `position`.
    fn read_trail(
        &self,
        watched: &Watched,
        window: Window,
        position: Option<String>,
    ) -> impl Future<Output = Result<Page<TrailEvent, String>>> + Send;
}

/// Remembers what was found, so that it is told once.
pub trait NoteFinding: Sync {
    /// Whether the finding about an event was told.
    fn is_noted(&self, event: &str) -> impl Future<Output = Result<bool>> + Send;

    /// Remembers until then that the finding about an event was told.
    fn note_finding(
        &self,
        event: &str,
        until: Timestamp,
    ) -> impl Future<Output = Result<()>> + Send;
}
