/* parquet/encoding/dictionary.c: an open hash table from values to their index. */
#include "parquet/encoding/dictionary.h"

#include "base/bytes.h"
#include "base/hash.h"

/* Small: a table is cleared as a whole, and short columns are many. It quadruples until it has this
 * many slots, so that long ones do not pay for that. */
#define SLOTS_FIRST 64
#define SLOTS_SMALL 1024
#define SLOTS_PER_VALUE 64 /* a table that is emptier than that is not kept */
#define PROBES_MAX 256 /* values chosen to collide must not make this quadratic */

void s3s_dictionary_init(s3s_dictionary_builder *d, s3s_env *env, size_t width, size_t max_bytes)
{
    *d = (s3s_dictionary_builder){.env = env, .width = width, .max_bytes = max_bytes};
    s3s_buffer_init(&d->page, env, SIZE_MAX);
}

void s3s_dictionary_deinit(s3s_dictionary_builder *d)
{
    s3s_buffer_deinit(&d->page);
    s3s_free(d->env, d->slots);
    s3s_free(d->env, d->starts);
    d->slots = NULL;
    d->starts = NULL;
    d->slot_count = d->start_room = d->count = 0;
}

void s3s_dictionary_clear(s3s_dictionary_builder *d)
{
    s3s_buffer_clear(&d->page);
    /* An empty dictionary has empty slots. What a long column has left goes: the short ones that come
     * would clear it each time. */
    if (d->count > 0 && d->slot_count > SLOTS_SMALL && d->count < d->slot_count / SLOTS_PER_VALUE) {
        s3s_free(d->env, d->slots);
        d->slots = NULL;
        d->slot_count = 0;
    } else if (d->count > 0) {
        memset(d->slots, 0, d->slot_count * sizeof *d->slots);
    }
    d->count = 0;
    d->failed = false;
}

/* ---- hashing --------------------------------------------------------------------------------- */

static inline uint32_t mix(uint64_t h)
{
    h ^= h >> 32;
    h *= UINT64_C(0x9e3779b97f4a7c15);
    return (uint32_t)(h >> 32);
}

static inline uint32_t hash_bytes(const uint8_t *p, size_t size)
{
    uint64_t a = size, b = 0, c = 0, d = 0;
    if (size > 32)
        return (uint32_t)(s3s_xxh64(p, size, 0) >> 32);
    if (size > 16) {
        s3s_two_parts(p, 16, &a, &b);
        s3s_two_parts(p + size - 16, 16, &c, &d);
        a ^= c * UINT64_C(0x94d049bb133111eb) ^ d * UINT64_C(0xbf58476d1ce4e5b9);
    } else
    if (size >= 4)
        s3s_two_parts(p, size, &a, &b);
    else
        for (size_t i = 0; i < size; i++)
            a = a << 8 | p[i];
    a ^= (b << 29 | b >> 35) * UINT64_C(0xd6e8feb86659fd93);
    return mix(a + size * UINT64_C(0xa0761d6478bd642f));
}

/* width: of fixed values, a constant where this is inlined. */
static inline uint32_t hash_value(size_t width, const uint8_t *p, size_t size)
{
    return width == 8 ? mix(s3s_le64(p)) : width == 4 ? mix(s3s_le32(p)) : hash_bytes(p, size);
}

static inline bool same_fixed(size_t width, const uint8_t *a, const uint8_t *b)
{
    return width == 8   ? s3s_le64(a) == s3s_le64(b)
           : width == 4 ? s3s_le32(a) == s3s_le32(b)
                        : s3s_same_bytes(a, b, width);
}

static inline bool equal(const s3s_dictionary_builder *d, size_t width, size_t index,
                         const uint8_t *p, size_t size)
{
    const uint8_t *page = d->page.data;
    if (width != 0)
        return same_fixed(width, page + index * width, p);
    const uint8_t *have = page + d->starts[index];
    return s3s_le32(have - 4) == size && s3s_same_bytes(have, p, size);
}

/* ---- adding ---------------------------------------------------------------------------------- */

static void place(s3s_dictionary_slot *slots, size_t slot_count, s3s_dictionary_slot slot)
{
    size_t at = slot.hash & (slot_count - 1);
    while (slots[at].index != 0)
        at = (at + 1) & (slot_count - 1);
    slots[at] = slot;
}

