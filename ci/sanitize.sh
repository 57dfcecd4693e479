#!/usr/bin/env bash
# The tests of all crates under the address sanitizer with its leak detector, worker processes included, and under the
# thread sanitizer and valgrind as far as those can see.
#
#   ci/sanitize.sh          all of it
#   ci/sanitize.sh short    what fits into two minutes: the core, and the process pool without the slow half of its tests
#
# With `--cfg tasks_apart` each task is allocated for itself, so that one that leaks, or is used after its end, is seen.
#
# RUSTC_BOOTSTRAP lets a stable compiler accept the unstable flag. The standard library that comes with it is not
# instrumented: the address sanitizer does not mind, for it watches the allocations of everybody; the thread sanitizer does,
# so it is told to overlook what it cannot see (`tsan.txt`).
set -euo pipefail
cd "$(dirname "$0")/.."
here=$PWD/ci
form=${1:-full}
host=$(rustc -vV | sed -n 's/^host: //p')
targets=${CARGO_TARGET_DIR:-target}
reports=$(mktemp -d)
trap 'rm -rf "$reports"' EXIT
export RUSTC_BOOTSTRAP=1 CARGO_TERM_COLOR=never CARGO_PROFILE_DEV_DEBUG=line-tables-only
# Tests that wait for what never comes wait longer, for everything is slower here.
export CONFORMANCE_SCALE=4
status=0

# Runs tests, counts them, and goes on after a failure.
run() {
  printf '\n== %s: %s\n' "$sanitizer" "$*"
  cargo test --target "$host" "$@" 2>&1 | tee "$reports/output" || status=1
  awk '/^test result:/ { passed += $4; failed += $6; left += $12 } END { print passed, failed, left }' \
    "$reports/output" >>"$reports/counts.$sanitizer"
}

# What the processes have reported: each writes a file of its own, also a worker whose standard error a test keeps.
count() {
  local found
  found=$(find "$reports" -name "$sanitizer.*" | wc -l)
  if [ "$found" -gt 0 ]; then
    status=1
    find "$reports" -name "$sanitizer.*" | head -n 5 | xargs head -n 40
  fi
  awk -v name="$sanitizer" -v found="$found" '{ passed += $1; failed += $2; left += $3 }
    END { printf "\n%s: %d tests passed, %d failed, %d left out; %d processes have reported something\n", name, passed, failed, left, found }' \
    "$reports/counts.$sanitizer" | tee -a "$reports/summary"
}

address() {
  sanitizer=address
  export CARGO_TARGET_DIR=$targets/asan RUSTFLAGS="-Zsanitizer=address --cfg tasks_apart"
  # Suppressions that were used are no report.
  export ASAN_OPTIONS=log_path=$reports/address
  export LSAN_OPTIONS=suppressions=$here/lsan.txt:print_suppressions=0

  # `Address::resolve` reads where nothing of the program may lie, between its constants, and that is what these try.
  run -p executor-core --lib --test it -- --skip function::address --skip function::build_id
  local odd=(
    # The sanitizer itself needs more memory than these leave to a process, and answers in another way than an allocator.
    --skip a_worker_has_no_more_memory --skip arguments_that_no_worker_can_hold --skip with_little_memory
    --skip the_messages_in_the_documentation --skip a_limit_of_memory_costs --skip every_option_has_its_name
    --skip a_memory_limit_counts_what_is_private
    # They ask the allocator of the C library, which the sanitizer replaces, what it has given away.
    --skip burst::
    # Their workers write where they must not, on purpose.
    --skip hostile::
    # The leak detector tries first whether it may look at a child of its own. A worker that is started with SIGCHLD ignored
    # does not see that child's end, and a warning is given.
    --skip the_program_ignores_the_ends_of_its_children
    # A copy made by fork ends with all handlers. The leak detector then looks in it for threads that only the original has.
    --skip a_copy_of_a_worker_that_exits
    # It leaks its pools, as its name says.
    --skip a_program_that_leaks_its_pools
    # A process that has another user than at its start may not look at itself, as the leak detector does.
    --skip rights::
    # The sanitizer turns core dumps off.
    --skip core_dumps_are_as_the_host_has_them
    # Without an environment, descriptors or a /proc the leak detector cannot look up names, so what is suppressed by name
    # is reported.
    --skip world::
  )
  if [ "$form" = short ]; then
    run -p process-pool --lib --test it -- "${odd[@]}" --skip orphans:: --skip random_moments
  else
    # As they are in programs, in blocks.
    CARGO_TARGET_DIR=$targets/asan-blocks RUSTFLAGS=-Zsanitizer=address \
      run -p executor-core --lib --test it -- --skip function::address --skip function::build_id
    run -p executor-core --test api --test fork
    run -p thread-pool --lib --test it
    run -p process-pool --lib --test it --test plain -- "${odd[@]}"
    # Executors that are broken on purpose lose what they were given.
    run -p conformance --lib --test it -- --skip broken::
    run -p tests --test conformance_inline --test conformance_threads --test conformance_processes_ring \
      --test conformance_processes_socket --test future --test thread_pool --test process_pool --test scripts --test api_uses \
      -- "${odd[@]}"
  fi
  count
}

thread() {
  sanitizer=thread
  export CARGO_TARGET_DIR=$targets/tsan RUSTFLAGS="-Zsanitizer=thread -Cunsafe-allow-abi-mismatch=sanitizer --cfg tasks_apart"
  export TSAN_OPTIONS=suppressions=$here/tsan.txt:log_path=$reports/thread
  # Only the tests of races, whose own locks are not std's.
  run -p executor-core --test it -- races
  # And as they are in programs, in blocks.
  export CARGO_TARGET_DIR=$targets/tsan-blocks RUSTFLAGS="-Zsanitizer=thread -Cunsafe-allow-abi-mismatch=sanitizer"
  run -p executor-core --test it -- races
  count
}

# Bytes that nobody has written are what the others do not see. Valgrind is slow and runs one thread at a time, so it gets the
# units alone: no workers, no pools.
uninitialised() {
  sanitizer=valgrind
  if ! command -v valgrind >/dev/null; then
    echo "valgrind: left out, it is not installed" | tee -a "$reports/summary"
    return
  fi
  export CARGO_TARGET_DIR=$targets/apart RUSTFLAGS="--cfg tasks_apart"
  export CARGO_TARGET_$(tr a-z- A-Z_ <<<"$host")_RUNNER="valgrind -q --error-exitcode=9 --leak-check=full \
    --show-leak-kinds=definite,indirect --errors-for-leak-kinds=definite,indirect --log-file=$reports/valgrind.%p"
  run -p executor-core --lib -- --test-threads=1
  run -p process-pool --lib -- --test-threads=1 transport:: frame:: setup:: supervisor:: pool::
  # It makes the file also where it has nothing to say.
  find "$reports" -name 'valgrind.*' -empty -delete
  count
}

address
if [ "$form" != short ]; then
  thread
  uninitialised
fi
printf '\n'
cat "$reports/summary"
exit "$status"
