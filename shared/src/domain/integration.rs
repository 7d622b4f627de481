//! Integration Apps that are installed in an account.

use serde::{Deserialize, Serialize};

use super::id::{AccountId, IntegrationId};
use super::text::mended;

/// An installed Integration App, projected from the platform's events.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Integration {
    /// The account in which it is installed.
    pub account_id: AccountId,
    /// The id.
    pub id: IntegrationId,
    /// Its display name.
    pub name: String,
}

impl Integration {
    /// The Integration App with its name as it is stored. The platform's names can't be refused, so they are corrected.
    #[must_use]
    pub fn mended(mut self) -> Self {
        self.name = mended(&self.name);
        self
    }
}
