/* Every operation again and again, with the n-th allocation failing, for every n: it fails with
 * OUT_OF_MEMORY, leaks nothing, and works the next time. */
#include "unit/arrow/kit.h"

#include "arrow/sortkey.h"
#include "arrow/stream.h"

typedef struct fixture {
    s3s_env *env;
    s3s_schema *nested;
    struct ArrowArray nested_batch;
    s3s_schema *flat;
    struct ArrowArray flat_batch;
    s3s_schema *wide;
    s3s_schema *wide_nested; /* than what kit_nested makes */
    struct ArrowSchema abi;
} fixture;

typedef struct record {
    int64_t id;
    const char *name;
    const int32_t *value;
} record;

static const s3store_field record_fields[] = {
    {.name = "id", .kind = S3STORE_KIND_INT64, .offset = offsetof(record, id)},
    {.name = "name", .kind = S3STORE_KIND_CSTRING, .offset = offsetof(record, name)},
    {.name = "value",
     .kind = S3STORE_KIND_INT32,
     .offset = offsetof(record, value),
     .null = S3STORE_NULL_POINTER},
};
static const s3store_record_type record_type = S3STORE_RECORD_TYPE(record, record_fields);

typedef s3store_status (*operation)(fixture *f, s3store_error *err);

static s3store_status do_take(fixture *f, s3store_error *err)
{
    const struct ArrowArray *batches[] = {&f->nested_batch, &f->nested_batch};
    const s3s_row rows[] = {{0, 3}, {1, 0}, {0, 1}, {1, 2}};
    struct ArrowArray out;
    s3store_status status =
        s3s_batch_take(f->env, f->nested, batches, 2, rows, 4, NULL, 0, &out, err);
    s3s_array_release(&out);
    return status;
}

static s3store_status do_take_flat(fixture *f, s3store_error *err)
{
    const struct ArrowArray *batches[] = {&f->flat_batch};
    const s3s_row rows[] = {{0, 0}, {0, 1}, {0, 2}, {0, 0}, {0, 1}, {0, 2}, {0, 0}, {0, 1}};
    struct ArrowArray out;
    s3store_status status =
        s3s_batch_take(f->env, f->flat, batches, 1, rows, 8, NULL, 0, &out, err);
    s3s_array_release(&out);
    if (status != S3STORE_OK)
        return status;
    status = s3s_batch_take(f->env, f->flat, batches, 1, rows, 3, NULL, 0, &out, err);
    s3s_array_release(&out);
    return status;
}

static s3store_status do_convert(fixture *f, s3store_error *err)
{
    struct ArrowArray out;
    s3store_status status =
        s3s_batch_convert(f->env, f->flat, &f->flat_batch, f->wide, "f", &out, err);
    s3s_array_release(&out);
    return status;
}

static s3store_status do_convert_nested(fixture *f, s3store_error *err)
{
    struct ArrowArray out;
    s3store_status status =
        s3s_batch_convert(f->env, f->flat, &f->flat_batch, f->nested, "f", &out, err);
    s3s_array_release(&out);
    return status;
}

static s3store_status do_convert_parts(fixture *f, s3store_error *err)
{
    struct ArrowArray out;
    s3store_status status =
        s3s_batch_convert(f->env, f->nested, &f->nested_batch, f->wide_nested, "f", &out, err);
    s3s_array_release(&out);
    return status;
}

/* "[[1,null]]", "{x,null}" and nulls. */
static s3store_status fill_nested(s3store_builder *b, s3store_error *err)
{
    s3store_builder *lists = s3store_builder_child(b, 0), *list = s3store_builder_child(lists, 0);
    s3store_builder *members = s3store_builder_child(b, 1);
    s3store_status status = s3store_builder_append_int(list, 0, 1, err);
    if (status == S3STORE_OK)
        status = s3store_builder_append_null(list, 0, err);
    if (status == S3STORE_OK)
        status = s3store_builder_append_nested(lists, 0, err);
    if (status == S3STORE_OK)
        status = s3store_builder_append_nested(b, 0, err);
    if (status == S3STORE_OK)
        status = s3store_builder_append_bytes(members, 0, "x", 1, err);
    if (status == S3STORE_OK)
        status = s3store_builder_append_null(members, 1, err);
    if (status == S3STORE_OK)
        status = s3store_builder_append_nested(b, 1, err);
    for (size_t i = 0; i < 2 && status == S3STORE_OK; i++)
        status = s3store_builder_append_null(b, i, err);
    return status;
}

