//! Tests on a real engine with items that the first version stored.

use jiff::SignedDuration;
use latchkey::app::verify::{Client, Verified, authenticate};
use latchkey::domain::audit::{AuditRecord, Source};
use latchkey::domain::change::TokenChange;
use latchkey::domain::kind::Kind;
use latchkey::domain::paging::{ResourceFilter, ResourceQuery};
use latchkey::domain::secret::PlainSecret;
use latchkey::domain::token::{NewSecret, NotReactivable, StoredToken};
use latchkey::domain::verification::Refusal;
use latchkey::ports::{
    ChangeToken, GetAccount, GetIdempotency, GetRecipients, GetResources, GetToken,
    ListMemberships, ListResources,
};
use latchkey::system::System;
use latchkey::testing::{
    Engine, FixedEntropy, acme, globex, now, owner_actor, plain, system_at, token,
};
use serde_json::Value;

use super::*;

macro_rules! fixture {
    ($name:literal) => {
        include_str!(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../shared/src/store/tests/fixtures/v1/",
            $name,
            ".json"
        ))
    };
}

mod interruptions;
mod order;

const BEFORE: Options = Options {
    after_switch: false,
    dry_run: false,
};

const AFTER: Options = Options {
    after_switch: true,
    dry_run: false,
};

fn item(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

/// Returns the secret whose hash replaces the fixtures' pair of digits `pair`.
fn secret(pair: u8) -> PlainSecret {
    PlainSecret::generate(Kind::Account, &FixedEntropy([pair; 32])).unwrap()
}

fn id(end: &str) -> TokenId {
    format!("tok_01ARZ3NDEKTSV4RRFFQ69G5F{end}")
        .parse()
        .unwrap()
}

/// Returns the items of a token with that id and account. Each pair of digits in them stands for a secret.
fn of_token(end: &str, account: &str, secrets: &[(&str, u8)], texts: &[&str]) -> Vec<Value> {
    let known = ["AV", "B1", "B2", "B3", "B4", "B9"].map(id);
    let each = texts.iter().map(|text| {
        let mut text = (*text).to_owned();
        for known in &known {
            text = text.replace(known.as_str(), id(end).as_str());
        }
        for (pair, number) in secrets {
            text = text.replace(&pair.repeat(32), &secret(*number).hash().to_hex());
        }
        text = text.replace("ACCOUNT#acme", &format!("ACCOUNT#{account}"));
        let mut item = item(&text);
        if item.get("accountId").is_some() {
            item["accountId"]["S"] = account.into();
        }
        item
    });
    each.collect()
}

/// Returns the items of a stack of the first version.
fn first_stack() -> Vec<Value> {
    let mut items = vec![
        item(fixture!("profile")),
        item(fixture!("profile-deleted")),
        item(fixture!("profile-deleted-unknown")),
        item(fixture!("resource")),
        item(fixture!("resource-of-app")),
        item(fixture!("resource-deleted")),
        item(fixture!("membership")),
        item(fixture!("idempotency")),
        item(fixture!("mail")),
        item(fixture!("keys")),
    ];
    let plain = [fixture!("token"), fixture!("secret-used")];
    let revoked = [fixture!("token-revoked"), fixture!("secret-revoked")];
    let leaked = [fixture!("token-leaked"), fixture!("secret-revoked")];
    let full = [
        fixture!("token-with-everything"),
        fixture!("secret"),
        fixture!("secret-retired"),
    ];
    let reactivated = [
        fixture!("token-reactivated"),
        fixture!("secret-reactivated"),
        fixture!("leak"),
    ];
    let in_grace = [
        fixture!("token-revoked-in-grace"),
        fixture!("secret-revoked-in-grace"),
        fixture!("secret-revoked-current"),
    ];
    let of_deleted = [
        fixture!("token-of-deleted-account"),
        fixture!("secret-of-deleted-account"),
    ];
    let given_up = [fixture!("token-given-up"), fixture!("secret-given-up")];
    let replaced = [
        fixture!("token-leaked-replaced"),
        fixture!("secret-leaked-replaced"),
        fixture!("secret-leaked-current"),
        fixture!("leak-replaced"),
    ];
    items.extend(of_token("AV", "acme", &[("11", 1)], &plain));
    items.extend(of_token("B5", "acme", &[("11", 2)], &revoked));
    items.extend(of_token("B6", "acme", &[("11", 3)], &leaked));
    let both = [("11", 4), ("22", 5)];
    items.extend(of_token("B7", "acme", &both, &full));
    items.extend(of_token("B1", "acme", &[("33", 6)], &reactivated));
    let both = [("44", 7), ("55", 8)];
    items.extend(of_token("B2", "acme", &both, &in_grace));
    items.extend(of_token("B3", "globex", &[("66", 9)], &of_deleted));
    let both = [("77", 10), ("88", 11)];
    items.extend(of_token("B4", "acme", &both, &replaced));
    items.extend(of_token("B8", "globex", &[("11", 12)], &revoked));
    items.extend(of_token("B9", "acme", &[("99", 13)], &given_up));
    items
}

async fn first_engine() -> Engine {
    let engine = Engine::start().await;
    engine.load_tokens(&first_stack());
    engine
}

async fn run(engine: &Engine, options: Options) -> Summary {
    let (system, mut read) = (system_at(now()), 0);
    let summary = migrate(&engine.store, &system, options, |count| read += count).await;
    assert!(read > 0);
    assert_eq!(summary.failures, Vec::<String>::new());
    summary
}

async fn stored(engine: &Engine, end: &str) -> StoredToken {
    let account = if matches!(end, "B3" | "B8") {
        globex().id
    } else {
        acme().id
    };
    engine.stored(&account, &id(end)).await.unwrap()
}

/// Presents a secret as its bearer does.
async fn present(engine: &Engine, number: u8) -> Result<TokenId, Refusal> {
    let client = Client {
        ip: [192, 0, 2, 7].into(),
        user_agent: None,
        request_id: "req-1",
    };
    let (system, text) = (system_at(now()), plain(&secret(number)));
    let verified = authenticate(&engine.store, &system, &text, client, |_| true);
    match verified.await.unwrap() {
        Verified::Granted { secret, .. } => Ok(secret.token_id),
        Verified::Refused { refusal, .. } => Err(refusal),
    }
}

/// Changes a token as an operation does.
async fn change(
    engine: &Engine,
    before: StoredToken,
    after: StoredToken,
    action: Action,
) -> StoredToken {
    let audit = AuditRecord::new(action, &after.token, vec![], origin(), now(), &System);
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

async fn log(engine: &Engine, account: &AccountId) -> Vec<(Action, TokenId)> {
    let log = engine.audit(account).await.into_iter();
    let mut log: Vec<_> = log.map(|it| (it.action, it.token_id)).collect();
    log.sort_by_key(|(action, id)| (action.as_str(), id.clone()));
    log
}

#[tokio::test]
async fn what_the_first_version_stored_works_in_this_one() {
    let engine = first_engine().await;
    run(&engine, BEFORE).await;
    run(&engine, AFTER).await;
    let store = &engine.store;

    assert_eq!(store.get_account(&acme().id).await.unwrap(), Some(acme()));
    assert_eq!(store.get_account(&globex().id).await.unwrap(), None);
    let recipients = store.get_recipients(&globex().id).await.unwrap();
    assert_eq!(recipients, Some(globex()));
    let initech = "initech".parse().unwrap();
    assert_eq!(store.get_recipients(&initech).await.unwrap(), None);
    let memberships = store.list_memberships(&"owner-1".parse().unwrap()).await;
    assert_eq!(memberships.unwrap(), [acme().id]);

    let query = ResourceQuery {
        kind: None,
        filter: ResourceFilter::default(),
        limit: 10,
        after: None,
    };
    let listed = store.list_resources(&acme().id, &query).await.unwrap();
    let names: Vec<_> = listed
        .items
        .iter()
        .map(|it| it.reference().to_string())
        .collect();
    assert_eq!(names, ["exports/exp_app", "exports/exp_orders"]);
    let of_app = [listed.items[0].reference()];
    let found = store.get_resources(&acme().id, &of_app).await.unwrap();
    assert_eq!(found, listed.items[..1]);
    assert_eq!(found[0].integration_id, Some("app1".parse().unwrap()));

    assert_eq!(engine.count_tokens(&acme().id).await, 8);
    let key = "5e".repeat(32);
    let repeated = store.get_idempotency(&acme().id, &key, now()).await;
    assert_eq!(repeated.unwrap().unwrap().token_id, token().id);
}

#[tokio::test]
async fn secrets_that_worked_rightly_work_and_the_others_dont() {
    let engine = first_engine().await;
    // The first version's items of uses can be read too, so nothing waits for them.
    run(&engine, AFTER).await;
    for (number, expected) in [
        (1, Ok(id("AV"))),
        (2, Err(Refusal::Revoked)),
        (3, Err(Refusal::Compromised)),
        (4, Ok(id("B7"))),
        (5, Ok(id("B7"))),
        (6, Err(Refusal::Compromised)),
        (7, Err(Refusal::Ended)),
        (8, Err(Refusal::Revoked)),
        (9, Err(Refusal::Revoked)),
        (10, Err(Refusal::Compromised)),
        (11, Ok(id("B4"))),
        (12, Err(Refusal::Revoked)),
        (13, Err(Refusal::Compromised)),
    ] {
        assert_eq!(present(&engine, number).await, expected, "{number}");
    }
}

#[tokio::test]
async fn a_leaked_secret_that_was_brought_back_ends_and_its_people_are_told() {
    let engine = first_engine().await;
    // It is as before.
    assert_eq!(present(&engine, 6).await, Ok(id("B1")));
    run(&engine, BEFORE).await;
    assert_eq!(present(&engine, 6).await, Ok(id("B1")));
    run(&engine, AFTER).await;
    let ended = stored(&engine, "B1").await.token;
    assert_eq!(ended.status(), Status::Revoked);
    assert_eq!(
        ended.reactivate(owner_actor(), now()),
        Err(NotReactivable::SecretCompromised)
    );
    // A leaked secret was replaced in time. Its token stays active.
    assert_eq!(stored(&engine, "B4").await.token.status(), Status::Active);
    let leaks = engine.audit(&acme().id).await.into_iter();
    let mut leaks: Vec<_> = leaks.filter(|it| it.action == Action::Leak).collect();
    leaks.sort_by_key(|it| it.token_id.clone());
    assert!(leaks.iter().all(is_told));
    let leaks: Vec<_> = leaks.into_iter().map(|it| it.token_id).collect();
    assert_eq!(leaks, [id("B1"), id("B4")]);
    // The people of a token that stayed revoked were told when it was reported or revoked by its holder.
    for end in ["B6", "B9"] {
        let before = stored(&engine, end).await.token;
        assert_eq!(
            before.reactivate(owner_actor(), now()),
            Err(NotReactivable::SecretCompromised)
        );
        assert_eq!(before.version, 2);
    }
}

#[tokio::test]
async fn a_token_that_got_a_new_secret_since_can_come_back() {
    let engine = first_engine().await;
    run(&engine, AFTER).await;
    let before = stored(&engine, "B9").await;
    let secret = NewSecret {
        hash: secret(14).hash(),
        hint: secret(14).hint(),
        ciphertext: before.ciphertext.clone(),
    };
    let fresh = before.regenerate(secret, SignedDuration::ZERO, owner_actor(), now());
    let fresh = change(&engine, before, fresh, Action::Regenerate).await;
    // The token still tells who revoked it; that was about the old secret.
    assert_eq!(run(&engine, AFTER).await.to_string(), "nothing to do\n");
    let token = fresh.token.reactivate(owner_actor(), now()).unwrap();
    let back = fresh.with(token.unwrap(), now());
    change(&engine, fresh, back, Action::Reactivate).await;
    assert_eq!(present(&engine, 14).await, Ok(id("B9")));
    assert_eq!(present(&engine, 13).await, Err(Refusal::Compromised));
}

fn is_told(record: &AuditRecord) -> bool {
    record.is_mailed() && record.origin.source == Source::System
}

#[tokio::test]
async fn what_a_revocation_ends_now_stays_ended_when_the_token_comes_back() {
    let engine = first_engine().await;
    run(&engine, AFTER).await;
    let before = stored(&engine, "B2").await;
    assert_eq!(before.token.previous_secret, None);
    let back = before.token.reactivate(owner_actor(), now()).unwrap();
    let back = before.with(back.unwrap(), now());
    change(&engine, before, back, Action::Reactivate).await;
    assert_eq!(present(&engine, 7).await, Err(Refusal::Ended));
    assert_eq!(present(&engine, 8).await, Ok(id("B2")));
    assert!(
        log(&engine, &acme().id)
            .await
            .contains(&(Action::Retire, id("B2")))
    );
}

#[tokio::test]
async fn tokens_of_a_deleted_account_never_come_back() {
    let engine = first_engine().await;
    run(&engine, AFTER).await;
    for end in ["B3", "B8"] {
        assert_eq!(
            stored(&engine, end)
                .await
                .token
                .reactivate(owner_actor(), now()),
            Err(NotReactivable::AccountDeleted)
        );
    }
    // The first version recorded the end of one token. The other was revoked earlier by somebody else.
    let records = log(&engine, &globex().id).await;
    assert_eq!(records, [(Action::Revoke, id("B8"))]);
}

#[tokio::test]
async fn nor_if_somebody_changed_them_between_the_switch_and_the_migration() {
    let engine = first_engine().await;
    run(&engine, BEFORE).await;
    let before = stored(&engine, "B3").await;
    let mut renamed = before.clone();
    renamed.token.name = "Renamed".into();
    renamed.token.version += 1;
    let renamed = change(&engine, before, renamed, Action::Update).await;
    assert!(renamed.token.reactivate(owner_actor(), now()).is_ok());
    run(&engine, AFTER).await;
    assert_eq!(
        stored(&engine, "B3")
            .await
            .token
            .reactivate(owner_actor(), now()),
        Err(NotReactivable::AccountDeleted)
    );
    assert_eq!(run(&engine, AFTER).await.to_string(), "nothing to do\n");
}

#[tokio::test]
async fn nothing_of_the_first_form_is_left() {
    let engine = first_engine().await;
    run(&engine, AFTER).await;
    for image in engine.token_images().await {
        let [pk, sk] = ["pk", "sk"].map(|name| image[name]["S"].as_str().unwrap());
        if pk.starts_with("ACCOUNT#") {
            assert!(
                sk.starts_with("TOKEN#") || sk.starts_with("IDEMPOTENCY#"),
                "{sk}"
            );
        }
        for old in ["leakReported", "retired", "seenDay", "seenAddresses"] {
            assert!(image.get(old).is_none(), "{pk} {sk} {old}");
        }
        if sk == "SECRET" {
            assert!(image.get("state").is_some(), "{pk}");
        }
        if sk.starts_with("TOKEN#") {
            assert!(image["createdBy"]["M"].get("type").is_some(), "{sk}");
        }
    }
}

#[tokio::test]
async fn last_uses_and_warnings_stay() {
    let engine = first_engine().await;
    let reminded = |images: Vec<Value>| {
        let mut images = images.into_iter();
        let image = images.find(|it| it["sk"]["S"] == format!("TOKEN#{}", id("B7")));
        image.unwrap()["reminded"].clone()
    };
    let before = reminded(engine.token_images().await);
    assert!(before.is_object());
    run(&engine, AFTER).await;
    assert_eq!(reminded(engine.token_images().await), before);
    let read = engine.store.get_token(&acme().id, &id("B7"), now()).await;
    let last_use = read.unwrap().unwrap().token.last_use.unwrap();
    assert_eq!(last_use.at, "2026-11-22T09:00:00Z".parse().unwrap());
}

#[tokio::test]
async fn running_it_again_changes_nothing() {
    let engine = first_engine().await;
    for options in [BEFORE, AFTER] {
        assert!(!run(&engine, options).await.done.is_empty());
        let before = engine.dump().await;
        let again = run(&engine, options).await;
        assert_eq!(again.to_string(), "nothing to do\n");
        assert_eq!(engine.dump().await, before);
    }
    assert!(run(&engine, BEFORE).await.done.is_empty());
}

#[tokio::test]
async fn before_the_switch_it_changes_nothing_that_the_old_version_reads() {
    let engine = first_engine().await;
    let before = engine.token_images().await;
    run(&engine, BEFORE).await;
    let after = engine.token_images().await;
    assert_eq!(after.len(), before.len() + 6);
    for image in before {
        assert!(after.contains(&image), "{image}");
    }
    assert!(engine.audit_images().await.is_empty());
}

#[tokio::test]
async fn a_dry_run_says_what_would_be_done_and_writes_nothing() {
    for done_before in [false, true] {
        for options in [BEFORE, AFTER] {
            let engine = first_engine().await;
            if done_before {
                run(&engine, BEFORE).await;
            }
            let before = engine.dump().await;
            let dry_run = true;
            let told = run(&engine, Options { dry_run, ..options }).await;
            assert_eq!(engine.dump().await, before);
            let done = run(&engine, options).await;
            assert_eq!(told.done, done.done);
        }
    }
}

#[tokio::test]
async fn what_cant_be_migrated_is_named_and_holds_up_nothing_but_the_switch() {
    let engine = first_engine().await;
    let odd = fixture!("resource").replace(r#""S": "The exp_orders""#, r#""N": "7""#);
    engine.load_tokens(&[item(&odd)]);
    let summary = migrate(&engine.store, &system_at(now()), AFTER, |_| {}).await;
    let [failure] = &summary.failures[..] else {
        panic!("{summary}");
    };
    assert!(
        failure.starts_with("ACCOUNT#acme RESOURCE#export#exp_orders: "),
        "{failure}"
    );
    let expected = BTreeMap::from([(Step::Profile, 3), (Step::Resource, 2)]);
    assert_eq!(summary.done, expected);
    assert!(summary.to_string().contains("not migrated: ACCOUNT#acme"));

    // A token isn't skipped either.
    let engine = first_engine().await;
    let odd = fixture!("token").replace(r#""S": "active""#, r#""S": "asleep""#);
    engine.load_tokens(&[item(&odd)]);
    let summary = migrate(&engine.store, &system_at(now()), AFTER, |_| {}).await;
    assert_eq!(summary.failures.len(), 1, "{summary}");
    assert!(summary.failures[0].contains(id("AV").as_str()));
    assert_eq!(summary.done[&Step::Removed], 6);
}
