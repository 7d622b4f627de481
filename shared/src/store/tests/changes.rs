//! A change reaches the token and every one of its secrets, together with its audit record.

use super::*;
use crate::domain::audit::Actor;
use crate::domain::auto_purge::AutoPurge;
use crate::domain::ports::{GetToken, ProjectPlatform, RecordView};
use crate::domain::token::{RetiredSecret, Status};
use crate::testing::acme;

/// Tries a change and sees to it that nothing was written.
async fn refuse(engine: &Engine, change: &TokenChange) -> PortError {
    let before = engine.dump().await;
    let error = engine.store.change_token(change).await.unwrap_err();
    assert_eq!(engine.dump().await, before);
    error
}

/// The token with a new secret; the old one works on for a while.
fn rotated(stored: &StoredToken) -> StoredToken {
    let mut after = stored.clone();
    after.retired = Some(RetiredSecret {
        hash: stored.secret_hash,
        valid_until: later(600),
    });
    after.secret_hash = hash();
    after
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
    let key = crate::store::key(secret_key(before.secret_hash), "SECRET");
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
async fn a_revocation_reaches_the_retired_secret_too() {
    let (engine, first) = engine_with_token().await;
    let second = apply(&engine, &first, rotated(&first)).await;
    let hashes: Vec<_> = second.secret_hashes().collect();
    assert_eq!(hashes, [second.secret_hash, first.secret_hash]);
    for hash in &hashes {
        assert_eq!(secret(&engine, *hash).await.unwrap().status, Status::Active);
    }
    apply(&engine, &second, revoked(&second)).await;
    for hash in hashes {
        let record = secret(&engine, hash).await.unwrap();
        assert_eq!(record.status, Status::Revoked);
    }
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
}

#[tokio::test]
async fn secrets_that_are_let_go_are_deleted_and_new_ones_put() {
    let (engine, first) = engine_with_token().await;
    let second = apply(&engine, &first, rotated(&first)).await;
    let mut third = second.clone();
    third.retired = None;
    third.secret_hash = hash();
    let third = apply(&engine, &second, third).await;
    assert_eq!(secret(&engine, first.secret_hash).await, None);
    assert_eq!(secret(&engine, second.secret_hash).await, None);
    assert!(secret(&engine, third.secret_hash).await.is_some());
    let token = &third.token;
    let stored = engine.stored(&token.account_id, &token.id).await;
    assert_eq!(stored, Some(third));
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
    let leaked = StoredToken {
        token: before.token.leak(Actor::github(), later(1)).unwrap(),
        ..before.clone()
    };
    let gone = apply(&engine, &before, leaked).await;
    let attributes = ["revokedAt", "revokedBy", "revocationReason", "leakReported"];
    let item = raw_token(&engine, &before.token).await.unwrap();
    assert!(attributes.iter().all(|name| item.contains_key(*name)));
    let back = apply(&engine, &gone, reactivated(&gone)).await;
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
    after.retired = None;
    after.token.auto_purge = AutoPurge::Never;
    after.token.purge_at = None;
    apply(&engine, &before, after).await;
    let token = raw_token(&engine, &before.token).await.unwrap();
    let secret = raw_secret(&engine, before.secret_hash).await.unwrap();
    for item in [token, secret] {
        for name in ["purgeAt", "expiresAt", "validUntil", "retired"] {
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
