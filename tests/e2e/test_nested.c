/* Lists, structs and maps: written, widened, told apart, read on every path. */
#include "e2e/e2e.h"

static const char *const by_p[] = {"p"};
static const dataset_options plain = {.partition_by = by_p, .partition_by_count = 1, .plain = true};

static const char columns[] = "p:u l:list<int32> s:struct<a:string,b:list<string>> m:map<string,int64> "
                              "d:list<struct<x:int8,y:list<bool>>>";

static void refuse(const dataset *d, const s3store_write_options *options, const char *types,
                   const char *cells, s3store_status status, const char *names)
{
    s3store_error err;
    struct ArrowArrayStream stream;
    s3store_write_result *result = NULL;
    make_stream(types, cells, &stream);
    assert_fails(s3store_write(d->writer, &stream, options, &result, &err), status, names);
    s3store_write_result_free(result);
}

static s3store_commit_state write_under(const dataset *d, const char *token, const char *types,
                                        const char *cells)
{
    s3store_error err;
    struct ArrowArrayStream stream;
    s3store_write_result *result = NULL;
    s3store_write_options options = S3STORE_WRITE_OPTIONS_INIT;
    options.token = token;
    make_stream(types, cells, &stream);
    assert_ok(s3store_write(d->writer, &stream, &options, &result, &err));
    s3store_commit_state state = s3store_write_result_get(result, 0)->state;
    s3store_write_result_free(result);
    return state;
}

static const char *column_type(const dataset *d, const char *name)
{
    static char text[512];
    s3store_error err;
    struct ArrowSchema schema;
    uint32_t version;
    assert_ok(s3store_target_schema(d->target, NULL, &version, &schema, &err));
    strcpy(text, "none");
    for (int64_t i = 0; i < schema.n_children; i++)
        if (strcmp(schema.children[i]->name, name) == 0)
            (void)s3store_type_text(schema.children[i], text, sizeof text);
    schema.release(&schema);
    return text;
}

static void test_nested__what_is_written_is_read(void **state)
{
    (void)state;
    s3store_error err;
    dataset d;
    dataset_make(&d, "nested", &plain);
    write_cells(&d, columns,
                "x [1,-,3] {a,[b,-]} [{k,1},{l,-}] [{1,[true,-]},-,{-,-}];x - - - -;x [] {-,-} [] [];"
                "y [7] {c,[]} [{k,2}] [{2,[]}]");
    assert_string_equal(read_text(&d, "*", NULL, false),
                        "x|[1,-,3]|{a,[b,-]}|[{k,1},{l,-}]|[{1,[true,-]},-,{-,-}];x|-|-|-|-;"
                        "x|[]|{-,-}|[]|[];y|[7]|{c,[]}|[{k,2}]|[{2,[]}];");
    assert_string_equal(read_text(&d, "p=y", "m,l", false), "[{k,2}]|[7];");
    assert_string_equal(column_type(&d, "d"), "list<item: struct<x: int8, y: list<item: bool>>>");
    /* Another process, which knows the schema from its objects alone. */
    dataset other;
    dataset_open(&other, d.url);
    write_cells(&other, columns, "y [8] - - -");
    assert_string_equal(read_text(&other, "p=y", "l", false), "[7];[8];");
    dataset_close(&other);
    /* The stream delivers them as well. */
    wait_settled(&d);
    struct ArrowArrayStream stream;
    s3store_read_options range = S3STORE_READ_OPTIONS_INIT;
    range.range = true;
    assert_ok(s3store_read(d.reader, &range, &stream, &err));
    assert_int_equal(stream_rows(&stream), 5);
    dataset_close(&d);
}

static void test_nested__types_widen_part_by_part(void **state)
{
    (void)state;
    dataset d;
    dataset_make(&d, "nested_widen", &plain);
    write_cells(&d, "p:u l:list<int32> s:struct<a:int8,b:string> m:map<string,int32>",
                "x [1,-] {1,u} [{k,1}]");
    write_cells(&d, "p:u l:list<double> s:struct<c:list<bool>,a:int64> m:map<string,int64>",
                "x [0.5] {[true],5000000000} [{k,6000000000}]");
    assert_string_equal(column_type(&d, "s"), "struct<a: int64, b: string, c: list<item: bool>>");
    /* What is narrower still fits; large offsets are the same type. */
    write_cells(&d, "p:u l:large_list<int8> s:struct<b:string>", "x [7] {v}");
    assert_string_equal(column_type(&d, "l"), "list<item: double>");
    assert_string_equal(read_text(&d, "*", "l,s,m", false),
                        "[1,-]|{1,u,-}|[{k,1}];[0.5]|{5000000000,-,[true]}|[{k,6000000000}];"
                        "[7]|{-,v,-}|-;");
    refuse(&d, NULL, "p:u l:list<string>", "x [a]", S3STORE_SCHEMA_MISMATCH, "l.item");
    refuse(&d, NULL, "p:u s:struct<c:list<int8>>", "x {[1]}", S3STORE_SCHEMA_MISMATCH, "s.c.item");
    refuse(&d, NULL, "p:u l:u", "x a", S3STORE_SCHEMA_MISMATCH, "recorded as list<item: double>");
    refuse(&d, NULL, "p:u l:list<int64>", "x [9007199254740993]", S3STORE_SCHEMA_MISMATCH,
           "9007199254740993");
    assert_int_equal(count_rows(&d, "*", false), 3);
    dataset_close(&d);
}

