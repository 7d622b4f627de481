//! The lines that the program writes for its requests.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

use latchkey::testing::Program;
use serde_json::Value;

const DOCUMENT: &str = include_str!("../../../events/describe-api/describe.json");
const PAGE: &str = include_str!("../../../events/describe-api/docs.json");

/// A function with several routes names each route's operation.
#[test]
fn each_request_has_one_line_at_every_level() {
    for level in ["INFO", "ERROR"] {
        let variables = [("CONSOLE_URL", "https://tokens.example")];
        let program = Program::start(env!("CARGO_BIN_EXE_describe-api"), level, &variables);
        for event in [DOCUMENT, PAGE] {
            assert_eq!(program.send(event)["statusCode"], 200);
        }
        let lines = program.lines();
        let told: Vec<_> = lines
            .iter()
            .map(|line| {
                ["operation", "outcome", "status", "cold_start", "trace_id"]
                    .map(|key| line[key].clone())
            })
            .collect();
        let line = |operation: &str, is_first: bool| -> [Value; 5] {
            [
                operation.into(),
                "ok".into(),
                200.into(),
                is_first.into(),
                Program::TRACE.into(),
            ]
        };
        assert_eq!(told, [line("describe-api", true), line("docs-page", false)]);
    }
}
