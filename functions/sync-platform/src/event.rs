//! The platform's events.

use jiff::Timestamp;
use latchkey::domain::account::Account;
use latchkey::domain::id::{AccountId, ResourceId};
use latchkey::domain::resource::{Resource, ResourceType};
use serde::Deserialize;

/// An event of the platform's bus.
#[derive(Debug, Deserialize)]
pub(crate) struct Event {
    /// EventBridge's id, for the record.
    pub(crate) id: String,
    /// The version of what the event tells: an older one never overwrites a newer state.
    pub(crate) time: Timestamp,
    /// What has happened.
    #[serde(flatten)]
    pub(crate) detail: Detail,
}

#[derive(Debug, Deserialize)]
#[serde(tag = "detail-type", content = "detail")]
pub(crate) enum Detail {
    /// An account is new or has changed.
    AccountUpserted(Account),
    /// An account is gone.
    AccountDeleted(DeletedAccount),
    /// A resource is new or has changed.
    ResourceUpserted(Resource),
    /// A resource is gone.
    ResourceDeleted(DeletedResource),
}

impl Detail {
    /// The account that it is about.
    pub(crate) fn account(&self) -> &AccountId {
        match self {
            Self::AccountUpserted(account) => &account.id,
            Self::AccountDeleted(gone) => &gone.id,
            Self::ResourceUpserted(resource) => &resource.account_id,
            Self::ResourceDeleted(gone) => &gone.account_id,
        }
    }
}

#[derive(Debug, Deserialize)]
pub(crate) struct DeletedAccount {
    pub(crate) id: AccountId,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DeletedResource {
    pub(crate) account_id: AccountId,
    #[serde(rename = "type")]
    pub(crate) kind: ResourceType,
    pub(crate) id: ResourceId,
}
