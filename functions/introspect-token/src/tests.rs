use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use latchkey::domain::action::Action;
use latchkey::domain::actor::Actor;
use latchkey::domain::audit::{AuditRecord, Change};
use latchkey::domain::secret::PlainSecret;
use latchkey::domain::token::{Ciphertext, PreviousSecret, StoredToken, Token};
use latchkey::domain::verification::MAX_SEEN_ADDRESSES;
use latchkey::testing::{
    Answer, Engine, Event, FixedClock, FixedEntropy, Logs, NoEntropy, acme, globex, now, plain,
    system_at, token_at,
};
use serde_json::{Value, json};

use jiff::Timestamp;
use latchkey::domain::kind::Kind;
use latchkey::domain::scope::Scope;

use super::*;

async fn call(engine: &Engine, event: &Event) -> Answer {
    call_on(engine, &system_at(now()), event).await
}

async fn call_on(engine: &Engine, system: &(impl Clock + Entropy), event: &Event) -> Answer {
    let answer = Answer::of(handle(&engine.store, system, event.request()).await);
    for secret in [ASKER, BEARER] {
        assert!(!answer.text.contains(text(secret).get(4..47).unwrap()));
    }
    assert!(!answer.text.to_lowercase().contains("cipher"));
    answer
}

/// The entropy of two secrets: that of the token that asks, and that of the token that is asked about.
const ASKER: u8 = 1;
const BEARER: u8 = 2;

fn secret(of: u8) -> PlainSecret {
    PlainSecret::generate(Kind::Account, &FixedEntropy([of; 32])).unwrap()
}

fn text(of: u8) -> String {
    plain(&secret(of))
}

/// Stores a token with a known secret.
async fn add(engine: &Engine, token: Token, of: u8) -> StoredToken {
    let secret = secret(of);
    let stored = StoredToken {
        secret_hash: secret.hash(),
        ciphertext: Ciphertext(b"sealed".to_vec()),
        previous_hash: None,
        token: Token {
            hint: secret.hint(),
            ..token
        },
    };
    engine.insert(stored).await
}

fn earlier() -> Timestamp {
    now() - Duration::from_mins(1)
}

/// Returns a token with full access, which may ask about others.
fn asking() -> Token {
    Token {
        name: "The API's own".into(),
        scope: Scope::Full,
        ..token_at(earlier())
    }
}

/// Returns an engine, the token that asks and the token that is asked about.
async fn two() -> (Engine, StoredToken, StoredToken) {
    two_with(|_| {}).await
}

async fn two_with(change: impl FnOnce(&mut Token)) -> (Engine, StoredToken, StoredToken) {
    let engine = Engine::with_accounts().await;
    let asker = add(&engine, asking(), ASKER).await;
    let mut asked = token_at(earlier());
    change(&mut asked);
    let asked = add(&engine, asked, BEARER).await;
    (engine, asker, asked)
}

fn sample() -> Event {
    Event::sample(include_str!("../../../events/introspect-token/bearer.json"))
}

/// Returns a request about a token, authenticated by the asking token.
fn ask(token: &str) -> Event {
    form(&format!("token={token}&token_type_hint=access_token"))
        .header("authorization", &format!("Bearer {}", text(ASKER)))
}

fn form(body: &str) -> Event {
    sample().encoded_body(body.as_bytes())
}

fn basic(id: &str, secret: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{id}:{secret}")))
}

/// Returns the audit records without those of creations, newest first.
async fn records(engine: &Engine) -> Vec<AuditRecord> {
    let mut log = engine.audit(&acme().id).await;
    log.retain(|record| record.action != Action::Create);
    log
}

fn inactive(answer: &Answer) {
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_eq!(answer.text, "{\"active\":false}");
}

