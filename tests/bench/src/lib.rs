//! The benchmarks of `make bench`. Ratios relate to a baseline of the same run. Baseline and contestant take turns, so
//! that a busy machine slows both.

pub mod cold_start;
pub mod cost;
pub mod drive;
pub mod fixture;
pub mod http;
pub mod kms;
pub mod lambda;
pub mod line;
pub mod load;
pub mod memory;
pub mod peers;
pub mod report;
pub mod sandbox;
pub mod stats;
pub mod usage;
pub mod verification;
