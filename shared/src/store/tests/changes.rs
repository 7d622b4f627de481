//! A change is written to the token, all its secrets and the audit log together.

use super::*;
use crate::domain::actor::Actor;
use crate::domain::auto_purge::AutoPurge;
use crate::domain::token::{Ended, Status};
use crate::domain::verification::{SecretState, tombstone_end};
use crate::ports::DeleteToken;
use crate::ports::{GetToken, ProjectPlatform, RecordView};
use crate::store::items::expiry;
use crate::testing::acme;

/// Tries a change and asserts that nothing is written.
async fn refuse(engine: &Engine, change: &TokenChange) -> PortError {
    let before = engine.dump().await;
    let error = engine.store.change_token(change).await.unwrap_err();
    assert_eq!(engine.dump().await, before);
    error
}

#[tokio::test]
async fn a_change_is_written_with_its_record() {
    let (engine, before) = engine_with_token().await;
    let mut after = before.clone();
    after.token.name = "Renamed".into();
    after.token.allowed_cidrs = vec!["192.0.2.0/24".parse().unwrap()];
    let change = change(&before, after);
    engine.store.change_token(&change).await.unwrap();
    let account = &before.token.account_id;
    assert_eq!(
        engine.stored(account, &before.token.id).await.as_ref(),
        Some(&change.after)
    );
    let secret = secret(&engine, before.secret_hash).await.unwrap();
    assert_eq!(secret.token_name, "Renamed");
    assert_eq!(secret.allowed_cidrs, change.after.token.allowed_cidrs);
    assert!(engine.audit(account).await.contains(&change.audit));
}

#[tokio::test]
async fn a_stale_change_writes_nothing() {
    let (engine, read) = engine_with_token().await;
    apply(&engine, &read, revoked(&read)).await;
    let mut after = rotated(&read);
    after.token.name = "Too late".into();
    let error = refuse(&engine, &change(&read, after)).await;
    assert!(matches!(error, PortError::Conflict));
}

#[tokio::test]
async fn of_many_changes_of_the_same_state_one_is_made() {
    let (engine, before) = engine_with_token().await;
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..20 {
        let store = engine.store.clone();
        let mut after = before.clone();
        after.token.name = format!("Name {number}");
        let change = change(&before, after);
        tasks.spawn(async move { store.change_token(&change).await });
    }
    let done = tasks.join_all().await;
    assert_eq!(done.iter().filter(|done| done.is_ok()).count(), 1);
    let conflicts = done.into_iter().filter(Result::is_err).all(is_conflict);
    assert!(conflicts);
    let account = &before.token.account_id;
    assert_eq!(engine.audit(account).await.len(), 2);
    let now = engine.stored(account, &before.token.id).await.unwrap();
    assert_eq!(now.token.version, before.token.version + 1);
}

#[tokio::test]
async fn a_token_that_is_gone_is_not_changed() {
    let (engine, before) = engine_with_token().await;
    engine.remove(&before.token).await;
    let error = refuse(&engine, &change(&before, revoked(&before))).await;
    assert!(matches!(error, PortError::Conflict));
}

#[tokio::test]
async fn a_secret_that_is_gone_is_not_revived() {
    let (engine, before) = engine_with_token().await;
    let delete = engine.client.delete_item().table_name("Tokens");
    let key = crate::store::table::key(secret_key(before.secret_hash), "SECRET");
    delete.set_key(Some(key)).send().await.unwrap();
    let error = refuse(&engine, &change(&before, before.clone())).await;
    assert!(matches!(error, PortError::Conflict));
}

#[tokio::test]
async fn without_an_audit_log_nothing_changes() {
    let (engine, before) = engine_with_token().await;
    engine.break_audit().await;
    let error = refuse(&engine, &change(&before, revoked(&before))).await;
    assert!(matches!(error, PortError::Broken(_)), "{error}");
}

#[tokio::test]
async fn a_revocation_reaches_the_current_secret_and_ends_the_retired_one_for_good() {
    let (engine, first) = engine_with_token().await;
    let second = apply(&engine, &first, rotated(&first)).await;
    let hashes: Vec<_> = second.secret_hashes().collect();
    assert_eq!(hashes, [second.secret_hash, first.secret_hash]);
    for hash in &hashes {
        assert_eq!(secret(&engine, *hash).await.unwrap().status, Status::Active);
    }
    let gone = apply(&engine, &second, revoked(&second)).await;
    let current = secret(&engine, second.secret_hash).await.unwrap();
    assert_eq!(current.status, Status::Revoked);
    assert_eq!(current.state, SecretState::Current);
    assert_tombstone(&engine, first.secret_hash, Action::Update).await;
    let item = raw_secret(&engine, first.secret_hash).await;
    apply(&engine, &gone, reactivated(&gone)).await;
    let current = secret(&engine, second.secret_hash).await.unwrap();
    assert_eq!(current.status, Status::Active);
    assert_eq!(raw_secret(&engine, first.secret_hash).await, item);
}

