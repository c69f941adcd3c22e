/* LATEST of short keys. A key of up to 15 bytes is two numbers, which compare as the key does: its
 * first eight bytes, then the other seven with its size in the lowest byte. So a winner is 32
 * bytes, half a cache line: key, version and row are asked of memory once, and sorting needs
 * nothing else.
 *
 * Finding the winner of a row takes two steps into memory that is anywhere: the table, then the
 * winner. Blocks of rows go through three stages, a block behind another, so that what one stage
 * asks for is there when the next one needs it. */
#include <string.h>

#include "arrow/sortkey.h"
#include "base/bytes.h"
#include "base/error.h"
#include "scan/merge_private.h"

#define BLOCK S3S_MERGE_BLOCK
#define STAGES 3
#define SMALL_RUN 40 /* sorted by insertion */

typedef struct packed {
    uint64_t head, tail;
    uint64_t version;
    s3s_row row;
} packed;

typedef struct block {
    packed rows[BLOCK];
    uint32_t hashes[BLOCK];
    size_t count;
} block;

typedef struct merge {
    s3s_env *env;
    const scan_plan *plan;
    bool narrow, nulls;
    const struct ArrowArray **batches;
    void *blocks[2]; /* of items and spare, as they were allocated */
    packed *items, *spare;
    size_t item_count;
    merge_table table;
    s3s_sort_keys keys; /* of the batch under way; not when narrow */
    uint64_t *numbers;  /* narrow: its keys */
    uint64_t *versions; /* of the batch under way */
    block stages[STAGES];
} merge;

/* ---- keys ------------------------------------------------------------------------------------ */

static inline void pack(const uint8_t *bytes, size_t size, packed *out)
{
    if (size >= sizeof(uint64_t)) {
        unsigned behind = 8 * (unsigned)(16 - size); /* what does not belong to the tail */
        uint64_t last = __builtin_bswap64(s3s_le64(bytes + size - sizeof(uint64_t)));
        out->head = __builtin_bswap64(s3s_le64(bytes));
        out->tail = (behind < 64 ? last << behind : 0) | size;
        return;
    }
    uint64_t head = 0;
    for (size_t i = 0; i < size; i++)
        head |= (uint64_t)bytes[i] << (56 - 8 * i);
    out->head = head;
    out->tail = size;
}

static void fill_block(const merge *m, size_t b, size_t first, size_t count, block *out)
{
    out->count = count;
    for (size_t i = 0; i < count; i++) {
        packed *p = &out->rows[i];
        size_t row = first + i;
        p->version = m->versions[row];
        p->row = (s3s_row){.batch = (uint32_t)b, .row = (uint32_t)row};
        if (m->narrow) {
            p->head = m->numbers[row];
            p->tail = 0;
            out->hashes[i] = (uint32_t)merge_mix(p->head ^ m->table.seed);
        } else {
            const uint64_t *at = &m->keys.offsets[row];
            pack(m->keys.bytes + at[0], (size_t)(at[1] - at[0]), p);
            out->hashes[i] = (uint32_t)merge_mix(merge_mix(p->head ^ m->table.seed) + p->tail);
        }
    }
}

static s3store_status begin_batch(merge *m, size_t b, s3store_error *err)
{
    const scan_plan *p = m->plan;
    s3s_merge_versions(p, m->batches[b], m->versions);
    if (!m->narrow)
        return s3s_sort_keys_remake(p->merge, m->batches[b], p->entity, p->entity_count, &m->keys,
                                    err);
    s3s_narrow_keys_fill(p->merge, m->batches[b], p->entity, p->entity_count, m->nulls, m->numbers);
    return S3STORE_OK;
}

/* ---- winners --------------------------------------------------------------------------------- */

static void ask_for_slots(const merge *m, const block *b)
{
    size_t mask = m->table.capacity - 1;
    for (size_t i = 0; i < b->count; i++)
        __builtin_prefetch(&m->table.slots[b->hashes[i] & mask]);
}

