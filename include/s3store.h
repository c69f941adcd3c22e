/* s3store.h: append-only, versioned data storage on S3.
 *
 * Everything public, in reading order: simple things first. The model in five sentences:
 *
 *   A *dataset* is a prefix in a bucket (or a directory). A *write* turns records into one Parquet
 *   object for each partition, then leaves a *ref* (the bucket is its own change stream) and a
 *   *commit marker* (the write becomes visible wholly, or never). A *snapshot read* lists the
 *   objects that match patterns and returns the latest version of each entity, or the history.
 *   *Poll* returns the commits after an offset, in order. The library never deletes or rewrites.
 *
 * Rules that hold everywhere, unless a declaration says otherwise:
 *
 *   Status    Functions that can fail return s3store_status; S3STORE_OK is 0. The last argument is
 *             a caller-owned s3store_error, or NULL. On success it is left as it was.
 *   Output    `T **out` is yours: free it with T's free function. `const T *` is borrowed and lives
 *             as long as the object it came from. On failure outputs are NULL or zero, except where
 *             said (a write's result comes also with COMMIT_AFTER_TIMEOUT and PARTIAL).
 *   Threads   Targets, writers, readers and stores may be used from many threads at once. Streams,
 *             iterators, builders and results belong to one thread at a time. Handles do not
 *             survive fork().
 *   Options   Structs that begin with `size` grow over time: zero them (or use the _INIT macro) and
 *             set `size` to sizeof. NULL options mean all defaults. Zero means default.
 *   Text      UTF-8, NUL-terminated, copied by the callee unless said.
 *   Times     int64 microseconds since the Unix epoch (suffix _us); S3STORE_TIME_NONE = not given.
 *   Silence   The library prints nothing, exits never, installs no signal handler, and logs only
 *             through the callback that the caller sets.
 *
 * The format on the wire is specified in docs/FORMAT.md; errors in docs/ERRORS.md.
 */
#ifndef S3STORE_H
#define S3STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "s3store/arrow_abi.h"

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define S3STORE_API __attribute__((visibility("default")))
#define S3STORE_MUST_CHECK __attribute__((warn_unused_result))
#else
#define S3STORE_API
#define S3STORE_MUST_CHECK
#endif

/* ---- 1. Version, status, error -------------------------------------------------------------- */

#define S3STORE_VERSION_MAJOR 0
#define S3STORE_VERSION_MINOR 1
#define S3STORE_VERSION_PATCH 0

/* The version of the linked library, "MAJOR.MINOR.PATCH". Static text. */
S3STORE_API const char *s3store_version(void);

/* What a function reports; the full list with texts is s3store/status.def. */
typedef enum s3store_status {
#define S3STORE_STATUS_ENTRY(name, value, retry, text) S3STORE_##name = value,
#include "s3store/status.def"
#undef S3STORE_STATUS_ENTRY
} s3store_status;

/* The name ("TOKEN_REUSED") and the meaning of a status. Static text, never NULL. */
S3STORE_API const char *s3store_status_name(s3store_status status);
S3STORE_API const char *s3store_status_text(s3store_status status);

/* Whether repeating the same call later can help. */
S3STORE_API bool s3store_status_can_retry(s3store_status status);

/* What failed, where. Fixed size, owned by the caller; fields that do not apply are 0 or "". */
typedef struct s3store_error {
    s3store_status status;
    int http_status;       /* of the last answer of the server */
    int32_t retry_after_ms; /* its Retry-After header; 0 = none */
    int64_t server_date_us; /* its Date header; 0 = none */
    char s3_code[64];      /* the S3 error code, "NoSuchBucket" */
    char request_id[64];   /* x-amz-request-id */
    char key[1088];        /* object key, file or URL that it is about */
    char message[1024];    /* what was being done, what happened, what can be done; one line */
} s3store_error;

/* ---- 2. Constants, and the one table of defaults ---------------------------------------------- */

#define S3STORE_TIME_NONE INT64_MIN /* no time given */

#define S3STORE_COMMIT_TIMEOUT_FLOOR_US 1000       /* a dataset's commit timeout is at least 1 ms */
#define S3STORE_COMMIT_TIMEOUT_ADVISORY_US 8000000 /* below 8 s a warning is logged at open */
#define S3STORE_MAX_CLOCK_SKEW_FLOOR_US 0
#define S3STORE_TOKEN_MAX_BYTES 200         /* idempotency token */
#define S3STORE_TOKEN_CHUNKED_MAX_BYTES 193 /* token of a write that may be cut into chunks */
#define S3STORE_KEY_MAX_BYTES 1024          /* any object key */
#define S3STORE_OFFSET_MAX_BYTES (16 << 20) /* place in the stream after an exactly-once snapshot */
#define S3STORE_VIEW_KEY_MAX_BYTES 1000     /* key of a view marker */
#define S3STORE_POLL_PAGE_MAX 1000          /* refs asked for in one LIST */

#define S3STORE_DEFAULT_MAX_INFLIGHT 32                   /* requests at once, per target */
#define S3STORE_DEFAULT_MEMORY_BYTES (256u * 1024 * 1024) /* budget of one write or read */
#define S3STORE_DEFAULT_CHUNK_ROWS 1000000                /* of one commit, at most */
#define S3STORE_DEFAULT_CHUNK_BYTES (128u * 1024 * 1024)
#define S3STORE_DEFAULT_ENCODE_POOL_BYTES (48u * 1024 * 1024) /* kept between writes, per writer */
#define S3STORE_DEFAULT_READ_AHEAD_PARTITIONS 1
#define S3STORE_READ_AHEAD_NONE (-1) /* "0 partitions ahead" where 0 means default */
#define S3STORE_DEFAULT_POLL_MAX 1000
#define S3STORE_DEFAULT_COMMIT_TIMEOUT_US 15000000 /* that init writes on s3:// */
#define S3STORE_DEFAULT_MAX_CLOCK_SKEW_US 1000000

/* Values of the Consistency-Control header (StorageGRID; other servers ignore it). Any text is
 * accepted and sent; an unknown one is logged once. NULL or "" means strong-global. */
#define S3STORE_CONSISTENCY_ALL "all"
#define S3STORE_CONSISTENCY_STRONG_GLOBAL "strong-global"
#define S3STORE_CONSISTENCY_STRONG_SITE "strong-site"
#define S3STORE_CONSISTENCY_READ_AFTER_NEW_WRITE "read-after-new-write"
#define S3STORE_CONSISTENCY_AVAILABLE "available"

/* Compression of data objects. DEFAULT: the dataset's own, else snappy. */
typedef enum s3store_compression {
    S3STORE_COMPRESSION_DEFAULT = 0,
    S3STORE_COMPRESSION_SNAPPY = 1,
    S3STORE_COMPRESSION_ZSTD = 2,
    S3STORE_COMPRESSION_GZIP = 3,
    S3STORE_COMPRESSION_UNCOMPRESSED = 4,
} s3store_compression;

/* ---- 3. Cancellation -------------------------------------------------------------------------- */

/* A cancellation token: trigger it from any thread and every call that was given it ends with
 * CANCELLED within 100 ms, except a write that has already stored its data: that one finishes
 * publishing within its own time limit. Not async-signal-safe: use a thread with sigwait(). */
typedef struct s3store_cancel s3store_cancel;

/* A new token, not triggered. */
S3STORE_API S3STORE_MUST_CHECK s3store_status s3store_cancel_new(s3store_cancel **out,
                                                                 s3store_error *err);
/* For good; a second time changes nothing. */
S3STORE_API void s3store_cancel_trigger(s3store_cancel *cancel);
S3STORE_API bool s3store_cancel_is_triggered(const s3store_cancel *cancel);
/* NULL is allowed. Not while a call still uses it. */
S3STORE_API void s3store_cancel_free(s3store_cancel *cancel);

/* ---- 4. Injected services: log, object store, metrics -------------------------------------------- */

typedef enum s3store_log_level {
    S3STORE_LOG_OFF = 0,
    S3STORE_LOG_ERROR = 1,
    S3STORE_LOG_WARN = 2,
    S3STORE_LOG_INFO = 3,
    S3STORE_LOG_DEBUG = 4,
} s3store_log_level;

typedef struct s3store_log_field {
    const char *key;
    const char *value;
} s3store_log_field;

/* Receives one log record; called from any thread; everything is borrowed for the call. */
typedef void (*s3store_log_fn)(void *ctx, s3store_log_level level, const char *message,
                               const s3store_log_field *fields, size_t field_count);

/* The limits of one request: who may cancel it, and until when it may take. */
typedef struct s3store_call {
    s3store_cancel *cancel; /* NULL = nobody */
    int64_t deadline_us;    /* CLOCK_MONOTONIC; S3STORE_TIME_NONE = none */
    bool durable;           /* What is said to be there stays there when power fails now: a store that can
                             * see more than it has on disk syncs first. */
} s3store_call;

typedef struct s3store_metadata_entry {
    const char *name;  /* lower case, without "x-amz-meta-" */
    const char *value; /* printable ASCII */
} s3store_metadata_entry;

/* User metadata of an object, as an answer: fixed size, self-contained. */
#define S3STORE_METADATA_MAX_ENTRIES 24
#define S3STORE_METADATA_MAX_TEXT 4096
typedef struct s3store_metadata {
    size_t count;
    size_t text_size;
    struct {
        uint16_t name;  /* offsets into text */
        uint16_t value;
    } entries[S3STORE_METADATA_MAX_ENTRIES];
    char text[S3STORE_METADATA_MAX_TEXT];
} s3store_metadata;

/* The value of one entry, or NULL. Borrowed from m. Names compare without case. */
S3STORE_API const char *s3store_metadata_get(const s3store_metadata *m, const char *name);
/* Adds a copy of one entry (the name in lower case); false when it does not fit. */
S3STORE_API bool s3store_metadata_add(s3store_metadata *m, const char *name, const char *value);

/* PutObject. */
typedef struct s3store_put_request {
    size_t size;
    const char *key;
    const void *body; /* may be NULL when body_size is 0 */
    size_t body_size;
    const s3store_metadata_entry *metadata;
    size_t metadata_count;
    bool if_none_match;    /* If-None-Match: * ; the object must not exist (else ALREADY_EXISTS) */
    bool fenced;           /* the two times below apply: the server refuses the request after
                              expires_at_us with PERMISSION_DENIED and leaves nothing */
    int64_t valid_from_us; /* wall clock; whole seconds on S3 */
    int64_t expires_at_us; /* wall clock; whole seconds on S3 */
} s3store_put_request;

