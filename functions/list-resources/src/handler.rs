//! Lists an account's resources, by type and id: what a scope can name.

use lambda_http::{Body, Request, Response};
use latchkey::domain::id::{IntegrationId, ResourceId};
use latchkey::domain::paging::{ResourceFilter, ResourceQuery};
use latchkey::domain::resource::{Resource, ResourceType};
use latchkey::http::caller::Caller;
use latchkey::http::openapi::{Operation, schema};
use latchkey::http::query::Query;
use latchkey::http::{ApiError, page};
use latchkey::ports::{GetAccount, ListResources};
use schemars::JsonSchema;
use serde::Serialize;

const PARAMETERS: [&str; 5] = ["type", "integrationId", "q", "limit", "cursor"];

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Resource")]
struct ResourceBody<'a> {
    #[serde(rename = "type")]
    kind: ResourceType,
    id: &'a ResourceId,
    name: &'a str,
    integration_id: Option<&'a IntegrationId>,
}

impl<'a> From<&'a Resource> for ResourceBody<'a> {
    fn from(resource: &'a Resource) -> Self {
        Self {
            kind: resource.kind,
            id: &resource.id,
            name: &resource.name,
            integration_id: resource.integration_id.as_ref(),
        }
    }
}

/// Answers one request.
///
/// # Errors
/// What the caller is answered instead.
pub async fn handle(
    store: &(impl GetAccount + ListResources),
    request: Request,
) -> Result<Response<Body>, ApiError> {
    let account = Caller::authorize(store, &request).await?.account.id;
    let mut query = Query::of(&request, &PARAMETERS);
    let types = ResourceType::ALL.map(ResourceType::as_str).join(", ");
    let kind = query.value("type", &format!("one of {types}"), ResourceType::parse);
    let filter = ResourceFilter {
        integration_id: query.value("integrationId", "an id", |id| id.parse().ok()),
        keywords: query.text("q").map(Into::into),
    };
    let limit = query.limit();
    query.finish()?;
    let list = query.list_name(&format!("resources {account}"));
    let after = page::position(&query, &list)?;
    let wanted = ResourceQuery {
        kind,
        filter,
        limit,
        after,
    };
    let resources = store.list_resources(&account, &wanted).await?;
    page::respond(
        &request,
        &query,
        "resources",
        &list,
        &resources,
        Resource::reference,
        |resource| page::item(&ResourceBody::from(resource)),
    )
}

/// What the API's description says of this operation.
pub fn operation() -> Operation {
    Operation::new(
        "list-resources",
        "GET",
        "/v1/accounts/{accountId}/resources",
        "List the resources that a scope can name",
    )
    .for_administrators()
    .query(
        "type",
        "Lists only resources of this type. Default: all types.",
        schema::one_of(ResourceType::ALL.map(ResourceType::as_str)),
    )
    .query(
        "integrationId",
        "Lists only resources of this Integration App.",
        schema::platform_id(),
    )
    .query(
        "q",
        "Lists only resources whose id or name has all of these words, in any case.",
        schema::text(),
    )
    .answers_page::<ResourceBody<'_>>("resources")
}

#[cfg(test)]
mod tests;
