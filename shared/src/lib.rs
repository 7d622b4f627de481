//! The code that the functions share, in layers: [`domain`] (pure) ← [`ports`] (capabilities) ← [`app`] (workflows) ←
//! [`store`], [`mail`], [`http`] (the outside world) ← [`start`] and the functions. Imports only go from right to
//! left.

#![cfg_attr(test, allow(clippy::string_slice, reason = "a test may panic"))]

pub mod app;
pub mod aws;
pub mod config;
pub mod domain;
pub mod http;
pub mod mail;
pub mod ports;
pub mod schedule;
pub mod start;
pub mod store;
pub mod stream;
pub mod system;
pub mod telemetry;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
