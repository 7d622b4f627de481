use std::collections::BTreeSet;
use std::time::Duration;

use latchkey::domain::action::Action;
use latchkey::domain::actor::Actor;
use latchkey::domain::audit::AuditRecord;
use latchkey::domain::auto_purge::AutoPurge;
use latchkey::domain::change::{NewToken, TokenChange};
use latchkey::domain::secret::PlainSecret;
use latchkey::domain::token::{NewSecret, StoredToken, Token};
use latchkey::domain::verification::{Refusal, SecretState};
use latchkey::http::ErrorCode;
use latchkey::ports::{ChangeToken, InsertToken};
use latchkey::testing::{
    Answer, Engine, Event, FixedClock, FixedEntropy, Logs, NoEntropy, acme, audit, now,
    owner_actor, plain, stored_token, system_at, token,
};
use serde_json::{Value, json};

use super::decision::refused as refused_for;
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
async fn every_guess_reads_the_same() {
    let engine = engine_with(token()).await;
    let unknown = PlainSecret::generate(Kind::Account, &FixedEntropy([9; 32])).unwrap();
    let unknown = format!("Bearer {}", plain(&unknown));
    let unknown = call(&engine, &sample().header("authorization", &unknown)).await;
    let malformed = call(&engine, &sample()).await;
    assert_eq!(unknown.text, malformed.text);
    let text = "the token is unknown, revoked, expired or not allowed from here";
    assert_eq!(unknown.json["detail"], text);
}

#[test]
fn whoever_holds_a_secret_is_told_why_it_doesnt_work() {
    let ip = "::ffff:192.0.2.1".parse().unwrap();
    let secret = SecretRecord::of(&token(), stored_token().secret_hash);
    let retired = SecretRecord {
        state: SecretState::Retired,
        ..secret.clone()
    };
    let told: BTreeSet<_> = Refusal::ALL
        .into_iter()
        .flat_map(|refusal| [&secret, &retired].map(|secret| (refusal, secret)))
        .map(|(refusal, secret)| {
            let error = refused_for(refusal, Some(secret), ip);
            assert_eq!(error.code(), ErrorCode::InvalidToken);
            error.detail().to_owned()
        })
        .collect();
    let told: Vec<_> = told.iter().map(String::as_str).collect();
    let expected = [
        "the secret was replaced, and its grace period is over",
        "the secret was replaced, or its token has ended",
        "the secret was reported as leaked or ended by its holder, and never works again; ask for a new one",
        "the token is revoked",
        "the token is unknown, revoked, expired or not allowed from here",
        "the token may not be used from 192.0.2.1",
        "the token's lifetime is over",
    ];
    assert_eq!(told, expected);
}

#[tokio::test]
async fn the_reason_is_told_in_oauths_terms_and_recorded_as_ever() {
    let engine = engine_with(token()).await;
    engine.revoke(stored(&engine).await).await;
    let asked = Event::sample(include_str!("../../../events/token-info/decision.json"));
    let asked = asked.header("authorization", &format!("Bearer {SECRET}"));
    let answer = call(&engine, &asked).await;
    refused(&answer);
    assert_eq!(answer.json["error"], "invalid_token");
    assert_eq!(answer.json["error_description"], "the token is revoked");
    assert_eq!(answer.json["detail"], "the token is revoked");
    assert_eq!(refusals(&engine).await, ["revoked"]);
}

/// Asks about a call, and returns the decision.
async fn decision(engine: &Engine, query: &str) -> Value {
    let answer = call(engine, &info().query(query)).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json["decision"].clone()
}