typedef struct s3store_put_reply {
    char etag[72];   /* without quotes; "" = none */
    int64_t date_us; /* the server's clock when it answered; S3STORE_TIME_NONE = unknown */
} s3store_put_reply;

/* Where the bytes of a GET go. begin is called when the first byte is about to come, and again when
 * everything comes again: it discards what was written before. (A body that broke off goes on
 * where it was, without begin.) total is the number of bytes to come, -1 = unknown. Any status but
 * OK ends the GET with it. One call at a time, not always from the same thread. */
typedef struct s3store_sink {
    s3store_status (*begin)(struct s3store_sink *sink, int64_t total, s3store_error *err);
    s3store_status (*write)(struct s3store_sink *sink, const void *data, size_t size,
                            s3store_error *err);
    void *ctx;
} s3store_sink;

/* GetObject: all of it, [offset, offset + length), or the last suffix bytes. */
#define S3STORE_LENGTH_ALL UINT64_MAX
typedef struct s3store_get_request {
    size_t size;
    const char *key;
    uint64_t offset;
    uint64_t length;      /* S3STORE_LENGTH_ALL = to the end */
    uint64_t suffix;      /* > 0: the last bytes; offset and length are ignored */
    const char *if_match; /* an ETag the object must have, NULL = any */
} s3store_get_request;

typedef struct s3store_object_info {
    uint64_t object_size;     /* of the whole object, also for a range; UINT64_MAX = not said (HEAD) */
    int64_t last_modified_us; /* S3STORE_TIME_NONE = unknown */
    int64_t date_us;          /* the server's clock when it answered; S3STORE_TIME_NONE = unknown */
    char etag[72];
    s3store_metadata metadata;
} s3store_object_info;

/* ListObjectsV2, one page. Keys come in byte order, strictly after start_after. */
typedef struct s3store_list_request {
    size_t size;
    const char *prefix;       /* "" = all */
    const char *start_after;  /* NULL = from the start; ignored with a continuation */
    const char *continuation; /* from the previous page's reply, NULL = first page */
    const char *delimiter;    /* NULL = none */
    uint32_t max_keys;        /* 0 = the server's default (1000) */
} s3store_list_request;

typedef struct s3store_list_entry {
    const char *key; /* an object, or a common prefix when is_prefix; borrowed for the call */
    bool is_prefix;
    uint64_t object_size;
    int64_t last_modified_us;
} s3store_list_entry;

/* Called for each entry after the page was received whole; false = skip the rest of the page. */
typedef bool (*s3store_list_fn)(void *ctx, const s3store_list_entry *entry);

#define S3STORE_CONTINUATION_MAX 4096
typedef struct s3store_list_reply {
    bool truncated; /* more pages follow: ask again with continuation */
    char continuation[S3STORE_CONTINUATION_MAX];
    int64_t date_us;
} s3store_list_reply;

/* An object that is uploaded in parts: it is there, wholly, when its upload was completed. */
#define S3STORE_UPLOAD_ID_MAX 1024
#define S3STORE_PARTS_MAX 10000
typedef struct s3store_part_request {
    size_t size;
    const char *key;
    const char *upload_id;
    uint32_t number; /* 1 to S3STORE_PARTS_MAX: the order of the parts in the object */
    const void *body;
    size_t body_size;
} s3store_part_request;

typedef struct s3store_complete_request {
    size_t size;
    const char *key;
    const char *upload_id;
    const s3store_put_reply *parts; /* the replies for the parts 1, 2, ... */
    size_t part_count;
} s3store_complete_request;

/* ListMultipartUploads, one page: uploads that were begun and neither completed nor aborted. */
typedef struct s3store_list_uploads_request {
    size_t size;
    const char *prefix;           /* "" = all */
    const char *after_key;        /* from the previous page's reply, like the next; NULL = first */
    const char *after_upload_id;
} s3store_list_uploads_request;

typedef struct s3store_upload {
    const char *key; /* borrowed for the call, like upload_id */
    const char *upload_id;
    int64_t initiated_us; /* S3STORE_TIME_NONE = unknown */
} s3store_upload;

/* Called for each upload after the page was received whole; false = skip the rest of the page. */
typedef bool (*s3store_upload_fn)(void *ctx, const s3store_upload *upload);

typedef struct s3store_list_uploads_reply {
    bool truncated; /* more pages follow, after these: */
    char next_key[S3STORE_KEY_MAX_BYTES + 1];
    char next_upload_id[S3STORE_UPLOAD_ID_MAX];
    int64_t date_us;
} s3store_list_uploads_reply;

/* The port to storage. Keys are whole keys of the bucket. Every function may be called from many
 * threads, honours call (NULL = no limits), and fails with the statuses that its line names, plus
 * UNAVAILABLE, TIMEOUT, CANCELLED, PERMISSION_DENIED, NO_CREDENTIALS, OUT_OF_MEMORY, IO.
 *
 *   put     ALREADY_EXISTS (condition), CONFLICT (409), UNCERTAIN (sent, no answer).
 *           The reply's date is filled on failure too, where the server said it (err as well).
 *   get     NOT_FOUND, ALREADY_EXISTS for a failed if_match
 *   head    NOT_FOUND
 *   list    an empty page for a prefix without keys
 *   remove  OK also when there was nothing
 *
 * The last five may be NULL, all of them: the store takes objects whole only. The very last one may
 * be NULL alone: nobody can ask what was left behind.
 *
 *   create_multipart    begins an upload: key and metadata count, no condition, no fence.
 *                       upload_id has room for S3STORE_UPLOAD_ID_MAX bytes. UNSUPPORTED
 *   put_part            NOT_FOUND: no such upload
 *   complete_multipart  NOT_FOUND (also when it was completed before), UNCERTAIN
 *   abort_multipart     OK also when there was nothing
 *   list_multipart      UNSUPPORTED
 *
 * A GET that fails after its sink was begun has filled info (what the answer said of the object).
 *
 * A store that is injected must be linearizable per key, list what was put before the list began,
 * and be atomic: an object is there wholly or not at all. */
typedef struct s3store_object_store {
    size_t size;
    void *impl;
    s3store_status (*put)(void *impl, const s3store_call *call, const s3store_put_request *request,
                          s3store_put_reply *reply, s3store_error *err);
    s3store_status (*get)(void *impl, const s3store_call *call, const s3store_get_request *request,
                          s3store_sink *sink, s3store_object_info *info, s3store_error *err);
    s3store_status (*head)(void *impl, const s3store_call *call, const char *key,
                           s3store_object_info *info, s3store_error *err);
    s3store_status (*list)(void *impl, const s3store_call *call,
                           const s3store_list_request *request, s3store_list_fn fn, void *fn_ctx,
                           s3store_list_reply *reply, s3store_error *err);
    s3store_status (*remove)(void *impl, const s3store_call *call, const char *key,
                             s3store_error *err);
    void (*free)(void *impl); /* NULL = nothing to free; not called for injected stores */
    const char *name;         /* "s3", "file", "memory": for messages */
    s3store_status (*create_multipart)(void *impl, const s3store_call *call,
                                       const s3store_put_request *request, char *upload_id,
                                       s3store_error *err);
    s3store_status (*put_part)(void *impl, const s3store_call *call,
                               const s3store_part_request *request, s3store_put_reply *reply,
                               s3store_error *err);
    s3store_status (*complete_multipart)(void *impl, const s3store_call *call,
                                         const s3store_complete_request *request,
                                         s3store_put_reply *reply, s3store_error *err);
    s3store_status (*abort_multipart)(void *impl, const s3store_call *call, const char *key,
                                      const char *upload_id, s3store_error *err);
    s3store_status (*list_multipart)(void *impl, const s3store_call *call,
                                     const s3store_list_uploads_request *request,
                                     s3store_upload_fn fn, void *fn_ctx,
                                     s3store_list_uploads_reply *reply, s3store_error *err);
} s3store_object_store;

/* An object store in memory, for tests of programs that use this library. The store outlives the
 * targets on it; free it last. */
S3STORE_API S3STORE_MUST_CHECK s3store_status
s3store_memory_store_new(s3store_object_store **out, s3store_error *err);
S3STORE_API void s3store_memory_store_free(s3store_object_store *store);

/* What a series is: of a counter its value, of a histogram how many observations fell where. */
typedef enum s3store_metric_kind {
    S3STORE_METRIC_COUNTER = 1,         /* only grows */
    S3STORE_METRIC_UP_DOWN_COUNTER = 2, /* how many there are now */
    S3STORE_METRIC_HISTOGRAM = 3,
} s3store_metric_kind;

typedef struct s3store_metric_label {
    const char *name; /* "s3store.operation" */
    const char *value;
} s3store_metric_label;

/* One series of an instrument; everything is borrowed for the call that hands it out. Names, labels
 * and buckets are listed in docs/FORMAT.md. */
typedef struct s3store_metric {
    const char *name; /* "s3store.s3.request.duration" */
    const char *unit; /* "s", "By", "{request}" */
    const char *description;
    s3store_metric_kind kind;
    const s3store_metric_label *labels;
    size_t label_count;
    int64_t value;        /* counters */
    uint64_t count;       /* histograms: observations, and their sum in the unit */
    double sum;
    const double *bounds; /* upper bounds of the buckets; one more has the rest */
    size_t bound_count;
    const uint64_t *bucket_counts; /* bound_count + 1, each for itself */
} s3store_metric;

/* Receives series; false = no more of them. */
typedef bool (*s3store_metric_fn)(void *ctx, const s3store_metric *metric);

/* Is told of every observation when it is made: what was added to a counter, or observed. Of the
 * series name, unit, description, kind and labels are set. Called from any thread, on the path of
 * requests: it must be quick, and not call the library. */
typedef struct s3store_metrics_sink {
    size_t size;
    void *ctx;
    void (*observe)(void *ctx, const s3store_metric *series, double value);
} s3store_metrics_sink;

/* ---- 5. Validation rules and text forms, usable alone ------------------------------------------ */

/* A duration in the grammar of Go's time.ParseDuration ("15s", "1h30m", "1.5s"), in nanoseconds. */
S3STORE_API S3STORE_MUST_CHECK s3store_status s3store_duration_parse(const char *text, int64_t *ns,
                                                                     s3store_error *err);

/* RFC 3339 with zone, to microseconds (finer digits are cut), and back in UTC with 0, 3 or 6
 * fraction digits, the fewest that are exact. buffer: at least S3STORE_TIME_TEXT_SIZE bytes. */
