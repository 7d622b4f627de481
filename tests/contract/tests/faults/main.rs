//! Every call to DynamoDB, KMS, SES, SQS, CloudTrail and GitHub, of every operation and every other function, fails in turn: it is
//! throttled, late, cut off, answered 500, or any of these after the service has done it. It fails once, so that the
//! SDK's next attempt may meet what the first one wrote; in all attempts; or together with all later calls to the
//! service. Then two calls fail, and the client's repeat fails too.
//!
//! Each time, the answer must be honest: a success only if it is done, 503 with `Retry-After` if not, and no other error
//! that the request didn't deserve. The client's repeat of the same request must succeed. Afterwards, both tables and
//! the sent mails must be whole, as `contract::Evidence` says.
//!
//! The faults happen between the SDK's HTTP client and the service, so attempts, timeouts and the translation of errors
//! are those of production. Only waiting takes no time: the SDK's clock ends a timeout when the wire says so.
//!
//! What stays unproven: the engine isn't DynamoDB. It takes a transaction's `ClientRequestToken` for the same request for
//! ten minutes, as DynamoDB documents. SES and KMS are imitated. The SDK stops its further attempts when too many calls
//! have failed; that is the same as calls of which all attempts fail.
//!
//! The bounded form tries a sample of the single faults, each time the same; the long form tries all of them first.
//!
//! `LATCHKEY_CASE=<part of a case's name>` runs some of the single faults again, `LATCHKEY_SEED=<seed>` two faults.

mod events;
mod leaks;
mod planted;
mod requests;
mod run;
mod scenario;
mod world;

use std::collections::{BTreeMap, BTreeSet};
use std::panic::AssertUnwindSafe;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use assurance::{Report, Rounds, minutes};
use contract::{Fault, Planned, Reach, Touched, is_like, operations, policies};
use futures_util::FutureExt;
use latchkey::testing::Random;

use crate::run::{Run, Stage};
use crate::scenario::Scenario;
use crate::world::{Snapshot, World};

/// How it is run alone.
const COMMAND: &str = "cargo test -p contract --test faults";

/// The number of threads. Some faults take real time, in which other threads work.
const THREADS: usize = 4;

/// Of how many single faults the bounded form tries one. The number is prime, so that it meets all kinds in turn.
const STRIDE: usize = 11;

/// The number of seeds in the bounded form.
const SEEDS: u64 = 6;

/// The number of pairs of faults for each seed.
const PAIRS: usize = 2;

/// A case that takes longer in real time hangs.
const PATIENCE: Duration = Duration::from_mins(2);

/// What all threads found.
#[derive(Default)]
struct Tally {
    cases: u64,
    requests: u64,
    faults: u64,
    failures: Vec<String>,
    /// What each function's requests touched.
    touched: BTreeMap<&'static str, Vec<Touched>>,
    /// Each fault, and the operations that it befell.
    befallen: BTreeMap<Fault, BTreeSet<String>>,
}

impl Tally {
    fn add(&mut self, function: &'static str, case: &str, run: Run) {
        self.cases += 1;
        self.touched
            .entry(function)
            .or_default()
            .extend(run.touched);
        self.requests += u64::try_from(run.passed.len()).unwrap();
        for request in &run.passed {
            if let Some(fault) = request.fault {
                self.faults += 1;
                let operations = self.befallen.entry(fault).or_default();
                operations.insert(request.operation.clone());
            }
        }
        if !run.wrong.is_empty() {
            let met = run.passed.iter().map(|request| {
                let fault = request.fault.map(|fault| format!(": {fault:?}"));
                format!("{request}{}", fault.unwrap_or_default())
            });
            let met = met.collect::<Vec<_>>().join("\n    ");
            self.failures
                .push(format!("{case}\n  {}\n    {met}", run.wrong.join("\n  ")));
        }
    }
}

/// Every scenario.
fn scenarios() -> Vec<Scenario> {
    [requests::requests(), events::events()].concat()
}

