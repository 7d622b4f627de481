//! Lists an account's tokens, newest first.

use lambda_http::{Body, Request, Response};
use latchkey::domain::paging::{TokenFilter, TokenQuery};
use latchkey::domain::ports::{Clock, GetAccount, ListTokens};
use latchkey::domain::token::{Kind, Status};
use latchkey::http::caller::Caller;
use latchkey::http::query::Query;
use latchkey::http::token::TokenBody;
use latchkey::http::{ApiError, page};

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
    let tokens = store
        .list_tokens(&account, &query_tokens, clock.now())
        .await?;
    let id = |token: &latchkey::domain::token::Token| token.id.clone();
    page::respond(&request, &query, "tokens", &list, &tokens, id, |token| {
        page::item(&TokenBody::from(token))
    })
}

#[cfg(test)]
mod tests;
