/* From the columns that are there and the columns that are wanted to what is decoded and
 * delivered. */
#include "scan/internal.h"

#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/error.h"

void s3s_scan_plan_deinit(s3s_env *env, scan_plan *plan)
{
    s3s_schema_release(plan->out);
    s3s_schema_release(plan->merge);
    s3s_free(env, plan->entity);
    s3s_free(env, plan->delivered);
    *plan = (scan_plan){0};
}

static bool has_text(const char *const *list, size_t count, const char *text)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(list[i], text) == 0)
            return true;
    }
    return false;
}

/* The names that files are fetched for: wanted ones, then those of the keys. */
s3store_status s3s_scan_fetch_columns(s3s_scan *scan, s3store_error *err)
{
    const s3s_scan_options *o = &scan->options;
    size_t wanted = o->fixed != NULL ? o->fixed->field_count : o->column_count;
    if (o->fixed == NULL && o->column_count == 0)
        return S3STORE_OK;
    size_t tested = scan->where != NULL ? scan->where->column_count : 0;
    size_t room = wanted + o->entity_count + tested + 2;
    const char **names = s3s_arena_calloc(&scan->arena, room, sizeof *names);
    if (names == NULL)
        return s3s_fail_memory(err, room * sizeof *names);
    size_t count = 0;
    for (size_t i = 0; i < wanted; i++)
        names[count++] = o->fixed != NULL ? o->fixed->fields[i].name : o->columns[i];
    for (size_t i = 0; o->mode != S3S_SCAN_ROWS && i <= o->entity_count; i++) {
        const char *name = i < o->entity_count ? o->entity[i] : o->version;
        if (!has_text(names, count, name))
            names[count++] = name;
    }
    for (size_t i = 0; i < tested; i++) {
        if (!has_text(names, count, scan->where->columns[i].name))
            names[count++] = scan->where->columns[i].name;
    }
    scan->fetch_columns = names;
    scan->fetch_column_count = count;
    return S3STORE_OK;
}

bool s3s_scan_needs_discovery(const s3s_scan *scan)
{
    const s3s_scan_options *o = &scan->options;
    if (o->fixed == NULL)
        return true;
    for (size_t i = 0; o->mode != S3S_SCAN_ROWS && i <= o->entity_count; i++) {
        const char *name = i < o->entity_count ? o->entity[i] : o->version;
        if (s3s_schema_find(o->fixed, name) == SIZE_MAX)
            return true;
    }
    for (size_t i = 0; scan->where != NULL && i < scan->where->column_count; i++) {
        if (s3s_schema_find(o->fixed, scan->where->columns[i].name) == SIZE_MAX)
            return true;
    }
    return false;
}

static s3store_status unknown_column(const s3s_schema *all, const char *name, s3store_error *err)
{
    char known[S3S_SCHEMA_NAMES_SIZE];
    return s3s_fail(err, S3STORE_INVALID_ARGUMENT, "unknown column \"%s\"; there are: %s", name,
                    s3s_schema_names(all, known));
}

static s3store_status make_out(s3s_scan *scan, const s3s_schema *all, s3store_error *err)
{
    const s3s_scan_options *o = &scan->options;
    if (o->fixed != NULL) {
        scan->plan.out = s3s_schema_retain((s3s_schema *)o->fixed);
        return S3STORE_OK;
    }
    if (all == NULL) /* nothing to read, or all of it gone: no columns are known */
        return s3s_schema_new(scan->env, 0, &scan->plan.out, err);
    size_t count = o->column_count > 0 ? o->column_count : all->field_count;
    size_t *columns = s3s_calloc(scan->env, count, sizeof *columns);
    if (columns == NULL)
        return s3s_fail_memory(err, count * sizeof *columns);
    s3store_status status = S3STORE_OK;
    for (size_t i = 0; status == S3STORE_OK && i < count; i++) {
        columns[i] = o->column_count > 0 ? s3s_schema_find(all, o->columns[i]) : i;
        if (columns[i] == SIZE_MAX)
            status = unknown_column(all, o->columns[i], err);
    }
    if (status == S3STORE_OK)
        status = s3s_schema_select(all, columns, count, &scan->plan.out, err);
    s3s_free(scan->env, columns);
    return status;
}

