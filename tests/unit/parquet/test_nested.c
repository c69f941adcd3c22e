/* tests/unit/parquet/test_nested.c: lists, structs and maps: written and read back, legacy shapes,
 * levels that lie.
 */
#include "env.h"
#include "fixture.h"

#include "parquet/encoding/bits.h"
#include "parquet/encoding/hybrid.h"
#include "parquet/metadata.h"

/* ---- round trips ----------------------------------------------------------------------------- */

static void round_trip(bool nullable, const s3s_parquet_write_options *options, int64_t rows,
                       unsigned null_permille, int64_t max_rows)
{
    s3store_error err;
    s3s_schema *schema = fixture_nested(env, nullable);
    struct ArrowArray batches[2];
    s3s_buffer file, again;
    s3s_buffer_init(&file, env, SIZE_MAX);
    s3s_buffer_init(&again, env, SIZE_MAX);
    fixture_batch(env, schema, rows, 1, null_permille, FIXTURE_FEW, &batches[0]);
    fixture_batch(env, schema, rows / 2, 2, null_permille, FIXTURE_RANDOM, &batches[1]);
    assert_ok(fixture_write(env, schema, options, batches, 2, &file, &err));
    assert_ok(fixture_write(env, schema, options, batches, 2, &again, &err));
    assert_int_equal(file.size, again.size);
    assert_memory_equal(file.data, again.data, file.size);
    fixture_expect(env, &file, schema, batches, 2, max_rows);
    s3s_array_release(&batches[0]);
    s3s_array_release(&batches[1]);
    s3s_buffer_deinit(&file);
    s3s_buffer_deinit(&again);
    s3s_schema_release(schema);
}

static void test_nested__round_trips(void **state)
{
    (void)state;
    static const unsigned nulls[] = {0, 1, 300, 1000};
    for (size_t i = 0; i < 4; i++) {
        for (int no_dictionary = 0; no_dictionary < 2; no_dictionary++) {
            s3s_parquet_write_options options = {.no_dictionary = no_dictionary != 0};
            round_trip(true, &options, 700, nulls[i], 0);
            round_trip(false, &options, 700, nulls[i], 0);
        }
    }
    for (int64_t rows = 0; rows < 12; rows++)
        round_trip(true, NULL, rows, 300, 0);
}

static void test_nested__many_pages_row_groups_and_batches(void **state)
{
    (void)state;
    s3s_parquet_write_options options = {.page_bytes = 1024, .row_group_bytes = 30000};
    for (int64_t max_rows = 0; max_rows < 40; max_rows += 3)
        round_trip(true, &options, 500, 200, max_rows);
}

static void test_nested__slices_with_offsets(void **state)
{
    (void)state;
    s3store_error err;
    s3s_schema *schema = fixture_nested(env, true);
    struct ArrowArray batch, slices[3];
    s3s_shared_batch *shared = NULL;
    s3s_buffer file, whole;
    s3s_buffer_init(&file, env, SIZE_MAX);
    s3s_buffer_init(&whole, env, SIZE_MAX);
    fixture_batch(env, schema, 600, 9, 250, FIXTURE_RANDOM, &batch);
    s3s_parquet_write_options options = {.page_bytes = 2000};
    assert_ok(fixture_write(env, schema, &options, &batch, 1, &whole, &err));
    assert_ok(s3s_batch_share(env, &batch, &shared, &err));
    assert_ok(s3s_batch_slice(shared, 0, 131, &slices[0], &err));
    assert_ok(s3s_batch_slice(shared, 131, 203, &slices[1], &err));
    assert_ok(s3s_batch_slice(shared, 334, 266, &slices[2], &err));
    assert_ok(fixture_write(env, schema, &options, slices, 3, &file, &err));
    fixture_expect(env, &file, schema, slices, 3, 0);
    /* Pages do not depend on how rows came in batches. */
    assert_int_equal(file.size, whole.size);
    assert_memory_equal(file.data, whole.data, file.size);
    for (size_t i = 0; i < 3; i++)
        s3s_array_release(&slices[i]);
    s3s_shared_batch_release(shared);
    s3s_buffer_deinit(&file);
    s3s_buffer_deinit(&whole);
    s3s_schema_release(schema);
}

