use std::collections::BTreeMap;
use std::sync::Mutex;

use jiff::{SignedDuration, ToSpan};
use latchkey::domain::action::Action;
use latchkey::domain::audit::AuditRecord;
use latchkey::domain::paging::Page;
use latchkey::domain::token::{StoredToken, Token};
use latchkey::domain::trail::{TrailEvent, Watched, Window};
use latchkey::ports::RecordView;
use latchkey::testing::{
    Engine, FixedClock, Logs, acme, audit, now, token_at, trail_sample, watched_stack,
};
use serde_json::{Value, json};
use tracing::level_filters::LevelFilter;

use super::*;

fn hour() -> Hour {
    let sample = include_str!("../../../events/watch-trail/hour.json");
    serde_json::from_str(sample).unwrap()
}

/// A trail with some events, in pages of two.
#[derive(Default)]
struct Trail {
    events: BTreeMap<String, Vec<Value>>,
    /// The operation that can't be looked up.
    broken: Option<&'static str>,
    read: Mutex<Vec<Window>>,
}

impl Trail {
    fn of(events: impl IntoIterator<Item = Value>) -> Self {
        let mut trail = Self::default();
        for event in events {
            let name = event["eventName"].as_str().unwrap().to_owned();
            trail.events.entry(name).or_default().push(event);
        }
        trail
    }
}

impl ReadTrail for Trail {
    async fn read_trail(
        &self,
        watched: &Watched,
        window: Window,
        position: Option<String>,
    ) -> Result<Page<TrailEvent, String>, PortError> {
        self.read.lock().unwrap().push(window);
        if self.broken == Some(watched.name) {
            return Err(PortError::Unavailable("throttled".into()));
        }
        let start: usize = position.map_or(0, |position| position.parse().unwrap());
        let events = self.events.get(watched.name).cloned().unwrap_or_default();
        let end = events.len().min(start + 2);
        let items = events[start..end].iter().cloned();
        Ok(Page {
            items: items
                .map(|event| serde_json::from_value(event).unwrap())
                .collect(),
            next: (end < events.len()).then(|| end.to_string()),
        })
    }
}

/// Runs the function, and returns its lines at level ERROR.
async fn run(
    engine: &Engine,
    trail: &Trail,
    until: Timestamp,
) -> (Vec<Value>, Result<(), PortError>) {
    let logs = Logs::of("watch_trail", LevelFilter::INFO);
    let (store, clock, stack) = (&engine.store, FixedClock(now()), watched_stack());
    let done = handle(trail, store, &clock, &stack, until, hour()).await;
    let mut lines = logs.take();
    lines.retain(|line| line["level"] == "ERROR");
    (lines, done)
}

/// Runs the function with time enough. It must succeed.
async fn found(engine: &Engine, trail: &Trail) -> Vec<Value> {
    let (lines, done) = run(engine, trail, Timestamp::MAX).await;
    done.unwrap();
    lines
}

async fn token(engine: &Engine) -> StoredToken {
    engine.add(token_at(now() - 1.hours())).await
}

async fn viewed(engine: &Engine, stored: &StoredToken, at: Timestamp, seed: u8) -> AuditRecord {
    let record = audit(Action::View, &stored.token, at, seed);
    engine.store.record_view(stored, &record).await.unwrap();
    record
}

/// A decryption of a token's secret.
fn decrypted(token: &Token, at: Timestamp, id: &str) -> Value {
    let mut event = trail_sample("decrypt");
    event["eventID"] = json!(id);
    event["eventTime"] = json!(format!("{at:.0}"));
    event["requestParameters"]["encryptionContext"]["tokenId"] = json!(token.id.as_str());
    event
}

fn shown() -> Timestamp {
    now() - 30.minutes()
}

#[tokio::test]
async fn a_changed_key_policy_is_one_line_with_all_that_a_person_needs_and_is_told_once() {
    let engine = Engine::with_accounts().await;
    let trail = Trail::of([trail_sample("put-key-policy")]);
    let lines = found(&engine, &trail).await;
    let [line] = &lines[..] else {
        panic!("not one finding: {lines:?}")
    };
    for (key, value) in [
        ("finding", json!("change")),
        ("event_name", json!("PutKeyPolicy")),
        ("event_id", json!("91235988-eb87-476a-ac2c-0cdc244e6dca")),
        ("event_time", json!("2026-11-23T09:30:00Z")),
        ("principal", json!("arn:aws:iam::123456789012:user/Alice")),
        ("source_ip", json!("192.0.2.7")),
        ("resource", json!("1234abcd-12ab-34cd-56ef-1234567890ab")),
        ("deployment", json!(false)),
        ("account_id", Value::Null),
        ("token_id", Value::Null),
    ] {
        assert_eq!(line[key], value, "{key}");
    }
    assert!(found(&engine, &trail).await.is_empty());
    // A marker outlives the 14 days in which an hour can be handed over again.
    engine.sweep(now() + SignedDuration::from_hours(24 * 15));
    assert!(found(&engine, &trail).await.is_empty());
    assert_eq!(engine.sweep(now() + SignedDuration::from_hours(24 * 17)), 1);
}

#[tokio::test]
async fn every_watched_operation_is_read_for_the_hours_of_the_event() {
    let engine = Engine::with_accounts().await;
    let trail = Trail::default();
    assert!(found(&engine, &trail).await.is_empty());
    let read = trail.read.into_inner().unwrap();
    assert_eq!(read.len(), WATCHED.len() + 1);
    let from = "2026-11-23T06:55:00Z".parse().unwrap();
    let to = "2026-11-23T09:55:00Z".parse().unwrap();
    assert!(read.iter().all(|window| *window == Window { from, to }));
}

