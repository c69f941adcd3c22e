/* Arrays, slices, and gathering rows. */
#include <pthread.h>
#include <stdlib.h>

#include "unit/arrow/kit.h"

static const char all_spec[] =
    "id:int64;b:bool?;i1:int8?;i2:int16?;i4:int32?;u8:uint64?;h:float16?;f:float?;d:double?;"
    "s:string?;ls:large_string?;bi:binary?;lb:large_binary?;fb:fixed_binary(3)?;d32:date?;"
    "ts:timestamp(us, UTC)?;de:decimal(18, 2)?;d5:decimal256(50, 2)?;n:null?";

static void make_all(s3s_schema *schema, size_t start, size_t rows, struct ArrowArray *out)
{
    static char text[2000][256];
    const char *pointers[2000];
    assert_true(rows <= 2000);
    for (size_t i = 0; i < rows; i++) {
        size_t v = start + i;
        if (v % 7 == 3)
            snprintf(text[i], sizeof text[i],
                     "%zu|null|null|null|null|null|null|null|null|null|null|null|null|null|null|"
                     "null|null|null|null",
                     v);
        else
            snprintf(text[i], sizeof text[i],
                     "%zu|%s|%d|%zu|-%zu|%zu|%zu.5|%zu.25|-%zu.125|s%.*s|large %zu|b%zu|%.*s|%03zu|"
                     "%zu|%zu|-%zu|%zu|null",
                     v, v % 3 == 0 ? "true" : "false", (int)(v % 100) - 50, v, v, v, v % 8, v, v,
                     (int)(v % 20), "abcdefghijklmnopqrst", v, v, (int)(v % 3), "xyz", v % 1000,
                     v, v, v, v);
        pointers[i] = text[i];
    }
    kit_batch(schema, pointers, rows, out);
}

/* What the rows look like, one by one from the sources. */
static char *expected(s3s_schema *schema, const struct ArrowArray *const *batches,
                      const s3s_row *rows, size_t count)
{
    char *lines[3];
    for (size_t b = 0; b < 3; b++)
        lines[b] = strdup(kit_text(schema, batches[b]));
    char *out = calloc(1, 65536);
    size_t used = 0;
    for (size_t i = 0; i < count; i++) {
        const char *p = lines[rows[i].batch];
        for (uint32_t skip = rows[i].row; skip > 0; skip--)
            p = strchr(p, '\n') + 1;
        size_t size = (size_t)(strchr(p, '\n') + 1 - p);
        memcpy(out + used, p, size);
        used += size;
    }
    for (size_t b = 0; b < 3; b++)
        free(lines[b]);
    return out;
}

static void check_take(s3s_schema *schema, const struct ArrowArray *const *batches,
                       const s3s_row *rows, size_t count)
{
    s3store_error err;
    struct ArrowArray taken;
    char *wanted = expected(schema, batches, rows, count);
    assert_ok(s3s_batch_take(schema->env, schema, batches, 3, rows, count, NULL, 0, &taken, &err));
    assert_ok(s3s_batch_validate(schema, &taken, &err));
    assert_int_equal(taken.length, count);
    assert_string_equal(kit_text(schema, &taken), wanted);
    s3s_array_release(&taken);
    free(wanted);
}

static void test_take__any_rows_in_any_order_of_every_flat_type(void **state)
{
    s3s_env *env = *state;
    s3s_schema *schema = kit_schema(env, all_spec);
    struct ArrowArray source[3];
    make_all(schema, 0, 100, &source[0]);
    make_all(schema, 1000, 50, &source[1]);
    make_all(schema, 30, 7, &source[2]);
    source[1].offset = 5; /* a batch that begins later in its columns */
    source[1].length = 40;
    const struct ArrowArray *batches[] = {&source[0], &source[1], &source[2]};
    static const uint32_t lengths[] = {100, 40, 7};
    s3s_row rows[160];
    unsigned seed = 12345;
    for (int round = 0; round < 40; round++) {
        size_t count = 0;
        bool runs = round % 2 == 0;
        while (count < 120) {
            seed = seed * 1103515245 + 12345;
            uint32_t batch = (seed >> 16) % 3;
            seed = seed * 1103515245 + 12345;
            uint32_t start = (seed >> 16) % lengths[batch];
            uint32_t length = runs ? 1 + (seed >> 8) % 40 : 1;
            for (uint32_t i = 0; i < length && start + i < lengths[batch] && count < 160; i++)
                rows[count++] = (s3s_row){batch, start + i};
        }
        check_take(schema, batches, rows, count);
    }
    check_take(schema, batches, rows, 0);
    for (size_t i = 0; i < 100; i++)
        rows[i] = (s3s_row){0, (uint32_t)(99 - i)};
    check_take(schema, batches, rows, 100);
    for (int i = 0; i < 3; i++)
        s3s_array_release(&source[i]);
    s3s_schema_release(schema);
}

