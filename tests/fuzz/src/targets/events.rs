//! The events that aren't requests to a route of Latchkey's own.

use std::sync::Mutex;

use aws_lambda_events::dynamodb;
use aws_lambda_events::streams::DynamoDbEventResponse;
use jiff::Timestamp;
use latchkey::domain::paging::Page;
use latchkey::domain::trail::{TrailEvent, Watched, Window};
use latchkey::ports::{PortError, ReadTrail};
use latchkey::testing::{Logs, watched_stack};
use serde_json::{Value, json};
use sync_platform::SetAside;
use tracing::level_filters::LevelFilter;

use super::Harness;
use crate::check::{batch, shows_secret, texts};
use crate::input::Input;
use crate::world::system;

/// A call to an API behind an HTTP API. An input that begins with `{` is the whole event.
pub(super) fn authorize_http(harness: &Harness, data: &[u8]) {
    let input = Input::of(data);
    let sample = include_str!("../../../../events/authorize/http-api.json");
    let mut event: Value = serde_json::from_str(sample).unwrap();
    event["rawPath"] = json!(input.path);
    event["rawQueryString"] = json!(input.query);
    event["requestContext"]["http"]["path"] = json!(input.path);
    event["requestContext"]["http"]["method"] = json!(input.method);
    event["headers"] = json!({});
    for (name, value) in &input.headers {
        // The gateway joins headers of the same name.
        let joined = match event["headers"][name].as_str() {
            Some(earlier) => format!("{earlier},{value}"),
            None => value.clone(),
        };
        event["headers"][name] = json!(joined);
    }
    authorize(harness, data, &event);
}

/// A call to an API behind a REST API. An input that begins with `{` is the whole event.
pub(super) fn authorize_rest(harness: &Harness, data: &[u8]) {
    let input = Input::of(data);
    let sample = include_str!("../../../../events/authorize/rest-api.json");
    let mut event: Value = serde_json::from_str(sample).unwrap();
    event["path"] = json!(input.path);
    event["httpMethod"] = json!(input.method);
    // Without headers, the gateway sends `null`.
    event["headers"] = Value::Null;
    for (name, value) in &input.headers {
        event["headers"][name] = json!(value);
    }
    authorize(harness, data, &event);
}

fn authorize(harness: &Harness, data: &[u8], event: &Value) {
    let whole = data.starts_with(b"{");
    let given = match serde_json::from_slice::<Value>(data) {
        Ok(given) if whole => given,
        Err(_) if whole => return,
        _ => event.clone(),
    };
    let parsed = match serde_json::from_value(given.clone()) {
        Ok(parsed) => parsed,
        // The gateway sends no such event.
        Err(_) if whole => return,
        Err(error) => panic!("{error}: {given}"),
    };
    harness.take_written();
    let system = system();
    let answer = authorize::handle(&harness.world, &system, parsed);
    let answer = match harness.runtime.block_on(Box::pin(answer)) {
        Ok(answer) => serde_json::to_value(answer).unwrap(),
        Err(error) => {
            // Only this error becomes a 401; the gateway answers 500 to any other.
            assert_eq!(error.to_string(), "Unauthorized", "{given}");
            assert!(
                given["methodArn"].is_string(),
                "an HTTP API answers 500: {given}"
            );
            return;
        }
    };
    assert!(
        !shows_secret(&answer.to_string()) || whole,
        "{given}: {answer}"
    );
    for written in harness.take_written() {
        assert!(!shows_secret(&written), "{given} writes {written:?}");
    }
    let effect = &answer["policyDocument"]["Statement"][0]["Effect"];
    if answer["isAuthorized"] == true || effect == "Allow" {
        let knows = |text: &String| harness.world.known.iter().any(|known| text.contains(known));
        assert!(
            texts(&given["headers"]).iter().any(knows),
            "{given} is allowed"
        );
    }
}

