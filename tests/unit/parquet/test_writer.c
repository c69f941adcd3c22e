/* tests/unit/parquet/test_writer.c: what other readers count on in the files we write. */
#include "env.h"
#include "fixture.h"

#include <math.h>
#include <stdlib.h>

#include "base/error.h"
#include "base/hash.h"
#include "base/sync.h"
#include "parquet/metadata.h"

/* A written file and its footer. */
typedef struct written {
    s3s_buffer file;
    s3s_arena arena;
    s3s_pq_footer footer;
} written;

static void write_batch(written *w, s3s_schema *schema, const s3s_parquet_write_options *options,
                        const struct ArrowArray *batch)
{
    s3store_error err;
    uint32_t length;
    s3s_buffer_init(&w->file, env, SIZE_MAX);
    s3s_arena_init(&w->arena, env);
    assert_ok(fixture_write(env, schema, options, batch, batch != NULL, &w->file, &err));
    assert_memory_equal(w->file.data, "PAR1", 4);
    assert_memory_equal(w->file.data + w->file.size - 4, "PAR1", 4);
    memcpy(&length, w->file.data + w->file.size - 8, 4);
    assert_ok(s3s_thrift_read(&s3s_pq_footer_struct, w->file.data + w->file.size - 8 - length,
                              length, &w->arena, SIZE_MAX, &w->footer, NULL, NULL, &err));
}

static void free_written(written *w)
{
    s3s_arena_deinit(&w->arena);
    s3s_buffer_deinit(&w->file);
}

static s3s_pq_row_group *group_of(written *w, size_t i)
{
    return (s3s_pq_row_group *)w->footer.row_groups.items + i;
}

static s3s_pq_chunk *chunk_of(written *w, size_t group, size_t i)
{
    return (s3s_pq_chunk *)group_of(w, group)->columns.items + i;
}

static void test_writer__same_input_gives_the_same_bytes(void **state)
{
    (void)state;
    s3s_schema *schema = fixture_all_types(env, true);
    struct ArrowArray batch;
    fixture_batch(env, schema, 2000, 4, 100, FIXTURE_FEW, &batch);
    for (s3store_compression c = S3STORE_COMPRESSION_DEFAULT; c <= S3STORE_COMPRESSION_UNCOMPRESSED;
         c++) {
        written a, b;
        s3s_parquet_write_options options = {.compression = c, .page_bytes = 3000,
                                             .row_group_bytes = 50000};
        write_batch(&a, schema, &options, &batch);
        write_batch(&b, schema, &options, &batch);
        assert_int_equal(a.file.size, b.file.size);
        assert_memory_equal(a.file.data, b.file.data, a.file.size);
        free_written(&a);
        free_written(&b);
    }
    s3s_array_release(&batch);
    s3s_schema_release(schema);
}

/* The bytes themselves: a change here changes every file that is written. It may be wanted; then
 * say so in the change log. */
static void test_writer__golden_bytes(void **state)
{
    (void)state;
    s3s_schema *schema = fixture_all_types(env, true);
    struct ArrowArray batch;
    fixture_batch(env, schema, 100, 4, 100, FIXTURE_FEW, &batch);
    written w;
    s3s_parquet_write_options options = {.compression = S3STORE_COMPRESSION_UNCOMPRESSED};
    write_batch(&w, schema, &options, &batch);
    char text[64];
    snprintf(text, sizeof text, "%zu %016llx", w.file.size,
             (unsigned long long)s3s_xxh64(w.file.data, w.file.size, 0));
    assert_string_equal(text, "10147 989e2ba36fc7aeff");
    free_written(&w);
    s3s_array_release(&batch);
    s3s_schema_release(schema);
}

