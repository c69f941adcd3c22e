/* parquet/prune_bloom.c: predicates against bloom filters. */
#include "base/bytes.h"
#include "base/hash.h"
#include "parquet/bloom.h"
#include "parquet/prune.h"

#define HEADER_MAX 64
#define FILTER_MAX ((uint64_t)64 << 20)

/* The hash of a value's PLAIN form; false: it cannot be made, or several forms are equal. */
static bool hash_value(const s3s_leaf *leaf, const s3store_bytes *value, uint64_t *out)
{
    const uint8_t *data = (const void *)value->data;
    int32_t wide;
    switch (leaf->field->type) {
    case S3S_TYPE_INT8:
    case S3S_TYPE_UINT8:
    case S3S_TYPE_INT16:
    case S3S_TYPE_UINT16:
        if (value->size != s3s_type_value_size(leaf->field))
            return false;
        wide = value->size == 1 ? data[0] : s3s_le16(data);
        if (leaf->field->type == S3S_TYPE_INT8)
            wide = (int8_t)wide;
        if (leaf->field->type == S3S_TYPE_INT16)
            wide = (int16_t)wide;
        *out = s3s_xxh64(&wide, sizeof wide, 0);
        return true;
    case S3S_TYPE_STRING:
    case S3S_TYPE_BINARY:
    case S3S_TYPE_FIXED_BINARY:
        *out = s3s_xxh64(data, value->size, 0);
        return true;
    case S3S_TYPE_FLOAT16: /* two zeros are equal, and NaN has many forms */
    case S3S_TYPE_FLOAT:
    case S3S_TYPE_DOUBLE:
    case S3S_TYPE_BOOL:
        return false;
    default:
        if (leaf->convert != NULL || value->size != s3s_physical_width(leaf->physical))
            return false;
        *out = s3s_xxh64(data, value->size, 0);
        return true;
    }
}

/* Reads the filter; an empty block where there is none to be understood. */
static s3store_status load_filter(s3s_parquet_file *file, const s3s_pq_column *column,
                                  s3s_block *out, s3store_error *err)
{
    uint64_t at = (uint64_t)column->bloom_filter_offset;
    if (column->bloom_filter_offset < 4 || at >= file->footer_at)
        return S3STORE_OK;
    uint8_t head[HEADER_MAX];
    uint64_t left = file->footer_at - at;
    size_t head_size = left < HEADER_MAX ? (size_t)left : HEADER_MAX, used = 0;
    s3store_status status = file->source.read(file->source.ctx, at, head, head_size, err);
    if (status != S3STORE_OK)
        return status;
    s3s_arena arena;
    s3s_pq_bloom_header header;
    s3s_arena_init(&arena, file->env);
    bool known = s3s_thrift_read(&s3s_pq_bloom_header_struct, head, head_size, &arena, 4096,
                                 &header, &used, NULL, NULL) == S3STORE_OK &&
                 header.algorithm.has == 1 && header.hash.has == 1 && header.compression.has == 1;
    s3s_arena_deinit(&arena);
    if (!known || header.bytes <= 0 || header.bytes % S3S_BLOOM_BLOCK != 0 ||
        (uint64_t)header.bytes > left - used || (uint64_t)header.bytes > FILTER_MAX ||
        (uint64_t)header.bytes > s3s_budget_free(&file->budget) / 2)
        return S3STORE_OK;
    status = s3s_block_resize_empty(out, (size_t)header.bytes, err);
    if (status == S3STORE_OK)
        status = file->source.read(file->source.ctx, at + used, out->data, (size_t)header.bytes,
                                   err);
    if (status == S3STORE_OK)
        out->size = (size_t)header.bytes;
    return status;
}

s3store_status s3s_bloom_may_match(const s3s_prune_term *term, s3s_parquet_file *file,
                                   const s3s_pq_column *column, bool *may, s3store_error *err)
{
    *may = true;
    if ((term->op != S3S_PREDICATE_EQ && term->op != S3S_PREDICATE_IN) ||
        !S3S_PQ_HAS(column, S3S_COLUMN_BLOOM_OFFSET))
        return S3STORE_OK;
    s3s_block filter;
    s3s_block_init(&filter, file->env, &file->budget);
    s3store_status status = load_filter(file, column, &filter, err);
    bool any = filter.size == 0;
    for (size_t i = 0; i < term->value_count && status == S3STORE_OK && !any; i++) {
        uint64_t hash;
        any = !hash_value(term->leaf, &term->values[i], &hash) ||
              s3s_bloom_has(filter.data, filter.size, hash);
    }
    *may = any;
    s3s_block_deinit(&filter);
    return status;
}
