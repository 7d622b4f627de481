//! How late an event or a stream's batch may be processed once more.

use jiff::SignedDuration;

/// How long a mark is kept by which something is recognized that is delivered late or again. It is longer than anything
/// can be on its way: an event is tried for a day by EventBridge and for six hours by Lambda, and lies in a queue of
/// dead letters for 14 days. A stream's batch is tried for 23 hours, and lies in the bucket for 14 days, which S3 rounds
/// up to midnight. A contract test compares this with the template.
pub const MARK_LIFETIME: SignedDuration = SignedDuration::from_hours(16 * 24);
