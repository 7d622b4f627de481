use std::sync::atomic::{AtomicBool, Ordering};

use jiff::SignedDuration;
use latchkey::domain::actor::Actor;
use latchkey::domain::audit::Source;
use latchkey::domain::auto_purge::AutoPurge;
use latchkey::domain::change::TokenChange;
use latchkey::domain::id::{AccountId, TokenId};
use latchkey::domain::paging::Page;
use latchkey::domain::token::{Patch, StoredToken, Token};
use latchkey::domain::upkeep::ShardPosition;
use latchkey::ports::ChangeToken;
use latchkey::store::Store;
use latchkey::testing::{Engine, acme, globex, now, origin, owner_actor, system_at, token_at};

use super::*;

/// Returns the tests' time plus some hours.
fn after(hours: i64) -> Timestamp {
    now() + SignedDuration::from_hours(hours)
}

fn event() -> ScheduledEvent {
    let sample = include_str!("../../../events/remind-expiring/daily.json");
    serde_json::from_str(sample).unwrap()
}

fn warnings() -> Warnings {
    Warnings::parse("7,3,1").unwrap()
}

/// Returns a token of that lifetime that was created now.
fn mortal(auto_purge: AutoPurge) -> Token {
    Token {
        auto_purge,
        purge_at: auto_purge.purge_at(now()),
        ..token_at(now())
    }
}

/// Runs the function some hours before the end of a token of thirty days.
async fn run(
    store: &(impl ListExpiring + RecordReminder),
    hours_left: i64,
) -> Result<(), PortError> {
    let time = after(30 * 24 - hours_left);
    handle(
        store,
        &system_at(time),
        &warnings(),
        Timestamp::MAX,
        event(),
    )
    .await
}

/// Returns an account's audit records of warnings, newest first.
async fn reminders(engine: &Engine, account: &AccountId) -> Vec<AuditRecord> {
    let log = engine.audit(account).await.into_iter();
    log.filter(|record| record.action == Action::Remind)
        .collect()
}

async fn count(engine: &Engine) -> usize {
    reminders(engine, &acme().id).await.len()
}

async fn change(engine: &Engine, before: StoredToken, token: Token, at: Timestamp) -> StoredToken {
    let action = Action::Update;
    let entropy = &latchkey::system::System;
    let change = TokenChange::new(before, token, action, origin(), at, entropy).unwrap();
    engine.store.change_token(&change).await.unwrap();
    change.after
}

#[tokio::test]
async fn a_warning_says_which_token_ends_when_and_that_it_was_the_system() {
    let engine = Engine::with_accounts().await;
    let token = engine.add(mortal(AutoPurge::ThirtyDays)).await.token;
    run(&engine.store, 7 * 24 + 6).await.unwrap();
    let [record] = &reminders(&engine, &acme().id).await[..] else {
        panic!("not one warning")
    };
    assert_eq!(record.token_id, token.id);
    assert_eq!(record.token_name, token.name);
    assert_eq!(record.token_hint, token.hint);
    assert_eq!(record.time, after(23 * 24 - 6));
    assert_eq!(record.origin.source, Source::System);
    assert_eq!(record.origin.actor, Actor::system());
    assert_eq!(record.origin.request_id, event().id);
    let end = Some("2026-12-23T10:00:00.000Z".to_owned());
    let changes = [Change::new("purgeAt", end.clone(), end)];
    assert_eq!(record.changes, changes);
    // The token itself is unchanged.
    let stored = engine.stored(&acme().id, &token.id).await.unwrap();
    assert_eq!(stored.token, token);
}

#[tokio::test]
async fn every_warning_is_given_once_however_often_the_schedule_comes() {
    let engine = Engine::with_accounts().await;
    engine.add(mortal(AutoPurge::ThirtyDays)).await;
    for (hours_left, expected) in [
        (9 * 24, 0),
        (8 * 24, 0),
        (8 * 24 - 1, 1),
        (8 * 24 - 1, 1),
        (6 * 24, 1),
        (4 * 24 - 1, 2),
        (2 * 24, 2),
        (2 * 24 - 1, 3),
        (24, 3),
        (1, 3),
        (0, 3),
        (-1, 3),
    ] {
        run(&engine.store, hours_left).await.unwrap();
        assert_eq!(count(&engine).await, expected, "{hours_left}");
    }
}

