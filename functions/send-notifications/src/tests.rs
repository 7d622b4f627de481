use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicI64, Ordering};

use jiff::SignedDuration;
use latchkey::domain::action::Action;
use latchkey::domain::audit::{AuditRecord, Change};
use latchkey::domain::budget::{Budget, Budgets, Spending};
use latchkey::domain::change::NewToken;
use latchkey::domain::id::{AccountId, TokenId, UserId};
use latchkey::domain::mailing::{
    Digest, DigestEntry, DigestPeriod, Suppression, SuppressionReason,
};
use latchkey::domain::preferences::{MailPreferences, MailTiming};
use latchkey::domain::resource::{Resource, ResourceRef};
use latchkey::domain::time::rfc3339;
use latchkey::domain::token::StoredToken;
use latchkey::mail::Console;
use latchkey::ports::{
    Claim, InsertToken, ListDigests, ProjectPlatform, PutPreferences, RecordView, SendOutcome,
    SuppressAddress,
};
use latchkey::testing::{
    Engine, FixedClock, Logs, Post, acme, audit, brand, globex, now, plain_secret, stored_token,
};
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use serde_json::{Value, json};
use tracing::level_filters::LevelFilter;

use super::*;

const OWNER: &str = "owner@acme.example";
const ADMIN: &str = "admin@acme.example";

fn sample() -> Value {
    let sample = include_str!("../../../events/send-notifications/token-updated.json");
    serde_json::from_str(sample).unwrap()
}

/// Returns a stream record of an image. Its sequence number is `seq-` and the number.
fn record(number: usize, image: &Value) -> Value {
    let mut record = sample()["Records"][0].take();
    record["dynamodb"]["Keys"] = json!({"pk": image["pk"], "sk": image["sk"]});
    record["dynamodb"]["NewImage"] = image.clone();
    record["dynamodb"]["SequenceNumber"] = json!(format!("seq-{number}"));
    record
}

/// Returns the stream records of the whole audit log.
async fn log(engine: &Engine) -> Vec<Value> {
    let images = engine.audit_images().await;
    let records = images.iter().enumerate();
    records
        .map(|(number, image)| record(number, image))
        .collect()
}

/// Delivers records. Returns the sequence numbers from which the stream must continue.
async fn deliver(engine: &Engine, post: &Post, records: &[Value]) -> Vec<String> {
    deliver_at(engine, post, records, 0).await
}

async fn deliver_at(engine: &Engine, post: &Post, records: &[Value], second: i64) -> Vec<String> {
    let event = serde_json::from_value(json!({"Records": records})).unwrap();
    let clock = FixedClock(now() + SignedDuration::from_secs(second));
    let response = handle(
        &engine.store,
        &notifier(post),
        &clock,
        Timestamp::MAX,
        event,
    )
    .await;
    let failures = response.batch_item_failures.into_iter();
    failures
        .map(|failure| failure.item_identifier.unwrap())
        .collect()
}

fn notifier(post: &Post) -> Notifier<Post> {
    Notifier::new(
        post.clone(),
        Console::new("https://tokens.example"),
        brand(),
    )
}

fn viewing(number: u8) -> AuditRecord {
    audit(Action::View, &stored_token().token, now(), number)
}

/// Creates an engine with a token and a number of audit records. The first is that of the creation.
async fn with_records(count: u8) -> (Engine, StoredToken) {
    let engine = Engine::with_accounts().await;
    let new = NewToken {
        stored: stored_token(),
        audit: audit(Action::Create, &stored_token().token, now(), 0),
        idempotency: None,
    };
    engine.store.insert_token(&new).await.unwrap();
    for number in 1..count {
        let viewed = engine
            .store
            .record_view(&new.stored, &viewing(number))
            .await;
        viewed.unwrap();
    }
    (engine, new.stored)
}

#[tokio::test]
async fn the_sample_is_what_the_store_writes() {
    let (engine, stored) = with_records(1).await;
    let mut written = audit(Action::Update, &stored.token, now(), 7);
    written.token_hint = "ab12".into();
    let text = |text: &str| Some(text.to_owned());
    written.changes = vec![
        Change::new("name", text("Stock sync"), text("Warehouse sync")),
        Change::new("description", None, text("Kept in the warehouse's vault")),
    ];
    engine.store.record_view(&stored, &written).await.unwrap();
    let images = engine.audit_images().await;
    assert_eq!(images[1], sample()["Records"][0]["dynamodb"]["NewImage"]);
}

#[tokio::test]
async fn owner_and_administrators_get_a_mail_and_nobody_else_does() {
    let (engine, _) = with_records(1).await;
    let post = Post::default();
    let records = [sample()["Records"][0].take()];
    assert!(deliver(&engine, &post, &records).await.is_empty());
    let mails = post.take();
    let to: Vec<_> = mails.iter().map(|mail| mail.to.as_str()).collect();
    assert_eq!(to, [OWNER, ADMIN]);
    for mail in mails {
        assert_eq!(
            mail.subject,
            "[Acme] API token “Warehouse sync” was changed"
        );
        for part in [mail.text, mail.html] {
            assert!(part.contains("Stock sync"));
            assert!(part.contains("192.0.2.1"));
            assert!(part.contains(
                "https://tokens.example/#/accounts/acme/tokens/tok_01ARZ3NDEKTSV4RRFFQ69G5FAV/audit"
            ));
        }
    }
}

#[tokio::test]
async fn a_batch_that_is_delivered_again_mails_nobody_twice() {
    let (engine, _) = with_records(3).await;
    let (post, records) = (Post::default(), log(&engine).await);
    assert!(deliver(&engine, &post, &records).await.is_empty());
    assert_eq!(post.take().len(), 6);
    assert!(deliver(&engine, &post, &records).await.is_empty());
    assert_eq!(post.take(), []);
}

