/* What foreign batches may not do. */
#include "unit/arrow/kit.h"

/* A hand-made column, as a foreign producer would lay it out; nothing is owned. */
typedef struct foreign {
    struct ArrowArray batch;
    struct ArrowArray column;
    struct ArrowArray *columns[1];
    const void *batch_buffers[1];
    const void *buffers[3];
} foreign;

static void no_release(struct ArrowArray *array)
{
    array->release = NULL;
}

static void foreign_init(foreign *f, int64_t length, int64_t null_count, size_t buffer_count,
                         const void *validity, const void *b1, const void *b2)
{
    memset(f, 0, sizeof *f);
    f->buffers[0] = validity;
    f->buffers[1] = b1;
    f->buffers[2] = b2;
    f->column = (struct ArrowArray){.length = length,
                                    .null_count = null_count,
                                    .n_buffers = (int64_t)buffer_count,
                                    .buffers = f->buffers,
                                    .release = no_release};
    f->columns[0] = &f->column;
    f->batch = (struct ArrowArray){.length = length,
                                   .n_buffers = 1,
                                   .buffers = f->batch_buffers,
                                   .n_children = 1,
                                   .children = f->columns,
                                   .release = no_release};
}

static const int64_t four_ints[] = {1, 2, 3, 4};

static void test_validate__a_good_batch_passes(void **state)
{
    s3store_error err;
    s3s_schema *schema = kit_schema(*state, "a:int64?");
    uint8_t bits = 0xD;
    foreign f;
    foreign_init(&f, 4, 1, 2, &bits, four_ints, NULL);
    assert_ok(s3s_batch_validate(schema, &f.batch, &err));
    f.column.null_count = -1;
    assert_ok(s3s_batch_validate(schema, &f.batch, &err));
    assert_string_equal(kit_text(schema, &f.batch), "1\nnull\n3\n4\n");
    foreign_init(&f, 0, 0, 2, NULL, NULL, NULL);
    assert_ok(s3s_batch_validate(schema, &f.batch, &err));
    s3s_schema_release(schema);
}

static void test_validate__shape_errors_name_the_column(void **state)
{
    s3store_error err;
    s3s_schema *schema = kit_schema(*state, "a:int64?");
    uint8_t bits = 0xD;
    foreign f;
#define BAD(change, status, text)                                                                  \
    foreign_init(&f, 4, 1, 2, &bits, four_ints, NULL);                                             \
    change;                                                                                        \
    assert_fails(s3s_batch_validate(schema, &f.batch, &err), status, text)
    BAD(f.batch.release = NULL, S3STORE_INVALID_ARGUMENT, "released");
    BAD(f.batch.n_children = 2, S3STORE_INVALID_ARGUMENT, "2 columns");
    BAD(f.batch.children = NULL, S3STORE_INVALID_ARGUMENT, "columns");
    BAD(f.batch.length = -1, S3STORE_CORRUPT, "-1");
    BAD(f.batch.offset = INT64_MAX, S3STORE_CORRUPT, "offset");
    BAD(f.batch.n_buffers = 2, S3STORE_CORRUPT, "struct");
    BAD(f.batch.null_count = 1, S3STORE_INVALID_ARGUMENT, "null rows");
    BAD(f.batch_buffers[0] = &bits; f.batch.null_count = -1, S3STORE_INVALID_ARGUMENT,
        "null rows");
    BAD(f.batch.length = 5, S3STORE_CORRUPT, "\"a\"");
    BAD(f.batch.offset = 1, S3STORE_CORRUPT, "\"a\"");
    BAD(f.columns[0] = NULL, S3STORE_INVALID_ARGUMENT, "\"a\"");
    BAD(f.column.release = NULL, S3STORE_INVALID_ARGUMENT, "\"a\"");
    BAD(f.column.offset = -1, S3STORE_CORRUPT, "\"a\"");
    BAD(f.column.length = -1; f.batch.length = 0, S3STORE_CORRUPT, "\"a\"");
    BAD(f.column.offset = INT64_MAX - 1, S3STORE_CORRUPT, "\"a\"");
    BAD(f.column.length = INT64_MAX / 8, S3STORE_CORRUPT, "\"a\"");
    BAD(f.column.n_buffers = 1, S3STORE_CORRUPT, "1 buffers");
    BAD(f.column.buffers = NULL, S3STORE_CORRUPT, "\"a\"");
    BAD(f.buffers[1] = NULL, S3STORE_CORRUPT, "buffer 1");
    BAD(f.buffers[1] = (const uint8_t *)four_ints + 1, S3STORE_INVALID_ARGUMENT, "aligned");
    BAD(f.column.n_children = 1, S3STORE_CORRUPT, "child");
    BAD(f.column.dictionary = &f.batch, S3STORE_UNSUPPORTED, "dictionary");
    BAD(f.column.null_count = 2, S3STORE_CORRUPT, "null_count is 2");
    BAD(f.column.null_count = 5, S3STORE_CORRUPT, "5 nulls");
    BAD(f.buffers[0] = NULL, S3STORE_CORRUPT, "bitmap");
#undef BAD
    s3s_schema_release(schema);
}

