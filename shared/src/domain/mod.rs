//! The rules of the product: pure types and functions without AWS, HTTP or Lambda.
//!
//! All access to the outside world goes through a port, see [`crate::ports`].

pub mod account;
pub mod action;
pub mod actor;
pub mod audit;
pub mod auto_purge;
pub mod brand;
pub mod budget;
pub mod change;
pub mod client;
pub mod entropy;
pub mod event_time;
pub mod id;
pub mod integration;
pub mod kind;
pub mod leak;
pub mod mailing;
pub mod paging;
pub mod policy;
pub mod preferences;
pub mod redelivery;
pub mod replay;
pub mod resource;
pub mod scope;
pub mod secret;
pub mod step_up;
pub(crate) mod string_enum;
pub mod text;
pub mod time;
pub mod token;
pub mod trail;
pub mod upkeep;
pub mod validation;
pub mod verification;
