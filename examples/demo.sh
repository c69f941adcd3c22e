#!/bin/bash
# A tour with real data: one week of earthquakes. Every step says what it does, prints the commands it
# runs, and checks what it claims; the script fails where a claim does not hold.
#
#   examples/demo.sh                             a directory: .demo/quakes, made anew
#   DEMO_URL=s3://bucket/prefix examples/demo.sh on S3 (settings from the environment, as the AWS tools);
#                                                a new dataset under that prefix, nothing is removed
set -euo pipefail
export LC_ALL=C
cd "$(dirname "$0")/.."

S3STORE=${S3STORE:-build/s3store}
work=${DEMO_DIR:-.demo}
feed=examples/data/earthquakes.jsonl
day=2018-02-06

if [ ! -x "$S3STORE" ]; then
    echo "demo: $S3STORE is not there: run make first" >&2
    exit 1
fi
mkdir -p "$work"
work=$(cd "$work" && pwd)
case $work in "$PWD"/*) shown=${work#"$PWD"/} ;; *) shown=$work ;; esac

if [ -n "${DEMO_URL:-}" ]; then
    url=${DEMO_URL%/}/quakes-$(date -u +%Y%m%dT%H%M%SZ)-$$
else
    url=file://$work/quakes
    rm -rf "${work:?}/quakes"
fi
rm -f "$work"/{offset,first,again,once,changes,entries,latest,history,revised.jsonl,info}

step=0
say() {
    step=$((step + 1))
    printf '\n%d. %s\n' "$step" "$*"
}

note() {
    printf '   %s\n' "$*"
}

# Prints a command as one would type it.
show() {
    local text="$*"
    # shellcheck disable=SC2016  # shown, not expanded
    text=${text//"$url"/'$URL'}
    printf '   $ %s\n' "${text//"$work"/"$shown"}"
}

s3store() {
    "$S3STORE" "$@"
}

fail() {
    echo "demo: this does not hold: $*" >&2
    exit 1
}

# Sum of row_count over the lines of a write or poll.
rows_in() {
    awk 'match($0, /"row_count":[0-9]+/) { n += substr($0, RSTART + 12, RLENGTH - 12) }
         END { print n + 0 }' "$1"
}

indent() {
    sed 's/^/   /'
}

# Waits until everything written so far has settled in the stream.
settle() {
    note "(waiting ${settle_s} s, the settle window)"
    sleep "$settle_s"
}

echo "URL=$url"

say "Create a dataset: one partition a day; an event is an entity, its last update the version."
show s3store init "$url" --partition-by day --entity id --version updated
s3store init "$url" --partition-by day --entity id --version updated >"$work/info"
s3store info "$url" --json >"$work/info"
settle_us=$(sed -n 's/.*"settle_window_us":\([0-9]*\).*/\1/p' "$work/info")
[ -n "$settle_us" ] || fail "info says the settle window"
settle_s=$(awk -v us="$settle_us" 'BEGIN { printf "%.2f", us / 1e6 + 0.15 }')

say "Write the feed. Each day becomes one Parquet object, visible wholly or not at all."
show s3store write "$url" "$feed"
s3store write "$url" "$feed" >"$work/first"
events=$(wc -l <"$feed")
note "$(grep -c '"status":"committed"' "$work/first") partitions, $(rows_in "$work/first") rows committed"
[ "$(rows_in "$work/first")" = "$events" ] || fail "every event of the feed was committed"

say "Follow the stream. What was read up to is remembered in a file."
settle
show s3store poll "$url" --offset-file "$work/offset"
s3store poll "$url" --offset-file "$work/offset" >"$work/entries"
note "$(grep -c '"data_path"' "$work/entries") commits; next offset:"
cut -c 1-100 "$work/offset" | indent
[ "$(rows_in "$work/entries")" = "$events" ] || fail "the stream has every event"

