/* write/write_private.h: what the files of write/ share. */
#ifndef S3S_WRITE_PRIVATE_H
#define S3S_WRITE_PRIVATE_H

#include "arrow/array.h"
#include "arrow/spill_file.h"
#include "arrow/stream.h"
#include "base/error.h"
#include "base/sync.h"
#include "dataset/content_hash.h"
#include "dataset/partition.h"
#include "write/write.h"

/* ---- result.c -------------------------------------------------------------------------------- */

/* One commit of a result, with the room for its texts: made beforehand, so that nothing can fail
 * after a partition is committed. */
typedef struct s3s_result_item {
    s3store_commit commit;
    char *token, *ref, *data;
} s3s_result_item;

struct s3store_write_result {
    s3s_env *env;
    s3s_arena arena; /* outcomes and their texts */
    s3s_result_item **outcomes;
    size_t count, capacity;
};
s3store_status s3s_result_new(s3s_env *env, s3store_write_result **out, s3store_error *err);
/* One more commit, NOT_TRIED, with room for its texts. token NULL: one of the length of an attempt id
 * comes. INVALID_ARGUMENT: one of its keys would be too long. */
s3store_status s3s_result_add(s3store_write_result *result, const s3s_layout *layout,
                              const char *partition, const char *token, int64_t row_count,
                              s3s_result_item **out, s3store_error *err);
/* Byte order of partitions, then chunks. */
void s3s_result_sort(s3store_write_result *result);
/* Whether anything is known of any commit. */
bool s3s_result_tells(const s3store_write_result *result);
/* The token, when it was generated. */
void s3s_outcome_set_token(s3s_result_item *outcome, const char *token);
/* Fills state, paths, times and row count (its token is set) from the marker. DAMAGED_MARKER: a marker
 * whose stamp no ref can have. Allocates nothing. */
s3store_status s3s_outcome_set(s3s_result_item *outcome, const s3s_layout *layout,
                               s3store_commit_state state, const s3s_marker *marker,
                               s3store_error *err);
/* error: allocated in the result's env, taken over. NULL: there was no memory for one. */
void s3s_outcome_set_error(s3s_result_item *outcome, s3store_commit_state state, s3store_error *error);
/* The status of the whole write by its commits (see s3store_write). is_read: the input, to its end.
 * stopped: why the rest was not tried, or not even read. err: of the partition that decides. */
s3store_status s3s_result_status(const s3store_write_result *result, bool is_read,
                                 const s3store_error *stopped, s3store_error *err);

/* ---- gather.c: the input in the recorded types, piece by piece -------------------------------- */

typedef struct s3s_input {
    s3s_env *env;
    s3store_writer *writer;
    const s3store_write_options *options;
    const s3store_call *call;
    int64_t inserted_at_us;

    s3s_stream_reader *reader;
    s3s_schema *source;        /* as it comes, the inserted-at column without values */
    s3s_shared_batch *incoming; /* the batch of the stream that pieces are taken from */
    int64_t incoming_at;

    s3s_schema *asked;         /* what the dataset is asked to admit */
    s3s_schema *schema;        /* what is written; NULL before the first row */
    s3s_schema *spilled;       /* what was written to the spill file, when that was another */
    size_t inserted_at;        /* column of schema, SIZE_MAX = none; filled */
    bool *skip;                /* columns that the content hash leaves out */
    size_t *blooms, *sorting;  /* positions of the options' columns */
    uint64_t row_width;
    bool has_nested; /* columns */

    struct ArrowArray *batches; /* held: owned, of schema */
    uint32_t **row_sizes;       /* of each batch */
    size_t batch_count, batch_capacity;
    int64_t held_rows;
    uint64_t held_bytes;
    int64_t row_count; /* so far, also of what is no longer held */
} s3s_input;

/* Takes the stream over, also on failure. What it points to must live as long. */
s3store_status s3s_input_open(s3store_writer *writer, struct ArrowArrayStream *stream,
                              const s3store_write_options *options, const s3store_call *call,
                              int64_t inserted_at_us, s3s_input *out, s3store_error *err);
