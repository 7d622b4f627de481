//! A model of the life of tokens and secrets, beside the handlers.
//!
//! [`spec`] says what each request must answer and what each secret must do. [`steps`] takes random histories of one
//! client through the handlers and through the model, and [`check`] compares both after each step. [`delays`] stands
//! between the store and the tables, and does what DynamoDB may do: it answers eventually consistent reads from a copy that
//! lags, and delivers streams late, repeatedly, and in another order. A history that shows a difference is shrunk.
//!
//! `LATCHKEY_SEED=<seed> cargo test -p contract --test model` runs one history again.

mod check;
mod delays;
mod history;
mod http;
mod planted;
mod spec;
mod steps;
mod world;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::sync::Mutex;

use assurance::{Report, Rounds, SEED};
use contract::policies;
use history::{Step, around, full_life, histories};
use latchkey::domain::action::Action;
use latchkey::testing::now;
use planted::{Fault, Planted, faults};
use proptest::prelude::{ProptestConfig, Strategy};
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use spec::Model;
use steps::{finish, take};
use world::{Mails, World, random};

/// The histories of the bounded form, and the most steps of each.
const HISTORIES: u64 = 20;
const LENGTH: usize = 20;
/// The most histories until a planted fault is found, and the most steps of the shrunk one.
const TRIES: u64 = 200;
const SHORT: usize = 6;
/// The most random steps of a history that is to find a planted fault: among given steps, and without them.
const OTHERS: usize = 4;
const ALONE: usize = 12;

/// What histories did.
#[derive(Debug, Default)]
struct Done {
    histories: u64,
    steps: u64,
    secrets: u64,
    /// How often each operation was called.
    calls: BTreeMap<&'static str, u64>,
    /// How often each action was recorded.
    records: BTreeMap<String, u64>,
}

impl Done {
    fn add(&mut self, other: Self) {
        for (operation, count) in other.calls {
            *self.calls.entry(operation).or_default() += count;
        }
        for (action, count) in other.records {
            *self.records.entry(action).or_default() += count;
        }
        self.histories += other.histories;
        self.steps += other.steps;
        self.secrets += other.secrets;
    }
}

/// A history after whose last step the handlers and the model differ.
#[derive(Debug)]
struct Difference {
    steps: Vec<Step>,
    told: String,
}

/// Takes the steps of a history.
fn run(steps: &[Step], seed: u64, fault: Option<&Fault>) -> Result<Done, Difference> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.unwrap().block_on(async {
        let mails = Mails::default();
        let mut world = World::start(seed, fault.cloned(), &mails).await;
        let mut model = Model::new(now());
        let difference = |count: usize, told| Difference {
            steps: steps[..count].to_vec(),
            told,
        };
        for (number, step) in steps.iter().enumerate() {
            let taken = take(step, number, &mut world, &mut model).await;
            taken.map_err(|told| difference(number + 1, told))?;
        }
        let finished = finish(&mut world, &mut model).await;
        finished.map_err(|told| difference(steps.len(), told))?;
        let mut records = BTreeMap::new();
        for record in model.records.into_iter().chain(model.removed) {
            *records.entry(record.action).or_default() += 1;
        }
        Ok(Done {
            histories: 1,
            steps: steps.len() as u64,
            secrets: world.secrets.iter().map(|of| of.len() as u64).sum(),
            calls: world.calls,
            records,
        })
    })
}

/// Runs the history of a seed. If it shows a difference, the result is the shortest history that does.
fn history(
    seed: u64,
    histories: &impl Strategy<Value = Vec<Step>>,
    fault: Option<&Fault>,
) -> Result<Done, Difference> {
    let mut runner = TestRunner::new_with_rng(ProptestConfig::default(), random(seed));
    let steps = histories.new_tree(&mut runner).unwrap().current();
    run(&steps, seed, fault).map_err(|difference| shortest(difference, seed, fault))
}

/// Leaves out steps and makes them simpler, for as long as there is a difference. Unlike proptest, this knows at which
/// step the difference shows, and doesn't run what follows.
fn shortest(mut found: Difference, seed: u64, fault: Option<&Fault>) -> Difference {
    loop {
        let before = found.steps.clone();
        for index in (0..before.len()).rev() {
            if index >= found.steps.len() {
                continue;
            }
            let mut fewer = found.steps.clone();
            fewer.remove(index);
            if let Err(difference) = run(&fewer, seed, fault) {
                found = difference;
                continue;
            }
            for simpler in found.steps[index].simpler() {
                let mut steps = found.steps.clone();
                steps[index] = simpler;
                if let Err(difference) = run(&steps, seed, fault) {
                    found = difference;
                    break;
                }
            }
        }
        if found.steps == before {
            return found;
        }
    }
}

