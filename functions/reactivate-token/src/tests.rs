use std::time::Duration;

use latchkey::app::compromise::{Compromised, Evidence, compromise};
use latchkey::domain::actor::Actor;
use latchkey::domain::audit::{AuditRecord, Change, Origin, Source};
use latchkey::domain::auto_purge::AutoPurge;
use latchkey::domain::policy::Owner;
use latchkey::domain::secret::SecretHash;
use latchkey::domain::time::rfc3339;
use latchkey::domain::token::{Ciphertext, Ended, NewSecret, StoredToken, Token};
use latchkey::domain::verification::{Decision, Purpose, SecretRecord, SecretState, decide};
use latchkey::ports::{GetSecret, ProjectPlatform};
use latchkey::testing::{
    Answer, Engine, Event, FixedClock, NoEntropy, acme, globex, now, origin, owner_actor,
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

fn reactivate() -> Event {
    Event::sample(include_str!(
        "../../../events/reactivate-token/reactivate.json"
    ))
}

async fn with_revoked(token: Token) -> (Engine, StoredToken) {
    let engine = Engine::with_accounts().await;
    let added = engine.add(token).await;
    let revoked = engine.revoke(added).await;
    (engine, revoked)
}

/// Returns whether a secret works that long after now.
async fn works(engine: &Engine, secret: SecretHash, after: Duration) -> bool {
    let record = engine.store.get_secret(&secret).await.unwrap();
    let ip = Some([192, 0, 2, 1].into());
    matches!(
        decide(
            record.as_ref(),
            ip,
            &Purpose::TokenInfo,
            &Owner::NotRead,
            now() + after
        ),
        Decision::Allow(_)
    )
}

#[tokio::test]
async fn token_and_secret_are_active_again_together() {
    let (engine, revoked) = with_revoked(token()).await;
    assert!(!works(&engine, revoked.secret_hash, Duration::ZERO).await);
    let answer = call(&engine, &reactivate().by("admin-1")).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("etag"), "\"3\"");
    assert!(works(&engine, revoked.secret_hash, Duration::ZERO).await);
    for (field, value) in [
        ("id", json!(token().id)),
        ("status", json!("active")),
        ("version", json!(3)),
        ("revokedAt", Value::Null),
        ("revokedBy", Value::Null),
        ("revocationReason", Value::Null),
        ("updatedAt", json!(rfc3339(now()))),
    ] {
        assert_eq!(answer.json[field], value, "{field}");
    }
    assert_eq!(answer.json["updatedBy"]["id"], "admin-1");
    let stored = engine.stored(&acme().id, &token().id).await.unwrap();
    assert_eq!(stored.token.revocation, None);
    assert_eq!(stored.secret_hash, revoked.secret_hash);
    assert_eq!(stored.ciphertext, revoked.ciphertext);
}

#[tokio::test]
async fn the_reactivation_is_on_record_with_what_changed() {
    let earlier = now() - Duration::from_mins(1);
    let engine = Engine::with_accounts().await;
    let aged = Token {
        created_at: earlier,
        ..token()
    };
    let before = engine.add(aged).await;
    let reason = Some("The warehouse moved".to_owned());
    let revoked = before.token.revoke(owner_actor(), earlier, reason.clone());
    change(&engine, before, |before| {
        before.with(revoked.unwrap(), now())
    })
    .await;
    call(&engine, &reactivate().through_page()).await;
    let log = engine.audit(&acme().id).await;
    let record = log
        .iter()
        .find(|record| record.action == Action::Reactivate);
    let record = record.unwrap();
    assert_eq!(log.len(), 3);
    assert_eq!(record.time, now());
    assert_eq!(record.token_id, token().id);
    assert_eq!(record.origin.source, Source::Ui);
    assert_eq!(record.origin.actor, owner_actor());
    assert_eq!(
        record.changes,
        [
            Change::new("status", Some("revoked".into()), Some("active".into())),
            Change::new("revocationReason", reason, None),
        ]
    );
}

/// Changes a token's state.
async fn change(
    engine: &Engine,
    before: StoredToken,
    after: impl FnOnce(&StoredToken) -> StoredToken,
) -> StoredToken {
    let after = after(&before);
    let system = system_at(now());
    let audit = AuditRecord::new(
        Action::Update,
        &after.token,
        vec![],
        origin(),
        now(),
        &system,
    );
    let change = TokenChange {
        before,
        after,
        compromised: None,
        audit: audit.unwrap(),
        idempotency: None,
    };
    engine.store.change_token(&change).await.unwrap();
    change.after
}

/// Returns a new secret.
fn another_secret() -> NewSecret {
    let plain = plain_secret();
    NewSecret {
        hash: plain.hash(),
        hint: plain.hint(),
        ciphertext: Ciphertext(b"sealed".to_vec()),
    }
}

