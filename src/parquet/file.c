/* parquet/file.c: opening: the footer, checked as a whole before any column is touched. */
#include "parquet/file.h"

#include <stdlib.h>

#include "base/bytes.h"
#include "base/error.h"
#include "parquet/int96.h"
#include "parquet/page.h"

#define TAIL_FIRST ((uint64_t)64 << 10) /* read first: most footers lie in it */
#define MEMORY_DEFAULT ((uint64_t)S3STORE_DEFAULT_MEMORY_BYTES)

static s3store_status name_file(s3store_error *err, const s3s_parquet_file *file,
                                s3store_status status)
{
    if (err != NULL && err->key[0] == '\0') {
        size_t size = strlen(file->name);
        size = size < sizeof err->key - 1 ? size : sizeof err->key - 1;
        memcpy(err->key, file->name, size);
        err->key[size] = '\0';
    }
    return status;
}

s3store_status s3s_parquet_in_column(s3store_error *err, const s3s_parquet_file *file,
                                     const char *column, s3store_status status)
{
    s3s_context(err, "%s: column \"%s\"", file->name, column);
    return name_file(err, file, status);
}

static s3store_status memory_read(void *ctx, uint64_t offset, void *data, size_t size,
                                  s3store_error *err)
{
    const s3s_parquet_memory *memory = ctx;
    if (offset > memory->size || size > memory->size - offset)
        return s3s_fail(err, S3STORE_INTERNAL, "a read of %zu bytes at %llu of %zu", size,
                        (unsigned long long)offset, memory->size);
    if (size > 0)
        memcpy(data, memory->data + offset, size);
    return S3STORE_OK;
}

s3s_parquet_source s3s_parquet_memory_source(s3s_parquet_memory *memory)
{
    return (s3s_parquet_source){.ctx = memory, .file_size = memory->size, .read = memory_read,
                                .memory = memory->data};
}

/* ---- the footer ------------------------------------------------------------------------------ */

static s3store_status check_magic(const s3s_parquet_file *file, const uint8_t *tail, size_t size,
                                  s3store_error *err)
{
    const uint8_t *magic = tail + size - 4;
    if (memcmp(magic, S3S_PQ_MAGIC_ENCRYPTED, 4) == 0)
        return s3s_fail(err, S3STORE_UNSUPPORTED, "the file is encrypted");
    if (memcmp(magic, S3S_PQ_MAGIC, 4) != 0)
        return s3s_fail(err, S3STORE_CORRUPT,
                        "not a Parquet file, or cut short: it does not end with PAR1");
    if (size == file->source.file_size && memcmp(tail, S3S_PQ_MAGIC, 4) != 0)
        return s3s_fail(err, S3STORE_CORRUPT, "not a Parquet file: it does not begin with PAR1");
    return S3STORE_OK;
}

static s3store_status read_at(s3s_parquet_file *file, uint64_t at, size_t size, s3store_error *err)
{
    s3store_status status = s3s_block_resize_empty(&file->footer_bytes, size, err);
    if (status == S3STORE_OK)
        status = file->source.read(file->source.ctx, at, file->footer_bytes.data, size, err);
    if (status == S3STORE_OK)
        file->footer_bytes.size = size;
    return status;
}

/* Leaves exactly the bytes of the footer at *footer. */
static s3store_status fetch_footer(s3s_parquet_file *file, const uint8_t **footer, size_t *size,
                                   s3store_error *err)
{
    uint64_t total = file->source.file_size;
    if (total == 0)
        return s3s_fail(err, S3STORE_CORRUPT, "the file is empty (0 bytes), not a Parquet file");
    if (total < 4 + S3S_PQ_TAIL_SIZE)
        return s3s_fail(err, S3STORE_CORRUPT, "the file of %llu bytes is too short for Parquet",
                        (unsigned long long)total);
    size_t tail = (size_t)(total < TAIL_FIRST ? total : TAIL_FIRST);
    s3store_status status = read_at(file, total - tail, tail, err);
    if (status == S3STORE_OK)
        status = check_magic(file, file->footer_bytes.data, tail, err);
    if (status != S3STORE_OK)
        return status;
    uint32_t length = s3s_le32(file->footer_bytes.data + tail - S3S_PQ_TAIL_SIZE);
    if (length > total - 4 - S3S_PQ_TAIL_SIZE)
        return s3s_fail(err, S3STORE_CORRUPT, "a footer of %u bytes in a file of %llu",
                        (unsigned)length, (unsigned long long)total);
    file->footer_at = total - S3S_PQ_TAIL_SIZE - length;
    size_t skip = tail - S3S_PQ_TAIL_SIZE;
    if (length > skip) {
        status = read_at(file, file->footer_at, length, err);
        skip = length;
    }
    *footer = file->footer_bytes.data + skip - length;
    *size = length;
    return status;
}