/* Room for one more value, in a table that is then at most half full. */
static bool grow(s3s_dictionary_builder *d)
{
    if ((d->count + 1) * 2 > d->slot_count) {
        size_t slot_count = d->slot_count == 0            ? SLOTS_FIRST
                            : d->slot_count < SLOTS_SMALL ? d->slot_count * 4
                                                          : d->slot_count * 2;
        s3s_dictionary_slot *slots = s3s_calloc(d->env, slot_count, sizeof *slots);
        if (slots == NULL)
            return false;
        for (size_t i = 0; i < d->slot_count; i++)
            if (d->slots[i].index != 0)
                place(slots, slot_count, d->slots[i]);
        s3s_free(d->env, d->slots);
        d->slots = slots;
        d->slot_count = slot_count;
    }
    if (d->width == 0 && d->count == d->start_room) {
        size_t room = d->start_room == 0 ? SLOTS_FIRST / 2 : d->start_room * 2;
        uint32_t *starts = s3s_realloc(d->env, d->starts, room * sizeof *starts);
        if (starts == NULL)
            return false;
        d->starts = starts;
        d->start_room = room;
    }
    return true;
}

static __attribute__((noinline)) uint8_t *make_room(s3s_dictionary_builder *d, size_t size)
{
    return grow(d) ? s3s_buffer_reserve(&d->page, size, NULL) : NULL;
}

/* Where the next entry of the page goes; NULL: memory is full. */
static inline uint8_t *find_room(s3s_dictionary_builder *d, size_t width, size_t size)
{
    const s3s_buffer *page = &d->page;
    bool has_slot = (d->count + 1) * 2 <= d->slot_count;
    bool has_start = width != 0 || d->count < d->start_room;
    if (has_slot && has_start && size <= page->capacity - page->size)
        return page->data + page->size;
    return make_room(d, size);
}

/* width: a constant where this is inlined. at: the free slot that was found. false: it is full, or
 * memory is. */
static inline bool append(s3s_dictionary_builder *d, size_t width, uint32_t hash, size_t at,
                          const uint8_t *data, size_t size)
{
    size_t slot_count = d->slot_count;
    size_t prefix = width == 0 ? 4 : 0;
    uint32_t length = (uint32_t)size;
    if (size > d->max_bytes || d->page.size + prefix + size > d->max_bytes)
        return false;
    uint8_t *to = find_room(d, width, prefix + size);
    if (to == NULL) {
        d->failed = true;
        return false;
    }
    if (width == 0) {
        memcpy(to, &length, sizeof length);
        d->starts[d->count] = (uint32_t)(d->page.size + prefix);
    }
    if (width != 0)
        memcpy(to, data, width);
    else if (size > 0)
        s3s_copy_short(to + prefix, data, size);
    d->page.size += prefix + size;
    s3s_dictionary_slot slot = {hash, (uint32_t)++d->count};
    if (d->slot_count == slot_count)
        d->slots[at] = slot;
    else /* it has grown */
        place(d->slots, d->slot_count, slot);
    return true;
}

static inline __attribute__((always_inline)) bool add_one(s3s_dictionary_builder *d, size_t width,
                                                          const uint8_t *data, size_t size,
                                                          uint32_t *index)
{
    uint32_t hash = hash_value(width, data, size);
    size_t mask = d->slot_count - 1, at = hash & mask;
    for (size_t probes = 0; d->slot_count > 0 && d->slots[at].index != 0; at = (at + 1) & mask) {
        *index = d->slots[at].index - 1;
        if (d->slots[at].hash == hash && equal(d, width, *index, data, size))
            return true;
        if (++probes == PROBES_MAX)
            return false;
    }
    *index = (uint32_t)d->count;
    return append(d, width, hash, at, data, size);
}

/* As many values as there is room for without growing: nothing of d is looked at again for each. The
 * value that ends it is add_one's. */
static inline __attribute__((always_inline)) size_t
add_in_room(s3s_dictionary_builder *d, size_t width, const uint8_t *values, size_t count,
            uint32_t *indexes)
{
    s3s_dictionary_slot *slots = d->slots;
    uint8_t *page = d->page.data;
    size_t mask = d->slot_count - 1, used = d->count, room = d->slot_count / 2, i = 0;
    room = room < d->page.capacity / width ? room : d->page.capacity / width;
    room = room < d->max_bytes / width ? room : d->max_bytes / width;
    for (const uint8_t *value = values; used < room && i < count; i++, value += width) {
        uint32_t hash = hash_value(width, value, width), index;
        size_t at = hash & mask, probes = 0;
        while ((index = slots[at].index) != 0 && probes < PROBES_MAX &&
               (slots[at].hash != hash || !same_fixed(width, page + (index - 1) * width, value))) {
            at = (at + 1) & mask;
            probes++;
        }
        if (probes == PROBES_MAX)
            break;
        if (index == 0) {
            memcpy(page + used * width, value, width);
            index = (uint32_t)++used;
            slots[at] = (s3s_dictionary_slot){hash, index};
        }
        indexes[i] = index - 1;
    }
    d->count = used;
    d->page.size = used * width;
    return i;
}

