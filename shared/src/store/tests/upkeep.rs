//! The indexes over the active tokens of all accounts.

use std::collections::BTreeSet;

use super::*;
use crate::domain::auto_purge::AutoPurge;
use crate::domain::token::{LastUse, Status};
use crate::domain::upkeep::{SentReminder, ShardPosition};
use crate::domain::verification::UsedFrom;
use crate::ports::{
    GetToken, ListExpiring, RecallSecret, RecordReminder, RecordUse, Reminder, RevokeIdle, Use,
};
use crate::store::upkeep::Range;
use crate::testing::token;

/// A token that ends that many hours from now. The end of its id selects the shard.
async fn ending(engine: &Engine, number: u8, hours: i64) -> Token {
    let token = Token {
        id: format!("tok_01ARZ3NDEKTSV4RRFFQ69G0{number:02}V")
            .parse()
            .unwrap(),
        auto_purge: AutoPurge::ThirtyDays,
        purge_at: Some(later(hours * 3600)),
        ..token()
    };
    engine.add(token).await.token
}

/// The tokens that end between two hours from now, in pages of up to `limit`.
async fn pages(engine: &Engine, hours: (i64, i64), limit: i32) -> Vec<Vec<TokenId>> {
    let range = Range {
        index: "byEnd",
        attribute: "expiresAt",
        from: later(hours.0 * 3600).as_second(),
        to: later(hours.1 * 3600).as_second(),
    };
    let mut pages = Vec::new();
    let mut position: Option<ShardPosition> = None;
    loop {
        let page = engine.store.read_index(&range, position, limit).await;
        let page = page.unwrap();
        let ids = page.items.into_iter().map(|((_, id), _)| id).collect();
        pages.push(ids);
        position = page.next;
        if position.is_none() {
            return pages;
        }
    }
}

#[tokio::test]
async fn every_page_of_every_part_is_read_soonest_first() {
    let engine = Engine::with_accounts().await;
    let mut expected = Vec::new();
    for number in 0..7 {
        expected.push(ending(&engine, number, 10 + i64::from(number)).await.id);
    }
    ending(&engine, 20, 9).await;
    ending(&engine, 21, 17).await;
    let pages = pages(&engine, (10, 16), 3).await;
    // Three pages of the only shard with tokens, and one of each of the 31 others.
    assert_eq!(pages.len(), 3 + 31);
    assert_eq!(pages.concat(), expected);
}

#[tokio::test]
async fn tokens_are_spread_over_the_parts() {
    let engine = Engine::with_accounts().await;
    for _ in 0..64 {
        let token = Token {
            purge_at: Some(later(3600)),
            ..crate::testing::token_at(now())
        };
        engine.add(token).await;
    }
    let pages = pages(&engine, (0, 2), 100).await;
    assert_eq!(pages.len(), 32);
    let filled = pages.iter().filter(|page| !page.is_empty()).count();
    assert!(filled > 16, "{filled}");
}

#[tokio::test]
async fn only_active_tokens_with_an_end_are_in_the_index_by_it() {
    let engine = Engine::with_accounts().await;
    let active = ending(&engine, 1, 5).await;
    let stored = engine.stored(&active.account_id, &active.id).await.unwrap();
    engine.add(token()).await;
    let all = async || pages(&engine, (0, 100), 10).await.concat();
    assert_eq!(all().await, std::slice::from_ref(&active.id));
    let revoked = engine.revoke(stored).await;
    assert_eq!(all().await, []);
    let after = reactivated(&revoked);
    let stored = apply(&engine, &revoked, after).await;
    assert_eq!(all().await, [active.id]);
    let mut endless = stored.clone();
    (endless.token.auto_purge, endless.token.purge_at) = (AutoPurge::Never, None);
    apply(&engine, &stored, endless).await;
    assert_eq!(all().await, []);
}

/// The idle tokens of all pages.
async fn idle(engine: &Engine, since: Timestamp) -> BTreeSet<TokenId> {
    let (mut idle, mut position) = (BTreeSet::new(), None);
    loop {
        let page = engine.store.list_idle(since, position).await.unwrap();
        idle.extend(page.items.into_iter().map(|(_, id)| id));
        position = page.next;
        if position.is_none() {
            return idle;
        }
    }
}

#[tokio::test]
async fn a_change_counts_as_activity() {
    let (engine, stored) = engine_with_token().await;
    let id = stored.token.id.clone();
    assert_eq!(idle(&engine, later(-1)).await, BTreeSet::new());
    assert_eq!(idle(&engine, later(0)).await, BTreeSet::from([id]));
    let mut after = stored.clone();
    after.token.updated_at = later(60);
    apply(&engine, &stored, after).await;
    assert_eq!(idle(&engine, later(59)).await, BTreeSet::new());
}