#define S3STORE_TIME_TEXT_SIZE 40
S3STORE_API S3STORE_MUST_CHECK s3store_status s3store_time_parse(const char *text, int64_t *time_us,
                                                                 s3store_error *err);
S3STORE_API void s3store_time_format(int64_t time_us, char *buffer, size_t buffer_size);

/* Idempotency token: 1 to 200 bytes of 0x21..0x7E without '/', ';' and "..". */
S3STORE_API S3STORE_MUST_CHECK s3store_status s3store_token_validate(const char *token,
                                                                     s3store_error *err);

/* Names of partition columns or view columns: at least one, none empty, no '=' or '/', distinct. */
S3STORE_API S3STORE_MUST_CHECK s3store_status
s3store_key_parts_validate(const char *const *names, size_t name_count, s3store_error *err);

/* A partition key "a=1/b=2" against the part names. */
S3STORE_API S3STORE_MUST_CHECK s3store_status
s3store_partition_key_validate(const char *const *names, size_t name_count, const char *key,
                               s3store_error *err);

/* A pattern: "" or "*" (everything), else one segment for each part: "*", "name=value",
 * "name=prefix*", "name=from..to" (from included, to not; either may be empty). */
S3STORE_API S3STORE_MUST_CHECK s3store_status
s3store_pattern_validate(const char *const *names, size_t name_count, const char *pattern,
                         s3store_error *err);

/* ---- 6. The target: one dataset ----------------------------------------------------------------- */

typedef enum s3store_addressing {
    S3STORE_ADDRESSING_AUTO = 0, /* virtual-host on AWS names, path where an endpoint is given */
    S3STORE_ADDRESSING_PATH = 1,
    S3STORE_ADDRESSING_VIRTUAL = 2,
} s3store_addressing;

typedef enum s3store_fence {
    S3STORE_FENCE_AUTO = 0, /* commits expire with the commit timeout where the server checks it */
    S3STORE_FENCE_OFF = 1,
} s3store_fence;

/* Which dataset, how to reach it. Only url (or store and prefix) is needed.
 *
 *   url   s3://bucket/prefix, or file:///dir/prefix (the last segment is the prefix; one trailing
 *         slash is dropped; ?fsync=0 trades durability for speed, for tests).
 *
 * Settings left NULL or 0 come from the environment under the names the AWS tools use
 * (AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL, AWS_REGION, AWS_PROFILE, AWS_ACCESS_KEY_ID, ...), then
 * from the shared config files, then from the defaults of section 2. */
typedef struct s3store_target_config {
    size_t size;
    const char *url;
    /* Instead of url: an injected store (borrowed, outlives the target) and the dataset's prefix,
     * used verbatim. bucket is then only a name for messages. */
    const s3store_object_store *store;
    const char *bucket;
    const char *prefix;

    /* The partition columns in order, each "part[=column[:format]]". NULL: from the dataset's
     * descriptor. Given and recorded must agree. */
    const char *const *partition_by;
    size_t partition_by_count;

    /* Entity and version columns (both or neither), inserted-at column. NULL: the descriptor's. */
    const char *const *entity;
    size_t entity_count;
    const char *version;
    const char *inserted_at_column;

    /* S3 */
    const char *endpoint_url;
    const char *region;
    const char *profile;
    const char *access_key_id; /* with secret_access_key, and session_token for temporary ones */
    const char *secret_access_key;
    const char *session_token;
    s3store_addressing addressing;
    const char *ca_bundle;  /* PEM file */
    bool no_verify_tls;     /* logged as a warning */
    bool no_sign_request;   /* anonymous */
    const char *consistency; /* S3STORE_CONSISTENCY_..., NULL = strong-global */

    /* Limits */
    int max_inflight;       /* <= 0: 32 */
    uint64_t memory_bytes;  /* 0: 256 MiB */
    const char *spill_dir;  /* NULL: TMPDIR, else /tmp */

    s3store_fence fence;
    s3store_log_fn log; /* NULL = silent */
    void *log_ctx;
    s3store_log_level log_level; /* OFF = silent */

    s3store_cancel *cancel; /* of opening */
    int64_t timeout_ms;     /* of opening; 0 = none */

    const s3store_metrics_sink *metrics; /* borrowed, outlives the target; NULL = none */
} s3store_target_config;

#define S3STORE_TARGET_CONFIG_INIT {.size = sizeof(s3store_target_config)}

/* Checks everything that can be checked without a request. lookup_only: partition columns are not
 * needed. */
S3STORE_API S3STORE_MUST_CHECK s3store_status s3store_target_config_validate(
    const s3store_target_config *config, bool lookup_only, s3store_error *err);

typedef struct s3store_target s3store_target;

/* Opens a dataset: 2 GETs of its timing configuration and 1 of its descriptor (none is fine: the
 * partition columns must be given then). NOT_INITIALISED when the timing objects are missing. */
S3STORE_API S3STORE_MUST_CHECK s3store_status s3store_target_open(
    const s3store_target_config *config, s3store_target **out, s3store_error *err);
/* Writers, readers and streams hold the target they were made from: free it at any time. */
S3STORE_API void s3store_target_free(s3store_target *target);

/* Accessors; no request. Text is borrowed from the target. */
S3STORE_API const char *s3store_target_url(const s3store_target *target);
S3STORE_API const char *s3store_target_bucket(const s3store_target *target);
S3STORE_API const char *s3store_target_prefix(const s3store_target *target);
S3STORE_API const s3store_object_store *s3store_target_store(const s3store_target *target);
S3STORE_API size_t s3store_target_partition_part_count(const s3store_target *target);
S3STORE_API const char *s3store_target_partition_part(const s3store_target *target, size_t i);
/* The same with column and format: "day=time:day". */
S3STORE_API const char *s3store_target_partition_spec(const s3store_target *target, size_t i);
S3STORE_API size_t s3store_target_entity_column_count(const s3store_target *target);
S3STORE_API const char *s3store_target_entity_column(const s3store_target *target, size_t i);
S3STORE_API const char *s3store_target_version_column(const s3store_target *target); /* or NULL */
S3STORE_API const char *s3store_target_inserted_at_column(const s3store_target *target); /* or NULL */
S3STORE_API const char *s3store_target_consistency(const s3store_target *target);
S3STORE_API s3store_compression s3store_target_compression(const s3store_target *target);
S3STORE_API int64_t s3store_target_commit_timeout_us(const s3store_target *target);
S3STORE_API int64_t s3store_target_max_clock_skew_us(const s3store_target *target);
S3STORE_API int64_t s3store_target_settle_window_us(const s3store_target *target); /* their sum */
S3STORE_API int s3store_target_max_inflight(const s3store_target *target);
S3STORE_API bool s3store_target_has_descriptor(const s3store_target *target);

/* What the requests of a target have cost so far. */
typedef struct s3store_request_counts {
    size_t size;
    uint64_t put, get, head, list, remove;
    uint64_t retries;
    uint64_t bytes_sent, bytes_received; /* bodies */
    uint64_t connections_opened, connections_reused; /* S3 only; of each request one */
    uint64_t listed;       /* keys and prefixes that LIST requests brought: 1000 a page at most */
    uint64_t data_objects; /* that were to be read: those of the plans of all reads so far */
    /* Requests that came one after the other: one that begins after another has ended, for whatever
     * reason, is one more; those side by side are one. Times the latency: about the time waited. */
    uint64_t round_trips;
} s3store_request_counts;
S3STORE_API void s3store_target_request_counts(const s3store_target *target,
                                               s3store_request_counts *out);

/* Every series of the target, instrument by instrument. Recorded all the time, for nothing when nobody
 * looks. No request. */
S3STORE_API void s3store_target_metrics(const s3store_target *target, s3store_metric_fn fn,
                                        void *ctx);

typedef enum s3store_metrics_format {
    S3STORE_METRICS_PROMETHEUS = 0, /* the text exposition format */
    S3STORE_METRICS_OTLP_JSON = 1,  /* one export request of OTLP/HTTP */
} s3store_metrics_format;

/* Gets text in pieces; false = no more of it. */
typedef bool (*s3store_text_fn)(void *ctx, const char *text, size_t size);

/* The same as text, in one piece. No request. */
S3STORE_API S3STORE_MUST_CHECK s3store_status
s3store_target_metrics_text(const s3store_target *target, s3store_metrics_format format,
                            s3store_text_fn write, void *ctx, s3store_error *err);

/* Where metrics are sent to. NULL members come from the environment: OTEL_EXPORTER_OTLP_METRICS_ENDPOINT,
 * or OTEL_EXPORTER_OTLP_ENDPOINT with "/v1/metrics"; OTEL_EXPORTER_OTLP_METRICS_HEADERS, or
 * OTEL_EXPORTER_OTLP_HEADERS; OTEL_SERVICE_NAME ("s3store"). */
typedef struct s3store_metrics_push_options {
    size_t size;
    const char *url;     /* of the collector, with its path */
    const char *headers; /* "name=value,name=value", percent-encoded */
    const char *service_name;
    const s3store_call *call;
} s3store_metrics_push_options;
#define S3STORE_METRICS_PUSH_OPTIONS_INIT {.size = sizeof(s3store_metrics_push_options)}

/* Sends a snapshot to an OpenTelemetry collector: OTLP/HTTP in JSON, one POST, no repetition. 10 s at
 * most, or OTEL_EXPORTER_OTLP_TIMEOUT ms. INVALID_ARGUMENT: nobody said where to. UNAVAILABLE: no
 * answer, or one that is no success. */
S3STORE_API S3STORE_MUST_CHECK s3store_status
s3store_target_metrics_push(const s3store_target *target,
                            const s3store_metrics_push_options *options, s3store_error *err);

/* The recorded schema, newest version: 1 LIST + 1 GET. version is 0 and out is left released when
 * none is recorded. */
S3STORE_API S3STORE_MUST_CHECK s3store_status
s3store_target_schema(s3store_target *target, const s3store_call *call, uint32_t *version,
                      struct ArrowSchema *out, s3store_error *err);

/* Creates a dataset, or adopts a prefix that has data or timing objects already. The same call
 * twice succeeds; a contradiction with what is recorded is an error and changes nothing. */
