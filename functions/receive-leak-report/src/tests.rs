use std::sync::Mutex;
use std::time::Duration;

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use latchkey::domain::account::Account;
use latchkey::domain::action::Action;
use latchkey::domain::audit::{AuditRecord, Change};
use latchkey::domain::change::TokenChange;
use latchkey::domain::id::{AccountId, TokenId, UserId};
use latchkey::domain::kind::Kind;
use latchkey::domain::mailing::Suppression;
use latchkey::domain::secret::SecretHash;
use latchkey::domain::time::rfc3339;
use latchkey::domain::token::{
    Ciphertext, NewSecret, NotReactivable, PreviousSecret, Status, StoredToken, Token,
};
use latchkey::domain::verification::{SecretRecord, SecretState, TOMBSTONE_LIFETIME};
use latchkey::mail::Console;
use latchkey::ports::{CachedKeys, ChangeToken, Claim, Compromise, DeleteToken, PortError};
use latchkey::testing::{
    Answer, Engine, Event, FixedClock, FixedEntropy, Logs, NoEntropy, Post, acme, brand, now,
    origin, owner_actor, plain, system_at, token_at,
};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tracing::level_filters::LevelFilter;

use super::*;

const OWNER: &str = "owner@acme.example";
const ADMIN: &str = "admin@acme.example";

/// A scanner with its own key.
struct Scanner {
    id: &'static str,
    pair: EcdsaKeyPair,
}

impl Scanner {
    fn new(id: &'static str) -> Self {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap();
        Self { id, pair }
    }

    fn published(&self, current: bool) -> Value {
        let der = self.pair.public_key().as_der().unwrap();
        let base64 = STANDARD.encode(der.as_ref());
        let lines: Vec<_> = base64
            .as_bytes()
            .chunks(64)
            .map(String::from_utf8_lossy)
            .collect();
        let key = format!(
            "-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n",
            lines.join("\n")
        );
        json!({"key_identifier": self.id, "key": key, "is_current": current})
    }

    /// Returns a signed report.
    fn report(&self, body: &str) -> Event {
        let signature = self
            .pair
            .sign(&SystemRandom::new(), body.as_bytes())
            .unwrap();
        sample()
            .raw_body(body)
            .header("github-public-key-identifier", self.id)
            .header(
                "github-public-key-signature",
                &STANDARD.encode(signature.as_ref()),
            )
    }
}

fn sample() -> Event {
    Event::sample(include_str!(
        "../../../events/receive-leak-report/found.json"
    ))
}

/// Keys that are known without a request.
struct Published(Vec<Value>);

impl FetchKeys for Published {
    async fn fetch_keys(&self) -> Result<String, String> {
        Ok(json!({"public_keys": self.0}).to_string())
    }
}

struct Nobody;

impl FetchKeys for Nobody {
    async fn fetch_keys(&self) -> Result<String, String> {
        Err("out of order".into())
    }
}

fn keys_of(scanner: &Scanner) -> Keys<Published> {
    Keys::new(Published(vec![scanner.published(true)]))
}

async fn call(engine: &Engine, scanner: &Scanner, event: &Event) -> Answer {
    call_on(&engine.store, &keys_of(scanner), &system_at(now()), event).await
}

async fn call_on(
    store: &(
         impl CacheKeys
         + GetSecret
         + GetToken
         + CompromiseSecret
         + GetRecipients
         + ClaimMail
         + GetSuppression
     ),
    keys: &Keys<impl FetchKeys>,
    system: &(impl Clock + Entropy),
    event: &Event,
) -> Answer {
    call_with(store, keys, &Post::default(), system, event).await
}

async fn call_with(
    store: &(
         impl CacheKeys
         + GetSecret
         + GetToken
         + CompromiseSecret
         + GetRecipients
         + ClaimMail
         + GetSuppression
     ),
    keys: &Keys<impl FetchKeys>,
    post: &Post,
    system: &(impl Clock + Entropy),
    event: &Event,
) -> Answer {
    let answer = handle(store, keys, &notifier(post), system, event.request()).await;
    let answer = Answer::of(answer);
    for of in 0..10 {
        assert!(!answer.text.contains(text(of).get(4..47).unwrap()));
    }
    answer
}

fn notifier(post: &Post) -> Notifier<Post> {
    Notifier::new(
        post.clone(),
        Console::new("https://tokens.example"),
        brand(),
    )
}

fn secret(of: u8) -> PlainSecret {
    PlainSecret::generate(Kind::Account, &FixedEntropy([of; 32])).unwrap()
}

fn text(of: u8) -> String {
    plain(&secret(of))
}

fn url(name: &str) -> String {
    format!("https://github.com/octocat/hello/blob/1a2b3c/{name}")
}

fn found(secret: &str, file: &str) -> Value {
    json!({"token": secret, "type": "latchkey", "url": url(file), "source": "content"})
}

