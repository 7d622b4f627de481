#!/bin/sh
# Checks that this machine has what building and the local cloud need, before anything is downloaded. Prints one
# sentence for each thing that is missing. A shell script, because it also has to run where Python is missing or old.
set -u
cd "$(dirname "$0")/../.." || exit 1
missing=0

lacks() {
    echo "error: $1" >&2
    missing=1
}

# Whether the version $1 is at least $2, by their first two numbers.
at_least() {
    [ "$(number "$1")" -ge "$(number "$2")" ]
}

# A version's first two numbers as one: 1.95.0 is 1095.
number() {
    minor=${1#*.}
    echo $((${1%%.*} * 1000 + ${minor%%.*}))
}

python=3.10
have=$(python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null)
if [ -z "$have" ]; then
    lacks "python3 was not found: install Python $python or newer (on Debian and Ubuntu the packages python3 and\
 python3-venv, on macOS \`brew install python\`)."
elif ! at_least "$have" "$python"; then
    lacks "Python $have is too old: install Python $python or newer, so that \`python3\` starts it."
elif ! python3 -c 'import ensurepip, venv' 2>/dev/null; then
    lacks "Python's venv module is incomplete: install it (on Debian and Ubuntu the package python3-venv)."
fi

compiler="install the C build tools (on Debian and Ubuntu the package build-essential, on macOS \`xcode-select\
 --install\`)."
if ! command -v cc >/dev/null; then
    lacks "cc, a C compiler, was not found: $compiler"
else
    work=$(mktemp -d)
    printf '#include <stdlib.h>\nint main(void) { return EXIT_SUCCESS; }\n' >"$work/try.c"
    cc "$work/try.c" -o "$work/try" 2>/dev/null || lacks "cc can't compile and link a C program: $compiler"
    rm -r "$work"
fi
command -v strip >/dev/null || lacks "strip was not found: $compiler"

rust=$(sed -n 's/^rust-version = "\(.*\)"$/\1/p' Cargo.toml)
# rustup itself installs the version of rust-toolchain.toml with the first build, and not here.
have=$(RUSTUP_AUTO_INSTALL=0 rustc --version 2>/dev/null | sed -n 's/^rustc \([0-9.]*\).*/\1/p')
if ! command -v cargo >/dev/null; then
    lacks "cargo was not found: install Rust $rust or newer (https://rustup.rs)."
elif [ -n "$have" ]; then
    at_least "$have" "$rust" || lacks "Rust $have is too old: install Rust $rust or newer (https://rustup.rs)."
elif ! command -v rustup >/dev/null; then
    lacks "rustc was not found: install Rust $rust or newer (https://rustup.rs)."
fi
exit $missing