static void ask_for_winners(const merge *m, const block *b)
{
    size_t mask = m->table.capacity - 1;
    for (size_t i = 0; i < b->count; i++) {
        uint32_t at = m->table.slots[b->hashes[i] & mask].item;
        if (at != 0)
            __builtin_prefetch(&m->items[at - 1]);
    }
}

static inline void offer(merge *m, const packed *candidate, uint32_t hash)
{
    size_t mask = m->table.capacity - 1, at = hash & mask;
    for (; m->table.slots[at].item != 0; at = (at + 1) & mask) {
        if (m->table.slots[at].hash != hash)
            continue;
        packed *best = &m->items[m->table.slots[at].item - 1];
        if (best->head != candidate->head || best->tail != candidate->tail)
            continue;
        if (candidate->version >= best->version) /* later rows win ties */
            *best = *candidate;
        return;
    }
    m->items[m->item_count++] = *candidate;
    m->table.slots[at] = (merge_slot){.hash = hash, .item = (uint32_t)m->item_count};
}

static void offer_block(merge *m, block *b)
{
    for (size_t i = 0; i < b->count; i++)
        offer(m, &b->rows[i], b->hashes[i]);
    b->count = 0;
}

/* One more block into the stages, which are a ring; the oldest one comes out. */
static s3store_status advance(merge *m, size_t turn, s3store_error *err)
{
    block *oldest = &m->stages[(turn + 1) % STAGES], *middle = &m->stages[(turn + 2) % STAGES];
    s3store_status status =
        s3s_merge_table_reserve(&m->table, m->env, m->item_count, oldest->count, err);
    if (status != S3STORE_OK)
        return status;
    ask_for_slots(m, &m->stages[turn % STAGES]);
    ask_for_winners(m, middle);
    offer_block(m, oldest);
    return S3STORE_OK;
}

static s3store_status pick(merge *m, size_t batch_count, s3store_error *err)
{
    size_t turn = 0;
    s3store_status status = S3STORE_OK;
    for (size_t b = 0; status == S3STORE_OK && b < batch_count; b++) {
        size_t rows = (size_t)m->batches[b]->length;
        status = begin_batch(m, b, err);
        for (size_t first = 0; status == S3STORE_OK && first < rows; first += BLOCK, turn++) {
            size_t count = rows - first < BLOCK ? rows - first : BLOCK;
            fill_block(m, b, first, count, &m->stages[turn % STAGES]);
            status = advance(m, turn, err);
        }
    }
    for (size_t i = 0; status == S3STORE_OK && i < STAGES; i++, turn++) {
        m->stages[turn % STAGES].count = 0;
        status = advance(m, turn, err);
    }
    return status;
}

/* ---- sorting --------------------------------------------------------------------------------- */

/* By head (0) or tail (1), from the lowest byte; bytes that are all the same cost nothing. Returns
 * where the result is. */
static packed *sort_by(packed *items, packed *spare, size_t count, int word)
{
    uint32_t counts[8][256] = {0};
    packed *from = items, *to = spare;
    for (size_t i = 0; i < count; i++) {
        uint64_t bits = word == 0 ? items[i].head : items[i].tail;
        for (int b = 0; b < 8; b++)
            counts[b][(bits >> (8 * b)) & 0xff]++;
    }
    for (int b = 0; b < 8; b++) {
        uint64_t first = word == 0 ? from[0].head : from[0].tail;
        if (counts[b][(first >> (8 * b)) & 0xff] == count)
            continue;
        uint32_t place = 0;
        for (int v = 0; v < 256; v++) {
            uint32_t n = counts[b][v];
            counts[b][v] = place;
            place += n;
        }
        for (size_t i = 0; i < count; i++) {
            uint64_t bits = word == 0 ? from[i].head : from[i].tail;
            to[counts[b][(bits >> (8 * b)) & 0xff]++] = from[i];
        }
        packed *swap = from;
        from = to;
        to = swap;
    }
    return from;
}

static void insert_by_tail(packed *items, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        packed moving = items[i];
        size_t at = i;
        for (; at > 0 && items[at - 1].tail > moving.tail; at--)
            items[at] = items[at - 1];
        items[at] = moving;
    }
}

