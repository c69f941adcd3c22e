/* A dataset as other writers leave it (tests/data/foreign), read on every path. */
#include <stdlib.h>

#include "base/json.h"
#include "unit/read/kit.h"

#define FOLDER "tests/data/foreign/"
enum { BODY_MAX = 1 << 20 };

typedef struct world {
    s3s_env *env;
    s3store_object_store memory;
    s3store_target *target;
    kit k; /* its text; the reader is opened for each mode */
    s3s_json *expected;
} world;

static uint8_t *load(const char *name, size_t *size)
{
    char path[512];
    snprintf(path, sizeof path, FOLDER "%s", name);
    uint8_t *body = test_malloc(BODY_MAX);
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        fail_msg("%s is missing", path);
    *size = fread(body, 1, BODY_MAX, file);
    assert_true(*size < BODY_MAX);
    fclose(file);
    return body;
}

static s3s_json *load_json(world *w, const char *name)
{
    s3store_error err;
    s3s_json *root = NULL;
    size_t size;
    uint8_t *text = load(name, &size);
    assert_ok(s3s_json_parse((const char *)text, size, name, &root, &err));
    test_free(text);
    (void)w;
    return root;
}

static void put(world *w, const char *key, const void *body, size_t size,
                const s3store_metadata_entry *metadata, size_t count)
{
    s3store_error err;
    s3store_put_reply reply = {0};
    s3store_put_request request = {.size = sizeof request,
                                   .key = key,
                                   .body = body,
                                   .body_size = size,
                                   .metadata = metadata,
                                   .metadata_count = count};
    assert_ok(s3s_put(&w->memory, NULL, &request, &reply, &err));
}

static void put_object(world *w, const s3s_json *object)
{
    s3store_metadata_entry entries[8];
    size_t size = 0, count = 0;
    const char *file = s3s_json_text(s3s_json_get(object, "file"));
    const s3s_json *metadata = s3s_json_get(object, "metadata");
    uint8_t *body = file != NULL ? load(file, &size) : NULL;
    for (; metadata != NULL && count < s3s_json_member_count(metadata); count++) {
        assert_true(count < 8);
        entries[count].name = s3s_json_member_name(metadata, count);
        entries[count].value = s3s_json_text(s3s_json_member_value(metadata, count));
    }
    put(w, s3s_json_text(s3s_json_get(object, "key")), body, size, entries, count);
    test_free(body);
}

static int set_up(void **state)
{
    static const char *const parts[] = {"charge_period", "customer"};
    s3store_error err;
    world *w = test_calloc(1, sizeof *w);
    s3store_target_config config = S3STORE_TARGET_CONFIG_INIT;
    assert_ok(s3s_env_new_real(&w->env, &err));
    assert_ok(s3s_memory_store_new(w->env, &w->memory, &err));
    put(w, "billing/_config/commit-timeout", " 10s\n", 5, NULL, 0);
    put(w, "billing/_config/max-clock-skew", "1s", 2, NULL, 0);
    s3s_json *objects = load_json(w, "objects.json");
    assert_true(s3s_json_count(objects) > 40);
    for (size_t i = 0; i < s3s_json_count(objects); i++)
        put_object(w, s3s_json_at(objects, i));
    s3s_json_free(objects);
    w->expected = load_json(w, "expected.json");
    config.store = &w->memory;
    config.bucket = "memory";
    config.prefix = "billing";
    config.partition_by = parts;
    config.partition_by_count = 2;
    assert_ok(s3s_target_open(w->env, &config, &w->target, &err));
    *state = w;
    return 0;
}

static int tear_down(void **state)
{
    world *w = *state;
    s3s_reader_free(w->k.reader);
    s3s_json_free(w->expected);
    s3s_target_release(w->target);
    s3s_store_deinit(&w->memory);
    assert_int_equal(s3s_env_live_allocs(w->env), 0);
    s3s_env_release(w->env);
    test_free(w);
    return 0;
}

static const char *const modes[] = {"written", "latest", "history"};
static const char *const columns[] = {"sku", "ver", "amount"};

static void open_reader(world *w, size_t mode)
{
    static const char *const keys[] = {"sku"};
    s3store_error err;
    s3store_reader_options options = S3STORE_READER_OPTIONS_INIT;
    if (mode > 0) {
        options.entity = keys;
        options.entity_count = 1;
        options.version = "ver";
    }
    s3s_reader_free(w->k.reader);
    assert_ok(s3s_reader_open(w->target, &options, &w->k.reader, &err));
}

static void check(world *w, size_t mode, s3store_read_options o)
{
    s3store_error err;
    open_reader(w, mode);
    o.columns = columns;
    o.column_count = 3;
    o.history = mode == 2;
    assert_ok(kit_stream(&w->k, &o, &err));
    assert_string_equal(w->k.text, s3s_json_text(s3s_json_get(w->expected, modes[mode])));
}

static void test_foreign__snapshots_hold_what_is_committed(void **state)
{
    world *w = *state;
    for (size_t mode = 0; mode < 3; mode++)
        check(w, mode, kit_pattern(kit_all));
}

static void test_foreign__ranges_and_entries_give_the_same(void **state)
{
    world *w = *state;
    s3store_error err;
    s3store_entries *entries = NULL;
    for (size_t mode = 0; mode < 3; mode++)
        check(w, mode, kit_range(S3STORE_TIME_NONE, S3STORE_TIME_NONE));
    assert_ok(s3s_poll(w->target, NULL, &entries, &err));
    for (size_t mode = 0; mode < 3; mode++)
        check(w, mode, kit_entries(entries));
    s3store_entries_free(entries);
}

