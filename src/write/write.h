/* write/write.h: columns -> partitions -> data, ref, commit -> result.
 *
 * The files in the order a record takes:
 *   writer.c        the call: rounds of reading, planning, publishing, spilling
 *   gather.c        the input piece by piece, converted to the recorded types
 *   plan.c          rows to partitions and chunks; tokens; keys checked before they are used
 *   group.c         the same partitions without writing
 *   rows.c          the rows of a chunk, held or in the spill file
 *   view_markers.c  the markers of views: found before the first request, put before the data
 *   publish.c       one chunk: HEAD, encode, PUT markers, data, ref, commit
 *   body.c          the bytes of a data object; the pool of their buffers, and of encoders
 *   commit.c        the fenced, arbitrated commit and what decides after a lost answer
 *   result.c        outcomes in key order
 *   progress.c      how far it has come, for a caller who wants to know
 *   lookup.c        asking for a commit, putting one into the stream again
 */
#ifndef S3S_WRITE_H
#define S3S_WRITE_H

#include "dataset/view.h"
#include "datafile/datafile.h"

#define S3S_ENCODERS_KEPT 8

struct s3store_writer {
    s3s_env *env;
    s3store_target *target;
    s3store_compression compression;
    bool allow_unaddressable;
    s3s_view_set views; /* as recorded when it was opened, and given */
    uint64_t pool_max_bytes;
    size_t encoders_max; /* at once */
    struct {
        s3s_mutex mutex;
        struct kept *pool; /* buffers of bodies that are kept: see body.c */
        s3s_datafile_encoder *encoders[S3S_ENCODERS_KEPT];
        size_t encoder_bytes[S3S_ENCODERS_KEPT];
        size_t encoder_count;
        uint64_t pool_bytes; /* of both */
    } locked;
};

/* As the public functions of the same names. */
s3store_status s3s_writer_open(s3store_target *target, const s3store_writer_options *options,
                               s3store_writer **out, s3store_error *err);
void s3s_writer_free(s3store_writer *writer);
s3store_status s3s_write(s3store_writer *writer, struct ArrowArrayStream *input,
                         const s3store_write_options *options, s3store_write_result **out,
                         s3store_error *err);
s3store_status s3s_group_by_partition(s3store_writer *writer, struct ArrowArrayStream *input,
                                      const s3store_write_options *options, s3store_groups **out,
                                      s3store_error *err);
s3store_status s3s_partition_key(const s3store_writer *writer, const struct ArrowSchema *schema,
                                 const struct ArrowArray *rows, int64_t row, char *key,
                                 size_t key_size, s3store_error *err);
s3store_status s3s_lookup_commit(s3store_target *target, const char *partition, const char *token,
                                 const s3store_call *call, s3store_write_result **out,
                                 s3store_error *err);
s3store_status s3s_restamp(s3store_target *target, const char *partition, const char *token,
                           const s3store_call *call, s3store_write_result **out,
                           s3store_error *err);

#endif
