/* Latest, history, rows: which rows remain, in which order. */
#include "unit/scan/kit.h"

#include <stdlib.h>
#include <string.h>

#include "arrow/builder.h"
#include "scan/internal.h"

static void check(fixture *fx, s3s_scan_mode mode, const char *expected)
{
    s3store_error err;
    char *text = malloc(KIT_TEXT);
    s3s_scan_options o = kit_options(mode);
    assert_non_null(text);
    assert_ok(kit_scan(fx, "", &o, text, &err));
    assert_string_equal(text, expected);
    free(text);
}

static void test_merge__latest_is_the_highest_version_in_entity_order(void **state)
{
    (void)state;
    fixture fx;
    fixture_open(&fx, NULL, NULL);
    kit_write(&fx, "p=1",
              (fixture_row[]){{"a", 1, 10, false},
                              {"b", 5, 11, false},
                              {"a", 3, 12, false},
                              {"b", 2, 13, false},
                              {"c", 0, 14, false}},
              5);
    check(&fx, S3S_SCAN_LATEST, "{p=1}a|3|12;b|5|11;c|0|14;");
    check(&fx, S3S_SCAN_HISTORY, "{p=1}a|1|10;a|3|12;b|2|13;b|5|11;c|0|14;");
    check(&fx, S3S_SCAN_ROWS, "{p=1}a|1|10;b|5|11;a|3|12;b|2|13;c|0|14;");
    fixture_close_clean(&fx);
}

static void test_merge__ties_go_to_the_later_row_in_latest_and_the_first_in_history(void **state)
{
    (void)state;
    fixture fx;
    fixture_open(&fx, NULL, NULL);
    kit_write(&fx, "p=1", (fixture_row[]){{"a", 1, 1, false}, {"a", 1, 2, false}}, 2);
    kit_write(&fx, "p=1", (fixture_row[]){{"b", 1, 4, false}, {"a", 1, 3, false}}, 2);
    check(&fx, S3S_SCAN_LATEST, "{p=1}a|1|3;b|1|4;");
    check(&fx, S3S_SCAN_HISTORY, "{p=1}a|1|1;b|1|4;");
    fixture_close_clean(&fx);
}

static void test_merge__equal_versions_of_two_files_are_decided_by_their_keys(void **state)
{
    (void)state;
    fixture fx;
    fixture_open(&fx, NULL, NULL);
    fixture_write z = {.partition = "p=1", .token = "z"}, a = {.partition = "p=1", .token = "a"};
    fixture_write_rows(&fx, &z, (fixture_row[]){{"e", 1, 1, false}}, 1);
    fixture_write_rows(&fx, &a, (fixture_row[]){{"e", 1, 2, false}}, 1);
    check(&fx, S3S_SCAN_LATEST, "{p=1}e|1|1;"); /* z sorts last, though a was written later */
    check(&fx, S3S_SCAN_ROWS, "{p=1}e|1|2;e|1|1;");
    fixture_close_clean(&fx);
}

static void test_merge__negative_versions_order_numerically(void **state)
{
    (void)state;
    fixture fx;
    fixture_open(&fx, NULL, NULL);
    kit_write(&fx, "p=1",
              (fixture_row[]){{"a", 5, 1, false},
                              {"a", -7, 2, false},
                              {"a", INT64_MIN, 3, false},
                              {"b", INT64_MIN, 4, false},
                              {"b", INT64_MAX, 5, true}},
              5);
    check(&fx, S3S_SCAN_LATEST, "{p=1}a|5|1;b|9223372036854775807|-;");
    check(&fx, S3S_SCAN_HISTORY,
          "{p=1}a|-9223372036854775808|3;a|-7|2;a|5|1;b|-9223372036854775808|4;"
          "b|9223372036854775807|-;");
    fixture_close_clean(&fx);
}

static void test_merge__entities_compare_by_bytes_also_beyond_their_beginning(void **state)
{
    (void)state;
    fixture fx;
    fixture_open(&fx, NULL, NULL);
    kit_write(&fx, "p=1",
              (fixture_row[]){{"entity-000000002", 1, 2, false},
                              {"entity-000000010", 1, 10, false},
                              {"entity-00000000", 1, 0, false},
                              {"entity-000000001", 1, 1, false},
                              {"\xc3\xa4", 1, 99, false},
                              {"", 1, -1, false}},
              6);
    check(&fx, S3S_SCAN_LATEST,
          "{p=1}|1|-1;entity-00000000|1|0;entity-000000001|1|1;entity-000000002|1|2;"
          "entity-000000010|1|10;\xc3\xa4|1|99;");
    fixture_close_clean(&fx);
}

