/* Made-up tables for the Parquet figures: each shows one thing that files are made of. */
#ifndef BENCH_PARQUET_DATA_H
#define BENCH_PARQUET_DATA_H

#include "arrow/array.h"

typedef struct data_set {
    const char *name;
    int64_t rows; /* unless others are asked for */
    s3s_schema *(*schema)(s3s_env *env);
} data_set;

/* NULL when there is none of that name. */
const data_set *data_find(const char *name);
/* One after the other; NULL after the last. */
const data_set *data_at(size_t i);
/* Rows [start, start + rows) of the table: the same arguments give the same batch. */
void data_batch(s3s_env *env, const s3s_schema *schema, int64_t start, int64_t rows,
                struct ArrowArray *out);
/* Bytes of the buffers that hold a batch's rows: what "Arrow-sized" means in figures. */
uint64_t data_bytes(const s3s_field *field, const struct ArrowArray *array);

#endif
