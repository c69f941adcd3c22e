/* scan/internal.h: the parts of a scan. Private to scan/.
 *
 *   plan      which columns are decoded, which are delivered         plan.c, discover.c
 *   pipeline  who works on which file next, and within what budget    pipeline.c
 *   decode    one file to batches of the plan's schema                decode.c
 *   merge     batches of a partition to the rows that remain          merge.c
 *   filter    the predicate on them                                   filter.c, where.h
 *   push-down the predicate on partitions, row groups and pages       where_partition.c, pushdown.c
 *   watchdog  tells when nothing moves                                watchdog.c
 *   scan      the consumer's side                                     scan.c
 */
#ifndef S3S_SCAN_INTERNAL_H
#define S3S_SCAN_INTERNAL_H

#include <stdatomic.h>

#include "base/cancel.h"
#include "base/sync.h"
#include "datafile/datafile.h"
#include "scan/scan.h"
#include "scan/where.h"

/* ---- plan ------------------------------------------------------------------------------------ */

typedef struct scan_plan {
    s3s_schema *out;   /* what is delivered */
    s3s_schema *merge; /* what is decoded: out, then key columns that are not wanted */
    size_t *entity;    /* positions in merge */
    size_t entity_count;
    size_t version;
    size_t *delivered; /* 0..out->field_count-1, for s3s_batch_take */
} scan_plan;

/* ---- files and partitions -------------------------------------------------------------------- */

typedef enum file_state {
    FILE_NEW = 0,
    FILE_FETCHING,
    FILE_FETCHED, /* open: whole, or its footer */
    FILE_DECODING,
    FILE_DECODED, /* its batches are here */
    FILE_LAZY,    /* open; too large to decode ahead: the consumer reads it batch by batch */
    FILE_MISSING,
    FILE_FAILED,
    FILE_TAKEN, /* consumed or dropped: nothing is held */
} file_state;

typedef struct scan_file {
    const s3s_data_file *info;
    size_t partition;
    file_state state;
    uint64_t reserved; /* of the budget for bodies */
    uint64_t decoded;  /* bytes of the batches */
    s3s_datafile *file;
    struct ArrowArray *batches;
    size_t batch_count, batch_capacity;
    s3store_error *error; /* FAILED */
} scan_file;

typedef enum partition_state {
    PARTITION_OPEN = 0,
    PARTITION_MERGING,
    PARTITION_MERGED,
    PARTITION_FAILED,
} partition_state;

/* Rows of a merged partition, as places in its batches. */
typedef struct merged_rows {
    const struct ArrowArray **batches; /* borrowed from the files */
    size_t batch_count;
    s3s_row *rows;
    size_t row_count;
} merged_rows;

typedef struct scan_partition {
    const char *key;
    size_t first_file, file_count;
    size_t unfinished; /* files that are neither decoded nor missing */
    uint64_t decoded;     /* bytes of its batches */
    uint64_t merge_bytes; /* and what merging them takes, with them */
    bool spills; /* too large to be merged in memory: the consumer does it, file by file */
    partition_state state;
    merged_rows merged;
    s3store_error *error; /* of the merge */
} scan_partition;

/* ---- the scan -------------------------------------------------------------------------------- */

struct s3s_scan {
    s3s_env *env;           /* retained */
    s3store_target *target; /* retained */
    s3s_file_set set;
    s3s_arena arena; /* option texts */
    s3s_scan_options options;
    const char **fetch_columns; /* wanted, entity, version; NULL = all */
    size_t fetch_column_count;
    s3store_cancel *cancel; /* ours, child of the caller's */
    s3store_call call;
    scan_plan plan;
    where *where;       /* NULL = every row */
    bool filters_early; /* before rows are merged, or nothing is merged */

    uint64_t body_cap;    /* bytes of fetched objects */
    uint64_t ahead_cap;   /* decoded bytes ahead of the consumer */
    uint64_t lazy_cap;    /* larger files are not decoded ahead */
    uint64_t memory;    /* all of it */
    uint64_t merge_cap; /* decoded bytes of one partition that is merged in memory */
    size_t open_max;      /* fetched files ahead */
    size_t decode_max;    /* files that are decoded at once: CPU work */

    /* The consumer's: only its thread touches these. */
    size_t at_partition; /* the current one */
    size_t at_file;      /* index of the file it takes rows from (ROWS) */
    size_t at_batch;
    size_t at_row;
    struct scan_spill *spill;    /* the current partition, when it spills */
    bool spilled;                /* all of it is there: rows can be taken */
    s3s_datafile_cursor *cursor; /* of a LAZY file */
    int64_t cursor_row;
    int64_t delivered_rows;
    s3s_scope scope; /* of the call that this scan serves */
    atomic_uint_fast64_t fetched_bytes, fetched_files; /* of files that are closed */
    bool begun, ended;
    s3store_status final;
    s3store_error final_error;
    s3s_task *watchdog; /* NULL = none */
    s3s_task **workers;
    size_t worker_count;

    s3s_mutex mutex;
    s3s_cond quit;    /* for the watchdog: it is over */
    s3s_cond work;    /* for workers: something may have become possible */
    s3s_cond changed; /* for the consumer: a file or partition has a new state */
    struct {
        scan_file *files;
        size_t file_count;
        scan_partition *partitions;
        size_t partition_count;
        size_t current;     /* partition that the consumer wants or consumes */
        size_t wanted_file; /* file that it waits for or takes rows from */
        size_t fetch_next; /* first file that nobody took */
        size_t open_from;  /* no file before it is FETCHED */
        size_t stop_file;  /* no file beyond it is needed: it failed */
        size_t open_count; /* files that are FETCHING or FETCHED */
        size_t decoding;   /* files that are DECODING */
        uint64_t body_bytes;
        uint64_t decoded_bytes; /* of all partitions */
        uint64_t missing;
        bool waiting; /* the consumer is in a call, since waiting_us */
        int64_t waiting_us, progress_us;
        uint64_t stalls;
        bool stopping;
    } locked;
};

