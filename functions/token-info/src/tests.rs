use std::time::Duration;

use latchkey::domain::action::Action;
use latchkey::domain::actor::Actor;
use latchkey::domain::audit::AuditRecord;
use latchkey::domain::auto_purge::AutoPurge;
use latchkey::domain::change::{NewToken, TokenChange};
use latchkey::domain::secret::PlainSecret;
use latchkey::domain::token::{NewSecret, StoredToken, Token};
use latchkey::ports::{ChangeToken, InsertToken};
use latchkey::testing::{
    Answer, Engine, Event, FixedClock, FixedEntropy, Logs, NoEntropy, acme, audit, now,
    owner_actor, plain, stored_token, system_at, token,
};
use serde_json::{Value, json};

use super::*;

/// The secret of [`stored_token`].
const SECRET: &str = "lka_9zuQWWzsuUItctynUYyncDlKI5ZTuPizoWXgXaviRS63nAJ1Y";

async fn call(engine: &Engine, event: &Event) -> Answer {
    call_on(engine, &system_at(now()), event).await
}

async fn call_on(engine: &Engine, system: &(impl Clock + Entropy), event: &Event) -> Answer {
    let answer = Answer::of(handle(&engine.store, system, event.request()).await);
    // The answer has neither the secret, nor its hash or ciphertext.
    assert!(!answer.text.contains(SECRET.get(4..47).unwrap()));
    assert!(!answer.text.contains(&stored_token().secret_hash.to_hex()));
    assert!(!answer.text.to_lowercase().contains("cipher"));
    answer
}

fn sample() -> Event {
    Event::sample(include_str!("../../../events/token-info/info.json"))
}

fn info() -> Event {
    sample().header("authorization", &format!("Bearer {SECRET}"))
}

/// Creates an engine with a token whose secret is [`SECRET`].
async fn engine_with(token: Token) -> Engine {
    let engine = Engine::with_accounts().await;
    let stored = StoredToken {
        token: Token {
            hint: stored_token().token.hint,
            ..token
        },
        ..stored_token()
    };
    let new = NewToken {
        audit: audit(Action::Create, &stored.token, stored.token.created_at, 0),
        stored,
        idempotency: None,
    };
    engine.store.insert_token(&new).await.unwrap();
    engine
}

async fn stored(engine: &Engine) -> StoredToken {
    engine.stored(&acme().id, &token().id).await.unwrap()
}

/// Returns the reasons in the audit records of refusals.
async fn refusals(engine: &Engine) -> Vec<String> {
    let log = engine.audit(&acme().id).await.into_iter();
    log.filter(|record| record.action == Action::Refused)
        .map(|record| {
            assert_eq!(record.token_id, token().id);
            let reason = record.changes.into_iter().find(|c| c.field == "reason");
            reason.unwrap().new.unwrap()
        })
        .collect()
}

/// Returns [`token`] as it was a minute ago.
fn aged() -> Token {
    let earlier = now() - Duration::from_mins(1);
    Token {
        created_at: earlier,
        updated_at: earlier,
        ..token()
    }
}

/// Checks that the call is refused. The answer doesn't depend on the reason.
fn refused(answer: &Answer) {
    assert_eq!(answer.outcome(), (401, "invalid_token"));
    assert!(answer.header("www-authenticate").starts_with("Bearer"));
}

#[tokio::test]
async fn the_holder_learns_who_the_token_is_what_it_may_do_and_when_it_ends() {
    let engine = engine_with(Token {
        auto_purge: AutoPurge::OneHour,
        purge_at: Some(now() + Duration::from_hours(1)),
        allowed_cidrs: vec!["192.0.2.0/24".parse().unwrap()],
        ..token()
    })
    .await;
    let answer = call(&engine, &info()).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!(
        answer.json,
        json!({
            "accountId": "acme",
            "id": token().id,
            "name": "Warehouse sync",
            "kind": "account",
            "integrationId": null,
            "scope": {
                "type": "custom",
                "connections": [],
                "exports": ["exp_orders"],
                "imports": [],
                "apis": [],
            },
            "allowedCidrs": ["192.0.2.0/24"],
            "purgeAt": "2026-11-23T11:00:00.000Z",
            "secretValidUntil": null,
        })
    );
}

