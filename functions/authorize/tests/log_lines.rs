//! The lines that the program writes when it fails, as Lambda and the metric filter of its alarm read them.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

use latchkey::testing::{Program, counts};
use serde_json::Value;

const TEMPLATE: &str = include_str!("../../../infra/template.yaml");
const SAMPLE: &str = include_str!("../../../events/authorize/rest-api.json");

/// Returns the pattern of the errors that the alarm ignores.
fn refusals() -> &'static str {
    let (_, filter) = TEMPLATE.split_once("\n  AuthorizeRefusals:\n").unwrap();
    let (_, pattern) = filter.split_once("FilterPattern: '").unwrap();
    pattern.split_once('\'').unwrap().0
}

/// Sends an event that fails. Returns the error that the program reports to Lambda.
fn fail(program: &Program, event: &str) -> String {
    let error = program.send(event);
    error["errorMessage"].as_str().unwrap().to_owned()
}

/// Calls with invalid tokens must neither raise the alarm nor keep it from being raised.
#[test]
fn refusals_are_told_from_failures_at_every_level() {
    for level in ["INFO", "WARN", "ERROR"] {
        let program = Program::start(env!("CARGO_BIN_EXE_authorize"), level, &[]);
        let refused = fail(&program, &SAMPLE.replace("Bearer lka_", "Bearer lka_9"));
        assert_eq!(refused, "Unauthorized");
        let failed = fail(&program, SAMPLE);
        assert_ne!(failed, "Unauthorized");
        let unread = fail(&program, "7");
        assert!(unread.contains("the expected form"), "{unread}");
        let mut lines = program.lines();
        // One decision was made. The log has it at every level.
        let decided = lines.iter().filter_map(|line| line["outcome"].as_str());
        assert_eq!(decided.collect::<Vec<_>>(), ["malformed"], "{lines:?}");
        // A decision's line tells of its request, which has no line of its own.
        assert!(lines.iter().all(|line| line["duration_ms"].is_null()));
        lines.retain(|line| line["level"] == "ERROR");
        let kept = |line: &Value| {
            let time = line["timestamp"].as_str().unwrap();
            time.parse::<jiff::Timestamp>().is_ok()
        };
        assert!(lines.iter().all(kept), "{lines:?}");
        let counted = lines.iter().map(|line| counts(refusals(), line));
        let counted: Vec<_> = counted.collect();
        // Each has one line. Otherwise their difference wouldn't be the number of failures.
        assert_eq!(counted, [true, false, false], "{lines:?}");
    }
}
