//! The projection of the platform's events: two at the same time, and each of several failing wherever it can.

use std::collections::BTreeSet;
use std::pin::pin;

use contract::{Fault, Planned, Reach, Turn, Wire};
use futures_util::future::{Either, select};
use jiff::SignedDuration;
use latchkey::domain::account::Account;
use latchkey::domain::id::{TokenId, UserId};
use latchkey::domain::token::Status;
use latchkey::ports::{GetAccount, ListMemberships, PortError};
use latchkey::store::Store;
use latchkey::testing::{Engine, Random, acme, now, system_at, token_at};
use serde_json::{Value, json};

const UPSERTED: &str = include_str!("../../../events/sync-platform/account-upserted.json");
const DELETED: &str = include_str!("../../../events/sync-platform/account-deleted.json");
const INSTALLED: &str = include_str!("../../../events/sync-platform/integration-upserted.json");

/// How many orders of the requests of two events are tried.
const INTERLEAVINGS: u64 = 40;

struct Nowhere;

impl sync_platform::SetAside for Nowhere {
    async fn set_aside(&self, message: String) -> Result<(), PortError> {
        panic!("set aside: {message}");
    }
}

/// An event some seconds after the samples' time.
fn event(sample: &str, second: i64) -> Value {
    let mut event: Value = serde_json::from_str(sample).unwrap();
    event["time"] = json!((now() + SignedDuration::from_secs(second)).to_string());
    event
}

/// The event of an account with these members.
fn with(members: &[&str], second: i64) -> Value {
    let mut event = event(UPSERTED, second);
    let all = event["detail"]["members"].as_array_mut().unwrap();
    all.retain(|member| members.contains(&member["id"].as_str().unwrap()));
    assert_eq!(all.len(), members.len());
    event
}

async fn project(store: &Store, event: &Value) -> Result<(), PortError> {
    sync_platform::handle(store, &Nowhere, &system_at(now()), event.clone()).await
}

/// Projects two events at the same time. Which one's next request passes is random.
async fn project_both(
    wires: &[Wire; 2],
    events: &[Value; 2],
    random: &mut Random,
) -> [Result<(), PortError>; 2] {
    let stores = wires
        .each_ref()
        .map(|it| Store::new(&it.aws, Engine::tables()));
    let mut queues = wires.each_ref().map(Wire::by_turns);
    let mut running = [0, 1].map(|it| Some(Box::pin(project(&stores[it], &events[it]))));
    let mut waiting: [Option<Turn>; 2] = [None, None];
    let mut outcomes = [Ok(()), Ok(())];
    loop {
        for it in 0..2 {
            let Some(projection) = &mut running[it] else {
                continue;
            };
            if waiting[it].is_some() {
                continue;
            }
            match select(pin!(queues[it].recv()), projection).await {
                Either::Left((turn, _)) => waiting[it] = turn,
                Either::Right((done, _)) => (running[it], outcomes[it]) = (None, done),
            }
        }
        let ready: Vec<_> = (0..2).filter(|it| waiting[*it].is_some()).collect();
        if ready.is_empty() {
            return outcomes;
        }
        let next = ready[random.below(ready.len())];
        waiting[next].take().unwrap().send(()).unwrap();
    }
}

/// Checks that the members of the account, and nobody else, have it in their lists.
async fn check_memberships(engine: &Engine, told: &str) {
    let account = engine.store.get_account(&acme().id).await.unwrap();
    let of = |account: Account| account.members.into_iter().map(|member| member.id);
    let members: BTreeSet<UserId> = account.into_iter().flat_map(of).collect();
    for member in acme().members {
        let found = engine.store.list_memberships(&member.id).await.unwrap();
        let is_member = members.contains(&member.id);
        assert_eq!(!found.is_empty(), is_member, "{told}: {}", member.id);
    }
}

