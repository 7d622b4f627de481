//! The peak memory of a function.

use std::error::Error;

use crate::cold_start::{Contestant, Part, millis};
use crate::fixture::{EVENT, SECRET, granted};
use crate::lambda::Function;
use crate::report::Row;
use crate::stats::median;
use crate::usage::peak_memory;

/// The maximum allowed peak of a function, in MiB.
const MOST: f64 = 32.0;

/// Sends a function that many events, valid and invalid ones, and reads its peak memory from the kernel.
///
/// # Errors
/// The function fails, or the kernel doesn't report the peak.
pub fn measure(contestant: &Contestant, events: usize) -> Result<Vec<Row>, Box<dyn Error>> {
    let unknown = EVENT.replace(
        SECRET,
        "lki_yhjskwdA6OZ1AL1YmHWZWm8LLG7HjnuCA2j5rOw8Xp12wQaHq",
    );
    let forbidden = EVENT.replace("exp_orders", "exp_other");
    let padded = EVENT.replace("curl/8.5.0", &"x".repeat(8_000));
    let mut function = Function::start(&contestant.program, &contestant.environment)?;
    function.ready()?;
    let mut took = Vec::new();
    for number in 0..events {
        let (event, good) = match number % 8 {
            5 => (unknown.as_str(), false),
            6 => (forbidden.as_str(), false),
            7 => (padded.as_str(), true),
            _ => (EVENT, true),
        };
        let (time, answer) = function.invoke(event)?;
        // The empty function allows every call.
        if contestant.part != Part::Empty && granted(answer.as_bytes()).is_ok() != good {
            return Err(format!("{} answered {answer} to {event}", contestant.name).into());
        }
        took.push(millis(time));
    }
    let peak = peak_memory(function.id())?;
    let name = contestant.name;
    let row = Row::new(
        "memory",
        format!("{name}: peak after {events} events"),
        peak,
        "MiB",
    );
    Ok(vec![
        if contestant.part == Part::Authorize {
            row.at_most(MOST)
        } else {
            row
        },
        Row::new(
            "memory",
            format!("{name}: median event meanwhile"),
            median(&took),
            "ms",
        ),
    ])
}