static s3store_status check_groups(const s3s_parquet_file *file, s3store_error *err)
{
    const s3s_pq_footer *footer = &file->footer;
    int64_t rows = 0;
    for (size_t i = 0; i < footer->row_groups.count; i++) {
        const s3s_pq_row_group *group = s3s_parquet_group(file, i);
        if (group->columns.count != file->schema.leaf_count)
            return s3s_fail(err, S3STORE_CORRUPT, "row group %zu has %zu columns, the schema %zu",
                            i, group->columns.count, file->schema.leaf_count);
        if (group->num_rows < 0 || __builtin_add_overflow(rows, group->num_rows, &rows))
            return s3s_fail(err, S3STORE_CORRUPT, "row group %zu claims %lld rows", i,
                            (long long)group->num_rows);
    }
    if (rows != footer->num_rows)
        return s3s_fail(err, S3STORE_CORRUPT, "the footer says %lld rows, its row groups %lld",
                        (long long)footer->num_rows, (long long)rows);
    return S3STORE_OK;
}

static s3store_status settle_int96(s3s_parquet_file *file, s3store_error *err)
{
    bool found = false;
    s3store_status status = S3STORE_OK;
    for (size_t i = 0; i < file->schema.leaf_count && !found; i++)
        found = file->schema.leaves[i].physical == S3S_PQ_INT96;
    if (found)
        status = s3s_int96_find_nanos(file, &found, err);
    if (status != S3STORE_OK || !found)
        return status;
    s3s_file_schema_deinit(&file->schema);
    return s3s_file_schema_read(file->env, &file->arena, &file->footer.schema, &file->schema, err);
}

static s3store_status read_footer(s3s_parquet_file *file, s3store_error *err)
{
    const uint8_t *data = NULL;
    size_t size = 0;
    s3store_status status = fetch_footer(file, &data, &size, err);
    if (status != S3STORE_OK)
        return status;
    uint64_t free_bytes = s3s_budget_free(&file->budget) / 2; /* the other half: the schema */
    size_t memory_max = free_bytes < SIZE_MAX ? (size_t)free_bytes : SIZE_MAX;
    status = s3s_thrift_read(&s3s_pq_footer_struct, data, size, &file->arena, memory_max,
                             &file->footer, NULL, NULL, err);
    if (status != S3STORE_OK) {
        s3s_context(err, "footer at byte %llu", (unsigned long long)file->footer_at);
        return status;
    }
    if (S3S_PQ_HAS(&file->footer, S3S_FOOTER_ENCRYPTION))
        return s3s_fail(err, S3STORE_UNSUPPORTED, "the file is encrypted");
    status =
        s3s_file_schema_read(file->env, &file->arena, &file->footer.schema, &file->schema, err);
    if (status == S3STORE_OK)
        status = check_groups(file, err);
    if (status == S3STORE_OK)
        status = settle_int96(file, err);
    if (status == S3STORE_OK)
        status = s3s_budget_take(&file->budget, file->arena.used, err);
    return status;
}

s3store_status s3s_parquet_open(s3s_env *env, s3s_parquet_source source, const char *name,
                                const s3s_parquet_limits *limits, s3s_parquet_file **out,
                                s3store_error *err)
{
    *out = NULL;
    s3s_parquet_file *file = s3s_calloc(env, 1, sizeof *file);
    if (file == NULL)
        return s3s_fail_memory(err, sizeof *file);
    file->env = env;
    file->source = source;
    file->budget.max =
        limits != NULL && limits->memory_bytes != 0 ? limits->memory_bytes : MEMORY_DEFAULT;
    file->spread_little = limits != NULL && limits->spread_little;
    s3s_block_init(&file->footer_bytes, env, &file->budget);
    s3s_arena_init(&file->arena, env);
    s3s_block_cache_init(&file->blocks, env, &file->budget);
    file->name = s3s_strdup(env, name);
    if (file->name == NULL) {
        s3s_parquet_free(file);
        return s3s_fail_memory(err, strlen(name));
    }
    s3store_status status = read_footer(file, err);
    if (status != S3STORE_OK) {
        s3s_context(err, "%s", file->name);
        name_file(err, file, status);
        s3s_parquet_free(file);
        return status;
    }
    *out = file;
    return S3STORE_OK;
}

void s3s_parquet_free(s3s_parquet_file *file)
{
    if (file == NULL)
        return;
    s3s_file_schema_deinit(&file->schema);
    s3s_arena_deinit(&file->arena);
    s3s_block_deinit(&file->footer_bytes);
    s3s_block_cache_deinit(&file->blocks);
    s3s_free(file->env, file->name);
    s3s_free(file->env, file);
}