#[tokio::test]
async fn a_recipient_who_fails_holds_up_the_later_records_and_not_the_other_recipients() {
    for (fails, works) in [(OWNER, ADMIN), (ADMIN, OWNER)] {
        let (engine, _) = with_records(3).await;
        let (post, records) = (Post::default(), log(&engine).await);
        assert!(deliver(&engine, &post, &records[..1]).await.is_empty());
        assert_eq!(post.recipients(), [OWNER, ADMIN]);

        post.refuse(fails);
        assert_eq!(deliver(&engine, &post, &records).await, ["seq-1"]);
        assert_eq!(post.recipients(), [works]);
        assert_eq!(deliver(&engine, &post, &records[1..]).await, ["seq-1"]);
        assert_eq!(post.recipients(), [""; 0]);

        post.recover();
        assert!(deliver(&engine, &post, &records[1..]).await.is_empty());
        assert_eq!(post.recipients(), [fails, OWNER, ADMIN]);
    }
}

#[tokio::test]
async fn an_address_that_never_takes_mail_holds_nobody_up() {
    let (engine, _) = with_records(2).await;
    let (post, records) = (Post::default(), log(&engine).await);
    post.answer(OWNER, || {
        Ok(SendOutcome::AddressRejected("no domain".into()))
    });
    assert!(deliver(&engine, &post, &records).await.is_empty());
    assert_eq!(post.recipients(), [ADMIN, ADMIN]);
    post.recover();
    assert!(deliver(&engine, &post, &records).await.is_empty());
    assert_eq!(post.take(), []);
}

#[tokio::test]
async fn a_mail_that_may_be_on_its_way_is_not_sent_again_soon() {
    let (engine, _) = with_records(1).await;
    let (post, records) = (Post::default(), log(&engine).await);
    post.answer(OWNER, || Ok(SendOutcome::NoResponse("timed out".into())));
    assert_eq!(deliver(&engine, &post, &records).await, ["seq-0"]);
    post.recover();
    assert_eq!(deliver(&engine, &post, &records).await, ["seq-0"]);
    assert_eq!(post.recipients(), [ADMIN]);
    let overdue = deliver_at(&engine, &post, &records, 10 * 60).await;
    assert!(overdue.is_empty());
    assert_eq!(post.recipients(), [OWNER]);
}

/// A clock that advances by a second each time it is read.
struct Ticking(AtomicI64);

impl Clock for Ticking {
    fn now(&self) -> Timestamp {
        now() + SignedDuration::from_secs(self.0.fetch_add(1, Ordering::Relaxed))
    }
}

#[tokio::test]
async fn a_batch_that_takes_too_long_goes_on_from_there() {
    let (engine, _) = with_records(3).await;
    let (post, records) = (Post::default(), log(&engine).await);
    let event = serde_json::from_value(json!({"Records": records})).unwrap();
    let (clock, until) = (Ticking(0.into()), now() + SignedDuration::from_secs(11));
    let response = handle(&engine.store, &notifier(&post), &clock, until, event).await;
    // A mail reads the clock four times: to check the time left, and when it is claimed, counted and confirmed.
    assert_eq!(post.recipients(), [OWNER, ADMIN, OWNER]);
    let failures = response.batch_item_failures.into_iter();
    let failed: Vec<_> = failures
        .filter_map(|failure| failure.item_identifier)
        .collect();
    assert_eq!(failed, ["seq-1"]);
    assert!(deliver(&engine, &post, &records[1..]).await.is_empty());
    assert_eq!(post.recipients(), [ADMIN, OWNER, ADMIN]);
}

#[tokio::test]
async fn a_record_that_does_not_parse_is_reported_and_not_dropped() {
    let (engine, _) = with_records(3).await;
    let post = Post::default();
    for (field, value) in [
        ("action", json!({"S": "dance"})),
        ("tokenId", json!({"S": "tok_1"})),
        ("time", json!({"N": "7"})),
        ("changes", Value::Null),
    ] {
        let mut records = log(&engine).await;
        let image = records[1]["dynamodb"]["NewImage"].as_object_mut();
        let image = image.unwrap();
        if value.is_null() {
            image.remove(field);
        } else {
            image.insert(field.into(), value);
        }
        assert_eq!(
            deliver(&engine, &post, &records).await,
            ["seq-1"],
            "{field}"
        );
    }
    assert_eq!(
        post.recipients(),
        [OWNER, ADMIN],
        "of the first record only"
    );
    let mut without_image = log(&engine).await.remove(1);
    let stream = without_image["dynamodb"].as_object_mut().unwrap();
    stream.remove("NewImage");
    let failed = deliver(&engine, &post, &[without_image]).await;
    assert_eq!(failed, ["seq-1"]);
}

#[tokio::test]
async fn the_last_mails_about_a_deleted_account_still_reach_its_people() {
    let (engine, _) = with_records(1).await;
    let time = now() + SignedDuration::from_secs(1);
    let deleted = engine.store.delete_account(&acme().id, time).await;
    assert!(deleted.unwrap());
    let post = Post::default();
    let records = log(&engine).await;
    assert!(deliver(&engine, &post, &records).await.is_empty());
    assert_eq!(post.recipients(), [OWNER, ADMIN]);
}