/// The audit table's stream.
pub(super) fn send_notifications(harness: &Harness, data: &[u8]) {
    stream(harness, data, async |event| {
        let (clock, _) = system();
        let (world, notifier) = (&harness.world, &harness.notifier);
        let sent = send_notifications::handle(world, notifier, &clock, Timestamp::MAX, event);
        let answer = Box::pin(sent).await;
        for mail in harness.post.take() {
            for part in [&mail.subject, &mail.text, &mail.html] {
                assert!(!shows_secret(part), "{mail:?}");
            }
            assert!(!mail.subject.chars().any(char::is_control), "{mail:?}");
        }
        answer
    });
}

/// The tokens table's stream.
pub(super) fn record_purges(harness: &Harness, data: &[u8]) {
    stream(harness, data, async |event| {
        record_purges::handle(&harness.world, event).await
    });
}

/// Delivers a batch, if the input is one.
fn stream(
    harness: &Harness,
    data: &[u8],
    handle: impl AsyncFn(dynamodb::Event) -> DynamoDbEventResponse,
) {
    if let Ok(event) = serde_json::from_slice(data) {
        harness.take_written();
        harness.runtime.block_on(batch(&event, handle));
    }
}

/// SES's events.
pub(super) fn mail_feedback(harness: &Harness, data: &[u8]) {
    let Ok(event) = serde_json::from_slice(data) else {
        return;
    };
    harness.take_written();
    let (clock, _) = system();
    let told = record_mail_feedback::handle(&harness.world, &harness.notifier, &clock, event);
    harness.runtime.block_on(Box::pin(told)).unwrap();
    for mail in harness.post.take() {
        assert!(!mail.subject.chars().any(char::is_control), "{mail:?}");
    }
}

/// A trail with one event.
struct Trail(TrailEvent);

impl ReadTrail for Trail {
    async fn read_trail(
        &self,
        watched: &Watched,
        _: Window,
        _: Option<String>,
    ) -> Result<Page<TrailEvent, String>, PortError> {
        let is_it = self.0.name == watched.name;
        let items = is_it.then(|| self.0.clone()).into_iter().collect();
        Ok(Page { items, next: None })
    }
}

/// An event of CloudTrail. Whoever calls AWS decides about most of it.
pub(super) fn trail(harness: &Harness, data: &[u8]) {
    let Ok(event) = serde_json::from_slice(data) else {
        return;
    };
    let sample = include_str!("../../../../events/watch-trail/hour.json");
    let hour = serde_json::from_str(sample).unwrap();
    let logs = Logs::of("watch_trail", LevelFilter::INFO);
    let (trail, world, (clock, _)) = (Trail(event), &harness.world, system());
    let (stack, until) = (watched_stack(), Timestamp::MAX);
    let read = watch_trail::handle(&trail, world, &clock, &stack, until, hour);
    harness.runtime.block_on(Box::pin(read)).unwrap();
    for line in logs.take_lines() {
        assert!(!shows_secret(&line), "{line}");
    }
}

/// Keeps the events that were set aside.
#[derive(Default)]
struct Aside(Mutex<Vec<String>>);

impl SetAside for Aside {
    async fn set_aside(&self, message: String) -> Result<(), PortError> {
        self.0.lock().unwrap().push(message);
        Ok(())
    }
}

/// Whether SQS takes a character in a message.
fn is_taken_by_sqs(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='\u{fffd}' | '\u{10000}'..)
}

/// The platform's events. Each is applied or set aside.
pub(super) fn sync_platform(harness: &Harness, data: &[u8]) {
    let Ok(event) = serde_json::from_slice::<Value>(data) else {
        return;
    };
    harness.take_written();
    let (aside, system) = (Aside::default(), system());
    let applied = sync_platform::handle(&harness.world, &aside, &system, event.clone());
    harness.runtime.block_on(Box::pin(applied)).unwrap();
    let aside = aside.0.into_inner().unwrap();
    assert!(aside.len() <= 1, "{event}");
    for text in &aside {
        assert!(!shows_secret(text), "{event}: {text:?}");
        assert!(text.chars().all(is_taken_by_sqs), "{event}: {text:?}");
    }
    for text in &harness.take_written() {
        assert!(!shows_secret(text), "{event}: {text:?}");
        assert!(!text.chars().any(char::is_control), "{event}: {text:?}");
    }
}
