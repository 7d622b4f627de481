//! The start of a function: builds its clients from the environment, and serves its events.

use aws_config::SdkConfig;
use aws_lambda_events::dynamodb;
use aws_lambda_events::streams::DynamoDbEventResponse;
use jiff::Timestamp;
use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use tracing::Instrument;

use crate::app::measure::{Measure, count};
use crate::aws::aws_config;
use crate::config::{ConfigError, Tables, brand, require};
use crate::domain::id::TraceId;
use crate::http::ApiError;
use crate::mail::{Console, Mailer, Notifier};
use crate::ports::PortError;
use crate::schedule::until;
use crate::store::{Store, Vault};
use crate::telemetry::request::{ColdStart, FAILED, OK, RequestLine, Subject};
use crate::telemetry::{self, log_failure, request_span};

/// A started function: logging is on, and AWS is configured.
#[derive(Debug)]
pub struct Start {
    aws: SdkConfig,
}

impl Start {
    /// Starts logging and reads the AWS configuration. `function` is the crate's name: `module_path!()` in `main`.
    pub async fn new(function: &'static str) -> Self {
        telemetry::init(function);
        Self {
            aws: aws_config().await,
        }
    }

    /// Returns the AWS configuration, for the function's own clients.
    pub fn aws(&self) -> &SdkConfig {
        &self.aws
    }

    /// Returns the store of the tables.
    ///
    /// # Errors
    /// When a variable of [`Tables`] is missing or invalid.
    pub fn store(&self) -> Result<Store, ConfigError> {
        Ok(Store::new(&self.aws, Tables::from_env()?))
    }

    /// Returns the vault that encrypts secrets with the KMS key in `SECRETS_KEY_ID`.
    ///
    /// # Errors
    /// When the variable is missing.
    pub fn vault(&self) -> Result<Vault, ConfigError> {
        Ok(Vault::new(&self.aws, require("SECRETS_KEY_ID")?))
    }

    /// Returns the notifier. It sends mails from `MAIL_FROM` with the configuration set `MAIL_CONFIGURATION_SET`, with
    /// links to the API tokens page at `CONSOLE_URL`, and with the [`brand`].
    ///
    /// # Errors
    /// When a variable is missing or invalid.
    pub fn notifier(&self) -> Result<Notifier<Mailer>, ConfigError> {
        let console = Console::new(require("CONSOLE_URL")?);
        let (from, set) = (require("MAIL_FROM")?, require("MAIL_CONFIGURATION_SET")?);
        let brand = brand()?;
        let mailer = Mailer::new(&self.aws, from, set).branded(&brand);
        Ok(Notifier::new(mailer, console, brand))
    }
}

/// An event as the runtime hands it over. The text isn't parsed yet.
pub type RawEvent = LambdaEvent<Box<RawValue>>;

/// Serves events that aren't HTTP requests, and logs a line for each. The handler receives the event and the time until
/// which it may start new work.
///
/// # Errors
/// When the Lambda runtime can't be reached.
pub async fn serve_events<E, A, X, F>(handler: impl Fn(E, Timestamp) -> F) -> Result<(), Error>
where
    E: DeserializeOwned,
    A: Serialize,
    Error: From<X>,
    F: Future<Output = Result<A, X>>,
{
    serve_events_about(|_: &E| Subject::default(), handler).await
}

/// As [`serve_events`]. The line says what `about` knows of the event.
///
/// # Errors
/// When the Lambda runtime can't be reached.
pub async fn serve_events_about<E, A, X, F>(
    about: impl Fn(&E) -> Subject,
    handler: impl Fn(E, Timestamp) -> F,
) -> Result<(), Error>
where
    E: DeserializeOwned,
    A: Serialize,
    Error: From<X>,
    F: Future<Output = Result<A, X>>,
{
    let (about, handler, process) = (&about, &handler, &ColdStart::default());
    run(service_fn(|event| {
        answer_event(about, handler, event, process)
    }))
    .await
}

