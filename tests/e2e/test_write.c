/* Writing: partitions by columns, both doors, tokens, and what is refused. */
#include "e2e/e2e.h"

#include <stdlib.h>

static const quake rows[] = {
    {"b", T0 + DAY_US, T0 + 3, "west", 2.5, false}, {"a", T0, T0 + 1, "west", 1.5, false},
    {"c", T0, T0 + 2, "east", 0, true},             {"a", T0 + 5, T0 + 9, "west", 1.75, false},
    {"d", T0 + DAY_US - 1, T0 + 4, "east", -3, false},
};
#define ROW_COUNT (sizeof rows / sizeof rows[0])

#define IN_ORDER                                                                                   \
    "c|1517961600000000|1517961600000002|east|-;"                                                  \
    "d|1518047999999999|1517961600000004|east|-3;"                                                 \
    "a|1517961600000005|1517961600000009|west|1.75;"                                               \
    "b|1518048000000000|1517961600000003|west|2.5;"

static void test_write__divides_rows_by_columns_and_formats_in_key_order(void **state)
{
    (void)state;
    s3store_error err;
    dataset d;
    s3store_write_result *result;
    dataset_make(&d, "divides", NULL);
    assert_ok(write_quakes(&d, rows, ROW_COUNT, NULL, &result, &err));
    static const struct {
        const char *partition;
        int64_t count;
    } want[] = {{"day=2018-02-07/region=east", 2},
                {"day=2018-02-07/region=west", 2},
                {"day=2018-02-08/region=west", 1}};
    assert_int_equal(s3store_write_result_count(result), 3);
    for (size_t i = 0; i < 3; i++) {
        const s3store_commit *c = s3store_write_result_get(result, i);
        assert_string_equal(c->partition, want[i].partition);
        assert_int_equal(c->row_count, want[i].count);
        assert_int_equal(c->state, S3STORE_COMMIT_DONE);
        assert_string_equal(c->offset, c->ref_path);
        assert_non_null(strstr(c->data_path, want[i].partition));
        assert_null(c->error);
        assert_true(dataset_has(&d, c->data_path));
        assert_true(dataset_has(&d, c->ref_path));
    }
    assert_int_equal(dataset_count(&d, "data/"), 6);
    assert_int_equal(dataset_count(&d, "_ref/"), 3);
    s3store_write_result_free(result);
    assert_string_equal(read_text(&d, "*", NULL, false), IN_ORDER);
    dataset_close(&d);
}

static void test_write__both_doors_store_the_same_rows(void **state)
{
    (void)state;
    s3store_error err;
    dataset structs, arrow;
    struct ArrowArrayStream stream;
    s3store_write_result *result;
    dataset_make(&structs, "structs", NULL);
    dataset_make(&arrow, "arrow", NULL);
    (void)write_quakes(&structs, rows, ROW_COUNT, NULL, NULL, &err);
    quake_stream(rows, ROW_COUNT, 2, &stream);
    assert_ok(s3store_write(arrow.writer, &stream, NULL, &result, &err));
    assert_null(stream.release);
    assert_int_equal(s3store_write_result_count(result), 3);
    s3store_write_result_free(result);
    assert_string_equal(read_text(&arrow, "*", NULL, true), read_text(&structs, "*", NULL, true));
    assert_string_equal(read_text(&arrow, "*", NULL, false), IN_ORDER);
    dataset_close(&structs);
    dataset_close(&arrow);
}

