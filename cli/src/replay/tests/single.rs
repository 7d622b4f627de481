//! What histories of tokens don't have: uses, warnings, digests, streams, records that can't be read, and failures.

use latchkey::domain::actor::Actor;
use latchkey::domain::auto_purge::AutoPurge;
use latchkey::domain::change::TokenChange;
use latchkey::domain::mailing::DigestEntry;
use latchkey::domain::scope::{ResourceLists, Scope};
use latchkey::domain::token::Patch;
use latchkey::ports::{AddToDigest, ChangeToken, ListExpiring, RecordAudit};
use latchkey::system::System;
use latchkey::testing::{audit, origin, owner_actor};

use super::*;

/// An hour after the point, which is [`now`].
fn later() -> Timestamp {
    now() + SignedDuration::from_hours(1)
}

async fn record(engine: &Engine, token: &Token, action: Action, changes: Vec<Change>) {
    let record = AuditRecord {
        changes,
        ..audit(action, token, later(), 7)
    };
    engine.store.record_audit(&record).await.unwrap();
}

#[tokio::test]
async fn a_later_use_and_a_later_warning_are_noted_and_nothing_is_recorded() {
    let engine = Engine::with_accounts().await;
    let end = now() + SignedDuration::from_hours(80);
    let mortal = Token {
        purge_at: Some(end),
        ..token_at(now())
    };
    let token = engine.add(mortal).await.token;
    let new = restored(&engine).await;
    record(&engine, &token, Action::Access, vec![]).await;
    let told = Some(rfc3339(end));
    let told = vec![Change::new("purgeAt", told.clone(), told)];
    record(&engine, &token, Action::Remind, told).await;
    let done = told_and_done((&engine, &new), now(), later()).await;
    assert_eq!(
        done.done,
        BTreeMap::from([(Step::Copied, 2), (Step::Noted, 1)])
    );
    let after = new
        .stored(&token.account_id, &token.id)
        .await
        .unwrap()
        .token;
    assert_eq!(after.last_use.unwrap().at, later());
    assert_eq!(after.version, token.version);
    let expiring = new.store.get_expiring(&token.account_id, &token.id, now());
    let reminded = expiring.await.unwrap().unwrap().1;
    // 79 hours were left: the warning of three days.
    let expected = SentReminder {
        purge_at: end,
        days: 3,
    };
    assert_eq!(reminded, Some(expected));
    let [old, new] = [&engine, &new].map(|engine| engine.audit(&token.account_id));
    assert_eq!(old.await, new.await);
}

/// A lifetime that is chosen again begins anew, although only its end is another one.
#[tokio::test]
async fn an_edit_is_made_again_as_it_was_made() {
    let engine = Engine::with_accounts().await;
    let auto_purge = AutoPurge::TenDays;
    let mortal = Token {
        auto_purge,
        purge_at: auto_purge.purge_at(now()),
        ..token_at(now())
    };
    let before = engine.add(mortal).await;
    let new = restored(&engine).await;
    let patch = Patch {
        auto_purge: Some(auto_purge),
        scope: Some(Scope::Custom(ResourceLists::default())),
        allowed_cidrs: Some(vec!["192.0.2.0/24".parse().unwrap()]),
        ..Patch::default()
    };
    let edited = before.token.edit(patch, owner_actor(), later()).unwrap();
    let change = TokenChange::new(before, edited, Action::Update, origin(), later(), &System);
    let change = change.unwrap();
    engine.store.change_token(&change).await.unwrap();
    let done = told_and_done((&engine, &new), now(), later()).await;
    let step = Step::Token(Action::Update);
    assert_eq!(done.done, BTreeMap::from([(Step::Copied, 1), (step, 1)]));
    let token = &change.after.token;
    let after = new.stored(&token.account_id, &token.id).await;
    assert_eq!(after, Some(change.after));
}

#[tokio::test]
async fn digests_that_the_old_stack_sends_are_not_sent_again() {
    let engine = Engine::with_accounts().await;
    let token = engine.add(token_at(now())).await.token;
    let digest = Digest {
        account_id: acme().id,
        user_id: acme().members[0].id.clone(),
        period: DigestPeriod::day_of(now()),
    };
    let held = DigestEntry::from(&audit(Action::Update, &token, now(), 1));
    engine
        .store
        .add_to_digest(&digest, &held, now())
        .await
        .unwrap();
    let new = restored(&engine).await;
    assert_eq!(
        new.store.list_digests(Timestamp::MAX).await.unwrap(),
        [digest]
    );
    let done = told_and_done((&engine, &new), later(), later()).await;
    assert_eq!(done.done, BTreeMap::from([(Step::Digest, 1)]));
    assert_eq!(new.store.list_digests(Timestamp::MAX).await.unwrap(), []);
}

#[tokio::test]
async fn tables_with_a_stream_are_left_alone() {
    let engine = Engine::with_accounts().await;
    let token = engine.add(token_at(now())).await;
    let new = Engine::start().await;
    new.load_tokens(&engine.token_images().await);
    engine.revoke(token).await;
    let before = new.dump().await;
    let summary = run((&engine, &new), now(), later(), false).await;
    assert_eq!(summary.failures.len(), 1);
    assert!(
        summary.to_string().contains("a table has a stream"),
        "{summary}"
    );
    assert_eq!(new.dump().await, before);
}

#[tokio::test]
async fn a_record_that_can_not_be_read_is_a_failure_and_others_are_replayed() {
    let engine = Engine::with_accounts().await;
    let odd = engine.add(token_at(now())).await.token;
    let other = engine.add(token_at(now())).await;
    let new = restored(&engine).await;
    let unknown = vec![Change::new("colour", None, Some("red".into()))];
    record(&engine, &odd, Action::Update, unknown).await;
    engine.revoke(other.clone()).await;
    let summary = run((&engine, &new), now(), later(), false).await;
    let [failure] = &summary.failures[..] else {
        panic!("{summary}")
    };
    assert!(
        failure.starts_with(&format!("acme {}", odd.id)),
        "{failure}"
    );
    assert!(failure.contains("`colour`"), "{failure}");
    let other = new.stored(&other.token.account_id, &other.token.id).await;
    assert!(other.unwrap().token.revocation.is_some());
}

#[tokio::test]
async fn without_the_key_a_lost_secret_is_a_failure_and_the_next_run_ends_the_old_one() {
    let engine = Engine::with_accounts().await;
    let before = engine.add(token_at(now())).await;
    let new = restored(&engine).await;
    let hint = plain_secret().hint();
    let told = vec![Change::new(
        "hint",
        Some(before.token.hint.clone()),
        Some(hint),
    )];
    record(&engine, &before.token, Action::Regenerate, told).await;
    let vault = FakeVault::default();
    vault.fail();
    let stores = Stores {
        source: &engine.store,
        restored: &new.store,
    };
    let options = Options {
        since: now(),
        dry_run: false,
    };
    let system = system_at(later());
    let summary = replay(stores, &vault, &system, options, |_| {}).await;
    assert_eq!(summary.failures.len(), 1, "{summary}");
    let done = run((&engine, &new), now(), later(), false).await;
    let step = Step::Token(Action::Regenerate);
    assert_eq!(done.done, BTreeMap::from([(step, 1)]), "{done}");
    let old = new
        .store
        .get_secret(&before.secret_hash)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(old.state, SecretState::Ended);
    // The replay's own record is the system's.
    let log = new.audit(&acme().id).await;
    let own = log
        .iter()
        .find(|it| it.origin.request_id == "replay")
        .unwrap();
    assert_eq!(own.origin.actor, Actor::system());
    assert_ne!(own.origin, origin());
}
