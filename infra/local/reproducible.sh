#!/bin/sh
# Builds a function twice from the files under version control, as `make build` does, and fails if the two programs
# differ. The two builds have sources, target directories and Cargo homes with other paths, and begin with nothing
# compiled. They leave target/reproducible/.
#
#     reproducible.sh TOOLS FUNCTION
set -eu
cd "$(dirname "$0")/../.."
root=$PWD
tools=$1
function=$2
work=$root/target/reproducible
home=${CARGO_HOME:-$HOME/.cargo}
rm -rf "$work"
mkdir -p "$work/one" "$work/another/place" "$work/another/home"
# What was downloaded and configured is shared, under another path.
ln -s "$home"/* "$work/another/home"

# Arguments: the place, and the Cargo home.
build() {
    git ls-files -z | tar --null -T - -cf - | tar -xf - -C "$1"
    echo "Building $function in ${1#"$root"/} …"
    env -u CARGO_TARGET_DIR -u MAKEFLAGS -u MAKELEVEL CARGO_HOME="$2" \
        make --no-print-directory -C "$1" build CLOUD=true TOOLS="$tools" FUNCTION="$function"
}

build "$work/one" "$home"
build "$work/another/place" "$work/another/home"

program=target/lambda/$function/bootstrap
if ! cmp "$work/one/$program" "$work/another/place/$program"; then
    echo "error: the two builds of $function differ." >&2
    exit 1
fi
digest='import hashlib, sys; print(hashlib.sha256(open(sys.argv[1], "rb").read()).hexdigest())'
echo "The two builds of $function are the same, SHA-256 $(python3 -c "$digest" "$work/one/$program")."