#[tokio::test]
async fn an_active_token_is_told_in_the_rfcs_words_and_in_ours() {
    let (engine, _, asked) = two_with(|token| {
        token.purge_at = Some(now() + Duration::from_mins(90));
    })
    .await;
    let answer = call(&engine, &ask(&text(BEARER))).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), "application/json");
    let id = json!(asked.token.id);
    assert_eq!(
        answer.json,
        json!({
            "active": true,
            "scope": "exports:exp_orders",
            "client_id": id,
            "token_type": "Bearer",
            "exp": now().as_second() + 5_400,
            "iat": earlier().as_second(),
            "sub": "acme",
            "jti": id,
            "accountId": "acme",
            "tokenId": id,
            "kind": "account",
            "integrationId": null,
            "scopeDetail": {
                "type": "custom",
                "connections": [],
                "exports": ["exp_orders"],
                "imports": [],
                "apis": [],
            },
        })
    );
}

#[tokio::test]
async fn an_integration_apps_token_is_told_with_its_app_and_never_ends_without_a_purge() {
    let (engine, ..) = two_with(|token| {
        token.kind = Kind::IntegrationApp;
        token.integration_id = Some("app1".parse().unwrap());
        token.scope = Scope::Full;
    })
    .await;
    let answer = call(&engine, &ask(&text(BEARER))).await;
    assert_eq!(answer.json["kind"], "integrationApp");
    assert_eq!(answer.json["integrationId"], "app1");
    assert_eq!(answer.json["scope"], "full");
    assert_eq!(answer.json["scopeDetail"], json!({"type": "full"}));
    assert_eq!(answer.json.get("exp"), None);
}

#[tokio::test]
async fn the_asker_is_a_bearer_or_a_client_in_the_header_or_in_the_form() {
    let (engine, asker, _) = two().await;
    let (id, secret, token) = (asker.token.id.as_str(), text(ASKER), text(BEARER));
    let question = form(&format!("token={token}")).without_header("authorization");
    let encoded = id.replace('_', "%5F");
    let posted = |body: &str| form(body).without_header("authorization");
    for event in [
        ask(&token),
        question
            .clone()
            .header("authorization", &basic(id, &secret)),
        question
            .clone()
            .header("authorization", &basic(&encoded, &secret)),
        question.header(
            "authorization",
            &basic(id, &secret).replace("Basic", "basic"),
        ),
        posted(&format!(
            "token={token}&client_id={id}&client_secret={secret}"
        )),
        ask(&token).raw_body(&format!("token={token}")),
        ask(&token).header(
            "content-type",
            "Application/X-WWW-Form-Urlencoded; charset=UTF-8",
        ),
        // A client id alone isn't a second authentication.
        form(&format!("token={token}&client_id={id}"))
            .header("authorization", &format!("Bearer {secret}")),
    ] {
        let answer = call(&engine, &event).await;
        assert_eq!(answer.json["active"], true, "{event:?}: {}", answer.text);
    }
}

#[tokio::test]
async fn an_asker_whose_credentials_are_not_good_is_refused_as_oauth_wants_it() {
    let (engine, asker, asked) = two().await;
    let (id, token) = (asker.token.id.as_str(), text(BEARER));
    let before = engine.dump().await;
    let other = text(9);
    let question = || form(&format!("token={token}"));
    let with = |value: &str| question().header("authorization", value);
    let posted = |body: &str| form(body).without_header("authorization");
    for (event, code, challenge) in [
        (
            question().without_header("authorization"),
            "invalid_client",
            "Basic ",
        ),
        (with("Digest x"), "invalid_client", "Basic "),
        (with("Basic x"), "invalid_client", "Basic "),
        (with(&basic(id, &other)), "invalid_client", "Basic "),
        (with(&basic(id, "")), "invalid_client", "Basic "),
        (with(&format!("Bearer {other}")), "invalid_token", "Bearer "),
        (with("Bearer nonsense"), "invalid_token", "Bearer "),
        (with("Bearer "), "invalid_token", "Bearer "),
        (
            posted(&format!(
                "token={token}&client_id={id}&client_secret={other}"
            )),
            "invalid_client",
            "Basic ",
        ),
        (
            posted(&format!("token={token}&client_secret={other}")),
            "invalid_client",
            "Basic ",
        ),
    ] {
        let answer = call(&engine, &event).await;
        assert_eq!(answer.outcome(), (401, code), "{event:?}");
        assert_eq!(answer.json["error"], code);
        assert_eq!(answer.json["error_description"], answer.json["detail"]);
        let given = answer.header("www-authenticate");
        assert!(given.starts_with(challenge), "{event:?}: {given}");
    }
    assert_eq!(engine.dump().await, before);

    // A valid secret with another token's id doesn't authenticate.
    let swapped = with(&basic(asked.token.id.as_str(), &text(ASKER)));
    assert_eq!(
        call(&engine, &swapped).await.outcome(),
        (401, "invalid_client")
    );
}

