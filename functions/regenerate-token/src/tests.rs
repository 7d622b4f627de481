use std::time::Duration;

use jiff::Timestamp;
use latchkey::app::compromise::{Compromised, Evidence, compromise};
use latchkey::domain::audit::Origin;
use latchkey::domain::auto_purge::AutoPurge;
use latchkey::domain::policy::Owner;
use latchkey::domain::secret::SecretHash;
use latchkey::domain::time::rfc3339;
use latchkey::domain::token::{Ended, NotReactivable, Token};
use latchkey::domain::verification::{
    Decision, Purpose, SecretRecord, SecretState, TOMBSTONE_LIFETIME, decide,
};
use latchkey::ports::{DecryptSecret, GetSecret};
use latchkey::testing::{
    Answer, Engine, Event, FakeVault, FixedClock, NoEntropy, acme, globex, now, owner_actor,
    system_at, token, token_at,
};
use serde_json::{Value, json};

use super::*;

async fn call(engine: &Engine, event: &Event) -> Answer {
    call_at(engine, now(), event).await
}

async fn call_at(engine: &Engine, at: Timestamp, event: &Event) -> Answer {
    call_on(engine, &FakeVault::default(), &system_at(at), event).await
}

async fn call_on(
    engine: &Engine,
    vault: &FakeVault,
    system: &(impl Clock + Entropy),
    event: &Event,
) -> Answer {
    let console = ConsoleClient::new("console");
    let request = event.request();
    Answer::of(handle(&engine.store, vault, system, &console, None, request).await)
}

/// Calls the function that wants a sign-in of the last 300 seconds.
async fn step_up(engine: &Engine, event: &Event) -> Answer {
    let (vault, system) = (FakeVault::default(), system_at(now()));
    let (console, recent) = (ConsoleClient::new("console"), StepUp::new(300, "auth_time"));
    let request = event.request();
    Answer::of(
        handle(
            &engine.store,
            &vault,
            &system,
            &console,
            Some(&recent),
            request,
        )
        .await,
    )
}

fn with_grace() -> Event {
    Event::sample(include_str!(
        "../../../events/regenerate-token/with-grace-period.json"
    ))
}

fn at_once() -> Event {
    with_grace().without_body()
}

fn new_secret(answer: &Answer) -> SecretHash {
    assert_eq!(answer.status, 200, "{}", answer.text);
    let text = answer.json["secret"].as_str().unwrap();
    PlainSecret::parse(text).unwrap().hash()
}

/// Returns whether a secret works at that time.
async fn works(engine: &Engine, secret: SecretHash, at: Timestamp) -> bool {
    let record = engine.store.get_secret(&secret).await.unwrap();
    let ip = Some([192, 0, 2, 1].into());
    matches!(
        decide(
            record.as_ref(),
            ip,
            &Purpose::TokenInfo,
            &Owner::NotRead,
            at
        ),
        Decision::Allow(_)
    )
}

/// Checks that a secret is stored as ended, with its time and reason.
async fn ended(engine: &Engine, secret: SecretHash) {
    let record = engine.store.get_secret(&secret).await.unwrap().unwrap();
    assert_eq!(record.state, SecretState::Ended);
    let (at, by) = (now(), Action::Regenerate);
    assert_eq!(record.ended, Some(Ended { at, by }));
    assert_eq!(record.token_id, token().id);
}

async fn stored(engine: &Engine) -> StoredToken {
    engine.stored(&acme().id, &token().id).await.unwrap()
}

#[tokio::test]
async fn an_old_sign_in_replaces_no_secret_and_repeats_no_answer() {
    let engine = Engine::with_accounts().await;
    engine.add(token()).await;
    let event = at_once().header("idempotency-key", "k1");
    let replaced = step_up(&engine, &event.clone().signed_in_at(now())).await;
    assert_eq!(replaced.status, 200, "{}", replaced.text);
    let before = engine.dump().await;
    for event in event.with_old_sign_ins() {
        let answer = step_up(&engine, &event).await;
        assert_eq!(answer.outcome(), (403, "step_up_required"), "{event:?}");
        assert_eq!(answer.json["maxAge"], 300);
        assert!(!answer.text.contains("Warehouse"), "{}", answer.text);
        assert_eq!(engine.dump().await, before);
    }
    let answer = step_up(&engine, &event.by("manage-1")).await;
    assert_eq!(answer.outcome(), (403, "role_required"));
}

