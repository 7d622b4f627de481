//! Tests on a real engine with every kind of item that this version stores: the samples of the stored form.

use std::sync::atomic::Ordering;

use latchkey::app::revoke::revoke;
use latchkey::app::verify::{Client, Verified, authenticate};
use latchkey::domain::actor::Actor;
use latchkey::domain::kind::Kind;
use latchkey::domain::secret::{PlainSecret, SecretHash};
use latchkey::domain::token::{Ciphertext, NotReactivable, Token};
use latchkey::domain::verification::Refusal;
use latchkey::ports::{ClaimMail, ListDigests, ListPreferences, ProjectPlatform};
use latchkey::system::System;
use latchkey::testing::{
    Engine, FixedEntropy, acme, now, origin, owner_actor, plain, system_at, token_at,
};
use serde_json::{Value, json};

use super::*;
use crate::breaking::breaking;

const TOKENS: &str = include_str!(concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../shared/src/store/tests/fixtures/v2/tokens.json"
));

const AUDIT: &str = include_str!(concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../shared/src/store/tests/fixtures/v2/audit.json"
));

const USUAL: Options = Options {
    at_once: false,
    dry_run: false,
};

/// What the samples say of the account's people and things: whatever of it is found was not removed.
const TRACES: [&str; 16] = [
    "acme",
    "Acme",
    "owner-1",
    "admin-1",
    "manage-1",
    "monitor-1",
    "Olive",
    "Ada Admin",
    "Max Manage",
    "Mona",
    "exp_orders",
    "app1",
    "Warehouse",
    "192.0.2.",
    "2001:db8",
    "tok_01ARZ",
];

/// The samples as those of another account with a similar id, other people, secrets and records.
fn neighbour(text: &str) -> String {
    let mut text = text.to_owned();
    for (digit, letter) in ('1'..='9').zip('a'..) {
        let [one, other] = [[digit, digit], [digit, letter.min('f')]].map(String::from_iter);
        text = text.replace(&one.repeat(32), &other.repeat(32));
    }
    for (one, other) in [
        ("acme", "neighbour"),
        ("Acme", "Neighbour"),
        ("owner-1", "member-1"),
        ("admin-1", "member-2"),
        ("manage-1", "member-3"),
        ("monitor-1", "member-4"),
        ("Olive", "Nora"),
        ("Ada Admin", "Nils"),
        ("Max Manage", "Nele"),
        ("Mona", "Noel"),
        ("exp_orders", "exp_others"),
        ("app1", "app9"),
        ("Warehouse", "Elsewhere"),
        ("192.0.2.", "198.51.100."),
        ("2001:db8", "2001:db9"),
        ("01ARZ", "01BRZ"),
    ] {
        text = text.replace(one, other);
    }
    text
}

fn items(text: &str) -> Vec<Value> {
    serde_json::from_str(text).unwrap()
}

fn pk(item: &Value) -> &str {
    item["pk"]["S"].as_str().unwrap()
}

/// The samples, of the account and of its neighbour. In these, marks of mails aren't about records of the samples.
fn of_tokens(text: &str) -> Vec<Value> {
    let mut items = items(text);
    items.retain(|item| !pk(item).starts_with("MAIL#"));
    items
}

fn secret(number: u8) -> PlainSecret {
    PlainSecret::generate(Kind::Account, &FixedEntropy([number; 32])).unwrap()
}

/// A token with a secret that can be presented.
async fn add(engine: &Engine, account: &AccountId, number: u8) -> StoredToken {
    let plain = secret(number);
    let token = Token {
        account_id: account.clone(),
        hint: plain.hint(),
        ..token_at(now())
    };
    let stored = StoredToken {
        token,
        secret_hash: plain.hash(),
        ciphertext: Ciphertext(b"sealed".to_vec()),
        previous_hash: None,
    };
    engine.insert(stored).await
}

