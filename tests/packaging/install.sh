#!/bin/bash
# Installs a build into a folder and uses what is there as a stranger would: by pkg-config and by CMake,
# shared and static, in C and in C++; manual pages and completions are looked at too.
#   install.sh BUILD
set -euo pipefail
export LC_ALL=C
root=$(cd "$(dirname "$0")/../.." && pwd)
build=$1
work=$(mktemp -d "${TMPDIR:-/tmp}/s3store-install-XXXXXX")
trap 'rm -rf "$work"' EXIT

fail() {
    echo "install: $*" >&2
    exit 1
}

tree=$work/opt # moved after the install: nothing may remember where it was
DESTDIR=$work/stage cmake --install "$build" --prefix /opt/s3store >"$work/log"
mv "$work/stage/opt/s3store" "$tree"
lib=$(dirname "$(find "$tree" -name libs3store.a)")
for file in bin/s3store include/s3store.h include/s3store/status.def share/man/man1/s3store.1 \
    share/man/man3/libs3store.3; do
    [ -f "$tree/$file" ] || fail "$file is missing"
done
readelf -d "$lib/libs3store.so" | grep -q 'SONAME.*\[libs3store.so.0\]' || fail "the soname is not libs3store.so.0"
"$root/scripts/check-symbols" "$lib" "$tree/include" || fail "symbols"

export PKG_CONFIG_PATH=$lib/pkgconfig LD_LIBRARY_PATH=$lib
export URL="file://$work/data/quakes?fsync=0"
"$tree/bin/s3store" init "$URL" --partition-by day --entity id --version updated >"$work/log"
"$tree/bin/s3store" write "$URL" "$root/examples/data/earthquakes.jsonl" >"$work/log"

# The example must find the day's strong earthquakes, however it was built.
check() { # program
    "$1" "$URL" 2018-02-06 >"$work/out" || fail "$1 failed"
    grep -q '^6.4  ' "$work/out" || fail "$1 printed something else: $(cat "$work/out")"
}

cc=${CC:-cc} cxx=${CXX:-c++}
read -ra flags < <(pkg-config --cflags --libs s3store)
"$cc" -std=c17 -Wall -Wextra -Werror "$root/examples/quick.c" -o "$work/shared" "${flags[@]}"
check "$work/shared"
for example in "$root"/examples/*.c; do
    "$cc" -std=c17 -Wall -Wextra -Werror "$example" -o "$work/example" "${flags[@]}" ||
        fail "${example##*/} does not build"
done

read -ra flags < <(pkg-config --static --cflags --libs s3store)
"$cc" -std=c17 "$root/examples/quick.c" -o "$work/static" "${flags[@]/-ls3store/-l:libs3store.a}"
LD_LIBRARY_PATH='' check "$work/static"

cat >"$work/program.cpp" <<'CPP'
#include <s3store.h>

#include <cstdio>

int main()
{
    s3store_target_config config = {};
    config.size = sizeof config;
    s3store_error err = {};
    s3store_target *target = nullptr;
    s3store_status status = s3store_target_open(&config, &target, &err);
    std::printf("%s\n", s3store_status_name(status));
    return status == S3STORE_INVALID_ARGUMENT ? 0 : 1;
}
CPP
read -ra flags < <(pkg-config --cflags --libs s3store)
"$cxx" -std=c++11 -Wall -Wextra -Werror "$work/program.cpp" -o "$work/cpp" "${flags[@]}"
"$work/cpp" >/dev/null || fail "the C++ program got another status"

mkdir "$work/project"
cat >"$work/project/CMakeLists.txt" <<CMAKE
cmake_minimum_required(VERSION 3.25)
project(consumer C CXX)
find_package(s3store 0.1 REQUIRED COMPONENTS static)
add_executable(shared $root/examples/quick.c)
target_link_libraries(shared PRIVATE s3store::s3store)
add_executable(static $root/examples/quick.c)
target_link_libraries(static PRIVATE s3store::static)
add_executable(cpp $work/program.cpp)
target_link_libraries(cpp PRIVATE s3store::s3store)
CMAKE
{
    cmake -S "$work/project" -B "$work/project/build" -G Ninja -DCMAKE_PREFIX_PATH="$tree"
    cmake --build "$work/project/build"
} >"$work/log" 2>&1 || fail "CMake: $(tail -n 20 "$work/log")"
check "$work/project/build/shared"
LD_LIBRARY_PATH='' check "$work/project/build/static"
"$work/project/build/cpp" >/dev/null || fail "the C++ program of CMake"

# ---- manual pages, completions ---------------------------------------------------------------------

for page in "$tree"/share/man/man*/*; do
    complaints=$(mandoc -Tlint -W warning "$page" | grep -v 'missing date' || true)
    [ -z "$complaints" ] || fail "$page: $complaints"
done
for verb in init write read poll tail; do
    grep -q "^\.SS \"s3store $verb " "$tree/share/man/man1/s3store.1" || fail "s3store(1) lacks $verb"
done

complete_bash() { # words of the line; prints what bash would offer for the last one
    bash -c 'source "$0"; COMP_WORDS=("$@"); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _s3store
             printf "%s\n" "${COMPREPLY[@]}"' "$tree/share/bash-completion/completions/s3store" "$@"
}
[ "$(complete_bash s3store ta)" = tail ] || fail "bash does not complete a verb"
[ "$(complete_bash s3store read u --hist)" = --history ] || fail "bash does not complete an option"
[ "$(complete_bash s3store read --format js)" = jsonl ] || fail "bash does not complete a value"
[ "$(complete_bash s3store init u --end)" = --endpoint-url ] || fail "bash: options of every verb"
zsh -n "$tree/share/zsh/vendor-completions/_s3store" || fail "zsh does not parse its completions"
fish -n "$tree/share/fish/vendor_completions.d/s3store.fish" || fail "fish does not parse its completions"
export HOME=$work # fish keeps its state there
offered=$(fish -c "source $tree/share/fish/vendor_completions.d/s3store.fish; complete -C 's3store re'" | cut -f1)
[ "$offered" = $'read\nrestamp' ] || fail "fish offers: $offered"

# The ends of `make install` and `make uninstall`: what is taken away leaves nothing of ours.
again=$work/again
DESTDIR=$again cmake --install "$build" --prefix /usr/local >"$work/log"
said=$("$root/scripts/install-tree" report "$build" /usr/local "$again")
[[ $said == "installed to $again/usr/local: "* ]] || fail "make install says: $said"
[ -x "$again/usr/local/bin/s3store" ] || fail "there is no /usr/local/bin/s3store"
"$root/scripts/install-tree" remove "$build" "$again"
left=$(find "$again" -type f -o -type l -o -name '*s3store*')
[ -z "$left" ] || fail "make uninstall leaves $left"
echo "install: the tree works"