static void test_nested__types_that_are_not_known_wait(void **state)
{
    (void)state;
    dataset d;
    dataset_make(&d, "nested_unknown", &plain);
    refuse(&d, NULL, "p:u l:list<null>", "x []", S3STORE_UNSUPPORTED, "\"l\": the type of what it holds");
    write_cells(&d, "p:u s:struct<a:int8,n:null>", "x {1,-}"); /* a member is left out, as a column is */
    write_cells(&d, "p:u l:list<string>", "x [a]");
    write_cells(&d, "p:u l:list<null>", "x [-]");
    assert_string_equal(column_type(&d, "s"), "struct<a: int8>");
    assert_string_equal(read_text(&d, "*", "s,l", false), "{1}|-;-|[a];-|[-];");
    dataset_close(&d);
}

/* What is recorded can be written: a column too deep for a file would spoil every later write. */
static void test_nested__as_deep_as_a_file_holds(void **state)
{
    (void)state;
    dataset d;
    char types[1024] = "p:u c:", cells[1024] = "x ", wanted[1024];
    dataset_make(&d, "nested_deep", &plain);
    for (int i = 0; i < 31; i++) {
        strcat(types, i % 2 ? "list<" : "map<string,");
        strcat(cells, i % 2 ? "[" : "[{k,");
    }
    strcat(types, "int64");
    strcat(cells, "7");
    for (int i = 31; i-- > 0;) {
        strcat(types, ">");
        strcat(cells, i % 2 ? "]" : "}]");
    }
    write_cells(&d, types, cells);
    snprintf(wanted, sizeof wanted, "%s;", cells + 2);
    assert_string_equal(read_text(&d, "*", "c", false), wanted);
    dataset_close(&d);
    dataset_make(&d, "nested_deeper", &plain);
    char deeper[1100];
    snprintf(deeper, sizeof deeper, "p:u c:list<%s>", types + 6);
    refuse(&d, NULL, deeper, "x []", S3STORE_UNSUPPORTED, "\"c\" is nested deeper than 64 levels");
    write_cells(&d, "p:u c:list<int64>", "x [1]");
    dataset_close(&d);
}

static void test_nested__a_token_knows_its_values(void **state)
{
    (void)state;
    dataset d;
    s3store_write_options again = S3STORE_WRITE_OPTIONS_INIT;
    s3store_verify_options verify = S3STORE_VERIFY_OPTIONS_INIT;
    s3store_verify_report report = {.size = sizeof report};
    s3store_error err;
    again.token = "t";
    dataset_make(&d, "nested_token", &plain);
    assert_int_equal(write_under(&d, "t", columns, "x [1,2] {a,[b]} [{k,1}] [{1,[true]},-]"),
                     S3STORE_COMMIT_DONE);
    assert_int_equal(write_under(&d, "t", columns, "x [1,2] {a,[b]} [{k,1}] [{1,[true]},-]"),
                     S3STORE_COMMIT_EXISTING);
    /* Wider types, members in another order, a null member and a null column more. */
    assert_int_equal(
        write_under(&d, "t",
                    "d:list<struct<y:list<bool>,n:string,x:int16>> m:map<string,double> "
                    "s:struct<b:list<string>,a:string> q:list<int8> l:large_list<int64> p:u",
                    "[{[true],-,1},-] [{k,1}] {[b],a} - [1,2] x"),
        S3STORE_COMMIT_EXISTING);
    static const char *const changed[] = {
        "x [1,3] {a,[b]} [{k,1}] [{1,[true]},-]",   "x [2,1] {a,[b]} [{k,1}] [{1,[true]},-]",
        "x [1,2] {a,[b,-]} [{k,1}] [{1,[true]},-]", "x [1,2] {a,[b]} [{k,-}] [{1,[true]},-]",
        "x [1,2] {a,[b]} [{k,1}] [{1,[true]}]",     "x [1,2] {a,[b]} [{k,1}] -",
    };
    for (size_t i = 0; i < sizeof changed / sizeof changed[0]; i++)
        refuse(&d, &again, columns, changed[i], S3STORE_TOKEN_REUSED, "t");
    verify.contents = true;
    assert_ok(s3store_verify(d.target, &verify, &report, &err));
    assert_int_equal(report.hashed, 1);
    assert_int_equal(report.damages, 0);
    assert_int_equal(report.remarks, 0);
    dataset_close(&d);
}

