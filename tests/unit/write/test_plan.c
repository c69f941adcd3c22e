/* Rows to partitions and tokens: everything is checked before the first request. */
#include <stdlib.h>

#include "unit/write/stage.h"

#define PIV "p:string?;id:string?;v:int64?"

static void refused(stage *s, const char *columns, const char *const *rows, size_t count,
                    const s3store_write_options *options, s3store_status status, const char *text)
{
    s3store_error err;
    s3store_write_result *result = NULL;
    faulty_reset(&s->faults);
    assert_fails(stage_write(s, columns, rows, count, options, &result, &err), status, text);
    assert_null(result);
    assert_int_equal(faulty_total(&s->faults), 0);
    /* Also to a caller who does not want to know why. */
    assert_int_equal(stage_write(s, columns, rows, count, options, NULL, NULL), status);
    assert_int_equal(faulty_total(&s->faults), 0);
}

static void test_plan__partitions_are_in_byte_order_of_their_keys(void **state)
{
    stage s;
    s3store_error err;
    s3store_write_result *result;
    (void)state;
    stage_open(&s, NULL);
    assert_ok(stage_write(&s, PIV, ROWS("1.5|a|1", "1|b|2", "\xc3\xa9|c|3", "1-2|d|4", "B|e|5"),
                          NULL, &result, &err));
    assert_string_equal(stage_states(result), "p=1 committed, p=1-2 committed, p=1.5 committed, "
                                              "p=B committed, p=\xc3\xa9 committed");
    s3store_write_result_free(result);
    stage_close(&s);
}

static void test_plan__a_given_partition_must_agree_with_every_row(void **state)
{
    static const char *const parts[] = {"day=time:day", "site", "n", NULL};
    static const struct {
        const char *row;
        const char *text;
    } cases[] = {
        {"1517966773000000|s1|7|1", NULL},
        {"1517966773000000|s2|7|1",
         "row 2: column site does not agree with the partition's site=s1"},
        {"1517966773000000|null|7|1", "row 2: column site does not agree"},
        {"1517880000000000|s1|7|1", "row 2: column time does not agree with the partition's "
                                    "day=2018-02-07"},
        {"1517966773000000|s1|8|1", "row 2: column n does not agree with the partition's n=7"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        stage s;
        s3store_error err;
        s3store_write_options options = S3STORE_WRITE_OPTIONS_INIT;
        const char *columns = "time:timestamp(us, UTC)?;site:string?;n:int32?;v:int64?";
        const char *rows[] = {"1517966773000000|s1|7|1", cases[i].row};
        options.partition = "day=2018-02-07/site=s1/n=7";
        stage_open(&s, &(stage_options){.partition_by = parts});
        if (cases[i].text == NULL)
            assert_ok(stage_write(&s, columns, rows, 2, &options, NULL, &err));
        else
            refused(&s, columns, rows, 2, &options, S3STORE_INVALID_ARGUMENT, cases[i].text);
        stage_close(&s);
    }
    /* The first row that does not is told, whatever comes behind it. */
    stage s;
    s3store_error err;
    struct ArrowArrayStream stream;
    stage_batches b = {0};
    s3store_write_result *result;
    s3store_write_options options = S3STORE_WRITE_OPTIONS_INIT;
    options.partition = "p=a";
    stage_open(&s, NULL);
    stage_batches_add(&s, &b, PIV, ROWS("a|x|1", "b|x|2", "c|x|3"));
    stage_batches_add(&s, &b, PIV, ROWS("a|x|1", "d|x|2"));
    stage_batches_stream(&b, &stream);
    assert_fails(s3s_write(s.writer, &stream, &options, &result, &err), S3STORE_INVALID_ARGUMENT,
                 "row 2: column p does not agree with the partition's p=a");
    assert_null(result);
    stage_close(&s);
}

static void test_plan__a_given_partition_needs_no_column_that_the_dataset_knows(void **state)
{
    stage s;
    s3store_error err;
    s3store_write_options options = S3STORE_WRITE_OPTIONS_INIT;
    (void)state;
    stage_open(&s, NULL);
    assert_ok(stage_write(&s, PIV, ROWS("a|x|1"), NULL, NULL, &err));
    options.partition = "p=b";
    assert_ok(stage_write(&s, "v:int64?", ROWS("2"), &options, NULL, &err));
    assert_ok(stage_write(&s, "p:null?;v:int64?", ROWS("null|3"), &options, NULL, &err));
    refused(&s, "p:string?;v:int64?", ROWS("null|4"), &options, S3STORE_INVALID_ARGUMENT,
            "row 1: column p does not agree");
    assert_string_equal(stage_rows(&s), "a|x|1;-|-|2;-|-|3;");
    stage_close(&s);
}

static void test_plan__a_given_partition_is_checked(void **state)
{
    static const char *const parts[] = {"a", "b", NULL};
    static const char *const bad[] = {
        "",         "a=1",      "a=1/b=2/c=3", "b=1/a=2", "a=/b=2",
        "a=1/b=..", "a=1/b=2/", "/a=1/b=2",    "a=1/b=*", "a=1/b=\x01"};
    stage s;
    (void)state;
    stage_open(&s, &(stage_options){.partition_by = parts});
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        s3store_write_options options = S3STORE_WRITE_OPTIONS_INIT;
        options.partition = bad[i];
        refused(&s, "v:int64?", ROWS("1"), &options, S3STORE_INVALID_ARGUMENT, NULL);
    }
    stage_close(&s);
}