/// Runs a case that may panic or hang.
async fn guarded(stage: &Stage<'_>, first: &[Planned], second: &[Planned]) -> Run {
    let run = AssertUnwindSafe(stage.run(first, second)).catch_unwind();
    let wrong = match tokio::time::timeout(PATIENCE, run).await {
        Ok(Ok(run)) => return run,
        Ok(Err(panic)) => {
            let text = panic.downcast_ref::<String>().cloned();
            format!("it panics: {}", text.unwrap_or_default())
        }
        Err(_) => "it hangs".to_owned(),
    };
    Run {
        wrong: vec![wrong],
        ..Run::default()
    }
}

/// Prepares a scenario; `None` if that fails, which is a failure of its own.
async fn set<'a>(
    world: &'a World,
    empty: &Snapshot,
    scenario: &'a Scenario,
    tally: &Mutex<Tally>,
) -> Option<Stage<'a>> {
    let stage = AssertUnwindSafe(Stage::set(world, empty, scenario))
        .catch_unwind()
        .await;
    let stage = stage.map_err(|panic| {
        let text = panic.downcast_ref::<String>().cloned().unwrap_or_default();
        let failure = format!("{}: {text}", scenario.title());
        tally.lock().unwrap().failures.push(failure);
    });
    stage.ok()
}

/// The name of a single fault's case.
fn case(stage: &Stage<'_>, planned: Planned) -> String {
    let Planned { at, fault, reach } = planned;
    let request = &stage.clean[at];
    format!("{}: {fault:?} {reach:?} {at} {request}", stage.name())
}

/// All single faults of a scenario.
async fn singles(world: &World, empty: &Snapshot, scenario: &Scenario, tally: &Mutex<Tally>) {
    let wanted = std::env::var("LATCHKEY_CASE").unwrap_or_default();
    let is_of = wanted
        .split_once(": ")
        .is_none_or(|(title, _)| scenario.title() == title);
    if !is_of {
        return;
    }
    let Some(stage) = set(world, empty, scenario, tally).await else {
        return;
    };
    let is_whole = minutes().is_some() || !wanted.is_empty();
    let stride = if is_whole { 1 } else { STRIDE };
    for planned in stage.singles().into_iter().step_by(stride) {
        let name = case(&stage, planned);
        if name.contains(&wanted) {
            let run = guarded(&stage, &[planned], &[]).await;
            tally.lock().unwrap().add(scenario.function, &name, run);
        }
    }
    let mut tally = tally.lock().unwrap();
    let all = tally.touched.entry(scenario.function).or_default();
    all.extend(stage.touched);
}

/// A fault at a random place.
fn any_fault(random: &mut Random, requests: usize) -> Planned {
    Planned {
        at: random.below(requests),
        fault: Fault::ALL[random.below(Fault::ALL.len())],
        reach: Reach::ALL[random.below(Reach::ALL.len())],
    }
}

/// Two faults in a request, and one in its repeat.
async fn pairs(world: &World, empty: &Snapshot, seed: u64, tally: &Mutex<Tally>) {
    let mut random = Random(seed);
    let all = scenarios();
    let scenario = &all[random.below(all.len())];
    let Some(stage) = set(world, empty, scenario, tally).await else {
        return;
    };
    for _ in 0..PAIRS {
        // A fault makes further requests.
        let requests = stage.clean.len() + 2;
        let first = [
            any_fault(&mut random, requests),
            any_fault(&mut random, requests),
        ];
        let second = [any_fault(&mut random, requests)];
        let name = format!("seed {seed}: {}: {first:?}, then {second:?}", stage.name());
        let run = guarded(&stage, &first, &second).await;
        tally.lock().unwrap().add(scenario.function, &name, run);
    }
}

/// Runs everything, on some threads.
fn run_all() -> Tally {
    let all = scenarios();
    let tally = Mutex::new(Tally::default());
    let next = AtomicUsize::new(0);
    let is_one_seed = std::env::var("LATCHKEY_SEED").is_ok();
    let is_one_case = std::env::var("LATCHKEY_CASE").is_ok();
    let rounds = Mutex::new(Rounds::of(if is_one_case { 0 } else { SEEDS }));
    let work = async || {
        let world = World::start().await;
        let empty = world.snapshot().await;
        while !is_one_seed && let Some(scenario) = all.get(next.fetch_add(1, Ordering::Relaxed)) {
            singles(&world, &empty, scenario, &tally).await;
        }
        loop {
            let seed = rounds.lock().unwrap().next();
            let Some(seed) = seed else { return };
            pairs(&world, &empty, seed, &tally).await;
        }
    };
    std::thread::scope(|threads| {
        for _ in 0..THREADS {
            threads.spawn(|| {
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .enable_all()
                    .build();
                runtime.unwrap().block_on(work());
            });
        }
    });
    tally.into_inner().unwrap()
}

