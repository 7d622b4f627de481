//! The benchmarks of `make bench`. Every figure of time stands beside a baseline of the same run, and the
//! two take turns, so that a busy machine slows both.

pub mod cold_start;
pub mod cost;
pub mod fixture;
pub mod lambda;
pub mod memory;
pub mod report;
pub mod stats;
pub mod verification;
