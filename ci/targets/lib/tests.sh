# Sourced by the scripts in `ci/targets`, after `toolchain.sh`: runs tests for `$target` and counts them.
output=$(mktemp)
trap 'rm -f "$output"' EXIT
status=0

# Runs tests, and goes on after a failure.
run() {
  printf '\n== %s: cargo test %s\n' "$target" "$*"
  cargo test --locked --no-fail-fast --target "$target" "$@" 2>&1 | tee -a "$output" || status=1
}

# Runs the tests of all default members, but the one that compares messages of the compiler: it compiles for a target
# without its standard library. `quick` runs those of the core and the pools.
linux_tests() {
  run -p concurrent-futures-core --lib --test api --test fork --test it --test panic_hook
  if [ "${1:-}" = quick ]; then
    run -p concurrent-futures-threads -p concurrent-futures-processes --tests
  else
    run -p concurrent-futures-threads -p concurrent-futures-processes -p concurrent-futures-conformance -p concurrent-futures -p test-support -p tests --tests --examples
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
