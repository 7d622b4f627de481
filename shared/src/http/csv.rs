//! The audit log as CSV (RFC 4180), for spreadsheets: one row per changed field.

use lambda_http::http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE};
use lambda_http::{Body, Response};

use super::ApiError;
use super::page::MAX_BYTES;
use crate::domain::audit::AuditRecord;
use crate::domain::id::AuditId;
use crate::domain::time::rfc3339;

const HEADER: [&str; 13] = [
    "Time",
    "Source",
    "User",
    "E-mail",
    "Resource",
    "Name",
    "ID",
    "Action",
    "Field",
    "Old value",
    "New value",
    "IP address",
    "User agent",
];

/// The records as a CSV download, and the last record that found room if not all did.
///
/// # Errors
/// When the response doesn't build, which is a defect.
pub fn respond(records: &[AuditRecord]) -> Result<(Response<Body>, Option<AuditId>), ApiError> {
    let mut csv = String::new();
    push_row(&mut csv, &HEADER);
    let mut cut = None;
    let mut last: Option<&AuditRecord> = None;
    for record in records {
        let rows = rows(record);
        if csv.len() + rows.len() > MAX_BYTES && last.is_some() {
            cut = last.map(|record| record.id.clone());
            break;
        }
        csv.push_str(&rows);
        last = Some(record);
    }
    let response = Response::builder()
        .header(CONTENT_TYPE, "text/csv; charset=utf-8; header=present")
        .header(CONTENT_DISPOSITION, "attachment; filename=\"audit.csv\"")
        .header(CACHE_CONTROL, "no-store")
        .body(Body::from(csv))
        .map_err(|error| ApiError::Internal(error.to_string()))?;
    Ok((response, cut))
}

fn rows(record: &AuditRecord) -> String {
    let mut rows = String::new();
    let (time, ip) = (
        rfc3339(record.time),
        record.origin.ip.map(|ip| ip.to_string()),
    );
    let mut row = |field: &str, old: &str, new: &str| {
        push_row(
            &mut rows,
            &[
                &time,
                record.origin.source.as_str(),
                &record.origin.actor.name,
                record.origin.actor.email.as_deref().unwrap_or_default(),
                "apiToken",
                &record.token_name,
                record.token_id.as_str(),
                record.action.as_str(),
                field,
                old,
                new,
                ip.as_deref().unwrap_or_default(),
                record.origin.user_agent.as_deref().unwrap_or_default(),
            ],
        );
    };
    if record.changes.is_empty() {
        row("", "", "");
    }
    for change in &record.changes {
        row(
            &change.field,
            change.old.as_deref().unwrap_or_default(),
            change.new.as_deref().unwrap_or_default(),
        );
    }
    rows
}

fn push_row(csv: &mut String, cells: &[&str]) {
    for (index, cell) in cells.iter().enumerate() {
        if index > 0 {
            csv.push(',');
        }
        csv.push('"');
        // Names and user agents come from strangers: a spreadsheet must not run them as formulas.
        if cell.starts_with(['=', '+', '-', '@', '\t', '\r']) {
            csv.push('\'');
        }
        csv.push_str(&cell.replace('"', "\"\""));
        csv.push('"');
    }
    csv.push_str("\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::audit::{Action, Change};
    use crate::testing;

    fn csv(records: &[AuditRecord]) -> String {
        let (response, _) = respond(records).unwrap();
        let Body::Text(text) = response.into_body() else {
            panic!("no text")
        };
        text
    }

    #[test]
    fn a_record_has_a_row_per_change_and_at_least_one() {
        let view = testing::audit(Action::View, &testing::token(), testing::now(), 1);
        let mut update = testing::audit(Action::Update, &testing::token(), testing::now(), 2);
        update.changes = vec![
            Change::new("name", Some("a \"b\", c".into()), Some("d".into())),
            Change::new("description", None, Some("e".into())),
        ];
        insta::assert_snapshot!(csv(&[view, update]));
    }

    #[test]
    fn cells_that_would_run_as_formulas_are_disarmed() {
        let mut record = testing::audit(Action::View, &testing::token(), testing::now(), 1);
        record.token_name = "=HYPERLINK(\"http://evil.example\")".into();
        assert!(csv(&[record]).contains("\"'=HYPERLINK(\"\"http://evil.example\"\")\""));
    }

    #[test]
    fn a_download_that_is_too_heavy_ends_behind_a_whole_record() {
        let mut heavy = testing::audit(Action::Update, &testing::token(), testing::now(), 1);
        heavy.changes = vec![Change::new(
            "scope.exports",
            Some("x".repeat(3_000_000)),
            None,
        )];
        let (_, cut) = respond(&[heavy.clone(), heavy.clone()]).unwrap();
        assert_eq!(cut, Some(heavy.id));
    }
}