/* ---- what it says ---------------------------------------------------------------------------- */

const s3s_schema *s3s_parquet_schema(const s3s_parquet_file *file)
{
    return file->schema.schema;
}

int64_t s3s_parquet_row_count(const s3s_parquet_file *file)
{
    return file->footer.num_rows;
}

size_t s3s_parquet_row_group_count(const s3s_parquet_file *file)
{
    return file->footer.row_groups.count;
}

int64_t s3s_parquet_row_group_rows(const s3s_parquet_file *file, size_t group)
{
    return s3s_parquet_group(file, group)->num_rows;
}

uint64_t s3s_parquet_row_group_bytes(const s3s_parquet_file *file, size_t group)
{
    int64_t size = s3s_parquet_group(file, group)->total_byte_size;
    return size > 0 ? (uint64_t)size : 0;
}

/* ---- byte ranges ----------------------------------------------------------------------------- */

static int compare_ranges(const void *a, const void *b)
{
    uint64_t x = ((const s3s_byte_range *)a)->offset, y = ((const s3s_byte_range *)b)->offset;
    return x < y ? -1 : x > y;
}

size_t s3s_byte_ranges_merge(s3s_byte_range *ranges, size_t count, uint64_t gap)
{
    size_t kept = 0;
    qsort(ranges, count, sizeof *ranges, compare_ranges);
    for (size_t i = 0; i < count; i++) {
        if (ranges[i].size == 0)
            continue;
        s3s_byte_range *last = kept > 0 ? &ranges[kept - 1] : NULL;
        uint64_t end = ranges[i].offset + ranges[i].size;
        uint64_t last_end = last != NULL ? last->offset + last->size : 0;
        if (last != NULL && (ranges[i].offset <= last_end || ranges[i].offset - last_end < gap)) {
            if (end > last_end)
                last->size = end - last->offset;
        } else {
            ranges[kept++] = ranges[i];
        }
    }
    return kept;
}

/* All chunks of the columns, not merged; ranges has room for every leaf. */
static s3store_status gather_ranges(const s3s_parquet_file *file, size_t group,
                                    const size_t *columns, size_t column_count,
                                    s3s_byte_range *ranges, size_t *count, s3store_error *err)
{
    const s3s_file_schema *schema = &file->schema;
    const s3s_pq_chunk *chunks = s3s_parquet_group(file, group)->columns.items;
    size_t all = schema->schema->field_count;
    *count = 0;
    for (size_t i = 0; i < (columns == NULL ? all : column_count); i++) {
        size_t column = columns == NULL ? i : columns[i];
        if (column >= all || *count + schema->first_leaf[column + 1] - schema->first_leaf[column] >
                                 schema->leaf_count)
            return s3s_fail(err, S3STORE_INVALID_ARGUMENT, "%s: no column %zu, or one asked twice",
                            file->name, column);
        for (size_t leaf = schema->first_leaf[column]; leaf < schema->first_leaf[column + 1];
             leaf++) {
            s3s_chunk_place place;
            s3store_status status = s3s_chunk_place_of(&chunks[leaf], &schema->leaves[leaf],
                                                       file->footer_at, &place, err);
            if (status != S3STORE_OK)
                return s3s_parquet_in_column(err, file, schema->leaves[leaf].path, status);
            ranges[(*count)++] = (s3s_byte_range){place.begin, place.end - place.begin};
        }
    }
    return S3STORE_OK;
}

s3store_status s3s_parquet_ranges(const s3s_parquet_file *file, size_t group,
                                  const size_t *columns, size_t column_count, uint64_t gap_bytes,
                                  s3s_byte_range *ranges, size_t *range_count, size_t range_max,
                                  s3store_error *err)
{
    if (group >= file->footer.row_groups.count)
        return s3s_fail(err, S3STORE_INVALID_ARGUMENT, "%s: no row group %zu", file->name, group);
    s3s_byte_range *all =
        s3s_calloc(file->env, file->schema.leaf_count + 1, sizeof *all);
    if (all == NULL)
        return s3s_fail_memory(err, file->schema.leaf_count * sizeof *all);
    size_t count = 0;
    s3store_status status =
        gather_ranges(file, group, columns, column_count, all, &count, err);
    if (status == S3STORE_OK) {
        count = s3s_byte_ranges_merge(all, count, gap_bytes);
        if (count > range_max - *range_count || *range_count > range_max)
            status = s3s_fail(err, S3STORE_LIMIT_EXCEEDED, "%s: more than %zu byte ranges",
                              file->name, range_max);
    }
    if (status == S3STORE_OK) {
        memcpy(ranges + *range_count, all, count * sizeof *all);
        *range_count += count;
    }
    s3s_free(file->env, all);
    return status;
}
