#!/bin/bash
# A throw-away S3 server that nobody here wrote: Ceph's RADOS Gateway on one monitor and one OSD in
# memory, on the loopback interface, from Debian packages (ceph-mon ceph-osd ceph-common radosgw curl).
#
#   ceph.sh start DIR              starts one; everything of it is in DIR; DIR/env is to be sourced
#   ceph.sh stop DIR               kills its processes, removes its data
#   ceph.sh status DIR             its processes
#   ceph.sh run -- COMMAND ARGS    start, run the command with that environment, always stop; exits
#                                  with the command's code
#
# The environment: S3STORE_TEST_URL, AWS_ENDPOINT_URL_S3, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY,
# AWS_REGION, S3STORE_TEST_CEPH_DIR (DIR, with the pids of its processes). Any number of instances
# may run side by side: ports are free ones, keys and cluster id are drawn for each.
#
#   CEPH_STS=1       session tokens: role arn:aws:iam:::role/s3role may be assumed (then every
#                    authentication error is a plain AccessDenied)
#   CEPH_TLS=1       https only, with a CA of this instance's own: AWS_CA_BUNDLE names it
#   CEPH_ALSO=IP     the gateway listens there too (plain http): an address of a namespace of its own
#   CEPH_DEBUG=20    what the gateway thinks of our signatures: DIR/rgw.log
#   CEPH_KEEP=1      stop leaves DIR as it is, for a look at the logs
set -u
export LC_ALL=C
unset CEPH_ARGS CEPH_CONF

BUCKET=s3store-test
tries=6
die_with_us=no # daemons end with this script, however it ends

fail() { echo "ceph.sh: $*" >&2; exit 1; }

# ---- processes ---------------------------------------------------------------------------------

# Whether the process of $1 runs and is ours: a pid may have been given to somebody else since.
alive() {
    local pid
    pid=$(cat "$dir/$1.pid" 2>/dev/null) && [ -n "$pid" ] || return 1
    tr '\0' ' ' 2>/dev/null <"/proc/$pid/cmdline" | grep -qF -- "$dir/ceph.conf"
}

spawn() { # name command...
    local name=$1
    shift
    if [ "$die_with_us" = yes ]; then
        set -- setpriv --pdeathsig KILL "$@"
    fi
    setsid "$@" >"$dir/$name.out" 2>&1 </dev/null &
    echo $! >"$dir/$name.pid"
    disown
}

kill_all() {
    local name i
    for name in rgw osd mon; do
        if alive $name; then
            kill -KILL "$(cat "$dir/$name.pid")" 2>/dev/null # the data is thrown away
            for ((i = 0; i < 100; i++)); do
                alive $name || break
                sleep 0.02
            done
        fi
        rm -f "$dir/$name.pid"
    done
}

# ---- ports -------------------------------------------------------------------------------------

# The first of $1 neighbouring ports that nobody listens on, below those of outgoing connections.
free_ports() {
    local used port i try
    used=$(awk '$4 == "0A" { split($2, a, ":"); print a[2] }' /proc/net/tcp /proc/net/tcp6 2>/dev/null)
    for ((try = 0; try < 200; try++)); do
        port=$((18000 + RANDOM % 14000))
        for ((i = 0; i < $1; i++)); do
            grep -qx "$(printf %04X $((port + i)))" <<<"$used" && continue 2
        done
        echo $port
        return
    done
    return 1
}

draw() { tr -dc 'a-z0-9' </dev/urandom | head -c "$1"; }

# ---- TLS ---------------------------------------------------------------------------------------

scheme() { [ "${CEPH_TLS:-0}" = 1 ] && echo https || echo http; }

frontend_port() {
    if [ "${CEPH_TLS:-0}" = 1 ]; then
        echo "ssl_endpoint=127.0.0.1:$s3_port ssl_certificate=$dir/server.pem"
    else
        echo "endpoint=127.0.0.1:$s3_port${CEPH_ALSO:+ endpoint=$CEPH_ALSO:$s3_port}"
    fi
}

# A CA, and a certificate for 127.0.0.1 that it signed, with its key in one file.
make_certificates() {
    (
        umask 077
        cd "$dir" &&
            openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 \
                -subj "/CN=throw-away CA" -addext basicConstraints=critical,CA:TRUE \
                -keyout ca.key -out ca.pem &&
            openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=localhost \
                -keyout server.key -out server.csr &&
            openssl x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 \
                -extfile <(echo "subjectAltName=IP:127.0.0.1,DNS:localhost") -out server.crt &&
            cat server.crt server.key >server.pem
    ) >>"$dir/setup.log" 2>&1
}

# ---- configuration -----------------------------------------------------------------------------

