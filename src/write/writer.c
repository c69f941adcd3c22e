#include <string.h>
#include <unistd.h>

#include "write/write_private.h"
#include "metrics/scope.h"

/* What a writer wants to know first, side by side. Schema, and what the server honours, are kept by
 * the target; views are asked for anew: each writer has those of its opening. */
enum { OPEN_SCHEMA, OPEN_PROBE, OPEN_VIEWS, OPEN_COUNT };

typedef struct opening {
    s3store_writer *writer;
    const s3store_writer_options *options;
} opening;

static s3store_status open_item(void *ctx, size_t item, s3store_error *err)
{
    opening *o = ctx;
    s3store_target *target = o->writer->target;
    uint32_t version;
    s3s_schema *schema = NULL;
    bool conditional, fenced;
    if (item == OPEN_PROBE)
        return s3s_target_probe(target, o->options->call, &conditional, &fenced, err);
    if (item == OPEN_VIEWS)
        return s3s_views_load(target, o->options->call, &o->writer->views, err);
    s3store_status status =
        s3s_target_schema(target, o->options->call, false, &version, &schema, err);
    s3s_schema_release(schema);
    return status;
}

s3store_status s3s_writer_open(s3store_target *target, const s3store_writer_options *options,
                               s3store_writer **out, s3store_error *err)
{
    s3store_writer_options defaults = S3STORE_WRITER_OPTIONS_INIT;
    s3store_error unwanted;
    if (err == NULL) /* what lies below adds to an error what it knows */
        err = &unwanted;
    if (options == NULL)
        options = &defaults;
    *out = NULL;
    if (target->settings.part_count == 0)
        return s3s_fail_key(err, S3STORE_BAD_CONFIG, target->url,
                            "the partition columns of this dataset are not known: give "
                            "partition_by (--partition-by), or run s3store init");
    if ((unsigned)options->compression > S3STORE_COMPRESSION_UNCOMPRESSED)
        return s3s_fail(err, S3STORE_INVALID_ARGUMENT, "unknown compression %d",
                        (int)options->compression);
    s3store_writer *w = s3s_calloc(target->env, 1, sizeof *w);
    if (w == NULL)
        return s3s_fail_memory(err, sizeof *w);
    w->env = target->env;
    w->target = s3s_target_retain(target);
    w->compression = options->compression != S3STORE_COMPRESSION_DEFAULT
                         ? options->compression
                         : target->settings.compression;
    w->allow_unaddressable = options->allow_unaddressable;
    w->pool_max_bytes = options->encode_pool_bytes > 0 ? options->encode_pool_bytes
                                                       : S3STORE_DEFAULT_ENCODE_POOL_BYTES;
    if (w->pool_max_bytes > target->memory_bytes / S3S_MEMORY_SLACK)
        w->pool_max_bytes = target->memory_bytes / S3S_MEMORY_SLACK;
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    w->encoders_max = cores > 0 ? (size_t)cores : 1;
    opening o = {.writer = w, .options = options};
    s3s_fan_options fan = {.keep_going = true, .call = options->call};
    s3store_status status = s3s_mutex_init(&w->locked.mutex, w->env, err);
    if (status != S3STORE_OK) {
        s3s_target_release(target);
        s3s_free(target->env, w);
        return status;
    }
    status = s3s_fan_out(target->pool, OPEN_COUNT, open_item, &o, &fan, err);
    if (status == S3STORE_OK)
        status = s3s_views_add_given(&w->views, &target->layout, options->views,
                                     options->view_count, err);
    if (status != S3STORE_OK) {
        s3s_writer_free(w);
        s3s_context(err, "opening %s for writing", target->url);
        return status;
    }
    *out = w;
    return S3STORE_OK;
}

void s3s_writer_free(s3store_writer *writer)
{
    if (writer == NULL)
        return;
    s3store_target *target = writer->target;
    s3s_views_deinit(&writer->views);
    s3s_body_pool_free(writer);
    s3s_mutex_deinit(&writer->locked.mutex);
    s3s_free(writer->env, writer);
    s3s_target_release(target);
}

static s3store_status check_options(const s3store_write_options *options, s3store_error *err)
{
    if (options->token != NULL && options->token_of != NULL)
        return s3s_fail(err, S3STORE_INVALID_ARGUMENT,
                        "token and token_of are mutually exclusive");
    if (options->partition != NULL && options->partition_of != NULL)
        return s3s_fail(err, S3STORE_INVALID_ARGUMENT,
                        "partition and partition_of are mutually exclusive");
    if ((unsigned)options->compression > S3STORE_COMPRESSION_UNCOMPRESSED)
        return s3s_fail(err, S3STORE_INVALID_ARGUMENT, "unknown compression %d",
                        (int)options->compression);
    if (options->timeout_ms < 0)
        return s3s_fail(err, S3STORE_INVALID_ARGUMENT, "timeout_ms is negative");
    return options->token == NULL ? S3STORE_OK : s3s_token_check(options->token, err);
}