#[tokio::test]
async fn an_account_without_people_holds_nothing_up() {
    let (engine, _) = with_records(2).await;
    let post = Post::default();
    let mut records = log(&engine).await;
    records[0]["dynamodb"]["NewImage"]["accountId"] = json!({"S": "initech"});
    assert!(deliver(&engine, &post, &records).await.is_empty());
    assert_eq!(post.recipients(), [OWNER, ADMIN]);
}

#[tokio::test]
async fn people_of_other_accounts_hear_nothing() {
    let (engine, _) = with_records(1).await;
    let post = Post::default();
    let mut record = log(&engine).await.remove(0);
    record["dynamodb"]["NewImage"]["accountId"] = json!({"S": "globex"});
    assert!(deliver(&engine, &post, &[record]).await.is_empty());
    assert_eq!(post.recipients(), ["owner@globex.example"]);
}

#[tokio::test]
async fn a_mail_that_somebody_else_is_sending_is_left_to_him_until_he_is_overdue() {
    let (engine, _) = with_records(1).await;
    let (post, records) = (Post::default(), log(&engine).await);
    let id = records[0]["dynamodb"]["NewImage"]["sk"]["S"]
        .as_str()
        .unwrap();
    let owner: UserId = "owner-1".parse().unwrap();
    let claim = engine.store.claim_mail(id, &owner, now()).await;
    assert_eq!(claim.unwrap(), Claim::Granted);
    assert_eq!(deliver(&engine, &post, &records).await, ["seq-0"]);
    assert_eq!(post.recipients(), [ADMIN]);
    let overdue = deliver_at(&engine, &post, &records, 10 * 60).await;
    assert!(overdue.is_empty());
    assert_eq!(post.recipients(), [OWNER]);
}

/// A store that can't mark mails as sent, or can't release a claim.
struct Forgetful<'a>(&'a Engine);

impl GetRecipients for Forgetful<'_> {
    async fn get_recipients(
        &self,
        id: &AccountId,
    ) -> Result<Option<latchkey::domain::account::Account>, PortError> {
        self.0.store.get_recipients(id).await
    }
}

impl GetResources for Forgetful<'_> {
    async fn get_resources(
        &self,
        _: &AccountId,
        _: &[ResourceRef],
    ) -> Result<Vec<Resource>, PortError> {
        Err(PortError::Unavailable("throttled".into()))
    }
}

impl ListPreferences for Forgetful<'_> {
    async fn list_preferences(
        &self,
        _: &AccountId,
    ) -> Result<Vec<(UserId, MailPreferences)>, PortError> {
        Err(PortError::Unavailable("throttled".into()))
    }
}

impl RecordAudit for Forgetful<'_> {
    async fn record_audit(&self, audit: &AuditRecord) -> Result<(), PortError> {
        self.0.store.record_audit(audit).await
    }
}

impl ClaimMail for Forgetful<'_> {
    async fn claim_mail(
        &self,
        audit: &str,
        recipient: &UserId,
        now: jiff::Timestamp,
    ) -> Result<Claim, PortError> {
        self.0.store.claim_mail(audit, recipient, now).await
    }

    async fn confirm_mail(&self, _: &str, _: &UserId, _: jiff::Timestamp) -> Result<(), PortError> {
        Err(PortError::Unavailable("throttled".into()))
    }

    async fn release_mail(&self, _: &str, _: &UserId) -> Result<(), PortError> {
        Err(PortError::Unavailable("throttled".into()))
    }
}

impl GetSuppression for Forgetful<'_> {
    async fn get_suppression(&self, address: &str) -> Result<Option<Suppression>, PortError> {
        self.0.store.get_suppression(address).await
    }
}

impl SpendBudget for Forgetful<'_> {
    async fn spend_budget(
        &self,
        account: &AccountId,
        budget: &Budget,
        now: Timestamp,
    ) -> Result<Spending, PortError> {
        self.0.store.spend_budget(account, budget, now).await
    }
}

impl RefundBudget for Forgetful<'_> {
    async fn refund_mail(&self, _: &AccountId, _: &UserId, _: Timestamp) -> Result<(), PortError> {
        Err(PortError::Unavailable("throttled".into()))
    }
}

impl AddToDigest for Forgetful<'_> {
    async fn add_to_digest(
        &self,
        _: &Digest,
        _: &DigestEntry,
        _: Timestamp,
    ) -> Result<(), PortError> {
        Err(PortError::Unavailable("throttled".into()))
    }
}

#[tokio::test]
async fn a_mail_whose_fate_is_not_known_is_sent_once_more_rather_than_never() {
    for post in [Post::default(), Post::refusing(OWNER)] {
        let (engine, _) = with_records(1).await;
        let records = log(&engine).await;
        let event = serde_json::from_value(json!({"Records": records})).unwrap();
        let clock = FixedClock(now());
        let response = handle(
            &Forgetful(&engine),
            &notifier(&post),
            &clock,
            Timestamp::MAX,
            event,
        )
        .await;
        assert_eq!(response.batch_item_failures.len(), 1);
        post.recover();
        post.take();
        // At first the claim holds. After it has expired, the mail is sent.
        assert_eq!(deliver(&engine, &post, &records).await, ["seq-0"]);
        assert_eq!(post.take(), []);
        let late = deliver_at(&engine, &post, &records, 10 * 60).await;
        assert!(late.is_empty());
        assert_eq!(post.recipients(), [OWNER, ADMIN]);
    }
}

