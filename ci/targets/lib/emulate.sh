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
    CONCURRENT_FUTURES_EMULATED=1 exec unshare --user --map-root-user --mount "$root/ci/targets/${0##*/}"
  fi
  # The kind of the file: a program at a fixed place, or one that can be placed anywhere.
  case $magic in
    *'\x01\x01'*) mask+='\xfe\xff\xff\xff' ;;
    *) mask+='\xff\xfe\xff\xff' ;;
  esac
  mkdir -p "$scratch/binfmt"
  mount -t binfmt_misc binfmt_misc "$scratch/binfmt" || fail "binfmt_misc cannot be mounted in a user name space here"
  # O: the kernel opens the program for the emulator. The file of a worker is an open one, whose path is gone when the
  # emulator runs. F: the kernel opens the emulator now, so that it need not be in the root of a process.
  printf ':%s:M::%s:%s:%s:OF' "$name" "$magic" "$mask" "$scratch/qemu/usr/bin/$name" >"$scratch/binfmt/register"
  # Time-outs of tests are longer.
  export CONFORMANCE_SCALE=10
  # An emulated program is many times slower, and the number of random cases is nothing that differs between targets.
  export PROPTEST_CASES=${PROPTEST_CASES:-20}
}

# The tests that no emulated program passes, and why.
emulated=(--skip sys::unix::signals::tests::with_all_blocked)
emulated+=(--skip sys::unix::message::tests::more_descriptors_than_a_message_has_space_for)
emulated_why="a test that blocks all signals, because the emulator keeps the highest ones for itself, and a test of a"
emulated_why+=" message with too many descriptors, because the emulator receives all of them and keeps them open"
