/* parquet/shred_rows.c: rows of a nested column into levels.
 *
 * Levels are made step by step along the path to a leaf: each pass turns the entries of a field
 * into those of the field below it. An entry is alive while there may be a value below it: then its
 * definition level is the greatest so far, and the ranges say where in the field's column it lies.
 */
#include "base/bits.h"
#include "base/bytes.h"
#include "base/error.h"
#include "parquet/shred.h"

#define SLACK 8 /* levels are filled eight at a time */

/* Empty, with room for so many entries and ranges. */
static s3store_status reserve(s3s_shredded *s, size_t entries, size_t ranges, s3store_error *err)
{
    size_t size;
    s3s_buffer_clear(&s->rep);
    s3s_buffer_clear(&s->def);
    s3s_buffer_clear(&s->ranges);
    if (!s3s_mul(ranges, sizeof(s3s_shred_range), &size) ||
        s3s_buffer_reserve(&s->rep, entries + SLACK, err) == NULL ||
        s3s_buffer_reserve(&s->def, entries + SLACK, err) == NULL ||
        s3s_buffer_reserve(&s->ranges, size + 1, err) == NULL)
        return s3s_fail_memory(err, entries);
    return S3STORE_OK;
}

/* Behind the others; there is room. */
static inline void add_range(s3s_shredded *s, int64_t start, int64_t count)
{
    s3s_shred_range *end = (void *)(s->ranges.data + s->ranges.size);
    if (count == 0)
        return;
    if (s->ranges.size > 0 && end[-1].start + end[-1].count == start) {
        end[-1].count += count;
        return;
    }
    *end = (s3s_shred_range){start, count};
    s->ranges.size += sizeof *end;
}

static size_t count_alive(const s3s_shredded *s)
{
    const s3s_shred_range *ranges = (const void *)s->ranges.data;
    size_t alive = 0;
    for (size_t i = 0; i < s->ranges.size / sizeof *ranges; i++)
        alive += (size_t)ranges[i].count;
    return alive;
}

/* ---- nulls ----------------------------------------------------------------------------------- */

/* All that are alive stay so. */
static void raise_all(s3s_shredded *s, uint8_t alive)
{
    uint8_t *def = s->def.data;
    for (size_t i = 0; i < s->def.size; i++)
        def[i] = (uint8_t)(def[i] + (def[i] == alive));
}

/* Nulls end their entry, others get a level for being there. Of a leaf, nulls stay in the ranges. */
static void pass_optional(const s3s_column *view, bool leaf, uint8_t alive, s3s_shredded *s,
                          s3s_shredded *spare)
{
    const s3s_shred_range *ranges = (const void *)s->ranges.data;
    uint8_t *def = s->def.data;
    spare->ranges.size = 0;
    for (size_t i = 0; i < s->ranges.size / sizeof *ranges; i++)
        for (int64_t k = 0; k < ranges[i].count; k++) {
            while (*def != alive)
                def++;
            bool there = !s3s_column_is_null(view, ranges[i].start + k);
            *def = (uint8_t)(*def + there);
            def++;
            if (!leaf && there)
                add_range(spare, ranges[i].start + k, 1);
        }
    if (leaf)
        return;
    s3s_buffer swap = s->ranges;
    s->ranges = spare->ranges;
    spare->ranges = swap;
}

static bool has_null(const s3s_column *view, const s3s_shredded *s)
{
    const s3s_shred_range *ranges = (const void *)s->ranges.data;
    for (size_t i = 0; i < s->ranges.size / sizeof *ranges; i++)
        if (s3s_bits_count(view->validity, (size_t)(view->offset + ranges[i].start),
                           (size_t)ranges[i].count) < (size_t)ranges[i].count)
            return true;
    return false;
}

/* *alive: of the entries, before and after. */
static s3store_status pass_nulls(const s3s_shred *shred, const s3s_shred_step *step,
                                 const s3s_column *view, uint8_t *alive, s3s_shredded *s,
                                 s3s_shredded *spare, s3store_error *err)
{
    bool leaf = step == &shred->steps[shred->step_count - 1];
    bool null_type = view->field->type == S3S_TYPE_NULL;
    if (!step->optional) {
        if (null_type || view->validity == NULL || !has_null(view, s))
            return S3STORE_OK;
        return s3s_fail(err, S3STORE_INVALID_ARGUMENT,
                        "column \"%s\": \"%s\" is not nullable, but a value is null",
                        shred->steps[0].field->name, step->field->name);
    }
    if (view->validity == NULL && !null_type) {
        raise_all(s, *alive);
    } else {
        size_t size = count_alive(s) * sizeof(s3s_shred_range);
        spare->ranges.size = 0;
        if (!leaf && s3s_buffer_reserve(&spare->ranges, size + 1, err) == NULL)
            return s3s_fail_memory(err, size);
        pass_optional(view, leaf, *alive, s, spare);
    }
    ++*alive;
    return S3STORE_OK;
}

