//! Entries held for a digest, and addresses to which no mail is sent.

use super::*;
use crate::domain::mailing::{Digest, DigestEntry, SuppressionReason};
use crate::ports::{AddToDigest, GetSuppression, ListDigests, SuppressAddress};
use crate::testing::token;

fn digest(account: &str, user: &str, hours: i64) -> Digest {
    Digest {
        account_id: account.parse().unwrap(),
        user_id: user.parse().unwrap(),
        hour: later(3_600 * hours),
    }
}

async fn hold(engine: &Engine, digest: &Digest) -> DigestEntry {
    let held = DigestEntry::from(&record(Action::Update, &token()));
    for _ in 0..2 {
        let kept = engine.store.add_to_digest(digest, &held, now()).await;
        kept.unwrap();
    }
    held
}

#[tokio::test]
async fn a_digest_has_what_was_held_back_of_one_account_person_and_hour_each_once() {
    let engine = Engine::start().await;
    let mut all = Vec::new();
    for (account, user, hour) in [
        ("acme", "u", 0),
        ("acme", "u", 1),
        // Ids that begin with those of another digest.
        ("acme", "u2", 0),
        ("acme2", "u", 0),
    ] {
        let digest = digest(account, user, hour);
        let mut held = vec![hold(&engine, &digest).await, hold(&engine, &digest).await];
        held.sort_by(|a, b| a.audit_id.as_str().cmp(b.audit_id.as_str()));
        all.push((digest, held));
    }
    for (digest, held) in &all {
        assert_eq!(engine.store.digest_entries(digest).await.unwrap(), *held);
    }
    let due = async |hour: i64| {
        let mut due = engine
            .store
            .list_digests(later(3_600 * hour))
            .await
            .unwrap();
        due.sort_by_key(|digest| {
            (
                digest.account_id.clone(),
                digest.user_id.clone(),
                digest.hour,
            )
        });
        due
    };
    assert_eq!(due(-1).await, []);
    let first = [&all[0].0, &all[2].0, &all[3].0].map(Clone::clone);
    assert_eq!(due(0).await, first);
    assert_eq!(due(1).await.len(), 4);
    engine.store.delete_digest(&all[0].0).await.unwrap();
    assert_eq!(due(0).await, first[1..]);
}

#[tokio::test]
async fn what_is_held_back_is_removed_after_a_fortnight() {
    let engine = Engine::start().await;
    hold(&engine, &digest("acme", "u", 0)).await;
    let day = 24 * 60 * 60;
    assert_eq!(engine.sweep(later(14 * day)), 0);
    assert_eq!(engine.sweep(later(16 * day)), 2);
}

#[tokio::test]
async fn an_address_is_marked_in_whatever_case_and_since_the_first_time() {
    let engine = Engine::start().await;
    let marked = async |address: &str| {
        let mark = engine.store.get_suppression(address).await.unwrap();
        assert!(
            mark.is_none_or(|mark| mark.why == SuppressionReason::Bounced && mark.since == now())
        );
        mark.is_some()
    };
    let mark = async |address: &str, second: i64| {
        let why = SuppressionReason::Bounced;
        let since = engine
            .store
            .suppress_address(address, why, later(second))
            .await;
        since.unwrap()
    };
    assert!(!marked("a@example.com").await);
    assert_eq!(mark("A@Example.com", 0).await, now());
    assert_eq!(mark(" a@example.com", 5).await, now());
    assert!(marked("a@EXAMPLE.com").await);
    assert!(!marked("b@example.com").await);
    assert!(!engine.dump().await.contains("example"));
    let day = 24 * 60 * 60;
    assert_eq!(engine.sweep(later(399 * day)), 0);
    assert_eq!(engine.sweep(later(401 * day)), 1);
    assert!(!marked("a@example.com").await);
}
