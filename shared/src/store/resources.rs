//! The projection of the platform's resources and Integration Apps, for scopes and verifications.

use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use serde::de::DeserializeOwned;

use super::items::{
    AFTER_INTEGRATIONS, INTEGRATION_PREFIX, integration_key, integration_of_key, resource_key,
    resource_of_key, resource_prefix, resources_key,
};
use super::paging::{collect, position};
use super::table::{Store, key, parse, text};
use crate::aws::port_error;
use crate::domain::id::{AccountId, IntegrationId};
use crate::domain::integration::Integration;
use crate::domain::paging::{IntegrationQuery, Page, ResourceFilter, ResourceQuery};
use crate::domain::resource::{Resource, ResourceRef, ResourceType};
use crate::ports::{GetResources, ListIntegrations, ListResources, PortError};

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

impl ListIntegrations for Store {
    async fn list_integrations(
        &self,
        account: &AccountId,
        query: &IntegrationQuery,
    ) -> Result<Page<Integration, IntegrationId>, PortError> {
        collect(
            query.limit,
            query.keywords.is_some(),
            query.after.clone(),
            |after, limit| self.read_integrations(account, after, limit),
            |integration| integration.id.clone(),
            |integration| query.matches(integration),
        )
        .await
    }
}

impl Store {
    /// Up to `limit` Integration Apps after `after`, and the position from which to continue, if there may be more.
    pub(super) async fn read_integrations(
        &self,
        account: &AccountId,
        after: Option<IntegrationId>,
        limit: usize,
    ) -> Result<(Vec<Integration>, Option<IntegrationId>), PortError> {
        let start = after.map(|id| key(resources_key(account), integration_key(&id)));
        let query = self.query_partition(resources_key(account), INTEGRATION_PREFIX, start, limit);
        read(query, integration_of_key).await
    }

    /// Up to `limit` resources after `after`, and the position from which to continue, if there may be more.
    async fn read_resources(
        &self,
        account: &AccountId,
        kind: Option<ResourceType>,
        after: Option<ResourceRef>,
        limit: usize,
    ) -> Result<(Vec<Resource>, Option<ResourceRef>), PortError> {
        let start = after.map(|name| key(resources_key(account), resource_key(&name)));
        let partition = resources_key(account);
        let query = match kind {
            Some(kind) => self.query_partition(partition, &resource_prefix(kind), start, limit),
            None => self
                .query_partition(partition, "", start, limit)
                .key_condition_expression("pk = :pk AND sk > :integrations")
                .expression_attribute_values(":integrations", text(AFTER_INTEGRATIONS)),
        };
        read(query, resource_of_key).await
    }
}

/// Reads the items of a query without deletion markers, and the position from which to continue, if there may be more.
async fn read<T: DeserializeOwned, K>(
    query: QueryFluentBuilder,
    id: impl FnOnce(&str) -> Option<K>,
) -> Result<(Vec<T>, Option<K>), PortError> {
    let output = query
        .filter_expression("attribute_not_exists(deletedAt)")
        .send()
        .await
        .map_err(port_error)?;
    let position = position(output.last_evaluated_key, id)?;
    let items = output.items.unwrap_or_default().into_iter().map(parse);
    Ok((items.collect::<Result<_, _>>()?, position))
}