/* Holds one more batch. END after the last. No request but those for the recorded schema, when it is
 * not known yet. */
s3store_status s3s_input_next(s3s_input *input, s3store_error *err);
/* Lets the held batches go. */
void s3s_input_drop(s3s_input *input);
/* Records what the input adds to the dataset's schema. Batches keep their places. */
s3store_status s3s_input_admit(s3s_input *input, s3store_error *err);
void s3s_input_deinit(s3s_input *input);

/* ---- view_markers.c: what views need of rows ------------------------------------------------- */

/* Keys of markers that are still to be put. Zeroed is none. */
typedef struct s3s_marker_list {
    s3s_buffer text; /* keys, each with its NUL */
    size_t count;
} s3s_marker_list;
void s3s_marker_list_deinit(s3s_marker_list *list);

/* The markers of all rows of some batches. */
typedef struct s3s_found_markers {
    s3s_env *env;
    s3s_arena arena;
    struct s3s_view_keys *views;
    size_t view_count;
    size_t *before; /* rows of the batches before each */
    uint32_t list_count;
    uint64_t noted_bytes, budget;
} s3s_found_markers;
/* Every value and every key is checked. No request. Without views it is empty. */
s3store_status s3s_markers_find(const s3store_writer *writer, const s3s_schema *schema,
                                const struct ArrowArray *const *batches, size_t batch_count,
                                s3s_found_markers *out, s3store_error *err);
void s3s_found_markers_deinit(s3s_found_markers *found);
/* Adds the keys that these rows need, each once. They stay in the list. */
s3store_status s3s_markers_note(s3s_found_markers *found, const s3s_row *rows, size_t row_count,
                                s3s_marker_list *list, s3store_error *err);
/* OK: all of them exist. */
s3store_status s3s_markers_put(s3store_writer *writer, const s3store_call *call,
                               const s3s_marker_list *list, s3store_error *err);

/* ---- plan.c: rows to partitions and chunks ---------------------------------------------------- */

/* The tokens of chunks after the first; the number has six digits. */
#define S3S_CHUNK_TOKEN "%s~%06u"
#define S3S_CHUNKS_MAX 999999

/* Where an input is cut. */
typedef struct s3s_limits {
    uint64_t rows, bytes;
} s3s_limits;

/* Rows of a chunk in the spill file. */
typedef struct s3s_extent {
    uint64_t from, to;
    bool old_types; /* written in the types of s3s_input.spilled */
} s3s_extent;

/* One commit to be. Its rows are those of the extents, then those held. */
typedef struct s3s_chunk {
    struct s3s_part *part;
    struct s3s_chunk *next; /* sealed after this one */
    uint32_t number; /* from 1 */
    bool more; /* another one follows */
    const char *token; /* NULL = generated */
    uint64_t row_count, byte_count;
    const s3s_row *rows;
    size_t held_count;
    s3s_extent *extents;
    size_t extent_count, extent_capacity;
    s3s_result_item *outcome;
    s3s_marker_list markers; /* of views, that its rows need */
} s3s_chunk;

typedef struct s3s_part {
    const char *key;
    const char *token; /* the caller's for this partition, NULL = none */
    s3s_limits limits;
    bool is_asked; /* for the commit of its first chunk */
    bool has_prior;
    s3s_marker prior;
    bool is_begun;  /* the first chunk is committed */
    bool is_failed; /* no more of it is published */
    bool is_recut;  /* while it was published a prior commit was found that is cut otherwise */
    s3s_chunk *open;
    s3s_chunk *sealed, **sealed_end;
    const s3s_row *rows; /* of the held batches, not yet cut */
    size_t row_count;
    uint64_t row_bytes; /* of those */
} s3s_part;

