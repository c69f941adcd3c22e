/* One data object: encoding, and how it is fetched: requests and bytes are counted. */
#include "support/test.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/error.h"
#include "datafile/datafile.h"

#define COLUMNS 10
#define KEY "ds/data/p=1/t.parquet"

typedef struct kit {
    s3s_env *env;
    s3store_object_store memory, faults, store;
    s3s_meter *meter;
    s3s_schema *schema;
    s3s_pool *pool;
    uint64_t size;
    s3s_fault_fn hook;
    void *hook_ctx;
} kit;

static s3s_fault_decision run_hook(void *ctx, s3s_fault_verb verb, const char *key,
                                   uint64_t sequence)
{
    kit *k = ctx;
    return k->hook != NULL ? k->hook(k->hook_ctx, verb, key, sequence) : S3S_FAULT_NONE;
}

static void kit_open(kit *k)
{
    static const char *const names[COLUMNS] = {"c0", "c1", "c2", "c3", "c4",
                                               "c5", "c6", "c7", "c8", "c9"};
    s3store_error err;
    memset(k, 0, sizeof *k);
    assert_ok(s3s_env_new_real(&k->env, &err));
    assert_ok(s3s_memory_store_new(k->env, &k->memory, &err));
    assert_ok(s3s_layer_fault_new(k->env, &k->memory, run_hook, k, &k->faults, &err));
    assert_ok(s3s_layer_meter_new(k->env, &k->faults, &k->store, &k->meter, &err));
    assert_ok(s3s_pool_new(k->env, 4, &k->pool, &err));
    assert_ok(s3s_schema_new(k->env, COLUMNS, &k->schema, &err));
    for (size_t i = 0; i < COLUMNS; i++)
        k->schema->fields[i] =
            (s3s_field){.name = names[i], .type = S3S_TYPE_INT64, .nullable = true};
}

static void kit_close(kit *k)
{
    s3s_schema_release(k->schema);
    s3s_pool_free(k->pool);
    s3s_store_deinit(&k->store);
    s3s_store_deinit(&k->faults);
    s3s_store_deinit(&k->memory);
    assert_int_equal(s3s_env_live_allocs(k->env), 0);
    s3s_env_release(k->env);
}

/* Column c of row r; not compressible. */
static int64_t value_of(size_t column, int64_t row)
{
    uint64_t x = (uint64_t)row * 0x9e3779b97f4a7c15u + column * 0xbf58476d1ce4e5b9u + 1;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    return (int64_t)(x ^ (x >> 27));
}

static void make_batch(kit *k, int64_t rows, struct ArrowArray *out)
{
    s3store_error err;
    struct ArrowArray columns[COLUMNS];
    for (size_t c = 0; c < COLUMNS; c++) {
        int64_t *values = s3s_alloc(k->env, (size_t)rows * sizeof *values);
        assert_non_null(values);
        for (int64_t r = 0; r < rows; r++)
            values[r] = value_of(c, r);
        void *buffers[2] = {NULL, values};
        assert_ok(s3s_array_make(k->env, &k->schema->fields[c], rows, 0, buffers, 2, NULL, 0,
                                 &columns[c], &err));
    }
    assert_ok(s3s_batch_make(k->env, columns, COLUMNS, rows, out, &err));
}

static void put(kit *k, const void *body, size_t size)
{
    s3store_error err;
    s3store_put_request request = {
        .size = sizeof request, .key = KEY, .body = body, .body_size = size};
    s3store_put_reply reply = {0};
    assert_ok(s3s_put(&k->memory, NULL, &request, &reply, &err));
    k->size = size;
}

static void put_rows(kit *k, int64_t rows)
{
    s3store_error err;
    struct ArrowArray batch = {0};
    s3s_buffer body;
    s3s_buffer_init(&body, k->env, SIZE_MAX);
    make_batch(k, rows, &batch);
    const struct ArrowArray *batches[] = {&batch};
    assert_ok(s3s_datafile_encode(k->env, k->schema, batches, 1,
                                  S3STORE_COMPRESSION_UNCOMPRESSED, &body, &err));
    put(k, body.data, body.size);
    s3s_buffer_deinit(&body);
    s3s_array_release(&batch);
}

