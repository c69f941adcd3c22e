/* view/view.h: reading views, and making the markers of data that was there before.
 *
 * What a view is, its keys, and the putting of markers is dataset/view.h; the markers of a write
 * are write/view_markers.c.
 *   view.c      the handle; recording a view; the list of recorded ones
 *   lookup.c    patterns -> LIST -> tuples in key order -> batches, or C structs
 *   values.c    the text of a value as a typed value
 *   backfill.c  committed data objects -> their markers
 */
#ifndef S3S_VIEW_H
#define S3S_VIEW_H

#include "dataset/view.h"

struct s3store_view {
    int refs;               /* atomic: the caller's, and those of streams */
    s3s_env *env;           /* retained */
    s3store_target *target; /* retained */
    s3s_view_def def;
    char root[S3S_KEY_SIZE]; /* of its markers */
};

/* As the public functions of the same names; option structs are complete. */
s3store_status s3s_view_open(s3store_target *target, const s3store_view_def *def,
                             const s3store_call *call, s3store_view **out, s3store_error *err);
void s3s_view_free(s3store_view *view); /* NULL allowed */
s3store_status s3s_view_add(s3store_target *target, const s3store_view_def *def,
                            const s3store_call *call, bool *created, int64_t *restart_from_us,
                            s3store_error *err);
s3store_status s3s_target_views(s3store_target *target, const s3store_call *call,
                                s3store_views **out, s3store_error *err);

s3store_status s3s_view_lookup(s3store_view *view, const s3store_lookup_options *options,
                               struct ArrowArrayStream *out, s3store_lookup_stats *stats,
                               s3store_error *err);
s3store_status s3s_view_lookup_records(s3store_view *view, const s3store_record_type *type,
                                       const s3store_lookup_options *options,
                                       s3store_records **out, s3store_lookup_stats *stats,
                                       s3store_error *err);

/* stats: complete; filled on failure too. */
s3store_status s3s_view_backfill(s3store_target *target, const s3store_view_def *def,
                                 const s3store_backfill_options *options,
                                 s3store_backfill_stats *stats, s3store_error *err);

#endif