static void test_merge__an_entity_in_two_partitions_appears_in_both(void **state)
{
    (void)state;
    fixture fx;
    fixture_open(&fx, NULL, NULL);
    kit_write(&fx, "p=2", (fixture_row[]){{"a", 1, 1, false}}, 1);
    kit_write(&fx, "p=1", (fixture_row[]){{"a", 2, 2, false}}, 1);
    check(&fx, S3S_SCAN_LATEST, "{p=1}a|2|2;{p=2}a|1|1;");
    fixture_close_clean(&fx);
}

static void test_merge__a_batch_written_twice_is_collapsed(void **state)
{
    (void)state;
    fixture fx;
    fixture_open(&fx, NULL, NULL);
    kit_write(&fx, "p=1", (fixture_row[]){{"a", 1, 1, false}, {"b", 2, 2, false}}, 2);
    kit_write(&fx, "p=1", (fixture_row[]){{"a", 1, 1, false}, {"b", 2, 2, false}}, 2);
    check(&fx, S3S_SCAN_LATEST, "{p=1}a|1|1;b|2|2;");
    check(&fx, S3S_SCAN_HISTORY, "{p=1}a|1|1;b|2|2;");
    check(&fx, S3S_SCAN_ROWS, "{p=1}a|1|1;b|2|2;a|1|1;b|2|2;");
    fixture_close_clean(&fx);
}

static void test_merge__no_files_and_empty_files_give_nothing(void **state)
{
    (void)state;
    fixture fx;
    fixture_open(&fx, NULL, NULL);
    check(&fx, S3S_SCAN_LATEST, "");
    kit_write(&fx, "p=1", NULL, 0);
    kit_write(&fx, "p=2", (fixture_row[]){{"a", 1, 1, false}}, 1);
    kit_write(&fx, "p=3", NULL, 0);
    check(&fx, S3S_SCAN_LATEST, "{p=2}a|1|1;");
    check(&fx, S3S_SCAN_ROWS, "{p=2}a|1|1;");
    fixture_close_clean(&fx);
}

/* ---- keys of several columns ----------------------------------------------------------------- */

enum { KEYED_BATCHES = 3, KEYED_ROWS = 400 };

static const s3s_field keyed_fields[] = {
    {.name = "a", .type = S3S_TYPE_BINARY, .nullable = true},
    {.name = "b", .type = S3S_TYPE_BINARY, .nullable = true},
    {.name = "v", .type = S3S_TYPE_INT64},
};

static s3store_bytes random_bytes(uint32_t *seed, unsigned zeros, uint8_t *bytes)
{
    *seed = *seed * 1664525u + 1013904223u;
    size_t size = (*seed >> 9) % (zeros == 2 ? 3 : 22);
    memset(bytes, (*seed >> 20) % 3 < zeros ? 0 : 'a' + (*seed >> 24) % 2, size);
    return (s3store_bytes){bytes, size};
}

static void make_keyed(s3s_env *env, s3s_schema *schema, unsigned zeros, struct ArrowArray *batches)
{
    s3store_error err;
    uint32_t seed = 77 + zeros;
    for (size_t n = 0; n < KEYED_BATCHES; n++) {
        s3store_builder *b;
        assert_ok(s3s_builder_new(env, schema, &b, &err));
        for (size_t row = 0; row < KEYED_ROWS; row++) {
            uint8_t bytes[32];
            for (size_t c = 0; c < 2; c++) {
                s3store_bytes value = random_bytes(&seed, zeros, bytes);
                if (value.size == 1)
                    assert_ok(s3store_builder_append_null(b, c, &err));
                else
                    assert_ok(s3store_builder_append_bytes(b, c, value.data, value.size, &err));
            }
            assert_ok(s3store_builder_append_int(b, 2, (int64_t)(seed >> 28), &err));
        }
        assert_ok(s3store_builder_finish(b, &batches[n], &err));
        s3store_builder_free(b);
    }
}

