/* Latest and history (FORMAT "Order and duplicates"): which rows of a partition remain, in which
 * order.
 *
 * Entity columns become order-preserving bytes once per row, versions become uint64 in order. Keys of
 * eight bytes at most are numbers and have no memory of their own ("narrow"). LATEST of numbers is in
 * merge_dense.c and merge_narrow.c. Else it finds the winners with a hash table and sorts only
 * them: where keys are short in merge_packed.c. Of the others it keeps no
 * key: those of the batch under way are in memory that the next batch uses again, and go to another
 * place only for a new winner. HISTORY sorts everything, stably, and collapses replicas.
 *
 * Sorting looks at seven bytes of the keys at a time (at all of a narrow one): they are copied beside
 * the row, sorted by radix, and rows that are equal so far go on with their next seven bytes, at last
 * with their versions. So the keys themselves, which lie all over memory, are touched once per step
 * and not per comparison. Rows that are in a few ascending runs already, because their files were
 * written sorted, are merged instead.
 */
#include "scan/merge_private.h"

#include <string.h>

#include "arrow/sortkey.h"
#include "base/bytes.h"
#include "base/error.h"
#include "base/hash.h"

/* A row with a chunk of its entity key, or its version: what it is compared by at the moment. */
typedef struct item {
    uint64_t chunk;
    uint64_t version;
    s3s_row row;
} item;

#define CHUNK_BYTES 7
#define CHUNK_MORE 8           /* in the low byte of a chunk: the key goes on after it */
#define VERSION_DEPTH SIZE_MAX /* the keys are equal: by version */
#define REPLICA UINT32_MAX     /* in row.batch: the row before it is the same */
#define BLOCK S3S_MERGE_BLOCK

/* Items that are equal in everything before `depth` bytes of their keys. */
typedef struct run {
    size_t first, count, depth;
} run;

typedef struct merge {
    s3s_env *env;
    const scan_plan *plan;
    const struct ArrowArray **batches;
    size_t batch_count;
    bool narrow, nulls;   /* keys are numbers; with a byte for null */
    s3s_sort_keys *keys;  /* of the entity, for each batch; not when narrow. LATEST: only keys[0],
                             that of each winner */
    s3s_sort_keys recent; /* LATEST: of the batch under way */
    uint64_t *numbers;    /* narrow: the keys of the batch under way */
    uint64_t *versions;   /* of the batch under way */
    s3s_row *winners;     /* LATEST, wide: the row whose key is keys[0][i] */
    item *items, *spare;
    size_t row_count, longest;
    size_t item_count;
    run *runs; /* yet to be sorted */
    size_t run_count, run_capacity;
} merge;

uint64_t s3s_scan_merge_bytes(const scan_plan *plan, const struct ArrowArray *batch)
{
    uint64_t bytes = s3s_batch_bytes(plan->merge, batch);
    /* Short keys take 32 bytes twice; wide ones 24 twice, and what is added for them. */
    uint64_t places = (uint64_t)batch->length * (2 * sizeof(item) + 2 * sizeof(s3s_row) + 8);
    if (!s3s_narrow_keys_fit(plan->merge, plan->entity, plan->entity_count, true))
        places += s3s_sort_keys_bytes(plan->merge, batch, plan->entity, plan->entity_count) +
                  (uint64_t)batch->length * sizeof(s3s_row);
    return bytes + places;
}

/* ---- keys ------------------------------------------------------------------------------------ */

static inline s3store_bytes key_in(const s3s_sort_keys *keys, size_t row)
{
    return (s3store_bytes){.data = keys->bytes + keys->offsets[row],
                           .size = (size_t)(keys->offsets[row + 1] - keys->offsets[row])};
}

