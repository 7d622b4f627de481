use std::time::Duration;

use jiff::SignedDuration;
use latchkey::domain::audit::{Change, Source};
use latchkey::domain::change::TokenChange;
use latchkey::domain::time::rfc3339;
use latchkey::domain::token::{Ciphertext, Ended, NewSecret, Status, StoredToken, Token};
use latchkey::domain::verification::SecretState;
use latchkey::ports::GetSecret;
use latchkey::testing::{
    Answer, Engine, Event, FixedClock, NoEntropy, acme, audit, now, owner_actor, plain,
    plain_secret, system_at, token, token_at,
};
use serde_json::{Value, json};

use super::*;

async fn call(engine: &Engine, event: &Event) -> Answer {
    call_on(engine, &system_at(now()), event).await
}

async fn call_on(engine: &Engine, system: &(impl Clock + Entropy), event: &Event) -> Answer {
    let console = ConsoleClient::new("console");
    Answer::of(handle(&engine.store, system, &console, event.request()).await)
}

fn revoke() -> Event {
    Event::sample(include_str!(
        "../../../events/revoke-token/with-reason.json"
    ))
}

/// Returns the status of a token, and of the item that a verification of its secret reads.
async fn statuses(engine: &Engine, stored: &StoredToken) -> (Status, Status) {
    let (account, id) = (&stored.token.account_id, &stored.token.id);
    let token = engine.stored(account, id).await.unwrap().token;
    let secret = engine.store.get_secret(&stored.secret_hash).await.unwrap();
    (token.status(), secret.unwrap().status)
}

const ACTIVE: (Status, Status) = (Status::Active, Status::Active);
const REVOKED: (Status, Status) = (Status::Revoked, Status::Revoked);

#[tokio::test]
async fn token_and_secret_are_revoked_together() {
    let engine = Engine::with_accounts().await;
    let stored = engine.add(token()).await;
    assert_eq!(statuses(&engine, &stored).await, ACTIVE);
    let answer = call(&engine, &revoke()).await;
    assert_eq!(answer.status, 200);
    assert_eq!(statuses(&engine, &stored).await, REVOKED);
    assert_eq!(answer.header("etag"), "\"2\"");
    let owner = json!(owner_actor());
    for (field, value) in [
        ("id", json!(stored.token.id)),
        ("status", json!("revoked")),
        ("version", json!(2)),
        ("revokedAt", json!(rfc3339(now()))),
        ("revokedBy", owner.clone()),
        ("revocationReason", json!("The warehouse moved")),
        ("updatedAt", json!(rfc3339(now()))),
        ("updatedBy", owner),
    ] {
        assert_eq!(answer.json[field], value, "{field}");
    }
    // The secret is kept: a reactivated token has it again.
    let kept = engine.stored(&acme().id, &stored.token.id).await.unwrap();
    assert_eq!(kept.secret_hash, stored.secret_hash);
    assert_eq!(kept.ciphertext, stored.ciphertext);
}

#[tokio::test]
async fn the_revocation_is_on_record_with_what_changed() {
    let engine = Engine::with_accounts().await;
    let earlier = now() - Duration::from_mins(1);
    let old = Token {
        created_at: earlier,
        updated_at: earlier,
        ..token()
    };
    engine.add(old).await;
    call(&engine, &revoke().through_page()).await;
    let log = engine.audit(&acme().id).await;
    assert_eq!(log.len(), 2);
    let record = &log[0];
    assert_eq!(record.action, Action::Revoke);
    assert_eq!(record.time, now());
    assert_eq!(record.token_id, token().id);
    assert_eq!(record.origin.source, Source::Ui);
    assert_eq!(record.origin.actor, owner_actor());
    assert_eq!(record.origin.ip, Some([192, 0, 2, 1].into()));
    assert_eq!(record.origin.request_id, "JKJaXmPLvHcESHA=");
    assert_eq!(
        record.changes,
        [
            Change::new("status", Some("active".into()), Some("revoked".into())),
            Change::new("revocationReason", None, Some("The warehouse moved".into())),
        ]
    );
}

#[tokio::test]
async fn a_reason_is_optional() {
    let engine = Engine::with_accounts().await;
    for event in [
        revoke().without_body(),
        revoke().without_body().without_header("content-type"),
        revoke().raw_body(""),
        revoke().body(&json!({})),
        revoke().body(&json!({"reason": null})),
        revoke().body(&json!({"reason": ""})),
    ] {
        let stored = engine.add(token_at(now())).await;
        let answer = call(&engine, &event.token(stored.token.id.as_str())).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        assert_eq!(answer.json["revocationReason"], Value::Null);
        assert_eq!(statuses(&engine, &stored).await, REVOKED);
    }
}

#[tokio::test]
async fn revoking_again_changes_and_records_nothing() {
    let engine = Engine::with_accounts().await;
    engine.add(token()).await;
    let first = call(&engine, &revoke()).await;
    let before = engine.dump().await;
    let other = revoke().by("admin-1").body(&json!({"reason": "other"}));
    let second = call(&engine, &other).await;
    assert_eq!(second.status, 200);
    assert_eq!(second.json, first.json);
    assert_eq!(second.header("etag"), "\"2\"");
    assert_eq!(engine.dump().await, before);
}

