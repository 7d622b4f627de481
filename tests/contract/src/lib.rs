//! All operations of the API in the test's process. A request goes to its route's handler, on a real DynamoDB engine.

mod access;
mod call;
mod description;
mod gate;
mod iam;
mod operations;
mod policies;
mod section;
mod template;
mod wire;

pub use access::{Touched, Written};
pub use call::Call;
pub use description::{Description, Seen};
pub use gate::{Gate, Gated};
pub use iam::{Allow, Ask, text, texts};
pub use operations::{Ports, answer, operations};
pub use policies::{Statement, is_like, policies};
pub use section::{Section, grouped};
pub use template::{Template, name_of};
pub use wire::{Counts, Wire};