#[tokio::test]
async fn refusals_that_go_on_for_days_are_mailed_ever_less_often() {
    let (engine, stored) = with_records(1).await;
    let post = Post::default();
    for day in 1..=31_u8 {
        let time = now() + SignedDuration::from_hours(24 * i64::from(day - 1));
        let mut refused = audit(Action::Refused, &stored.token, time, day);
        refused.changes = vec![
            Change::new("reason", None, Some("revoked".into())),
            Change::new("daysRefused", None, Some(day.to_string())),
        ];
        engine.store.record_view(&stored, &refused).await.unwrap();
    }
    let records = log(&engine).await;
    assert_eq!(records.len(), 32);
    assert!(deliver(&engine, &post, &records).await.is_empty());
    let subject = "[Acme] API token “Warehouse sync” was refused";
    let mut mails = post.take();
    mails.retain(|mail| mail.subject == subject && mail.to == OWNER);
    let days = |day: i64| rfc3339(now() + SignedDuration::from_hours(24 * (day - 1)));
    assert_eq!(mails.len(), 4);
    for (mail, day) in mails.iter().zip([1, 2, 7, 30]) {
        assert!(mail.text.contains(&days(day)), "{day}: {}", mail.text);
        assert!(mail.text.contains("revoked"));
    }
}

#[tokio::test]
async fn a_mail_about_the_end_of_an_old_secret_does_not_say_that_the_token_is_revoked() {
    let (engine, stored) = with_records(1).await;
    for (number, which) in [(1, "current"), (2, "previous"), (3, "ended")] {
        let mut ended = audit(Action::Revoke, &stored.token, now(), number);
        ended.changes = vec![Change::new("compromisedSecret", None, Some(which.into()))];
        engine.store.record_view(&stored, &ended).await.unwrap();
    }
    let post = Post::default();
    assert!(
        deliver(&engine, &post, &log(&engine).await[1..])
            .await
            .is_empty()
    );
    let mails = post.take();
    assert_eq!(mails.len(), 6);
    for mail in mails {
        let is_current = mail.text.contains("the current one");
        assert_eq!(mail.subject.ends_with("was revoked"), is_current);
        assert_eq!(mail.text.contains("token was revoked"), is_current);
        let stays = "The token itself stays as it is.";
        assert_eq!(mail.text.contains(stays), !is_current);
    }
}

#[expect(clippy::disallowed_methods, reason = "a test looks for the secret")]
fn secret() -> String {
    use secrecy::ExposeSecret;
    plain_secret().expose_secret().to_owned()
}

#[tokio::test]
async fn every_action_is_mailed_and_no_mail_holds_a_secret() {
    let (engine, stored) = with_records(1).await;
    let before = log(&engine).await.len();
    for (number, action) in (1..).zip(Action::ALL) {
        let mut record = audit(action, &stored.token, now(), number);
        record.changes = latchkey::domain::audit::changes(None, &stored.token);
        engine.store.record_view(&stored, &record).await.unwrap();
    }
    let post = Post::default();
    let records = log(&engine).await;
    assert_eq!(records.len(), before + Action::ALL.len());
    assert!(deliver(&engine, &post, &records).await.is_empty());
    let mails = post.take();
    assert_eq!(mails.len(), 2 * records.len());
    let subjects: BTreeSet<_> = mails.iter().map(|mail| &mail.subject).collect();
    assert_eq!(subjects.len(), Action::ALL.len());
    for mail in &mails {
        for part in [&mail.subject, &mail.text, &mail.html] {
            assert!(!part.contains(&secret()));
            assert!(!part.contains(&stored.secret_hash.to_hex()));
        }
    }
}

/// Delivers records to a store whose members have this number of mails an hour.
async fn deliver_within(
    engine: &Engine,
    post: &Post,
    mails: u32,
    second: i64,
    records: &[Value],
) -> Vec<String> {
    let budgets = Budgets {
        mails,
        ..Engine::budgets()
    };
    let store = engine.store.clone().with_budgets(budgets);
    let event = serde_json::from_value(json!({"Records": records})).unwrap();
    let clock = FixedClock(now() + SignedDuration::from_secs(second));
    let answer = handle(&store, &notifier(post), &clock, Timestamp::MAX, event).await;
    let failures = answer.batch_item_failures.into_iter();
    failures
        .map(|failure| failure.item_identifier.unwrap())
        .collect()
}

/// Creates an engine with a number of audit records of an action, beside that of the creation.
async fn with_actions(count: u8, action: Action) -> Engine {
    let (engine, stored) = with_records(1).await;
    for number in 1..=count {
        let record = audit(action, &stored.token, now(), number);
        engine.store.record_view(&stored, &record).await.unwrap();
    }
    engine
}

async fn held(engine: &Engine) -> Vec<(String, usize)> {
    let mut held = Vec::new();
    for digest in engine.store.list_digests(now()).await.unwrap() {
        let mails = engine.store.digest_entries(&digest).await.unwrap();
        held.push((digest.user_id.to_string(), mails.len()));
    }
    held
}

#[tokio::test]
async fn what_is_over_the_budget_is_held_back_and_nothing_is_lost() {
    let engine = with_actions(5, Action::Update).await;
    let (post, records) = (Post::default(), log(&engine).await);
    assert!(
        deliver_within(&engine, &post, 2, 0, &records)
            .await
            .is_empty()
    );
    assert_eq!(post.recipients(), [OWNER, ADMIN, OWNER, ADMIN]);
    let all = [("admin-1".to_owned(), 4), ("owner-1".to_owned(), 4)];
    assert_eq!(held(&engine).await, all);
    // A repeated batch neither mails nor holds back a second time, in any hour.
    for second in [1, 3_600] {
        let failed = deliver_within(&engine, &post, 2, second, &records).await;
        assert!(failed.is_empty());
        assert_eq!(post.take(), []);
        assert_eq!(held(&engine).await, all);
    }
}

