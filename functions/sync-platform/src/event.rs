//! The platform's events.

use jiff::Timestamp;
use latchkey::domain::account::Account;
use latchkey::domain::id::{AccountId, IntegrationId, ResourceId};
use latchkey::domain::integration::Integration;
use latchkey::domain::resource::{Resource, ResourceType};
use serde::Deserialize;

/// An event of the platform's bus.
#[derive(Debug, Deserialize)]
pub(crate) struct Event {
    /// EventBridge's id, for audit records.
    pub(crate) id: String,
    /// When it happened. An older event never overwrites the state of a newer one.
    pub(crate) time: Timestamp,
    /// What happened.
    #[serde(flatten)]
    pub(crate) detail: Detail,
}

#[derive(Debug, Deserialize)]
#[serde(tag = "detail-type", content = "detail")]
pub(crate) enum Detail {
    /// An account was created or changed.
    AccountUpserted(Account),
    /// An account was deleted.
    AccountDeleted(DeletedAccount),
    /// A resource was created or changed.
    ResourceUpserted(Resource),
    /// A resource was deleted.
    ResourceDeleted(DeletedResource),
    /// An Integration App was installed or changed.
    IntegrationUpserted(Integration),
    /// An Integration App was removed.
    IntegrationDeleted(DeletedIntegration),
}

impl Detail {
    /// Returns the account that the event is about.
    pub(crate) fn account(&self) -> &AccountId {
        match self {
            Self::AccountUpserted(account) => &account.id,
            Self::AccountDeleted(gone) => &gone.id,
            Self::ResourceUpserted(resource) => &resource.account_id,
            Self::ResourceDeleted(gone) => &gone.account_id,
            Self::IntegrationUpserted(integration) => &integration.account_id,
            Self::IntegrationDeleted(gone) => &gone.account_id,
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

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DeletedIntegration {
    pub(crate) account_id: AccountId,
    pub(crate) id: IntegrationId,
}