say "A second feed: every fourth event of $day, its magnitude revised by 0.3."
awk -v day="$day" 'index($0, "\"day\":\"" day "\"") && ++n % 4 == 0 {
    match($0, /"mag":-?[0-9.]+/)
    magnitude = substr($0, RSTART + 6, RLENGTH - 6) + 0.3
    $0 = substr($0, 1, RSTART + 5) sprintf("%.2f", magnitude) substr($0, RSTART + RLENGTH)
    sub(/"updated":"[^"]*"/, "\"updated\":\"2018-02-09T00:00:00.000Z\"")
    print
}' "$feed" >"$work/revised.jsonl"
revised=$(wc -l <"$work/revised.jsonl")
show s3store write "$url" "$work/revised.jsonl" --token review-7
s3store write "$url" "$work/revised.jsonl" --token review-7 >"$work/once"
fold -w 100 "$work/once" | indent
[ "$(rows_in "$work/once")" = "$revised" ] || fail "every revised event was committed"

say "The same write again, as after a lost answer: the token finds the first result."
show s3store write "$url" "$work/revised.jsonl" --token review-7
s3store write "$url" "$work/revised.jsonl" --token review-7 >"$work/again"
note "status: $(sed 's/.*"status":"\([a-z_]*\)".*/\1/' "$work/once") the first time," \
    "$(sed 's/.*"status":"\([a-z_]*\)".*/\1/' "$work/again") the second"
without_status() {
    sed 's/"status":"[a-z_]*",//' "$1"
}
diff <(without_status "$work/once") <(without_status "$work/again") ||
    fail "the second result is the first one"
note "everything else is identical: offset, data_path, ref_path, inserted_at, row_count"

say "The latest state of that day; the revised ones were updated on 2018-02-09."
show s3store read "$url" "day=$day" --columns id,mag,place,updated --limit 10 --format table
s3store read "$url" "day=$day" --columns id,mag,place,updated --limit 10 --format table | indent

say "Latest or history: a snapshot has each event once, the history every version."
show s3store read "$url" '| wc -l'
s3store read "$url" --format jsonl >"$work/latest"
note "$(wc -l <"$work/latest")"
show s3store read "$url" --history '| wc -l'
s3store read "$url" --history --format jsonl >"$work/history"
note "$(wc -l <"$work/history")"
[ "$(wc -l <"$work/latest")" = "$events" ] || fail "the snapshot has $events events"
[ "$(wc -l <"$work/history")" = $((events + revised)) ] || fail "the history has $revised more"

say "Poll again from the remembered offset: only what is new, this time its rows."
settle
show s3store poll "$url" --records --offset-file "$work/offset" '| head -n 2'
s3store poll "$url" --records --offset-file "$work/offset" >"$work/changes"
head -n 2 "$work/changes" | cut -c 1-100 | indent
note "... $(wc -l <"$work/changes") rows"
ids() {
    sed 's/.*"id":"\([^"]*\)".*/\1/' "$1" | sort
}
diff <(ids "$work/revised.jsonl") <(ids "$work/changes") >/dev/null ||
    fail "the change is the second feed"

say "Where the data are. Any tool that reads Parquet can read these objects."
if [ -n "${DEMO_URL:-}" ]; then
    show s3store ls -l "$url" "day=$day"
    s3store ls -l "$url" "day=$day" | indent
else
    show "ls $work/quakes/data/day=$day"
    # shellcheck disable=SC2012  # a listing for people
    ls "$work/quakes/data/day=$day" | indent
    show "find $work/quakes -name '*.parquet' | wc -l"
    find "$work/quakes" -name '*.parquet' | wc -l | indent
fi
[ "$(s3store ls "$url" | wc -l)" = "$(($(wc -l <"$work/first") + 1))" ] ||
    fail "there is one object for each commit"

printf "\nAll of it holds. The dataset stays: try\n  %s read %s 'day=%s' --columns id,mag,place\n" \
    "$S3STORE" "$url" "$day"
