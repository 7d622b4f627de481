//! Items that the first release stored can be read.

use std::collections::BTreeSet;

use serde_json::Value;

use super::*;
use crate::domain::actor::Actor;
use crate::domain::audit::{Change, Origin, Source};
use crate::domain::auto_purge::AutoPurge;
use crate::domain::token::{Ciphertext, Ended, LastUse, PreviousSecret, Revocation, Status};
use crate::domain::upkeep::SentReminder;
use crate::domain::verification::{Refusal, SecretState, Seen, UsedFrom, standing};
use crate::ports::{
    CacheKeys, CachedKeys, Claim, ClaimMail, GetIdempotency, ListExpiring, ListMemberships,
    RecallSecret,
};
use crate::testing::{acme, token};

fn item(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

macro_rules! fixture {
    ($name:literal) => {
        item(include_str!(concat!("fixtures/v1/", $name, ".json")))
    };
}

fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// The current secret in the fixtures.
fn current() -> SecretHash {
    "11".repeat(32).try_into().unwrap()
}

/// The replaced secret in the fixtures.
fn replaced() -> SecretHash {
    "22".repeat(32).try_into().unwrap()
}

/// The token of the fixture with that name.
fn plain_token() -> StoredToken {
    StoredToken {
        token: Token {
            created_at: time("2026-11-20T10:00:00Z"),
            updated_at: time("2026-11-20T10:00:00Z"),
            ..token()
        },
        secret_hash: current(),
        ciphertext: Ciphertext(b"sealed".to_vec()),
        previous_hash: None,
    }
}

fn revoked_token(by: Actor, reason: &str) -> StoredToken {
    let at = time("2026-11-21T10:00:00.5Z");
    let mut stored = plain_token();
    stored.token.version = 2;
    stored.token.updated_at = at;
    stored.token.updated_by = by.clone();
    stored.token.revocation = Some(Revocation {
        at,
        by,
        reason: Some(reason.into()),
        account_deleted: false,
    });
    stored
}

/// The token of the fixture that has every attribute.
fn full_token() -> StoredToken {
    let mut stored = plain_token();
    stored.previous_hash = Some(replaced());
    stored.token = Token {
        version: 3,
        kind: Kind::IntegrationApp,
        integration_id: Some("app1".parse().unwrap()),
        auto_purge: AutoPurge::ThirtyDays,
        purge_at: Some(time("2026-12-20T10:00:00Z")),
        scope: Scope::Full,
        allowed_cidrs: vec![
            "192.0.2.0/24".parse().unwrap(),
            "2001:db8::/32".parse().unwrap(),
        ],
        last_use: Some(LastUse {
            at: time("2026-11-22T09:00:00Z"),
            ip: [192, 0, 2, 7].into(),
        }),
        previous_secret: Some(PreviousSecret {
            hint: String::new(),
            valid_until: time("2026-11-23T11:00:00Z"),
        }),
        ..stored.token
    };
    stored
}

async fn engine_with(items: &[Value]) -> Engine {
    let engine = Engine::with_accounts().await;
    engine.load_tokens(items);
    engine
}

async fn read(engine: &Engine) -> StoredToken {
    let stored = engine.stored(&acme().id, &token().id).await;
    stored.unwrap()
}

#[tokio::test]
async fn tokens_are_read() {
    let (lost, leaked) = ("lost", "leaked");
    let mut compromised = revoked_token(Actor::github(), leaked);
    compromised.token.compromised = Some(Ended {
        at: time("2026-11-21T10:00:00.5Z"),
        by: Action::Leak,
    });
    for (item, expected) in [
        (fixture!("token"), plain_token()),
        (
            fixture!("token-revoked"),
            revoked_token(owner_actor(), lost),
        ),
        (fixture!("token-leaked"), compromised),
        (fixture!("token-with-everything"), full_token()),
    ] {
        let engine = engine_with(&[item]).await;
        assert_eq!(read(&engine).await, expected);
        assert_eq!(engine.tokens(&acme().id).await, [expected.token]);
    }
}

#[tokio::test]
async fn secrets_are_read() {
    let plain = SecretRecord::of(&plain_token().token, current());
    let gone = SecretRecord {
        status: Status::Revoked,
        ..plain.clone()
    };
    let retired = SecretRecord {
        state: SecretState::Retired,
        valid_until: Some(time("2026-11-23T11:00:00Z")),
        ..SecretRecord::of(&full_token().token, replaced())
    };
    for (item, expected, standing_now) in [
        (fixture!("secret"), plain.clone(), Ok(())),
        (fixture!("secret-used"), plain, Ok(())),
        (fixture!("secret-revoked"), gone, Err(Refusal::Revoked)),
        (fixture!("secret-retired"), retired, Ok(())),
    ] {
        let engine = engine_with(&[item]).await;
        let read = secret(&engine, expected.hash).await.unwrap();
        assert_eq!(read, expected);
        let ip = Some([192, 0, 2, 7].into());
        assert_eq!(standing(Some(&read), ip, now()).map(drop), standing_now);
        // The stored uses are of earlier days.
        let from = UsedFrom::Seen([192, 0, 2, 7].into());
        let recalled = engine.store.recall_secret(&expected.hash, from, now());
        assert_eq!(recalled.await.unwrap().unwrap().0, expected);
        let seen = engine.store.get_seen(&expected.hash).await;
        assert_eq!(seen.unwrap(), Seen::default());
    }
}

#[tokio::test]
async fn a_change_makes_them_what_this_version_stores() {
    let items = [
        fixture!("token-with-everything"),
        fixture!("secret-used"),
        fixture!("secret-retired"),
    ];
    let engine = engine_with(&items).await;
    let before = read(&engine).await;
    let mut after = before.clone();
    after.token.name = "Renamed".into();
    let after = apply(&engine, &before, after).await;
    assert_eq!(read(&engine).await, after);
    for expected in SecretRecord::all_of(&after) {
        assert_eq!(secret(&engine, expected.hash).await, Some(expected));
    }
    let item = raw_token(&engine, &after.token).await.unwrap();
    let names: BTreeSet<_> = item.keys().map(String::as_str).collect();
    assert!(!names.contains("retired") && names.contains("previousSecret"));
    // The given warning stays.
    assert!(names.contains("reminded"));
    for hash in [current(), replaced()] {
        let item = raw_secret(&engine, hash).await.unwrap();
        assert!(item.contains_key("state"));
        assert!(!item.contains_key("seenDay") && !item.contains_key("seenAddresses"));
    }
    let gone = apply(&engine, &after, revoked(&after)).await;
    let retired = secret(&engine, replaced()).await.unwrap();
    assert_eq!(retired.state, SecretState::Ended);
    let regenerated = apply(&engine, &gone, rotated(&gone)).await;
    assert_eq!(read(&engine).await, regenerated);
}

#[tokio::test]
async fn a_leaked_token_needs_a_new_secret_and_its_old_one_stays_compromised() {
    let items = [fixture!("token-leaked"), fixture!("secret-revoked")];
    let engine = engine_with(&items).await;
    let before = read(&engine).await;
    assert!(before.token.reactivate(owner_actor(), now()).is_err());
    let fresh = apply(&engine, &before, rotated(&before)).await;
    let old = secret(&engine, current()).await.unwrap();
    assert_eq!(old.state, SecretState::Compromised);
    assert_eq!(old.ended, before.token.compromised);
    let item = raw_token(&engine, &before.token).await.unwrap();
    assert!(!item.contains_key("leakReported") && !item.contains_key("compromisedAt"));
    let active = fresh.token.reactivate(owner_actor(), now()).unwrap();
    apply(&engine, &fresh, fresh.with(active.unwrap(), now())).await;
}

#[tokio::test]
async fn a_warning_is_read() {
    let engine = engine_with(&[fixture!("token-with-everything")]).await;
    let (account, id) = (acme().id, token().id);
    let read = engine.store.get_expiring(&account, &id, now()).await;
    let (read, reminded) = read.unwrap().unwrap();
    let purge_at = time("2026-12-20T10:00:00Z");
    assert_eq!(reminded, Some(SentReminder { purge_at, days: 7 }));
    let until = time("2026-12-21T10:00:00Z");
    let (mut listed, mut position) = (Vec::new(), None);
    loop {
        let page = engine.store.list_expiring(now(), until, position).await;
        let page = page.unwrap();
        listed.extend(page.items);
        position = page.next;
        if position.is_none() {
            break;
        }
    }
    let ids: Vec<_> = listed
        .iter()
        .map(|it| (&it.token_id, it.reminded))
        .collect();
    assert_eq!(ids, [(&read.id, reminded)]);
}

#[tokio::test]
async fn audit_records_are_read_in_one_log_with_those_of_this_version() {
    let engine = Engine::with_accounts().await;
    let records = [
        fixture!("audit"),
        fixture!("audit-access"),
        fixture!("audit-purge"),
    ];
    engine.load_audit(&records);
    let update = AuditRecord {
        id: "aud_01ARZ3NDEKTSV4RRFFQ69G5FAV".parse().unwrap(),
        account_id: acme().id,
        time: time("2026-11-20T10:00:00Z"),
        action: Action::Update,
        origin: Origin {
            source: Source::Ui,
            user_agent: Some("Mozilla/5.0".into()),
            ..origin()
        },
        asserted_ip: None,
        token_id: token().id,
        token_name: "Warehouse sync".into(),
        token_hint: "ab12".into(),
        changes: vec![
            Change::new("name", Some("Old".into()), Some("Warehouse sync".into())),
            Change::new("description", None, Some("x".into())),
        ],
    };
    let access = AuditRecord {
        id: "aud_01ARZ3NDEKTSV4RRFFQ69G5FAW".parse().unwrap(),
        action: Action::Access,
        origin: Origin {
            source: Source::Api,
            actor: Actor::token(&token().id, "Warehouse sync"),
            ..update.origin.clone()
        },
        changes: vec![],
        ..update.clone()
    };
    let purge = AuditRecord {
        id: "aud_01ARZ3NDEKTSV4RRFFQ69G5FAX".parse().unwrap(),
        action: Action::Purge,
        origin: Origin::system(""),
        ..access.clone()
    };
    assert_eq!(engine.audit(&acme().id).await, [purge, access, update]);
}

#[tokio::test]
async fn the_record_of_a_leak_is_read() {
    let engine = Engine::with_accounts().await;
    engine.load_audit(&[fixture!("audit-leak")]);
    let log = engine.audit(&acme().id).await;
    assert_eq!(log.len(), 1);
    assert_eq!(
        (log[0].action, log[0].origin.source, &log[0].origin.actor),
        (Action::Leak, Source::LeakReport, &Actor::github())
    );
    let place = log[0].changes.iter().find(|it| it.field == "leakPlace");
    assert_eq!(place.unwrap().new.as_deref(), Some("commit"));
}

#[tokio::test]
async fn what_else_there_was_is_read() {
    let items = [
        fixture!("idempotency"),
        fixture!("membership"),
        fixture!("mail"),
        fixture!("keys"),
    ];
    let engine = Engine::start().await;
    engine.load_tokens(&items);
    let store = &engine.store;
    let expected = idempotency(&token());
    let account = acme().id;
    let found = store.get_idempotency(&account, &expected.key, now()).await;
    assert_eq!(found.unwrap(), Some(expected));
    let user = "owner-1".parse().unwrap();
    let memberships = store.list_memberships(&user).await.unwrap();
    assert_eq!(memberships, [account]);
    let claim = store
        .claim_mail("aud_01ARZ3NDEKTSV4RRFFQ69G5FAV", &user, now())
        .await;
    assert_eq!(claim.unwrap(), Claim::Sent);
    let kept = CachedKeys {
        fetched: Some(("{\"public_keys\":[]}".into(), time("2026-11-20T10:00:00Z"))),
        asked: Some(time("2026-11-20T11:00:00Z")),
    };
    assert_eq!(store.cached_keys().await.unwrap(), kept);
}