/* ---- lists ----------------------------------------------------------------------------------- */

/* Where the items of list i begin, and those of list i - 1 end. wide: a constant where this is
 * inlined. */
static inline int64_t offset_at(const s3s_column *view, bool wide, int64_t i)
{
    i += view->offset;
    return wide ? ((const int64_t *)view->offsets)[i] : ((const int32_t *)view->offsets)[i];
}

/* At least so many items have the lists that are alive; they are validated: no offset falls. */
static size_t count_items(const s3s_column *view, bool wide, const s3s_shredded *s)
{
    const s3s_shred_range *ranges = (const void *)s->ranges.data;
    size_t items = 0;
    for (size_t i = 0; i < s->ranges.size / sizeof *ranges; i++)
        items += (size_t)(offset_at(view, wide, ranges[i].start + ranges[i].count) -
                          offset_at(view, wide, ranges[i].start));
    return items;
}

static inline void fill(uint8_t *to, uint8_t level, size_t count)
{
    uint64_t eight = level * UINT64_C(0x0101010101010101);
    if (count > 64) {
        memset(to, level, count);
        return;
    }
    for (size_t i = 0; i < count; i += 8)
        s3s_put_le64(to + i, eight);
}

/* An entry for each item; those of empty lists end. */
static inline __attribute__((always_inline)) void
expand(const s3s_column *view, bool wide, uint8_t list_rep, uint8_t alive, const s3s_shredded *from,
       s3s_shredded *to)
{
    const s3s_shred_range *ranges = (const void *)from->ranges.data;
    const uint8_t *rep = from->rep.data, *def = from->def.data, *end = def + from->def.size;
    uint8_t *to_rep = to->rep.data, *to_def = to->def.data;
    for (size_t i = 0; i < from->ranges.size / sizeof *ranges; i++) {
        int64_t at = offset_at(view, wide, ranges[i].start);
        for (int64_t k = 1; k <= ranges[i].count; k++) {
            for (; *def != alive; rep++, def++) {
                *to_rep++ = *rep;
                *to_def++ = *def;
            }
            int64_t next = offset_at(view, wide, ranges[i].start + k);
            size_t items = (size_t)(next - at), entries = items > 0 ? items : 1;
            fill(to_rep, list_rep, entries);
            fill(to_def, (uint8_t)(alive + (items > 0)), entries);
            *to_rep = *rep;
            to_rep += entries;
            to_def += entries;
            add_range(to, at, (int64_t)items);
            at = next;
            rep++;
            def++;
        }
    }
    for (; def < end; rep++, def++) {
        *to_rep++ = *rep;
        *to_def++ = *def;
    }
    to->rep.size = (size_t)(to_rep - to->rep.data);
    to->def.size = (size_t)(to_def - to->def.data);
}

static s3store_status pass_list(const s3s_column *view, uint8_t list_rep, uint8_t *alive,
                                s3s_shredded *s, s3s_shredded *spare, s3store_error *err)
{
    bool wide = view->field->type == S3S_TYPE_LARGE_LIST;
    size_t entries, lists = count_alive(s);
    /* Empty lists keep their entry. */
    if (!s3s_add(s->rep.size, count_items(view, wide, s), &entries) || entries > SIZE_MAX - SLACK)
        return s3s_fail_memory(err, SIZE_MAX);
    s3store_status status = reserve(spare, entries, lists, err);
    if (status != S3STORE_OK)
        return status;
    if (wide)
        expand(view, true, list_rep, *alive, s, spare);
    else
        expand(view, false, list_rep, *alive, s, spare);
    s3s_shredded swap = *s;
    *s = *spare;
    *spare = swap;
    ++*alive;
    return S3STORE_OK;
}

s3store_status s3s_shred_rows(const s3s_shred *shred, const s3s_column *column, int64_t start,
                              size_t rows, s3s_shredded *out, s3s_shredded *spare, s3s_column *leaf,
                              s3store_error *err)
{
    s3s_column view = *column, child;
    uint8_t rep = 0, alive = 0;
    s3store_status status = reserve(out, rows, 1, err);
    if (status != S3STORE_OK)
        return status;
    memset(out->rep.data, 0, rows);
    memset(out->def.data, 0, rows);
    out->rep.size = out->def.size = rows;
    add_range(out, start, (int64_t)rows);
    for (size_t i = 0; i < shred->step_count; i++) {
        const s3s_shred_step *step = &shred->steps[i];
        if (i > 0) {
            s3s_column_child(&view, step->child, &child);
            view = child;
        }
        status = pass_nulls(shred, step, &view, &alive, out, spare, err);
        if (status == S3STORE_OK && step->list)
            status = pass_list(&view, ++rep, &alive, out, spare, err);
        if (status != S3STORE_OK)
            return status;
    }
    *leaf = view;
    return S3STORE_OK;
}
