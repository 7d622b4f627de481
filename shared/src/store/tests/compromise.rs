//! A compromised secret never works again, whatever happens to its token.

use aws_sdk_dynamodb::types::AttributeValue;

use super::*;
use crate::app::compromise::{Compromised, Evidence, compromise};
use crate::domain::actor::Actor;
use crate::domain::audit::{COMPROMISED, Change, Origin, Source};
use crate::domain::token::{Ended, NotReactivable, Patch, Status};
use crate::domain::verification::{SecretState, tombstone_end};
use crate::ports::{Compromise, CompromiseSecret, DeleteToken};
use crate::store::items::expiry;
use crate::testing::system_at;

struct Report;

impl Evidence for Report {
    fn action(&self) -> Action {
        Action::Leak
    }

    fn reason(&self) -> &'static str {
        "leaked"
    }

    fn origin(&self, _: &SecretRecord) -> Origin {
        Origin {
            source: Source::LeakReport,
            actor: Actor::github(),
            ip: None,
            user_agent: None,
            request_id: "req-9".into(),
            trace_id: None,
        }
    }

    fn changes(&self) -> Vec<Change> {
        vec![Change::new("leakPlace", None, Some("commit".into()))]
    }
}

async fn report(engine: &Engine, hash: SecretHash, second: i64) -> Compromised {
    let done = compromise(&engine.store, &system_at(later(second)), &hash, &Report).await;
    done.unwrap()
}

/// Reports a secret, and asserts that the record names it.
async fn reported(engine: &Engine, hash: SecretHash, which: &str) {
    let Compromised::Recorded(audit) = report(engine, hash, 1).await else {
        panic!("{which} isn't recorded");
    };
    let told = audit.changes.iter().find(|it| it.field == COMPROMISED);
    assert_eq!(told.unwrap().new.as_deref(), Some(which));
    assert!(audit.changes.iter().any(|it| it.field == "leakPlace"));
    assert_eq!(audit.action, Action::Leak);
    assert!(engine.audit(&audit.account_id).await.contains(&audit));
}

fn ended() -> Ended {
    Ended {
        at: later(1),
        by: Action::Leak,
    }
}

async fn assert_compromised(engine: &Engine, hash: SecretHash) {
    let record = secret(engine, hash).await.unwrap();
    assert_eq!(record.state, SecretState::Compromised);
    assert_eq!(record.status, Status::Revoked);
    assert_eq!(record.ended, Some(ended()));
}

async fn expires(engine: &Engine, hash: SecretHash) -> Option<i64> {
    let item = raw_secret(engine, hash).await.unwrap();
    let end = item.get("expiresAt")?.as_n().unwrap();
    Some(end.parse().unwrap())
}

async fn stored(engine: &Engine, token: &Token) -> StoredToken {
    let stored = engine.stored(&token.account_id, &token.id).await;
    stored.unwrap()
}

#[tokio::test]
async fn that_of_the_current_secret_revokes_the_token_and_ends_the_retired_one() {
    let (engine, first) = engine_with_token().await;
    let second = apply(&engine, &first, rotated(&first)).await;
    reported(&engine, second.secret_hash, "current").await;
    assert_compromised(&engine, second.secret_hash).await;
    // The secret exists for as long as the token.
    assert_eq!(expires(&engine, second.secret_hash).await, None);
    let token = stored(&engine, &first.token).await.token;
    assert_eq!(token.status(), Status::Revoked);
    assert_eq!(token.compromised, Some(ended()));
    assert_eq!(token.previous_secret, None);
    let retired = secret(&engine, first.secret_hash).await.unwrap();
    assert_eq!(
        (retired.state, retired.ended),
        (SecretState::Ended, Some(ended()))
    );
}

#[tokio::test]
async fn that_of_a_retired_secret_ends_that_one_alone() {
    let (engine, first) = engine_with_token().await;
    let second = apply(&engine, &first, rotated(&first)).await;
    let current = secret(&engine, second.secret_hash).await;
    reported(&engine, first.secret_hash, "previous").await;
    assert_compromised(&engine, first.secret_hash).await;
    let end = expiry(tombstone_end(later(1)));
    assert_eq!(expires(&engine, first.secret_hash).await, Some(end));
    assert_eq!(secret(&engine, second.secret_hash).await, current);
    let after = stored(&engine, &first.token).await;
    assert_eq!(after.token.status(), Status::Active);
    assert_eq!(after.token.compromised, None);
    assert_eq!(after.previous_hash, None);
}