static void test_plan__values_that_no_pattern_can_name_are_refused_unless_allowed(void **state)
{
    stage s;
    s3store_error err;
    s3store_write_result *result;
    s3store_write_options options = S3STORE_WRITE_OPTIONS_INIT;
    (void)state;
    stage_open(&s, NULL);
    refused(&s, PIV, ROWS("a|x|1", "b*|x|1"), NULL, S3STORE_INVALID_ARGUMENT, "row 2");
    refused(&s, PIV, ROWS("a/b|x|1"), NULL, S3STORE_INVALID_ARGUMENT, "row 1");
    refused(&s, PIV, ROWS("|x|1"), NULL, S3STORE_INVALID_ARGUMENT, "row 1");
    stage_close(&s);
    stage_open(&s, &(stage_options){.allow_unaddressable = true});
    assert_ok(stage_write(&s, PIV, ROWS("b*|x|1"), NULL, &result, &err));
    assert_string_equal(stage_states(result), "p=b* committed");
    s3store_write_result_free(result);
    options.partition = "p=[";
    assert_ok(stage_write(&s, "v:int64?", ROWS("1"), &options, NULL, &err));
    refused(&s, PIV, ROWS("a/b|x|1"), NULL, S3STORE_INVALID_ARGUMENT, "row 1");
    stage_close(&s);
}

static void test_plan__keys_of_all_partitions_are_checked_before_the_first_request(void **state)
{
    stage s;
    s3store_error err;
    char row[1024];
    char token[S3STORE_TOKEN_MAX_BYTES + 1];
    s3store_write_options options = S3STORE_WRITE_OPTIONS_INIT;
    (void)state;
    /* ref: "ds/_ref/" 16 - token - 32 ; "p%3D"... the value is the only unknown. */
    size_t room = S3STORE_KEY_MAX_BYTES - strlen("ds/data/p=/-.parquet") - 64;
    stage_open(&s, NULL);
    memset(row, 'z', room + 1);
    memcpy(row + room + 1, "|x|1", 5);
    refused(&s, PIV, ROWS("a|x|1", row), NULL, S3STORE_INVALID_ARGUMENT, NULL);
    memcpy(row + room, "|x|1", 5);
    /* The ref of it is longer than the data object. */
    size_t ref = strlen("ds/_ref/0000000000000000---p=;.ref") + 64 + room;
    if (ref > S3STORE_KEY_MAX_BYTES)
        memcpy(row + room - (ref - S3STORE_KEY_MAX_BYTES), "|x|1", 5);
    assert_ok(stage_write(&s, PIV, ROWS("a|x|1", row), NULL, NULL, &err));
    memset(token, 't', sizeof token - 1);
    token[sizeof token - 1] = '\0';
    options.token = token;
    refused(&s, PIV, ROWS("a|x|1", row), &options, S3STORE_INVALID_ARGUMENT, NULL);
    stage_close(&s);
}

/* ---- tokens ---------------------------------------------------------------------------------- */