static s3store_status do_build_nested(fixture *f, s3store_error *err)
{
    s3store_builder *b = NULL;
    struct ArrowArray out = {0};
    s3s_schema *schema;
    s3store_status status = s3s_schema_new(f->env, 2, &schema, err);
    static const char *const types[] = {"list<list<int64>>", "struct<s: string, m: map<int8, int8>>"};
    for (size_t i = 0; status == S3STORE_OK && i < 2; i++) {
        schema->fields[i] = (s3s_field){.name = i == 0 ? "l" : "s", .nullable = true};
        if (s3s_field_from_text(&schema->arena, types[i], &schema->fields[i]) != S3S_TEXT_TYPE) {
            status = S3STORE_OUT_OF_MEMORY;
            err->status = status;
        }
    }
    if (status == S3STORE_OK)
        status = s3s_builder_new(f->env, schema, &b, err);
    if (status == S3STORE_OK)
        status = fill_nested(b, err);
    if (status == S3STORE_OK) {
        status = s3store_builder_finish(b, &out, err);
        if (status != S3STORE_OK) /* the rows are kept */
            assert_int_equal(s3store_builder_rows(b), 2);
        else
            assert_string_equal(kit_text(schema, &out), "[[1,null]]|{x,null}\nnull|null\n");
        s3s_array_release(&out);
    }
    s3store_builder_free(b);
    s3s_schema_release(schema);
    return status;
}

static s3store_status do_export_import(fixture *f, s3store_error *err)
{
    struct ArrowSchema abi;
    s3s_schema *schema = NULL;
    s3store_status status = s3s_schema_export(f->nested, &abi, err);
    if (status != S3STORE_OK) {
        assert_null(abi.release);
        return status;
    }
    status = s3s_schema_import(f->env, &abi, &schema, err);
    s3s_schema_abi_release(&abi);
    s3s_schema_release(schema);
    return status;
}

static s3store_status do_select(fixture *f, s3store_error *err)
{
    const size_t columns[] = {2, 3};
    s3s_schema *schema;
    s3store_status status = s3s_schema_select(f->nested, columns, 2, &schema, err);
    s3s_schema_release(schema);
    return status;
}

static s3store_status do_slice(fixture *f, s3store_error *err)
{
    const struct ArrowArray *batches[] = {&f->nested_batch};
    const s3s_row rows[] = {{0, 0}, {0, 1}};
    struct ArrowArray copy;
    struct ArrowArray part;
    s3s_shared_batch *shared;
    s3store_status status =
        s3s_batch_take(f->env, f->nested, batches, 1, rows, 2, NULL, 0, &copy, err);
    if (status != S3STORE_OK)
        return status;
    status = s3s_batch_share(f->env, &copy, &shared, err);
    if (status != S3STORE_OK)
        return status;
    status = s3s_batch_slice(shared, 1, 1, &part, err);
    s3s_shared_batch_release(shared);
    s3s_array_release(&part);
    return status;
}

static s3store_status fill(s3store_builder *b, s3store_error *err)
{
    s3store_status status = S3STORE_OK;
    for (int i = 0; i < 3 && status == S3STORE_OK; i++) {
        status = s3store_builder_append_int(b, 0, i, err);
        if (status == S3STORE_OK)
            status = s3store_builder_append_bytes(b, 1, "text", 4, err);
        if (status == S3STORE_OK && i == 1)
            status = s3store_builder_append_null(b, 2, err);
        else if (status == S3STORE_OK)
            status = s3store_builder_append_int(b, 2, i, err);
        if (status == S3STORE_OK)
            status = s3store_builder_append_bool(b, 3, true, err);
    }
    return status;
}

static s3store_status do_build(fixture *f, s3store_error *err)
{
    s3store_builder *b;
    struct ArrowArray out;
    s3store_status status = s3s_builder_new(f->env, f->flat, &b, err);
    if (status != S3STORE_OK)
        return status;
    status = fill(b, err);
    if (status == S3STORE_OK) {
        status = s3store_builder_finish(b, &out, err);
        /* A finish that fails keeps the rows. */
        if (status != S3STORE_OK)
            assert_int_equal(s3store_builder_rows(b), 3);
        s3s_array_release(&out);
    }
    s3store_builder_free(b);
    return status;
}

