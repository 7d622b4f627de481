//! Workflows: what an operation does with the domain's rules and the ports, when more than one operation
//! does it.

pub mod check_scope;
pub mod compromise;
pub mod decision;
pub mod retry;
pub mod revoke;
pub mod sweep;
pub mod verify;