/// Stores a token with a known secret, after `change`.
async fn add(engine: &Engine, of: u8, change: impl FnOnce(&mut StoredToken)) -> StoredToken {
    let mut stored = StoredToken {
        token: token_at(now() - Duration::from_mins(1)),
        secret_hash: secret(of).hash(),
        ciphertext: Ciphertext(b"sealed".to_vec()),
        previous_hash: None,
    };
    change(&mut stored);
    engine.insert(stored).await
}

async fn one() -> (Engine, Scanner, StoredToken) {
    let engine = Engine::with_accounts().await;
    let stored = add(&engine, 1, |_| {}).await;
    (engine, Scanner::new("key-1"), stored)
}

async fn token_of(engine: &Engine, stored: &StoredToken) -> Token {
    let stored = engine.stored(&acme().id, &stored.token.id).await;
    stored.unwrap().token
}

async fn reactivate(engine: &Engine, stored: &StoredToken) {
    let before = engine.stored(&acme().id, &stored.token.id).await.unwrap();
    let token = before.token.reactivate(owner_actor(), now());
    let token = token.unwrap().unwrap();
    let system = latchkey::system::System;
    let change = TokenChange::new(before, token, Action::Reactivate, origin(), now(), &system);
    engine.store.change_token(&change.unwrap()).await.unwrap();
}

/// Replaces a token's secret, without a grace period.
async fn replace(engine: &Engine, stored: &StoredToken, of: u8) {
    let before = engine.stored(&acme().id, &stored.token.id).await.unwrap();
    let new = NewSecret {
        hash: secret(of).hash(),
        hint: secret(of).hint(),
        ciphertext: Ciphertext(b"sealed".to_vec()),
    };
    let after = before.regenerate(new, jiff::SignedDuration::ZERO, owner_actor(), now());
    let change = TokenChange {
        audit: latchkey::testing::audit(Action::Regenerate, &after.token, now(), of),
        before,
        after,
        compromised: None,
        idempotency: None,
    };
    engine.store.change_token(&change).await.unwrap();
}

async fn state(engine: &Engine, of: u8) -> SecretState {
    let record = engine.store.get_secret(&secret(of).hash()).await.unwrap();
    record.unwrap().state
}

/// Returns the audit records of leaks, newest first.
async fn leaks(engine: &Engine) -> Vec<AuditRecord> {
    let mut log = engine.audit(&acme().id).await;
    log.retain(|record| record.action == Action::Leak);
    log
}

/// Returns the tables' content, without the scanner's keys.
async fn dump(engine: &Engine) -> Vec<String> {
    let dump = engine.dump().await;
    let lines = dump.lines().filter(|line| !line.contains("SCANNER#github"));
    lines.map(str::to_owned).collect()
}