static s3store_request_counts counts(kit *k)
{
    s3store_request_counts c = {.size = sizeof c};
    s3s_meter_read(k->meter, &c);
    return c;
}

static s3s_datafile_options options(kit *k)
{
    return (s3s_datafile_options){.key = KEY, .size = k->size, .pool = k->pool};
}

static size_t threads = 1; /* of a cursor */

/* Reads the columns and checks every value. */
static void check_rows(s3s_datafile *file, const size_t *columns, size_t count, int64_t rows)
{
    s3store_error err;
    s3s_datafile_cursor *cursor = NULL;
    int64_t row = 0;
    assert_ok(s3s_datafile_cursor_new(file, columns, count, 10000, &cursor, &err));
    s3s_datafile_cursor_use_threads(cursor, threads);
    for (;;) {
        struct ArrowArray batch = {0};
        s3store_status status = s3s_datafile_cursor_next(cursor, &batch, &err);
        if (status == S3STORE_END)
            break;
        assert_int_equal(status, S3STORE_OK);
        assert_true(batch.length <= 10000);
        for (size_t c = 0; c < count; c++) {
            s3s_column column;
            s3s_batch_column(s3s_datafile_cursor_schema(cursor), &batch, c, &column);
            for (int64_t r = 0; r < batch.length; r++)
                assert_int_equal(s3s_column_int(&column, r), value_of(columns[c], row + r));
        }
        row += batch.length;
        s3s_array_release(&batch);
    }
    assert_int_equal(row, rows);
    s3s_datafile_cursor_free(cursor);
}

static void test_datafile__a_small_object_takes_one_get_whatever_is_wanted(void **state)
{
    (void)state;
    kit k;
    s3store_error err;
    s3s_datafile *file = NULL;
    static const char *const wanted[] = {"c3"};
    kit_open(&k);
    put_rows(&k, 1000);
    for (int unknown = 0; unknown < 2; unknown++) {
        uint64_t before = counts(&k).get;
        s3s_datafile_options o = options(&k);
        o.columns = wanted;
        o.column_count = 1;
        o.size = unknown ? 0 : k.size;
        assert_ok(s3s_datafile_open(k.env, &k.store, NULL, &o, &file, &err));
        assert_string_equal(s3s_datafile_key(file), KEY);
        assert_int_equal(s3s_datafile_row_count(file), 1000);
        assert_int_equal(s3s_datafile_schema(file)->field_count, COLUMNS);
        assert_int_equal(s3s_datafile_admitted_bytes(file), k.size);
        check_rows(file, (size_t[]){3, 0}, 2, 1000);
        s3s_datafile_free(file);
        assert_int_equal(counts(&k).get - before, 1);
        assert_int_equal(counts(&k).head, 0);
    }
    kit_close(&k);
}

static void test_datafile__all_columns_of_a_large_object_take_one_get(void **state)
{
    (void)state;
    kit k;
    s3store_error err;
    s3s_datafile *file = NULL;
    kit_open(&k);
    put_rows(&k, 150000); /* 12 MB */
    s3s_datafile_options o = options(&k);
    assert_ok(s3s_datafile_open(k.env, &k.store, NULL, &o, &file, &err));
    check_rows(file, (size_t[]){0, 9}, 2, 150000);
    s3s_datafile_free(file);
    assert_int_equal(counts(&k).get, 1);
    kit_close(&k);
}

static void test_datafile__few_columns_of_a_large_object_are_read_by_ranges(void **state)
{
    (void)state;
    kit k;
    s3store_error err;
    s3s_datafile *file = NULL;
    static const char *const wanted[] = {"c4"};
    kit_open(&k);
    put_rows(&k, 150000);
    s3s_datafile_options o = options(&k);
    o.columns = wanted;
    o.column_count = 1;
    assert_ok(s3s_datafile_open(k.env, &k.store, NULL, &o, &file, &err));
    assert_int_equal(s3s_datafile_admitted_bytes(file), 0);
    check_rows(file, (size_t[]){4}, 1, 150000);
    s3s_datafile_free(file);
    s3store_request_counts c = counts(&k);
    assert_in_range(c.get, 2, 3);
    assert_true(c.bytes_received < k.size / 5);
    kit_close(&k);
}

typedef struct admission {
    uint64_t asked, withdrawn;
    bool answer;
} admission;