typedef struct s3store_view_def s3store_view_def; /* section 9 */
typedef struct s3store_init_options {
    size_t size;
    int64_t commit_timeout_us; /* S3STORE_TIME_NONE or 0: 15 s; 1 s on file:// */
    int64_t max_clock_skew_us; /* S3STORE_TIME_NONE: 1 s; 0 s on file:// */
    s3store_compression compression;
    const struct ArrowSchema *schema; /* column types to record as version 1, borrowed; NULL = none */
    const s3store_call *call;
    /* Views to record, by columns. A dataset that exists gets others with s3store_view_add. */
    const s3store_view_def *const *views;
    size_t view_count;
    uint64_t chunk_rows;  /* where a large input is cut into several commits of a partition; recorded */
    uint64_t chunk_bytes; /* when not 0. Writers use S3STORE_DEFAULT_CHUNK_... where nothing is said */
} s3store_init_options;
#define S3STORE_INIT_OPTIONS_INIT                                                                  \
    {.size = sizeof(s3store_init_options),                                                         \
     .commit_timeout_us = S3STORE_TIME_NONE,                                                       \
     .max_clock_skew_us = S3STORE_TIME_NONE}

/* created: whether anything was written; may be NULL. config names the partition, entity, version
 * and inserted-at columns. */
S3STORE_API S3STORE_MUST_CHECK s3store_status
s3store_dataset_init(const s3store_target_config *config, const s3store_init_options *options,
                     bool *created, s3store_error *err);

/* ---- 7. Records as C structs -------------------------------------------------------------------- */

typedef enum s3store_kind {
    S3STORE_KIND_BOOL = 1, /* bool */
    S3STORE_KIND_INT8,
    S3STORE_KIND_INT16,
    S3STORE_KIND_INT32,
    S3STORE_KIND_INT64,
    S3STORE_KIND_UINT8,
    S3STORE_KIND_UINT16,
    S3STORE_KIND_UINT32,
    S3STORE_KIND_UINT64,
    S3STORE_KIND_FLOAT,
    S3STORE_KIND_DOUBLE,
    S3STORE_KIND_STRING,    /* s3store_bytes, UTF-8 */
    S3STORE_KIND_CSTRING,   /* const char *: a UTF-8 column; reading a value with a NUL inside fails */
    S3STORE_KIND_BINARY,    /* s3store_bytes */
    S3STORE_KIND_DATE,      /* int32_t, days since 1970-01-01 */
    S3STORE_KIND_TIMESTAMP, /* int64_t in unit, UTC */
    S3STORE_KIND_LIST,      /* s3store_list of values of the field's kind `item`, which are never null */
} s3store_kind;

typedef enum s3store_time_unit {
    S3STORE_UNIT_MICRO = 0,
    S3STORE_UNIT_MILLI = 1,
    S3STORE_UNIT_NANO = 2,
    S3STORE_UNIT_SECOND = 3,
} s3store_time_unit;

/* Borrowed bytes. */
typedef struct s3store_bytes {
    const void *data;
    size_t size;
} s3store_bytes;

/* Borrowed values, one after the other: int64_t for S3STORE_KIND_INT64, const char * for
 * S3STORE_KIND_CSTRING, and so on. Read lists live as long as their rows. */
typedef struct s3store_list {
    const void *items; /* aligned for their kind; may be NULL when count is 0 */
    size_t count;
} s3store_list;

/* How a field says null. */
typedef enum s3store_null {
    S3STORE_NULL_REFUSED = 0, /* never null; a null that is read is an error */
    S3STORE_NULL_FLAG = 1,    /* the bool at flag_offset is true when the value is null */
    S3STORE_NULL_POINTER = 2, /* the field is a pointer to the value; NULL = null */
    S3STORE_NULL_ZERO = 3,    /* a null that is read becomes zero (a list: empty; in a list: a zero);
                                 writing never gives null */
} s3store_null;

typedef struct s3store_field {
    const char *name; /* column */
    s3store_kind kind;
    size_t offset; /* offsetof(struct, member) */
    s3store_null null;
    size_t flag_offset; /* of the bool, for S3STORE_NULL_FLAG */
    s3store_time_unit unit;
    s3store_kind item; /* of S3STORE_KIND_LIST: any kind but that; unit is that of the items */
} s3store_field;

/* Binds a C struct to columns. All pointers are borrowed while the type is in use: make it static. */
typedef struct s3store_record_type {
    size_t size;
    size_t record_size; /* sizeof the struct */
    const s3store_field *fields;
    size_t field_count;
} s3store_record_type;

#define S3STORE_RECORD_TYPE(type, field_table)                                                     \
    {.size = sizeof(s3store_record_type),                                                          \
     .record_size = sizeof(type),                                                                  \
     .fields = (field_table),                                                                      \
     .field_count = sizeof(field_table) / sizeof((field_table)[0])}

/* ---- 8. Records as Arrow: a small builder --------------------------------------------------------
 *
 * Any producer of the Arrow C Data Interface works. For programs without one, this builds batches
 * column by column. Append the same number of values to every column, then finish. */
typedef struct s3store_builder s3store_builder;

/* The schema (borrowed for the call) is a struct whose children are the columns. */
S3STORE_API S3STORE_MUST_CHECK s3store_status
s3store_builder_new(const struct ArrowSchema *schema, s3store_builder **out, s3store_error *err);
S3STORE_API void s3store_builder_free(s3store_builder *builder);
/* Integers, dates (days) and timestamps (in the column's unit); the range is checked. */
S3STORE_API S3STORE_MUST_CHECK s3store_status s3store_builder_append_int(s3store_builder *builder,
                                                                         size_t column,
                                                                         int64_t value,
                                                                         s3store_error *err);
S3STORE_API S3STORE_MUST_CHECK s3store_status s3store_builder_append_uint(s3store_builder *builder,
                                                                          size_t column,
                                                                          uint64_t value,
                                                                          s3store_error *err);
S3STORE_API S3STORE_MUST_CHECK s3store_status
s3store_builder_append_double(s3store_builder *builder, size_t column, double value,
                              s3store_error *err);
S3STORE_API S3STORE_MUST_CHECK s3store_status s3store_builder_append_bool(s3store_builder *builder,
                                                                          size_t column, bool value,
                                                                          s3store_error *err);
/* String (UTF-8 is checked) and binary columns. */
S3STORE_API S3STORE_MUST_CHECK s3store_status
s3store_builder_append_bytes(s3store_builder *builder, size_t column, const void *data, size_t size,
                             s3store_error *err);
S3STORE_API S3STORE_MUST_CHECK s3store_status s3store_builder_append_null(s3store_builder *builder,
                                                                          size_t column,
                                                                          s3store_error *err);
/* Nested columns have a builder of their own for what is in them: a struct for its members, a list for
 * its elements (one column), a map for its entries (two columns: key and value). It is the column's:
 * never free it, never finish it. NULL for a flat column.
 *
 * Append to it what the next value consists of - of each member one value; of a list any number - and
 * then the value itself, by s3store_builder_append_nested. A null is appended as for other columns, and
 * nothing to what is below it. */
S3STORE_API s3store_builder *s3store_builder_child(s3store_builder *builder, size_t column);
S3STORE_API S3STORE_MUST_CHECK s3store_status
s3store_builder_append_nested(s3store_builder *builder, size_t column, s3store_error *err);
/* Rows completed so far (the shortest column) and bytes held. */
S3STORE_API size_t s3store_builder_rows(const s3store_builder *builder);
S3STORE_API size_t s3store_builder_bytes(const s3store_builder *builder);
/* Moves what was appended out as one struct array; the builder is empty and usable again. */
S3STORE_API S3STORE_MUST_CHECK s3store_status s3store_builder_finish(s3store_builder *builder,
                                                                     struct ArrowArray *out,
                                                                     s3store_error *err);

/* Makes a schema: children are added with the format strings of the Arrow C Data Interface
 * ("l" int64, "u" string, "tsu:UTC" timestamp...). Release it with its own release. What is in a nested
 * column ("+s" struct, "+l" list, "+m" map) is added to it: s3store_schema_add(schema.children[i], ...).
 * A list has one child; a map has one, a "+s" that is not nullable, whose children are the key (not
 * nullable) and the value. */
S3STORE_API S3STORE_MUST_CHECK s3store_status s3store_schema_new(size_t column_capacity,
                                                                 struct ArrowSchema *out,
                                                                 s3store_error *err);
S3STORE_API S3STORE_MUST_CHECK s3store_status s3store_schema_add(struct ArrowSchema *schema,
                                                                 const char *name,
                                                                 const char *format, bool nullable,
                                                                 s3store_error *err);

/* The same by the name of the type, as messages and `s3store info` have it: "int64", "timestamp(us, UTC)",
 * "decimal(18, 2)", "json", "list<string>", "struct<a: int64, b: list<double>>", "map<string, int64>". */
S3STORE_API S3STORE_MUST_CHECK s3store_status s3store_schema_add_type(struct ArrowSchema *schema,
                                                                      const char *name,
                                                                      const char *type,
                                                                      bool nullable,
                                                                      s3store_error *err);
/* The name of a column's type. What does not fit is cut; empty for one that is not supported. Returns
 * buffer. */
S3STORE_API const char *s3store_type_text(const struct ArrowSchema *column, char *buffer,
                                          size_t buffer_size);

/* Marks a column with an Arrow extension type: "arrow.json" (a string that holds JSON text). */
S3STORE_API S3STORE_MUST_CHECK s3store_status
s3store_schema_set_extension(struct ArrowSchema *schema, size_t column, const char *extension,
                             s3store_error *err);

/* A stream over batches that already exist. Takes schema and every array over (they are left
 * released), also on failure. */
S3STORE_API S3STORE_MUST_CHECK s3store_status
s3store_stream_from_batches(struct ArrowSchema *schema, struct ArrowArray *batches,
                            size_t batch_count, struct ArrowArrayStream *out, s3store_error *err);

/* ---- 9. Writing ----------------------------------------------------------------------------------- */

typedef struct s3store_writer s3store_writer;

/* Views. A view is an index by names: every write leaves an empty object, a *marker*, for each
 * distinct tuple of the view's columns, before its data. A lookup (section 12) lists markers and
 * reads no data. Markers are never removed.
 *
 * A view is defined by columns, each "name[=column[:format]]" like a partition column; such a view
 * can be recorded in the dataset (s3store_init_options, s3store_view_add), and then every writer of
 * this library that is opened later keeps it. Or by a function on a record: such a view is known
 * only to those who give it. A row with a null in one of the columns has no marker. */

/* What a view's function gives: one value for each column of the view, in their order, or none at
 * all for a record without marker. Values are copied. Add as many as you like: another number than
 * that of the columns is an error afterwards, and so is a value that no key can hold. */
