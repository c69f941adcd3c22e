/* dataset/view.h: views (docs/FORMAT.md "Views"): definitions, the keys of markers, rows to
 * markers, and putting them. A view is defined by columns, or by a function on a record.
 */
#ifndef S3S_DATASET_VIEW_H
#define S3S_DATASET_VIEW_H

#include "dataset/target.h"

#define S3S_CONFIG_VIEW_DIR "view/"
#define S3S_VIEWS_MAX 1000 /* of a dataset */

/* ---- definitions (view_def.c) ---------------------------------------------------------------- */

typedef struct s3s_view_def {
    s3s_env *env;
    s3s_arena arena; /* all text */
    const char *name;
    s3s_part_spec *columns;
    const char **names; /* of the columns */
    size_t count;
    /* By a function: columns have names only. */
    s3store_view_fn of; /* NULL = by columns */
    void *of_ctx;
    s3store_record_type record_type; /* its fields are borrowed, as everywhere */
    s3s_schema *record_schema;
} s3s_view_def;

/* From the caller. INVALID_ARGUMENT names the view. */
s3store_status s3s_view_def_make(s3s_env *env, const s3store_view_def *given, s3s_view_def *out,
                                 s3store_error *err);
/* view/<name>.json. BAD_CONFIG naming the key; a format number above ours is UNSUPPORTED. */
s3store_status s3s_view_def_parse(s3s_env *env, const char *text, size_t size, const char *key,
                                  s3s_view_def *out, s3store_error *err);
s3store_status s3s_view_def_write(const s3s_view_def *def, s3s_buffer *out, s3store_error *err);
void s3s_view_def_deinit(s3s_view_def *def);
s3store_status s3s_view_name_check(const char *name, s3store_error *err);
/* BAD_CONFIG saying what is recorded and what was given. */
s3store_status s3s_view_def_agree(const s3s_view_def *recorded, const s3s_view_def *given,
                                  const char *key, s3store_error *err);
/* Whether rows of this schema have the columns, in types that have a text. INVALID_ARGUMENT or
 * SCHEMA_MISMATCH naming view and column. missing (may be NULL): set to a column that is not there,
 * which is no error then. */
s3store_status s3s_view_def_check(const s3s_view_def *def, const s3s_schema *schema,
                                  const char **missing, s3store_error *err);

/* ---- in the dataset's description (view_store.c) --------------------------------------------- */

typedef struct s3s_view_set {
    s3s_env *env;
    s3s_view_def *items; /* recorded ones by name, then given ones in their order */
    size_t count, recorded_count;
} s3s_view_set;
/* 1 LIST, and 1 GET for each view. */
s3store_status s3s_views_load(s3store_target *target, const s3store_call *call, s3s_view_set *out,
                              s3store_error *err);
/* Adds what the caller gives: a view that is recorded too must agree. */
s3store_status s3s_views_add_given(s3s_view_set *set, const s3s_layout *layout,
                                   const s3store_view_def *const *given, size_t count,
                                   s3store_error *err);
void s3s_views_deinit(s3s_view_set *set);

/* 1 GET. found false: it is not recorded. */
s3store_status s3s_view_load(s3store_target *target, const s3store_call *call, const char *name,
                             s3s_view_def *out, bool *found, s3store_error *err);
/* Records it unless it is: 1 GET, and 1 PUT. *date_us (may be NULL): when the server did. */
s3store_status s3s_view_record(s3store_target *target, const s3store_call *call,
                               const s3s_view_def *def, bool *created, int64_t *date_us,
                               s3store_error *err);
/* The key of its definition. out: S3S_KEY_SIZE bytes. */
s3store_status s3s_view_config_key(const s3s_layout *layout, const char *name, char *out,
                                   s3store_error *err);

/* ---- keys of markers (view_key.c) ------------------------------------------------------------ */

/* "<P>/_matview/<view>". out: S3S_KEY_SIZE bytes. */
s3store_status s3s_view_root(const s3s_layout *layout, const char *name, char *out,
                             s3store_error *err);
/* The key for a tuple "c1=v1/c2=v2"; at most S3STORE_VIEW_KEY_MAX_BYTES. */
s3store_status s3s_view_marker_key(const s3s_layout *layout, const char *name, const char *tuple,
                                   char *out, s3store_error *err);
/* The tuple in a key relative to the root (behind its '/'). false: a stray. */
bool s3s_view_marker_parse(const s3s_view_def *def, const char *relative, s3s_slice *tuple);
/* Values of a tuple that was parsed before. */
void s3s_view_tuple_values(const s3s_view_def *def, s3s_slice tuple, s3s_slice *values);

/* ---- rows to tuples (view_rows.c) ------------------------------------------------------------ */

/* A column that the schema lacks is null everywhere. A null leaves the row out, and so does a
 * function that gives no values. */
s3store_status s3s_view_project(s3s_env *env, const s3s_view_def *def, const s3s_schema *schema,
                                const struct ArrowArray *const *batches, size_t batch_count,
                                bool allow_unaddressable, s3s_tuples *out,
                                s3store_error *err);

/* ---- putting markers (view_put.c) ------------------------------------------------------------ */

/* Puts the markers that are not known to exist, side by side; those that somebody else of this
 * target is putting are waited for. *puts (may be NULL) is increased by what was sent. OK: all of
 * them exist. */
s3store_status s3s_view_markers_put(s3store_target *target, const s3store_call *call,
                                    const char *const *keys, size_t count, uint64_t *puts,
                                    s3store_error *err);

/* Markers known to exist, or on their way. One for each target. */
typedef struct s3s_known_markers s3s_known_markers;
s3store_status s3s_known_markers_new(s3s_env *env, size_t max_count, s3s_known_markers **out,
                                     s3store_error *err);
void s3s_known_markers_free(s3s_known_markers *known);

/* Distinct keys by their digests, counted. */
typedef struct s3s_digest_set {
    s3s_env *env;
    struct s3s_digest_slot *slots;
    size_t slot_count, used;
} s3s_digest_set;
/* *added: it was not there. */
s3store_status s3s_digest_set_add(s3s_digest_set *set, const char *key, bool *added,
                                  s3store_error *err);
void s3s_digest_set_deinit(s3s_digest_set *set);

#endif
