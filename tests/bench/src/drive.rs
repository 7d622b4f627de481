//! The load: how requests are sent, and what is recorded of the answers.
//!
//! A closed loop has a number of callers. Each sends its next request when it has the answer to the last one, so the
//! loop finds the highest throughput. Its latencies leave out what would have been sent meanwhile: while a service
//! stalls, its callers wait instead of asking, and one slow answer stands for the many that would have been slow
//! (coordinated omission).
//!
//! In an open loop, requests are due at fixed times, whatever becomes of the earlier ones. A latency counts from the
//! time at which the request was due, and so includes every wait, even that for the driver itself.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::error::Error;
use std::thread;
use std::time::{Duration, Instant};

use futures_util::future::try_join_all;
use futures_util::stream::{FuturesUnordered, StreamExt};
use tokio::sync::mpsc;

use crate::stats::quantiles;

/// A service under load. It makes up its requests by their number and checks every answer.
#[allow(async_fn_in_trait, reason = "everything runs in one thread")]
pub trait Target {
    /// Sends a request and waits for the answer.
    ///
    /// # Errors
    /// The answer is wrong: neither what must be answered to this request nor an honest refusal. It ends the run.
    async fn call(&self, number: usize) -> Result<Answer, Box<dyn Error>>;
}

/// An answer that isn't wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// What must be answered. The operation is for the latencies of each.
    Right(&'static str),
    /// An honest refusal: the service says that it couldn't do it now.
    Refused,
}

/// What was recorded in a run.
#[derive(Debug, Default)]
pub struct Run {
    /// The latencies of the right answers by operation, in ms.
    by_operation: BTreeMap<&'static str, Vec<f64>>,
    /// The number of honest refusals.
    pub refused: usize,
    /// The time until the last answer.
    pub took: Duration,
}

impl Run {
    fn record(&mut self, answer: Answer, latency: Duration) {
        match answer {
            Answer::Right(operation) => {
                let latencies = self.by_operation.entry(operation).or_default();
                latencies.push(latency.as_secs_f64() * 1e3);
            }
            Answer::Refused => self.refused += 1,
        }
    }

    /// The number of right answers.
    pub fn right(&self) -> usize {
        self.by_operation.values().map(Vec::len).sum()
    }

    /// The number of right answers a second.
    pub fn throughput(&self) -> f64 {
        count(self.right()) / self.took.as_secs_f64()
    }

    /// The share of requests that were refused.
    pub fn refused_share(&self) -> f64 {
        count(self.refused) / count(self.refused + self.right())
    }

    /// The latencies of all right answers at these shares, in ms.
    pub fn latencies<const N: usize>(&self, shares: [f64; N]) -> [f64; N] {
        let all: Vec<_> = self.by_operation.values().flatten().copied().collect();
        quantiles(all, shares)
    }

    /// The operations with the number of right answers and the median latency of each, in ms.
    pub fn operations(&self) -> impl Iterator<Item = (&'static str, usize, f64)> {
        self.by_operation.iter().map(|(operation, latencies)| {
            let [median] = quantiles(latencies.clone(), [0.5]);
            (*operation, latencies.len(), median)
        })
    }
}

/// A number of requests as a figure.
#[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
pub fn count(number: usize) -> f64 {
    number as f64
}

/// Runs a closed loop.
///
/// # Errors
/// An answer is wrong.
pub async fn closed(
    target: &impl Target,
    callers: usize,
    duration: Duration,
) -> Result<Run, Box<dyn Error>> {
    let begin = Instant::now();
    // One sequence for all callers: with a sequence each, those of quick requests would send more of them.
    let next = &Cell::new(0);
    let calls = (0..callers).map(async |_| {
        let mut answers = Vec::new();
        while begin.elapsed() < duration {
            let number = next.get();
            next.set(number + 1);
            let sent = Instant::now();
            let answer = target.call(number).await?;
            answers.push((answer, sent.elapsed()));
        }
        Ok::<_, Box<dyn Error>>(answers)
    });
    let answers = try_join_all(calls).await?.concat();
    let mut run = Run {
        took: begin.elapsed(),
        ..Run::default()
    };
    for (answer, latency) in answers {
        run.record(answer, latency);
    }
    Ok(run)
}

