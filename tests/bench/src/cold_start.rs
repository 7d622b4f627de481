//! From the start of a function's process to its first answer.

use std::error::Error;
use std::time::Duration;

use crate::fixture::{EVENT, granted};
use crate::lambda::Function;
use crate::report::Row;
use crate::stats::median;

/// How many times as long as the empty function the authorizer may take, at the most: three to four times are
/// usual, and with something slow in its init, such as jitter entropy, it would be dozens.
const MOST_EMPTY: f64 = 6.0;

/// What a program is there for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The others are measured against it.
    Empty,
    /// It tells what one read takes.
    Reading,
    /// It has to be nearly as quick as these.
    Authorize,
    /// To compare with.
    Other,
}

/// A program that is started again and again.
pub struct Contestant {
    /// What it is called in the table.
    pub name: &'static str,
    /// The program and its arguments.
    pub program: Vec<String>,
    /// Its environment.
    pub environment: Vec<(String, String)>,
    /// What it is there for.
    pub part: Part,
    /// Whether its memory is measured too.
    pub in_memory: bool,
}

/// How long one start took.
#[derive(Default)]
struct Starts {
    /// Until it asked for an event.
    init: Vec<f64>,
    /// Until it answered the first one.
    first: Vec<f64>,
    /// For the first event alone.
    first_event: Vec<f64>,
    /// For the events that follow.
    later_event: Vec<f64>,
}

/// The figures of all contestants, which take all.
///
/// # Errors
/// When one doesn't start, or doesn't let the call through.
pub fn measure(rounds: usize, contestants: &[Contestant]) -> Result<Vec<Row>, Box<dyn Error>> {
    let mut all: Vec<_> = contestants
        .iter()
        .map(|contestant| (contestant, Starts::default()))
        .collect();
    // The first time is for the file system's cache.
    for contestant in contestants {
        start(contestant, &mut Starts::default())?;
    }
    for round in 0..rounds {
        // There and back, so that none always comes after the same one: the heaviest, for example.
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
        // What makes every first read slower, the set-up of TLS for example, is in the last bound too.
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

/// Start to first answer against the baselines, round by round.
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

/// In ms.
pub(crate) fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}
