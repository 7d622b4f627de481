//! The lines that the program writes for its batches.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

use latchkey::testing::Program;
use serde_json::Value;

#[test]
fn each_batch_has_one_line_at_every_level() {
    for level in ["INFO", "ERROR"] {
        let program = Program::start(env!("CARGO_BIN_EXE_record-purges"), level, &[]);
        assert_eq!(
            program.send(r#"{"Records": []}"#)["batchItemFailures"],
            Value::Array(vec![])
        );
        let unread = program.send(r#"{"Records": "lka_secret"}"#)["errorMessage"].take();
        assert!(
            unread.as_str().unwrap().contains("the expected form"),
            "{unread}"
        );
        let mut lines = program.lines();
        assert!(
            lines
                .iter()
                .all(|line| !line.to_string().contains("lka_secret"))
        );
        lines.retain(|line| line["duration_ms"].is_f64());
        let told: Vec<_> = lines
            .iter()
            .map(|line| {
                assert_eq!(line["operation"], "record-purges");
                assert_eq!(
                    (&line["request_id"], &line["trace_id"]),
                    (&"r".into(), &Program::TRACE.into())
                );
                (
                    line["outcome"].as_str().unwrap(),
                    line["cold_start"].as_bool().unwrap(),
                )
            })
            .collect();
        assert_eq!(told, [("ok", true), ("failed", false)]);
    }
}
