//! Lists an account's tokens, newest first.

use lambda_http::{Body, Request, Response};
use latchkey::domain::kind::Kind;
use latchkey::domain::paging::{TokenFilter, TokenQuery};
use latchkey::domain::token::Status;
use latchkey::http::caller::Caller;
use latchkey::http::openapi::{Operation, schema};
use latchkey::http::query::Query;
use latchkey::http::token::TokenBody;
use latchkey::http::{ApiError, page};
use latchkey::ports::{Clock, GetAccount, ListTokens};

const PARAMETERS: [&str; 6] = ["status", "kind", "integrationId", "q", "limit", "cursor"];

/// Answers one request.
///
/// # Errors
/// What the caller is answered instead.
pub async fn handle(
    store: &(impl GetAccount + ListTokens),
    clock: &impl Clock,
    request: Request,
) -> Result<Response<Body>, ApiError> {
    let account = Caller::authorize(store, &request).await?.account.id;
    let mut query = Query::of(&request, &PARAMETERS);
    let filter = TokenFilter {
        status: query.value("status", "active or revoked", Status::parse),
        kind: query.value("kind", "account or integrationApp", Kind::parse),
        integration_id: query.value("integrationId", "an id", |id| id.parse().ok()),
        keywords: query.text("q").map(Into::into),
    };
    let limit = query.limit();
    query.finish()?;
    let list = query.list_name(&format!("tokens {account}"));
    let after = page::position(&query, &list)?;
    let query_tokens = TokenQuery {
        filter,
        limit,
        after,
    };
    let now = clock.now();
    let tokens = store.list_tokens(&account, &query_tokens, now).await?;
    let id = |token: &latchkey::domain::token::Token| token.id.clone();
    page::respond(&request, &query, "tokens", &list, &tokens, id, |token| {
        page::item(&TokenBody::at(token, now))
    })
}

/// What the API's description says of this operation.
pub fn operation() -> Operation {
    Operation::new(
        "list-tokens",
        "GET",
        "/v1/accounts/{accountId}/tokens",
        "List the tokens, newest first",
    )
    .for_administrators()
    .query(
        "status",
        "Lists only tokens with this status. Default: both.",
        schema::one_of(Status::ALL.map(Status::as_str)),
    )
    .query(
        "kind",
        "Lists only tokens of this kind. Default: both.",
        schema::one_of(Kind::ALL.map(Kind::as_str)),
    )
    .query(
        "integrationId",
        "Lists only tokens of this Integration App.",
        schema::platform_id(),
    )
    .query(
        "q",
        "Lists only tokens whose name or description has all of these words, in any case.",
        schema::text(),
    )
    .answers_page::<TokenBody<'_>>("tokens")
}

#[cfg(test)]
mod tests;
