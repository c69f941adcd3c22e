/* Latest and history (FORMAT "Order and duplicates"): which rows of a partition remain, in which
 * order.
 *
 * Entity columns become order-preserving bytes once per row, versions become uint64 in order.
 * LATEST finds the winners with a hash table and sorts only them; HISTORY sorts everything, stably,
 * and collapses replicas.
 *
 * Sorting looks at seven bytes of the keys at a time: they are copied beside the row, sorted by
 * radix, and rows that are equal so far go on with their next seven bytes, at last with their
 * versions. So the keys themselves, which lie all over memory, are touched once per step and not
 * per comparison.
 */
#include "scan/internal.h"

#include <string.h>

#include "arrow/sortkey.h"
#include "base/bytes.h"
#include "base/error.h"
#include "base/hash.h"

/* A row with a chunk of its entity key, or its version: what it is compared by at the moment. */
typedef struct item {
    uint64_t chunk;
    s3s_row row;
} item;

#define CHUNK_BYTES 7
#define CHUNK_MORE 8           /* in the low byte of a chunk: the key goes on after it */
#define VERSION_DEPTH SIZE_MAX /* the keys are equal: by version */
#define REPLICA UINT32_MAX     /* in row.batch: the row before it is the same */

/* Items that are equal in everything before `depth` bytes of their keys. */
typedef struct run {
    size_t first, count, depth;
} run;

typedef struct merge {
    s3s_env *env;
    const struct ArrowArray **batches;
    size_t batch_count;
    s3s_sort_keys *keys;  /* of the entity, for each batch */
    uint64_t **versions;  /* for each batch */
    item *items, *spare;
    size_t row_count;
    size_t item_count;
    run *runs; /* yet to be sorted */
    size_t run_count, run_capacity;
} merge;

/* ---- keys ------------------------------------------------------------------------------------ */

static s3store_bytes entity_key(const merge *m, s3s_row row)
{
    const s3s_sort_keys *keys = &m->keys[row.batch];
    return (s3store_bytes){.data = keys->bytes + keys->offsets[row.row],
                           .size = (size_t)(keys->offsets[row.row + 1] - keys->offsets[row.row])};
}

static uint64_t version_of(const merge *m, s3s_row row)
{
    return m->versions[row.batch][row.row];
}

/* Seven bytes of the key and how many of them there are: compared as numbers, chunks order as the
 * keys do (bytes, then length). */
static uint64_t key_chunk(s3store_bytes key, size_t depth)
{
    if (depth >= key.size)
        return 0;
    size_t left = key.size - depth;
    const uint8_t *at = (const uint8_t *)key.data + depth;
    if (left > CHUNK_BYTES)
        return (__builtin_bswap64(s3s_le64(at)) & ~UINT64_C(0xff)) | CHUNK_MORE;
    uint64_t chunk = 0;
    for (size_t i = 0; i < CHUNK_BYTES; i++)
        chunk = chunk << 8 | (i < left ? at[i] : 0);
    return chunk << 8 | left;
}

static uint64_t chunk_at(const merge *m, s3s_row row, size_t depth)
{
    return depth == VERSION_DEPTH ? version_of(m, row) : key_chunk(entity_key(m, row), depth);
}

static int compare_entity(const merge *m, const item *a, const item *b)
{
    if (a->chunk != b->chunk)
        return a->chunk < b->chunk ? -1 : 1;
    return s3s_sort_keys_compare(&m->keys[a->row.batch], a->row.row, &m->keys[b->row.batch],
                                 b->row.row);
}

/* Of items of one run. */
static int compare_items(const merge *m, const item *a, const item *b)
{
    int order = compare_entity(m, a, b);
    if (order != 0)
        return order;
    uint64_t va = version_of(m, a->row), vb = version_of(m, b->row);
    return va < vb ? -1 : va > vb;
}

static s3store_status make_versions(merge *m, const scan_plan *plan, size_t b, s3store_error *err)
{
    s3s_column column;
    s3s_batch_column(plan->merge, m->batches[b], plan->version, &column);
    size_t rows = (size_t)column.length;
    m->versions[b] = s3s_calloc(m->env, rows, sizeof(uint64_t));
    if (m->versions[b] == NULL)
        return s3s_fail_memory(err, rows * sizeof(uint64_t));
    uint64_t flip = column.field->type == S3S_TYPE_UINT64 ? 0 : UINT64_C(1) << 63;
    for (size_t i = 0; i < rows; i++)
        m->versions[b][i] = (uint64_t)s3s_column_int(&column, (int64_t)i) ^ flip;
    return S3STORE_OK;
}