/// Runs an open loop with `rate` requests a second, and waits until all are answered. However many are on their way,
/// the next one is sent when it is due.
///
/// # Errors
/// An answer is wrong.
pub async fn open(
    target: &impl Target,
    rate: f64,
    duration: Duration,
) -> Result<Run, Box<dyn Error>> {
    // Timers of the runtime count whole milliseconds. A thread that sleeps is as exact as the kernel.
    let (due, mut dues) = mpsc::unbounded_channel();
    let begin = Instant::now();
    thread::spawn(move || {
        for number in 0.. {
            let after = Duration::from_secs_f64(count(number) / rate);
            if after >= duration {
                return;
            }
            let at = begin + after;
            if let Some(wait) = at.checked_duration_since(Instant::now()) {
                thread::sleep(wait);
            }
            // After a wrong answer, nobody receives this any more.
            if due.send((number, at)).is_err() {
                return;
            }
        }
    });
    let mut run = Run::default();
    let mut on_their_way = FuturesUnordered::new();
    let mut more = true;
    while more || !on_their_way.is_empty() {
        tokio::select! {
            next = dues.recv(), if more => match next {
                Some((number, at)) => on_their_way.push(async move {
                    let answer = target.call(number).await?;
                    Ok::<_, Box<dyn Error>>((answer, at.elapsed()))
                }),
                None => more = false,
            },
            Some(done) = on_their_way.next() => {
                let (answer, latency) = done?;
                run.record(answer, latency);
            }
        }
    }
    run.took = begin.elapsed();
    Ok(run)
}

#[cfg(test)]
mod tests {
    use assurance::Report;
    use tokio::sync::Mutex;

    use super::*;

    /// A service that answers one request at a time, and stalls once.
    #[derive(Default)]
    struct Stalling {
        turn: Mutex<()>,
        answered: Cell<usize>,
        wrong_at: Option<usize>,
    }

    /// The request at which the service stalls, and for how long.
    const STALLED_AT: usize = 20;
    const STALL: Duration = Duration::from_millis(400);
    const RATE: f64 = 1_000.0;
    const RUN: Duration = Duration::from_millis(800);

    impl Target for Stalling {
        async fn call(&self, number: usize) -> Result<Answer, Box<dyn Error>> {
            let _turn = self.turn.lock().await;
            self.answered.set(self.answered.get() + 1);
            if Some(self.answered.get()) == self.wrong_at {
                return Err(format!("the answer to {number} is wrong").into());
            }
            if self.answered.get() == STALLED_AT {
                tokio::time::sleep(STALL).await;
            } else {
                tokio::task::yield_now().await;
            }
            Ok(match number % 10 {
                9 => Answer::Refused,
                _ => Answer::Right("call"),
            })
        }
    }

    /// The share of answers that took at least half of the stall.
    fn slow(run: &Run) -> f64 {
        let all = run.by_operation.values().flatten();
        let slow = all.filter(|took| **took >= STALL.as_secs_f64() * 1e3 / 2.0);
        count(slow.count()) / count(run.right())
    }

    #[tokio::test]
    async fn a_stall_shows_in_the_percentiles_of_the_open_loop_only() {
        let report = Report::of("load", "cargo test -p latchkey-bench --lib");
        // A quarter of the 800 requests was due in the first half of the stall, and each waited for the other half.
        let run = open(&Stalling::default(), RATE, RUN).await.unwrap();
        assert_eq!(run.right() + run.refused, 800, "every request was sent");
        assert_eq!(run.refused, 80);
        assert!(slow(&run) >= 0.24, "{}", slow(&run));
        let [_, p90] = run.latencies([0.5, 0.9]);
        assert!(p90 >= STALL.as_secs_f64() * 1e3 / 2.0, "{p90} ms");

        // The planted fault: a driver that waits while the service stalls records a single slow answer.
        let omitting = closed(&Stalling::default(), 1, RUN).await.unwrap();
        assert!(omitting.right() + omitting.refused > STALLED_AT);
        assert!(slow(&omitting) < 0.24, "{}", slow(&omitting));

        // The other planted fault: a wrong answer among right ones.
        let lying = || Stalling {
            wrong_at: Some(50),
            ..Stalling::default()
        };
        assert!(open(&lying(), RATE, RUN).await.is_err());
        assert!(closed(&lying(), 8, RUN).await.is_err());

        let requests = run.right() + run.refused + omitting.right() + omitting.refused;
        report
            .figure("requests", requests.try_into().unwrap())
            .planted("a driver that waits while the service stalls")
            .planted("a wrong answer")
            .write();
    }

    #[test]
    fn refusals_count_but_have_no_latency() {
        let mut run = Run {
            took: Duration::from_secs(2),
            ..Run::default()
        };
        for millis in 1..=6 {
            run.record(Answer::Right("get"), Duration::from_millis(millis));
        }
        run.record(Answer::Right("list"), Duration::from_millis(50));
        run.record(Answer::Refused, Duration::from_secs(5));
        let same = |a: f64, b: f64| (a - b).abs() < 1e-9;
        assert!(same(run.throughput(), 3.5));
        assert!(same(run.refused_share(), 0.125));
        let [p50, last] = run.latencies([0.5, 1.0]);
        assert!(same(p50, 4.0) && same(last, 50.0), "{p50} {last}");
        let operations: Vec<_> = run.operations().map(|(name, n, _)| (name, n)).collect();
        assert_eq!(operations, [("get", 6), ("list", 1)]);
    }
}
