/* dataset/init.c: creating a dataset, or adopting a prefix (docs/FORMAT.md "Self-description").
 *
 * Everything is read and checked before anything is written. Then the objects are created in the
 * order dataset.json, schema, views, max-clock-skew, commit-timeout: two different inits at the same time
 * are arbitrated by the first, and what an interrupted one leaves is not a dataset yet, because the
 * last is missing.
 */
#include "dataset/target_private.h"
#include "dataset/view.h"

#include <string.h>

#include "base/error.h"
#include "base/timefmt.h"

#define INIT_TRIES 8
#define LOCAL_COMMIT_TIMEOUT_US 1000000
#define LOCAL_MAX_CLOCK_SKEW_US 0

enum { ITEM_TIMEOUT, ITEM_SKEW, ITEM_DESCRIPTOR, ITEM_SCHEMA, ITEM_COUNT };

typedef struct timing {
    const char *name;
    int64_t wanted_us;
    bool explicit; /* asked for, not a default */
    bool found;
} timing;

typedef struct init {
    s3store_target *target;
    const s3store_call *call;
    timing timings[2]; /* by ITEM_TIMEOUT, ITEM_SKEW */
    s3s_descriptor wanted;
    s3s_buffer descriptor_text;
    bool descriptor_found;
    s3s_schema *schema; /* to record; NULL = none */
    uint32_t schema_version;
    s3s_view_set views; /* wanted */
    bool *view_found;   /* by view */
    bool created;
} init;

/* ---- what is wanted ------------------------------------------------------------------------- */

static s3store_status copy_options(const s3store_init_options *options, s3store_init_options *out,
                                   s3store_error *err)
{
    *out = (s3store_init_options)S3STORE_INIT_OPTIONS_INIT;
    if (options == NULL)
        return S3STORE_OK;
    if (options->size < offsetof(s3store_init_options, max_clock_skew_us) + sizeof(int64_t))
        return s3s_fail(err, S3STORE_INVALID_ARGUMENT,
                        "init options: size is not set (use S3STORE_INIT_OPTIONS_INIT)");
    if (options->size > sizeof *out)
        return s3s_fail(err, S3STORE_INVALID_ARGUMENT,
                        "init options: their size %zu is unknown to this library (%zu): they were "
                        "made for a newer one",
                        options->size, sizeof *out);
    memcpy(out, options, options->size);
    out->size = sizeof *out;
    if (out->commit_timeout_us == 0)
        out->commit_timeout_us = S3STORE_TIME_NONE;
    if (out->commit_timeout_us != S3STORE_TIME_NONE &&
        out->commit_timeout_us < S3STORE_COMMIT_TIMEOUT_FLOOR_US)
        return s3s_fail(err, S3STORE_INVALID_ARGUMENT,
                        "init options: commit_timeout_us %lld is below its floor of 1 ms",
                        (long long)out->commit_timeout_us);
    if (out->max_clock_skew_us != S3STORE_TIME_NONE &&
        out->max_clock_skew_us < S3STORE_MAX_CLOCK_SKEW_FLOOR_US)
        return s3s_fail(err, S3STORE_INVALID_ARGUMENT,
                        "init options: max_clock_skew_us %lld is below its floor of 0",
                        (long long)out->max_clock_skew_us);
    if (out->commit_timeout_us > INT64_MAX / 1000 || out->max_clock_skew_us > INT64_MAX / 1000)
        return s3s_fail(err, S3STORE_INVALID_ARGUMENT,
                        "init options: a duration is longer than 292 years");
    if ((int)out->compression < S3STORE_COMPRESSION_DEFAULT ||
        (int)out->compression > S3STORE_COMPRESSION_UNCOMPRESSED)
        return s3s_fail(err, S3STORE_INVALID_ARGUMENT,
                        "init options: compression has an unknown value");
    if (out->chunk_rows > S3S_CHUNK_MAX || out->chunk_bytes > S3S_CHUNK_MAX)
        return s3s_fail(err, S3STORE_INVALID_ARGUMENT,
                        "init options: chunk_rows or chunk_bytes is above 2^63");
    return S3STORE_OK;
}

static timing want_timing(const char *name, int64_t given_us, int64_t default_us)
{
    bool given = given_us != S3STORE_TIME_NONE;

    return (timing){.name = name, .wanted_us = given ? given_us : default_us, .explicit = given};
}

