/* Inputs that need several commits, or more memory than there is (FORMAT "Chunks"). */
#include "base/env_private.h"
#include "unit/write/chunk_kit.h"

#include <stdlib.h>

/* Holds a few rows of the kit's input at a time. */
#define LITTLE 3000
#define PLENTY (8u << 20)

static const stage_options little = {.entity = true, .memory_bytes = LITTLE};

static void open_chunked(stage *s, uint64_t memory_bytes, uint64_t rows, uint64_t bytes)
{
    stage_options o = little;
    o.memory_bytes = memory_bytes;
    stage_open(s, &o);
    s->target->settings.chunk_rows = rows;
    s->target->settings.chunk_bytes = bytes;
}

static s3store_write_options with_token(const char *token)
{
    s3store_write_options options = S3STORE_WRITE_OPTIONS_INIT;
    options.token = token;
    return options;
}

#define assert_states(result, text) assert_string_equal(chunk_states(result), text)

/* ---- cutting --------------------------------------------------------------------------------- */

static void test_chunks__a_partition_is_cut_by_rows_in_input_order(void **state)
{
    stage s;
    s3store_error err;
    s3store_write_result *result;
    s3s_marker m;
    (void)state;
    open_chunked(&s, PLENTY, 16, 0);
    s3store_write_options options = with_token("t");
    assert_ok(chunk_write(&s, &(chunk_input){.count = 50}, &options, &result, &err));
    assert_states(result, "a#1 committed 16, a#2 committed 16, a#3 committed 8, b committed 10");
    assert_string_equal(s3store_write_result_get(result, 0)->token, "t");
    assert_string_equal(s3store_write_result_get(result, 1)->token, "t~000002");
    assert_string_equal(s3store_write_result_get(result, 2)->token, "t~000003");
    s3store_write_result_free(result);
    assert_true(stage_marker(&s, "ds/data/p=a/t.commit", &m));
    assert_int_equal(m.chunk_rows, 16);
    assert_int_equal(m.chunk_bytes, S3STORE_DEFAULT_CHUNK_BYTES);
    assert_true(stage_marker(&s, "ds/data/p=a/t~000002.commit", &m));
    assert_int_equal(m.chunk_rows, 0);
    assert_true(stage_marker(&s, "ds/data/p=b/t.commit", &m));
    assert_int_equal(m.chunk_rows, 0); /* one commit: nothing to say */
    chunk_check_rows(&s, 50);
    stage_close(&s);
}

static void test_chunks__exactly_full_is_one_commit(void **state)
{
    stage s;
    s3store_error err;
    s3store_write_result *result;
    (void)state;
    for (int little_memory = 0; little_memory < 2; little_memory++) {
        open_chunked(&s, little_memory ? LITTLE : PLENTY, 40, 0);
        s3store_write_options options = with_token("t");
        assert_ok(chunk_write(&s, &(chunk_input){.count = 50}, &options, &result, &err));
        assert_states(result, "a committed 40, b committed 10");
        s3store_write_result_free(result);
        assert_ok(chunk_write(&s, &(chunk_input){.count = 50}, &options, &result, &err));
        assert_states(result, "a existing 40, b existing 10");
        s3store_write_result_free(result);
        stage_close(&s);
    }
}

static void test_chunks__bytes_cut_too_and_a_larger_row_is_a_chunk_of_its_own(void **state)
{
    stage s;
    s3store_error err;
    s3store_write_result *result;
    (void)state;
    open_chunked(&s, PLENTY, 0, 10 * CHUNK_ROW_BYTES + 5);
    s3store_write_options options = with_token("t");
    assert_ok(chunk_write(&s, &(chunk_input){.count = 30}, &options, &result, &err));
    assert_states(result, "a#1 committed 10, a#2 committed 10, a#3 committed 4, b committed 6");
    s3store_write_result_free(result);
    stage_close(&s);
    open_chunked(&s, PLENTY, 0, CHUNK_ROW_BYTES - 1);
    assert_ok(chunk_write(&s, &(chunk_input){.count = 5}, &options, &result, &err));
    assert_states(result, "a#1 committed 1, a#2 committed 1, a#3 committed 1, a#4 committed 1, "
                          "b committed 1");
    s3store_write_result_free(result);
    stage_close(&s);
}

