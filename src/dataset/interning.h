/* dataset/interning.h: private to partition.c: small dense numbers for distinct values. */
#ifndef S3S_DATASET_INTERNING_H
#define S3S_DATASET_INTERNING_H

#include "base/env.h"
#include "dataset/layout.h"

#define S3S_NO_ID UINT32_MAX

/* From 64-bit keys to ids. Zeroed but for env is empty. */
typedef struct s3s_number_map {
    s3s_env *env;
    struct s3s_number_slot *slots;
    size_t slot_count; /* 0 or a power of two */
    size_t used;
} s3s_number_map;
uint32_t s3s_number_map_find(const s3s_number_map *map, uint64_t key); /* S3S_NO_ID = absent */
/* The key is not in it yet. */
s3store_status s3s_number_map_add(s3s_number_map *map, uint64_t key, uint32_t id,
                                  s3store_error *err);
void s3s_number_map_deinit(s3s_number_map *map);

/* Distinct texts; the id of a text is its position. The bytes are borrowed. Zeroed but for env is
 * empty. */
typedef struct s3s_text_set {
    s3s_env *env;
    s3s_slice *texts;
    size_t count;
    size_t capacity;
    uint32_t *slots; /* ids */
    size_t slot_count;
} s3s_text_set;
uint32_t s3s_text_set_find(const s3s_text_set *set, s3s_slice text);
/* The text is not in it yet. */
s3store_status s3s_text_set_add(s3s_text_set *set, s3s_slice text, uint32_t *id,
                                s3store_error *err);
void s3s_text_set_deinit(s3s_text_set *set);

#endif
