/* parquet/file.h: an open file, inside. */
#ifndef S3S_PARQUET_FILE_H
#define S3S_PARQUET_FILE_H

#include "parquet/memory.h"
#include "parquet/metadata.h"
#include "parquet/parquet.h"
#include "parquet/schema.h"

/* Nothing changes after open but the budget's counter and the spare blocks: cursors may run side by
 * side. */
struct s3s_parquet_file {
    s3s_env *env;
    s3s_parquet_source source;
    char *name;
    s3s_budget budget;
    s3s_block_cache blocks; /* for pages on their way through decompression */
    s3s_block footer_bytes; /* texts of the footer point into it */
    s3s_arena arena;
    s3s_pq_footer footer;
    uint64_t footer_at; /* column chunks end here at the latest */
    bool spread_little;
    s3s_file_schema schema;
};

static inline const s3s_pq_row_group *s3s_parquet_group(const s3s_parquet_file *file, size_t group)
{
    return (const s3s_pq_row_group *)file->footer.row_groups.items + group;
}

/* Sorts ranges and merges those that are less than gap apart; returns how many are left. */
size_t s3s_byte_ranges_merge(s3s_byte_range *ranges, size_t count, uint64_t gap);

/* Puts the file's name and the column before the message, and the name into key. */
s3store_status s3s_parquet_in_column(s3store_error *err, const s3s_parquet_file *file,
                                     const char *column, s3store_status status);

#endif
