//! The calls of a round: what was answered, and what was killed meanwhile.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::ops::Add;
use std::pin::pin;

use end_to_end::Answer;
use futures_util::future::{Either, select};
use reqwest::RequestBuilder;

use crate::cloud::{Cloud, Silence, When, attempt};
use crate::probe::Probe;
use crate::random::Random;

/// A function takes fewer slices than this, if it runs already.
const SLICES: usize = 30;

/// What happened.
#[derive(Default)]
pub(crate) struct Tally {
    /// The attempts of each function's calls.
    pub(crate) calls: RefCell<BTreeMap<&'static str, u64>>,
    /// Attempts without an answer.
    pub(crate) unanswered: Cell<u64>,
    /// Changes without an answer that had their effect, as a repetition showed.
    pub(crate) effects: Cell<u64>,
    /// The changes that were answered at last.
    pub(crate) changes: Cell<u64>,
    /// The clients that are done.
    pub(crate) done: Cell<usize>,
}

/// Adds to a number.
pub(crate) fn add<T: Copy + Add<Output = T>>(to: &Cell<T>, number: T) {
    to.set(to.get() + number);
}

impl Tally {
    /// Sends a request once. Kills the function meanwhile, if `when` is given; `probe` is of what the function changes.
    pub(crate) async fn call(
        &self,
        cloud: &Cloud,
        function: &'static str,
        request: RequestBuilder,
        when: Option<When>,
        probe: Probe,
    ) -> Option<Answer> {
        *self.calls.borrow_mut().entry(function).or_default() += 1;
        let before = match when {
            Some(_) => cloud.probe(&probe).await,
            None => None,
        };
        let sent = pin!(attempt(request));
        let answer = match when.zip(before) {
            None => sent.await,
            Some((when, before)) => {
                let kill = pin!(cloud.kill(function, when, &probe, &before));
                match select(sent, kill).await {
                    // It was faster.
                    Either::Left((answer, _)) => answer,
                    Either::Right(((), sent)) => sent.await,
                }
            }
        };
        if answer.as_ref().err() == Some(&Silence::Cut) {
            add(&self.unanswered, 1);
        }
        answer.ok()
    }
}

/// Chooses when a function is killed, if it is in so many of a hundred cases.
pub(crate) fn when(random: &mut Random, percent: usize) -> Option<When> {
    let (chosen, effect) = (random.percent(percent), random.percent(50));
    let slices = When::Slices(random.below(SLICES));
    chosen.then_some(if effect { When::Effect } else { slices })
}