#[test]
fn whatever_fails_the_answer_is_honest_the_repeat_heals_and_nothing_is_half_done() {
    let report = Report::of("faults", COMMAND);
    let tally = run_all();
    let failures = &tally.failures;
    assert!(
        failures.is_empty(),
        "{} of {} cases fail. `LATCHKEY_CASE=<part of its name> {COMMAND}` runs one again:\n{}",
        failures.len(),
        tally.cases,
        failures.join("\n")
    );
    let is_whole = ["LATCHKEY_CASE", "LATCHKEY_SEED"]
        .iter()
        .all(|name| std::env::var(name).is_err());
    // The bounded form's sample doesn't meet everything.
    if is_whole && minutes().is_some() {
        check_reach(&tally);
    }
    let report = report
        .figure("cases", tally.cases)
        .figure("requests to AWS", tally.requests)
        .figure("of which failed", tally.faults);
    let found = planted::find_all();
    found
        .iter()
        .fold(report, |report, fault| report.planted(fault))
        .write();
}

/// Every fault befell something, and every right of every function was used while something failed.
fn check_reach(tally: &Tally) {
    let all: BTreeSet<_> = Fault::ALL.into_iter().collect();
    let befallen: BTreeSet<_> = tally.befallen.keys().copied().collect();
    assert_eq!(befallen, all);
    let every = tally.befallen.values().flatten();
    let every: BTreeSet<_> = every.map(String::as_str).collect();
    let known = [
        "BatchGetItem",
        "Decrypt",
        "DeleteItem",
        "Encrypt",
        "GetItem",
        "GetKeys",
        "LookupEvents",
        "PutItem",
        "Query",
        "SendEmail",
        "SendMessage",
        "TransactWriteItems",
        "UpdateItem",
    ];
    assert_eq!(every, known.into_iter().collect());
    let mut unused = Vec::new();
    for (function, statements) in policies() {
        let names = [function.as_str()];
        let touched = tally
            .touched
            .iter()
            .filter(|(name, _)| function_of(name) == names[0]);
        let touched: Vec<_> = touched
            .flat_map(|(_, requests)| requests)
            .flatten()
            .collect();
        for (resource, action, pattern) in statements.iter().flat_map(contract::Statement::grants) {
            // An index has no partitions but those of its own key.
            let is_index = resource.contains('/');
            let is_used = touched.iter().any(|((used, by), keys)| {
                *used == resource
                    && *by == action
                    && (is_index || keys.iter().any(|key| is_like(key, &pattern)))
            });
            if !is_used {
                unused.push(format!("{function}: {action} of {pattern} in {resource}"));
            }
        }
    }
    assert!(unused.is_empty(), "no scenario uses a right: {unused:#?}");
}

/// The function that serves an operation.
fn function_of(operation: &str) -> &str {
    match operation {
        "list-accounts" => "get-account",
        "list-token-audit" => "list-audit",
        other => other,
    }
}

#[test]
fn every_operation_and_every_function_has_a_scenario() {
    let all = scenarios();
    let covered: BTreeSet<_> = all.iter().map(|scenario| scenario.function).collect();
    for operation in operations() {
        let name = operation.name();
        assert!(
            covered.contains(name),
            "no scenario for the operation {name}"
        );
    }
    let functions: BTreeSet<_> = covered.iter().map(|name| function_of(name)).collect();
    // These call nothing of AWS's that the faults befall: the probe calls functions, and its own tests let them fail.
    let silent = ["console", "describe-api", "probe"];
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../functions");
    for entry in std::fs::read_dir(folder).unwrap() {
        let name = entry.unwrap().file_name();
        let name = name.to_str().unwrap();
        assert_ne!(
            functions.contains(name),
            silent.contains(&name),
            "scenarios of {name}"
        );
    }
}
