use std::time::Duration;

use latchkey::domain::actor::Actor;
use latchkey::domain::audit::Source;
use latchkey::domain::auto_purge::AutoPurge;
use latchkey::domain::change::NewToken;
use latchkey::domain::token::{StoredToken, Token};
use latchkey::domain::verification::{SecretState, TOMBSTONE_LIFETIME};
use latchkey::ports::{GetSecret, InsertToken};
use latchkey::testing::{Engine, acme, audit, now, stored_token, token_at};
use serde_json::{Value, json};

use super::*;

fn sample() -> Value {
    let sample = include_str!("../../../events/record-purges/ttl-removal.json");
    serde_json::from_str(sample).unwrap()
}

/// Returns a stream record of a removal by the time to live. Its sequence number is `seq-` and the number.
fn removal(number: usize, image: &Value) -> Value {
    let mut record = sample()["Records"][0].take();
    record["dynamodb"]["Keys"] = json!({"pk": image["pk"], "sk": image["sk"]});
    record["dynamodb"]["OldImage"] = image.clone();
    record["dynamodb"]["SequenceNumber"] = json!(format!("seq-{number}"));
    record
}

/// Delivers records. Returns the sequence numbers from which the stream must continue.
async fn deliver(engine: &Engine, records: &[Value]) -> Vec<String> {
    let event = serde_json::from_value(json!({"Records": records})).unwrap();
    let response = handle(&engine.store, event).await;
    let failures = response.batch_item_failures.into_iter();
    failures
        .map(|failure| failure.item_identifier.unwrap())
        .collect()
}

/// Returns [`stored_token`], the sample's token, with an hour to live.
fn mortal() -> StoredToken {
    let stored = stored_token();
    StoredToken {
        token: Token {
            auto_purge: AutoPurge::OneHour,
            purge_at: Some(now() + Duration::from_hours(1)),
            ..stored.token
        },
        ..stored
    }
}

/// Creates an engine with the sample's token.
async fn with_mortal() -> Engine {
    let engine = Engine::with_accounts().await;
    let new = NewToken {
        stored: mortal(),
        audit: audit(Action::Create, &mortal().token, now(), 0),
        idempotency: None,
    };
    engine.store.insert_token(&new).await.unwrap();
    engine
}

/// Returns the audit records of purges, newest first.
async fn purges(engine: &Engine) -> Vec<AuditRecord> {
    let log = engine.audit(&acme().id).await.into_iter();
    log.filter(|record| record.action == Action::Purge)
        .collect()
}

/// Removes what the table's time to live removes that long after now. Returns the stream's records of it.
async fn sweep(engine: &Engine, after: Duration) -> Vec<Value> {
    let before = engine.token_images().await;
    let removed = engine.sweep(now() + after);
    let left = engine.token_images().await;
    let gone = before.iter().filter(|image| !left.contains(image));
    let records: Vec<_> = gone
        .enumerate()
        .map(|(number, image)| removal(number, image))
        .collect();
    assert_eq!(records.len(), removed);
    records
}

#[tokio::test]
async fn the_sample_is_what_the_store_writes() {
    let engine = with_mortal().await;
    let images = engine.token_images().await;
    let image = images.iter().find(|image| {
        let sk = image["sk"]["S"].as_str().unwrap();
        sk.starts_with("TOKEN#")
    });
    assert_eq!(image, sample()["Records"][0]["dynamodb"].get("OldImage"));
}

#[tokio::test]
async fn a_removal_by_the_time_to_live_is_on_record_as_the_tokens_purge() {
    let engine = with_mortal().await;
    let failures = deliver(&engine, &[sample()["Records"][0].take()]).await;
    assert_eq!(failures, [""; 0]);
    let [record] = &purges(&engine).await[..] else {
        panic!("not one purge")
    };
    let token = mortal().token;
    // The token ended then, even if the table removed it later.
    let purged_at = now() + Duration::from_hours(1);
    assert_eq!(record.time, purged_at);
    assert_eq!(record.account_id, token.account_id);
    assert_eq!(record.token_id, token.id);
    assert_eq!(record.token_name, token.name);
    assert_eq!(record.token_hint, token.hint);
    assert_eq!(record.origin.source, Source::System);
    assert_eq!(record.origin.actor, Actor::system());
    assert_eq!(record.origin.ip, None);
    assert_eq!(record.origin.user_agent, None);
    assert_eq!(record.origin.request_id, "5a0d5f0c4c0f4d8e9b1c2f7a6d3e8b90");
    let end = Some("2026-11-23T11:00:00.000Z".to_owned());
    assert_eq!(record.changes, [Change::new("purgeAt", end, None)]);
    // The record sorts by the time of the purge, after the creation.
    assert_eq!(engine.audit(&acme().id).await[0], *record);
}