#[tokio::test]
async fn only_an_account_token_with_full_access_may_ask() {
    let (engine, _, asked) = two().await;
    let custom = ask(&text(ASKER)).header("authorization", &format!("Bearer {}", text(BEARER)));
    let answer = call(&engine, &custom).await;
    assert_eq!(answer.outcome(), (401, "insufficient_scope"));
    assert_eq!(
        answer.header("www-authenticate"),
        "Bearer error=\"insufficient_scope\""
    );
    let client = basic(asked.token.id.as_str(), &text(BEARER));
    let answer = call(&engine, &custom.header("authorization", &client)).await;
    assert_eq!(answer.outcome(), (401, "invalid_client"));

    let (engine, ..) = two_with(|token| {
        token.kind = Kind::IntegrationApp;
        token.integration_id = Some("app1".parse().unwrap());
        token.scope = Scope::Full;
    })
    .await;
    let app = ask(&text(ASKER)).header("authorization", &format!("Bearer {}", text(BEARER)));
    let answer = call(&engine, &app).await;
    assert_eq!(answer.outcome(), (401, "insufficient_scope"));
}

#[tokio::test]
async fn the_askers_token_is_verified_like_in_any_use() {
    let (engine, asker, _) = two().await;
    let question = ask(&text(BEARER));
    engine.revoke(asker).await;
    let answer = call(&engine, &question).await;
    assert_eq!(answer.outcome(), (401, "invalid_token"));

    let engine = Engine::with_accounts().await;
    let limited = Token {
        allowed_cidrs: vec!["198.51.100.0/24".parse().unwrap()],
        ..asking()
    };
    add(&engine, limited, ASKER).await;
    assert_eq!(
        call(&engine, &question).await.outcome(),
        (401, "invalid_token")
    );

    let engine = Engine::with_accounts().await;
    let purged = Token {
        purge_at: Some(now()),
        ..asking()
    };
    add(&engine, purged, ASKER).await;
    assert_eq!(
        call(&engine, &question).await.outcome(),
        (401, "invalid_token")
    );
}

#[tokio::test]
async fn what_is_no_good_token_reads_the_same_and_is_recorded_once_if_it_is_the_accounts() {
    let (engine, asker, asked) = two().await;
    // This records the asking token's use, so that later requests write nothing.
    inactive(&call(&engine, &ask("nonsense")).await);
    let foreign = Token {
        account_id: globex().id,
        ..token_at(earlier())
    };
    add(&engine, foreign, 3).await;
    let purged = Token {
        purge_at: Some(now()),
        ..token_at(earlier())
    };
    add(&engine, purged, 4).await;
    engine.revoke(asked.clone()).await;
    // The account's own people learn the reason; the responses don't tell it.
    for (of, reason) in [(BEARER, "revoked"), (4, "expired")] {
        inactive(&call(&engine, &ask(&text(of))).await);
        let log = records(&engine).await;
        let reason = Change::new("reason", None, Some(reason.into()));
        let record = log.iter().find(|record| record.changes.contains(&reason));
        let record = record.unwrap();
        assert_eq!(record.action, Action::Refused);
        let asked_by = Change::new("introspectedBy", None, Some(asker.token.id.to_string()));
        assert!(record.changes.contains(&asked_by), "{record:?}");
    }
    // Another account's people don't learn it either.
    assert_eq!(engine.audit(&globex().id).await.len(), 1);
    let before = engine.dump().await;
    for token in [
        text(BEARER),
        text(3),
        text(4),
        text(5),
        format!("{}0", text(BEARER)),
        "lka_".into(),
        "%FF%00".into(),
    ] {
        inactive(&call(&engine, &ask(&token)).await);
    }
    assert_eq!(engine.dump().await, before);
}

