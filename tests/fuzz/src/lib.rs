//! Fuzzing: what Latchkey's parsers and handlers promise about any bytes.
//!
//! A [`Target`] takes bytes and panics if a promise is broken. There are three kinds of targets: parsers, routes that a
//! gateway serves, and events of AWS. Each operation of the API is a target by itself, because the list of operations
//! says so; its inputs are whole requests, with query, headers and body. `tests/bounded.rs` fails if an operation or a
//! function has no target, or if a target has no inputs in `corpus/<target>/`.
//!
//! - The bounded form, `cargo test -p fuzz`, replays all inputs and runs seeded mutations of them.
//! - The long form, `sh infra/local/fuzz.sh SECONDS`, is guided by coverage: libFuzzer runs each target for that many
//!   seconds. It needs a C++ compiler, but no nightly Rust: LLVM's pass `sancov-module` and its options can be had on
//!   stable Rust. Only the workspace's own crates are compiled with it, and the generic code of others that they use.
//!   There is no address sanitizer, which needs nightly; the workspace forbids unsafe code.
//!
//! An input that breaks a promise goes into `corpus/<target>/`, where each later run replays it.
//!
//! What stays unproven: what the gateway passes on. An input has what HTTP lets a client send, without control
//! characters and spaces where HTTP has none. Amazon API Gateway may refuse some of it, and may write events in other
//! ways than those here. The handlers run on a store in memory that never fails ([`World`]); `tests/engine.rs` runs the
//! committed requests on a real engine.

pub mod check;
pub mod corpus;
mod input;
mod mutate;
mod targets;
mod world;

pub use input::Input;
pub use mutate::Mutator;
pub use targets::{FUNCTIONS, Harness, Target, answer, call, targets, values};
pub use world::{World, secret, system};