static void test_nested__a_column_is_selected_by_its_top_level_position(void **state)
{
    (void)state;
    s3store_error err;
    s3s_schema *schema = fixture_nested(env, true);
    struct ArrowArray batch, got;
    s3s_buffer file;
    s3s_buffer_init(&file, env, SIZE_MAX);
    fixture_batch(env, schema, 300, 5, 100, FIXTURE_RANDOM, &batch);
    assert_ok(fixture_write(env, schema, NULL, &batch, 1, &file, &err));
    s3s_parquet_memory memory = {file.data, file.size};
    s3s_parquet_file *parquet = NULL;
    s3s_parquet_cursor *cursor = NULL;
    assert_ok(s3s_parquet_open(env, s3s_parquet_memory_source(&memory), "t.parquet", NULL, &parquet,
                               &err));
    size_t columns[] = {7, 2};
    assert_ok(s3s_parquet_cursor_new(parquet, columns, 2, 0, &cursor, &err));
    const s3s_schema *selected = s3s_parquet_cursor_schema(cursor);
    assert_string_equal(selected->fields[0].name, "map");
    assert_ok(s3s_parquet_cursor_next(cursor, &got, &err));
    assert_ok(s3s_batch_validate(selected, &got, &err));
    assert_int_equal(got.length, 300);
    s3s_byte_range ranges[8];
    size_t count = 0;
    assert_ok(s3s_parquet_ranges(parquet, 0, columns, 2, 0, ranges, &count, 8, &err));
    assert_int_equal(count, 2); /* the two leaves of the map are neighbours */
    s3s_array_release(&got);
    s3s_parquet_cursor_free(cursor);
    s3s_parquet_free(parquet);
    s3s_array_release(&batch);
    s3s_buffer_deinit(&file);
    s3s_schema_release(schema);
}

static void test_nested__a_small_budget_gives_small_batches(void **state)
{
    (void)state;
    s3store_error err;
    s3s_schema *schema = fixture_nested(env, true);
    struct ArrowArray batch;
    s3s_buffer file;
    s3s_buffer_init(&file, env, SIZE_MAX);
    fixture_batch(env, schema, 3000, 1, 100, FIXTURE_RANDOM, &batch);
    s3s_parquet_write_options options = {.page_bytes = 4096};
    assert_ok(fixture_write(env, schema, &options, &batch, 1, &file, &err));
    int64_t rows = 0;
    assert_ok(fixture_drain(env, file.data, file.size, 3 << 20, &rows, &err));
    assert_int_equal(rows, 3000);
    assert_fails(fixture_drain(env, file.data, file.size, 40000, &rows, &err),
                 S3STORE_LIMIT_EXCEEDED, "--memory");
    s3s_array_release(&batch);
    s3s_buffer_deinit(&file);
    s3s_schema_release(schema);
}

static void test_nested__nulls_where_none_may_be_are_refused(void **state)
{
    (void)state;
    s3store_error err;
    s3s_schema *schema = fixture_nested(env, true), *strict = fixture_nested(env, true);
    struct ArrowArray batch;
    s3s_buffer file;
    s3s_buffer_init(&file, env, SIZE_MAX);
    fixture_batch(env, schema, 300, 5, 300, FIXTURE_RANDOM, &batch);
    strict->fields[0].children[0].nullable = false;
    assert_fails(fixture_write(env, strict, NULL, &batch, 1, &file, &err),
                 S3STORE_INVALID_ARGUMENT, "column \"ints\": \"element\" is not nullable");
    s3s_array_release(&batch);
    s3s_buffer_deinit(&file);
    s3s_schema_release(schema);
    s3s_schema_release(strict);
}

static void test_nested__structs_without_members_and_deep_trees_are_refused(void **state)
{
    (void)state;
    s3store_error err;
    s3s_schema *schema = fixture_one(env, "x", S3S_TYPE_STRUCT, true);
    s3s_buffer file;
    s3s_buffer_init(&file, env, SIZE_MAX);
    assert_fails(fixture_write(env, schema, NULL, NULL, 0, &file, &err), S3STORE_UNSUPPORTED,
                 "column \"x\": Parquet has no structs without members");
    s3s_field levels[40] = {{.name = "item", .type = S3S_TYPE_INT32}};
    for (size_t i = 1; i < 40; i++)
        levels[i] = (s3s_field){.name = "item", .type = S3S_TYPE_LIST, .children = &levels[i - 1],
                                .child_count = 1};
    s3s_field column = schema->fields[0];
    schema->fields[0] = levels[39];
    assert_fails(fixture_write(env, schema, NULL, NULL, 0, &file, &err), S3STORE_LIMIT_EXCEEDED,
                 "nested deeper than 64 levels");
    schema->fields[0] = column;
    s3s_buffer_deinit(&file);
    s3s_schema_release(schema);
}