static void test_writer__no_rows_is_a_file_without_row_groups(void **state)
{
    (void)state;
    s3s_schema *schema = fixture_all_types(env, true);
    written w;
    write_batch(&w, schema, NULL, NULL);
    assert_int_equal(w.footer.num_rows, 0);
    assert_int_equal(w.footer.row_groups.count, 0);
    assert_int_equal(w.footer.schema.count, schema->field_count + 1);
    fixture_expect(env, &w.file, schema, NULL, 0, 0);
    free_written(&w);
    s3s_schema_release(schema);
}

static void test_writer__footer_says_what_readers_need(void **state)
{
    (void)state;
    s3s_schema *schema = fixture_all_types(env, true);
    struct ArrowArray batch;
    fixture_batch(env, schema, 3000, 4, 100, FIXTURE_FEW, &batch);
    size_t sorting[] = {4, 12};
    s3s_parquet_write_options options = {.row_group_bytes = 100000, .page_bytes = 2000,
                                         .sorting_columns = sorting, .sorting_column_count = 2};
    written w;
    write_batch(&w, schema, &options, &batch);
    assert_int_equal(w.footer.version, 2);
    assert_memory_equal(w.footer.created_by.data, "s3store version ", 16);
    assert_int_equal(w.footer.column_orders.count, schema->field_count);
    const s3s_pq_schema_element *elements = w.footer.schema.items;
    assert_memory_equal(elements[0].name.data, "schema", 6);
    assert_true(w.footer.row_groups.count > 2);
    uint64_t at = 4;
    int64_t rows = 0;
    for (size_t g = 0; g < w.footer.row_groups.count; g++) {
        const s3s_pq_row_group *group = group_of(&w, g);
        int64_t total = 0, compressed = 0;
        assert_int_equal(group->columns.count, schema->field_count);
        assert_int_equal(group->ordinal, g);
        assert_int_equal(group->file_offset, at);
        assert_int_equal(group->sorting.count, 2);
        const s3s_pq_sorting *sorted = group->sorting.items;
        assert_int_equal(sorted[1].column, 12);
        assert_true(sorted[1].nulls_first && !sorted[1].descending);
        for (size_t i = 0; i < schema->field_count; i++) {
            const s3s_pq_column *c = &chunk_of(&w, g, i)->column;
            assert_int_equal(c->num_values, group->num_rows);
            uint64_t begin = (uint64_t)c->data_page_offset;
            if (S3S_PQ_HAS(c, S3S_COLUMN_DICT_OFFSET)) {
                assert_true(c->dictionary_page_offset < c->data_page_offset);
                begin = (uint64_t)c->dictionary_page_offset;
            }
            assert_int_equal(begin, at); /* chunks follow each other without a gap */
            at += (uint64_t)c->compressed_size;
            total += c->uncompressed_size;
            compressed += c->compressed_size;
        }
        assert_int_equal(group->total_byte_size, total);
        assert_int_equal(group->total_compressed_size, compressed);
        rows += group->num_rows;
    }
    assert_int_equal(rows, 3000);
    assert_int_equal(w.footer.num_rows, 3000);
    free_written(&w);
    s3s_array_release(&batch);
    s3s_schema_release(schema);
}

/* All column indexes in one piece, then all offset indexes in one piece: some readers cut one
 * buffer by differences. */
