//! Workflows: what an operation does with the domain's rules and the ports, when more than one operation
//! does it.

pub mod compromise;
pub mod decision;
pub mod revoke;
pub mod verify;
