//! Concurrent calls can't exceed a budget.

use jiff::{SignedDuration, Timestamp};

use super::*;
use crate::domain::budget::{Budget, Budgets, Spending};
use crate::domain::id::AccountId;
use crate::ports::{RefundBudget, SpendBudget};
use crate::store::Store;
use crate::testing::token_at;

const SMALL: Budgets = Budgets {
    reveals: 2,
    changes: 3,
    tokens: 5,
    mails: 2,
};

fn store(engine: &Engine) -> Store {
    engine.store.clone().with_budgets(SMALL)
}

fn acme() -> AccountId {
    "acme".parse().unwrap()
}

fn reveal(member: &str) -> Budget {
    Budget::Reveal(member.parse().unwrap())
}

async fn spend(store: &Store, budget: &Budget, second: i64) -> Spending {
    let spent = store.spend_budget(&acme(), budget, later(second)).await;
    spent.unwrap()
}

fn hour_over() -> Spending {
    Spending::Exceeded {
        until: Some(later(3_600)),
    }
}

/// A counter of tokens that reached its limit in this second. The tokens aren't counted again for a minute.
fn full_since(second: i64) -> Spending {
    Spending::Exceeded {
        until: Some(later(second + 60) + SignedDuration::from_millis(1)),
    }
}

#[tokio::test]
async fn a_budget_is_one_of_a_kind_a_member_an_account_and_an_hour() {
    let engine = Engine::start().await;
    let store = store(&engine);
    for second in [0, 3_599] {
        assert_eq!(spend(&store, &reveal("u"), second).await, Spending::Granted);
    }
    assert_eq!(spend(&store, &reveal("u"), 3_599).await, hour_over());
    // Another member, kind or account, and the next hour, have budgets of their own.
    assert_eq!(spend(&store, &reveal("v"), 3_599).await, Spending::Granted);
    assert_eq!(spend(&store, &Budget::Change, 0).await, Spending::Granted);
    let mail = Budget::Mail("u".parse().unwrap());
    assert_eq!(spend(&store, &mail, 0).await, Spending::Granted);
    let other = "globex".parse().unwrap();
    let spent = store.spend_budget(&other, &reveal("u"), now()).await;
    assert_eq!(spent.unwrap(), Spending::Granted);
    assert_eq!(spend(&store, &reveal("u"), 3_600).await, Spending::Granted);
}

#[tokio::test]
async fn of_many_at_once_no_more_get_through_than_the_budget_allows() {
    let engine = Engine::start().await;
    for (budget, most) in [(Budget::Change, 3), (Budget::Token, 5)] {
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..30 {
            let (store, budget) = (store(&engine), budget.clone());
            tasks.spawn(async move { store.spend_budget(&acme(), &budget, now()).await });
        }
        let spendings = tasks.join_all().await.into_iter();
        let granted = spendings.filter(|spent| matches!(spent, Ok(Spending::Granted)));
        assert_eq!(granted.count(), most, "{budget:?}");
    }
}

#[tokio::test]
async fn the_counter_of_an_hour_is_removed_when_the_hour_is_over() {
    let engine = Engine::start().await;
    let store = store(&engine);
    spend(&store, &Budget::Change, 0).await;
    assert_eq!(engine.sweep(later(3_598)), 0);
    assert_eq!(engine.sweep(later(3_601)), 1);
}

#[tokio::test]
async fn the_tokens_that_an_account_has_already_count() {
    let engine = Engine::with_accounts().await;
    for second in 0..4 {
        engine.add(token_at(later(second))).await;
    }
    let store = store(&engine);
    assert_eq!(spend(&store, &Budget::Token, 10).await, Spending::Granted);
    assert_eq!(spend(&store, &Budget::Token, 10).await, full_since(10));
}