static void test_take__one_batch_and_selected_columns(void **state)
{
    s3s_env *env = *state;
    s3store_error err;
    s3s_schema *schema = kit_schema(env, "a:int64;b:string?;c:double?");
    struct ArrowArray batch;
    struct ArrowArray taken;
    KIT_BATCH(schema, &batch, "1|x|0.5", "2|null|1.5", "3|zz|null");
    const struct ArrowArray *batches[] = {&batch};
    const s3s_row rows[] = {{0, 2}, {0, 0}, {0, 2}};
    const size_t columns[] = {1, 0};
    s3s_schema *picked;
    assert_ok(s3s_schema_select(schema, columns, 2, &picked, &err));
    assert_ok(s3s_batch_take(env, schema, batches, 1, rows, 3, columns, 2, &taken, &err));
    s3s_array_release(&batch);
    assert_string_equal(kit_text(picked, &taken), "zz|3\nx|1\nzz|3\n");
    assert_int_equal(taken.children[0]->null_count, 0);
    assert_null(taken.children[0]->buffers[0]); /* no bitmap where no null was taken */
    s3s_array_release(&taken);
    s3s_schema_release(picked);
    s3s_schema_release(schema);
}

static void test_take__nested_rows_keep_their_shape(void **state)
{
    s3s_env *env = *state;
    s3store_error err;
    s3s_schema *schema;
    s3s_schema *again;
    struct ArrowArray batch;
    struct ArrowArray other;
    struct ArrowArray taken;
    kit_nested(env, &schema, &batch);
    kit_nested(env, &again, &other);
    const struct ArrowArray *batches[] = {&batch, &other};
    const s3s_row rows[] = {{1, 3}, {0, 0}, {0, 1}, {1, 2}, {0, 3}, {0, 0}};
    assert_ok(s3s_batch_take(env, schema, batches, 2, rows, 6, NULL, 0, &taken, &err));
    assert_ok(s3s_batch_validate(schema, &taken, &err));
    assert_string_equal(kit_text(schema, &taken), "4|[13]|{zz,[r]}|null\n"
                                                  "1|[10,null]|{x,[p,q]}|[{k1,1}]\n"
                                                  "2|null|{null,[]}|[]\n"
                                                  "3|[]|null|[{k2,null},{k3,3}]\n"
                                                  "4|[13]|{zz,[r]}|null\n"
                                                  "1|[10,null]|{x,[p,q]}|[{k1,1}]\n");
    s3s_array_release(&taken);
    const s3s_row all[] = {{0, 0}, {0, 1}, {0, 2}, {0, 3}, {1, 0}, {1, 1}, {1, 2}, {1, 3}};
    assert_ok(s3s_batch_take(env, schema, batches, 2, all, 8, NULL, 0, &taken, &err));
    assert_ok(s3s_batch_validate(schema, &taken, &err));
    assert_int_equal(taken.children[1]->children[0]->length, 6);
    s3s_array_release(&batch);
    s3s_array_release(&other);
    s3s_array_release(&taken);
    s3s_schema_release(again);
    s3s_schema_release(schema);
}

/* The source's buffer ends with its last value: copying short values by whole moves must not look
 * beyond (the address sanitizer would tell). */
static void test_take__short_values_at_the_end_of_a_buffer(void **state)
{
    s3s_env *env = *state;
    s3store_error err;
    s3s_schema *from = kit_schema(env, "a:string?");
    s3s_schema *to = kit_schema(env, "a:large_string?");
    struct ArrowArray batch;
    struct ArrowArray exact;
    struct ArrowArray taken;
    KIT_BATCH(from, &batch, "0123456789abcdef0123456789abcdef", "x", "null", "yz", "");
    assert_ok(s3s_batch_convert(env, from, &batch, to, NULL, &exact, &err));
    const struct ArrowArray *batches[] = {&exact};
    s3s_row rows[100];
    for (uint32_t i = 0; i < 100; i++)
        rows[i] = (s3s_row){0, (i * 3 + 1) % 5};
    assert_ok(s3s_batch_take(env, to, batches, 1, rows, 100, NULL, 0, &taken, &err));
    assert_ok(s3s_batch_validate(to, &taken, &err));
    static const char first[] = "x\n\nnull\n0123456789abcdef0123456789abcdef\nyz\n";
    assert_memory_equal(kit_text(to, &taken), first, sizeof first - 1);
    s3s_array_release(&taken);
    s3s_array_release(&exact);
    s3s_array_release(&batch);
    s3s_schema_release(from);
    s3s_schema_release(to);
}

