/* JSON documents: reading within bounds, writing deterministically. */
#include "support/test.h"

#include "base/buffer.h"
#include "base/json.h"

static s3store_status parse(const char *text, s3s_json **root, s3store_error *err)
{
    return s3s_json_parse(text, strlen(text), "conf/x.json", root, err);
}

static void test_read__values_of_every_kind(void **state)
{
    (void)state;
    s3store_error err;
    s3s_json *root;
    int64_t number;
    bool flag;
    assert_ok(parse("{\"z\": 1, \"a\": [true, -5, \"t\\u00fc\"], \"o\": {\"n\": null}}", &root,
                    &err));
    assert_true(s3s_json_is_object(root));
    assert_int_equal(s3s_json_member_count(root), 3);
    assert_string_equal(s3s_json_member_name(root, 0), "z"); /* document order */
    assert_string_equal(s3s_json_member_name(root, 1), "a");
    assert_null(s3s_json_member_name(root, 3));
    assert_null(s3s_json_member_value(root, 3));
    assert_true(s3s_json_int(s3s_json_member_value(root, 0), &number));
    assert_int_equal(number, 1);
    const s3s_json *array = s3s_json_get(root, "a");
    assert_true(s3s_json_is_array(array));
    assert_int_equal(s3s_json_count(array), 3);
    assert_true(s3s_json_bool(s3s_json_at(array, 0), &flag));
    assert_true(flag);
    assert_string_equal(s3s_json_text(s3s_json_at(array, 2)), "t\xC3\xBC");
    assert_null(s3s_json_at(array, 3));
    s3s_json_free(root);
}

static void test_read__absent_or_other_kind_is_null_or_false(void **state)
{
    (void)state;
    s3store_error err;
    s3s_json *root;
    int64_t number = 9;
    bool flag = true;
    assert_ok(parse("{\"r\": 1.5, \"t\": \"x\"}", &root, &err));
    assert_null(s3s_json_get(root, "missing"));
    assert_null(s3s_json_get(s3s_json_get(root, "t"), "x"));
    assert_null(s3s_json_text(s3s_json_get(root, "r")));
    assert_false(s3s_json_int(s3s_json_get(root, "r"), &number));
    assert_false(s3s_json_int(NULL, &number));
    assert_false(s3s_json_bool(NULL, &flag));
    assert_int_equal(number, 9);
    assert_false(s3s_json_is_object(NULL));
    assert_int_equal(s3s_json_count(root), 0);
    assert_null(s3s_json_member_name(s3s_json_get(root, "t"), 0));
    s3s_json_free(root);
    s3s_json_free(NULL);
}

static void test_read__bad_documents_name_source_line_and_column(void **state)
{
    (void)state;
    s3store_error err;
    s3s_json *root;
    assert_fails(parse("{\n \"a\": 1,\n \"b\" 2}", &root, &err), S3STORE_CORRUPT, "line 3");
    assert_string_equal(err.key, "conf/x.json");
    assert_null(root);
    assert_fails(parse("{\"a\": 1, \"a\": 2}", &root, &err), S3STORE_CORRUPT, "duplicate");
    assert_fails(parse("", &root, &err), S3STORE_CORRUPT, "conf/x.json");
    assert_fails(s3s_json_parse(NULL, 0, "k", &root, &err), S3STORE_CORRUPT, "k");
    assert_fails(parse("{} {}", &root, &err), S3STORE_CORRUPT, NULL);
    assert_fails(parse("{\"a\": \"\xFF\"}", &root, &err), S3STORE_CORRUPT, "0xff");
    assert_fails(parse("{\"a\": \"\\u0000\"}", &root, &err), S3STORE_CORRUPT, NULL);
    assert_fails(parse("{\"a\": 99999999999999999999}", &root, &err), S3STORE_CORRUPT, NULL);
    assert_fails(parse("[}", &root, &err), S3STORE_CORRUPT, NULL);
    assert_fails(parse("]]]]", &root, &err), S3STORE_CORRUPT, NULL);
    assert_fails(parse("[\"\\", &root, &err), S3STORE_CORRUPT, NULL);
}

static void test_read__is_bounded(void **state)
{
    (void)state;
    s3store_error err;
    s3s_json *root;
    char text[300];
    memset(text, '[', 145);
    memset(text + 145, ']', 145);
    text[290] = '\0';
    assert_fails(parse(text, &root, &err), S3STORE_LIMIT_EXCEEDED, "144");
    text[289] = '\0';
    assert_ok(parse(text + 1, &root, &err)); /* 144 levels */
    s3s_json_free(root);

    s3s_buffer b;
    s3s_buffer_init(&b, NULL, SIZE_MAX);
    assert_ok(s3s_buffer_append_text(&b, "[\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\"", &err));
    assert_ok(s3s_buffer_append_text(&b, "]", &err));
    assert_ok(s3s_json_parse((char *)b.data, b.size, "k", &root, &err));
    s3s_json_free(root);
    s3s_buffer_clear(&b);
    assert_ok(s3s_buffer_append_text(&b, "[0", &err));
    for (int i = 0; i < 10000; i++)
        assert_ok(s3s_buffer_append_text(&b, ",0", &err));
    assert_ok(s3s_buffer_append_text(&b, "]", &err));
    assert_fails(s3s_json_parse((char *)b.data, b.size, "k", &root, &err), S3STORE_LIMIT_EXCEEDED,
                 "members");
    s3s_buffer_clear(&b);
    assert_non_null(s3s_buffer_reserve(&b, 1024 * 1024 + 1, &err));
    memset(b.data, ' ', 1024 * 1024 + 1);
    assert_fails(s3s_json_parse((char *)b.data, 1024 * 1024 + 1, "k", &root, &err),
                 S3STORE_LIMIT_EXCEEDED, "1048577");
    s3s_buffer_deinit(&b);
}