static void test_writer__page_index_is_contiguous_and_true(void **state)
{
    (void)state;
    s3store_error err;
    s3s_schema *schema = fixture_one(env, "x", S3S_TYPE_INT32, true);
    struct ArrowArray batch;
    fixture_batch(env, schema, 4000, 4, 100, FIXTURE_RANDOM, &batch);
    s3s_parquet_write_options options = {.row_group_bytes = 6000, .page_bytes = 1024};
    written w;
    write_batch(&w, schema, &options, &batch);
    size_t groups = w.footer.row_groups.count;
    assert_true(groups > 1);
    int64_t column_at = chunk_of(&w, 0, 0)->column_index_offset;
    int64_t offset_at = chunk_of(&w, 0, 0)->offset_index_offset;
    int64_t offsets_begin = offset_at;
    for (size_t g = 0; g < groups; g++) {
        const s3s_pq_chunk *chunk = chunk_of(&w, g, 0);
        assert_int_equal(chunk->column_index_offset, column_at);
        assert_int_equal(chunk->offset_index_offset, offset_at);
        column_at += chunk->column_index_size;
        offset_at += chunk->offset_index_size;
        s3s_pq_column_index columns;
        s3s_pq_offset_index offsets;
        size_t used = 0;
        assert_ok(s3s_thrift_read(&s3s_pq_column_index_struct,
                                  w.file.data + chunk->column_index_offset,
                                  (size_t)chunk->column_index_size, &w.arena, SIZE_MAX, &columns,
                                  &used, NULL, &err));
        assert_int_equal(used, chunk->column_index_size);
        assert_ok(s3s_thrift_read(&s3s_pq_offset_index_struct,
                                  w.file.data + chunk->offset_index_offset,
                                  (size_t)chunk->offset_index_size, &w.arena, SIZE_MAX, &offsets,
                                  &used, NULL, &err));
        assert_int_equal(used, chunk->offset_index_size);
        assert_int_equal(columns.min_values.count, offsets.locations.count);
        const s3s_pq_page_location *pages = offsets.locations.items;
        assert_int_equal(pages[0].first_row, 0);
        for (size_t p = 0; p < offsets.locations.count; p++) {
            s3s_pq_page_header header;
            assert_ok(s3s_thrift_read(&s3s_pq_page_header_struct, w.file.data + pages[p].offset,
                                      (size_t)pages[p].compressed_size, &w.arena, SIZE_MAX,
                                      &header, &used, NULL, &err));
            assert_int_equal(header.type, S3S_PQ_DATA_PAGE);
            assert_int_equal(used + (size_t)header.compressed_size, pages[p].compressed_size);
            assert_int_equal((uint32_t)header.crc,
                             s3s_crc32(0, w.file.data + (size_t)pages[p].offset + used,
                                       (size_t)header.compressed_size));
            const s3s_thrift_binary *min = (s3s_thrift_binary *)columns.min_values.items + p;
            assert_memory_equal(min->data, header.data.statistics.min_value.data, 4);
        }
    }
    assert_int_equal(column_at, offsets_begin);
    free_written(&w);
    s3s_array_release(&batch);
    s3s_schema_release(schema);
}

static void make_doubles(const double *values, size_t count, s3s_schema **schema,
                         struct ArrowArray *batch)
{
    s3store_error err;
    *schema = fixture_one(env, "x", S3S_TYPE_DOUBLE, false);
    double *copy = s3s_alloc(env, count * sizeof *copy);
    memcpy(copy, values, count * sizeof *copy);
    void *buffers[] = {NULL, copy};
    struct ArrowArray column;
    assert_ok(s3s_array_make(env, &(*schema)->fields[0], (int64_t)count, 0, buffers, 2, NULL, 0,
                             &column, &err));
    assert_ok(s3s_batch_make(env, &column, 1, (int64_t)count, batch, &err));
}