/* Null first, then by bytes, column by column. */
static int compare_entities(const s3s_column (*columns)[3], s3s_row x, s3s_row y)
{
    for (size_t c = 0; c < 2; c++) {
        const s3s_column *a = &columns[x.batch][c], *b = &columns[y.batch][c];
        bool a_null = s3s_column_is_null(a, x.row), b_null = s3s_column_is_null(b, y.row);
        s3store_bytes p = s3s_column_bytes(a, x.row), q = s3s_column_bytes(b, y.row);
        if (a_null != b_null)
            return a_null ? -1 : 1;
        int order = memcmp(p.data, q.data, p.size < q.size ? p.size : q.size);
        if (order == 0)
            order = (p.size > q.size) - (p.size < q.size);
        if (order != 0)
            return order;
    }
    return 0;
}

/* A row wins when no other of its entity has a higher version, or the same one later. */
static bool wins(const s3s_column (*columns)[3], s3s_row row)
{
    int64_t version = s3s_column_int(&columns[row.batch][2], row.row);
    for (uint32_t b = 0; b < KEYED_BATCHES; b++)
        for (uint32_t r = 0; r < KEYED_ROWS; r++) {
            s3s_row other = {.batch = b, .row = r};
            bool later = b > row.batch || (b == row.batch && r > row.row);
            int64_t theirs = s3s_column_int(&columns[b][2], r);
            if ((theirs > version || (theirs == version && later)) &&
                compare_entities(columns, row, other) == 0)
                return false;
        }
    return true;
}

/* Short keys and long ones, with zero bytes that make them longer than they look, all winners or few. */
static void test_merge__keys_of_several_columns_agree_with_a_model(void **state)
{
    (void)state;
    for (unsigned zeros = 0; zeros < 4; zeros++) {
        fixture fx;
        s3store_error err;
        s3s_schema *schema;
        struct ArrowArray batches[KEYED_BATCHES];
        s3s_column columns[KEYED_BATCHES][3];
        merged_rows merged;
        size_t entity[] = {0, 1}, winners = 0;
        fixture_open(&fx, NULL, NULL);
        assert_ok(s3s_schema_new(fx.env, 3, &schema, &err));
        for (size_t c = 0; c < 3; c++)
            schema->fields[c] = keyed_fields[c];
        make_keyed(fx.env, schema, zeros, batches);
        const struct ArrowArray **sources = s3s_calloc(fx.env, KEYED_BATCHES, sizeof *sources);
        assert_non_null(sources);
        for (size_t b = 0; b < KEYED_BATCHES; b++) {
            sources[b] = &batches[b];
            for (size_t c = 0; c < 3; c++)
                s3s_batch_column(schema, &batches[b], c, &columns[b][c]);
        }
        scan_plan plan = {
            .out = schema, .merge = schema, .entity = entity, .entity_count = 2, .version = 2};
        assert_ok(s3s_scan_merge(fx.env, &plan, S3S_SCAN_LATEST, sources, KEYED_BATCHES, &merged,
                                 &err));
        for (uint32_t b = 0; b < KEYED_BATCHES; b++)
            for (uint32_t r = 0; r < KEYED_ROWS; r++)
                winners += wins(columns, (s3s_row){.batch = b, .row = r});
        assert_int_equal(merged.row_count, winners);
        for (size_t i = 0; i < merged.row_count; i++) {
            assert_true(wins(columns, merged.rows[i]));
            if (i > 0)
                assert_true(compare_entities(columns, merged.rows[i - 1], merged.rows[i]) < 0);
        }
        s3s_scan_merged_deinit(fx.env, &merged);
        for (size_t b = 0; b < KEYED_BATCHES; b++)
            s3s_array_release(&batches[b]);
        s3s_schema_release(schema);
        fixture_close_clean(&fx);
    }
}

/* ---- against a model ------------------------------------------------------------------------- */

typedef struct model_row {
    char entity[48];
    int64_t version;
    int64_t value; /* in order of file and row */
} model_row;

static int compare_model(const void *a, const void *b)
{
    const model_row *x = a, *y = b;
    int order = strcmp(x->entity, y->entity);
    if (order == 0)
        order = x->version < y->version ? -1 : x->version > y->version;
    return order != 0 ? order : (x->value < y->value ? -1 : x->value > y->value);
}