#[tokio::test]
async fn what_the_table_sweeps_is_one_purge_per_token() {
    let engine = with_mortal().await;
    let other = Token {
        auto_purge: AutoPurge::FourHours,
        purge_at: Some(now() + Duration::from_hours(4)),
        ..token_at(now())
    };
    let other = engine.add(other).await.token;
    let revoked = Token {
        purge_at: Some(now() + Duration::from_hours(1)),
        ..token_at(now())
    };
    let revoked = engine.add(revoked).await;
    let revoked = engine.revoke(revoked).await.token;
    engine.add(token_at(now())).await;
    let too_early = sweep(&engine, Duration::from_mins(59)).await;
    assert!(too_early.is_empty());

    // Each token's secret is remembered after the token's end.
    let removals = sweep(&engine, Duration::from_mins(61)).await;
    assert_eq!(removals.len(), 2);
    assert_eq!(deliver(&engine, &removals).await, [""; 0]);
    let mut purged: Vec<_> = purges(&engine)
        .await
        .into_iter()
        .map(|record| record.token_id)
        .collect();
    purged.sort();
    let mut expected = [mortal().token.id, revoked.id];
    expected.sort();
    assert_eq!(purged, expected);

    let removals = sweep(&engine, Duration::from_mins(241)).await;
    assert_eq!(deliver(&engine, &removals).await, [""; 0]);
    let log = purges(&engine).await;
    assert_eq!((log.len(), &log[0].token_id), (3, &other.id));
}

#[tokio::test]
async fn a_purged_tokens_secret_is_known_for_as_long_as_records_are_kept() {
    let engine = with_mortal().await;
    let hash = mortal().secret_hash;
    let purge = now() + Duration::from_hours(1);
    engine.sweep(purge + TOMBSTONE_LIFETIME - Duration::from_secs(1));
    assert_eq!(engine.stored(&acme().id, &mortal().token.id).await, None);
    let known = engine.store.get_secret(&hash).await.unwrap().unwrap();
    assert_eq!(known.token_id, mortal().token.id);
    assert_eq!(known.state_at(purge), SecretState::Ended);
    engine.sweep(purge + TOMBSTONE_LIFETIME + Duration::from_secs(1));
    assert_eq!(engine.store.get_secret(&hash).await.unwrap(), None);
}

#[tokio::test]
async fn a_record_that_comes_again_is_still_one_purge() {
    let engine = with_mortal().await;
    let record = sample()["Records"][0].take();
    let mut again = record.clone();
    // A repeated delivery may have another id.
    again["eventID"] = json!("another");
    for records in [
        vec![record.clone(), record.clone()],
        vec![record],
        vec![again],
    ] {
        assert_eq!(deliver(&engine, &records).await, [""; 0]);
    }
    assert_eq!(purges(&engine).await.len(), 1);
}

#[tokio::test]
async fn what_is_no_removal_by_the_time_to_live_is_no_purge() {
    let engine = with_mortal().await;
    let before = engine.dump().await;
    let changed = |path: &[&str], value: Value| {
        let mut record = sample()["Records"][0].take();
        let target = path.iter().fold(&mut record, |at, name| &mut at[*name]);
        *target = value;
        record
    };
    let records = [
        // A function deleted the token, at a user's request.
        changed(&["userIdentity"], Value::Null),
        changed(&["userIdentity", "principalId"], json!("AIDAEXAMPLE")),
        changed(&["eventName"], json!("MODIFY")),
        changed(&["eventName"], json!("INSERT")),
    ];
    assert_eq!(deliver(&engine, &records).await, [""; 0]);
    assert_eq!(engine.dump().await, before);
}

#[tokio::test]
async fn items_of_other_kinds_are_no_purge() {
    let engine = with_mortal().await;
    let before = engine.dump().await;
    let images = engine.token_images().await;
    let others: Vec<_> = images
        .iter()
        .filter(|image| !image["sk"]["S"].as_str().unwrap().starts_with("TOKEN#"))
        .enumerate()
        .map(|(number, image)| removal(number, image))
        .collect();
    // A profile, a membership, resources, a secret.
    assert!(others.len() > 10);
    let idempotency = json!({
        "pk": {"S": "ACCOUNT#acme"},
        "sk": {"S": "IDEMPOTENCY#k1"},
        "expiresAt": {"N": "1795431600"},
    });
    assert_eq!(deliver(&engine, &others).await, [""; 0]);
    assert_eq!(deliver(&engine, &[removal(0, &idempotency)]).await, [""; 0]);
    assert_eq!(engine.dump().await, before);
}

#[tokio::test]
async fn a_token_that_does_not_parse_is_reported_and_what_follows_waits_for_it() {
    let engine = with_mortal().await;
    let good = sample()["Records"][0]["dynamodb"]["OldImage"].take();
    let mut other = good.clone();
    other["id"] = json!({"S": token_at(now()).id});
    let mut broken = good.clone();
    broken["autoPurge"] = json!({"S": "2h"});
    let mut endless = good.clone();
    endless.as_object_mut().unwrap().remove("purgeAt");
    for bad in [&broken, &endless] {
        let records = [removal(0, &good), removal(1, bad), removal(2, &other)];
        assert_eq!(deliver(&engine, &records).await, ["seq-1"]);
        assert_eq!(purges(&engine).await.len(), 1);
    }
    assert_eq!(deliver(&engine, &[removal(2, &other)]).await, [""; 0]);
    assert_eq!(purges(&engine).await.len(), 2);
}

#[tokio::test]
async fn a_purge_that_can_not_be_recorded_is_told_again() {
    let engine = with_mortal().await;
    engine.break_audit().await;
    let records = [removal(7, &sample()["Records"][0]["dynamodb"]["OldImage"])];
    assert_eq!(deliver(&engine, &records).await, ["seq-7"]);
}
