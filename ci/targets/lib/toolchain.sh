# Sourced by the scripts in `ci/targets`, after `scratch.sh`: this machine's compiler with the sources of the standard
# library, so that cargo can build the library for any target (`-Z build-std`).
#
# The compiler is copied into the scratch folder, because it looks for those sources, and for the files that programs of
# a target are linked with, in its own folders.

version=$(rustc -vV | sed -n 's/^release: //p')
toolchain=$scratch/rust-$version

make_toolchain() {
  [ -e "$toolchain/complete" ] && return
  local library package sysroot
  sysroot=$(rustc --print sysroot)
  library=$sysroot/lib/rustlib/src/rust/library
  if [ ! -d "$library" ]; then
    prepare_apt
    package=$(apt-cache madison rust-src | awk -v version="$version" 'index($3, version "+") == 1 { print $3; exit }')
    [ -n "$package" ] || unavailable "the sources of the standard library of Rust $version, the version of this machine's" \
      "rustc, are missing, and Debian has no package of them: \`rustup component add rust-src\` installs them"
  fi
  rm -rf "$toolchain"
  mkdir -p "$toolchain"
  cp -R --reflink=auto "$sysroot/bin" "$toolchain/bin"
  mkdir -p "$toolchain/lib/rustlib"
  find "$sysroot/lib" -mindepth 1 -maxdepth 1 ! -name rustlib -exec cp -R --reflink=auto {} "$toolchain/lib/" \;
  cp -R --reflink=auto "$sysroot/lib/rustlib/$host" "$toolchain/lib/rustlib/$host"
  mkdir -p "$toolchain/lib/rustlib/src/rust"
  if [ -d "$library" ]; then
    cp -R --reflink=auto "$library" "$toolchain/lib/rustlib/src/rust/library"
  else
    (cd "$toolchain" && apt-get -qq download "rust-src=$package") || unavailable "could not download rust-src"
    # The package also has the sources of the compiler, which are ten times as large.
    dpkg-deb --fsys-tarfile "$toolchain"/rust-src_*.deb |
      tar -x -C "$toolchain/lib/rustlib/src/rust" --strip-components=4 --wildcards './usr/src/rustc-*/library/*'
    rm "$toolchain"/rust-src_*.deb
  fi
  touch "$toolchain/complete"
}

host=$(rustc -vV | sed -n 's/^host: //p')
make_toolchain
export PATH=$toolchain/bin:$PATH
# The compiler of another toolchain, which rustup would choose, must not be used for it.
unset RUSTUP_TOOLCHAIN RUSTC CARGO RUSTFLAGS CARGO_ENCODED_RUSTFLAGS
# A stable compiler accepts unstable flags. As environment variables, cargo reads them also where a test runs it.
export RUSTC_BOOTSTRAP=1 CARGO_UNSTABLE_BUILD_STD=std,panic_unwind,panic_abort
export CARGO_TERM_COLOR=never CARGO_INCREMENTAL=0
# Without debug information: the tests are built once, and seldom debugged.
export CARGO_PROFILE_DEV_DEBUG=0 CARGO_PROFILE_TEST_DEBUG=0
export CARGO_TARGET_DIR=$scratch/build
