//! Lists the audit records of an account or of one token, newest first, as JSON or CSV.

use jiff::Timestamp;
use lambda_http::{Body, Request, RequestExt, Response};
use latchkey::domain::action::Action;
use latchkey::domain::audit::{AuditRecord, Source};
use latchkey::domain::paging::{AuditFilter, AuditQuery, DEFAULT_LIMIT, MAX_LIMIT};
use latchkey::http::audit::AuditBody;
use latchkey::http::caller::authorize;
use latchkey::http::openapi::Operation;
use latchkey::http::page::{self, Wanted};
use latchkey::http::path::token_id;
use latchkey::http::query::{Parameters, Query};
use latchkey::http::{ApiError, csv, media};
use latchkey::ports::{GetAccount, ListAudit};

/// Reads the parameters that select records: the filter, the earliest time (inclusive) and the latest (exclusive).
fn read_filter(
    parameters: &mut impl Parameters,
) -> (AuditFilter, Option<Timestamp>, Option<Timestamp>) {
    let filter = AuditFilter {
        action: parameters.word(
            "action",
            "Lists only records of this action.",
            Action::ALL,
            Action::as_str,
        ),
        user_id: parameters.text(
            "userId",
            "Lists only records by this actor, a person's or a token's id.",
        ),
        source: parameters.word(
            "source",
            "Lists only records from this source.",
            Source::ALL,
            Source::as_str,
        ),
    };
    let from = parameters.time("from", "The earliest time, inclusive.");
    let to = parameters.time("to", "The latest time, exclusive.");
    (filter, from, to)
}

/// The largest number of records in one CSV download. The `Link` header leads to the others.
const MAX_CSV: usize = 1_000;

/// Lists the audit records of the account in the path, or of the token in it, newest first, for an administrator of
/// the account. The `Accept` header selects JSON or CSV.
///
/// # Errors
/// Those of [`authorize`], `token_not_found` for a malformed token id, `validation_failed`, `invalid_cursor`, and
/// `unavailable` if the table can't be reached.
pub async fn handle(
    store: &(impl GetAccount + ListAudit),
    request: Request,
) -> Result<Response<Body>, ApiError> {
    let account = authorize(store, &request).await?.0.id;
    let by_token = request
        .path_parameters_ref()
        .is_some_and(|path| path.first("tokenId").is_some());
    // A deleted token keeps its records. An unknown id therefore isn't an error; it has no records.
    let token_id = if by_token {
        Some(token_id(&request)?)
    } else {
        None
    };
    let as_csv = media::prefers(&request, "text/csv", "application/json");
    let mut query = Query::of(&request);
    let (filter, from, to) = read_filter(&mut query);
    if from.zip(to).is_some_and(|(from, to)| from > to) {
        query.fail("to", "must not be before `from`");
    }
    let limits = if as_csv {
        (MAX_CSV, MAX_CSV)
    } else {
        (DEFAULT_LIMIT, MAX_LIMIT)
    };
    let of_token = token_id.as_ref().map_or("", |id| id.as_str());
    let list = format!("audit {account} {of_token}");
    let page = Wanted::up_to(&request, query, &list, limits)?;
    let query = AuditQuery {
        token_id,
        filter,
        from,
        to,
        limit: page.limit,
        after: page.after.clone(),
    };
    let records = store.list_audit(&account, &query).await?;
    if as_csv {
        let (csv, cut) = csv::respond(&records.items)?;
        let next = cut.or(records.next);
        return Ok(page.link(csv, next.as_ref().map(|id| id.as_str())));
    }
    let id = |record: &AuditRecord| record.id.clone();
    page.respond("records", &records, id, |record| {
        page::item(&AuditBody::from(record))
    })
}

/// Describes this function's operations for the OpenAPI document: the audit log of an account, and of a token.
pub fn operations() -> [Operation; 2] {
    let (all, one) = (
        "List the audit log of the account, newest first",
        "List the audit log of a token, newest first, also after its end",
    );
    [
        describe(Operation::new("list-audit", all)),
        describe(Operation::new("list-token-audit", one)).of_a_token(),
    ]
}

fn describe(operation: Operation) -> Operation {
    let text = "With `Accept: text/csv` the answer is CSV. Its `limit` is at most 1,000, which is also the default.";
    operation
        .description(text)
        .query(read_filter)
        .answers_page_or_csv::<AuditBody<'_>>("records")
}

#[cfg(test)]
mod tests;