typedef struct s3s_plan {
    s3s_env *env;
    s3s_arena arena;
    s3s_part **parts; /* byte order of their keys */
    size_t count;
    s3s_groups groups;  /* of the held batches */
    s3s_row *all_rows;  /* when the caller names one partition */
    s3s_row *free_rows; /* rows that are cut again */
    const struct ArrowArray **batches; /* held, as pointers */
    s3s_found_markers found; /* of the held batches */
} s3s_plan;

/* ---- progress.c: what a caller is told while the write runs ------------------------------------ */

typedef struct s3s_progress {
    bool is_on; /* somebody asked */
    s3s_mutex mutex; /* held while the caller is told: one at a time, and the last is the latest */
    struct {
        s3store_write_progress now;
    } locked;
} s3s_progress;

/* One call of s3s_write. */
typedef struct s3s_write_call {
    s3s_env *env;
    s3store_writer *writer;
    s3store_target *target;
    const s3store_write_options *options;
    s3store_call call;
    int64_t inserted_at_us;
    int64_t began_us; /* monotonic */
    s3s_input input;
    s3s_plan plan;
    s3store_write_result *result;
    s3s_spill_file *spill; /* NULL = nothing was spilled */
    s3s_progress progress;
    bool is_admitted;
    bool conditional, fenced; /* what the server honours */
} s3s_write_call;

/* Takes the stream over, also on failure; end after both. options live as long. */
s3store_status s3s_write_call_begin(s3s_write_call *c, s3store_writer *writer,
                                    struct ArrowArrayStream *stream,
                                    const s3store_write_options *options, s3store_error *err);
void s3s_write_call_end(s3s_write_call *c);

s3store_status s3s_progress_begin(s3s_write_call *c, s3store_error *err);
/* Input was read, or planned. */
void s3s_progress_read(s3s_write_call *c);
/* The chunk has its commit. From any thread. */
void s3s_progress_commit(s3s_write_call *c, const s3s_chunk *chunk);
void s3s_progress_end(s3s_write_call *c);

/* This part of the budget is for pieces, pooled buffers and what is not counted. */
#define S3S_MEMORY_SLACK 8

void s3s_plan_init(s3s_plan *plan, s3s_env *env);
/* The held rows to their partitions. */
s3store_status s3s_plan_group(s3s_write_call *c, s3store_error *err);
/* Whether the rows of a new partition are more than its limits let into one chunk. */
bool s3s_plan_exceeds(const s3s_part *part);
/* The rows of every partition to chunks; ends: the last chunks are sealed too. */
s3store_status s3s_plan_cut(s3s_write_call *c, bool ends, s3store_error *err);
/* Takes the only chunk of a partition apart again and cuts it by the limits of the prior commit. */
s3store_status s3s_plan_cut_again(s3s_write_call *c, s3s_part *part, s3store_error *err);
/* A chunk that is over: its rows go. */
void s3s_chunk_clear(s3s_write_call *c, s3s_chunk *chunk);
void s3s_plan_deinit(s3s_plan *plan);

/* ---- arrange.c: held rows by partition ------------------------------------------------------- */

/* Sorts every held batch by partition, where that pays; the groups follow, and what they name, and in
 * which order, stays. Row numbers within a batch are others after that. */
s3store_status s3s_arrange_held(s3s_write_call *c, s3store_error *err);

/* ---- rows.c: the rows of a chunk, and the spill file ------------------------------------------ */

/* A walk over them in batches of bounded size. Zeroed but for the first two is the beginning. */
typedef struct s3s_chunk_cursor {
    const s3s_write_call *call;
    const s3s_chunk *chunk;
    size_t extent;
    uint64_t offset;
    size_t held;
} s3s_chunk_cursor;
s3store_status s3s_chunk_next(s3s_chunk_cursor *cursor, struct ArrowArray *out,
                              s3store_error *err); /* END */
/* Writes the held rows of every chunk to the spill file, and lets the held batches go. */
s3store_status s3s_spill_held(s3s_write_call *c, s3store_error *err);

/* ---- body.c: the bytes of one data object ----------------------------------------------------- */