static void test_writer__nan_does_not_count_and_zero_has_both_signs(void **state)
{
    (void)state;
    s3s_schema *schema;
    struct ArrowArray batch;
    written w;
    make_doubles((double[]){NAN, 0.0, -NAN, -0.0, NAN}, 5, &schema, &batch);
    write_batch(&w, schema, NULL, &batch);
    const s3s_pq_statistics *stats = &chunk_of(&w, 0, 0)->column.statistics;
    double min, max;
    memcpy(&min, stats->min_value.data, 8);
    memcpy(&max, stats->max_value.data, 8);
    assert_true(min == 0 && signbit(min) != 0);
    assert_true(max == 0 && signbit(max) == 0);
    assert_true(S3S_PQ_HAS(chunk_of(&w, 0, 0), S3S_CHUNK_COLUMN_INDEX));
    free_written(&w);
    s3s_array_release(&batch);
    s3s_schema_release(schema);

    /* Nothing but NaN: no bounds, so no page index either, for all columns. */
    make_doubles((double[]){NAN, NAN}, 2, &schema, &batch);
    write_batch(&w, schema, NULL, &batch);
    stats = &chunk_of(&w, 0, 0)->column.statistics;
    assert_false(S3S_PQ_HAS(stats, S3S_STATS_MIN_VALUE));
    assert_false(S3S_PQ_HAS(chunk_of(&w, 0, 0), S3S_CHUNK_COLUMN_INDEX));
    assert_false(S3S_PQ_HAS(chunk_of(&w, 0, 0), S3S_CHUNK_OFFSET_INDEX));
    free_written(&w);
    s3s_array_release(&batch);
    s3s_schema_release(schema);
}

/* The extremes and a NaN at every place of columns of every length around the lanes of the scan. */
static void test_writer__bounds_of_floats_are_found_at_every_place(void **state)
{
    (void)state;
    enum { MOST = 35 };
    for (size_t count = 3; count <= MOST; count++)
        for (size_t at = 0; at < count; at++) {
            double values[MOST];
            for (size_t i = 0; i < count; i++)
                values[i] = (double)((i * 7) % 11);
            values[at] = -5;
            values[(at + 1) % count] = NAN;
            values[(at + 2) % count] = 50;
            s3s_schema *schema;
            struct ArrowArray batch;
            written w;
            make_doubles(values, count, &schema, &batch);
            write_batch(&w, schema, NULL, &batch);
            const s3s_pq_statistics *stats = &chunk_of(&w, 0, 0)->column.statistics;
            double min, max;
            memcpy(&min, stats->min_value.data, 8);
            memcpy(&max, stats->max_value.data, 8);
            assert_true(min == -5);
            assert_true(max == 50);
            free_written(&w);
            s3s_array_release(&batch);
            s3s_schema_release(schema);
        }
}

static void write_strings(written *w, const char *const *texts, size_t count)
{
    s3store_error err;
    s3s_schema *schema = fixture_one(env, "x", S3S_TYPE_STRING, false);
    int32_t *offsets = s3s_calloc(env, count + 1, 4);
    char *data = s3s_alloc(env, 10000);
    for (size_t i = 0; i < count; i++) {
        size_t size = strlen(texts[i]);
        memcpy(data + offsets[i], texts[i], size);
        offsets[i + 1] = offsets[i] + (int32_t)size;
    }
    void *buffers[] = {NULL, offsets, data};
    struct ArrowArray column, batch;
    assert_ok(s3s_array_make(env, &schema->fields[0], (int64_t)count, 0, buffers, 3, NULL, 0,
                             &column, &err));
    assert_ok(s3s_batch_make(env, &column, 1, (int64_t)count, &batch, &err));
    write_batch(w, schema, NULL, &batch);
    fixture_expect(env, &w->file, schema, &batch, 1, 0);
    s3s_array_release(&batch);
    s3s_schema_release(schema);
}

