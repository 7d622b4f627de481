//! Logs: one JSON object a line, which CloudWatch understands.

use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// Starts logging for a function (its crate's name, `module_path!()` in `main`) at the level of
/// `AWS_LAMBDA_LOG_LEVEL` (set by Lambda's logging configuration; `INFO` without it).
///
/// The level applies to our own code only. The SDK and its HTTP stack stay at warnings whatever is
/// configured: at their finer levels they log requests, and requests to KMS hold secrets.
pub fn init(function: &'static str) {
    let level = std::env::var("AWS_LAMBDA_LOG_LEVEL")
        .ok()
        .and_then(|level| level.parse::<LevelFilter>().ok())
        .unwrap_or(LevelFilter::INFO);
    let filter = Targets::new()
        .with_default(LevelFilter::WARN.min(level))
        .with_target("latchkey", level)
        .with_target(function, level);
    let lines = tracing_subscriber::fmt::layer()
        .json()
        .flatten_event(true)
        .with_current_span(true)
        .with_span_list(false)
        .with_ansi(false)
        // CloudWatch stamps every line itself.
        .without_time();
    // Fails only if logging has started already, as it has when tests share a process.
    let _ = tracing_subscriber::registry()
        .with(lines)
        .with(filter)
        .try_init();
}