static s3store_status do_records(fixture *f, s3store_error *err)
{
    const int32_t five = 5;
    const record in[] = {{1, "a", &five}, {2, "bcd", NULL}};
    record out[2];
    struct ArrowArray batch;
    s3s_schema *schema;
    s3s_arena arena;
    s3store_status status = s3s_record_schema(f->env, &record_type, &schema, err);
    if (status != S3STORE_OK)
        return status;
    s3s_arena_init(&arena, f->env);
    status = s3s_records_to_batch(f->env, schema, &record_type, in, 0, 2, &batch, err);
    if (status == S3STORE_OK)
        status = s3s_batch_to_records(schema, &batch, 0, 2, &record_type, out, true, &arena, err);
    s3s_array_release(&batch);
    s3s_arena_deinit(&arena);
    s3s_schema_release(schema);
    return status;
}

static s3store_status do_sort_keys(fixture *f, s3store_error *err)
{
    const size_t columns[] = {1, 0};
    s3s_sort_keys keys;
    s3store_status status =
        s3s_sort_keys_make(f->env, f->flat, &f->flat_batch, columns, 2, &keys, err);
    s3s_sort_keys_deinit(&keys);
    return status;
}

static s3store_status end(void *impl, struct ArrowArray *out, s3store_error *err)
{
    (void)impl;
    (void)out;
    (void)err;
    return S3STORE_END;
}

static void count_free(void *impl)
{
    (*(int *)impl)++;
}

static s3store_status do_stream(fixture *f, s3store_error *err)
{
    int freed = 0;
    struct ArrowArrayStream stream;
    struct ArrowArray batch;
    s3s_stream_reader *reader;
    s3store_status status = s3s_stream_make(
        f->env, f->flat, (s3s_batch_source){&freed, end, count_free}, &stream, err);
    if (status == S3STORE_OK) {
        status = s3s_stream_reader_new(f->env, &stream, &reader, err);
        if (status == S3STORE_OK) {
            assert_int_equal(s3s_stream_reader_next(reader, &batch, err), S3STORE_END);
            s3s_stream_reader_free(reader);
        }
    }
    assert_int_equal(freed, 1);
    return status;
}

static void test_memory__every_failing_allocation_is_an_error_and_leaks_nothing(void **state)
{
    s3store_error err;
    fixture f = {.env = *state};
    kit_nested(f.env, &f.nested, &f.nested_batch);
    f.flat = kit_schema(f.env, "id:int64;name:string;value:int32?;ok:bool");
    f.wide = kit_schema(f.env, "id:double;name:large_string;value:int64?;ok:bool;new:string?");
    KIT_BATCH(f.flat, &f.flat_batch, "1|a|5|true", "2|bcd|null|false", "3||7|true");
    f.wide_nested = kit_schema(f.env, "l:large_list<double>?;s:struct<n: bool, b: list<large_string>, "
                                      "a: string>?;m:map<large_string, double>?");
    static const operation operations[] = {
        do_take,  do_take_flat, do_convert, do_convert_nested, do_export_import, do_select,
        do_slice, do_build,     do_records, do_sort_keys,      do_stream,        do_convert_parts,
        do_build_nested,
    };
    for (size_t i = 0; i < sizeof operations / sizeof *operations; i++) {
        uint64_t before = s3s_env_live_allocs(f.env);
        bool done = false;
        for (uint64_t n = 0; !done; n++) {
            memset(&err, 0, sizeof err);
            s3s_env_fail_alloc_at(f.env, n);
            s3store_status status = operations[i](&f, &err);
            s3s_env_fail_alloc_at(f.env, UINT64_MAX);
            done = status == S3STORE_OK;
            if (!done && (status != S3STORE_OUT_OF_MEMORY || err.status != S3STORE_OUT_OF_MEMORY))
                fail_msg("operation %zu, allocation %d: %s", i, (int)n,
                         s3store_status_name(status));
            if (s3s_env_live_allocs(f.env) != before)
                fail_msg("operation %zu, allocation %d leaks", i, (int)n);
            if (done && n < 2)
                fail_msg("operation %zu allocates nothing", i);
        }
    }
    s3s_array_release(&f.nested_batch);
    s3s_array_release(&f.flat_batch);
    s3s_schema_release(f.nested);
    s3s_schema_release(f.flat);
    s3s_schema_release(f.wide);
    s3s_schema_release(f.wide_nested);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            test_memory__every_failing_allocation_is_an_error_and_leaks_nothing, kit_setup,
            kit_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
