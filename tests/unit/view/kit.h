/* Helpers of the tests of views: a stage (tests/unit/write) and short ways to say views. */
#ifndef S3S_TESTS_VIEW_KIT_H
#define S3S_TESTS_VIEW_KIT_H

#include "unit/write/stage.h"
#include "view/view.h"

#define KIT_TEXT 65536

/* A view by columns. */
#define KIT_COLUMNS(...)                                                                           \
    .columns = (const char *const[]){__VA_ARGS__},                                                 \
    .column_count = sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *)
#define KIT_VIEW(view_name, ...)                                                                   \
    (&(const s3store_view_def){                                                                    \
        .size = sizeof(s3store_view_def), .name = (view_name), KIT_COLUMNS(__VA_ARGS__)})
#define KIT_VIEWS(...)                                                                             \
    .views = (const s3store_view_def *const[]){__VA_ARGS__},                                       \
    .view_count = sizeof((const s3store_view_def *const[]){__VA_ARGS__}) / sizeof(void *)

/* Keys of all markers, below "<prefix>/_matview/", without the name of the object: "v/a=1 v/a=2 ".
 * In a buffer of its own until the next call. */
const char *kit_markers(stage *s);
/* The tuples that patterns match: "a|b;c|d;". patterns end with NULL. */
const char *kit_lookup(stage *s, const s3store_view_def *def, const char *const *patterns,
                       s3store_lookup_stats *stats);
s3store_status kit_lookup_status(stage *s, const s3store_view_def *def,
                                 const char *const *patterns, s3store_error *err);
/* Options of a backfill over patterns that end with NULL; NULL = everything. */
s3store_backfill_options kit_backfill_options(const char *const *patterns);
#define KIT_PATTERNS(...) ((const char *const[]){__VA_ARGS__, NULL})
#define KIT_ALL KIT_PATTERNS("*")

/* A writer with other views than the stage's. */
void kit_reopen(stage *s, const s3store_view_def *const *views, size_t count);

#endif
