/* parquet/nest.h: leaves of one nested column, with their levels, made into an Arrow array. */
#ifndef S3S_PARQUET_NEST_H
#define S3S_PARQUET_NEST_H

#include "parquet/leaf_reader.h"

/* Takes the first `rows` rows out of the readers of a column (those of leaves first_leaf, ...). */
s3store_status s3s_nest_take(s3s_leaf_reader *readers, size_t reader_count, size_t first_leaf,
                             const s3s_nest *nests, size_t nest_count, size_t rows,
                             struct ArrowArray *out, s3store_error *err);

#endif