static void test_plan__tokens_are_checked_before_the_first_request(void **state)
{
    static const char *const bad[] = {"",     "tok/with/slash", "tok;semi",
                                      "a..b", "a b",            "caf\xc3\xa9"};
    stage s;
    char longer[S3STORE_TOKEN_MAX_BYTES + 2];
    (void)state;
    stage_open(&s, NULL);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        s3store_write_options options = S3STORE_WRITE_OPTIONS_INIT;
        options.token = bad[i];
        refused(&s, PIV, ROWS("a|x|1"), &options, S3STORE_INVALID_ARGUMENT, "token");
    }
    memset(longer, 't', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    s3store_write_options options = S3STORE_WRITE_OPTIONS_INIT;
    options.token = longer;
    refused(&s, PIV, ROWS("a|x|1"), &options, S3STORE_INVALID_ARGUMENT, "200");
    stage_close(&s);
}

/* Says a token for each partition, and writes down what it was asked. */
typedef struct teller {
    char asked[512];
    const char *bad_partition; /* gets bad_token, or fails with bad_status */
    const char *bad_token;
    s3store_status bad_status;
    bool silent; /* fails without a message */
} teller;

static s3store_status tell(void *ctx, const char *partition, const struct ArrowSchema *schema,
                           const struct ArrowArray *rows, char *token, size_t token_size,
                           s3store_error *err)
{
    teller *t = ctx;
    size_t used = strlen(t->asked);
    snprintf(t->asked + used, sizeof t->asked - used, "%s %lld rows %lld columns; ", partition,
             (long long)rows->length, (long long)schema->n_children);
    if (t->bad_partition == NULL || strcmp(partition, t->bad_partition) != 0) {
        snprintf(token, token_size, "tok-%s", partition);
        return S3STORE_OK;
    }
    if (t->bad_status != S3STORE_OK)
        return t->silent ? t->bad_status : s3s_fail(err, t->bad_status, "no more tokens today");
    memset(token, 'x', token_size);
    if (t->bad_token != NULL)
        snprintf(token, token_size, "%s", t->bad_token);
    return S3STORE_OK;
}

static s3store_write_options telling(teller *t)
{
    s3store_write_options options = S3STORE_WRITE_OPTIONS_INIT;
    options.token_of = tell;
    options.token_of_ctx = t;
    return options;
}

static void test_plan__the_token_function_is_asked_once_for_each_partition(void **state)
{
    stage s;
    s3store_error err;
    s3store_write_result *first, *again;
    teller t = {0};
    s3store_write_options options = telling(&t);
    (void)state;
    stage_open(&s, NULL);
    assert_ok(stage_write(&s, PIV, ROWS("b|x|1", "a|y|2", "b|z|3"), &options, &first, &err));
    assert_string_equal(t.asked, "p=a 1 rows 3 columns; p=b 2 rows 3 columns; ");
    assert_string_equal(s3store_write_result_get(first, 0)->token, "tok-p=a");
    assert_ok(stage_write(&s, PIV, ROWS("b|x|1", "a|y|2", "b|z|3"), &options, &again, &err));
    assert_string_equal(stage_states(again), "p=a existing, p=b existing");
    for (size_t i = 0; i < 2; i++)
        assert_string_equal(s3store_write_result_get(first, i)->data_path,
                            s3store_write_result_get(again, i)->data_path);
    s3store_write_result_free(first);
    s3store_write_result_free(again);
    stage_close(&s);
}

static void test_plan__the_token_function_sees_the_rows_as_they_will_be_written(void **state)
{
    stage s;
    s3store_error err;
    teller t = {0};
    s3store_write_options options = telling(&t);
    (void)state;
    stage_open(&s, &(stage_options){.inserted_at_column = "at"});
    assert_ok(stage_write(&s, PIV, ROWS("a|y|2"), &options, NULL, &err));
    assert_string_equal(t.asked, "p=a 1 rows 4 columns; ");
    stage_close(&s);
}

