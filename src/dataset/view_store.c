/* dataset/view_store.c: the views that a dataset's description names. A definition is created with
 * If-None-Match and never changed. */
#include "dataset/view.h"

#include <string.h>

#include "base/bytes.h"
#include "base/error.h"
#include "dataset/target_private.h"

#define ENDING ".json"
#define RECORD_TRIES 8

static s3store_status config_name(s3s_arena *arena, const char *name, const char **out,
                                  s3store_error *err)
{
    *out = s3s_arena_printf(arena, S3S_CONFIG_VIEW_DIR "%s" ENDING, name);
    return *out != NULL ? S3STORE_OK : s3s_fail_memory(err, strlen(name));
}

s3store_status s3s_view_config_key(const s3s_layout *layout, const char *name, char *out,
                                   s3store_error *err)
{
    s3s_arena arena;
    const char *config;
    s3s_arena_init(&arena, layout->env);
    s3store_status status = config_name(&arena, name, &config, err);
    if (status == S3STORE_OK)
        status = s3s_config_key(layout, config, out, err);
    s3s_arena_deinit(&arena);
    return status;
}

/* ---- one ------------------------------------------------------------------------------------- */

static s3store_status parse_body(s3store_target *t, const char *name, const s3s_buffer *body,
                                 s3s_view_def *out, s3store_error *err)
{
    char key[S3S_KEY_SIZE];
    s3store_status status = s3s_view_config_key(&t->layout, name, key, err);
    if (status == S3STORE_OK)
        status = s3s_view_def_parse(t->env, (const char *)body->data, body->size, key, out, err);
    if (status == S3STORE_OK && strcmp(out->name, name) != 0) {
        status = s3s_fail_key(err, S3STORE_BAD_CONFIG, key, "%s says that it is view \"%.200s\"",
                              key, out->name);
        s3s_view_def_deinit(out);
    }
    return status;
}

s3store_status s3s_view_load(s3store_target *target, const s3store_call *call, const char *name,
                             s3s_view_def *out, bool *found, s3store_error *err)
{
    s3s_arena arena;
    s3s_buffer body;
    const char *config;
    *out = (s3s_view_def){0};
    *found = false;
    s3s_arena_init(&arena, target->env);
    s3s_buffer_init(&body, target->env, S3S_JSON_MAX_BYTES);
    s3store_status status = s3s_view_name_check(name, err);
    if (status == S3STORE_OK)
        status = config_name(&arena, name, &config, err);
    if (status == S3STORE_OK)
        status = s3s_config_get(target, call, config, S3S_JSON_MAX_BYTES, &body, found, err);
    if (status == S3STORE_OK && *found)
        status = parse_body(target, name, &body, out, err);
    s3s_buffer_deinit(&body);
    s3s_arena_deinit(&arena);
    return status;
}

/* ---- all ------------------------------------------------------------------------------------- */

typedef struct loading {
    s3store_target *target;
    const s3store_call *call;
    s3s_arena arena;
    size_t prefix_size;
    const char *names[S3S_VIEWS_MAX];
    size_t count;
    bool too_many, no_memory;
    s3s_view_def *defs;
} loading;

/* Takes "<name>.json"; everything else in the folder is somebody else's. */
static bool take_name(void *ctx, const s3store_list_entry *entry)
{
    loading *l = ctx;
    const char *name = entry->key + l->prefix_size;
    size_t size = strlen(name);
    if (size <= strlen(ENDING) || !s3s_ends_with(name, ENDING))
        return true;
    const char *copy = s3s_arena_strndup(&l->arena, name, size - strlen(ENDING));
    if (copy != NULL && s3s_view_name_check(copy, NULL) != S3STORE_OK)
        return true;
    l->no_memory = copy == NULL;
    l->too_many = l->count == S3S_VIEWS_MAX;
    if (l->no_memory || l->too_many)
        return false;
    l->names[l->count++] = copy;
    return true;
}

