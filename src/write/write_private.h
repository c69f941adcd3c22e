/* write/write_private.h: what the files of write/ share. */
#ifndef S3S_WRITE_PRIVATE_H
#define S3S_WRITE_PRIVATE_H

#include "arrow/array.h"
#include "base/error.h"
#include "base/sync.h"
#include "dataset/partition.h"
#include "write/write.h"

/* ---- result.c -------------------------------------------------------------------------------- */

/* Where the texts of one commit are written once it has happened: room made beforehand, so that
 * nothing can fail after a partition is committed. */
typedef struct s3s_commit_texts {
    char *token, *ref, *data;
} s3s_commit_texts;

struct s3store_write_result {
    s3s_env *env;
    s3s_arena arena; /* texts of the commits */
    s3store_commit *commits;
    s3s_commit_texts *texts;
    size_t count;
};
/* count commits, zeroed (NOT_TRIED). */
s3store_status s3s_result_new(s3s_env *env, size_t count, s3store_write_result **out,
                              s3store_error *err);
/* Names commit i and makes room for its texts. token NULL: one of the length of an attempt id
 * comes. */
s3store_status s3s_result_name(s3store_write_result *result, size_t i, const s3s_layout *layout,
                               const char *partition, const char *token, int64_t row_count,
                               s3store_error *err);
/* The token of commit i, when it was generated. */
void s3s_result_set_token(s3store_write_result *result, size_t i, const char *token);
/* Fills state, paths, times and row count of commit i (named, its token set) from its marker.
 * DAMAGED_MARKER: a marker whose stamp no ref can have. Allocates nothing. */
s3store_status s3s_result_set(s3store_write_result *result, size_t i, const s3s_layout *layout,
                              s3store_commit_state state, const s3s_marker *marker,
                              s3store_error *err);
/* The error of commit i: allocated in its env, taken over. NULL: there was no memory for one. */
void s3s_result_set_error(s3store_write_result *result, size_t i, s3store_commit_state state,
                          s3store_error *error);
/* The status of the whole write by its commits (see s3store_write). stopped: why those not tried
 * were not. err: of the partition that decides. */
s3store_status s3s_result_status(const s3store_write_result *result, const s3store_error *stopped,
                                 s3store_error *err);

/* ---- gather.c: the input, in the recorded types, all in memory ------------------------------- */

typedef struct s3s_input {
    s3s_env *env;
    s3s_schema *incoming;      /* what the dataset is asked to admit */
    s3s_schema *schema;        /* what is written */
    struct ArrowArray *batches; /* owned, converted to schema */
    size_t batch_count, batch_capacity;
    int64_t row_count;
    uint64_t byte_count;
    size_t inserted_at; /* column of schema, SIZE_MAX = none; filled */
} s3s_input;
/* No request but those for the recorded schema, when it is not known yet. */
s3store_status s3s_input_gather(s3store_writer *writer, struct ArrowArrayStream *stream,
                                const s3store_write_options *options, const s3store_call *call,
                                int64_t inserted_at_us, s3s_input *out, s3store_error *err);
/* Records what the input adds to the dataset's schema. Batches keep their places. */
s3store_status s3s_input_admit(s3store_writer *writer, const s3store_call *call, s3s_input *input,
                               s3store_error *err);
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

/* ---- plan.c ---------------------------------------------------------------------------------- */

typedef struct s3s_plan_item {
    const char *partition;
    const char *token; /* the caller's for this partition, NULL = none */
    const s3s_row *rows;
    size_t row_count;
    s3s_marker_list markers;
} s3s_plan_item;

typedef struct s3s_plan {
    s3s_env *env;
    s3s_arena arena;
    s3s_groups groups;
    s3s_row *all_rows; /* when the caller names one partition */
    s3s_plan_item *items;
    size_t count;
    const struct ArrowArray **batches; /* of the input, as pointers */
} s3s_plan;
s3store_status s3s_plan_make(s3store_writer *writer, const s3s_input *input,
                             const s3store_write_options *options, s3s_plan *out,
                             s3store_error *err);
void s3s_plan_deinit(s3s_plan *plan);

/* ---- content_hash.c: docs/FORMAT.md "Content hash" ------------------------------------------- */

/* skip[i]: column i is left out. */
s3store_status s3s_content_hash(s3s_env *env, const s3s_schema *schema,
                                const struct ArrowArray *batch, const bool *skip, uint64_t *out,
                                s3store_error *err);

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

/* Publishes every item of the plan, side by side; outcomes go to the result. */
s3store_status s3s_publish_all(s3store_writer *writer, const s3s_input *input,
                               const s3s_plan *plan, const s3store_write_options *options,
                               const s3store_call *call, int64_t inserted_at_us,
                               s3store_write_result *result, s3store_error *err);

#endif
