#!/bin/sh
# The long form of the fuzzing: libFuzzer runs each target, guided by coverage. What it is: tests/fuzz/src/lib.rs.
#
#     fuzz.sh SECONDS [TARGET...]   that many seconds for each target, its start included (default: all of them)
#
# It needs a C++ compiler, which compiles libFuzzer from the crate libfuzzer-sys; Cargo.lock pins its hash. What a run
# found stays in target/fuzz: inputs that reach more (corpus/), where the next run goes on, and inputs that break a
# promise (found/). The report is target/assurance/fuzz.json.
set -eu
cd "$(dirname "$0")/../.."
export LATCHKEY_FUZZ_SECONDS="${1:?"say how many seconds"}"
shift
export LATCHKEY_FUZZ_TARGETS="$*"
RUSTC_WORKSPACE_WRAPPER="$PWD/infra/local/coverage-rustc.sh" \
    cargo build --locked --package fuzz --features coverage --bin fuzz-coverage
exec cargo test --locked --package fuzz --features long --test coverage -- --nocapture
