#!/bin/bash
# Runs a command with session tokens: on a throw-away S3 server, with a profile whose role is assumed
# (source_profile, role_arn), and no keys in the environment.
#   with_sts.sh COMMAND ARGS
# With S3STORE_TEST_URL and S3STORE_TEST_ROLE_ARN set: on that server instead, whose STS is at
# AWS_ENDPOINT_URL_STS, else at AWS_ENDPOINT_URL_S3; the keys of the environment assume the role.
set -u
self=$(cd "$(dirname "$0")" && pwd)/$(basename "$0")

if [ "${1:-}" != --inside ]; then
    if [ -n "${S3STORE_TEST_URL:-}" ]; then
        [ -n "${S3STORE_TEST_ROLE_ARN:-}" ] && exec "$self" --inside "$@"
        echo "SKIP: S3STORE_TEST_URL is set, but S3STORE_TEST_ROLE_ARN is not"
        exit 77
    fi
    export CEPH_STS=1 S3STORE_TEST_ROLE_ARN=arn:aws:iam:::role/s3role
    exec "$(dirname "$self")/with_s3.sh" "$self" --inside "$@"
fi
shift

# Builtins only: the keys must not be in a process list.
umask 077
dir=$(mktemp -d "${TMPDIR:-/tmp}/s3store-sts-XXXXXX") || exit 1
trap 'rm -rf "$dir"' EXIT
printf '[base]\naws_access_key_id = %s\naws_secret_access_key = %s\n' \
    "$AWS_ACCESS_KEY_ID" "$AWS_SECRET_ACCESS_KEY" >"$dir/credentials"
printf '[profile sts]\nrole_arn = %s\nsource_profile = base\nrole_session_name = contract\nduration_seconds = 900\n' \
    "$S3STORE_TEST_ROLE_ARN" >"$dir/config"
unset AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN
export AWS_SHARED_CREDENTIALS_FILE=$dir/credentials AWS_CONFIG_FILE=$dir/config AWS_PROFILE=sts
export AWS_ENDPOINT_URL_STS=${AWS_ENDPOINT_URL_STS:-$AWS_ENDPOINT_URL_S3}
"$@"