static s3store_status list_names(loading *l, s3store_error *err)
{
    char prefix[S3S_KEY_SIZE];
    s3store_status status =
        s3s_config_key(&l->target->layout, S3S_CONFIG_VIEW_DIR, prefix, err);
    if (status == S3STORE_OK) {
        l->prefix_size = strlen(prefix);
        status = s3s_list_all(l->target->store, l->call, prefix, NULL, 0, take_name, l, NULL, err);
    }
    if (status == S3STORE_OK && l->no_memory)
        status = s3s_fail_memory(err, S3S_KEY_SIZE);
    if (status == S3STORE_OK && l->too_many)
        status = s3s_fail_key(err, S3STORE_LIMIT_EXCEEDED, prefix,
                              "%.300s has more than %d views", l->target->url, S3S_VIEWS_MAX);
    return status;
}

static s3store_status load_one(void *ctx, size_t item, s3store_error *err)
{
    loading *l = ctx;
    bool found;
    s3store_status status =
        s3s_view_load(l->target, l->call, l->names[item], &l->defs[item], &found, err);
    if (status == S3STORE_OK && !found)
        return s3s_fail(err, S3STORE_BAD_CONFIG,
                        "the definition of view \"%.200s\" was listed, but is not there",
                        l->names[item]);
    return status;
}

s3store_status s3s_views_load(s3store_target *target, const s3store_call *call, s3s_view_set *out,
                              s3store_error *err)
{
    *out = (s3s_view_set){.env = target->env};
    loading *l = s3s_calloc(target->env, 1, sizeof *l);
    if (l == NULL)
        return s3s_fail_memory(err, sizeof *l);
    l->target = target;
    l->call = call;
    s3s_arena_init(&l->arena, target->env);
    s3store_status status = list_names(l, err);
    if (status == S3STORE_OK && l->count > 0) {
        s3s_fan_options fan = {.call = call};
        l->defs = s3s_calloc(target->env, l->count, sizeof *l->defs);
        status = l->defs == NULL ? s3s_fail_memory(err, l->count * sizeof *l->defs)
                                 : s3s_fan_out(target->pool, l->count, load_one, l, &fan, err);
    }
    out->items = l->defs;
    out->count = out->recorded_count = l->defs != NULL ? l->count : 0;
    if (status != S3STORE_OK)
        s3s_views_deinit(out);
    s3s_arena_deinit(&l->arena);
    s3s_free(target->env, l);
    return status;
}

void s3s_views_deinit(s3s_view_set *set)
{
    for (size_t i = 0; i < set->count; i++)
        s3s_view_def_deinit(&set->items[i]);
    s3s_free(set->env, set->items);
    *set = (s3s_view_set){.env = set->env};
}

/* ---- what the caller gives ------------------------------------------------------------------- */

static s3store_status add_given(s3s_view_set *set, const s3s_layout *layout,
                                const s3store_view_def *given, s3store_error *err)
{
    char key[S3S_KEY_SIZE];
    s3s_view_def def;
    s3store_status status = s3s_view_def_make(set->env, given, &def, err);
    if (status != S3STORE_OK)
        return status;
    for (size_t i = 0; i < set->count; i++) {
        if (strcmp(set->items[i].name, def.name) != 0)
            continue;
        status = i >= set->recorded_count
                     ? s3s_fail(err, S3STORE_INVALID_ARGUMENT, "view \"%.200s\" is given twice",
                                def.name)
                     : s3s_view_config_key(layout, def.name, key, err);
        if (status == S3STORE_OK)
            status = s3s_view_def_agree(&set->items[i], &def, key, err);
        s3s_view_def_deinit(&def);
        return status;
    }
    set->items[set->count++] = def;
    return S3STORE_OK;
}