/* ---- files made by hand ---------------------------------------------------------------------- */

/* A schema element: repetition, name, and type or number of children. */
typedef struct shape_element {
    s3s_repetition repetition;
    const char *name;
    int32_t children; /* 0 = INT32 */
    int32_t converted; /* -1 = none */
} shape_element;

typedef struct shape_leaf {
    unsigned max_rep, max_def;
    const uint32_t *rep, *def;
    size_t count;
} shape_leaf;

static void put_levels(s3s_buffer *body, const uint32_t *levels, size_t count, unsigned max)
{
    s3store_error err;
    uint32_t size = 0;
    size_t at = body->size;
    if (max == 0)
        return;
    assert_ok(s3s_buffer_append(body, &size, 4, &err));
    assert_ok(s3s_hybrid_encode(levels, count, s3s_bit_width(max), body, &err));
    size = (uint32_t)(body->size - at - 4);
    memcpy(body->data + at, &size, 4);
}

/* One page of INT32 1, 2, 3... wherever the definition level is the greatest. */
static void put_chunk(s3s_buffer *file, const shape_leaf *leaf, s3s_pq_chunk *chunk)
{
    s3store_error err;
    s3s_buffer body;
    s3s_buffer_init(&body, env, SIZE_MAX);
    put_levels(&body, leaf->rep, leaf->count, leaf->max_rep);
    put_levels(&body, leaf->def, leaf->count, leaf->max_def);
    int32_t next = 0;
    for (size_t i = 0; i < leaf->count; i++) {
        if (leaf->def[i] == leaf->max_def) {
            next++;
            assert_ok(s3s_buffer_append(&body, &next, 4, &err));
        }
    }
    s3s_pq_page_header header = {.has = 1u << S3S_PAGE_TYPE | 1u << S3S_PAGE_UNCOMPRESSED |
                                        1u << S3S_PAGE_COMPRESSED | 1u << S3S_PAGE_DATA,
                                 .uncompressed_size = (int32_t)body.size,
                                 .compressed_size = (int32_t)body.size};
    header.data = (s3s_pq_data_header){.has = 15, .num_values = (int32_t)leaf->count,
                                       .def_encoding = S3S_PQ_RLE, .rep_encoding = S3S_PQ_RLE};
    size_t at = file->size;
    assert_ok(s3s_thrift_write(&s3s_pq_page_header_struct, &header, file, &err));
    assert_ok(s3s_buffer_append(file, body.data, body.size, &err));
    s3s_buffer_deinit(&body);
    *chunk = (s3s_pq_chunk){.has = 1u << S3S_CHUNK_FILE_OFFSET | 1u << S3S_CHUNK_COLUMN};
    chunk->column = (s3s_pq_column){
        .has = 0xff, .type = S3S_PQ_INT32, .num_values = (int64_t)leaf->count,
        .uncompressed_size = (int64_t)(file->size - at),
        .compressed_size = (int64_t)(file->size - at), .data_page_offset = (int64_t)at};
}

