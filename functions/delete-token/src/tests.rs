use std::time::Duration;

use latchkey::domain::change::TokenChange;
use latchkey::domain::token::{Ended, PreviousSecret, StoredToken};
use latchkey::domain::verification::SecretState;
use latchkey::ports::{ChangeToken, GetSecret};
use latchkey::testing::{
    Answer, Engine, Event, FixedClock, NoEntropy, acme, now, origin, owner_actor, plain_secret,
    system_at, token, token_at,
};
use serde_json::json;

use super::*;

async fn call(engine: &Engine, event: &Event) -> Answer {
    call_on(engine, &system_at(now()), event).await
}

async fn call_on(engine: &Engine, system: &(impl Clock + Entropy), event: &Event) -> Answer {
    let console = ConsoleClient::new("console");
    Answer::of(handle(&engine.store, system, &console, event.request()).await)
}

fn delete() -> Event {
    Event::sample(include_str!("../../../events/delete-token/delete.json"))
}

async fn with_revoked() -> (Engine, StoredToken) {
    let engine = Engine::with_accounts().await;
    let added = engine.add(token()).await;
    let revoked = engine.revoke(added).await;
    (engine, revoked)
}

#[tokio::test]
async fn an_active_token_is_revoked_before_it_is_deleted() {
    let engine = Engine::with_accounts().await;
    let added = engine.add(token()).await;
    let before = engine.dump().await;
    let answer = call(&engine, &delete()).await;
    assert_eq!(answer.outcome(), (409, "token_active"));
    assert_eq!(engine.dump().await, before);
    engine.revoke(added).await;
    assert_eq!(call(&engine, &delete()).await.status, 204);
}

#[tokio::test]
async fn a_deleted_token_is_gone_and_its_records_stay() {
    let (engine, revoked) = with_revoked().await;
    let other = engine.add(token_at(now())).await;
    let answer = call(&engine, &delete().through_page()).await;
    assert_eq!((answer.status, answer.text.as_str()), (204, ""));
    let id = &revoked.token.id;
    assert_eq!(engine.stored(&acme().id, id).await, None);
    // A later report of the secret still finds its token. The secret can't be shown any more.
    let secret = engine.store.get_secret(&revoked.secret_hash).await;
    let tombstone = secret.unwrap().unwrap();
    assert_eq!(tombstone.state, SecretState::Ended);
    assert_eq!(tombstone.token_id, *id);
    let (at, by) = (now(), Action::Delete);
    assert_eq!(tombstone.ended, Some(Ended { at, by }));
    let ciphertext = String::from_utf8_lossy(&revoked.ciphertext.0);
    assert!(!engine.dump().await.contains(&*ciphertext));
    // Other tokens are unchanged.
    let secret = engine.store.get_secret(&other.secret_hash).await;
    assert!(secret.unwrap().is_some());
    assert_eq!(engine.count_tokens(&acme().id).await, 1);

    let log = engine.audit(&acme().id).await;
    let of_it: Vec<_> = log.iter().filter(|record| record.token_id == *id).collect();
    let mut actions: Vec<_> = of_it.iter().map(|record| record.action.as_str()).collect();
    actions.sort_unstable();
    assert_eq!(actions, ["create", "delete", "revoke"]);
    let record = of_it.iter().find(|record| record.action == Action::Delete);
    let record = record.unwrap();
    assert_eq!(record.time, now());
    assert_eq!(record.token_name, "Warehouse sync");
    assert_eq!(record.token_hint, revoked.token.hint);
    assert_eq!(record.origin.actor, owner_actor());
    assert_eq!(json!(record.origin.source), "ui");
    assert_eq!(record.changes, []);
}