/// Presents a secret as its bearer does.
async fn present(engine: &Engine, number: u8) -> Result<TokenId, Refusal> {
    let client = Client {
        ip: [192, 0, 2, 7].into(),
        user_agent: Some("Olive's laptop"),
        request_id: "req-1",
    };
    let (system, text) = (system_at(now()), plain(&secret(number)));
    // Each sandbox remembers on its own.
    let store = Store::new(&engine.aws, Engine::tables());
    let verified = authenticate(&store, &system, &text, client, |_| true);
    match verified.await.unwrap() {
        Verified::Granted { secret, .. } => Ok(secret.token_id),
        Verified::Refused { refusal, .. } => Err(refusal),
    }
}

/// An engine on which the account was deleted two days ago, and its neighbour lives.
async fn engine() -> Engine {
    let engine = Engine::start().await;
    engine.load_tokens(&of_tokens(&neighbour(TOKENS)));
    engine.load_tokens(&of_tokens(TOKENS));
    engine.load_audit(&items(AUDIT));
    let account = acme().id;
    add(&engine, &account, 1).await;
    present(&engine, 1).await.unwrap();
    let user = acme().members[0].id.clone();
    let record = engine.audit(&account).await[0].id.clone();
    for mail in [
        record.as_str(),
        "digest-acme-2026-11-23-1",
        "undeliverable-acme-owner-1-2026-11-23T10:00:00Z",
    ] {
        engine.store.claim_mail(mail, &user, now()).await.unwrap();
    }
    delete(&engine).await;
    engine
}

/// Does what the platform's event that the account is deleted does.
async fn delete(engine: &Engine) {
    let (account, store) = (acme().id, &engine.store);
    let at = now() - SignedDuration::from_hours(48);
    assert!(store.delete_account(&account, at).await.unwrap());
    for token in engine.tokens(&account).await {
        let (system, origin) = (system_at(now()), origin());
        let ended = revoke(
            store,
            &system,
            (&account, &token.id),
            &origin,
            Action::Revoke,
            |before, now| Ok::<_, PortError>(before.token.end_with_account(Actor::system(), now)),
        );
        ended.await.unwrap();
    }
    store.delete_integrations(&account, at).await.unwrap();
}

async fn run(engine: &Engine, options: Options) -> Summary {
    let (system, account) = (system_at(now()), acme().id);
    leave(&engine.store, &system, &account, options, |_| {}).await
}

async fn completes(engine: &Engine) -> String {
    let summary = run(engine, USUAL).await;
    assert!(summary.stopped.is_none(), "{summary}");
    summary.to_string()
}

/// The items that aren't the account's.
async fn others(engine: &Engine) -> Vec<Value> {
    let mut others = engine.token_images().await;
    others.retain(|item| !TRACES.iter().any(|trace| item.to_string().contains(trace)));
    others.sort_by_key(|item| (pk(item).to_owned(), item["sk"].to_string()));
    others
}

/// Checks that the marker of its deletion is all that is left of the account outside of the audit table.
async fn nothing_is_left(engine: &Engine, gone: &[SecretHash]) {
    for item in engine.token_images().await {
        let text = item.to_string();
        for hash in gone {
            assert!(!text.contains(&hash.to_hex()), "{item:#}");
        }
        if pk(&item) == "PROFILE#acme" {
            let mut names: Vec<_> = item.as_object().unwrap().keys().collect();
            names.sort();
            assert_eq!(names, ["deletedAt", "eventTime", "expiresAt", "pk", "sk"]);
            continue;
        }
        for trace in TRACES {
            assert!(!text.contains(trace), "{trace}: {item:#}");
        }
    }
}

/// The hashes of the account's secrets.
async fn secrets(engine: &Engine) -> Vec<SecretHash> {
    let items = engine.token_images().await;
    let own = items.iter().filter(|item| item["accountId"]["S"] == "acme");
    let hashes = own.filter_map(|item| pk(item).strip_prefix("SECRET#"));
    hashes
        .map(|hash| hash.to_owned().try_into().unwrap())
        .collect()
}