typedef struct s3store_view_row s3store_view_row;
S3STORE_API void s3store_view_row_add(s3store_view_row *row, const void *data, size_t size);
/* record is of the definition's record_type, borrowed for the call. A failure fails the write. Called
 * from the writing thread, and by a backfill from several threads at once. */
typedef s3store_status (*s3store_view_fn)(void *ctx, const void *record, s3store_view_row *row,
                                          s3store_error *err);

struct s3store_view_def {
    size_t size;
    const char *name; /* not empty, no '/' */
    const char *const *columns;
    size_t column_count;
    s3store_view_fn of; /* NULL = by columns; else columns are only names */
    void *of_ctx;
    const s3store_record_type *record_type; /* what `of` is called with: the columns it needs */
};
#define S3STORE_VIEW_DEF_INIT {.size = sizeof(s3store_view_def)}

/* Checks a definition alone: names, columns, formats. */
S3STORE_API S3STORE_MUST_CHECK s3store_status s3store_view_validate(const s3store_view_def *def,
                                                                    s3store_error *err);

/* What s3store_writer_open is told. Opening costs 1 LIST of schema versions (+ 1 GET), 1 LIST of views (+ 1 GET for each), and
 * once per process and target two probes of what the server honours (1 HEAD, 1 conditional PUT). */
typedef struct s3store_writer_options {
    size_t size;
    s3store_compression compression; /* DEFAULT: the dataset's */
    bool allow_unaddressable; /* accept values in keys that no pattern can name exactly */
    const s3store_call *call;
    /* Views beside those that are recorded; of one that is recorded too the columns must agree. */
    const s3store_view_def *const *views;
    size_t view_count;
    uint64_t encode_pool_bytes; /* memory of encoded objects kept for the next ones; 0: 48 MiB */
} s3store_writer_options;
#define S3STORE_WRITER_OPTIONS_INIT {.size = sizeof(s3store_writer_options)}

/* A writer of the target, which it holds: free either first. BAD_CONFIG names a schema version that
 * cannot be used. */
S3STORE_API S3STORE_MUST_CHECK s3store_status
s3store_writer_open(s3store_target *target, const s3store_writer_options *options,
                    s3store_writer **out, s3store_error *err);
S3STORE_API void s3store_writer_free(s3store_writer *writer);
S3STORE_API s3store_target *s3store_writer_target(const s3store_writer *writer); /* borrowed */

/* Gives the token of one partition: writes at most token_size - 1 bytes and a NUL into token. Rows
 * are the partition's, as a struct array (borrowed for the call). May be called from any thread. An
 * input that memory does not hold comes in several parts: the function is then asked for each, and must
 * give the same token. */
typedef s3store_status (*s3store_token_fn)(void *ctx, const char *partition,
                                           const struct ArrowSchema *schema,
                                           const struct ArrowArray *rows, char *token,
                                           size_t token_size, s3store_error *err);

/* Gives the partition key ("day=2018-02-07") of one row of rows: writes at most key_size - 1 bytes and a
 * NUL into key. input_row: its number in the whole input, from 0. Called once for each row, in order. */
typedef s3store_status (*s3store_partition_fn)(void *ctx, const struct ArrowSchema *schema,
                                               const struct ArrowArray *rows, int64_t row,
                                               int64_t input_row, char *key, size_t key_size,
                                               s3store_error *err);
/* The same of a C struct, for s3store_write_records. */
typedef s3store_status (*s3store_partition_record_fn)(void *ctx, const void *record, char *key,
                                                      size_t key_size, s3store_error *err);

/* How far a write has come. */
typedef struct s3store_write_progress {
    size_t size;
    uint64_t rows_read;            /* of the input */
    uint64_t rows_committed;       /* visible by now, those of prior commits of the token included */
    uint64_t bytes_stored;         /* of the data objects that this call committed */
    uint64_t commits;
    uint64_t partitions;           /* that the input has named so far */
    uint64_t partitions_committed; /* of which at least the first commit is there */
} s3store_write_progress;

/* Told after each piece of input and each commit; from any thread, one at a time. Be quick: the write
 * waits. */
typedef void (*s3store_write_progress_fn)(void *ctx, const s3store_write_progress *progress);

typedef struct s3store_write_options {
    size_t size;
    const char *partition;        /* everything goes to this partition; NULL = by columns */
    const char *token;            /* idempotency token; NULL = none, "" is an error */
    s3store_token_fn token_of;    /* or a token for each partition; not both */
    void *token_of_ctx;
    int64_t inserted_at_us;       /* S3STORE_TIME_NONE: now */
    s3store_compression compression; /* DEFAULT: the writer's */
    bool optimistic;              /* skip the HEAD before a write with token; the commit decides. Not
                                     on a server that ignores If-None-Match: there it asks first */
    bool keep_going;              /* a failed partition does not stop those not yet begun */
    bool dry_run;                 /* partitions, rows and keys, with no request */
    bool accept_different;        /* a token committed with other data: its result, no error */
    s3store_cancel *cancel;
    int64_t timeout_ms; /* 0 = none; honoured until the data is stored */
    bool no_token; /* without a token: an input may be cut into several commits all the same, though
                      repeating it would write the rows once more */
    s3store_partition_fn partition_of; /* instead of by columns; not with partition */
    s3store_partition_record_fn partition_of_record; /* s3store_write_records only */
    void *partition_of_ctx;
    s3store_write_progress_fn progress; /* NULL = nobody */
    void *progress_ctx;
    /* Columns that get a bloom filter in each row group of the data files, of at most 1 MiB, so that
     * reads with a predicate on them leave row groups out. A column that the input lacks:
     * INVALID_ARGUMENT. */
    const char *const *bloom_columns;
    size_t bloom_column_count;
    /* Flat columns that the input is sorted by within each partition, ascending, nulls first: recorded
     * in the data files for other readers. That it is so is the caller's word. */
    const char *const *sorting_columns;
    size_t sorting_column_count;
} s3store_write_options;
#define S3STORE_WRITE_OPTIONS_INIT                                                                 \
    {.size = sizeof(s3store_write_options), .inserted_at_us = S3STORE_TIME_NONE}

typedef enum s3store_commit_state {
    S3STORE_COMMIT_NOT_TRIED = 0,
    S3STORE_COMMIT_DONE = 1,     /* by this call */
    S3STORE_COMMIT_EXISTING = 2, /* the token was committed before: its original result */
    S3STORE_COMMIT_LATE = 3,     /* durable, but stream readers may have passed: restamp */
    S3STORE_COMMIT_FAILED = 4,   /* error says why, and whether the outcome is UNCERTAIN */
    S3STORE_COMMIT_PLANNED = 5,  /* dry run */
} s3store_commit_state;

/* "committed", "existing", "committed_late", "failed", "not_tried", "planned". Static text. */
S3STORE_API const char *s3store_commit_state_name(s3store_commit_state state);

/* The outcome for one partition. Text is owned by the result it belongs to; NULL where it does not
 * apply (a failed partition has no paths). */
typedef struct s3store_commit {
    s3store_commit_state state;
    const char *partition;
    const char *token;     /* the caller's, or the generated one */
    const char *offset;    /* place in the stream: equal to ref_path */
    const char *data_path; /* key of the data object */
    const char *ref_path;
    int64_t inserted_at_us;
    int64_t row_count;
    uint64_t size_bytes;   /* of the data object; 0 = unknown (existing) */
    const s3store_error *error; /* FAILED and LATE; else NULL */
    uint32_t chunk; /* from 1, where the partition has several commits; else 0 */
} s3store_commit;

/* Outcomes in byte order of the partition keys. */
typedef struct s3store_write_result s3store_write_result;
S3STORE_API size_t s3store_write_result_count(const s3store_write_result *result);
S3STORE_API const s3store_commit *s3store_write_result_get(const s3store_write_result *result,
                                                           size_t i);
S3STORE_API void s3store_write_result_free(s3store_write_result *result); /* NULL allowed */

/* Writes a stream of struct arrays; the stream is consumed and released, also on failure. Nothing
 * is visible of a partition until all of it is. No rows: OK and an empty result, nothing written.
 *
 * OK: every partition is committed (state DONE or EXISTING). COMMIT_AFTER_TIMEOUT: all are, at least
 * one LATE. PARTIAL: some are not. Any other status: nothing is committed. *out is set in the first
 * three cases, and whenever there is a per-partition outcome to tell. */
S3STORE_API S3STORE_MUST_CHECK s3store_status
s3store_write(s3store_writer *writer, struct ArrowArrayStream *input,
              const s3store_write_options *options, s3store_write_result **out, s3store_error *err);

/* The same with C structs; borrowed during the call, never changed. */
S3STORE_API S3STORE_MUST_CHECK s3store_status
s3store_write_records(s3store_writer *writer, const s3store_record_type *type, const void *records,
                      size_t record_count, const s3store_write_options *options,
                      s3store_write_result **out, s3store_error *err);

/* The partition key of one row of a batch (both borrowed), by columns. key_size: at least
 * S3STORE_KEY_MAX_BYTES + 1. No request. */
S3STORE_API S3STORE_MUST_CHECK s3store_status
s3store_partition_key(const s3store_writer *writer, const struct ArrowSchema *schema,
                      const struct ArrowArray *rows, int64_t row, char *key, size_t key_size,
                      s3store_error *err);

/* What a write would divide its input into, without writing: partitions in byte order of their keys,
 * rows in input order. The stream is consumed; the rows must fit the memory budget. Of options,
 * partition and partition_of count. */
typedef struct s3store_groups s3store_groups;
S3STORE_API S3STORE_MUST_CHECK s3store_status
s3store_group_by_partition(s3store_writer *writer, struct ArrowArrayStream *input,
                           const s3store_write_options *options, s3store_groups **out,
                           s3store_error *err);
S3STORE_API size_t s3store_groups_count(const s3store_groups *groups); /* 0 for NULL */
/* Key (NULL beyond the last) and number of rows of group i. */
S3STORE_API const char *s3store_groups_key(const s3store_groups *groups, size_t i);
S3STORE_API int64_t s3store_groups_rows(const s3store_groups *groups, size_t i);
/* The rows of group i as a stream of one batch, yours; it may outlive groups. */
S3STORE_API S3STORE_MUST_CHECK s3store_status
s3store_groups_stream(const s3store_groups *groups, size_t i, struct ArrowArrayStream *out,
                      s3store_error *err);
