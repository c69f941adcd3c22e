/* api/parquet_input.h: an open Parquet file, local or an object. Private to api/. */
#ifndef S3S_API_PARQUET_INPUT_H
#define S3S_API_PARQUET_INPUT_H

#include "api/api.h"
#include "api/parquet_ahead.h"
#include "datafile/datafile.h"

typedef struct s3s_parquet_input {
    s3s_env *env;
    char *place;
    /* a local file */
    int fd; /* -1 = none */
    s3s_parquet_file *local;
    s3s_parquet_cursor *local_cursor;
    s3s_pool *pool; /* for its columns; NULL = one core, or no memory for it */
    s3s_parquet_ahead *ahead; /* of more than one batch; NULL = not yet, or without */
    uint64_t ahead_bytes;
    /* an object */
    s3store_target *target;
    s3s_datafile *object;
    s3s_datafile_cursor *object_cursor;
    s3store_request_counts *requests; /* the caller's, or NULL */
    int64_t rows_left;                /* until the limit */
} s3s_parquet_input;

/* options in our size. Freed with s3s_parquet_input_free. */
s3store_status s3s_parquet_input_open(const char *place, const s3store_parquet_options *options,
                                      s3s_parquet_input **out, s3store_error *err);
void s3s_parquet_input_free(s3s_parquet_input *in);

s3s_parquet_file *s3s_parquet_input_file(const s3s_parquet_input *in);
/* Positions of the wanted columns; NULL = all of them. Freed by the caller with s3s_free. */
s3store_status s3s_parquet_input_columns(const s3s_parquet_input *in,
                                         const s3store_parquet_options *options,
                                         size_t **positions, s3store_error *err);
s3store_status s3s_parquet_input_begin(s3s_parquet_input *in, const size_t *columns,
                                       size_t column_count, int64_t max_rows, s3store_error *err);
const s3s_schema *s3s_parquet_input_schema(const s3s_parquet_input *in); /* after begin */
s3store_status s3s_parquet_input_next(s3s_parquet_input *in, struct ArrowArray *out,
                                      s3store_error *err);

#endif
