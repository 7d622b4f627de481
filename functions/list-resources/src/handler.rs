//! Lists the resources of an account that a scope can name, by type and id.

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

/// Reads the parameters that select resources: the type, `None` for all, and the filter.
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

/// A resource of the account.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Resource")]
struct ResourceBody<'a> {
    #[serde(rename = "type")]
    kind: ResourceType,
    id: &'a ResourceId,
    /// The name, for people.
    name: &'a str,
    /// The Integration App that the resource belongs to; `null` if it is the account's own.
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

/// Lists the resources of the account in the path by type and id, for an administrator of the account.
///
/// # Errors
/// Those of [`authorize`], `validation_failed`, `invalid_cursor`, and `unavailable` if the table can't be reached.
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

/// Describes this operation for the OpenAPI document.
pub fn operation() -> Operation {
    Operation::new("list-resources", "List the resources that a scope can name")
        .description("The connections, exports, imports and APIs of the account, by type and id.")
        .query(read_filter)
        .answers_page::<ResourceBody<'_>>("resources")
}

#[cfg(test)]
mod tests;