static void test_nested__latest_and_history_carry_them(void **state)
{
    (void)state;
    dataset d;
    static const dataset_options entities = {.partition_by = by_p, .partition_by_count = 1};
    dataset_make(&d, "nested_latest", &entities);
    write_cells(&d, "p:u id:u updated:tsu:UTC tags:list<string>", "x a 1 [one];x b 1 -;x a 2 [two,-]");
    write_cells(&d, "p:u id:u updated:tsu:UTC tags:list<string>", "x b 3 [];x a 1 [late]");
    assert_string_equal(read_text(&d, "*", "id,tags", false), "a|[two,-];b|[];");
    assert_string_equal(read_text(&d, "*", "id,tags", true), "a|[one];a|[two,-];b|-;b|[];");
    refuse(&d, NULL, "p:u id:list<string> updated:tsu:UTC", "x [a] 1", S3STORE_SCHEMA_MISMATCH,
           "entity column id is list<item: string>");
    refuse(&d, NULL, "p:u id:u updated:struct<t:int64>", "x a {1}", S3STORE_SCHEMA_MISMATCH,
           "version column updated");
    dataset_close(&d);
}

static void test_nested__keys_are_never_nested(void **state)
{
    (void)state;
    static const char *view_columns[] = {"tags"}, *const sorted[] = {"tags"};
    s3store_view_def view = S3STORE_VIEW_DEF_INIT;
    s3store_write_options options = S3STORE_WRITE_OPTIONS_INIT;
    s3store_error err;
    dataset d;
    bool created;
    int64_t from;
    dataset_make(&d, "nested_keys", &plain);
    refuse(&d, NULL, "p:list<string>", "[x]", S3STORE_SCHEMA_MISMATCH, "column \"p\" is list<item: string>");
    options.sorting_columns = sorted;
    options.sorting_column_count = 1;
    refuse(&d, &options, "p:u tags:list<string>", "x [a]", S3STORE_INVALID_ARGUMENT, "tags");
    options.sorting_column_count = 0;
    options.bloom_columns = sorted; /* of what lies in it */
    options.bloom_column_count = 1;
    struct ArrowArrayStream stream;
    s3store_write_result *result;
    make_stream("p:u tags:list<string>", "x [a,b]", &stream);
    assert_ok(s3store_write(d.writer, &stream, &options, &result, &err));
    s3store_write_result_free(result);
    view.name = "by_tags";
    view.columns = view_columns;
    view.column_count = 1;
    assert_fails(s3store_view_add(d.target, &view, NULL, &created, &from, &err),
                 S3STORE_SCHEMA_MISMATCH, "tags");
    view_columns[0] = "later"; /* no data has it yet */
    const s3store_view_def *const views[] = {&view};
    s3store_writer_options with_view = S3STORE_WRITER_OPTIONS_INIT;
    with_view.views = views;
    with_view.view_count = 1;
    dataset viewed = d;
    assert_ok(s3store_writer_open(d.target, &with_view, &viewed.writer, &err));
    refuse(&viewed, NULL, "p:u later:list<string>", "x [c]", S3STORE_SCHEMA_MISMATCH, "later");
    s3store_writer_free(viewed.writer);
    write_cells(&d, "p:u later:u", "x c");
    assert_string_equal(read_text(&d, "*", "tags", false), "[a,b];-;");
    dataset_close(&d);
}