static s3store_status append_column(scan_plan *plan, const s3s_field *field, s3store_error *err)
{
    s3s_schema *merge = plan->merge;
    if (!s3s_field_copy(&merge->arena, field, &merge->fields[merge->field_count]))
        return s3s_fail_memory(err, sizeof merge->fields[0]);
    merge->field_count++;
    return S3STORE_OK;
}

/* Columns that the predicate looks at and nobody else wants come last. */
static s3store_status place_tested(s3s_scan *scan, const s3s_schema *all, s3store_error *err)
{
    s3store_status status = S3STORE_OK;
    for (size_t i = 0; status == S3STORE_OK && i < scan->where->column_count; i++) {
        const char *name = scan->where->columns[i].name;
        if (s3s_schema_find(scan->plan.merge, name) != SIZE_MAX)
            continue;
        size_t from = s3s_schema_find(all, name);
        if (from == SIZE_MAX) {
            status = unknown_column(all, name, err);
            s3s_context(err, "where: at position %zu", scan->where->columns[i].position);
        } else {
            status = append_column(&scan->plan, &all->fields[from], err);
        }
    }
    return status == S3STORE_OK ? s3s_where_bind(scan->where, scan->plan.merge, err) : status;
}

/* Position of a key column in merge, appended from the union when it is not delivered. */
static s3store_status place_key(s3s_scan *scan, const s3s_schema *all, const char *name,
                                size_t *at, s3store_error *err)
{
    s3s_schema *merge = scan->plan.merge;
    for (*at = 0; *at < merge->field_count; (*at)++) {
        if (strcmp(merge->fields[*at].name, name) == 0)
            return S3STORE_OK;
    }
    size_t from = s3s_schema_find(all, name);
    if (from == SIZE_MAX)
        return s3s_fail(err, S3STORE_SCHEMA_MISMATCH,
                        "the data have no column \"%s\", which is needed to tell versions apart "
                        "(entity and version columns)",
                        name);
    return append_column(&scan->plan, &all->fields[from], err);
}

/* all is NULL only where a fixed schema has every column that is needed. */
static s3store_status make_merge(s3s_scan *scan, const s3s_schema *all, s3store_error *err)
{
    const s3s_scan_options *o = &scan->options;
    scan_plan *plan = &scan->plan;
    size_t tested = scan->where != NULL ? scan->where->column_count : 0;
    size_t room = plan->out->field_count + o->entity_count + 1 + tested;
    s3store_status status = s3s_schema_new(scan->env, room, &plan->merge, err);
    if (status != S3STORE_OK)
        return status;
    plan->merge->field_count = 0;
    for (size_t i = 0; status == S3STORE_OK && i < plan->out->field_count; i++)
        status = append_column(plan, &plan->out->fields[i], err);
    if (status != S3STORE_OK)
        return status;
    plan->entity = s3s_calloc(scan->env, o->entity_count, sizeof *plan->entity);
    plan->delivered = s3s_calloc(scan->env, plan->out->field_count, sizeof *plan->delivered);
    if (plan->entity == NULL || plan->delivered == NULL)
        return s3s_fail_memory(err, room * sizeof *plan->entity);
    plan->entity_count = o->entity_count;
    for (size_t i = 0; i < plan->out->field_count; i++)
        plan->delivered[i] = i;
    for (size_t i = 0; status == S3STORE_OK && i < o->entity_count; i++)
        status = place_key(scan, all, o->entity[i], &plan->entity[i], err);
    if (status == S3STORE_OK && o->mode != S3S_SCAN_ROWS)
        status = place_key(scan, all, o->version, &plan->version, err);
    if (status == S3STORE_OK && scan->where != NULL)
        status = place_tested(scan, all, err);
    return status;
}

s3store_status s3s_scan_plan_make(s3s_scan *scan, const s3s_schema *all, s3store_error *err)
{
    s3store_status status = make_out(scan, all, err);
    if (status != S3STORE_OK)
        return status;
    bool knows = all != NULL || !s3s_scan_needs_discovery(scan);
    if ((scan->options.mode != S3S_SCAN_ROWS || scan->where != NULL) && knows)
        return make_merge(scan, all, err);
    scan->plan.merge = s3s_schema_retain(scan->plan.out);
    return S3STORE_OK;
}