/* What is written says nothing of batches or memory. */
static void test_chunks__neither_batches_nor_memory_move_a_cut(void **state)
{
    static const struct {
        uint64_t memory_bytes;
        int batch_rows;
    } cases[] = {{PLENTY, 500}, {PLENTY, 3}, {LITTLE, 500}, {LITTLE, 1}, {LITTLE * 3, 11}};
    char first[8192] = "";
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        stage s;
        s3store_error err;
        open_chunked(&s, cases[i].memory_bytes, 37, 20 * CHUNK_ROW_BYTES);
        s3store_write_options options = with_token("t");
        chunk_input input = {.count = 400, .batch_rows = cases[i].batch_rows};
        assert_ok(chunk_write(&s, &input, &options, NULL, &err));
        if (i == 0)
            snprintf(first, sizeof first, "%s", chunk_markers(&s));
        assert_string_equal(chunk_markers(&s), first);
        chunk_check_rows(&s, 400);
        stage_close(&s);
    }
    assert_non_null(strstr(first, "p=a/t~000016.commit 20 "));
    assert_non_null(strstr(first, "p=b/t~000004.commit 20 "));
}

/* ---- order ----------------------------------------------------------------------------------- */

typedef struct order {
    bool first_is_done, wrong;
    unsigned commits;
} order;

static faulty_fate watch_order(void *ctx, const faulty_request *r)
{
    order *o = ctx;
    if (r->verb != S3S_VERB_PUT || r->kind != FAULTY_COMMIT || strstr(r->key, "p=a/") == NULL)
        return (faulty_fate){0};
    o->commits++;
    if (strstr(r->key, "~") != NULL && !o->first_is_done)
        o->wrong = true;
    /* The first one takes long: the others have all the time to be early. */
    if (strstr(r->key, "~") == NULL)
        o->first_is_done = true;
    return (faulty_fate){.before_us = strstr(r->key, "~") == NULL ? SECOND : 0};
}

/* What 10,240 rows in batches of this size become: every marker with its content hash, and the sizes of
 * the data. */
static const char *mixed_rows(char *text, size_t size, bool real, int batch_rows)
{
    stage s;
    s3store_error err;
    s3store_write_result *result;
    s3store_write_options options = with_token("t");
    stage_open(&s, &(stage_options){.entity = true, .memory_bytes = PLENTY, .real = real});
    s.target->settings.chunk_bytes = 1500 * CHUNK_ROW_BYTES;
    assert_ok(chunk_write(&s, &(chunk_input){.count = 10240, .batch_rows = batch_rows}, &options,
                          &result, &err));
    size_t used = (size_t)snprintf(text, size, "%s", chunk_markers(&s));
    for (size_t i = 0; i < s3store_write_result_count(result); i++)
        used += (size_t)snprintf(text + used, size - used, "%llu ",
                                 (unsigned long long)s3store_write_result_get(result, i)->size_bytes);
    assert_true(used < size);
    assert_int_equal(s3store_write_result_count(result), 6 + 2);
    s3store_write_result_free(result);
    stage_close(&s);
    return text;
}

/* Batches of 512 rows are sorted by partition before they are taken, those of 7 are too short for it. */
static void test_chunks__sorting_batches_by_partition_changes_nothing(void **state)
{
    static char plain[4096], sorted[4096], threads[4096];
    (void)state;
    mixed_rows(plain, sizeof plain, false, 7);
    assert_string_equal(mixed_rows(sorted, sizeof sorted, false, 512), plain);
    assert_string_equal(mixed_rows(threads, sizeof threads, true, 512), plain);
}

static void test_chunks__the_first_is_committed_before_any_other(void **state)
{
    (void)state;
    for (int little_memory = 0; little_memory < 2; little_memory++) {
        stage s;
        s3store_error err;
        order o = {0};
        open_chunked(&s, little_memory ? LITTLE : PLENTY, 10, 0);
        s.faults.fn = watch_order;
        s.faults.ctx = &o;
        s3store_write_options options = with_token("t");
        assert_ok(chunk_write(&s, &(chunk_input){.count = 200}, &options, NULL, &err));
        assert_int_equal(o.commits, 16);
        assert_false(o.wrong);
        s.faults.fn = NULL;
        stage_close(&s);
    }
}

/* ---- again ----------------------------------------------------------------------------------- */

