use jiff::{SignedDuration, Timestamp};
use latchkey::mail::Console;
use latchkey::testing::{Engine, FixedClock, Post, brand, now};
use serde_json::{Value, json};

use super::*;

const OWNER: &str = "owner@acme.example";
const ADMIN: &str = "admin@acme.example";

fn bounce() -> Value {
    serde_json::from_str(include_str!(
        "../../../events/record-mail-feedback/bounce.json"
    ))
    .unwrap()
}

fn complaint() -> Value {
    serde_json::from_str(include_str!(
        "../../../events/record-mail-feedback/complaint.json"
    ))
    .unwrap()
}

/// Returns the event for a mail to another address.
fn to(mut event: Value, address: &str) -> Value {
    event["detail"]["mail"]["destination"] = json!([address]);
    event
}

fn second(second: i64) -> Timestamp {
    now() + SignedDuration::from_secs(second)
}

async fn tell(engine: &Engine, post: &Post, at: i64, event: Value) -> Result<(), PortError> {
    let notifier = Notifier::new(
        post.clone(),
        Console::new("https://tokens.example"),
        brand(),
    );
    let event = serde_json::from_value(event).unwrap();
    handle(&engine.store, &notifier, &FixedClock(second(at)), event).await
}

#[test]
fn a_line_of_the_log_names_an_events_account_and_id() {
    for event in [bounce(), complaint()] {
        let subject = serde_json::from_value::<Feedback>(event.clone());
        let subject = subject.unwrap().subject();
        assert_eq!(subject.request_id.as_deref(), event["id"].as_str());
        assert!(subject.request_id.is_some());
        let account = &event["detail"]["mail"]["tags"]["account"][0];
        assert_eq!(account, subject.account_id.unwrap().as_str());
    }
}

async fn is_marked(engine: &Engine, address: &str) -> bool {
    let mark = engine.store.get_suppression(address).await;
    mark.unwrap().is_some()
}

#[tokio::test]
async fn a_bounce_and_a_complaint_mark_the_address_and_the_others_are_told() {
    for event in [bounce(), complaint()] {
        let engine = Engine::with_accounts().await;
        let post = Post::default();
        tell(&engine, &post, 0, event).await.unwrap();
        assert!(is_marked(&engine, ADMIN).await);
        assert!(is_marked(&engine, "Admin@ACME.example").await);
        assert!(!is_marked(&engine, OWNER).await);
        let mails = post.take();
        assert_eq!(mails.len(), 1);
        assert_eq!(mails[0].to, OWNER);
        assert!(mails[0].text.contains(ADMIN) && mails[0].text.contains("Ada Admin"));
        assert!(!engine.dump().await.contains(&format!("ADDRESS#{ADMIN}")));
    }
}

#[test]
fn the_id_that_logs_have_is_no_secret() {
    let mut event = bounce();
    let id = |event: &Value| {
        let event: Feedback = serde_json::from_value(event.clone()).unwrap();
        event.message_id()
    };
    assert_eq!(event["detail"]["mail"]["messageId"], id(&event));
    let secret = "lka_9zuQWWzsuUItctynUYyncDlKI5ZTuPizoWXgXaviRS63nAJ1Y";
    event["detail"]["mail"]["messageId"] = json!(secret);
    assert_eq!(id(&event), "lka_[redacted]");
}

#[tokio::test]
async fn a_burst_of_bounces_is_told_once() {
    let engine = Engine::with_accounts().await;
    let post = Post::default();
    for at in 0..5 {
        tell(&engine, &post, at, bounce()).await.unwrap();
    }
    assert_eq!(post.recipients(), [OWNER]);
}

#[tokio::test]
async fn what_may_work_later_marks_nothing() {
    let engine = Engine::with_accounts().await;
    let post = Post::default();
    let before = engine.dump().await;
    let mut events = vec![];
    for kind in ["Transient", "Undetermined"] {
        let mut event = bounce();
        event["detail"]["bounce"]["bounceType"] = json!(kind);
        events.push(event);
    }
    let mut mistake = complaint();
    mistake["detail"]["complaint"]["complaintFeedbackType"] = json!("not-spam");
    let mut other = bounce();
    other["detail"]["bounce"] = Value::Null;
    other["detail"]["delivery"] = json!({});
    events.extend([mistake, other]);
    for event in events {
        tell(&engine, &post, 0, event).await.unwrap();
    }
    assert_eq!(engine.dump().await, before);
    assert_eq!(post.take(), []);
}

#[tokio::test]
async fn whoever_could_not_be_told_is_told_when_the_event_comes_again() {
    let engine = Engine::with_accounts().await;
    let post = Post::refusing(OWNER);
    assert!(tell(&engine, &post, 0, bounce()).await.is_err());
    assert!(is_marked(&engine, ADMIN).await);
    post.recover();
    tell(&engine, &post, 60, bounce()).await.unwrap();
    assert_eq!(post.recipients(), [OWNER]);
}

#[tokio::test]
async fn if_nobody_is_left_to_be_told_the_address_is_marked_nevertheless() {
    let engine = Engine::with_accounts().await;
    let post = Post::default();
    tell(&engine, &post, 0, bounce()).await.unwrap();
    post.take();
    tell(&engine, &post, 1, to(bounce(), OWNER)).await.unwrap();
    assert!(is_marked(&engine, OWNER).await);
    assert_eq!(post.take(), [], "the administrator's address is marked too");
    for account in [json!(null), json!(["initech"]), json!(["no#id"]), json!([])] {
        let mut event = to(bounce(), "new@acme.example");
        if account.is_null() {
            event["detail"]["mail"]["tags"] = json!({});
        } else {
            event["detail"]["mail"]["tags"]["account"] = account;
        }
        tell(&engine, &post, 2, event).await.unwrap();
        assert!(is_marked(&engine, "new@acme.example").await);
    }
    assert_eq!(post.take(), []);
}