S3STORE_API void s3store_groups_free(s3store_groups *groups); /* NULL allowed */

/* Whether (partition, token) is committed, and its result: one commit, or those of all its chunks.
 * NOT_FOUND: it is not. One HEAD, and one more for each chunk. */
S3STORE_API S3STORE_MUST_CHECK s3store_status
s3store_lookup_commit(s3store_target *target, const char *partition, const char *token,
                      const s3store_call *call, s3store_write_result **out, s3store_error *err);

/* Puts a committed write into the stream once more, at its end: for commits that came LATE. */
S3STORE_API S3STORE_MUST_CHECK s3store_status
s3store_restamp(s3store_target *target, const char *partition, const char *token,
                const s3store_call *call, s3store_write_result **out, s3store_error *err);

/* ---- 10. The change stream -------------------------------------------------------------------------
 *
 * An offset is text: the key of a ref, or what s3store_offset_at makes, or "" for the beginning. It
 * means "after this". (The one of a snapshot that was read for exactly-once names commits to pass,
 * before that key: s3store_read_options.handover.) Entries become visible one settle window after they were stamped; from then on
 * nothing is ever inserted before them. */

typedef struct s3store_entry {
    const char *offset; /* equal to ref_path */
    const char *partition;
    const char *data_path;
    const char *ref_path;
    int64_t inserted_at_us; /* the stamp in the ref */
    int64_t row_count;
} s3store_entry;

typedef struct s3store_entries s3store_entries;
S3STORE_API size_t s3store_entries_count(const s3store_entries *entries);
S3STORE_API const s3store_entry *s3store_entries_get(const s3store_entries *entries, size_t i);
/* Where the next poll continues; the old offset when nothing was consumed. */
S3STORE_API const char *s3store_entries_next_offset(const s3store_entries *entries);
/* Refs seen that are not settled yet (at most one page is looked at), for progress messages. */
S3STORE_API size_t s3store_entries_pending(const s3store_entries *entries);
/* Keys of damaged markers that were skipped on request. */
S3STORE_API size_t s3store_entries_skipped_count(const s3store_entries *entries);
S3STORE_API const char *s3store_entries_skipped_get(const s3store_entries *entries, size_t i);
S3STORE_API void s3store_entries_free(s3store_entries *entries);

typedef struct s3store_poll_options {
    size_t size;
    const char *since; /* offset, exclusive; NULL or "" = from the beginning */
    const char *until; /* offset, exclusive; NULL or "" = no bound */
    int32_t max_entries; /* 0: 1000; negative is an error */
    bool skip_damaged;   /* pass damaged markers instead of stopping before them */
    s3store_cancel *cancel;
    int64_t timeout_ms;
} s3store_poll_options;
#define S3STORE_POLL_OPTIONS_INIT {.size = sizeof(s3store_poll_options)}

/* The next committed entries. ceil(refs / 1000) LISTs and one HEAD for each distinct commit. */
S3STORE_API S3STORE_MUST_CHECK s3store_status s3store_poll(s3store_target *target,
                                                           const s3store_poll_options *options,
                                                           s3store_entries **out,
                                                           s3store_error *err);

/* All entries stamped in [since_us, until_us); S3STORE_TIME_NONE = from the beginning, up to what is
 * settled when the call begins. */
S3STORE_API S3STORE_MUST_CHECK s3store_status
s3store_poll_range(s3store_target *target, int64_t since_us, int64_t until_us,
                   const s3store_call *call, s3store_entries **out, s3store_error *err);

/* The offset before everything stamped at or after a time. buffer_size: at least
 * S3STORE_KEY_MAX_BYTES + 1. No request. */
S3STORE_API S3STORE_MUST_CHECK s3store_status s3store_offset_at(const s3store_target *target,
                                                                int64_t time_us, char *buffer,
                                                                size_t buffer_size,
                                                                s3store_error *err);

/* Whether a text is an offset of this dataset: INVALID_ARGUMENT says what is wrong with it. NULL and ""
 * are. No request. */
S3STORE_API S3STORE_MUST_CHECK s3store_status s3store_offset_validate(const s3store_target *target,
                                                                      const char *offset,
                                                                      s3store_error *err);

/* The offset of what is settled now: nothing will ever be inserted before it. Taken before a snapshot
 * is read, the stream from here on has everything that the snapshot lacks (and perhaps some of what
 * it has). buffer_size as above. No request. */
S3STORE_API S3STORE_MUST_CHECK s3store_status s3store_settled_offset(s3store_target *target,
                                                                     char *buffer,
                                                                     size_t buffer_size,
                                                                     s3store_error *err);

/* The distinct partition keys of entries in byte order: an array of count borrowed texts, owned by
 * entries. */
S3STORE_API const char *const *s3store_entries_partition_keys(s3store_entries *entries,
                                                              size_t *count);

/* ---- 11. Reading -----------------------------------------------------------------------------------
 *
 * Output order is fixed: partitions in byte order of their keys; inside a partition by (entity,
 * version) when entity and version columns are known, else in file and row order. */

typedef struct s3store_reader s3store_reader;

/* No request. Entity and version columns (both or neither) default to the target's. */
typedef struct s3store_reader_options {
    size_t size;
    const char *const *entity;
    size_t entity_count;
    const char *version;
    bool no_dedup; /* ignore the target's entity and version: rows as they were written */
} s3store_reader_options;
#define S3STORE_READER_OPTIONS_INIT {.size = sizeof(s3store_reader_options)}

S3STORE_API S3STORE_MUST_CHECK s3store_status
s3store_reader_open(s3store_target *target, const s3store_reader_options *options,
                    s3store_reader **out, s3store_error *err);
S3STORE_API void s3store_reader_free(s3store_reader *reader);
S3STORE_API s3store_target *s3store_reader_target(const s3store_reader *reader); /* borrowed */

typedef enum s3store_missing {
    S3STORE_MISSING_DEFAULT = 0, /* strict for patterns, tolerant for ranges and entries */
    S3STORE_MISSING_STRICT = 1,  /* a data object that is gone is an error */
    S3STORE_MISSING_TOLERANT = 2, /* it is logged, counted and contributes nothing */
} s3store_missing;

/* What to read: patterns (a snapshot), or a time range of the stream, or given stream entries. */
typedef struct s3store_read_options {
    size_t size;
    const char *const *patterns; /* NULL with count 0: nothing is read */
    size_t pattern_count;
    bool range; /* read the stream's range [since_us, until_us) instead of patterns */
    int64_t since_us;
    int64_t until_us;
    const s3store_entries *entries; /* read these instead of patterns; borrowed until the stream ends */

    const char *const *columns; /* the columns wanted, in this order; NULL = all */
    size_t column_count;
    bool history;    /* every version, not only the latest of each entity */
    int64_t limit;   /* rows; 0 = all */
    s3store_missing missing;
    int read_ahead_partitions; /* 0: 1; S3STORE_READ_AHEAD_NONE: none */
    uint32_t shard_index;      /* of shard_count: this reader takes the partitions of one shard */
    uint32_t shard_count;      /* 0 = not sharded */
    s3store_cancel *cancel;    /* must live as long as the stream */
    int64_t timeout_ms;
    /* Only rows for which this is true, of the result: versions are told apart first. Comparisons of
     * a column with a literal (= != < <= > >=, [not] in (...), is [not] null), joined with and, or,
     * not and parentheses: "mag >= 4.5 and place is not null and day = '2018-02-07'". Text, dates and
     * times stand in single quotes; a comparison with null is unknown, as in SQL. NULL = all rows. */
    const char *where;
    /* Decoded bytes held ahead, beside the partition (without dedup: the file) that is waited for, which
     * may always come; 0: what the memory budget allows. Less than that only makes reading slower. */
    uint64_t read_ahead_bytes;
    /* For exactly-once from a snapshot (patterns, no limit) into the stream. Not NULL: *handover is set,
     * when the call succeeds, to commits in the snapshot that the stream may bring once more (row_count
     * -1), yours to free. Its next offset is where to poll from: it names them, so that polls pass them;
     * what polls return goes on naming those that may still come (for 15 minutes of the stream: who
     * restamps a commit later than that sees it again). It is text as every offset is, but as long as
     * S3STORE_OFFSET_MAX_BYTES at most; LIMIT_EXCEEDED beyond. One LIST for each 1000 refs of the last
     * 15 minutes and the settle window. */
    s3store_entries **handover;
} s3store_read_options;
#define S3STORE_READ_OPTIONS_INIT                                                                  \
    {.size = sizeof(s3store_read_options),                                                         \
     .since_us = S3STORE_TIME_NONE,                                                                \
     .until_us = S3STORE_TIME_NONE}

/* Columns out: a stream of struct arrays. Errors come through the stream's get_next (an errno
 * value) and get_last_error; s3store_stream_error gives the whole error. */
S3STORE_API S3STORE_MUST_CHECK s3store_status
s3store_read(s3store_reader *reader, const s3store_read_options *options,
             struct ArrowArrayStream *out, s3store_error *err);

/* The error behind a failed get_schema or get_next of a stream that this library made; false when
 * there is none, or the stream is foreign. */
S3STORE_API bool s3store_stream_error(const struct ArrowArrayStream *stream, s3store_error *out);

/* The same, one partition at a time. */
typedef struct s3store_partition_iter s3store_partition_iter;
S3STORE_API S3STORE_MUST_CHECK s3store_status
s3store_read_partitions(s3store_reader *reader, const s3store_read_options *options,
                        s3store_partition_iter **out, s3store_error *err);
/* The next partition: *partition is borrowed until the next call, rows is the caller's stream over
 * its batches (release it before the next call). END after the last. */
S3STORE_API S3STORE_MUST_CHECK s3store_status
s3store_partition_iter_next(s3store_partition_iter *iter, const char **partition,
                            struct ArrowArrayStream *rows, s3store_error *err);
S3STORE_API void s3store_partition_iter_free(s3store_partition_iter *iter);

/* Rows out as C structs: the columns that type names. */
typedef struct s3store_record_iter s3store_record_iter;
S3STORE_API S3STORE_MUST_CHECK s3store_status
s3store_read_iter(s3store_reader *reader, const s3store_record_type *type,
                  const s3store_read_options *options, s3store_record_iter **out,
                  s3store_error *err);
/* Fills one record; its strings live until the next call. END after the last. */
S3STORE_API S3STORE_MUST_CHECK s3store_status
s3store_record_iter_next(s3store_record_iter *iter, void *record, s3store_error *err);
S3STORE_API void s3store_record_iter_free(s3store_record_iter *iter);

