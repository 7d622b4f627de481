//! Lists an account's resources, by type and id: what a scope can name.

use lambda_http::{Body, Request, Response};
use latchkey::domain::id::{IntegrationId, ResourceId};
use latchkey::domain::paging::{ResourceFilter, ResourceQuery};
use latchkey::domain::resource::{Resource, ResourceType};
use latchkey::http::ApiError;
use latchkey::http::caller::authorize;
use latchkey::http::openapi::Operation;
use latchkey::http::page::{self, Wanted};
use latchkey::http::query::{Parameters, Query};
use latchkey::ports::{GetAccount, ListResources};
use schemars::JsonSchema;
use serde::Serialize;

/// The parameters that say which resources to list.
fn read_filter(parameters: &mut impl Parameters) -> (Option<ResourceType>, ResourceFilter) {
    let kind = parameters.word(
        "type",
        "Lists only resources of this type. Default: all types.",
        ResourceType::ALL,
        ResourceType::as_str,
    );
    let filter = ResourceFilter {
        integration_id: parameters.platform_id(
            "integrationId",
            "Lists only resources of this Integration App.",
        ),
        keywords: parameters.text(
            "q",
            "Lists only resources whose id or name has all of these words, in any case.",
        ),
    };
    (kind, filter)
}

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
    let account = authorize(store, &request).await?.0.id;
    let mut query = Query::of(&request);
    let (kind, filter) = read_filter(&mut query);
    let page = Wanted::of(&request, query, &format!("resources {account}"))?;
    let query = ResourceQuery {
        kind,
        filter,
        limit: page.limit,
        after: page.after.clone(),
    };
    let resources = store.list_resources(&account, &query).await?;
    page.respond("resources", &resources, Resource::reference, |resource| {
        page::item(&ResourceBody::from(resource))
    })
}

/// What the API's description says of this operation.
pub fn operation() -> Operation {
    Operation::new("list-resources", "List the resources that a scope can name")
        .query(read_filter)
        .answers_page::<ResourceBody<'_>>("resources")
}

#[cfg(test)]
mod tests;
