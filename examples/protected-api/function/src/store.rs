//! The store of the resources.

use std::collections::HashMap;
use std::error::Error;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue};
use serde::{Deserialize, Serialize};

use crate::problem::ApiError;
use crate::resource::{Changes, Resource, ResourceType};

/// The number of entries of a resource's debug log that are kept.
pub(crate) const DEBUG_LOG_LENGTH: usize = 20;

/// The key of a resource. The account is the authorizer's, so no key can lead to another tenant's data.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key {
    pub account_id: String,
    pub kind: ResourceType,
    pub id: String,
}

/// An invocation in the debug log. It has no headers and no body, because both may contain secrets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DebugEntry {
    pub time: String,
    pub request_id: String,
    pub token_id: String,
    pub action: String,
    pub status: u16,
}

pub(crate) trait ResourceStore {
    /// Returns up to `limit` resources in the order of their ids, starting after the id `after`, and whether there are
    /// more.
    async fn list(
        &self,
        account_id: &str,
        kind: ResourceType,
        limit: i32,
        after: Option<String>,
    ) -> Result<(Vec<Resource>, bool), StoreError>;
    async fn get(&self, key: &Key) -> Result<Option<Resource>, StoreError>;
    /// Creates a resource. Returns `false`, and writes nothing, if the id is taken.
    async fn create(&self, account_id: &str, resource: &Resource) -> Result<bool, StoreError>;
    /// Changes a resource. Returns its new state; `None`, and writes nothing, if it doesn't exist.
    async fn update(&self, key: &Key, changes: Changes) -> Result<Option<Resource>, StoreError>;
    /// Deletes a resource. Returns `false` if it doesn't exist.
    async fn delete(&self, key: &Key) -> Result<bool, StoreError>;
    /// Adds an entry to the debug log. Returns `false`, and writes nothing, if the resource doesn't exist.
    async fn record(&self, key: &Key, entry: &DebugEntry) -> Result<bool, StoreError>;
    /// Returns up to [`DEBUG_LOG_LENGTH`] entries, the newest first; `None` if the resource doesn't exist.
    async fn debug_log(&self, key: &Key) -> Result<Option<Vec<DebugEntry>>, StoreError>;
}

