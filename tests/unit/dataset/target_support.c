#include "target_support.h"

#include <stdlib.h>

#include "base/bytes.h"
#include "base/error.h"

/* ---- the store in front --------------------------------------------------------------------- */

static bool is_hit(const world *w, const char *key)
{
    return w->fail_key_part != NULL && key != NULL && strstr(key, w->fail_key_part) != NULL;
}

static s3store_status fail_hit(const world *w, const char *key, s3store_error *err)
{
    s3s_fail_key(err, w->fail_with, key, "bent: %s", key);
    if (err != NULL && w->s3_code != NULL)
        snprintf(err->s3_code, sizeof err->s3_code, "%s", w->s3_code);
    return w->fail_with;
}

static void bend_date(const world *w, int64_t *date_us)
{
    if (w->no_dates)
        *date_us = S3STORE_TIME_NONE;
    else if (*date_us != S3STORE_TIME_NONE)
        *date_us += w->date_offset_us;
}

static s3store_status bent_put(void *impl, const s3store_call *call,
                               const s3store_put_request *request, s3store_put_reply *reply,
                               s3store_error *err)
{
    world *w = impl;
    s3store_put_request bent = *request;
    s3store_status status;

    w->last_put = *request;
    snprintf(w->last_key, sizeof w->last_key, "%s", request->key);
    snprintf(w->last_body, sizeof w->last_body, "%.*s", (int)request->body_size,
             (const char *)request->body);
    if (w->before_put != NULL)
        w->before_put(w, request->key);
    if (is_hit(w, request->key))
        return fail_hit(w, request->key, err);
    if (w->put_fails != S3STORE_OK)
        return s3s_fail_key(err, w->put_fails, request->key, "bent: put refused");
    if (request->fenced && w->refuses_fence) {
        reply->date_us = s3s_wall_us(w->env);
        bend_date(w, &reply->date_us);
        return s3s_fail_key(err, S3STORE_PERMISSION_DENIED, request->key, "bent: no fence");
    }
    if (w->ignores_conditions)
        bent.if_none_match = false;
    status = s3s_put(&w->memory, call, &bent, reply, err);
    bend_date(w, &reply->date_us);
    return status;
}

static s3store_status bent_get(void *impl, const s3store_call *call,
                               const s3store_get_request *request, s3store_sink *sink,
                               s3store_object_info *info, s3store_error *err)
{
    world *w = impl;
    s3store_status status;

    if (is_hit(w, request->key))
        return fail_hit(w, request->key, err);
    status = s3s_get(&w->memory, call, request, sink, info, err);
    if (status == S3STORE_NOT_FOUND && err != NULL && w->s3_code != NULL)
        snprintf(err->s3_code, sizeof err->s3_code, "%s", w->s3_code);
    return status;
}

static s3store_status bent_head(void *impl, const s3store_call *call, const char *key,
                                s3store_object_info *info, s3store_error *err)
{
    world *w = impl;

    if (is_hit(w, key))
        return fail_hit(w, key, err);
    return s3s_head(&w->memory, call, key, info, err);
}

typedef struct reversal {
    s3store_list_entry entries[64];
    char keys[64][200];
    size_t count;
} reversal;

static bool collect(void *ctx, const s3store_list_entry *entry)
{
    reversal *r = ctx;

    assert_true(r->count < 64);
    r->entries[r->count] = *entry;
    snprintf(r->keys[r->count], sizeof r->keys[0], "%s", entry->key);
    r->entries[r->count].key = r->keys[r->count];
    r->count++;
    return true;
}

