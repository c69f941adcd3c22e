/* arrow/internal.h: what the files of this module share and nobody else uses. */
#ifndef S3S_ARROW_INTERNAL_H
#define S3S_ARROW_INTERNAL_H

#include "arrow/array.h"
#include "base/bits.h"
#include "base/bytes.h"

#define S3S_MAX_COLUMNS 10000
#define S3S_MAX_FIELDS 100000 /* of one schema, nested ones counted: producers may share children */
#define S3S_MAX_DEPTH 64
#define S3S_MAX_BUFFERS 3

/* How values lie in buffers; many types share one layout. */
typedef enum s3s_layout {
    S3S_LAYOUT_NULL = 0,
    S3S_LAYOUT_BOOL,
    S3S_LAYOUT_FIXED,
    S3S_LAYOUT_BYTES,
    S3S_LAYOUT_LARGE_BYTES,
    S3S_LAYOUT_LIST, /* also maps */
    S3S_LAYOUT_LARGE_LIST,
    S3S_LAYOUT_STRUCT,
} s3s_layout;

s3s_layout s3s_type_layout(s3s_type type);
size_t s3s_type_buffer_count(s3s_type type);
size_t s3s_type_child_count(s3s_type type, const s3s_field *field);
bool s3s_type_is_text(s3s_type type); /* string, large string */
int64_t s3s_unit_per_second(s3s_unit unit);
double s3s_half_to_double(uint16_t half);
/* Round to nearest even; finite values beyond the range become infinite. */
uint16_t s3s_half_from_double(double value);

/* Sorts borrowed names and says which one occurs twice (NULL: none). */
const char *s3s_names_duplicate(const char **names, size_t count);

/* The flat type of a format string of the ABI. false: unknown, or *why says what is not
 * supported. */
bool s3s_format_parse(const char *format, s3s_field *field, const char **why);
/* The format string of a field; buffer >= 64. */
const char *s3s_format_text(const s3s_field *field, char *buffer, size_t buffer_size);

/* env NULL is plain malloc, which has nothing to retain. */
static inline s3s_env *s3s_env_hold(s3s_env *env)
{
    return env != NULL ? s3s_env_retain(env) : NULL;
}
static inline void s3s_env_drop(s3s_env *env)
{
    if (env != NULL)
        s3s_env_release(env);
}

/* ---- arrays ---------------------------------------------------------------------------------- */

/* An array with room for its buffers (all NULL) and children (all released), with its own release:
 * the only step of making one that can fail. Its buffers, once set, are owned by it. */
s3store_status s3s_array_reserve(s3s_env *env, size_t buffer_count, size_t child_count,
                                 struct ArrowArray *out, s3store_error *err);
/* As reserve, for an array whose buffers belong to `shared`, which is retained. */
s3store_status s3s_array_reserve_shared(s3s_env *env, s3s_shared_batch *shared, size_t child_count,
                                        struct ArrowArray *out, s3store_error *err);
/* buffers[i] of an array that reserve made. */
void s3s_array_set_buffer(struct ArrowArray *array, size_t i, void *buffer);
/* `length` nulls of any type. */
s3store_status s3s_array_nulls(s3s_env *env, const s3s_field *field, int64_t length,
                               struct ArrowArray *out, s3store_error *err);

/* Start and end of the value at i of a bytes or list column (int32 or int64 offsets). */
static inline void s3s_column_range(const s3s_column *c, bool wide, int64_t i, int64_t *start,
                                    int64_t *end)
{
    if (wide) {
        const int64_t *offsets = (const int64_t *)c->offsets + c->offset + i;
        *start = offsets[0];
        *end = offsets[1];
    } else {
        const int32_t *offsets = (const int32_t *)c->offsets + c->offset + i;
        *start = offsets[0];
        *end = offsets[1];
    }
}

/* ---- taking ---------------------------------------------------------------------------------- */

/* Consecutive rows of one source. */
typedef struct s3s_run {
    uint32_t batch;
    int64_t start;
    int64_t length;
} s3s_run;

/* Which rows, in order: single rows, or (rows NULL) runs. */
typedef struct s3s_selection {
    const s3s_row *rows;
    const s3s_run *runs;
    size_t run_count;
    size_t count; /* of rows in all */
} s3s_selection;

typedef struct s3s_take {
    s3s_env *env;
    const char *column; /* the top-level one, for messages */
    size_t source_count;
} s3s_take;

/* views: one for each source, of the same field. */
s3store_status s3s_take_column(const s3s_take *take, const s3s_field *field,
                               const s3s_column *views, const s3s_selection *selection,
                               struct ArrowArray *out, s3store_error *err);
s3store_status s3s_take_struct(const s3s_take *take, const s3s_field *field,
                               const s3s_column *views, const s3s_selection *selection,
                               struct ArrowArray *out, s3store_error *err);
s3store_status s3s_take_list(const s3s_take *take, const s3s_field *field,
                             const s3s_column *views, const s3s_selection *selection,
                             struct ArrowArray *out, s3store_error *err);
/* Validity of the selected rows; *bits NULL when none is null. */
s3store_status s3s_take_validity(const s3s_take *take, const s3s_column *views,
                                 const s3s_selection *selection, void **bits,
                                 int64_t *null_count, s3store_error *err);
/* A copy of one whole column. */
s3store_status s3s_column_copy(s3s_env *env, const s3s_column *column, struct ArrowArray *out,
                               s3store_error *err);

/* ---- checks ---------------------------------------------------------------------------------- */

/* A null where the field or a nested one does not allow it fails with `status`. */
s3store_status s3s_column_check_nulls(const s3s_column *column, const s3s_field *field,
                                      const char *where, s3store_status status,
                                      s3store_error *err);

/* ---- streams --------------------------------------------------------------------------------- */

bool s3s_stream_is_ours(const struct ArrowArrayStream *stream);
/* Of one of ours. */
s3s_schema *s3s_stream_schema(const struct ArrowArrayStream *stream);
bool s3s_stream_is_valid(const struct ArrowArrayStream *stream);

#endif