fn labels(answer: &Answer) -> Vec<&str> {
    assert_eq!(answer.status, 200, "{}", answer.text);
    let feedback = answer.json.as_array().unwrap().iter();
    feedback.map(|one| one["label"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn the_answer_has_no_secret_even_if_the_reports_type_is_one() {
    let (engine, scanner, _) = one().await;
    let mut find = found(&text(1), "a.txt");
    find["type"] = json!(text(1));
    let body = json!([find]).to_string();
    let answer = call(&engine, &scanner, &scanner.report(&body)).await;
    assert_eq!(labels(&answer), ["true_positive"]);
    assert_eq!(answer.json[0]["token_type"], "lka_[redacted]");
    assert!(!answer.text.contains(&text(1)));
}

#[tokio::test]
async fn a_found_secret_is_revoked_with_its_token_and_recorded_with_its_place() {
    let (engine, scanner, stored) = one().await;
    let body = json!([found(&text(1), "a.txt")]).to_string();
    let answer = call(&engine, &scanner, &scanner.report(&body)).await;
    assert_eq!(answer.status, 200);
    assert_eq!(
        answer.json,
        json!([{"token_hash": secret(1).hash().to_hex(), "token_type": "latchkey", "label": "true_positive"}])
    );
    let token = token_of(&engine, &stored).await;
    assert_eq!(token.status(), Status::Revoked);
    assert_eq!(token.revocation.unwrap().reason.as_deref(), Some("leaked"));
    let secret = engine.store.get_secret(&stored.secret_hash).await.unwrap();
    assert_eq!(secret.unwrap().status, Status::Revoked);

    let log = engine.audit(&acme().id).await;
    assert_eq!(log.len(), 2, "one record for the leak and what it changed");
    let record = &log[0];
    assert_eq!(record.action, Action::Leak);
    assert_eq!(record.token_id, stored.token.id);
    assert_eq!(record.origin.source, Source::LeakReport);
    assert_eq!(record.origin.actor, Actor::github());
    assert_eq!(record.origin.ip, Some([192, 0, 2, 1].into()));
    assert_eq!(
        record.origin.user_agent.as_deref(),
        Some("GitHub-Hookshot/570c0f8")
    );
    assert_eq!(
        record.changes,
        [
            Change::new("status", Some("active".into()), Some("revoked".into())),
            Change::new("revocationReason", None, Some("leaked".into())),
            Change::new("compromisedAt", None, Some(rfc3339(now()))),
            Change::new("leakUrl", None, Some(url("a.txt"))),
            Change::new("leakPlace", None, Some("content".into())),
            Change::new("compromisedSecret", None, Some("current".into())),
        ]
    );
}

#[tokio::test]
async fn the_very_bytes_are_what_is_signed_encoded_by_the_gateway_or_not() {
    let body = json!([found(&text(1), "a.txt")]);
    let odd = serde_json::to_string_pretty(&body).unwrap() + "\r\n ";
    let (engine, scanner, stored) = one().await;
    let encoded = scanner.report(&odd).encoded_body(odd.as_bytes());
    assert_eq!(
        labels(&call(&engine, &scanner, &encoded).await),
        ["true_positive"]
    );
    assert_eq!(token_of(&engine, &stored).await.status(), Status::Revoked);

    let (engine, scanner, _) = one().await;
    let reformatted = scanner.report(&odd).raw_body(&body.to_string());
    let answer = call(&engine, &scanner, &reformatted).await;
    assert_eq!(answer.outcome(), (403, "invalid_signature"));
}

#[tokio::test]
async fn what_the_scanner_has_not_signed_changes_nothing() {
    let (engine, scanner, _) = one().await;
    let before = dump(&engine).await;
    let body = json!([found(&text(1), "a.txt")]).to_string();
    let report = || scanner.report(&body);
    let forger = Scanner::new("key-1");
    let (id, signature) = (
        "github-public-key-identifier",
        "github-public-key-signature",
    );
    for event in [
        sample(),
        forger.report(&body),
        report().raw_body(&body.replace("a.txt", "b.txt")),
        report().without_header(id),
        report().without_header(signature),
        report().header(id, "key-2"),
        report().header(id, ""),
        report().header(id, &"k".repeat(1_000)),
        report().header(signature, ""),
        report().header(signature, "?"),
        report().header(signature, "MEUCIQ=="),
    ] {
        let answer = call(&engine, &scanner, &event).await;
        assert_eq!(answer.outcome(), (403, "invalid_signature"), "{event:?}");
    }
    assert_eq!(dump(&engine).await, before);
}

#[tokio::test]
async fn a_key_that_was_rotated_out_signs_no_more() {
    let (engine, scanner, _) = one().await;
    let before = dump(&engine).await;
    let retired = Keys::new(Published(vec![scanner.published(false)]));
    let report = scanner.report(&json!([found(&text(1), "a.txt")]).to_string());
    let answer = call_on(&engine.store, &retired, &system_at(now()), &report).await;
    assert_eq!(answer.outcome(), (403, "invalid_signature"));
    assert_eq!(dump(&engine).await, before);
}

#[tokio::test]
async fn what_can_be_no_signature_costs_no_look_at_the_keys() {
    let (engine, scanner, _) = one().await;
    let report = scanner
        .report("[]")
        .header("github-public-key-signature", "?");
    let answer = call_on(
        &engine.store,
        &Keys::new(Nobody),
        &system_at(now()),
        &report,
    )
    .await;
    assert_eq!(answer.outcome(), (403, "invalid_signature"));
}

#[tokio::test]
async fn without_the_keys_the_scanner_is_asked_to_try_again() {
    let (engine, scanner, stored) = one().await;
    let body = json!([found(&text(1), "a.txt")]).to_string();
    let keys = Keys::new(Nobody);
    let answer = call_on(
        &engine.store,
        &keys,
        &system_at(now()),
        &scanner.report(&body),
    )
    .await;
    assert_eq!(answer.outcome(), (503, "unavailable"));
    assert_eq!(token_of(&engine, &stored).await.status(), Status::Active);
}

#[tokio::test]
async fn the_same_secret_reported_again_changes_nothing_wherever_it_was_found() {
    let (engine, scanner, stored) = one().await;
    let body = json!([found(&text(1), "a.txt")]).to_string();
    let report = scanner.report(&body);
    let logs = Logs::of("receive_leak_report", LevelFilter::ERROR);
    let first = call(&engine, &scanner, &report).await;
    let before = dump(&engine).await;
    let leaks = || {
        let mut measures = logs.take_measures();
        measures.retain(|(measure, _)| measure == "leak");
        measures
    };
    assert_eq!(leaks(), [("leak".to_owned(), 1)]);
    let second = call(&engine, &scanner, &report).await;
    assert_eq!(second.text, first.text);
    // The same find in another report, with another signature; another find; a find without a place.
    let again = json!([found(&text(1), "a.txt"), found("x", "b.txt")]);
    let elsewhere = json!([found(&text(1), "elsewhere.txt"), found(&text(1), "b.txt")]);
    let nowhere = json!([{"token": text(1), "type": "latchkey", "url": ""}]);
    for body in [again, elsewhere, nowhere] {
        let answer = call(&engine, &scanner, &scanner.report(&body.to_string())).await;
        assert_eq!(labels(&answer)[0], "true_positive");
    }
    assert_eq!(dump(&engine).await, before);
    assert_eq!(leaks(), []);
    assert_eq!(token_of(&engine, &stored).await.status(), Status::Revoked);
}

#[tokio::test]
async fn a_leaked_secret_never_works_again_and_its_token_needs_a_new_one() {
    let (engine, scanner, stored) = one().await;
    let report = scanner.report(&json!([found(&text(1), "a.txt")]).to_string());
    call(&engine, &scanner, &report).await;
    assert_eq!(state(&engine, 1).await, SecretState::Compromised);
    let token = token_of(&engine, &stored).await;
    let refused = token.reactivate(owner_actor(), now());
    assert_eq!(refused, Err(NotReactivable::SecretCompromised));

    replace(&engine, &stored, 2).await;
    reactivate(&engine, &stored).await;
    assert_eq!(state(&engine, 1).await, SecretState::Compromised);
    assert_eq!(state(&engine, 2).await, SecretState::Current);
    // A further report of it doesn't revoke the token's new secret.
    let before = dump(&engine).await;
    let elsewhere = json!([found(&text(1), "elsewhere.txt")]).to_string();
    for report in [report, scanner.report(&elsewhere)] {
        let answer = call(&engine, &scanner, &report).await;
        assert_eq!(labels(&answer), ["true_positive"]);
        assert_eq!(dump(&engine).await, before);
    }
    assert_eq!(token_of(&engine, &stored).await.status(), Status::Active);
}

#[tokio::test]
async fn of_several_finds_of_a_secret_one_is_recorded() {
    let (engine, scanner, _) = one().await;
    let three = json!([
        found(&text(1), "a.txt"),
        found(&text(1), "b.txt"),
        found(&text(1), "a.txt"),
    ])
    .to_string();
    let answer = call(&engine, &scanner, &scanner.report(&three)).await;
    assert_eq!(labels(&answer), ["true_positive"; 3]);
    let leaks = leaks(&engine).await;
    assert_eq!(leaks.len(), 1);
    let place = Change::new("leakUrl", None, Some(url("a.txt")));
    assert!(leaks[0].changes.contains(&place));
}

#[tokio::test]
async fn what_is_no_secret_of_ours_is_a_false_positive() {
    let (engine, scanner, _) = one().await;
    let before = dump(&engine).await;
    let body = json!([
        found("", "a"),
        found("lka_nonsense", "a"),
        found(&format!("{}0", text(1)), "a"),
        found(&text(9), "a"),
    ])
    .to_string();
    let answer = call(&engine, &scanner, &scanner.report(&body)).await;
    assert_eq!(labels(&answer), ["false_positive"; 4]);
    assert_eq!(dump(&engine).await, before);
    let none = call(&engine, &scanner, &scanner.report("[]")).await;
    assert_eq!((none.status, none.text.as_str()), (200, "[]"));
}

/// Adds a replaced secret to a token, with the end of its grace period.
fn with_previous(stored: &mut StoredToken, of: u8, valid_until: Timestamp) {
    stored.previous_hash = Some(secret(of).hash());
    stored.token.previous_secret = Some(PreviousSecret {
        hint: secret(of).hint(),
        valid_until,
    });
}

#[tokio::test]
async fn a_late_report_of_a_secret_that_has_ended_is_a_true_one_recorded_and_mailed_once() {
    let (engine, scanner, _) = one().await;
    // A purged token; a secret replaced with a grace period that is over; one replaced without; a deleted token.
    add(&engine, 2, |stored| stored.token.purge_at = Some(now())).await;
    let graced = add(&engine, 3, |stored| with_previous(stored, 4, now())).await;
    let replaced = add(&engine, 5, |_| {}).await;
    replace(&engine, &replaced, 6).await;
    let deleted = add(&engine, 7, |_| {}).await;
    let deleted = engine.revoke(deleted).await;
    let (system, keys) = (system_at(now()), keys_of(&scanner));
    let audit = latchkey::testing::audit(Action::Delete, &deleted.token, now(), 9);
    engine.store.delete_token(&deleted, &audit).await.unwrap();

    let finds: Vec<_> = [2, 4, 5, 7].map(|of| found(&text(of), "late")).into();
    let report = scanner.report(&json!(finds).to_string());
    let post = Post::default();
    let answer = call_with(&engine.store, &keys, &post, &system, &report).await;
    assert_eq!(labels(&answer), ["true_positive"; 4]);
    let mails = post.take();
    assert_eq!(mails.len(), 8);
    for mail in mails {
        assert!(mail.subject.ends_with("was reported as leaked"), "{mail:?}");
    }
    for of in [2, 4, 5, 7] {
        assert_eq!(state(&engine, of).await, SecretState::Compromised, "{of}");
    }
    let leaks = leaks(&engine).await;
    assert_eq!(leaks.len(), 4);
    for record in &leaks {
        let place = Change::new("leakUrl", None, Some(url("late")));
        assert!(record.changes.contains(&place), "{record:?}");
        assert!(
            record
                .changes
                .iter()
                .any(|c| c.field == "compromisedSecret")
        );
    }
    // The tokens with another current secret stay active.
    for (stored, of) in [(&graced, 3), (&replaced, 6)] {
        assert_eq!(token_of(&engine, stored).await.status(), Status::Active);
        assert_eq!(state(&engine, of).await, SecretState::Current);
    }
    let before = dump(&engine).await;
    let again = call_with(&engine.store, &keys, &post, &system, &report).await;
    assert_eq!(again.text, answer.text);
    assert_eq!(dump(&engine).await, before);
    assert_eq!(post.take(), []);
}

#[tokio::test]
async fn a_secret_that_ended_is_known_for_as_long_as_records_are_kept() {
    let (engine, scanner, stored) = one().await;
    replace(&engine, &stored, 2).await;
    let report = scanner.report(&json!([found(&text(1), "late")]).to_string());
    let keys = keys_of(&scanner);
    let end = now() + TOMBSTONE_LIFETIME;
    engine.sweep(end - Duration::from_secs(1));
    assert_eq!(state(&engine, 1).await, SecretState::Ended);
    engine.sweep(end + Duration::from_secs(1));
    let answer = call_on(&engine.store, &keys, &system_at(end), &report).await;
    assert_eq!(labels(&answer), ["false_positive"]);
}

#[tokio::test]
async fn a_replaced_secret_in_its_grace_period_ends_alone() {
    let (engine, scanner, _) = one().await;
    let end = now() + Duration::from_mins(1);
    let stored = add(&engine, 3, |stored| with_previous(stored, 4, end)).await;
    let body = json!([found(&text(4), "a")]).to_string();
    let (keys, post, system) = (keys_of(&scanner), Post::default(), system_at(now()));
    let report = scanner.report(&body);
    let answer = call_with(&engine.store, &keys, &post, &system, &report).await;
    assert_eq!(labels(&answer), ["true_positive"]);
    assert_eq!(post.recipients(), [OWNER, ADMIN]);
    let token = token_of(&engine, &stored).await;
    assert_eq!(token.status(), Status::Active);
    assert_eq!((token.compromised, token.previous_secret), (None, None));
    assert_eq!(state(&engine, 3).await, SecretState::Current);
    assert_eq!(state(&engine, 4).await, SecretState::Compromised);
    let record = &leaks(&engine).await[0];
    let which = Change::new("compromisedSecret", None, Some("previous".into()));
    assert!(record.changes.contains(&which), "{record:?}");
    let before = dump(&engine).await;
    call(&engine, &scanner, &report).await;
    assert_eq!(dump(&engine).await, before);
}

#[tokio::test]
async fn a_report_of_both_secrets_of_a_token_ends_both() {
    let (engine, scanner, _) = one().await;
    let end = now() + Duration::from_mins(1);
    let stored = add(&engine, 3, |stored| with_previous(stored, 4, end)).await;
    let body = json!([found(&text(3), "a"), found(&text(4), "a")]).to_string();
    let answer = call(&engine, &scanner, &scanner.report(&body)).await;
    assert_eq!(labels(&answer), ["true_positive"; 2]);
    assert_eq!(token_of(&engine, &stored).await.status(), Status::Revoked);
    for of in [3, 4] {
        assert_eq!(state(&engine, of).await, SecretState::Compromised);
    }
    assert_eq!(leaks(&engine).await.len(), 2);
}

#[tokio::test]
async fn a_token_that_was_revoked_for_another_reason_is_known_as_leaked_from_then_on() {
    let (engine, scanner, stored) = one().await;
    engine.revoke(stored.clone()).await;
    let body = json!([found(&text(1), "a.txt")]).to_string();
    let answer = call(&engine, &scanner, &scanner.report(&body)).await;
    assert_eq!(labels(&answer), ["true_positive"]);
    let revocation = token_of(&engine, &stored).await.revocation.unwrap();
    // The earlier revocation stays, with its actor and without a reason.
    assert_eq!(revocation.reason, None);
    assert_eq!(revocation.by, owner_actor());
    let token = token_of(&engine, &stored).await;
    let refused = token.reactivate(owner_actor(), now());
    assert_eq!(refused, Err(NotReactivable::SecretCompromised));
    let leaks = leaks(&engine).await;
    let fields: Vec<_> = leaks[0]
        .changes
        .iter()
        .map(|change| change.field.as_str())
        .collect();
    let told = ["compromisedAt", "leakUrl", "leakPlace", "compromisedSecret"];
    assert_eq!(fields, told);
}

#[tokio::test]
async fn a_body_that_is_no_report_is_refused() {
    let (engine, scanner, _) = one().await;
    let before = dump(&engine).await;
    for (body, outcome) in [
        (String::new(), (400, "malformed_json")),
        ("{}".into(), (400, "malformed_json")),
        (
            json!([{"token": text(1)}]).to_string(),
            (400, "malformed_json"),
        ),
        (format!("[\"{}\"]", text(1)), (400, "malformed_json")),
    ] {
        let answer = call(&engine, &scanner, &scanner.report(&body)).await;
        assert_eq!(answer.outcome(), outcome, "{}", answer.text);
    }
    assert_eq!(dump(&engine).await, before);
    let extended = json!([{"token": "x", "type": "t", "url": null, "source": null, "new": 1}]);
    let answer = call(&engine, &scanner, &scanner.report(&extended.to_string())).await;
    assert_eq!(labels(&answer), ["false_positive"]);
}

#[tokio::test]
async fn thousands_of_finds_are_dealt_with_in_one_report_of_megabytes() {
    let (engine, scanner, _) = one().await;
    let mut stored = Vec::new();
    for of in 2..10 {
        stored.push(add(&engine, of, |_| {}).await);
    }
    let mut finds: Vec<_> = (0..1_992)
        .map(|n| found(&text(n as u8), &format!("{n}/{}", "deep/".repeat(200))))
        .collect();
    finds.extend((2..10).map(|of| found(&text(of), "again")));
    let body = json!(finds).to_string();
    assert!(body.len() > 2_000_000);
    let answer = call(&engine, &scanner, &scanner.report(&body)).await;
    let labels = labels(&answer);
    assert_eq!(labels.len(), 2_000);
    assert_eq!(labels[1..10], ["true_positive"; 9]);
    assert_eq!(labels[10], "false_positive");
    for stored in &stored {
        assert_eq!(token_of(&engine, stored).await.status(), Status::Revoked);
    }
    assert_eq!(leaks(&engine).await.len(), 9);
}

/// A store in which some writes fail, or something changes before a write. It counts reads.
struct Meanwhile<'a> {
    engine: &'a Engine,
    /// The failures of the writes to a token, in order.
    fails: Mutex<Vec<PortError>>,
    failing: Option<TokenId>,
    /// A report that is processed right before a leak is written.
    report: Mutex<Option<Event>>,
    reads: Mutex<usize>,
}

impl<'a> Meanwhile<'a> {
    fn new(engine: &'a Engine) -> Self {
        Self {
            engine,
            fails: Mutex::default(),
            failing: None,
            report: Mutex::default(),
            reads: Mutex::default(),
        }
    }
}

impl GetSecret for Meanwhile<'_> {
    async fn get_secret(&self, hash: &SecretHash) -> Result<Option<SecretRecord>, PortError> {
        *self.reads.lock().unwrap() += 1;
        self.engine.store.get_secret(hash).await
    }
}

impl GetToken for Meanwhile<'_> {
    async fn get_token(
        &self,
        account: &AccountId,
        id: &TokenId,
        now: Timestamp,
    ) -> Result<Option<StoredToken>, PortError> {
        self.engine.store.get_token(account, id, now).await
    }
}