#[tokio::test]
async fn an_integration_app_token_learns_its_app() {
    let engine = engine_with(Token {
        kind: Kind::IntegrationApp,
        integration_id: Some("app1".parse().unwrap()),
        scope: Scope::Full,
        ..token()
    })
    .await;
    let answer = call(&engine, &info()).await;
    assert_eq!(answer.json["kind"], "integrationApp");
    assert_eq!(answer.json["integrationId"], "app1");
    assert_eq!(answer.json["scope"], json!({"type": "full"}));
    assert_eq!(answer.json["purgeAt"], Value::Null);
}

#[tokio::test]
async fn asking_is_a_use_and_recorded_as_one() {
    let engine = engine_with(aged()).await;
    assert_eq!(call(&engine, &info()).await.status, 200);
    let used = stored(&engine).await.token.last_use.unwrap();
    assert_eq!((used.at, used.ip), (now(), [192, 0, 2, 1].into()));
    let log = engine.audit(&acme().id).await;
    assert_eq!(log.len(), 2);
    let record = &log[0];
    assert_eq!(record.action, Action::Access);
    assert_eq!(
        record.origin.actor,
        Actor::token(&token().id, "Warehouse sync")
    );
    assert_eq!(record.origin.ip, Some([192, 0, 2, 1].into()));
    assert_eq!(record.origin.user_agent.as_deref(), Some("curl/8.5.0"));
    assert_eq!(record.origin.request_id, "JKJaXmPLvHcESHA=");
    // The day's next use from this address isn't recorded.
    let before = engine.dump().await;
    assert_eq!(call(&engine, &info()).await.status, 200);
    assert_eq!(engine.dump().await, before);
}

#[tokio::test]
async fn no_answer_without_the_record_of_the_use() {
    let engine = engine_with(token()).await;
    let broken = (FixedClock(now()), NoEntropy);
    let answer = call_on(&engine, &broken, &info()).await;
    assert_eq!(answer.outcome(), (500, "internal_error"));
    engine.break_audit().await;
    let answer = call(&engine, &info()).await;
    assert_eq!(answer.outcome(), (500, "internal_error"));
    assert_eq!(stored(&engine).await.token.last_use, None);
}

#[tokio::test]
async fn who_presents_no_good_secret_is_refused() {
    let engine = engine_with(token()).await;
    let before = engine.dump().await;
    let with = |value: &str| sample().header("authorization", value);
    for event in [
        // These secrets are malformed or unknown.
        sample(),
        with("Bearer lki_9zuQWWzsuUItctynUYyncDlKI5ZTuPizoWXgXaviRS63nAJ1Y"),
        with("Bearer nonsense"),
        with("Bearer "),
        with(&format!("Bearer {SECRET}x")),
        with(&format!("Bearer {SECRET} {SECRET}")),
    ] {
        refused(&call(&engine, &event).await);
    }
    // Without credentials, or with those of another scheme, the answer has no error code (RFC 6750, 3.1).
    for event in [
        with("Bearer"),
        with(""),
        with(SECRET),
        with(&format!("Basic {SECRET}")),
        sample().without_header("authorization"),
    ] {
        let answer = call(&engine, &event).await;
        assert_eq!(answer.outcome(), (401, "token_required"));
        assert_eq!(answer.header("www-authenticate"), "Bearer");
        assert!(answer.json["error"].is_null());
    }
    assert_eq!(engine.dump().await, before);
    let lower_case = with(&format!("bearer {SECRET}"));
    assert_eq!(call(&engine, &lower_case).await.status, 200);
}

#[tokio::test]
async fn a_revoked_token_is_refused() {
    let engine = engine_with(token()).await;
    engine.revoke(stored(&engine).await).await;
    refused(&call(&engine, &info()).await);
    assert_eq!(refusals(&engine).await, ["revoked"]);
    // The day's next refusal isn't recorded.
    let before = engine.dump().await;
    refused(&call(&engine, &info()).await);
    assert_eq!(engine.dump().await, before);
    assert_eq!(stored(&engine).await.token.last_use, None);
}

