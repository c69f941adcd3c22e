/* maintain/verify_private.h: what the files of verify share. */
#ifndef S3S_MAINTAIN_VERIFY_PRIVATE_H
#define S3S_MAINTAIN_VERIFY_PRIVATE_H

#include "arrow/array.h"
#include "datafile/datafile.h"
#include "dataset/view.h"
#include "maintain/attempt_set.h"
#include "maintain/inventory.h"
#include "maintain/maintain.h"

#define S3S_VERIFY_WINDOW 256 /* commits whose markers are read side by side */

/* One finding, kept until its turn. */
typedef struct s3s_verify_note {
    struct s3s_verify_note *next;
    const char *kind;
    bool damage;
    char key[S3S_KEY_SIZE];
    char detail[512];
    char remedy[1400];
} s3s_verify_note;

/* A commit to be asked for. */
typedef struct s3s_verify_item {
    const char *partition, *token;
    const s3s_attempt *attempts;
    size_t attempt_count;
    bool deep; /* its footer too */
    s3s_verify_note *first, *last;
    bool checked, hashed;
    int64_t rows;
} s3s_verify_item;

typedef struct s3s_verify {
    s3store_target *target;
    const s3store_call *call;
    const s3store_verify_options *options;
    s3store_verify_report *report;
    s3s_attempt_set *refs; /* attempts that have one, with the latest stamp */
    s3s_schema *schema;    /* the newest recorded one; NULL = none */
    s3s_view_set views;       /* recorded; those of foreign writers nobody knows */
    s3s_attempt_set *markers; /* of the views, that were listed */
    const char **columns;     /* that any view needs */
    size_t column_count;
    uint64_t sample_seed;
    s3s_arena arena; /* of the window */
    s3s_verify_item items[S3S_VERIFY_WINDOW];
    size_t item_count, attempts_held;
} s3s_verify;

/* Adds a finding to an item. Worker threads; each item is one thread's. */
s3store_status s3s_verify_note_add(s3s_verify *v, s3s_verify_item *item, const char *kind,
                                   bool damage, const char *key, s3store_error *err,
                                   const char *remedy, const char *format, ...)
    __attribute__((format(printf, 8, 9)));
/* Tells a finding that is about no commit. */
void s3s_verify_tell(s3s_verify *v, const s3store_finding *finding);

/* verify_contents.c: the rows of an open data object against the hash in its marker (has_hash: there is
 * one), and whether they can be decoded at all. */
s3store_status s3s_verify_contents(s3s_verify *v, s3s_verify_item *item, s3s_datafile *file,
                                   bool has_hash, uint64_t hash, s3store_error *err);
/* verify_commit.c: an item of the window. Not OK: it could not be found out. */
s3store_status s3s_verify_commit(s3s_verify *v, s3s_verify_item *item, s3store_error *err);

/* verify_schema.c: the recorded versions: readable, none missing, each one a widening of the one
 * before. Keeps the newest. */
s3store_status s3s_verify_schema(s3s_verify *v, s3store_error *err);

/* verify_views.c: the recorded views and their markers. */
s3store_status s3s_verify_views_load(s3s_verify *v, s3store_error *err);
/* Whether every tuple of the file's rows has its marker. */
s3store_status s3s_verify_views(s3s_verify *v, s3s_verify_item *item, s3s_datafile *file,
                                s3store_error *err);

#endif
