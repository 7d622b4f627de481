//! The projection of the platform's resources, as scopes and verifications need it.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::KeysAndAttributes;

use super::items::{account_key, resource_key};
use super::{Store, built, key, parse, port_error};
use crate::domain::id::AccountId;
use crate::domain::ports::{GetResources, PortError};
use crate::domain::resource::{Resource, ResourceRef};

/// The most keys that one `BatchGetItem` takes.
const BATCH: usize = 100;

impl GetResources for Store {
    async fn get_resources(
        &self,
        account: &AccountId,
        names: &[ResourceRef],
    ) -> Result<Vec<Resource>, PortError> {
        if let [name] = names {
            let item = self
                .get_item(key(account_key(account), resource_key(name)))
                .await?;
            let live = item.filter(|item| !item.contains_key("deletedAt"));
            return live.map(parse).into_iter().collect();
        }
        let mut found = Vec::new();
        for batch in names.chunks(BATCH) {
            let keys = batch
                .iter()
                .map(|name| key(account_key(account), resource_key(name)));
            let mut wanted = Some(built(
                KeysAndAttributes::builder()
                    .set_keys(Some(keys.collect()))
                    .consistent_read(true)
                    .build(),
            )?);
            // DynamoDB may leave keys of a batch unprocessed; they are asked for again.
            while let Some(keys) = wanted.take() {
                let output = self
                    .client
                    .batch_get_item()
                    .request_items(&self.tables.tokens, keys)
                    .send()
                    .await
                    .map_err(port_error)?;
                let items = output.responses.unwrap_or_default().into_values().flatten();
                for item in items.filter(|item| !item.contains_key("deletedAt")) {
                    found.push(parse(item)?);
                }
                wanted = output
                    .unprocessed_keys
                    .unwrap_or_else(HashMap::new)
                    .remove(&self.tables.tokens);
            }
        }
        Ok(found)
    }
}
