#include <string.h>

#include "write/write_private.h"

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
    opening o = {.writer = w, .options = options};
    s3s_fan_options fan = {.keep_going = true, .call = options->call};
    s3store_status status = s3s_fan_out(target->pool, OPEN_COUNT, open_item, &o, &fan, err);
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
    s3s_free(writer->env, writer);
    s3s_target_release(target);
}

static s3store_status check_options(const s3store_write_options *options, s3store_error *err)
{
    if (options->token != NULL && options->token_of != NULL)
        return s3s_fail(err, S3STORE_INVALID_ARGUMENT,
                        "token and token_of are mutually exclusive");
    if ((unsigned)options->compression > S3STORE_COMPRESSION_UNCOMPRESSED)
        return s3s_fail(err, S3STORE_INVALID_ARGUMENT, "unknown compression %d",
                        (int)options->compression);
    if (options->timeout_ms < 0)
        return s3s_fail(err, S3STORE_INVALID_ARGUMENT, "timeout_ms is negative");
    return options->token == NULL ? S3STORE_OK : s3s_token_check(options->token, err);
}

static s3store_status name_partitions(s3store_writer *writer, const s3s_plan *plan,
                                      s3store_write_result **out, s3store_error *err)
{
    s3store_write_result *result = NULL;
    s3store_status status = s3s_result_new(writer->env, plan->count, &result, err);
    for (size_t i = 0; i < plan->count && status == S3STORE_OK; i++) {
        const s3s_plan_item *item = &plan->items[i];
        status = s3s_result_name(result, i, &writer->target->layout, item->partition, item->token,
                                 (int64_t)item->row_count, err);
    }
    if (status != S3STORE_OK) {
        s3store_write_result_free(result);
        return status;
    }
    *out = result;
    return S3STORE_OK;
}

/* The states of a dry run: what would be written, under keys as they would look. */
static s3store_status describe_plan(s3store_writer *writer, const s3s_plan *plan,
                                    int64_t inserted_at_us, s3store_write_result *result,
                                    s3store_error *err)
{
    for (size_t i = 0; i < plan->count; i++) {
        s3s_marker marker = {.ref_micros = s3s_wall_us(writer->env),
                             .inserted_at_us = inserted_at_us,
                             .row_count = (int64_t)plan->items[i].row_count};
        s3store_status status = s3s_attempt_id(writer->env, marker.attempt, err);
        if (status == S3STORE_OK && plan->items[i].token == NULL)
            s3s_result_set_token(result, i, marker.attempt);
        if (status == S3STORE_OK)
            status = s3s_result_set(result, i, &writer->target->layout, S3STORE_COMMIT_PLANNED,
                                    &marker, err);
        if (status != S3STORE_OK)
            return status;
    }
    return S3STORE_OK;
}

static bool has_outcome(const s3store_write_result *result)
{
    for (size_t i = 0; i < s3store_write_result_count(result); i++)
        if (s3store_write_result_get(result, i)->state != S3STORE_COMMIT_NOT_TRIED)
            return true;
    return false;
}

/* Everything that needs no request comes first. */
static s3store_status plan_and_publish(s3store_writer *writer, s3s_input *input, s3s_plan *plan,
                                       const s3store_write_options *options,
                                       const s3store_call *call, int64_t inserted_at_us,
                                       s3store_write_result **out, s3store_error *err)
{
    s3store_status status =
        input->row_count > 0 ? s3s_plan_make(writer, input, options, plan, err) : S3STORE_OK;
    if (status == S3STORE_OK)
        status = name_partitions(writer, plan, out, err);
    if (status != S3STORE_OK || plan->count == 0)
        return status;
    if (options->dry_run)
        return describe_plan(writer, plan, inserted_at_us, *out, err);
    status = s3s_input_admit(writer, call, input, err);
    return status != S3STORE_OK ? status
                                : s3s_publish_all(writer, input, plan, options, call,
                                                  inserted_at_us, *out, err);
}

s3store_status s3s_write(s3store_writer *writer, struct ArrowArrayStream *stream,
                         const s3store_write_options *options, s3store_write_result **out,
                         s3store_error *err)
{
    s3store_write_options defaults = S3STORE_WRITE_OPTIONS_INIT;
    s3store_error unwanted;
    if (err == NULL)
        err = &unwanted;
    if (options == NULL)
        options = &defaults;
    s3s_input input = {0};
    s3s_plan plan = {0};
    s3store_write_result *result = NULL;
    *out = NULL;
    s3store_call call = s3s_call_make(writer->env, options->cancel, options->timeout_ms);
    int64_t inserted_at_us = options->inserted_at_us != S3STORE_TIME_NONE
                                 ? options->inserted_at_us
                                 : s3s_wall_us(writer->env);
    s3store_status status = check_options(options, err);
    if (status != S3STORE_OK) {
        if (stream->release != NULL)
            stream->release(stream);
        return status;
    }
    status = s3s_input_gather(writer, stream, options, &call, inserted_at_us, &input, err);
    if (status == S3STORE_OK)
        status = plan_and_publish(writer, &input, &plan, options, &call, inserted_at_us, &result,
                                  err);
    s3s_plan_deinit(&plan);
    if (input.env != NULL)
        s3s_input_deinit(&input);
    if (status != S3STORE_OK && !has_outcome(result)) {
        s3store_write_result_free(result);
        result = NULL;
    }
    *out = result;
    return status;
}