static void make_file(s3s_buffer *file, const shape_element *shape, size_t shape_count,
                      const shape_leaf *leaves, size_t leaf_count, int64_t rows)
{
    s3store_error err;
    s3s_pq_schema_element elements[16] = {{0}};
    s3s_pq_chunk chunks[4];
    s3s_buffer_init(file, env, SIZE_MAX);
    assert_ok(s3s_buffer_append(file, "PAR1", 4, &err));
    for (size_t i = 0; i < leaf_count; i++)
        put_chunk(file, &leaves[i], &chunks[i]);
    for (size_t i = 0; i < shape_count; i++) {
        s3s_pq_schema_element *e = &elements[i];
        S3S_PQ_SET(e, S3S_ELEMENT_NAME);
        e->name = (s3s_thrift_binary){(const uint8_t *)shape[i].name, strlen(shape[i].name)};
        if (i > 0)
            S3S_PQ_SET(e, S3S_ELEMENT_REPETITION);
        e->repetition = (int32_t)shape[i].repetition;
        S3S_PQ_SET(e, shape[i].children > 0 ? S3S_ELEMENT_NUM_CHILDREN : S3S_ELEMENT_TYPE);
        e->num_children = shape[i].children;
        e->type = S3S_PQ_INT32;
        if (shape[i].converted >= 0)
            S3S_PQ_SET(e, S3S_ELEMENT_CONVERTED);
        e->converted = shape[i].converted;
    }
    s3s_pq_row_group group = {.has = 7, .columns = {chunks, leaf_count}, .num_rows = rows};
    s3s_pq_footer footer = {.has = 15, .version = 1, .schema = {elements, shape_count},
                            .num_rows = rows, .row_groups = {&group, 1}};
    size_t at = file->size;
    assert_ok(s3s_thrift_write(&s3s_pq_footer_struct, &footer, file, &err));
    uint32_t length = (uint32_t)(file->size - at);
    assert_ok(s3s_buffer_append(file, &length, 4, &err));
    assert_ok(s3s_buffer_append(file, "PAR1", 4, &err));
}

#define NONE (-1)
#define ROOT {S3S_PQ_REQUIRED, "schema", 1, NONE}
#define OPT S3S_PQ_OPTIONAL
#define REQ S3S_PQ_REQUIRED
#define REPEATED S3S_PQ_REPEATED

/* How groups are told to be lists, maps, or neither. */
static void test_nested__standard_and_legacy_shapes(void **state)
{
    (void)state;
    static const struct {
        shape_element shape[8];
        size_t count;
        const char *type;
        bool nullable;
    } shapes[] = {
        {{ROOT, {REPEATED, "a", 0, NONE}}, 2, "list<element: int32>", false},
        {{ROOT, {REPEATED, "a", 1, NONE}, {OPT, "b", 0, NONE}}, 3,
         "list<element: struct<b: int32>>", false},
        {{ROOT, {OPT, "a", 1, S3S_PQ_LIST}, {REPEATED, "list", 1, NONE}, {OPT, "element", 0, NONE}},
         4, "list<element: int32>", true},
        {{ROOT, {REQ, "a", 1, S3S_PQ_LIST}, {REPEATED, "bag", 1, NONE}, {REQ, "x", 0, NONE}}, 4,
         "list<x: int32>", false},
        {{ROOT, {OPT, "a", 1, S3S_PQ_LIST}, {REPEATED, "element", 0, NONE}}, 3,
         "list<element: int32>", true},
        {{ROOT, {OPT, "a", 1, S3S_PQ_LIST}, {REPEATED, "array", 1, NONE}, {REQ, "x", 0, NONE}}, 4,
         "list<array: struct<x: int32>>", true},
        {{ROOT, {OPT, "a", 1, S3S_PQ_LIST}, {REPEATED, "a_tuple", 1, NONE}, {REQ, "x", 0, NONE}},
         4, "list<a_tuple: struct<x: int32>>", true},
        {{ROOT, {OPT, "a", 1, S3S_PQ_LIST}, {REPEATED, "b", 1, NONE}, {REPEATED, "c", 0, NONE}}, 4,
         "list<b: struct<c: list<element: int32>>>", true},
        {{ROOT, {OPT, "a", 1, S3S_PQ_LIST}, {REPEATED, "array", 1, S3S_PQ_LIST},
          {REPEATED, "array", 0, NONE}}, 4, "list<array: list<array: int32>>", true},
        {{ROOT, {OPT, "a", 1, S3S_PQ_MAP}, {REPEATED, "key_value", 1, NONE},
          {REQ, "key", 0, NONE}}, 4, "list<key: int32>", true},
        {{ROOT, {OPT, "a", 1, NONE}, {REPEATED, "list", 1, NONE}, {OPT, "element", 0, NONE}}, 4,
         "struct<list: list<element: struct<element: int32>>>", true},
    };
    static const uint32_t zero = 0;
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        s3store_error err;
        s3s_buffer file;
        unsigned rep = 0, def = 0;
        for (size_t k = 1; k < shapes[i].count; k++) {
            rep += shapes[i].shape[k].repetition == REPEATED;
            def += shapes[i].shape[k].repetition != REQ;
        }
        shape_leaf leaf = {rep, def, &zero, &zero, 1};
        make_file(&file, shapes[i].shape, shapes[i].count, &leaf, 1, 1);
        s3s_parquet_memory memory = {file.data, file.size};
        s3s_parquet_file *parquet = NULL;
        assert_ok(s3s_parquet_open(env, s3s_parquet_memory_source(&memory), "t.parquet", NULL,
                                   &parquet, &err));
        char text[256];
        const s3s_field *field = &s3s_parquet_schema(parquet)->fields[0];
        assert_string_equal(s3s_field_type_text(field, text, sizeof text), shapes[i].type);
        assert_int_equal(field->nullable, shapes[i].nullable);
        s3s_parquet_free(parquet);
        int64_t rows;
        assert_ok(fixture_drain(env, file.data, file.size, 0, &rows, &err));
        assert_int_equal(rows, 1);
        s3s_buffer_deinit(&file);
    }
}

