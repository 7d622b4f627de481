//! The long form: libFuzzer runs each target. `infra/local/fuzz.sh` builds it and starts this test.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{available_parallelism, scope};

use assurance::Report;
use fuzz::corpus::{dictionary, folder, inputs};
use fuzz::{Harness, targets};

/// How to run it again.
const COMMAND: &str = "sh infra/local/fuzz.sh 60";

/// How long libFuzzer may look for the planted fault, in seconds.
const PATIENCE: &str = "120";

/// Where a run keeps its files.
fn place() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/fuzz")
}

/// What a run of a target did.
#[derive(Debug, Default)]
struct Run {
    ended_well: bool,
    executions: u64,
    edges: u64,
    log: String,
}

/// Runs a target under libFuzzer. `more` has further arguments.
fn run(target: &str, seconds: &str, more: &[String]) -> Run {
    let (place, own) = (place(), place().join("corpus").join(target));
    fs::create_dir_all(&own).unwrap();
    fs::create_dir_all(place.join("found")).unwrap();
    let option = |name: &str, path: PathBuf| format!("-{name}={}", path.display());
    let done = Command::new(place.join("../debug/fuzz-coverage"))
        .env("LATCHKEY_FUZZ_TARGET", target)
        .arg(option(
            "artifact_prefix",
            place.join(format!("found/{target}-")),
        ))
        .args([
            "-max_len=16384",
            "-timeout=60",
            "-rss_limit_mb=4096",
            "-print_final_stats=1",
        ])
        .arg(format!("-max_total_time={seconds}"))
        // Inputs that reach more are kept in the first folder.
        .arg(&own)
        .args(more)
        .output()
        .expect("infra/local/fuzz.sh builds the program");
    let log = String::from_utf8_lossy(&done.stderr).into_owned();
    let last = |name: &str| {
        let (_, rest) = log.rsplit_once(name)?;
        rest.split_whitespace().next()?.parse().ok()
    };
    Run {
        ended_well: done.status.success(),
        executions: last("stat::number_of_executed_units:").unwrap_or_default(),
        edges: last(" cov: ").unwrap_or_default(),
        log,
    }
}

/// Writes the dictionary in libFuzzer's form.
fn write_dictionary() {
    let mut text = String::new();
    for word in dictionary() {
        text.push('"');
        for byte in word {
            write!(text, "\\x{byte:02x}").unwrap();
        }
        text.push_str("\"\n");
    }
    fs::create_dir_all(place()).unwrap();
    fs::write(place().join("words.dict"), text).unwrap();
}

/// Returns the end of a log: the panic's message, and where the input is.
fn end(log: &str) -> String {
    let lines: Vec<_> = log.lines().collect();
    lines[lines.len().saturating_sub(40)..].join("\n")
}

#[test]
fn libfuzzer_finds_no_input_that_breaks_a_promise() {
    let report = Report::of("fuzz", COMMAND);
    let seconds = std::env::var("LATCHKEY_FUZZ_SECONDS").unwrap();
    let chosen = std::env::var("LATCHKEY_FUZZ_TARGETS").unwrap_or_default();
    write_dictionary();

    // If libFuzzer didn't see the branches, it would not find this fault within the time.
    let planted = place().join("corpus/planted");
    let _ = fs::remove_dir_all(&planted);
    let run_of_planted = run("planted", PATIENCE, &[]);
    let log = &run_of_planted.log;
    assert!(
        !run_of_planted.ended_well && log.contains("the planted fault"),
        "{}",
        end(log)
    );

    let all = targets(&Harness::with(|_| {}));
    let all: Vec<_> = all.into_iter().map(|target| target.name).collect();
    let is_chosen = |name: &&String| chosen.is_empty() || chosen.split(' ').any(|one| one == *name);
    let names: Vec<_> = all.iter().filter(is_chosen).collect();
    assert!(!names.is_empty(), "there is no target `{chosen}`");
    let (next, runs) = (AtomicUsize::new(0), Mutex::new(vec![]));
    scope(|scope| {
        for _ in 0..available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                while let Some(name) = names.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let dictionary = format!("-dict={}", place().join("words.dict").display());
                    let committed = folder().join(name).display().to_string();
                    let run = run(name, &seconds, &[dictionary, committed]);
                    runs.lock().unwrap().push((*name, run));
                }
            });
        }
    });
    let mut runs = runs.into_inner().unwrap();
    runs.sort_by_key(|(name, _)| *name);
    let mut failed = String::new();
    let (mut table, mut executions, mut edges) = (String::new(), 0, 0);
    for (name, run) in &runs {
        writeln!(
            table,
            "{name:24} {:9} executions {:6} edges",
            run.executions, run.edges
        )
        .unwrap();
        (executions, edges) = (executions + run.executions, edges + run.edges);
        if !run.ended_well || run.edges == 0 {
            writeln!(
                failed,
                "`{name}` fails; copy the input that is named below from target/fuzz/found/ into \
                 tests/fuzz/corpus/{name}/ and run `cargo test -p fuzz`.\n{}\n",
                end(&run.log)
            )
            .unwrap();
        }
    }
    fs::write(place().join("table.txt"), &table).unwrap();
    assert!(failed.is_empty(), "{table}\n{failed}");
    let committed = names.iter().map(|name| inputs(name).len() as u64).sum();
    report
        .figure("targets", names.len() as u64)
        .figure("committed inputs", committed)
        .figure("executions", executions)
        .figure("edges, each target's added up", edges)
        .planted("a fault behind four branches, which random inputs don't find")
        .write();
}