/// As [`serve_events`], for batches of a table's stream. An event of which a record failed is logged as failed.
///
/// # Errors
/// When the Lambda runtime can't be reached.
pub async fn serve_batches<F>(
    handler: impl Fn(dynamodb::Event, Timestamp) -> F,
) -> Result<(), Error>
where
    F: Future<Output = DynamoDbEventResponse>,
{
    let (handler, process) = (&handler, &ColdStart::default());
    run(service_fn(|event| answer_batch(handler, event, process))).await
}

/// Why an authorizer doesn't answer.
#[derive(Debug, thiserror::Error)]
pub enum NoAnswer {
    /// The call is refused. A REST API answers 401 if its authorizer fails with exactly this text.
    #[error("Unauthorized")]
    Unauthorized,
    /// There is no decision.
    #[error(transparent)]
    Undecided(#[from] PortError),
}

/// As [`serve_events`], for a function that verifies presented secrets: the line of its decision tells of the event.
///
/// # Errors
/// When the Lambda runtime can't be reached.
pub async fn serve_verification<E, A, F>(handler: impl Fn(E) -> F) -> Result<(), Error>
where
    E: DeserializeOwned,
    A: Serialize,
    F: Future<Output = Result<A, NoAnswer>>,
{
    let handler = &handler;
    run(service_fn(|event| answer_verification(handler, event))).await
}

/// Handles one event as [`serve_events_about`] does.
///
/// # Errors
/// Those of the handler. An event that doesn't have the expected form.
pub async fn answer_event<E, A, X, F>(
    about: impl Fn(&E) -> Subject,
    handler: impl Fn(E, Timestamp) -> F,
    event: RawEvent,
    process: &ColdStart,
) -> Result<A, Error>
where
    E: DeserializeOwned,
    Error: From<X>,
    F: Future<Output = Result<A, X>>,
{
    let mut line = event_line(&event, process);
    let parsed = parse(&event.payload).map_err(|error| failed(&line, error))?;
    line.note(about(&parsed));
    // Boxed, as the compiler limits how deep futures are nested.
    let handled = Box::pin(handler(parsed, until(event.context.deadline)));
    let handled = handled.instrument(request_span(&line.request_id));
    let answer = handled.await.map_err(|error| failed(&line, error.into()))?;
    line.outcome = OK;
    Ok(answer)
}

/// Handles one batch as [`serve_batches`] does.
///
/// # Errors
/// A batch that doesn't have the expected form.
pub async fn answer_batch<F>(
    handler: impl Fn(dynamodb::Event, Timestamp) -> F,
    event: RawEvent,
    process: &ColdStart,
) -> Result<DynamoDbEventResponse, Error>
where
    F: Future<Output = DynamoDbEventResponse>,
{
    let mut line = event_line(&event, process);
    let batch = parse(&event.payload).map_err(|error| failed(&line, error))?;
    let handled = Box::pin(handler(batch, until(event.context.deadline)));
    let response = handled.instrument(request_span(&line.request_id)).await;
    if response.batch_item_failures.is_empty() {
        line.outcome = OK;
    }
    Ok(response)
}

/// Handles one event as [`serve_verification`] does.
///
/// # Errors
/// Those of the handler. An event that doesn't have the expected form.
pub async fn answer_verification<E, A, F>(
    handler: impl Fn(E) -> F,
    event: RawEvent,
) -> Result<A, Error>
where
    E: DeserializeOwned,
    F: Future<Output = Result<A, NoAnswer>>,
{
    let answered = match parse(&event.payload) {
        Ok(parsed) => handler(parsed).await,
        Err(error) => Err(PortError::Broken(error).into()),
    };
    answered.map_err(|answer| match answer {
        NoAnswer::Unauthorized => {
            count(Measure::Unauthorized, 1);
            answer.into()
        }
        NoAnswer::Undecided(error) => {
            let text = error.to_string();
            let code = ApiError::from(error).code();
            let span = request_span(&event.context.request_id);
            span.in_scope(|| log_failure(Some(code.as_str()), &text));
            text.into()
        }
    })
}

/// Logs that an event failed, and why. Returns the error, which Lambda gets.
fn failed(line: &RequestLine, error: Error) -> Error {
    request_span(&line.request_id).in_scope(|| log_failure(None, &error));
    error
}

/// Returns the line of an event whose handling begins now. Until it is handled, it has failed.
fn event_line(event: &RawEvent, process: &ColdStart) -> RequestLine {
    let context = &event.context;
    let mut line = RequestLine::begin(&context.request_id, FAILED, None);
    line.trace_id = context
        .xray_trace_id
        .as_deref()
        .and_then(TraceId::of_header);
    line.cold_start = process.is_first();
    line
}

/// Parses an event. An event that doesn't parse isn't quoted: the runtime logs the error and answers with it, and
/// serde's errors have values of the event: somebody's secret may be one. The runtime itself would also note the names
/// of the members on the way to the failure.
///
/// # Errors
/// The event doesn't have the expected form.
fn parse<E: DeserializeOwned>(event: &RawValue) -> Result<E, Error> {
    serde_json::from_str(event.get()).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        format!("the event does not have the expected form: line {line}, column {column}").into()
    })
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::panic::AssertUnwindSafe;

    use aws_lambda_events::streams::DynamoDbBatchItemFailure;
    use futures_util::FutureExt;
    use lambda_runtime::Context;
    use serde::Deserialize;
    use serde_json::{Value, json};
    use tracing::level_filters::LevelFilter;

    use super::*;
    use crate::ports::PortError;
    use crate::testing::Logs;

    #[derive(Debug, Deserialize)]
    struct Event {
        #[expect(dead_code, reason = "only whether it parses matters")]
        tags: HashMap<String, Vec<u8>>,
    }

    fn parsed(event: &str) -> Result<Event, Error> {
        parse(&serde_json::from_str::<Box<RawValue>>(event).unwrap())
    }

    #[test]
    fn an_event_that_does_not_parse_is_not_quoted() {
        parsed(r#"{"tags": {"a": [1, 2]}}"#).unwrap();
        for event in [
            r#""lka_secret""#,
            r#"{"tags": "lka_secret"}"#,
            r#"{"tags": {"lka_secret": "lka_secret"}}"#,
            r#"{"tags": {"lka_secret": ["lka_secret"]}}"#,
            r#"{"lka_secret": {}}"#,
        ] {
            let error = parsed(event).unwrap_err();
            for text in [error.to_string(), format!("{error:?}")] {
                assert!(text.contains("the expected form"), "{text}");
                assert!(!text.contains("secret"), "{text}");
            }
        }
    }

    const TRACE: &str = "1-5e66d96f-7491f09e0a79d18acf3d0505";

    fn raw(event: &str) -> RawEvent {
        let mut context = Context::default();
        context.request_id = "lambda-1".into();
        context.xray_trace_id = Some(format!("Root={TRACE};Sampled=0"));
        LambdaEvent::new(serde_json::from_str(event).unwrap(), context)
    }

    /// Returns the line of an event that hasn't failed.
    fn line(logs: &Logs) -> Value {
        let (line, failures) = told(logs);
        assert!(failures.is_empty(), "{failures:?}");
        line
    }

    /// Returns the line of an event without what every line has, and the reasons of failures.
    fn told(logs: &Logs) -> (Value, Vec<String>) {
        let (mut lines, failures): (Vec<_>, Vec<_>) = logs
            .take()
            .into_iter()
            .partition(|line| line["duration_ms"].is_f64());
        let reason = |line: &Value| {
            assert_eq!(
                (&line["level"], &line["message"]),
                (&json!("ERROR"), &json!("request failed"))
            );
            assert_eq!(line["span"]["request.id"], "lambda-1");
            assert_eq!(line.get("code"), None);
            line["error"].as_str().unwrap().to_owned()
        };
        let failures = failures.iter().map(reason).collect();
        assert_eq!(lines.len(), 1, "{lines:?}");
        let mut line = lines.remove(0);
        assert!(line["timestamp"].take().is_string());
        assert!(line["duration_ms"].take().is_f64());
        assert_eq!(line["operation"].take(), "revoke-idle");
        assert_eq!(line["trace_id"].take(), TRACE);
        let line = line.as_object_mut().unwrap();
        line.retain(|_, value| !value.is_null());
        (json!(line), failures)
    }

    #[tokio::test]
    async fn each_event_has_one_line_at_every_level() {
        let about = |event: &Value| Subject {
            request_id: event["id"].as_str().map(str::to_owned),
            account_id: event["account"].as_str().and_then(|id| id.parse().ok()),
        };
        for level in [LevelFilter::INFO, LevelFilter::WARN, LevelFilter::ERROR] {
            let (logs, process) = (Logs::of("revoke_idle", level), ColdStart::default());
            let ok = async |_, _| Ok::<_, Error>(());
            let event = raw(r#"{"id": "event-1", "account": "acme"}"#);
            answer_event(about, ok, event, &process).await.unwrap();
            let expected = json!({
                "level": "INFO",
                "account_id": "acme",
                "request_id": "event-1",
                "outcome": "ok",
                "cold_start": true,
            });
            assert_eq!(line(&logs), expected);

            let fails = async |_, _| Err::<(), _>(PortError::Conflict);
            let event = raw(r#"{"account": "no id"}"#);
            answer_event(about, fails, event, &process)
                .await
                .unwrap_err();
            let expected = json!({
                "level": "INFO",
                "request_id": "lambda-1",
                "outcome": "failed",
                "cold_start": false,
            });
            let reason = "changed by another request at the same time".to_owned();
            assert_eq!(told(&logs), (expected, vec![reason]));
        }
    }

    #[tokio::test]
    async fn an_event_that_does_not_parse_has_its_line_and_so_has_one_that_makes_the_handler_panic()
    {
        let (logs, process) = (
            Logs::of("revoke_idle", LevelFilter::INFO),
            ColdStart::default(),
        );
        let about = |_: &Event| Subject::default();
        let panics = async |_, _| -> Result<(), Error> { panic!("a defect") };
        let unread = answer_event(about, panics, raw("7"), &process).await;
        unread.unwrap_err();
        let (line_of_unread, failures) = told(&logs);
        assert_eq!(line_of_unread["outcome"], "failed");
        let reason = "the event does not have the expected form: line 1, column 1";
        assert_eq!(failures, [reason]);
        let answered = answer_event(about, panics, raw(r#"{"tags": {}}"#), &process);
        AssertUnwindSafe(answered).catch_unwind().await.unwrap_err();
        assert_eq!(line(&logs)["outcome"], "failed");
    }

    #[tokio::test]
    async fn a_batch_of_which_a_record_failed_has_failed() {
        let (logs, process) = (
            Logs::of("revoke_idle", LevelFilter::INFO),
            ColdStart::default(),
        );
        for (failures, outcome) in [(0, "ok"), (1, "failed")] {
            let handler = async |_, _| {
                let mut response = DynamoDbEventResponse::default();
                response
                    .batch_item_failures
                    .resize(failures, DynamoDbBatchItemFailure::default());
                response
            };
            let answered = answer_batch(handler, raw(r#"{"Records": []}"#), &process).await;
            assert_eq!(answered.unwrap().batch_item_failures.len(), failures);
            assert_eq!(line(&logs)["outcome"], outcome);
        }
    }

    /// What a handler logs says of which event.
    #[tokio::test]
    async fn messages_name_their_event() {
        let (logs, process) = (
            Logs::of("revoke_idle", LevelFilter::WARN),
            ColdStart::default(),
        );
        let about = |event: &Value| Subject {
            request_id: event["id"].as_str().map(str::to_owned),
            ..Subject::default()
        };
        let warns = async |_, _| {
            tracing::warn!("odd");
            Ok::<_, Error>(())
        };
        let event = raw(r#"{"id": "event-1"}"#);
        answer_event(about, warns, event, &process).await.unwrap();
        let batch = async |_, _| {
            tracing::warn!("odd");
            DynamoDbEventResponse::default()
        };
        let event = raw(r#"{"Records": []}"#);
        answer_batch(batch, event, &process).await.unwrap();
        let mut lines = logs.take();
        lines.retain(|line| line["message"] == "odd");
        let ids: Vec<_> = lines
            .iter()
            .map(|line| &line["span"]["request.id"])
            .collect();
        assert_eq!(ids, ["event-1", "lambda-1"]);
    }
}
