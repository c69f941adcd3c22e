/* maintain/attempt_set.h: which attempts were seen, by digest: 24 bytes each, in memory while there
 * are few, else in a mapped file without a name. So a listing of any length can be joined with
 * another one while the memory of the process stays the same.
 */
#ifndef S3S_MAINTAIN_ATTEMPT_SET_H
#define S3S_MAINTAIN_ATTEMPT_SET_H

#include "dataset/layout.h"

typedef struct s3s_attempt_set s3s_attempt_set;

/* dir: of the file. memory_bytes: what may be held before there is one; 0 = 4 MiB. */
s3store_status s3s_attempt_set_new(s3s_env *env, const char *dir, size_t memory_bytes,
                                   s3s_attempt_set **out, s3store_error *err);
void s3s_attempt_set_free(s3s_attempt_set *set); /* NULL allowed */

/* An attempt (its 32 hex digits) of a token of a partition, with a stamp: the highest one stays. IO
 * when the file cannot grow. */
s3store_status s3s_attempt_set_add(s3s_attempt_set *set, s3s_slice partition, s3s_slice token,
                                   const char *attempt, int64_t stamp, s3store_error *err);
/* stamp may be NULL. */
bool s3s_attempt_set_has(const s3s_attempt_set *set, s3s_slice partition, s3s_slice token,
                         const char *attempt, int64_t *stamp);
uint64_t s3s_attempt_set_count(const s3s_attempt_set *set);

#endif