static void test_take__rows_that_do_not_exist_are_an_internal_error(void **state)
{
    s3s_env *env = *state;
    s3store_error err;
    s3s_schema *schema = kit_schema(env, "a:int64");
    struct ArrowArray batch;
    struct ArrowArray taken;
    KIT_BATCH(schema, &batch, "1", "2");
    const struct ArrowArray *batches[] = {&batch};
    const s3s_row beyond[] = {{0, 2}};
    const s3s_row other[] = {{1, 0}};
    assert_fails(s3s_batch_take(env, schema, batches, 1, beyond, 1, NULL, 0, &taken, &err),
                 S3STORE_INTERNAL, "row 2");
    assert_fails(s3s_batch_take(env, schema, batches, 1, other, 1, NULL, 0, &taken, &err),
                 S3STORE_INTERNAL, "batch 1");
    assert_null(taken.release);
    s3s_array_release(&batch);
    s3s_schema_release(schema);
}

static void keep(struct ArrowArray *array)
{
    array->release = NULL;
}

static void test_take__more_than_32_bit_offsets_reach_names_the_column(void **state)
{
    s3s_env *env = *state;
    s3store_error err;
    s3s_schema *schema = kit_schema(env, "big:binary");
    /* One value of 1 GiB whose bytes are never touched: the sizes come first. */
    int32_t offsets[] = {0, 1 << 30};
    const void *buffers[] = {NULL, offsets, ""};
    const void *none[] = {NULL};
    struct ArrowArray column = {.length = 1, .n_buffers = 3, .buffers = buffers, .release = keep};
    struct ArrowArray *columns[] = {&column};
    struct ArrowArray batch = {.length = 1,
                               .n_buffers = 1,
                               .buffers = none,
                               .n_children = 1,
                               .children = columns,
                               .release = keep};
    const struct ArrowArray *batches[] = {&batch};
    const s3s_row rows[] = {{0, 0}, {0, 0}};
    struct ArrowArray taken;
    assert_fails(s3s_batch_take(env, schema, batches, 1, rows, 2, NULL, 0, &taken, &err),
                 S3STORE_LIMIT_EXCEEDED, "\"big\"");
    s3s_schema_release(schema);
}

static void test_array__children_can_be_moved_out_and_outlive_the_env(void **state)
{
    (void)state;
    s3store_error err;
    s3s_env *env;
    assert_ok(s3s_env_new_real(&env, &err));
    s3s_schema *schema = kit_schema(env, "a:int64;b:string");
    struct ArrowArray batch;
    KIT_BATCH(schema, &batch, "1|x", "2|y");
    struct ArrowArray moved = *batch.children[1];
    batch.children[1]->release = NULL;
    s3s_array_release(&batch);
    assert_null(batch.release);
    s3s_array_release(&batch); /* again: nothing */
    s3s_schema_release(schema);
    s3s_env_release(env);
    assert_memory_equal(moved.buffers[2], "xy", 2);
    moved.release(&moved);
    assert_null(moved.release);
}

static void test_slice__shares_and_outlives_its_source(void **state)
{
    s3s_env *env = *state;
    s3store_error err;
    s3s_schema *schema;
    struct ArrowArray batch;
    struct ArrowArray part;
    struct ArrowArray whole;
    s3s_shared_batch *shared;
    kit_nested(env, &schema, &batch);
    const void *ids = batch.children[0]->buffers[1];
    assert_ok(s3s_batch_share(env, &batch, &shared, &err));
    assert_null(batch.release);
    assert_int_equal(s3s_shared_batch_get(shared)->length, 4);
    assert_ok(s3s_batch_slice(shared, 1, 2, &part, &err));
    assert_ok(s3s_batch_slice(shared, 0, 4, &whole, &err));
    struct ArrowArray none;
    assert_ok(s3s_batch_slice(shared, 4, 0, &none, &err));
    assert_int_equal(none.length, 0);
    s3s_array_release(&none);
    assert_fails(s3s_batch_slice(shared, 3, 2, &none, &err), S3STORE_INTERNAL, "batch of 4");
    assert_fails(s3s_batch_slice(shared, -1, 2, &none, &err), S3STORE_INTERNAL, "batch of 4");
    s3s_shared_batch_release(shared);
    s3s_array_release(&whole);
    assert_ptr_equal(part.children[0]->buffers[1], ids);
    assert_int_equal(part.offset, 0);
    assert_int_equal(part.children[1]->null_count, 1);
    assert_ok(s3s_batch_validate(schema, &part, &err));
    assert_string_equal(kit_text(schema, &part), "2|null|{null,[]}|[]\n"
                                                 "3|[]|null|[{k2,null},{k3,3}]\n");
    /* A grandchild moved out holds the memory by itself. */
    struct ArrowArray item = *part.children[1]->children[0];
    part.children[1]->children[0]->release = NULL;
    s3s_array_release(&part);
    assert_int_equal(((const int32_t *)item.buffers[1])[2], 13);
    item.release(&item);
    s3s_schema_release(schema);
}

