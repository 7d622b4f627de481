//! Compares every kind of item as it is stored now with committed samples, and checks what is read from the samples.
//!
//! A difference means that the stored form has changed: a deployment then meets items of both forms and must read both.
//! Until this form is released, `LATCHKEY_UPDATE_FIXTURES=1` renews the samples. After the release, the samples and the
//! test that reads them stay as they are, and a new form gets samples of its own.

use std::fmt::Write;

use serde_json::{Value, json};

use super::*;
use crate::domain::account::Account;
use crate::domain::actor::Actor;
use crate::domain::audit::{Change, DAYS_REFUSED, Origin, Source};
use crate::domain::auto_purge::AutoPurge;
use crate::domain::budget::Budget;
use crate::domain::integration::Integration;
use crate::domain::mailing::{Digest, DigestEntry, DigestPeriod, SuppressionReason};
use crate::domain::paging::{IntegrationQuery, ResourceFilter, ResourceQuery};
use crate::domain::preferences::{MailPreferences, MailTiming};
use crate::domain::resource::{Resource, ResourceRef, ResourceType};
use crate::domain::token::{Ciphertext, Ended, LastUse, PreviousSecret};
use crate::domain::upkeep::SentReminder;
use crate::domain::verification::{Refusal, RefusedDays, Sighting, UsedFrom};
use crate::ports::{
    AddToDigest, CacheKeys, Claim, ClaimMail, Compromise, CompromiseSecret, DeleteToken,
    GetAccount, GetIdempotency, GetRecipients, GetSuppression, ListDigests, ListExpiring,
    ListIntegrations, ListMemberships, ListPreferences, ListResources, NoteFinding,
    ProjectPlatform, PutPreferences, RecallSecret, RecordAudit, RecordReminder, RecordUse,
    Reminder, SpendBudget, SuppressAddress, Use,
};
use crate::testing::{acme, globex, token};

const TOKENS: &str = include_str!("fixtures/v2/tokens.json");
const AUDIT: &str = include_str!("fixtures/v2/audit.json");

/// CloudTrail's id of a call that was told.
const FINDING: &str = "91235988-eb87-476a-ac2c-0cdc244e6dca";

fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// A secret of the samples, by its repeated digits.
fn sample_hash(pair: &str) -> SecretHash {
    pair.repeat(32).try_into().unwrap()
}

/// The repeated digits of the samples' secrets.
const PAIRS: [&str; 9] = ["11", "22", "33", "44", "55", "66", "77", "88", "99"];

fn sample_id(end: &str) -> TokenId {
    format!("tok_01ARZ3NDEKTSV4RRFFQ69G5F{end}")
        .parse()
        .unwrap()
}

/// The ends of the ids of the samples' tokens.
const IDS: [&str; 6] = ["AV", "B1", "B2", "B3", "B4", "B5"];

fn sample(end: &str, pair: &str) -> StoredToken {
    StoredToken {
        token: Token {
            id: sample_id(end),
            ..token()
        },
        secret_hash: sample_hash(pair),
        ciphertext: Ciphertext(b"sealed".to_vec()),
        previous_hash: None,
    }
}

fn full_sample() -> StoredToken {
    let mut lists = ResourceLists::default();
    for kind in ResourceType::ALL {
        lists.of_mut(kind).insert("one".parse().unwrap());
    }
    let stored = sample("B1", "22");
    StoredToken {
        previous_hash: Some(sample_hash("33")),
        token: Token {
            kind: Kind::IntegrationApp,
            integration_id: Some("app1".parse().unwrap()),
            auto_purge: AutoPurge::ThirtyDays,
            purge_at: Some(time("2026-12-23T10:00:00Z")),
            scope: Scope::Custom(lists),
            allowed_cidrs: vec![
                "192.0.2.0/24".parse().unwrap(),
                "2001:db8::/32".parse().unwrap(),
            ],
            previous_secret: Some(PreviousSecret {
                hint: "wxyz".into(),
                valid_until: time("2026-11-23T11:00:00.5Z"),
            }),
            ..stored.token
        },
        ..stored
    }
}

/// Makes audit records with consecutive ids.
struct Records(u8);

impl Records {
    fn next(&mut self, action: Action, token: &Token) -> AuditRecord {
        self.0 += 1;
        AuditRecord {
            id: format!("aud_01ARZ3NDEKTSV4RRFFQ69G5{:03}", self.0)
                .parse()
                .unwrap(),
            origin: Origin {
                source: Source::Ui,
                trace_id: Some("1-5e66d96f-7491f09e0a79d18acf3d0505".parse().unwrap()),
                ..origin()
            },
            ..record(action, token)
        }
    }