static s3store_status bent_list(void *impl, const s3store_call *call,
                                const s3store_list_request *request, s3store_list_fn fn,
                                void *fn_ctx, s3store_list_reply *reply, s3store_error *err)
{
    world *w = impl;
    s3store_list_request bent = *request;
    s3store_status status;

    if (is_hit(w, request->prefix))
        return fail_hit(w, request->prefix, err);
    if (bent.max_keys == 0)
        bent.max_keys = w->max_keys;
    if (w->reversed_lists) {
        reversal *r = calloc(1, sizeof *r);
        status = s3s_list(&w->memory, call, &bent, collect, r, reply, err);
        for (size_t i = r->count; i-- > 0;)
            if (!fn(fn_ctx, &r->entries[i]))
                break;
        free(r);
    } else {
        s3store_list_entry before = {.key = "p/a"}, after = {.key = "p/zzz"},
                           folder = {.key = "p/data/", .is_prefix = true};
        if (w->strays)
            (void)(fn(fn_ctx, &before) && fn(fn_ctx, &folder));
        status = s3s_list(&w->memory, call, &bent, fn, fn_ctx, reply, err);
        if (w->strays)
            (void)fn(fn_ctx, &after);
    }
    bend_date(w, &reply->date_us);
    if (w->endless_list) {
        reply->truncated = true;
        snprintf(reply->continuation, sizeof reply->continuation, "%s",
                 request->continuation != NULL ? request->continuation : "");
    }
    if (w->after_list != NULL)
        w->after_list(w);
    return status;
}

static s3store_status bent_remove(void *impl, const s3store_call *call, const char *key,
                                  s3store_error *err)
{
    world *w = impl;
    return s3s_remove(&w->memory, call, key, err);
}

/* ---- the world ------------------------------------------------------------------------------ */

static void keep_log(void *ctx, s3store_log_level level, const char *message,
                     const s3store_log_field *fields, size_t field_count)
{
    world *w = ctx;
    size_t used = strlen(w->log);

    used += (size_t)snprintf(w->log + used, sizeof w->log - used, "%d %s", (int)level, message);
    for (size_t i = 0; i < field_count && used < sizeof w->log; i++)
        used += (size_t)snprintf(w->log + used, sizeof w->log - used, " %s=%s", fields[i].key,
                                 fields[i].value);
    if (used < sizeof w->log)
        snprintf(w->log + used, sizeof w->log - used, "\n");
}

void world_init_env(world *w, s3s_env *env)
{
    s3store_error err;

    memset(w, 0, sizeof *w);
    w->env = s3s_env_retain(env);
    assert_ok(s3s_memory_store_new(w->env, &w->memory, &err));
    w->store = (s3store_object_store){.size = sizeof w->store,
                                      .impl = w,
                                      .put = bent_put,
                                      .get = bent_get,
                                      .head = bent_head,
                                      .list = bent_list,
                                      .remove = bent_remove,
                                      .name = "memory"};
}

void world_init(world *w)
{
    s3store_error err;
    s3s_env *env;

    assert_ok(s3s_env_new_real(&env, &err));
    world_init_env(w, env);
    s3s_env_release(env);
}

void world_deinit(world *w)
{
    s3s_store_deinit(&w->memory);
    s3s_env_release(w->env);
    memset(w, 0, sizeof *w);
}

int world_setup(void **state)
{
    world *w = malloc(sizeof *w);

    world_init(w);
    *state = w;
    return 0;
}

int world_teardown(void **state)
{
    world *w = *state;
    uint64_t live;

    s3s_store_deinit(&w->memory);
    live = s3s_env_live_allocs(w->env);
    s3s_env_release(w->env);
    free(w);
    if (live != 0)
        fail_msg("%llu allocations leaked", (unsigned long long)live);
    return 0;
}

void put_text(world *w, const char *key, const char *text)
{
    s3store_error err;
    s3store_put_reply reply;
    s3store_put_request request = {.size = sizeof request,
                                   .key = key,
                                   .body = text,
                                   .body_size = strlen(text)};
    assert_ok(s3s_put(&w->memory, NULL, &request, &reply, &err));
}

bool has_object(world *w, const char *key)
{
    s3store_error err;
    s3store_object_info info;
    return s3s_head(&w->memory, NULL, key, &info, &err) == S3STORE_OK;
}

