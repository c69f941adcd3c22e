/* The reader, and from options to a scan. */
#include "read/internal.h"

#include <string.h>

#include "base/error.h"
#include "stream/stream.h"

/* ---- the reader ------------------------------------------------------------------------------ */

static s3store_status choose_keys(s3store_reader *reader, const s3store_reader_options *o,
                                  s3store_error *err)
{
    const s3s_descriptor *settings = &reader->target->settings;
    bool given = o->entity_count > 0 || o->version != NULL;
    if (given && (o->entity_count == 0 || o->version == NULL))
        return s3s_fail(err, S3STORE_INVALID_ARGUMENT,
                        "%s is given without %s: telling versions apart takes both",
                        o->version == NULL ? "entity" : "version",
                        o->version == NULL ? "version" : "entity");
    if (given && o->no_dedup)
        return s3s_fail(err, S3STORE_INVALID_ARGUMENT,
                        "no_dedup contradicts the entity and version columns that are given");
    if (o->no_dedup)
        return S3STORE_OK;
    const char *const *entity = given ? o->entity : (const char *const *)settings->entity;
    const char *version = given ? o->version : settings->version;
    size_t count = given ? o->entity_count : settings->entity_count;
    if (count == 0 || version == NULL)
        return S3STORE_OK;
    reader->entity = s3s_arena_calloc(&reader->arena, count, sizeof *reader->entity);
    reader->version = s3s_arena_strdup(&reader->arena, version);
    if (reader->entity == NULL || reader->version == NULL)
        return s3s_fail_memory(err, count * sizeof *reader->entity);
    for (size_t i = 0; i < count; i++) {
        if (entity[i] == NULL || entity[i][0] == '\0')
            return s3s_fail(err, S3STORE_INVALID_ARGUMENT, "entity column %zu has no name", i);
        reader->entity[i] = s3s_arena_strdup(&reader->arena, entity[i]);
        if (reader->entity[i] == NULL)
            return s3s_fail_memory(err, strlen(entity[i]) + 1);
    }
    reader->entity_count = count;
    return S3STORE_OK;
}

s3store_status s3s_reader_open(s3store_target *target, const s3store_reader_options *options,
                               s3store_reader **out, s3store_error *err)
{
    static const s3store_reader_options defaults = S3STORE_READER_OPTIONS_INIT;
    *out = NULL;
    s3store_reader *reader = s3s_calloc(target->env, 1, sizeof *reader);
    if (reader == NULL)
        return s3s_fail_memory(err, sizeof *reader);
    reader->env = s3s_env_retain(target->env);
    reader->target = s3s_target_retain(target);
    s3s_arena_init(&reader->arena, reader->env);
    s3store_status status = choose_keys(reader, options != NULL ? options : &defaults, err);
    if (status != S3STORE_OK)
        s3s_reader_free(reader);
    else
        *out = reader;
    return status;
}

void s3s_reader_free(s3store_reader *reader)
{
    if (reader == NULL)
        return;
    s3s_env *env = reader->env;
    s3s_arena_deinit(&reader->arena);
    s3s_target_release(reader->target);
    s3s_free(env, reader);
    s3s_env_release(env);
}

/* ---- options --------------------------------------------------------------------------------- */

static s3store_status check_columns(const s3store_read_options *o, s3store_error *err)
{
    for (size_t i = 0; o->columns != NULL && i < o->column_count; i++) {
        if (o->columns[i] == NULL || o->columns[i][0] == '\0')
            return s3s_fail(err, S3STORE_INVALID_ARGUMENT, "column %zu has no name", i);
        for (size_t k = 0; k < i; k++) {
            if (strcmp(o->columns[k], o->columns[i]) == 0)
                return s3s_fail(err, S3STORE_INVALID_ARGUMENT, "column \"%s\" is named twice",
                                o->columns[i]);
        }
    }
    return S3STORE_OK;
}

static s3store_status check_options(const s3store_read_options *o, s3store_error *err)
{
    int sources = (o->pattern_count > 0) + (o->range ? 1 : 0) + (o->entries != NULL);
    if (sources > 1)
        return s3s_fail(err, S3STORE_INVALID_ARGUMENT,
                        "patterns, a range and entries exclude each other: give one of them");
    if (o->pattern_count > 0 && o->patterns == NULL)
        return s3s_fail(err, S3STORE_INVALID_ARGUMENT, "patterns is NULL, but there are %zu",
                        o->pattern_count);
    if (o->limit < 0)
        return s3s_fail(err, S3STORE_INVALID_ARGUMENT, "limit is %lld: it must not be negative",
                        (long long)o->limit);
    if (o->handover != NULL && (o->range || o->entries != NULL || o->limit > 0))
        return s3s_fail(err, S3STORE_INVALID_ARGUMENT,
                        "handover is for whole snapshots: not with a range, entries or a limit");
    if (o->shard_count > 0 ? o->shard_index >= o->shard_count : o->shard_index != 0)
        return s3s_fail(err, S3STORE_INVALID_ARGUMENT,
                        "shard %u of %u does not exist: shards are numbered from 0",
                        (unsigned)o->shard_index, (unsigned)o->shard_count);
    return check_columns(o, err);
}

/* ---- from source to files -------------------------------------------------------------------- */

static s3store_status resolve_patterns(s3store_target *target, const s3store_read_options *o,
                                       const s3store_call *call, s3s_file_set *out,
                                       s3store_error *err)
{
    s3s_arena arena;
    const char *const *patterns = o->patterns;
    size_t count = o->pattern_count;
    s3s_arena_init(&arena, target->env);
    s3store_status status =
        s3s_scan_narrow_patterns(target, &arena, o->where, &patterns, &count, err);
    if (status == S3STORE_OK)
        status = s3s_resolve_patterns(target, call, patterns, count, out, err);
    s3s_arena_deinit(&arena);
    return status;
}

