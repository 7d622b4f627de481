//! The functions under load: sandboxes of the release programs, and the engine in its own process. The driver, which is
//! this process, has the same processors.
//!
//! There are two mixes of requests. Each is sent in closed loops of 1 to 64 callers, then in open loops at shares of the
//! highest throughput found, then beyond it, and last while the engine stands still.

mod functions;
mod management;
mod verification;

use std::collections::BTreeMap;
use std::error::Error;
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde::{Deserialize, Serialize};

use crate::drive::{Run, Target, closed, count, open};
use crate::report::Row;
use crate::usage::{own_memory, processor_time};
use functions::Functions;
use management::Management;
use verification::Verification;

/// The functions under load.
pub const FUNCTIONS: [&str; 11] = [
    "authorize",
    "token-info",
    "introspect-token",
    "create-token",
    "get-token",
    "list-tokens",
    "update-token",
    "regenerate-token",
    "revoke-token",
    "reveal-token",
    "delete-token",
];

/// The number of accounts under load.
pub const ACCOUNTS: usize = 128;

/// The id of an account under load.
pub fn account(number: usize) -> String {
    format!("load-{number}")
}

/// What the part needs to know.
#[derive(Debug, Serialize, Deserialize)]
pub struct Setup {
    /// The paths of the functions' programs by name.
    pub functions: BTreeMap<String, String>,
    /// The process of the engine.
    pub engine: u32,
}

/// The sandboxes of each function, per processor.
const SANDBOXES: usize = 4;
/// The numbers of callers in closed loops.
const CALLERS: [usize; 4] = [1, 8, 32, 64];
/// The rates of open loops, as shares of the highest throughput of a closed loop. The last is more than there is.
const SHARES: [f64; 3] = [0.5, 0.8, 1.5];
/// The durations of the first loop, which isn't counted, and of each other loop.
const WARMING: Duration = Duration::from_secs(3);
const LOOP: Duration = Duration::from_secs(6);
/// How long the engine stands still: longer than the functions wait for it.
const STALL: Duration = Duration::from_secs(7);
/// The most that a sandbox may grow in a mix, in MiB.
const MOST_GROWTH: f64 = 2.0;

/// The figures of both mixes.
///
/// # Errors
/// An answer is wrong, or a program doesn't start.
pub async fn measure(setup: &Setup) -> Result<Vec<Row>, Box<dyn Error>> {
    let processors = thread::available_parallelism()?.get();
    let functions = &Functions::start(setup, processors * SANDBOXES).await?;
    let verification = Verification::prepare(functions).await?;
    let mut rows = exercise("verification", &verification, functions, setup.engine).await?;
    let management = Management::prepare(functions).await?;
    rows.extend(exercise("management", &management, functions, setup.engine).await?);
    Ok(rows)
}

/// Runs all loops of a mix.
async fn exercise(
    mix: &str,
    target: &impl Target,
    functions: &Functions,
    engine: u32,
) -> Result<Vec<Row>, Box<dyn Error>> {
    let mut rows = Vec::new();
    closed(target, 32, WARMING).await?;
    let warm = memories(functions)?;
    let mut highest: f64 = 0.0;
    for callers in CALLERS {
        let before = Spent::of(functions, engine)?;
        let run = closed(target, callers, LOOP).await?;
        let spent = Spent::of(functions, engine)?.since(&before);
        highest = highest.max(run.throughput());
        let plural = if callers == 1 { "caller" } else { "callers" };
        rows.extend(figures(&format!("{mix}, {callers} {plural}"), &run, &spent));
        if callers == 8 {
            rows.extend(operations(mix, &run, &spent));
        }
    }
    for share in SHARES {
        let before = Spent::of(functions, engine)?;
        let run = open(target, highest * share, LOOP).await?;
        let spent = Spent::of(functions, engine)?.since(&before);
        let label = format!("{mix}, due at {:.0} % of the highest", share * 100.0);
        rows.extend(figures(&label, &run, &spent));
    }
    let grown = memories(functions)?;
    let stall = Stopped::later(engine);
    let before = Spent::of(functions, engine)?;
    let run = open(target, highest * 0.5, STALL + LOOP).await?;
    let spent = Spent::of(functions, engine)?.since(&before);
    stall.join().map_err(|_| "the engine can't be stopped")??;
    let label = format!(
        "{mix}, due at 50 % of the highest, the engine stands still for {} s",
        STALL.as_secs()
    );
    rows.extend(figures(&label, &run, &spent));
    let after = closed(target, 8, WARMING).await?;
    if after.refused > 0 {
        return Err(format!("{mix}: {} were refused after the stall", after.refused).into());
    }
    rows.extend(growth(mix, &[warm, grown, memories(functions)?]));
    Ok(rows)
}

