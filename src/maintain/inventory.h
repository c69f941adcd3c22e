/* maintain/inventory.h: the data tree token by token: which attempts lie there, and whether a
 * commit marker does. Streams: what is held is what may still belong to a token that LIST has not
 * passed.
 */
#ifndef S3S_MAINTAIN_INVENTORY_H
#define S3S_MAINTAIN_INVENTORY_H

#include "dataset/data_walk.h"

/* One data object. */
typedef struct s3s_attempt {
    char id[S3S_ATTEMPT_ID_SIZE + 1];
    uint64_t size;
    int64_t last_modified_us; /* S3STORE_TIME_NONE = not said */
} s3s_attempt;

/* Everything listed of one token of one partition. Borrowed for the call. */
typedef struct s3s_token {
    const char *partition;
    const char *token;
    bool committed; /* a marker was listed */
    int64_t marker_modified_us;
    const s3s_attempt *attempts; /* by id */
    size_t attempt_count;
} s3s_token;

/* More data objects of one token than that are LIMIT_EXCEEDED. */
#define S3S_TOKEN_ATTEMPTS_MAX 100000

typedef struct s3s_inventory_counts {
    uint64_t objects; /* listed */
    uint64_t data_objects, data_bytes, markers, foreign;
    uint64_t lists;
    int64_t first_date_us; /* the server's clock when it gave the first answer */
} s3s_inventory_counts;

typedef s3store_status (*s3s_token_fn)(void *ctx, const s3s_token *token, s3store_error *err);

/* Every token of the partitions that the patterns match, each once. */
s3store_status s3s_inventory(s3store_target *target, const s3store_call *call,
                             const s3s_patterns *patterns, s3s_token_fn fn, void *ctx,
                             s3s_inventory_counts *counts, s3store_error *err);

#endif
