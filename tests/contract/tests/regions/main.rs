//! Two regions, as decision 11 means them: one writes, both verify. Two engines stand for the regions' tables, and a
//! replicator copies the writes one item at a time: those of one item in their order, those of different items in any
//! order. So much is assumed of DynamoDB's global tables with eventual consistency.
//!
//! What stays unproven: the engines aren't DynamoDB, and no clock is simulated. The delay is counted in copied writes.

mod changes;
mod region;
mod uses;

use std::collections::{BTreeMap, BTreeSet};

use changes::{Prepared, scenarios};
use latchkey::testing::Random;
use region::{Key, Part, Second, Tables, Taken, parts};

/// A planted fault of the replicator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    /// It leaves the items of secrets as they were.
    KeepsSecrets,
    /// It takes each secret's removal or end for that of all secrets.
    EndsAll,
}

/// The state of the tables when some parts have arrived.
fn partly(before: &Tables, arrived: &[&Part], fault: Option<Fault>) -> Tables {
    let mut tables = before.clone();
    for part in arrived {
        let is_secret = part.key.1.starts_with("SECRET#");
        match (&part.new, fault) {
            (_, Some(Fault::KeepsSecrets)) if is_secret => {}
            (_, Some(Fault::EndsAll)) if is_secret => {
                tables.retain(|key, _| !key.1.starts_with("SECRET#"));
            }
            (Some(item), _) => {
                tables.insert(part.key.clone(), item.clone());
            }
            (None, _) => {
                tables.remove(&part.key);
            }
        }
    }
    tables
}

/// What was tried.
#[derive(Debug, Default)]
struct Tried {
    states: usize,
    orders: usize,
    answers: usize,
    /// States in which several secrets of a token work that never do together in one region.
    several: usize,
    /// States in which no secret of a token works, though one does before and after.
    none: usize,
    wrong: Vec<String>,
}

/// All orders of the numbers below `count`.
fn orders(count: usize) -> Vec<Vec<usize>> {
    let mut all = vec![vec![]];
    for next in 0..count {
        let longer = all.iter().flat_map(|order: &Vec<usize>| {
            (0..=order.len()).map(move |at| {
                let mut order = order.clone();
                order.insert(at, next);
                order
            })
        });
        all = longer.collect();
    }
    all
}

/// Lets the parts of a change arrive in every order. After each part, a secret must be taken as it was before the
/// change if its own item hasn't arrived, and as it is after the change if it has.
async fn try_orders(second: &Second, change: &Prepared, fault: Option<Fault>, tried: &mut Tried) {
    let parts: Vec<_> = parts(&change.before, &change.after);
    let truth = async |tables: &Tables| second.taken(tables, &change.secrets, &change.asker).await;
    let (before, after) = (truth(&change.before).await, truth(&change.after).await);
    let mut seen: BTreeMap<BTreeSet<usize>, Vec<Taken>> = BTreeMap::new();
    for order in orders(parts.len()) {
        tried.orders += 1;
        for length in 0..=order.len() {
            let arrived: BTreeSet<_> = order[..length].iter().copied().collect();
            if seen.contains_key(&arrived) {
                continue;
            }
            let some: Vec<_> = arrived.iter().map(|at| &parts[*at]).collect();
            let tables = partly(&change.before, &some, fault);
            let taken = truth(&tables).await;
            tried.states += 1;
            tried.answers += taken.len() * taken.first().map_or(0, |taken| taken.len());
            for (at, secret) in change.secrets.iter().enumerate() {
                let has_arrived = some.iter().any(|part| part.key.1 == secret.key());
                let wanted = if has_arrived { after[at] } else { before[at] };
                if taken[at] != wanted {
                    let keys: Vec<_> = some.iter().map(|part| &part.key).collect();
                    tried.wrong.push(format!(
                        "{}: secret {at} is taken {:?} and not {wanted:?} after {keys:?}",
                        change.name, taken[at]
                    ));
                }
            }
            let working = |all: &[Taken]| all.iter().filter(|it| it[0]).count();
            let (least, most) = (
                working(&before).min(working(&after)),
                working(&before).max(working(&after)),
            );
            tried.several += usize::from(working(&taken) > most);
            tried.none += usize::from(working(&taken) < least);
            seen.insert(arrived, taken);
        }
    }
}

