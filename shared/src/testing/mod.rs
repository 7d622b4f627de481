//! Shared parts of tests: fixed clocks and entropy, sample tokens, a DynamoDB engine, sample events.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

mod answer;
mod engine;
mod event;
mod filter;
mod logs;
mod post;
mod program;
mod random;
mod samples;
#[cfg(test)]
mod service;
mod trail;

pub use answer::Answer;
pub use engine::{Engine, FakeVault, acme, globex};
pub use event::Event;
pub use filter::counts;
pub use logs::Logs;
pub use post::Post;
pub use program::Program;
pub use random::Random;
pub use samples::{
    FixedClock, FixedEntropy, NoEntropy, audit, brand, now, origin, owner_actor, plain,
    plain_secret, secret_record, stored_token, system_at, token, token_at,
};
#[cfg(test)]
pub(crate) use service::{Service, service_config};
pub use trail::{trail_event, trail_sample, watched_stack};