void get_text(world *w, const char *key, char *out, size_t out_size)
{
    s3store_error err;
    s3store_object_info info;
    s3s_buffer body;
    s3store_get_request request = {.size = sizeof request, .key = key,
                                   .length = S3STORE_LENGTH_ALL};
    s3s_buffer_init(&body, w->env, SIZE_MAX);
    s3store_sink sink = s3s_buffer_sink(&body);
    assert_ok(s3s_get(&w->memory, NULL, &request, &sink, &info, &err));
    snprintf(out, out_size, "%.*s", (int)body.size, (const char *)body.data);
    s3s_buffer_deinit(&body);
}

void remove_object(world *w, const char *key)
{
    s3store_error err;
    assert_ok(s3s_remove(&w->memory, NULL, key, &err));
}

void put_timing(world *w, const char *commit_timeout, const char *max_clock_skew)
{
    put_text(w, "p/_config/commit-timeout", commit_timeout);
    put_text(w, "p/_config/max-clock-skew", max_clock_skew);
}

static void attempt_text(char attempt, char out[33])
{
    memset(out, attempt, 32);
    out[32] = '\0';
}

void put_data(world *w, const char *partition, const char *token, char attempt)
{
    char key[1100], id[33];

    attempt_text(attempt, id);
    snprintf(key, sizeof key, "p/data/%s/%s-%s.parquet", partition, token, id);
    put_text(w, key, "PAR1");
}

void put_commit(world *w, const char *partition, const char *token, char attempt)
{
    s3store_error err;
    char key[1100], id[33];
    s3store_put_reply reply;

    attempt_text(attempt, id);
    snprintf(key, sizeof key, "p/data/%s/%s.commit", partition, token);
    s3store_metadata_entry entries[] = {
        {"attemptid", id}, {"refmicrots", "1000"}, {"insertedat", "1000"}, {"rowcount", "3"}};
    s3store_put_request request = {
        .size = sizeof request, .key = key, .metadata = entries, .metadata_count = 4};
    assert_ok(s3s_put(&w->memory, NULL, &request, &reply, &err));
}

s3store_target_config world_config(world *w, const char *const *partition_by)
{
    s3store_target_config config = S3STORE_TARGET_CONFIG_INIT;

    config.store = &w->store;
    config.prefix = "p";
    config.bucket = "bucket";
    config.partition_by = partition_by;
    while (partition_by != NULL && partition_by[config.partition_by_count] != NULL)
        config.partition_by_count++;
    config.log = keep_log;
    config.log_ctx = w;
    config.log_level = S3STORE_LOG_INFO;
    return config;
}

void assert_requests(const s3store_target *t, uint64_t put, uint64_t get, uint64_t head,
                     uint64_t list)
{
    s3store_request_counts c = {.size = sizeof c};

    s3s_meter_read(t->meter, &c);
    if (c.put != put || c.get != get || c.head != head || c.list != list)
        fail_msg("requests: put %llu get %llu head %llu list %llu, expected %llu %llu %llu %llu",
                 (unsigned long long)c.put, (unsigned long long)c.get, (unsigned long long)c.head,
                 (unsigned long long)c.list, (unsigned long long)put, (unsigned long long)get,
                 (unsigned long long)head, (unsigned long long)list);
}

s3s_schema *make_schema(s3s_env *env, const char *const *pairs)
{
    s3store_error err;
    s3s_schema *schema;
    size_t count = 0;

    while (pairs[2 * count] != NULL)
        count++;
    assert_ok(s3s_schema_new(env, count, &schema, &err));
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(s3s_field_from_text(&schema->arena, pairs[2 * i + 1], &schema->fields[i]),
                         S3S_TEXT_TYPE);
        schema->fields[i].name = s3s_arena_strdup(&schema->arena, pairs[2 * i]);
        schema->fields[i].nullable = true;
    }
    return schema;
}

void schema_text(const s3s_schema *schema, char *out, size_t out_size)
{
    size_t used = 0;
    char type[128];

    out[0] = '\0';
    for (size_t i = 0; schema != NULL && i < schema->field_count && used < out_size; i++)
        used += (size_t)snprintf(out + used, out_size - used, "%s%s %s", i > 0 ? ", " : "",
                                 schema->fields[i].name,
                                 s3s_field_type_text(&schema->fields[i], type, sizeof type));
}
