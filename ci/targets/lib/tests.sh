# Sourced by the scripts in `ci/targets`, after `toolchain.sh`: runs tests for `$target` and counts them.
output=$(mktemp)
trap 'rm -f "$output"' EXIT
status=0

# Workers panic on purpose, and finding the names for a backtrace takes a second each, and a minute under an emulator.
export RUST_BACKTRACE=0

# The standard library is optimized a little, as in every toolchain. Without that, a test of huge values takes minutes,
# because a debug build of the library checks each byte with which a vector is filled. Units need no such values.
optimized=()
for crate in core alloc std; do optimized+=(--config "profile.dev.package.$crate.opt-level=1"); done

# Runs tests, and goes on after a failure.
run() {
  printf '\n== %s: cargo test %s\n' "$target" "$*"
  cargo test --locked --no-fail-fast "${optimized[@]}" --target "$target" "$@" 2>&1 | tee -a "$output" || status=1
}

# Builds the tests and the examples of all default members, or of some packages. Tests run the examples as programs,
# which `cargo test` builds only if it is not told what to test.
build() {
  printf '\n== %s: cargo test --no-run %s\n' "$target" "$*"
  cargo test --locked --no-run "${optimized[@]}" --target "$target" "$@" || status=1
}

# The crates whose tests `quick` runs: those that use the system.
quick=(-p concurrent-futures-core -p concurrent-futures-threads -p concurrent-futures-processes)
quick+=(-p concurrent-futures-sync -p concurrent-futures-command)
# Those of which `units` runs the units. Commands have none.
units=(-p concurrent-futures-core -p concurrent-futures-threads -p concurrent-futures-processes
  -p concurrent-futures-sync)

# linux_tests FORM [ARGUMENT...]: runs the tests of all default members, or the `quick` ones, or the `units` of most
# of these crates. The arguments are for the full form: which packages have examples that are built, unless all have.
#
# `what_must_not_compile` is left out: it compares messages of the compiler, and compiles for a target without the
# standard library that was built here.
linux_tests() {
  local form=$1
  shift
  if [ "$form" = units ]; then
    optimized=()
    run "${units[@]}" --lib
  elif [ "$form" = quick ]; then
    # Hundreds of thousands of tasks in a debug build take two minutes.
    run "${quick[@]}" --lib --test it --test fork -- --skip freed_memory::
  else
    build "$@"
    run --tests -- --skip what_must_not_compile
  fi
}

# Prints the sums, and what was left out and why, and ends the script.
finish() {
  printf '\n'
  local reason
  for reason in "$@"; do printf '%s: left out: %s\n' "$target" "$reason"; done
  awk -v target="$target" '/^test result:/ { passed += $4; failed += $6; ignored += $8; left += $12 }
    END { printf "%s: %d passed, %d failed, %d ignored, %d left out\n", target, passed, failed, ignored, left }' "$output"
  exit "$status"
}
