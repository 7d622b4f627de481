//! How late an event may come by the template, against how long the marks are kept that recognize it then.

use std::collections::BTreeMap;

use contract::{Template, text};
use jiff::SignedDuration;
use latchkey::domain::event_time::EventTime;
use latchkey::domain::resource::{ResourceRef, ResourceType};
use latchkey::domain::trail::remembered_until;
use latchkey::ports::{ClaimMail, NoteFinding, ProjectPlatform};
use latchkey::testing::{Engine, acme, now};
use serde_json::Value;

fn seconds(value: &Value) -> SignedDuration {
    SignedDuration::from_secs(value.as_i64().unwrap_or_else(|| panic!("{value}")))
}

fn days(count: i64) -> SignedDuration {
    SignedDuration::from_hours(24 * count)
}

/// The longest way of an event to each function with dead letters: EventBridge's tries, Lambda's, and the queue's time.
fn ways(template: &Template) -> BTreeMap<String, SignedDuration> {
    let mut ways = BTreeMap::new();
    for (id, config) in template.of_type("AWS::Lambda::EventInvokeConfig") {
        let function = config["FunctionName"]["Ref"].as_str().unwrap();
        let rules = template.of_type("AWS::Events::Rule");
        let targets = rules.flat_map(|(_, rule)| rule["Targets"].as_array().unwrap());
        let of_function = targets.filter(|target| template.called(&target["Arn"]) == function);
        let tried = of_function.map(|it| seconds(&it["RetryPolicy"]["MaximumEventAgeInSeconds"]));
        let tried = tried.max().unwrap_or_else(|| panic!("{id} has no rule"));
        let queue = text(&config["DestinationConfig"]["OnFailure"]["Destination"]);
        let mut queues = template.of_type("AWS::SQS::Queue");
        let (_, queue) = queues
            .find(|(id, _)| queue == format!("${{{id}.Arn}}"))
            .unwrap_or_else(|| panic!("{id}: {queue}"));
        let kept = seconds(&queue["MessageRetentionPeriod"]);
        let way = tried + seconds(&config["MaximumEventAgeInSeconds"]) + kept;
        ways.insert(function.to_owned(), way);
    }
    // A stream's batch lies in the bucket. S3 rounds its end up to midnight.
    let buckets = template.of_type("AWS::S3::Bucket");
    let rules = buckets.flat_map(|(_, it)| it["LifecycleConfiguration"]["Rules"].as_array());
    let lies = rules
        .flatten()
        .map(|rule| rule["ExpirationInDays"].as_i64());
    let lies = days(lies.max().flatten().unwrap() + 1);
    for (_, stream) in template.of_type("AWS::Lambda::EventSourceMapping") {
        let function = template.called(&stream["FunctionName"]);
        let way = seconds(&stream["MaximumRecordAgeInSeconds"]) + lies;
        ways.insert(function.to_owned(), way);
    }
    ways
}

#[tokio::test]
async fn every_mark_outlives_the_longest_way_of_what_it_recognizes() {
    let ways = ways(&Template::expanded());
    assert_eq!(ways.len(), 9, "{ways:?}");
    let longest = ways.values().max().copied().unwrap();
    assert!(longest > days(14), "{ways:?}");

    let engine = Engine::start().await;
    let (store, account) = (&engine.store, acme().id);
    // This event has itself come late.
    let late = EventTime::heard(now() - longest, now()).unwrap();
    assert!(store.delete_account(&account, late).await.unwrap());
    let name = ResourceRef {
        kind: ResourceType::Export,
        id: "exp_orders".parse().unwrap(),
    };
    store.delete_resource(&account, &name, late).await.unwrap();
    let app = "app1".parse().unwrap();
    store
        .delete_integration(&account, &app, late)
        .await
        .unwrap();
    let member = "owner-1".parse().unwrap();
    for record in ["aud_1", "aud_2"] {
        store.claim_mail(record, &member, now()).await.unwrap();
    }
    store.confirm_mail("aud_2", &member, now()).await.unwrap();
    let until = remembered_until(now());
    store.note_finding("event", until).await.unwrap();

    let marks = engine.token_images().await;
    assert_eq!(marks.len(), 6, "{marks:?}");
    for mark in marks {
        let end: i64 = mark["expiresAt"]["N"].as_str().unwrap().parse().unwrap();
        let kept = SignedDuration::from_secs(end - now().as_second());
        assert!(kept >= longest, "{mark} is kept for {kept}, of {ways:?}");
    }
}