#[tokio::test]
async fn a_replaced_secret_is_active_until_its_grace_period_ends() {
    let (engine, ..) = two().await;
    let end = now() + Duration::from_secs(1);
    let retired = secret(6);
    let stored = StoredToken {
        secret_hash: secret(7).hash(),
        ciphertext: Ciphertext(vec![]),
        previous_hash: Some(retired.hash()),
        token: Token {
            previous_secret: Some(PreviousSecret {
                hint: retired.hint(),
                valid_until: end,
            }),
            ..token_at(earlier())
        },
    };
    engine.insert(stored).await;
    let question = ask(&text(6));
    let answer = call(&engine, &question).await;
    assert_eq!(answer.json["exp"], json!(end.as_second()));
    inactive(&call_on(&engine, &system_at(end), &question).await);
}

#[tokio::test]
async fn the_use_behind_the_question_is_on_record_once_and_names_who_asked() {
    let (engine, asker, asked) = two().await;
    let question = form(&format!("token={}&client_ip=203.0.113.9", text(BEARER)))
        .header("authorization", &format!("Bearer {}", text(ASKER)));
    assert_eq!(call(&engine, &question).await.json["active"], true);
    let log = records(&engine).await;
    assert_eq!(log.len(), 2, "{log:?}");
    let of = |token: &StoredToken| {
        let of_token = |record: &&AuditRecord| record.token_id == token.token.id;
        log.iter().find(of_token).unwrap()
    };
    assert_eq!(of(&asker).action, Action::Access);
    assert_eq!(of(&asker).origin.ip, Some([192, 0, 2, 1].into()));
    assert_eq!(of(&asker).changes, []);
    let record = of(&asked);
    assert_eq!(record.action, Action::Access);
    assert_eq!(
        record.origin.actor,
        Actor::token(&asked.token.id, "Warehouse sync")
    );
    // The record has the known address, and separately the address that the API claims.
    assert_eq!(record.origin.ip, Some([192, 0, 2, 1].into()));
    assert_eq!(record.asserted_ip, Some([203, 0, 113, 9].into()));
    let asked_by = Change::new("introspectedBy", None, Some(asker.token.id.to_string()));
    assert_eq!(record.changes, [asked_by]);
    let used = engine.stored(&acme().id, &asked.token.id).await.unwrap();
    assert_eq!(used.token.last_use.unwrap().ip, record.origin.ip.unwrap());
    assert_eq!(of(&asker).asserted_ip, None);
    // Repeated requests only read.
    let before = engine.dump().await;
    assert_eq!(call(&engine, &question).await.json["active"], true);
    assert_eq!(engine.dump().await, before);
    // If the API doesn't send the bearer's address, only the API's own is known.
    assert_eq!(
        call(&engine, &ask(&text(BEARER))).await.json["active"],
        true
    );
    let log = records(&engine).await;
    assert_eq!(log.len(), 3);
    let records = log
        .iter()
        .filter(|record| record.token_id == asked.token.id);
    let mut asserted = Vec::new();
    for record in records {
        assert_eq!(record.origin.ip, Some([192, 0, 2, 1].into()));
        asserted.push(record.asserted_ip);
    }
    asserted.sort();
    assert_eq!(asserted, [None, Some([203, 0, 113, 9].into())]);
}

#[tokio::test]
async fn a_token_for_some_addresses_is_active_only_for_a_bearer_who_is_said_to_be_there() {
    let (engine, ..) = two_with(|token| {
        token.allowed_cidrs = vec!["192.0.2.0/24".parse().unwrap()];
    })
    .await;
    let from = |ip: &str| {
        form(&format!("token={}&client_ip={ip}", text(BEARER)))
            .header("authorization", &format!("Bearer {}", text(ASKER)))
    };
    // The API's own address is within the ranges. It doesn't count.
    inactive(&call(&engine, &ask(&text(BEARER))).await);
    inactive(&call(&engine, &from("203.0.113.9")).await);
    for ip in ["192.0.2.77", "::ffff:192.0.2.77"] {
        assert_eq!(call(&engine, &from(ip)).await.json["active"], true, "{ip}");
    }
    let answer = call(&engine, &from("nowhere")).await;
    assert_eq!(answer.outcome(), (400, "invalid_request"));
}