static void test_slice__of_a_batch_with_an_offset(void **state)
{
    s3s_env *env = *state;
    s3store_error err;
    s3s_schema *schema = kit_schema(env, "a:int64?;b:string;n:null?");
    struct ArrowArray batch;
    struct ArrowArray part;
    s3s_shared_batch *shared;
    KIT_BATCH(schema, &batch, "1|a|null", "null|b|null", "3|c|null", "4|d|null");
    batch.offset = 1;
    batch.length = 3;
    assert_ok(s3s_batch_share(env, &batch, &shared, &err));
    assert_ok(s3s_batch_slice(shared, 1, 2, &part, &err));
    s3s_shared_batch_release(shared);
    assert_ok(s3s_batch_validate(schema, &part, &err));
    assert_string_equal(kit_text(schema, &part), "3|c|null\n4|d|null\n");
    assert_int_equal(part.children[0]->null_count, 0);
    s3s_array_release(&part);
    s3s_schema_release(schema);
}

static void *release_many(void *arg)
{
    struct ArrowArray *slices = arg;
    for (int i = 0; i < 100; i++)
        s3s_array_release(&slices[i]);
    return NULL;
}

static void test_slice__may_be_released_by_any_thread(void **state)
{
    s3s_env *env = *state;
    s3store_error err;
    s3s_schema *schema = kit_schema(env, "a:int64");
    struct ArrowArray batch;
    struct ArrowArray slices[4][100];
    s3s_shared_batch *shared;
    pthread_t threads[4];
    KIT_BATCH(schema, &batch, "1", "2", "3");
    assert_ok(s3s_batch_share(env, &batch, &shared, &err));
    for (int t = 0; t < 4; t++)
        for (int i = 0; i < 100; i++)
            assert_ok(s3s_batch_slice(shared, i % 3, 1, &slices[t][i], &err));
    s3s_shared_batch_release(shared);
    for (int t = 0; t < 4; t++)
        assert_int_equal(pthread_create(&threads[t], NULL, release_many, slices[t]), 0);
    for (int t = 0; t < 4; t++)
        pthread_join(threads[t], NULL);
    s3s_schema_release(schema);
}

static void test_array__bytes_of_a_batch_count_what_it_covers(void **state)
{
    s3s_env *env = *state;
    s3s_schema *schema = kit_schema(env, "a:int64;b:string?");
    struct ArrowArray batch;
    KIT_BATCH(schema, &batch, "1|hello", "2|null", "3|w");
    assert_int_equal(s3s_batch_bytes(schema, &batch), 3 * 8 + 1 + 4 * 4 + 6);
    batch.offset = 1;
    batch.length = 1;
    assert_int_equal(s3s_batch_bytes(schema, &batch), 8 + 1 + 2 * 4);
    batch.length = 0;
    assert_true(s3s_batch_bytes(schema, &batch) < 16);
    s3s_array_release(&batch);
    s3s_schema_release(schema);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, kit_setup, kit_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_take__any_rows_in_any_order_of_every_flat_type),
        TEST(test_take__one_batch_and_selected_columns),
        TEST(test_take__nested_rows_keep_their_shape),
        TEST(test_take__short_values_at_the_end_of_a_buffer),
        TEST(test_take__rows_that_do_not_exist_are_an_internal_error),
        TEST(test_take__more_than_32_bit_offsets_reach_names_the_column),
        TEST(test_array__children_can_be_moved_out_and_outlive_the_env),
        TEST(test_slice__shares_and_outlives_its_source),
        TEST(test_slice__of_a_batch_with_an_offset),
        TEST(test_slice__may_be_released_by_any_thread),
        TEST(test_array__bytes_of_a_batch_count_what_it_covers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