static void test_writer__strings_have_exact_bounds_or_none(void **state)
{
    (void)state;
    s3store_error err;
    written w;
    write_strings(&w, (const char *[]){"m", "", "zz", "z"}, 4);
    const s3s_pq_statistics *stats = &chunk_of(&w, 0, 0)->column.statistics;
    assert_int_equal(stats->min_value.size, 0);
    assert_int_equal(stats->max_value.size, 2);
    assert_memory_equal(stats->max_value.data, "zz", 2);
    free_written(&w);

    /* Too long for statistics; the page index holds cut bounds that still bound. */
    char low[200], high[200];
    memset(low, 'a', sizeof low);
    memset(high, 'b', sizeof high);
    low[199] = high[199] = '\0';
    memcpy(low + 63, "\xe6\x9d\xb1", 3); /* a character across the cut */
    write_strings(&w, (const char *[]){low, high}, 2);
    const s3s_pq_chunk *chunk = chunk_of(&w, 0, 0);
    assert_false(S3S_PQ_HAS(&chunk->column.statistics, S3S_STATS_MIN_VALUE));
    s3s_pq_column_index index;
    assert_ok(s3s_thrift_read(&s3s_pq_column_index_struct, w.file.data + chunk->column_index_offset,
                              (size_t)chunk->column_index_size, &w.arena, SIZE_MAX, &index, NULL,
                              NULL, &err));
    const s3s_thrift_binary *min = index.min_values.items, *max = index.max_values.items;
    assert_int_equal(min->size, 63);
    assert_memory_equal(min->data, low, 63);
    assert_int_equal(max->size, 64);
    assert_int_equal(max->data[63], 'c');
    free_written(&w);
}

static void test_writer__types_that_parquet_lacks_are_refused_by_name(void **state)
{
    (void)state;
    s3store_error err;
    s3s_schema *schema = NULL;
    s3s_parquet_writer *writer = NULL;
    assert_ok(s3s_schema_new(env, 1, &schema, &err));
    schema->fields[0] = (s3s_field){.name = "tags", .type = S3S_TYPE_LIST, .child_count = 1};
    s3s_field item = {.name = "item", .type = S3S_TYPE_DURATION};
    schema->fields[0].children = &item;
    assert_fails(s3s_parquet_writer_new(env, schema, NULL, (s3s_parquet_sink){0}, &writer, &err),
                 S3STORE_UNSUPPORTED, "\"tags\"");
    schema->fields[0] = item;
    schema->fields[0].name = "took";
    assert_fails(s3s_parquet_writer_new(env, schema, NULL, (s3s_parquet_sink){0}, &writer, &err),
                 S3STORE_UNSUPPORTED, "\"took\": Parquet has no durations: write an int64");
    s3s_schema_release(schema);
}

/* One value of 16 bytes; what writing it says. */
static s3store_status write_value(const s3s_field *field, const void *value, s3store_error *out)
{
    s3store_error err = {0};
    s3s_schema *schema = NULL;
    struct ArrowArray column, batch;
    s3s_buffer file;
    uint8_t *data = s3s_alloc(env, 16);
    memcpy(data, value, 16);
    void *buffers[] = {NULL, data};
    assert_ok(s3s_schema_new(env, 1, &schema, &err));
    schema->fields[0] = *field;
    assert_ok(s3s_array_make(env, field, 1, 0, buffers, 2, NULL, 0, &column, &err));
    assert_ok(s3s_batch_make(env, &column, 1, 1, &batch, &err));
    s3s_buffer_init(&file, env, SIZE_MAX);
    s3store_status status = fixture_write(env, schema, NULL, &batch, 1, &file, &err);
    s3s_buffer_deinit(&file);
    s3s_array_release(&batch);
    s3s_schema_release(schema);
    *out = err;
    return status;
}

static void test_writer__values_that_a_file_cannot_hold_are_refused(void **state)
{
    (void)state;
    s3store_error err;
    const s3s_field interval = {.name = "gap", .type = S3S_TYPE_INTERVAL};
    const struct {
        int32_t months, days;
        int64_t nanos;
    } intervals[] = {{-1, 0, 0}, {0, -1, 0}, {0, 0, -1000000}, {0, 0, 999999},
                     {0, 0, INT64_C(4294967296) * 1000000}};
    for (size_t i = 0; i < sizeof intervals / sizeof *intervals; i++)
        assert_fails(write_value(&interval, &intervals[i], &err), S3STORE_INVALID_ARGUMENT,
                     "column \"gap\": an interval");
    const s3s_field decimal = {.name = "sum", .type = S3S_TYPE_DECIMAL, .width = 16,
                               .precision = 9, .scale = 2};
    const int64_t decimals[][2] = {{1000000000, 0}, {-1000000000, -1}, {1, 1}, {-1, 0}, {1, -1}};
    for (size_t i = 0; i < sizeof decimals / sizeof *decimals; i++)
        assert_fails(write_value(&decimal, decimals[i], &err), S3STORE_INVALID_ARGUMENT,
                     "column \"sum\": a decimal has more than 9 digits");
    const int64_t largest[] = {-999999999, -1};
    assert_ok(write_value(&decimal, largest, &err));
}