impl Difference {
    fn in_words(&self, seed: u64) -> String {
        let mut text = format!(
            "seed {seed}: the handlers and the model differ: {}\n",
            self.told
        );
        for step in &self.steps {
            writeln!(text, "    {step:?},").unwrap();
        }
        writeln!(
            text,
            "LATCHKEY_SEED={seed} cargo test -p contract --test model"
        )
        .unwrap();
        text
    }
}

/// Runs work on two threads: the machines of the tests have two processors at least.
fn on_two_threads(work: impl Fn() + Sync) {
    std::thread::scope(|scope| {
        let threads = [scope.spawn(&work), scope.spawn(&work)];
        for thread in threads {
            if let Err(panic) = thread.join() {
                std::panic::resume_unwind(panic);
            }
        }
    });
}

/// Finds a planted fault, and shrinks the history that shows it. In the long form, chance alone must find it.
fn find(planted: &Planted) {
    let name = planted.name;
    let histories = match assurance::minutes() {
        None => around(planted.steps.clone(), OTHERS),
        Some(_) => around(vec![], ALONE),
    };
    let run = |seed| {
        let difference = history(seed, &histories, Some(&planted.fault)).err()?;
        Some((seed, difference))
    };
    let Some((seed, difference)) = (0..TRIES).find_map(run) else {
        panic!("{name}: not found");
    };
    assert!(
        difference.steps.len() <= SHORT,
        "{name}: not shrunk, with seed {seed}: {difference:#?}"
    );
}

#[test]
fn the_handlers_do_what_the_model_says() {
    let report = Report::of("model", "cargo test -p contract --test model");
    let full = run(&full_life(), 0, None);
    let full = full.unwrap_or_else(|difference| panic!("{}", difference.in_words(0)));
    covers_all(&full);
    let (rounds, all) = (
        Mutex::new(Rounds::of(HISTORIES)),
        Mutex::new(Done::default()),
    );
    on_two_threads(|| {
        loop {
            let Some(seed) = rounds.lock().unwrap().next() else {
                return;
            };
            match history(seed, &histories(LENGTH), None) {
                Ok(done) => all.lock().unwrap().add(done),
                Err(difference) => panic!("{}", difference.in_words(seed)),
            }
        }
    });
    let all = all.into_inner().unwrap();
    if std::env::var(SEED).is_ok() {
        // One history runs again, and no more.
        return;
    }
    let (faults, next) = (faults(), Mutex::new(0));
    on_two_threads(|| {
        loop {
            let mut next = next.lock().unwrap();
            let Some(planted) = faults.get(*next) else {
                return;
            };
            *next += 1;
            drop(next);
            find(planted);
        }
    });
    let report = report
        .figure("histories", all.histories)
        .figure("steps", all.steps)
        .figure("secrets", all.secrets)
        .figure("calls of handlers", all.calls.values().sum())
        .figure("audit records", all.records.values().sum());
    let report = faults
        .iter()
        .fold(report, |report, planted| report.planted(planted.name));
    report.write();
}

/// Every operation that changes tokens or records something was a step, and everything happened that is recorded.
fn covers_all(done: &Done) {
    let changes = |(table, action, keys): &(String, String, String)| {
        let writes = ["PutItem", "UpdateItem", "DeleteItem"].contains(&&**action);
        let of_tokens = ["ACCOUNT#*", "SECRET#*", "SEEN#*"].contains(&&**keys);
        writes && (of_tokens || table == "Audit")
    };
    let functions = policies().into_iter().filter(|(_, statements)| {
        let mut grants = statements.iter().flat_map(contract::Statement::grants);
        grants.any(|grant| changes(&grant))
    });
    let functions: BTreeSet<_> = functions.map(|(function, _)| function).collect();
    assert!(functions.contains("create-token"), "{functions:?}");
    let left: Vec<_> = functions
        .iter()
        .filter(|it| !done.calls.contains_key(&***it))
        .collect();
    assert!(left.is_empty(), "no step calls {left:?}");
    let recorded: BTreeSet<_> = done.records.keys().map(String::as_str).collect();
    // That records are tampered with is no part of a token's life.
    let all = Action::ALL
        .into_iter()
        .filter(|action| *action != Action::Tamper);
    assert_eq!(recorded, all.map(|action| action.as_str()).collect());
}