#[derive(Debug, thiserror::Error)]
#[error("the resource store failed")]
pub(crate) struct StoreError(#[source] Box<dyn Error + Send + Sync>);

impl StoreError {
    pub(crate) fn new(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self(error.into())
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        Self::Internal(Box::new(error))
    }
}

/// One item per resource: pk `ACCOUNT#<accountId>`, sk `<type>#<id>`.
pub(crate) struct DynamoStore {
    client: Client,
    table: String,
}

/// The attributes of a [`Resource`]'s item. `settings` is JSON text: DynamoDB's own maps change numbers and refuse
/// some JSON.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Attributes {
    id: String,
    #[serde(rename = "type")]
    kind: ResourceType,
    name: String,
    #[serde(default)]
    description: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    integration_id: Option<String>,
    #[serde(default)]
    settings: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Log {
    #[serde(default)]
    debug_log: Vec<DebugEntry>,
}

impl DynamoStore {
    pub(crate) fn new(client: Client, table: String) -> Self {
        Self { client, table }
    }
}

fn partition(account_id: &str) -> AttributeValue {
    AttributeValue::S(format!("ACCOUNT#{account_id}"))
}

fn sort(kind: ResourceType, id: &str) -> AttributeValue {
    AttributeValue::S(format!("{}#{id}", kind.as_str()))
}

fn item_key(key: &Key) -> HashMap<String, AttributeValue> {
    HashMap::from([
        ("pk".to_owned(), partition(&key.account_id)),
        ("sk".to_owned(), sort(key.kind, &key.id)),
    ])
}

fn resource(item: HashMap<String, AttributeValue>) -> Result<Resource, StoreError> {
    let item: Attributes = serde_dynamo::from_item(item).map_err(StoreError::new)?;
    let settings = item
        .settings
        .map_or(Ok(serde_json::Map::new()), |text| {
            serde_json::from_str(&text)
        })
        .map_err(StoreError::new)?;
    Ok(Resource {
        id: item.id,
        kind: item.kind,
        name: item.name,
        description: item.description,
        integration_id: item.integration_id,
        settings,
    })
}

fn settings_text(
    settings: &serde_json::Map<String, serde_json::Value>,
) -> Result<String, StoreError> {
    serde_json::to_string(settings).map_err(StoreError::new)
}

/// Returns a write's result; `None` if its condition failed.
fn conditional<T, E, R>(
    result: Result<T, aws_sdk_dynamodb::error::SdkError<E, R>>,
    failed: impl Fn(&E) -> bool,
) -> Result<Option<T>, StoreError>
where
    E: Error + Send + Sync + 'static,
    R: std::fmt::Debug + Send + Sync + 'static,
{
    match result {
        Ok(output) => Ok(Some(output)),
        Err(error) if error.as_service_error().is_some_and(failed) => Ok(None),
        Err(error) => Err(StoreError::new(error)),
    }
}

impl ResourceStore for DynamoStore {
    async fn list(
        &self,
        account_id: &str,
        kind: ResourceType,
        limit: i32,
        after: Option<String>,
    ) -> Result<(Vec<Resource>, bool), StoreError> {
        let start = after.map(|id| {
            item_key(&Key {
                account_id: account_id.to_owned(),
                kind,
                id,
            })
        });
        let page = self
            .client
            .query()
            .table_name(&self.table)
            .consistent_read(true)
            .key_condition_expression("pk = :pk AND begins_with(sk, :type)")
            .expression_attribute_values(":pk", partition(account_id))
            .expression_attribute_values(":type", sort(kind, ""))
            .set_exclusive_start_key(start)
            .limit(limit)
            .send()
            .await
            .map_err(StoreError::new)?;
        let more = page.last_evaluated_key.is_some();
        let resources = page
            .items
            .unwrap_or_default()
            .into_iter()
            .map(resource)
            .collect::<Result<_, _>>()?;
        Ok((resources, more))
    }

    async fn get(&self, key: &Key) -> Result<Option<Resource>, StoreError> {
        let request = self
            .client
            .get_item()
            .table_name(&self.table)
            .set_key(Some(item_key(key)))
            .consistent_read(true);
        request
            .send()
            .await
            .map_err(StoreError::new)?
            .item
            .map(resource)
            .transpose()
    }

    async fn create(&self, account_id: &str, resource: &Resource) -> Result<bool, StoreError> {
        let attributes = Attributes {
            id: resource.id.clone(),
            kind: resource.kind,
            name: resource.name.clone(),
            description: resource.description.clone(),
            integration_id: resource.integration_id.clone(),
            settings: Some(settings_text(&resource.settings)?),
        };
        let item: HashMap<String, AttributeValue> =
            serde_dynamo::to_item(attributes).map_err(StoreError::new)?;
        let put = self
            .client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(item))
            .item("pk", partition(account_id))
            .item("sk", sort(resource.kind, &resource.id))
            .item("accountId", AttributeValue::S(account_id.to_owned()))
            .condition_expression("attribute_not_exists(pk)");
        Ok(conditional(put.send().await, |error| {
            error.is_conditional_check_failed_exception()
        })?
        .is_some())
    }

    async fn update(&self, key: &Key, changes: Changes) -> Result<Option<Resource>, StoreError> {
        let mut update = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(item_key(key)))
            .condition_expression("attribute_exists(pk)")
            .return_values(ReturnValue::AllNew);
        let mut assignments = Vec::new();
        for (name, value) in [
            ("name", changes.name),
            ("description", changes.description),
            (
                "settings",
                changes.settings.as_ref().map(settings_text).transpose()?,
            ),
        ] {
            let Some(value) = value else { continue };
            assignments.push(format!("#{name} = :{name}"));
            update = update
                .expression_attribute_names(format!("#{name}"), name)
                .expression_attribute_values(format!(":{name}"), AttributeValue::S(value));
        }
        let update = update.update_expression(format!("SET {}", assignments.join(", ")));
        let written = conditional(update.send().await, |error| {
            error.is_conditional_check_failed_exception()
        })?;
        written
            .map(|output| resource(output.attributes.unwrap_or_default()))
            .transpose()
    }

    async fn delete(&self, key: &Key) -> Result<bool, StoreError> {
        let delete = self
            .client
            .delete_item()
            .table_name(&self.table)
            .set_key(Some(item_key(key)))
            .condition_expression("attribute_exists(pk)");
        Ok(conditional(delete.send().await, |error| {
            error.is_conditional_check_failed_exception()
        })?
        .is_some())
    }

    async fn record(&self, key: &Key, entry: &DebugEntry) -> Result<bool, StoreError> {
        let entry: AttributeValue =
            serde_dynamo::to_attribute_value(entry).map_err(StoreError::new)?;
        let update = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(item_key(key)))
            .condition_expression("attribute_exists(pk)");
        let append = update
            .clone()
            .update_expression(
                "SET debugLog = list_append(:entry, if_not_exists(debugLog, :empty))",
            )
            .expression_attribute_values(":entry", AttributeValue::L(vec![entry]))
            .expression_attribute_values(":empty", AttributeValue::L(Vec::new()))
            .return_values(ReturnValue::UpdatedNew);
        let Some(written) = conditional(append.send().await, |error| {
            error.is_conditional_check_failed_exception()
        })?
        else {
            return Ok(false);
        };
        let log = written
            .attributes
            .as_ref()
            .and_then(|attributes| attributes.get("debugLog"));
        let length = log.and_then(|log| log.as_l().ok()).map_or(0, Vec::len);
        // The newest entry comes first, so that concurrent calls only trim old entries. One expression can't both
        // append and trim. Trimming at twice the length saves most of the second writes.
        if length > 2 * DEBUG_LOG_LENGTH {
            let old: Vec<String> = (DEBUG_LOG_LENGTH..length)
                .map(|index| format!("debugLog[{index}]"))
                .collect();
            let trim = update.update_expression(format!("REMOVE {}", old.join(", ")));
            conditional(trim.send().await, |error| {
                error.is_conditional_check_failed_exception()
            })?;
        }
        Ok(true)
    }

    async fn debug_log(&self, key: &Key) -> Result<Option<Vec<DebugEntry>>, StoreError> {
        let request = self
            .client
            .get_item()
            .table_name(&self.table)
            .set_key(Some(item_key(key)))
            .consistent_read(true);
        let Some(item) = request.send().await.map_err(StoreError::new)?.item else {
            return Ok(None);
        };
        let mut log: Log = serde_dynamo::from_item(item).map_err(StoreError::new)?;
        log.debug_log.truncate(DEBUG_LOG_LENGTH);
        Ok(Some(log.debug_log))
    }
}

#[cfg(test)]
mod tests;