/* The schema to record, without columns whose type nobody knows. */
static s3store_status want_schema(init *in, const struct ArrowSchema *given, s3store_error *err)
{
    s3s_schema *imported = NULL;
    s3s_buffer text;
    bool grown;
    s3store_status status;

    if (given == NULL)
        return S3STORE_OK;
    status = s3s_schema_import(in->target->env, given, &imported, err);
    if (status == S3STORE_OK)
        status = s3s_schema_evolve(in->target->env, NULL, imported, &in->schema, &grown, err);
    s3s_schema_release(imported);
    if (status != S3STORE_OK)
        return status;
    s3s_buffer_init(&text, in->target->env, S3S_JSON_MAX_BYTES);
    status = s3s_schema_json_write(in->schema, 1, &text, err); /* can it be recorded at all? */
    s3s_buffer_deinit(&text);
    if (status == S3STORE_OK && in->schema->field_count == 0) {
        s3s_schema_release(in->schema);
        in->schema = NULL;
    }
    return status;
}

static s3store_status want_views(init *in, const s3store_init_options *options,
                                 s3store_error *err)
{
    in->views.env = in->target->env;
    s3store_status status = s3s_views_add_given(&in->views, &in->target->layout, options->views,
                                                options->view_count, err);
    for (size_t i = 0; i < in->views.count && status == S3STORE_OK; i++) {
        if (in->views.items[i].of != NULL)
            status = s3s_fail(err, S3STORE_INVALID_ARGUMENT,
                              "view \"%.200s\" is defined by a function, which cannot be recorded",
                              in->views.items[i].name);
        else if (in->schema != NULL)
            status = s3s_view_def_check(&in->views.items[i], in->schema, NULL, err);
    }
    in->view_found = s3s_calloc(in->target->env, in->views.count, sizeof *in->view_found);
    if (status == S3STORE_OK && in->view_found == NULL)
        status = s3s_fail_memory(err, in->views.count);
    return status;
}

static s3store_status prepare(init *in, const s3store_target_config *config,
                              const s3store_init_options *options, s3store_error *err)
{
    bool local = in->target->local;
    s3store_status status = s3s_descriptor_wanted(in->target->env, config, &in->wanted, err);

    if (status != S3STORE_OK)
        return status;
    in->wanted.compression = options->compression;
    in->wanted.chunk_rows = options->chunk_rows;
    in->wanted.chunk_bytes = options->chunk_bytes;
    in->timings[ITEM_TIMEOUT] =
        want_timing(S3S_CONFIG_COMMIT_TIMEOUT, options->commit_timeout_us,
                    local ? LOCAL_COMMIT_TIMEOUT_US : S3STORE_DEFAULT_COMMIT_TIMEOUT_US);
    in->timings[ITEM_SKEW] =
        want_timing(S3S_CONFIG_MAX_CLOCK_SKEW, options->max_clock_skew_us,
                    local ? LOCAL_MAX_CLOCK_SKEW_US : S3STORE_DEFAULT_MAX_CLOCK_SKEW_US);
    s3s_buffer_init(&in->descriptor_text, in->target->env, S3S_JSON_MAX_BYTES);
    status = s3s_descriptor_write(&in->wanted, &in->descriptor_text, err);
    if (status == S3STORE_OK)
        status = want_schema(in, options->schema, err);
    return status == S3STORE_OK ? want_views(in, options, err) : status;
}

/* ---- what is there -------------------------------------------------------------------------- */

static s3store_status check_timing(timing *wanted, const s3s_buffer *body, const char *key,
                                   s3store_error *err)
{
    int64_t ns;
    char have[40], want[40];
    s3store_status status =
        s3s_timing_parse((const char *)body->data, body->size, wanted->name, key, &ns, err);

    if (status != S3STORE_OK || !wanted->explicit || ns == wanted->wanted_us * 1000)
        return status;
    s3s_go_duration_format(ns, have, sizeof have);
    s3s_go_duration_format(wanted->wanted_us * 1000, want, sizeof want);
    return s3s_fail_key(err, S3STORE_BAD_CONFIG, key,
                        "%s is %s in %s, but %s was asked for: it cannot be changed", wanted->name,
                        have, key, want);
}

static s3store_status one_sided(const char *setting, bool recorded, const char *key,
                                s3store_error *err)
{
    return s3s_fail_key(err, S3STORE_BAD_CONFIG, key,
                        "%s %s %s, which cannot be changed", setting,
                        recorded ? "was not asked for, but is recorded in"
                                 : "was asked for, but is not recorded in",
                        key);
}