impl CompromiseSecret for Meanwhile<'_> {
    async fn compromise_secret(&self, compromise: &Compromise) -> Result<(), PortError> {
        if let Compromise::OfToken(change) = compromise
            && self.failing.as_ref() == Some(&change.before.token.id)
            && let Some(error) = self.fails.lock().unwrap().pop()
        {
            return Err(error);
        }
        let report = self.report.lock().unwrap().take();
        if report.is_some() {
            self.engine.store.compromise_secret(compromise).await?;
        }
        self.engine.store.compromise_secret(compromise).await
    }
}

impl CacheKeys for Meanwhile<'_> {
    async fn cached_keys(&self) -> Result<CachedKeys, PortError> {
        self.engine.store.cached_keys().await
    }

    async fn claim_fetch(&self, now: Timestamp, since: Timestamp) -> Result<bool, PortError> {
        self.engine.store.claim_fetch(now, since).await
    }

    async fn cache_keys(&self, list: &str, fetched: Timestamp) -> Result<(), PortError> {
        self.engine.store.cache_keys(list, fetched).await
    }
}

impl GetRecipients for Meanwhile<'_> {
    async fn get_recipients(&self, id: &AccountId) -> Result<Option<Account>, PortError> {
        self.engine.store.get_recipients(id).await
    }
}