static void test_chunks__a_retry_does_what_is_missing_whatever_its_memory(void **state)
{
    static const uint64_t memory[] = {PLENTY, LITTLE};
    (void)state;
    for (size_t first = 0; first < 2; first++) {
        for (size_t second = 0; second < 2; second++) {
            stage s;
            s3store_error err;
            s3store_write_result *result;
            open_chunked(&s, memory[first], 16, 0);
            stage_rule rule = {.verb = S3S_VERB_PUT, .kind = FAULTY_COMMIT, .from = 3,
                               .fate = {.refuse = S3STORE_PERMISSION_DENIED}};
            stage_rules(&s, &rule, 1);
            s3store_write_options options = with_token("t");
            assert_fails(chunk_write(&s, &(chunk_input){.count = 100}, &options, &result, &err),
                         S3STORE_PARTIAL, "chunks are committed");
            assert_int_equal(s3store_write_result_get(result, 0)->state, S3STORE_COMMIT_DONE);
            s3store_write_result_free(result);
            stage_rules(&s, NULL, 0);
            s.target->memory_bytes = memory[second];
            assert_ok(chunk_write(&s, &(chunk_input){.count = 100, .batch_rows = 13}, &options,
                                  &result, &err));
            assert_int_equal(s3store_write_result_count(result), 7); /* 5 of a, 2 of b */
            assert_int_equal(s3store_write_result_get(result, 0)->state, S3STORE_COMMIT_EXISTING);
            s3store_write_result_free(result);
            chunk_check_rows(&s, 100);
            assert_int_equal(stage_count(&s, ".commit"), 7);
            stage_close(&s);
        }
    }
}

static void test_chunks__a_retry_of_all_stores_nothing(void **state)
{
    stage s;
    s3store_error err;
    s3store_write_result *result;
    (void)state;
    open_chunked(&s, LITTLE, 16, 0);
    s3store_write_options options = with_token("t");
    assert_ok(chunk_write(&s, &(chunk_input){.count = 100}, &options, NULL, &err));
    faulty_reset(&s.faults);
    assert_ok(chunk_write(&s, &(chunk_input){.count = 100}, &options, &result, &err));
    assert_states(result, "a#1 existing 16, a#2 existing 16, a#3 existing 16, a#4 existing 16, "
                          "a#5 existing 16, b#1 existing 16, b#2 existing 4");
    s3store_write_result_free(result);
    assert_int_equal(faulty_total(&s.faults), 7); /* one HEAD each */
    assert_int_equal(s.faults.counts[S3S_VERB_HEAD][FAULTY_COMMIT], 7);
    stage_close(&s);
}

/* The first commit says how the input is cut, whoever asks later thinks otherwise. */
static void test_chunks__a_retry_obeys_the_first_commit(void **state)
{
    (void)state;
    for (int variant = 0; variant < 6; variant++) {
        stage s;
        s3store_error err;
        bool optimistic = variant % 2 == 1;
        static const uint64_t later[] = {7, 33, 1000};
        open_chunked(&s, PLENTY, 16, 0);
        s3store_write_options options = with_token("t");
        assert_ok(chunk_write(&s, &(chunk_input){.count = 100}, &options, NULL, &err));
        char before[8192];
        snprintf(before, sizeof before, "%s", chunk_markers(&s));
        s.target->settings.chunk_rows = later[variant / 2];
        options.optimistic = optimistic;
        for (int little_memory = 0; little_memory < 2; little_memory++) {
            s.target->memory_bytes = little_memory ? LITTLE : PLENTY;
            s3store_write_result *result;
            assert_ok(chunk_write(&s, &(chunk_input){.count = 100}, &options, &result, &err));
            assert_states(result, "a#1 existing 16, a#2 existing 16, a#3 existing 16, a#4 existing "
                                  "16, a#5 existing 16, b#1 existing 16, b#2 existing 4");
            s3store_write_result_free(result);
            assert_string_equal(chunk_markers(&s), before);
        }
        stage_close(&s);
    }
}

static void test_chunks__a_retry_of_one_commit_stays_one(void **state)
{
    (void)state;
    for (int little_memory = 0; little_memory < 2; little_memory++) {
        stage s;
        s3store_error err;
        s3store_write_result *result;
        open_chunked(&s, PLENTY, 1000, 0);
        s3store_write_options options = with_token("t");
        assert_ok(chunk_write(&s, &(chunk_input){.count = 100}, &options, NULL, &err));
        s.target->settings.chunk_rows = 16;
        s.target->memory_bytes = little_memory ? LITTLE : PLENTY;
        assert_ok(chunk_write(&s, &(chunk_input){.count = 100}, &options, &result, &err));
        assert_states(result, "a existing 80, b existing 20");
        s3store_write_result_free(result);
        stage_close(&s);
    }
}

