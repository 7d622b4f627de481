#!/bin/sh
# Writes target/sbom/<program>.json for each deployed program: the crates that are linked into it and the macros that
# were run for it, in the format of CycloneDX. The programs are the workspace's default members. `cargo metadata`, which
# the tool asks, also names crates of some features that nothing turns on: a list has a few crates too many.
#
#     sbom.sh PROGRAM    PROGRAM is cargo-cyclonedx
set -eu
cd "$(dirname "$0")/../.."
program=$1
target=$(sed -n 's/^targets = \["\(.*\)"\]$/\1/p' rust-toolchain.toml)
work=$PWD/target/sbom-work
list=$PWD/target/sbom
rm -rf "$work" "$list"
mkdir -p "$work" "$list"

# `cargo metadata` also turns on the features that tests need of the crates. So the tool gets a copy of the workspace
# with neither the members that aren't deployed nor dependencies of tests.
git ls-files -z | tar --null -T - -cf - | tar -xf - -C "$work"
sed -i.bak -e '/^members = \[/,/^\]/d' -e 's/^default-members = \(.*\)\]$/members = \["shared", \1]/' \
    -e 's/^members = \["shared", \[/members = ["shared", /' "$work/Cargo.toml"
for manifest in "$work"/shared/Cargo.toml "$work"/functions/*/Cargo.toml "$work"/examples/*/function/Cargo.toml; do
    sed -i.bak '/^\[dev-dependencies/,/^$/d' "$manifest"
done
(
    cd "$work"
    # The time in the lists is that of the commit, so that they are the same on every machine.
    SOURCE_DATE_EPOCH=$(git log -1 --format=%ct) "$program" cyclonedx --quiet --format json --spec-version 1.5 \
        --target "$target" --no-build-deps --override-filename sbom
)
for each in "$work"/functions/* "$work"/examples/*/function; do
    name=$(sed -n 's/^name = "\(.*\)"$/\1/p' "$each/Cargo.toml" | head -n 1)
    # Without the paths of this machine.
    sed "s|$work/||g" "$each/sbom.json" >"$list/$name.json"
done
rm -rf "$work"
echo "Listed $(find "$list" -name '*.json' | wc -l | tr -d ' ') programs in target/sbom."
