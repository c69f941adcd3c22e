/* maintain/orphans_private.h: what the files of the search for orphans share. */
#ifndef S3S_MAINTAIN_ORPHANS_PRIVATE_H
#define S3S_MAINTAIN_ORPHANS_PRIVATE_H

#include "maintain/attempt_set.h"
#include "maintain/inventory.h"
#include "maintain/maintain.h"

#define S3S_ORPHANS_WINDOW 256 /* suspects that are asked for side by side */

/* What may be an orphan. */
typedef struct s3s_suspect {
    s3store_orphan_kind kind;
    const char *key;
    const char *upload_id; /* of an upload */
    const char *partition, *token;
    char attempt[S3S_ATTEMPT_ID_SIZE + 1]; /* "" for uploads */
    uint64_t size;
    int64_t last_modified_us;
    bool ask; /* its marker, before it is told of: listings alone do not say */

    bool named;     /* its marker names it: no orphan */
    bool removable;
    bool removed, failed;
    char reason[400];
} s3s_suspect;

typedef struct s3s_orphan_search {
    s3store_target *target;
    const s3store_call *call;
    const s3store_orphans_options *options;
    s3store_orphans_report *report;
    int64_t older_than_us;
    int64_t bound_us;
    int64_t clock_offset_us; /* of the server's clock, from below: ages come out too small */
    s3s_attempt_set *canonical;
    s3s_arena arena; /* of the window */
    s3s_suspect suspects[S3S_ORPHANS_WINDOW];
    size_t count;
} s3s_orphan_search;

/* How old an object is by the server's clock, at least. INT64_MIN: it does not say. */
int64_t s3s_orphan_age_us(const s3s_orphan_search *s, int64_t last_modified_us);

/* orphans_judge.c: is it one, may it be removed, and (options.remove) removes it. Not OK: it could
 * not be found out. Worker threads. */
s3store_status s3s_orphan_judge(s3s_orphan_search *s, s3s_suspect *suspect, s3store_error *err);

#endif
