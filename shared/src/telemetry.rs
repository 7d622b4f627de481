//! Logs. Each line is a JSON object with the time and the level in the form that Lambda expects.

mod plain;
pub mod request;

use std::any::Any;
use std::fmt::{self, Display};
use std::io;
use std::panic;

use tracing::level_filters::LevelFilter;
use tracing::{Span, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::FormatTime;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::app::{decision, measure};
use crate::ports::Clock;
use crate::system::System;
use plain::Plain;

/// The targets of the lines that are counted. They are logged at every level.
const COUNTED: [&str; 3] = [decision::TARGET, request::TARGET, measure::TARGET];

/// What the Lambda runtime says about an event that failed. The functions log their failures and panics themselves,
/// with the request's id, and as one line each.
const RUNTIME_FAILURES: &str = "lambda_runtime::layers::panic";

/// The variables for the level, in order of precedence: the stack's own, and Lambda's logging configuration. The
/// latter isn't above `INFO`, because Lambda would drop the lines that are counted.
const LEVEL_VARIABLES: [&str; 2] = ["LOG_LEVEL", "AWS_LAMBDA_LOG_LEVEL"];

/// Starts logging for a function. `function` is its crate's name: `module_path!()` in `main`. The level is that of the
/// variable `LOG_LEVEL`, or else `AWS_LAMBDA_LOG_LEVEL`, or else `INFO`. Panics are logged as errors. The lines of
/// decisions, of requests and of measures are logged at every level.
///
/// The level applies to Latchkey's own code only. The SDK and its HTTP stack always log warnings and errors only. At
/// lower levels they log requests, and requests to KMS contain secrets.
pub fn init(function: &'static str) {
    let level = level(|name| std::env::var(name).ok());
    // Fails only if logging has started already, as in tests that share a process.
    let _ = subscriber(function, level, std::io::stdout).try_init();
    panic::set_hook(Box::new(|panicked| {
        log_panic(panicked.payload(), panicked.location());
    }));
}

fn level(variable: impl Fn(&str) -> Option<String>) -> LevelFilter {
    let named = LEVEL_VARIABLES.iter().find_map(|name| variable(name));
    let level = named.and_then(|level| level.parse().ok());
    level.unwrap_or(LevelFilter::INFO)
}

/// Returns a subscriber that writes the events and spans of a function as lines.
pub fn subscriber<W>(
    function: &'static str,
    level: LevelFilter,
    writer: W,
) -> impl Subscriber + Send + Sync
where
    W: for<'a> MakeWriter<'a> + Clone + Send + Sync + 'static,
{
    let filter = Targets::new()
        .with_default(LevelFilter::WARN.min(level))
        .with_target("latchkey", level)
        .with_target(function, level)
        .with_targets(COUNTED.map(|target| (target, LevelFilter::OFF)))
        .with_target(RUNTIME_FAILURES, LevelFilter::OFF);
    // Lambda filters lines by level. It treats a line without a `timestamp` in RFC 3339, or a plain text, as INFO, and
    // would drop even errors at a higher level.
    let lines = tracing_subscriber::fmt::layer()
        .json()
        .flatten_event(true)
        .with_current_span(true)
        .with_span_list(false)
        .with_timer(Milliseconds)
        .with_ansi(false)
        .with_writer(Visible(writer.clone()));
    let counted = tracing_subscriber::fmt::layer()
        .event_format(Plain::of(function, Milliseconds))
        .with_ansi(false)
        .with_writer(Visible(writer));
    let only = Targets::new().with_targets(COUNTED.map(|target| (target, LevelFilter::INFO)));
    tracing_subscriber::registry()
        .with(lines.with_filter(filter))
        .with(counted.with_filter(only))
}

/// Formats the time of a line in milliseconds, as everywhere in Latchkey.
struct Milliseconds;

impl FormatTime for Milliseconds {
    fn format_time(&self, writer: &mut Writer<'_>) -> fmt::Result {
        write!(writer, "{:.3}", System.now())
    }
}

/// A writer that escapes invisible characters. Strangers' texts are logged, and must neither reorder a line nor
/// control the reader's terminal. JSON itself only escapes ASCII control characters.
struct Visible<W>(W);

impl<'a, W: MakeWriter<'a>> MakeWriter<'a> for Visible<W> {
    type Writer = Visible<W::Writer>;

    fn make_writer(&'a self) -> Self::Writer {
        Visible(self.0.make_writer())
    }

    fn make_writer_for(&'a self, metadata: &tracing::Metadata<'_>) -> Self::Writer {
        Visible(self.0.make_writer_for(metadata))
    }
}