static void model_text(const model_row *sorted, size_t count, s3s_scan_mode mode, char *text)
{
    strcpy(text, "{p=1}");
    for (size_t i = 0; i < count; i++) {
        bool last = i + 1 == count || strcmp(sorted[i].entity, sorted[i + 1].entity) != 0;
        bool first = i == 0 || strcmp(sorted[i].entity, sorted[i - 1].entity) != 0 ||
                     sorted[i].version != sorted[i - 1].version;
        if (mode == S3S_SCAN_LATEST ? !last : !first)
            continue;
        size_t used = strlen(text);
        snprintf(text + used, KIT_TEXT - used, "%s|%d|%d;", sorted[i].entity,
                 (int)sorted[i].version, (int)sorted[i].value);
    }
}

static void test_merge__agrees_with_a_model_on_random_rows(void **state)
{
    (void)state;
    enum { FILES = 4, ROWS = 150 };
    char *text = malloc(KIT_TEXT);
    assert_non_null(text);
    uint32_t seed = 12345;
    for (int round = 0; round < 30; round++) {
        fixture fx;
        static model_row model[FILES * ROWS];
        size_t count = 0;
        static const unsigned entity_counts[] = {1, 3, 20, 300, 2000};
        static const char *const names[] = {"", "e", "entity-with-a-long-common-prefix-"};
        unsigned entities = entity_counts[round % 5];
        fixture_open(&fx, NULL, NULL);
        for (int f = round % 4 == 1; f < FILES; f++) { /* the file 0 is never sorted */
            fixture_row rows[ROWS];
            for (int r = 0; r < ROWS; r++, count++) {
                seed = seed * 1664525u + 1013904223u;
                model_row *m = &model[count];
                char number[16];
                snprintf(number, sizeof number, "%u", (seed >> 8) % entities);
                snprintf(m->entity, sizeof m->entity, "%s%s", names[round % 3], number);
                m->version = (seed >> 20) % 7;
                m->value = (int64_t)count;
            }
            if (round % 2 == 1 && f > 0) /* sorted files are merged, not sorted */
                qsort(&model[count - ROWS], ROWS, sizeof model[0], compare_model);
            for (size_t r = 0; r < ROWS; r++) {
                model_row *m = &model[count - ROWS + r];
                m->value = (int64_t)(count - ROWS + r);
                rows[r] = (fixture_row){m->entity, m->version, m->value, false};
            }
            kit_write(&fx, "p=1", rows, ROWS);
        }
        qsort(model, count, sizeof model[0], compare_model);
        for (int mode = S3S_SCAN_LATEST; mode <= S3S_SCAN_HISTORY; mode++) {
            model_text(model, count, (s3s_scan_mode)mode, text);
            check(&fx, (s3s_scan_mode)mode, text);
        }
        fixture_close_clean(&fx);
    }
    free(text);
}

/* ---- short keys, and those that just are not ------------------------------------------------------ */

typedef struct pair {
    s3store_bytes a, b;
    bool a_null;
    int64_t version;
} pair;
static const s3store_field pair_fields[] = {
    {.name = "a", .kind = S3STORE_KIND_BINARY, .offset = offsetof(pair, a), .null = S3STORE_NULL_FLAG,
     .flag_offset = offsetof(pair, a_null)},
    {.name = "b", .kind = S3STORE_KIND_BINARY, .offset = offsetof(pair, b)},
    {.name = "version", .kind = S3STORE_KIND_INT64, .offset = offsetof(pair, version)},
};
static const s3store_record_type pair_type = S3STORE_RECORD_TYPE(pair, pair_fields);

static int compare_bytes(s3store_bytes x, s3store_bytes y)
{
    size_t common = x.size < y.size ? x.size : y.size;
    int order = common > 0 ? memcmp(x.data, y.data, common) : 0;
    return order != 0 ? order : (x.size > y.size) - (x.size < y.size);
}

static int compare_pairs(const pair *x, const pair *y)
{
    if (x->a_null != y->a_null)
        return x->a_null ? -1 : 1;
    int order = x->a_null ? 0 : compare_bytes(x->a, y->a);
    return order != 0 ? order : compare_bytes(x->b, y->b);
}