static s3store_status make_keys(merge *m, const scan_plan *plan, s3store_error *err)
{
    m->keys = s3s_calloc(m->env, m->batch_count, sizeof *m->keys);
    m->versions = s3s_calloc(m->env, m->batch_count, sizeof *m->versions);
    if (m->keys == NULL || m->versions == NULL)
        return s3s_fail_memory(err, m->batch_count * (sizeof *m->keys + sizeof *m->versions));
    s3store_status status = S3STORE_OK;
    for (size_t b = 0; status == S3STORE_OK && b < m->batch_count; b++) {
        status = s3s_sort_keys_make(m->env, plan->merge, m->batches[b], plan->entity,
                                    plan->entity_count, &m->keys[b], err);
        if (status == S3STORE_OK)
            status = make_versions(m, plan, b, err);
        m->row_count += (size_t)m->batches[b]->length;
    }
    if (status == S3STORE_OK && m->row_count > UINT32_MAX)
        status = s3s_fail(err, S3STORE_LIMIT_EXCEEDED,
                          "%zu rows in one partition are more than can be merged in memory",
                          m->row_count);
    return status;
}

/* ---- latest ---------------------------------------------------------------------------------- */

typedef struct winners {
    uint32_t *table; /* 0 = empty, else index of an item + 1 */
    uint32_t *hashes; /* of items: saves most key comparisons */
    size_t capacity;
} winners;

static void offer(merge *m, winners *w, s3s_row row)
{
    s3store_bytes key = entity_key(m, row);
    uint64_t hash = s3s_xxh64(key.data, key.size, 0);
    item candidate = {.chunk = key_chunk(key, 0), .row = row};
    size_t at = (size_t)hash & (w->capacity - 1);
    for (; w->table[at] != 0; at = (at + 1) & (w->capacity - 1)) {
        size_t i = w->table[at] - 1;
        if (w->hashes[i] != (uint32_t)(hash >> 32) ||
            compare_entity(m, &m->items[i], &candidate) != 0)
            continue;
        if (version_of(m, row) >= version_of(m, m->items[i].row)) /* later rows win ties */
            m->items[i].row = row;
        return;
    }
    w->hashes[m->item_count] = (uint32_t)(hash >> 32);
    m->items[m->item_count++] = candidate;
    w->table[at] = (uint32_t)m->item_count;
}

static s3store_status pick_latest(merge *m, s3store_error *err)
{
    winners w = {.capacity = 16};
    while (w.capacity / 2 < m->row_count)
        w.capacity *= 2;
    w.table = s3s_calloc(m->env, w.capacity, sizeof *w.table);
    w.hashes = s3s_calloc(m->env, m->row_count, sizeof *w.hashes);
    s3store_status status = S3STORE_OK;
    if (w.table == NULL || w.hashes == NULL)
        status = s3s_fail_memory(err, w.capacity * sizeof *w.table);
    for (size_t b = 0; status == S3STORE_OK && b < m->batch_count; b++) {
        for (int64_t i = 0; i < m->batches[b]->length; i++)
            offer(m, &w, (s3s_row){.batch = (uint32_t)b, .row = (uint32_t)i});
    }
    s3s_free(m->env, w.table);
    s3s_free(m->env, w.hashes);
    return status;
}

static void pick_all(merge *m)
{
    for (size_t b = 0; b < m->batch_count; b++) {
        for (int64_t i = 0; i < m->batches[b]->length; i++) {
            s3s_row row = {.batch = (uint32_t)b, .row = (uint32_t)i};
            m->items[m->item_count++] = (item){.row = row};
        }
    }
}

/* ---- sorting --------------------------------------------------------------------------------- */

#define SMALL_RUN 40 /* sorted by insertion, by whole keys */

static s3store_status push_run(merge *m, run r, s3store_error *err)
{
    if (m->run_count == m->run_capacity) {
        size_t capacity = m->run_capacity == 0 ? 64 : m->run_capacity * 2;
        run *grown = s3s_realloc(m->env, m->runs, capacity * sizeof *grown);
        if (grown == NULL)
            return s3s_fail_memory(err, capacity * sizeof *grown);
        m->runs = grown;
        m->run_capacity = capacity;
    }
    m->runs[m->run_count++] = r;
    return S3STORE_OK;
}

static void sort_small(const merge *m, item *items, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        item moving = items[i];
        size_t at = i;
        for (; at > 0 && compare_items(m, &items[at - 1], &moving) > 0; at--)
            items[at] = items[at - 1];
        items[at] = moving;
    }
    for (size_t i = count; i-- > 1;) {
        if (compare_items(m, &items[i - 1], &items[i]) == 0)
            items[i].row.batch = REPLICA;
    }
}

