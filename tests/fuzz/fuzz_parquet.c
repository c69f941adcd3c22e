/* A whole Parquet file: opened, and every column that can be read read to its end, once by this thread
 * alone and once with others: the same rows come, or both fail. Batches that come out are valid. */
#include "arrow/array.h"
#include "fuzz/fuzz.h"
#include "parquet/parquet.h"
#include "support/rows_text.h"

#define MEMORY_BYTES (16u << 20)

/* Statistics, page indexes and bloom filters are read for a predicate on each column. */
static void ask_all(s3s_parquet_file *file, s3s_parquet_cursor *cursor, uint64_t number)
{
    static const s3store_bytes none;
    const s3s_schema *schema = s3s_parquet_schema(file);
    size_t count = schema->field_count < 16 ? schema->field_count : 16;
    s3s_parquet_predicate predicates[16];
    s3store_bytes values[16];
    for (size_t i = 0; i < count; i++) {
        size_t width = s3s_type_value_size(&schema->fields[i]);
        values[i] = width > 0 && width <= sizeof number
                        ? (s3store_bytes){.data = (const void *)&number, .size = width}
                        : none;
        predicates[i] = (s3s_parquet_predicate){i, (s3s_predicate_op)(number % 7), &values[i], 1};
    }
    s3s_byte_range ranges[8];
    size_t range_count = 0;
    int64_t rows = 0;
    if (s3s_parquet_cursor_where(cursor, predicates, count, NULL) != S3STORE_OK)
        return;
    for (size_t g = 0; g < s3s_parquet_row_group_count(file) && g < 4; g++) {
        if (s3s_parquet_cursor_group_rows(cursor, g, &rows, NULL) == S3STORE_OK)
            FUZZ_CHECK(rows >= 0 && rows <= s3s_parquet_row_group_rows(file, g));
        (void)s3s_parquet_cursor_ranges(cursor, g, 100, ranges, &range_count, 8, NULL);
    }
}

/* How to read. */
typedef struct way {
    int64_t max_rows;
    bool flat;       /* columns alone that are not nested */
    uint64_t number; /* of the predicates; 0 = none */
    bool threads;
} way;

/* What came of it. */
typedef struct outcome {
    int64_t rows;
    uint64_t hash;
    s3store_status status;
    s3store_error error;
} outcome;

static void read_batches(s3s_parquet_cursor *cursor, outcome *out)
{
    struct ArrowArray batch;
    const s3s_schema *schema = s3s_parquet_cursor_schema(cursor);
    while ((out->status = s3s_parquet_cursor_next(cursor, &batch, &out->error)) == S3STORE_OK) {
        FUZZ_CHECK(s3s_batch_validate(schema, &batch, &out->error) == S3STORE_OK);
        out->rows += batch.length;
        out->hash = out->hash * 31 + rows_hash(schema, &batch);
        s3s_array_release(&batch);
    }
}

static outcome read_file(s3s_parquet_file *file, way how)
{
    const s3s_schema *schema = s3s_parquet_schema(file);
    outcome out = {0};
    size_t *columns = calloc(schema->field_count + 1, sizeof *columns);
    size_t count = 0;
    FUZZ_CHECK(columns != NULL);
    for (size_t i = 0; i < schema->field_count; i++)
        if (!how.flat || s3s_type_is_flat(schema->fields[i].type))
            columns[count++] = i;
    s3s_byte_range ranges[64];
    size_t range_count = 0;
    for (size_t g = 0; g < s3s_parquet_row_group_count(file) && g < 4; g++)
        (void)s3s_parquet_ranges(file, g, columns, count, 4096, ranges, &range_count, 64, NULL);
    s3s_parquet_cursor *cursor = NULL;
    out.status = s3s_parquet_cursor_new(file, columns, count, how.max_rows, &cursor, &out.error);
    if (out.status == S3STORE_OK) {
        if (how.threads)
            s3s_parquet_cursor_use_pool(cursor, fuzz_pool(), 0);
        if (how.number > 0)
            ask_all(file, cursor, how.number);
        read_batches(cursor, &out);
    }
    FUZZ_CHECK(out.status == S3STORE_END || out.error.message[0] != '\0');
    s3s_parquet_cursor_free(cursor);
    free(columns);
    return out;
}

static void read_both_ways(s3s_parquet_file *file, way how)
{
    outcome alone = read_file(file, how);
    how.threads = true;
    outcome together = read_file(file, how);
    FUZZ_CHECK(alone.rows == together.rows);
    FUZZ_CHECK(alone.hash == together.hash);
    /* Where several columns are damaged any of them may be the one that is told of. */
    FUZZ_CHECK((alone.status == S3STORE_END) == (together.status == S3STORE_END));
}

static bool pass_line(void *ctx, const char *text, size_t size)
{
    (void)ctx;
    FUZZ_CHECK(size > 0 && text[size - 1] == '\n');
    return true;
}

static void describe_file(s3s_parquet_file *file)
{
    s3s_parquet_line_sink sink = {.line = pass_line};
    for (int part = S3S_PARQUET_SCHEMA; part <= S3S_PARQUET_PAGES; part++) {
        s3store_error err = {0};
        s3store_status status = s3s_parquet_describe(file, (s3s_parquet_part)part, part == 1, NULL,
                                                     0, sink, &err);
        FUZZ_CHECK(status == S3STORE_OK || err.message[0] != '\0');
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    s3s_parquet_memory memory = {data, size};
    s3s_parquet_limits limits = {.memory_bytes = MEMORY_BYTES, .spread_little = true};
    s3s_parquet_file *file = NULL;
    s3store_error err = {0};
    s3store_status status = s3s_parquet_open(fuzz_env(), s3s_parquet_memory_source(&memory), "f",
                                             &limits, &file, &err);
    if (status == S3STORE_OK) {
        read_both_ways(file, (way){.max_rows = size % 3 == 0 ? 7 : 0});
        read_both_ways(file, (way){.flat = true});
        read_both_ways(file, (way){.flat = true, .number = size});
        describe_file(file);
    } else {
        FUZZ_CHECK(file == NULL && err.message[0] != '\0');
    }
    s3s_parquet_free(file);
    fuzz_check_leaks();
    return 0;
}