#[tokio::test]
async fn nothing_is_active_without_the_record_of_its_use() {
    let (engine, ..) = two().await;
    let question = ask(&text(BEARER));
    let broken = (FixedClock(now()), NoEntropy);
    let answer = call_on(&engine, &broken, &question).await;
    assert_eq!(answer.outcome(), (500, "internal_error"));
    inactive(&call(&engine, &ask("nonsense")).await);
    engine.break_audit().await;
    let answer = call(&engine, &question).await;
    assert_eq!(answer.outcome(), (500, "internal_error"));
}

#[tokio::test]
async fn a_request_that_is_no_form_or_lacks_the_token_is_invalid() {
    let (engine, asker, _) = two().await;
    let before = engine.dump().await;
    let (id, secret) = (asker.token.id.as_str(), text(ASKER));
    let both = format!("token=x&client_id={id}&client_secret={secret}");
    let with = |body: &str| ask("x").encoded_body(body.as_bytes());
    for event in [
        with(""),
        with("token="),
        with("token_type_hint=access_token"),
        with("token=x&token=x"),
        with("token=x&client_ip=1.1.1.1&client_ip=1.1.1.1"),
        with(&both),
        ask("x").header("content-type", "application/json"),
        ask("x").without_header("content-type"),
    ] {
        let answer = call(&engine, &event).await;
        assert_eq!(answer.outcome(), (400, "invalid_request"), "{event:?}");
        assert_eq!(answer.json["error"], "invalid_request");
        assert_ne!(answer.json["error_description"], Value::Null);
    }
    let large = with(&format!("token={}", "x".repeat(64 * 1024)));
    assert_eq!(
        call(&engine, &large).await.outcome(),
        (413, "body_too_large")
    );
    assert_eq!(engine.dump().await, before);
}

/// Returns a request about the bearer's secret that sends the bearer's address.
fn ask_from(ip: &str) -> Event {
    form(&format!("token={}&client_ip={ip}", text(BEARER)))
        .header("authorization", &format!("Bearer {}", text(ASKER)))
}

#[tokio::test]
async fn addresses_that_are_asserted_do_not_use_up_those_that_are_seen() {
    let (engine, _, asked) = two().await;
    for last in 0..40 {
        let answer = call(&engine, &ask_from(&format!("203.0.113.{last}"))).await;
        assert_eq!(answer.json["active"], true, "{last}");
    }
    let of_asked = async || {
        let mut log = records(&engine).await;
        log.retain(|record| record.token_id == asked.token.id);
        log
    };
    // Beyond the day's maximum, one use an hour is recorded.
    let before = of_asked().await;
    assert_eq!(before.len(), MAX_SEEN_ADDRESSES + 1);
    for record in &before {
        assert_eq!(record.action, Action::Access);
        assert_eq!(record.origin.ip, Some([192, 0, 2, 1].into()));
        assert!(record.asserted_ip.is_some());
    }
    // A use from an address that was recorded for an introspection still has its own record.
    let answer = call(&engine, &ask(&text(BEARER))).await;
    assert_eq!(answer.json["active"], true);
    let log = of_asked().await;
    assert_eq!(log.len(), before.len() + 1);
    let seen: Vec<_> = log.iter().filter(|r| r.asserted_ip.is_none()).collect();
    assert_eq!(seen.len(), 1);
    assert_eq!(seen[0].changes.len(), 1, "not one of a crowd: {seen:?}");
}

