/* parquet/selection.h: what predicates leave of a row group: its rows, and the pages of a cursor's
 * leaves that hold them.
 */
#ifndef S3S_PARQUET_SELECTION_H
#define S3S_PARQUET_SELECTION_H

#include "parquet/page.h"
#include "parquet/prune.h"

typedef struct s3s_selection {
    bool known;
    s3s_buffer ranges; /* s3s_row_range */
    s3s_arena arena;
    /* Of each leaf (s3s_pq_page_location), where rows are left out and it is known to make sense;
     * else empty: its pages are found by their headers, one after the other. */
    s3s_thrift_list *pages; /* NULL = of none */
} s3s_selection;

s3store_status s3s_selection_make(s3s_selection *s, const s3s_prune *prune, s3s_parquet_file *file,
                                  size_t group, const s3s_leaf *const *leaves, size_t leaf_count,
                                  s3store_error *err);
void s3s_selection_deinit(s3s_selection *s);
int64_t s3s_selection_rows(const s3s_selection *s);

/* The pages of leaf i; count 0 = not known. */
static inline s3s_thrift_list s3s_selection_pages(const s3s_selection *s, size_t i)
{
    return s->pages != NULL ? s->pages[i] : (s3s_thrift_list){NULL, 0};
}
/* The page that holds a row. */
size_t s3s_selection_page_of(const s3s_thrift_list *pages, int64_t row);

/* Appends what reading the leaves needs (s3s_byte_range), in no order. */
s3store_status s3s_selection_bytes(const s3s_selection *s, const s3s_parquet_file *file,
                                   size_t group, const s3s_leaf *const *leaves, size_t leaf_count,
                                   s3s_buffer *out, s3store_error *err);

#endif
