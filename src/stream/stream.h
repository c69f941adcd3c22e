/* stream/stream.h: the change stream: refs after an offset, cut at the settle window, gated by
 * commit markers, as entries (docs/FORMAT.md "Stream"). */
#ifndef S3S_STREAM_H
#define S3S_STREAM_H

#include "dataset/fileset.h"
#include "dataset/target.h"

/* The public s3store_entries. Its accessors are in entries.c. */
struct s3store_entries {
    s3s_env *env; /* retained */
    s3s_arena arena;
    s3store_entry *items;
    size_t count, capacity;
    const char *next_offset;
    size_t pending;
    const char **skipped; /* keys of damaged markers */
    size_t skipped_count, skipped_capacity;
    const char **partition_keys; /* made when first asked for */
    size_t partition_key_count;
};

/* Building entries. Text is copied. */
s3store_status s3s_entries_new(s3s_env *env, s3store_entries **out, s3store_error *err);
s3store_status s3s_entries_add(s3store_entries *entries, const s3store_entry *entry,
                               s3store_error *err);
s3store_status s3s_entries_add_skipped(s3store_entries *entries, const char *key,
                                       s3store_error *err);
s3store_status s3s_entries_set_next(s3store_entries *entries, const char *offset,
                                    s3store_error *err);

/* OK when the text is NULL, "" or a place in the stream of this dataset, with exceptions or
 * without; else INVALID_ARGUMENT naming it. what: "since" or "until". */
s3store_status s3s_offset_check(const s3store_target *target, const char *offset, const char *what,
                                s3store_error *err);

/* The place before which everything is settled by now: OffsetAt(now - settle window). out holds
 * S3S_KEY_SIZE bytes. For the hand-over from a snapshot to the stream: taken before its first
 * LIST. */
s3store_status s3s_settled_offset(s3store_target *target, char *out, s3store_error *err);
int64_t s3s_settled_us(const s3store_target *target); /* its time */

/* The refs that the stream after settled_us may bring, or bring once more, whose data is in files:
 * those of a snapshot, which were looked for after s3s_settled_us. The next offset is the place
 * that passes them. */
s3store_status s3s_handover(s3store_target *target, const s3store_call *call, int64_t settled_us,
                            const s3s_file_set *files, s3store_entries **out, s3store_error *err);

/* s3store_poll and s3store_poll_range. options: complete (NULL = all defaults). */
s3store_status s3s_poll(s3store_target *target, const s3store_poll_options *options,
                        s3store_entries **out, s3store_error *err);
s3store_status s3s_poll_range(s3store_target *target, int64_t since_us, int64_t until_us,
                              const s3store_call *call, s3store_entries **out,
                              s3store_error *err);

/* The data files of entries: each once, sizes unknown. INVALID_ARGUMENT naming index and path
 * for an entry whose data path is not a data file of this dataset. */
s3store_status s3s_entries_file_set(const s3store_target *target, const s3store_entries *entries,
                                    s3s_file_set *out, s3store_error *err);

#endif