static inline __attribute__((always_inline)) size_t add_fixed(s3s_dictionary_builder *d,
                                                              size_t width, const uint8_t *values,
                                                              size_t count, uint32_t *indexes)
{
    size_t i = 0;
    do {
        i += add_in_room(d, width, values + i * width, count - i, indexes + i);
    } while (i < count && add_one(d, width, values + i * width, width, &indexes[i]) && ++i < count);
    return i;
}

/* The same for byte strings. */
static size_t add_spans_in_room(s3s_dictionary_builder *d, const s3store_bytes *spans, size_t count,
                                uint32_t *indexes)
{
    s3s_dictionary_slot *slots = d->slots;
    uint32_t *starts = d->starts;
    uint8_t *page = d->page.data;
    size_t mask = d->slot_count - 1, used = d->count, room = d->slot_count / 2, i = 0;
    size_t size = d->page.size;
    size_t end = d->page.capacity < d->max_bytes ? d->page.capacity : d->max_bytes;
    end = end < UINT32_MAX ? end : UINT32_MAX;
    room = room < d->start_room ? room : d->start_room;
    for (const s3store_bytes *span = spans; used < room && i < count; i++, span++) {
        const uint8_t *bytes = (const uint8_t *)span->data;
        uint32_t hash = hash_bytes(bytes, span->size), index;
        size_t at = hash & mask, probes = 0;
        while ((index = slots[at].index) != 0 && probes < PROBES_MAX) {
            const uint8_t *have = page + starts[index - 1];
            if (slots[at].hash == hash && s3s_le32(have - 4) == span->size &&
                s3s_same_bytes(have, bytes, span->size))
                break;
            at = (at + 1) & mask;
            probes++;
        }
        if (probes == PROBES_MAX)
            break;
        if (index == 0) {
            if (end - size < 4 || span->size > end - size - 4)
                break;
            uint32_t length = (uint32_t)span->size;
            memcpy(page + size, &length, sizeof length);
            if (length > 0)
                s3s_copy_short(page + size + 4, bytes, length);
            starts[used] = (uint32_t)size + 4;
            size += 4 + (size_t)length;
            index = (uint32_t)++used;
            slots[at] = (s3s_dictionary_slot){hash, index};
        }
        indexes[i] = index - 1;
    }
    d->count = used;
    d->page.size = size;
    return i;
}

static size_t add_spans(s3s_dictionary_builder *d, const s3store_bytes *spans, size_t count,
                        uint32_t *indexes)
{
    size_t i = 0;
    do {
        i += add_spans_in_room(d, spans + i, count - i, indexes + i);
    } while (i < count && add_one(d, 0, spans[i].data, spans[i].size, &indexes[i]) && ++i < count);
    return i;
}

size_t s3s_dictionary_add(s3s_dictionary_builder *d, const void *values, size_t count,
                          uint32_t *indexes)
{
    if (d->width == 8)
        return add_fixed(d, 8, values, count, indexes);
    if (d->width == 4)
        return add_fixed(d, 4, values, count, indexes);
    if (d->width != 0)
        return add_fixed(d, d->width, values, count, indexes);
    return add_spans(d, values, count, indexes);
}

void s3s_dictionary_truncate(s3s_dictionary_builder *d, size_t count)
{
    if (count >= d->count)
        return;
    d->page.size = s3s_dictionary_bytes(d, count);
    d->count = count;
    memset(d->slots, 0, d->slot_count * sizeof *d->slots);
    for (uint32_t i = 0; i < count; i++) {
        s3store_bytes value = s3s_dictionary_value(d, i);
        uint32_t hash = hash_value(d->width, (const uint8_t *)value.data, value.size);
        place(d->slots, d->slot_count, (s3s_dictionary_slot){hash, i + 1});
    }
}