static void test_chunks__other_data_under_the_token_are_noticed(void **state)
{
    (void)state;
    for (int little_memory = 0; little_memory < 2; little_memory++) {
        stage s;
        s3store_error err;
        s3store_write_result *result;
        open_chunked(&s, little_memory ? LITTLE : PLENTY, 16, 0);
        s3store_write_options options = with_token("t");
        options.keep_going = true;
        assert_ok(chunk_write(&s, &(chunk_input){.count = 100}, &options, NULL, &err));
        assert_fails(chunk_write(&s, &(chunk_input){.count = 100, .other_from = 75}, &options,
                                 &result, &err),
                     S3STORE_PARTIAL, "token t~000004 is already committed");
        const char *known = "a#1 existing 16, a#2 existing 16, a#3 existing 16, a#4 failed 16 "
                            "TOKEN_REUSED, a#5 failed 16 TOKEN_REUSED, b#1 failed 16 TOKEN_REUSED, "
                            "b#2 not_tried ";
        assert_int_equal(strncmp(chunk_states(result), known, strlen(known)), 0);
        s3store_write_result_free(result);
        /* The beginning of it alone is other data, too. */
        assert_fails(chunk_write(&s, &(chunk_input){.count = 20}, &options, &result, &err),
                     S3STORE_TOKEN_REUSED, "a longer input");
        s3store_write_result_free(result);
        options.accept_different = true;
        assert_ok(chunk_write(&s, &(chunk_input){.count = 20}, &options, NULL, &err));
        stage_close(&s);
    }
}

static void test_chunks__lookup_tells_all_of_them(void **state)
{
    stage s;
    s3store_error err;
    s3store_write_result *result;
    (void)state;
    open_chunked(&s, PLENTY, 16, 0);
    s3store_write_options options = with_token("t");
    assert_ok(chunk_write(&s, &(chunk_input){.count = 100}, &options, NULL, &err));
    assert_ok(s3s_lookup_commit(s.target, "p=b", "t", NULL, &result, &err));
    assert_states(result, "b#1 existing 16, b#2 existing 4");
    assert_string_equal(s3store_write_result_get(result, 1)->token, "t~000002");
    s3store_write_result_free(result);
    /* One that cannot be asked for is not the end of them. */
    static const stage_rule denied = {
        S3S_VERB_HEAD, FAULTY_COMMIT, 2, 2, {.refuse = S3STORE_PERMISSION_DENIED}};
    stage_rules(&s, &denied, 1);
    assert_fails(s3s_lookup_commit(s.target, "p=b", "t", NULL, &result, &err),
                 S3STORE_PERMISSION_DENIED, NULL);
    assert_null(result);
    stage_close(&s);
}

/* What cannot be cut is its partition's failure, and the others are written. */
static void test_chunks__a_partition_that_cannot_be_cut_fails_alone(void **state)
{
    (void)state;
    for (int little_memory = 0; little_memory < 2; little_memory++) {
        stage s;
        s3store_error err;
        s3store_write_result *result;
        s3store_write_options options = S3STORE_WRITE_OPTIONS_INIT;
        options.keep_going = true; /* and neither a token, nor said that there is none */
        open_chunked(&s, little_memory ? LITTLE : PLENTY, 16, 0);
        assert_fails(chunk_write(&s, &(chunk_input){.count = 40}, &options, &result, &err),
                     S3STORE_PARTIAL, "--no-token");
        assert_int_equal(s3store_write_result_count(result), 2);
        assert_int_equal(s3store_write_result_get(result, 0)->state, S3STORE_COMMIT_FAILED);
        assert_int_equal(s3store_write_result_get(result, 1)->state, S3STORE_COMMIT_DONE);
        assert_int_equal(s3store_write_result_get(result, 1)->row_count, 8);
        assert_int_equal(stage_count(&s, ".commit"), 1);
        s3store_write_result_free(result);
        stage_close(&s);
    }
}

/* The first write cut by bytes: who finds that only at its commit cuts so too. A row that is larger than
 * a chunk is one. */
static void test_chunks__a_retry_cuts_by_the_bytes_of_the_first_commit(void **state)
{
    (void)state;
    for (int count = 1; count <= 40; count += 39) {
        stage s;
        s3store_error err;
        s3store_write_result *result;
        char before[8192];
        open_chunked(&s, PLENTY, 1000, count == 1 ? 3 : 4 * CHUNK_ROW_BYTES);
        s3store_write_options options = with_token("t");
        options.optimistic = true;
        assert_ok(chunk_write(&s, &(chunk_input){.count = 40}, &options, NULL, &err));
        snprintf(before, sizeof before, "%s", chunk_markers(&s));
        s.target->settings.chunk_bytes = 0;
        if (count > 1) {
            assert_ok(chunk_write(&s, &(chunk_input){.count = count}, &options, &result, &err));
            assert_int_equal(s3store_write_result_count(result), 8 + 2);
            for (size_t i = 0; i < 10; i++)
                assert_int_equal(s3store_write_result_get(result, i)->state,
                                 S3STORE_COMMIT_EXISTING);
            s3store_write_result_free(result);
        } else {
            assert_fails(chunk_write(&s, &(chunk_input){.count = count}, &options, NULL, &err),
                         S3STORE_TOKEN_REUSED, "a longer input");
        }
        assert_string_equal(chunk_markers(&s), before);
        stage_close(&s);
    }
}

