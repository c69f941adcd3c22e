/* A table made of the input is written and read: it comes back, in batches of any size, and the
 * same bytes again; by this thread alone, and with others. First bytes: options, rows, types of
 * up to four columns; the rest are values, over and over. */
#include "arrow/array.h"
#include "fuzz/fuzz.h"
#include "parquet/parquet.h"
#include "support/rows_text.h"

#define ROWS_MAX 600

typedef struct feed {
    const uint8_t *data;
    size_t size, at;
    uint32_t turn;
    bool prefixes; /* strings begin as the one before */
} feed;

/* Never ends, and does not repeat itself exactly. */
static uint64_t take(feed *f)
{
    uint64_t value = 0;
    for (size_t i = 0; i < 8; i++) {
        value = value << 8 | f->data[f->at++];
        if (f->at == f->size) {
            f->at = 0;
            f->turn++;
        }
    }
    return value ^ (f->turn % 3 == 0 ? 0 : f->turn);
}

static const s3s_field kinds[] = {
    {.type = S3S_TYPE_BOOL},
    {.type = S3S_TYPE_INT8},
    {.type = S3S_TYPE_INT32},
    {.type = S3S_TYPE_INT64},
    {.type = S3S_TYPE_UINT16},
    {.type = S3S_TYPE_FLOAT16},
    {.type = S3S_TYPE_FLOAT},
    {.type = S3S_TYPE_DOUBLE},
    {.type = S3S_TYPE_STRING},
    {.type = S3S_TYPE_BINARY},
    {.type = S3S_TYPE_FIXED_BINARY, .width = 3},
    {.type = S3S_TYPE_TIMESTAMP, .unit = S3S_NANO, .utc = true},
    {.type = S3S_TYPE_DECIMAL, .width = 16, .precision = 38, .scale = 1},
    {.type = S3S_TYPE_LIST, .child_count = 1},
};

static void make_array(feed *f, const s3s_field *field, int64_t rows, struct ArrowArray *out);

static void make_values(feed *f, const s3s_field *field, int64_t rows, void **buffers,
                        struct ArrowArray *child)
{
    size_t width = s3s_type_value_size(field);
    int32_t *offsets = NULL;
    if (s3s_type_is_bytes(field->type) || field->type == S3S_TYPE_LIST) {
        bool list = field->type == S3S_TYPE_LIST;
        offsets = buffers[1] = s3s_calloc(fuzz_env(), (size_t)rows + 1, 4);
        uint8_t *bytes = list ? NULL : s3s_calloc(fuzz_env(), (size_t)rows * 16 + 1, 1);
        for (int64_t i = 0; i < rows; i++) {
            uint64_t v = take(f);
            int32_t size = (int32_t)(v % (list ? 4 : 16));
            offsets[i + 1] = offsets[i] + size;
            int32_t same = i > 0 && f->prefixes && !list ? offsets[i] - offsets[i - 1] : 0;
            same = same < size ? same - (int32_t)(v >> 60) % 4 : size - (v >> 62 != 0);
            for (int32_t k = 0; k < same; k++)
                bytes[offsets[i] + k] = bytes[offsets[i - 1] + k];
            for (int32_t k = same > 0 ? same : 0; !list && k < size; k++)
                bytes[offsets[i] + k] = (uint8_t)(field->type == S3S_TYPE_STRING
                                                      ? 'a' + (v >> (8 + k)) % 26
                                                      : v >> (8 + k));
        }
        if (list)
            make_array(f, &field->children[0], offsets[rows], child);
        else
            buffers[2] = bytes;
        return;
    }
    uint8_t *to = buffers[1] = s3s_calloc(fuzz_env(), (size_t)rows * 16 + 16, 1);
    for (int64_t i = 0; i < rows; i++) {
        uint64_t v = take(f);
        if (field->type == S3S_TYPE_BOOL)
            to[i / 8] |= (uint8_t)((v & 1) << i % 8);
        else
            memcpy(to + (size_t)i * width, &v, width < 8 ? width : 8);
    }
}

static void make_array(feed *f, const s3s_field *field, int64_t rows, struct ArrowArray *out)
{
    s3store_error err = {0};
    void *buffers[3] = {NULL, NULL, NULL};
    struct ArrowArray child;
    int64_t nulls = 0;
    if (field->nullable) {
        uint8_t *bits = buffers[0] = s3s_calloc(fuzz_env(), (size_t)rows / 8 + 1, 1);
        unsigned share = (unsigned)take(f) % 5;
        for (int64_t i = 0; i < rows; i++) {
            bool null = share > 0 && take(f) % 4 < share;
            bits[i / 8] |= (uint8_t)(!null << i % 8);
            nulls += null;
        }
    }
    make_values(f, field, rows, buffers, &child);
    size_t list = field->type == S3S_TYPE_LIST;
    FUZZ_CHECK(s3s_array_make(fuzz_env(), field, rows, nulls, buffers,
                              s3s_type_is_bytes(field->type) ? 3 : 2, list ? &child : NULL, list,
                              out, &err) == S3STORE_OK);
}

