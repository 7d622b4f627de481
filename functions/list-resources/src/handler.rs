//! Lists the resources of an account that a scope can name, by type and id, or finds some by their references.

use std::collections::BTreeSet;

use lambda_http::{Body, Request, Response};
use latchkey::domain::id::{AccountId, IntegrationId, ResourceId};
use latchkey::domain::paging::{MAX_LIMIT, Page, ResourceFilter, ResourceQuery};
use latchkey::domain::resource::{Resource, ResourceRef, ResourceType};
use latchkey::http::ApiError;
use latchkey::http::caller::authorize;
use latchkey::http::openapi::Operation;
use latchkey::http::openapi::schema;
use latchkey::http::page::{self, Wanted};
use latchkey::http::query::{Parameter, Parameters, Query};
use latchkey::ports::{GetAccount, GetResources, ListResources};
use schemars::JsonSchema;
use serde::Serialize;

/// Which resources a request asks for.
struct Selection {
    /// Those with these references, and no other conditions.
    names: Option<Vec<ResourceRef>>,
    kind: Option<ResourceType>,
    filter: ResourceFilter,
}

/// Reads the parameters that select resources.
fn read_selection(parameters: &mut impl Parameters) -> Selection {
    let ids = Parameter {
        name: "ids",
        description: "Lists only these resources, up to 100, all on one page: types and ids such as \
                      `exports/exp_1,imports/imp_2`. Those that don't exist are left out. Not with another parameter.",
        schema: schema::text(),
    };
    let expected = "1 to 100 references such as exports/exp_1,imports/imp_2";
    let names = parameters.value(ids, expected, |text| {
        let names: Option<Vec<_>> = text.split(',').map(|name| name.parse().ok()).collect();
        names.filter(|names| names.len() <= MAX_LIMIT)
    });
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
    Selection {
        names,
        kind,
        filter,
    }
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

/// Lists the resources of the account in the path by type and id, for an administrator of the account. With references
/// in the query, returns those that exist, each once and in the order of the query.
///
/// # Errors
/// Those of [`authorize`], `validation_failed`, `invalid_cursor`, and `unavailable` if the table can't be reached.
pub async fn handle(
    store: &(impl GetAccount + GetResources + ListResources),
    request: Request,
) -> Result<Response<Body>, ApiError> {
    let account = authorize(store, &request).await?.0.id;
    let mut query = Query::of(&request);
    let selection = read_selection(&mut query);
    if selection.names.is_some() && query.count() > 1 {
        query.fail("ids", "must be the only parameter");
    }
    let page = Wanted::of(&request, query, &format!("resources {account}"))?;
    let resources = match selection.names {
        Some(names) => find(store, &account, names).await?,
        None => {
            let query = ResourceQuery {
                kind: selection.kind,
                filter: selection.filter,
                limit: page.limit,
                after: page.after.clone(),
            };
            store.list_resources(&account, &query).await?
        }
    };
    page.respond("resources", &resources, Resource::reference, |resource| {
        page::item(&ResourceBody::from(resource))
    })
}

/// Returns the resources of those references that exist, as the only page.
async fn find(
    store: &impl GetResources,
    account: &AccountId,
    names: Vec<ResourceRef>,
) -> Result<Page<Resource, ResourceRef>, ApiError> {
    // The table takes each key once.
    let unique: BTreeSet<_> = names.iter().cloned().collect();
    let unique: Vec<_> = unique.into_iter().collect();
    let mut items = store.get_resources(account, &unique).await?;
    items.sort_by_cached_key(|resource| {
        let reference = resource.reference();
        names.iter().position(|name| *name == reference)
    });
    Ok(Page { items, next: None })
}

/// Describes this operation for the OpenAPI document.
pub fn operation() -> Operation {
    Operation::new("list-resources", "List the resources that a scope can name")
        .description("The connections, exports, imports and APIs of the account, by type and id.")
        .query(read_selection)
        .answers_page::<ResourceBody<'_>>("resources")
}

#[cfg(test)]
mod tests;