/* Stable, by the chunks, byte by byte from the lowest; bytes that are all the same cost nothing. */
static void sort_by_chunk(item *items, item *spare, size_t count)
{
    uint32_t counts[8][256] = {0};
    for (size_t i = 0; i < count; i++) {
        for (int b = 0; b < 8; b++)
            counts[b][(items[i].chunk >> (8 * b)) & 0xff]++;
    }
    item *from = items, *to = spare;
    for (int b = 0; b < 8; b++) {
        if (counts[b][(from[0].chunk >> (8 * b)) & 0xff] == count)
            continue;
        uint32_t place = 0;
        for (int v = 0; v < 256; v++) {
            uint32_t n = counts[b][v];
            counts[b][v] = place;
            place += n;
        }
        for (size_t i = 0; i < count; i++)
            to[counts[b][(from[i].chunk >> (8 * b)) & 0xff]++] = from[i];
        item *swap = from;
        from = to;
        to = swap;
    }
    if (from != items)
        memcpy(items, from, count * sizeof *items);
}

/* What is equal in this chunk too goes on with the next one. */
static s3store_status split_run(merge *m, run r, s3store_error *err)
{
    const size_t end = r.first + r.count;
    for (size_t at = r.first, next; at < end; at = next) {
        uint64_t chunk = m->items[at].chunk;
        for (next = at + 1; next < end && m->items[next].chunk == chunk; next++) {
            if (r.depth == VERSION_DEPTH)
                m->items[next].row.batch = REPLICA;
        }
        if (next - at == 1 || r.depth == VERSION_DEPTH)
            continue;
        bool ended = (chunk & 0xff) != CHUNK_MORE;
        run rest = {at, next - at, ended ? VERSION_DEPTH : r.depth + CHUNK_BYTES};
        s3store_status status = push_run(m, rest, err);
        if (status != S3STORE_OK)
            return status;
    }
    return S3STORE_OK;
}

static s3store_status sort_items(merge *m, s3store_error *err)
{
    m->spare = s3s_calloc(m->env, m->item_count, sizeof *m->spare);
    if (m->spare == NULL)
        return s3s_fail_memory(err, m->item_count * sizeof *m->spare);
    s3store_status status = push_run(m, (run){.count = m->item_count}, err);
    while (status == S3STORE_OK && m->run_count > 0) {
        run r = m->runs[--m->run_count];
        item *items = m->items + r.first;
        for (size_t i = 0; i < r.count; i++)
            items[i].chunk = chunk_at(m, items[i].row, r.depth);
        if (r.count <= SMALL_RUN) {
            sort_small(m, items, r.count);
        } else {
            sort_by_chunk(items, m->spare, r.count);
            status = split_run(m, r, err);
        }
    }
    return status;
}

/* ---- all of it ------------------------------------------------------------------------------- */

static s3store_status write_rows(const merge *m, merged_rows *out, s3store_error *err)
{
    out->rows = s3s_calloc(m->env, m->item_count, sizeof *out->rows);
    if (out->rows == NULL)
        return s3s_fail_memory(err, m->item_count * sizeof *out->rows);
    for (size_t i = 0; i < m->item_count; i++) {
        if (m->items[i].row.batch != REPLICA)
            out->rows[out->row_count++] = m->items[i].row;
    }
    return S3STORE_OK;
}

static void merge_deinit(merge *m)
{
    for (size_t b = 0; b < m->batch_count; b++) {
        if (m->keys != NULL)
            s3s_sort_keys_deinit(&m->keys[b]);
        if (m->versions != NULL)
            s3s_free(m->env, m->versions[b]);
    }
    s3s_free(m->env, m->keys);
    s3s_free(m->env, m->versions);
    s3s_free(m->env, m->items);
    s3s_free(m->env, m->spare);
    s3s_free(m->env, m->runs);
}

s3store_status s3s_scan_merge(s3s_env *env, const scan_plan *plan, s3s_scan_mode mode,
                              const struct ArrowArray **batches, size_t batch_count,
                              merged_rows *out, s3store_error *err)
{
    *out = (merged_rows){.batches = batches, .batch_count = batch_count};
    merge m = {.env = env, .batches = batches, .batch_count = batch_count};
    s3store_status status = make_keys(&m, plan, err);
    if (status == S3STORE_OK) {
        m.items = s3s_calloc(env, m.row_count, sizeof *m.items);
        if (m.items == NULL)
            status = s3s_fail_memory(err, m.row_count * sizeof *m.items);
    }
    if (status == S3STORE_OK && mode == S3S_SCAN_LATEST)
        status = pick_latest(&m, err);
    else if (status == S3STORE_OK)
        pick_all(&m);
    if (status == S3STORE_OK)
        status = sort_items(&m, err);
    if (status == S3STORE_OK)
        status = write_rows(&m, out, err);
    merge_deinit(&m);
    return status;
}

void s3s_scan_merged_deinit(s3s_env *env, merged_rows *merged)
{
    s3s_free(env, (void *)merged->batches);
    s3s_free(env, merged->rows);
    *merged = (merged_rows){0};
}