static void test_plan__a_failing_token_function_names_its_partition(void **state)
{
    stage s;
    (void)state;
    stage_open(&s, NULL);
    teller t = {.bad_partition = "p=b", .bad_status = S3STORE_UNAVAILABLE};
    s3store_write_options options = telling(&t);
    refused(&s, PIV, ROWS("b|x|1", "a|y|2"), &options, S3STORE_UNAVAILABLE,
            "token of partition p=b: no more tokens today");
    t.silent = true;
    refused(&s, PIV, ROWS("b|x|1", "a|y|2"), &options, S3STORE_UNAVAILABLE,
            "token of partition p=b: the token function failed");
    t = (teller){.bad_partition = "p=b", .bad_token = "has/slash"};
    refused(&s, PIV, ROWS("b|x|1", "a|y|2"), &options, S3STORE_INVALID_ARGUMENT,
            "token of partition p=b");
    t.bad_token = "";
    refused(&s, PIV, ROWS("b|x|1", "a|y|2"), &options, S3STORE_INVALID_ARGUMENT,
            "token of partition p=b");
    t.bad_token = NULL; /* fills the buffer without an end */
    refused(&s, PIV, ROWS("b|x|1", "a|y|2"), &options, S3STORE_INVALID_ARGUMENT,
            "token of partition p=b");
    stage_close(&s);
}

static void test_plan__token_and_token_function_exclude_each_other(void **state)
{
    stage s;
    teller t = {0};
    s3store_write_options options = telling(&t);
    options.token = "tok";
    (void)state;
    stage_open(&s, NULL);
    refused(&s, PIV, ROWS("a|y|2"), &options, S3STORE_INVALID_ARGUMENT, "mutually exclusive");
    options.token = "";
    refused(&s, PIV, ROWS("a|y|2"), &options, S3STORE_INVALID_ARGUMENT, "mutually exclusive");
    assert_string_equal(t.asked, "");
    stage_close(&s);
}

static void test_plan__a_dry_run_shows_partitions_rows_and_keys_without_a_request(void **state)
{
    stage s;
    s3store_error err;
    s3store_write_result *result;
    s3store_write_options options = S3STORE_WRITE_OPTIONS_INIT;
    options.dry_run = true;
    options.inserted_at_us = 5;
    (void)state;
    stage_open(&s, NULL);
    assert_ok(stage_write(&s, PIV, ROWS("b|x|1", "a|y|2", "b|z|3"), &options, &result, &err));
    assert_int_equal(faulty_total(&s.faults), 0);
    assert_string_equal(stage_states(result), "p=a planned, p=b planned");
    const s3store_commit *c = s3store_write_result_get(result, 1);
    assert_int_equal(c->row_count, 2);
    assert_int_equal(c->inserted_at_us, 5);
    assert_int_equal(strncmp(c->data_path, "ds/data/p=b/", 12), 0);
    assert_int_equal(strncmp(c->ref_path, "ds/_ref/1517966773000000-", 25), 0);
    assert_int_equal(strlen(c->token), S3S_ATTEMPT_ID_SIZE);
    s3store_write_result_free(result);
    options.token = "tok";
    assert_ok(stage_write(&s, PIV, ROWS("b|x|1"), &options, &result, &err));
    assert_int_equal(faulty_total(&s.faults), 0);
    assert_int_equal(strncmp(s3store_write_result_get(result, 0)->data_path,
                             "ds/data/p=b/tok-", 16), 0);
    s3store_write_result_free(result);
    stage_close(&s);
}

static s3store_status token_or_refusal(void *ctx, const char *partition,
                                       const struct ArrowSchema *schema,
                                       const struct ArrowArray *rows, char *token,
                                       size_t token_size, s3store_error *err)
{
    (void)ctx;
    (void)schema;
    (void)rows;
    (void)err;
    snprintf(token, token_size, "t");
    return strcmp(partition, "p=b") == 0 ? S3STORE_UNSUPPORTED : S3STORE_OK;
}

static void test_plan__a_dry_run_that_keeps_going_shows_what_would_fail(void **state)
{
    stage s;
    s3store_error err;
    s3store_write_result *result;
    s3store_write_options options = S3STORE_WRITE_OPTIONS_INIT;
    options.dry_run = options.keep_going = true;
    options.token_of = token_or_refusal;
    (void)state;
    stage_open(&s, NULL);
    assert_ok(stage_write(&s, PIV, ROWS("b|x|1", "a|y|2"), &options, &result, &err));
    assert_string_equal(stage_states(result), "p=a planned, p=b failed UNSUPPORTED");
    assert_int_equal(faulty_total(&s.faults), 0);
    s3store_write_result_free(result);
    stage_close(&s);
}

