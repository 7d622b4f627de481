//! The benchmarks of `make bench`. Ratios relate to a baseline of the same run. Baseline and contestant take turns, so
//! that a busy machine slows both.

pub mod cold_start;
pub mod cost;
pub mod fixture;
pub mod lambda;
pub mod memory;
pub mod report;
pub mod stats;
pub mod verification;