/* In a buffer of the writer's pool, or in a temporary file that is mapped. Zeroed is none. */
typedef struct s3s_body {
    const void *data; /* once closed */
    size_t size;
    s3s_buffer buffer;
    s3s_spill_file *file; /* NULL = in memory */
    const char *dir;
} s3s_body;
s3store_status s3s_body_open(s3s_body *body, s3store_writer *writer, bool in_memory,
                             s3store_error *err);
/* Appends; ctx is the body. */
s3store_status s3s_body_write(void *ctx, const void *data, size_t size, s3store_error *err);
s3store_status s3s_body_close(s3s_body *body, s3store_error *err);
void s3s_body_free(s3s_body *body, s3store_writer *writer);
/* One that was kept, or a new one; give it back in any case (NULL allowed). */
s3store_status s3s_encoder_take(s3store_writer *writer, s3s_schema *schema,
                                const s3s_parquet_write_options *options, s3s_parquet_sink sink,
                                s3s_datafile_encoder **out, s3store_error *err);
void s3s_encoder_give(s3store_writer *writer, s3s_datafile_encoder *encoder, bool finished);
void s3s_body_pool_free(s3store_writer *writer);

/* ---- publish.c, commit.c --------------------------------------------------------------------- */

#define S3S_TRIES_MAX 3

/* A try is one attempt id with one stamp. */
typedef struct s3s_try {
    char attempt[S3S_ATTEMPT_ID_SIZE + 1];
    int64_t ref_micros;
    /* When the stamp was taken, or shortly before. Lateness is measured on the clock that runs on
     * while the machine is suspended, and that nobody sets. */
    int64_t stamp_mono_us, stamp_boot_us;
} s3s_try;

/* The publication of one partition's data under one token. */
typedef struct s3s_publication {
    s3store_target *target;
    const char *partition;
    const char *token;
    int64_t inserted_at_us;
    int64_t row_count;
    bool has_content_hash;
    uint64_t content_hash;
    uint64_t chunk_rows, chunk_bytes; /* of a first chunk that others follow; else 0 */
    bool conditional, fenced; /* what the server honours */
    s3s_try tries[S3S_TRIES_MAX];
    size_t try_count;
    /* A commit was sent and nobody knows what became of it. It may still appear, until (monotonic)
     * doubt_ends_us; INT64_MAX = at any time. */
    bool in_doubt;
    int64_t doubt_ends_us;
} s3s_publication;

/* Whose commit marker is there? */
typedef struct s3s_verdict {
    bool ours;      /* made by a try of this publication; else by another writer of the token */
    s3s_marker marker;
    int64_t seen_boot_us; /* when that was known */
} s3s_verdict;

/* Commits the last try: its ref is in place. err is not NULL here and below. Not OK: this try is
 * not known to be committed; *again: a new try may be. */
s3store_status s3s_commit_try(s3s_publication *p, s3s_verdict *verdict, bool *again,
                              s3store_error *err);

/* The end of a publication that failed after a commit was sent. failure: why, with err holding it.
 * OK: it was committed after all. failure: it is certain that nothing is. UNCERTAIN: it is not. */
s3store_status s3s_commit_conclude(s3s_publication *p, s3store_status failure,
                                   s3s_verdict *verdict, s3store_error *err);

/* Puts a fresh ref of a commit, fenced. COMMIT_AFTER_TIMEOUT: it is there, but came too late for
 * the stream. Any other failure: it could not be stored. *ref_micros: the new stamp. */
s3store_status s3s_restamp_ref(s3store_target *target, const char *partition, const char *token,
                               const s3s_marker *marker, bool fenced, int64_t *ref_micros,
                               s3store_error *err);

/* Asks for the first commit of new partitions, side by side, where how they are cut depends on it. */
s3store_status s3s_ask_prior(s3s_write_call *c, bool ends, s3store_error *err);
/* Publishes every sealed chunk, partitions side by side; outcomes go to the result. */
s3store_status s3s_publish_sealed(s3s_write_call *c, s3store_error *err);

#endif
