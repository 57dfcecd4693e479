# Sourced by the scripts in `ci/targets`: the scratch folder, and packages of the distribution unpacked into it.
#
# Nothing is installed on this machine. Packages are downloaded with an own configuration of apt, which neither reads
# nor changes the machine's, and unpacked without running their scripts. That needs no special rights.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../.." && pwd)
cd "$root"
scratch=${CONCURRENT_FUTURES_TARGETS:-$root/target/targets}
mkdir -p "$scratch"
scratch=$(cd "$scratch" && pwd)

fail() {
  echo "${0##*/}: $*" >&2
  exit 1
}

# For what this machine and its network cannot give, which says nothing about the code.
unavailable() {
  echo "${0##*/}: $*" >&2
  exit 75
}

for tool in apt-get apt-cache dpkg-deb flock cc; do
  command -v "$tool" >/dev/null || unavailable "needs $tool: these scripts get what they need from the packages of Debian"
done

# Compilers and libraries come from the older suite, because what it links also runs on newer systems. The sources of
# the standard library are only in the newer ones, and wine and qemu should be recent.
suites=(bookworm trixie trixie-backports)
# The mirror is the machine's own if that is one of Debian.
mirror=$(sed -nE 's#^(URIs: *|deb (\[[^]]*\] )?)(https?://[^ ]*/debian)/?( .*)?$#\3#p' \
  /etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null | head -n 1) || true
mirror=${mirror:-http://deb.debian.org/debian}
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
export APT_CONFIG=$scratch/apt/apt.conf

# Makes apt's folders, and reads the lists of the suites unless that was done today.
prepare_apt() {
  local apt=$scratch/apt suite
  [ -f "$keyring" ] || unavailable "needs $keyring, from the package debian-archive-keyring"
  mkdir -p "$apt"/{state/lists/partial,cache/archives/partial,parts,packages}
  touch "$apt/status"
  for suite in "${suites[@]}"; do
    echo "deb [signed-by=$keyring] $mirror $suite main"
  done >"$apt/sources.list"
  # "parts" is an empty folder. The machine's proxies in /etc/apt/apt.conf.d still count.
  cat >"$APT_CONFIG" <<END
Dir::State "$apt/state";
Dir::State::status "$apt/status";
Dir::Cache "$apt/cache";
Dir::Etc::sourcelist "$apt/sources.list";
Dir::Etc::sourceparts "$apt/parts";
Dir::Etc::preferencesparts "$apt/parts";
APT::Architectures { "amd64"; };
APT::Sandbox::User "$(id -un)";
Acquire::Languages "none";
Acquire::IndexTargets::deb::DEP-11::DefaultEnabled "false";
Acquire::Retries "3";
APT::Update::Error-Mode "any";
END
  [ -n "$(find "$apt/updated" -mtime -1 2>/dev/null)" ] && return
  apt-get -qq update || unavailable "could not read the lists of packages of $mirror. Without network it cannot get the" \
    "compilers and libraries that it needs"
  touch "$apt/updated"
}

# unpack FOLDER PACKAGE/SUITE...: unpacks these packages, and no packages that they depend on, into a folder of the
# scratch folder. Does nothing if the same packages are there already.
unpack() {
  local folder=$scratch/$1 package
  shift
  exec 9>"$scratch/lock" && flock 9
  if [ "$(cat "$folder/.packages" 2>/dev/null)" = "$*" ]; then
    exec 9>&-
    return
  fi
  prepare_apt
  rm -rf "$folder" "$folder.new"
  mkdir -p "$folder.new"
  for package in "$@"; do
    # In a folder of its own, so that the name of the file need not be known.
    rm -rf "$scratch/apt/packages/one" && mkdir "$scratch/apt/packages/one"
    (cd "$scratch/apt/packages/one" && apt-get -qq download "$package") ||
      unavailable "could not download $package from $mirror"
    dpkg-deb --extract "$scratch"/apt/packages/one/*.deb "$folder.new"
  done
  rm -rf "$scratch/apt/packages/one"
  echo "$*" >"$folder.new/.packages"
  mv "$folder.new" "$folder"
  exec 9>&-
}
