//! Validation failures, collected so that one answer lists all of them.

use schemars::JsonSchema;
use serde::Serialize;

/// A failed validation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct FieldError {
    /// A stable code.
    pub code: &'static str,
    /// The failure in words.
    pub message: String,
    /// The field as a path in the request's JSON (`scope.exports`), or the name of a query parameter.
    pub field: String,
}

impl FieldError {
    /// A failure of a field.
    pub fn new(field: impl Into<String>, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            field: field.into(),
        }
    }
}