static void test_write__every_flat_type_and_codec_comes_back(void **state)
{
    (void)state;
    static const s3store_compression codecs[] = {
        S3STORE_COMPRESSION_SNAPPY, S3STORE_COMPRESSION_ZSTD, S3STORE_COMPRESSION_GZIP,
        S3STORE_COMPRESSION_UNCOMPRESSED};
    static const char *const by_p[] = {"p"};
    static const char columns[] = "p:u b:b c:c C:C s:s S:S i:i I:I l:l L:L f:f g:g z:z day:tdD "
                                  "ms:tsm:UTC us:tsu:UTC ns:tsn:UTC none:l";
    static const char cells[] =
        "x true -128 255 -32768 65535 -2147483648 4294967295 -9223372036854775807 "
        "18446744073709551615 0.5 -1e300 bytes -719162 1 -1 1517961600000000001 -;"
        "x - - - - - - - - - - - - - - - - -;"
        "x false 127 0 32767 1 2147483647 0 9223372036854775807 0 -0.25 5e-324 z 2932896 "
        "1517961600000 0 -5 -";
    static const char text[] =
        "x|true|-128|255|-32768|65535|-2147483648|4294967295|-9223372036854775807|"
        "18446744073709551615|0.5|-1.0000000000000001e+300|bytes|-719162|1|-1|"
        "1517961600000000001|-;"
        "x|-|-|-|-|-|-|-|-|-|-|-|-|-|-|-|-|-;"
        "x|false|127|0|32767|1|2147483647|0|9223372036854775807|0|-0.25|"
        "4.9406564584124654e-324|z|2932896|1517961600000|0|-5|-;";
    dataset_options options = {.partition_by = by_p, .partition_by_count = 1, .plain = true};
    dataset d;
    dataset_make(&d, "types", &options);
    for (size_t i = 0; i < sizeof codecs / sizeof codecs[0]; i++) {
        s3store_error err;
        struct ArrowArrayStream stream;
        s3store_write_result *result;
        s3store_write_options write = S3STORE_WRITE_OPTIONS_INIT;
        write.compression = codecs[i];
        make_stream(columns, cells, &stream);
        assert_ok(s3store_write(d.writer, &stream, &write, &result, &err));
        s3store_write_result_free(result);
    }
    const char *all = read_text(&d, "p=x", NULL, false);
    assert_int_equal(strlen(all), 4 * strlen(text));
    for (size_t i = 0; i < 4; i++)
        assert_memory_equal(all + i * strlen(text), text, strlen(text));
    dataset_close(&d);
}

static void test_write__partition_values_with_nasty_characters_come_back(void **state)
{
    (void)state;
    static const char *const by_p[] = {"p"};
    /* In byte order of the partition keys. */
    static const char *const values[] = {"1", "1-2", "1.5", "50%", "a b", "a+b", "x%2Fy", "x;y",
                                         "\xc3\xbc"};
    dataset_options options = {.partition_by = by_p, .partition_by_count = 1, .plain = true};
    dataset d;
    s3store_error err;
    char all[256] = "", pattern[64];
    dataset_make(&d, "nasty", &options);
    struct ArrowSchema schema;
    s3store_builder *b;
    make_schema("p:u n:l", &schema);
    assert_ok(s3store_builder_new(&schema, &b, &err));
    size_t count = sizeof values / sizeof values[0];
    for (size_t i = count; i-- > 0;) {
        assert_ok(s3store_builder_append_bytes(b, 0, values[i], strlen(values[i]), &err));
        assert_ok(s3store_builder_append_int(b, 1, (int64_t)i, &err));
    }
    struct ArrowArray batch;
    struct ArrowArrayStream stream;
    s3store_write_result *result;
    assert_ok(s3store_builder_finish(b, &batch, &err));
    s3store_builder_free(b);
    assert_ok(s3store_stream_from_batches(&schema, &batch, 1, &stream, &err));
    assert_ok(s3store_write(d.writer, &stream, NULL, &result, &err));
    assert_int_equal(s3store_write_result_count(result), count);
    for (size_t i = 0; i < count; i++) {
        char row[32];
        snprintf(pattern, sizeof pattern, "p=%s", values[i]);
        assert_string_equal(s3store_write_result_get(result, i)->partition, pattern);
        snprintf(row, sizeof row, "%s|%zu;", values[i], i);
        assert_string_equal(read_text(&d, pattern, NULL, false), row);
        strcat(all, row);
    }
    s3store_write_result_free(result);
    assert_string_equal(read_text(&d, "*", NULL, false), all);
    assert_string_equal(read_text(&d, "p=1*", "n", false), "0;1;2;");
    assert_string_equal(read_text(&d, "p=1-..5", "n", false), "1;2;");
    wait_settled(&d);
    s3store_entries *entries;
    size_t partitions;
    assert_ok(s3store_poll(d.target, NULL, &entries, &err));
    assert_int_equal(s3store_entries_count(entries), count);
    const char *const *keys = s3store_entries_partition_keys(entries, &partitions);
    assert_int_equal(partitions, count);
    for (size_t i = 0; i < count; i++) {
        snprintf(pattern, sizeof pattern, "p=%s", values[i]);
        assert_string_equal(keys[i], pattern);
    }
    s3store_entries_free(entries);
    dataset_close(&d);
}

