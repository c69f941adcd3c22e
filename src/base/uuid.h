/* base/uuid.h: UUIDv7, monotonic within an env (a process), as 32 lower-case hex digits. */
#ifndef S3S_BASE_UUID_H
#define S3S_BASE_UUID_H

#include "base/env.h"

#define S3S_ATTEMPT_ID_SIZE 32

/* out: 33 bytes. Layout of docs/FORMAT.md "Attempt ids": 48 bits of milliseconds, 12 bits of
 * sub-millisecond counter, 62 random bits; each one sorts after every earlier one of this env. */
s3store_status s3s_attempt_id(s3s_env *env, char out[S3S_ATTEMPT_ID_SIZE + 1], s3store_error *err);
/* Exactly 32 bytes of 0-9 a-f; version and variant bits are not checked. */
bool s3s_attempt_id_valid(const char *text, size_t size);

#endif
