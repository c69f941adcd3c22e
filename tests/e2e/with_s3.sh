#!/bin/bash
# Runs a command with an S3 server: the one that S3STORE_TEST_URL names, else Ceph's gateway on the
# loopback interface for as long as the command runs. Without either: "SKIP: reason", exit 77.
#
#   with_s3.sh COMMAND [ARGS]
set -u
if [ -n "${S3STORE_TEST_URL:-}" ]; then
    exec "$@"
fi
missing=""
for tool in ceph-mon ceph-osd ceph radosgw radosgw-admin monmaptool curl setpriv; do
    command -v "$tool" >/dev/null || missing+=" $tool"
done
if [ -n "$missing" ]; then
    echo "SKIP: no S3 server: not installed:$missing (scripts/setup test)"
    exit 77
fi
exec "$(dirname "$0")/../support/ceph.sh" run -- "$@"