static void assert_same_commit(const s3store_commit *a, const s3store_commit *b)
{
    assert_string_equal(a->partition, b->partition);
    assert_string_equal(a->token, b->token);
    assert_string_equal(a->offset, b->offset);
    assert_string_equal(a->data_path, b->data_path);
    assert_string_equal(a->ref_path, b->ref_path);
    assert_int_equal(a->inserted_at_us, b->inserted_at_us);
    assert_int_equal(a->row_count, b->row_count);
}

static void test_token__a_repeated_write_returns_the_original_result(void **state)
{
    (void)state;
    s3store_error err;
    dataset d, again;
    s3store_write_result *first, *second;
    dataset_make(&d, "retry", NULL);
    assert_ok(write_quakes(&d, rows, ROW_COUNT, "job-1", &first, &err));
    dataset_open(&again, d.url); /* another process, as it were */
    assert_ok(write_quakes(&again, rows, ROW_COUNT, "job-1", &second, &err));
    assert_int_equal(s3store_write_result_count(second), 3);
    for (size_t i = 0; i < 3; i++) {
        const s3store_commit *c = s3store_write_result_get(second, i);
        assert_int_equal(c->state, S3STORE_COMMIT_EXISTING);
        assert_same_commit(c, s3store_write_result_get(first, i));
    }
    s3store_write_result_free(second);
    /* The optimistic path finds the same by its refused commit. */
    s3store_write_options options = S3STORE_WRITE_OPTIONS_INIT;
    options.token = "job-1";
    options.optimistic = true;
    assert_ok(s3store_write_records(again.writer, &quake_type, rows, ROW_COUNT, &options, &second,
                                    &err));
    assert_same_commit(s3store_write_result_get(second, 1), s3store_write_result_get(first, 1));
    assert_int_equal(s3store_write_result_get(second, 1)->state, S3STORE_COMMIT_EXISTING);
    assert_string_equal(read_text(&d, "*", NULL, false), IN_ORDER);
    assert_int_equal(count_rows(&d, "*", true), ROW_COUNT);
    s3store_write_result_free(first);
    s3store_write_result_free(second);
    dataset_close(&d);
    dataset_close(&again);
}

static void test_token__reuse_for_other_data_is_noticed(void **state)
{
    (void)state;
    s3store_error err;
    dataset d;
    s3store_write_result *result;
    quake changed[] = {rows[1], rows[3]};
    dataset_make(&d, "reused", NULL);
    (void)write_quakes(&d, changed, 2, "job", NULL, &err);
    changed[1].mag = 9;
    assert_fails(write_quakes(&d, changed, 2, "job", &result, &err), S3STORE_TOKEN_REUSED, "job");
    s3store_write_result_free(result);
    assert_fails(write_quakes(&d, changed, 1, "job", &result, &err), S3STORE_TOKEN_REUSED, "job");
    s3store_write_result_free(result);
    assert_string_equal(read_text(&d, "*", "id,mag", true), "a|1.5;a|1.75;");
    s3store_write_options options = S3STORE_WRITE_OPTIONS_INIT;
    options.token = "job";
    options.accept_different = true;
    assert_ok(s3store_write_records(d.writer, &quake_type, changed, 1, &options, &result, &err));
    assert_int_equal(s3store_write_result_get(result, 0)->state, S3STORE_COMMIT_EXISTING);
    assert_int_equal(s3store_write_result_get(result, 0)->row_count, 2);
    s3store_write_result_free(result);
    dataset_close(&d);
}