#[tokio::test]
async fn a_schedule_that_is_delivered_twice_at_once_warns_once() {
    let engine = Engine::with_accounts().await;
    for _ in 0..8 {
        engine.add(mortal(AutoPurge::ThirtyDays)).await;
    }
    let runs = (0..3).map(|_| run(&engine.store, 25));
    for result in futures_util::future::join_all(runs).await {
        result.unwrap();
    }
    assert_eq!(count(&engine).await, 8);
}

#[tokio::test]
async fn what_an_outage_missed_is_one_warning_and_not_three() {
    let engine = Engine::with_accounts().await;
    engine.add(mortal(AutoPurge::ThirtyDays)).await;
    run(&engine.store, 20).await.unwrap();
    run(&engine.store, 10).await.unwrap();
    assert_eq!(count(&engine).await, 1);
}

#[tokio::test]
async fn a_token_that_was_to_be_short_lived_is_not_warned_of() {
    let engine = Engine::with_accounts().await;
    for lifetime in [
        AutoPurge::OneHour,
        AutoPurge::FourHours,
        AutoPurge::OneDay,
        AutoPurge::Never,
    ] {
        engine.add(mortal(lifetime)).await;
    }
    for hour in 0..30 {
        run(&engine.store, 30 * 24 - hour).await.unwrap();
    }
    assert_eq!(count(&engine).await, 0);
}

#[tokio::test]
async fn a_revoked_token_is_not_warned_of_until_it_comes_back() {
    let engine = Engine::with_accounts().await;
    let stored = engine.add(mortal(AutoPurge::ThirtyDays)).await;
    let revoked = engine.revoke(stored).await;
    run(&engine.store, 40).await.unwrap();
    assert_eq!(count(&engine).await, 0);
    let active = revoked.token.reactivate(owner_actor(), now());
    change(&engine, revoked, active.unwrap().unwrap(), now()).await;
    run(&engine.store, 40).await.unwrap();
    assert_eq!(count(&engine).await, 1);
}

#[tokio::test]
async fn a_lifetime_that_is_chosen_anew_has_warnings_of_its_own() {
    let engine = Engine::with_accounts().await;
    let stored = engine.add(mortal(AutoPurge::ThirtyDays)).await;
    run(&engine.store, 30).await.unwrap();
    assert_eq!(count(&engine).await, 1);
    let at = after(29 * 24);
    let longer = Patch {
        auto_purge: Some(AutoPurge::ThirtyDays),
        ..Patch::default()
    };
    let token = stored.token.edit(longer, owner_actor(), at).unwrap();
    let stored = change(&engine, stored, token, at).await;
    run(&engine.store, 20).await.unwrap();
    assert_eq!(count(&engine).await, 1);
    // An edit of something else keeps the note of the warnings.
    run(&engine.store, 30 - 29 * 24).await.unwrap();
    assert_eq!(count(&engine).await, 2);
    let renamed = Patch {
        name: Some("Renamed".into()),
        ..Patch::default()
    };
    let token = stored.token.edit(renamed, owner_actor(), at).unwrap();
    change(&engine, stored, token, at).await;
    run(&engine.store, 29 - 29 * 24).await.unwrap();
    assert_eq!(count(&engine).await, 2);
}

#[tokio::test]
async fn tokens_of_every_account_and_of_more_than_a_page_are_warned_of() {
    let engine = Engine::with_accounts().await;
    for _ in 0..60 {
        engine.add(mortal(AutoPurge::ThirtyDays)).await;
    }
    engine.add(mortal(AutoPurge::TenDays)).await;
    let other = Token {
        account_id: globex().id,
        ..mortal(AutoPurge::ThirtyDays)
    };
    let other = engine.add(other).await.token;
    run(&engine.store, 24).await.unwrap();
    let reminded = reminders(&engine, &acme().id).await;
    assert_eq!(reminded.len(), 60);
    let [record] = &reminders(&engine, &globex().id).await[..] else {
        panic!("not one warning")
    };
    assert_eq!(record.token_id, other.id);
}

