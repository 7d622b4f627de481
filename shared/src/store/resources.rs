//! The projection of the platform's resources, for scopes and verifications.

use super::items::{resource_key, resource_of_key, resource_prefix, resources_key};
use super::paging::{collect, position};
use super::table::{Store, key, parse};
use crate::aws::port_error;
use crate::domain::id::AccountId;
use crate::domain::paging::{Page, ResourceFilter, ResourceQuery};
use crate::domain::resource::{Resource, ResourceRef, ResourceType};
use crate::ports::{GetResources, ListResources, PortError};

impl GetResources for Store {
    async fn get_resources(
        &self,
        account: &AccountId,
        names: &[ResourceRef],
    ) -> Result<Vec<Resource>, PortError> {
        if let [name] = names {
            let item = self
                .get_item(key(resources_key(account), resource_key(name)))
                .await?;
            let live = item.filter(|item| !item.contains_key("deletedAt"));
            return live.map(parse).into_iter().collect();
        }
        let partition = resources_key(account);
        let keys = names
            .iter()
            .map(|name| key(partition.clone(), resource_key(name)))
            .collect();
        let found = self.batch_get(keys, true).await?.into_iter();
        found
            .filter(|item| !item.contains_key("deletedAt"))
            .map(parse)
            .collect()
    }
}

impl ListResources for Store {
    async fn list_resources(
        &self,
        account: &AccountId,
        query: &ResourceQuery,
    ) -> Result<Page<Resource, ResourceRef>, PortError> {
        collect(
            query.limit,
            query.filter != ResourceFilter::default(),
            query.after.clone(),
            |after, limit| self.read_resources(account, query.kind, after, limit),
            Resource::reference,
            |resource| query.filter.matches(resource),
        )
        .await
    }
}

impl Store {
    /// Up to `limit` resources after `after`, and the position from which to continue, if there may be more.
    async fn read_resources(
        &self,
        account: &AccountId,
        kind: Option<ResourceType>,
        after: Option<ResourceRef>,
        limit: usize,
    ) -> Result<(Vec<Resource>, Option<ResourceRef>), PortError> {
        let start = after.map(|name| key(resources_key(account), resource_key(&name)));
        let output = self
            .query_partition(resources_key(account), &resource_prefix(kind), start, limit)
            // Leaves out deletion markers.
            .filter_expression("attribute_not_exists(deletedAt)")
            .send()
            .await
            .map_err(port_error)?;
        let position = position(output.last_evaluated_key, resource_of_key)?;
        let resources: Result<_, _> = output
            .items
            .unwrap_or_default()
            .into_iter()
            .map(parse)
            .collect();
        Ok((resources?, position))
    }
}
