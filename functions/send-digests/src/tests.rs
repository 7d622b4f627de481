use jiff::SignedDuration;
use latchkey::domain::account::{Account, Role};
use latchkey::domain::action::Action;
use latchkey::domain::audit::AuditRecord;
use latchkey::domain::budget::Budgets;
use latchkey::domain::mailing::SuppressionReason;
use latchkey::domain::preferences::{MailPreferences, MailTiming};
use latchkey::domain::time::time_in_words;
use latchkey::mail::Console;
use latchkey::ports::{ProjectPlatform, PutPreferences, SendOutcome, SuppressAddress};
use latchkey::schedule::ScheduledEvent;
use latchkey::testing::{Engine, FixedClock, Logs, Post, acme, audit, brand, now, token_at};
use tracing::level_filters::LevelFilter;

use super::*;

const OWNER: &str = "owner@acme.example";
const ADMIN: &str = "admin@acme.example";

fn minutes(minutes: i64) -> Timestamp {
    now() + SignedDuration::from_mins(minutes)
}

fn notifier(post: &Post) -> Notifier<Post> {
    Notifier::new(
        post.clone(),
        Console::new("https://tokens.example"),
        brand(),
    )
}

/// Notifies of a number of changes of tokens, for people with a budget of one mail an hour.
async fn happen(engine: &Engine, at: Timestamp, count: u8) -> Vec<AuditRecord> {
    let budgets = Budgets {
        mails: 1,
        ..Engine::budgets()
    };
    let store = engine.store.clone().with_budgets(budgets);
    let mut records = Vec::new();
    for number in 0..count {
        let record = audit(Action::Update, &token_at(at), at, number);
        let (notifier, clock) = (notifier(&Post::default()), FixedClock(at));
        let notified = notifier.notify(&store, &clock, &record, Timestamp::MAX);
        notified.await.unwrap();
        records.push(record);
    }
    records
}

async fn run(engine: &Engine, post: &Post, at: Timestamp) -> Result<(), PortError> {
    handle(
        &engine.store,
        &notifier(post),
        &FixedClock(at),
        Timestamp::MAX,
    )
    .await
}

#[test]
fn the_sample_is_what_a_schedule_sends() {
    let sample = include_str!("../../../events/send-digests/quarter.json");
    serde_json::from_str::<ScheduledEvent>(sample).unwrap();
}

#[tokio::test]
async fn one_mail_lists_all_that_was_held_back_when_the_hour_is_over() {
    let engine = Engine::with_accounts().await;
    let records = happen(&engine, minutes(10), 6).await;
    let post = Post::default();
    run(&engine, &post, minutes(64)).await.unwrap();
    assert_eq!(post.take(), [], "more may come");
    let logs = Logs::of("send_digests", LevelFilter::ERROR);
    run(&engine, &post, minutes(65)).await.unwrap();
    let accepted = ("mail_accepted".to_owned(), 1);
    assert_eq!(logs.take_measures(), [accepted.clone(), accepted]);
    let mails = post.take();
    let to: Vec<_> = mails.iter().map(|mail| mail.to.as_str()).collect();
    assert_eq!(to, [ADMIN, OWNER]);
    for mail in mails {
        assert_eq!(mail.subject, "[Acme] 5 more events of API tokens");
        for part in [mail.text, mail.html] {
            assert!(!part.contains(records[0].token_id.as_str()), "was mailed");
            for record in &records[1..] {
                assert!(part.contains(record.token_id.as_str()));
                assert!(part.contains(&time_in_words(record.time)));
            }
            assert!(part.contains("Olive Owner"));
            assert!(part.contains("https://tokens.example/#/accounts/acme/audit"));
        }
    }
    run(&engine, &post, minutes(80)).await.unwrap();
    assert_eq!(post.take(), []);
}

#[tokio::test]
async fn every_hour_has_a_digest_of_its_own() {
    let engine = Engine::with_accounts().await;
    happen(&engine, minutes(10), 3).await;
    happen(&engine, minutes(70), 2).await;
    let post = Post::default();
    run(&engine, &post, minutes(65)).await.unwrap();
    assert_eq!(post.recipients(), [ADMIN, OWNER]);
    run(&engine, &post, minutes(124)).await.unwrap();
    assert_eq!(post.take(), []);
    run(&engine, &post, minutes(125)).await.unwrap();
    assert_eq!(post.recipients(), [ADMIN, OWNER]);
}