static void test_write__one_partition_that_fails_leaves_the_others(void **state)
{
    (void)state;
    s3store_error err;
    dataset d;
    s3store_write_result *result;
    dataset_make(&d, "partial", NULL);
    (void)write_quakes(&d, &rows[2], 1, "t", NULL, &err); /* in 02-07/east, other rows */
    s3store_write_options options = S3STORE_WRITE_OPTIONS_INIT;
    options.token = "t";
    options.keep_going = true;
    assert_fails(s3store_write_records(d.writer, &quake_type, rows, ROW_COUNT, &options, &result,
                                       &err),
                 S3STORE_PARTIAL, "day=2018-02-07/region=east");
    assert_int_equal(s3store_write_result_count(result), 3);
    const s3store_commit *failed = s3store_write_result_get(result, 0);
    assert_int_equal(failed->state, S3STORE_COMMIT_FAILED);
    assert_non_null(failed->error);
    assert_int_equal(failed->error->status, S3STORE_TOKEN_REUSED);
    assert_int_equal(s3store_write_result_get(result, 1)->state, S3STORE_COMMIT_DONE);
    assert_int_equal(s3store_write_result_get(result, 2)->state, S3STORE_COMMIT_DONE);
    s3store_write_result_free(result);
    assert_string_equal(read_text(&d, "*", "id", true), "c;a;a;b;");
    dataset_close(&d);
}

static s3store_status token_by_id(void *ctx, const char *partition, const struct ArrowSchema *schema,
                                  const struct ArrowArray *batch, char *token, size_t token_size,
                                  s3store_error *err)
{
    (void)err;
    ++*(int *)ctx;
    assert_true(batch->length > 0);
    assert_string_equal(schema->children[0]->name, "id");
    snprintf(token, token_size, "batch-%s", partition + strlen("day=2018-02-0"));
    for (char *c = token; *c != '\0'; c++)
        if (*c == '/')
            *c = '.';
    return S3STORE_OK;
}

static void test_token__a_function_names_one_for_each_partition(void **state)
{
    (void)state;
    s3store_error err;
    dataset d;
    s3store_write_result *result;
    int calls = 0;
    dataset_make(&d, "tokens", NULL);
    s3store_write_options options = S3STORE_WRITE_OPTIONS_INIT;
    options.token_of = token_by_id;
    options.token_of_ctx = &calls;
    assert_ok(s3store_write_records(d.writer, &quake_type, rows, ROW_COUNT, &options, &result,
                                    &err));
    assert_int_equal(calls, 3);
    assert_string_equal(s3store_write_result_get(result, 0)->token, "batch-7.region=east");
    assert_string_equal(s3store_write_result_get(result, 2)->token, "batch-8.region=west");
    s3store_write_result_free(result);
    options.token = "both";
    assert_fails(s3store_write_records(d.writer, &quake_type, rows, ROW_COUNT, &options, &result,
                                       &err),
                 S3STORE_INVALID_ARGUMENT, "token");
    dataset_close(&d);
}

