//! What the suites of the assurance share: how long they run, their seeds, and the report of what they did.
//!
//! A suite has two forms. `make test` runs the bounded one: fixed seeds, the same work each time. `make torture` sets
//! [`MINUTES`] and runs the long one: seeds that begin at another place each time, until the minutes are over.
//! [`SEED`] runs a single seed again in both.

mod report;
mod rounds;

pub use report::{FOLDER, Report, Suite};
pub use rounds::{MINUTES, Rounds, SEED, minutes};
