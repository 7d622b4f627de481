//! The ports' implementations on DynamoDB and KMS.

mod accounts;
mod addresses;
mod audit;
mod budgets;
mod digests;
mod expression;
mod items;
mod leaks;
mod lean;
mod leave;
mod mails;
mod mark;
mod memory;
mod migration;
mod paging;
mod platform;
mod preferences;
mod replay;
mod resources;
mod secrets;
mod table;
mod tokens;
mod trail;
mod upkeep;
mod user_agent;
mod vault;

pub use audit::{Tampered, audit_record, is_record_key};
pub use leave::Remnant;
pub use migration::{Found, Kept, Projected, Reading, ScanPosition, Standing};
pub use replay::{Restored, StoredRecord};
pub use table::Store;
pub use tokens::token_of_image;
pub use vault::Vault;

#[cfg(test)]
mod tests;
