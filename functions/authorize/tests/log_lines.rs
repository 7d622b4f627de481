//! The lines that the program writes when it fails.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

use latchkey::testing::Program;
use serde_json::{Value, json};

const SAMPLE: &str = include_str!("../../../events/authorize/rest-api.json");

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
        let measured = lines.iter().filter(|line| line["measure"].is_string());
        let measured: Vec<_> = measured
            .map(|line| (&line["measure"], &line["count"]))
            .collect();
        assert_eq!(measured, [(&json!("unauthorized"), &json!(1))]);
        lines.retain(|line| line["level"] == "ERROR");
        let kept = |line: &Value| {
            let time = line["timestamp"].as_str().unwrap();
            time.parse::<jiff::Timestamp>().is_ok()
        };
        assert!(lines.iter().all(kept), "{lines:?}");
        // Each failure has one line, and a refusal has none.
        let told = lines.iter().map(|line| {
            assert_eq!(line["message"], "request failed");
            assert_eq!(line["span"]["request.id"], "r");
            let error = line["error"].as_str().unwrap();
            let (reason, _) = error.split_once('(').unwrap_or((error, ""));
            (line["code"].as_str().unwrap(), reason.trim())
        });
        let unreached = "unavailable: dynamodb:BatchGetItem dispatch failure";
        let unread = "failed: the event does not have the expected form: line 1, column 1";
        assert_eq!(
            told.collect::<Vec<_>>(),
            [("unavailable", unreached), ("internal_error", unread)]
        );
    }
}