/// Replaces a token's secret, with an hour's grace period.
async fn regenerate(engine: &Engine, before: StoredToken) -> StoredToken {
    let hour = jiff::SignedDuration::from_hours(1);
    let again =
        |before: &StoredToken| before.regenerate(another_secret(), hour, owner_actor(), now());
    change(engine, before, again).await
}

#[tokio::test]
async fn a_replaced_secret_does_not_come_back_although_its_grace_period_is_not_over() {
    let engine = Engine::with_accounts().await;
    let added = engine.add(token()).await;
    let old = added.secret_hash;
    let replaced = regenerate(&engine, added).await;
    let new = replaced.secret_hash;
    assert!(works(&engine, old, Duration::ZERO).await);
    engine.revoke(replaced).await;
    let answer = call(&engine, &reactivate()).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.json["previousSecret"], Value::Null);
    assert!(works(&engine, new, Duration::ZERO).await);
    assert!(!works(&engine, old, Duration::ZERO).await);
    let tombstone = engine.store.get_secret(&old).await.unwrap().unwrap();
    assert_eq!(tombstone.state, SecretState::Ended);
    let (at, by) = (now(), Action::Revoke);
    assert_eq!(tombstone.ended, Some(Ended { at, by }));
}

#[tokio::test]
async fn a_replaced_secret_whose_grace_period_is_over_does_not_come_back() {
    let engine = Engine::with_accounts().await;
    let added = engine.add(token()).await;
    let old = added.secret_hash;
    let replaced = regenerate(&engine, added).await;
    let new = replaced.secret_hash;
    let later = now() + Duration::from_hours(2);
    let revoked = replaced.token.revoke(owner_actor(), later, None);
    change(&engine, replaced, |before| {
        before.with(revoked.unwrap(), later)
    })
    .await;
    let answer = call_on(&engine, &system_at(later), &reactivate()).await;
    assert_eq!(answer.status, 200);
    assert!(works(&engine, new, Duration::ZERO).await);
    assert!(!works(&engine, old, Duration::ZERO).await);
    assert!(engine.store.get_secret(&old).await.unwrap().is_some());
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
        origin()
    }

    fn changes(&self) -> Vec<Change> {
        vec![]
    }
}

async fn leak(engine: &Engine, secret: SecretHash) {
    let done = compromise(&engine.store, &system_at(now()), &secret, &Leak).await;
    assert!(matches!(done, Ok(Compromised::Recorded(_))), "{done:?}");
}

#[tokio::test]
async fn a_token_whose_secret_leaked_stays_revoked_until_it_has_a_new_one() {
    let engine = Engine::with_accounts().await;
    let leaked = engine.add(token()).await.secret_hash;
    leak(&engine, leaked).await;
    let refused = (409, "secret_compromised");
    let answer = async |event: Event| call(&engine, &event).await;
    engine.refuses([(reactivate(), refused)], answer).await;
    assert!(!works(&engine, leaked, Duration::ZERO).await);

    let before = engine.stored(&acme().id, &token().id).await.unwrap();
    let replaced = regenerate(&engine, before).await;
    let answer = call(&engine, &reactivate()).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.json["compromisedAt"], Value::Null);
    assert!(works(&engine, replaced.secret_hash, Duration::ZERO).await);
    assert!(!works(&engine, leaked, Duration::ZERO).await);
    let tombstone = engine.store.get_secret(&leaked).await.unwrap().unwrap();
    assert_eq!(tombstone.state, SecretState::Compromised);
}

#[tokio::test]
async fn a_token_that_was_revoked_before_its_secret_leaked_is_not_reactivated_either() {
    let (engine, revoked) = with_revoked(token()).await;
    leak(&engine, revoked.secret_hash).await;
    let refused = (409, "secret_compromised");
    let answer = async |event: Event| call(&engine, &event).await;
    engine.refuses([(reactivate(), refused)], answer).await;
    assert!(!works(&engine, revoked.secret_hash, Duration::ZERO).await);
}

#[tokio::test]
async fn a_leaked_replaced_secret_never_comes_back_with_its_token() {
    let engine = Engine::with_accounts().await;
    let added = engine.add(token()).await;
    let old = added.secret_hash;
    let new = regenerate(&engine, added).await.secret_hash;
    leak(&engine, old).await;
    let stored = engine.stored(&acme().id, &token().id).await.unwrap();
    assert_eq!(stored.token.revocation, None);
    engine.revoke(stored).await;
    assert_eq!(call(&engine, &reactivate()).await.status, 200);
    assert!(works(&engine, new, Duration::ZERO).await);
    assert!(!works(&engine, old, Duration::ZERO).await);
    let tombstone = engine.store.get_secret(&old).await.unwrap().unwrap();
    assert_eq!(tombstone.state, SecretState::Compromised);
}