/* ---- tokens ---------------------------------------------------------------------------------- */

static void test_chunks__without_a_token_it_must_be_said(void **state)
{
    (void)state;
    for (int little_memory = 0; little_memory < 2; little_memory++) {
        stage s;
        s3store_error err;
        s3store_write_result *result;
        s3store_write_options options = S3STORE_WRITE_OPTIONS_INIT;
        s3s_marker m;
        open_chunked(&s, little_memory ? LITTLE : PLENTY, 16, 0);
        assert_fails(chunk_write(&s, &(chunk_input){.count = 100}, &options, &result, &err),
                     S3STORE_INVALID_ARGUMENT, "--no-token");
        assert_non_null(strstr(err.message, "p=a"));
        assert_null(result);
        assert_int_equal(faulty_total(&s.faults), 0);
        options.no_token = true;
        assert_ok(chunk_write(&s, &(chunk_input){.count = 100}, &options, &result, &err));
        assert_int_equal(s3store_write_result_count(result), 7);
        char key[S3S_KEY_SIZE];
        snprintf(key, sizeof key, "ds/data/p=a/%s.commit",
                 s3store_write_result_get(result, 0)->token);
        assert_true(stage_marker(&s, key, &m));
        s3store_write_result_free(result);
        chunk_check_rows(&s, 100);
        stage_close(&s);
    }
}

static void test_chunks__a_long_token_is_for_one_commit_only(void **state)
{
    stage s;
    s3store_error err;
    char token[201];
    (void)state;
    memset(token, 'x', 200);
    token[200] = '\0';
    s3store_write_options options = with_token(token);
    open_chunked(&s, PLENTY, 16, 0);
    assert_ok(chunk_write(&s, &(chunk_input){.count = 10}, &options, NULL, &err));
    token[194] = '\0';
    faulty_reset(&s.faults);
    assert_fails(chunk_write(&s, &(chunk_input){.count = 100}, &options, NULL, &err),
                 S3STORE_INVALID_ARGUMENT, "193");
    assert_int_equal(s.faults.counts[S3S_VERB_PUT][FAULTY_DATA], 0);
    token[193] = '\0';
    assert_ok(chunk_write(&s, &(chunk_input){.count = 100}, &options, NULL, &err));
    stage_close(&s);
}

typedef struct told {
    unsigned calls;
    bool by_row;
} told;

static s3store_status tell(void *ctx, const char *partition, const struct ArrowSchema *schema,
                           const struct ArrowArray *rows, char *token, size_t token_size,
                           s3store_error *err)
{
    told *t = ctx;
    (void)err;
    t->calls++;
    const int32_t *offsets = rows->children[1]->buffers[1];
    assert_string_equal(schema->children[1]->name, "id");
    snprintf(token, token_size, "%s-%.6s", partition + 2,
             t->by_row ? (const char *)rows->children[1]->buffers[2] + offsets[0] : "same");
    return S3STORE_OK;
}

static void test_chunks__a_token_function_answers_for_all_rows(void **state)
{
    (void)state;
    for (int by_row = 0; by_row < 2; by_row++) {
        stage s;
        s3store_error err;
        told t = {.by_row = by_row};
        s3store_write_options options = S3STORE_WRITE_OPTIONS_INIT;
        options.token_of = tell;
        options.token_of_ctx = &t;
        open_chunked(&s, PLENTY, 16, 0);
        assert_ok(chunk_write(&s, &(chunk_input){.count = 100}, &options, NULL, &err));
        assert_int_equal(t.calls, 2); /* once for each partition, with all of its rows */
        s.target->memory_bytes = LITTLE;
        if (by_row)
            assert_fails(chunk_write(&s, &(chunk_input){.count = 100}, &options, NULL, &err),
                         S3STORE_PARTIAL, "all rows agree");
        else
            assert_ok(chunk_write(&s, &(chunk_input){.count = 100}, &options, NULL, &err));
        chunk_check_rows(&s, 100);
        stage_close(&s);
    }
}

