/* Partitions by function, and what a write would divide its input into. */
#include "base/env_private.h"
#include "support/dataset_fixture.h"
#include "unit/write/chunk_kit.h"

static s3store_status by_id(void *ctx, const struct ArrowSchema *schema,
                            const struct ArrowArray *rows, int64_t row, int64_t input_row,
                            char *key, size_t key_size, s3store_error *err)
{
    int64_t *next = ctx;
    (void)err;
    assert_int_equal(input_row, (*next)++); /* in order, each once */
    assert_string_equal(schema->children[1]->name, "id");
    const int32_t *offsets = rows->children[1]->buffers[1];
    const char *id = (const char *)rows->children[1]->buffers[2] + offsets[row];
    snprintf(key, key_size, "p=%c", id[5] % 2 == 0 ? 'e' : 'o');
    return S3STORE_OK;
}

static s3store_status refuses(void *ctx, const struct ArrowSchema *schema,
                              const struct ArrowArray *rows, int64_t row, int64_t input_row,
                              char *key, size_t key_size, s3store_error *err)
{
    const char *gives = ctx;
    (void)schema;
    (void)rows;
    (void)row;
    (void)err;
    snprintf(key, key_size, "%s", input_row < 3 ? "p=x" : gives);
    return input_row < 3 || gives[0] != '\0' ? S3STORE_OK : S3STORE_INVALID_ARGUMENT;
}

static s3store_status explains(void *ctx, const struct ArrowSchema *schema,
                               const struct ArrowArray *rows, int64_t row, int64_t input_row,
                               char *key, size_t key_size, s3store_error *err)
{
    (void)ctx;
    (void)schema;
    (void)rows;
    (void)row;
    (void)input_row;
    (void)key;
    (void)key_size;
    err->status = S3STORE_SCHEMA_MISMATCH;
    snprintf(err->message, sizeof err->message, "nobody knows where it belongs");
    return S3STORE_SCHEMA_MISMATCH;
}

static void test_group__a_function_gives_the_keys(void **state)
{
    (void)state;
    for (int little = 0; little < 2; little++) {
        stage s;
        s3store_error err;
        s3store_write_result *result;
        int64_t next = 0;
        stage_open(&s, &(stage_options){.entity = true, .memory_bytes = little ? 3000 : 0});
        s3store_write_options options = S3STORE_WRITE_OPTIONS_INIT;
        options.partition_of = by_id;
        options.partition_of_ctx = &next;
        assert_ok(chunk_write(&s, &(chunk_input){.count = 101}, &options, &result, &err));
        assert_string_equal(chunk_states(result), "e committed 51, o committed 50");
        assert_int_equal(next, 101);
        s3store_write_result_free(result);
        stage_close(&s);
    }
}

static void test_group__a_function_that_is_wrong_names_the_row(void **state)
{
    static const struct {
        const char *gives, *message;
    } cases[] = {{"", "row 4: the partition function failed"},
                 {"q=1", "q=1"},
                 {"p=", "p"},
                 {"p=a/b=c", "p=a/b=c"},
                 {"p=a..b", ".."},
                 {"p=a*", "*"}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        stage s;
        s3store_error err;
        s3store_write_result *result;
        stage_open(&s, NULL);
        s3store_write_options options = S3STORE_WRITE_OPTIONS_INIT;
        options.partition_of = refuses;
        options.partition_of_ctx = (void *)cases[i].gives;
        assert_fails(chunk_write(&s, &(chunk_input){.count = 5}, &options, &result, &err),
                     S3STORE_INVALID_ARGUMENT, cases[i].message);
        assert_null(result);
        assert_int_equal(faulty_total(&s.faults), 0);
        options.partition = "p=a";
        assert_fails(chunk_write(&s, &(chunk_input){.count = 5}, &options, NULL, &err),
                     S3STORE_INVALID_ARGUMENT, "mutually exclusive");
        stage_close(&s);
    }
    stage s;
    s3store_error err;
    stage_open(&s, NULL);
    s3store_write_options options = S3STORE_WRITE_OPTIONS_INIT;
    options.partition_of = explains;
    assert_fails(chunk_write(&s, &(chunk_input){.count = 5}, &options, NULL, &err),
                 S3STORE_SCHEMA_MISMATCH, "row 1: nobody knows where it belongs");
    stage_close(&s);
}

