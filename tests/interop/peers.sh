#!/bin/sh
# Usage: peers.sh <parquet_tool> <build folder>
# Compares our Parquet codec with arrow-rs (parquet-wasm) and hyparquet from npm, and parquet-go. What
# cannot be installed is left out, with the reason; 77 (skipped) when nothing is left. pyarrow holds
# the values that all are compared with.
set -u
tool=$1
build=$2
here=$(cd "$(dirname "$0")" && pwd)
peers=""

PYTHONPATH="$build/pydeps${PYTHONPATH:+:$PYTHONPATH}"
export PYTHONPATH
if ! python3 -c 'import pyarrow, duckdb' >/dev/null 2>&1 &&
    ! timeout 300 python3 -m pip install --quiet --disable-pip-version-check \
        --target "$build/pydeps" pyarrow duckdb >"$build/pip.log" 2>&1; then
    echo "SKIP: pyarrow and duckdb are not installed and could not be installed from PyPI"
    exit 77
fi

mkdir -p "$build/npm"
if ! command -v npm >/dev/null 2>&1; then
    echo "left out: parquet-wasm and hyparquet: there is no npm"
elif [ -d "$build/npm/node_modules/parquet-wasm" ] || (cd "$build/npm" && timeout 300 npm install \
    --silent --no-fund --no-audit parquet-wasm hyparquet hyparquet-compressors) \
    >"$build/npm.log" 2>&1; then
    peers="$peers wasm hyparquet"
else
    echo "left out: parquet-wasm and hyparquet: npm could not install them"
fi

mkdir -p "$build/go"
if ! command -v go >/dev/null 2>&1; then
    echo "left out: parquet-go: there is no go"
elif cp "$here/peers/main.go" "$build/go/" && (cd "$build/go" &&
    { [ -f go.mod ] || go mod init pqcheck; } &&
    timeout 300 go get github.com/parquet-go/parquet-go@v0.29.0 && timeout 600 go build -o pqcheck) \
    >"$build/go.log" 2>&1; then
    peers="$peers go"
else
    echo "left out: parquet-go: it could not be fetched or built"
fi

if [ -z "$peers" ]; then
    echo "SKIP: no other implementation could be installed"
    exit 77
fi
# shellcheck disable=SC2086
exec python3 "$here/peers.py" "$tool" "$build" $peers
