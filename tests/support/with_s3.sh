#!/bin/bash
# Runs a command on the S3 server that S3STORE_TEST_URL names, else on a throw-away one of its own.
#   with_s3.sh COMMAND ARGS
set -u
[ -n "${S3STORE_TEST_URL:-}" ] && exec "$@"
for program in ceph-mon ceph-osd radosgw radosgw-admin; do
    if ! command -v "$program" >/dev/null; then
        echo "SKIP: $program is not installed and S3STORE_TEST_URL is not set (scripts/setup test installs it)"
        exit 77
    fi
done
exec "$(dirname "$0")/ceph.sh" run -- "$@"