/// The figures of a run.
fn figures(label: &str, run: &Run, spent: &Spent) -> Vec<Row> {
    let row = |what: &str, value, unit| Row::new("load", format!("{label}: {what}"), value, unit);
    let [p50, p90, p99, p999] = run.latencies([0.5, 0.9, 0.99, 0.999]);
    let requests = count(run.right() + run.refused);
    let each = |time: Duration| time.as_secs_f64() * 1e6 / requests;
    vec![
        row("right answers", run.throughput(), "/s"),
        row("p50", p50, "ms"),
        row("p90", p90, "ms"),
        row("p99", p99, "ms"),
        row("p99.9", p999, "ms"),
        row("refused", run.refused_share() * 100.0, "%"),
        row("functions", each(spent.functions.values().sum()), "core-µs"),
        row("engine", each(spent.engine), "core-µs"),
        row("driver", each(spent.driver), "core-µs"),
    ]
}

/// The figures of each operation in a run.
fn operations(mix: &str, run: &Run, spent: &Spent) -> Vec<Row> {
    let each = run.operations().flat_map(|(operation, calls, median)| {
        let row = |what: &str, value, unit| {
            Row::new(
                "load",
                format!("{operation} in {mix}, 8 callers: {what}"),
                value,
                unit,
            )
        };
        let time = spent.functions.get(operation).copied().unwrap_or_default();
        [
            row("of the operation, p50", median, "ms"),
            row(
                "of its function",
                time.as_secs_f64() * 1e6 / count(calls),
                "core-µs",
            ),
        ]
    });
    each.collect()
}

/// The processor time that was used.
struct Spent {
    /// By each function.
    functions: BTreeMap<&'static str, Duration>,
    /// By the engine.
    engine: Duration,
    /// By this process, which also stands in for Lambda and KMS.
    driver: Duration,
}

impl Spent {
    fn of(functions: &Functions, engine: u32) -> Result<Self, Box<dyn Error>> {
        Ok(Self {
            functions: functions.processor_times()?,
            engine: processor_time(engine)?,
            driver: processor_time(std::process::id())?,
        })
    }

    fn since(&self, before: &Self) -> Self {
        let functions = self.functions.iter().map(|(name, time)| {
            let before = before.functions.get(name).copied().unwrap_or_default();
            (*name, time.saturating_sub(before))
        });
        Self {
            functions: functions.collect(),
            engine: self.engine.saturating_sub(before.engine),
            driver: self.driver.saturating_sub(before.driver),
        }
    }
}

/// The memory of every sandbox without its program, in MiB.
fn memories(functions: &Functions) -> Result<Vec<f64>, Box<dyn Error>> {
    functions.processes().map(own_memory).collect()
}

/// The memory of the largest sandbox at three times, and the most that one has grown.
fn growth(mix: &str, points: &[Vec<f64>; 3]) -> Vec<Row> {
    let row =
        |what: &str, value| Row::new("load", format!("sandboxes, {mix}: {what}"), value, "MiB");
    let largest = |point: &[f64]| point.iter().copied().fold(0.0, f64::max);
    let [warm, grown, end] = points;
    let grew = warm.iter().zip(end).map(|(warm, end)| end - warm);
    vec![
        row("the largest when warm", largest(warm)),
        row("after the load", largest(grown)),
        row("after the stall", largest(end)),
        row("most growth of one", grew.fold(0.0, f64::max)).at_most(MOST_GROWTH),
    ]
}

/// An engine that stands still. It goes on when the value is dropped.
struct Stopped(Pid);

impl Stopped {
    /// Stops the engine after a while, and lets it go on after [`STALL`].
    fn later(engine: u32) -> thread::JoinHandle<Result<(), String>> {
        thread::spawn(move || {
            thread::sleep(LOOP / 6);
            let process = i32::try_from(engine).ok().and_then(Pid::from_raw);
            let process = process.ok_or("no process")?;
            kill_process(process, Signal::STOP).map_err(|error| error.to_string())?;
            let _stopped = Self(process);
            thread::sleep(STALL);
            Ok(())
        })
    }
}

impl Drop for Stopped {
    fn drop(&mut self) {
        // The engine may have been ended meanwhile.
        let _ = kill_process(self.0, Signal::CONT);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `make bench` builds them before this program can name them.
    #[test]
    fn the_functions_are_those_that_the_local_cloud_builds() {
        let cloud = include_str!("../../../../infra/local/cloud.py");
        let (_, list) = cloud.split_once("\nLOADED = (\n").unwrap();
        let (list, _) = list.split_once("\n)\n").unwrap();
        let names = list
            .lines()
            .map(|line| line.trim().trim_matches(['"', ',']));
        assert_eq!(names.collect::<Vec<_>>(), FUNCTIONS);
    }
}