#[tokio::test]
async fn a_refusal_stays_one_when_it_cannot_be_recorded() {
    let engine = engine_with(token()).await;
    engine.revoke(stored(&engine).await).await;
    engine.break_audit().await;
    refused(&call(&engine, &info()).await);
}

#[tokio::test]
async fn a_token_is_refused_from_the_instant_of_its_purge() {
    let purge_at = now() + Duration::from_hours(1);
    let engine = engine_with(Token {
        auto_purge: AutoPurge::OneHour,
        purge_at: Some(purge_at),
        ..token()
    })
    .await;
    let just_before = system_at(purge_at - Duration::from_nanos(1));
    let answer = call_on(&engine, &just_before, &info()).await;
    assert_eq!(answer.status, 200);
    refused(&call_on(&engine, &system_at(purge_at), &info()).await);
}

#[tokio::test]
async fn a_call_from_elsewhere_is_refused() {
    let engine = engine_with(Token {
        allowed_cidrs: vec!["198.51.100.0/24".parse().unwrap()],
        ..token()
    })
    .await;
    refused(&call(&engine, &info()).await);
    assert_eq!(refusals(&engine).await, ["address"]);
    let before = engine.dump().await;
    // The address that the caller claims doesn't count.
    let pretended = info().header("x-forwarded-for", "198.51.100.1");
    refused(&call(&engine, &pretended).await);
    assert_eq!(engine.dump().await, before);
}

#[tokio::test]
async fn every_decision_has_a_line_in_the_log() {
    let engine = engine_with(token()).await;
    let unknown = PlainSecret::generate(Kind::Account, &FixedEntropy([9; 32]));
    let unknown = format!("Bearer {}", plain(&unknown.unwrap()));
    let logs = Logs::start();
    for (event, expected) in [
        (info(), ["allowed", "tokenInfo", "", "current"]),
        (
            sample().header("authorization", &unknown),
            ["unknown", "tokenInfo", "", ""],
        ),
        (sample(), ["malformed", "tokenInfo", "", ""]),
    ] {
        call(&engine, &event).await;
        let lines = logs.take_decisions();
        assert_eq!(lines, [expected]);
    }
    // No secret was sent.
    call(&engine, &sample().without_header("authorization")).await;
    assert!(logs.take().is_empty());
    engine.revoke(stored(&engine).await).await;
    call(&engine, &info()).await;
    let revoked = ["revoked", "tokenInfo", "", "current"];
    assert_eq!(logs.take_decisions(), [revoked]);
}

#[tokio::test]
async fn every_refusal_reads_the_same() {
    let engine = engine_with(token()).await;
    let unknown = call(&engine, &sample()).await;
    engine.revoke(stored(&engine).await).await;
    let revoked = call(&engine, &info()).await;
    assert_eq!(unknown.text, revoked.text);
}

#[tokio::test]
async fn a_replaced_secret_learns_when_it_ends() {
    let engine = engine_with(aged()).await;
    let before = stored(&engine).await;
    let plain = PlainSecret::generate(Kind::Account, &FixedEntropy([7; 32]));
    let plain = plain.unwrap();
    let new = NewSecret {
        hash: plain.hash(),
        hint: plain.hint(),
        ciphertext: before.ciphertext.clone(),
    };
    let grace = jiff::SignedDuration::from_hours(1);
    let after = before.regenerate(new, grace, owner_actor(), now());
    let record: AuditRecord = audit(Action::Regenerate, &after.token, now(), 1);
    let change = TokenChange {
        before,
        after,
        compromised: None,
        audit: record,
        idempotency: None,
    };
    engine.store.change_token(&change).await.unwrap();
    let answer = call(&engine, &info()).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.json["secretValidUntil"], "2026-11-23T11:00:00.000Z");
    let end = now() + Duration::from_hours(1);
    refused(&call_on(&engine, &system_at(end), &info()).await);
}