s3store_status s3s_views_add_given(s3s_view_set *set, const s3s_layout *layout,
                                   const s3store_view_def *const *given, size_t count,
                                   s3store_error *err)
{
    if (count == 0)
        return S3STORE_OK;
    if (given == NULL || count > S3S_VIEWS_MAX)
        return s3s_fail(err, S3STORE_INVALID_ARGUMENT,
                        "views: %zu are said to be given; there may be %d, in an array", count,
                        S3S_VIEWS_MAX);
    s3s_view_def *items = s3s_realloc(set->env, set->items, (set->count + count) * sizeof *items);
    if (items == NULL)
        return s3s_fail_memory(err, (set->count + count) * sizeof *items);
    set->items = items;
    for (size_t i = 0; i < count; i++) {
        s3store_status status = add_given(set, layout, given[i], err);
        /* One that was given twice is found even where it is recorded: both agree with it. */
        for (size_t k = 0; k < i && status == S3STORE_OK; k++)
            if (strcmp(given[k]->name, given[i]->name) == 0)
                status = s3s_fail(err, S3STORE_INVALID_ARGUMENT,
                                  "view \"%.200s\" is given twice", given[i]->name);
        if (status != S3STORE_OK)
            return status;
    }
    return S3STORE_OK;
}

/* ---- recording ------------------------------------------------------------------------------- */

static s3store_status try_record(s3store_target *t, const s3store_call *call,
                                 const s3s_view_def *def, bool *created, bool *doubt,
                                 int64_t *date_us, s3store_error *err)
{
    char key[S3S_KEY_SIZE];
    s3s_buffer body;
    s3store_put_reply reply = {0};
    s3store_error inner = {0};
    *created = false;
    s3s_buffer_init(&body, t->env, S3S_JSON_MAX_BYTES);
    s3store_status status = s3s_view_config_key(&t->layout, def->name, key, &inner);
    if (status == S3STORE_OK)
        status = s3s_view_def_write(def, &body, &inner);
    if (status == S3STORE_OK) {
        s3store_put_request put = {.size = sizeof put,
                                   .key = key,
                                   .body = body.data,
                                   .body_size = body.size,
                                   .if_none_match = true};
        status = s3s_put(t->store, call, &put, &reply, &inner);
        *created = status == S3STORE_OK;
        *doubt = *doubt || status == S3STORE_UNCERTAIN;
        if (*created && date_us != NULL)
            *date_us = reply.date_us;
        if (status == S3STORE_ALREADY_EXISTS || status == S3STORE_CONFLICT ||
            status == S3STORE_UNCERTAIN)
            status = S3STORE_OK; /* read it again */
    }
    s3s_buffer_deinit(&body);
    if (status != S3STORE_OK)
        s3s_fail_as(err, status, &inner);
    return status;
}

s3store_status s3s_view_record(s3store_target *target, const s3store_call *call,
                               const s3s_view_def *def, bool *created, int64_t *date_us,
                               s3store_error *err)
{
    char key[S3S_KEY_SIZE];
    bool doubt = false; /* it may be ours that is found */
    *created = false;
    if (date_us != NULL)
        *date_us = S3STORE_TIME_NONE;
    if (def->of != NULL)
        return s3s_fail(err, S3STORE_INVALID_ARGUMENT,
                        "view \"%.200s\" is defined by a function, which cannot be recorded",
                        def->name);
    for (int i = 0; i < RECORD_TRIES; i++) {
        s3s_view_def recorded;
        bool found;
        s3store_status status = s3s_view_load(target, call, def->name, &recorded, &found, err);
        if (status != S3STORE_OK)
            return status;
        if (found) {
            status = s3s_view_config_key(&target->layout, def->name, key, err);
            if (status == S3STORE_OK)
                status = s3s_view_def_agree(&recorded, def, key, err);
            s3s_view_def_deinit(&recorded);
            *created = status == S3STORE_OK && doubt;
            return status;
        }
        status = try_record(target, call, def, created, &doubt, date_us, err);
        if (status != S3STORE_OK || *created)
            return status;
    }
    return s3s_fail_key(err, S3STORE_CONFLICT, target->url,
                        "view \"%.200s\" is being recorded by others, or the server gives no "
                        "answers: try again",
                        def->name);
}
