/* scan/spill.h: a partition that is too large to be merged in memory. Its batches come in file order;
 * what fits is sorted and goes to a temporary file as a run; the runs are merged as a stream. Memory
 * stays the same, however many rows and entities there are. Private to scan/. */
#ifndef S3S_SCAN_SPILL_H
#define S3S_SCAN_SPILL_H

#include "arrow/spill_file.h"
#include "scan/internal.h"

/* ---- spill.c ------------------------------------------------------------------------------------ */

typedef struct scan_spill scan_spill;

typedef struct scan_spill_options {
    s3s_env *env;
    const scan_plan *plan; /* borrowed, like dir and call */
    s3s_scan_mode mode;    /* LATEST or HISTORY */
    const char *dir;
    uint64_t run_bytes; /* of batches that are sorted at once */
    const s3store_call *call;
} scan_spill_options;

s3store_status s3s_scan_spill_new(const scan_spill_options *options, scan_spill **out,
                                  s3store_error *err);
/* The next batch, in file order; taken over. */
s3store_status s3s_scan_spill_add(scan_spill *spill, struct ArrowArray *batch, s3store_error *err);
/* After the last batch. */
s3store_status s3s_scan_spill_finish(scan_spill *spill, s3store_error *err);
/* Rows that remain, in order, in all columns of the merge schema; END. */
s3store_status s3s_scan_spill_next(scan_spill *spill, struct ArrowArray *out, s3store_error *err);
void s3s_scan_spill_free(scan_spill *spill); /* NULL allowed */

#endif