static bool is_sorted(const packed *items, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        const packed *a = &items[i - 1], *b = &items[i];
        if (a->head != b->head ? a->head > b->head : a->tail > b->tail)
            return false;
    }
    return true;
}

/* Entities are distinct: no two are equal in both. Leaves the result in items. */
static void sort_all(merge *m)
{
    size_t count = m->item_count;
    if (is_sorted(m->items, count))
        return;
    if (sort_by(m->items, m->spare, count, 0) != m->items) {
        packed *swap = m->items;
        m->items = m->spare;
        m->spare = swap;
    }
    for (size_t at = 0, next; at < count; at = next) {
        for (next = at + 1; next < count && m->items[next].head == m->items[at].head; next++)
            ;
        packed *run = m->items + at;
        size_t size = next - at;
        if (size <= SMALL_RUN)
            insert_by_tail(run, size);
        else if (sort_by(run, m->spare + at, size, 1) != run)
            memcpy(run, m->spare + at, size * sizeof *run);
    }
}

/* ---- all of it ------------------------------------------------------------------------------- */

/* No winner lies across two cache lines. */
static s3store_status make_items(merge *m, size_t count, int which, packed **out,
                                 s3store_error *err)
{
    size_t bytes;
    if (!s3s_mul(count + 2, sizeof **out, &bytes) ||
        (m->blocks[which] = s3s_alloc(m->env, bytes)) == NULL)
        return s3s_fail_memory(err, (count + 2) * sizeof **out);
    s3s_expect_dense(m->blocks[which], bytes);
    uintptr_t address = (uintptr_t)m->blocks[which];
    size_t shift = (sizeof **out - address % sizeof **out) % sizeof **out;
    *out = (packed *)(void *)((uint8_t *)m->blocks[which] + shift);
    return S3STORE_OK;
}

static s3store_status write_rows(const merge *m, merged_rows *out, s3store_error *err)
{
    out->rows = s3s_calloc(m->env, m->item_count, sizeof *out->rows);
    if (out->rows == NULL)
        return s3s_fail_memory(err, m->item_count * sizeof *out->rows);
    for (size_t i = 0; i < m->item_count; i++)
        out->rows[i] = m->items[i].row;
    out->row_count = m->item_count;
    return S3STORE_OK;
}

s3store_status s3s_merge_packed(s3s_env *env, const scan_plan *plan, bool narrow, bool nulls,
                                const struct ArrowArray **batches, size_t batch_count,
                                size_t row_count, size_t longest, merged_rows *out,
                                s3store_error *err)
{
    merge *m = s3s_calloc(env, 1, sizeof *m);
    if (m == NULL)
        return s3s_fail_memory(err, sizeof *m);
    m->env = env;
    m->plan = plan;
    m->narrow = narrow;
    m->nulls = nulls;
    m->batches = batches;
    m->keys.env = env;
    m->versions = s3s_calloc(env, longest + 1, sizeof *m->versions);
    m->numbers = s3s_calloc(env, narrow ? longest + 1 : 1, sizeof *m->numbers);
    s3store_status status = m->versions == NULL || m->numbers == NULL
                                ? s3s_fail_memory(err, (longest + 1) * sizeof *m->versions)
                                : make_items(m, row_count, 0, &m->items, err);
    if (status == S3STORE_OK)
        status = s3s_merge_table_init(&m->table, env, row_count, err);
    if (status == S3STORE_OK)
        status = pick(m, batch_count, err);
    s3s_free(env, m->table.slots);
    if (status == S3STORE_OK)
        status = make_items(m, m->item_count, 1, &m->spare, err);
    if (status == S3STORE_OK) {
        sort_all(m);
        status = write_rows(m, out, err);
    }
    s3s_sort_keys_deinit(&m->keys);
    s3s_free(env, m->blocks[0]);
    s3s_free(env, m->blocks[1]);
    s3s_free(env, m->versions);
    s3s_free(env, m->numbers);
    s3s_free(env, m);
    return status;
}