static void test_validate__nulls_where_none_are_allowed_name_the_row(void **state)
{
    s3store_error err;
    s3s_schema *schema = kit_schema(*state, "a:int64");
    uint8_t bits = 0xB;
    foreign f;
    foreign_init(&f, 4, -1, 2, &bits, four_ints, NULL);
    assert_fails(s3s_batch_validate(schema, &f.batch, &err), S3STORE_INVALID_ARGUMENT,
                 "column \"a\", row 2");
    f.batch.offset = 1; /* rows count from the batch's first */
    f.batch.length = 3;
    assert_fails(s3s_batch_validate(schema, &f.batch, &err), S3STORE_INVALID_ARGUMENT,
                 "column \"a\", row 1");
    f.batch.length = 1;
    assert_ok(s3s_batch_validate(schema, &f.batch, &err));
    s3s_schema_release(schema);
    schema = kit_schema(*state, "n:null");
    foreign_init(&f, 1, 1, 0, NULL, NULL, NULL);
    assert_fails(s3s_batch_validate(schema, &f.batch, &err), S3STORE_INVALID_ARGUMENT, "\"n\"");
    s3s_schema_release(schema);
}

static void test_validate__offsets_must_rise_and_fit(void **state)
{
    s3store_error err;
    s3s_schema *schema = kit_schema(*state, "s:string");
    s3s_schema *large = kit_schema(*state, "s:large_binary");
    int32_t offsets[] = {0, 2, 1, 3};
    int32_t negative[] = {-1, 0, 1, 3};
    int64_t wide[] = {0, 1, INT64_MIN, 3};
    foreign f;
    foreign_init(&f, 3, 0, 3, NULL, offsets, "abc");
    assert_fails(s3s_batch_validate(schema, &f.batch, &err), S3STORE_CORRUPT, "row 1");
    foreign_init(&f, 3, 0, 3, NULL, negative, "abc");
    assert_fails(s3s_batch_validate(schema, &f.batch, &err), S3STORE_CORRUPT, "negative");
    foreign_init(&f, 3, 0, 3, NULL, wide, "abc");
    assert_fails(s3s_batch_validate(large, &f.batch, &err), S3STORE_CORRUPT, "row 1");
    offsets[2] = 2;
    foreign_init(&f, 3, 0, 3, NULL, offsets, NULL);
    assert_fails(s3s_batch_validate(schema, &f.batch, &err), S3STORE_CORRUPT, "bytes");
    int32_t empty[] = {7, 7, 7, 7};
    foreign_init(&f, 3, 0, 3, NULL, empty, NULL);
    assert_ok(s3s_batch_validate(schema, &f.batch, &err));
    assert_string_equal(kit_text(schema, &f.batch), "\n\n\n");
    s3s_schema_release(schema);
    s3s_schema_release(large);
}

static void test_validate__strings_are_utf8_one_by_one(void **state)
{
    s3store_error err;
    s3s_schema *schema = kit_schema(*state, "s:string?");
    int32_t offsets[] = {0, 1, 3, 4};
    foreign f;
    foreign_init(&f, 3, 0, 3, NULL, offsets, "a\xc3\xa9z");
    assert_ok(s3s_batch_validate(schema, &f.batch, &err));
    /* Valid as a whole, but cut inside a character. */
    offsets[1] = 2;
    assert_fails(s3s_batch_validate(schema, &f.batch, &err), S3STORE_INVALID_ARGUMENT,
                 "column \"s\", row 0");
    offsets[1] = 1;
    foreign_init(&f, 3, 0, 3, NULL, offsets, "a\xff\xffz");
    assert_fails(s3s_batch_validate(schema, &f.batch, &err), S3STORE_INVALID_ARGUMENT, "row 1");
    /* A null may cover anything. */
    uint8_t bits = 0x5;
    foreign_init(&f, 3, 1, 3, &bits, offsets, "a\xff\xffz");
    assert_ok(s3s_batch_validate(schema, &f.batch, &err));
    assert_string_equal(kit_text(schema, &f.batch), "a\nnull\nz\n");
    s3s_schema_release(schema);
}

