/* tests/e2e/e2e.h: the whole library through its public header, over a real store.
 *
 * The suite is one program; its argument says where datasets are made: "file" (a temporary directory,
 * fsync off), "file-fsync", or "s3" (below S3STORE_TEST_URL). Nothing here knows an internal header.
 */
#ifndef S3S_TESTS_E2E_H
#define S3S_TESTS_E2E_H

#include "support/tempdir.h"
#include "support/test.h"

#define URL_SIZE 1024

typedef struct e2e_world {
    bool is_s3;
    const char *command;        /* path of the command */
    char root[TEMPDIR_SIZE];    /* a directory of this run */
    char base[URL_SIZE - 256];  /* URLs are base + name + suffix */
    const char *suffix;
    /* Of datasets that wait for nothing but their settle window. */
    int64_t commit_timeout_us;
} e2e_world;
extern e2e_world world;

/* ---- datasets -------------------------------------------------------------------------------------- */

typedef struct requests {
    unsigned put, get, head, list;
} requests;

typedef struct dataset {
    char url[URL_SIZE];
    s3store_target *target;
    s3store_writer *writer;
    s3store_reader *reader;
    const s3store_object_store *store; /* of the target */
    const char *prefix;
    requests counted; /* by dataset_requests */
} dataset;

typedef struct dataset_options {
    const char *const *partition_by; /* NULL: day=time:day, region */
    size_t partition_by_count;
    bool plain; /* without entity and version columns */
    const char *inserted_at_column;
    int64_t commit_timeout_us; /* 0: the world's */
    int64_t max_clock_skew_us; /* 0: none */
} dataset_options;

/* A URL that no other test uses. */
void dataset_url(const char *name, char url[URL_SIZE]);
s3store_target_config dataset_config(const char *url, const dataset_options *options);
/* Initialises a dataset and opens it for writing and reading. options NULL: defaults. */
void dataset_make(dataset *d, const char *name, const dataset_options *options);
/* Opens one that exists once more. */
void dataset_open(dataset *d, const char *url);
void dataset_close(dataset *d);

/* Puts an object under the dataset's prefix, past the library's writing. */
void dataset_put(const dataset *d, const char *name, const void *body, size_t size);
void dataset_remove(const dataset *d, const char *key);
bool dataset_has(const dataset *d, const char *key);
/* How many keys start with prefix + name. */
size_t dataset_count(const dataset *d, const char *name);

/* What was asked of the store since the last call, by verb. */
requests dataset_requests(dataset *d);
#define assert_requests(d, puts, gets, heads, lists)                                               \
    do {                                                                                           \
        requests made_ = dataset_requests(d);                                                      \
        requests want_ = {puts, gets, heads, lists};                                               \
        if (memcmp(&made_, &want_, sizeof made_) != 0)                                             \
            fail_msg("%u PUT %u GET %u HEAD %u LIST, expected %u %u %u %u", made_.put, made_.get,  \
                     made_.head, made_.list, want_.put, want_.get, want_.head, want_.list);        \
    } while (0)

/* Waits until what was written before the call is in the stream. */
void wait_settled(const dataset *d);
void sleep_us(int64_t us);

/* ---- rows ------------------------------------------------------------------------------------------ */

#define DAY_US (24 * INT64_C(3600000000))
#define T0 INT64_C(1517961600000000) /* 2018-02-07T00:00:00Z */

typedef struct quake {
    const char *id;
    int64_t time;    /* timestamp us */
    int64_t updated; /* timestamp us */
    const char *region;
    double mag;
    bool mag_is_null;
} quake;
extern const s3store_record_type quake_type;

/* Through the struct door. The result may be NULL when it is of no interest: then the write must
 * succeed. */
s3store_status write_quakes(const dataset *d, const quake *rows, size_t count, const char *token,
                            s3store_write_result **out, s3store_error *err);
/* The same rows as an Arrow stream of batches of at most batch_rows. */
void quake_stream(const quake *rows, size_t count, size_t batch_rows, struct ArrowArrayStream *out);

/* A schema of "name:format" (nullable), space separated: "id:u value:l"; nested columns by the name of
 * their type: "tags:list<string>". */
void make_schema(const char *columns, struct ArrowSchema *out);
/* One batch of text cells, "a 1;b -": rows separated by ';', cells by one blank, '-' is null; nested ones
 * "[1,-]", "{a,[b]}", maps "[{k,1}]". */
void make_stream(const char *columns, const char *cells, struct ArrowArrayStream *out);
/* Writes such a batch; fails the test unless OK. */
void write_cells(const dataset *d, const char *columns, const char *cells);

/* Drains and releases a stream: "a|1|-;" for each row, in a static ring of a few texts. */
const char *stream_text(struct ArrowArrayStream *stream);
/* The same, appended to a text that has room for it, whatever the status; allocates nothing. */
s3store_status stream_append(struct ArrowArrayStream *stream, char *text, size_t text_size,
                             s3store_error *err);
/* Drains and releases a stream, whatever the status: its rows so far. */
s3store_status stream_count(struct ArrowArrayStream *stream, int64_t *rows, s3store_error *err);
/* The same, expecting an error at the end. */
s3store_status stream_status(struct ArrowArrayStream *stream, s3store_error *err);
int64_t stream_rows(struct ArrowArrayStream *stream);

/* A snapshot over one pattern ("*" = all) as text; columns like "id,mag" or NULL. */
const char *read_text(const dataset *d, const char *pattern, const char *columns, bool history);
int64_t count_rows(const dataset *d, const char *pattern, bool history);

/* ---- suites ---------------------------------------------------------------------------------------- */

int run_dataset_tests(void);
int run_write_tests(void);
int run_read_tests(void);
int run_schema_tests(void);
int run_stream_tests(void);
int run_budget_tests(void);
int run_process_tests(void);
int run_fence_tests(void);
int run_views_tests(void);
int run_vector_tests(void);
int run_nested_tests(void);

#endif
