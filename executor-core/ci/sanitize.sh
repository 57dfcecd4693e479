#!/bin/sh
# Runs the tests of executor-core under the address sanitizer (and its leak detector) and the thread sanitizer.
#
# RUSTC_BOOTSTRAP lets a stable compiler accept the unstable flag. The standard library that comes with it is not
# instrumented: the address sanitizer does not mind, the thread sanitizer does, so it is told to overlook what it
# cannot see (`tsan.txt`) and only runs the tests of races, whose own locks are not std's.
set -eu
cd "$(dirname "$0")/../.."
target=$(rustc -vV | sed -n 's/^host: //p')
export RUSTC_BOOTSTRAP=1

# `Address::resolve` reads where nothing of the program may lie, between its constants, and that is what the skipped
# tests try.
CARGO_TARGET_DIR=target/asan RUSTFLAGS=-Zsanitizer=address \
    cargo test -p executor-core --lib --test it --target "$target" -- \
    --skip function::address --skip function::build_id

CARGO_TARGET_DIR=target/tsan RUSTFLAGS="-Zsanitizer=thread -Cunsafe-allow-abi-mismatch=sanitizer" \
    TSAN_OPTIONS="suppressions=$PWD/executor-core/ci/tsan.txt" \
    cargo test -p executor-core --test it --target "$target" -- races
