//! Resources and Integration Apps.

use super::error::Result;
use crate::domain::id::{AccountId, IntegrationId};
use crate::domain::integration::Integration;
use crate::domain::paging::{IntegrationQuery, Page, ResourceQuery};
use crate::domain::resource::{Resource, ResourceRef};

/// Finds resources by their references.
pub trait GetResources: Sync {
    /// Those of the given resources that exist in the account, in no particular order.
    fn get_resources(
        &self,
        account: &AccountId,
        names: &[ResourceRef],
    ) -> impl Future<Output = Result<Vec<Resource>>> + Send;
}

/// Lists resources.
pub trait ListResources: Sync {
    /// A page of an account's resources, in the order of type and id.
    fn list_resources(
        &self,
        account: &AccountId,
        query: &ResourceQuery,
    ) -> impl Future<Output = Result<Page<Resource, ResourceRef>>> + Send;
}

/// Lists Integration Apps.
pub trait ListIntegrations: Sync {
    /// A page of an account's Integration Apps, in the order of their ids.
    fn list_integrations(
        &self,
        account: &AccountId,
        query: &IntegrationQuery,
    ) -> impl Future<Output = Result<Page<Integration, IntegrationId>>> + Send;
}
