//! The log line of every request and every event. Metrics are counted from these lines.
//!
//! A line contains ids and the names of operations and errors, and no text that a person wrote.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::app::decision::Id;
use crate::domain::id::{AccountId, TokenId, TraceId};
use crate::domain::text::recorded;

/// The target of these lines. The functions log this target at every log level, and add the operation's name if the
/// line doesn't have it.
pub(super) const TARGET: &str = "latchkey::request";

/// The largest length of a request's id in a line, in characters. The gateway's and Lambda's are shorter.
const MAX_REQUEST_ID: usize = 64;

/// What a line says of a request whose handler succeeded.
pub(crate) const OK: &str = "ok";

/// What a line says of an event whose handler failed.
pub(crate) const FAILED: &str = "failed";

/// Whether a process has already taken on a request or an event.
#[derive(Debug, Default)]
pub struct ColdStart(AtomicBool);

impl ColdStart {
    /// Whether this is the process's first request or event.
    pub fn is_first(&self) -> bool {
        !self.0.swap(true, Ordering::Relaxed)
    }
}

/// What is known of an event before it is handled.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Subject {
    /// The event's id, if it has one. The audit records that the event causes have it too.
    pub request_id: Option<String>,
    /// The account that the event is about, if it is about one.
    pub account_id: Option<AccountId>,
}

/// A request or an event that is being handled. Its line is written when this value is dropped, so that a handler that
/// panics has its line too. A handler that Lambda stops, because its time is up, has none.
#[derive(Debug)]
pub(crate) struct RequestLine {
    /// The operation, if it isn't that of the function.
    pub(crate) operation: Option<&'static str>,
    pub(crate) account_id: Option<AccountId>,
    pub(crate) token_id: Option<TokenId>,
    pub(crate) request_id: String,
    pub(crate) trace_id: Option<TraceId>,
    pub(crate) cold_start: bool,
    /// `ok`, or what went wrong.
    pub(crate) outcome: &'static str,
    /// The status of an HTTP response.
    pub(crate) status: Option<u16>,
    begin: Instant,
}

impl RequestLine {
    /// The line of a request or an event that begins now. `outcome` and `status` are those of a handler that panics.
    pub(crate) fn begin(request_id: &str, outcome: &'static str, status: Option<u16>) -> Self {
        Self {
            operation: None,
            account_id: None,
            token_id: None,
            request_id: recorded(request_id, MAX_REQUEST_ID),
            trace_id: None,
            cold_start: false,
            outcome,
            status,
            begin: Instant::now(),
        }
    }

    /// Adds what is known of an event.
    pub(crate) fn note(&mut self, subject: Subject) {
        if let Some(id) = subject.request_id {
            self.request_id = recorded(&id, MAX_REQUEST_ID);
        }
        self.account_id = subject.account_id;
    }
}

impl Drop for RequestLine {
    fn drop(&mut self) {
        let account = self.account_id.as_ref();
        tracing::info!(
            target: TARGET,
            operation = self.operation,
            account_id = account.map(|id| tracing::field::display(Id(id.as_str()))),
            token_id = self.token_id.as_ref().map(|id| id.as_str()),
            request_id = self.request_id,
            trace_id = self.trace_id.as_ref().map(|id| id.as_str()),
            outcome = self.outcome,
            status = self.status,
            cold_start = self.cold_start,
            duration_ms = milliseconds(self.begin.elapsed()),
        );
    }
}

/// A duration in milliseconds, with at most three decimals.
fn milliseconds(duration: Duration) -> f64 {
    let micros = u32::try_from(duration.as_micros()).unwrap_or(u32::MAX);
    f64::from(micros) / 1_000.0
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use tracing::level_filters::LevelFilter;

    use super::*;
    use crate::testing::Logs;

    #[test]
    fn a_line_names_what_is_known_and_has_no_members_for_the_rest() {
        let logs = Logs::of("send_digests", LevelFilter::ERROR);
        drop(RequestLine::begin("r-1", FAILED, None));
        let mut line = RequestLine::begin("r-2", OK, Some(201));
        line.operation = Some("create-token");
        line.account_id = "a".repeat(64).parse().ok();
        line.token_id = "tok_01ARZ3NDEKTSV4RRFFQ69G5FAV".parse().ok();
        line.trace_id = "1-5e66d96f-7491f09e0a79d18acf3d0505".parse().ok();
        line.cold_start = true;
        drop(line);
        let mut lines = logs.take();
        for line in &mut lines {
            assert!(line["timestamp"].take().is_string());
            assert!(line["duration_ms"].take().is_f64());
        }
        let expected = [
            json!({
                "timestamp": null,
                "level": "INFO",
                "request_id": "r-1",
                "outcome": "failed",
                "cold_start": false,
                "duration_ms": null,
                "operation": "send-digests",
            }),
            json!({
                "timestamp": null,
                "level": "INFO",
                "operation": "create-token",
                "account_id": "aaaaaaaaaaaaaaa~89b46555",
                "token_id": "tok_01ARZ3NDEKTSV4RRFFQ69G5FAV",
                "request_id": "r-2",
                "trace_id": "1-5e66d96f-7491f09e0a79d18acf3d0505",
                "outcome": "ok",
                "status": 201,
                "cold_start": true,
                "duration_ms": null,
            }),
        ];
        assert_eq!(lines, expected);
    }

    #[test]
    fn a_strangers_request_id_is_neither_long_nor_invisible_nor_a_secret() {
        let logs = Logs::start();
        let secret = crate::testing::plain(&crate::testing::plain_secret());
        for id in ["r".repeat(500), format!("\u{202e}{secret}")] {
            drop(RequestLine::begin(&id, OK, None));
        }
        let lines = logs.take_lines();
        assert!(lines.iter().all(|line| line.len() < 300), "{lines:?}");
        assert!(!lines[1].contains(&secret) && !lines[1].contains('\u{202e}'));
    }

    #[test]
    fn a_duration_has_at_most_three_decimals() {
        let shown = |micros| milliseconds(Duration::from_micros(micros)).to_string();
        assert_eq!(
            [1, 1_999, 12_000, 29_000_001].map(shown),
            ["0.001", "1.999", "12", "29000.001"]
        );
        let nanos = Duration::from_nanos(1_234_567);
        assert!((milliseconds(nanos) - 1.234).abs() < f64::EPSILON);
        for micros in (0..3_000_000).step_by(997) {
            let decimals = shown(micros).split_once('.').map_or(0, |(_, it)| it.len());
            assert!(decimals <= 3, "{micros}");
        }
    }

    #[test]
    fn only_the_first_request_of_a_process_is_a_cold_start() {
        let process = ColdStart::default();
        assert_eq!([(); 3].map(|()| process.is_first()), [true, false, false]);
    }
}
