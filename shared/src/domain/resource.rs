//! Resources of an account that a scope can list.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::id::{AccountId, IntegrationId, InvalidId, ResourceId};
use super::string_enum::string_enum;
use super::text::mended;

string_enum! {
    /// The types of resource that a custom scope can list.
    pub enum ResourceType {
        /// A connection to another application.
        Connection = "connection",
        /// A flow's source.
        Export = "export",
        /// A flow's destination.
        Import = "import",
        /// A "My API".
        Api = "api",
    }
}

impl ResourceType {
    /// The plural name, as in routes and in a custom scope's lists.
    pub fn collection(self) -> &'static str {
        match self {
            Self::Connection => "connections",
            Self::Export => "exports",
            Self::Import => "imports",
            Self::Api => "apis",
        }
    }
}

/// A reference to a resource within its account.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ResourceRef {
    /// The type.
    pub kind: ResourceType,
    /// The id.
    pub id: ResourceId,
}

impl fmt::Display for ResourceRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.kind.collection(), self.id)
    }
}

impl FromStr for ResourceRef {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let (collection, id) = text.split_once('/').ok_or(InvalidId)?;
        let kind = ResourceType::ALL
            .into_iter()
            .find(|kind| kind.collection() == collection);
        Ok(Self {
            kind: kind.ok_or(InvalidId)?,
            id: id.parse()?,
        })
    }
}

/// A resource, projected from the platform's events.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Resource {
    /// The account it belongs to.
    pub account_id: AccountId,
    /// The type.
    #[serde(rename = "type")]
    pub kind: ResourceType,
    /// The id.
    pub id: ResourceId,
    /// Its display name.
    pub name: String,
    /// The Integration App that the resource belongs to, if any.
    #[serde(default)]
    pub integration_id: Option<IntegrationId>,
}

impl Resource {
    /// The resource with its name as it is stored. The platform's names can't be refused, so they are corrected.
    #[must_use]
    pub fn mended(mut self) -> Self {
        self.name = mended(&self.name);
        self
    }

    /// The reference to the resource within its account.
    pub fn reference(&self) -> ResourceRef {
        ResourceRef {
            kind: self.kind,
            id: self.id.clone(),
        }
    }
}