static void test_validate__only_the_rows_of_the_batch_are_looked_at(void **state)
{
    s3store_error err;
    s3s_schema *schema = kit_schema(*state, "s:string");
    int32_t offsets[] = {9, 0, 1, 2, -5};
    foreign f;
    foreign_init(&f, 4, 0, 3, NULL, offsets, "ab");
    assert_fails(s3s_batch_validate(schema, &f.batch, &err), S3STORE_CORRUPT, "\"s\"");
    f.batch.offset = 1;
    f.batch.length = 2;
    assert_ok(s3s_batch_validate(schema, &f.batch, &err));
    assert_string_equal(kit_text(schema, &f.batch), "a\nb\n");
    s3s_schema_release(schema);
}

static void test_validate__nested_arrays_are_checked_to_the_leaves(void **state)
{
    s3store_error err;
    s3s_env *env = *state;
    s3s_schema *schema;
    struct ArrowArray batch;
    kit_nested(env, &schema, &batch);
    assert_ok(s3s_batch_validate(schema, &batch, &err));
    assert_string_equal(kit_text(schema, &batch),
                        "1|[10,null]|{x,[p,q]}|[{k1,1}]\n"
                        "2|null|{null,[]}|[]\n"
                        "3|[]|null|[{k2,null},{k3,3}]\n"
                        "4|[13]|{zz,[r]}|null\n");
    struct ArrowArray *list = batch.children[1];
    list->children[0]->length = 2;
    assert_fails(s3s_batch_validate(schema, &batch, &err), S3STORE_CORRUPT,
                 "column \"l\", field \"item\"");
    list->children[0]->length = 3;
    struct ArrowArray *text = batch.children[2]->children[1]->children[0];
    ((char *)(uintptr_t)text->buffers[2])[1] = '\xff';
    assert_fails(s3s_batch_validate(schema, &batch, &err), S3STORE_INVALID_ARGUMENT,
                 "column \"s\", field \"item\", element 1");
    ((char *)(uintptr_t)text->buffers[2])[1] = 'q';
    struct ArrowArray *entries = batch.children[3]->children[0];
    entries->n_children = 1;
    assert_fails(s3s_batch_validate(schema, &batch, &err), S3STORE_CORRUPT, "\"m\"");
    entries->n_children = 2;
    struct ArrowArray *strukt = batch.children[2];
    strukt->offset = 1; /* reaches beyond its children */
    assert_fails(s3s_batch_validate(schema, &batch, &err), S3STORE_CORRUPT, "\"s\"");
    strukt->offset = 0;
    list->children[0]->release = NULL;
    assert_fails(s3s_batch_validate(schema, &batch, &err), S3STORE_CORRUPT, "\"l\"");
    list->children[0]->release = entries->release;
    s3s_array_release(&batch);
    s3s_schema_release(schema);
}

static void test_validate__nulls_below_a_null_are_nobodys_business(void **state)
{
    s3store_error err;
    s3s_env *env = *state;
    s3s_schema *schema;
    struct ArrowArray batch;
    kit_nested(env, &schema, &batch);
    /* a is null in rows 1 and 2; the struct itself only in row 2. */
    schema->fields[2].children[0].nullable = false;
    assert_fails(s3s_batch_validate(schema, &batch, &err), S3STORE_INVALID_ARGUMENT,
                 "column \"s\", field \"a\", element 1");
    uint8_t *bits = (uint8_t *)(uintptr_t)batch.children[2]->children[0]->buffers[0];
    *bits = 0xB;
    batch.children[2]->children[0]->null_count = 1;
    assert_ok(s3s_batch_validate(schema, &batch, &err));
    /* Elements of a list: the second of the first row is null. */
    schema->fields[1].children[0].nullable = false;
    assert_fails(s3s_batch_validate(schema, &batch, &err), S3STORE_INVALID_ARGUMENT,
                 "column \"l\", field \"item\", element 1");
    s3s_array_release(&batch);
    s3s_schema_release(schema);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, kit_setup, kit_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_validate__a_good_batch_passes),
        TEST(test_validate__shape_errors_name_the_column),
        TEST(test_validate__nulls_where_none_are_allowed_name_the_row),
        TEST(test_validate__offsets_must_rise_and_fit),
        TEST(test_validate__strings_are_utf8_one_by_one),
        TEST(test_validate__only_the_rows_of_the_batch_are_looked_at),
        TEST(test_validate__nested_arrays_are_checked_to_the_leaves),
        TEST(test_validate__nulls_below_a_null_are_nobodys_business),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