#[tokio::test]
async fn the_holder_learns_whether_a_call_is_allowed_and_why_not() {
    let engine = engine_with(token()).await;
    let asked = Event::sample(include_str!("../../../events/token-info/decision.json"));
    let asked = asked.header("authorization", &format!("Bearer {SECRET}"));
    let answer = call(&engine, &asked).await;
    assert_eq!(answer.json["id"], json!(token().id));
    let expected = json!({
        "allowed": false,
        "code": "resource_not_in_scope",
        "detail": "the token's scope does not list this resource; ask for the resource to be added to it",
    });
    assert_eq!(answer.json["decision"], expected);

    let allowed = decision(&engine, "method=POST&path=/v1/exports/exp_orders/invoke").await;
    let detail = "the authorizer allows the call; a refusal has another reason";
    assert_eq!(allowed, json!({"allowed": true, "detail": detail}));
    for (query, code) in [
        ("method=GET&path=/v1/exports", "resource_not_in_scope"),
        (
            "method=DELETE&path=/v1/exports/exp_orders",
            "action_not_allowed",
        ),
        ("method=POST&path=/v1/flows", "action_not_allowed"),
        ("method=GET&path=/v1/exports//debug", "unknown_call"),
        ("method=GET&path=/", "unknown_call"),
    ] {
        let denied = decision(&engine, query).await;
        assert_eq!(
            (&denied["allowed"], &denied["code"]),
            (&json!(false), &json!(code)),
            "{query}"
        );
    }
    // What the caller's program logs may have the query.
    let with_query = "method=GET&path=/v1/exports/exp_orders%3Flimit=1";
    assert_eq!(decision(&engine, with_query).await["allowed"], true);
}

#[tokio::test]
async fn the_owner_of_a_resource_counts() {
    let engine = engine_with(Token {
        kind: Kind::IntegrationApp,
        integration_id: Some("app1".parse().unwrap()),
        scope: Scope::Full,
        ..token()
    })
    .await;
    let query = |id: &str| format!("method=POST&path=/v1/exports/{id}/invoke");
    assert_eq!(decision(&engine, &query("exp_app")).await["allowed"], true);
    for id in ["exp_orders", "exp_unknown"] {
        let denied = decision(&engine, &query(id)).await;
        assert_eq!(denied["code"], "not_own_integration_app", "{id}");
    }

    let engine = engine_with(Token {
        scope: Scope::Full,
        ..token()
    })
    .await;
    let on = |method: &str, id: &str| format!("method={method}&path=/v1/exports/{id}");
    let denied = decision(&engine, &on("DELETE", "exp_app")).await;
    assert_eq!(denied["code"], "integration_app_data");
    for (method, id, word) in [
        ("PATCH", "exp_app", "name, description"),
        ("PATCH", "exp_orders", "of an Integration App"),
    ] {
        let allowed = decision(&engine, &on(method, id)).await;
        assert_eq!(allowed["allowed"], true);
        assert!(
            allowed["detail"].as_str().unwrap().contains(word),
            "{allowed}"
        );
    }
}

#[tokio::test]
async fn to_ask_about_a_call_records_and_logs_nothing_of_it() {
    let engine = engine_with(token()).await;
    call(&engine, &info()).await;
    let (before, logs) = (engine.dump().await, Logs::start());
    decision(&engine, "method=DELETE&path=/v1/exports/exp_orders").await;
    assert_eq!(engine.dump().await, before);
    assert_eq!(
        logs.take_decisions(),
        [["allowed", "tokenInfo", "", "current"]]
    );
}

#[tokio::test]
async fn half_a_call_and_unknown_parameters_are_refused() {
    let engine = engine_with(token()).await;
    for (query, field, code) in [
        ("method=GET", "path", "required"),
        ("path=/v1/exports", "method", "required"),
        ("method=get&path=/v1/exports", "method", "invalid_parameter"),
        ("method=GET&path=v1/exports", "path", "invalid_parameter"),
        ("methd=GET&path=/v1/exports", "methd", "unknown_parameter"),
        (
            &format!("method=GET&path=/v1/{SECRET}"),
            "path",
            "contains_secret",
        ),
    ] {
        let answer = call(&engine, &info().query(query)).await;
        assert_eq!(answer.outcome(), (422, "validation_failed"), "{query}");
        assert_eq!(answer.failures(), [(field, code)], "{query}");
    }
    // Whoever presents no good secret learns nothing about parameters.
    refused(&call(&engine, &sample().query("methd=GET")).await);
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
