/* Latest of keys that are numbers: close to one another, anywhere, few, many, null. Each shape of
 * keys goes the way that suits it (merge_dense.c, merge_narrow.c, merge_packed.c), and all agree with
 * a model. */
#include "unit/scan/kit.h"

#include <stdlib.h>

#include "arrow/builder.h"
#include "scan/internal.h"

typedef struct entry {
    int64_t key;
    int32_t part, other;
    bool no_key, no_part;
    int64_t version;
} entry;

#define AT(m) offsetof(entry, m)
static const s3store_field entry_fields[] = {
    {"key", S3STORE_KIND_INT64, AT(key), S3STORE_NULL_FLAG, AT(no_key), 0},
    {"part", S3STORE_KIND_INT32, AT(part), S3STORE_NULL_FLAG, AT(no_part), 0},
    {.name = "other", .kind = S3STORE_KIND_INT32, .offset = AT(other)},
    {.name = "version", .kind = S3STORE_KIND_INT64, .offset = AT(version)},
};
static const s3store_record_type entry_type = S3STORE_RECORD_TYPE(entry, entry_fields);

static uint64_t state_of_random;

static uint64_t random_bits(void)
{
    uint64_t x = state_of_random += UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

/* ---- shapes of keys -------------------------------------------------------------------------- */

enum { ROWS_MAX = 60000, BATCHES_MAX = 40 };

typedef int64_t (*key_of)(uint64_t entity, uint64_t row);

static int64_t counted_up(uint64_t entity, uint64_t row)
{
    (void)row;
    return (int64_t)entity - 500;
}

static int64_t anything(uint64_t entity, uint64_t row)
{
    (void)row;
    uint64_t saved = state_of_random;
    state_of_random = entity;
    int64_t key = (int64_t)random_bits();
    state_of_random = saved;
    return key;
}

/* Nearly all close to one another, a few as far away as there is: seldom where a sample looks. */
static int64_t with_outliers(uint64_t entity, uint64_t row)
{
    if (row % 2500 == 1249)
        return INT64_MIN + (int64_t)row;
    return row % 2500 == 2499 ? INT64_MAX - (int64_t)row : (int64_t)(entity * 300 + row % 300);
}

/* One entity has as many rows as all others have. */
static int64_t one_is_hot(uint64_t entity, uint64_t row)
{
    return row % 3 == 0 ? 12345 : anything(entity * ROWS_MAX + row, row);
}

/* Half of them in one place, in which they differ by little. */
static int64_t in_heaps(uint64_t entity, uint64_t row)
{
    (void)row;
    return entity % 2 == 0 ? (int64_t)(entity << 50) : (INT64_C(1) << 40) + (int64_t)(entity % 97);
}

static int64_t as_written(uint64_t entity, uint64_t row)
{
    (void)entity;
    return (int64_t)(row * 1000);
}

static int64_t backwards(uint64_t entity, uint64_t row)
{
    (void)entity;
    return -(int64_t)(row * 1000);
}

static int64_t one_of_two(uint64_t entity, uint64_t row)
{
    (void)row;
    return entity % 2 == 0 ? INT64_MIN : INT64_MAX;
}

static int64_t always_the_same(uint64_t entity, uint64_t row)
{
    (void)entity;
    (void)row;
    return 7;
}

static const key_of shapes[] = {counted_up, anything,  with_outliers, in_heaps,
                                as_written, backwards, one_of_two,    always_the_same, one_is_hot};

/* ---- the model ------------------------------------------------------------------------------- */

/* Columns of an entity. */
typedef struct key_columns {
    size_t columns[2], count;
} key_columns;
static key_columns compared; /* qsort hands down nothing */

static int compare_values(bool x_null, int64_t x, bool y_null, int64_t y)
{
    if (x_null || y_null)
        return (int)y_null - (int)x_null;
    return (x > y) - (x < y);
}

static int compare_keys(const entry *x, const entry *y)
{
    int order = 0;
    for (size_t i = 0; order == 0 && i < compared.count; i++)
        order = compared.columns[i] == 0 ? compare_values(x->no_key, x->key, y->no_key, y->key)
              : compared.columns[i] == 1 ? compare_values(x->no_part, x->part, y->no_part, y->part)
                                         : compare_values(false, x->other, false, y->other);
    return order;
}

static int by_key_version_place(const void *x, const void *y)
{
    const entry *a = *(const entry *const *)x, *b = *(const entry *const *)y;
    int order = compare_keys(a, b);
    if (order == 0)
        order = (a->version > b->version) - (a->version < b->version);
    return order != 0 ? order : (a > b) - (a < b); /* they lie in file order */
}

typedef struct rows {
    entry rows[ROWS_MAX];
    const entry *order[ROWS_MAX];
    size_t count;
    size_t starts[BATCHES_MAX + 1]; /* of batches; some have no rows */
    struct ArrowArray batches[BATCHES_MAX];
} rows;

static void make_batches(s3s_env *env, s3s_schema *schema, rows *r)
{
    s3store_error err;
    for (size_t b = 0; b < BATCHES_MAX; b++) {
        size_t left = r->count - r->starts[b];
        size_t size = b % 4 == 2 ? 0 : random_bits() % (3 * r->count / BATCHES_MAX + 2);
        size = size > left || b + 1 == BATCHES_MAX ? left : size;
        r->starts[b + 1] = r->starts[b] + size;
        assert_ok(s3s_records_to_batch(env, schema, &entry_type, r->rows, r->starts[b], size,
                                       &r->batches[b], &err));
    }
}

/* Merges; keys are numbered as in entry_fields. */
static s3store_status latest(s3s_env *env, s3s_schema *schema, const rows *r, key_columns key,
                             merged_rows *merged, s3store_error *err)
{
    const struct ArrowArray **sources = s3s_calloc(env, BATCHES_MAX, sizeof *sources);
    assert_non_null(sources);
    for (size_t b = 0; b < BATCHES_MAX; b++)
        sources[b] = &r->batches[b];
    scan_plan plan = {.out = schema,
                      .merge = schema,
                      .entity = key.columns,
                      .entity_count = key.count,
                      .version = 3};
    return s3s_scan_merge(env, &plan, S3S_SCAN_LATEST, sources, BATCHES_MAX, merged, err);
}

static void release_batches(rows *r)
{
    for (size_t b = 0; b < BATCHES_MAX; b++)
        s3s_array_release(&r->batches[b]);
}

static void check_latest(s3s_env *env, s3s_schema *schema, rows *r, key_columns key)
{
    s3store_error err;
    size_t at = 0;
    merged_rows merged;
    make_batches(env, schema, r);
    assert_ok(latest(env, schema, r, key, &merged, &err));
    for (size_t i = 0; i < r->count; i++)
        r->order[i] = &r->rows[i];
    compared = key;
    qsort(r->order, r->count, sizeof *r->order, by_key_version_place);
    for (size_t i = 0; i < r->count; i++) {
        if (i + 1 < r->count && compare_keys(r->order[i], r->order[i + 1]) == 0)
            continue;
        assert_true(at < merged.row_count);
        assert_int_equal(r->starts[merged.rows[at].batch] + merged.rows[at].row,
                         r->order[i] - r->rows);
        at++;
    }
    assert_int_equal(at, merged.row_count);
    s3s_scan_merged_deinit(env, &merged);
    release_batches(r);
}

/* entities: about how many. spread: how far versions lie apart. */
static void fill_rows(rows *r, key_of shape, size_t count, uint64_t entities, uint64_t spread)
{
    r->count = count;
    for (size_t i = 0; i < count; i++) {
        uint64_t bits = random_bits();
        int64_t key = shape(bits % entities, i);
        r->rows[i] = (entry){.key = key,
                             .part = (int32_t)(uint32_t)(uint64_t)key,
                             .other = (int32_t)(bits >> 60),
                             .version = (int64_t)((bits >> 8) % 5 * spread)};
    }
}

typedef struct fixed {
    s3s_env *env;
    s3s_schema *schema;
    rows *rows;
} fixed;

static void fixed_init(fixed *f)
{
    s3store_error err;
    assert_ok(s3s_env_new_real(&f->env, &err));
    assert_ok(s3s_record_schema(f->env, &entry_type, &f->schema, &err));
    f->rows = calloc(1, sizeof *f->rows);
    assert_non_null(f->rows);
}

static void fixed_deinit(fixed *f)
{
    free(f->rows);
    s3s_schema_release(f->schema);
    s3s_env_release(f->env);
}

static void test_merge_narrow__numbers_of_any_shape_agree_with_a_model(void **state)
{
    (void)state;
    static const size_t counts[] = {1, 2, 40, 700, 4096, 9000, ROWS_MAX};
    /* The last spread leaves no bits for places. */
    static const uint64_t entities[] = {1, 30, 2000, 50000}, spreads[] = {0, 1, UINT64_C(1) << 61};
    fixed f;
    fixed_init(&f);
    for (size_t shape = 0; shape < sizeof shapes / sizeof *shapes; shape++) {
        for (size_t c = 0; c < sizeof counts / sizeof *counts; c++) {
            for (size_t e = 0; e < 4; e++) {
                fill_rows(f.rows, shapes[shape], counts[c], entities[e], spreads[(c + e) % 3]);
                check_latest(f.env, f.schema, f.rows, (key_columns){{0}, 1});
            }
        }
    }
    fixed_deinit(&f);
}

/* With a byte for null the int32 takes five of eight bytes; the int64 is no number any more. */
static void test_merge_narrow__a_null_is_an_entity_and_the_first(void **state)
{
    (void)state;
    fixed f;
    fixed_init(&f);
    for (size_t turn = 0; turn < 12; turn++) {
        fill_rows(f.rows, turn % 2 == 0 ? counted_up : anything, 9000, 4500, 1);
        for (size_t i = turn % 3; i < f.rows->count; i += 100)
            f.rows->rows[i].no_key = f.rows->rows[i].no_part = true;
        check_latest(f.env, f.schema, f.rows, (key_columns){{turn / 2 % 2}, 1});
    }
    fixed_deinit(&f);
}

/* Two int32 fill eight bytes; with the int64 it is no number. */
static void test_merge_narrow__several_columns_are_one_number(void **state)
{
    (void)state;
    static const key_columns keys[] = {{{1, 2}, 2}, {{2, 1}, 2}, {{2, 0}, 2}, {{0, 1}, 2}};
    fixed f;
    fixed_init(&f);
    for (size_t turn = 0; turn < 12; turn++) {
        fill_rows(f.rows, shapes[turn % 4], 9000, 100 + turn * 700, 1);
        check_latest(f.env, f.schema, f.rows, keys[turn % 4]);
    }
    fixed_deinit(&f);
}

/* From the lowest to the highest there are just as many numbers as have a place, or one more. */
static void test_merge_narrow__the_numbers_at_both_ends_have_a_place(void **state)
{
    (void)state;
    fixed f;
    fixed_init(&f);
    for (int64_t span = 1996; span < 2003; span++) {
        for (int end = 0; end < 3; end++) {
            fill_rows(f.rows, counted_up, 1000, 1000, 1);
            for (size_t i = 0; i < 1000; i++) {
                int64_t low = end == 0 ? INT64_MIN : end == 1 ? INT64_MAX - span : -1000;
                f.rows->rows[i].key = low + (i == 400 ? span : i == 500 ? 0 : (int64_t)i + 300);
                f.rows->rows[i].version = INT64_MIN + (int64_t)i % 3;
            }
            check_latest(f.env, f.schema, f.rows, (key_columns){{0}, 1});
        }
    }
    fixed_deinit(&f);
}

static void test_merge_narrow__memory_that_runs_out_is_an_error_and_leaves_nothing(void **state)
{
    (void)state;
    static const key_of ways[] = {counted_up, anything};
    fixed f;
    fixed_init(&f);
    for (size_t way = 0; way < 2; way++) {
        s3store_status status = S3STORE_OUT_OF_MEMORY;
        fill_rows(f.rows, ways[way], 9000, 9000, 1);
        make_batches(f.env, f.schema, f.rows);
        uint64_t n = 0;
        for (; status != S3STORE_OK; n++) {
            s3store_error err = {0};
            merged_rows merged = {0};
            s3s_env_fail_alloc_at(f.env, n + 1); /* the first one is of the test */
            status = latest(f.env, f.schema, f.rows, (key_columns){{0}, 1}, &merged, &err);
            s3s_env_fail_alloc_at(f.env, UINT64_MAX);
            s3s_scan_merged_deinit(f.env, &merged);
            assert_true(status == S3STORE_OK || status == S3STORE_OUT_OF_MEMORY);
            assert_true(n < 100);
        }
        assert_true(n > 4);
        release_batches(f.rows);
    }
    fixed_deinit(&f);
}

int run_merge_narrow_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_merge_narrow__numbers_of_any_shape_agree_with_a_model),
        cmocka_unit_test(test_merge_narrow__a_null_is_an_entity_and_the_first),
        cmocka_unit_test(test_merge_narrow__several_columns_are_one_number),
        cmocka_unit_test(test_merge_narrow__memory_that_runs_out_is_an_error_and_leaves_nothing),
        cmocka_unit_test(test_merge_narrow__the_numbers_at_both_ends_have_a_place),
    };
    return cmocka_run_group_tests_name("scan: merge of numbers", tests, NULL, NULL);
}