static void test_write__bad_input_is_refused_before_the_first_request(void **state)
{
    (void)state;
    static const char long_token[] = "0123456789012345678901234567890123456789012345678901234567"
                                     "8901234567890123456789012345678901234567890123456789012345"
                                     "6789012345678901234567890123456789012345678901234567890123"
                                     "456789012345678901234567890";
    static const struct {
        const char *columns, *cells, *token, *names;
        s3store_status status;
    } cases[] = {
        {"id:u time:tsu:UTC updated:tsu:UTC region:u", "a 1 1 x;b 1 1 ..", NULL, "..",
         S3STORE_INVALID_ARGUMENT},
        {"id:u time:tsu:UTC updated:tsu:UTC region:u", "a 1 1 x/y", NULL, "x/y",
         S3STORE_INVALID_ARGUMENT},
        {"id:u time:tsu:UTC updated:tsu:UTC region:u", "a 1 1 -", NULL, "region",
         S3STORE_INVALID_ARGUMENT},
        {"id:u time:tsu:UTC updated:tsu:UTC region:u", "a - 1 x", NULL, "time",
         S3STORE_INVALID_ARGUMENT},
        {"id:u time:tsu:UTC updated:tsu:UTC region:u", "a 1 - x", NULL, "updated",
         S3STORE_INVALID_ARGUMENT},
        {"id:u time:tsu:UTC updated:tsu:UTC region:u", "- 1 1 x", NULL, "id",
         S3STORE_INVALID_ARGUMENT},
        {"id:u time:tsu:UTC updated:tsu:UTC", "a 1 1", NULL, "region", S3STORE_SCHEMA_MISMATCH},
        {"id:u time:tsu:UTC region:u", "a 1 x", NULL, "updated", S3STORE_SCHEMA_MISMATCH},
        {"id:u time:tsu:UTC updated:tsu:UTC region:g", "a 1 1 1.5", NULL, "region",
         S3STORE_SCHEMA_MISMATCH},
        {"id:u time:l updated:tsu:UTC region:u", "a 1 1 x", NULL, "time",
         S3STORE_SCHEMA_MISMATCH},
        {"id:u time:tsu:UTC updated:tsu:UTC region:u", "a 1 1 x", "a/b", "'/'",
         S3STORE_INVALID_ARGUMENT},
        {"id:u time:tsu:UTC updated:tsu:UTC region:u", "a 1 1 x", "", "empty",
         S3STORE_INVALID_ARGUMENT},
        {"id:u time:tsu:UTC updated:tsu:UTC region:u", "a 1 1 x", long_token, "200",
         S3STORE_INVALID_ARGUMENT},
    };
    dataset d;
    dataset_make(&d, "bad", NULL);
    (void)dataset_requests(&d);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        s3store_error err;
        struct ArrowArrayStream stream;
        s3store_write_result *result = NULL;
        s3store_write_options options = S3STORE_WRITE_OPTIONS_INIT;
        options.token = cases[i].token;
        make_stream(cases[i].columns, cases[i].cells, &stream);
        memset(&err, 0, sizeof err);
        s3store_status status = s3store_write(d.writer, &stream, &options, &result, &err);
        if (status != cases[i].status &&
            (status != S3STORE_INVALID_ARGUMENT && status != S3STORE_SCHEMA_MISMATCH))
            fail_msg("case %zu: %s: %s", i, s3store_status_name(status), err.message);
        if (strstr(err.message, cases[i].names) == NULL)
            fail_msg("case %zu: \"%s\" does not name %s", i, err.message, cases[i].names);
        assert_null(stream.release);
        assert_requests(&d, 0, 0, 0, 0);
        s3store_write_result_free(result);
    }
    assert_int_equal(dataset_count(&d, "data/"), 0);
    assert_int_equal(dataset_count(&d, "_ref/"), 0);
    dataset_close(&d);
}

static void test_write__no_rows_and_dry_runs_cost_nothing(void **state)
{
    (void)state;
    s3store_error err;
    dataset d;
    s3store_write_result *result;
    dataset_make(&d, "nothing", NULL);
    (void)dataset_requests(&d);
    assert_ok(write_quakes(&d, rows, 0, NULL, &result, &err));
    assert_int_equal(s3store_write_result_count(result), 0);
    s3store_write_result_free(result);
    assert_requests(&d, 0, 0, 0, 0);
    s3store_write_options options = S3STORE_WRITE_OPTIONS_INIT;
    options.dry_run = true;
    options.token = "dry";
    assert_ok(s3store_write_records(d.writer, &quake_type, rows, ROW_COUNT, &options, &result,
                                    &err));
    assert_int_equal(s3store_write_result_count(result), 3);
    const s3store_commit *c = s3store_write_result_get(result, 2);
    assert_int_equal(c->state, S3STORE_COMMIT_PLANNED);
    assert_string_equal(c->partition, "day=2018-02-08/region=west");
    assert_int_equal(c->row_count, 1);
    assert_non_null(strstr(c->data_path, "day=2018-02-08/region=west/dry-"));
    s3store_write_result_free(result);
    assert_requests(&d, 0, 0, 0, 0);
    assert_int_equal(dataset_count(&d, "data/"), 0);
    dataset_close(&d);
}