#[tokio::test]
async fn revocations_at_the_same_time_are_one() {
    let engine = Engine::with_accounts().await;
    let stored = engine.add(token()).await;
    let event = revoke();
    let (one, other) = tokio::join!(call(&engine, &event), call(&engine, &event));
    // The second request finds the token revoked.
    assert_eq!((one.status, other.status), (200, 200));
    assert_eq!(statuses(&engine, &stored).await, REVOKED);
    assert_eq!(engine.audit(&acme().id).await.len(), 2);
}

#[tokio::test]
async fn nothing_is_revoked_without_its_audit_record() {
    let engine = Engine::with_accounts().await;
    let stored = engine.add(token()).await;
    let broken = (FixedClock(now()), NoEntropy);
    let answer = call_on(&engine, &broken, &revoke()).await;
    assert_eq!(answer.outcome(), (500, "internal_error"));
    assert_eq!(statuses(&engine, &stored).await, ACTIVE);
    engine.break_audit().await;
    let before = engine.dump().await;
    let answer = call(&engine, &revoke()).await;
    assert_eq!(answer.outcome(), (500, "internal_error"));
    assert_eq!(statuses(&engine, &stored).await, ACTIVE);
    assert_eq!(engine.dump().await, before);
}

#[tokio::test]
async fn if_match_names_the_version_to_be_revoked() {
    let engine = Engine::with_accounts().await;
    engine.add(token()).await;
    let answer = async |event: Event| call(&engine, &event).await;
    engine.refuses(revoke().for_other_versions(1), answer).await;
    let answer = call(&engine, &revoke().header("if-match", "\"1\"")).await;
    assert_eq!(answer.status, 200);
}

#[tokio::test]
async fn a_body_that_is_not_understood_revokes_nothing() {
    let engine = Engine::with_accounts().await;
    let stored = engine.add(token()).await;
    for (body, failure) in [
        (json!({"reason": "x".repeat(1_025)}), ("reason", "too_long")),
        (json!({"reason": 1}), ("reason", "wrong_type")),
        (json!({"reason": "\u{0}"}), ("reason", "invalid_characters")),
        (
            json!({"reason": "a\u{2029}b"}),
            ("reason", "invalid_characters"),
        ),
        (
            json!({"reason": plain(&plain_secret())}),
            ("reason", "contains_secret"),
        ),
        (json!({"why": "x"}), ("why", "unknown_field")),
    ] {
        let answer = call(&engine, &revoke().body(&body)).await;
        assert_eq!(answer.failures(), [failure]);
        assert_eq!(answer.outcome(), (422, "validation_failed"));
    }
    for (event, outcome) in [
        (revoke().raw_body("[]"), (400, "malformed_json")),
        (
            revoke().header("content-type", "text/plain"),
            (415, "unsupported_media_type"),
        ),
    ] {
        assert_eq!(call(&engine, &event).await.outcome(), outcome);
    }
    assert_eq!(statuses(&engine, &stored).await, ACTIVE);
    let longest = revoke().body(&json!({"reason": "ä".repeat(1_024)}));
    assert_eq!(call(&engine, &longest).await.status, 200);
}

#[tokio::test]
async fn a_token_that_the_account_has_not_is_not_found() {
    let engine = Engine::with_accounts().await;
    let events = engine.out_of_reach(&revoke(), false).await;
    let answer = async |event: Event| call(&engine, &event).await;
    engine.refuses(events, answer).await;
}

#[tokio::test]
async fn nobody_but_owner_and_administrator_revokes() {
    let engine = Engine::with_accounts().await;
    engine.add(token()).await;
    let answer = async |event: Event| call(&engine, &event).await;
    engine.refuses(revoke().by_the_unauthorized(), answer).await;
    assert_eq!(call(&engine, &revoke().by("admin-1")).await.status, 200);
}

#[tokio::test]
async fn a_replaced_secret_ends_for_good_with_the_revocation() {
    let engine = Engine::with_accounts().await;
    let before = engine.add(token()).await;
    let old = before.secret_hash;
    let plain = plain_secret();
    let new = NewSecret {
        hash: plain.hash(),
        hint: plain.hint(),
        ciphertext: Ciphertext(b"sealed".to_vec()),
    };
    let hour = SignedDuration::from_hours(1);
    let after = before.regenerate(new, hour, owner_actor(), now());
    let change = TokenChange {
        audit: audit(Action::Regenerate, &after.token, now(), 7),
        before,
        after,
        compromised: None,
        idempotency: None,
    };
    engine.store.change_token(&change).await.unwrap();
    let retired = engine.store.get_secret(&old).await.unwrap().unwrap();
    assert_eq!(retired.state, SecretState::Retired);

    let answer = call(&engine, &revoke()).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.json["previousSecret"], Value::Null);
    // The token's state no longer matters for this secret.
    let ended = engine.store.get_secret(&old).await.unwrap().unwrap();
    assert_eq!(ended.state, SecretState::Ended);
    let (at, by) = (now(), Action::Revoke);
    assert_eq!(ended.ended, Some(Ended { at, by }));
    let current = engine.store.get_secret(&plain.hash()).await.unwrap();
    assert_eq!(current.unwrap().state, SecretState::Current);
    let log = engine.audit(&acme().id).await;
    let record = log.iter().find(|record| record.action == Action::Revoke);
    let fields: Vec<_> = record.unwrap().changes.iter().map(|c| &*c.field).collect();
    assert!(fields.contains(&"previousSecret.validUntil"), "{fields:?}");
}