/* All at once: an array of records with everything they point to. */
typedef struct s3store_records s3store_records;
S3STORE_API S3STORE_MUST_CHECK s3store_status
s3store_read_records(s3store_reader *reader, const s3store_record_type *type,
                     const s3store_read_options *options, s3store_records **out,
                     s3store_error *err);
S3STORE_API size_t s3store_records_count(const s3store_records *records);
S3STORE_API const void *s3store_records_data(const s3store_records *records); /* the array */
S3STORE_API void s3store_records_free(s3store_records *records);

/* One poll and the rows of its entries: replicas of the same (entity, version) are collapsed,
 * versions are not. entries (yours) carries the next offset. */
S3STORE_API S3STORE_MUST_CHECK s3store_status
s3store_poll_records(s3store_reader *reader, const s3store_poll_options *poll_options,
                     const s3store_read_options *read_options, s3store_entries **entries,
                     struct ArrowArrayStream *rows, s3store_error *err);

/* The committed data objects that patterns match, without reading them. */
typedef struct s3store_listed_file {
    const char *partition;
    const char *token;
    const char *data_path;
    uint64_t size_bytes;
    int64_t last_modified_us;
} s3store_listed_file;
typedef struct s3store_listing s3store_listing;
S3STORE_API S3STORE_MUST_CHECK s3store_status
s3store_list_files(s3store_target *target, const char *const *patterns, size_t pattern_count,
                   const s3store_call *call, s3store_listing **out, s3store_error *err);
S3STORE_API size_t s3store_listing_count(const s3store_listing *listing);
S3STORE_API const s3store_listed_file *s3store_listing_get(const s3store_listing *listing,
                                                           size_t i);
S3STORE_API void s3store_listing_free(s3store_listing *listing);

/* ---- 12. Views ------------------------------------------------------------------------------------- */

/* The views that the dataset records, by name: 1 LIST and 1 GET for each. Definitions are borrowed
 * from the list. */
typedef struct s3store_views s3store_views;
S3STORE_API S3STORE_MUST_CHECK s3store_status s3store_target_views(s3store_target *target,
                                                                   const s3store_call *call,
                                                                   s3store_views **out,
                                                                   s3store_error *err);
S3STORE_API size_t s3store_views_count(const s3store_views *views);
S3STORE_API const s3store_view_def *s3store_views_get(const s3store_views *views, size_t i);
S3STORE_API void s3store_views_free(s3store_views *views);

/* Records a view by columns. A writer that is open already does not see it: *restart_from_us is the
 * time from which a writer that is opened leaves its markers (S3STORE_TIME_NONE when the view was
 * recorded before). Restart writers, then backfill what is older than the end of the last one that
 * was opened before. Another view of that name is an error and changes nothing. 1 GET and 1 PUT, and
 * 1 LIST + 1 GET of the schema, where the columns are looked for. */
S3STORE_API S3STORE_MUST_CHECK s3store_status
s3store_view_add(s3store_target *target, const s3store_view_def *def, const s3store_call *call,
                 bool *created, int64_t *restart_from_us, s3store_error *err);

/* For lookups. def with a name alone: the recorded view, NOT_FOUND when there is none; with columns
 * they must agree with a recorded one. The target needs no partition columns. 1 GET. */
typedef struct s3store_view s3store_view;
S3STORE_API S3STORE_MUST_CHECK s3store_status s3store_view_open(s3store_target *target,
                                                                const s3store_view_def *def,
                                                                const s3store_call *call,
                                                                s3store_view **out,
                                                                s3store_error *err);
S3STORE_API void s3store_view_free(s3store_view *view);
S3STORE_API const char *s3store_view_name(const s3store_view *view);
S3STORE_API size_t s3store_view_column_count(const s3store_view *view);
S3STORE_API const char *s3store_view_column(const s3store_view *view, size_t i);      /* "day" */
S3STORE_API const char *s3store_view_column_spec(const s3store_view *view, size_t i); /* "day=time:day" */

/* Which tuples: patterns over the view's columns, as for partitions. Without any: nothing. */
typedef struct s3store_lookup_options {
    size_t size;
    const char *const *patterns;
    size_t pattern_count;
    s3store_cancel *cancel;
    int64_t timeout_ms;
} s3store_lookup_options;
#define S3STORE_LOOKUP_OPTIONS_INIT {.size = sizeof(s3store_lookup_options)}

typedef struct s3store_lookup_stats {
    size_t size; /* of this struct, before the call */
    uint64_t markers; /* tuples found */
    uint64_t strays;  /* objects below the view that are none of its markers; skipped */
    uint64_t lists;   /* requests */
} s3store_lookup_stats;

/* The tuples that patterns match: in byte order of their keys over all patterns, each once. LISTs
 * only. What was written when the call began is found; there is no commit gate. The tuples are held
 * until the stream is released: at most the target's memory_bytes of them. stats may be NULL. */

/* As columns of text. */
S3STORE_API S3STORE_MUST_CHECK s3store_status
s3store_view_lookup(s3store_view *view, const s3store_lookup_options *options,
                    struct ArrowArrayStream *out, s3store_lookup_stats *stats, s3store_error *err);
/* As C structs: one field for each column of the view, of kind string, date, timestamp, bool or an
 * integer. A text that is none (a year that is read as an integer is one) is an error. */
S3STORE_API S3STORE_MUST_CHECK s3store_status s3store_view_lookup_records(
    s3store_view *view, const s3store_record_type *type, const s3store_lookup_options *options,
    s3store_records **out, s3store_lookup_stats *stats, s3store_error *err);

typedef struct s3store_backfill_stats {
    size_t size; /* of this struct, before the call */
    uint64_t data_objects; /* selected, those that are gone included */
    uint64_t done_objects; /* of them */
    uint64_t missing_objects;
    uint64_t records; /* rows of the objects that were read */
    uint64_t markers; /* distinct ones of each object, added up */
    uint64_t puts;    /* markers that were sent: once each in a process */
    char after[S3STORE_KEY_MAX_BYTES + 1]; /* all objects up to this key are done; "" = none */
} s3store_backfill_stats;

/* Told after each data object; from any thread, one at a time. */
typedef void (*s3store_backfill_progress_fn)(void *ctx, const s3store_backfill_stats *stats);

typedef struct s3store_backfill_options {
    size_t size;
    const char *const *patterns; /* of the partition key; none: nothing is done */
    size_t pattern_count;
    int64_t until_us;  /* objects modified strictly before; S3STORE_TIME_NONE = all */
    const char *after; /* objects whose key is above this one: to resume; NULL = all */
    bool allow_unaddressable; /* as in s3store_writer_options */
    s3store_backfill_progress_fn progress; /* NULL = nobody */
    void *progress_ctx;
    s3store_cancel *cancel;
    int64_t timeout_ms;
} s3store_backfill_options;
#define S3STORE_BACKFILL_OPTIONS_INIT                                                              \
    {.size = sizeof(s3store_backfill_options), .until_us = S3STORE_TIME_NONE}

/* Makes the markers of committed data that was written before the view was. def as in
 * s3store_view_open, or with a function. Data objects are read side by side, in key order, and only
 * the columns that the view needs; one that is gone is logged and counted. It can be repeated. stats
 * (may be NULL) are filled on failure too: pass their `after` to go on. */
S3STORE_API S3STORE_MUST_CHECK s3store_status
s3store_view_backfill(s3store_target *target, const s3store_view_def *def,
                      const s3store_backfill_options *options, s3store_backfill_stats *stats,
                      s3store_error *err);

/* ---- 13. The store: a writer and a reader of one target -------------------------------------------- */

typedef struct s3store_store s3store_store;
/* Opens the target, then both. NULL options: defaults. */
S3STORE_API S3STORE_MUST_CHECK s3store_status s3store_store_open(
    const s3store_target_config *config, const s3store_writer_options *writer_options,
    const s3store_reader_options *reader_options, s3store_store **out, s3store_error *err);
S3STORE_API s3store_target *s3store_store_target(const s3store_store *store); /* all borrowed */
S3STORE_API s3store_writer *s3store_store_writer(const s3store_store *store);
S3STORE_API s3store_reader *s3store_store_reader(const s3store_store *store);
S3STORE_API void s3store_store_free(s3store_store *store);

/* ---- 14. Parquet files by themselves ---------------------------------------------------------------- */

/* A place is the path of a local file, file:///path, or s3://bucket/key. Of an object the end is
 * fetched first (64 KiB, which holds most footers), then the column chunks that are wanted. */

/* Reads a Parquet file as a stream of struct arrays; nested columns too. */
S3STORE_API S3STORE_MUST_CHECK s3store_status
s3store_parquet_read_file(const char *place, struct ArrowArrayStream *out, s3store_error *err);

typedef struct s3store_parquet_options {
    size_t size; /* of this struct */
    const char *const *columns; /* top-level names, in this order; NULL = all */
    size_t column_count;
    int64_t limit;         /* rows at most; 0 = all */
    uint64_t memory_bytes; /* budget of the open file; 0 = S3STORE_DEFAULT_MEMORY_BYTES */
    /* How to reach s3://: its S3 members, limits, log, cancel and timeout_ms (of the whole reading)
     * count, url does not. With an injected store the place is a key of it. NULL = from the
     * environment. Borrowed for the call; a store and cancel for as long as the stream. */
    const s3store_target_config *access;
    /* Filled when the stream is released or the description ends; zero for local files. NULL = not
     * wanted; size must be set. */
    s3store_request_counts *requests;
} s3store_parquet_options;
#define S3STORE_PARQUET_OPTIONS_INIT {.size = sizeof(s3store_parquet_options)}

/* The same of some columns and rows. options NULL = all. A column that the file lacks:
 * INVALID_ARGUMENT. */
S3STORE_API S3STORE_MUST_CHECK s3store_status
s3store_parquet_read(const char *place, const s3store_parquet_options *options,
                     struct ArrowArrayStream *out, s3store_error *err);

typedef enum s3store_parquet_part {
    S3STORE_PARQUET_SCHEMA = 0, /* groups and columns with their types */
    S3STORE_PARQUET_META,       /* file, row groups, column chunks: encodings, sizes, statistics */
    S3STORE_PARQUET_PAGES,      /* row groups, chunks and the header of every page */
} s3store_parquet_part;

/* What a Parquet file is made of: JSON lines, each with a member "kind", or text for people; write
 * gets them one by one, each with its newline. Of options, all but limit count. */
