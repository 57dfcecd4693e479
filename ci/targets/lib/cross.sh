# Sourced by the scripts in `ci/targets`, after `toolchain.sh`: a linker and the C library of another Linux.

# cross TRIPLE NAME: installs the cross compiler of this triple, whose C library Debian calls by this name, and makes
# it cargo's linker for `$target`.
#
# Programs name the loader and the folder of the C library in the scratch folder, so they run as they are, and start
# themselves again as they are.
cross() {
  local triple=$1 name=$2 folder=$scratch/$1 loader variable
  unpack "$triple" {binutils-common,libbinutils,libctf0,libctf-nobfd0,libjansson4,"binutils-$triple"}/bookworm \
    {"gcc-12-$triple","libgcc-12-dev-$name-cross","libgcc-s1-$name-cross","libc6-$name-cross","libc6-dev-$name-cross"}/bookworm
  loader=$(find "$folder/usr/$triple/lib" -name 'ld*.so.*' | head -n 1)
  [ -n "$loader" ] || fail "the C library of $triple has no loader"
  # The old form of the list of folders (DT_RPATH) also counts for libraries that libraries need.
  cat >"$folder/linker" <<END
#!/bin/sh
export LD_LIBRARY_PATH=$folder/usr/lib/x86_64-linux-gnu
exec $folder/usr/bin/$triple-gcc-12 --sysroot=$folder "\$@" \\
  -Wl,--dynamic-linker=$loader -Wl,--disable-new-dtags -Wl,-rpath,$folder/usr/$triple/lib
END
  chmod +x "$folder/linker"
  # gcc looks for the tools of the triple in its own path too.
  export PATH=$PATH:$folder/usr/bin
  variable=CARGO_TARGET_$(tr a-z- A-Z_ <<<"$target")_LINKER
  export "$variable=$folder/linker"
}
