/* tests/unit/parquet/test_thrift.c: the compact protocol against hostile bytes. */
#include "support/test.h"

#include "parquet/metadata.h"

typedef struct point {
    uint64_t has;
    int32_t x;
    bool on;
    s3s_thrift_binary name;
    s3s_thrift_list numbers; /* int64_t */
} point;

static const s3s_thrift_field point_fields[] = {
    {.id = 1, .kind = S3S_THRIFT_I32, .required = true, .offset = offsetof(point, x), .name = "x"},
    {.id = 2, .kind = S3S_THRIFT_BOOL, .offset = offsetof(point, on), .name = "on"},
    {.id = 4, .kind = S3S_THRIFT_BINARY, .offset = offsetof(point, name), .name = "name"},
    {.id = 40, .kind = S3S_THRIFT_LIST, .item = S3S_THRIFT_I64, .offset = offsetof(point, numbers),
     .name = "numbers"},
};
static const s3s_thrift_struct point_struct = {"Point", sizeof(point), point_fields, 4};

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

static s3store_status read_point(const void *data, size_t size, point *out, bool *truncated,
                                 s3store_error *err)
{
    return s3s_thrift_read(&point_struct, data, size, &arena, 1 << 20, out, NULL, truncated, err);
}

static void test_thrift__reads_what_it_writes(void **state)
{
    (void)state;
    s3store_error err;
    int64_t numbers[20];
    for (int i = 0; i < 20; i++)
        numbers[i] = (int64_t)i * i * -1000000007;
    point in = {.has = 15, .x = INT32_MIN, .on = true, .numbers = {numbers, 20}}, out;
    in.name = (s3s_thrift_binary){(const uint8_t *)"abc", 3};
    s3s_buffer bytes;
    s3s_buffer_init(&bytes, NULL, SIZE_MAX);
    assert_ok(s3s_thrift_write(&point_struct, &in, &bytes, &err));
    assert_ok(read_point(bytes.data, bytes.size, &out, NULL, &err));
    assert_int_equal(out.has, 15);
    assert_int_equal(out.x, INT32_MIN);
    assert_true(out.on);
    assert_memory_equal(out.name.data, "abc", 3);
    assert_int_equal(out.numbers.count, 20);
    assert_memory_equal(out.numbers.items, numbers, sizeof numbers);
    for (size_t size = 0; size < bytes.size; size++) {
        bool truncated = false;
        assert_fails(read_point(bytes.data, size, &out, &truncated, &err), S3STORE_CORRUPT,
                     "ends");
        assert_true(truncated);
    }
    s3s_buffer_deinit(&bytes);
}

typedef struct nest {
    uint64_t has;
    struct {
        uint64_t has;
        point inner;
    } middle;
} nest;

static const s3s_thrift_field middle_fields[] = {
    {.id = 1, .kind = S3S_THRIFT_STRUCT, .offset = 8, .sub = &point_struct, .name = "inner"},
};
static const s3s_thrift_struct middle_struct = {"Middle", sizeof(point) + 8, middle_fields, 1};
static const s3s_thrift_field nest_fields[] = {
    {.id = 1, .kind = S3S_THRIFT_STRUCT, .offset = 8, .sub = &middle_struct, .name = "middle"},
};
static const s3s_thrift_struct nest_struct = {"Nest", sizeof(nest), nest_fields, 1};

/* Wherever the room ends, nothing is written beyond it. */
static void test_thrift__stops_where_its_buffer_ends(void **state)
{
    (void)state;
    enum { SLACK = 16 }; /* a field looks for as much, whatever it takes */
    s3store_error err;
    int64_t numbers[20];
    for (int i = 0; i < 20; i++)
        numbers[i] = INT64_MIN + i;
    nest in = {.has = 1, .middle = {.has = 1}};
    in.middle.inner = (point){.has = 15, .x = INT32_MIN, .numbers = {numbers, 20}};
    in.middle.inner.name = (s3s_thrift_binary){(const uint8_t *)"0123456789012345678", 19};
    s3s_buffer all, part;
    s3s_buffer_init(&all, NULL, SIZE_MAX);
    assert_ok(s3s_thrift_write(&nest_struct, &in, &all, &err));
    for (size_t max = 0; max < all.size + 2 * SLACK; max++) {
        s3s_buffer_init(&part, NULL, max);
        s3store_status status = s3s_thrift_write(&nest_struct, &in, &part, &err);
        assert_true(part.size <= max);
        if (max < all.size)
            assert_int_equal(status, S3STORE_LIMIT_EXCEEDED);
        if (max >= all.size + SLACK)
            assert_ok(status);
        if (status == S3STORE_OK)
            assert_int_equal(part.size, all.size);
        s3s_buffer_deinit(&part);
    }
    s3s_buffer_deinit(&all);
}