static s3store_status tell_not_a(void *ctx, const char *partition,
                                 const struct ArrowSchema *schema, const struct ArrowArray *rows,
                                 char *token, size_t token_size, s3store_error *err)
{
    (void)ctx;
    (void)schema;
    (void)rows;
    if (strcmp(partition, "p=a") == 0) {
        snprintf(err->message, sizeof err->message, "nobody knows a");
        return err->status = S3STORE_INVALID_ARGUMENT;
    }
    snprintf(token, token_size, "t");
    return S3STORE_OK;
}

static void test_chunks__a_token_that_fails_is_its_partitions_failure(void **state)
{
    stage s;
    s3store_error err;
    s3store_write_result *result;
    (void)state;
    open_chunked(&s, PLENTY, 16, 0);
    s3store_write_options options = S3STORE_WRITE_OPTIONS_INIT;
    options.token_of = tell_not_a;
    assert_fails(chunk_write(&s, &(chunk_input){.count = 10}, &options, &result, &err),
                 S3STORE_INVALID_ARGUMENT, "nobody knows a");
    assert_null(result);
    assert_int_equal(faulty_total(&s.faults), 0);
    options.keep_going = true;
    assert_fails(chunk_write(&s, &(chunk_input){.count = 10}, &options, &result, &err),
                 S3STORE_PARTIAL, "nobody knows a");
    assert_states(result, "a failed 8 INVALID_ARGUMENT, b committed 2");
    s3store_write_result_free(result);
    stage_close(&s);
}

/* ---- what goes wrong on the way -------------------------------------------------------------- */

static void test_chunks__a_producer_that_breaks_leaves_whole_chunks(void **state)
{
    stage s;
    s3store_error err;
    s3store_write_result *result;
    (void)state;
    open_chunked(&s, LITTLE, 16, 0);
    s3store_write_options options = with_token("t");
    assert_fails(chunk_write(&s, &(chunk_input){.count = 500, .fails_at = 450}, &options, &result,
                             &err),
                 S3STORE_PARTIAL, "the producer broke at row 450");
    assert_true(s3store_write_result_count(result) > 10);
    assert_int_equal(s3store_write_result_get(result, 0)->state, S3STORE_COMMIT_DONE);
    s3store_write_result_free(result);
    s.target->memory_bytes = PLENTY;
    assert_ok(chunk_write(&s, &(chunk_input){.count = 500}, &options, NULL, &err));
    chunk_check_rows(&s, 500);
    stage_close(&s);
}

/* Nothing of an input is visible that fits one commit for each partition, however little memory there
 * is, before all of it was read. */
static void test_chunks__one_commit_each_waits_for_the_end(void **state)
{
    stage s;
    s3store_error err;
    s3store_write_result *result;
    (void)state;
    open_chunked(&s, LITTLE, 0, 0);
    assert_fails(chunk_write(&s, &(chunk_input){.count = 500, .fails_at = 499}, NULL, &result,
                             &err),
                 S3STORE_IO, "the producer broke");
    assert_null(result);
    assert_int_equal(faulty_total(&s.faults), 0);
    assert_ok(chunk_write(&s, &(chunk_input){.count = 500}, NULL, &result, &err));
    assert_states(result, "a committed 400, b committed 100");
    s3store_write_result_free(result);
    chunk_check_rows(&s, 500);
    stage_close(&s);
}

typedef struct stopper {
    s3store_cancel *cancel;
    int at;
} stopper;

static void stop_at(void *ctx, int next_row)
{
    stopper *stop = ctx;
    if (next_row >= stop->at)
        s3store_cancel_trigger(stop->cancel);
}

static void test_chunks__cancelling_between_chunks_tells_what_is_committed(void **state)
{
    stage s;
    s3store_error err;
    s3store_write_result *result;
    stopper stop = {.at = 300};
    (void)state;
    open_chunked(&s, LITTLE, 16, 0);
    assert_ok(s3store_cancel_new(&stop.cancel, &err));
    s3store_write_options options = with_token("t");
    options.cancel = stop.cancel;
    chunk_input input = {.count = 500, .between = stop_at, .between_ctx = &stop};
    assert_fails(chunk_write(&s, &input, &options, &result, &err), S3STORE_PARTIAL, "cancelled");
    assert_int_equal(s3store_write_result_get(result, 0)->state, S3STORE_COMMIT_DONE);
    size_t count = s3store_write_result_count(result);
    assert_int_equal(s3store_write_result_get(result, count - 1)->state,
                     S3STORE_COMMIT_NOT_TRIED);
    s3store_write_result_free(result);
    options.cancel = NULL;
    assert_ok(chunk_write(&s, &(chunk_input){.count = 500}, &options, NULL, &err));
    chunk_check_rows(&s, 500);
    s3store_cancel_free(stop.cancel);
    stage_close(&s);
}