static int by_pair_version_place(const void *x, const void *y)
{
    const pair *a = *(const pair *const *)x, *b = *(const pair *const *)y;
    int order = compare_pairs(a, b);
    if (order == 0)
        order = (a->version > b->version) - (a->version < b->version);
    return order != 0 ? order : (a > b) - (a < b); /* they lie in file order */
}

enum { PAIRS = 4000, PAIR_BATCHES = 5 };

/* LATEST of pairs whose keys have up to `most` bytes, of three different ones, zero among them. */
static void check_pairs(s3s_env *env, s3s_schema *schema, unsigned seed, size_t most, bool nulls)
{
    s3store_error err;
    static uint8_t bytes[PAIRS][2][24];
    static pair rows[PAIRS];
    static const pair *order[PAIRS];
    struct ArrowArray batches[PAIR_BATCHES];
    size_t entity[] = {0, 1};
    srand(seed);
    for (size_t i = 0; i < PAIRS; i++) {
        size_t a = (size_t)rand() % 3, b = (size_t)rand() % (most - 2 * a + 1);
        for (size_t k = 0; k < 24; k++) {
            bytes[i][0][k] = (uint8_t)(rand() % 3 * 0x7f);
            bytes[i][1][k] = (uint8_t)(rand() % 8 == 0 ? rand() % 3 * 0x7f : 1); /* long beginnings agree */
        }
        rows[i] = (pair){.a = {bytes[i][0], a}, .b = {bytes[i][1], b},
                         .a_null = nulls && rand() % 5 == 0, .version = rand() % 4};
        order[i] = &rows[i];
    }
    const struct ArrowArray **sources = s3s_calloc(env, PAIR_BATCHES, sizeof *sources);
    for (size_t b = 0; b < PAIR_BATCHES; b++) {
        assert_ok(s3s_records_to_batch(env, schema, &pair_type, rows, b * PAIRS / PAIR_BATCHES,
                                       PAIRS / PAIR_BATCHES, &batches[b], &err));
        sources[b] = &batches[b];
    }
    scan_plan plan = {.out = schema, .merge = schema, .entity = entity, .entity_count = 2, .version = 2};
    merged_rows merged;
    assert_ok(s3s_scan_merge(env, &plan, S3S_SCAN_LATEST, sources, PAIR_BATCHES, &merged, &err));
    qsort(order, PAIRS, sizeof *order, by_pair_version_place);
    size_t at = 0;
    for (size_t i = 0; i < PAIRS; i++) {
        if (i + 1 < PAIRS && compare_pairs(order[i], order[i + 1]) == 0)
            continue;
        assert_true(at < merged.row_count);
        assert_int_equal(merged.rows[at].batch * (PAIRS / PAIR_BATCHES) + merged.rows[at].row,
                         order[i] - rows);
        at++;
    }
    assert_int_equal(at, merged.row_count);
    assert_true(at > 20 && at < PAIRS);
    s3s_scan_merged_deinit(env, &merged);
    for (size_t b = 0; b < PAIR_BATCHES; b++)
        s3s_array_release(&batches[b]);
}

static void test_merge__short_keys_are_told_apart_and_ordered_as_long_ones(void **state)
{
    (void)state;
    s3store_error err;
    s3s_env *env = NULL;
    s3s_schema *schema = NULL;
    assert_ok(s3s_env_new_real(&env, &err));
    assert_ok(s3s_record_schema(env, &pair_type, &schema, &err));
    for (unsigned seed = 0; seed < 30; seed++)
        check_pairs(env, schema, seed, 5 + seed % 16, seed % 2 == 1);
    s3s_schema_release(schema);
    s3s_env_release(env);
}

/* ---- keys and versions of other types ---------------------------------------------------------- */

typedef struct small {
    int16_t entity;
    bool no_entity;
    uint32_t version;
    int32_t day;
} small;

#define SMALL(m) offsetof(small, m)
static const s3store_field small_fields[] = {
    {"entity", S3STORE_KIND_INT16, SMALL(entity), S3STORE_NULL_FLAG, SMALL(no_entity), 0},
    {.name = "version", .kind = S3STORE_KIND_UINT32, .offset = SMALL(version)},
    {.name = "day", .kind = S3STORE_KIND_DATE, .offset = SMALL(day)},
};
static const s3store_record_type small_type = S3STORE_RECORD_TYPE(small, small_fields);