#[tokio::test]
async fn what_a_member_wants_once_a_day_comes_in_one_mail_when_the_day_is_over() {
    let engine = Engine::with_accounts().await;
    let preferences = MailPreferences {
        change: MailTiming::Daily,
        ..MailPreferences::default()
    };
    let (account, owner) = (acme().id, "owner-1".parse().unwrap());
    let put = engine.store.put_preferences(&account, &owner, &preferences);
    put.await.unwrap();
    // The administrator has a budget of one mail an hour, and gets the others in the hours' digests.
    let mut records = happen(&engine, minutes(10), 2).await;
    records.extend(happen(&engine, minutes(13 * 60), 2).await);
    let next_day = happen(&engine, minutes(14 * 60), 1).await;
    let post = Post::default();
    run(&engine, &post, minutes(14 * 60 + 4)).await.unwrap();
    assert_eq!(post.recipients(), [ADMIN]);
    run(&engine, &post, minutes(14 * 60 + 5)).await.unwrap();
    let mut mails = post.take();
    mails.retain(|mail| mail.to == OWNER);
    assert_eq!(mails.len(), 1);
    assert_eq!(
        mails[0].subject,
        "[Acme] 4 events of API tokens on 23 November 2026"
    );
    for part in [&mails[0].text, &mails[0].html] {
        for record in &records {
            assert!(part.contains(record.token_id.as_str()));
            assert!(part.contains(&time_in_words(record.time)));
        }
        assert!(!part.contains(next_day[0].token_id.as_str()));
    }
    run(&engine, &post, minutes(14 * 60 + 20)).await.unwrap();
    assert_eq!(post.take(), []);
    run(&engine, &post, minutes(38 * 60 + 5)).await.unwrap();
    let mails = post.take();
    let told: Vec<_> = mails
        .iter()
        .map(|mail| (mail.to.as_str(), mail.subject.as_str()))
        .collect();
    assert_eq!(
        told,
        [(OWNER, "[Acme] 1 event of API tokens on 24 November 2026")]
    );
}

#[tokio::test]
async fn a_digest_that_fails_is_sent_by_a_later_run_and_holds_up_no_other() {
    let engine = Engine::with_accounts().await;
    happen(&engine, minutes(10), 3).await;
    let post = Post::refusing(ADMIN);
    let failed = run(&engine, &post, minutes(65)).await;
    assert!(
        matches!(failed, Err(PortError::Unavailable(_))),
        "{failed:?}"
    );
    assert_eq!(post.recipients(), [OWNER]);
    post.recover();
    run(&engine, &post, minutes(80)).await.unwrap();
    assert_eq!(post.recipients(), [ADMIN]);
}

#[tokio::test]
async fn a_digest_that_may_be_on_its_way_is_not_sent_again_soon() {
    let engine = Engine::with_accounts().await;
    happen(&engine, minutes(10), 3).await;
    let post = Post::default();
    post.answer(ADMIN, || Ok(SendOutcome::NoResponse("timed out".into())));
    assert!(run(&engine, &post, minutes(65)).await.is_err());
    post.recover();
    assert!(run(&engine, &post, minutes(66)).await.is_err());
    assert_eq!(post.recipients(), [OWNER]);
    run(&engine, &post, minutes(80)).await.unwrap();
    assert_eq!(post.recipients(), [ADMIN]);
}

#[tokio::test]
async fn whoever_is_no_administrator_any_more_gets_none() {
    let engine = Engine::with_accounts().await;
    happen(&engine, minutes(10), 3).await;
    let mut members = acme().members;
    members[1].role = Role::Monitor;
    let changed = Account { members, ..acme() };
    engine
        .store
        .put_account(&changed, minutes(11))
        .await
        .unwrap();
    let post = Post::default();
    run(&engine, &post, minutes(65)).await.unwrap();
    assert_eq!(post.recipients(), [OWNER]);
    assert_eq!(engine.store.list_digests(minutes(65)).await.unwrap(), []);
}

#[tokio::test]
async fn a_marked_address_gets_none() {
    let engine = Engine::with_accounts().await;
    happen(&engine, minutes(10), 3).await;
    let marked = engine
        .store
        .suppress_address(OWNER, SuppressionReason::Complained, minutes(20));
    marked.await.unwrap();
    let post = Post::default();
    run(&engine, &post, minutes(65)).await.unwrap();
    assert_eq!(post.recipients(), [ADMIN]);
    assert_eq!(engine.store.list_digests(minutes(65)).await.unwrap(), []);
}

#[tokio::test]
async fn nothing_is_begun_when_the_time_is_up() {
    let engine = Engine::with_accounts().await;
    happen(&engine, minutes(10), 3).await;
    let (post, clock) = (Post::default(), FixedClock(minutes(65)));
    let late = handle(&engine.store, &notifier(&post), &clock, minutes(65)).await;
    assert!(late.is_err());
    assert_eq!(post.take(), []);
    run(&engine, &post, minutes(65)).await.unwrap();
    assert_eq!(post.recipients(), [ADMIN, OWNER]);
}