    async fn create(&mut self, engine: &Engine, stored: &StoredToken) {
        let new = NewToken {
            stored: stored.clone(),
            audit: self.next(Action::Create, &stored.token),
            idempotency: None,
        };
        engine.store.insert_token(&new).await.unwrap();
    }

    fn change(&mut self, before: &StoredToken, after: StoredToken, action: Action) -> TokenChange {
        TokenChange {
            before: before.clone(),
            audit: self.next(action, &after.token),
            after,
            compromised: None,
            idempotency: None,
        }
    }
}

async fn write_platform(engine: &Engine) {
    let store = &engine.store;
    let (then, deleted) = (
        time("2026-11-20T10:00:00Z"),
        time("2026-11-22T12:00:00.25Z"),
    );
    for account in [acme(), globex()] {
        store.put_account(&account, then).await.unwrap();
    }
    for account in [globex().id, "initech".parse().unwrap()] {
        store.delete_account(&account, deleted).await.unwrap();
    }
    for (id, app) in [("exp_orders", None), ("exp_app", Some("app1"))] {
        let resource = Resource {
            account_id: acme().id,
            kind: ResourceType::Export,
            id: id.parse().unwrap(),
            name: format!("The {id}"),
            integration_id: app.map(|app| app.parse().unwrap()),
        };
        store.put_resource(&resource, then).await.unwrap();
    }
    let gone = ResourceRef {
        kind: ResourceType::Import,
        id: "imp_gone".parse().unwrap(),
    };
    let account = acme().id;
    let deletion = store.delete_resource(&account, &gone, deleted);
    deletion.await.unwrap();
    let app = Integration {
        account_id: acme().id,
        id: "app1".parse().unwrap(),
        name: "The app1".into(),
    };
    store.put_integration(&app, then).await.unwrap();
    let gone = "app_gone".parse().unwrap();
    let deletion = store.delete_integration(&account, &gone, deleted);
    deletion.await.unwrap();
}

async fn write_tokens(engine: &Engine, records: &mut Records) {
    let store = &engine.store;
    let plain = sample("AV", "11");
    let mut new = NewToken {
        audit: records.next(Action::Create, &plain.token),
        idempotency: Some(idempotency(&plain.token)),
        stored: plain,
    };
    new.audit.changes = vec![
        Change::new("name", None, Some("Warehouse sync".into())),
        Change::new("description", Some("old\nlines".into()), None),
    ];
    store.insert_token(&new).await.unwrap();

    let full = full_sample();
    records.create(engine, &full).await;
    let reminded = SentReminder {
        purge_at: full.token.purge_at.unwrap(),
        days: 7,
    };
    let audit = records.next(Action::Remind, &full.token);
    let reminder = Reminder { reminded, audit };
    store.record_reminder(&reminder).await.unwrap();

    // A secret that was replaced and ended, and a revoked one.
    let first = sample("B2", "44");
    records.create(engine, &first).await;
    let new_secret = NewSecret {
        hash: sample_hash("55"),
        hint: "cd34".into(),
        ciphertext: Ciphertext(b"sealed again".to_vec()),
    };
    let grace = SignedDuration::from_secs(600);
    let second = first.regenerate(new_secret, grace, owner_actor(), later(1));
    let change = records.change(&first, second, Action::Regenerate);
    store.change_token(&change).await.unwrap();
    let second = change.after;
    let reason = Some("lost".into());
    let token = second.token.revoke(owner_actor(), later(2), reason);
    let revoked = second.with(token.unwrap(), later(2));
    let change = records.change(&second, revoked, Action::Revoke);
    store.change_token(&change).await.unwrap();

    let leaked = sample("B3", "66");
    records.create(engine, &leaked).await;
    let (at, by) = (later(3), Action::Leak);
    let ended = Ended { at, by };
    let token = leaked.token.compromise(Actor::github(), ended, "leaked");
    let mut change = records.change(&leaked, leaked.with(token, at), Action::Leak);
    change.compromised = Some(leaked.secret_hash);
    let compromise = Compromise::OfToken(Box::new(change));
    store.compromise_secret(&compromise).await.unwrap();

    let ended_with_account = sample("B4", "77");
    records.create(engine, &ended_with_account).await;
    let token = ended_with_account
        .token
        .end_with_account(Actor::system(), later(4));
    let after = ended_with_account.with(token.unwrap(), later(4));
    let change = records.change(&ended_with_account, after, Action::Revoke);
    store.change_token(&change).await.unwrap();

    // The secrets of deleted tokens stay.
    for (end, pair) in [("B5", "88"), ("B6", "99")] {
        let deleted = sample(end, pair);
        records.create(engine, &deleted).await;
        let audit = records.next(Action::Delete, &deleted.token);
        store.delete_token(&deleted, &audit).await.unwrap();
    }
    let tombstone = secret(engine, sample_hash("99")).await.unwrap();
    let audit = records.next(Action::Leak, &sample("B6", "99").token);
    let compromise = Compromise::OfTombstone(Box::new(tombstone), ended, Box::new(audit));
    store.compromise_secret(&compromise).await.unwrap();
}