static bool admit(void *ctx, uint64_t size)
{
    admission *a = ctx;
    a->asked = size;
    return a->answer;
}

static void withdraw(void *ctx, uint64_t size)
{
    admission *a = ctx;
    a->withdrawn = size;
}

static void test_datafile__what_is_not_admitted_is_read_by_ranges(void **state)
{
    (void)state;
    kit k;
    s3store_error err;
    s3s_datafile *file = NULL;
    kit_open(&k);
    put_rows(&k, 20000); /* 1.6 MB */
    for (int unknown = 0; unknown < 2; unknown++) {
        admission a = {.answer = false};
        s3s_datafile_options o = options(&k);
        o.size = unknown ? 0 : k.size;
        o.admit = admit;
        o.withdraw = withdraw;
        o.admit_ctx = &a;
        assert_ok(s3s_datafile_open(k.env, &k.store, NULL, &o, &file, &err));
        assert_int_equal(a.asked, k.size);
        assert_int_equal(s3s_datafile_admitted_bytes(file), 0);
        check_rows(file, (size_t[]){1, 7, 2}, 3, 20000);
        check_rows(file, (size_t[]){9}, 1, 20000); /* a second cursor plans anew */
        s3s_datafile_free(file);
    }
    kit_close(&k);
}

static void test_datafile__an_object_above_the_budget_is_read_by_ranges(void **state)
{
    (void)state;
    kit k;
    s3store_error err;
    s3s_datafile *file = NULL;
    kit_open(&k);
    put_rows(&k, 50000); /* 4 MB */
    s3s_datafile_options o = options(&k);
    o.whole_max = 1000000;
    assert_ok(s3s_datafile_open(k.env, &k.store, NULL, &o, &file, &err));
    check_rows(file, (size_t[]){0, 5, 9}, 3, 50000);
    s3s_datafile_free(file);
    o.size = 0; /* found out by the GET */
    assert_ok(s3s_datafile_open(k.env, &k.store, NULL, &o, &file, &err));
    check_rows(file, (size_t[]){9}, 1, 50000);
    s3s_datafile_free(file);
    kit_close(&k);
}

static void test_datafile__footer_only_reads_the_tail(void **state)
{
    (void)state;
    kit k;
    s3store_error err;
    s3s_datafile *file = NULL;
    kit_open(&k);
    put_rows(&k, 20000);
    s3s_datafile_options o = options(&k);
    o.footer_only = true;
    assert_ok(s3s_datafile_open(k.env, &k.store, NULL, &o, &file, &err));
    assert_int_equal(s3s_datafile_row_count(file), 20000);
    assert_true(s3s_datafile_decoded_bytes(file) > 0);
    assert_int_equal(counts(&k).get, 1);
    assert_in_range(counts(&k).bytes_received, 1, S3S_DATAFILE_TAIL_BYTES);
    check_rows(file, (size_t[]){2}, 1, 20000); /* rows are still to be had */
    s3s_datafile_free(file);
    kit_close(&k);
}

static void test_datafile__a_missing_object_is_not_found_and_named(void **state)
{
    (void)state;
    kit k;
    s3store_error err;
    s3s_datafile *file = NULL;
    kit_open(&k);
    for (int footer = 0; footer < 2; footer++) {
        s3s_datafile_options o = options(&k);
        o.footer_only = footer == 1;
        assert_fails(s3s_datafile_open(k.env, &k.store, NULL, &o, &file, &err),
                     S3STORE_NOT_FOUND, KEY);
        assert_string_equal(err.key, KEY);
        assert_null(file);
    }
    kit_close(&k);
}

