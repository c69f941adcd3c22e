/* scan/spill.h: a partition that is too large to be merged in memory. Its batches come in file order;
 * what fits is sorted and goes to a temporary file as a run; the runs are merged as a stream. Memory
 * stays the same, however many rows and entities there are. Private to scan/. */
#ifndef S3S_SCAN_SPILL_H
#define S3S_SCAN_SPILL_H

#include "scan/internal.h"

/* ---- spill_file.c: batches in a file without a name -------------------------------------------- */

typedef struct spill_file {
    int fd; /* -1 = not open */
    uint64_t size;
} spill_file;

/* In dir; nothing is left behind, also after a crash. IO naming the directory and its option. */
s3store_status s3s_spill_file_open(spill_file *file, const char *dir, s3store_error *err);
void s3s_spill_file_close(spill_file *file);
/* Appends a batch whose arrays begin at their buffers' beginning. */
s3store_status s3s_spill_file_write(s3s_env *env, spill_file *file, const char *dir,
                                    const s3s_schema *schema, const struct ArrowArray *batch,
                                    s3store_error *err);
/* The batch at *at, which moves behind it; END at the end. */
s3store_status s3s_spill_file_read(s3s_env *env, const spill_file *file, const char *dir,
                                   const s3s_schema *schema, uint64_t *at, struct ArrowArray *out,
                                   s3store_error *err);

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