async fn write_uses(engine: &Engine, records: &mut Records) {
    let token = sample("AV", "11").token;
    let day = "2026-11-23".parse().unwrap();
    let seen = |last: u8| UsedFrom::Seen([192, 0, 2, last].into());
    let asserted = UsedFrom::Asserted("2001:db8::7".parse().unwrap());
    let days = RefusedDays {
        last: day,
        count: 2,
    };
    for sighting in [
        Sighting::Day(day, seen(1)),
        Sighting::Address(day, seen(2)),
        Sighting::Address(day, asserted),
        Sighting::Crowd(494_890),
        Sighting::Refused(Refusal::Address, days),
        Sighting::Refused(Refusal::Revoked, days),
    ] {
        let refusal = matches!(sighting, Sighting::Refused(..));
        let action = if refusal {
            Action::Refused
        } else {
            Action::Access
        };
        let mut audit = records.next(action, &token);
        audit.origin.source = Source::Api;
        audit.origin.actor = Actor::token(&token.id, &token.name);
        if let Sighting::Address(_, UsedFrom::Asserted(ip)) = sighting {
            audit.asserted_ip = Some(ip);
        }
        if refusal {
            audit.changes = vec![Change::new(DAYS_REFUSED, None, Some("2".into()))];
        }
        let last_use = LastUse {
            at: later(60),
            ip: [192, 0, 2, 2].into(),
        };
        let used = Use {
            secret: sample_hash("11"),
            sighting,
            last_use: Some(last_use).filter(|_| !refusal),
            audit,
        };
        engine.store.record_use(&used).await.unwrap();
    }
    let mut purge = records.next(Action::Purge, &token);
    purge.origin = Origin::system("");
    engine.store.record_audit(&purge).await.unwrap();
}

fn a_digest_of_a_day() -> Digest {
    Digest {
        period: DigestPeriod::day_of(now()),
        ..a_digest()
    }
}

fn a_digest() -> Digest {
    Digest {
        account_id: acme().id,
        user_id: "owner-1".parse().unwrap(),
        period: DigestPeriod::Hour(now()),
    }
}

async fn write_the_rest(engine: &Engine, records: &mut Records) {
    let store = &engine.store;
    let user = acme().members[0].id.clone();
    for audit in ["aud_1", "aud_2"] {
        store.claim_mail(audit, &user, now()).await.unwrap();
    }
    store.confirm_mail("aud_2", &user, later(1)).await.unwrap();
    let held = DigestEntry::from(&records.next(Action::Update, &token()));
    store
        .add_to_digest(&a_digest(), &held, now())
        .await
        .unwrap();
    store
        .add_to_digest(&a_digest_of_a_day(), &held, now())
        .await
        .unwrap();
    let chosen = MailPreferences {
        create: MailTiming::Daily,
        access: MailTiming::Daily,
        change: MailTiming::Immediate,
    };
    store
        .put_preferences(&acme().id, &user, &chosen)
        .await
        .unwrap();
    for (address, why) in [
        ("gone@acme.example", SuppressionReason::Bounced),
        ("cross@acme.example", SuppressionReason::Complained),
    ] {
        store.suppress_address(address, why, now()).await.unwrap();
    }
    let asked = store.claim_fetch(later(1), now()).await;
    assert!(asked.unwrap());
    let keys = "{\"public_keys\":[]}";
    store.cache_keys(keys, now()).await.unwrap();
    store.note_finding(FINDING, later(15)).await.unwrap();
    for budget in [
        Budget::Reveal(user.clone()),
        Budget::Change,
        Budget::Token,
        Budget::Mail(user),
    ] {
        let spent = store.spend_budget(&acme().id, &budget, now()).await;
        spent.unwrap();
    }
}

/// The items and their attributes, sorted.
fn sorted(mut items: Vec<Value>) -> Vec<Value> {
    fn sort(value: &mut Value) {
        match value {
            Value::Object(members) => {
                let mut all: Vec<_> = std::mem::take(members).into_iter().collect();
                all.sort_by(|(one, _), (other, _)| one.cmp(other));
                for (_, value) in &mut all {
                    sort(value);
                }
                members.extend(all);
            }
            // DynamoDB's sets have no order; our lists of texts are sorted anyway.
            Value::Array(values) => {
                values.iter_mut().for_each(sort);
                if values.iter().all(Value::is_string) {
                    values.sort_by_key(ToString::to_string);
                }
            }
            _ => {}
        }
    }
    items.iter_mut().for_each(sort);
    items.sort_by_key(|item| (item["pk"].to_string(), item["sk"].to_string()));
    items
}