/* The states of a dry run: what would be written, under keys as they would look. */
static s3store_status describe_plan(s3s_write_call *c, s3store_error *err)
{
    for (size_t i = 0; i < c->result->count; i++) {
        s3s_result_item *outcome = c->result->outcomes[i];
        s3s_marker marker = {.ref_micros = s3s_wall_us(c->env),
                             .inserted_at_us = c->inserted_at_us,
                             .row_count = outcome->commit.row_count};
        if (outcome->commit.state == S3STORE_COMMIT_FAILED)
            continue;
        s3store_status status = s3s_attempt_id(c->env, marker.attempt, err);
        if (status == S3STORE_OK && outcome->commit.token == NULL)
            s3s_outcome_set_token(outcome, marker.attempt);
        if (status == S3STORE_OK)
            status = s3s_outcome_set(outcome, &c->target->layout, S3STORE_COMMIT_PLANNED, &marker,
                                     err);
        if (status != S3STORE_OK)
            return status;
    }
    return S3STORE_OK;
}

/* ---- rounds ---------------------------------------------------------------------------------- */

/* What was spilled before the schema was recorded keeps the types that it was written in. */
static void mark_old_types(s3s_plan *plan)
{
    for (size_t i = 0; i < plan->count; i++) {
        s3s_chunk *chunks[] = {plan->parts[i]->open, plan->parts[i]->sealed};
        for (size_t k = 0; k < 2; k++)
            for (s3s_chunk *chunk = chunks[k]; chunk != NULL; chunk = chunk->next)
                for (size_t e = 0; e < chunk->extent_count; e++)
                    chunk->extents[e].old_types = true;
    }
}

/* The last that comes before the first data: the schema is recorded. */
static s3store_status admit(s3s_write_call *c, s3store_error *err)
{
    if (c->is_admitted)
        return S3STORE_OK;
    s3store_status status = s3s_input_admit(&c->input, err);
    if (status == S3STORE_OK && c->input.spilled != NULL)
        mark_old_types(&c->plan);
    c->is_admitted = status == S3STORE_OK;
    return status;
}

static bool has_sealed(const s3s_plan *plan)
{
    for (size_t i = 0; i < plan->count; i++)
        if (plan->parts[i]->sealed != NULL && !plan->parts[i]->is_failed)
            return true;
    return false;
}

static s3store_status cut_again(s3s_write_call *c, bool *any, s3store_error *err)
{
    *any = false;
    for (size_t i = 0; i < c->plan.count; i++) {
        s3s_part *part = c->plan.parts[i];
        if (!part->is_recut)
            continue;
        s3store_status status = s3s_plan_cut_again(c, part, err);
        if (status != S3STORE_OK)
            return status;
        *any = true;
    }
    return S3STORE_OK;
}

/* With keep_going a failure is its partition's alone, and the round goes on; not what stops the call. */
static bool stops(const s3s_write_call *c, s3store_status status)
{
    return status != S3STORE_OK &&
           (!c->options->keep_going || s3s_call_check(c->env, &c->call, NULL) != S3STORE_OK);
}

static s3store_status publish_round(s3s_write_call *c, s3store_error *err)
{
    bool again = has_sealed(&c->plan);
    s3store_status status = again ? admit(c, err) : S3STORE_OK;
    s3store_status first = S3STORE_OK;
    while (status == S3STORE_OK && again) {
        s3store_error own = {0};
        s3store_status round = s3s_publish_sealed(c, &own);
        if (round != S3STORE_OK && first == S3STORE_OK) {
            first = round;
            *err = own;
        }
        if (stops(c, round))
            return round;
        status = cut_again(c, &again, err);
    }
    return status != S3STORE_OK || c->options->keep_going ? status : first;
}

/* What is held: planned; spilled, unless nothing comes any more; and published where it is whole. */
static s3store_status run_round(s3s_write_call *c, bool ends, s3store_error *err)
{
    s3store_status status = s3s_plan_group(c, err);
    s3s_progress_read(c);
    if (status == S3STORE_OK && !c->options->dry_run)
        status = s3s_ask_prior(c, ends, err);
    if (status == S3STORE_OK)
        status = s3s_plan_cut(c, ends, err);
    if (status == S3STORE_OK && !ends)
        status = s3s_spill_held(c, err);
    return status != S3STORE_OK || c->options->dry_run ? status : publish_round(c, err);
}

/* The rest is for what is encoded. */
static bool is_pressed(const s3s_write_call *c)
{
    return c->input.held_bytes > c->target->memory_bytes / 8 * 5 ||
           c->input.batch_count >= UINT32_MAX / 2;
}

static s3store_status run_call(s3s_write_call *c, bool *is_read, s3store_error *err)
{
    s3store_status status = S3STORE_OK;
    while (status == S3STORE_OK) {
        status = s3s_input_next(&c->input, err);
        if (status == S3STORE_OK)
            s3s_progress_read(c);
        if (status == S3STORE_OK && is_pressed(c))
            status = run_round(c, false, err);
    }
    if (status != S3STORE_END)
        return status;
    *is_read = true;
    return c->input.row_count > 0 ? run_round(c, true, err) : S3STORE_OK;
}