#[tokio::test]
async fn a_token_that_ended_with_its_account_stays_ended_when_the_accounts_id_returns() {
    let (engine, revoked) = with_revoked(token()).await;
    let deletion = now() + Duration::from_secs(1);
    let deleted = engine.store.delete_account(&acme().id, deletion).await;
    assert!(deleted.unwrap());
    let ended = revoked.token.end_with_account(Actor::system(), deletion);
    change(&engine, revoked, |before| {
        before.with(ended.unwrap(), deletion)
    })
    .await;
    let returned = now() + Duration::from_secs(2);
    engine.store.put_account(&acme(), returned).await.unwrap();
    let refused = (409, "account_deleted");
    let answer = async |event: Event| call(&engine, &event).await;
    engine.refuses([(reactivate(), refused)], answer).await;
}

#[tokio::test]
async fn the_purge_time_stays() {
    let purge_at = now() + Duration::from_mins(10);
    let mortal = Token {
        auto_purge: AutoPurge::OneHour,
        purge_at: Some(purge_at),
        ..token()
    };
    let (engine, _) = with_revoked(mortal).await;
    let answer = call(&engine, &reactivate()).await;
    assert_eq!(answer.json["purgeAt"], rfc3339(purge_at));
}

#[tokio::test]
async fn a_longer_lifetime_needs_the_licence() {
    let engine = Engine::with_accounts().await;
    for (auto_purge, status) in [
        (AutoPurge::Never, 403),
        (AutoPurge::ThirtyDays, 403),
        (AutoPurge::OneHour, 200),
    ] {
        let foreign = Token {
            account_id: globex().id,
            auto_purge,
            purge_at: auto_purge.purge_at(now()),
            ..token_at(now())
        };
        let added = engine.add(foreign).await;
        let revoked = engine.revoke(added).await;
        let before = engine.dump().await;
        let event = reactivate().account("globex").by("owner-2");
        let answer = call(&engine, &event.token(revoked.token.id.as_str())).await;
        assert_eq!(answer.status, status, "{auto_purge:?}");
        if status == 403 {
            assert_eq!(answer.json["code"], "api_management_license_required");
            assert_eq!(engine.dump().await, before);
        }
    }
}

#[tokio::test]
async fn reactivating_an_active_token_changes_and_records_nothing() {
    let (engine, _) = with_revoked(token()).await;
    let first = call(&engine, &reactivate()).await;
    let before = engine.dump().await;
    let second = call(&engine, &reactivate().by("admin-1")).await;
    assert_eq!(second.status, 200);
    assert_eq!(second.json, first.json);
    assert_eq!(second.header("etag"), "\"3\"");
    assert_eq!(engine.dump().await, before);
}

#[tokio::test]
async fn nothing_is_reactivated_without_its_audit_record() {
    let (engine, revoked) = with_revoked(token()).await;
    let broken = (FixedClock(now()), NoEntropy);
    let answer = call_on(&engine, &broken, &reactivate()).await;
    assert_eq!(answer.outcome(), (500, "internal_error"));
    engine.break_audit().await;
    let before = engine.dump().await;
    let answer = call(&engine, &reactivate()).await;
    assert_eq!(answer.outcome(), (500, "internal_error"));
    assert_eq!(engine.dump().await, before);
    assert!(!works(&engine, revoked.secret_hash, Duration::ZERO).await);
}

#[tokio::test]
async fn if_match_names_the_version_to_be_reactivated() {
    let (engine, _) = with_revoked(token()).await;
    let answer = async |event: Event| call(&engine, &event).await;
    engine
        .refuses(reactivate().for_other_versions(2), answer)
        .await;
    let answer = call(&engine, &reactivate().header("if-match", "\"2\"")).await;
    assert_eq!(answer.status, 200);
}

#[tokio::test]
async fn a_reactivation_takes_no_fields() {
    let (engine, _) = with_revoked(token()).await;
    let json = reactivate().header("content-type", "application/json");
    let answer = call(&engine, &json.clone().body(&json!({"reason": "x"}))).await;
    assert_eq!(answer.outcome(), (422, "validation_failed"));
    assert_eq!(answer.failures(), [("reason", "unknown_field")]);
    assert_eq!(call(&engine, &json.body(&json!({}))).await.status, 200);
}

#[tokio::test]
async fn a_token_that_the_account_has_not_is_not_found() {
    let engine = Engine::with_accounts().await;
    let events = engine.out_of_reach(&reactivate(), true).await;
    let answer = async |event: Event| call(&engine, &event).await;
    engine.refuses(events, answer).await;
}

#[tokio::test]
async fn nobody_but_owner_and_administrator_reactivates() {
    let (engine, _) = with_revoked(token()).await;
    let answer = async |event: Event| call(&engine, &event).await;
    engine
        .refuses(reactivate().by_the_unauthorized(), answer)
        .await;
    assert_eq!(call(&engine, &reactivate().by("admin-1")).await.status, 200);
}
