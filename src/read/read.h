/* read/read.h: everything that yields rows: a source (patterns, a range of the stream, entries)
 * and a form (Arrow stream, partitions, records).
 *
 * The functions serve the public ones of the same name one to one; option structs are complete
 * (the caller has dealt with their size) and may be NULL where that means all defaults. */
#ifndef S3S_READ_H
#define S3S_READ_H

#include "dataset/target.h"
#include "scan/scan.h"

/* The public s3store_reader. */
struct s3store_reader {
    s3s_env *env;           /* retained */
    s3store_target *target; /* retained */
    s3s_arena arena;
    const char **entity;
    size_t entity_count;
    const char *version; /* NULL = no dedup */
};

s3store_status s3s_reader_open(s3store_target *target, const s3store_reader_options *options,
                               s3store_reader **out, s3store_error *err);
void s3s_reader_free(s3store_reader *reader); /* NULL allowed */

s3store_status s3s_read_stream(s3store_reader *reader, const s3store_read_options *options,
                               struct ArrowArrayStream *out, s3store_error *err);
s3store_status s3s_read_partitions(s3store_reader *reader, const s3store_read_options *options,
                                   s3store_partition_iter **out, s3store_error *err);
s3store_status s3s_read_iter(s3store_reader *reader, const s3store_record_type *type,
                             const s3store_read_options *options, s3store_record_iter **out,
                             s3store_error *err);
s3store_status s3s_read_records(s3store_reader *reader, const s3store_record_type *type,
                                const s3store_read_options *options, s3store_records **out,
                                s3store_error *err);
/* Records from batches that come from elsewhere: each has exactly the columns of the record schema.
 * Freed with s3store_records_free. */
s3store_status s3s_records_new(s3s_env *env, s3store_records **out, s3store_error *err);
s3store_status s3s_records_add(s3store_records *records, const s3s_schema *schema,
                               const s3store_record_type *type, const struct ArrowArray *batch,
                               s3store_error *err);
s3store_status s3s_poll_records(s3store_reader *reader, const s3store_poll_options *poll_options,
                                const s3store_read_options *read_options,
                                s3store_entries **entries, struct ArrowArrayStream *rows,
                                s3store_error *err);
s3store_status s3s_list_files(s3store_target *target, const char *const *patterns,
                              size_t pattern_count, const s3store_call *call,
                              s3store_listing **out, s3store_error *err);

#endif
