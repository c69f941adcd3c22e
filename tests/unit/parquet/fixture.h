/* tests/unit/parquet/fixture.h: generated batches, files in memory, comparison. */
#ifndef S3S_TESTS_PARQUET_FIXTURE_H
#define S3S_TESTS_PARQUET_FIXTURE_H

#include "support/test.h"

#include "arrow/array.h"
#include "parquet/parquet.h"

/* A schema of one column for each flat type that is written, each nullable or none. */
s3s_schema *fixture_all_types(s3s_env *env, bool nullable);
/* Lists, structs and maps in each other, and a flat column between them; all of them nullable or
 * none, what is inside is mixed. */
s3s_schema *fixture_nested(s3s_env *env, bool nullable);
/* One column. */
s3s_schema *fixture_one(s3s_env *env, const char *name, s3s_type type, bool nullable);

typedef enum fixture_values {
    FIXTURE_RANDOM, /* anything the type holds */
    FIXTURE_FEW,    /* few distinct values: dictionaries pay */
    FIXTURE_SAME,   /* one value */
} fixture_values;

/* The same arguments give the same batch. Of 1000 rows null_permille are null (in nullable
 * columns). */
void fixture_batch(s3s_env *env, const s3s_schema *schema, int64_t rows, uint64_t seed,
                   unsigned null_permille, fixture_values values, struct ArrowArray *out);

/* Writes batches to memory. */
s3store_status fixture_write(s3s_env *env, s3s_schema *schema,
                             const s3s_parquet_write_options *options,
                             const struct ArrowArray *batches, size_t batch_count, s3s_buffer *out,
                             s3store_error *err);
/* Reads everything and compares it, row by row, with the batches. */
void fixture_expect(s3s_env *env, const s3s_buffer *file, const s3s_schema *schema,
                    const struct ArrowArray *batches, size_t batch_count, int64_t max_rows);
/* Reads everything; the batches must be valid whatever the file holds. memory_bytes 0 = default. */
s3store_status fixture_drain(s3s_env *env, const void *data, size_t size, uint64_t memory_bytes,
                             int64_t *rows, s3store_error *err);
/* A whole file of tests/data. */
void fixture_load(s3s_env *env, const char *path, s3s_buffer *out);

#endif