static void test_thrift__skips_unknown_fields_of_every_type(void **state)
{
    (void)state;
    s3store_error err;
    static const uint8_t bytes[] = {
        0x15, 0x02,                         /* 1: i32 1 */
        0x23, 0x7f,                         /* 3: byte */
        0x24, 0x80, 0x01,                   /* 5: i16 */
        0x17, 1, 2, 3, 4, 5, 6, 7, 8,       /* 6: double */
        0x18, 0x02, 'h', 'i',               /* 7: binary */
        0x19, 0x31, 1, 2, 1,                /* 8: list of 3 bools */
        0x1a, 0x25, 0x02, 0x04,             /* 9: set of 2 i32 */
        0x1b, 0x02, 0x85, 1, 'k', 2, 1, 'l', 4, /* 10: map binary -> i32 */
        0x1b, 0x00,                         /* 11: empty map */
        0x1c, 0x1c, 0x11, 0x00, 0x00,       /* 12: struct of a struct of a bool */
        0x00,
    };
    point out;
    assert_ok(read_point(bytes, sizeof bytes, &out, NULL, &err));
    assert_int_equal(out.has, 1);
    assert_int_equal(out.x, 1);
}

static void test_thrift__names_a_missing_required_field(void **state)
{
    (void)state;
    s3store_error err;
    point out;
    assert_fails(read_point("\x21\x00", 2, &out, NULL, &err), S3STORE_CORRUPT, "Point.x");
}

static void test_thrift__a_list_cannot_be_longer_than_its_bytes(void **state)
{
    (void)state;
    s3store_error err;
    point out;
    /* field 40, list of i64, 2^28 items */
    static const uint8_t bomb[] = {0x15, 0x02, 0x09, 0x50, 0xf6, 0x80, 0x80, 0x80, 0x80, 0x01, 0};
    size_t before = arena.used;
    assert_fails(read_point(bomb, sizeof bomb, &out, NULL, &err), S3STORE_CORRUPT, "numbers");
    assert_int_equal(arena.used, before);
}

static void test_thrift__a_list_is_bounded_by_memory(void **state)
{
    (void)state;
    s3store_error err;
    point out;
    /* 100000 items */
    static uint8_t bytes[300000] = {0x15, 0x02, 0x09, 0x50, 0xf6, 0xa0, 0x8d, 0x06};
    assert_fails(s3s_thrift_read(&point_struct, bytes, sizeof bytes, &arena, 100000, &out, NULL,
                                 NULL, &err),
                 S3STORE_LIMIT_EXCEEDED, "--memory");
}

static void test_thrift__deep_nesting_is_refused(void **state)
{
    (void)state;
    s3store_error err;
    point out;
    static uint8_t structs[100000], lists[100000];
    memset(structs, 0x1c, sizeof structs); /* a struct in a struct in... */
    assert_fails(read_point(structs, sizeof structs, &out, NULL, &err), S3STORE_CORRUPT,
                 "64 levels");
    memset(lists, 0x19, sizeof lists); /* lists of lists */
    assert_fails(read_point(lists, sizeof lists, &out, NULL, &err), S3STORE_CORRUPT, "64 levels");
}

static void test_thrift__numbers_stay_in_range(void **state)
{
    (void)state;
    s3store_error err;
    point out;
    static const uint8_t wide[] = {0x15, 0xff, 0xff, 0xff, 0xff, 0xff, 0x0f, 0};
    assert_fails(read_point(wide, sizeof wide, &out, NULL, &err), S3STORE_CORRUPT, "range");
    static const uint8_t endless[] = {0x15, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                                      0xff, 0xff, 0xff, 0xff, 0xff, 0};
    assert_fails(read_point(endless, sizeof endless, &out, NULL, &err), S3STORE_CORRUPT, "64 bits");
}

static void test_thrift__another_wire_type_counts_as_absent(void **state)
{
    (void)state;
    s3store_error err;
    point out;
    static const uint8_t bytes[] = {0x15, 0x02, 0x35, 0x02, 0x00}; /* 4: i32 where text is meant */
    assert_ok(read_point(bytes, sizeof bytes, &out, NULL, &err));
    assert_int_equal(out.has, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        T(test_thrift__reads_what_it_writes),
        T(test_thrift__stops_where_its_buffer_ends),
        T(test_thrift__skips_unknown_fields_of_every_type),
        T(test_thrift__names_a_missing_required_field),
        T(test_thrift__a_list_cannot_be_longer_than_its_bytes),
        T(test_thrift__a_list_is_bounded_by_memory),
        T(test_thrift__deep_nesting_is_refused),
        T(test_thrift__numbers_stay_in_range),
        T(test_thrift__another_wire_type_counts_as_absent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