/* Vectors 88 to 91: groups of the right size, ascending keys, order kept, nothing of nothing. */
static void test_group__groups_are_what_a_write_would_make(void **state)
{
    stage s;
    s3store_error err;
    s3store_groups *groups;
    struct ArrowArrayStream stream;
    char text[256];
    (void)state;
    stage_open(&s, NULL);
    stage_stream(&s, CHUNK_COLUMNS, ROWS("b|x|30", "a|y|10", "b|z|20", "c|w|1"), &stream);
    assert_ok(s3s_group_by_partition(s.writer, &stream, NULL, &groups, &err));
    assert_int_equal(s3store_groups_count(groups), 3);
    assert_string_equal(s3store_groups_key(groups, 0), "p=a");
    assert_string_equal(s3store_groups_key(groups, 1), "p=b");
    assert_null(s3store_groups_key(groups, 3));
    assert_int_equal(s3store_groups_rows(groups, 1), 2);
    assert_ok(s3store_groups_stream(groups, 1, &stream, &err));
    s3store_groups_free(groups); /* the stream lives on */
    assert_ok(fixture_drain(&stream, text, sizeof text, &err));
    assert_string_equal(text, "b|x|30;b|z|20;");
    stage_stream(&s, CHUNK_COLUMNS, NULL, 0, &stream);
    assert_ok(s3s_group_by_partition(s.writer, &stream, NULL, &groups, &err));
    assert_int_equal(s3store_groups_count(groups), 0);
    assert_fails(s3store_groups_stream(groups, 0, &stream, &err), S3STORE_INVALID_ARGUMENT,
                 "no group 0");
    s3store_groups_free(groups);
    s3store_groups_free(NULL);
    assert_int_equal(s3store_groups_count(NULL), 0);
    s.target->memory_bytes = 100;
    stage_stream(&s, CHUNK_COLUMNS, ROWS("b|x|30", "a|y|10", "b|z|20"), &stream);
    assert_fails(s3s_group_by_partition(s.writer, &stream, NULL, &groups, &err),
                 S3STORE_LIMIT_EXCEEDED, "--memory");
    assert_null(groups);
    assert_int_equal(faulty_total(&s.faults), 0);
    stage_close(&s);
}

static void test_group__the_key_of_one_row(void **state)
{
    static const char *const by[] = {"day=t:day", "p", NULL};
    stage s;
    s3store_error err;
    struct ArrowSchema abi;
    struct ArrowArray rows;
    char key[S3S_KEY_SIZE];
    (void)state;
    stage_open(&s, &(stage_options){.partition_by = by});
    s3s_schema *schema = kit_schema(s.env, "p:string?;t:timestamp(us, UTC)");
    KIT_BATCH(schema, &rows, "a|0", "b|86400000000", "null|0", "x*|0");
    assert_ok(s3s_schema_export(schema, &abi, &err));
    assert_ok(s3s_partition_key(s.writer, &abi, &rows, 1, key, sizeof key, &err));
    assert_string_equal(key, "day=1970-01-02/p=b");
    assert_fails(s3s_partition_key(s.writer, &abi, &rows, 2, key, sizeof key, &err),
                 S3STORE_INVALID_ARGUMENT, "null");
    assert_fails(s3s_partition_key(s.writer, &abi, &rows, 3, key, sizeof key, &err),
                 S3STORE_INVALID_ARGUMENT, "*");
    assert_fails(s3s_partition_key(s.writer, &abi, &rows, 4, key, sizeof key, &err),
                 S3STORE_INVALID_ARGUMENT, "no row 4");
    assert_fails(s3s_partition_key(s.writer, &abi, &rows, 0, key, 10, &err),
                 S3STORE_INVALID_ARGUMENT, "smaller");
    s3s_array_release(&rows);
    abi.release(&abi);
    s3s_schema_release(schema);
    stage_close(&s);
}

static void test_group__keys_that_cannot_be_made_say_why(void **state)
{
    stage s;
    s3store_error err;
    struct ArrowSchema abi;
    struct ArrowArray rows;
    char key[S3S_KEY_SIZE];
    (void)state;
    stage_open(&s, &(stage_options){.allow_unaddressable = true});
    s3s_schema *schema = kit_schema(s.env, "q:string?");
    KIT_BATCH(schema, &rows, "a");
    assert_ok(s3s_schema_export(schema, &abi, &err));
    assert_fails(s3s_partition_key(s.writer, &abi, &rows, 0, key, sizeof key, &err),
                 S3STORE_INVALID_ARGUMENT, "no column p, which partition column p is made from");
    assert_string_equal(key, "");
    s3s_array_release(&rows);
    abi.release(&abi);
    s3s_schema_release(schema);
    schema = kit_schema(s.env, "p:string?");
    KIT_BATCH(schema, &rows, "x*", "a-b");
    assert_ok(s3s_schema_export(schema, &abi, &err));
    assert_ok(s3s_partition_key(s.writer, &abi, &rows, 0, key, sizeof key, &err)); /* allowed */
    assert_string_equal(key, "p=x*");
    assert_fails(s3s_partition_key(s.writer, &abi, &rows, -1, key, sizeof key, &err),
                 S3STORE_INVALID_ARGUMENT, "there is no row -1");
    assert_fails(s3s_partition_key(s.writer, &abi, &rows, 2, key, sizeof key, &err),
                 S3STORE_INVALID_ARGUMENT, "there is no row 2");
    ((char *)(uintptr_t)rows.children[0]->buffers[2])[3] = '\0'; /* the '-' */
    assert_fails(s3s_partition_key(s.writer, &abi, &rows, 1, key, sizeof key, &err),
                 S3STORE_INVALID_ARGUMENT, "NUL");
    assert_string_equal(key, "");
    s3s_array_release(&rows);
    abi.release(&abi);
    s3s_schema_release(schema);
    stage_close(&s);
}