/// Asserts that a secret was ended now by that action, and is kept for 400 days.
async fn assert_tombstone(engine: &Engine, hash: SecretHash, by: Action) {
    let record = secret(engine, hash).await.unwrap();
    assert_eq!(record.state, SecretState::Ended);
    // Versions that know no states of secrets read this.
    assert_eq!(record.status, Status::Revoked);
    assert_eq!(record.ended, Some(Ended { at: now(), by }));
    let item = raw_secret(engine, hash).await.unwrap();
    let end = expiry(tombstone_end(now())).to_string();
    assert_eq!(item["expiresAt"].as_n(), Ok(&end));
    assert_eq!(end, expiry(later(400 * 24 * 3_600)).to_string());
}

#[tokio::test]
async fn only_the_retired_secret_ends_with_its_grace_period() {
    let (engine, first) = engine_with_token().await;
    let second = apply(&engine, &first, rotated(&first)).await;
    let current = secret(&engine, second.secret_hash).await.unwrap();
    let retired = secret(&engine, first.secret_hash).await.unwrap();
    assert_eq!(current.valid_until, None);
    assert_eq!(retired.valid_until, Some(later(600)));
    assert_eq!(retired.token_id, current.token_id);
    assert_eq!(
        (current.state, retired.state),
        (SecretState::Current, SecretState::Retired)
    );
    let item = raw_secret(&engine, first.secret_hash).await.unwrap();
    let end = expiry(tombstone_end(later(600))).to_string();
    assert_eq!(item["expiresAt"].as_n(), Ok(&end));
    let item = raw_secret(&engine, second.secret_hash).await.unwrap();
    assert!(!item.contains_key("expiresAt"));
}

#[tokio::test]
async fn secrets_that_are_let_go_stay_as_tombstones_and_new_ones_are_put() {
    let (engine, first) = engine_with_token().await;
    let second = apply(&engine, &first, rotated(&first)).await;
    let mut change = change(&second, regenerated(&second, 0));
    change.audit.action = Action::Regenerate;
    engine.store.change_token(&change).await.unwrap();
    let third = change.after;
    for hash in [first.secret_hash, second.secret_hash] {
        assert_tombstone(&engine, hash, Action::Regenerate).await;
    }
    assert!(secret(&engine, third.secret_hash).await.is_some());
    let token = &third.token;
    let stored = engine.stored(&token.account_id, &token.id).await;
    assert_eq!(stored, Some(third));
}

#[tokio::test]
async fn a_retired_secret_that_is_ended_leaves_a_tombstone_and_the_current_one_as_it_is() {
    let (engine, first) = engine_with_token().await;
    let second = apply(&engine, &first, rotated(&first)).await;
    let current = secret(&engine, second.secret_hash).await;
    let token = second.token.end_previous_secret(owner_actor(), now());
    let change = TokenChange::new(
        second.clone(),
        token,
        Action::Retire,
        origin(),
        now(),
        &System,
    );
    engine.store.change_token(&change.unwrap()).await.unwrap();
    assert_tombstone(&engine, first.secret_hash, Action::Retire).await;
    assert_eq!(secret(&engine, second.secret_hash).await, current);
    let token = raw_token(&engine, &second.token).await.unwrap();
    assert!(!token.contains_key("previousSecret"));
}

#[tokio::test]
async fn a_deletion_takes_the_token_away_and_leaves_tombstones_of_its_secrets() {
    let (engine, first) = engine_with_token().await;
    let second = apply(&engine, &first, rotated(&first)).await;
    let deletion = record(Action::Delete, &second.token);
    let stale = engine.store.delete_token(&first, &deletion).await;
    assert!(is_conflict(stale));
    assert!(raw_token(&engine, &second.token).await.is_some());
    let deleted = engine.store.delete_token(&second, &deletion).await;
    deleted.unwrap();
    assert_eq!(raw_token(&engine, &second.token).await, None);
    for hash in [first.secret_hash, second.secret_hash] {
        assert_tombstone(&engine, hash, Action::Delete).await;
    }
    let log = engine.audit(&second.token.account_id).await;
    assert!(log.contains(&deletion));
    let again = engine.store.delete_token(&second, &deletion).await;
    assert!(is_conflict(again));
}