static void write_sample(s3s_json_writer *w)
{
    s3s_json_open(w, '{');
    s3s_json_name(w, "name");
    s3s_json_put_text(w, "a\"\\\n\t\x01 gr\xC3\xBCn");
    s3s_json_name(w, "empty");
    s3s_json_open(w, '[');
    s3s_json_close(w, ']');
    s3s_json_name(w, "list");
    s3s_json_open(w, '[');
    s3s_json_put_int(w, INT64_MIN);
    s3s_json_put_bool(w, true);
    s3s_json_open(w, '{');
    s3s_json_close(w, '}');
    s3s_json_close(w, ']');
    s3s_json_close(w, '}');
}

static void test_write__is_deterministic_and_readable(void **state)
{
    (void)state;
    s3store_error err;
    s3s_buffer b;
    s3s_json_writer w;
    s3s_buffer_init(&b, NULL, SIZE_MAX);
    s3s_json_begin(&w, &b);
    write_sample(&w);
    assert_ok(s3s_json_end(&w, &err));
    static const char expected[] = "{\n"
                                   "  \"name\": \"a\\\"\\\\\\n\\t\\u0001 gr\xC3\xBCn\",\n"
                                   "  \"empty\": [],\n"
                                   "  \"list\": [\n"
                                   "    -9223372036854775808,\n"
                                   "    true,\n"
                                   "    {}\n"
                                   "  ]\n"
                                   "}\n";
    assert_string_equal(s3s_buffer_text(&b, &err), expected);
    s3s_json *root;
    assert_ok(s3s_json_parse((char *)b.data, b.size, "k", &root, &err));
    assert_string_equal(s3s_json_text(s3s_json_get(root, "name")), "a\"\\\n\t\x01 gr\xC3\xBCn");
    s3s_json_free(root);
    s3s_buffer_deinit(&b);
}

static void test_write__failures_are_kept_to_the_end(void **state)
{
    (void)state;
    s3store_error err;
    s3s_buffer b;
    s3s_json_writer w;
    s3s_buffer_init(&b, NULL, 20);
    s3s_json_begin(&w, &b);
    write_sample(&w);
    assert_fails(s3s_json_end(&w, &err), S3STORE_LIMIT_EXCEEDED, "20 bytes");
    s3s_buffer_deinit(&b);

    s3s_buffer_init(&b, NULL, SIZE_MAX);
    s3s_json_begin(&w, &b);
    s3s_json_put_text(&w, "\xFF");
    assert_fails(s3s_json_end(&w, &err), S3STORE_INVALID_ARGUMENT, "UTF-8");
    s3s_json_begin(&w, &b);
    s3s_json_open(&w, '{');
    assert_fails(s3s_json_end(&w, &err), S3STORE_INTERNAL, NULL);
    s3s_buffer_deinit(&b);
}

static void test_write__every_failing_allocation_is_reported(void **state)
{
    (void)state;
    s3store_error err;
    s3s_env *env;
    assert_ok(s3s_env_new_real(&env, &err));
    bool passed = false;
    for (uint64_t n = 0; !passed; n++) {
        s3s_buffer b;
        s3s_json_writer w;
        s3s_buffer_init(&b, env, SIZE_MAX);
        s3s_env_fail_alloc_at(env, n);
        s3s_json_begin(&w, &b);
        write_sample(&w);
        s3store_status status = s3s_json_end(&w, &err);
        passed = status == S3STORE_OK;
        assert_true(passed || status == S3STORE_OUT_OF_MEMORY);
        s3s_buffer_deinit(&b);
        assert_true(n < 100);
    }
    s3s_env_fail_alloc_at(env, UINT64_MAX);
    assert_int_equal(s3s_env_live_allocs(env), 0);
    s3s_env_release(env);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_read__values_of_every_kind),
        cmocka_unit_test(test_read__absent_or_other_kind_is_null_or_false),
        cmocka_unit_test(test_read__bad_documents_name_source_line_and_column),
        cmocka_unit_test(test_read__is_bounded),
        cmocka_unit_test(test_write__is_deterministic_and_readable),
        cmocka_unit_test(test_write__failures_are_kept_to_the_end),
        cmocka_unit_test(test_write__every_failing_allocation_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