static void test_group__options_count_as_in_a_write(void **state)
{
    stage s;
    s3store_error err;
    s3store_groups *groups;
    s3store_cancel *cancel;
    struct ArrowArrayStream stream;
    s3store_write_options options = S3STORE_WRITE_OPTIONS_INIT;
    (void)state;
    stage_open(&s, NULL);
    options.partition = "p=z";
    stage_stream(&s, "v:int64?", ROWS("1", "2"), &stream);
    assert_ok(s3s_group_by_partition(s.writer, &stream, &options, &groups, &err));
    assert_int_equal(s3store_groups_count(groups), 1);
    assert_string_equal(s3store_groups_key(groups, 0), "p=z");
    assert_int_equal(s3store_groups_rows(groups, 0), 2);
    assert_int_equal(s3store_groups_rows(groups, 1), 0);
    s3store_groups_free(groups);
    assert_ok(s3store_cancel_new(&cancel, &err));
    s3store_cancel_trigger(cancel);
    options.cancel = cancel;
    stage_stream(&s, "v:int64?", ROWS("1", "2"), &stream);
    assert_fails(s3s_group_by_partition(s.writer, &stream, &options, &groups, &err),
                 S3STORE_CANCELLED, NULL);
    assert_null(groups);
    assert_null(stream.release);
    s3store_cancel_free(cancel);
    stage_stream(&s, "v:int64?", ROWS("1"), &stream); /* nobody wants to know why */
    assert_int_equal(s3s_group_by_partition(s.writer, &stream, NULL, &groups, NULL),
                     S3STORE_INVALID_ARGUMENT);
    assert_null(groups);
    assert_int_equal(faulty_total(&s.faults), 0);
    stage_close(&s);
}

static void test_group__every_allocation_may_fail(void **state)
{
    stage s;
    s3store_error err;
    s3store_groups *groups;
    size_t failures = 0, successes = 0; /* one after the other */
    (void)state;
    stage_open(&s, &(stage_options){.serial = true});
    for (uint64_t n = 0; successes < 30; n++) {
        struct ArrowArrayStream stream, out;
        char text[64];
        assert_true(n < 5000);
        stage_stream(&s, CHUNK_COLUMNS, ROWS("b|x|30", "a|y|10"), &stream);
        s3s_env_fail_any_alloc_at(s.env, n);
        s3store_status status = s3s_group_by_partition(s.writer, &stream, NULL, &groups, &err);
        if (status == S3STORE_OK)
            status = s3store_groups_stream(groups, 0, &out, &err);
        s3s_env_fail_alloc_at(s.env, UINT64_MAX);
        successes = status == S3STORE_OK ? successes + 1 : 0;
        failures += status != S3STORE_OK;
        if (status == S3STORE_OK) {
            assert_ok(fixture_drain(&out, text, sizeof text, &err));
            assert_string_equal(text, "a|y|10;");
        } else {
            assert_int_equal(status, S3STORE_OUT_OF_MEMORY);
        }
        s3store_groups_free(groups);
        assert_null(stream.release);
    }
    assert_true(failures > 20);
    stage_close(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_group__keys_that_cannot_be_made_say_why),
        cmocka_unit_test(test_group__options_count_as_in_a_write),
        cmocka_unit_test(test_group__every_allocation_may_fail),
        cmocka_unit_test(test_group__a_function_gives_the_keys),
        cmocka_unit_test(test_group__a_function_that_is_wrong_names_the_row),
        cmocka_unit_test(test_group__groups_are_what_a_write_would_make),
        cmocka_unit_test(test_group__the_key_of_one_row),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
