//! The audit log as CSV (RFC 4180), for spreadsheets. Each changed field has a row.

use std::net::IpAddr;

use lambda_http::http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE};
use lambda_http::{Body, Response};

use super::ApiError;
use super::page::{MAX_BYTES, sent_len};
use crate::domain::audit::AuditRecord;
use crate::domain::id::AuditId;
use crate::domain::text::lines;
use crate::domain::time::rfc3339;

const HEADER: [&str; 16] = [
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
    "User ID",
    "User type",
    "Asserted IP address",
];

/// Returns the records as a CSV download. If not all of them fit, also returns the id of the last that did.
///
/// # Errors
/// When the response can't be built, which is a defect.
pub fn respond(records: &[AuditRecord]) -> Result<(Response<Body>, Option<AuditId>), ApiError> {
    let mut csv = String::new();
    push_row(&mut csv, &HEADER);
    let mut bytes = sent_len(&csv);
    let mut cut = None;
    let mut last: Option<&AuditRecord> = None;
    for record in records {
        let rows = rows(record);
        bytes += sent_len(&rows);
        if bytes > MAX_BYTES && last.is_some() {
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
        .map_err(ApiError::internal)?;
    Ok((response, cut))
}

fn rows(record: &AuditRecord) -> String {
    let mut rows = String::new();
    let address = |ip: Option<IpAddr>| ip.map(|ip| ip.to_string()).unwrap_or_default();
    let time = rfc3339(record.time);
    let (ip, asserted_ip) = (address(record.origin.ip), address(record.asserted_ip));
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
                &ip,
                record.origin.user_agent.as_deref().unwrap_or_default(),
                &record.origin.actor.id,
                record.origin.actor.kind.as_str(),
                &asserted_ip,
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
        csv.push_str(&disarmed(&lines(cell)).replace('"', "\"\""));
        csv.push('"');
    }
    csv.push_str("\r\n");
}

/// Returns a cell that no spreadsheet evaluates as a formula. Names and user agents come from strangers.
///
/// An apostrophe goes before every character that could start a formula, at the start of the cell and after characters
/// that a program could take for the start of a new cell. If the semicolon separates cells, quotation marks don't
/// protect a comma. Spaces and quotation marks before the formula don't hide it, and neither do full-width signs.
fn disarmed(cell: &str) -> String {
    const ENDS: [char; 5] = ['\n', '\r', '\t', ';', ','];
    let mut disarmed = String::with_capacity(cell.len());
    let mut rest = cell;
    loop {
        let start = rest.trim_start_matches(|c: char| {
            c.is_whitespace() && !ENDS.contains(&c) || "\"'`“”‘’".contains(c)
        });
        if start.starts_with([
            '=', '+', '-', '@', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}', '\u{2212}',
        ]) || rest.starts_with(['\t', '\r'])
        {
            disarmed.push('\'');
        }
        let Some(end) = rest.find(ENDS) else {
            disarmed.push_str(rest);
            return disarmed;
        };
        let (cell, next) = rest.split_at(end + 1);
        disarmed.push_str(cell);
        rest = next;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::action::Action;
    use crate::domain::audit::{Change, Source};
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

    /// Strangers choose user agents.
    #[test]
    fn quotation_marks_everywhere_make_no_answer_that_lambda_refuses() {
        let mut record = testing::audit(Action::View, &testing::token(), testing::now(), 1);
        record.token_name = "\"".repeat(128);
        record.origin.user_agent = Some("\"".repeat(256));
        let (response, cut) = respond(&vec![record; 10_000]).unwrap();
        assert!(cut.is_some());
        let Body::Text(text) = response.into_body() else {
            panic!("no text")
        };
        let sent = serde_json::to_string(&text).unwrap().len();
        assert!((MAX_BYTES / 2..=MAX_BYTES + 2).contains(&sent), "{sent}");
    }

    #[test]
    fn cells_that_would_run_as_formulas_are_disarmed() {
        let mut record = testing::audit(Action::View, &testing::token(), testing::now(), 1);
        record.token_name = "=HYPERLINK(\"http://evil.example\")".into();
        assert!(csv(&[record]).contains("\"'=HYPERLINK(\"\"http://evil.example\"\")\""));
        for (cell, shown) in [
            ("=1", "'=1"),
            ("+1", "'+1"),
            ("-1", "'-1"),
            ("@SUM(1)", "'@SUM(1)"),
            ("\t=1", "'\t'=1"),
            ("\r=1", "'\r'=1"),
            ("  =1", "'  =1"),
            ("\"=1", "'\"=1"),
            ("\"\" =1", "'\"\" =1"),
            ("'=1", "''=1"),
            ("\u{a0}=1", "'\u{a0}=1"),
            ("\u{ff1d}1", "'\u{ff1d}1"),
            ("\u{ff20}SUM(1)", "'\u{ff20}SUM(1)"),
            ("a\n=1", "a\n'=1"),
            ("a;=1", "a;'=1"),
            ("a, =1", "a,' =1"),
            ("a\n\n=1", "a\n\n'=1"),
        ] {
            assert_eq!(disarmed(cell), shown);
        }
        for cell in [
            "",
            "a",
            "a = b",
            "a-b",
            "a\nb",
            "x@y.example",
            "10.0.0.0/8, 2001:db8::/32",
        ] {
            assert_eq!(disarmed(cell), cell);
        }
    }

    #[test]
    fn a_row_says_who_acted_beyond_names() {
        let token = testing::token();
        let mut record = testing::audit(Action::Access, &token, testing::now(), 1);
        record.origin.actor = crate::domain::actor::Actor::token(&token.id, "Olive Owner");
        record.asserted_ip = Some("203.0.113.9".parse().unwrap());
        record.token_name = "Olive\u{202e}\u{2028}\u{1b}[2J Owner".into();
        let csv = csv(&[record]);
        let row = csv.lines().nth(1).unwrap();
        let who = format!(",\"{}\",\"token\",\"203.0.113.9\"", token.id);
        assert!(row.ends_with(&who), "{row}");
        assert!(
            row.contains("Olive[U+202E][U+2028][U+001B][2J Owner"),
            "{row}"
        );
    }

    #[test]
    fn what_somebody_claims_is_apart_from_what_was_seen() {
        let mut record = testing::audit(Action::Access, &testing::token(), testing::now(), 1);
        record.origin.source = Source::Ui;
        record.asserted_ip = Some([203, 0, 113, 9].into());
        let csv = csv(&[record]);
        let cells = |row: &str| -> Vec<String> {
            let cells = row.trim_matches('"').split("\",\"");
            cells.map(str::to_owned).collect()
        };
        let [header, row] = [0, 1].map(|line| cells(csv.lines().nth(line).unwrap()));
        let cell = |name| &row[header.iter().position(|known| known == name).unwrap()];
        assert_eq!(cell("IP address"), "192.0.2.1");
        assert_eq!(cell("Asserted IP address"), "203.0.113.9");
        assert_eq!(cell("User agent"), "tests");
        assert_eq!(cell("Source"), "ui");
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