/* Rows of the first partitions alone are held when memory is full; of later rounds they have none. */
static void test_plan__a_partition_of_an_early_round_is_not_forgotten(void **state)
{
    enum { ROWS_OF_A = 400 };
    stage s;
    s3store_error err;
    s3store_write_result *result;
    struct ArrowArrayStream stream;
    static char texts[ROWS_OF_A][40];
    static const char *rows[ROWS_OF_A];
    stage_batches b = {0};
    s3store_write_options options = S3STORE_WRITE_OPTIONS_INIT;
    options.token = "t";
    (void)state;
    stage_open(&s, &(stage_options){.memory_bytes = 3000});
    for (int i = 0; i < ROWS_OF_A; i++) {
        snprintf(texts[i], sizeof texts[i], "a|x|%d", i);
        rows[i] = texts[i];
    }
    stage_batches_add(&s, &b, PIV, ROWS("y|first|1", "z|first|2"));
    for (int i = 0; i < ROWS_OF_A; i += 50)
        stage_batches_add(&s, &b, PIV, rows + i, 50);
    stage_batches_stream(&b, &stream);
    assert_ok(s3s_write(s.writer, &stream, &options, &result, &err));
    assert_string_equal(stage_states(result), "p=a committed, p=y committed, p=z committed");
    assert_int_equal(s3store_write_result_get(result, 0)->row_count, ROWS_OF_A);
    assert_int_equal(s3store_write_result_get(result, 2)->row_count, 1);
    s3store_write_result_free(result);
    s.target->memory_bytes = 64u << 20;
    assert_non_null(strstr(stage_rows(&s), "y|first|1;z|first|2;"));
    stage_close(&s);
}

/* Rounds may find partitions that sort before those of earlier ones. */
static void test_plan__a_partition_of_a_later_round_has_its_place(void **state)
{
    enum { EACH = 100 };
    stage s;
    s3store_error err;
    s3store_write_result *result;
    struct ArrowArrayStream stream;
    static char texts[3 * EACH][40];
    static const char *rows[3 * EACH];
    stage_batches b = {0};
    (void)state;
    stage_open(&s, &(stage_options){.memory_bytes = 3000});
    for (int i = 0; i < 3 * EACH; i++) {
        snprintf(texts[i], sizeof texts[i], "%c|x|%d", "cab"[i / EACH], i);
        rows[i] = texts[i];
    }
    for (int i = 0; i < 3 * EACH; i += 50)
        stage_batches_add(&s, &b, PIV, rows + i, 50);
    stage_batches_stream(&b, &stream);
    assert_ok(s3s_write(s.writer, &stream, NULL, &result, &err));
    assert_string_equal(stage_states(result), "p=a committed, p=b committed, p=c committed");
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(s3store_write_result_get(result, i)->row_count, EACH);
    s3store_write_result_free(result);
    stage_close(&s);
}

/* As many rows of several batches as one batch has, each in its place there: they are not that batch. */
static void test_plan__rows_of_two_batches_are_not_taken_for_one(void **state)
{
    stage s;
    s3store_error err;
    s3store_write_result *result;
    struct ArrowArrayStream stream;
    stage_batches b = {0};
    (void)state;
    stage_open(&s, NULL);
    stage_batches_add(&s, &b, PIV, ROWS("a|x|1", "a|x|2", "b|x|3"));
    stage_batches_add(&s, &b, PIV, ROWS("b|x|4", "b|x|5", "a|x|6"));
    stage_batches_stream(&b, &stream);
    assert_ok(s3s_write(s.writer, &stream, NULL, &result, &err));
    s3store_write_result_free(result);
    assert_string_equal(stage_rows(&s), "a|x|1;a|x|2;a|x|6;b|x|3;b|x|4;b|x|5;");
    stage_close(&s);
}