#[tokio::test]
async fn the_token_stays_and_its_secret_is_another_one() {
    let engine = Engine::with_accounts().await;
    let earlier = now() - Duration::from_hours(1);
    let aged = Token {
        created_at: earlier,
        updated_at: earlier,
        auto_purge: AutoPurge::FourHours,
        purge_at: Some(now() + Duration::from_hours(3)),
        ..token()
    };
    let old = engine.add(aged).await;
    let answer = call(&engine, &at_once().by("admin-1")).await;
    let new = new_secret(&answer);
    assert_ne!(new, old.secret_hash);
    assert_eq!(answer.header("etag"), "\"2\"");
    let after = stored(&engine).await;
    assert_eq!(after.secret_hash, new);
    assert_eq!(after.previous_hash, None);
    assert_eq!(answer.json["token"]["hint"], after.token.hint);
    assert_eq!(answer.json["token"]["updatedBy"]["id"], "admin-1");
    let expected = Token {
        hint: after.token.hint.clone(),
        version: 2,
        updated_at: now(),
        updated_by: after.token.updated_by.clone(),
        ..old.token
    };
    assert_eq!(after.token, expected);
    let record = engine.store.get_secret(&new).await.unwrap().unwrap();
    assert_eq!(record.scope, expected.scope);
    assert_eq!(record.purge_at, expected.purge_at);
    assert_eq!(record.token_hint, expected.hint);
}

#[tokio::test]
async fn the_new_secret_can_be_shown_again_and_is_nowhere_in_plain() {
    let engine = Engine::with_accounts().await;
    engine.add(token()).await;
    let event = with_grace().header("idempotency-key", "k1");
    let answer = call(&engine, &event).await;
    let new = new_secret(&answer);
    let sealed = stored(&engine).await.ciphertext;
    let vault = FakeVault::default();
    let opened = vault.decrypt_secret(&acme().id, &token().id, &sealed).await;
    assert_eq!(opened.unwrap().hash(), new);
    let dump = engine.dump().await;
    assert!(dump.contains(&new.to_hex()));
    let random = answer.json["secret"].as_str().unwrap().get(4..47).unwrap();
    assert!(!dump.contains(random));
}

#[tokio::test]
async fn without_a_grace_period_the_old_secret_ends_at_once() {
    for event in [
        at_once(),
        at_once().without_header("content-type"),
        with_grace().body(&json!({})),
        with_grace().body(&json!({"gracePeriodSeconds": 0})),
        with_grace().body(&json!({"gracePeriodSeconds": null})),
    ] {
        let engine = Engine::with_accounts().await;
        let old = engine.add(token()).await.secret_hash;
        assert!(works(&engine, old, now()).await);
        let new = new_secret(&call(&engine, &event).await);
        assert!(works(&engine, new, now()).await);
        ended(&engine, old).await;
    }
}

#[tokio::test]
async fn with_a_grace_period_the_old_secret_works_until_its_end() {
    let engine = Engine::with_accounts().await;
    let old = engine.add(token()).await.secret_hash;
    let new = new_secret(&call(&engine, &with_grace()).await);
    let end = now() + Duration::from_hours(1);
    let just_before = end - Duration::from_nanos(1);
    assert!(works(&engine, old, now()).await);
    assert!(works(&engine, old, just_before).await);
    assert!(!works(&engine, old, end).await);
    assert!(works(&engine, new, end).await);
    // The table removes the old secret long after its end, and no other secret.
    let forgotten = end + TOMBSTONE_LIFETIME;
    engine.sweep(forgotten - Duration::from_secs(1));
    let record = engine.store.get_secret(&old).await.unwrap();
    assert!(record.is_some());
    engine.sweep(forgotten + Duration::from_secs(1));
    assert_eq!(engine.store.get_secret(&old).await.unwrap(), None);
    assert!(works(&engine, new, end).await);
}

#[tokio::test]
async fn a_grace_period_never_outlives_the_token() {
    let engine = Engine::with_accounts().await;
    let purge_at = now() + Duration::from_mins(10);
    let mortal = Token {
        auto_purge: AutoPurge::OneHour,
        purge_at: Some(purge_at),
        ..token()
    };
    let old = engine.add(mortal).await.secret_hash;
    let answer = call(&engine, &with_grace()).await;
    assert_eq!(answer.json["token"]["purgeAt"], rfc3339(purge_at));
    let after = stored(&engine).await;
    assert_eq!(after.previous_hash, Some(old));
    let previous = after.token.previous_secret.unwrap();
    assert_eq!(previous.valid_until, purge_at);
    assert!(!works(&engine, old, purge_at).await);
    assert!(!works(&engine, new_secret(&answer), purge_at).await);
}