impl ClaimMail for Meanwhile<'_> {
    async fn claim_mail(
        &self,
        audit: &str,
        recipient: &UserId,
        now: Timestamp,
    ) -> Result<Claim, PortError> {
        self.engine.store.claim_mail(audit, recipient, now).await
    }

    async fn confirm_mail(
        &self,
        audit: &str,
        recipient: &UserId,
        now: Timestamp,
    ) -> Result<(), PortError> {
        self.engine.store.confirm_mail(audit, recipient, now).await
    }

    async fn release_mail(&self, audit: &str, recipient: &UserId) -> Result<(), PortError> {
        self.engine.store.release_mail(audit, recipient).await
    }
}

impl GetSuppression for Meanwhile<'_> {
    async fn get_suppression(&self, address: &str) -> Result<Option<Suppression>, PortError> {
        self.engine.store.get_suppression(address).await
    }
}

#[tokio::test]
async fn owner_and_administrators_are_mailed_before_the_answer_and_once() {
    let (engine, scanner, _) = one().await;
    let body = json!([found(&text(1), "a"), found(&text(1), "b")]).to_string();
    let (keys, post, system) = (keys_of(&scanner), Post::default(), system_at(now()));
    let report = scanner.report(&body);
    let answer = call_with(&engine.store, &keys, &post, &system, &report).await;
    assert_eq!(labels(&answer), ["true_positive"; 2]);
    let mails = post.take();
    let to: Vec<_> = mails.iter().map(|mail| mail.to.as_str()).collect();
    assert_eq!(to, [OWNER, ADMIN]);
    for mail in mails {
        assert!(mail.subject.ends_with("was reported as leaked"), "{mail:?}");
        // Mail programs don't turn this address into a link.
        let place = "https[:]//github[.]com/octocat/hello/blob/1a2b3c/a";
        assert!(mail.text.contains(place), "{mail:?}");
        assert!(!format!("{mail:?}").contains(&text(1)));
    }
    call_with(&engine.store, &keys, &post, &system, &report).await;
    // The stream has the same record.
    let record = leaks(&engine).await.remove(0);
    let stream = notifier(&post);
    stream
        .notify(&engine.store, &system, &record, Timestamp::MAX)
        .await
        .unwrap();
    assert_eq!(post.take(), []);
}