static s3store_bytes entity_key(const merge *m, s3s_row row)
{
    return key_in(&m->keys[row.batch], row.row);
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

static int compare_entity(const merge *m, const item *a, const item *b)
{
    if (a->chunk != b->chunk)
        return a->chunk < b->chunk ? -1 : 1;
    if (m->narrow)
        return 0;
    return s3s_sort_keys_compare(&m->keys[a->row.batch], a->row.row, &m->keys[b->row.batch],
                                 b->row.row);
}

/* Of items of one run. */
static int compare_items(const merge *m, const item *a, const item *b)
{
    int order = compare_entity(m, a, b);
    if (order != 0)
        return order;
    return a->version < b->version ? -1 : a->version > b->version;
}

void s3s_merge_versions(const scan_plan *plan, const struct ArrowArray *batch, uint64_t *versions)
{
    s3s_column column;
    s3s_batch_column(plan->merge, batch, plan->version, &column);
    uint64_t flip = column.field->type == S3S_TYPE_UINT64 ? 0 : UINT64_C(1) << 63;
    if (column.field->type == S3S_TYPE_INT64 || column.field->type == S3S_TYPE_TIMESTAMP) {
        const int64_t *values = (const int64_t *)column.values + column.offset;
        for (int64_t i = 0; i < column.length; i++)
            versions[i] = (uint64_t)values[i] ^ flip;
        return;
    }
    for (int64_t i = 0; i < column.length; i++)
        versions[i] = (uint64_t)s3s_column_int(&column, i) ^ flip;
}

static void choose_keys(merge *m)
{
    const scan_plan *p = m->plan;
    m->narrow = s3s_narrow_keys_fit(p->merge, p->entity, p->entity_count, false);
    for (size_t b = 0; m->narrow && !m->nulls && b < m->batch_count; b++)
        m->nulls = s3s_narrow_keys_have_null(p->merge, m->batches[b], p->entity, p->entity_count);
    if (m->nulls)
        m->narrow = s3s_narrow_keys_fit(p->merge, p->entity, p->entity_count, true);
}

static s3store_status prepare(merge *m, s3store_error *err)
{
    for (size_t b = 0; b < m->batch_count; b++) {
        size_t rows = (size_t)m->batches[b]->length;
        m->row_count += rows;
        m->longest = rows > m->longest ? rows : m->longest;
    }
    if (m->row_count > UINT32_MAX)
        return s3s_fail(err, S3STORE_LIMIT_EXCEEDED,
                        "%zu rows in one partition are more than can be merged in memory",
                        m->row_count);
    choose_keys(m);
    return S3STORE_OK;
}

static s3store_status make_room(merge *m, s3store_error *err)
{
    m->versions = s3s_calloc(m->env, m->longest + 1, sizeof *m->versions);
    m->numbers = s3s_calloc(m->env, m->narrow ? m->longest + 1 : 1, sizeof *m->numbers);
    m->keys = s3s_calloc(m->env, m->narrow ? 1 : m->batch_count + 1, sizeof *m->keys);
    if (m->versions == NULL || m->numbers == NULL || m->keys == NULL)
        return s3s_fail_memory(err, (m->longest + 1) * sizeof *m->versions);
    m->items = s3s_calloc(m->env, m->row_count, sizeof *m->items);
    if (m->items == NULL)
        return s3s_fail_memory(err, m->row_count * sizeof *m->items);
    s3s_expect_dense(m->items, m->row_count * sizeof *m->items);
    return S3STORE_OK;
}

/* Puts `count` rows of batch b, from `first` on, into items, with what they are compared by. */
static void make_items(const merge *m, size_t b, size_t first, size_t count, item *items)
{
    for (size_t i = 0; i < count; i++) {
        s3s_row row = {.batch = (uint32_t)b, .row = (uint32_t)(first + i)};
        items[i] = (item){
            .chunk = m->narrow ? m->numbers[first + i] : 0, /* a wide one: when it is sorted */
            .version = m->versions[first + i],
            .row = row,
        };
    }
}

/* The keys of a batch into `keys`, or when narrow to m->numbers. */
static s3store_status begin_batch(merge *m, size_t b, s3s_sort_keys *keys, s3store_error *err)
{
    const scan_plan *p = m->plan;
    s3s_merge_versions(p, m->batches[b], m->versions);
    if (!m->narrow)
        return s3s_sort_keys_remake(p->merge, m->batches[b], p->entity, p->entity_count, keys, err);
    s3s_narrow_keys_fill(p->merge, m->batches[b], p->entity, p->entity_count, m->nulls, m->numbers);
    return S3STORE_OK;
}

/* ---- latest ---------------------------------------------------------------------------------- */

static inline uint32_t hash_key(s3store_bytes key, uint64_t seed)
{
    const uint8_t *bytes = key.data;
    if (key.size < 8 || key.size > 16)
        return (uint32_t)s3s_xxh64(key.data, key.size, seed);
    uint64_t head = merge_mix(s3s_le64(bytes) ^ seed);
    return (uint32_t)merge_mix(head + s3s_le64(bytes + key.size - 8) + key.size);
}

s3store_status s3s_merge_table_init(merge_table *table, s3s_env *env, size_t row_count,
                                    s3store_error *err)
{
    table->capacity = 1024;
    while (table->capacity < row_count / 2) /* growing costs more than a guess that was too high */
        table->capacity *= 2;
    s3store_status status = s3s_random(env, &table->seed, sizeof table->seed, err);
    if (status != S3STORE_OK)
        return status;
    table->slots = s3s_calloc(env, table->capacity, sizeof *table->slots);
    if (table->slots == NULL)
        return s3s_fail_memory(err, table->capacity * sizeof *table->slots);
    s3s_expect_dense(table->slots, table->capacity * sizeof *table->slots);
    return S3STORE_OK;
}

s3store_status s3s_merge_table_reserve(merge_table *table, s3s_env *env, size_t item_count,
                                       size_t more, s3store_error *err)
{
    if ((item_count + more) * 8 <= table->capacity * 5)
        return S3STORE_OK;
    size_t capacity = table->capacity * 2, mask = capacity - 1;
    merge_slot *slots = s3s_calloc(env, capacity, sizeof *slots);
    if (slots == NULL)
        return s3s_fail_memory(err, capacity * sizeof *slots);
    for (size_t i = 0; i < table->capacity; i++) {
        if (table->slots[i].item == 0)
            continue;
        size_t at = table->slots[i].hash & mask;
        while (slots[at].item != 0)
            at = (at + 1) & mask;
        slots[at] = table->slots[i];
    }
    s3s_free(env, table->slots);
    table->slots = slots;
    table->capacity = capacity;
    return S3STORE_OK;
}

static inline bool same_bytes(s3store_bytes a, s3store_bytes b)
{
    if (a.size != b.size)
        return false;
    if (a.size < 8 || a.size > 16)
        return memcmp(a.data, b.data, a.size) == 0;
    const uint8_t *x = a.data, *y = b.data;
    size_t tail = a.size - 8;
    return ((s3s_le64(x) ^ s3s_le64(y)) | (s3s_le64(x + tail) ^ s3s_le64(y + tail))) == 0;
}

/* The key of a new winner stays, when its batch has gone. */
static s3store_status keep_key(merge *m, s3store_bytes key, s3store_error *err)
{
    s3s_sort_keys *keys = &m->keys[0];
    size_t used = (size_t)keys->offsets[m->item_count];
    if (key.size > keys->bytes_capacity - used) {
        size_t capacity;
        if (!s3s_add(keys->bytes_capacity, keys->bytes_capacity / 2, &capacity) ||
            !s3s_add(capacity, key.size, &capacity))
            return s3s_fail_memory(err, SIZE_MAX);
        uint8_t *grown = s3s_realloc(m->env, keys->bytes, capacity);
        if (grown == NULL)
            return s3s_fail_memory(err, capacity);
        keys->bytes = grown;
        keys->bytes_capacity = capacity;
    }
    memcpy(keys->bytes + used, key.data, key.size);
    keys->offsets[m->item_count + 1] = used + key.size;
    return S3STORE_OK;
}

/* row: of the batch under way. */
static s3store_status offer(merge *m, const merge_table *w, const item *candidate, uint32_t hash,
                            s3store_error *err)
{
    size_t mask = w->capacity - 1, at = hash & mask;
    s3store_bytes key = key_in(&m->recent, candidate->row.row);
    for (; w->slots[at].item != 0; at = (at + 1) & mask) {
        size_t place = w->slots[at].item - 1;
        item *best = &m->items[place];
        if (w->slots[at].hash != hash || !same_bytes(key_in(m->keys, place), key))
            continue;
        if (candidate->version >= best->version) { /* later rows win ties */
            best->version = candidate->version;
            best->row = candidate->row;
        }
        return S3STORE_OK;
    }
    s3store_status status = keep_key(m, key, err);
    if (status != S3STORE_OK)
        return status;
    m->items[m->item_count++] = *candidate;
    w->slots[at] = (merge_slot){.hash = hash, .item = (uint32_t)m->item_count};
    return S3STORE_OK;
}

/* Where the rows of a block lead to lies all over memory: it is asked for step by step, before any
 * of it is waited for. */
static void ask_for(const merge *m, const merge_table *w, const uint32_t *hashes, size_t count)
{
    size_t mask = w->capacity - 1;
    for (size_t i = 0; i < count; i++)
        __builtin_prefetch(&w->slots[hashes[i] & mask]);
    for (size_t i = 0; i < count; i++) {
        uint32_t at = w->slots[hashes[i] & mask].item;
        if (at == 0)
            continue;
        __builtin_prefetch(&m->items[at - 1]);
        __builtin_prefetch(&m->keys[0].offsets[at - 1]);
    }
    for (size_t i = 0; i < count; i++) {
        merge_slot s = w->slots[hashes[i] & mask];
        if (s.item != 0 && s.hash == hashes[i])
            __builtin_prefetch(m->keys[0].bytes + m->keys[0].offsets[s.item - 1]);
    }
}

static s3store_status offer_batch(merge *m, merge_table *w, size_t b, s3store_error *err)
{
    size_t rows = (size_t)m->batches[b]->length;
    item block[BLOCK];
    uint32_t hashes[BLOCK];
    s3store_status status = begin_batch(m, b, &m->recent, err);
    for (size_t first = 0; status == S3STORE_OK && first < rows; first += BLOCK) {
        size_t count = rows - first < BLOCK ? rows - first : BLOCK;
        status = s3s_merge_table_reserve(w, m->env, m->item_count, count, err);
        if (status != S3STORE_OK)
            break;
        make_items(m, b, first, count, block);
        for (size_t i = 0; i < count; i++)
            hashes[i] = hash_key(key_in(&m->recent, first + i), w->seed);
        ask_for(m, w, hashes, count);
        for (size_t i = 0; status == S3STORE_OK && i < count; i++)
            status = offer(m, w, &block[i], hashes[i], err);
    }
    return status;
}

/* Room for the keys of as many winners as there are rows; what is not needed is never touched. */
static s3store_status reserve_keys(merge *m, s3store_error *err)
{
    const scan_plan *p = m->plan;
    s3s_sort_keys *keys = &m->keys[0];
    uint64_t bytes = 64;
    for (size_t b = 0; b < m->batch_count; b++)
        bytes += s3s_sort_keys_bytes(p->merge, m->batches[b], p->entity, p->entity_count);
    keys->env = m->env;
    keys->offsets = s3s_calloc(m->env, m->row_count + 1, sizeof *keys->offsets);
    keys->bytes = s3s_alloc(m->env, (size_t)bytes);
    if (keys->offsets == NULL || keys->bytes == NULL)
        return s3s_fail_memory(err, (size_t)bytes);
    keys->bytes_capacity = (size_t)bytes;
    s3s_expect_dense(keys->bytes, (size_t)bytes);
    s3s_expect_dense(keys->offsets, (m->row_count + 1) * sizeof *keys->offsets);
    return S3STORE_OK;
}

static s3store_status pick_latest(merge *m, s3store_error *err)
{
    merge_table w = {0};
    s3store_status status = s3s_merge_table_init(&w, m->env, m->row_count, err);
    if (status == S3STORE_OK)
        status = reserve_keys(m, err);
    for (size_t b = 0; status == S3STORE_OK && b < m->batch_count; b++)
        status = offer_batch(m, &w, b, err);
    s3s_free(m->env, w.slots);
    return status;
}

static s3store_status pick_all(merge *m, s3store_error *err)
{
    s3store_status status = S3STORE_OK;
    for (size_t b = 0; status == S3STORE_OK && b < m->batch_count; b++) {
        size_t rows = (size_t)m->batches[b]->length;
        if (!m->narrow)
            m->keys[b].env = m->env;
        status = begin_batch(m, b, &m->keys[b], err);
        if (status == S3STORE_OK)
            make_items(m, b, 0, rows, m->items + m->item_count);
        m->item_count += rows;
    }
    return status;
}

/* Winners that are wide are sorted by their keys, which lie beside them in another place. */
static s3store_status number_winners(merge *m, s3store_error *err)
{
    m->winners = s3s_alloc(m->env, m->item_count * sizeof *m->winners);
    if (m->winners == NULL)
        return s3s_fail_memory(err, m->item_count * sizeof *m->winners);
    for (size_t i = 0; i < m->item_count; i++) {
        m->winners[i] = m->items[i].row;
        m->items[i].row = (s3s_row){.batch = 0, .row = (uint32_t)i};
    }
    return S3STORE_OK;
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

static uint64_t chunk_at(const merge *m, const item *i, size_t depth)
{
    return depth == VERSION_DEPTH ? i->version
           : depth == 0           ? i->chunk
                                  : key_chunk(entity_key(m, i->row), depth);
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
        bool ended = m->narrow || (chunk & 0xff) != CHUNK_MORE;
        run rest = {at, next - at, ended ? VERSION_DEPTH : r.depth + CHUNK_BYTES};
        s3store_status status = push_run(m, rest, err);
        if (status != S3STORE_OK)
            return status;
    }
    return S3STORE_OK;
}

/* ---- rows that are sorted already ------------------------------------------------------------------ */

#define NATURAL_RUNS_MAX 16 /* of more, sorting is faster than merging them */

/* Where the ascending runs begin that the rows happen to be in; 0: there are too many. Files that were
 * written sorted come as one run each, whatever their footers say. */
static size_t find_natural_runs(const merge *m, size_t *starts)
{
    size_t count = 1;
    starts[0] = 0;
    for (size_t i = 1; i < m->item_count; i++) {
        if (compare_items(m, &m->items[i - 1], &m->items[i]) <= 0)
            continue;
        if (count == NATURAL_RUNS_MAX)
            return 0;
        starts[count++] = i;
    }
    starts[count] = m->item_count;
    return count;
}

/* Two neighbouring runs into one; of equal rows those of the first come first. */
static void merge_two(const merge *m, const item *from, item *to, size_t first, size_t middle,
                      size_t end)
{
    size_t a = first, b = middle, at = first;
    while (a < middle && b < end)
        to[at++] = compare_items(m, &from[a], &from[b]) <= 0 ? from[a++] : from[b++];
    while (a < middle)
        to[at++] = from[a++];
    while (b < end)
        to[at++] = from[b++];
}

/* false: the rows are not sorted enough. */
static bool merge_natural_runs(merge *m)
{
    size_t starts[NATURAL_RUNS_MAX + 1], count = find_natural_runs(m, starts);
    for (; count > 1; count = (count + 1) / 2) {
        for (size_t i = 0; i < count; i += 2) {
            size_t last = i + 2 < count ? i + 2 : count;
            size_t middle = i + 1 < count ? starts[i + 1] : starts[last];
            merge_two(m, m->items, m->spare, starts[i], middle, starts[last]);
            starts[i / 2] = starts[i];
        }
        starts[(count + 1) / 2] = m->item_count;
        item *swap = m->items;
        m->items = m->spare;
        m->spare = swap;
    }
    for (size_t i = m->item_count; count == 1 && i-- > 1;) {
        if (compare_items(m, &m->items[i - 1], &m->items[i]) == 0)
            m->items[i].row.batch = REPLICA;
    }
    return count == 1;
}

static s3store_status sort_items(merge *m, s3store_error *err)
{
    m->spare = s3s_calloc(m->env, m->item_count, sizeof *m->spare);
    if (m->spare == NULL)
        return s3s_fail_memory(err, m->item_count * sizeof *m->spare);
    s3s_expect_dense(m->spare, m->item_count * sizeof *m->spare);
    for (size_t i = 0; !m->narrow && i < m->item_count; i++)
        m->items[i].chunk = key_chunk(entity_key(m, m->items[i].row), 0);
    if (m->item_count == 0 || merge_natural_runs(m))
        return S3STORE_OK;
    s3store_status status = push_run(m, (run){.count = m->item_count}, err);
    while (status == S3STORE_OK && m->run_count > 0) {
        run r = m->runs[--m->run_count];
        item *items = m->items + r.first;
        for (size_t i = 0; i < r.count; i++)
            items[i].chunk = chunk_at(m, &items[i], r.depth);
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
        s3s_row row = m->items[i].row;
        if (row.batch != REPLICA)
            out->rows[out->row_count++] = m->winners != NULL ? m->winners[row.row] : row;
    }
    return S3STORE_OK;
}

static void merge_deinit(merge *m)
{
    for (size_t b = 0; m->keys != NULL && !m->narrow && b <= m->batch_count; b++)
        s3s_sort_keys_deinit(&m->keys[b]);
    s3s_sort_keys_deinit(&m->recent);
    s3s_free(m->env, m->keys);
    s3s_free(m->env, m->winners);
    s3s_free(m->env, m->numbers);
    s3s_free(m->env, m->versions);
    s3s_free(m->env, m->items);
    s3s_free(m->env, m->spare);
    s3s_free(m->env, m->runs);
}

/* Numbers, or bytes that are short in every row. */
static bool is_packable(const merge *m)
{
    const scan_plan *p = m->plan;
    for (size_t b = 0; !m->narrow && b < m->batch_count; b++) {
        if (s3s_sort_keys_longest(p->merge, m->batches[b], p->entity, p->entity_count) >
            S3S_PACKED_BYTES)
            return false;
    }
    return true;
}

static s3store_status merge_items(merge *m, s3s_scan_mode mode, merged_rows *out,
                                  s3store_error *err)
{
    s3store_status status = make_room(m, err);
    if (status == S3STORE_OK && mode == S3S_SCAN_LATEST)
        status = pick_latest(m, err);
    else if (status == S3STORE_OK)
        status = pick_all(m, err);
    if (status == S3STORE_OK && mode == S3S_SCAN_LATEST)
        status = number_winners(m, err);
    if (status == S3STORE_OK)
        status = sort_items(m, err);
    return status == S3STORE_OK ? write_rows(m, out, err) : status;
}

/* In the way that suits the keys. */
static s3store_status merge_latest(merge *m, merged_rows *out, s3store_error *err)
{
    bool done = false;
    s3store_status status = S3STORE_OK;
    if (m->narrow && !m->nulls)
        status = s3s_merge_dense(m->env, m->plan, m->batches, m->batch_count, m->row_count,
                                 m->longest, out, &done, err);
    if (status == S3STORE_OK && !done && m->narrow)
        status = s3s_merge_narrow(m->env, m->plan, m->nulls, m->batches, m->batch_count,
                                  m->row_count, m->longest, out, &done, err);
    if (status != S3STORE_OK || done)
        return status;
    if (is_packable(m))
        return s3s_merge_packed(m->env, m->plan, m->narrow, m->nulls, m->batches, m->batch_count,
                                m->row_count, m->longest, out, err);
    return merge_items(m, S3S_SCAN_LATEST, out, err);
}

s3store_status s3s_scan_merge(s3s_env *env, const scan_plan *plan, s3s_scan_mode mode,
                              const struct ArrowArray **batches, size_t batch_count,
                              merged_rows *out, s3store_error *err)
{
    *out = (merged_rows){.batches = batches, .batch_count = batch_count};
    merge m = {.env = env,
               .plan = plan,
               .batches = batches,
               .batch_count = batch_count,
               .recent = {.env = env}};
    s3store_status status = prepare(&m, err);
    if (status == S3STORE_OK)
        status = mode == S3S_SCAN_LATEST ? merge_latest(&m, out, err)
                                         : merge_items(&m, mode, out, err);
    merge_deinit(&m);
    return status;
}

void s3s_scan_merged_deinit(s3s_env *env, merged_rows *merged)
{
    s3s_free(env, (void *)merged->batches);
    s3s_free(env, merged->rows);
    *merged = (merged_rows){0};
}