/* Wholly: what only one of them says is a contradiction too, apart from what has a default. */
static s3store_status check_descriptor(const init *in, const s3s_buffer *body, const char *key,
                                       s3store_error *err)
{
    const s3s_descriptor *want = &in->wanted;
    s3s_descriptor have;
    s3store_status status = s3s_descriptor_parse(in->target->env, (const char *)body->data,
                                                 body->size, key, &have, err);

    if (status != S3STORE_OK)
        return status;
    status = s3s_descriptor_agree(&have, want, key, err);
    if (status == S3STORE_OK && have.part_count == 0)
        status = one_sided("partition-by", false, key, err);
    if (status == S3STORE_OK && (have.entity_count == 0) != (want->entity_count == 0))
        status = one_sided("entity", have.entity_count > 0, key, err);
    if (status == S3STORE_OK &&
        (have.inserted_at_column == NULL) != (want->inserted_at_column == NULL))
        status = one_sided("inserted-at-column", have.inserted_at_column != NULL, key, err);
    if (status == S3STORE_OK && want->compression != S3STORE_COMPRESSION_DEFAULT &&
        have.compression == S3STORE_COMPRESSION_DEFAULT)
        status = one_sided("compression", false, key, err);
    if (status == S3STORE_OK && want->consistency != NULL && have.consistency == NULL)
        status = one_sided("consistency", false, key, err);
    if (status == S3STORE_OK && want->chunk_rows != 0 && have.chunk_rows == 0)
        status = one_sided("chunk-rows", false, key, err);
    if (status == S3STORE_OK && want->chunk_bytes != 0 && have.chunk_bytes == 0)
        status = one_sided("chunk-bytes", false, key, err);
    s3s_descriptor_deinit(&have);
    return status;
}

static s3store_status check_schema(init *in, s3store_error *err)
{
    s3s_schema *have = NULL, *joined = NULL;
    bool grown = false;
    s3store_status status =
        s3s_target_schema(in->target, in->call, true, &in->schema_version, &have, err);

    if (status == S3STORE_OK && have != NULL) {
        status = s3s_schema_evolve(in->target->env, have, in->schema, &joined, &grown, err);
        if (status == S3STORE_OK && grown)
            status = s3s_fail_key(err, S3STORE_BAD_CONFIG, in->target->url,
                                  "the types that were asked for go beyond the recorded schema "
                                  "(version %u of %.300s)",
                                  (unsigned)in->schema_version, in->target->url);
    }
    s3s_schema_release(joined);
    s3s_schema_release(have);
    return status;
}

static s3store_status check_view(init *in, size_t i, s3store_error *err)
{
    char key[S3S_KEY_SIZE];
    s3s_view_def have;
    const s3s_view_def *want = &in->views.items[i];
    s3store_status status =
        s3s_view_load(in->target, in->call, want->name, &have, &in->view_found[i], err);

    if (status != S3STORE_OK || !in->view_found[i])
        return status;
    status = s3s_view_config_key(&in->target->layout, want->name, key, err);
    if (status == S3STORE_OK)
        status = s3s_view_def_agree(&have, want, key, err);
    s3s_view_def_deinit(&have);
    return status;
}

/* Writers of a dataset that exists would not see the view: adding one takes more than recording
 * it. */
static s3store_status check_new_views(const init *in, s3store_error *err)
{
    if (!in->descriptor_found || !in->timings[ITEM_TIMEOUT].found)
        return S3STORE_OK;
    for (size_t i = 0; i < in->views.count; i++)
        if (!in->view_found[i])
            return s3s_fail_key(err, S3STORE_BAD_CONFIG, in->target->url,
                                "view \"%.200s\" is not recorded in %.300s, which exists: add it "
                                "with s3store view-add",
                                in->views.items[i].name, in->target->url);
    return S3STORE_OK;
}

static s3store_status check_item(void *ctx, size_t item, s3store_error *err)
{
    init *in = ctx;
    s3store_target *t = in->target;
    char key[S3S_KEY_SIZE];
    s3s_buffer body;
    bool found;
    const char *name = item == ITEM_DESCRIPTOR ? S3S_CONFIG_DATASET
                       : item == ITEM_TIMEOUT  ? S3S_CONFIG_COMMIT_TIMEOUT
                                               : S3S_CONFIG_MAX_CLOCK_SKEW;
    s3store_status status;

    if (item >= ITEM_COUNT)
        return check_view(in, item - ITEM_COUNT, err);
    if (item == ITEM_SCHEMA)
        return in->schema != NULL ? check_schema(in, err) : S3STORE_OK;
    s3s_buffer_init(&body, t->env, S3S_JSON_MAX_BYTES);
    status = s3s_config_key(&t->layout, name, key, err);
    if (status == S3STORE_OK)
        status = s3s_config_get(t, in->call, name,
                                item == ITEM_DESCRIPTOR ? S3S_JSON_MAX_BYTES : S3S_TIMING_MAX_BYTES,
                                &body, &found, err);
    if (status == S3STORE_OK && item == ITEM_DESCRIPTOR) {
        in->descriptor_found = found;
        if (found)
            status = check_descriptor(in, &body, key, err);
    } else if (status == S3STORE_OK) {
        in->timings[item].found = found;
        if (found)
            status = check_timing(&in->timings[item], &body, key, err);
    }
    s3s_buffer_deinit(&body);
    return status;
}

