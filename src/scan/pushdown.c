/* What a predicate says of row groups and pages: the tests that every wanted row passes go to the
 * Parquet cursor, which leaves out what their statistics rule out. When rows are merged, only
 * tests of entity columns may: they rule out all versions of an entity, or none. */
#include "scan/internal.h"

#include <string.h>

#include "base/error.h"

#define VALUES_MAX 1024 /* longer lists rule out little */

static bool is_entity(const s3s_scan_options *o, const char *name)
{
    for (size_t i = 0; i < o->entity_count; i++) {
        if (strcmp(o->entity[i], name) == 0)
            return true;
    }
    return false;
}

/* A test as the cursor knows it. Whole numbers below and above one with a fraction are those below
 * and above its floor. */
static bool op_of(const where_step *s, const where_literal *l, bool whole, s3s_predicate_op *op)
{
    static const s3s_predicate_op ops[] = {
        [WHERE_EQ] = S3S_PREDICATE_EQ, [WHERE_NE] = S3S_PREDICATE_NE,
        [WHERE_LT] = S3S_PREDICATE_LT, [WHERE_LE] = S3S_PREDICATE_LE,
        [WHERE_GT] = S3S_PREDICATE_GT, [WHERE_GE] = S3S_PREDICATE_GE,
    };
    *op = ops[s->op];
    if (!whole || (l->outside == 0 && l->exact))
        return true;
    if (l->outside != 0 || s->op == WHERE_EQ || s->op == WHERE_NE)
        return false;
    *op = s->op == WHERE_LT || s->op == WHERE_LE ? S3S_PREDICATE_LE : S3S_PREDICATE_GT;
    return true;
}

/* The bytes of a literal in a column's buffer. */
static bool value_of(s3s_arena *arena, const s3s_field *f, const where_literal *l, bool *whole,
                     s3store_bytes *out)
{
    size_t width = s3s_type_is_bytes(f->type) ? 0 : s3s_type_value_size(f);
    uint8_t *bytes = s3s_arena_calloc(arena, 1, sizeof(uint64_t));
    float single = (float)l->number;
    *whole = false;
    if (bytes == NULL)
        return false;
    switch (f->type) {
    case S3S_TYPE_STRING:
    case S3S_TYPE_LARGE_STRING:
        *out = (s3store_bytes){l->text, l->size};
        return true;
    case S3S_TYPE_BOOL:
        bytes[0] = l->integer != 0;
        *out = (s3store_bytes){bytes, 1};
        return true;
    case S3S_TYPE_FLOAT:
        memcpy(bytes, &single, sizeof single);
        *out = (s3store_bytes){bytes, sizeof single};
        return true;
    case S3S_TYPE_DOUBLE:
        memcpy(bytes, &l->number, sizeof l->number);
        *out = (s3store_bytes){bytes, sizeof l->number};
        return true;
    case S3S_TYPE_TIMESTAMP:
    case S3S_TYPE_DATE32:
        break;
    default:
        if (!s3s_type_is_integer(f->type))
            return false;
        break;
    }
    *whole = true;
    for (size_t i = 0; i < width; i++)
        bytes[i] = (uint8_t)((uint64_t)l->integer >> (8 * i));
    *out = (s3store_bytes){bytes, width};
    return true;
}

static bool make_predicate(s3s_arena *arena, const where *w, const where_step *s,
                           const s3s_field *field, s3s_parquet_predicate *out)
{
    bool whole = false;
    if (s->kind == WHERE_IS_NULL) {
        out->op = s->negated ? S3S_PREDICATE_IS_NOT_NULL : S3S_PREDICATE_IS_NULL;
        return true;
    }
    if ((s->kind == WHERE_IN && s->negated) || s->count > VALUES_MAX)
        return false;
    s3store_bytes *values = s3s_arena_calloc(arena, s->count + 1, sizeof *values);
    if (values == NULL)
        return false;
    for (size_t i = 0; i < s->count; i++) {
        const where_literal *l = &w->literals[s->first + i];
        if (!value_of(arena, field, l, &whole, &values[i]) ||
            (s->kind == WHERE_IN && whole && (!l->exact || l->outside != 0)))
            return false;
    }
    out->values = values;
    out->value_count = s->count;
    out->op = S3S_PREDICATE_IN;
    return s->kind == WHERE_IN || op_of(s, &w->literals[s->first], whole, &out->op);
}

s3store_status s3s_scan_push_down(const s3s_scan *scan, const s3s_datafile *file,
                                  s3s_datafile_cursor *cursor, s3store_error *err)
{
    const where *w = scan->where;
    const s3s_schema *have = s3s_datafile_schema(file), *merge = scan->plan.merge;
    if (w == NULL)
        return S3STORE_OK;
    s3s_arena arena;
    s3s_arena_init(&arena, scan->env);
    size_t count = 0;
    s3store_status status = S3STORE_OK;
    s3s_parquet_predicate *list = s3s_arena_calloc(&arena, w->step_count + 1, sizeof *list);
    if (list == NULL)
        status = s3s_fail_memory(err, w->step_count * sizeof *list);
    for (size_t i = 0; status == S3STORE_OK && i < w->step_count; i++) {
        const where_step *s = &w->steps[i];
        if (!s->conjunct)
            continue;
        const char *name = w->columns[s->column].name;
        size_t at = s3s_schema_find(have, name);
        if (at == SIZE_MAX || /* and in merge it is: the predicate is bound to it */
            !s3s_field_same_type(&have->fields[at], &merge->fields[w->columns[s->column].at]) ||
            (scan->options.mode != S3S_SCAN_ROWS && !is_entity(&scan->options, name)))
            continue;
        list[count].column = at;
        count += make_predicate(&arena, w, s, &have->fields[at], &list[count]);
    }
    if (count > 0)
        status = s3s_datafile_cursor_where(cursor, list, count, err);
    s3s_arena_deinit(&arena);
    return status;
}