/* ---- discover.c, plan.c ---------------------------------------------------------------------- */

/* The union of the columns that the files have, as far as the plan needs to know it: *all is
 * NULL when there is no file. */
s3store_status s3s_scan_discover(s3s_scan *scan, s3s_schema **all, s3store_error *err);
bool s3s_scan_needs_discovery(const s3s_scan *scan);
/* Makes scan->plan from the union (may be NULL) and the options. */
s3store_status s3s_scan_plan_make(s3s_scan *scan, const s3s_schema *all, s3store_error *err);
void s3s_scan_plan_deinit(s3s_env *env, scan_plan *plan);
s3store_status s3s_scan_fetch_columns(s3s_scan *scan, s3store_error *err);

/* ---- decode.c -------------------------------------------------------------------------------- */

/* Opens file i (whole or by its footer). Its state is the caller's business. */
s3store_status s3s_scan_open_file(s3s_scan *scan, size_t i, bool footer_only, s3s_datafile **out,
                                  s3store_error *err);
/* Key columns are there and of types that can be keys. */
s3store_status s3s_scan_check_keys(const s3s_scan *scan, const s3s_datafile *file,
                                   s3store_error *err);
/* A cursor over the plan's columns. */
s3store_status s3s_scan_cursor_new(s3s_scan *scan, s3s_datafile *file,
                                   s3s_datafile_cursor **out, s3store_error *err);
/* The next batch in the plan's merge schema; row: of the file, counted on. END. */
s3store_status s3s_scan_cursor_next(const s3s_scan *scan, s3s_datafile_cursor *cursor,
                                    const char *key, int64_t *row, struct ArrowArray *out,
                                    s3store_error *err);
/* What the plan's columns of a file will take, from above but for long texts that repeat: the footer
 * counts encoded bytes. Not trusted: it only decides how much is decoded ahead. */
uint64_t s3s_scan_decoded_estimate(const s3s_scan *scan, const s3s_datafile *file);
/* All batches of an open file. *too_large: it was not decoded, its batches would take too much. */
s3store_status s3s_scan_decode_file(s3s_scan *scan, scan_file *f, s3s_datafile *file,
                                    bool *too_large, s3store_error *err);
/* NOT_FOUND of a data object that may be missing. */
bool s3s_scan_is_tolerable(const s3s_scan *scan, s3store_status status, const s3store_error *err);
void s3s_scan_log_missing(const s3s_scan *scan, const char *key);

/* ---- merge.c --------------------------------------------------------------------------------- */

/* The rows that remain of batches in file order. batches is taken over. */
s3store_status s3s_scan_merge(s3s_env *env, const scan_plan *plan, s3s_scan_mode mode,
                              const struct ArrowArray **batches, size_t batch_count,
                              merged_rows *out, s3store_error *err);
/* What merging a batch takes: the batch, its keys, and a place for each row. */
uint64_t s3s_scan_merge_bytes(const scan_plan *plan, const struct ArrowArray *batch);
void s3s_scan_merged_deinit(s3s_env *env, merged_rows *merged);

/* ---- filter.c -------------------------------------------------------------------------------- */

/* Parses the predicate and decides where it may be applied. */
s3store_status s3s_scan_filter_init(s3s_scan *scan, s3store_error *err);
/* Keeps the rows of a batch of the merge schema for which it is true (all without a predicate);
 * project: in the columns that are delivered. */
s3store_status s3s_scan_filter_batch(const s3s_scan *scan, struct ArrowArray *batch, bool project,
                                     s3store_error *err);
s3store_status s3s_scan_filter_merged(const s3s_scan *scan, merged_rows *merged,
                                      s3store_error *err);

/* ---- pushdown.c ------------------------------------------------------------------------------ */

/* Lets a new cursor leave out rows that the predicate rules out. */
s3store_status s3s_scan_push_down(const s3s_scan *scan, const s3s_datafile *file,
                                  s3s_datafile_cursor *cursor, s3store_error *err);

/* ---- watchdog.c ------------------------------------------------------------------------------ */

void s3s_scan_start_watchdog(s3s_scan *scan);
void s3s_scan_note_progress_locked(s3s_scan *scan);
void s3s_scan_set_waiting(s3s_scan *scan, bool waiting);

/* ---- pipeline.c ------------------------------------------------------------------------------ */

/* Admission of whole objects: the datafile callbacks; ctx is a scan_admission. */
typedef struct scan_admission {
    s3s_scan *scan;
    size_t file;
} scan_admission;
bool s3s_scan_admit(void *ctx, uint64_t size);
void s3s_scan_withdraw(void *ctx, uint64_t size);

s3store_status s3s_scan_start_workers(s3s_scan *scan, s3store_error *err);
void s3s_scan_stop_workers(s3s_scan *scan);
/* Works or waits until file i has an end state. spills (may be NULL): or until it is known that its
 * partition spills. */
s3store_status s3s_scan_wait_file(s3s_scan *scan, size_t i, bool *spills, s3store_error *err);
s3store_status s3s_scan_wait_merged(s3s_scan *scan, size_t partition, s3store_error *err);
/* Gives back what file i holds. */
void s3s_scan_drop_file(s3s_scan *scan, size_t i);
void s3s_scan_drop_partition(s3s_scan *scan, size_t partition);
/* The consumer moves on to this partition. */
void s3s_scan_set_current(s3s_scan *scan, size_t partition);

#endif