static void test_nested__maps_in_every_spelling(void **state)
{
    (void)state;
    static const int32_t converted[] = {S3S_PQ_MAP, S3S_PQ_MAP_KEY_VALUE};
    static const uint32_t rep[] = {0, 1, 0}, key_def[] = {2, 2, 1}, value_def[] = {3, 2, 1};
    for (size_t i = 0; i < 2; i++) {
        shape_element shape[] = {ROOT, {OPT, "m", 1, converted[i]},
                                 {REPEATED, i == 0 ? "map" : "key_value", 2,
                                  i == 0 ? S3S_PQ_MAP_KEY_VALUE : NONE},
                                 {REQ, "k", 0, NONE}, {OPT, "v", 0, NONE}};
        shape_leaf leaves[] = {{1, 2, rep, key_def, 3}, {1, 3, rep, value_def, 3}};
        s3store_error err;
        s3s_buffer file;
        make_file(&file, shape, 5, leaves, 2, 2);
        s3s_parquet_memory memory = {file.data, file.size};
        s3s_parquet_file *parquet = NULL;
        s3s_parquet_cursor *cursor = NULL;
        assert_ok(s3s_parquet_open(env, s3s_parquet_memory_source(&memory), "t.parquet", NULL,
                                   &parquet, &err));
        assert_ok(s3s_parquet_cursor_new(parquet, NULL, 0, 0, &cursor, &err));
        struct ArrowArray batch;
        assert_ok(s3s_parquet_cursor_next(cursor, &batch, &err));
        const s3s_schema *schema = s3s_parquet_cursor_schema(cursor);
        assert_int_equal(schema->fields[0].type, S3S_TYPE_MAP);
        assert_ok(s3s_batch_validate(schema, &batch, &err));
        s3s_column map, entries, value;
        s3s_batch_column(schema, &batch, 0, &map);
        int64_t start, end;
        s3s_column_list(&map, 0, &start, &end);
        assert_int_equal(end - start, 2);
        s3s_column_child(&map, 0, &entries);
        s3s_column_child(&entries, 1, &value);
        assert_int_equal(s3s_column_int(&value, 0), 1);
        assert_true(s3s_column_is_null(&value, 1));
        s3s_column_list(&map, 1, &start, &end);
        assert_true(start == end && !s3s_column_is_null(&map, 1));
        s3s_array_release(&batch);
        s3s_parquet_cursor_free(cursor);
        s3s_parquet_free(parquet);
        s3s_buffer_deinit(&file);
    }
}

