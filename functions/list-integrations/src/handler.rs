//! Lists the Integration Apps of an account by id.

use lambda_http::{Body, Request, Response};
use latchkey::domain::id::IntegrationId;
use latchkey::domain::integration::Integration;
use latchkey::domain::paging::IntegrationQuery;
use latchkey::http::ApiError;
use latchkey::http::caller::authorize;
use latchkey::http::openapi::Operation;
use latchkey::http::page::{self, Wanted};
use latchkey::http::query::{Parameters, Query};
use latchkey::ports::{GetAccount, ListIntegrations};
use schemars::JsonSchema;
use serde::Serialize;

/// Reads the parameter that selects Integration Apps.
fn read_keywords(parameters: &mut impl Parameters) -> Option<String> {
    parameters.text(
        "q",
        "Lists only Integration Apps whose id or name has all of these words, in any case.",
    )
}

/// An installed Integration App.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Integration")]
struct IntegrationBody<'a> {
    id: &'a IntegrationId,
    name: &'a str,
}

impl<'a> From<&'a Integration> for IntegrationBody<'a> {
    fn from(integration: &'a Integration) -> Self {
        Self {
            id: &integration.id,
            name: &integration.name,
        }
    }
}

/// Lists the Integration Apps of the account in the path by id, for an administrator of the account. An Integration App
/// that only its resources name isn't listed.
///
/// # Errors
/// Those of [`authorize`], `validation_failed`, `invalid_cursor`, and `unavailable` if the table can't be reached.
pub async fn handle(
    store: &(impl GetAccount + ListIntegrations),
    request: Request,
) -> Result<Response<Body>, ApiError> {
    let account = authorize(store, &request).await?.0.id;
    let mut query = Query::of(&request);
    let keywords = read_keywords(&mut query);
    let page = Wanted::of(&request, query, &format!("integrations {account}"))?;
    let query = IntegrationQuery {
        keywords,
        limit: page.limit,
        after: page.after.clone(),
    };
    let integrations = store.list_integrations(&account, &query).await?;
    let id = |integration: &Integration| integration.id.clone();
    page.respond("integrations", &integrations, id, |integration| {
        page::item(&IntegrationBody::from(integration))
    })
}

/// Describes this operation for the OpenAPI document.
pub fn operation() -> Operation {
    Operation::new("list-integrations", "List the account's Integration Apps")
        .query(read_keywords)
        .answers_page::<IntegrationBody<'_>>("integrations")
}

#[cfg(test)]
mod tests;
