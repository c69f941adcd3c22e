/* Partition specifications "part[=column[:format]]". */
#include "dataset/partition.h"
#include "support/test.h"

static s3store_error err;
static s3s_arena arena;

static int setup(void **state)
{
    (void)state;
    s3s_arena_init(&arena, NULL);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    s3s_arena_deinit(&arena);
    return 0;
}

static void test_spec__forms(void **state)
{
    (void)state;
    static const struct {
        const char *text, *name, *column, *canonical;
        s3s_format_kind format;
        const char *strftime;
    } rows[] = {
        {"customer", "customer", "customer", "customer", S3S_FORMAT_NONE, NULL},
        {"c=customer", "c", "customer", "c=customer", S3S_FORMAT_NONE, NULL},
        {"c=c", "c", "c", "c", S3S_FORMAT_NONE, NULL},
        {"year=t:year", "year", "t", "year=t:year", S3S_FORMAT_YEAR, NULL},
        {"m=t:month", "m", "t", "m=t:month", S3S_FORMAT_MONTH, NULL},
        {"day=time:day", "day", "time", "day=time:day", S3S_FORMAT_DAY, NULL},
        {"day=day:day", "day", "day", "day=day:day", S3S_FORMAT_DAY, NULL},
        {"h=t:hour", "h", "t", "h=t:hour", S3S_FORMAT_HOUR, NULL},
        {"h=t:%H:%M", "h", "t", "h=t:%H:%M", S3S_FORMAT_STRFTIME, "%H:%M"},
        {"w=t:%Y=%j", "w", "t", "w=t:%Y=%j", S3S_FORMAT_STRFTIME, "%Y=%j"},
        {"a:b", "a:b", "a:b", "a:b", S3S_FORMAT_NONE, NULL},
        {"a b=c d", "a b", "c d", "a b=c d", S3S_FORMAT_NONE, NULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        s3s_part_spec spec, again;
        assert_ok(s3s_part_spec_parse(&arena, rows[i].text, &spec, &err));
        assert_string_equal(spec.name, rows[i].name);
        assert_string_equal(spec.column, rows[i].column);
        assert_int_equal(spec.format, rows[i].format);
        assert_string_equal(spec.text, rows[i].canonical);
        if (rows[i].strftime != NULL)
            assert_string_equal(spec.strftime, rows[i].strftime);
        else
            assert_null(spec.strftime);
        /* the canonical text says the same */
        assert_ok(s3s_part_spec_parse(&arena, spec.text, &again, &err));
        assert_true(s3s_part_spec_equal(&spec, &again));
    }
}

static void test_spec__bad_ones_say_what_exists(void **state)
{
    (void)state;
    static const struct {
        const char *text, *why;
    } rows[] = {
        {"", "empty"},
        {NULL, "empty"},
        {"=c", "the part is empty"},
        {"a=", "the column is empty"},
        {"a=:day", "the column is empty"},
        {"a=c:", "there is no format \"\"; there are year, month, day, hour"},
        {"a=c:days", "there is no format \"days\""},
        {"a=c:Day", "there is no format \"Day\""},
        {"a=c:%Q", "there is no format \"%Q\""},
        {"a=c:%Y%", "there is no format"},
        {"a=c:%Y/%m", "contains '/'"},
        {"a=c:%Y..%m", "contains '..'"},
        {"a=b:c:day", "there is no format \"c:day\""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        s3s_part_spec spec;
        assert_fails(s3s_part_spec_parse(&arena, rows[i].text, &spec, &err),
                     S3STORE_INVALID_ARGUMENT, rows[i].why);
        assert_int_equal(s3s_part_spec_parse(&arena, rows[i].text, &spec, NULL),
                         S3STORE_INVALID_ARGUMENT);
        assert_null(spec.name);
    }
}

static void test_specs__names_are_checked(void **state)
{
    (void)state;
    const char *const good[] = {"year=t:year", "customer"};
    const char *const twice[] = {"a=x", "a=y"};
    const char *const slash[] = {"a/b=x"};
    const char *const second[] = {"a", "b=t:nope"};
    s3s_part_spec *specs;
    assert_ok(s3s_part_specs_parse(&arena, good, 2, &specs, &err));
    assert_string_equal(specs[1].name, "customer");
    assert_fails(s3s_part_specs_parse(&arena, NULL, 0, &specs, &err), S3STORE_INVALID_ARGUMENT,
                 "at least one partition column");
    assert_fails(s3s_part_specs_parse(&arena, twice, 2, &specs, &err), S3STORE_INVALID_ARGUMENT,
                 "\"a\" is named twice");
    assert_fails(s3s_part_specs_parse(&arena, slash, 1, &specs, &err), S3STORE_INVALID_ARGUMENT,
                 "contains '/'");
    assert_fails(s3s_part_specs_parse(&arena, second, 2, &specs, &err), S3STORE_INVALID_ARGUMENT,
                 "\"nope\"");
    assert_fails(s3s_part_specs_parse(&arena, good, 1000, &specs, &err), S3STORE_INVALID_ARGUMENT,
                 "at most 256");
    assert_fails(s3s_part_specs_parse(&arena, NULL, 2, &specs, &err), S3STORE_INVALID_ARGUMENT,
                 "at least one partition column");
    assert_null(specs);
}

static void test_spec__equality(void **state)
{
    (void)state;
    static const char *const texts[] = {"a", "a=b", "b", "a=b:day", "a=b:hour", "a=b:%Y", "a=b:%m"};
    enum { COUNT = sizeof texts / sizeof texts[0] };
    s3s_part_spec specs[COUNT];
    for (size_t i = 0; i < COUNT; i++)
        assert_ok(s3s_part_spec_parse(&arena, texts[i], &specs[i], &err));
    for (size_t i = 0; i < COUNT; i++)
        for (size_t j = 0; j < COUNT; j++)
            assert_int_equal(s3s_part_spec_equal(&specs[i], &specs[j]), i == j);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_spec__forms),
        cmocka_unit_test(test_spec__bad_ones_say_what_exists),
        cmocka_unit_test(test_specs__names_are_checked),
        cmocka_unit_test(test_spec__equality),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
