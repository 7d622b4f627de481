//! The time from the start of a function's process to its first answer.

use std::error::Error;
use std::time::Duration;

use crate::fixture::{EVENT, granted};
use crate::lambda::Function;
use crate::report::Row;
use crate::stats::median;

/// The maximum duration of the authorizer's start, as a multiple of the empty function's. Three to four times are
/// usual; with something slow in its initialization, such as jitter entropy, it would be dozens.
const MOST_EMPTY: f64 = 6.0;

/// The role of a program in the comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The baseline of all others.
    Empty,
    /// Shows the cost of one read.
    Reading,
    /// Is compared with the two baselines.
    Authorize,
    /// Is measured for comparison only.
    Other,
}

/// A program whose start is measured repeatedly.
pub struct Contestant {
    /// Its name in the table.
    pub name: &'static str,
    /// The program and its arguments.
    pub program: Vec<String>,
    /// Its environment.
    pub environment: Vec<(String, String)>,
    /// Its role.
    pub part: Part,
    /// Whether its memory is measured too.
    pub in_memory: bool,
}

/// The durations of a program's starts, in ms.
#[derive(Default)]
struct Starts {
    /// From the start until it asked for an event.
    init: Vec<f64>,
    /// From the start until it answered the first event.
    first: Vec<f64>,
    /// The duration of the first event alone.
    first_event: Vec<f64>,
    /// The duration of a later event.
    later_event: Vec<f64>,
}

/// The figures of all contestants, which take turns.
///
/// # Errors
/// A program doesn't start, or doesn't allow the call.
pub fn measure(rounds: usize, contestants: &[Contestant]) -> Result<Vec<Row>, Box<dyn Error>> {
    let mut all: Vec<_> = contestants
        .iter()
        .map(|contestant| (contestant, Starts::default()))
        .collect();
    // The first start fills the file system's cache.
    for contestant in contestants {
        start(contestant, &mut Starts::default())?;
    }
    for round in 0..rounds {
        // In alternating order, so that no program always follows the same one, such as the heaviest.
        let mut turns: Vec<_> = all.iter_mut().collect();
        if round % 2 == 1 {
            turns.reverse();
        }
        for (contestant, starts) in turns {
            start(contestant, starts)?;
        }
    }
    let of = |part| {
        let found = all.iter().find(|(one, _)| one.part == part);
        found.map(|(_, starts)| starts)
    };
    let empty = of(Part::Empty).ok_or("there is nothing to compare with")?;
    let mut rows = Vec::new();
    for (contestant, starts) in &all {
        let row = |what: &str, rounds: &[f64], unit| {
            Row::of_rounds(
                "cold-start",
                format!("{}: {what}", contestant.name),
                rounds,
                unit,
            )
        };
        rows.push(row("start to first answer", &starts.first, "ms"));
        rows.push(row("of which init", &starts.init, "ms"));
        rows.push(row("of which the first event", &starts.first_event, "ms"));
        rows.push(row("a later event", &starts.later_event, "ms"));
        if contestant.part == Part::Empty {
            continue;
        }
        let times = row("/ the empty function", &against(starts, &empty.first), "x");
        if contestant.part != Part::Authorize {
            rows.push(times);
            continue;
        }
        // The last bound includes what slows every first read, such as the setup of TLS.
        rows.push(times.at_most(MOST_EMPTY));
        let read = median(&starts.later_event) - median(&empty.later_event);
        let bounds: Vec<_> = empty.first.iter().map(|empty| 1.5 * empty + read).collect();
        let what = "/ (1.5 empty functions and a read on an open connection)";
        rows.push(row(what, &against(starts, &bounds), "x").at_most(1.0));
        let reading = of(Part::Reading).ok_or("there is nothing that only reads")?;
        let pairs = empty.first.iter().zip(&reading.first);
        let bounds: Vec<_> = pairs
            .map(|(empty, reading)| 1.5 * empty + (reading - empty))
            .collect();
        let what = "/ (1.5 empty functions and a first read)";
        rows.push(row(what, &against(starts, &bounds), "x").at_most(1.0));
    }
    Ok(rows)
}

/// The time from start to first answer, relative to the baselines, round by round.
fn against(starts: &Starts, baselines: &[f64]) -> Vec<f64> {
    let rounds = starts.first.iter().zip(baselines);
    rounds.map(|(this, baseline)| this / baseline).collect()
}

fn start(contestant: &Contestant, starts: &mut Starts) -> Result<(), Box<dyn Error>> {
    let failed = |error: Box<dyn Error>| format!("{}: {error}", contestant.name);
    let mut function = Function::start(&contestant.program, &contestant.environment)?;
    let init = function.ready().map_err(failed)?;
    let (first, answer) = function.invoke(EVENT).map_err(failed)?;
    granted(answer.as_bytes()).map_err(failed)?;
    let mut later = Vec::new();
    for _ in 0..10 {
        let (took, answer) = function.invoke(EVENT).map_err(failed)?;
        granted(answer.as_bytes()).map_err(failed)?;
        later.push(millis(took));
    }
    starts.init.push(millis(init));
    starts.first.push(millis(init + first));
    starts.first_event.push(millis(first));
    starts.later_event.push(median(&later));
    Ok(())
}

/// A duration in ms.
pub(crate) fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}