#[tokio::test]
async fn mails_that_tell_of_a_known_secret_never_wait() {
    for action in [Action::View, Action::Leak] {
        let engine = with_actions(4, action).await;
        let (post, records) = (Post::default(), log(&engine).await);
        let failed = deliver_within(&engine, &post, 1, 0, &records).await;
        assert!(failed.is_empty());
        assert_eq!(post.take().len(), 10, "{action:?}");
        assert_eq!(held(&engine).await, []);
    }
}

#[tokio::test]
async fn a_mail_service_that_fails_uses_up_no_budget() {
    let engine = with_actions(1, Action::Update).await;
    let (post, records) = (Post::refusing(OWNER), log(&engine).await);
    for _ in 0..5 {
        let failed = deliver_within(&engine, &post, 2, 0, &records).await;
        assert_eq!(failed, ["seq-0"]);
    }
    post.recover();
    assert!(
        deliver_within(&engine, &post, 2, 0, &records)
            .await
            .is_empty()
    );
    assert_eq!(post.recipients(), [ADMIN, OWNER, OWNER, ADMIN]);
    assert_eq!(held(&engine).await, []);
}

#[tokio::test]
async fn what_became_of_each_mail_is_counted() {
    let engine = with_actions(2, Action::Update).await;
    let (post, records) = (Post::default(), log(&engine).await);
    let logs = Logs::of("send_notifications", LevelFilter::ERROR);
    let counted = |measures: &[&str]| {
        let taken = logs.take_measures();
        let expected: Vec<_> = measures.iter().map(|it| ((*it).to_owned(), 1)).collect();
        assert_eq!(taken, expected);
    };
    // The mail service takes none at the moment, then none for this address, and the rest is over the budget.
    post.refuse(OWNER);
    deliver_within(&engine, &post, 1, 0, &records).await;
    counted(&["mail_rejected", "mail_accepted"]);
    post.answer(OWNER, || {
        Ok(SendOutcome::AddressRejected("no domain".into()))
    });
    deliver_within(&engine, &post, 1, 0, &records).await;
    counted(&[
        "mail_rejected",
        "mail_held",
        "mail_held",
        "mail_held",
        "mail_held",
    ]);
    // A mail that may be on its way, and one that was sent before.
    let engine = with_actions(0, Action::Update).await;
    let records = log(&engine).await;
    logs.take();
    post.answer(OWNER, || Ok(SendOutcome::NoResponse("timed out".into())));
    deliver_within(&engine, &post, 1, 0, &records).await;
    counted(&["mail_accepted"]);
    deliver_within(&engine, &post, 1, 0, &records).await;
    counted(&[]);
}

#[tokio::test]
async fn a_mail_leads_to_its_record_and_to_the_request() {
    let (engine, _) = with_records(1).await;
    let (post, mut records) = (Post::default(), log(&engine).await);
    let trace = "1-5e66d96f-7491f09e0a79d18acf3d0505";
    records[0]["dynamodb"]["NewImage"]["traceId"] = json!({"S": trace});
    assert!(deliver(&engine, &post, &records).await.is_empty());
    for mail in post.take() {
        let record = mail.record.unwrap();
        assert_eq!(
            json!({"S": record.id}),
            records[0]["dynamodb"]["NewImage"]["sk"]
        );
        assert_eq!(record.request_id, "req-1");
        assert_eq!(record.trace_id.unwrap().as_str(), trace);
    }
}

#[tokio::test]
async fn a_marked_address_gets_no_mail_and_holds_nobody_up() {
    let (engine, _) = with_records(2).await;
    let (post, records) = (Post::default(), log(&engine).await);
    let marked =
        engine
            .store
            .suppress_address("Owner@ACME.example", SuppressionReason::Bounced, now());
    marked.await.unwrap();
    assert!(deliver(&engine, &post, &records).await.is_empty());
    let mails = post.take();
    assert!(mails.iter().all(|mail| mail.to == ADMIN));
    assert_eq!(mails.len(), 3);
    // The bounce was of another account's mail. This account's people are told with their first mail.
    let told = mails
        .iter()
        .filter(|mail| mail.text.contains("such address"));
    let told: Vec<_> = told.collect();
    assert_eq!(told.len(), 1);
    assert!(told[0].text.contains(OWNER));
}

async fn choose(engine: &Engine, user: &str, preferences: &MailPreferences) {
    let (account, user) = (acme().id, user.parse().unwrap());
    let put = engine.store.put_preferences(&account, &user, preferences);
    put.await.unwrap();
}

fn all_daily() -> MailPreferences {
    MailPreferences {
        create: MailTiming::Daily,
        access: MailTiming::Daily,
        change: MailTiming::Daily,
    }
}

#[tokio::test]
async fn what_a_member_wants_once_a_day_waits_and_the_others_get_it_at_once() {
    let engine = with_actions(2, Action::Update).await;
    choose(&engine, "owner-1", &all_daily()).await;
    let (post, records) = (Post::default(), log(&engine).await);
    // The budget of one mail an hour isn't spent by what waits.
    assert!(
        deliver_within(&engine, &post, 3, 0, &records)
            .await
            .is_empty()
    );
    assert_eq!(post.recipients(), [ADMIN, ADMIN, ADMIN]);
    assert_eq!(held(&engine).await, [], "the day isn't over");
    let midnight = now() + SignedDuration::from_hours(14);
    let digests = engine.store.list_digests(midnight).await.unwrap();
    assert_eq!(digests.len(), 1);
    assert_eq!(digests[0].user_id.as_str(), "owner-1");
    assert_eq!(digests[0].period, DigestPeriod::day_of(now()));
    let entries = engine.store.digest_entries(&digests[0]).await.unwrap();
    assert_eq!(entries.len(), 3);
    // A repeated batch neither mails nor holds anything again, even on the next day.
    for second in [1, 24 * 3_600] {
        let failed = deliver_at(&engine, &post, &records, second).await;
        assert!(failed.is_empty());
        assert_eq!(post.take(), []);
        let next = engine
            .store
            .list_digests(midnight + SignedDuration::from_hours(24));
        assert_eq!(next.await.unwrap(), digests);
        assert_eq!(
            engine.store.digest_entries(&digests[0]).await.unwrap(),
            entries
        );
    }
}