#[tokio::test]
async fn a_second_new_secret_ends_the_grace_period_of_the_first() {
    let engine = Engine::with_accounts().await;
    let first = engine.add(token()).await.secret_hash;
    let second = new_secret(&call(&engine, &with_grace()).await);
    let third = new_secret(&call(&engine, &with_grace()).await);
    ended(&engine, first).await;
    assert!(works(&engine, second, now()).await);
    assert!(works(&engine, third, now()).await);
    // Without a grace period, as after a leak, only the newest secret works.
    let fourth = new_secret(&call(&engine, &at_once()).await);
    for secret in [first, second, third] {
        ended(&engine, secret).await;
    }
    assert!(works(&engine, fourth, now()).await);
}

#[tokio::test]
async fn a_secret_whose_item_the_table_removed_is_in_nobodys_way() {
    let engine = Engine::with_accounts().await;
    let old = engine.add(token()).await.secret_hash;
    call(&engine, &with_grace()).await;
    let later = now() + TOMBSTONE_LIFETIME + Duration::from_hours(2);
    engine.sweep(later);
    assert_eq!(engine.store.get_secret(&old).await.unwrap(), None);
    let answer = call_at(&engine, later, &with_grace()).await;
    assert!(works(&engine, new_secret(&answer), later).await);
}

#[tokio::test]
async fn a_revocation_ends_both_secrets() {
    let engine = Engine::with_accounts().await;
    let old = engine.add(token()).await.secret_hash;
    let new = new_secret(&call(&engine, &with_grace()).await);
    engine.revoke(stored(&engine).await).await;
    assert!(!works(&engine, old, now()).await);
    assert!(!works(&engine, new, now()).await);
}

#[tokio::test]
async fn a_revoked_tokens_secret_gets_no_grace_period() {
    let engine = Engine::with_accounts().await;
    let revoked = engine.add(token()).await;
    engine.revoke(revoked).await;
    let before = engine.dump().await;
    let answer = call(&engine, &with_grace()).await;
    assert_eq!(answer.outcome(), (422, "validation_failed"));
    let failure = ("gracePeriodSeconds", "token_revoked");
    assert_eq!(answer.failures(), [failure]);
    assert_eq!(engine.dump().await, before);
}

#[tokio::test]
async fn a_revoked_tokens_new_secret_works_only_once_it_is_reactivated() {
    let engine = Engine::with_accounts().await;
    let added = engine.add(token()).await;
    let old = added.secret_hash;
    engine.revoke(added).await;
    let answer = call(&engine, &at_once()).await;
    assert_eq!(answer.json["token"]["status"], "revoked");
    let new = new_secret(&answer);
    assert!(!works(&engine, new, now()).await);
    ended(&engine, old).await;

    let before = stored(&engine).await;
    let token = before.token.reactivate(owner_actor(), now());
    let token = token.unwrap().unwrap();
    let origin = latchkey::testing::origin();
    let audit = AuditRecord::new(
        Action::Reactivate,
        &token,
        vec![],
        origin,
        now(),
        &system_at(now()),
    );
    let change = TokenChange {
        after: before.with(token, now()),
        before,
        compromised: None,
        audit: audit.unwrap(),
        idempotency: None,
    };
    engine.store.change_token(&change).await.unwrap();
    assert!(works(&engine, new, now()).await);
}

#[tokio::test]
async fn a_secret_is_replaced_also_when_the_licence_for_the_tokens_lifetime_has_lapsed() {
    let engine = Engine::with_accounts().await;
    for auto_purge in [AutoPurge::Never, AutoPurge::FourHours, AutoPurge::OneHour] {
        let foreign = Token {
            account_id: globex().id,
            auto_purge,
            purge_at: auto_purge.purge_at(now()),
            ..token_at(now())
        };
        let added = engine.add(foreign).await;
        let event = at_once().account("globex").by("owner-2");
        let answer = call(&engine, &event.token(added.token.id.as_str())).await;
        let new = new_secret(&answer);
        assert!(works(&engine, new, now()).await, "{auto_purge:?}");
        assert!(!works(&engine, added.secret_hash, now()).await);
        // The token's end doesn't move.
        let purge_at = json!(added.token.purge_at.map(rfc3339));
        assert_eq!(answer.json["token"]["purgeAt"], purge_at);
    }
}