/* ---- writing -------------------------------------------------------------------------------- */

/* created false: somebody else was quicker, or nobody knows whether ours arrived. */
static s3store_status create(init *in, const char *name, const void *body, size_t size,
                             bool *created, s3store_error *err)
{
    char key[S3S_KEY_SIZE];
    s3store_error inner = {0};
    s3store_put_reply reply = {0};
    s3store_status status = s3s_config_key(&in->target->layout, name, key, &inner);

    *created = false;
    if (status == S3STORE_OK) {
        s3store_put_request request = {.size = sizeof request,
                                       .key = key,
                                       .body = body,
                                       .body_size = size,
                                       .if_none_match = true};
        status = s3s_put(in->target->store, in->call, &request, &reply, &inner);
    }
    if (status == S3STORE_OK) {
        *created = in->created = true;
        return S3STORE_OK;
    }
    if (status == S3STORE_ALREADY_EXISTS || status == S3STORE_CONFLICT ||
        status == S3STORE_UNCERTAIN)
        return S3STORE_OK;
    s3s_context(&inner, "creating %.300s", in->target->url);
    return s3s_fail_as(err, status, &inner);
}

/* Creates what is missing, in order. done false: read again. */
static s3store_status create_missing(init *in, bool *done, s3store_error *err)
{
    static const size_t timing_order[] = {ITEM_SKEW, ITEM_TIMEOUT};
    s3store_status status = S3STORE_OK;

    *done = true;
    if (!in->descriptor_found)
        status = create(in, S3S_CONFIG_DATASET, in->descriptor_text.data, in->descriptor_text.size,
                        done, err);
    if (status == S3STORE_OK && *done && in->schema != NULL && in->schema_version == 0) {
        status = s3s_schema_version_put(in->target, in->call, 1, in->schema, done, NULL, err);
        in->created |= *done;
    }
    for (size_t i = 0; i < in->views.count && status == S3STORE_OK && *done; i++) {
        bool created = false;
        if (!in->view_found[i])
            status = s3s_view_record(in->target, in->call, &in->views.items[i], &created, NULL, err);
        in->created |= created;
    }
    for (size_t i = 0; i < 2 && status == S3STORE_OK && *done; i++) {
        const timing *wanted = &in->timings[timing_order[i]];
        char text[40];

        if (wanted->found)
            continue;
        s3s_go_duration_format(wanted->wanted_us * 1000, text, sizeof text);
        status = create(in, wanted->name, text, strlen(text), done, err);
    }
    return status;
}

static s3store_status check_and_create(init *in, s3store_error *err)
{
    s3s_fan_options options = {.keep_going = true, .call = in->call};

    for (int i = 0; i < INIT_TRIES; i++) {
        bool done = false;
        s3store_status status =
            s3s_fan_out(in->target->pool, ITEM_COUNT + in->views.count, check_item, in, &options,
                        err);

        if (status == S3STORE_OK)
            status = check_new_views(in, err);
        if (status == S3STORE_OK)
            status = create_missing(in, &done, err);
        if (status != S3STORE_OK || done)
            return status;
    }
    return s3s_fail_key(err, S3STORE_CONFLICT, in->target->url,
                        "%.300s is being created by others, or its server gives no answers: try "
                        "again",
                        in->target->url);
}

s3store_status s3s_dataset_init(s3s_env *env, const s3store_target_config *config,
                                const s3store_init_options *options, bool *created,
                                s3store_error *err)
{
    s3store_target_config c;
    s3store_init_options o;
    s3store_call call;
    init in = {0};
    s3store_status status = s3s_target_config_copy(config, &c, err);

    if (created != NULL)
        *created = false;
    if (status == S3STORE_OK)
        status = s3s_target_config_check(&c, false, err);
    if (status == S3STORE_OK)
        status = copy_options(options, &o, err);
    if (status == S3STORE_OK)
        status = s3s_target_new(env, &c, &in.target, err);
    if (status != S3STORE_OK)
        return status;
    call = s3s_call_make(in.target->env, c.cancel, c.timeout_ms);
    in.call = o.call != NULL ? o.call : &call;
    status = prepare(&in, &c, &o, err);
    if (status == S3STORE_OK)
        status = check_and_create(&in, err);
    if (status == S3STORE_OK && created != NULL)
        *created = in.created;
    s3s_schema_release(in.schema);
    s3s_views_deinit(&in.views);
    s3s_free(in.target->env, in.view_found);
    s3s_buffer_deinit(&in.descriptor_text);
    s3s_descriptor_deinit(&in.wanted);
    s3s_target_release(in.target);
    return status;
}
