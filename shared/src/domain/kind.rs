//! Kinds of tokens.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a token acts as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Kind {
    /// Acts for the account.
    Account,
    /// Acts inside one Integration App.
    IntegrationApp,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 2] = [Self::Account, Self::IntegrationApp];

    /// The name used in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Account => "account",
            Self::IntegrationApp => "integrationApp",
        }
    }

    /// The kind with that name, or `None` if there is none.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }
}
