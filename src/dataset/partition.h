/* dataset/partition.h: from columns to partition keys: specifications ("day=time:day"), the text
 * form of a column's value, and splitting batches.
 */
#ifndef S3S_DATASET_PARTITION_H
#define S3S_DATASET_PARTITION_H

#include "arrow/array.h"
#include "base/pool.h"
#include "dataset/layout.h"

/* How a value becomes text. NONE: string verbatim; integers decimal; bool true/false; date
 * YYYY-MM-DD; timestamp RFC 3339 UTC, shortest exact fraction (0, 3, 6, 9 digits); everything else
 * refused. Formats apply to dates and timestamps (UTC; units finer than shown are cut): year
 * "2018", month "2018-02", day "2018-02-07", hour "2018-02-07T01", RFC3339 "2018-02-07T01:26:13Z";
 * STRFTIME: see base/timefmt.h (contains '%'). */
typedef enum s3s_format_kind {
    S3S_FORMAT_NONE = 0,
    S3S_FORMAT_YEAR,
    S3S_FORMAT_MONTH,
    S3S_FORMAT_DAY,
    S3S_FORMAT_HOUR,
    S3S_FORMAT_RFC3339,
    S3S_FORMAT_STRFTIME,
} s3s_format_kind;

typedef struct s3s_part_spec {
    const char *name;   /* of the key part */
    const char *column; /* = name unless given */
    s3s_format_kind format;
    const char *strftime; /* for STRFTIME */
    const char *text;     /* canonical "name", "name=column", "name=column:format" */
} s3s_part_spec;

/* Parses "part[=column[:format]]" into the arena. */
s3store_status s3s_part_spec_parse(s3s_arena *arena, const char *text, s3s_part_spec *out,
                                   s3store_error *err);
/* Several; their names are checked too. */
s3store_status s3s_part_specs_parse(s3s_arena *arena, const char *const *texts, size_t count,
                                    s3s_part_spec **out, s3store_error *err);
bool s3s_part_spec_equal(const s3s_part_spec *a, const s3s_part_spec *b);

/* Appends the text form of one value. SCHEMA_MISMATCH for a type without text form,
 * INVALID_ARGUMENT for null; both name the column, the latter the row. */
s3store_status s3s_value_text(const s3s_column *column, int64_t row, const s3s_part_spec *spec,
                              s3s_buffer *out, s3store_error *err);

/* Rows by partition, keys in byte order, rows in input order inside each. */
typedef struct s3s_group {
    const char *key;
    s3s_row *rows;
    size_t row_count;
} s3s_group;
typedef struct s3s_groups {
    s3s_env *env;
    s3s_arena arena; /* keys */
    s3s_row *rows;   /* all rows, ordered by group; groups point into it */
    s3s_group *items;
    size_t count;
} s3s_groups;
typedef struct s3s_group_options {
    bool allow_unaddressable;
    /* Batches are looked at side by side, by so many threads; NULL: one after the other. Groups and
     * errors are the same. */
    s3s_pool *pool;
    size_t threads;
    const s3store_call *call;
} s3s_group_options;
/* Every value must obey the value rule, and be addressable unless allow_unaddressable. Missing
 * columns: INVALID_ARGUMENT naming the part and its column. Linear in rows; keys are made once for
 * each distinct combination, not once per row. */
s3store_status s3s_group_batches(s3s_env *env, const s3s_schema *schema,
                                 const struct ArrowArray *const *batches, size_t batch_count,
                                 const s3s_part_spec *specs, size_t spec_count,
                                 const s3s_group_options *options, s3s_groups *out,
                                 s3store_error *err);
/* The same by a function, which gives the key of each row into a buffer of S3S_KEY_SIZE bytes. names:
 * of the parts. */
typedef s3store_status (*s3s_row_key_fn)(void *ctx, size_t batch, int64_t row, char *key,
                                         s3store_error *err);
s3store_status s3s_group_by_function(s3s_env *env, const struct ArrowArray *const *batches,
                                     size_t batch_count, const char *const *names,
                                     size_t name_count, bool allow_unaddressable,
                                     s3s_row_key_fn fn, void *ctx, s3s_groups *out,
                                     s3store_error *err);
void s3s_groups_deinit(s3s_groups *groups);

/* The distinct combinations of values, as texts "name=value/...", and which of them each row has:
 * what groups are made of. A null in any of the columns leaves the row out. what: "view column",
 * for messages. */
#define S3S_NO_TUPLE UINT32_MAX
typedef struct s3s_tuples {
    s3s_env *env;
    s3s_arena arena; /* texts */
    const char **texts;
    size_t count;
    uint32_t *ids; /* of each row of all batches; S3S_NO_TUPLE = it was left out */
    size_t row_count;
} s3s_tuples;
s3store_status s3s_tuple_batches(s3s_env *env, const s3s_schema *schema,
                                 const struct ArrowArray *const *batches, size_t batch_count,
                                 const s3s_part_spec *specs, size_t spec_count,
                                 bool allow_unaddressable, const char *what, s3s_tuples *out,
                                 s3store_error *err);
void s3s_tuples_deinit(s3s_tuples *tuples);

#endif
