/* scan/scan.h: a set of data files to batches: fetch, decode, merge, project, in partition
 * order.
 *
 * Partitions come in byte order of their keys. Inside one: without entity columns the rows in
 * file and row order; with them by (entity, version), latest or every version. A scan that
 * returns END was complete; whatever stopped it short is returned, and returned again. */
#ifndef S3S_SCAN_H
#define S3S_SCAN_H

#include "arrow/array.h"
#include "dataset/fileset.h"
#include "dataset/target.h"
#include "metrics/scope.h"

#define S3S_SCAN_BATCH_ROWS 65536 /* at most, in one batch */

typedef enum s3s_scan_mode {
    S3S_SCAN_ROWS = 0, /* as written, duplicates too */
    S3S_SCAN_LATEST,   /* the highest version of each entity; of equal ones the last */
    S3S_SCAN_HISTORY,  /* every (entity, version) once: the first of its replicas */
} s3s_scan_mode;

typedef struct s3s_scan_options {
    s3s_scan_mode mode; /* without entity columns: always ROWS */
    const char *const *entity;
    size_t entity_count;
    const char *version;
    /* The columns to deliver, in this order; NULL = all that the files have. */
    const char *const *columns;
    size_t column_count;
    /* Instead: exactly this schema (retained). A column that a file lacks is null there, or an
     * error where the schema does not let it be null. */
    const s3s_schema *fixed;
    const char *where;  /* predicate on the result (where.h); its columns need not be delivered */
    bool tolerant;      /* data files that are gone are logged and contribute nothing */
    const char *method; /* who reads, for the log; static text */
    s3s_method counted_as; /* the same for metrics */
    int64_t limit;      /* rows; 0 = all */
    uint64_t read_ahead_bytes; /* decoded at once, unless one partition needs more; 0: by the budget */
    int read_ahead_partitions; /* decoded ahead of the one that is consumed; 0 = no work ahead */
    uint64_t merge_bytes; /* what is merged in memory, decoded; 0: half of the budget */
    int64_t stall_us;   /* after so long without progress it says so; 0: a minute */
    s3store_call call;  /* cancel must outlive the scan */
} s3s_scan_options;

typedef struct s3s_scan s3s_scan;

/* Finds the schema to deliver (which may take requests: see README.md) and gets ready. files is
 * moved in, also on failure; options are copied. INVALID_ARGUMENT names unknown columns. */
s3store_status s3s_scan_open(s3store_target *target, s3s_file_set *files,
                             const s3s_scan_options *options, s3s_scan **out, s3store_error *err);

s3s_schema *s3s_scan_schema(const s3s_scan *scan); /* borrowed; retain it to keep it */

/* The next batch (never empty) and its partition (borrowed from the scan), or END. */
s3store_status s3s_scan_next(s3s_scan *scan, struct ArrowArray *out, const char **partition,
                             s3store_error *err);
/* The next batch of the partition of the last batch; END when it has no more. s3s_scan_next goes
 * on to the next partition. */
s3store_status s3s_scan_next_here(s3s_scan *scan, struct ArrowArray *out, s3store_error *err);
/* Drops what is left of the partition of the last batch. */
void s3s_scan_skip_partition(s3s_scan *scan);
/* Files that were gone so far. */
uint64_t s3s_scan_missing_count(const s3s_scan *scan);
/* How often it was said that nothing moves. */
uint64_t s3s_scan_stall_count(const s3s_scan *scan);

/* Cancels the requests of this scan, joins its threads. Batches live on. NULL allowed. */
void s3s_scan_free(s3s_scan *scan);
/* Hands the scope of the call over: it ends with the scan. */
void s3s_scan_take_scope(s3s_scan *scan, s3s_scope *scope);

/* The patterns that are enough for a predicate on columns that partition keys are made of (arena:
 * what they become; NULL: no predicate). They match at least what can be wanted. */
s3store_status s3s_scan_narrow_patterns(s3store_target *target, s3s_arena *arena, const char *where,
                                        const char *const **patterns, size_t *count,
                                        s3store_error *err);

#endif