#[tokio::test]
async fn two_events_at_the_same_time_leave_the_memberships_of_the_one_that_holds() {
    let engine = Engine::with_accounts().await;
    let wires = [Wire::to(&engine.aws).await, Wire::to(&engine.aws).await];
    let (all, some): (&[_], &[_]) = (
        &["owner-1", "admin-1", "manage-1", "monitor-1"],
        &["owner-1"],
    );
    let others = &["owner-1", "manage-1"];
    let cases = [
        [with(some, 1), with(all, 2)],
        [with(all, 1), with(some, 2)],
        [with(some, 1), with(others, 2)],
        // Event times are often whole seconds.
        [with(some, 1), with(others, 1)],
        [with(some, 1), with(all, 1)],
        [event(DELETED, 1), with(all, 2)],
        [event(DELETED, 1), with(some, 2)],
        [with(all, 1), event(DELETED, 2)],
        [with(all, 1), event(DELETED, 1)],
    ];
    for before in [all, some] {
        project(&engine.store, &with(before, 0)).await.unwrap();
        let (tokens, audit) = (engine.token_images().await, engine.audit_images().await);
        for (number, events) in cases.iter().enumerate() {
            for seed in 0..INTERLEAVINGS {
                engine.hold(&tokens, &audit).await;
                let outcomes = project_both(&wires, events, &mut Random(seed)).await;
                let told = format!("before {before:?}, case {number}, seed {seed}");
                for (outcome, event) in outcomes.iter().zip(events) {
                    if outcome.is_err() {
                        project(&engine.store, event).await.unwrap();
                    }
                }
                check_memberships(&engine, &told).await;
            }
        }
        engine.hold(&tokens, &audit).await;
    }
}

/// An account that is deleted and comes back, whatever the order in which its events arrive, and wherever the first
/// attempt of each fails.
#[tokio::test]
async fn no_token_of_a_deleted_account_outlives_its_events() {
    let engine = Engine::with_accounts().await;
    let wire = Wire::to(&engine.aws).await;
    let store = Store::new(&wire.prompt("sandbox"), Engine::tables());
    project(&store, &event(INSTALLED, 0)).await.unwrap();
    let revoked = engine.add(token_at(now())).await;
    let old = [
        engine.revoke(revoked).await,
        engine.add(token_at(now())).await,
    ];
    let events = [
        with(&["owner-1", "admin-1"], 1),
        event(DELETED, 2),
        with(&["owner-1", "manage-1"], 3),
    ];
    let (tokens, audit) = (engine.token_images().await, engine.audit_images().await);
    wire.faults.plan(&[]);
    project(&store, &events[1]).await.unwrap();
    let requests = wire.faults.plan(&[]).len();
    assert!(requests > 5, "{requests}");
    for order in [
        [0, 1, 2],
        [0, 2, 1],
        [1, 0, 2],
        [1, 2, 0],
        [2, 0, 1],
        [2, 1, 0],
    ] {
        for at in 0..requests {
            engine.hold(&tokens, &audit).await;
            let fails = Planned {
                at,
                fault: Fault::Throttled,
                reach: Reach::Outage,
            };
            for index in order {
                wire.faults.plan(&[fails]);
                let _ = project(&store, &events[index]).await;
            }
            wire.faults.plan(&[]);
            // The newest event comes first, and the account's people create a token before the others come again.
            let told = format!("{order:?}, failing at {at}");
            project(&store, &events[2]).await.unwrap();
            let later = now() + SignedDuration::from_hours(1);
            let new = engine.add(token_at(later)).await.token.id;
            for index in order {
                project(&store, &events[index]).await.unwrap();
            }
            check_memberships(&engine, &told).await;
            for stored in &old {
                let token = engine.stored(&acme().id, &stored.token.id).await;
                let revocation = token.unwrap().token.revocation;
                assert!(revocation.is_some_and(|it| it.account_deleted), "{told}");
            }
            assert_eq!(status(&engine, &new).await, Status::Active, "{told}");
            let app = engine.token_images().await.into_iter();
            let mut app = app.filter(|item| item["sk"]["S"] == "INTEGRATION#app1");
            assert!(app.all(|item| item["deletedAt"].is_object()), "{told}");
        }
    }
}

async fn status(engine: &Engine, token: &TokenId) -> Status {
    let stored = engine.stored(&acme().id, token).await;
    stored.unwrap().token.status()
}
