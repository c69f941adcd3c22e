/* arrow/builder.h: building a batch value by value. The public s3store_builder is this. */
#ifndef S3S_ARROW_BUILDER_H
#define S3S_ARROW_BUILDER_H

#include "arrow/array.h"

/* s3store_builder with a schema of ours (retained) and an env. */
s3store_status s3s_builder_new(s3s_env *env, s3s_schema *schema, s3store_builder **out,
                               s3store_error *err);

/* C structs to a batch and back (docs: s3store_field). The schema of a record type: columns in
 * field order, named, typed, nullable as the fields say. */
s3store_status s3s_record_schema(s3s_env *env, const s3store_record_type *type, s3s_schema **out,
                                 s3store_error *err);
s3store_status s3s_records_to_batch(s3s_env *env, const s3s_schema *schema,
                                    const s3store_record_type *type, const void *records,
                                    size_t first, size_t count, struct ArrowArray *out,
                                    s3store_error *err);
/* Fills records [0, count) from rows [start, start + count) of a batch that has exactly the
 * record schema's columns (use s3s_batch_convert before). Strings are copied to arena (copy
 * true) or borrowed from the batch; CSTRINGs and pointer fields always live in the arena. */
s3store_status s3s_batch_to_records(const s3s_schema *schema, const struct ArrowArray *batch,
                                    int64_t start, size_t count, const s3store_record_type *type,
                                    void *records, bool copy, s3s_arena *arena,
                                    s3store_error *err);

#endif
