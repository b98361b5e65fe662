#!/usr/bin/env bash
# Usage: micropython32.sh DIR. Makes DIR/micropython32, an interpreter whose integers are as wide as the board's: Debian's
# package micropython:i386 with its libraries, unpacked below DIR. Needs apt and dpkg-deb; changes nothing outside DIR.
set -euo pipefail
dir=$(mkdir -p "$1" && cd "$1" && pwd)
launcher=$dir/micropython32
[ -x "$launcher" ] && exit 0
command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null || {
  echo "micropython32.sh: this machine has no apt-get and dpkg-deb; the 32-bit tests will be skipped" >&2
  exit 1
}

suite=trixie # the first Debian release whose MicroPython (1.25) has what the firmware needs
mirror=$(cat /etc/apt/sources.list.d/*.sources /etc/apt/sources.list 2>/dev/null |
  sed -nE 's/^URIs: *([^ ]+).*/\1/p; s/^deb +(\[[^]]*\] +)?([^ ]+) .*/\2/p' | grep -m 1 -E '/debian/?$' || true)
state=$dir/apt
trap 'rm -rf "$state"' EXIT
mkdir -p "$state"/lists/partial "$state"/archives/partial
: >"$state/status"
echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] ${mirror:-http://deb.debian.org/debian} $suite main" >"$state/sources.list"
apt=(apt-get -qq
  -o APT::Architecture=i386 -o APT::Architectures=i386 -o APT::Install-Recommends=false -o APT::Sandbox::User="$(id -un)"
  -o Dir::Etc::sourcelist="$state/sources.list" -o Dir::Etc::sourceparts=-
  -o Dir::State="$state" -o Dir::State::lists="$state/lists" -o Dir::State::status="$state/status" -o Dir::Cache::archives="$state/archives")
"${apt[@]}" update
"${apt[@]}" install --download-only --yes micropython >/dev/null
for package in "$state"/archives/*.deb; do dpkg-deb -x "$package" "$dir/root"; done

libraries=$dir/root/usr/lib/i386-linux-gnu
cat >"$launcher.new" <<EOF
#!/bin/sh
exec "$libraries/ld-linux.so.2" --library-path "$libraries" "$dir/root/usr/bin/micropython" "\$@"
EOF
chmod +x "$launcher.new"
"$launcher.new" -c 'import sys; assert sys.maxsize == 2**31 - 1'
mv "$launcher.new" "$launcher"