#[tokio::test]
async fn what_is_urgent_comes_at_once_whatever_its_recipients_chose() {
    for action in [Action::View, Action::Leak, Action::Remind, Action::Tamper] {
        let engine = with_actions(1, action).await;
        for user in ["owner-1", "admin-1"] {
            choose(&engine, user, &all_daily()).await;
        }
        let (post, records) = (Post::default(), log(&engine).await);
        assert!(deliver(&engine, &post, &records).await.is_empty());
        assert_eq!(post.recipients(), [OWNER, ADMIN], "{action:?}");
    }
}

#[tokio::test]
async fn a_group_that_a_member_did_not_choose_comes_at_once() {
    let (engine, _) = with_records(1).await;
    let access = MailPreferences {
        access: MailTiming::Daily,
        ..MailPreferences::default()
    };
    choose(&engine, "owner-1", &access).await;
    let post = Post::default();
    assert!(
        deliver(&engine, &post, &log(&engine).await)
            .await
            .is_empty()
    );
    assert_eq!(post.recipients(), [OWNER, ADMIN]);
}

#[tokio::test]
async fn a_choice_that_cannot_be_read_makes_nobody_wait() {
    let (engine, _) = with_records(1).await;
    engine.load_tokens(&[json!({
        "pk": {"S": "PREFERENCES#acme"},
        "sk": {"S": "USER#owner-1"},
        "userId": {"S": "owner-1"},
        "create": {"S": "someday"},
        "access": {"S": "daily"},
        "change": {"S": "daily"},
    })]);
    let post = Post::default();
    assert!(
        deliver(&engine, &post, &log(&engine).await)
            .await
            .is_empty()
    );
    assert_eq!(post.recipients(), [OWNER, ADMIN]);
}

/// The line about the exports in the mail about a change of them.
async fn about_exports(old: &str, new: &str) -> String {
    let (engine, stored) = with_records(1).await;
    // A resource that doesn't parse.
    engine.load_tokens(&[json!({
        "pk": {"S": "RESOURCE#acme"},
        "sk": {"S": "export#exp_broken"},
    })]);
    let mut record = audit(Action::Update, &stored.token, now(), 7);
    let text = |text: &str| Some(text.to_owned());
    record.changes = vec![Change::new("scope.exports", text(old), text(new))];
    let post = Post::default();
    let (notifier, clock) = (notifier(&post), FixedClock(now()));
    let notified = notifier.notify(&engine.store, &clock, &record, Timestamp::MAX);
    notified.await.unwrap();
    let mails = post.take();
    assert_eq!(mails.len(), 2);
    let line = mails[0]
        .text
        .lines()
        .find(|line| line.contains("Exports: "));
    line.unwrap().trim().to_owned()
}

#[tokio::test]
async fn resources_are_named_if_their_names_can_be_read() {
    let told = about_exports("exp_orders, exp_gone", "exp_orders, exp_app").await;
    assert_eq!(
        told,
        "Exports: added “The exp_app” (exp_app), removed exp_gone"
    );
    let told = about_exports("exp_broken", "exp_app").await;
    assert_eq!(told, "Exports: added exp_app, removed exp_broken");
}

fn records(sample: &str) -> Vec<Value> {
    let mut sample: Value = serde_json::from_str(sample).unwrap();
    let records = std::mem::take(sample["Records"].as_array_mut().unwrap());
    assert!(!records.is_empty());
    records
}

fn changed() -> Vec<Value> {
    records(include_str!(
        "../../../events/send-notifications/record-changed.json"
    ))
}

fn removed() -> Vec<Value> {
    records(include_str!(
        "../../../events/send-notifications/record-removed.json"
    ))
}

fn retention_over() -> Vec<Value> {
    records(include_str!(
        "../../../events/send-notifications/record-retention-over.json"
    ))
}

#[test]
fn the_samples_of_tampering_are_of_a_record_as_the_store_writes_it() {
    let written = sample()["Records"][0]["dynamodb"]["NewImage"].take();
    for (mut sample, name) in [
        (changed(), "MODIFY"),
        (removed(), "REMOVE"),
        (retention_over(), "REMOVE"),
    ] {
        assert_eq!(sample[0]["eventName"], name);
        assert_eq!(sample[0]["dynamodb"]["OldImage"].take(), written);
    }
}

