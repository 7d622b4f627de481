//! What the suites of the assurance share: how long they run, their seeds, the report of what they did, and the form of
//! its numbers.
//!
//! A suite has two forms. `make test` runs the bounded one: fixed seeds, the same work each time. `make torture` sets
//! [`MINUTES`] and runs the long one: seeds that begin at another place each time, until the minutes are over.
//! [`SEED`] runs a single seed again in both.

mod number;
mod report;
mod rounds;

pub use number::grouped;
pub use report::{FOLDER, Report, Suite};
pub use rounds::{MINUTES, Rounds, SEED, minutes};
