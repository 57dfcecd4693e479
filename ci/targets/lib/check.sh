# Sourced by the scripts of targets that this machine can compile for and not link for, after `toolchain.sh`.
#
# Checks the published crates with all features, but without the cluster, whose cryptography needs a C compiler for the
# target. A warning is an error, but only in these crates, not in the standard
# library.
check() {
  local crate packages=()
  . ci/published
  for crate in "${published[@]}"; do
    case $crate in
      concurrent-futures | concurrent-futures-cluster) ;;
      *) packages+=(-p "$crate") ;;
    esac
  done
  export CARGO_UNSTABLE_WARNINGS=true CARGO_BUILD_WARNINGS=deny
  cargo check --locked --lib --all-features --target "$target" "${packages[@]}"
  cargo check --locked --lib --features "$features" --target "$target" -p concurrent-futures
  # Events without records, which the features above have together.
  cargo check --locked --lib --features tracing --target "$target" -p concurrent-futures-processes
  echo "$target: all published crates but the cluster compile; nothing was run"
}