static s3store_status swallow(void *ctx, const void *data, size_t size, s3store_error *err)
{
    (void)data;
    (void)err;
    *(uint64_t *)ctx += size;
    return S3STORE_OK;
}

/* 60 MB go through row groups of 1 MiB: nothing grows with the file. */
static void test_writer__streams_within_a_row_group(void **state)
{
    (void)state;
    s3store_error err;
    const size_t bloom = 0;
    s3s_schema *schema = fixture_one(env, "x", S3S_TYPE_INT64, true);
    struct ArrowArray batch;
    uint64_t total = 0;
    s3s_parquet_write_options options = {.row_group_bytes = 1 << 20, .page_bytes = 65536,
                                         .compression = S3STORE_COMPRESSION_UNCOMPRESSED,
                                         .bloom_columns = &bloom, .bloom_column_count = 1};
    s3s_parquet_writer *writer = NULL;
    fixture_batch(env, schema, 250000, 1, 100, FIXTURE_RANDOM, &batch);
    s3s_parquet_sink sink = {.ctx = &total, .write = swallow};
    assert_ok(s3s_parquet_writer_new(env, schema, &options, sink, &writer, &err));
    s3s_env_limit_alloc(env, 3 << 20);
    for (int i = 0; i < 30; i++)
        assert_ok(s3s_parquet_writer_add(writer, &batch, &err));
    assert_ok(s3s_parquet_writer_finish(writer, &err));
    s3s_env_limit_alloc(env, UINT64_MAX);
    assert_true(total > 50000000);
    s3s_parquet_writer_free(writer);
    s3s_array_release(&batch);
    s3s_schema_release(schema);
}

static s3store_status refuse(void *ctx, const void *data, size_t size, s3store_error *err)
{
    (void)ctx;
    (void)data;
    (void)size;
    if (err != NULL)
        snprintf(err->message, sizeof err->message, "no room");
    if (err != NULL)
        err->status = S3STORE_IO;
    return S3STORE_IO;
}

static void test_writer__a_failed_sink_stays_failed(void **state)
{
    (void)state;
    s3store_error err;
    s3s_schema *schema = fixture_one(env, "x", S3S_TYPE_INT64, false);
    struct ArrowArray batch;
    s3s_parquet_writer *writer = NULL;
    fixture_batch(env, schema, 10, 1, 0, FIXTURE_RANDOM, &batch);
    assert_ok(s3s_parquet_writer_new(env, schema, NULL, (s3s_parquet_sink){NULL, refuse}, &writer,
                                     &err));
    assert_fails(s3s_parquet_writer_add(writer, &batch, &err), S3STORE_IO, "no room");
    assert_fails(s3s_parquet_writer_finish(writer, &err), S3STORE_IO, "failed before");
    s3s_parquet_writer_free(writer);
    s3s_array_release(&batch);
    s3s_schema_release(schema);
}

static s3store_status append_bytes(void *ctx, const void *data, size_t size, s3store_error *err)
{
    return s3s_buffer_append(ctx, data, size, err);
}