#[tokio::test]
async fn parts_of_a_change_in_any_order_let_no_secret_work_that_neither_state_allows() {
    let second = Second::start().await;
    let mut tried = Tried::default();
    let mut kinds = BTreeSet::new();
    for change in scenarios().await {
        kinds.insert(change.name);
        try_orders(&second, &change, None, &mut tried).await;
    }
    assert_eq!(tried.wrong, Vec::<String>::new());
    // The figures of decision 11.
    let text = include_str!("../../../../docs/decisions/0011-two-regions-one-writer.md");
    let told = format!(
        "{} kinds of change, {} orders of their parts, {} states, {} answers. In {} of the states more secrets of the \
         token work than before or after the change, in {} fewer.",
        kinds.len(),
        tried.orders,
        tried.states,
        tried.answers,
        tried.several,
        tried.none
    );
    assert!(text.replace("\n  ", " ").contains(&told), "{told}");
}

#[tokio::test]
async fn a_replicator_that_mixes_up_secrets_is_found() {
    let second = Second::start().await;
    let changes = scenarios().await;
    for fault in [Fault::KeepsSecrets, Fault::EndsAll] {
        let mut tried = Tried::default();
        for change in &changes {
            try_orders(&second, change, Some(fault), &mut tried).await;
            if !tried.wrong.is_empty() {
                break;
            }
        }
        assert!(!tried.wrong.is_empty(), "{fault:?}");
    }
}

/// The states of the tables after each step of a history, and the secrets of all of them.
async fn follow(second: &Second, seed: u64, lag: usize) -> usize {
    let history = changes::history(seed).await;
    let mut random = Random(seed);
    // The writes, in an order that keeps that of each item: each with the step whose state it brings.
    let mut waiting: Vec<(usize, Part)> = Vec::new();
    let mut truth = Vec::new();
    for (step, tables) in history.states.iter().enumerate() {
        let taken = second.taken(tables, &history.secrets, &history.asker);
        truth.push(taken.await);
        if let Some(before) = step.checked_sub(1) {
            let new = parts(&history.states[before], tables);
            waiting.extend(new.into_iter().map(|part| (step, part)));
        }
    }
    let mut tables = history.states[0].clone();
    let mut arrived: BTreeMap<Key, usize> = BTreeMap::new();
    let (mut ends, mut copied) = (0, 0);
    while !waiting.is_empty() {
        // Any of the oldest `lag` writes is next, or an older one of the same item.
        let chosen = waiting[random.below(lag.min(waiting.len()))].1.key.clone();
        let next = waiting.iter().position(|(_, part)| part.key == chosen);
        let (step, part) = waiting.remove(next.unwrap());
        tables = partly(&tables, &[&part], None);
        arrived.insert(part.key.clone(), step);
        copied += 1;
        if !part.key.1.starts_with("SECRET#") {
            continue;
        }
        let taken = second
            .taken(&tables, &history.secrets, &history.asker)
            .await;
        for (at, secret) in history.secrets.iter().enumerate() {
            let of = arrived
                .iter()
                .find(|(key, _)| key.1 == secret.key())
                .map_or(0, |(_, step)| *step);
            assert_eq!(
                taken[at], truth[of][at],
                "seed {seed}, lag {lag}, after {copied} writes: secret {at} as of step {of}"
            );
        }
        ends += 1;
    }
    let last = history.states.last().unwrap();
    assert!(parts(&tables, last).is_empty());
    ends
}

#[tokio::test]
async fn a_change_takes_effect_in_the_second_region_with_its_secrets_item_not_before_and_not_after()
{
    let second = Second::start().await;
    for seed in 1..=2 {
        for lag in [1, 8, 40] {
            assert!(follow(&second, seed, lag).await > 5);
        }
    }
}