#[tokio::test]
async fn a_mail_that_fails_is_left_to_the_stream() {
    let (engine, scanner, stored) = one().await;
    let report = scanner.report(&json!([found(&text(1), "a")]).to_string());
    let (keys, post, system) = (keys_of(&scanner), Post::refusing(OWNER), system_at(now()));
    let answer = call_with(&engine.store, &keys, &post, &system, &report).await;
    assert_eq!(labels(&answer), ["true_positive"]);
    assert_eq!(token_of(&engine, &stored).await.status(), Status::Revoked);
    assert_eq!(post.recipients(), [ADMIN]);
    post.recover();
    let record = leaks(&engine).await.remove(0);
    let stream = notifier(&post);
    stream
        .notify(&engine.store, &system, &record, Timestamp::MAX)
        .await
        .unwrap();
    assert_eq!(post.recipients(), [OWNER]);
}

/// A clock that jumps ahead by this time after it is first read.
struct Jump(Duration, Mutex<bool>);

impl Clock for Jump {
    fn now(&self) -> Timestamp {
        let jumped = std::mem::replace(&mut *self.1.lock().unwrap(), true);
        if jumped { now() + self.0 } else { now() }
    }
}

#[tokio::test]
async fn when_the_time_is_up_the_mails_are_left_to_the_stream() {
    for (seconds, mailed) in [(9, vec![OWNER, ADMIN]), (10, vec![])] {
        let (engine, scanner, stored) = one().await;
        let report = scanner.report(&json!([found(&text(1), "a")]).to_string());
        let (keys, post) = (keys_of(&scanner), Post::default());
        let clock = Jump(Duration::from_secs(seconds), Mutex::new(false));
        let system = (clock, FixedEntropy([7; 32]));
        let answer = call_with(&engine.store, &keys, &post, &system, &report).await;
        assert_eq!(labels(&answer), ["true_positive"]);
        assert_eq!(token_of(&engine, &stored).await.status(), Status::Revoked);
        assert_eq!(post.recipients(), mailed);
    }
}