write_conf() {
    cat >"$dir/ceph.conf" <<CONF
[global]
fsid = $fsid
mon initial members = a
mon host = [v2:127.0.0.1:$mon_port/0]
public addr = 127.0.0.1
cluster addr = 127.0.0.1
ms bind ipv6 = false
ms bind msgr1 = false
ms bind port min = $osd_port
ms bind port max = $((osd_port + 15))
auth cluster required = none
auth service required = none
auth client required = none
keyring = /dev/null
# No admin sockets: their path would have to be short.
admin socket =
run dir = $dir
crash dir = $dir/crash
log file = $dir/\$type.log
log to stderr = false
err to stderr = true
mon data avail warn = 1
mon data avail crit = 1
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 1
osd pool default pgp num = 1
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
mon allow pool size one = true
mon max pg per osd = 1000
# Creating pools takes seconds with the defaults.
paxos propose interval = 0.02
paxos min wait = 0.01

[mon]
mon data = $dir/mon
mon cluster log file = $dir/cluster.log

[osd]
osd data = $dir/osd
osd objectstore = memstore
memstore device bytes = 8589934592
osd op num shards = 2
osd op num threads per shard = 2

[client.rgw]
log file = $dir/rgw.log
# The default "secure" cannot be had without authentication, and then the gateway waits for ever.
ms mon client mode = crc
rgw data = $dir/rgw
# Without tcp_nodelay every small answer takes 44 ms.
rgw frontends = beast $(frontend_port) tcp_nodelay=1
rgw thread pool size = 64
rgw run sync thread = false
rgw enable lc threads = false
rgw enable quota threads = false
rgw enable usage log = false
rgw enable ops log = false
rgw override bucket index max shards = 1
rgw dynamic resharding = false
rgw gc obj min wait = 10
rgw gc processor period = 10
rgw s3 auth use sts = $([ "${CEPH_STS:-0}" = 1 ] && echo true || echo false)
rgw sts key = $(draw 16)
debug rgw = ${CEPH_DEBUG:-0}
CONF
}

write_env() {
    (
        umask 077
        cat >"$dir/env" <<ENV
export AWS_ACCESS_KEY_ID='$access_key'
export AWS_SECRET_ACCESS_KEY='$secret_key'
export AWS_ENDPOINT_URL_S3='$(scheme)://127.0.0.1:$s3_port'
export AWS_REGION='us-east-1'
export AWS_EC2_METADATA_DISABLED='true'
export NO_PROXY='127.0.0.1,localhost'
export S3STORE_TEST_URL='s3://$BUCKET/t'
export S3STORE_TEST_CEPH_DIR='$dir'
unset AWS_PROFILE AWS_SESSION_TOKEN AWS_ENDPOINT_URL AWS_CA_BUNDLE AWS_DEFAULT_REGION
ENV
        [ "${CEPH_TLS:-0}" != 1 ] || echo "export AWS_CA_BUNDLE='$dir/ca.pem'" >>"$dir/env"
    )
}

# ---- start -------------------------------------------------------------------------------------

rgw_admin() { timeout 60 radosgw-admin -c "$dir/ceph.conf" -n client.rgw "$@" >>"$dir/setup.log" 2>&1; }

# A signed request with curl; keys by its standard input, so that they are in no process list.
s3() { # method path [curl options]
    local method=$1 path=$2 ca=()
    shift 2
    [ "${CEPH_TLS:-0}" != 1 ] || ca=(--cacert "$dir/ca.pem")
    curl -sS -f -o /dev/null --max-time 30 --noproxy '*' --aws-sigv4 aws:amz:us-east-1:s3 -X "$method" \
        -H x-amz-content-sha256:UNSIGNED-PAYLOAD "$@" "${ca[@]}" -K - \
        "$(scheme)://127.0.0.1:$s3_port/$path" \
        2>>"$dir/setup.log" <<<"user = \"$access_key:$secret_key\""
}

make_role() {
    local all='{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["s3:*"],"Resource":"arn:aws:s3:::*"}]}'
    local trust='{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":["arn:aws:iam:::user/test"]},"Action":["sts:AssumeRole"]}]}'
    rgw_admin role create --role-name=s3role --assume-role-policy-doc="$trust" &&
        rgw_admin role-policy put --role-name=s3role --policy-name=all --policy-doc="$all"
}

