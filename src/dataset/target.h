/* dataset/target.h: an open dataset: its store with all layers, its paths, its settings, its
 * threads. The public s3store_target.
 */
#ifndef S3S_DATASET_TARGET_H
#define S3S_DATASET_TARGET_H

#include "base/pool.h"
#include "base/sync.h"
#include "dataset/config.h"
#include "dataset/layout.h"
#include "dataset/marker.h"
#include "objstore/objstore.h"

struct s3store_target {
    s3s_env *env;
    int refs; /* atomic */
    s3s_pool *pool;
    const s3store_object_store *store; /* the top of the stack: what everybody calls */
    s3store_object_store bottom, limit, retry, meter_layer, transfer;
    s3s_meter *meter;

    s3s_layout layout;
    struct s3s_metrics *metrics; /* also the env's */
    int64_t opened_us;           /* wall clock */
    char *url, *bucket, *consistency, *spill_dir;
    s3s_descriptor settings; /* descriptor merged with the caller's config */
    s3s_descriptor given;    /* the caller's; keeps text of settings alive */
    const char **part_names; /* of settings.parts */
    bool has_descriptor;

    int64_t commit_timeout_us, max_clock_skew_us;
    int max_inflight;
    uint64_t memory_bytes;
    s3store_fence fence;
    bool injected; /* the store is the caller's */
    bool local; /* not S3: a directory or memory; expiry is exact, clocks are one */

    struct s3s_known_markers *known_markers; /* of views (view.h) */

    /* The object that a probe puts once more, and its bytes. */
    const char *probe_name; /* S3S_CONFIG_... */
    s3s_buffer probe_body;

    /* What the server honours, found once by s3s_target_probe. */
    struct {
        s3s_mutex mutex;
        s3s_cond changed;
        int probe_state; /* 0 not begun, 1 under way, 2 done */
        bool conditional; /* If-None-Match is honoured */
        bool fenced;      /* commits can expire */
        uint32_t schema_version; /* newest known recorded schema; 0 = none known */
        s3s_schema *schema;
        bool schema_loaded;
    } locked;
};

/* A copy in our size of a struct that the caller's header may have made shorter. */
s3store_status s3s_target_config_copy(const s3store_target_config *config,
                                      s3store_target_config *out, s3store_error *err);

/* Everything that can be checked without a request: INVALID_ARGUMENT naming the member.
 * lookup_only: partition columns are not needed. */
s3store_status s3s_target_config_check(const s3store_target_config *config, bool lookup_only,
                                       s3store_error *err);

/* The handle with its stack of stores and without any request: timing and settings are empty.
 * config was checked and is in our size (env: as below). */
s3store_status s3s_target_new(s3s_env *env, const s3store_target_config *config,
                              s3store_target **out, s3store_error *err);

/* As s3store_target_open, with an env (retained; NULL = a new real one) and a pool of its own. */
s3store_status s3s_target_open(s3s_env *env, const s3store_target_config *config,
                               s3store_target **out, s3store_error *err);
/* The same handle without any request: timing and settings are empty, and nothing is known of what
 * is there. For those who want to find out why a target does not open. */
s3store_status s3s_target_unopened(s3s_env *env, const s3store_target_config *config,
                                   s3store_target **out, s3store_error *err);
s3store_target *s3s_target_retain(s3store_target *target);
void s3s_target_release(s3store_target *target);

/* Where other programs find an object: "s3://bucket/key", or the path of its file. UNSUPPORTED for
 * an injected store. */
s3store_status s3s_target_location(const s3store_target *target, const char *key, char *buffer,
                                   size_t buffer_size, s3store_error *err);

/* Finds out, once per target, whether the server honours If-None-Match and (unless fence is off,
 * the timing leaves no room) query-signed expiry. 1 conditional PUT; 2 when expiry is refused.
 * CLOCK_SKEW when it is refused and the clocks differ by more than the dataset allows. */
s3store_status s3s_target_probe(s3store_target *target, const s3store_call *call,
                                bool *conditional, bool *fenced, s3store_error *err);

/* BAD_CONFIG when neither the descriptor nor the caller named the partition columns: such a target
 * can be polled and read with "*", and nothing else. */
s3store_status s3s_target_need_parts(const s3store_target *target, s3store_error *err);

/* ---- the fence: until when a commit stamped r may be applied (FORMAT "Fenced commit") ------ */

/* A try sends its ref this long after it began to send its data at most (B of FORMAT "Fenced
 * commit"), so that who looks for orphans knows what can still become visible. */
#define S3S_TRY_BOUND_US (15 * 60 * INT64_C(1000000))

/* G, the granularity of expiry, and DL, the time a server may take to apply what arrived in time. 0
 * where the store checks and creates under one lock. */
int64_t s3s_fence_granularity_us(const s3store_target *target);
int64_t s3s_fence_allowance_us(const s3store_target *target);
/* CT + MCS + G + DL: how long after its stamp a fenced commit may still appear. */
int64_t s3s_settled_after_us(const s3store_target *target);
/* Whether the dataset's timing leaves room for a fence, and the caller did not turn it off. */
bool s3s_fence_possible(const s3store_target *target);
/* The window of a PUT for a stamp (wall clock): X = floor_s(r + CT - G - DL), from floor_s(r) -
 * ceil_s(MCS); exactly r + CT and r - MCS on a local store. */
void s3s_fence_window(const s3store_target *target, int64_t stamp_us, int64_t *valid_from_us,
                      int64_t *expires_at_us);

/* The newest recorded schema, from memory or (refresh, or never loaded) by 1 LIST + 1 GET. *schema
 * is retained for the caller, NULL when none is recorded. */
s3store_status s3s_target_schema(s3store_target *target, const s3store_call *call, bool refresh,
                                 uint32_t *version, s3s_schema **schema, s3store_error *err);
/* The highest number of a recorded version (0 = none; 1 LIST), and one version (1 GET). */
s3store_status s3s_schema_newest(s3store_target *target, const s3store_call *call,
                                 uint32_t *newest, s3store_error *err);
s3store_status s3s_schema_version_get(s3store_target *target, const s3store_call *call,
                                      uint32_t version, s3s_schema **out, s3store_error *err);
/* Makes sure that data of schema `incoming` may be written: evolves the recorded schema and records
 * the new version (conditional PUT; on a lost race reads the winner's and evolves again). *schema:
 * the schema to write with, retained. */
s3store_status s3s_target_admit_schema(s3store_target *target, const s3store_call *call,
                                       const s3s_schema *incoming, s3s_schema **schema,
                                       s3store_error *err);

/* HEAD of a commit marker. NOT_FOUND: not committed. info (may be NULL): Last-Modified and Date. */
s3store_status s3s_commit_head(s3store_target *target, const s3store_call *call,
                               const char *partition, const char *token, s3s_marker *out,
                               s3store_object_info *info, s3store_error *err);
/* The same for whom a marker that is there is a success: it stays when power fails (durable). */
s3store_status s3s_commit_confirm(s3store_target *target, const s3store_call *call,
                                  const char *partition, const char *token, s3s_marker *out,
                                  s3store_error *err);

/* A whole small object (at most max_size) as text in the buffer. */
s3store_status s3s_get_small(s3store_target *target, const s3store_call *call, const char *key,
                             size_t max_size, s3s_buffer *out, s3store_error *err);

/* s3store_dataset_init, with an env. */
s3store_status s3s_dataset_init(s3s_env *env, const s3store_target_config *config,
                                const s3store_init_options *options, bool *created,
                                s3store_error *err);

#endif