/// CloudTrail answers two requests a second to the whole account. A tenth of the function's time is for the first page of
/// each operation, and the rest for more of them.
#[test]
fn a_run_that_finds_nothing_has_most_of_its_time_left() {
    let requests = u32::try_from(WATCHED.len() + 1).unwrap();
    assert!(PAUSE * requests < std::time::Duration::from_secs(90));
}

#[tokio::test]
async fn a_deployment_is_told_of_what_is_grave_as_such() {
    let engine = Engine::with_accounts().await;
    let samples = ["update-table", "put-role-policy"].map(|name| {
        let mut event = trail_sample(name);
        event["eventID"] = json!(name);
        event["userIdentity"]["invokedBy"] = json!("cloudformation.amazonaws.com");
        event
    });
    let lines = found(&engine, &Trail::of(samples)).await;
    let [line] = &lines[..] else {
        panic!("not one finding: {lines:?}")
    };
    assert_eq!(line["event_name"], "UpdateTable");
    assert_eq!(line["deployment"], true);
}

#[tokio::test]
async fn a_decryption_without_a_view_is_found_and_one_with_a_view_is_not() {
    let engine = Engine::with_accounts().await;
    let (shown_one, stolen) = (token(&engine).await, token(&engine).await);
    viewed(&engine, &shown_one, shown(), 1).await;
    let trail = Trail::of([
        decrypted(&shown_one.token, shown() + 1.seconds(), "a"),
        decrypted(&stolen.token, shown() + 1.seconds(), "b"),
    ]);
    let lines = found(&engine, &trail).await;
    let [line] = &lines[..] else {
        panic!("not one finding: {lines:?}")
    };
    assert_eq!(line["finding"], "unrecorded_decryption");
    assert_eq!(line["event_id"], "b");
    assert_eq!(line["resource"], watched_stack().secrets_key());
    assert_eq!(line["account_id"], acme().id.as_str());
    assert_eq!(line["token_id"], stolen.token.id.as_str());
}

#[tokio::test]
async fn a_decryption_beside_a_recorded_one_is_found_on_whatever_page_it_is() {
    let engine = Engine::with_accounts().await;
    let stored = token(&engine).await;
    let events = (0..5).map(|number| {
        let at = shown() - (number * 60).seconds();
        decrypted(&stored.token, at, &format!("legitimate-{number}"))
    });
    let mut events: Vec<_> = events.collect();
    for number in 0..5 {
        let at = shown() - (i64::from(number) * 60).seconds();
        viewed(&engine, &stored, at, number).await;
    }
    assert!(found(&engine, &Trail::of(events.clone())).await.is_empty());
    events.push(decrypted(&stored.token, shown(), "stolen"));
    let lines = found(&engine, &Trail::of(events)).await;
    assert_eq!(lines.len(), 1, "{lines:?}");
}

#[tokio::test]
async fn a_record_of_another_token_or_of_something_else_is_no_view() {
    let engine = Engine::with_accounts().await;
    let (stored, other) = (token(&engine).await, token(&engine).await);
    viewed(&engine, &other, shown(), 1).await;
    // The record of the token's own creation is at the same time.
    let created = engine.add(token_at(shown())).await;
    let trail = Trail::of([
        decrypted(&stored.token, shown(), "a"),
        decrypted(&created.token, shown(), "b"),
    ]);
    assert_eq!(found(&engine, &trail).await.len(), 2);
}

#[tokio::test]
async fn a_decryption_that_names_no_token_is_found() {
    let engine = Engine::with_accounts().await;
    let mut event = trail_sample("decrypt");
    event["requestParameters"]["encryptionContext"] = json!({"other": "context"});
    let lines = found(&engine, &Trail::of([event])).await;
    assert_eq!(lines.len(), 1);
    assert_eq!(lines[0]["token_id"], Value::Null);
}

#[tokio::test]
async fn what_cannot_be_read_holds_nothing_up_and_fails_the_run() {
    let engine = Engine::with_accounts().await;
    let trail = Trail {
        broken: Some("PutKeyPolicy"),
        ..Trail::of([trail_sample("update-table")])
    };
    let (lines, done) = run(&engine, &trail, Timestamp::MAX).await;
    assert_eq!(lines.len(), 1);
    let told = done.unwrap_err().to_string();
    let left =
        "PutKeyPolicy from 2026-11-23T06:55:00Z to 2026-11-23T09:55:00Z: unavailable: throttled";
    assert!(told.contains(left), "{told}");
}

#[tokio::test]
async fn a_run_without_time_says_what_is_left_and_the_next_one_finds_it() {
    let engine = Engine::with_accounts().await;
    let trail = Trail::of([trail_sample("put-key-policy")]);
    let (lines, done) = run(&engine, &trail, now()).await;
    assert!(lines.is_empty());
    assert!(done.unwrap_err().to_string().contains("Decrypt from "));
    assert!(trail.read.lock().unwrap().is_empty());
    assert_eq!(found(&engine, &trail).await.len(), 1);
}

#[tokio::test]
async fn a_secret_in_an_intruders_session_name_is_not_logged() {
    let engine = Engine::with_accounts().await;
    let secret = latchkey::testing::plain(&latchkey::testing::plain_secret());
    let mut event = trail_sample("put-key-policy");
    event["userIdentity"]["arn"] = json!(format!("arn:aws:sts::1:assumed-role/admin/{secret}"));
    let lines = found(&engine, &Trail::of([event])).await;
    let line = lines[0].to_string();
    assert!(!line.contains(&secret), "{line}");
    assert!(line.contains("assumed-role/admin/lka_[redacted]"), "{line}");
}
