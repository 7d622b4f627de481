//! docs/operations.md describes the lines of the log as the functions write them.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use lambda_http::{Context, LambdaEvent, RequestExt};
use latchkey::app::measure::{Measure, count};
use latchkey::domain::action::Action;
use latchkey::domain::change::NewToken;
use latchkey::domain::verification::Refusal;
use latchkey::http::{ErrorCode, answer};
use latchkey::ports::InsertToken;
use latchkey::start::answer_event;
use latchkey::telemetry::request::ColdStart;
use latchkey::testing::{Engine, Event, Logs, audit, now, stored_token, system_at};
use serde_json::Value;

/// The keys that every line has.
const EVERY: [&str; 2] = ["timestamp", "level"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// A section of docs/operations.md.
fn section(heading: &str) -> String {
    let document = fs::read_to_string(root().join("docs/operations.md")).unwrap();
    let (_, section) = document.split_once(&format!("\n### {heading}\n")).unwrap();
    let end = section
        .find("\n## ")
        .into_iter()
        .chain(section.find("\n### "));
    let end = end.min().unwrap();
    section[..end].to_owned()
}

/// The words in backticks.
fn quoted(text: &str) -> BTreeSet<String> {
    text.split('`')
        .skip(1)
        .step_by(2)
        .map(str::to_owned)
        .collect()
}

/// The rows of the first table: what is in backticks in the first column, and the other columns.
fn rows(section: &str) -> Vec<(BTreeSet<String>, String)> {
    let lines = section.lines().skip_while(|line| !line.starts_with("|---"));
    let lines = lines.skip(1).take_while(|line| line.starts_with('|'));
    lines
        .map(|line| {
            let (first, rest) = line[1..].split_once(" |").unwrap();
            (quoted(first), rest.to_owned())
        })
        .collect()
}

/// The keys that a section's table describes, and those of its example.
fn documented(heading: &str) -> (BTreeSet<String>, BTreeSet<String>) {
    let section = section(heading);
    let described = rows(&section).into_iter().flat_map(|(keys, _)| keys);
    let (_, example) = section.split_once("```json\n").unwrap();
    let example: Value = serde_json::from_str(example.split_once("```").unwrap().0).unwrap();
    (described.collect(), keys([&example]))
}

/// The keys of lines, without those that every line has.
fn keys<'a>(lines: impl IntoIterator<Item = &'a Value>) -> BTreeSet<String> {
    let mut keys = BTreeSet::new();
    for line in lines {
        let line = line.as_object().unwrap();
        assert!(EVERY.iter().all(|key| line.contains_key(*key)), "{line:?}");
        keys.extend(
            line.keys()
                .filter(|key| !EVERY.contains(&key.as_str()))
                .cloned(),
        );
    }
    keys
}

async fn with_token() -> Engine {
    let engine = Engine::with_accounts().await;
    let new = NewToken {
        stored: stored_token(),
        audit: audit(Action::Create, &stored_token().token, now(), 1),
        idempotency: None,
    };
    engine.store.insert_token(&new).await.unwrap();
    engine
}

#[tokio::test]
async fn the_keys_of_a_decisions_line_are_those_in_the_document() {
    let engine = with_token().await;
    let logs = Logs::start();
    let event = fs::read_to_string(root().join("events/authorize/http-api.json")).unwrap();
    let event = serde_json::from_str(&event).unwrap();
    authorize::handle(&engine.store, &system_at(now()), event)
        .await
        .unwrap();
    let lines = logs.take();
    let (described, example) = documented("Decision lines");
    assert_eq!(keys(&lines), described);
    assert!(example.is_subset(&described));
    let section = section("Decision lines");
    let said = |key: &str| {
        let rows = rows(&section);
        let row = rows.iter().find(|(keys, _)| keys.contains(key)).unwrap();
        quoted(&row.1)
    };
    let outcomes = Refusal::ALL
        .map(Refusal::as_str)
        .into_iter()
        .chain(["allowed"]);
    assert_eq!(said("outcome"), outcomes.map(str::to_owned).collect());
    assert_eq!(
        said("recorded"),
        ["refusal", "use"].map(str::to_owned).into()
    );
}

#[tokio::test]
async fn the_keys_of_a_requests_line_are_those_in_the_document() {
    let engine = with_token().await;
    let (logs, process) = (
        Logs::of("get_token", tracing::level_filters::LevelFilter::ERROR),
        ColdStart::default(),
    );
    let mut context = Context::default();
    context.xray_trace_id = Some("Root=1-5e66d96f-7491f09e0a79d18acf3d0505;Sampled=0".into());
    let event = fs::read_to_string(root().join("events/get-token/get.json")).unwrap();
    let request = Event::sample(&event).request();
    let system = system_at(now());
    let get = |request| get_token::handle(&engine.store, &system, request);
    let response = answer(get, request.with_lambda_context(context.clone()), &process).await;
    assert_eq!(response.status(), 200);
    let lines = logs.take();
    let (described, example) = documented("Request lines");
    assert_eq!(keys(&lines), described);
    assert_eq!(example, described);

    // An event's line has none that a request's line hasn't.
    let event = fs::read_to_string(root().join("events/sync-platform/account-upserted.json"));
    let event = LambdaEvent::new(serde_json::from_str(&event.unwrap()).unwrap(), context);
    let ignore = async |_, _| Ok::<_, lambda_http::Error>(());
    answer_event(sync_platform::subject, ignore, event, &process)
        .await
        .unwrap();
    let of_event = keys(&logs.take());
    let lacking: Vec<_> = described
        .difference(&of_event)
        .map(String::as_str)
        .collect();
    assert_eq!(lacking, ["status", "token_id"]);
    assert!(of_event.is_subset(&described));
}