static s3store_status resolve(s3store_target *target, const s3store_read_options *o,
                              const s3store_call *call, s3s_file_set *out, s3store_error *err)
{
    if (o->entries != NULL)
        return s3s_entries_file_set(target, o->entries, out, err);
    if (!o->range)
        return o->pattern_count == 0 ? S3STORE_OK : resolve_patterns(target, o, call, out, err);
    s3store_entries *entries = NULL;
    s3store_status status =
        s3s_poll_range(target, o->since_us, o->until_us, call, &entries, err);
    if (status == S3STORE_OK)
        status = s3s_entries_file_set(target, entries, out, err);
    s3store_entries_free(entries);
    return status;
}

/* The files of this reader's shard. The place where the stream goes on is taken before the first
 * request, what both have is looked for after the last. */
static s3store_status find_files(s3store_target *target, const s3store_read_options *o,
                                 const s3store_call *call, s3s_file_set *out,
                                 s3store_entries **handover, s3store_error *err)
{
    int64_t settled_us = s3s_settled_us(target);
    s3store_status status = resolve(target, o, call, out, err);
    if (status == S3STORE_OK && o->shard_count > 0)
        s3s_file_set_shard(out, o->shard_index, o->shard_count);
    if (status == S3STORE_OK && o->handover != NULL)
        status = s3s_handover(target, call, settled_us, out, handover, err);
    return status;
}

static const char *const form_names[] = {
    [S3S_READ_STREAM] = "read",       [S3S_READ_PARTITIONS] = "read_partitions",
    [S3S_READ_ITER] = "read_iter",    [S3S_READ_RECORDS] = "read_records",
    [S3S_READ_POLL] = "poll_records",
};

/* The names of FORMAT "Metrics" tell forms and sources apart in another way. */
static s3s_method counted_as(s3s_read_form form, const s3store_read_options *o)
{
    bool partitions = form == S3S_READ_PARTITIONS;
    if (form == S3S_READ_POLL)
        return S3S_METHOD_POLL_RECORDS;
    if (o->range)
        return partitions ? S3S_METHOD_READ_PARTITION_RANGE_ITER : S3S_METHOD_READ_RANGE_ITER;
    if (o->entries != NULL)
        return partitions ? S3S_METHOD_READ_PARTITION_ENTRIES_ITER : S3S_METHOD_READ_ENTRIES_ITER;
    return partitions                 ? S3S_METHOD_READ_PARTITION_ITER
           : form == S3S_READ_RECORDS ? S3S_METHOD_READ
                                      : S3S_METHOD_READ_ITER;
}

void s3s_read_clear_handover(const s3store_read_options *options)
{
    if (options != NULL && options->handover != NULL)
        *options->handover = NULL;
}

void s3s_read_drop_handover(const s3store_read_options *options)
{
    if (options != NULL && options->handover != NULL)
        s3store_entries_free(*options->handover);
    s3s_read_clear_handover(options);
}

s3store_status s3s_read_open_scan(s3store_reader *reader, const s3store_read_options *options,
                                  const s3s_schema *fixed, s3s_read_form form, s3s_scan **out,
                                  s3store_error *err)
{
    static const s3store_read_options defaults = S3STORE_READ_OPTIONS_INIT;
    const s3store_read_options *o = options != NULL ? options : &defaults;
    *out = NULL;
    s3s_read_clear_handover(o);
    s3store_status status = check_options(o, err);
    if (status != S3STORE_OK)
        return status;
    bool is_snapshot = o->entries == NULL && !o->range;
    s3s_scan_options scan = {
        .mode = reader->entity_count == 0 ? S3S_SCAN_ROWS
                : o->history              ? S3S_SCAN_HISTORY
                                          : S3S_SCAN_LATEST,
        .entity = (const char *const *)reader->entity,
        .entity_count = reader->entity_count,
        .version = reader->version,
        .columns = fixed != NULL ? NULL : o->columns,
        .column_count = fixed != NULL ? 0 : o->column_count,
        .fixed = fixed,
        .tolerant = o->missing == S3STORE_MISSING_TOLERANT ||
                    (o->missing == S3STORE_MISSING_DEFAULT && !is_snapshot),
        .where = o->where,
        .method = form_names[form],
        .counted_as = counted_as(form, o),
        .limit = o->limit,
        .read_ahead_bytes = o->read_ahead_bytes,
        .read_ahead_partitions = o->read_ahead_partitions == 0
                                     ? S3STORE_DEFAULT_READ_AHEAD_PARTITIONS
                                     : o->read_ahead_partitions,
        .call = s3s_call_make(reader->env, o->cancel, o->timeout_ms),
    };
    s3s_scope scope;
    s3store_error own = {0};
    s3store_error *e = err != NULL ? err : &own;
    s3s_file_set files;
    s3s_scope_begin(&scope, reader->env, scan.counted_as);
    s3s_file_set_init(&files, reader->env);
    s3store_entries *handover = NULL;
    status = find_files(reader->target, o, &scan.call, &files, &handover, e);
    if (status == S3STORE_OK)
        status = s3s_scan_open(reader->target, &files, &scan, out, e);
    else
        s3s_file_set_deinit(&files);
    if (status != S3STORE_OK) {
        s3store_entries_free(handover);
        return s3s_scope_end(&scope, status, e);
    }
    if (o->handover != NULL)
        *o->handover = handover;
    s3s_scan_take_scope(*out, &scope);
    return status;
}