#[tokio::test]
async fn a_refusal_is_recorded_with_the_address_that_is_asserted_as_one() {
    let (engine, asker, asked) = two_with(|token| {
        token.allowed_cidrs = vec!["192.0.2.0/24".parse().unwrap()];
    })
    .await;
    let logs = Logs::start();
    for _ in 0..2 {
        inactive(&call(&engine, &ask_from("203.0.113.9")).await);
        let mut lines = logs.take();
        lines.retain(|line| line["level"] != "INFO");
        let mut line = lines.remove(0);
        assert!(lines.is_empty());
        line["timestamp"].take();
        let expected = json!({
            "timestamp": null,
            "level": "WARN",
            "message": "a known secret was refused",
            "target": "latchkey::app::verify",
            "account.id": "acme",
            "token.id": asked.token.id,
            "ip": "192.0.2.1",
            "asserted_ip": "203.0.113.9",
            "request_id": request_id(),
            "refusal": "address",
        });
        assert_eq!(line, expected);
    }
    let mut log = records(&engine).await;
    log.retain(|record| record.action == Action::Refused);
    let [record] = &log[..] else {
        panic!("not one refusal: {log:?}")
    };
    assert_eq!(record.token_id, asked.token.id);
    assert_eq!(record.account_id, acme().id);
    assert_eq!(record.origin.ip, Some([192, 0, 2, 1].into()));
    assert_eq!(record.asserted_ip, Some([203, 0, 113, 9].into()));
    for (field, value) in [
        ("reason", "address"),
        ("daysRefused", "1"),
        ("introspectedBy", asker.token.id.as_str()),
    ] {
        let change = Change::new(field, None, Some(value.into()));
        assert!(record.changes.contains(&change), "{record:?}");
    }
    assert_eq!(token_of(&engine, &asked).await.last_use, None);
}

fn request_id() -> Value {
    let sample = include_str!("../../../events/introspect-token/bearer.json");
    let mut event: Value = serde_json::from_str(sample).unwrap();
    event["requestContext"]["requestId"].take()
}

#[tokio::test]
async fn a_question_is_two_decisions_and_each_has_a_line_in_the_log() {
    let (engine, _, asked) = two().await;
    let foreign = Token {
        account_id: globex().id,
        ..token_at(earlier())
    };
    add(&engine, foreign, 3).await;
    let question = ask(&text(BEARER));
    let with = |value: &str| question.clone().header("authorization", value);
    let logs = Logs::start();
    let asker = ["allowed", "introspect", "", "current"];
    let insufficient = ["forbidden", "introspect", "", "current"];
    for (event, expected) in [
        (
            question.clone(),
            vec![asker, ["allowed", "introspected", "", "current"]],
        ),
        (
            ask("nonsense"),
            vec![asker, ["malformed", "introspected", "", ""]],
        ),
        // Another account's token is unknown to this API.
        (
            ask(&text(3)),
            vec![asker, ["unknown", "introspected", "", ""]],
        ),
        (
            with(&format!("Bearer {}", text(9))),
            vec![["unknown", "introspect", "", ""]],
        ),
        // A token with a custom scope, and a secret with another token's id.
        (
            with(&format!("Bearer {}", text(BEARER))),
            vec![insufficient],
        ),
        (
            with(&basic(asked.token.id.as_str(), &text(ASKER))),
            vec![insufficient],
        ),
        // No secret was sent.
        (with("Digest x"), vec![]),
    ] {
        call(&engine, &event).await;
        assert_eq!(logs.take_decisions(), expected, "{event:?}");
    }
    engine.revoke(asked).await;
    call(&engine, &question).await;
    let revoked = ["revoked", "introspected", "", "current"];
    assert_eq!(logs.take_decisions(), [asker, revoked]);
}

async fn token_of(engine: &Engine, stored: &StoredToken) -> Token {
    let stored = engine.stored(&acme().id, &stored.token.id).await;
    stored.unwrap().token
}

#[tokio::test]
async fn an_asker_who_is_refused_is_on_record_as_one() {
    let (engine, asker, _) = two().await;
    engine.revoke(asker.clone()).await;
    let question = ask(&text(BEARER));
    for _ in 0..2 {
        let answer = call(&engine, &question).await;
        assert_eq!(answer.outcome(), (401, "invalid_token"));
    }
    let mut log = records(&engine).await;
    log.retain(|record| record.action == Action::Refused);
    assert_eq!(log.len(), 1);
    assert_eq!(log[0].token_id, asker.token.id);
    assert_eq!(log[0].origin.ip, Some([192, 0, 2, 1].into()));
}

#[tokio::test]
async fn a_refusal_stays_one_when_it_cannot_be_recorded() {
    let (engine, _, asked) = two().await;
    // This records the asking token's use, so that later requests write nothing.
    inactive(&call(&engine, &ask("nonsense")).await);
    engine.revoke(asked).await;
    engine.break_audit().await;
    inactive(&call(&engine, &ask(&text(BEARER))).await);
}
