/* tests/support/dataset_fixture.h: a dataset in memory, written object by object, for tests of
 * what reads it. Knows the format (layout, marker, data file), not the writer: so it can also
 * leave out a step, damage an object, or write what only others write. */
#ifndef S3S_TESTS_SUPPORT_DATASET_FIXTURE_H
#define S3S_TESTS_SUPPORT_DATASET_FIXTURE_H

#include <stdatomic.h>

#include "arrow/array.h"
#include "base/sync.h"
#include "dataset/target.h"
#include "objstore/objstore.h"
#include "support/test.h"

/* The row of most tests: entity string, version int64, value int64 (may be null). */
typedef struct fixture_row {
    const char *entity;
    int64_t version;
    int64_t value;
    bool value_is_null;
} fixture_row;
extern const s3store_record_type fixture_row_type;

typedef struct fixture_options {
    const char *const *partition_by; /* NULL = "p" */
    size_t partition_by_count;
    bool no_entity; /* default: entity "entity", version "version" */
    uint64_t memory_bytes;
    int max_inflight;
    const char *commit_timeout; /* NULL = "2s" */
    const char *max_clock_skew; /* NULL = "1s" */
} fixture_options;

typedef struct fixture {
    s3s_env *env;
    bool owns_env;
    s3store_object_store memory; /* where the fixture itself puts things */
    s3store_object_store store;  /* what the target sees: counted, and with the hook's faults */
    s3store_target *target;
    int64_t next_stamp_us; /* of the next ref: an hour ago, then a second later each */
    uint64_t next_attempt;
    atomic_uint_fast64_t counts[S3S_VERB_COUNT]; /* by s3s_fault_verb */
    s3s_fault_fn hook;              /* NULL = none; set it while nothing runs */
    void *hook_ctx;
    s3s_mutex log_mutex;
    char log[16384]; /* "message key=value ..." lines of level WARN and above */
} fixture;

/* env NULL: a real one of its own. options NULL: defaults. Fails the test when it cannot. */
void fixture_open(fixture *fx, s3s_env *env, const fixture_options *options);
void fixture_close(fixture *fx);
/* Closes and fails the test when something was not freed. */
void fixture_close_clean(fixture *fx);

uint64_t fixture_count(const fixture *fx, s3s_fault_verb verb);
void fixture_reset_counts(fixture *fx);

/* ---- writing --------------------------------------------------------------------------------- */

enum { FIXTURE_DATA = 1, FIXTURE_REF = 2, FIXTURE_COMMIT = 4, FIXTURE_ALL = 7 };

typedef struct fixture_write {
    const char *partition; /* hive key */
    const char *token;     /* NULL = the attempt id, as without a token */
    const char *attempt;   /* NULL = a fresh one */
    int64_t stamp_us;      /* 0 = the next one */
    unsigned steps;        /* 0 = all */
} fixture_write;

typedef struct fixture_written {
    char token[S3STORE_KEY_MAX_BYTES + 1];
    char attempt[S3S_ATTEMPT_ID_SIZE + 1];
    char data_key[S3S_KEY_SIZE];
    char ref_key[S3S_KEY_SIZE];
    char commit_key[S3S_KEY_SIZE];
    int64_t stamp_us;
} fixture_written;

/* The number as an attempt id; ids of higher numbers sort later. */
void fixture_attempt(uint64_t number, char out[S3S_ATTEMPT_ID_SIZE + 1]);

fixture_written fixture_write_rows(fixture *fx, const fixture_write *write, const fixture_row *rows,
                                   size_t row_count);
/* Records of any type. */
fixture_written fixture_write_records(fixture *fx, const fixture_write *write,
                                      const s3store_record_type *type, const void *records,
                                      size_t record_count);
/* Any bytes as the data object. */
fixture_written fixture_write_bytes(fixture *fx, const fixture_write *write, const void *body,
                                    size_t size, int64_t row_count);
void fixture_put(fixture *fx, const char *key, const void *body, size_t size,
                 const s3store_metadata *metadata);
void fixture_remove(fixture *fx, const char *key);
/* The object's bytes; freed by the caller with free(). */
uint8_t *fixture_get(fixture *fx, const char *key, size_t *size);

/* ---- looking at results ---------------------------------------------------------------------- */

/* Appends the rows of a batch as "a|1|10;" (columns in order; null is "-"). */
void fixture_batch_text(const s3s_schema *schema, const struct ArrowArray *batch, char *text,
                        size_t text_size);
/* Drains a stream (released) into text; the status and error of its end (OK, not END). */
s3store_status fixture_drain(struct ArrowArrayStream *stream, char *text, size_t text_size,
                             s3store_error *err);

#endif