static void test_write__inserted_at_is_a_column_and_can_be_given(void **state)
{
    (void)state;
    s3store_error err;
    dataset d;
    s3store_write_result *result;
    dataset_options made = {.inserted_at_column = "stored"};
    dataset_make(&d, "inserted", &made);
    s3store_write_options options = S3STORE_WRITE_OPTIONS_INIT;
    options.inserted_at_us = T0 + 7;
    options.token = "at";
    assert_ok(s3store_write_records(d.writer, &quake_type, rows, 1, &options, &result, &err));
    assert_int_equal(s3store_write_result_get(result, 0)->inserted_at_us, T0 + 7);
    s3store_write_result_free(result);
    assert_string_equal(read_text(&d, "*", "id,stored", false), "b|1517961600000007;");
    /* A retry at another time is the same write. */
    options.inserted_at_us = T0 + 8;
    assert_ok(s3store_write_records(d.writer, &quake_type, rows, 1, &options, &result, &err));
    assert_int_equal(s3store_write_result_get(result, 0)->state, S3STORE_COMMIT_EXISTING);
    assert_int_equal(s3store_write_result_get(result, 0)->inserted_at_us, T0 + 7);
    s3store_write_result_free(result);
    dataset_close(&d);
}

static void test_write__a_partition_can_be_given(void **state)
{
    (void)state;
    s3store_error err;
    dataset d;
    s3store_write_result *result;
    dataset_make(&d, "given", NULL);
    s3store_write_options options = S3STORE_WRITE_OPTIONS_INIT;
    options.partition = "day=2018-02-07/region=west";
    assert_ok(s3store_write_records(d.writer, &quake_type, &rows[1], 1, &options, &result, &err));
    assert_string_equal(s3store_write_result_get(result, 0)->partition, options.partition);
    s3store_write_result_free(result);
    static const char *const bad[] = {"region=west", "day=/region=west", "day=a/region=..",
                                      "region=west/day=2018-02-07", "day=a/region=b/c=d"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        options.partition = bad[i];
        assert_fails(s3store_write_records(d.writer, &quake_type, &rows[1], 1, &options, &result,
                                           &err),
                     S3STORE_INVALID_ARGUMENT, NULL);
        s3store_write_result_free(result);
    }
    assert_int_equal(count_rows(&d, "*", true), 1);
    dataset_close(&d);
}

static void test_lookup_and_restamp__find_the_commit_and_put_it_at_the_end(void **state)
{
    (void)state;
    s3store_error err;
    dataset d;
    s3store_write_result *first, *found;
    static const char partition[] = "day=2018-02-07/region=west";
    dataset_make(&d, "lookup", NULL);
    assert_ok(write_quakes(&d, &rows[1], 1, "t", &first, &err));
    assert_ok(s3store_lookup_commit(d.target, partition, "t", NULL, &found, &err));
    assert_same_commit(s3store_write_result_get(found, 0), s3store_write_result_get(first, 0));
    s3store_write_result_free(found);
    assert_fails(s3store_lookup_commit(d.target, partition, "u", NULL, &found, &err),
                 S3STORE_NOT_FOUND, "u");
    (void)write_quakes(&d, &rows[0], 1, NULL, NULL, &err);
    assert_ok(s3store_restamp(d.target, partition, "t", NULL, &found, &err));
    const s3store_commit *c = s3store_write_result_get(found, 0);
    assert_string_equal(c->data_path, s3store_write_result_get(first, 0)->data_path);
    assert_true(strcmp(c->ref_path, s3store_write_result_get(first, 0)->ref_path) > 0);
    wait_settled(&d);
    s3store_entries *entries;
    assert_ok(s3store_poll(d.target, NULL, &entries, &err));
    assert_int_equal(s3store_entries_count(entries), 3);
    assert_string_equal(s3store_entries_get(entries, 2)->ref_path, c->ref_path);
    assert_string_equal(s3store_entries_get(entries, 0)->data_path, c->data_path);
    s3store_entries_free(entries);
    s3store_write_result_free(found);
    s3store_write_result_free(first);
    assert_int_equal(count_rows(&d, "*", true), 2);
    dataset_close(&d);
}

