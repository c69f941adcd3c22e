/* arrow/spill_file.h: batches in a temporary file without a name, for what memory does not hold. */
#ifndef S3S_ARROW_SPILL_FILE_H
#define S3S_ARROW_SPILL_FILE_H

#include "arrow/array.h"

typedef struct s3s_spill_file {
    int fd; /* -1 = not open */
    uint64_t size;
} s3s_spill_file;

/* In dir; nothing is left behind, also after a crash. IO naming the directory and its option. */
s3store_status s3s_spill_file_open(s3s_spill_file *file, const char *dir, s3store_error *err);
void s3s_spill_file_close(s3s_spill_file *file);
/* Appends a batch whose arrays begin at their buffers' beginning. */
s3store_status s3s_spill_file_write(s3s_env *env, s3s_spill_file *file, const char *dir,
                                    const s3s_schema *schema, const struct ArrowArray *batch,
                                    s3store_error *err);
/* Appends bytes of another kind: not in a file that batches are read from. */
s3store_status s3s_spill_file_append(s3s_spill_file *file, const char *dir, const void *data,
                                     size_t size, s3store_error *err);
/* The batch at *at, which moves behind it; END at the end. Any thread, also beside a write. */
s3store_status s3s_spill_file_read(s3s_env *env, const s3s_spill_file *file, const char *dir,
                                   const s3s_schema *schema, uint64_t *at, struct ArrowArray *out,
                                   s3store_error *err);
/* Gives the disk's space of [from, to) back, where the file system can; nobody reads it any more. */
void s3s_spill_file_discard(s3s_spill_file *file, uint64_t from, uint64_t to);

#endif