/* Lists of C structs are columns like those of the Arrow door. */
static void test_nested__both_doors_have_the_same_lists(void **state)
{
    (void)state;
    typedef struct record {
        const char *p;
        s3store_list numbers, names;
        bool no_names;
    } record;
    static const s3store_field fields[] = {
        {.name = "p", .kind = S3STORE_KIND_CSTRING, .offset = offsetof(record, p)},
        {.name = "numbers", .kind = S3STORE_KIND_LIST, .item = S3STORE_KIND_INT64,
         .offset = offsetof(record, numbers), .null = S3STORE_NULL_ZERO},
        {.name = "names", .kind = S3STORE_KIND_LIST, .item = S3STORE_KIND_CSTRING,
         .offset = offsetof(record, names), .null = S3STORE_NULL_FLAG,
         .flag_offset = offsetof(record, no_names)},
    };
    static const s3store_record_type type = S3STORE_RECORD_TYPE(record, fields);
    static const int64_t numbers[] = {1, 2};
    static const char *const names[] = {"a", "b"}, *const all[] = {"*"};
    const record rows[] = {{"x", {numbers, 2}, {names, 2}, false}, {"x", {NULL, 0}, {NULL, 0}, true}};
    s3store_error err;
    dataset d;
    s3store_write_result *result;
    s3store_records *records;
    s3store_write_options options = S3STORE_WRITE_OPTIONS_INIT;
    s3store_read_options read = S3STORE_READ_OPTIONS_INIT;
    options.token = "t";
    dataset_make(&d, "nested_doors", &plain);
    assert_ok(s3store_write_records(d.writer, &type, rows, 2, &options, &result, &err));
    s3store_write_result_free(result);
    assert_string_equal(read_text(&d, "*", NULL, false), "x|[1,2]|[a,b];x|[]|-;");
    /* The same rows, of narrower numbers, by the other door. */
    assert_int_equal(write_under(&d, "t", "p:u names:list<string> numbers:list<int8>",
                                 "x [a,b] [1,2];x - []"),
                     S3STORE_COMMIT_EXISTING);
    write_cells(&d, "p:u numbers:list<int8>", "x [7];x -");
    read.patterns = all;
    read.pattern_count = 1;
    assert_ok(s3store_read_records(d.reader, &type, &read, &records, &err));
    assert_int_equal(s3store_records_count(records), 4);
    const record *got = s3store_records_data(records); /* in the order of their tokens */
    assert_int_equal(((const int64_t *)got[0].numbers.items)[0], 7);
    assert_true(got[1].no_names && got[1].numbers.count == 0);
    got += 2;
    assert_int_equal(got[0].numbers.count, 2);
    assert_int_equal(((const int64_t *)got[0].numbers.items)[1], 2);
    assert_string_equal(((const char *const *)got[0].names.items)[1], "b");
    assert_true(got[1].no_names && got[1].numbers.count == 0);
    s3store_records_free(records);
    dataset_close(&d);
}

/* ---- more than memory ------------------------------------------------------------------------------ */

typedef struct source {
    int batches_left, number;
    struct ArrowSchema schema;
} source;

static int source_schema(struct ArrowArrayStream *stream, struct ArrowSchema *out)
{
    (void)stream;
    make_schema("p:u n:l items:list<struct<k:int64,t:string>>", out);
    return 0;
}

#define SOURCE_ROWS 500

/* Row n has n % 7 items of 0 to 300 bytes; every 11th has none at all. */
static int source_next(struct ArrowArrayStream *stream, struct ArrowArray *out)
{
    source *s = stream->private_data;
    s3store_error err;
    s3store_builder *b;
    char text[301];
    *out = (struct ArrowArray){0};
    if (s->batches_left-- == 0)
        return 0;
    memset(text, 'x', sizeof text);
    assert_ok(s3store_builder_new(&s->schema, &b, &err));
    s3store_builder *items = s3store_builder_child(b, 2), *item = s3store_builder_child(items, 0);
    for (int r = 0; r < SOURCE_ROWS; r++, s->number++) {
        int n = s->number;
        assert_ok(s3store_builder_append_bytes(b, 0, n % 3 == 0 ? "even" : "odd", n % 3 == 0 ? 4 : 3,
                                               &err));
        assert_ok(s3store_builder_append_int(b, 1, n, &err));
        for (int k = 0; k < n % 7 && n % 11 != 0; k++) {
            assert_ok(s3store_builder_append_int(item, 0, n + k, &err));
            assert_ok(s3store_builder_append_bytes(item, 1, text, (size_t)(n * 31 + k) % 301, &err));
            assert_ok(s3store_builder_append_nested(items, 0, &err));
        }
        if (n % 11 == 0)
            assert_ok(s3store_builder_append_null(b, 2, &err));
        else
            assert_ok(s3store_builder_append_nested(b, 2, &err));
    }
    assert_ok(s3store_builder_finish(b, out, &err));
    s3store_builder_free(b);
    return 0;
}

static const char *source_error(struct ArrowArrayStream *stream)
{
    (void)stream;
    return NULL;
}

