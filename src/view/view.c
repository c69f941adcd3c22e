/* The handle of a view; recording one; the recorded ones. */
#include <string.h>

#include "base/error.h"
#include "dataset/quote.h"
#include "view/internal.h"

#define SECOND_US INT64_C(1000000)

static s3store_status not_recorded(const s3store_target *t, const char *name, s3store_error *err)
{
    char key[S3S_KEY_SIZE];
    s3store_status status = s3s_view_config_key(&t->layout, name, key, err);
    if (status == S3STORE_OK)
        status = s3s_fail_key(err, S3STORE_NOT_FOUND, key,
                              "there is no view %s in %.300s: give its columns, or record it with "
                              "s3store view-add",
                              s3s_quote_text(name).text, t->url);
    return status;
}

s3store_status s3s_view_settle(s3store_target *target, const s3store_view_def *given,
                               const s3store_call *call, s3s_view_def *out, s3store_error *err)
{
    s3s_view_def recorded = {0};
    bool found = false;
    *out = (s3s_view_def){0};
    bool by_name = given->column_count == 0 && given->of == NULL;
    s3store_status status =
        by_name ? S3STORE_OK : s3s_view_def_make(target->env, given, out, err);
    if (status == S3STORE_OK)
        status = s3s_view_load(target, call, given->name, &recorded, &found, err);
    if (status == S3STORE_OK && by_name && !found)
        status = not_recorded(target, given->name, err);
    if (status == S3STORE_OK && by_name) {
        *out = recorded;
        return S3STORE_OK;
    }
    if (status == S3STORE_OK && found) {
        char key[S3S_KEY_SIZE];
        status = s3s_view_config_key(&target->layout, given->name, key, err);
        if (status == S3STORE_OK)
            status = s3s_view_def_agree(&recorded, out, key, err);
    }
    s3s_view_def_deinit(&recorded);
    if (status != S3STORE_OK)
        s3s_view_def_deinit(out);
    return status;
}

s3store_status s3s_view_open(s3store_target *target, const s3store_view_def *def,
                             const s3store_call *call, s3store_view **out, s3store_error *err)
{
    *out = NULL;
    s3store_view *view = s3s_calloc(target->env, 1, sizeof *view);
    if (view == NULL)
        return s3s_fail_memory(err, sizeof *view);
    view->refs = 1;
    view->env = s3s_env_retain(target->env);
    view->target = s3s_target_retain(target);
    s3store_status status = s3s_view_settle(target, def, call, &view->def, err);
    if (status == S3STORE_OK)
        status = s3s_view_root(&target->layout, view->def.name, view->root, err);
    if (status != S3STORE_OK)
        s3s_view_free(view);
    else
        *out = view;
    return status;
}

s3store_view *s3s_view_retain(s3store_view *view)
{
    __atomic_add_fetch(&view->refs, 1, __ATOMIC_RELAXED);
    return view;
}

void s3s_view_free(s3store_view *view)
{
    if (view == NULL || __atomic_sub_fetch(&view->refs, 1, __ATOMIC_ACQ_REL) != 0)
        return;
    s3s_env *env = view->env;
    s3s_view_def_deinit(&view->def);
    s3s_target_release(view->target);
    s3s_free(env, view);
    s3s_env_release(env);
}

/* ---- recording ------------------------------------------------------------------------------- */

static s3store_status check_columns(s3store_target *target, const s3s_view_def *def,
                                    const s3store_call *call, s3store_error *err)
{
    uint32_t version;
    s3s_schema *schema = NULL;
    s3store_status status = s3s_target_schema(target, call, true, &version, &schema, err);
    if (status == S3STORE_OK && schema != NULL)
        status = s3s_view_def_check(def, schema, NULL, err);
    s3s_schema_release(schema);
    return status;
}

/* Whoever opens a writer from this time on, by any of the dataset's clocks, sees what was recorded
 * when the server said date_us; and no data of theirs is older. Whole seconds, as servers count. */
