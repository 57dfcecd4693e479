# Sourced by the scripts of targets that this machine can compile for and not link for, after `toolchain.sh`.
#
# Checks all published crates with all features. A warning is an error, but only in these crates, not in the standard
# library.
check() {
  local crate packages=()
  . ci/published
  for crate in "${published[@]}"; do packages+=(-p "$crate"); done
  export CARGO_UNSTABLE_WARNINGS=true CARGO_BUILD_WARNINGS=deny
  cargo check --locked --lib --all-features --target "$target" "${packages[@]}"
  echo "$target: all published crates compile; nothing was run"
}