#[tokio::test]
async fn a_part_that_fails_is_asked_for_again_and_the_rest_is_kept() {
    let (engine, scanner, failing) = one().await;
    let other = add(&engine, 2, |_| {}).await;
    let body = json!([found(&text(1), "a"), found(&text(2), "a")]).to_string();
    let report = scanner.report(&body);
    let keys = keys_of(&scanner);
    let mut store = Meanwhile::new(&engine);
    let unavailable = || PortError::Unavailable("throttled".into());
    store.failing = Some(failing.token.id.clone());
    *store.fails.lock().unwrap() = (0..4).map(|_| unavailable()).collect();
    let post = Post::default();
    let answer = call_with(&store, &keys, &post, &system_at(now()), &report).await;
    assert_eq!(post.recipients(), [OWNER, ADMIN]);
    assert_eq!(answer.outcome(), (503, "unavailable"));
    assert_eq!(answer.header("retry-after"), "1");
    assert_eq!(token_of(&engine, &failing).await.status(), Status::Active);
    assert_eq!(token_of(&engine, &other).await.status(), Status::Revoked);
    *store.fails.lock().unwrap() = vec![PortError::Broken("out of order".into())];
    let answer = call_on(&store, &keys, &system_at(now()), &report).await;
    assert_eq!(answer.outcome(), (500, "internal_error"));

    let answer = call_on(&engine.store, &keys, &system_at(now()), &report).await;
    assert_eq!(labels(&answer), ["true_positive"; 2]);
    assert_eq!(token_of(&engine, &failing).await.status(), Status::Revoked);
    assert_eq!(leaks(&engine).await.len(), 2);
}

