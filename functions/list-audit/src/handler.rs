//! Lists what happened in an account or to one token, newest first, as JSON or CSV.

use jiff::Timestamp;
use lambda_http::{Body, Request, RequestExt, Response};
use latchkey::domain::action::Action;
use latchkey::domain::audit::{AuditRecord, Source};
use latchkey::domain::paging::{AuditFilter, AuditQuery, DEFAULT_LIMIT, MAX_LIMIT};
use latchkey::domain::time::parse_rfc3339;
use latchkey::http::audit::AuditBody;
use latchkey::http::caller::{Caller, token_id};
use latchkey::http::openapi::{Operation, schema};
use latchkey::http::query::Query;
use latchkey::http::{ApiError, csv, cursor, media, page, response};
use latchkey::ports::{GetAccount, ListAudit};

const PARAMETERS: [&str; 7] = [
    "action", "userId", "source", "from", "to", "limit", "cursor",
];

/// The most records of one CSV download; the `Link` leads to the rest.
const MAX_CSV: usize = 1_000;

/// Answers one request.
///
/// # Errors
/// What the caller is answered instead.
pub async fn handle(
    store: &(impl GetAccount + ListAudit),
    request: Request,
) -> Result<Response<Body>, ApiError> {
    let account = Caller::authorize(store, &request).await?.account.id;
    let by_token = request
        .path_parameters_ref()
        .is_some_and(|path| path.first("tokenId").is_some());
    // A token that is gone keeps its log, so an unknown id is simply one without records.
    let token_id = if by_token {
        Some(token_id(&request)?)
    } else {
        None
    };
    let as_csv = media::prefers(&request, "text/csv", "application/json");
    let mut query = Query::of(&request, &PARAMETERS);
    let actions = Action::ALL.map(Action::as_str).join(", ");
    let sources = Source::ALL.map(Source::as_str).join(", ");
    let filter = AuditFilter {
        action: query.value("action", &format!("one of {actions}"), Action::parse),
        source: query.value("source", &format!("one of {sources}"), Source::parse),
        user_id: query.text("userId").map(Into::into),
    };
    let time = "an RFC 3339 time such as 2026-11-23T10:00:00Z";
    let from: Option<Timestamp> = query.value("from", time, parse_rfc3339);
    let to = query.value("to", time, parse_rfc3339);
    if from.zip(to).is_some_and(|(from, to)| from > to) {
        query.fail("to", "must not be before `from`");
    }
    let (default, max) = if as_csv {
        (MAX_CSV, MAX_CSV)
    } else {
        (DEFAULT_LIMIT, MAX_LIMIT)
    };
    let limit = query.limit_up_to(default, max);
    query.finish()?;
    let of_token = token_id.as_ref().map_or("", |id| id.as_str());
    let list = query.list_name(&format!("audit {account} {of_token}"));
    let after = page::position(&query, &list)?;
    let wanted = AuditQuery {
        token_id,
        filter,
        from,
        to,
        limit,
        after,
    };
    let records = store.list_audit(&account, &wanted).await?;
    if as_csv {
        let (csv, cut) = csv::respond(&records.items)?;
        let next = cut
            .or(records.next)
            .map(|id| cursor::encode(&list, id.as_str()));
        let path = request.uri().path();
        return Ok(response::with_next(
            csv,
            path,
            query.parameters(),
            next.as_deref(),
        ));
    }
    let id = |record: &AuditRecord| record.id.clone();
    page::respond(&request, &query, "records", &list, &records, id, |record| {
        page::item(&AuditBody::from(record))
    })
}

/// What the API's description says of this function: the log of an account, and of a token.
pub fn operations() -> [Operation; 2] {
    let account = "/v1/accounts/{accountId}/audit";
    let token = "/v1/accounts/{accountId}/tokens/{tokenId}/audit";
    let (all, one) = (
        "List the audit log of the account, newest first",
        "List the audit log of a token, newest first, also after its end",
    );
    [
        describe(Operation::new("list-audit", "GET", account, all)),
        describe(Operation::new("list-token-audit", "GET", token, one)).of_a_token(),
    ]
}

fn describe(operation: Operation) -> Operation {
    let text = "With `Accept: text/csv` the answer is CSV. Its `limit` is at most 1,000, which is also the default.";
    let actions = schema::one_of(Action::ALL.map(Action::as_str));
    let sources = schema::one_of(Source::ALL.map(Source::as_str));
    operation
        .for_administrators()
        .description(text)
        .query("action", "Lists only records of this action.", actions)
        .query(
            "userId",
            "Lists only records by this actor, a person's or a token's id.",
            schema::text(),
        )
        .query("source", "Lists only records from this source.", sources)
        .query("from", "The earliest time, inclusive.", schema::time())
        .query("to", "The latest time, exclusive.", schema::time())
        .answers_page_or_csv::<AuditBody<'_>>("records")
}

#[cfg(test)]
mod tests;