#[tokio::test]
async fn a_repeated_request_is_answered_without_the_secret_and_makes_none() {
    let engine = Engine::with_accounts().await;
    engine.add(token()).await;
    let event = with_grace().header("idempotency-key", "k1");
    let first = call(&engine, &event).await;
    let before = engine.dump().await;
    let repeat = call(&engine, &event).await;
    assert_eq!(repeat.status, 200);
    assert_eq!(repeat.json, json!({"token": first.json["token"]}));
    assert_eq!(repeat.header("etag"), "\"2\"");
    let other = event.clone().body(&json!({"gracePeriodSeconds": 60}));
    let answer = call(&engine, &other).await;
    assert_eq!(answer.outcome(), (422, "idempotency_key_reused"));
    assert_eq!(engine.dump().await, before);
    // A key belongs to its token and operation only.
    let another = engine.add(token_at(now())).await;
    let answer = call(&engine, &event.token(another.token.id.as_str())).await;
    new_secret(&answer);
}

#[tokio::test]
async fn a_repeat_is_recognised_although_its_if_match_names_the_old_version() {
    let engine = Engine::with_accounts().await;
    engine.add(token()).await;
    let event = with_grace()
        .header("idempotency-key", "k1")
        .header("if-match", "\"1\"");
    assert_eq!(call(&engine, &event).await.status, 200);
    assert_eq!(call(&engine, &event).await.status, 200);
    assert_eq!(stored(&engine).await.token.version, 2);
}

#[tokio::test]
async fn equal_requests_at_the_same_time_make_one_secret() {
    let engine = Engine::with_accounts().await;
    engine.add(token()).await;
    let event = with_grace().header("idempotency-key", "k1");
    let (one, other) = tokio::join!(call(&engine, &event), call(&engine, &event));
    assert_eq!((one.status, other.status), (200, 200));
    let secrets = [one, other].map(|answer| answer.json["secret"].is_string());
    assert_ne!(secrets[0], secrets[1]);
    assert_eq!(stored(&engine).await.token.version, 2);
}

#[tokio::test]
async fn nothing_changes_without_an_audit_record_or_encryption() {
    let engine = Engine::with_accounts().await;
    let old = engine.add(token()).await.secret_hash;
    let before = engine.dump().await;
    let vault = FakeVault::default();
    vault.fail();
    let answer = call_on(&engine, &vault, &system_at(now()), &with_grace()).await;
    assert_eq!(answer.outcome(), (503, "unavailable"));
    let broken = (FixedClock(now()), NoEntropy);
    let answer = call_on(&engine, &FakeVault::default(), &broken, &at_once()).await;
    assert_eq!(answer.outcome(), (500, "internal_error"));
    assert_eq!(engine.dump().await, before);
    engine.break_audit().await;
    let before = engine.dump().await;
    let answer = call(&engine, &at_once()).await;
    assert_eq!(answer.outcome(), (500, "internal_error"));
    assert_eq!(answer.json["secret"], Value::Null);
    assert_eq!(engine.dump().await, before);
    assert!(works(&engine, old, now()).await);
}

#[tokio::test]
async fn if_match_names_the_version_to_be_regenerated() {
    let engine = Engine::with_accounts().await;
    engine.add(token()).await;
    let answer = async |event: Event| call(&engine, &event).await;
    engine
        .refuses(with_grace().for_other_versions(1), answer)
        .await;
    let answer = call(&engine, &with_grace().header("if-match", "\"1\"")).await;
    assert_eq!(answer.status, 200);
}

#[tokio::test]
async fn a_grace_period_is_a_whole_number_of_seconds_up_to_a_day() {
    let engine = Engine::with_accounts().await;
    engine.add(token()).await;
    let before = engine.dump().await;
    for value in [
        json!(-1),
        json!(86_401),
        json!(1.5),
        json!(60.5),
        json!("60"),
        json!(true),
        json!([]),
        json!(u64::MAX),
    ] {
        let body = json!({"gracePeriodSeconds": value, "grace": 1});
        let answer = call(&engine, &with_grace().body(&body)).await;
        assert_eq!(answer.outcome(), (422, "validation_failed"), "{value}");
        let failures = [
            ("gracePeriodSeconds", "invalid_value"),
            ("grace", "unknown_field"),
        ];
        assert_eq!(answer.failures(), failures, "{value}");
    }
    let answer = call(&engine, &with_grace().raw_body("[]")).await;
    assert_eq!(answer.outcome(), (400, "malformed_json"));
    assert_eq!(engine.dump().await, before);
    let day = with_grace().body(&json!({"gracePeriodSeconds": 86_400}));
    call(&engine, &day).await;
    let previous = stored(&engine).await.token.previous_secret.unwrap();
    assert_eq!(previous.valid_until, now() + Duration::from_hours(24));
}

