//! Marks of single writes with a condition.
//!
//! If the answer to a write is lost, the SDK writes again. DynamoDB recognizes a transaction that is sent again, but not
//! a single write: its condition fails on what the first attempt wrote. So the item has the mark of its last write, and
//! a write that is refused can tell whether it met its own first attempt.

use aws_sdk_dynamodb::types::AttributeValue;

use super::table::{Item, text};
use crate::domain::entropy::Entropy;
use crate::ports::PortError;
use crate::system::System;

/// The attribute with the mark.
pub(super) const WRITTEN_BY: &str = "writtenBy";

/// The mark of one write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mark(String);

impl Mark {
    /// A mark that no other write has: random bits, since the writes of a function don't depend on it otherwise.
    pub(super) fn new() -> Result<Self, PortError> {
        let mut bits = [0; 16];
        System.fill(&mut bits)?;
        Ok(Self(hex::encode(bits)))
    }

    /// The mark as an attribute.
    pub(super) fn value(&self) -> AttributeValue {
        text(&self.0)
    }

    /// Whether an item is as this write left it.
    pub(super) fn is_on(&self, item: Option<&Item>) -> bool {
        item.is_some_and(|item| item.get(WRITTEN_BY) == Some(&self.value()))
    }
}