impl<W: io::Write> io::Write for Visible<W> {
    /// Writes whole lines.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        // Most lines are whole in themselves.
        if line.iter().all(|byte| byte.is_ascii() && *byte != 0x7f) {
            self.0.write_all(line)?;
            return Ok(line.len());
        }
        let mut visible = String::with_capacity(line.len());
        for c in String::from_utf8_lossy(line).chars() {
            let is_seen = c.is_ascii() && c != '\u{7f}' || c.escape_debug().len() == 1;
            if is_seen {
                visible.push(c);
            } else {
                // In JSON, these characters only occur in strings, where an escape is valid.
                for unit in c.encode_utf16(&mut [0; 2]) {
                    visible.push_str(&format!("\\u{unit:04x}"));
                }
            }
        }
        self.0.write_all(visible.as_bytes())?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// Returns the span of a request or an event. It adds the id to every line. The span has the highest level, because a
/// line contains only spans that pass the filter too.
pub fn request_span(id: &str) -> Span {
    tracing::error_span!("request", request.id = id)
}

/// Logs that a request or an event failed. `code` is what the caller gets, if there is one who gets a code.
pub(crate) fn log_failure(code: Option<&str>, error: &impl Display) {
    tracing::error!(code, %error, "request failed");
}

/// Logs why a function can't start. Lambda logs the error that `main` returns as plain text, and drops that at the
/// level WARN.
pub fn log_start_failure(error: &impl Display) {
    tracing::error!(%error, "could not start");
}

fn log_panic(payload: &(dyn Any + Send), location: Option<&panic::Location<'_>>) {
    let text = payload.downcast_ref::<&str>().copied();
    let text = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
    let location = location.map(tracing::field::display);
    tracing::error!(location, error = text.unwrap_or("no text"), "panicked");
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use serde_json::Value;
    use tracing::{Level, event, info_span};

    use super::request::{OK, RequestLine};
    use super::*;
    use crate::app;
    use crate::app::measure::{Measure, count};
    use crate::domain::verification::Purpose;
    use crate::http::ApiError;
    use crate::ports::PortError;
    use crate::testing::Logs;

    /// Whether Lambda keeps a line at that level, according to its documentation.
    fn is_kept(line: &Value, least: Level) -> bool {
        let time = line["timestamp"].as_str();
        let time = time.and_then(|time| time.parse::<Timestamp>().ok());
        let level = line["level"].as_str().filter(|_| time.is_some());
        level.unwrap_or("INFO").parse::<Level>().unwrap() <= least
    }

    /// Writes a line of each kind.
    fn log_everything() {
        let _span = info_span!("request", request.id = "r").entered();
        // Latchkey's own lines, from the shared crate and from a function's.
        tracing::info!("ours");
        tracing::warn!(error = %PortError::Conflict, "ours");
        tracing::error!(error = ?PortError::Conflict, number = 1, "ours\nin lines");
        event!(target: "authorize", Level::INFO, "ours");
        event!(target: "authorize::event", Level::WARN, "ours");
        event!(target: "authorize", Level::ERROR, "ours");
        // The lines that are counted: a decision on a secret, a request, a measure.
        app::verify::refuse(&System, &Purpose::Meaningless);
        drop(RequestLine::begin("r", OK, Some(200)));
        count(Measure::Retried, 1);
        // A response with 5xx, a failed start, and panics.
        drop(ApiError::internal("a defect").respond("r"));
        crate::config::require("LATCHKEY_NO_SUCH_VARIABLE").unwrap_err();
        let text: Box<dyn Any + Send> = Box::new("a defect");
        log_panic(&*text, Some(panic::Location::caller()));
        log_panic(&*(Box::new(7) as Box<dyn Any + Send>), None);
        // Lines of libraries: without a message, without fields, in a span.
        event!(target: "lambda_runtime::layers::api_client", Level::ERROR, error = ?"e", "theirs");
        event!(target: "aws_smithy_runtime::client", Level::WARN, retries = 3);
        event!(target: "hyper", Level::ERROR, "theirs");
        info_span!(target: "lambda_runtime", "Lambda runtime invoke").in_scope(|| {
            event!(target: "lambda_runtime", Level::ERROR, message = "theirs");
        });
        // These are never logged.
        event!(target: "lambda_runtime::layers::panic", Level::ERROR, error = ?"e", "user handler panicked");
        event!(target: "aws_smithy_runtime::client", Level::INFO, "theirs");
        event!(target: "aws_sdk_kms", Level::DEBUG, "theirs");
        event!(target: "authorize_not", Level::INFO, "theirs");
    }

    /// Returns the lines of `log_everything` at a level of the function.
    fn lines_at(level: LevelFilter) -> Vec<Value> {
        let logs = Logs::of("authorize", level);
        log_everything();
        logs.take()
    }

    fn is_counted(line: &Value) -> bool {
        let has = |key: &str| line.get(key).is_some();
        has("sequence") || has("duration_ms") || has("measure")
    }

    #[test]
    fn lambda_keeps_every_line_of_a_level_and_none_of_a_lower_one() {
        // The function's level may be below Lambda's. Then Lambda's applies.
        let all = lines_at(LevelFilter::TRACE);
        for (level, filter) in [
            (Level::INFO, LevelFilter::INFO),
            (Level::WARN, LevelFilter::WARN),
            (Level::ERROR, LevelFilter::ERROR),
        ] {
            let mut lines = lines_at(filter);
            lines.retain(|line| !is_counted(line));
            assert!(lines.iter().all(|line| is_kept(line, level)), "{lines:?}");
            let meant = |line: &&Value| {
                let said = line["level"].as_str().unwrap().parse::<Level>();
                said.unwrap() <= level && !is_counted(line)
            };
            assert_eq!(lines.len(), all.iter().filter(meant).count());
            let errors = lines.iter().filter(|line| line["level"] == "ERROR");
            assert_eq!(errors.count(), 9);
            assert!(all.iter().filter(meant).all(|line| is_kept(line, level)));
        }
    }

    #[test]
    fn what_is_counted_is_logged_at_info_whatever_the_level() {
        for filter in [
            LevelFilter::TRACE,
            LevelFilter::DEBUG,
            LevelFilter::INFO,
            LevelFilter::WARN,
            LevelFilter::ERROR,
        ] {
            let mut lines = lines_at(filter);
            lines.retain(is_counted);
            assert_eq!(lines.len(), 3, "{filter}");
            for line in lines {
                assert_eq!(line["level"], "INFO");
                // The template sets Lambda's level to `INFO`.
                assert!(is_kept(&line, Level::INFO));
                assert_eq!(line.get("span"), None);
                let operation = line.get("operation").map(|it| it.as_str().unwrap());
                let expected = line.get("sequence").is_none().then_some("authorize");
                assert_eq!(operation, expected, "{line}");
            }
        }
    }

    #[test]
    fn a_line_names_its_request_at_every_level() {
        for filter in [LevelFilter::INFO, LevelFilter::WARN, LevelFilter::ERROR] {
            let logs = Logs::of("authorize", filter);
            request_span("req-1").in_scope(|| tracing::error!("ours"));
            let line = logs.take().remove(0);
            assert_eq!(line["span"]["request.id"], "req-1", "{filter}");
        }
    }

    #[test]
    fn every_line_has_a_time() {
        for line in lines_at(LevelFilter::TRACE) {
            let time = line["timestamp"].as_str().unwrap();
            assert!(time.parse::<Timestamp>().is_ok(), "{line}");
            assert_eq!(time.len(), "2026-11-23T10:00:00.000Z".len(), "{line}");
        }
    }

    #[test]
    fn the_stacks_level_counts_before_that_of_lambda() {
        let set = |variables: &[(&str, &str)]| {
            level(|name| {
                let set = variables.iter().find(|(known, _)| *known == name);
                set.map(|(_, value)| (*value).to_owned())
            })
        };
        let lambda = ("AWS_LAMBDA_LOG_LEVEL", "INFO");
        assert_eq!(set(&[]), LevelFilter::INFO);
        assert_eq!(
            set(&[("AWS_LAMBDA_LOG_LEVEL", "DEBUG")]),
            LevelFilter::DEBUG
        );
        assert_eq!(set(&[lambda, ("LOG_LEVEL", "WARN")]), LevelFilter::WARN);
        assert_eq!(set(&[lambda, ("LOG_LEVEL", "loud")]), LevelFilter::INFO);
    }

    #[test]
    fn what_strangers_say_is_logged_visibly() {
        let said = "é\u{202e}\u{2028}\u{9b}2J\u{1b}[2J\u{7f}\u{e0001}\n\"";
        let mut written = Vec::new();
        let line = serde_json::json!({"said": said}).to_string() + "\n";
        io::Write::write_all(&mut Visible(&mut written), line.as_bytes()).unwrap();
        let written = String::from_utf8(written).unwrap();
        assert_eq!(
            written,
            "{\"said\":\"é\\u202e\\u2028\\u009b2J\\u001b[2J\\u007f\\udb40\\udc01\\n\\\"\"}\n"
        );
        let read: Value = serde_json::from_str(&written).unwrap();
        assert_eq!(read["said"], said);
        let logs = Logs::of("authorize", LevelFilter::INFO);
        tracing::info!(said, "{said}");
        let line = logs.take().remove(0);
        assert_eq!(
            (&line["said"], &line["message"]),
            (&said.into(), &said.into())
        );
    }

    #[test]
    fn a_line_says_when_what_where_and_in_which_request() {
        let logs = Logs::of("authorize", LevelFilter::INFO);
        info_span!("request", request.id = "r").in_scope(|| tracing::error!(number = 1, "text"));
        let mut line = logs.take().remove(0);
        let time = line["timestamp"].take();
        assert!(time.as_str().unwrap().parse::<Timestamp>().is_ok());
        assert_eq!(
            line,
            serde_json::json!({
                "timestamp": null,
                "level": "ERROR",
                "message": "text",
                "number": 1,
                "target": "latchkey::telemetry::tests",
                "span": {"request.id": "r", "name": "request"},
            })
        );
    }
}
