//! Runs a scenario under faults, and judges what was answered and what is left.

use std::collections::BTreeSet;

use contract::{Allowance, Evidence, Fault, Passed, Planned, Reach, Touched};
use jiff::SignedDuration;
use serde_json::Value;

use crate::scenario::{Effect, Given, Outcome, Scenario};
use crate::world::{Sandbox, Snapshot, World};

/// How often a request is repeated, and a stream's batch delivered, before it must be done.
const REPEATS: usize = 3;

/// A scenario, prepared.
pub(crate) struct Stage<'a> {
    world: &'a World,
    pub(crate) scenario: &'a Scenario,
    given: Given,
    tables: Snapshot,
    /// The mails of the preparation.
    mails: Vec<Value>,
    /// The requests that pass without a fault, and what they touch.
    pub(crate) clean: Vec<Passed>,
    pub(crate) touched: Vec<Touched>,
}

/// What a run did.
#[derive(Debug, Default)]
pub(crate) struct Run {
    /// The requests of the scenario, including repeats.
    pub(crate) passed: Vec<Passed>,
    /// What its requests touched, failed ones among them.
    pub(crate) touched: Vec<Touched>,
    /// What must not be.
    pub(crate) wrong: Vec<String>,
}

impl<'a> Stage<'a> {
    /// Prepares a scenario, and runs it without faults.
    pub(crate) async fn set(world: &'a World, empty: &Snapshot, scenario: &'a Scenario) -> Self {
        let mut stage = Self::planted(world, empty, scenario).await;
        let clean = stage.run(&[], &[]).await;
        let name = stage.name();
        assert!(
            clean.wrong.is_empty(),
            "{name}, without faults: {:#?}",
            clean.wrong
        );
        stage.clean = clean.passed;
        stage.touched = clean.touched;
        stage
    }

    /// Prepares a scenario that may be wrong in itself.
    pub(crate) async fn planted(
        world: &'a World,
        empty: &Snapshot,
        scenario: &'a Scenario,
    ) -> Self {
        world.restore(empty).await;
        world.wire.faults.plan(&[]);
        let sandbox = world.sandbox((scenario.budgets)());
        let given = (scenario.prepare)(&sandbox).await;
        world.wait(SignedDuration::from_secs(1));
        Self {
            world,
            scenario,
            given,
            tables: world.snapshot().await,
            mails: world.wire.take_mails(),
            clean: vec![],
            touched: vec![],
        }
    }

    /// The scenario's name.
    pub(crate) fn name(&self) -> String {
        self.scenario.title()
    }

    /// Every single fault of every request.
    pub(crate) fn singles(&self) -> Vec<Planned> {
        let mut all = Vec::new();
        for (at, request) in self.clean.iter().enumerate() {
            for fault in Fault::ALL
                .into_iter()
                .filter(|fault| fault.befalls(request))
            {
                for reach in Reach::ALL {
                    // SES is asked once only, so an attempt is a call.
                    let is_same = reach == Reach::Attempt && request.service == "ses";
                    let tells = [Fault::Throttled, Fault::Cut, Fault::DoneCut].contains(&fault);
                    if !is_same && (reach != Reach::Outage || tells) {
                        all.push(Planned { at, fault, reach });
                    }
                }
            }
        }
        all
    }

    /// Runs the scenario from its beginning. `first` befalls the first request, `second` its first repeat.
    pub(crate) async fn run(&self, first: &[Planned], second: &[Planned]) -> Run {
        let (world, scenario) = (self.world, self.scenario);
        world.restore(&self.tables).await;
        let sandbox = world.sandbox((scenario.budgets)());
        let mut mails = self.mails.clone();
        let mut run = Run::default();
        let (mut asked, mut failed, mut is_done) = (0, 0, false);
        let mut evidence = Evidence::default();
        // After the last fault, one repeat must be enough.
        for plan in [first, second, &[]] {
            world.wire.faults.plan(plan);
            let outcome = (scenario.ask)(&sandbox, &self.given).await;
            run.passed.append(&mut world.wire.faults.plan(&[]));
            asked += 1;
            evidence = world.evidence(&mut mails).await;
            let was_done = is_done;
            is_done = self.is_done(&evidence);
            let wrong = self.judge(&outcome, asked, plan, was_done, is_done);
            run.wrong.extend(wrong);
            if outcome.status == scenario.done || self.is_again(&outcome) {
                break;
            }
            // What is refused for one budget may have been counted by another.
            failed += 1;
            if outcome.status == 429 {
                break;
            }
            world.wait(SignedDuration::from_secs(scenario.pause));
        }
        if !is_done && !scenario.spends_last {
            run.wrong.push("in the end, it isn't done".into());
        }
        run.wrong.extend(self.excess(&evidence, asked));
        self.read_stream(&sandbox, &mut run).await;
        let evidence = world.evidence(&mut mails).await;
        let allowance = allowance(&run.passed, failed);
        run.wrong.extend(evidence.violations(allowance));
        run.touched = world.wire.take().touched;
        run
    }