/* The status by the outcomes; a failure before there were any is the call's. */
static s3store_status conclude(s3s_write_call *c, bool is_read, s3store_status status,
                               const s3store_error *why, s3store_error *err)
{
    if (status == S3STORE_OK && c->options->dry_run)
        return describe_plan(c, err);
    if (status != S3STORE_OK && !s3s_result_tells(c->result)) {
        *err = *why;
        return status;
    }
    return s3s_result_status(c->result, is_read, why, err);
}

void s3s_write_call_end(s3s_write_call *c)
{
    s3s_progress_end(c);
    s3s_plan_deinit(&c->plan);
    s3s_input_deinit(&c->input);
    if (c->spill != NULL)
        s3s_spill_file_close(c->spill);
    s3s_free(c->env, c->spill);
}

s3store_status s3s_write_call_begin(s3s_write_call *c, s3store_writer *writer,
                                    struct ArrowArrayStream *stream,
                                    const s3store_write_options *options, s3store_error *err)
{
    s3s_env *env = writer->env;
    *c = (s3s_write_call){.env = env,
                          .writer = writer,
                          .target = writer->target,
                          .options = options,
                          .began_us = s3s_mono_us(env)};
    c->call = s3s_call_make(env, options->cancel, options->timeout_ms);
    c->inserted_at_us = options->inserted_at_us != S3STORE_TIME_NONE ? options->inserted_at_us
                                                                     : s3s_wall_us(env);
    s3s_plan_init(&c->plan, c->env);
    s3store_status status = check_options(c->options, err);
    if (status == S3STORE_OK)
        status = s3s_result_new(c->env, &c->result, err);
    if (status == S3STORE_OK)
        status = s3s_progress_begin(c, err);
    if (status == S3STORE_OK) /* known since the writer was opened */
        status = s3s_target_probe(c->target, &c->call, &c->conditional, &c->fenced, err);
    if (status != S3STORE_OK) {
        if (stream->release != NULL)
            stream->release(stream);
        return status;
    }
    return s3s_input_open(c->writer, stream, c->options, &c->call, c->inserted_at_us, &c->input,
                          err);
}

static s3store_status write_stream(s3store_writer *writer, struct ArrowArrayStream *stream,
                                   const s3store_write_options *options,
                                   s3store_write_result **out, s3store_error *err)
{
    s3store_error why = {0};
    bool is_read = false;
    s3s_write_call c;
    *out = NULL;
    s3store_status status = s3s_write_call_begin(&c, writer, stream, options, err);
    if (status == S3STORE_OK) {
        status = run_call(&c, &is_read, &why);
        s3s_result_sort(c.result);
        status = conclude(&c, is_read, status, &why, err);
    }
    s3s_write_call_end(&c);
    if (status != S3STORE_OK && !s3s_result_tells(c.result)) {
        s3store_write_result_free(c.result);
        c.result = NULL;
    }
    *out = c.result;
    return status;
}

/* What is committed, whatever became of the rest. */
static void count_committed(const s3s_scope *scope, const s3store_write_result *result)
{
    uint64_t rows = 0, commits = 0, bytes = 0;
    for (size_t i = 0; i < s3store_write_result_count(result); i++) {
        const s3store_commit *c = s3store_write_result_get(result, i);
        if (c->state != S3STORE_COMMIT_DONE && c->state != S3STORE_COMMIT_EXISTING &&
            c->state != S3STORE_COMMIT_LATE)
            continue;
        commits++;
        rows += c->row_count > 0 ? (uint64_t)c->row_count : 0;
        bytes += c->state != S3STORE_COMMIT_EXISTING ? c->size_bytes : 0;
        if (c->state == S3STORE_COMMIT_LATE)
            s3s_scope_count(scope, S3S_METRIC_COMMIT_AFTER_TIMEOUT, 1);
    }
    s3s_scope_count(scope, S3S_METRIC_WRITE_RECORDS, rows);
    s3s_scope_count(scope, S3S_METRIC_WRITE_PARTITIONS, commits);
    s3s_scope_count(scope, S3S_METRIC_WRITE_BYTES, bytes);
}

s3store_status s3s_write(s3store_writer *writer, struct ArrowArrayStream *stream,
                         const s3store_write_options *options, s3store_write_result **out,
                         s3store_error *err)
{
    s3store_write_options defaults = S3STORE_WRITE_OPTIONS_INIT;
    s3store_error unwanted = {0};
    s3s_scope scope;
    if (err == NULL)
        err = &unwanted;
    if (options == NULL)
        options = &defaults;
    s3s_scope_begin(&scope, writer->env,
                    options->partition != NULL ? S3S_METHOD_WRITE_WITH_KEY : S3S_METHOD_WRITE);
    s3store_status status = write_stream(writer, stream, options, out, err);
    count_committed(&scope, *out);
    return s3s_scope_end(&scope, status, err);
}