#[tokio::test]
async fn what_is_deleted_makes_room_once_no_creation_can_be_under_way() {
    let engine = Engine::with_accounts().await;
    let store = store(&engine);
    let mut tokens = vec![];
    for second in 0..5 {
        assert_eq!(
            spend(&store, &Budget::Token, second).await,
            Spending::Granted
        );
        tokens.push(engine.add(token_at(later(second))).await.token);
    }
    for token in &tokens[..2] {
        engine.remove(token).await;
    }
    // A creation that was counted in second 4 may still be in progress.
    assert_eq!(spend(&store, &Budget::Token, 64).await, full_since(4));
    for _ in 0..2 {
        assert_eq!(spend(&store, &Budget::Token, 65).await, Spending::Granted);
    }
    assert_eq!(spend(&store, &Budget::Token, 65).await, full_since(65));
}

/// The time to live takes up to two days. Nobody sees the tokens meanwhile, so nobody could make room either.
#[tokio::test]
async fn what_is_purged_makes_room_at_that_instant_whether_or_not_the_table_has_removed_it() {
    let engine = Engine::with_accounts().await;
    let store = store(&engine);
    let end = later(3_600);
    let fraction = SignedDuration::from_millis(1);
    for (second, purge_at) in (0..).zip([Some(end), Some(end), Some(end + fraction), None, None]) {
        let spent = spend(&store, &Budget::Token, second).await;
        assert_eq!(spent, Spending::Granted);
        let token = Token {
            purge_at,
            ..token_at(later(second))
        };
        engine.add(token).await;
    }
    let full = Spending::Exceeded { until: None };
    let last = store
        .spend_budget(&acme(), &Budget::Token, end - fraction)
        .await;
    assert_eq!(last.unwrap(), full);
    // The count was at that moment.
    let settled = 3_661;
    assert_eq!(engine.count_tokens(&acme()).await, 5, "none is removed");
    for _ in 0..3 {
        let spent = spend(&store, &Budget::Token, settled).await;
        assert_eq!(spent, Spending::Granted);
    }
    assert_eq!(
        spend(&store, &Budget::Token, settled).await,
        full_since(settled)
    );
    for (at, count) in [
        (end - fraction, 5),
        (end, 3),
        (end + fraction, 3),
        (later(3_601), 2),
    ] {
        assert_eq!(
            store.count_tokens(&acme(), at).await.unwrap(),
            count,
            "{at}"
        );
    }
}

#[tokio::test]
async fn a_creation_that_was_counted_and_never_came_is_forgotten_at_the_next_count() {
    let engine = Engine::with_accounts().await;
    let store = store(&engine);
    for _ in 0..5 {
        assert_eq!(spend(&store, &Budget::Token, 0).await, Spending::Granted);
    }
    assert_eq!(spend(&store, &Budget::Token, 1).await, full_since(0));
    assert_eq!(spend(&store, &Budget::Token, 120).await, Spending::Granted);
}

#[tokio::test]
async fn a_mail_that_was_not_sent_is_given_back() {
    let engine = Engine::start().await;
    let store = store(&engine);
    let member = "u".parse().unwrap();
    let mail = Budget::Mail("u".parse().unwrap());
    for _ in 0..2 {
        assert_eq!(spend(&store, &mail, 0).await, Spending::Granted);
    }
    assert_eq!(spend(&store, &mail, 0).await, hour_over());
    store.refund_mail(&acme(), &member, later(1)).await.unwrap();
    assert_eq!(spend(&store, &mail, 2).await, Spending::Granted);
    assert_eq!(spend(&store, &mail, 3).await, hour_over());
    // An hour without spending has nothing to give back.
    store
        .refund_mail(&acme(), &member, later(4_000))
        .await
        .unwrap();
    assert_eq!(engine.token_images().await.len(), 1);
}

#[tokio::test]
async fn a_store_without_budgets_counts_nothing_and_grants_nothing() {
    let engine = Engine::start().await;
    let store = Store::new(&engine.aws, Engine::tables());
    let spent = store
        .spend_budget(&acme(), &Budget::Change, Timestamp::UNIX_EPOCH)
        .await;
    assert!(matches!(spent, Err(PortError::Broken(_))));
}