static void test_datafile__what_is_no_parquet_file_is_corrupt_and_named(void **state)
{
    (void)state;
    kit k;
    s3store_error err;
    s3s_datafile *file = NULL;
    kit_open(&k);
    put_rows(&k, 1000);
    uint8_t *body = malloc(k.size);
    size_t full = k.size;
    s3s_buffer buffer;
    s3s_buffer_init(&buffer, k.env, SIZE_MAX);
    s3store_sink sink = s3s_buffer_sink(&buffer);
    s3store_get_request request = {
        .size = sizeof request, .key = KEY, .length = S3STORE_LENGTH_ALL};
    s3store_object_info info = {0};
    assert_ok(s3s_get(&k.memory, NULL, &request, &sink, &info, &err));
    assert_non_null(body);
    memcpy(body, buffer.data, full);
    s3s_buffer_deinit(&buffer);
    const size_t sizes[] = {0, 1, 7, 100, full / 2, full - 1};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        put(&k, body, sizes[i]);
        for (int footer = 0; footer < 2; footer++) {
            admission a = {.answer = true};
            s3s_datafile_options o = options(&k);
            o.footer_only = footer == 1;
            o.admit = admit;
            o.withdraw = withdraw;
            o.admit_ctx = &a;
            assert_fails(s3s_datafile_open(k.env, &k.store, NULL, &o, &file, &err),
                         S3STORE_CORRUPT, KEY);
            if (!footer && sizes[i] > 0)
                assert_int_equal(a.withdrawn, a.asked);
        }
    }
    free(body);
    kit_close(&k);
}

static void test_datafile__an_object_replaced_while_it_is_read_is_corrupt(void **state)
{
    (void)state;
    kit k;
    s3store_error err;
    s3s_datafile *file = NULL;
    s3s_datafile_cursor *cursor = NULL;
    struct ArrowArray batch = {0};
    kit_open(&k);
    put_rows(&k, 50000);
    s3s_datafile_options o = options(&k);
    o.footer_only = true;
    assert_ok(s3s_datafile_open(k.env, &k.store, NULL, &o, &file, &err));
    put_rows(&k, 50001);
    s3store_status status =
        s3s_datafile_cursor_new(file, (size_t[]){0}, 1, 0, &cursor, &err);
    if (status == S3STORE_OK)
        assert_fails(s3s_datafile_cursor_next(cursor, &batch, &err), S3STORE_CORRUPT, KEY);
    else
        assert_int_equal(status, S3STORE_CORRUPT);
    s3s_datafile_cursor_free(cursor);
    s3s_datafile_free(file);
    kit_close(&k);
}

static s3s_fault_decision cut_body(void *ctx, s3s_fault_verb verb, const char *key,
                                   uint64_t sequence)
{
    (void)verb;
    (void)key;
    (void)sequence;
    s3s_fault_decision d = S3S_FAULT_NONE;
    d.cut_body_at = *(uint64_t *)ctx;
    return d;
}

static void test_datafile__a_body_that_breaks_off_is_unavailable_and_leaves_nothing(void **state)
{
    (void)state;
    kit k;
    s3store_error err;
    s3s_datafile *file = NULL;
    uint64_t at = 1000;
    kit_open(&k);
    put_rows(&k, 1000);
    k.hook = cut_body;
    k.hook_ctx = &at;
    admission a = {.answer = true};
    s3s_datafile_options o = options(&k);
    o.admit = admit;
    o.withdraw = withdraw;
    o.admit_ctx = &a;
    assert_fails(s3s_datafile_open(k.env, &k.store, NULL, &o, &file, &err), S3STORE_UNAVAILABLE,
                 NULL);
    assert_int_equal(a.withdrawn, k.size);
    kit_close(&k);
}

/* ---- predicates ------------------------------------------------------------------------------ */

static s3store_status append(void *ctx, const void *data, size_t size, s3store_error *err)
{
    return s3s_buffer_append(ctx, data, size, err);
}

/* As put_rows, but c0 is the row number. */
static void put_numbered(kit *k, int64_t rows, const s3s_parquet_write_options *how)
{
    s3store_error err;
    struct ArrowArray batch = {0};
    s3s_buffer body;
    s3s_parquet_writer *writer = NULL;
    s3s_buffer_init(&body, k->env, SIZE_MAX);
    make_batch(k, rows, &batch);
    for (int64_t r = 0; r < rows; r++)
        ((int64_t *)batch.children[0]->buffers[1])[r] = r;
    s3s_parquet_sink sink = {.ctx = &body, .write = append};
    assert_ok(s3s_parquet_writer_new(k->env, k->schema, how, sink, &writer, &err));
    assert_ok(s3s_parquet_writer_add(writer, &batch, &err));
    assert_ok(s3s_parquet_writer_finish(writer, &err));
    s3s_parquet_writer_free(writer);
    put(k, body.data, body.size);
    s3s_buffer_deinit(&body);
    s3s_array_release(&batch);
}