static int64_t restart_from(const s3store_target *target, int64_t date_us)
{
    int64_t now = s3s_wall_us(target->env);
    if (date_us != S3STORE_TIME_NONE && date_us > now)
        now = date_us;
    int64_t skew = target->max_clock_skew_us;
    int64_t skew_s = skew / SECOND_US + (skew % SECOND_US != 0);
    return (now / SECOND_US + 1 + (skew_s < INT32_MAX ? skew_s : INT32_MAX)) * SECOND_US;
}

s3store_status s3s_view_add(s3store_target *target, const s3store_view_def *given,
                            const s3store_call *call, bool *created, int64_t *restart_from_us,
                            s3store_error *err)
{
    s3s_view_def def;
    char root[S3S_KEY_SIZE];
    int64_t date_us;
    *created = false;
    *restart_from_us = S3STORE_TIME_NONE;
    s3store_status status = s3s_view_def_make(target->env, given, &def, err);
    if (status != S3STORE_OK)
        return status;
    status = s3s_view_root(&target->layout, def.name, root, err);
    if (status == S3STORE_OK)
        status = check_columns(target, &def, call, err);
    if (status == S3STORE_OK)
        status = s3s_view_record(target, call, &def, created, &date_us, err);
    if (status == S3STORE_OK && *created)
        *restart_from_us = restart_from(target, date_us);
    s3s_view_def_deinit(&def);
    return status;
}

/* ---- the recorded ones ----------------------------------------------------------------------- */

struct s3store_views {
    s3s_env *env; /* retained */
    s3s_view_set set;
    s3store_view_def *items;
    s3s_arena arena; /* lists of columns */
};

static s3store_status describe(s3store_views *views, s3store_error *err)
{
    size_t count = views->set.count;
    views->items = s3s_calloc(views->env, count, sizeof *views->items);
    if (views->items == NULL)
        return s3s_fail_memory(err, count * sizeof *views->items);
    for (size_t i = 0; i < count; i++) {
        const s3s_view_def *def = &views->set.items[i];
        const char **columns = s3s_arena_calloc(&views->arena, def->count, sizeof *columns);
        if (columns == NULL)
            return s3s_fail_memory(err, def->count * sizeof *columns);
        for (size_t c = 0; c < def->count; c++)
            columns[c] = def->columns[c].text;
        views->items[i] = (s3store_view_def)S3STORE_VIEW_DEF_INIT;
        views->items[i].name = def->name;
        views->items[i].columns = columns;
        views->items[i].column_count = def->count;
    }
    return S3STORE_OK;
}

s3store_status s3s_target_views(s3store_target *target, const s3store_call *call,
                                s3store_views **out, s3store_error *err)
{
    *out = NULL;
    s3store_views *views = s3s_calloc(target->env, 1, sizeof *views);
    if (views == NULL)
        return s3s_fail_memory(err, sizeof *views);
    views->env = s3s_env_retain(target->env);
    s3s_arena_init(&views->arena, target->env);
    s3store_status status = s3s_views_load(target, call, &views->set, err);
    if (status == S3STORE_OK)
        status = describe(views, err);
    if (status != S3STORE_OK)
        s3store_views_free(views);
    else
        *out = views;
    return status;
}

size_t s3store_views_count(const s3store_views *views)
{
    return views == NULL ? 0 : views->set.count;
}

const s3store_view_def *s3store_views_get(const s3store_views *views, size_t i)
{
    return i < s3store_views_count(views) ? &views->items[i] : NULL;
}

void s3store_views_free(s3store_views *views)
{
    if (views == NULL)
        return;
    s3s_env *env = views->env;
    s3s_views_deinit(&views->set);
    s3s_arena_deinit(&views->arena);
    s3s_free(env, views->items);
    s3s_free(env, views);
    s3s_env_release(env);
}