static void test_plan__more_view_markers_than_memory_holds_are_refused(void **state)
{
    enum { MANY = 400 };
    static char texts[MANY][140];
    static const char *rows[MANY];
    stage s;
    s3store_error err;
    s3store_write_result *result;
    const s3store_view_def *const views[] = {&(const s3store_view_def){
        .size = sizeof(s3store_view_def),
        .name = "v",
        .columns = (const char *const[]){"id"},
        .column_count = 1}};
    (void)state;
    stage_open(&s, &(stage_options){.views = views, .view_count = 1, .memory_bytes = 100000});
    for (int i = 0; i < MANY; i++) {
        snprintf(texts[i], sizeof texts[i], "p%d|%0100d|1", i % 7, i);
        rows[i] = texts[i];
    }
    assert_ok(stage_write(&s, PIV, rows, 20, NULL, NULL, &err));
    size_t before = stage_count(&s, ".parquet");
    assert_fails(stage_write(&s, PIV, rows, MANY, NULL, &result, &err), S3STORE_LIMIT_EXCEEDED,
                 "the markers of the views take more than half of the memory budget of 100000");
    s3store_write_result_free(result);
    assert_int_equal(stage_count(&s, ".parquet"), before);
    stage_close(&s);
}

typedef struct uncounted {
    s3s_schema *schema;
    const char *const *rows;
    bool all_there;
    int given;
} uncounted;

/* One batch of a producer that says nothing of nulls: a bitmap, and no count. */
static s3store_status uncounted_next(void *impl, struct ArrowArray *out, s3store_error *err)
{
    uncounted *u = impl;
    (void)err;
    memset(out, 0, sizeof *out);
    if (u->given++ > 0)
        return S3STORE_END;
    kit_batch(u->schema, u->rows, 2, out);
    out->children[1]->null_count = -1; /* id */
    if (u->all_there)
        memset((void *)out->children[1]->buffers[0], 0xff, 1);
    return S3STORE_OK;
}

static void uncounted_free(void *impl)
{
    (void)impl;
}

static void test_plan__nulls_are_looked_for_where_nobody_counted_them(void **state)
{
    static const char *const rows[] = {"a|null|1", "a|y|2"};
    (void)state;
    for (int all_there = 0; all_there < 2; all_there++) {
        stage s;
        s3store_error err;
        s3store_write_result *result;
        struct ArrowArrayStream stream;
        stage_open(&s, &(stage_options){.entity = true});
        uncounted u = {kit_schema(s.env, PIV), rows, all_there == 1, 0};
        s3s_batch_source source = {.impl = &u, .next = uncounted_next, .free = uncounted_free};
        assert_ok(s3s_stream_make(s.env, u.schema, source, &stream, &err));
        s3store_status status = s3s_write(s.writer, &stream, NULL, &result, &err);
        if (all_there == 1)
            assert_string_equal(stage_rows(&s), "a||1;a|y|2;");
        else
            assert_non_null(strstr(err.message, "row 1: the entity column id is null"));
        assert_int_equal(status, all_there == 1 ? S3STORE_OK : S3STORE_INVALID_ARGUMENT);
        s3store_write_result_free(result);
        s3s_schema_release(u.schema);
        stage_close(&s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plan__partitions_are_in_byte_order_of_their_keys),
        cmocka_unit_test(test_plan__a_given_partition_must_agree_with_every_row),
        cmocka_unit_test(test_plan__a_given_partition_needs_no_column_that_the_dataset_knows),
        cmocka_unit_test(test_plan__a_given_partition_is_checked),
        cmocka_unit_test(test_plan__values_that_no_pattern_can_name_are_refused_unless_allowed),
        cmocka_unit_test(test_plan__keys_of_all_partitions_are_checked_before_the_first_request),
        cmocka_unit_test(test_plan__tokens_are_checked_before_the_first_request),
        cmocka_unit_test(test_plan__the_token_function_is_asked_once_for_each_partition),
        cmocka_unit_test(test_plan__the_token_function_sees_the_rows_as_they_will_be_written),
        cmocka_unit_test(test_plan__a_failing_token_function_names_its_partition),
        cmocka_unit_test(test_plan__token_and_token_function_exclude_each_other),
        cmocka_unit_test(test_plan__a_dry_run_shows_partitions_rows_and_keys_without_a_request),
        cmocka_unit_test(test_plan__a_dry_run_that_keeps_going_shows_what_would_fail),
        cmocka_unit_test(test_plan__nulls_are_looked_for_where_nobody_counted_them),
        cmocka_unit_test(test_plan__a_partition_of_an_early_round_is_not_forgotten),
        cmocka_unit_test(test_plan__a_partition_of_a_later_round_has_its_place),
        cmocka_unit_test(test_plan__rows_of_two_batches_are_not_taken_for_one),
        cmocka_unit_test(test_plan__more_view_markers_than_memory_holds_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
