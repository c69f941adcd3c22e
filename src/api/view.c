/* Views: thin over view/. */
#include <string.h>

#include "api/api.h"
#include "api/options.h"
#include "view/view.h"
#include "metrics/scope.h"

s3store_status s3store_view_validate(const s3store_view_def *def, s3store_error *err)
{
    s3s_view_def made;
    S3S_REQUIRE(def);
    s3store_status status = s3s_view_def_make(NULL, def, &made, err);
    s3s_view_def_deinit(&made);
    return status;
}

s3store_status s3store_target_views(s3store_target *target, const s3store_call *call,
                                    s3store_views **out, s3store_error *err)
{
    S3S_REQUIRE(out);
    *out = NULL;
    S3S_REQUIRE(target);
    return s3s_target_views(target, call, out, err);
}

s3store_status s3store_view_add(s3store_target *target, const s3store_view_def *def,
                                const s3store_call *call, bool *created,
                                int64_t *restart_from_us, s3store_error *err)
{
    bool own_created = false;
    int64_t own_restart = S3STORE_TIME_NONE;
    S3S_REQUIRE(target);
    S3S_REQUIRE(def);
    s3store_status status = s3s_view_add(target, def, call, &own_created, &own_restart, err);
    if (created != NULL)
        *created = own_created;
    if (restart_from_us != NULL)
        *restart_from_us = own_restart;
    return status;
}

s3store_status s3store_view_open(s3store_target *target, const s3store_view_def *def,
                                 const s3store_call *call, s3store_view **out, s3store_error *err)
{
    S3S_REQUIRE(out);
    *out = NULL;
    S3S_REQUIRE(target);
    S3S_REQUIRE(def);
    S3S_OPTIONS(s3store_view_def, S3STORE_VIEW_DEF_INIT, own, def);
    return s3s_view_open(target, &own, call, out, err);
}

void s3store_view_free(s3store_view *view)
{
    s3s_view_free(view);
}

const char *s3store_view_name(const s3store_view *view)
{
    return view->def.name;
}

size_t s3store_view_column_count(const s3store_view *view)
{
    return view->def.count;
}

const char *s3store_view_column(const s3store_view *view, size_t i)
{
    return i < view->def.count ? view->def.names[i] : NULL;
}

const char *s3store_view_column_spec(const s3store_view *view, size_t i)
{
    return i < view->def.count ? view->def.columns[i].text : NULL;
}

/* Results that grow: as much as the caller's struct has room for. */
static void give(void *to, const void *from, size_t from_size)
{
    size_t size;
    if (to == NULL)
        return;
    memcpy(&size, to, sizeof size);
    memcpy((char *)to + sizeof size, (const char *)from + sizeof size,
           (size < from_size ? size : from_size) - sizeof size);
}

static s3store_status check_size(const void *stats, const char *what, s3store_error *err)
{
    size_t size;
    if (stats == NULL)
        return S3STORE_OK;
    memcpy(&size, stats, sizeof size);
    if (size >= sizeof size && size <= 65536)
        return S3STORE_OK;
    return s3s_fail(err, S3STORE_INVALID_ARGUMENT, "%s: its size member is %zu: set it to sizeof",
                    what, size);
}

/* records NULL: as a stream, to out; else as C structs of type. */
static s3store_status look_up(s3store_view *view, const s3store_lookup_options *options,
                              struct ArrowArrayStream *out, const s3store_record_type *type,
                              s3store_records **records, s3store_lookup_stats *stats,
                              s3store_error *err)
{
    s3store_lookup_stats found = {.size = sizeof found};
    S3S_OPTIONS(s3store_lookup_options, S3STORE_LOOKUP_OPTIONS_INIT, own, options);
    s3store_status status = check_size(stats, "s3store_lookup_stats", err);
    if (status != S3STORE_OK)
        return status;
    s3s_scope scope;
    s3store_error why = {0};
    s3s_scope_begin(&scope, view->env, S3S_METHOD_LOOKUP);
    status = records == NULL ? s3s_view_lookup(view, &own, out, &found, &why)
                             : s3s_view_lookup_records(view, type, &own, records, &found, &why);
    s3s_scope_count(&scope, S3S_METRIC_READ_RECORDS, found.markers);
    if (status != S3STORE_OK && err != NULL)
        *err = why;
    give(stats, &found, sizeof found);
    return s3s_scope_end(&scope, status, &why);
}

s3store_status s3store_view_lookup(s3store_view *view, const s3store_lookup_options *options,
                                   struct ArrowArrayStream *out, s3store_lookup_stats *stats,
                                   s3store_error *err)
{
    S3S_REQUIRE(out);
    *out = (struct ArrowArrayStream){0};
    S3S_REQUIRE(view);
    return look_up(view, options, out, NULL, NULL, stats, err);
}

s3store_status s3store_view_lookup_records(s3store_view *view, const s3store_record_type *type,
                                           const s3store_lookup_options *options,
                                           s3store_records **out, s3store_lookup_stats *stats,
                                           s3store_error *err)
{
    S3S_REQUIRE(out);
    *out = NULL;
    S3S_REQUIRE(view);
    S3S_REQUIRE(type);
    return look_up(view, options, NULL, type, out, stats, err);
}

s3store_status s3store_view_backfill(s3store_target *target, const s3store_view_def *def,
                                     const s3store_backfill_options *options,
                                     s3store_backfill_stats *stats, s3store_error *err)
{
    s3store_backfill_stats done = {.size = sizeof done};
    S3S_REQUIRE(target);
    S3S_REQUIRE(def);
    S3S_OPTIONS(s3store_view_def, S3STORE_VIEW_DEF_INIT, own_def, def);
    S3S_OPTIONS(s3store_backfill_options, S3STORE_BACKFILL_OPTIONS_INIT, own, options);
    s3store_status status = check_size(stats, "s3store_backfill_stats", err);
    if (status != S3STORE_OK)
        return status;
    s3s_scope scope;
    s3store_error why = {0};
    s3s_scope_begin(&scope, target->env, S3S_METHOD_BACKFILL);
    status = s3s_view_backfill(target, &own_def, &own, &done, &why);
    s3s_scope_count(&scope, S3S_METRIC_READ_RECORDS, done.records);
    s3s_scope_count(&scope, S3S_METRIC_READ_FILES, done.data_objects);
    s3s_scope_count(&scope, S3S_METRIC_MISSING_DATA, done.missing_objects);
    s3s_scope_end(&scope, status, &why);
    if (status != S3STORE_OK && err != NULL)
        *err = why;
    give(stats, &done, sizeof done);
    return status;
}
