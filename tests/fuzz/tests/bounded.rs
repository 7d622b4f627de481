//! The committed inputs, and seeded mutations of them.

mod runs;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::thread;

use assurance::{Report, Rounds};
use contract::{Description, operations};
use fuzz::corpus::{dictionary, folder, inputs};
use fuzz::{FUNCTIONS, Harness, Input, Mutator, call, targets};
use runs::run;

/// The size of all committed inputs together, in bytes.
const MOST_COMMITTED: usize = 300 * 1024;

#[test]
fn the_committed_inputs_and_their_mutations_keep_every_promise() {
    let report = Report::of("fuzz", "cargo test -p fuzz");
    let words = dictionary();
    let (replayed, mutated) = (AtomicU64::new(0), AtomicU64::new(0));
    let mut count = 0;
    for seed in Rounds::of(1) {
        let next = AtomicUsize::new(0);
        replayed.store(0, Ordering::Relaxed);
        let work = || {
            let targets = targets(&Harness::with(|_| {}));
            while let Some(target) = targets.get(next.fetch_add(1, Ordering::Relaxed)) {
                let committed = inputs(&target.name);
                for (name, data) in &committed {
                    run(target, data, &format!("the committed input `{name}`"));
                }
                let pool: Vec<_> = committed.into_iter().map(|(_, data)| data).collect();
                replayed.fetch_add(pool.len() as u64, Ordering::Relaxed);
                let mut mutator = Mutator::new(seed, words.clone());
                for number in 0..target.mutations {
                    let data = mutator.mutate(&pool);
                    run(target, &data, &format!("mutation {number} of seed {seed}"));
                }
                mutated.fetch_add(target.mutations.into(), Ordering::Relaxed);
            }
            targets.len() as u64
        };
        thread::scope(|scope| {
            let other = scope.spawn(work);
            count = work();
            other.join().unwrap();
        });
    }
    let mut report = report
        .figure("targets", count)
        .figure("committed inputs", replayed.load(Ordering::Relaxed))
        .figure("mutated inputs", mutated.load(Ordering::Relaxed));
    for (fault, finds) in runs::PLANTED {
        finds();
        report = report.planted(fault);
    }
    report.write();
}

/// The list of targets follows from the list of operations.
#[test]
fn every_operation_and_every_function_has_a_target_with_inputs() {
    let harness = Harness::with(|_| {});
    let targets: BTreeSet<_> = targets(&harness).into_iter().map(|one| one.name).collect();
    let functions = folder().join("../../../functions");
    for function in std::fs::read_dir(functions).unwrap() {
        let function = function.unwrap();
        let file = function.path().join("operation.toml");
        let name = function.file_name().into_string().unwrap();
        let text = std::fs::read_to_string(&file).unwrap();
        let operation: toml::Table = toml::from_str(&text).unwrap();
        let described = operation
            .get("described")
            .is_none_or(|is| is.as_bool() == Some(true));
        let routes = operation.get("routes").and_then(toml::Value::as_array);
        if let (true, Some(routes)) = (described, routes) {
            for route in routes {
                let route = route["name"].as_str().unwrap();
                assert!(
                    targets.contains(route),
                    "the operation `{route}` has no target"
                );
            }
            continue;
        }
        let known = FUNCTIONS.iter().find(|(known, _)| *known == name);
        let (_, own) = known.unwrap_or_else(|| panic!("the function `{name}` has no target"));
        let when = operation.get("when").and_then(toml::Value::as_str);
        let by_clock = when.is_some_and(|when| when == "once a day" || when.starts_with("every "));
        // A schedule's event says nothing. The watch reads events of CloudTrail.
        assert!(!own.is_empty() || by_clock, "{name}");
        for target in *own {
            assert!(targets.contains(*target), "{target}");
        }
    }
    let folders = std::fs::read_dir(folder()).unwrap();
    let folders: BTreeSet<_> = folders
        .map(|folder| folder.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(
        folders, targets,
        "the folders of the inputs, and the targets"
    );
    let committed = targets.iter().flat_map(|name| inputs(name));
    let size: usize = committed.map(|(_, data)| data.len()).sum();
    assert!(size <= MOST_COMMITTED, "the inputs have {size} bytes");
}

/// Mutations of requests that are all refused early would prove little.
#[test]
fn every_operation_has_an_input_that_succeeds_and_one_for_each_part_that_it_reads() {
    let harness = Harness::with(|_| {});
    let described = Description::new(Description::of_the_code());
    for operation in operations() {
        let name = operation.name();
        let inputs = inputs(name);
        let requests: Vec<_> = inputs.iter().map(|(_, data)| Input::of(data)).collect();
        let succeeds = requests.iter().any(|input| {
            let call = call(&operation, input);
            harness.ask(&call).status < 300
        });
        assert!(succeeds, "no input of `{name}` succeeds");
        let description = described.operation(name);
        if description["requestBody"].is_object() {
            assert!(
                requests.iter().any(|input| !input.body.is_empty()),
                "`{name}` has a body"
            );
        }
        let parameters = description["parameters"].as_array().into_iter().flatten();
        let parameters: Vec<_> = parameters.map(|one| described.resolve(one)).collect();
        for parameter in parameters {
            let wanted = parameter["name"].as_str().unwrap();
            let given = |input: &Input<'_>| match parameter["in"].as_str() {
                Some("query") => input.query.split('&').any(|pair| pair.starts_with(wanted)),
                Some("header") => input.header(&wanted.to_lowercase()).is_some(),
                _ => true,
            };
            assert!(
                requests.iter().any(given),
                "`{name}`: no input has `{wanted}`"
            );
        }
    }
}

/// A defect of the mutations would pass every promise.
#[test]
fn the_same_seed_gives_the_same_mutations_and_others_give_others() {
    let words = dictionary();
    assert!(words.contains(&b"\"gracePeriodSeconds\":".to_vec()));
    let pool = vec![b"one".to_vec(), vec![]];
    let made = |seed| {
        let mut mutator = Mutator::new(seed, words.clone());
        (0..100).map(|_| mutator.mutate(&pool)).collect::<Vec<_>>()
    };
    assert_eq!(made(1), made(1));
    assert_ne!(made(1), made(2));
    let distinct: BTreeSet<_> = made(1).into_iter().collect();
    assert!(distinct.len() > 60, "{}", distinct.len());
}
