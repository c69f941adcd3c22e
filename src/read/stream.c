/* Rows as Arrow streams: of everything, of what one poll brought, of one partition after the
 * other. */
#include "read/internal.h"

#include <stdatomic.h>
#include <string.h>

#include "arrow/stream.h"
#include "base/error.h"
#include "stream/stream.h"

/* ---- everything ------------------------------------------------------------------------------ */

static s3store_status scan_source_next(void *impl, struct ArrowArray *out, s3store_error *err)
{
    return s3s_scan_next(impl, out, NULL, err);
}

static void scan_source_free(void *impl)
{
    s3s_scan_free(impl);
}

s3store_status s3s_read_scan_stream(s3s_scan *scan, struct ArrowArrayStream *out,
                                    s3store_error *err)
{
    s3s_batch_source source = {
        .impl = scan, .next = scan_source_next, .free = scan_source_free};
    s3s_schema *schema = s3s_schema_retain(s3s_scan_schema(scan));
    s3s_env *env = s3s_env_retain(schema->env);
    s3store_status status = s3s_stream_make(env, schema, source, out, err);
    s3s_schema_release(schema);
    s3s_env_release(env);
    return status;
}

s3store_status s3s_read_stream(s3store_reader *reader, const s3store_read_options *options,
                               struct ArrowArrayStream *out, s3store_error *err)
{
    s3s_scan *scan = NULL;
    memset(out, 0, sizeof *out);
    s3store_status status = s3s_read_open_scan(reader, options, NULL, S3S_READ_STREAM, &scan, err);
    if (status != S3STORE_OK)
        return status;
    status = s3s_read_scan_stream(scan, out, err);
    if (status != S3STORE_OK)
        s3s_read_drop_handover(options);
    return status;
}

s3store_status s3s_poll_records(s3store_reader *reader, const s3store_poll_options *poll_options,
                                const s3store_read_options *read_options,
                                s3store_entries **entries, struct ArrowArrayStream *rows,
                                s3store_error *err)
{
    s3store_read_options options = S3STORE_READ_OPTIONS_INIT;
    *entries = NULL;
    memset(rows, 0, sizeof *rows);
    if (read_options != NULL)
        options = *read_options;
    if (options.pattern_count > 0 || options.range || options.entries != NULL)
        return s3s_fail(err, S3STORE_INVALID_ARGUMENT,
                        "poll_records reads what the poll brings: patterns, range and entries must "
                        "not be given");
    s3store_entries *polled = NULL;
    s3s_scan *scan = NULL;
    s3store_status status = s3s_poll(reader->target, poll_options, &polled, err);
    if (status == S3STORE_OK) {
        options.entries = polled;
        options.history = true; /* replicas are collapsed, versions are not */
        status = s3s_read_open_scan(reader, &options, NULL, S3S_READ_POLL, &scan, err);
    }
    if (status == S3STORE_OK)
        status = s3s_read_scan_stream(scan, rows, err);
    if (status == S3STORE_OK)
        *entries = polled;
    else
        s3store_entries_free(polled);
    return status;
}

/* ---- one partition at a time ----------------------------------------------------------------- */

/* Shared by the iterator and the stream it gave out last, which may outlive it. */
typedef struct iter_core {
    s3s_env *env; /* retained */
    atomic_int refs;
    s3s_scan *scan;
    struct ArrowArray held; /* first batch of the current partition, not yet handed out */
    uint64_t turn;          /* counts partitions: a stream of an earlier one is void */
} iter_core;

struct s3store_partition_iter {
    s3s_env *env; /* retained */
    iter_core *core;
};

typedef struct partition_rows {
    iter_core *core;
    uint64_t turn;
} partition_rows;

static void core_release(iter_core *core)
{
    if (atomic_fetch_sub(&core->refs, 1) != 1)
        return;
    s3s_env *env = core->env;
    s3s_array_release(&core->held);
    s3s_scan_free(core->scan);
    s3s_free(env, core);
    s3s_env_release(env);
}

static s3store_status partition_rows_next(void *impl, struct ArrowArray *out, s3store_error *err)
{
    partition_rows *rows = impl;
    iter_core *core = rows->core;
    if (rows->turn != core->turn)
        return s3s_fail(err, S3STORE_INVALID_ARGUMENT,
                        "the partition iterator has moved on: read a partition's rows before the "
                        "next partition is asked for");
    if (core->held.release != NULL) {
        *out = core->held;
        memset(&core->held, 0, sizeof core->held);
        return S3STORE_OK;
    }
    return s3s_scan_next_here(core->scan, out, err);
}

static void partition_rows_free(void *impl)
{
    partition_rows *rows = impl;
    s3s_env *env = s3s_env_retain(rows->core->env);
    core_release(rows->core);
    s3s_free(env, rows);
    s3s_env_release(env);
}

s3store_status s3s_read_partitions(s3store_reader *reader, const s3store_read_options *options,
                                   s3store_partition_iter **out, s3store_error *err)
{
    *out = NULL;
    s3s_scan *scan = NULL;
    s3store_status status =
        s3s_read_open_scan(reader, options, NULL, S3S_READ_PARTITIONS, &scan, err);
    if (status != S3STORE_OK)
        return status;
    s3store_partition_iter *iter = s3s_calloc(reader->env, 1, sizeof *iter);
    iter_core *core = s3s_calloc(reader->env, 1, sizeof *core);
    if (iter == NULL || core == NULL) {
        s3s_free(reader->env, iter);
        s3s_free(reader->env, core);
        s3s_scan_free(scan);
        s3s_read_drop_handover(options);
        return s3s_fail_memory(err, sizeof *iter + sizeof *core);
    }
    core->env = s3s_env_retain(reader->env);
    core->scan = scan;
    atomic_init(&core->refs, 1);
    iter->env = s3s_env_retain(reader->env);
    iter->core = core;
    *out = iter;
    return S3STORE_OK;
}

s3store_status s3store_partition_iter_next(s3store_partition_iter *iter, const char **partition,
                                           struct ArrowArrayStream *rows, s3store_error *err)
{
    iter_core *core = iter->core;
    memset(rows, 0, sizeof *rows);
    *partition = NULL;
    if (core->turn > 0)
        s3s_scan_skip_partition(core->scan);
    core->turn++;
    s3s_array_release(&core->held);
    s3store_status status = s3s_scan_next(core->scan, &core->held, partition, err);
    if (status != S3STORE_OK)
        return status;
    partition_rows *impl = s3s_calloc(core->env, 1, sizeof *impl);
    if (impl == NULL) {
        *partition = NULL;
        return s3s_fail_memory(err, sizeof *impl);
    }
    impl->core = core;
    impl->turn = core->turn;
    atomic_fetch_add(&core->refs, 1);
    s3s_batch_source source = {
        .impl = impl, .next = partition_rows_next, .free = partition_rows_free};
    status = s3s_stream_make(core->env, s3s_scan_schema(core->scan), source, rows, err);
    if (status != S3STORE_OK)
        *partition = NULL;
    return status;
}

void s3store_partition_iter_free(s3store_partition_iter *iter)
{
    if (iter == NULL)
        return;
    s3s_env *env = iter->env;
    iter->core->turn++;
    core_release(iter->core);
    s3s_free(env, iter);
    s3s_env_release(env);
}