static void test_foreign__partitions_come_in_order_with_all_columns(void **state)
{
    world *w = *state;
    s3store_error err;
    const s3s_json *partitions = s3s_json_get(w->expected, "partitions");
    s3store_read_options o = kit_pattern(kit_all);
    open_reader(w, 1);
    assert_ok(kit_partitions(&w->k, &o, &err)); /* nested columns too */
    const char *at = w->k.text;
    for (size_t i = 0; i < s3s_json_count(partitions); i++) {
        char head[256];
        snprintf(head, sizeof head, "{%s}", s3s_json_text(s3s_json_at(partitions, i)));
        at = strstr(at, head);
        assert_non_null(at);
        at += strlen(head);
    }
    assert_null(strchr(at, '{'));
}

static void test_foreign__the_stream_has_every_commit_and_nothing_else(void **state)
{
    world *w = *state;
    s3store_error err;
    const s3s_json *stream = s3s_json_get(w->expected, "stream");
    s3store_poll_options poll = S3STORE_POLL_OPTIONS_INIT;
    char since[S3S_KEY_SIZE] = "";
    size_t seen = 0, count;
    poll.max_entries = 3;
    do {
        s3store_entries *page = NULL;
        poll.since = since;
        assert_ok(s3s_poll(w->target, &poll, &page, &err));
        count = s3store_entries_count(page);
        for (size_t i = 0; i < count; i++, seen++) {
            const s3store_entry *e = s3store_entries_get(page, i);
            const s3s_json *wanted = s3s_json_at(stream, seen);
            int64_t rows = -1;
            assert_non_null(wanted);
            assert_string_equal(e->ref_path, s3s_json_text(s3s_json_get(wanted, "ref")));
            assert_string_equal(e->data_path, s3s_json_text(s3s_json_get(wanted, "data")));
            assert_true(s3s_json_int(s3s_json_get(wanted, "rows"), &rows));
            assert_int_equal(e->row_count, rows);
        }
        snprintf(since, sizeof since, "%s", s3store_entries_next_offset(page));
        s3store_entries_free(page);
    } while (count > 0);
    assert_int_equal(seen, s3s_json_count(stream));
}

static void test_foreign__poll_records_keeps_versions(void **state)
{
    world *w = *state;
    s3store_error err;
    s3store_entries *entries = NULL;
    struct ArrowArrayStream rows = {0};
    s3store_read_options o = S3STORE_READ_OPTIONS_INIT;
    o.columns = columns;
    o.column_count = 3;
    open_reader(w, 1);
    assert_ok(s3s_poll_records(w->k.reader, NULL, &o, &entries, &rows, &err));
    assert_ok(fixture_drain(&rows, w->k.text, KIT_TEXT, &err));
    assert_string_equal(w->k.text, s3s_json_text(s3s_json_get(w->expected, "history")));
    s3store_entries_free(entries);
}

static void test_foreign__narrow_readers_and_predicates_work_on_all_of_it(void **state)
{
    world *w = *state;
    s3store_error err;
    static const char *const patterns[] = {"charge_period=2026-03-17/customer=x*"};
    static const char *const amount[] = {"amount"};
    s3store_read_options o = kit_pattern(patterns);
    open_reader(w, 0);
    o.columns = amount;
    o.column_count = 1;
    o.where = "sku = 'sku-5' and ver >= 0";
    assert_ok(kit_stream(&w->k, &o, &err));
    /* rows 0 and 11 of 12: (i * 7 + 5) % 11 == 5, of which ver is 5 % 5 - 1 = -1 and 38 % 5 - 1 = 2 */
    assert_string_equal(w->k.text, "7;");
}

static void test_foreign__a_damaged_marker_stops_the_stream_before_it_unless_it_is_passed(void **state)
{
    world *w = *state;
    s3store_error err;
    s3store_entries *entries = NULL;
    s3store_poll_options poll = S3STORE_POLL_OPTIONS_INIT;
    static const s3store_metadata_entry only[] = {{"attemptid", "0190a8b4d3a87f4ab1c200000000000a"}};
    size_t all = s3s_json_count(s3s_json_get(w->expected, "stream"));
    put(w, "billing/data/charge_period=2026-03-19/customer=abc/dead.commit", NULL, 0, only, 1);
    assert_ok(s3s_poll(w->target, &poll, &entries, &err));
    assert_int_equal(s3store_entries_count(entries), all);
    char since[S3S_KEY_SIZE];
    snprintf(since, sizeof since, "%s", s3store_entries_next_offset(entries));
    s3store_entries_free(entries);
    poll.since = since;
    assert_fails(s3s_poll(w->target, &poll, &entries, &err), S3STORE_DAMAGED_MARKER, "dead.commit");
    poll.skip_damaged = true;
    assert_ok(s3s_poll(w->target, &poll, &entries, &err));
    assert_int_equal(s3store_entries_count(entries), 0);
    assert_int_equal(s3store_entries_skipped_count(entries), 1);
    s3store_entries_free(entries);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_foreign__snapshots_hold_what_is_committed),
        cmocka_unit_test(test_foreign__ranges_and_entries_give_the_same),
        cmocka_unit_test(test_foreign__partitions_come_in_order_with_all_columns),
        cmocka_unit_test(test_foreign__the_stream_has_every_commit_and_nothing_else),
        cmocka_unit_test(test_foreign__poll_records_keeps_versions),
        cmocka_unit_test(test_foreign__narrow_readers_and_predicates_work_on_all_of_it),
        cmocka_unit_test(test_foreign__a_damaged_marker_stops_the_stream_before_it_unless_it_is_passed),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