#[tokio::test]
async fn everything_goes_but_the_audit_log_and_what_is_others_stays() {
    let engine = engine().await;
    let (gone, before) = (secrets(&engine).await, others(&engine).await);
    // Each trace is there to be removed, and each kind of item of the samples.
    let dump = engine.dump().await;
    for trace in TRACES {
        assert!(dump.contains(trace), "{trace}");
    }
    assert!(gone.len() >= 9 && before.len() > 30, "{}", before.len());
    let (log, tokens) = (
        engine.audit(&acme().id).await,
        engine.tokens(&acme().id).await,
    );

    let told = run(
        &engine,
        Options {
            dry_run: true,
            ..USUAL
        },
    )
    .await;
    assert_eq!(engine.dump().await, dump);
    let done = completes(&engine).await;
    assert_eq!(done, told.to_string());

    nothing_is_left(&engine, &gone).await;
    assert_eq!(others(&engine).await, before);
    let after = engine.audit(&acme().id).await;
    assert!(log.iter().all(|record| after.contains(record)));
    let mut deleted: Vec<_> = after
        .iter()
        .filter(|record| !log.contains(record))
        .map(|record| {
            assert_eq!(record.action, Action::Delete);
            assert_eq!(record.origin.actor, Actor::system());
            record.token_id.clone()
        })
        .collect();
    deleted.sort();
    let mut expected: Vec<_> = tokens.into_iter().map(|token| token.id).collect();
    expected.sort();
    assert_eq!(deleted, expected);
    assert_eq!(completes(&engine).await, "nothing is stored of it\n");
}

#[tokio::test]
async fn an_account_that_exists_or_was_just_deleted_stays() {
    let engine = engine().await;
    let later = now() - SignedDuration::from_hours(23);
    engine.store.put_account(&acme(), later).await.unwrap();
    let before = engine.dump().await;
    for at_once in [false, true] {
        let options = Options { at_once, ..USUAL };
        let summary = run(&engine, options).await;
        assert!(
            matches!(summary.stopped, Some(Stopped::Exists)),
            "{summary}"
        );
        assert_eq!(engine.dump().await, before);
    }
    engine
        .store
        .delete_account(&acme().id, later)
        .await
        .unwrap();
    let before = engine.dump().await;
    let summary = run(&engine, USUAL).await;
    assert!(
        matches!(summary.stopped, Some(Stopped::Fresh(_))),
        "{summary}"
    );
    assert_eq!(engine.dump().await, before);
    let gone = secrets(&engine).await;
    let at_once = Options {
        at_once: true,
        ..USUAL
    };
    let summary = run(&engine, at_once).await;
    assert!(summary.stopped.is_none(), "{summary}");
    nothing_is_left(&engine, &gone).await;
}

#[tokio::test]
async fn an_id_that_comes_back_starts_clean_and_old_secrets_never_work_again() {
    let engine = engine().await;
    completes(&engine).await;
    let (account, store) = (acme().id, &engine.store);
    store.put_account(&acme(), now()).await.unwrap();
    assert_eq!(engine.count_tokens(&account).await, 0);
    assert_eq!(store.list_preferences(&account).await.unwrap(), []);
    let digests = store.list_digests(Timestamp::MAX).await.unwrap();
    assert!(digests.iter().all(|digest| digest.account_id != account));
    assert_eq!(present(&engine, 1).await, Err(Refusal::Unknown));
    let new = add(&engine, &account, 2).await;
    assert_eq!(present(&engine, 1).await, Err(Refusal::Unknown));
    assert_eq!(present(&engine, 2).await, Ok(new.token.id));
}

