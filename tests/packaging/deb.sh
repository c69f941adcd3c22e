#!/bin/bash
# Makes the Debian packages of a build, installs them below a folder with a package database of its
# own (a copy of this system's, so that dependencies are looked at), uses and removes them.
#   deb.sh BUILD
set -euo pipefail
export LC_ALL=C
root=$(cd "$(dirname "$0")/../.." && pwd)
build=$1
work=$(mktemp -d "${TMPDIR:-/tmp}/s3store-deb-XXXXXX")
trap 'rm -rf "$work"' EXIT

fail() {
    echo "deb: $*" >&2
    [ ! -s "$work/log" ] || tail -n 20 "$work/log" >&2
    exit 1
}

if [ "$(id -u)" != 0 ]; then
    echo "SKIPPED: dpkg installs as root only"
    exit 77
fi
(cd "$build" && cpack -G DEB -B "$work/packages") >"$work/log" 2>&1 || fail "cpack failed"
packages=("$work"/packages/*.deb)
[ ${#packages[@]} = 3 ] || fail "not three packages: ${packages[*]}"

db=$work/system/var/lib/dpkg
mkdir -p "$db"/{info,updates,triggers} "$work/system/tmp"
cp /var/lib/dpkg/status "$db/status"
[ ! -f /var/lib/dpkg/arch ] || cp /var/lib/dpkg/arch "$db/arch"
# The library's scripts call ldconfig; nothing of this system is to change.
mkdir "$work/bin"
printf '#!/bin/sh\necho called >>%s\n' "$work/ldconfig" >"$work/bin/ldconfig"
chmod +x "$work/bin/ldconfig"
dpkg_there() { # only the packages' own work: triggers of others are not there to run
    PATH=$work/bin:$PATH dpkg --root="$work/system" --force-script-chrootless --no-triggers \
        --log=/dev/null "$@" >"$work/log" 2>&1
}
dpkg_there -i "${packages[@]}" || fail "dpkg -i failed"
[ -s "$work/ldconfig" ] || fail "the library's package does not call ldconfig"
for package in s3store libs3store0 libs3store-dev; do
    dpkg-query --admindir="$db" -W -f '${db:Status-Status}' "$package" | grep -qx installed || fail "$package is not installed"
done
dpkg-deb -f "$work"/packages/s3store_*.deb Depends | grep -q libcurl || fail "s3store does not depend on libcurl"

bin=$work/system/usr/bin/s3store
url="file://$work/data/quakes?fsync=0"
"$bin" init "$url" --partition-by day --entity id --version updated >/dev/null
"$bin" write "$url" "$root/examples/data/earthquakes.jsonl" >/dev/null
[ "$("$bin" read "$url" 'day=2018-02-06' | wc -l)" -gt 100 ] || fail "the installed command does not read"
lib=$(dirname "$(find "$work/system/usr" -name libs3store.a)")
cc -std=c17 "$root/examples/quick.c" -o "$work/quick" -I"$work/system/usr/include" -L"$lib" -ls3store
LD_LIBRARY_PATH=$lib "$work/quick" "$url" 2018-02-06 | grep -q '^6.4  ' || fail "the installed library does not work"

dpkg_there --purge s3store libs3store0 libs3store-dev || fail "dpkg --purge failed"
left=$(find "$work/system" -path "$work/system/var" -prune -o -type f -print)
[ -z "$left" ] || fail "left behind: $left"
echo "deb: installed, used, removed"