/* Reads c0 and c5 where low <= c0 <= high; returns the rows, of which those are all there. */
static int64_t read_between(kit *k, int64_t low, int64_t high)
{
    s3store_error err = {0};
    static const char *const wanted[] = {"c0", "c5"};
    const size_t positions[] = {0, 5};
    const s3store_bytes values[] = {{.data = (const void *)&low, .size = 8},
                                    {.data = (const void *)&high, .size = 8}};
    const s3s_parquet_predicate between[] = {{0, S3S_PREDICATE_GE, &values[0], 1},
                                             {0, S3S_PREDICATE_LE, &values[1], 1}};
    s3s_datafile *file = NULL;
    s3s_datafile_cursor *cursor = NULL;
    s3s_datafile_options o = options(k);
    o.columns = wanted;
    o.column_count = 2;
    assert_ok(s3s_datafile_open(k->env, &k->store, NULL, &o, &file, &err));
    assert_ok(s3s_datafile_cursor_new(file, positions, 2, 1000, &cursor, &err));
    assert_ok(s3s_datafile_cursor_where(cursor, between, 2, &err));
    int64_t rows = 0, matching = 0;
    struct ArrowArray batch = {0};
    s3store_status status;
    while ((status = s3s_datafile_cursor_next(cursor, &batch, &err)) == S3STORE_OK) {
        s3s_column number, value;
        s3s_batch_column(s3s_datafile_cursor_schema(cursor), &batch, 0, &number);
        s3s_batch_column(s3s_datafile_cursor_schema(cursor), &batch, 1, &value);
        for (int64_t r = 0; r < batch.length; r++) {
            int64_t n = s3s_column_int(&number, r);
            assert_int_equal(s3s_column_int(&value, r), value_of(5, n));
            matching += n >= low && n <= high;
        }
        rows += batch.length;
        s3s_array_release(&batch);
    }
    assert_int_equal(status, S3STORE_END);
    assert_int_equal(matching, low <= high && high < 150000 ? high - low + 1 : 0);
    s3s_datafile_cursor_free(cursor);
    s3s_datafile_free(file);
    return rows;
}

static void test_datafile__row_groups_that_cannot_match_are_not_fetched(void **state)
{
    (void)state;
    kit k;
    s3s_parquet_write_options how = {.row_group_bytes = 1 << 20,
                                     .compression = S3STORE_COMPRESSION_UNCOMPRESSED};
    kit_open(&k);
    put_numbered(&k, 150000, &how);
    int64_t rows = read_between(&k, 70000, 70100);
    assert_in_range(rows, 101, 40000);
    s3store_request_counts c = counts(&k);
    assert_in_range(c.get, 2, 4);
    assert_true(c.bytes_received < 800000);
    assert_int_equal(read_between(&k, 200000, 300000), 0);
    assert_int_equal(counts(&k).get - c.get, 1); /* the tail */
    assert_int_equal(read_between(&k, 0, 149999), 150000);
    kit_close(&k);
}

static void test_datafile__pages_that_cannot_match_are_not_fetched(void **state)
{
    (void)state;
    kit k;
    s3s_parquet_write_options how = {.page_bytes = 32768, .no_dictionary = true,
                                     .compression = S3STORE_COMPRESSION_SNAPPY};
    kit_open(&k);
    put_numbered(&k, 150000, &how);
    for (int64_t low = 0; low < 150000; low += 37000) {
        s3store_request_counts before = counts(&k);
        int64_t rows = read_between(&k, low, low + 99);
        assert_in_range(rows, 100, 2 * 4096);
        s3store_request_counts after = counts(&k);
        assert_in_range(after.get - before.get, 2, 3);
        /* the tail, and at most two pages of each column */
        assert_true(after.bytes_received - before.bytes_received < (64 + 4 * 33) * 1024);
    }
    kit_close(&k);
}

