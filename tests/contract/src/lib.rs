//! All operations of the API in the test's process. A request goes to its route's handler, on a real DynamoDB engine.

mod access;
mod call;
mod description;
mod gate;
mod operations;
mod policies;
mod section;
pub mod sizes;
mod wire;

pub use access::Touched;
pub use call::Call;
pub use description::{Description, Seen};
pub use gate::{Gate, Gated};
pub use operations::{Ports, answer, operations};
pub use policies::{Statement, is_like, policies};
pub use section::{Section, grouped};
pub use wire::{Counts, Wire};
