#!/bin/sh
# Runs rustc as cargo's RUSTC_WORKSPACE_WRAPPER: compiles a crate of the workspace so that it tells libFuzzer which
# branches an input takes, and what it compares. These options of LLVM can be had on stable Rust.
case " $* " in
# Programs that cargo runs during the build have no libFuzzer.
*" --crate-name build_script_build "*) exec "$@" ;;
esac
exec "$@" -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares -Copt-level=1 -Ccodegen-units=1