static void test_nested__null_empty_and_list_of_null_differ(void **state)
{
    (void)state;
    static const shape_element shape[] = {ROOT, {OPT, "a", 1, S3S_PQ_LIST},
                                          {REPEATED, "list", 1, NONE}, {OPT, "element", 0, NONE}};
    static const uint32_t rep[] = {0, 0, 0, 0, 1}, def[] = {0, 1, 2, 3, 2};
    shape_leaf leaf = {1, 3, rep, def, 5};
    s3store_error err;
    s3s_buffer file;
    make_file(&file, shape, 4, &leaf, 1, 4);
    s3s_parquet_memory memory = {file.data, file.size};
    s3s_parquet_file *parquet = NULL;
    s3s_parquet_cursor *cursor = NULL;
    assert_ok(s3s_parquet_open(env, s3s_parquet_memory_source(&memory), "t.parquet", NULL, &parquet,
                               &err));
    assert_ok(s3s_parquet_cursor_new(parquet, NULL, 0, 0, &cursor, &err));
    struct ArrowArray batch;
    assert_ok(s3s_parquet_cursor_next(cursor, &batch, &err));
    s3s_column list, item;
    s3s_batch_column(s3s_parquet_cursor_schema(cursor), &batch, 0, &list);
    s3s_column_child(&list, 0, &item);
    static const int64_t sizes[] = {0, 0, 1, 2};
    for (int64_t i = 0; i < 4; i++) {
        int64_t start, end;
        s3s_column_list(&list, i, &start, &end);
        assert_int_equal(end - start, sizes[i]);
        assert_int_equal(s3s_column_is_null(&list, i), i == 0);
    }
    assert_int_equal(item.length, 3);
    assert_true(s3s_column_is_null(&item, 0));
    assert_int_equal(s3s_column_int(&item, 1), 1);
    assert_true(s3s_column_is_null(&item, 2));
    s3s_array_release(&batch);
    s3s_parquet_cursor_free(cursor);
    s3s_parquet_free(parquet);
    s3s_buffer_deinit(&file);
}

static void test_nested__levels_that_lie(void **state)
{
    (void)state;
    static const shape_element list[] = {ROOT, {OPT, "a", 1, S3S_PQ_LIST},
                                         {REPEATED, "list", 1, NONE}, {OPT, "element", 0, NONE}};
    static const struct {
        uint32_t rep[4], def[4];
        size_t count;
        int64_t rows;
        const char *text;
    } lies[] = {
        {{1, 0}, {3, 3}, 2, 1, "begins inside a row"},
        {{0, 1}, {1, 3}, 2, 1, "a list that has no items"},
        {{0, 1}, {3, 1}, 2, 1, "a list that has no items"},
        {{0, 0}, {3, 3}, 2, 1, "more rows than the 1"},
        {{0, 1}, {3, 3}, 2, 2, "1 rows, its row group 2"},
    };
    s3store_error err;
    s3s_buffer file;
    int64_t rows;
    for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
        shape_leaf leaf = {1, 3, lies[i].rep, lies[i].def, lies[i].count};
        make_file(&file, list, 4, &leaf, 1, lies[i].rows);
        assert_fails(fixture_drain(env, file.data, file.size, 0, &rows, &err), S3STORE_CORRUPT,
                     lies[i].text);
        assert_non_null(strstr(err.message, "t.parquet: column \"a.list.element\""));
        s3s_buffer_deinit(&file);
    }
    /* Two leaves of a map that disagree, and a null key. */
    static const shape_element map[] = {ROOT, {OPT, "m", 1, S3S_PQ_MAP}, {REPEATED, "kv", 2, NONE},
                                        {OPT, "k", 0, NONE}, {OPT, "v", 0, NONE}};
    static const uint32_t rep[] = {0, 1, 0, 1}, other[] = {0, 1, 1, 0}, def[] = {3, 3, 3, 3},
                          null_def[] = {3, 2, 3, 3};
    shape_leaf leaves[] = {{1, 3, rep, def, 4}, {1, 3, other, def, 4}};
    make_file(&file, map, 5, leaves, 2, 2);
    assert_fails(fixture_drain(env, file.data, file.size, 0, &rows, &err), S3STORE_CORRUPT,
                 "disagree");
    assert_non_null(strstr(err.message, "t.parquet: column \"m\""));
    s3s_buffer_deinit(&file);
    leaves[0] = (shape_leaf){1, 3, rep, null_def, 4};
    leaves[1].rep = rep;
    make_file(&file, map, 5, leaves, 2, 2);
    assert_fails(fixture_drain(env, file.data, file.size, 0, &rows, &err), S3STORE_CORRUPT,
                 "a key of a map");
    s3s_buffer_deinit(&file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        T(test_nested__round_trips),
        T(test_nested__many_pages_row_groups_and_batches),
        T(test_nested__slices_with_offsets),
        T(test_nested__a_column_is_selected_by_its_top_level_position),
        T(test_nested__a_small_budget_gives_small_batches),
        T(test_nested__nulls_where_none_may_be_are_refused),
        T(test_nested__structs_without_members_and_deep_trees_are_refused),
        T(test_nested__standard_and_legacy_shapes),
        T(test_nested__maps_in_every_spelling),
        T(test_nested__null_empty_and_list_of_null_differ),
        T(test_nested__levels_that_lie),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
