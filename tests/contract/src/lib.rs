//! All operations of the API in the test's process. A request goes to its route's handler, on a real DynamoDB engine.

mod access;
mod call;
mod description;
mod faults;
mod gate;
mod iam;
mod invariants;
mod operations;
mod policies;
mod section;
pub mod sizes;
mod template;
mod trail;
pub mod watching;
mod wire;

pub use access::{Touched, Written};
pub use call::Call;
pub use description::{Description, Seen};
pub use faults::{Fault, Faults, Passed, Planned, Reach, Timers};
pub use gate::{Gate, Gated};
pub use iam::{Allow, Ask, text, texts};
pub use invariants::{Allowance, Evidence, Sent};
pub use operations::{Ports, answer, operations};
pub use policies::{Statement, is_like, policies};
pub use section::Section;
pub use template::{
    CODEDEPLOY, Template, expanded, name_of, of_type, printed, properties_of, python, resources,
};
pub use wire::{Counts, Turn, Wire};
