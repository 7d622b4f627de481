//! Lists an account's tokens, newest or oldest first.

use lambda_http::{Body, Request, Response};
use latchkey::domain::kind::Kind;
use latchkey::domain::paging::{TokenFilter, TokenOrder, TokenQuery};
use latchkey::domain::token::{Status, Token};
use latchkey::http::ApiError;
use latchkey::http::caller::authorize;
use latchkey::http::openapi::Operation;
use latchkey::http::page::{self, Wanted};
use latchkey::http::query::{Parameters, Query};
use latchkey::http::token::TokenBody;
use latchkey::ports::{Clock, GetAccount, ListTokens};

/// Reads the parameters that select tokens, and their order.
fn read_filter(parameters: &mut impl Parameters) -> (TokenFilter, TokenOrder) {
    let order = parameters.word(
        "order",
        "Lists the newest or the oldest tokens first. Default: `newest`.",
        TokenOrder::ALL,
        TokenOrder::as_str,
    );
    let filter = TokenFilter {
        status: parameters.word(
            "status",
            "Lists only tokens with this status. Default: both.",
            Status::ALL,
            Status::as_str,
        ),
        kind: parameters.word(
            "kind",
            "Lists only tokens of this kind. Default: both.",
            Kind::ALL,
            Kind::as_str,
        ),
        integration_id: parameters.platform_id(
            "integrationId",
            "Lists only tokens of this Integration App.",
        ),
        keywords: parameters.text(
            "q",
            "Lists only tokens whose name or description has all of these words, in any case.",
        ),
    };
    (filter, order.unwrap_or(TokenOrder::Newest))
}

/// Lists the tokens of the account in the path, newest or oldest first and without their secrets, for an administrator of the
/// account.
///
/// # Errors
/// Those of [`authorize`], `validation_failed`, `invalid_cursor`, and `unavailable` if the table can't be reached.
pub async fn handle(
    store: &(impl GetAccount + ListTokens),
    clock: &impl Clock,
    request: Request,
) -> Result<Response<Body>, ApiError> {
    let account = authorize(store, &request).await?.0.id;
    let mut query = Query::of(&request);
    let (filter, order) = read_filter(&mut query);
    let page = Wanted::of(&request, query, &format!("tokens {account}"))?;
    let query = TokenQuery {
        filter,
        order,
        limit: page.limit,
        after: page.after.clone(),
    };
    let now = clock.now();
    let tokens = store.list_tokens(&account, &query, now).await?;
    let id = |token: &Token| token.id.clone();
    page.respond("tokens", &tokens, id, |token| {
        page::item(&TokenBody::at(token, now))
    })
}

/// Describes this operation for the OpenAPI document.
pub fn operation() -> Operation {
    Operation::new("list-tokens", "List the tokens, newest or oldest first")
        .description(
            "Tokens of every kind, active and revoked, without their secrets. A new token is in the \
            very next list.",
        )
        .query(read_filter)
        .answers_page::<TokenBody<'_>>("tokens")
}

#[cfg(test)]
mod tests;
