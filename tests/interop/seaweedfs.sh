#!/bin/bash
# seaweedfs.sh CONTRACT: the contract suite on SeaweedFS. Passes when exactly what is known to be
# different there fails (seaweedfs.known), so that both a regression of ours and a change of
# theirs are seen.
set -u
contract=$1
here=$(cd "$(dirname "$0")" && pwd)
out=$(mktemp "${TMPDIR:-/tmp}/s3store-weed-out-XXXXXX") || exit 1
trap 'rm -f "$out"' EXIT
"$here/../support/seaweed.sh" run -- "$contract" s3 >"$out" 2>&1
code=$?
if [ $code -eq 77 ] || ! grep -q '^\[==========\]' "$out"; then
    cat "$out"
    exit $code
fi
failed=$(sed -n 's/^\[  FAILED  \] \(test_[a-z0-9_]*\)$/\1/p' "$out" | sort -u)
known=$(sed -n 's/^\(test_[a-z0-9_]*\).*/\1/p' "$here/seaweedfs.known" | sort -u)
passed=$(grep -c '^\[       OK \]' "$out")
new=$(comm -23 <(echo "$failed") <(echo "$known"))
gone=$(comm -13 <(echo "$failed") <(echo "$known"))
echo "seaweedfs: $passed passed, $(wc -w <<<"$failed") failed, $(wc -w <<<"$known") known differences"
if [ -n "$new$gone" ]; then
    [ -n "$new" ] && echo "fails, and is not known to:" $new
    [ -n "$gone" ] && echo "is listed as a difference in seaweedfs.known, and passes:" $gone
    grep -E '^ERROR|FAILED  \]|\[  ERROR' "$out" | cut -c1-400
    exit 1
fi
[ "$passed" -ge 20 ]