#[tokio::test]
async fn a_part_that_is_unavailable_for_a_moment_is_tried_again_within_the_request() {
    let (engine, scanner, stored) = one().await;
    let mut store = Meanwhile::new(&engine);
    store.failing = Some(stored.token.id.clone());
    *store.fails.lock().unwrap() = (0..2)
        .map(|_| PortError::Unavailable("throttled".into()))
        .collect();
    let report = scanner.report(&json!([found(&text(1), "a")]).to_string());
    let answer = call_on(&store, &keys_of(&scanner), &system_at(now()), &report).await;
    assert_eq!(labels(&answer), ["true_positive"]);
    assert_eq!(token_of(&engine, &stored).await.status(), Status::Revoked);
    assert_eq!(leaks(&engine).await.len(), 1);
}

#[tokio::test]
async fn when_the_time_is_up_the_rest_is_asked_for_again() {
    let (engine, scanner, stored) = one().await;
    let report = scanner.report(&json!([found(&text(1), "a")]).to_string());
    let clock = Jump(Duration::from_secs(15), Mutex::new(false));
    let system = (clock, FixedEntropy([7; 32]));
    let answer = call_on(&engine.store, &keys_of(&scanner), &system, &report).await;
    assert_eq!(answer.outcome(), (503, "unavailable"));
    assert_eq!(token_of(&engine, &stored).await.status(), Status::Active);
}

#[tokio::test]
async fn the_same_report_twice_at_once_is_recorded_once() {
    let (engine, scanner, _) = one().await;
    let body = json!([found(&text(1), "a")]).to_string();
    let store = Meanwhile::new(&engine);
    // The other report is written between this one's read and write.
    *store.report.lock().unwrap() = Some(sample());
    let keys = keys_of(&scanner);
    let answer = call_on(&store, &keys, &system_at(now()), &scanner.report(&body)).await;
    assert_eq!(labels(&answer), ["true_positive"]);
    assert_eq!(leaks(&engine).await.len(), 1);
}

#[tokio::test]
async fn a_malformed_secret_costs_no_look_at_the_table() {
    let (engine, scanner, _) = one().await;
    let store = Meanwhile::new(&engine);
    let body = json!([found("lka_x", "a"), found(&format!("{}0", text(1)), "a")]).to_string();
    let keys = keys_of(&scanner);
    call_on(&store, &keys, &system_at(now()), &scanner.report(&body)).await;
    assert_eq!(*store.reads.lock().unwrap(), 0);
}

#[tokio::test]
async fn nothing_is_revoked_without_its_audit_record() {
    let (engine, scanner, stored) = one().await;
    let body = json!([found(&text(1), "a")]).to_string();
    let report = scanner.report(&body);
    let keys = keys_of(&scanner);
    let broken = (FixedClock(now()), NoEntropy);
    let answer = call_on(&engine.store, &keys, &broken, &report).await;
    assert_eq!(answer.outcome(), (500, "internal_error"));
    engine.break_audit().await;
    let before = dump(&engine).await;
    let answer = call(&engine, &scanner, &report).await;
    assert_eq!(answer.outcome(), (500, "internal_error"));
    assert_eq!(token_of(&engine, &stored).await.status(), Status::Active);
    assert_eq!(dump(&engine).await, before);
}

/// Starts a server on this machine that gives these answers, one a request, and no more. Returns its address.
async fn serve(answers: impl IntoIterator<Item = String>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let answers: Vec<_> = answers.into_iter().collect();
    tokio::spawn(async move {
        for answer in answers {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = [0; 4_096];
            let length = stream.read(&mut request).await.unwrap();
            let request = String::from_utf8_lossy(&request[..length]).to_lowercase();
            assert!(request.starts_with("get /keys http/1.1"), "{request}");
            assert!(request.contains("user-agent: latchkey"), "{request}");
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    format!("http://{address}/keys")
}

fn answer(status: &str, body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}")
}

#[tokio::test]
async fn the_keys_are_asked_for_over_http() {
    let scanner = Scanner::new("key-1");
    let list = json!({"public_keys": [scanner.published(true)]}).to_string();
    let good = answer("200 OK", &list);
    let github = GitHub::new(serve([good.clone()]).await);
    assert_eq!(github.fetch_keys().await, Ok(list.clone()));
    for (status, body) in [
        ("403 Forbidden", list.clone()),
        ("302 Found", String::new()),
        ("200 OK", format!("{}{list}", " ".repeat(64 * 1024))),
    ] {
        let bad = answer(status, &body);
        let github = GitHub::new(serve([bad.clone(), good.clone()]).await);
        assert_eq!(github.fetch_keys().await, Ok(list.clone()), "{status}");
        let github = GitHub::new(serve([bad.clone(), bad]).await);
        assert!(github.fetch_keys().await.is_err(), "{status}");
    }
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let nobody = format!("http://{}/keys", closed.local_addr().unwrap());
    drop(closed);
    assert!(GitHub::new(nobody).fetch_keys().await.is_err());
    assert!(GitHub::new("no address".into()).fetch_keys().await.is_err());
}