fn as_file(items: &[Value]) -> String {
    serde_json::to_string_pretty(items).unwrap() + "\n"
}

#[tokio::test]
async fn what_is_written_is_what_the_samples_have() {
    let (engine, mut records) = (Engine::start().await, Records(100));
    write_platform(&engine).await;
    write_tokens(&engine, &mut records).await;
    write_uses(&engine, &mut records).await;
    write_the_rest(&engine, &mut records).await;
    let written = [engine.token_images().await, engine.audit_images().await];
    for ((items, kept), name) in written
        .into_iter()
        .zip([TOKENS, AUDIT])
        .zip(["tokens", "audit"])
    {
        let mut items = sorted(items);
        for item in &mut items {
            // The marks of writes are random.
            if let Some(mark) = item.get_mut("writtenBy") {
                assert_eq!(mark["S"].as_str().map(str::len), Some(32), "{mark}");
                *mark = json!({"S": "0".repeat(32)});
            }
        }
        if std::env::var_os("LATCHKEY_UPDATE_FIXTURES").is_some() {
            let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/store/tests/fixtures/v2");
            std::fs::write(format!("{folder}/{name}.json"), as_file(&items)).unwrap();
            continue;
        }
        let kept: Vec<Value> = serde_json::from_str(kept).unwrap();
        for item in &items {
            assert!(kept.contains(item), "not among the samples: {item:#}");
        }
        assert_eq!(items.len(), kept.len(), "{name}");
    }
}

/// Everything that this version reads from the samples.
async fn read_all(engine: &Engine) -> String {
    let store = &engine.store;
    let mut read = String::new();
    let mut tell = |what: &str, value: &dyn std::fmt::Debug| {
        writeln!(read, "{what}: {value:#?}").unwrap();
    };
    for account in ["acme", "globex", "initech"] {
        let id = account.parse().unwrap();
        tell("account", &store.get_account(&id).await.unwrap());
        let people: Option<Account> = store.get_recipients(&id).await.unwrap();
        tell("recipients", &people);
    }
    for member in acme().members.iter().chain(&globex().members) {
        let accounts = store.list_memberships(&member.id).await.unwrap();
        tell("memberships", &(&member.id, accounts));
    }
    let query = ResourceQuery {
        kind: None,
        filter: ResourceFilter::default(),
        limit: 10,
        after: None,
    };
    let resources = store.list_resources(&acme().id, &query).await.unwrap();
    tell("resources", &resources);
    let query = IntegrationQuery {
        keywords: None,
        limit: 10,
        after: None,
    };
    let apps = store.list_integrations(&acme().id, &query).await.unwrap();
    tell("integrations", &apps);
    for end in IDS {
        let (account, id) = (acme().id, sample_id(end));
        tell("token", &engine.stored(&account, &id).await);
        let ending = store.get_expiring(&account, &id, now()).await.unwrap();
        tell("warning", &ending.and_then(|(_, reminded)| reminded));
    }
    for pair in PAIRS {
        let hash = sample_hash(pair);
        tell("secret", &secret(engine, hash).await);
        tell("seen", &store.get_seen(&hash).await.unwrap());
    }
    let key = idempotency(&token()).key;
    let repeated = store.get_idempotency(&acme().id, &key, now()).await;
    tell("repeat", &repeated.unwrap());
    let user = acme().members[0].id.clone();
    for (audit, expected) in [("aud_1", Claim::Held), ("aud_2", Claim::Sent)] {
        let claim = store.claim_mail(audit, &user, later(1)).await.unwrap();
        assert_eq!(claim, expected);
    }
    tell("digests", &store.list_digests(now()).await.unwrap());
    tell("held", &store.digest_entries(&a_digest()).await.unwrap());
    let midnight = later(14 * 3_600);
    tell("days", &store.list_digests(midnight).await.unwrap());
    let day = a_digest_of_a_day();
    tell("held", &store.digest_entries(&day).await.unwrap());
    tell("mails", &store.list_preferences(&acme().id).await.unwrap());
    for address in [
        "gone@acme.example",
        "cross@acme.example",
        "owner@acme.example",
    ] {
        tell(address, &store.get_suppression(address).await.unwrap());
    }
    tell("finding", &store.is_noted(FINDING).await.unwrap());
    tell("keys", &store.cached_keys().await.unwrap());
    tell("log", &engine.audit(&acme().id).await);
    read
}

#[tokio::test]
async fn the_samples_are_read() {
    let engine = Engine::start().await;
    engine.load_tokens(&serde_json::from_str::<Vec<Value>>(TOKENS).unwrap());
    engine.load_audit(&serde_json::from_str::<Vec<Value>>(AUDIT).unwrap());
    insta::assert_snapshot!(read_all(&engine).await);
}