#[tokio::test]
async fn that_of_an_ended_secret_is_recorded_and_leaves_the_token_alone() {
    let (engine, first) = engine_with_token().await;
    let second = apply(&engine, &first, regenerated(&first, 0)).await;
    let token = raw_token(&engine, &first.token).await;
    reported(&engine, first.secret_hash, "ended").await;
    assert_compromised(&engine, first.secret_hash).await;
    let end = expiry(tombstone_end(later(1)));
    assert_eq!(expires(&engine, first.secret_hash).await, Some(end));
    assert_eq!(raw_token(&engine, &first.token).await, token);
    let current = secret(&engine, second.secret_hash).await.unwrap();
    assert_eq!(current.state, SecretState::Current);
}

#[tokio::test]
async fn that_of_a_retired_secret_after_its_grace_period_is_recorded_and_changes_no_version() {
    let (engine, first) = engine_with_token().await;
    // The report comes in the second in which the grace period is over.
    let second = apply(&engine, &first, regenerated(&first, 1)).await;
    let current = secret(&engine, second.secret_hash).await;
    reported(&engine, first.secret_hash, "ended").await;
    assert_compromised(&engine, first.secret_hash).await;
    let after = stored(&engine, &first.token).await;
    assert_eq!(after, second.at(later(1)));
    assert_eq!(after.previous_hash, None);
    assert_eq!(secret(&engine, second.secret_hash).await, current);
    let record = &engine.audit(&first.token.account_id).await[0];
    let fields: Vec<_> = record.changes.iter().map(|it| &*it.field).collect();
    assert_eq!(fields, ["leakPlace", COMPROMISED]);
    // Later changes of the token have nothing to do with the secret.
    apply(&engine, &after, revoked(&after)).await;
    assert_compromised(&engine, first.secret_hash).await;
}

#[tokio::test]
async fn that_of_a_secret_whose_token_is_deleted_or_purged_is_recorded() {
    let (engine, stored) = engine_with_token().await;
    let deletion = record(Action::Delete, &stored.token);
    let deleted = engine.store.delete_token(&stored, &deletion).await;
    deleted.unwrap();
    let mut purged = another();
    purged.token.purge_at = Some(later(1));
    engine.store.insert_token(&creation(&purged)).await.unwrap();
    for hash in [stored.secret_hash, purged.secret_hash] {
        reported(&engine, hash, "ended").await;
        assert_compromised(&engine, hash).await;
    }
}

#[tokio::test]
async fn a_further_report_changes_nothing() {
    let (engine, first) = engine_with_token().await;
    let second = apply(&engine, &first, rotated(&first)).await;
    let third = apply(&engine, &second, rotated(&second)).await;
    for (hash, which) in [
        (first.secret_hash, "ended"),
        (second.secret_hash, "previous"),
        (third.secret_hash, "current"),
    ] {
        reported(&engine, hash, which).await;
        let before = engine.dump().await;
        assert_eq!(report(&engine, hash, 2).await, Compromised::Known);
        assert_eq!(engine.dump().await, before);
    }
    let before = engine.dump().await;
    assert_eq!(report(&engine, hash(), 2).await, Compromised::Unknown);
    assert_eq!(engine.dump().await, before);
}

#[tokio::test]
async fn of_many_reports_at_once_one_is_recorded() {
    for grace in [600, 0] {
        let (engine, first) = engine_with_token().await;
        apply(&engine, &first, regenerated(&first, grace)).await;
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..4 {
            let (store, hash) = (engine.store.clone(), first.secret_hash);
            tasks.spawn(
                async move { compromise(&store, &system_at(later(1)), &hash, &Report).await },
            );
        }
        let done = tasks.join_all().await.into_iter().map(Result::unwrap);
        let recorded = done.filter(|done| matches!(done, Compromised::Recorded(_)));
        assert_eq!(recorded.count(), 1);
        let log = engine.audit(&first.token.account_id).await;
        let leaks = log.iter().filter(|record| record.action == Action::Leak);
        assert_eq!(leaks.count(), 1);
    }
}