/// Otherwise the outcomes would be ambiguous.
#[test]
fn no_error_is_called_like_a_success_or_a_failed_event() {
    let codes = ErrorCode::ALL.iter().map(|code| code.as_str());
    assert!(
        codes
            .into_iter()
            .all(|code| !["ok", "failed"].contains(&code))
    );
}

#[test]
fn the_measures_are_those_in_the_document() {
    let logs = Logs::of(
        "send_notifications",
        tracing::level_filters::LevelFilter::ERROR,
    );
    for measure in Measure::ALL {
        count(measure, 1);
    }
    let lines = logs.take();
    let section = section("Measure lines");
    let described: BTreeSet<_> = rows(&section)
        .into_iter()
        .flat_map(|(names, _)| names)
        .collect();
    let written = lines
        .iter()
        .map(|line| line["measure"].as_str().unwrap().to_owned());
    assert_eq!(written.collect::<BTreeSet<_>>(), described);
    let (_, example) = documented("Measure lines");
    assert_eq!(keys(&lines), example);
}

/// What Logs Insights' own language has in the document's queries, beside fields of the lines.
const LANGUAGE: [&str; 16] = [
    "filter",
    "stats",
    "sort",
    "by",
    "as",
    "desc",
    "asc",
    "and",
    "or",
    "like",
    "count",
    "sum",
    "max",
    "pct",
    "bin",
    "ispresent",
];

/// The words of a query that aren't in quotation marks, without numbers.
fn words(query: &str) -> BTreeSet<String> {
    let bare: String = query.split('"').step_by(2).collect();
    let words = bare.split(|c: char| !c.is_ascii_alphanumeric() && !"_@.".contains(c));
    let words = words.filter(|word| word.starts_with(|c: char| c.is_ascii_alphabetic()));
    words.map(str::to_owned).collect()
}

#[test]
fn the_queries_ask_for_keys_that_the_lines_have() {
    let headings = ["Decision lines", "Request lines", "Measure lines"];
    let mut known: BTreeSet<String> = LANGUAGE.map(str::to_owned).into();
    known.extend(EVERY.map(str::to_owned));
    for heading in headings {
        let (described, example) = documented(heading);
        known.extend(described.into_iter().chain(example));
    }
    // Keys of the access log, and of the other lines.
    let template = fs::read_to_string(root().join("infra/template.yaml")).unwrap();
    let (_, format) = template.split_once("\n        Format: >-\n").unwrap();
    let (format, _) = format.split_once("\n\n").unwrap();
    let format: Value = serde_json::from_str(format).unwrap();
    known.extend(format.as_object().unwrap().keys().cloned());
    known.extend(["message", "span.request.id"].map(str::to_owned));
    let queries: Vec<String> = headings
        .into_iter()
        .chain(["Queries"])
        .map(section)
        .flat_map(|section| {
            let blocks = section.split("```").skip(1).step_by(2);
            let queries = blocks.filter_map(|block| Some(block.strip_prefix('\n')?.to_owned()));
            queries.collect::<Vec<_>>()
        })
        .collect();
    assert!(queries.len() >= 4, "{queries:?}");
    for query in queries {
        let is_end = |c: char| !c.is_ascii_alphanumeric() && c != '_';
        let named = query.split(" as ").skip(1);
        let named = named.filter_map(|rest| rest.split(is_end).next());
        let named: BTreeSet<_> = named.map(str::to_owned).collect();
        let words = words(&query);
        let unknown: Vec<_> = words
            .iter()
            .filter(|word| !known.contains(*word) && !named.contains(*word))
            .collect();
        assert!(unknown.is_empty(), "{unknown:?} in {query}");
    }
}

/// The functions' sources, without their tests.
fn sources(function: &Path) -> String {
    let files = fs::read_dir(function.join("src")).unwrap();
    let files = files
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_file());
    let files = files.filter(|path| path.file_stem().unwrap() != "tests");
    files
        .map(|path| fs::read_to_string(path).unwrap())
        .collect()
}

/// Every other function logs a line for each request or event.
#[test]
fn only_functions_that_verify_leave_the_requests_line_to_the_decisions() {
    let mut verifying = BTreeSet::new();
    for entry in fs::read_dir(root().join("functions")).unwrap() {
        let function = entry.unwrap().path();
        let main = fs::read_to_string(function.join("src/main.rs")).unwrap();
        let serves = |name: &str| main.contains(&format!("    {name}("));
        let logged = [
            "serve",
            "serve_events",
            "serve_events_about",
            "serve_batches",
        ];
        let name = function.file_name().unwrap().to_str().unwrap().to_owned();
        let decides = sources(&function).contains("latchkey::app::verify::");
        assert_eq!(serves("serve_verification"), decides, "{name}");
        assert_ne!(logged.into_iter().any(serves), decides, "{name}");
        if decides {
            verifying.insert(name);
        }
    }
    assert_eq!(
        verifying,
        ["authorize", "introspect-token", "token-info"]
            .map(str::to_owned)
            .into()
    );
}