S3STORE_API S3STORE_MUST_CHECK s3store_status s3store_parquet_describe(
    const char *place, s3store_parquet_part part, bool json, const s3store_parquet_options *options,
    s3store_text_fn write, void *ctx, s3store_error *err);

/* Writes a stream (consumed and released) to a local Parquet file, which appears under its name only
 * when it is complete. */
S3STORE_API S3STORE_MUST_CHECK s3store_status
s3store_parquet_write_file(const char *path, struct ArrowArrayStream *input,
                           s3store_compression compression, s3store_error *err);

typedef struct s3store_parquet_write_options {
    size_t size; /* of this struct */
    s3store_compression compression; /* DEFAULT = snappy */
    uint64_t page_bytes;      /* uncompressed target of a page; 0 = 1 MiB */
    uint64_t row_group_bytes; /* uncompressed target of a row group, which is held in memory until
                                 it is written; 0 = 128 MiB */
    bool no_dictionary;
    /* Top-level columns that get a bloom filter in each row group (also what lies in nested ones),
     * so that readers find out where a value is not. It is as small as 1 % wrong answers allow, and
     * at most bloom_max_bytes (0 = 1 MiB); one that would say little is left out. */
    const char *const *bloom_columns;
    size_t bloom_column_count;
    uint64_t bloom_max_bytes;
    /* Columns that the rows are sorted by, ascending, nulls first: recorded in the file. That they
     * are is the caller's word. */
    const char *const *sorting_columns;
    size_t sorting_column_count;
} s3store_parquet_write_options;
#define S3STORE_PARQUET_WRITE_OPTIONS_INIT {.size = sizeof(s3store_parquet_write_options)}

/* The same with choices. options NULL = all defaults. A column that the stream lacks:
 * INVALID_ARGUMENT, and the stream is released. */
S3STORE_API S3STORE_MUST_CHECK s3store_status
s3store_parquet_write(const char *path, struct ArrowArrayStream *input,
                      const s3store_parquet_write_options *options, s3store_error *err);
/* ---- 15. The operator's tools -----------------------------------------------------------------------
 *
 * What a server really does, whether a dataset is whole, what no commit names. None of them is needed
 * to write or read. Findings are told through callbacks, from the calling thread, as they are made:
 * text is borrowed for the call. */

typedef enum s3store_check_state {
    S3STORE_CHECK_OK = 0,
    S3STORE_CHECK_WARN = 1, /* it works, but something is lost: detail says what */
    S3STORE_CHECK_FAIL = 2, /* do not use it like this */
    S3STORE_CHECK_SKIP = 3, /* could not be tried, or does not apply: detail says why */
} s3store_check_state;

/* "ok", "warn", "fail", "skip". Static text. */
S3STORE_API const char *s3store_check_state_name(s3store_check_state state);

typedef struct s3store_check {
    const char *name; /* "if_none_match": static, stable */
    s3store_check_state state;
    const char *detail; /* what was found */
    const char *remedy; /* what to do about it; NULL = nothing */
} s3store_check;
typedef void (*s3store_check_fn)(void *ctx, const s3store_check *check);

typedef struct s3store_doctor_options {
    size_t size;
    s3store_check_fn check; /* NULL = only the report */
    void *check_ctx;
    s3store_cancel *cancel;
    int64_t timeout_ms;
} s3store_doctor_options;
#define S3STORE_DOCTOR_OPTIONS_INIT {.size = sizeof(s3store_doctor_options)}

typedef struct s3store_doctor_report {
    size_t size;
    uint32_t ok, warn, fail, skip; /* checks by outcome */
} s3store_doctor_report;

/* Tries out what a store does: rights, clocks, conditions, expiry, metadata, checksums, speed. Takes a
 * config, because it must also work where a target does not open. Needs no dataset and changes none:
 * it writes below <prefix>/_doctor/ alone, and removes that again where it may. OK: every check was
 * made, whatever it found; about 70 requests, 4 MiB each way. report may be NULL. */
S3STORE_API S3STORE_MUST_CHECK s3store_status s3store_doctor(const s3store_target_config *config,
                                                             const s3store_doctor_options *options,
                                                             s3store_doctor_report *report,
                                                             s3store_error *err);

/* Something that verify found. */
typedef struct s3store_finding {
    const char *kind;      /* "data_missing": static; docs/CLI.md lists them */
    bool damage;           /* false: a remark */
    const char *key;       /* the object that it is about */
    const char *partition; /* NULL where it is about no commit, like token */
    const char *token;
    const char *detail;
    const char *remedy; /* what to do about it */
} s3store_finding;
typedef void (*s3store_finding_fn)(void *ctx, const s3store_finding *finding);

/* What the rest of a verify will cost, told when the refs are listed: from above, for commits are at
 * most as many as refs. */
typedef struct s3store_verify_plan {
    uint64_t commits;
    uint64_t lists; /* made so far */
    uint64_t heads, gets;
} s3store_verify_plan;

typedef struct s3store_verify_options {
    size_t size;
    const char *const *patterns; /* NULL with count 0: everything */
    size_t pattern_count;
    bool shallow;  /* LIST only: no marker and no footer is read, but of what looks wrong */
    double sample; /* the part of the commits whose marker and footer are read; 0 = all */
    s3store_finding_fn finding; /* NULL = only the report */
    void *finding_ctx;
    void (*plan)(void *ctx, const s3store_verify_plan *plan);
    void *plan_ctx;
    void (*progress)(void *ctx, uint64_t commits_done, uint64_t commits_about);
    void *progress_ctx;
    s3store_cancel *cancel;
    int64_t timeout_ms;
    bool contents; /* and all rows, whose content hash must be the marker's: finds data objects that
                      were swapped or written over. Not with shallow. Writes without a token have
                      none: their rows are looked at by their partition columns */
} s3store_verify_options;
#define S3STORE_VERIFY_OPTIONS_INIT {.size = sizeof(s3store_verify_options)}

typedef struct s3store_verify_report {
    size_t size;
    uint64_t commits;      /* markers listed */
    uint64_t checked;      /* of them, those whose marker was read */
    uint64_t rows;         /* in footers that were read */
    uint64_t data_objects, data_bytes;
    uint64_t uncommitted;  /* data objects that no marker stands beside (see orphans) */
    uint64_t refs;
    uint64_t foreign;      /* objects of the data tree that the format does not know */
    uint32_t schema_versions;
    uint64_t damages, remarks;
    uint64_t lists;
    uint32_t views;        /* recorded ones, whose markers were checked */
    uint64_t view_markers; /* listed */
    uint64_t hashed;       /* commits whose rows were compared with their content hash */
} s3store_verify_report;

/* Whether every commit has its data object, with as many rows as its marker says and columns as
 * recorded, and an entry in the stream that readers cannot have missed. OK: everything was looked at;
 * report (may be NULL) says what was found. A dataset may be written meanwhile. Memory does not grow
 * with it; 24 bytes for each ref go to spill_dir. */
S3STORE_API S3STORE_MUST_CHECK s3store_status s3store_verify(s3store_target *target,
                                                             const s3store_verify_options *options,
                                                             s3store_verify_report *report,
                                                             s3store_error *err);

typedef enum s3store_orphan_kind {
    S3STORE_ORPHAN_DATA = 1,   /* a data object */
    S3STORE_ORPHAN_REF = 2,    /* a ref */
    S3STORE_ORPHAN_UPLOAD = 3, /* parts of an object whose upload never ended */
} s3store_orphan_kind;
/* "data", "ref", "upload". Static text. */
S3STORE_API const char *s3store_orphan_kind_name(s3store_orphan_kind kind);

/* What no commit names. */
typedef struct s3store_orphan {
    s3store_orphan_kind kind;
    const char *key;
    const char *upload_id; /* UPLOAD; else NULL */
    uint64_t size_bytes;   /* 0 for uploads: the server does not say */
    int64_t last_modified_us;
    int64_t age_us;
    bool removable;
    bool removed;
    const char *reason; /* why it is removable or not, or why it was not removed */
} s3store_orphan;
typedef void (*s3store_orphan_fn)(void *ctx, const s3store_orphan *orphan);

#define S3STORE_DEFAULT_ORPHAN_AGE_US (7 * 24 * INT64_C(3600000000))

typedef struct s3store_orphans_options {
    size_t size;
    int64_t older_than_us; /* 0: 7 days, the only age that is safe beside writers of other libraries */
    bool remove; /* remove those that are removable, each looked at again right before */
    s3store_orphan_fn orphan; /* NULL = only the report */
    void *orphan_ctx;
    s3store_cancel *cancel;
    int64_t timeout_ms;
} s3store_orphans_options;
#define S3STORE_ORPHANS_OPTIONS_INIT {.size = sizeof(s3store_orphans_options)}

typedef struct s3store_orphans_report {
    size_t size;
    uint64_t data, refs, uploads; /* orphans older than older_than_us */
    uint64_t bytes;
    uint64_t removable, removable_bytes;
    uint64_t removed, removed_bytes;
    uint64_t failed;  /* removable, but could not be removed */
    uint64_t younger; /* uncommitted, but not old enough to be told of */
    int64_t bound_us; /* nothing below this age is removable */
    bool bound_proven; /* commits expire here; else the bound is 7 days at least */
    bool uploads_listed; /* whether the store could say which uploads it holds */
} s3store_orphans_report;

/* Data objects, refs and uploads that no commit names. An object is removable when it is older than
 * older_than_us, and than what a write can take from its data to its commit: 15 minutes, commit
 * timeout, skew and allowances, and at least an hour, where commits expire (docs/FORMAT.md "Fenced
 * commit"); 7 days where they do not. Never where its marker names it, or cannot be read. Objects of
 * other names are left alone. Requests: LIST of data and refs, 1 HEAD for each token with several
 * attempts and for each suspicious ref; of each removal 2 HEADs more. */
S3STORE_API S3STORE_MUST_CHECK s3store_status s3store_orphans(
    s3store_target *target, const s3store_orphans_options *options, s3store_orphans_report *report,
    s3store_error *err);

/* Where other programs find an object of the dataset: "s3://bucket/key", or a path. No request.
 * UNSUPPORTED: an injected store, which other programs do not know. */
S3STORE_API S3STORE_MUST_CHECK s3store_status
s3store_object_location(const s3store_target *target, const char *key, char *buffer,
                        size_t buffer_size, s3store_error *err);

#ifdef __cplusplus
}
#endif

#endif /* S3STORE_H */