#[tokio::test]
async fn a_new_secret_that_is_taken_lets_nothing_be_written() {
    let (engine, before) = engine_with_token().await;
    let other = another();
    engine.store.insert_token(&creation(&other)).await.unwrap();
    let mut after = rotated(&before);
    after.secret_hash = other.secret_hash;
    let error = refuse(&engine, &change(&before, after)).await;
    assert!(matches!(error, PortError::Conflict));
}

#[tokio::test]
async fn a_reactivation_leaves_nothing_of_the_revocation() {
    let (engine, before) = engine_with_token().await;
    let (at, by) = (later(1), Action::Leak);
    let token = before
        .token
        .compromise(Actor::github(), Ended { at, by }, "leaked");
    let gone = apply(&engine, &before, before.with(token, now())).await;
    let attributes = [
        "revokedAt",
        "revokedBy",
        "revocationReason",
        "compromisedAt",
        "compromisedBy",
    ];
    let item = raw_token(&engine, &before.token).await.unwrap();
    assert!(attributes.iter().all(|name| item.contains_key(*name)));
    // The token needs a new secret first.
    let fresh = apply(&engine, &gone, regenerated(&gone, 600)).await;
    let item = raw_token(&engine, &before.token).await.unwrap();
    assert!(!item.contains_key("compromisedAt") && item.contains_key("revokedAt"));
    let back = apply(&engine, &fresh, reactivated(&fresh)).await;
    let item = raw_token(&engine, &before.token).await.unwrap();
    assert!(!attributes.iter().any(|name| item.contains_key(*name)));
    let stored = engine
        .stored(&before.token.account_id, &before.token.id)
        .await;
    assert_eq!(stored, Some(back));
}

#[tokio::test]
async fn a_token_that_is_to_stay_has_no_end_any_more() {
    let engine = Engine::with_accounts().await;
    let mut before = rotated(&another());
    before.token.auto_purge = AutoPurge::OneHour;
    before.token.purge_at = Some(later(3_600));
    engine.store.insert_token(&creation(&before)).await.unwrap();
    let mut after = before.clone();
    after.previous_hash = None;
    after.token.previous_secret = None;
    after.token.auto_purge = AutoPurge::Never;
    after.token.purge_at = None;
    apply(&engine, &before, after).await;
    let token = raw_token(&engine, &before.token).await.unwrap();
    let secret = raw_secret(&engine, before.secret_hash).await.unwrap();
    for item in [token, secret] {
        for name in ["purgeAt", "expiresAt", "validUntil", "previousSecret"] {
            assert!(!item.contains_key(name), "{name}");
        }
    }
}

#[tokio::test]
async fn an_active_token_needs_a_live_account_and_a_revoked_one_does_not() {
    let (engine, before) = engine_with_token().await;
    let deleted = engine.store.delete_account(&acme().id, later(1)).await;
    assert!(deleted.unwrap());
    let error = refuse(&engine, &change(&before, before.clone())).await;
    assert!(matches!(error, PortError::Conflict));
    let gone = apply(&engine, &before, revoked(&before)).await;
    let error = refuse(&engine, &change(&gone, reactivated(&gone))).await;
    assert!(matches!(error, PortError::Conflict));
}

#[tokio::test]
async fn a_viewing_is_recorded_of_the_token_as_it_was_read_only() {
    let (engine, read) = engine_with_token().await;
    let account = &read.token.account_id;
    let viewing = record(Action::View, &read.token);
    engine.store.record_view(&read, &viewing).await.unwrap();
    assert!(engine.audit(account).await.contains(&viewing));
    let log = engine.audit(account).await.len();
    let item = raw_token(&engine, &read.token).await;

    let again = engine.store.record_view(&read, &viewing).await;
    assert!(is_conflict(again), "a record is never overwritten");
    apply(&engine, &read, revoked(&read)).await;
    let stale = record(Action::View, &read.token);
    assert!(is_conflict(engine.store.record_view(&read, &stale).await));
    assert_eq!(engine.audit(account).await.len(), log + 1);
    assert_ne!(raw_token(&engine, &read.token).await, item);

    let fresh = engine.store.get_token(account, &read.token.id, now()).await;
    let fresh = fresh.unwrap().unwrap();
    engine.remove(&read.token).await;
    assert!(is_conflict(engine.store.record_view(&fresh, &stale).await));
    engine.break_audit().await;
    let unrecorded = engine.store.record_view(&fresh, &stale).await;
    assert!(matches!(unrecorded, Err(PortError::Broken(_))));
}
