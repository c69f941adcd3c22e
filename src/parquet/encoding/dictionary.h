/* parquet/encoding/dictionary.h: collecting the distinct values of a column while it is written. */
#ifndef S3S_PARQUET_DICTIONARY_H
#define S3S_PARQUET_DICTIONARY_H

#include "base/buffer.h"

#define S3S_DICTIONARY_FULL UINT32_MAX

/* Values are kept in order of their first appearance, in PLAIN encoding: the dictionary page. */
typedef struct s3s_dictionary_builder {
    s3s_env *env;
    size_t width;     /* of fixed values; 0 = byte strings */
    size_t max_bytes; /* of the page */
    s3s_buffer page;
    uint32_t *slots; /* index + 1, 0 = free; a power of two of them */
    size_t slot_count;
    struct s3s_dictionary_entry *entries;
    size_t entry_room;
    size_t count;
    bool failed; /* an allocation: told from full */
} s3s_dictionary_builder;

typedef struct s3s_dictionary_entry {
    uint32_t hash;
    uint32_t start; /* of the bytes in page; strings: after their length */
    uint32_t size;
    uint32_t mark; /* of the caller; 0 when new */
} s3s_dictionary_entry;

void s3s_dictionary_init(s3s_dictionary_builder *d, s3s_env *env, size_t width, size_t max_bytes);
void s3s_dictionary_deinit(s3s_dictionary_builder *d);
void s3s_dictionary_clear(s3s_dictionary_builder *d);
/* The index of a value, which is added when it is new; S3S_DICTIONARY_FULL when that is not
 * possible. */
uint32_t s3s_dictionary_add(s3s_dictionary_builder *d, const void *data, size_t size);
/* Forgets the entries from `count` on. They are not found any more. */
void s3s_dictionary_truncate(s3s_dictionary_builder *d, size_t count);

#endif
