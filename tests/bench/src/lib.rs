//! The benchmarks of `make bench`. Ratios are to a baseline of the same run, with which the contestant takes
//! turns, so that a busy machine slows both.

pub mod cold_start;
pub mod cost;
pub mod fixture;
pub mod lambda;
pub mod memory;
pub mod report;
pub mod stats;
pub mod verification;
