/* A dataset in memory, a writer on it, and a store in front that does what a test wants. On
 * virtual time unless said otherwise: waiting costs nothing, and the clock moves only when
 * somebody waits. */
#ifndef S3S_TESTS_WRITE_STAGE_H
#define S3S_TESTS_WRITE_STAGE_H

#include "support/test.h"

#include "arrow/stream.h"
#include "read/read.h"
#include "stream/stream.h"
#include "support/faulty_store.h"
#include "unit/arrow/kit.h"
#include "write/write_private.h"

#define SECOND INT64_C(1000000)
#define STAGE_START_US (INT64_C(1517966773) * SECOND) /* wall clock at virtual time 0 */
#define STAGE_TIMEOUT_US (15 * SECOND)                /* the commit timeout */
#define STAGE_SKEW_US SECOND

typedef struct stage_options {
    bool real; /* the real env, with threads */
    const char *const *partition_by; /* NULL-terminated; NULL = "p" */
    bool entity;                     /* entity "id", version "v" */
    const char *inserted_at_column;
    uint64_t memory_bytes;
    int max_inflight;
    bool serial; /* partitions one after the other */
    int64_t commit_timeout_us; /* 0 = STAGE_TIMEOUT_US */
    s3store_fence fence;
    bool unconditional; /* the server ignores If-None-Match */
    bool allow_unaddressable;
    const s3store_view_def *const *views; /* of the writer */
    size_t view_count;
} stage_options;

/* What happens to the requests number from..to (to 0 = and all later ones) of a verb and kind,
 * until until_us after the rules were set (0 = for ever). The first rule that fits counts. */
typedef struct stage_rule {
    s3s_fault_verb verb;
    faulty_kind kind;
    unsigned from, to;
    faulty_fate fate;
    int64_t until_us;
    const char *partition; /* NULL = any: "p=b" */
    s3store_cancel *cancel; /* is triggered when the request begins */
} stage_rule;

typedef struct stage {
    s3s_sim *sim; /* NULL = real */
    s3s_env *env;
    s3store_object_store memory;
    faulty_store faults;
    s3store_target *target;
    s3store_writer *writer;
    const stage_rule *rules;
    size_t rule_count;
    int64_t rules_since_us;
    char log[8192];
} stage;

void stage_open(stage *s, const stage_options *options); /* NULL = defaults */
void stage_close(stage *s); /* fails when something was not freed */
/* From here on; counts begin anew. NULL = none. */
void stage_rules(stage *s, const stage_rule *rules, size_t count);
/* Lets virtual time pass, and late requests arrive. */
void stage_wait(stage *s, int64_t duration_us);

/* ---- writing --------------------------------------------------------------------------------- */

#define ROWS(...)                                                                                  \
    (const char *const[]){__VA_ARGS__}, sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *)

/* A stream of one batch: columns as of kit_schema ("p:string?;v:int64"), rows as of kit_batch. */
void stage_stream(stage *s, const char *columns, const char *const *rows, size_t row_count,
                  struct ArrowArrayStream *out);
/* Adds a batch of the same columns; call stage_batches_stream at the end. */
typedef struct stage_batches {
    s3s_schema *schema;
    struct ArrowArray items[16];
    size_t count;
} stage_batches;
void stage_batches_add(stage *s, stage_batches *b, const char *columns, const char *const *rows,
                       size_t row_count);
void stage_batches_stream(stage_batches *b, struct ArrowArrayStream *out);

s3store_status stage_write(stage *s, const char *columns, const char *const *rows,
                           size_t row_count, const s3store_write_options *options,
                           s3store_write_result **out, s3store_error *err);
/* One row "x|1" of partition p=a under a token (NULL = none). */
s3store_status stage_write_one(stage *s, const char *token, s3store_write_result **out,
                               s3store_error *err);

/* "p=a committed, p=b failed UNAVAILABLE": the states of a result. Lives until the next call. */
const char *stage_states(const s3store_write_result *result);

/* ---- looking --------------------------------------------------------------------------------- */

/* Rows that a snapshot of everything sees, with history: "a|x|1;b|y|2;" */
const char *stage_rows(stage *s);
/* How often each commit is in the stream from the beginning, after everything has settled: the data
 * paths' partition and token, "p=a/tok p=a/tok ". Damaged markers fail. */
const char *stage_entries(stage *s);
/* Keys that end so. */
size_t stage_count(stage *s, const char *suffix);
/* Puts an object into the memory store. */
void stage_put(stage *s, const char *key, const s3store_metadata *metadata);
/* false: there is none. */
bool stage_marker(stage *s, const char *key, s3s_marker *out);
/* Fails unless every attempt id has one ref at most, but a committed one, which may have been
 * restamped. */
void stage_check_refs(stage *s);

#endif