static void test_chunks__a_failed_first_chunk_holds_the_others_back(void **state)
{
    (void)state;
    for (int little_memory = 0; little_memory < 2; little_memory++) {
        stage s;
        s3store_error err;
        s3store_write_result *result;
        open_chunked(&s, little_memory ? LITTLE : PLENTY, 16, 0);
        stage_rule rule = {.verb = S3S_VERB_PUT, .kind = FAULTY_DATA, .from = 1,
                           .partition = "p=a", .fate = {.refuse = S3STORE_PERMISSION_DENIED}};
        stage_rules(&s, &rule, 1);
        s3store_write_options options = with_token("t");
        options.keep_going = true;
        assert_fails(chunk_write(&s, &(chunk_input){.count = 100}, &options, &result, &err),
                     S3STORE_PARTIAL, "refused by the test");
        assert_int_equal(s3store_write_result_get(result, 0)->state, S3STORE_COMMIT_FAILED);
        assert_int_equal(s3store_write_result_get(result, 1)->state, S3STORE_COMMIT_NOT_TRIED);
        assert_int_equal(stage_count(&s, ".commit"), 2); /* of b */
        s3store_write_result_free(result);
        stage_rules(&s, NULL, 0);
        assert_ok(chunk_write(&s, &(chunk_input){.count = 100}, &options, NULL, &err));
        chunk_check_rows(&s, 100);
        stage_close(&s);
    }
}

static void test_chunks__a_spill_directory_that_is_not_there_is_named(void **state)
{
    stage s;
    s3store_error err;
    (void)state;
    open_chunked(&s, LITTLE, 0, 0);
    s3s_free(s.env, s.target->spill_dir);
    s.target->spill_dir = s3s_strdup(s.env, "/nonexistent/spill");
    assert_fails(chunk_write(&s, &(chunk_input){.count = 500}, NULL, NULL, &err), S3STORE_IO,
                 "/nonexistent/spill");
    assert_non_null(strstr(err.message, "--spill-dir"));
    assert_ok(chunk_write(&s, &(chunk_input){.count = 20}, NULL, NULL, &err));
    stage_close(&s);
}

/* Another writer records wider types while rows are in the spill file. */
static void record_wider(void *ctx, int next_row)
{
    stage *s = ctx;
    s3store_error err;
    if (next_row != 280)
        return;
    s3s_schema *types = kit_schema(s->env, "v:int64?"), *admitted;
    assert_ok(s3s_target_admit_schema(s->target, NULL, types, &admitted, &err));
    s3s_schema_release(admitted);
    s3s_schema_release(types);
}

static void test_chunks__types_that_widen_on_the_way_reach_what_was_spilled(void **state)
{
    stage s;
    s3store_error err;
    (void)state;
    open_chunked(&s, LITTLE, 300, 0);
    s3store_write_options options = with_token("t");
    chunk_input input = {.count = 500, .between = record_wider, .between_ctx = &s,
                         .columns = "p:string?;id:string?;v:int32?"};
    assert_ok(chunk_write(&s, &input, &options, NULL, &err));
    char before[8192];
    snprintf(before, sizeof before, "%s", chunk_markers(&s));
    chunk_check_rows(&s, 500);
    assert_ok(chunk_write(&s, &(chunk_input){.count = 500}, &options, NULL, &err));
    assert_string_equal(chunk_markers(&s), before);
    stage_close(&s);
}

static void test_chunks__a_dry_run_shows_them_without_a_request(void **state)
{
    (void)state;
    for (int little_memory = 0; little_memory < 2; little_memory++) {
        stage s;
        s3store_error err;
        s3store_write_result *result;
        open_chunked(&s, little_memory ? LITTLE : PLENTY, 160, 0);
        s3store_write_options options = with_token("t");
        options.dry_run = true;
        assert_ok(chunk_write(&s, &(chunk_input){.count = 500}, &options, &result, &err));
        assert_states(result, "a#1 planned 160, a#2 planned 160, a#3 planned 80, b planned 100");
        s3store_write_result_free(result);
        assert_int_equal(faulty_total(&s.faults), 0);
        stage_close(&s);
    }
}