#[tokio::test]
async fn a_warning_is_recorded_of_the_end_it_was_meant_for_and_only_forward() {
    let engine = Engine::with_accounts().await;
    let token = ending(&engine, 1, 60).await;
    let purge_at = token.purge_at.unwrap();
    let remind = async |days, purge_at| {
        let reminder = Reminder {
            reminded: SentReminder { purge_at, days },
            audit: record(Action::Remind, &token),
        };
        engine.store.record_reminder(&reminder).await
    };
    assert!(is_conflict(remind(3, later(1)).await));
    remind(3, purge_at).await.unwrap();
    assert!(is_conflict(remind(3, purge_at).await));
    assert!(is_conflict(remind(7, purge_at).await));
    remind(1, purge_at).await.unwrap();
    let (_, reminded) = engine
        .store
        .get_expiring(&token.account_id, &token.id, now())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(reminded, Some(SentReminder { purge_at, days: 1 }));
    let page = engine.store.list_expiring(now(), later(61 * 3600), None);
    let listed = page.await.unwrap().items;
    assert!(listed.iter().all(|ending| ending.reminded == reminded));
    let log = engine.audit(&token.account_id).await;
    let reminders = log.iter().filter(|record| record.action == Action::Remind);
    assert_eq!(reminders.count(), 2);
}

/// Records a use of a secret.
async fn used(engine: &Engine, stored: &StoredToken, hash: SecretHash, at: Timestamp) {
    let ip = [192, 0, 2, 1].into();
    let seen = engine.store.get_seen(&hash).await.unwrap();
    let used = Use {
        secret: hash,
        sighting: seen.use_of(UsedFrom::Seen(ip), at).unwrap(),
        last_use: Some(LastUse { at, ip }),
        audit: AuditRecord::new(Action::Access, &stored.token, vec![], origin(), at, &System)
            .unwrap(),
    };
    engine.store.record_use(&used).await.unwrap();
}

async fn read(engine: &Engine, stored: &StoredToken) -> StoredToken {
    let (account, id) = (&stored.token.account_id, &stored.token.id);
    let read = engine.store.get_token(account, id, now()).await;
    read.unwrap().unwrap()
}

#[tokio::test]
async fn a_use_counts_as_activity_once_it_is_noted() {
    let (engine, stored) = engine_with_token().await;
    let id = BTreeSet::from([stored.token.id.clone()]);
    used(&engine, &stored, stored.secret_hash, later(60)).await;
    // A use doesn't write to the token, so the index doesn't show it yet.
    assert_eq!(idle(&engine, later(59)).await, id);
    let read = read(&engine, &stored).await;
    assert_eq!(read.token.last_activity(), later(60));
    engine.store.record_activity(&read).await.unwrap();
    assert_eq!(idle(&engine, later(59)).await, BTreeSet::new());
    assert_eq!(idle(&engine, later(60)).await, id);
    // It isn't a change, so a change based on an earlier read still succeeds.
    apply(&engine, &read, revoked(&read)).await;
}

#[tokio::test]
async fn nothing_is_noted_on_a_token_that_has_changed_or_gone() {
    let (engine, stored) = engine_with_token().await;
    used(&engine, &stored, stored.secret_hash, later(60)).await;
    let stale = read(&engine, &stored).await;
    let mut after = stale.clone();
    after.token.updated_at = later(120);
    apply(&engine, &stale, after).await;
    let before = engine.dump().await;
    engine.store.record_activity(&stale).await.unwrap();
    assert_eq!(engine.dump().await, before);
    engine.remove(&stored.token).await;
    let before = engine.dump().await;
    engine.store.record_activity(&stale).await.unwrap();
    assert_eq!(engine.dump().await, before);
}

#[tokio::test]
async fn a_token_is_ended_as_idle_only_if_none_of_its_secrets_was_used() {
    let (engine, first) = engine_with_token().await;
    let second = apply(&engine, &first, rotated(&first)).await;
    let end = async |stored: &StoredToken, since: i64| {
        let change = change(stored, revoked(stored));
        engine.store.change_idle(&change, later(since)).await
    };
    for (hash, second_of_use) in [(second.secret_hash, 60), (first.secret_hash, 120)] {
        used(&engine, &second, hash, later(second_of_use)).await;
        let before = engine.dump().await;
        assert!(is_conflict(end(&second, second_of_use - 1).await));
        assert_eq!(engine.dump().await, before);
    }
    end(&second, 120).await.unwrap();
    let after = read(&engine, &second).await;
    assert_eq!(after.token.status(), Status::Revoked);
    assert_eq!(after.previous_hash, None);
}

#[tokio::test]
async fn a_token_that_was_never_used_is_ended_as_idle_as_it_was_read_only() {
    let (engine, stored) = engine_with_token().await;
    let change = change(&stored, revoked(&stored));
    let mut renamed = stored.clone();
    renamed.token.name = "Renamed".into();
    let renamed = apply(&engine, &stored, renamed).await;
    let stale = engine.store.change_idle(&change, later(60)).await;
    assert!(is_conflict(stale));
    let change = super::change(&renamed, revoked(&renamed));
    engine.store.change_idle(&change, later(60)).await.unwrap();
    let after = read(&engine, &stored).await;
    assert_eq!(after.token.status(), Status::Revoked);
}
