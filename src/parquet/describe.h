/* parquet/describe.h: pieces of a description: lines of names and values, as JSON or text. */
#ifndef S3S_PARQUET_DESCRIBE_H
#define S3S_PARQUET_DESCRIBE_H

#include "parquet/file.h"

typedef struct s3s_lines {
    s3s_buffer line;
    bool json;
    s3s_parquet_line_sink sink;
    s3store_status status; /* sticky; END: the sink wants no more */
    s3store_error *err;
} s3s_lines;

/* {"kind":"page",... or, indented, "page ..." */
void s3s_line_begin(s3s_lines *l, unsigned indent, const char *kind);
void s3s_line_text(s3s_lines *l, const char *name, const void *data, size_t size);
void s3s_line_word(s3s_lines *l, const char *name, const char *word);
void s3s_line_int(s3s_lines *l, const char *name, int64_t value);
void s3s_line_words(s3s_lines *l, const char *name, const char *const *words, size_t count);
void s3s_line_end(s3s_lines *l);
/* What a piece of the line failed with ends the description; the first failure counts. */
void s3s_line_keep(s3s_lines *l, s3store_status status);
/* A line of free text. */
void s3s_line_plain(s3s_lines *l, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* "STRING", "DECIMAL(10,2)", "" for none; of the logical type, else of the converted one. */
const char *s3s_annotation_text(const s3s_pq_schema_element *element, char *buffer, size_t size);
/* A bound of statistics as a reader of the column would see it; not valid: it is not one. */
s3store_status s3s_bound_text(const s3s_leaf *leaf, const s3s_thrift_binary *bound, bool *valid,
                              s3s_buffer *out, s3store_error *err);

#endif
