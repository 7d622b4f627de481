//! Parsers and other functions of texts.

use lambda_http::Body;
use latchkey::domain::action::Action;
use latchkey::domain::audit::Change;
use latchkey::domain::client::client_name;
use latchkey::domain::policy::AccessRequest;
use latchkey::domain::secret::PlainSecret;
use latchkey::domain::text::{Text, line, lines, mended, recorded, redact};
use latchkey::http::ErrorCode;
use latchkey::http::bearer::{bearer, in_form, trimmed};
use latchkey::http::{csv as sheet, cursor};
use latchkey::testing::{audit, now, plain, token};

use super::Target;
use crate::check::{self, is_secret, shows_secret};

/// Returns the targets that need no store.
pub fn values() -> Vec<Target> {
    vec![
        Target::of_value("secret", |data| secret(&String::from_utf8_lossy(data))),
        Target::of_value("cursor", |data| cursors(&String::from_utf8_lossy(data))),
        Target::of_value("route", |data| route(&String::from_utf8_lossy(data))),
        Target {
            mutations: 4_000,
            ..Target::of_value("text", |data| text(&String::from_utf8_lossy(data)))
        },
        Target {
            mutations: 3_000,
            ..Target::of_value("audit-csv", |data| {
                audit_csv(&String::from_utf8_lossy(data))
            })
        },
        Target {
            mutations: 1_000,
            ..Target::of_value("user-agent", |data| {
                user_agent(&String::from_utf8_lossy(data))
            })
        },
    ]
}

/// Any text as a secret, and as a value with a secret in it.
fn secret(text: &str) {
    check::secret(
        |text| PlainSecret::parse(text).ok().map(|secret| plain(&secret)),
        text,
    );
    let windows = (0..text.len()).filter_map(|at| text.get(at..at + 53));
    assert_eq!(
        PlainSecret::is_within(text),
        windows.into_iter().any(is_secret),
        "{text:?}"
    );
    assert_eq!(trimmed(trimmed(text)), trimmed(text));
    let form = in_form(text);
    if is_secret(text) {
        assert_eq!(form, text);
        assert_eq!(bearer(&format!("Bearer {text}")), Some(text));
    }
    if let Some(credentials) = bearer(text) {
        assert!(text.contains(credentials));
        assert_eq!(form, bearer(trimmed(text)).unwrap_or(trimmed(text)));
    }
}

/// A list and its cursor, in two lines.
fn cursors(text: &str) {
    let (list, given) = text.split_once('\n').unwrap_or(("", text));
    let decode = |list: &str, cursor: &str| match cursor::decode(list, cursor) {
        Ok(position) => Some(position),
        Err(error) => {
            assert_eq!(error.code(), ErrorCode::InvalidCursor);
            assert_eq!(error.code().status(), 400);
            None
        }
    };
    check::cursor(cursor::encode, decode, list, given);
}

/// A method and a path, as a gateway asks the authorizer.
fn route(text: &str) {
    let (method, path) = text.split_once(' ').unwrap_or(("GET", text));
    let Some(access) = AccessRequest::of_http(method, path) else {
        return;
    };
    let plain = path
        .bytes()
        .all(|b| b.is_ascii_alphanumeric() || b"-_.~/".contains(&b));
    assert!(plain, "{text:?}");
    let segments: Vec<_> = path.strip_prefix("/v1/").unwrap().split('/').collect();
    let odd = |segment: &&str| ["", ".", ".."].contains(segment);
    assert!(!segments.iter().any(odd), "{text:?}");
    if let Some(kind) = access.kind {
        assert_eq!(kind.collection(), segments[0]);
    }
    let id = access.id.as_ref().map(|id| id.as_str());
    assert_eq!(id, segments.get(1).copied(), "{text:?}");
    let methods = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
    assert!(methods.contains(&method), "{text:?}");
}

/// Any text where a person or a stranger gives one.
fn text(text: &str) {
    for (kind, most) in [(Text::Name, 100), (Text::Paragraphs, 1_000)] {
        let Ok(kept) = kind.check(text, most) else {
            continue;
        };
        assert!(
            !shows_secret(&kept) && kept.chars().count() <= most,
            "{text:?}"
        );
        assert_eq!(kind.check(&kept, most).as_ref(), Ok(&kept), "{text:?}");
        let controls = kept
            .chars()
            .filter(|c| c.is_control() && (kind == Text::Name || *c != '\n'));
        assert_eq!(controls.count(), 0, "{text:?}");
    }
    for (what, shown) in [
        ("redact", redact(text)),
        ("recorded", recorded(text, 256)),
        ("mended", mended(text)),
        ("line", line(text)),
        ("lines", lines(text)),
    ] {
        assert!(!shows_secret(&shown), "{what}: {text:?} becomes {shown:?}");
        let controls = shown
            .chars()
            .any(|c| c.is_control() && !(what == "lines" && c == '\n'));
        assert!(
            what == "redact" || !controls,
            "{what}: {text:?} becomes {shown:?}"
        );
    }
    assert!(recorded(text, 256).chars().count() <= 256, "{text:?}");
}

/// The user agent of a request, as it is stored and named.
fn user_agent(text: &str) {
    let kept = recorded(text, 256);
    assert!(!shows_secret(&kept), "{text:?}");
    assert!(kept.chars().count() <= 256, "{text:?}");
    if let Some(name) = client_name(&kept) {
        assert!(!name.trim().is_empty(), "{text:?}");
        assert!(!name.chars().any(char::is_control), "{text:?}: {name:?}");
        assert!(name.chars().count() <= 128, "{text:?}: {name:?}");
    }
}

/// The texts of an audit record: each line is one, in the order of the columns.
fn audit_csv(text: &str) {
    let mut parts = text.splitn(5, '\n').map(str::to_owned);
    let mut record = audit(Action::Update, &token(), now(), 7);
    record.token_name = parts.next().unwrap_or_default();
    record.origin.user_agent = parts.next();
    let field = parts.next().unwrap_or_default();
    record.changes = vec![Change::new(&field, parts.next(), parts.next())];
    let (response, cut) = sheet::respond(std::slice::from_ref(&record)).unwrap();
    assert_eq!(cut, None);
    let Body::Text(sheet) = response.body() else {
        panic!("no text");
    };
    assert!(!shows_secret(sheet), "{text:?}");
    let mut reader = csv::ReaderBuilder::new();
    let mut reader = reader.has_headers(false).from_reader(sheet.as_bytes());
    let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    assert_eq!(rows.len(), 2, "{text:?}");
    assert_eq!(&rows[1][6], record.token_id.as_str(), "{text:?}");
    for cell in &rows[1] {
        // What a program may take for a cell of its own.
        for part in cell.split(['\n', '\r', '\t', ';', ',']) {
            let start = part.trim_start_matches([' ', '"']);
            assert!(
                !start.starts_with(['=', '+', '-', '@']),
                "{text:?}: {cell:?}"
            );
        }
    }
}