#[tokio::test]
async fn a_record_that_is_changed_or_removed_is_kept_and_told_of_once() {
    let (engine, _) = with_records(1).await;
    let post = Post::default();
    for record in [changed(), removed()] {
        for _ in 0..2 {
            assert!(deliver(&engine, &post, &record).await.is_empty());
        }
    }
    let mut told = engine.audit(&acme().id).await;
    told.retain(|record| record.action == Action::Tamper);
    let names = |sample: &[Value]| sample[0]["eventID"].as_str().unwrap().to_owned();
    let mut of: Vec<_> = told.iter().map(|r| r.origin.request_id.clone()).collect();
    of.sort();
    assert_eq!(of, [names(&changed()), names(&removed())]);
    for record in &told {
        let user = record.changes.iter().find(|change| change.field == "user");
        let user = user.unwrap();
        assert!(user.old.as_deref().unwrap().contains("Olive Owner"));
        let is_change = record.origin.request_id == names(&changed());
        assert_eq!(user.new.is_some(), is_change);
        // Unchanged fields aren't recorded. A removed field is recorded with its old value.
        let reasons = record
            .changes
            .iter()
            .filter(|change| change.field == "requestId");
        assert_eq!(reasons.count(), usize::from(!is_change));
    }
    let told = log(&engine).await.split_off(1);
    deliver(&engine, &post, &told).await;
    let mails = post.take();
    assert_eq!(mails.len(), 4);
    assert!(mails.iter().all(|mail| mail.text.contains("Olive Owner")));
}

#[tokio::test]
async fn the_end_of_a_records_retention_is_no_tampering() {
    let (engine, _) = with_records(1).await;
    let before = engine.dump().await;
    let delivered = deliver(&engine, &Post::default(), &retention_over()).await;
    assert!(delivered.is_empty());
    assert_eq!(engine.dump().await, before);
}

/// Returns the stream's record of an item that changed; without a new image, the item was removed.
fn tampering(number: usize, old: &Value, new: Option<&Value>) -> Value {
    let mut record = changed().remove(0);
    record["eventID"] = json!(format!("event-{number}"));
    record["eventName"] = json!(if new.is_some() { "MODIFY" } else { "REMOVE" });
    let stream = &mut record["dynamodb"];
    stream["Keys"] = json!({"pk": old["pk"], "sk": old["sk"]});
    stream["OldImage"] = old.clone();
    stream["NewImage"] = new.cloned().unwrap_or_default();
    if new.is_none() {
        stream.as_object_mut().unwrap().remove("NewImage");
    }
    record
}

/// The records of tampering, oldest first.
async fn told(engine: &Engine) -> Vec<AuditRecord> {
    let mut told = engine.audit(&acme().id).await;
    told.retain(|record| record.action == Action::Tamper);
    told.reverse();
    told
}

/// What somebody does to an item.
#[derive(Debug, Clone)]
enum Deed {
    Set(BTreeMap<String, Value>),
    Remove(String),
    RemoveAll,
}

/// The largest item that DynamoDB takes.
const MAX_ITEM: usize = 400 * 1024;

impl Deed {
    /// The item afterwards; `None` if it is gone.
    fn done_to(&self, item: &Value) -> Option<Value> {
        let mut changed = item.clone();
        let attributes = changed.as_object_mut().unwrap();
        match self {
            Self::Set(values) => attributes.extend(values.clone()),
            Self::Remove(name) => drop(attributes.remove(name)),
            Self::RemoveAll => return None,
        }
        // As text, an item is larger than in the table.
        Some(changed)
            .filter(|changed| changed.to_string().len() <= MAX_ITEM)
            .or(Some(item.clone()))
    }
}

/// A value of any type of DynamoDB, as in a stream's record.
fn any_value() -> impl Strategy<Value = Value> {
    let text = prop_oneof![
        4 => any::<String>(),
        1 => Just(latchkey::testing::plain(&plain_secret())),
        2 => (1_000_usize..390_000).prop_map(|size| "ä".repeat(size / 2)),
        1 => (1_000_usize..390_000).prop_map(|size| "lka_0".repeat(size / 5)),
    ];
    let bytes = prop_oneof![
        Just("AAEC".to_owned()),
        Just("/+8=".to_owned()),
        Just("bGth".repeat(50_000))
    ];
    let number = "-?[1-9][0-9]{0,37}";
    let leaf = prop_oneof![
        4 => text.prop_map(|text| json!({"S": text})),
        1 => number.prop_map(|number| json!({"N": number})),
        1 => bytes.prop_map(|bytes| json!({"B": bytes})),
        1 => any::<bool>().prop_map(|value| json!({"BOOL": value})),
        1 => Just(json!({"NULL": true})),
        1 => vec("[a-z]{1,9}", 1..4).prop_map(|set| json!({"SS": set})),
        1 => vec(number, 1..4).prop_map(|set| json!({"NS": set})),
        1 => Just(json!({"BS": ["AAEC", "AA=="]})),
    ];
    leaf.prop_recursive(4, 16, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(|list| json!({"L": list})),
            btree_map(any::<String>(), inner, 0..4).prop_map(|map| json!({"M": map})),
        ]
    })
}

fn any_name() -> impl Strategy<Value = String> {
    let own = vec![
        "tokenKey",
        "accountId",
        "time",
        "action",
        "source",
        "user",
        "tokenId",
        "tokenName",
        "tokenHint",
        "changes",
        "ip",
        "assertedIp",
        "userAgent",
        "requestId",
        "traceId",
        "expiresAt",
    ];
    prop_oneof![
        4 => proptest::sample::select(own).prop_map(str::to_owned),
        1 => "[a-z]{1,3}",
        1 => (1_usize..60_000).prop_map(|size| "n".repeat(size)),
    ]
}