#[tokio::test]
async fn the_record_has_the_hints_and_the_old_secrets_end_only() {
    let engine = Engine::with_accounts().await;
    let earlier = now() - Duration::from_mins(1);
    let aged = Token {
        created_at: earlier,
        updated_at: earlier,
        ..token()
    };
    let old = engine.add(aged).await.token.hint;
    call(&engine, &with_grace().through_page()).await;
    let new = stored(&engine).await.token.hint;
    let log = engine.audit(&acme().id).await;
    assert_eq!(log.len(), 2);
    assert_eq!(log[0].action, Action::Regenerate);
    assert_eq!(log[0].time, now());
    assert_eq!(log[0].token_hint, new);
    assert_eq!(log[0].origin.actor, owner_actor());
    let end = "2026-11-23T11:00:00.000Z".to_owned();
    assert_eq!(
        log[0].changes,
        [
            Change::new("hint", Some(old.clone()), Some(new)),
            Change::new("previousSecret.hint", None, Some(old)),
            Change::new("previousSecret.validUntil", None, Some(end)),
        ]
    );
}

#[tokio::test]
async fn a_token_that_the_account_has_not_is_not_found() {
    let engine = Engine::with_accounts().await;
    let events = engine.out_of_reach(&with_grace(), false).await;
    let answer = async |event: Event| call(&engine, &event).await;
    engine.refuses(events, answer).await;
}

#[tokio::test]
async fn nobody_but_owner_and_administrator_regenerates() {
    let engine = Engine::with_accounts().await;
    engine.add(token()).await;
    let answer = async |event: Event| call(&engine, &event).await;
    engine
        .refuses(with_grace().by_the_unauthorized(), answer)
        .await;
    let answer = call(&engine, &with_grace().by("admin-1")).await;
    assert_eq!(answer.status, 200);
}

/// Evidence of a leak.
struct Leak;

impl Evidence for Leak {
    fn action(&self) -> Action {
        Action::Leak
    }

    fn reason(&self) -> &str {
        "leaked"
    }

    fn origin(&self, _: &SecretRecord) -> Origin {
        latchkey::testing::origin()
    }

    fn changes(&self) -> Vec<Change> {
        vec![]
    }
}

async fn leak(engine: &Engine, secret: SecretHash) {
    let done = compromise(&engine.store, &system_at(now()), &secret, &Leak).await;
    assert!(matches!(done, Ok(Compromised::Recorded(_))), "{done:?}");
}

async fn state(engine: &Engine, secret: SecretHash) -> SecretState {
    let record = engine.store.get_secret(&secret).await.unwrap();
    record.unwrap().state
}

#[tokio::test]
async fn a_leak_of_the_replaced_secret_ends_that_one_alone_and_for_ever() {
    let engine = Engine::with_accounts().await;
    let old = engine.add(token()).await.secret_hash;
    let new = new_secret(&call(&engine, &with_grace()).await);
    leak(&engine, old).await;
    assert!(!works(&engine, old, now()).await);
    assert!(works(&engine, new, now()).await);
    assert_eq!(stored(&engine).await.token.previous_secret, None);
    // Another secret neither revives this one nor clears its leak.
    let newest = new_secret(&call(&engine, &with_grace()).await);
    assert!(works(&engine, new, now()).await);
    assert!(works(&engine, newest, now()).await);
    assert_eq!(state(&engine, old).await, SecretState::Compromised);
}

#[tokio::test]
async fn a_leaked_secret_is_replaced_without_grace_and_its_token_can_be_reactivated() {
    let engine = Engine::with_accounts().await;
    let old = engine.add(token()).await.secret_hash;
    leak(&engine, old).await;
    let refused = stored(&engine).await.token.reactivate(owner_actor(), now());
    assert_eq!(refused, Err(NotReactivable::SecretCompromised));
    let answer = call(&engine, &with_grace()).await;
    assert_eq!(answer.failures(), [("gracePeriodSeconds", "token_revoked")]);
    let answer = call(&engine, &at_once()).await;
    new_secret(&answer);
    assert_eq!(answer.json["token"]["previousSecret"], Value::Null);
    assert_eq!(answer.json["token"]["compromisedAt"], Value::Null);
    assert_eq!(state(&engine, old).await, SecretState::Compromised);
    let token = stored(&engine).await.token.reactivate(owner_actor(), now());
    assert!(matches!(token, Ok(Some(_))));
}
