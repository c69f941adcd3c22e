/* objstore/walk.h: private to the parallel listing: its units of work.
 *
 * The keys that are still to come are an ordered list of units, each a range of keys. Units near
 * the front are worked on side by side, one page at a time; what they find waits in pages until all
 * before it was delivered. A unit that turns out to be long is replaced by smaller ones.
 */
#ifndef S3S_OBJSTORE_WALK_H
#define S3S_OBJSTORE_WALK_H

#include "base/buffer.h"
#include "objstore/objstore.h"

typedef struct s3s_walk_page {
    struct s3s_walk_page *next;
    s3s_arena arena;
    s3store_list_entry *entries;
    size_t count;
    size_t capacity;
} s3s_walk_page;

typedef struct s3s_walk_unit {
    struct s3s_walk_unit *next;
    const struct s3s_walk *walk;
    bool is_first;      /* of the walk */
    bool discovers;     /* directories with LIST and '/', one page; else it lists keys */
    char *prefix;       /* of its LISTs */
    char *after;        /* keys above it; NULL = all */
    char *floor;        /* keys at or above it; NULL = all */
    char *stop;         /* keys below it; NULL = all */
    char *continuation; /* of the page before; NULL = none */
    char *last;         /* the last key seen: all up to it is done. NULL = none yet */
    size_t fetched;     /* pages */
    size_t patience;    /* pages after which it is divided */
    /* Of the last page (of a discovery: of the walk before it). */
    size_t page_keys;
    size_t keys_per_directory; /* 0 = no directories there */

    /* Shared by all who work on the walk; the rest is whose the unit is while it is busy. */
    s3s_walk_page *first_page, *last_page; /* found, not yet delivered */
    size_t page_count;
    bool done; /* nothing more is to be asked for */
    bool busy; /* somebody asks for a page */
} s3s_walk_unit;

/* What came of asking for a page. */
typedef struct s3s_walk_fetched {
    uint64_t asked; /* LISTs */
    bool ended;     /* nothing more is to be asked for */
    bool divide;    /* into smaller units */
} s3s_walk_fetched;

typedef struct s3s_walk {
    s3s_env *env;
    const s3store_object_store *store;
    const s3store_call *call;
    const s3s_walk_options *options;
    s3s_walk_result *result;
    s3s_walk_unit *first;
} s3s_walk;

/* walk_unit.c: texts are copied. NULL = out of memory. */
s3s_walk_unit *s3s_walk_unit_new(const s3s_walk *walk, const char *prefix, const char *after,
                                 const char *floor, const char *stop, size_t patience);
void s3s_walk_unit_free(s3s_walk_unit *unit);
void s3s_walk_page_free(s3s_walk_page *page, s3s_env *env);
s3s_walk_page *s3s_walk_page_new(s3s_env *env);
bool s3s_walk_page_add(s3s_walk_page *page, const s3store_list_entry *entry);
void s3s_walk_unit_add_page(s3s_walk_unit *unit, s3s_walk_page *page);
s3s_walk_page *s3s_walk_unit_take_page(s3s_walk_unit *unit); /* the first; NULL = none */
/* Asks for the next page, which is the caller's. Touches nothing that is shared. */
s3store_status s3s_walk_unit_fetch(s3s_walk_unit *unit, s3s_walk_page **out, s3s_walk_fetched *got,
                                   s3store_error *err);

/* walk_divide.c: puts the units that take the place of this one behind it. */
s3store_status s3s_walk_divide(s3s_walk_unit *unit, s3store_error *err);

#endif