fn any_deed() -> impl Strategy<Value = Deed> {
    let many = (1_usize..20_000).prop_map(|count| {
        let values = (0..count).map(|number| (format!("{number:x}"), json!({"S": "x"})));
        Deed::Set(values.collect())
    });
    prop_oneof![
        8 => btree_map(any_name(), any_value(), 1..4).prop_map(Deed::Set),
        1 => many,
        4 => any_name().prop_map(Deed::Remove),
        1 => Just(Deed::RemoveAll),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Otherwise, the stream would wait for the failing record until it is too old.
    #[test]
    fn whatever_is_done_to_a_record_is_recorded_and_mailed(deeds in vec(any_deed(), 2..4)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (engine, _) = with_records(1).await;
            let mut item = engine.audit_images().await.remove(0);
            let mut records = Vec::new();
            for deed in &deeds {
                let new = deed.done_to(&item);
                if new.as_ref() == Some(&item) {
                    continue;
                }
                records.push(tampering(records.len(), &item, new.as_ref()));
                match new {
                    Some(new) => item = new,
                    None => break,
                }
            }
            let post = Post::default();
            assert!(deliver(&engine, &post, &records).await.is_empty());
            let told = told(&engine).await;
            let ids: BTreeSet<_> = told.iter().map(|told| told.origin.request_id.clone()).collect();
            let done = (0..records.len()).map(|number| format!("event-{number}"));
            assert_eq!(ids, done.collect());
            assert_eq!(told.len(), records.len());
            // The item that was changed isn't the table's.
            let told = log(&engine).await.split_off(1);
            assert_eq!(told.len(), records.len());
            assert!(deliver(&engine, &post, &told).await.is_empty());
            assert_eq!(post.take().len(), 2 * records.len());
        });
    }
}

#[tokio::test]
async fn a_record_that_was_changed_to_be_somebody_elses_is_told_to_whose_log_it_is_in() {
    let (engine, stored) = with_records(1).await;
    let item = engine.audit_images().await.remove(0);
    let mut posed = item.clone();
    posed["accountId"] = json!({"S": "globex"});
    posed["tokenKey"] = json!({"S": "ACCOUNT#globex#TOKEN#tok_01ARZ3NDEKTSV4RRFFQ69G5FAV"});
    let deeds = [
        tampering(1, &item, Some(&posed)),
        tampering(2, &posed, None),
    ];
    assert!(deliver(&engine, &Post::default(), &deeds).await.is_empty());
    let [one, two] = &told(&engine).await[..] else {
        panic!("not two records")
    };
    assert_eq!([&one.token_id, &two.token_id], [&stored.token.id; 2]);
    assert_eq!(one.token_name, stored.token.name);
    assert!(engine.audit(&globex().id).await.is_empty());
}

#[tokio::test]
async fn a_record_without_a_token_is_told_as_an_unknown_ones() {
    let (engine, _) = with_records(1).await;
    let mut item = engine.audit_images().await.remove(0);
    for name in ["tokenKey", "tokenId", "tokenName", "tokenHint"] {
        item.as_object_mut().unwrap().remove(name);
    }
    let deeds = [tampering(1, &item, None)];
    assert!(deliver(&engine, &Post::default(), &deeds).await.is_empty());
    let told = told(&engine).await;
    assert_eq!(told[0].token_id, TokenId::unknown());
    assert_eq!(told[0].token_name, "?");
}

/// No version writes such keys, so nothing is waited for. There is no account to tell.
#[tokio::test]
async fn an_item_that_somebody_put_under_other_keys_holds_nothing_up_and_rings() {
    let (engine, _) = with_records(1).await;
    let own = log(&engine).await.remove(0);
    let secret = latchkey::testing::plain(&plain_secret());
    for (pk, sk) in [
        ("OTHER", "aud_01M83XJ8800W3GE1R70W3GE1R7"),
        ("ACCOUNT#not an id", "aud_01M83XJ8800W3GE1R70W3GE1R7"),
        ("ACCOUNT#acme", "note"),
        (&secret, "note"),
    ] {
        let item = json!({"pk": {"S": pk}, "sk": {"S": sk}, "text": {"S": "mine"}});
        let mut put = record(7, &item);
        put["eventID"] = json!("put");
        let mut records = vec![
            put,
            tampering(1, &item, Some(&json!({"pk": {"S": pk}, "sk": {"S": sk}}))),
        ];
        records.extend([tampering(2, &item, None), own.clone()]);
        let (post, before) = (Post::default(), engine.audit_images().await.len());
        let logs = Logs::of("send_notifications", LevelFilter::ERROR);
        assert!(deliver(&engine, &post, &records).await.is_empty(), "{pk}");
        let mut lines = logs.take();
        lines.retain(|line| line["level"] == "ERROR");
        assert_eq!(lines.len(), 3, "{lines:?}");
        assert!(!format!("{lines:?}").contains(&secret));
        assert!(lines[0].to_string().contains("no record"));
        // An item in an account's partition is recorded all the same.
        let recorded = engine.audit_images().await.len() - before;
        assert_eq!(recorded, if pk == "ACCOUNT#acme" { 2 } else { 0 });
    }
}

/// Operators build these records from a table's items when the stream had none: see `docs/deploying.md`.
#[tokio::test]
async fn records_that_no_stream_had_are_mailed_once_however_often_they_are_handed_over() {
    let (engine, _) = with_records(3).await;
    let post = Post::default();
    assert!(
        deliver(&engine, &post, &log(&engine).await[..1])
            .await
            .is_empty()
    );
    assert_eq!(post.take().len(), 2);
    let items = engine.audit_images().await;
    let items = items.iter().map(|item| {
        json!({
            "eventID": item["sk"]["S"],
            "eventName": "INSERT",
            "awsRegion": "",
            "dynamodb": {
                "ApproximateCreationDateTime": 0,
                "Keys": {},
                "NewImage": item,
                "SequenceNumber": item["sk"]["S"],
                "SizeBytes": 0,
            },
        })
    });
    let items: Vec<_> = items.collect();
    for mails in [4, 0] {
        assert!(deliver(&engine, &post, &items).await.is_empty());
        assert_eq!(post.take().len(), mails);
    }
}