static s3s_schema *make_schema(const uint8_t *kind, size_t count, unsigned nullable)
{
    static const char *const names[] = {"a", "b", "c", "d"};
    static s3s_field items[4];
    s3s_schema *schema = NULL;
    FUZZ_CHECK(s3s_schema_new(fuzz_env(), count, &schema, NULL) == S3STORE_OK);
    for (size_t i = 0; i < count; i++) {
        s3s_field *field = &schema->fields[i];
        *field = kinds[kind[i] % (sizeof kinds / sizeof *kinds)];
        field->name = names[i];
        field->nullable = (nullable >> i & 1) != 0;
        items[i] = kinds[kind[i] / 16 % 8];
        items[i].name = "element";
        items[i].nullable = (nullable >> (i + 4) & 1) != 0;
        if (field->child_count > 0)
            field->children = &items[i];
    }
    return schema;
}

static s3store_status append(void *ctx, const void *data, size_t size, s3store_error *err)
{
    return s3s_buffer_append(ctx, data, size, err);
}

/* threads: with those of the pool. */
static void write_file(s3s_schema *schema, s3s_parquet_write_options options, bool threads,
                       const struct ArrowArray *batch, s3s_buffer *out)
{
    options.pool = threads ? fuzz_pool() : NULL;
    options.spread_little = threads;
    s3s_parquet_writer *writer = NULL;
    s3s_parquet_sink sink = {.ctx = out, .write = append};
    s3s_buffer_init(out, fuzz_env(), SIZE_MAX);
    FUZZ_CHECK(s3s_parquet_writer_new(fuzz_env(), schema, &options, sink, &writer, NULL) ==
               S3STORE_OK);
    FUZZ_CHECK(s3s_parquet_writer_add(writer, batch, NULL) == S3STORE_OK);
    FUZZ_CHECK(s3s_parquet_writer_finish(writer, NULL) == S3STORE_OK);
    s3s_parquet_writer_free(writer);
}

static char *read_file(const s3s_buffer *bytes, int64_t max_rows, bool threads, size_t *size)
{
    static const s3s_parquet_limits limits = {.spread_little = true};
    char *text = NULL;
    FILE *to = open_memstream(&text, size);
    s3s_parquet_memory memory = {bytes->data, bytes->size};
    s3s_parquet_file *file = NULL;
    s3s_parquet_cursor *cursor = NULL;
    s3store_error err = {0};
    FUZZ_CHECK(s3s_parquet_open(fuzz_env(), s3s_parquet_memory_source(&memory), "f", &limits,
                                &file, &err) == S3STORE_OK);
    FUZZ_CHECK(s3s_parquet_cursor_new(file, NULL, 0, max_rows, &cursor, &err) == S3STORE_OK);
    if (threads)
        s3s_parquet_cursor_use_pool(cursor, fuzz_pool(), 0);
    struct ArrowArray batch;
    s3store_status status;
    while ((status = s3s_parquet_cursor_next(cursor, &batch, &err)) == S3STORE_OK) {
        const s3s_schema *schema = s3s_parquet_cursor_schema(cursor);
        FUZZ_CHECK(s3s_batch_validate(schema, &batch, &err) == S3STORE_OK);
        rows_text(to, schema, &batch);
        s3s_array_release(&batch);
    }
    FUZZ_CHECK(status == S3STORE_END);
    s3s_parquet_cursor_free(cursor);
    s3s_parquet_free(file);
    fclose(to);
    return text;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 10)
        return 0;
    static const size_t first = 0;
    size_t count = 1 + data[0] % 4;
    int64_t rows = (data[2] + 256 * data[3]) % ROWS_MAX;
    s3s_parquet_write_options options = {
        .compression = (s3store_compression)(data[0] / 4 % 5),
        .page_bytes = data[0] / 32 % 2 == 0 ? 1024 : 0,
        .row_group_bytes = data[0] / 64 % 2 == 0 ? 3000 : 0,
        .no_dictionary = data[0] / 128 != 0,
        .bloom_columns = &first, .bloom_column_count = data[3] / 128, .bloom_bytes_max = 4096};
    s3s_schema *schema = make_schema(data + 4, count, data[1]);
    feed f = {.data = data + 8, .size = size - 8, .prefixes = data[3] / 64 % 2 != 0};
    struct ArrowArray columns[4], batch;
    for (size_t i = 0; i < count; i++)
        make_array(&f, &schema->fields[i], rows, &columns[i]);
    FUZZ_CHECK(s3s_batch_make(fuzz_env(), columns, count, rows, &batch, NULL) == S3STORE_OK);
    FUZZ_CHECK(s3s_batch_validate(schema, &batch, NULL) == S3STORE_OK);
    char *expected = NULL;
    size_t expected_size = 0, got_size = 0;
    FILE *to = open_memstream(&expected, &expected_size);
    rows_text(to, schema, &batch);
    fclose(to);
    s3s_buffer file, again;
    write_file(schema, options, false, &batch, &file);
    write_file(schema, options, true, &batch, &again);
    FUZZ_CHECK(file.size == again.size && memcmp(file.data, again.data, file.size) == 0);
    for (int64_t turn = 0; turn < 3; turn++) {
        bool threads = turn == data[3] % 3 || size % 5 == 0;
        char *got = read_file(&file, turn * 17, threads, &got_size);
        FUZZ_CHECK(got_size == expected_size && memcmp(got, expected, got_size) == 0);
        free(got);
    }
    free(expected);
    s3s_buffer_deinit(&file);
    s3s_buffer_deinit(&again);
    s3s_array_release(&batch);
    s3s_schema_release(schema);
    fuzz_check_leaks();
    return 0;
}