/* Columns that are decoded side by side fetch no range twice. */
static void test_datafile__threads_share_the_ranges_of_a_row_group(void **state)
{
    (void)state;
    kit k;
    s3store_error err;
    s3s_parquet_write_options how = {.row_group_bytes = 4 << 20,
                                     .compression = S3STORE_COMPRESSION_UNCOMPRESSED};
    struct ArrowArray batch = {0};
    s3s_buffer body;
    s3s_parquet_writer *writer = NULL;
    s3s_parquet_sink sink = {.ctx = &body, .write = append};
    const size_t all[COLUMNS] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9};
    kit_open(&k);
    s3s_buffer_init(&body, k.env, SIZE_MAX);
    make_batch(&k, 150000, &batch);
    assert_ok(s3s_parquet_writer_new(k.env, k.schema, &how, sink, &writer, &err));
    assert_ok(s3s_parquet_writer_add(writer, &batch, &err));
    assert_ok(s3s_parquet_writer_finish(writer, &err));
    s3s_parquet_writer_free(writer);
    put(&k, body.data, body.size);
    uint64_t gets[2], bytes[2];
    for (size_t run = 0; run < 2; run++) {
        s3s_datafile *file = NULL;
        s3s_datafile_options o = options(&k);
        o.footer_only = true;
        o.memory_bytes = 16 << 20; /* a step is a quarter of it at most */
        threads = run == 0 ? 1 : 4;
        s3store_request_counts before = counts(&k);
        assert_ok(s3s_datafile_open(k.env, &k.store, NULL, &o, &file, &err));
        check_rows(file, all, COLUMNS, 150000);
        s3s_datafile_free(file);
        gets[run] = counts(&k).get - before.get;
        bytes[run] = counts(&k).bytes_received - before.bytes_received;
    }
    threads = 1;
    assert_in_range(gets[0], 3, 12);
    assert_int_equal(gets[1], gets[0]);
    assert_int_equal(bytes[1], bytes[0]);
    s3s_buffer_deinit(&body);
    s3s_array_release(&batch);
    kit_close(&k);
}

static void test_datafile__encoding_twice_gives_the_same_bytes(void **state)
{
    (void)state;
    kit k;
    s3store_error err;
    struct ArrowArray batch = {0};
    s3s_buffer a, b;
    kit_open(&k);
    s3s_buffer_init(&a, k.env, SIZE_MAX);
    s3s_buffer_init(&b, k.env, SIZE_MAX);
    make_batch(&k, 777, &batch);
    const struct ArrowArray *batches[] = {&batch, &batch};
    assert_ok(s3s_datafile_encode(k.env, k.schema, batches, 2, S3STORE_COMPRESSION_ZSTD, &a, &err));
    assert_ok(s3s_datafile_encode(k.env, k.schema, batches, 2, S3STORE_COMPRESSION_ZSTD, &b, &err));
    assert_int_equal(a.size, b.size);
    assert_memory_equal(a.data, b.data, a.size);
    s3s_buffer_deinit(&a);
    s3s_buffer_deinit(&b);
    s3s_array_release(&batch);
    kit_close(&k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_datafile__a_small_object_takes_one_get_whatever_is_wanted),
        cmocka_unit_test(test_datafile__all_columns_of_a_large_object_take_one_get),
        cmocka_unit_test(test_datafile__few_columns_of_a_large_object_are_read_by_ranges),
        cmocka_unit_test(test_datafile__what_is_not_admitted_is_read_by_ranges),
        cmocka_unit_test(test_datafile__an_object_above_the_budget_is_read_by_ranges),
        cmocka_unit_test(test_datafile__footer_only_reads_the_tail),
        cmocka_unit_test(test_datafile__a_missing_object_is_not_found_and_named),
        cmocka_unit_test(test_datafile__what_is_no_parquet_file_is_corrupt_and_named),
        cmocka_unit_test(test_datafile__an_object_replaced_while_it_is_read_is_corrupt),
        cmocka_unit_test(test_datafile__a_body_that_breaks_off_is_unavailable_and_leaves_nothing),
        cmocka_unit_test(test_datafile__row_groups_that_cannot_match_are_not_fetched),
        cmocka_unit_test(test_datafile__pages_that_cannot_match_are_not_fetched),
        cmocka_unit_test(test_datafile__threads_share_the_ranges_of_a_row_group),
        cmocka_unit_test(test_datafile__encoding_twice_gives_the_same_bytes),
    };
    return cmocka_run_group_tests_name("datafile", tests, NULL, NULL);
}