#[tokio::test]
async fn nothing_that_becomes_of_the_token_changes_it() {
    let (engine, first) = engine_with_token().await;
    let second = apply(&engine, &first, rotated(&first)).await;
    let third = apply(&engine, &second, rotated(&second)).await;
    let hashes = [first, second, third.clone()].map(|stored| stored.secret_hash);
    for (hash, which) in hashes.iter().zip(["ended", "previous", "current"]) {
        reported(&engine, *hash, which).await;
    }
    let all_compromised = async || {
        for hash in hashes {
            assert_compromised(&engine, hash).await;
        }
    };
    all_compromised().await;

    let leaked = stored(&engine, &third.token).await;
    let patch = Patch {
        name: Some("Renamed".into()),
        ..Patch::default()
    };
    let token = leaked.token.edit(patch, owner_actor(), now()).unwrap();
    let edited = apply(&engine, &leaked, leaked.with(token, now())).await;
    all_compromised().await;
    assert_eq!(
        edited.token.reactivate(owner_actor(), now()),
        Err(NotReactivable::SecretCompromised)
    );

    let fresh = apply(&engine, &edited, rotated(&edited)).await;
    all_compromised().await;
    let end = expiry(tombstone_end(now()));
    assert_eq!(expires(&engine, third.secret_hash).await, Some(end));
    let token = fresh.token.reactivate(owner_actor(), now()).unwrap();
    let back = apply(&engine, &fresh, fresh.with(token.unwrap(), now())).await;
    all_compromised().await;
    let current = secret(&engine, back.secret_hash).await.unwrap();
    assert_eq!(
        (current.state, current.status),
        (SecretState::Current, Status::Active)
    );

    let deletion = record(Action::Delete, &back.token);
    engine.store.delete_token(&back, &deletion).await.unwrap();
    all_compromised().await;
}

#[tokio::test]
async fn a_deleted_token_leaves_its_current_secret_compromised_for_400_days() {
    let (engine, before) = engine_with_token().await;
    reported(&engine, before.secret_hash, "current").await;
    let leaked = stored(&engine, &before.token).await;
    let deletion = record(Action::Delete, &leaked.token);
    let deleted = engine.store.delete_token(&leaked, &deletion).await;
    deleted.unwrap();
    assert_compromised(&engine, before.secret_hash).await;
    let end = expiry(tombstone_end(now()));
    assert_eq!(expires(&engine, before.secret_hash).await, Some(end));
}

/// The token may not show, or not show yet, that one of its secrets is compromised.
#[tokio::test]
async fn a_change_that_knows_nothing_of_it_writes_nothing() {
    let (engine, first) = engine_with_token().await;
    let second = apply(&engine, &first, rotated(&first)).await;
    for hash in [first.secret_hash, second.secret_hash] {
        let intact = raw_secret(&engine, hash).await.unwrap();
        let put = async |state: &str| {
            let mut item = intact.clone();
            item.insert("state".into(), AttributeValue::S(state.into()));
            let put = engine.client.put_item().table_name("Tokens");
            put.set_item(Some(item)).send().await.unwrap();
        };
        put("compromised").await;
        let before = engine.dump().await;
        let mut renamed = second.clone();
        renamed.token.name = "Renamed".into();
        for after in [renamed, revoked(&second), rotated(&second)] {
            let change = change(&second, after);
            assert!(is_conflict(engine.store.change_token(&change).await));
        }
        let deletion = record(Action::Delete, &second.token);
        let deleted = engine.store.delete_token(&second, &deletion).await;
        assert!(is_conflict(deleted));
        assert_eq!(engine.dump().await, before);
        let state = intact["state"].as_s().unwrap();
        put(state).await;
    }
}

#[tokio::test]
async fn without_an_audit_log_there_is_no_compromise() {
    let (engine, first) = engine_with_token().await;
    let second = apply(&engine, &first, regenerated(&first, 0)).await;
    engine.break_audit().await;
    let before = engine.dump().await;
    for hash in [first.secret_hash, second.secret_hash] {
        let done = compromise(&engine.store, &system_at(later(1)), &hash, &Report).await;
        assert!(matches!(done, Err(PortError::Broken(_))));
    }
    assert_eq!(engine.dump().await, before);
}

#[tokio::test]
async fn a_tombstone_is_compromised_as_it_was_read_only() {
    let (engine, first) = engine_with_token().await;
    apply(&engine, &first, regenerated(&first, 0)).await;
    let read = secret(&engine, first.secret_hash).await.unwrap();
    let compromise = || {
        let audit = record(Action::Leak, &first.token);
        Compromise::OfTombstone(Box::new(read.clone()), ended(), Box::new(audit))
    };
    engine.store.compromise_secret(&compromise()).await.unwrap();
    let before = engine.dump().await;
    let again = engine.store.compromise_secret(&compromise()).await;
    assert!(is_conflict(again));
    assert_eq!(engine.dump().await, before);
}