#[tokio::test]
async fn a_secret_in_its_grace_period_is_deleted_too() {
    let engine = Engine::with_accounts().await;
    let before = engine.add(token()).await;
    let end = now() + Duration::from_hours(1);
    let mut token = before.token.revoke(owner_actor(), now(), None).unwrap();
    token.previous_secret = Some(PreviousSecret {
        hint: before.token.hint.clone(),
        valid_until: end,
    });
    let audit = AuditRecord::new(
        Action::Revoke,
        &token,
        vec![],
        origin(),
        now(),
        &system_at(now()),
    );
    let change = TokenChange {
        after: StoredToken {
            secret_hash: plain_secret().hash(),
            previous_hash: Some(before.secret_hash),
            ..before.with(token, now())
        },
        before,
        compromised: None,
        audit: audit.unwrap(),
        idempotency: None,
    };
    engine.store.change_token(&change).await.unwrap();
    let hashes: Vec<_> = change.after.secret_hashes().collect();
    assert_eq!(hashes.len(), 2);
    for hash in &hashes {
        let secret = engine.store.get_secret(hash).await.unwrap();
        assert!(secret.is_some());
    }
    assert_eq!(call(&engine, &delete()).await.status, 204);
    for hash in hashes {
        let secret = engine.store.get_secret(&hash).await.unwrap().unwrap();
        assert_eq!(secret.state, SecretState::Ended);
    }
}

#[tokio::test]
async fn deleting_again_finds_nothing_and_records_nothing() {
    let (engine, _) = with_revoked().await;
    assert_eq!(call(&engine, &delete()).await.status, 204);
    let before = engine.dump().await;
    let again = call(&engine, &delete()).await;
    assert_eq!(again.outcome(), (404, "token_not_found"));
    assert_eq!(engine.dump().await, before);
}

#[tokio::test]
async fn deletions_at_the_same_time_are_one() {
    let (engine, _) = with_revoked().await;
    let event = delete();
    let (one, other) = tokio::join!(call(&engine, &event), call(&engine, &event));
    assert_eq!(one.status.min(other.status), 204);
    assert!(matches!(one.status.max(other.status), 404 | 409));
    let log = engine.audit(&acme().id).await;
    let deletions = log.iter().filter(|record| record.action == Action::Delete);
    assert_eq!(deletions.count(), 1);
}

#[tokio::test]
async fn nothing_is_deleted_without_its_audit_record() {
    let (engine, revoked) = with_revoked().await;
    let before = engine.dump().await;
    let broken = (FixedClock(now()), NoEntropy);
    let answer = call_on(&engine, &broken, &delete()).await;
    assert_eq!(answer.outcome(), (500, "internal_error"));
    assert_eq!(engine.dump().await, before);
    engine.break_audit().await;
    let answer = call(&engine, &delete()).await;
    assert_eq!(answer.outcome(), (500, "internal_error"));
    let stored = engine.stored(&acme().id, &revoked.token.id).await;
    assert_eq!(stored, Some(revoked));
}

#[tokio::test]
async fn if_match_names_the_version_to_be_deleted() {
    let (engine, _) = with_revoked().await;
    let answer = async |event: Event| call(&engine, &event).await;
    engine.refuses(delete().for_other_versions(2), answer).await;
    let answer = call(&engine, &delete().header("if-match", "\"2\"")).await;
    assert_eq!(answer.status, 204);
}

#[tokio::test]
async fn a_deletion_takes_no_fields() {
    let (engine, _) = with_revoked().await;
    let json = delete().header("content-type", "application/json");
    let answer = call(&engine, &json.clone().body(&json!({"reason": "x"}))).await;
    assert_eq!(answer.failures(), [("reason", "unknown_field")]);
    assert_eq!(call(&engine, &json.body(&json!({}))).await.status, 204);
}

#[tokio::test]
async fn a_token_that_the_account_has_not_is_not_found() {
    let engine = Engine::with_accounts().await;
    let events = engine.out_of_reach(&delete(), true).await;
    let answer = async |event: Event| call(&engine, &event).await;
    engine.refuses(events, answer).await;
}

#[tokio::test]
async fn nobody_but_owner_and_administrator_deletes() {
    let (engine, _) = with_revoked().await;
    let answer = async |event: Event| call(&engine, &event).await;
    engine.refuses(delete().by_the_unauthorized(), answer).await;
    assert_eq!(call(&engine, &delete().by("admin-1")).await.status, 204);
}
