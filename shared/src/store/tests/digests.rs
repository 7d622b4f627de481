//! Entries held for a digest, choices of mails, and addresses to which no mail is sent.

use super::*;
use crate::domain::id::UserId;
use crate::domain::mailing::{Digest, DigestEntry, DigestPeriod, SuppressionReason};
use crate::domain::preferences::{MailPreferences, MailTiming};
use crate::ports::{
    AddToDigest, GetPreferences, GetSuppression, ListDigests, ListPreferences, ProjectPlatform,
    PutPreferences, SuppressAddress,
};
use crate::testing::{acme, globex, token};

fn digest(account: &str, user: &str, hours: i64) -> Digest {
    Digest {
        account_id: account.parse().unwrap(),
        user_id: user.parse().unwrap(),
        period: DigestPeriod::Hour(later(3_600 * hours)),
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
                digest.period,
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
async fn the_digest_of_a_day_is_found_when_the_day_is_over_and_has_nothing_of_its_hours() {
    let engine = Engine::start().await;
    let evening: Timestamp = "2026-11-23T23:30:00Z".parse().unwrap();
    let of = |period| Digest {
        period,
        ..digest("acme", "u", 0)
    };
    let day = of(DigestPeriod::day_of(now()));
    let last_hour = of(DigestPeriod::hour_of(evening));
    let next_day = of(DigestPeriod::day_of(later(24 * 3_600)));
    let mut held = Vec::new();
    for digest in [&day, &last_hour, &next_day] {
        held.push(hold(&engine, digest).await);
    }
    for (digest, held) in [&day, &last_hour, &next_day].into_iter().zip(held) {
        assert_eq!(engine.store.digest_entries(digest).await.unwrap(), [held]);
    }
    let due = async |hour: &str| {
        let hour = hour.parse().unwrap();
        engine.store.list_digests(hour).await.unwrap()
    };
    assert_eq!(due("2026-11-23T22:00:00Z").await, []);
    let both = [last_hour, day.clone()];
    assert_eq!(due("2026-11-23T23:00:00Z").await, both);
    engine.store.delete_digest(&day).await.unwrap();
    assert_eq!(due("2026-11-23T23:00:00Z").await, both[..1]);
    assert_eq!(due("2026-11-24T23:00:00Z").await.len(), 2);
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

fn daily(group: &str) -> MailPreferences {
    let of = |name| {
        if name == group {
            MailTiming::Daily
        } else {
            MailTiming::Immediate
        }
    };
    MailPreferences {
        create: of("create"),
        access: of("access"),
        change: of("change"),
    }
}

#[tokio::test]
async fn a_choice_of_mails_is_one_of_a_member_in_an_account() {
    let engine = Engine::with_accounts().await;
    let [acme, globex] = [acme().id, globex().id];
    let [owner, admin] = ["owner-1", "admin-1"].map(|user| user.parse::<UserId>().unwrap());
    for (account, user, group) in [
        (&acme, &owner, "access"),
        (&acme, &admin, "change"),
        (&globex, &owner, "change"),
        // Replaces the first one.
        (&acme, &owner, "create"),
    ] {
        let choice = daily(group);
        let put = engine.store.put_preferences(account, user, &choice);
        put.await.unwrap();
    }
    let chosen = async |account, user| engine.store.get_preferences(account, user).await.unwrap();
    assert_eq!(chosen(&acme, &owner).await, Some(daily("create")));
    assert_eq!(chosen(&acme, &admin).await, Some(daily("change")));
    assert_eq!(chosen(&globex, &owner).await, Some(daily("change")));
    assert_eq!(chosen(&globex, &admin).await, None);
    let all = engine.store.list_preferences(&acme).await.unwrap();
    let expected = [(admin, daily("change")), (owner, daily("create"))];
    assert_eq!(all, expected);
}

#[tokio::test]
async fn a_choice_of_mails_goes_with_the_membership_and_with_the_account() {
    let engine = Engine::with_accounts().await;
    let account = acme();
    let choice = daily("access");
    for member in &account.members[..2] {
        let put = engine
            .store
            .put_preferences(&account.id, &member.id, &choice);
        put.await.unwrap();
    }
    let left = async || {
        let left = engine.store.list_preferences(&account.id).await.unwrap();
        let left = left.into_iter().map(|(user, _)| user.to_string());
        left.collect::<Vec<_>>()
    };
    let mut fewer = account.clone();
    fewer.members.remove(1);
    engine.store.put_account(&fewer, later(1)).await.unwrap();
    assert_eq!(left().await, ["owner-1"]);
    let deleted = engine.store.delete_account(&account.id, later(2)).await;
    assert!(deleted.unwrap());
    assert_eq!(left().await, [""; 0]);
}
