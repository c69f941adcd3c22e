#!/bin/sh
# Usage: run.sh <script> <program> <build folder>
# Runs a script that compares us with pyarrow and DuckDB (the program is ours). Uses them where Python finds them, else
# installs them from PyPI into the build folder; exits 77 (skipped) with the reason when that
# does not work either.
set -u
script=$1
tool=$2
build=$3
here=$(dirname "$0")

if ! command -v python3 >/dev/null 2>&1; then
    echo "SKIP: there is no python3"
    exit 77
fi
PYTHONPATH="$build/pydeps${PYTHONPATH:+:$PYTHONPATH}"
export PYTHONPATH
if ! python3 -c 'import pyarrow, duckdb' >/dev/null 2>&1; then
    if ! timeout 300 python3 -m pip install --quiet --disable-pip-version-check \
        --target "$build/pydeps" pyarrow duckdb >"$build/pip.log" 2>&1; then
        echo "SKIP: pyarrow and duckdb are not installed and could not be installed from PyPI:"
        tail -n 3 "$build/pip.log"
        exit 77
    fi
fi
exec python3 "$here/$script" "$tool" "$build/interop-files"