static void test_writer__begins_again_with_the_bytes_of_a_new_one(void **state)
{
    (void)state;
    s3store_error err;
    s3s_schema *schema = fixture_all_types(env, true), *other = fixture_all_types(env, false);
    s3s_parquet_write_options options = {.page_bytes = 3000, .row_group_bytes = 50000};
    s3s_parquet_write_options others = {.page_bytes = 4000, .row_group_bytes = 50000};
    s3s_buffer first, out;
    s3s_buffer_init(&first, env, SIZE_MAX);
    s3s_buffer_init(&out, env, SIZE_MAX);
    s3s_parquet_sink sink = {.ctx = &out, .write = append_bytes};
    s3s_parquet_writer *w;
    assert_ok(s3s_parquet_writer_new(env, schema, &options,
                                     (s3s_parquet_sink){&first, append_bytes}, &w, &err));
    assert_false(s3s_parquet_writer_restart(w, schema, &options, sink)); /* not finished */
    for (int round = 0; round < 3; round++) {
        struct ArrowArray batch;
        fixture_batch(env, schema, 2000 - 700 * round, 4 + round, 100, FIXTURE_FEW, &batch);
        written fresh;
        write_batch(&fresh, schema, &options, &batch);
        assert_ok(s3s_parquet_writer_add(w, &batch, &err));
        assert_ok(s3s_parquet_writer_finish(w, &err));
        s3s_buffer *made = round == 0 ? &first : &out;
        assert_int_equal(made->size, fresh.file.size);
        assert_memory_equal(made->data, fresh.file.data, fresh.file.size);
        assert_true(s3s_parquet_writer_held_bytes(w) > 50000);
        assert_false(s3s_parquet_writer_restart(w, other, &options, sink));
        assert_false(s3s_parquet_writer_restart(w, schema, &others, sink));
        s3s_buffer_clear(&out);
        assert_true(s3s_parquet_writer_restart(w, schema, &options, sink));
        free_written(&fresh);
        s3s_array_release(&batch);
    }
    s3s_parquet_writer_free(w);
    s3s_buffer_deinit(&first);
    s3s_buffer_deinit(&out);
    s3s_schema_release(schema);
    s3s_schema_release(other);
}

/* ---- row groups that leave while the next one is filled ---------------------------------------- */

typedef struct meeting_sink {
    s3s_mutex mutex;
    s3s_cond cond;
    pthread_t owner;
    bool meet;         /* another thread that writes waits for the owner, and the owner for it */
    size_t fail_after; /* of bytes */
    struct {
        s3s_buffer file;
        size_t inside; /* threads */
        size_t added;  /* batches, and the writer came back */
        bool elsewhere;
    } locked;
} meeting_sink;

static s3store_status write_and_meet(void *ctx, const void *data, size_t size, s3store_error *err)
{
    meeting_sink *s = ctx;
    s3s_mutex_lock(&s->mutex);
    s3store_status status = S3STORE_OK;
    if (s->locked.inside++ > 0)
        status = s3s_fail(err, S3STORE_INTERNAL, "two threads write at once");
    if (s->meet && !s->locked.elsewhere && !pthread_equal(s->owner, pthread_self())) {
        s->locked.elsewhere = true;
        s3s_cond_broadcast(&s->cond);
        while (s->locked.added < 2)
            s3s_cond_wait(&s->cond, &s->mutex, S3STORE_TIME_NONE, NULL);
    }
    if (status == S3STORE_OK && s->locked.file.size + size > s->fail_after)
        status = s3s_fail(err, S3STORE_IO, "no room for %zu bytes", size);
    if (status == S3STORE_OK)
        status = s3s_buffer_append(&s->locked.file, data, size, err);
    s->locked.inside--;
    s3s_mutex_unlock(&s->mutex);
    return status;
}

