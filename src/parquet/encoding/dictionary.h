/* parquet/encoding/dictionary.h: collecting the distinct values of a column while it is written. */
#ifndef S3S_PARQUET_DICTIONARY_H
#define S3S_PARQUET_DICTIONARY_H

#include "base/buffer.h"
#include "base/bytes.h"

/* Values are kept in order of their first appearance, in PLAIN encoding: the dictionary page. */
typedef struct s3s_dictionary_builder {
    s3s_env *env;
    size_t width;     /* of fixed values; 0 = byte strings */
    size_t max_bytes; /* of the page */
    s3s_buffer page;
    struct s3s_dictionary_slot *slots; /* a power of two of them, at most half of them used */
    size_t slot_count;
    uint32_t *starts; /* of byte strings: where the bytes of each begin in the page */
    size_t start_room;
    size_t count;
    bool failed; /* an allocation: told from full */
} s3s_dictionary_builder;

typedef struct s3s_dictionary_slot {
    uint32_t hash;
    uint32_t index; /* + 1; 0 = free */
} s3s_dictionary_slot;

void s3s_dictionary_init(s3s_dictionary_builder *d, s3s_env *env, size_t width, size_t max_bytes);
void s3s_dictionary_deinit(s3s_dictionary_builder *d);
void s3s_dictionary_clear(s3s_dictionary_builder *d);
/* The indexes of values, which are added when they are new: fixed values one behind the other, or
 * spans. Returns how many were taken: fewer when one more is not possible. */
size_t s3s_dictionary_add(s3s_dictionary_builder *d, const void *values, size_t count,
                          uint32_t *indexes);
/* Bytes of the page before this value. */
static inline size_t s3s_dictionary_bytes(const s3s_dictionary_builder *d, size_t index)
{
    if (index >= d->count)
        return d->page.size;
    return d->width != 0 ? index * d->width : d->starts[index] - 4u;
}
/* The value of an index, in the page. */
static inline s3store_bytes s3s_dictionary_value(const s3s_dictionary_builder *d, size_t index)
{
    const uint8_t *at = d->page.data + s3s_dictionary_bytes(d, index);
    if (d->width != 0)
        return (s3store_bytes){.data = (const void *)at, .size = d->width};
    return (s3store_bytes){.data = (const void *)(at + 4), .size = s3s_le32(at)};
}
/* Forgets the values from `count` on. They are not found any more. */
void s3s_dictionary_truncate(s3s_dictionary_builder *d, size_t count);

#endif