/* No entity is an entity too, the first one; versions compare as what they are. */
static void test_merge__numbers_and_nulls_as_entities_and_short_versions(void **state)
{
    (void)state;
    static const small first[] = {{7, false, UINT32_MAX, 1}, {0, true, 5, 2}, {-7, false, 1, 9}},
                       second[] = {{7, false, 1, 4}, {0, true, 6, 1}, {0, false, 1, 6}};
    fixture fx;
    s3store_error err;
    fixture_write write = {.partition = "p=1"};
    char *text = malloc(KIT_TEXT);
    fixture_open(&fx, NULL, NULL);
    fixture_write_records(&fx, &write, &small_type, first, 3);
    fixture_write_records(&fx, &write, &small_type, second, 3);
    s3s_scan_options o = kit_options(S3S_SCAN_LATEST);
    assert_ok(kit_scan(&fx, "", &o, text, &err));
    assert_string_equal(text, "{p=1}-|6|1;-7|1|9;0|1|6;7|4294967295|1;");
    o.mode = S3S_SCAN_HISTORY;
    assert_ok(kit_scan(&fx, "", &o, text, &err));
    assert_string_equal(text, "{p=1}-|5|2;-|6|1;-7|1|9;0|1|6;7|1|4;7|4294967295|1;");
    o.version = "day"; /* and a date decides otherwise */
    o.mode = S3S_SCAN_LATEST;
    assert_ok(kit_scan(&fx, "", &o, text, &err));
    assert_string_equal(text, "{p=1}-|5|2;-7|1|9;0|1|6;7|1|4;");
    free(text);
    fixture_close_clean(&fx);
}

/* The keys of winners are kept when their batch is gone, however long those that follow are. */
static void test_merge__long_keys_after_short_ones(void **state)
{
    (void)state;
    enum { LONG = 300 };
    fixture fx;
    static char names[LONG][200];
    static fixture_row rows[LONG];
    s3store_error err;
    char *text = malloc(KIT_TEXT), *expected = malloc(LONG * 256);
    fixture_open(&fx, NULL, NULL);
    kit_write(&fx, "p=1", (fixture_row[]){{"a", 1, 1, false}, {"b", 1, 1, false}}, 2);
    size_t used = (size_t)sprintf(expected, "{p=1}a|1|1;b|1|1;");
    for (int i = 0; i < LONG; i++) {
        snprintf(names[i], sizeof names[i], "c%0150d", i);
        rows[i] = (fixture_row){names[i], 2, i, false};
        used += (size_t)sprintf(expected + used, "%s|2|%d;", names[i], i);
    }
    kit_write(&fx, "p=1", rows, LONG);
    s3s_scan_options o = kit_options(S3S_SCAN_LATEST);
    assert_true(used < KIT_TEXT);
    assert_ok(kit_scan(&fx, "", &o, text, &err));
    assert_string_equal(text, expected);
    free(text);
    free(expected);
    fixture_close_clean(&fx);
}

int run_merge_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_merge__latest_is_the_highest_version_in_entity_order),
        cmocka_unit_test(test_merge__numbers_and_nulls_as_entities_and_short_versions),
        cmocka_unit_test(test_merge__long_keys_after_short_ones),
        cmocka_unit_test(test_merge__ties_go_to_the_later_row_in_latest_and_the_first_in_history),
        cmocka_unit_test(test_merge__equal_versions_of_two_files_are_decided_by_their_keys),
        cmocka_unit_test(test_merge__negative_versions_order_numerically),
        cmocka_unit_test(test_merge__entities_compare_by_bytes_also_beyond_their_beginning),
        cmocka_unit_test(test_merge__an_entity_in_two_partitions_appears_in_both),
        cmocka_unit_test(test_merge__a_batch_written_twice_is_collapsed),
        cmocka_unit_test(test_merge__no_files_and_empty_files_give_nothing),
        cmocka_unit_test(test_merge__keys_of_several_columns_agree_with_a_model),
        cmocka_unit_test(test_merge__agrees_with_a_model_on_random_rows),
        cmocka_unit_test(test_merge__short_keys_are_told_apart_and_ordered_as_long_ones),
    };
    return cmocka_run_group_tests_name("merge", tests, NULL, NULL);
}