    /// Whether an answer says that an earlier request did what this one asks for.
    fn is_again(&self, outcome: &Outcome) -> bool {
        let answer = (outcome.status, &*outcome.code);
        self.scenario.again.is_some_and(|again| again == answer)
    }

    /// Says what is wrong about an answer.
    fn judge(
        &self,
        outcome: &Outcome,
        asked: usize,
        plan: &[Planned],
        was_done: bool,
        is_done: bool,
    ) -> Option<String> {
        let scenario = self.scenario;
        let Outcome { status, told, .. } = outcome;
        if *status == scenario.done {
            return (!is_done).then(|| format!("answer {asked} is {status}, but it isn't done"));
        }
        if self.is_again(outcome) && was_done {
            return None;
        }
        let may_be_spent = scenario.spends_last && asked > 1 && *status == 429;
        if *status == 503 && plan.is_empty() {
            return Some(format!("answer {asked} is 503 without a fault: {told}"));
        }
        if (*status == 503 || may_be_spent) && outcome.repeats {
            return None;
        }
        Some(format!("answer {asked} is {status}: {told}"))
    }

    /// Whether what the scenario asks for is done.
    fn is_done(&self, evidence: &Evidence) -> bool {
        match self.scenario.effect {
            Effect::None | Effect::AtMost(_) => true,
            Effect::Once(action) | Effect::Each(action) => self.made(evidence, action) > 0,
            Effect::State(is_done) => is_done(evidence, &self.given),
        }
    }

    /// How many records of an action were made since the preparation.
    fn made(&self, evidence: &Evidence, action: &str) -> usize {
        let before = self.tables.audit.iter();
        let before = before
            .filter(|record| record["action"]["S"] == action)
            .count();
        evidence.records(action).len().saturating_sub(before)
    }

    /// Says what was done too often.
    fn excess(&self, evidence: &Evidence, asked: usize) -> Option<String> {
        let (action, most) = match self.scenario.effect {
            Effect::None => {
                let is_same =
                    evidence.tokens == self.tables.tokens && evidence.audit == self.tables.audit;
                return (!is_same).then(|| "it changes something".to_owned());
            }
            Effect::State(_) => return None,
            Effect::Once(action) | Effect::AtMost(action) => (action, 1),
            Effect::Each(action) => (action, asked),
        };
        let made = self.made(evidence, action);
        (made > most).then(|| format!("{made} records of {action} after {asked} requests"))
    }

    /// Reads the audit table's stream to its end.
    async fn read_stream(&self, sandbox: &Sandbox<'_>, run: &mut Run) {
        let images = self.world.engine.audit_images().await;
        for _ in 0..REPEATS {
            if sandbox.stream(&images).await {
                return;
            }
            self.world.wait(SignedDuration::from_mins(3));
        }
        run.wrong.push("the stream isn't read to its end".into());
    }
}

/// What may differ after these faults.
fn allowance(passed: &[Passed], failed: usize) -> Allowance {
    let met = || passed.iter().filter(|request| request.fault.is_some());
    let mails = met().filter(|request| request.service == "ses");
    let taken = mails
        .clone()
        .filter(|request| request.fault.is_some_and(Fault::is_done));
    // The note that a mail was sent has no condition, unlike the claim.
    let notes = met().filter(|request| request.kind == "MAIL#" && !request.is_conditional);
    let notes: BTreeSet<_> = notes.map(|request| &request.invocation).collect();
    Allowance {
        duplicates: taken.count() + notes.len(),
        units: failed + mails.count(),
        mailed: true,
    }
}