#[tokio::test]
async fn after_any_write_the_next_run_goes_on_and_what_is_left_does_not_work() {
    let whole = engine().await;
    let (store, writes) = breaking(&whole.aws, usize::MAX, false);
    let (system, account) = (system_at(now()), acme().id);
    let summary = leave(&store, &system, &account, USUAL, |_| {}).await;
    assert!(summary.stopped.is_none(), "{summary}");
    let writes = writes.load(Ordering::Relaxed);
    assert!(writes >= 9, "{writes}");
    for most in 0..writes {
        for unanswered in [false, true] {
            let engine = engine().await;
            let gone = secrets(&engine).await;
            let (store, _) = breaking(&engine.aws, most, unanswered);
            let broken = leave(&store, &system, &account, USUAL, |_| {}).await;
            assert!(broken.stopped.is_some(), "{most} of {writes}");
            assert!(present(&engine, 1).await.is_err());
            let log = engine.audit(&account).await;
            let recorded = log.iter().filter(|record| record.action == Action::Delete);
            let before = items(AUDIT);
            let before = before.iter().filter(|it| it["action"]["S"] == "delete");
            // A token is there, or the record of its deletion.
            let tokens = engine.count_tokens(&account).await;
            assert_eq!(tokens + recorded.count() - before.count(), 6);
            completes(&engine).await;
            nothing_is_left(&engine, &gone).await;
            assert_eq!(others(&engine).await, others(&whole).await);
        }
    }
}

#[tokio::test]
async fn an_account_that_comes_back_meanwhile_keeps_what_is_left_and_its_tokens_stay_ended() {
    let engine = engine().await;
    let (store, _) = breaking(&engine.aws, 2, false);
    let (system, account) = (system_at(now()), acme().id);
    let broken = leave(&store, &system, &account, USUAL, |_| {}).await;
    assert!(broken.stopped.is_some());
    engine.store.put_account(&acme(), now()).await.unwrap();
    let summary = run(&engine, USUAL).await;
    assert!(
        matches!(summary.stopped, Some(Stopped::Exists)),
        "{summary}"
    );
    let left = engine.tokens(&account).await;
    assert!(!left.is_empty());
    for token in left {
        let (reactivated, id) = (token.reactivate(owner_actor(), now()), token.id.clone());
        assert_eq!(reactivated, Err(NotReactivable::AccountDeleted));
        // The removal's own transaction refuses too, whatever it read before.
        let stored = engine.stored(&account, &id).await.unwrap();
        let audit = AuditRecord::new(Action::Delete, &token, vec![], origin(), now(), &System);
        let erased = engine.store.erase_token(&stored, &audit.unwrap()).await;
        assert!(matches!(erased, Err(PortError::Conflict)));
    }
    assert!(present(&engine, 1).await.is_err());
    let records = HashSet::new();
    let remnants = engine.store.scan_remnants(&account, &records, None);
    let (remnants, ..) = remnants.await.unwrap();
    let erased = engine.store.erase(&account, &remnants).await;
    assert!(matches!(erased, Err(PortError::Conflict)));
}

#[tokio::test]
async fn a_use_that_is_recorded_after_its_secret_went_goes_too() {
    let engine = engine().await;
    let gone = secrets(&engine).await;
    let late = |hash: &SecretHash| {
        let key = format!("SEEN#{}", hash.to_hex());
        json!({"pk": {"S": key}, "sk": {"S": "SEEN"}, "addresses": {"SS": ["192.0.2.9"]}})
    };
    let late: Vec<_> = gone.iter().map(late).collect();
    let (system, account) = (system_at(now()), acme().id);
    let progress = |_| engine.load_tokens(&late);
    let summary = leave(&engine.store, &system, &account, USUAL, progress).await;
    assert!(summary.stopped.is_none(), "{summary}");
    nothing_is_left(&engine, &gone).await;
}

#[tokio::test]
async fn tokens_that_the_platforms_event_did_not_end_are_ended() {
    // The event's function gave up, and the marker of the deletion is gone since.
    let engine = Engine::with_accounts().await;
    let (account, stored) = (acme().id, add(&engine, &acme().id, 1).await);
    assert_eq!(present(&engine, 1).await, Ok(stored.token.id));
    engine.store.delete_account(&account, now()).await.unwrap();
    assert!(engine.sweep(now() + MARK_LIFETIME + SignedDuration::from_hours(1)) > 0);
    assert_eq!(
        engine.store.deletion(&account, now()).await.unwrap(),
        (Standing::Unknown, None)
    );
    completes(&engine).await;
    assert_eq!(present(&engine, 1).await, Err(Refusal::Unknown));
    assert_eq!(engine.count_tokens(&account).await, 0);
}
