//! Failures of what a caller sent in, collected so that all are answered at once.

use schemars::JsonSchema;
use serde::Serialize;

/// One failure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct FieldError {
    /// A stable code.
    pub code: &'static str,
    /// What is wrong, for people.
    pub message: String,
    /// Which field, as a path in the request's JSON (`scope.exports`), or a query parameter's name.
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