/* A body that is larger than what memory allows goes through a file. */
static void test_chunks__a_chunk_larger_than_memory_is_written(void **state)
{
    stage s;
    s3store_error err;
    (void)state;
    open_chunked(&s, 2000, 0, 0);
    s3store_write_options options = with_token("t");
    assert_ok(chunk_write(&s, &(chunk_input){.count = 1000}, &options, NULL, &err));
    chunk_check_rows(&s, 1000);
    stage_close(&s);
}

/* ---- memory ---------------------------------------------------------------------------------- */

static void test_chunks__every_allocation_may_fail(void **state)
{
    uint64_t failures = 0, n = 0;
    bool whole = false;
    (void)state;
    for (; !whole; n += 1 + n / 60) { /* all of the beginning, then some of the rest */
        stage s;
        s3store_error err = {0};
        s3store_write_result *result;
        struct ArrowArrayStream stream;
        open_chunked(&s, LITTLE, 16, 0);
        s3store_write_options options = with_token("t");
        chunk_input input = {.count = 120, .batch_rows = 60};
        /* The producer's own memory is not what is tested: its batches are made beforehand. */
        static char rows[120][40];
        const char *texts[120];
        stage_batches b = {0};
        for (int i = 0; i < input.count; i++) {
            snprintf(rows[i], sizeof rows[i], "%c|%06d|%d", i % 5 == 4 ? 'b' : 'a', i, i);
            texts[i] = rows[i];
        }
        for (int i = 0; i < input.count; i += 10)
            stage_batches_add(&s, &b, CHUNK_COLUMNS, texts + i, 10);
        stage_batches_stream(&b, &stream);
        s3s_env_fail_any_alloc_at(s.env, n);
        s3store_status status = s3s_write(s.writer, &stream, &options, &result, &err);
        s3s_env_fail_alloc_at(s.env, UINT64_MAX);
        whole = status == S3STORE_OK && n > 500;
        failures += status != S3STORE_OK;
        if (status != S3STORE_OK)
            assert_true(err.status == S3STORE_OUT_OF_MEMORY || err.status == S3STORE_PARTIAL);
        s3store_write_result_free(result);
        assert_ok(chunk_write(&s, &input, &options, NULL, &err));
        chunk_check_rows(&s, 120);
        stage_close(&s);
        assert_true(n < 100000);
    }
    assert_true(failures > 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_chunks__a_partition_is_cut_by_rows_in_input_order),
        cmocka_unit_test(test_chunks__exactly_full_is_one_commit),
        cmocka_unit_test(test_chunks__bytes_cut_too_and_a_larger_row_is_a_chunk_of_its_own),
        cmocka_unit_test(test_chunks__neither_batches_nor_memory_move_a_cut),
        cmocka_unit_test(test_chunks__sorting_batches_by_partition_changes_nothing),
        cmocka_unit_test(test_chunks__the_first_is_committed_before_any_other),
        cmocka_unit_test(test_chunks__a_retry_does_what_is_missing_whatever_its_memory),
        cmocka_unit_test(test_chunks__a_retry_of_all_stores_nothing),
        cmocka_unit_test(test_chunks__a_retry_obeys_the_first_commit),
        cmocka_unit_test(test_chunks__a_retry_of_one_commit_stays_one),
        cmocka_unit_test(test_chunks__other_data_under_the_token_are_noticed),
        cmocka_unit_test(test_chunks__lookup_tells_all_of_them),
        cmocka_unit_test(test_chunks__a_partition_that_cannot_be_cut_fails_alone),
        cmocka_unit_test(test_chunks__a_retry_cuts_by_the_bytes_of_the_first_commit),
        cmocka_unit_test(test_chunks__without_a_token_it_must_be_said),
        cmocka_unit_test(test_chunks__a_long_token_is_for_one_commit_only),
        cmocka_unit_test(test_chunks__a_token_function_answers_for_all_rows),
        cmocka_unit_test(test_chunks__a_token_that_fails_is_its_partitions_failure),
        cmocka_unit_test(test_chunks__a_producer_that_breaks_leaves_whole_chunks),
        cmocka_unit_test(test_chunks__one_commit_each_waits_for_the_end),
        cmocka_unit_test(test_chunks__cancelling_between_chunks_tells_what_is_committed),
        cmocka_unit_test(test_chunks__a_failed_first_chunk_holds_the_others_back),
        cmocka_unit_test(test_chunks__a_spill_directory_that_is_not_there_is_named),
        cmocka_unit_test(test_chunks__types_that_widen_on_the_way_reach_what_was_spilled),
        cmocka_unit_test(test_chunks__a_dry_run_shows_them_without_a_request),
        cmocka_unit_test(test_chunks__a_chunk_larger_than_memory_is_written),
        cmocka_unit_test(test_chunks__every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
