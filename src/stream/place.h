/* stream/place.h: a place in the stream, as text: an offset, and what a snapshot had of what
 * follows it (docs/FORMAT.md "From a snapshot to the stream"). Private to stream/.
 *
 * <offset>
 * or
 * except <count>
 * <name of a ref>     each on a line of its own: the snapshot read the data behind it
 * <offset>            the rest of the text, whatever is in it
 *
 * An entry whose data path is one of those is passed. A ref stays in the text until the offset is
 * S3S_PLACE_HOLD_US beyond its stamp: by then a writer has put it into the stream once more if it
 * ever does (a commit whose answer came late), and both are passed. */
#ifndef S3S_STREAM_PLACE_H
#define S3S_STREAM_PLACE_H

#include "dataset/target.h"

#define S3S_PLACE_HOLD_US S3S_TRY_BOUND_US
#define S3S_PLACE_MAGIC "except "

typedef struct s3s_known {
    const char *name; /* of the ref, behind "<P>/_ref/" */
    const char *data_path;
    int64_t micros;
} s3s_known;

typedef struct s3s_place {
    s3s_arena arena;
    const s3s_layout *layout; /* borrowed */
    const char *offset;       /* alone */
    s3s_known *known;         /* as in the text */
    size_t known_count, known_capacity;
    size_t known_bytes; /* of their lines */
    const char **paths; /* theirs, sorted; made by s3s_place_sort */
} s3s_place;

void s3s_place_init(s3s_place *place, s3s_env *env, const s3s_layout *layout);
void s3s_place_deinit(s3s_place *place);

/* An offset of the dataset, without exceptions. */
bool s3s_place_is_plain(const s3s_layout *layout, const char *text);
/* Reads a text: whatever is wrong with it is INVALID_ARGUMENT and names what ("since") and the
 * line. */
s3store_status s3s_place_parse(s3s_place *place, const char *text, const char *what,
                               s3store_error *err);
/* Adds a ref that was parsed. UNSUPPORTED when no line can hold its name, LIMIT_EXCEEDED when they
 * are too many. */
s3store_status s3s_place_add(s3s_place *place, const s3s_ref *ref, s3store_error *err);
s3store_status s3s_place_sort(s3s_place *place, s3store_error *err);
/* Whether a snapshot had the data object. Only after s3s_place_sort, and where something is known. */
bool s3s_place_knows(const s3s_place *place, const char *data_path);
/* The text of the same place at another offset, in the arena. */
s3store_status s3s_place_text(s3s_place *place, const char *offset, const char **out,
                              s3store_error *err);

#endif
