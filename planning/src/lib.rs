//! Arithmetic about a stack that runs nowhere: list prices, and the quotas that a load needs. No deployed function
//! depends on it.

pub mod prices;
pub mod quotas;

pub use prices::Price;
pub use quotas::{Load, Need, Remedy, needs};