# One attempt with ports of its own; what went wrong in $step.
start_once() {
    local i port
    rm -rf "$dir"/{mon,osd,rgw,crash} "$dir"/*.{log,out,pid} "$dir/monmap"
    mkdir -p "$dir"/{mon,osd,rgw,crash} || return 1
    step="find free ports"
    port=$(free_ports 20) || return 1
    s3_port=$port mon_port=$((port + 1)) osd_port=$((port + 4))
    fsid=$(cat /proc/sys/kernel/random/uuid)
    local osd_id
    osd_id=$(cat /proc/sys/kernel/random/uuid)
    access_key=test$(draw 16) secret_key=$(draw 40)
    if [ "${CEPH_TLS:-0}" = 1 ]; then
        step="make certificates"
        make_certificates || return 1
    fi
    write_conf

    step="make the monitor"
    monmaptool --create --clobber --fsid "$fsid" --addv a "[v2:127.0.0.1:$mon_port/0]" \
        "$dir/monmap" >>"$dir/setup.log" 2>&1 &&
        ceph-mon -c "$dir/ceph.conf" -i a --mkfs --monmap "$dir/monmap" >>"$dir/setup.log" 2>&1 || return 1
    spawn mon ceph-mon -c "$dir/ceph.conf" -i a -f
    step="reach the monitor"
    timeout 30 ceph -c "$dir/ceph.conf" osd new "$osd_id" >>"$dir/setup.log" 2>&1 || return 1
    step="make the OSD"
    ceph-osd -c "$dir/ceph.conf" -i 0 --mkfs --osd-uuid "$osd_id" >>"$dir/setup.log" 2>&1 || return 1
    spawn osd ceph-osd -c "$dir/ceph.conf" -i 0 -f
    # Before the gateway starts: two programs must not create its pools at the same time.
    step="make the user"
    rgw_admin user create --uid=test --display-name=test --access-key="$access_key" \
        --secret-key="$secret_key" || return 1
    if [ "${CEPH_STS:-0}" = 1 ]; then
        step="make the role"
        make_role || return 1
    fi
    spawn rgw radosgw -c "$dir/ceph.conf" -n client.rgw -f
    step="start the gateway"
    for ((i = 0; ; i++)); do
        [ $i -lt 1200 ] && { [ $i -lt 40 ] || alive rgw; } || return 1
        curl -sk --noproxy '*' -o /dev/null "$(scheme)://127.0.0.1:$s3_port/" && break
        sleep 0.05
    done
    # The keys are this instance's alone: whoever answers them is our gateway.
    step="make the bucket"
    s3 PUT "$BUCKET" && s3 PUT "$BUCKET/.ready" --data-binary ready && s3 DELETE "$BUCKET/.ready" || return 1
    alive mon && alive osd && alive rgw
}

start() {
    local try missing=""
    for tool in ceph-mon ceph-osd ceph radosgw radosgw-admin monmaptool curl openssl setpriv; do
        command -v "$tool" >/dev/null || missing+=" $tool"
    done
    [ -z "$missing" ] || fail "not installed:$missing (scripts/setup test)"
    [ ! -e "$dir/ceph.conf" ] || fail "$dir holds an instance already: stop it first"
    mkdir -p "$dir" || exit 1
    for ((try = 1; try <= tries; try++)); do
        if start_once; then
            write_env
            return 0
        fi
        echo "ceph.sh: attempt $try: could not $step" >&2
        kill_all
    done
    tail -n 5 "$dir"/setup.log "$dir"/*.out >&2 2>/dev/null
    rm -f "$dir/ceph.conf"
    fail "no server after $tries attempts (logs in $dir)"
}

stop() {
    [ -e "$dir/ceph.conf" ] || return 0
    kill_all
    [ "${CEPH_KEEP:-0}" = 1 ] && return 0
    rm -rf "$dir"/{mon,osd,rgw,crash} "$dir"/*.{log,out} "$dir"/{monmap,env,ceph.conf} \
        "$dir"/{ca,server}.*
    rmdir "$dir" 2>/dev/null
    return 0
}

status() {
    local name pid
    for name in mon osd rgw; do
        if alive $name; then
            pid=$(cat "$dir/$name.pid")
            echo "$name: pid $pid, $(awk '/VmRSS/ { print int($2 / 1024) }' "/proc/$pid/status") MiB"
        else
            echo "$name: down"
        fi
    done
}

run() {
    dir=$(mktemp -d "${TMPDIR:-/tmp}/s3store-ceph-XXXXXX") || exit 1
    die_with_us=yes
    trap 'stop' EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM HUP
    start
    (
        . "$dir/env"
        exec "$@"
    )
    exit $?
}

usage() { sed -n '2,/^set -u/{/^#/s/^# \{0,1\}//p}' "$0" >&2; exit 2; }

case ${1:-} in
start | stop | status)
    [ $# -eq 2 ] || usage
    mkdir -p "$2" && dir=$(cd "$2" && pwd) || exit 1
    "$1"
    ;;
run)
    [ $# -ge 3 ] && [ "$2" = -- ] || usage
    shift 2
    run "$@"
    ;;
*) usage ;;
esac
