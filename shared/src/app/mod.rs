//! Workflows that more than one operation uses. They combine the domain's rules with the ports.

pub mod check_scope;
pub mod compromise;
pub mod decision;
pub mod foresee;
pub mod measure;
pub mod retry;
pub mod revoke;
pub mod sweep;
pub mod verify;
