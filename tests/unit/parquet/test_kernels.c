/* tests/unit/parquet/test_kernels.c: whatever the processor, the same results: kernels against their
 * definition, and whole files at every level of instructions and with threads.
 */
#include "fixture.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "base/bits.h"
#include "base/cpu.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/pool.h"
#include "parquet/chains.h"
#include "parquet/encoding/bits.h"
#include "parquet/encoding/kernels.h"

static s3s_env *env;

static int setup(void **state)
{
    (void)state;
    s3store_error err;
    assert_ok(s3s_env_new_real(&env, &err));
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    s3s_cpu_limit(S3S_CPU_AVX512);
    assert_int_equal(s3s_env_live_allocs(env), 0);
    s3s_env_release(env);
    return 0;
}

static uint64_t seed = 7;

static uint64_t next_random(void)
{
    uint64_t z = (seed += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

/* Runs a check at every level that this machine has, the portable one always. */
static void at_every_level(void (*check)(void))
{
    for (s3s_cpu level = S3S_CPU_PORTABLE; level <= S3S_CPU_AVX512; level++) {
        if (s3s_cpu_limit(level) != level) {
            print_message("[  SKIP    ] this processor has no level %d\n", (int)level);
            break;
        }
        seed = 7;
        check();
    }
    s3s_cpu_limit(S3S_CPU_AVX512);
}

static uint32_t bits_at(const uint8_t *data, size_t bit, unsigned width)
{
    uint32_t value = 0;
    for (unsigned i = 0; i < width; i++)
        value |= (uint32_t)s3s_bit(data, bit + i) << i;
    return value;
}

static void check_unpack(void)
{
    for (unsigned width = 1; width <= 32; width++) {
        for (size_t groups = 1; groups <= 40; groups += 3) {
            size_t size = groups * width, first = next_random() % 8, count = groups * 8 - first;
            uint8_t *data = malloc(size); /* exact: a read past it is an error of ASan */
            uint32_t *out = malloc(count * sizeof *out);
            for (size_t i = 0; i < size; i++)
                data[i] = (uint8_t)next_random();
            s3s_unpack32(data, size, width, first, count, out);
            for (size_t i = 0; i < count; i++)
                assert_int_equal(out[i], bits_at(data, (first + i) * width, width));
            free(out);
            free(data);
        }
    }
}

static void test_kernels__unpack_is_its_definition(void **state)
{
    (void)state;
    at_every_level(check_unpack);
}

static void check_gather(void)
{
    enum { ENTRIES = 97, MAX = 70 };
    uint64_t wide[ENTRIES], out8[MAX];
    uint32_t narrow[ENTRIES], indexes[MAX], out4[MAX];
    const s3s_kernels *k = s3s_kernels_now();
    for (size_t i = 0; i < ENTRIES; i++) {
        wide[i] = next_random();
        narrow[i] = (uint32_t)wide[i];
    }
    for (size_t count = 0; count < MAX; count++) {
        uint32_t max = 0;
        for (size_t i = 0; i < count; i++) {
            indexes[i] = (uint32_t)(next_random() % ENTRIES);
            max = indexes[i] > max ? indexes[i] : max;
        }
        k->gather4(narrow, indexes, count, out4);
        k->gather8(wide, indexes, count, out8);
        for (size_t i = 0; i < count; i++) {
            assert_int_equal(out4[i], narrow[indexes[i]]);
            assert_true(out8[i] == wide[indexes[i]]);
        }
        assert_int_equal(k->max(indexes, count), max);
    }
    uint32_t high[9] = {1, 2, 3, UINT32_MAX, 4, 5, 6, 7, 8}; /* not as signed numbers */
    assert_int_equal(k->max(high, 9), UINT32_MAX);
}

static void test_kernels__gather_and_max_are_their_definition(void **state)
{
    (void)state;
    at_every_level(check_gather);
}

static void check_spread_of(size_t width, size_t count, size_t at, unsigned null_percent)
{
    uint8_t *bits = calloc(s3s_bits_size(at + count) + 1, 1);
    uint8_t *values = malloc(count * width + 1), *expected = calloc(count * width + 1, 1);
    size_t ones = 0;
    for (size_t i = 0; i < at; i++) /* bits of rows before: must not matter */
        s3s_bits_fill(bits, i, 1, next_random() % 2 == 0);
    for (size_t i = 0; i < count; i++) {
        bool valid = next_random() % 100 >= null_percent;
        s3s_bits_fill(bits, at + i, 1, valid);
        if (!valid)
            continue;
        uint64_t value = next_random();
        memcpy(values + ones * width, &value, width);
        memcpy(expected + i * width, &value, width);
        ones++;
    }
    (width == 4 ? s3s_kernels_now()->spread4 : s3s_kernels_now()->spread8)(values, bits, at, count,
                                                                           ones);
    assert_memory_equal(values, expected, count * width);
    free(bits);
    free(values);
    free(expected);
}

static void check_spread(void)
{
    static const unsigned percents[] = {0, 3, 50, 97, 100};
    for (size_t p = 0; p < sizeof percents / sizeof *percents; p++)
        for (size_t count = 1; count < 300; count += 7)
            for (size_t at = 0; at < 70; at += 23) {
                check_spread_of(4, count, at, percents[p]);
                check_spread_of(8, count, at, percents[p]);
            }
}

static void test_kernels__spread_puts_values_where_their_bits_are(void **state)
{
    (void)state;
    at_every_level(check_spread);
}

static void check_bools(void)
{
    uint8_t values[200], out[25];
    for (size_t count = 8; count <= sizeof values; count += 8) {
        for (size_t i = 0; i < count; i++)
            values[i] = next_random() % 2;
        s3s_kernels_now()->pack_bools(values, count, out);
        for (size_t i = 0; i < count; i++)
            assert_int_equal(s3s_bit(out, i), values[i]);
    }
}

static void test_kernels__bools_become_bits(void **state)
{
    (void)state;
    at_every_level(check_bools);
}

static uint32_t sums[S3S_CPU_AVX512 + 1];

static void check_crc(void)
{
    uint8_t data[5000];
    uint32_t sum = 0;
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (uint8_t)next_random();
    assert_int_equal(s3s_crc32(0, "123456789", 9), 0xCBF43926u);
    for (size_t size = 0; size < sizeof data; size += 61)
        sum = sum * 31 + s3s_crc32(sum, data + size % 7, size - size % 7);
    sums[s3s_cpu_level()] = sum;
    assert_int_equal(sum, sums[S3S_CPU_PORTABLE]);
}

static void test_kernels__checksums_are_the_same(void **state)
{
    (void)state;
    at_every_level(check_crc);
}

/* ---- whole files ----------------------------------------------------------------------------- */

static s3s_pool *pool; /* of the files that are written */

static void write_all(s3s_schema *schema, const struct ArrowArray *batches, size_t count,
                      s3s_buffer *out)
{
    s3store_error err;
    s3s_parquet_write_options options = {.page_bytes = 20000, .row_group_bytes = 1500000,
                                         .compression = S3STORE_COMPRESSION_ZSTD, .pool = pool};
    s3s_buffer_init(out, env, SIZE_MAX);
    assert_ok(fixture_write(env, schema, &options, batches, count, out, &err));
}

/* Everything of a file through a cursor with or without a pool, as one number. */
static uint64_t digest(const s3s_buffer *file, s3s_pool *threads)
{
    s3store_error err;
    s3s_parquet_memory memory = {file->data, file->size};
    s3s_parquet_file *parquet = NULL;
    s3s_parquet_cursor *cursor = NULL;
    uint64_t sum = 0;
    assert_ok(s3s_parquet_open(env, s3s_parquet_memory_source(&memory), "t.parquet", NULL, &parquet,
                               &err));
    assert_ok(s3s_parquet_cursor_new(parquet, NULL, 0, 7000, &cursor, &err));
    s3s_parquet_cursor_use_pool(cursor, threads, 0);
    for (;;) {
        struct ArrowArray batch;
        s3store_status status = s3s_parquet_cursor_next(cursor, &batch, &err);
        if (status == S3STORE_END)
            break;
        assert_int_equal(status, S3STORE_OK);
        assert_ok(s3s_batch_validate(s3s_parquet_schema(parquet), &batch, &err));
        s3s_buffer copy; /* written again: bytes that say all */
        s3s_buffer_init(&copy, env, SIZE_MAX);
        static const s3s_parquet_write_options plain = {
            .compression = S3STORE_COMPRESSION_UNCOMPRESSED, .no_dictionary = true};
        assert_ok(fixture_write(env, (s3s_schema *)s3s_parquet_schema(parquet), &plain, &batch, 1,
                                &copy, &err));
        sum = sum * 31 + s3s_xxh64(copy.data, copy.size, 0);
        s3s_buffer_deinit(&copy);
        s3s_array_release(&batch);
    }
    s3s_parquet_cursor_free(cursor);
    s3s_parquet_free(parquet);
    return sum;
}

static void check_files(s3s_schema *schema)
{
    s3store_error err;
    struct ArrowArray batches[3];
    for (size_t i = 0; i < 3; i++)
        fixture_batch(env, schema, i == 1 ? 6000 : 1000, i + 1, i == 2 ? 500 : 100,
                      i == 0 ? FIXTURE_FEW : FIXTURE_RANDOM, &batches[i]);
    s3s_buffer first, other;
    s3s_pool *threads = NULL;
    assert_ok(s3s_pool_new(env, 3, &threads, &err));
    s3s_cpu_limit(S3S_CPU_PORTABLE);
    pool = NULL;
    write_all(schema, batches, 3, &first);
    uint64_t sum = digest(&first, NULL);
    fixture_expect(env, &first, schema, batches, 3, 3000);
    for (s3s_cpu level = S3S_CPU_PORTABLE; level <= S3S_CPU_AVX512; level++) {
        s3s_cpu_limit(level);
        for (size_t k = 0; k < 2; k++) {
            pool = k == 1 ? threads : NULL;
            write_all(schema, batches, 3, &other);
            assert_int_equal(other.size, first.size);
            assert_memory_equal(other.data, first.data, first.size);
            s3s_buffer_deinit(&other);
            assert_true(digest(&first, pool) == sum);
        }
    }
    s3s_pool_free(threads);
    pool = NULL;
    s3s_buffer_deinit(&first);
    for (size_t i = 0; i < 3; i++)
        s3s_array_release(&batches[i]);
}

static void test_parquet__bytes_and_values_depend_on_neither_processor_nor_threads(void **state)
{
    (void)state;
    s3s_schema *flat = fixture_all_types(env, true), *nested = fixture_nested(env, true);
    check_files(flat);
    check_files(nested);
    s3s_schema_release(flat);
    s3s_schema_release(nested);
}

typedef struct kept {
    s3s_buffer file;
    size_t held_bytes;
} kept;

static s3store_status append(void *ctx, const void *data, size_t size, s3store_error *err)
{
    return s3s_buffer_append(ctx, data, size, err);
}

/* Large batches, whose full pages wait for threads, and small ones, which wake none. */
static void write_mixed(s3s_schema *schema, const struct ArrowArray *large,
                        const struct ArrowArray *small, kept *out)
{
    s3store_error err;
    s3s_parquet_write_options options = {.page_bytes = 20000, .pool = pool};
    s3s_parquet_writer *writer = NULL;
    s3s_buffer_init(&out->file, env, SIZE_MAX);
    assert_ok(s3s_parquet_writer_new(env, schema, &options, (s3s_parquet_sink){&out->file, append},
                                     &writer, &err));
    for (size_t i = 0; i < 1800; i++)
        assert_ok(s3s_parquet_writer_add(writer, i % 900 < 2 ? large : small, &err));
    out->held_bytes = s3s_parquet_writer_held_bytes(writer);
    assert_ok(s3s_parquet_writer_finish(writer, &err));
    s3s_parquet_writer_free(writer);
}

static void test_parquet__pages_that_wait_are_few_and_keep_their_order(void **state)
{
    (void)state;
    s3store_error err;
    s3s_schema *schema = fixture_one(env, "text", S3S_TYPE_STRING, true);
    struct ArrowArray large, small;
    fixture_batch(env, schema, 40000, 1, 100, FIXTURE_RANDOM, &large);
    fixture_batch(env, schema, 500, 2, 100, FIXTURE_RANDOM, &small);
    kept one, three;
    pool = NULL;
    write_mixed(schema, &large, &small, &one);
    assert_ok(s3s_pool_new(env, 2, &pool, &err));
    write_mixed(schema, &large, &small, &three);
    assert_int_equal(one.file.size, three.file.size);
    assert_memory_equal(one.file.data, three.file.data, one.file.size);
    assert_true(three.held_bytes < one.held_bytes + (UINT64_C(2) << 20));
    s3s_pool_free(pool);
    pool = NULL;
    s3s_buffer_deinit(&one.file);
    s3s_buffer_deinit(&three.file);
    s3s_array_release(&large);
    s3s_array_release(&small);
    s3s_schema_release(schema);
}

/* Rows that a cursor gives, with its sum; the status that ends it, and the message. */
static uint64_t drain(const s3s_buffer *file, uint64_t memory_bytes, s3s_pool *threads,
                      s3store_status *status, s3store_error *err)
{
    s3s_parquet_memory memory = {file->data, file->size};
    s3s_parquet_limits limits = {.memory_bytes = memory_bytes};
    s3s_parquet_file *parquet = NULL;
    s3s_parquet_cursor *cursor = NULL;
    uint64_t sum = 0;
    memset(err, 0, sizeof *err);
    *status = s3s_parquet_open(env, s3s_parquet_memory_source(&memory), "t.parquet", &limits,
                               &parquet, err);
    if (*status == S3STORE_OK)
        *status = s3s_parquet_cursor_new(parquet, NULL, 0, 20000, &cursor, err);
    if (*status == S3STORE_OK)
        s3s_parquet_cursor_use_pool(cursor, threads, 0);
    while (*status == S3STORE_OK) {
        struct ArrowArray batch;
        *status = s3s_parquet_cursor_next(cursor, &batch, err);
        if (*status != S3STORE_OK)
            break;
        const int32_t *offsets = batch.children[0]->buffers[1];
        const uint8_t *text = batch.children[0]->buffers[2];
        for (int64_t i = 0; i < batch.length; i++)
            sum = sum * 31 +
                  s3s_xxh64(text + offsets[i], (size_t)(offsets[i + 1] - offsets[i]), 0);
        s3s_array_release(&batch);
    }
    s3s_parquet_cursor_free(cursor);
    s3s_parquet_free(parquet);
    return sum;
}

/* Pages that are decompressed before they are needed: the same rows, in no more memory than is allowed,
 * and a damaged page ends them where it would without. */
static void test_parquet__pages_ahead_change_neither_rows_nor_errors(void **state)
{
    (void)state;
    s3store_error err, ahead_err;
    s3store_status status, ahead_status;
    s3s_schema *schema = fixture_one(env, "text", S3S_TYPE_STRING, true);
    struct ArrowArray batch;
    fixture_batch(env, schema, 200000, 1, 100, FIXTURE_RANDOM, &batch);
    s3s_buffer file;
    s3s_pool *threads = NULL;
    assert_ok(s3s_pool_new(env, 2, &threads, &err));
    for (s3store_compression c = S3STORE_COMPRESSION_SNAPPY; c <= S3STORE_COMPRESSION_UNCOMPRESSED;
         c++) {
        s3s_parquet_write_options options = {.compression = c, .page_bytes = 60000,
                                             .row_group_bytes = 2000000};
        s3s_buffer_init(&file, env, SIZE_MAX);
        assert_ok(fixture_write(env, schema, &options, &batch, 1, &file, &err));
        for (uint64_t kib = 64; kib <= 65536; kib *= 2) {
            uint64_t sum = drain(&file, kib << 10, NULL, &status, &err);
            uint64_t ahead = drain(&file, kib << 10, threads, &ahead_status, &ahead_err);
            assert_int_equal(ahead_status, status);
            assert_true(sum == ahead || status != S3STORE_END);
            assert_true(kib < 1024 || status == S3STORE_END);
        }
        for (size_t at = 1000; at < file.size - 20000; at += file.size / 23) {
            file.data[at] ^= 0x55;
            uint64_t sum = drain(&file, 0, NULL, &status, &err);
            uint64_t ahead = drain(&file, 0, threads, &ahead_status, &ahead_err);
            assert_int_equal(ahead_status, status);
            assert_int_equal(status, S3STORE_CORRUPT);
            assert_string_equal(ahead_err.message, err.message);
            assert_true(sum == ahead);
            file.data[at] ^= 0x55;
        }
        s3s_buffer_deinit(&file);
    }
    s3s_pool_free(threads);
    s3s_array_release(&batch);
    s3s_schema_release(schema);
}

typedef struct call_source {
    const s3s_buffer *file;
    atomic_bool in_call, was_elsewhere;
} call_source;

static s3store_status read_in_call(void *ctx, uint64_t offset, void *data, size_t size,
                                   s3store_error *err)
{
    call_source *s = ctx;
    (void)err;
    if (!atomic_load(&s->in_call))
        atomic_store(&s->was_elsewhere, true);
    memcpy(data, s->file->data + offset, size);
    return S3STORE_OK;
}

/* A source whose reads cost is one whose owner has a call to answer for: it is read in calls alone, also
 * ahead. Cursors that are left in the middle let go of it, too. */
static void test_parquet__costly_sources_are_read_in_calls_alone(void **state)
{
    (void)state;
    s3store_error err;
    s3s_schema *schema = fixture_one(env, "x", S3S_TYPE_INT64, true);
    struct ArrowArray batch, out;
    s3s_buffer file;
    s3s_pool *threads = NULL;
    s3s_parquet_write_options options = {.page_bytes = 30000, .row_group_bytes = 1000000};
    fixture_batch(env, schema, 200000, 1, 100, FIXTURE_RANDOM, &batch);
    s3s_buffer_init(&file, env, SIZE_MAX);
    assert_ok(fixture_write(env, schema, &options, &batch, 1, &file, &err));
    assert_ok(s3s_pool_new(env, 2, &threads, &err));
    for (size_t stop = 1; stop < 40; stop += 4) {
        call_source ctx = {.file = &file};
        s3s_parquet_source source = {.ctx = &ctx, .file_size = file.size, .read = read_in_call};
        s3s_parquet_file *parquet = NULL;
        s3s_parquet_cursor *cursor = NULL;
        s3store_status status = S3STORE_OK;
        s3s_parquet_limits limits = {.memory_bytes = 1 << 20}; /* many reads */
        atomic_store(&ctx.in_call, true);
        assert_ok(s3s_parquet_open(env, source, "t.parquet", &limits, &parquet, &err));
        assert_ok(s3s_parquet_cursor_new(parquet, NULL, 0, 9000, &cursor, &err));
        s3s_parquet_cursor_use_pool(cursor, threads, 0);
        for (size_t i = 0; i < stop && status == S3STORE_OK; i++) {
            status = s3s_parquet_cursor_next(cursor, &out, &err);
            if (status == S3STORE_OK)
                s3s_array_release(&out);
            atomic_store(&ctx.in_call, false);
            assert_ok(s3s_sleep_us(env, 500, NULL, &err));
            atomic_store(&ctx.in_call, true);
        }
        assert_int_equal(status, stop > 23 ? S3STORE_END : S3STORE_OK);
        atomic_store(&ctx.in_call, false);
        s3s_parquet_cursor_free(cursor);
        s3s_parquet_free(parquet);
        assert_false(atomic_load(&ctx.was_elsewhere));
    }
    s3s_pool_free(threads);
    s3s_buffer_deinit(&file);
    s3s_array_release(&batch);
    s3s_schema_release(schema);
}

/* So many columns that nobody chooses among chains of them: the largest go first. */
static void test_parquet__many_columns_side_by_side_make_the_same_file(void **state)
{
    (void)state;
    enum { COLUMNS = 300 };
    s3store_error err;
    s3s_schema *schema = NULL;
    struct ArrowArray batch;
    s3s_buffer one, three;
    char name[16];
    assert_ok(s3s_schema_new(env, COLUMNS, &schema, &err));
    for (size_t i = 0; i < COLUMNS; i++) {
        snprintf(name, sizeof name, "c%zu", i);
        s3s_field field = {.name = name, .type = i % 7 == 0 ? S3S_TYPE_STRING : S3S_TYPE_INT64,
                           .nullable = i % 2 == 0};
        assert_true(s3s_field_copy(&schema->arena, &field, &schema->fields[i]));
    }
    fixture_batch(env, schema, 4500, 3, 100, FIXTURE_RANDOM, &batch);
    pool = NULL;
    write_all(schema, &batch, 1, &one);
    assert_ok(s3s_pool_new(env, 2, &pool, &err));
    write_all(schema, &batch, 1, &three);
    assert_int_equal(one.size, three.size);
    assert_memory_equal(one.data, three.data, one.size);
    assert_true(digest(&one, NULL) == digest(&one, pool));
    s3s_pool_free(pool);
    pool = NULL;
    s3s_buffer_deinit(&one);
    s3s_buffer_deinit(&three);
    s3s_array_release(&batch);
    s3s_schema_release(schema);
}

enum { CHAINS = 40, PIECES = 6 };

typedef struct pieces {
    size_t next[CHAINS]; /* piece of each chain; one thread at a time may be there */
    size_t failing, failing_at;
} pieces;

static s3store_status run_piece(void *ctx, size_t chain, size_t piece, s3store_error *err)
{
    pieces *p = ctx;
    if (p->next[chain]++ != piece)
        return s3s_fail(err, S3STORE_INTERNAL, "chain %zu: piece %zu", chain, piece);
    if (chain >= p->failing && piece == p->failing_at)
        return s3s_fail(err, S3STORE_CORRUPT, "chain %zu", chain);
    return S3STORE_OK;
}

static void test_chains__pieces_run_in_order_and_a_failure_ends_them(void **state)
{
    (void)state;
    s3store_error err;
    assert_ok(s3s_pool_new(env, 2, &pool, &err));
    for (size_t failing = 0; failing <= CHAINS; failing += CHAINS / 2) {
        pieces p = {.failing = failing, .failing_at = PIECES - 1};
        s3s_chain chains[CHAINS];
        for (size_t i = 0; i < CHAINS; i++)
            chains[i] = (s3s_chain){.pieces = PIECES, .weight = i == failing ? 1000 : i};
        memset(&err, 0, sizeof err);
        s3store_status status =
            s3s_chains_run(env, pool, NULL, chains, CHAINS, run_piece, &p, &err);
        size_t all = 0;
        for (size_t i = 0; i < CHAINS; i++)
            all += p.next[i];
        if (failing == CHAINS) {
            assert_int_equal(status, S3STORE_OK);
            assert_int_equal(all, CHAINS * PIECES);
        } else {
            assert_int_equal(status, S3STORE_CORRUPT);
            assert_non_null(strstr(err.message, "chain "));
            assert_true(all < CHAINS * PIECES);
        }
    }
    s3s_weighed items[] = {{5, 0}, {7, 1}, {5, 2}, {0, 3}, {9, 4}};
    static const size_t order[] = {4, 1, 0, 2, 3};
    s3s_weighed_sort(items, 5);
    for (size_t i = 0; i < 5; i++)
        assert_int_equal(items[i].item, order[i]);
    s3s_pool_free(pool);
    pool = NULL;
}

/* A column that cannot be written ends the write with its own error, threads or not. */
static void test_parquet__an_error_of_a_thread_names_its_column(void **state)
{
    (void)state;
    s3store_error err;
    s3s_schema *nullable = fixture_all_types(env, true), *solid = fixture_all_types(env, false);
    struct ArrowArray batch;
    s3s_buffer out;
    assert_ok(s3s_pool_new(env, 2, &pool, &err));
    fixture_batch(env, nullable, 1000, 1, 300, FIXTURE_RANDOM, &batch);
    s3s_parquet_write_options options = {.pool = pool};
    s3s_buffer_init(&out, env, SIZE_MAX);
    assert_fails(fixture_write(env, solid, &options, &batch, 1, &out, &err),
                 S3STORE_INVALID_ARGUMENT, "\"bool\""); /* the first of them */
    s3s_buffer_deinit(&out);
    s3s_array_release(&batch);
    s3s_pool_free(pool);
    pool = NULL;
    s3s_schema_release(nullable);
    s3s_schema_release(solid);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_kernels__unpack_is_its_definition),
        T(test_kernels__gather_and_max_are_their_definition),
        T(test_kernels__spread_puts_values_where_their_bits_are),
        T(test_kernels__bools_become_bits),
        T(test_kernels__checksums_are_the_same),
        T(test_parquet__bytes_and_values_depend_on_neither_processor_nor_threads),
        T(test_parquet__pages_that_wait_are_few_and_keep_their_order),
        T(test_parquet__pages_ahead_change_neither_rows_nor_errors),
        T(test_parquet__costly_sources_are_read_in_calls_alone),
        T(test_parquet__many_columns_side_by_side_make_the_same_file),
        T(test_chains__pieces_run_in_order_and_a_failure_ends_them),
        T(test_parquet__an_error_of_a_thread_names_its_column),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