#[tokio::test]
async fn a_warning_without_its_record_is_none() {
    let engine = Engine::with_accounts().await;
    let token = engine.add(mortal(AutoPurge::ThirtyDays)).await.token;
    engine.break_audit().await;
    assert!(run(&engine.store, 24).await.is_err());
    let time = now();
    let ending = engine.store.get_expiring(&acme().id, &token.id, time).await;
    assert_eq!(ending.unwrap().unwrap().1, None);
}

/// A store that fails on one token, or in which a token changes just before it is written.
struct Unlucky<'a> {
    store: &'a Store,
    token: TokenId,
    fails: AtomicBool,
    change: Option<&'a TokenChange>,
}

impl ListExpiring for Unlucky<'_> {
    async fn list_expiring(
        &self,
        now: Timestamp,
        until: Timestamp,
        position: Option<ShardPosition>,
    ) -> Result<Page<ExpiringToken, ShardPosition>, PortError> {
        self.store.list_expiring(now, until, position).await
    }

    async fn get_expiring(
        &self,
        account: &AccountId,
        id: &TokenId,
        now: Timestamp,
    ) -> Result<Option<(Token, Option<SentReminder>)>, PortError> {
        self.store.get_expiring(account, id, now).await
    }
}

impl RecordReminder for Unlucky<'_> {
    async fn record_reminder(&self, reminder: &Reminder) -> Result<(), PortError> {
        if reminder.audit.token_id == self.token && self.fails.swap(false, Ordering::Relaxed) {
            match self.change {
                Some(change) => self.store.change_token(change).await?,
                None => return Err(PortError::Unavailable("throttled".into())),
            }
        }
        self.store.record_reminder(reminder).await
    }
}

#[tokio::test]
async fn one_failure_holds_up_nobody_else_and_the_next_attempt_makes_up_for_it() {
    let engine = Engine::with_accounts().await;
    for _ in 0..5 {
        engine.add(mortal(AutoPurge::ThirtyDays)).await;
    }
    let unlucky = Unlucky {
        store: &engine.store,
        token: engine.add(mortal(AutoPurge::ThirtyDays)).await.token.id,
        fails: true.into(),
        change: None,
    };
    assert!(run(&unlucky, 24).await.is_err());
    assert_eq!(count(&engine).await, 5);
    run(&unlucky, 24).await.unwrap();
    assert_eq!(count(&engine).await, 6);
}

#[tokio::test]
async fn a_token_that_is_revoked_at_the_last_moment_is_not_warned_of() {
    let engine = Engine::with_accounts().await;
    let stored = engine.add(mortal(AutoPurge::ThirtyDays)).await;
    let token = stored.token.revoke(owner_actor(), now(), None).unwrap();
    let entropy = &latchkey::system::System;
    let id = token.id.clone();
    let revoke = TokenChange::new(stored, token, Action::Revoke, origin(), now(), entropy);
    let unlucky = Unlucky {
        store: &engine.store,
        token: id,
        fails: true.into(),
        change: Some(&revoke.unwrap()),
    };
    run(&unlucky, 24).await.unwrap();
    assert_eq!(count(&engine).await, 0);
}

#[tokio::test]
async fn a_run_whose_time_is_up_fails_so_that_it_is_tried_again() {
    let engine = Engine::with_accounts().await;
    engine.add(mortal(AutoPurge::ThirtyDays)).await;
    let time = after(29 * 24);
    let late = handle(&engine.store, &system_at(time), &warnings(), time, event()).await;
    assert!(matches!(late, Err(PortError::Unavailable(_))));
    assert_eq!(count(&engine).await, 0);
}