static void source_release(struct ArrowArrayStream *stream)
{
    source *s = stream->private_data;
    s->schema.release(&s->schema);
    stream->release = NULL;
}

static void check_items(const struct ArrowArray *batch, int64_t row)
{
    const struct ArrowArray *numbers = batch->children[0], *items = batch->children[1];
    const struct ArrowArray *item = items->children[0];
    int64_t i = batch->offset + row;
    int64_t n = ((const int64_t *)numbers->buffers[1])[numbers->offset + i];
    i += items->offset;
    const uint8_t *bits = items->buffers[0];
    bool null = bits != NULL && (bits[i / 8] >> (i % 8) & 1) == 0;
    const int32_t *offsets = items->buffers[1];
    assert_int_equal(null, n % 11 == 0);
    assert_int_equal(offsets[i + 1] - offsets[i], null ? 0 : n % 7);
    for (int32_t k = 0; k < offsets[i + 1] - offsets[i]; k++) {
        int64_t at = item->offset + offsets[i] + k;
        const int32_t *texts = item->children[1]->buffers[1];
        int64_t t = item->children[1]->offset + at;
        assert_int_equal(((const int64_t *)item->children[0]->buffers[1])[item->children[0]->offset + at],
                         n + k);
        assert_int_equal(texts[t + 1] - texts[t], (n * 31 + k) % 301);
    }
}

static void test_nested__more_than_memory_is_written_and_found_again(void **state)
{
    (void)state;
    enum { BATCHES = 60 };
    s3store_error err;
    dataset d;
    s3store_target *target;
    s3store_writer *writer;
    s3store_target_config config = S3STORE_TARGET_CONFIG_INIT;
    dataset_make(&d, "nested_large", &plain);
    config.url = d.url;
    config.memory_bytes = 4 << 20; /* the input has 16 MiB */
    for (int round = 0; round < 2; round++, config.memory_bytes *= 16) {
        s3store_write_options options = S3STORE_WRITE_OPTIONS_INIT;
        s3store_write_result *result;
        source s = {.batches_left = BATCHES};
        struct ArrowArrayStream stream = {.get_schema = source_schema, .get_next = source_next,
                                          .get_last_error = source_error, .release = source_release,
                                          .private_data = &s};
        (void)source_schema(NULL, &s.schema);
        options.token = "large";
        assert_ok(s3store_target_open(&config, &target, &err));
        assert_ok(s3store_writer_open(target, NULL, &writer, &err));
        assert_ok(s3store_write(writer, &stream, &options, &result, &err));
        assert_int_equal(s3store_write_result_count(result), 2);
        for (size_t i = 0; i < 2; i++) /* by any means, it is the same */
            assert_int_equal(s3store_write_result_get(result, i)->state,
                             round == 0 ? S3STORE_COMMIT_DONE : S3STORE_COMMIT_EXISTING);
        s3store_write_result_free(result);
        s3store_writer_free(writer);
        s3store_target_free(target);
    }
    static const char *const wanted[] = {"n", "items"}, *const all[] = {"*"};
    s3store_read_options read = S3STORE_READ_OPTIONS_INIT;
    struct ArrowArrayStream stream;
    int64_t rows = 0;
    read.patterns = all;
    read.pattern_count = 1;
    read.columns = wanted;
    read.column_count = 2;
    assert_ok(s3store_read(d.reader, &read, &stream, &err));
    for (;;) {
        struct ArrowArray batch;
        assert_int_equal(stream.get_next(&stream, &batch), 0);
        if (batch.release == NULL)
            break;
        for (int64_t r = 0; r < batch.length; r++)
            check_items(&batch, r);
        rows += batch.length;
        batch.release(&batch);
    }
    stream.release(&stream);
    assert_int_equal(rows, BATCHES * SOURCE_ROWS);
    dataset_close(&d);
}

int run_nested_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nested__what_is_written_is_read),
        cmocka_unit_test(test_nested__types_widen_part_by_part),
        cmocka_unit_test(test_nested__types_that_are_not_known_wait),
        cmocka_unit_test(test_nested__as_deep_as_a_file_holds),
        cmocka_unit_test(test_nested__a_token_knows_its_values),
        cmocka_unit_test(test_nested__latest_and_history_carry_them),
        cmocka_unit_test(test_nested__keys_are_never_nested),
        cmocka_unit_test(test_nested__both_doors_have_the_same_lists),
        cmocka_unit_test(test_nested__more_than_memory_is_written_and_found_again),
    };
    return cmocka_run_group_tests_name("nested", tests, NULL, NULL);
}