static void test_write__many_partitions_and_rows_sum_up(void **state)
{
    (void)state;
    enum { ROWS = 20000, PARTITIONS = 40 };
    s3store_error err;
    dataset d;
    quake *many = calloc(ROWS, sizeof *many);
    char (*ids)[16] = calloc(ROWS, sizeof *ids);
    assert_non_null(many);
    assert_non_null(ids);
    int64_t sum = 0;
    for (int i = 0; i < ROWS; i++) {
        snprintf(ids[i], sizeof ids[i], "id-%d", i / 2);
        many[i] = (quake){ids[i], T0 + i % PARTITIONS / 2 * DAY_US, T0 + i % 7, "r", i, i % 5 == 0};
        many[i].region = i % 2 == 0 ? "north" : "south";
        sum += many[i].mag_is_null ? 0 : i;
    }
    dataset_make(&d, "many", NULL);
    (void)write_quakes(&d, many, ROWS, "bulk", NULL, &err);
    static const char *const everything[] = {"*"};
    s3store_read_options options = S3STORE_READ_OPTIONS_INIT;
    s3store_records *records;
    options.patterns = everything;
    options.pattern_count = 1;
    options.history = true;
    assert_ok(s3store_read_records(d.reader, &quake_type, &options, &records, &err));
    assert_int_equal(s3store_records_count(records), ROWS);
    const quake *back = s3store_records_data(records);
    int64_t got = 0;
    for (int i = 0; i < ROWS; i++) {
        got += back[i].mag_is_null ? 0 : (int64_t)back[i].mag;
        if (i > 0 && back[i].time / DAY_US == back[i - 1].time / DAY_US &&
            strcmp(back[i].region, back[i - 1].region) == 0)
            assert_true(strcmp(back[i - 1].id, back[i].id) <= 0);
    }
    assert_int_equal(got, sum);
    s3store_records_free(records);
    dataset_close(&d);
    free(ids);
    free(many);
}

int run_write_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_write__divides_rows_by_columns_and_formats_in_key_order),
        cmocka_unit_test(test_write__both_doors_store_the_same_rows),
        cmocka_unit_test(test_write__every_flat_type_and_codec_comes_back),
        cmocka_unit_test(test_write__partition_values_with_nasty_characters_come_back),
        cmocka_unit_test(test_token__a_repeated_write_returns_the_original_result),
        cmocka_unit_test(test_token__reuse_for_other_data_is_noticed),
        cmocka_unit_test(test_write__one_partition_that_fails_leaves_the_others),
        cmocka_unit_test(test_token__a_function_names_one_for_each_partition),
        cmocka_unit_test(test_write__bad_input_is_refused_before_the_first_request),
        cmocka_unit_test(test_write__no_rows_and_dry_runs_cost_nothing),
        cmocka_unit_test(test_write__inserted_at_is_a_column_and_can_be_given),
        cmocka_unit_test(test_write__a_partition_can_be_given),
        cmocka_unit_test(test_lookup_and_restamp__find_the_commit_and_put_it_at_the_end),
        cmocka_unit_test(test_write__many_partitions_and_rows_sum_up),
    };
    return cmocka_run_group_tests_name("write", tests, NULL, NULL);
}
