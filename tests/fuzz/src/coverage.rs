//! One target under libFuzzer, guided by coverage.

#![no_main]

use std::env;

use fuzz::{Harness, Target, targets, values};
use libfuzzer_sys::fuzz_target;

/// The environment variable with the target's name.
const TARGET: &str = "LATCHKEY_FUZZ_TARGET";

/// A target with a planted fault that random inputs don't find: four bytes, each behind a branch of its own.
const PLANTED: &str = "planted";

thread_local! {
    static CHOSEN: Target = chosen();
}

fn chosen() -> Target {
    let name = env::var(TARGET).unwrap_or_else(|_| panic!("set {TARGET}"));
    if name == PLANTED {
        return Target::of_value(PLANTED, planted);
    }
    let is_chosen = |target: &Target| target.name == name;
    let found = values().into_iter().find(is_chosen).or_else(|| {
        let others = targets(&Harness::with(|_| {}));
        others.into_iter().find(is_chosen)
    });
    found.unwrap_or_else(|| panic!("there is no target `{name}`"))
}

fn planted(data: &[u8]) {
    let wanted = b"\x17q#\xd2";
    let agreed = wanted
        .iter()
        .zip(data)
        .take_while(|(one, other)| one == other);
    assert!(agreed.count() < wanted.len(), "the planted fault");
}

fuzz_target!(|data: &[u8]| {
    CHOSEN.with(|target| target.run(data));
});