/* Two batches are a row group. */
static s3store_status write_groups(meeting_sink *s, s3s_schema *schema,
                                   const struct ArrowArray *batch, s3s_pool *pool,
                                   s3store_error *out_err)
{
    static const size_t blooms[] = {0};
    s3s_parquet_write_options options = {.page_bytes = 30000, .row_group_bytes = 300000,
                                         .bloom_columns = blooms, .bloom_column_count = 1,
                                         .pool = pool};
    s3s_parquet_writer *w = NULL;
    s3store_error err;
    assert_ok(s3s_mutex_init(&s->mutex, env, &err));
    assert_ok(s3s_cond_init(&s->cond, env, &err));
    s3s_buffer_init(&s->locked.file, env, SIZE_MAX);
    s->owner = pthread_self();
    assert_ok(s3s_parquet_writer_new(env, schema, &options, (s3s_parquet_sink){s, write_and_meet},
                                     &w, &err));
    s3store_status status = S3STORE_OK;
    for (size_t i = 0; i < 12 && status == S3STORE_OK; i++) {
        status = s3s_parquet_writer_add(w, batch, &err);
        s3s_mutex_lock(&s->mutex);
        while (i == 1 && s->meet && !s->locked.elsewhere) /* the first row group leaves */
            s3s_cond_wait(&s->cond, &s->mutex, S3STORE_TIME_NONE, NULL);
        s->locked.added++;
        s3s_cond_broadcast(&s->cond);
        s3s_mutex_unlock(&s->mutex);
    }
    if (status == S3STORE_OK)
        status = s3s_parquet_writer_finish(w, &err);
    s3s_parquet_writer_free(w);
    s3s_cond_deinit(&s->cond);
    s3s_mutex_deinit(&s->mutex);
    *out_err = err;
    return status;
}

/* It would not end if the writer kept its caller until the row group has left. */
static void test_writer__row_groups_leave_while_the_next_is_filled(void **state)
{
    (void)state;
    s3store_error err;
    s3s_schema *schema = fixture_one(env, "x", S3S_TYPE_INT64, true);
    struct ArrowArray batch;
    s3s_pool *pool;
    fixture_batch(env, schema, 20000, 1, 100, FIXTURE_RANDOM, &batch);
    meeting_sink one = {.fail_after = SIZE_MAX}, two = {.meet = true, .fail_after = SIZE_MAX};
    assert_ok(s3s_pool_new(env, 1, &pool, &err));
    assert_ok(write_groups(&one, schema, &batch, NULL, &err));
    assert_ok(write_groups(&two, schema, &batch, pool, &err));
    assert_int_equal(one.locked.file.size, two.locked.file.size);
    assert_memory_equal(one.locked.file.data, two.locked.file.data, one.locked.file.size);
    /* A sink that fails while the owner is somewhere else is not forgotten. */
    for (size_t room = 0; room < one.locked.file.size; room += one.locked.file.size / 29) {
        meeting_sink full = {.fail_after = room};
        assert_fails(write_groups(&full, schema, &batch, pool, &err), S3STORE_IO, "no room");
        s3s_buffer_deinit(&full.locked.file);
    }
    s3s_pool_free(pool);
    s3s_buffer_deinit(&one.locked.file);
    s3s_buffer_deinit(&two.locked.file);
    s3s_array_release(&batch);
    s3s_schema_release(schema);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        T(test_writer__same_input_gives_the_same_bytes),
        T(test_writer__golden_bytes),
        T(test_writer__no_rows_is_a_file_without_row_groups),
        T(test_writer__footer_says_what_readers_need),
        T(test_writer__page_index_is_contiguous_and_true),
        T(test_writer__nan_does_not_count_and_zero_has_both_signs),
        T(test_writer__bounds_of_floats_are_found_at_every_place),
        T(test_writer__strings_have_exact_bounds_or_none),
        T(test_writer__types_that_parquet_lacks_are_refused_by_name),
        T(test_writer__values_that_a_file_cannot_hold_are_refused),
        T(test_writer__streams_within_a_row_group),
        T(test_writer__a_failed_sink_stays_failed),
        T(test_writer__begins_again_with_the_bytes_of_a_new_one),
        T(test_writer__row_groups_leave_while_the_next_is_filled),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
