# Sourced by the scripts of targets whose programs an emulator runs, after `tests.sh`.

# emulate NAME MAGIC: makes this script's processes run programs whose file begins with these bytes by the emulator of
# this name.
#
# The kernel does that (`binfmt_misc`), also for a worker, which is started by running its own file. The registration is
# made in a user name space, so it does not change this machine; that needs Linux 6.7.
emulate() {
  local name=$1 magic=$2
  local mask='\xff\xff\xff\xff\xff\xff\xff\x00\x00\x00\x00\x00\x00\x00\x00\x00'
  unpack qemu qemu-user/trixie
  if [ -z "${CONCURRENT_FUTURES_EMULATED:-}" ]; then
    export CONCURRENT_FUTURES_EMULATED=1
    enter "$root/ci/targets/${0##*/}"
  fi
  # The kind of the file: a program at a fixed place, or one that can be placed anywhere.
  case $magic in
    *'\x01\x01'*) mask+='\xfe\xff\xff\xff' ;;
    *) mask+='\xff\xfe\xff\xff' ;;
  esac
  mkdir -p "$scratch/binfmt"
  mount -t binfmt_misc binfmt_misc "$scratch/binfmt" || fail "binfmt_misc cannot be mounted in a user name space here"
  # P: the program keeps the name under which it was started. O: the kernel opens the program for the emulator. The file
  # of a worker is an open one, whose path is gone when the emulator runs. C: rights come from the file of the program,
  # not from that of the emulator. F: the kernel opens the emulator now, so that it need not be in the root of a
  # process.
  printf ':%s:M::%s:%s:%s:POCF' "$name" "$magic" "$mask" "$scratch/qemu/usr/bin/$name" >"$scratch/binfmt/register"
  # Time-outs of tests are longer.
  export CONFORMANCE_SCALE=10
  # An emulated program is many times slower, and the number of random cases is nothing that differs between targets.
  export PROPTEST_CASES=${PROPTEST_CASES:-20}
  # Fewer instructions to translate. Assertions and checks of overflows stay.
  export CARGO_PROFILE_DEV_OPT_LEVEL=1
}

# enter PROGRAM: continues with this program, as root of a user name space with mounts of its own.
#
# Root takes all users along, because the tests of rights change users. Only a process outside can map more than one
# user, and a program that was started before that has no rights until it starts another.
enter() {
  if [ "$(id -u)" != 0 ]; then
    exec unshare --user --map-root-user --mount "$1"
  fi
  local this=$$ outside map
  outside=$(readlink "/proc/$this/ns/user")
  (
    until [ "$(readlink "/proc/$this/ns/user")" != "$outside" ]; do sleep 0.1; done
    for map in uid_map gid_map; do awk '{ print $1, $1, $3 }' "/proc/self/$map" >"/proc/$this/$map"; done
  ) &
  exec unshare --user --mount bash -c 'until [ -n "$(cat /proc/self/gid_map)" ]; do sleep 0.1; done; exec "$0"' "$1"
}

# The tests that no emulated program passes, as arguments of the test programs, and a line with the reason for each.
emulated=()
emulated_why=()

# lacks REASON TEST...: leaves these tests out, because the emulator differs from a kernel in this.
lacks() {
  local reason=$1 test
  shift
  for test in "$@"; do emulated+=(--skip "$test"); done
  emulated_why+=("$*: the emulator $reason")
}

lacks "keeps the highest signals for itself, and has other numbers for them in /proc" \
  sys::unix::signals::tests::with_all_blocked world::signals::workers_start_with_default_signal_settings
lacks "receives more descriptors than a message has space for, and keeps them open" \
  sys::unix::message::tests::more_descriptors_than_a_message_has_space_for
lacks "has a vfork that copies memory, so posix_spawn is not told why a program cannot start" \
  a_program_that_is_not_there_is_an_error world::environment::an_environment_that_is_too_large \
  world::image::workers_run_the_program_even_if_the_loader_was_started_explicitly \
  exit_codes_of_programs_are_those_of_python messages::the_messages_in_the_document_are_those_of_commands
lacks "opens /proc/self/exe by the path with which the program was started, and that file may be gone or unreadable" \
  world::image::no_other_file_runs_in_place world::image::a_program_that_has_no_file_in_any_directory \
  world::image::a_program_that_is_executable_and_not_readable world::image::workers_run_the_file_of_their_program \
  start::a_program_that_a_task_starts_is_not_a_worker
lacks "has its own files in the place of some in /proc, and lets programs that it starts inherit them" \
  world::descriptors::other_programs_of_the_host_inherit_no_descriptor
lacks "cannot write these files of its own under a limit on the size of files" \
  forwarding::a_limit_on_the_size_of_files_does_not_end_the_program
lacks "adds a line to the standard error of a program that dies of a signal" \
  output::a_worker_that_dies_has_its_last_lines_in_the_error stderr_tail::tasks_in_quick_succession_have_their_own \
  stderr_tail::items_of_a_chunk_have_their_own stderr_tail::the_output_of_a_task_is_not_the_cause_of_its_death \
  stderr_tail::the_output_of_an_initializer_is_not stderr_tail::the_output_of_an_earlier_task_is_not
