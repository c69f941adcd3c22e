/* What a predicate keeps from being listed, fetched and decoded; the bytes held ahead; the watchdog. */
#include <stdlib.h>
#include <unistd.h>

#include "arrow/builder.h"
#include "scan/internal.h"
#include "unit/scan/kit.h"

typedef struct keys_seen {
    char text[8192]; /* of GETs of data and of LISTs, in order */
    s3s_mutex mutex;
} keys_seen;

static s3s_fault_decision note_key(void *ctx, s3s_fault_verb verb, const char *key, uint64_t sequence)
{
    keys_seen *seen = ctx;
    (void)sequence;
    s3s_mutex_lock(&seen->mutex);
    size_t used = strlen(seen->text);
    if (verb == S3S_VERB_GET || verb == S3S_VERB_LIST)
        snprintf(seen->text + used, sizeof seen->text - used, "%s %s\n",
                 verb == S3S_VERB_GET ? "GET" : "LIST", key);
    s3s_mutex_unlock(&seen->mutex);
    return S3S_FAULT_NONE;
}

static void write_days(fixture *fx)
{
    static const char *const days[] = {"2018-02-06", "2018-02-07", "2018-02-08"};
    for (size_t i = 0; i < 3; i++) {
        char partition[64];
        for (int n = -1; n < 11; n += 4) {
            snprintf(partition, sizeof partition, "p=%s/q=%d", days[i], n);
            fixture_row rows[] = {{"a", 1, n, false}, {"b", 2, n, false}};
            kit_write(fx, partition, rows, 2);
        }
    }
}

/* Partitions that remain of a predicate, through the set alone. */
static size_t partitions_left(fixture *fx, const char *text)
{
    s3store_error err;
    s3s_file_set files;
    s3s_arena arena;
    where *w = NULL;
    s3s_arena_init(&arena, fx->env);
    assert_ok(s3s_where_parse(&arena, text, &w, &err));
    kit_files(fx, "", &files);
    assert_ok(s3s_where_partitions(fx->env, w, &fx->target->settings, &files, &err));
    size_t count = files.partition_count;
    s3s_file_set_deinit(&files);
    s3s_arena_deinit(&arena);
    return count;
}

static void test_pushdown__partitions_that_cannot_match_are_left_out(void **state)
{
    (void)state;
    static const char *const by[] = {"p", "q"};
    static const struct {
        const char *where;
        size_t left; /* of 3 days times q = -1, 3, 7 */
    } cases[] = {
        {"p = '2018-02-07'", 3},
        {"p > '2018-02-07'", 3},
        {"p >= '2018-02-07'", 6},
        {"p < '2018-02-06'", 0},
        {"p in ('2018-02-06', '2018-02-08')", 6},
        {"p not in ('2018-02-06', '2018-02-08')", 3},
        {"not p = '2018-02-07'", 6},
        {"q = 3", 3},
        {"q > -1", 6},
        {"q < 10", 9},
        {"q <= -1", 3},
        {"q >= 2.5", 9}, /* not decided by the key */
        {"p = '2018-02-07' and q = 7", 1},
        {"p = '2018-02-07' or q = 7", 5},
        {"p = '2018-02-07' and value = 1", 3},
        {"p = '2018-02-07' or value = 1", 9},
        {"not (p = '2018-02-07' or q = 7)", 4},
        {"p is null", 9}, /* a file without the column is possible */
        {"entity = 'a'", 9},
    };
    fixture fx;
    fixture_options options = {.partition_by = by, .partition_by_count = 2};
    fixture_open(&fx, NULL, &options);
    write_days(&fx);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        size_t left = partitions_left(&fx, cases[i].where);
        if (left != cases[i].left)
            fail_msg("%s: %zu partitions are left, not %zu", cases[i].where, left, cases[i].left);
    }
    fixture_close_clean(&fx);
}

static void test_pushdown__formats_cut_times(void **state)
{
    (void)state;
    static const char *const by[] = {"p=time:day", "q"};
    static const struct {
        const char *where;
        size_t left;
    } cases[] = {
        {"time = '2018-02-07T05:00:00Z'", 3},   {"time > '2018-02-07T23:59:59Z'", 6},
        {"time < '2018-02-07T00:00:00Z'", 6},   {"time >= '2018-02-09'", 0},
        {"time != '2018-02-07T05:00:00Z'", 9},  {"time = '2018-02-07T01:00:00+02:00'", 3},
        {"time in ('2018-02-06', '1970-01-01')", 3}, {"p = '2018-02-07'", 9},
    };
    fixture fx;
    fixture_options options = {.partition_by = by, .partition_by_count = 2};
    fixture_open(&fx, NULL, &options);
    write_days(&fx);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        size_t left = partitions_left(&fx, cases[i].where);
        if (left != cases[i].left)
            fail_msg("%s: %zu partitions are left, not %zu", cases[i].where, left, cases[i].left);
    }
    fixture_close_clean(&fx);
}

/* One partition for each value of the part `spec`, then what is left of each predicate. */
typedef struct left_case {
    const char *where;
    size_t left;
} left_case;

static void check_left(const char *spec, const char *const *values, size_t value_count,
                       const left_case *cases, size_t case_count)
{
    fixture fx;
    fixture_options options = {.partition_by = &spec, .partition_by_count = 1};
    fixture_open(&fx, NULL, &options);
    for (size_t i = 0; i < value_count; i++) {
        char partition[256];
        fixture_row row = {"a", 1, 1, false};
        snprintf(partition, sizeof partition, "p=%s", values[i]);
        kit_write(&fx, partition, &row, 1);
    }
    for (size_t i = 0; i < case_count; i++) {
        size_t left = partitions_left(&fx, cases[i].where);
        if (left != cases[i].left)
            fail_msg("%s: %s: %zu partitions are left, not %zu", spec, cases[i].where, left,
                     cases[i].left);
    }
    fixture_close_clean(&fx);
}
#define CHECK_LEFT(spec, values, cases)                                                            \
    check_left(spec, values, sizeof(values) / sizeof((values)[0]), cases,                          \
               sizeof(cases) / sizeof((cases)[0]))

static void test_pushdown__years_months_and_hours_cut_times_too(void **state)
{
    (void)state;
    /* The last value of each is none of the format: nobody knows what it means, so it stays. */
    static const char *const years[] = {"2017", "2018", "2019", "unknown"},
                            *const months[] = {"2018-01", "2018-02", "2018-03", "unknown"},
                            *const hours[] = {"2018-02-07T04", "2018-02-07T05", "2018-02-07T06",
                                              "unknown-hour!"},
                            *const exact[] = {"2018-02-07T04:00:00Z", "2018-02-07T05:00:00Z"};
    static const left_case of_years[] = {{"t > '2018-06-01'", 3},
                                         {"t < '2018-01-01T00:00:00Z'", 3},
                                         {"t = '2020-01-01'", 1},
                                         {"t != '2018-06-01'", 4},
                                         {"t = 5", 4},
                                         {"t = 'tomorrow'", 4},
                                         {"t > '12018-01-01'", 4}},
                           of_months[] = {{"t = '2018-02-28T23:59:59Z'", 2},
                                          {"t >= '2018-03-01'", 2},
                                          {"t <= '2018-01-31' or t = '2018-03-02'", 3}},
                           of_hours[] = {{"t = '2018-02-07T07:59:00+02:00'", 2},
                                         {"t < '2018-02-07T05:00:00.001Z'", 3},
                                         {"t > '2018-02-07T07:00:00Z'", 1}},
                           of_exact[] = {{"t = '2018-02-07T05:00:00Z'", 2}},
                           of_text[] = {{"t = '2018-02-07'", 4}};
    CHECK_LEFT("p=t:year", years, of_years);
    CHECK_LEFT("p=t:month", months, of_months);
    CHECK_LEFT("p=t:hour", hours, of_hours);
    CHECK_LEFT("p=t:rfc3339", exact, of_exact); /* cuts fractions; not used to leave out */
    CHECK_LEFT("p=t:%Y", years, of_text); /* any order is possible in a text of one's own */
}

static void test_pushdown__values_of_every_type_are_compared_as_the_column_would(void **state)
{
    (void)state;
    static const char *const truths[] = {"false", "true", "other"},
                            *const times[] = {"2018-02-07", "2018-02-07T05:00:00Z", "zebra",
                                              ("a-name-that-is-longer-than-any-time-can-be-"
                                               "written-and-so-is-compared-as-the-text-that-it-is")};
    static const left_case of_truths[] = {{"p = true", 2},
                                          {"p != true", 2},
                                          {"p < true", 2},
                                          {"p in (true, false)", 3},
                                          {"not p = false", 2}},
                           of_times[] = {
                               {"p = 'zebra'", 3}, /* a time, if the column is one: refused later */
                               {"p > '2018-02-07T04:00:00Z'", 3},
                               {"p = '2018-02-07T07:00:00+02:00'", 1},
                               {"p = '2018-02-07T00:00:00'", 1},
                           };
    static const char *const lengths[] = {"true", "tree", "false", "fault"},
                            *const fractions[] = {"2018-02-07T05:00:00.25Z", "2018-02-07T05:00:00.5Z",
                                                  "2018-02-07T05:00:00.75Z"},
                            *const numbers[] = {"-12", "-5", "0", "7", "12", "345", "x7", "-"};
    static const left_case of_lengths[] = {{"p = true", 3}, {"p = false", 3}, {"p != true", 3}},
                           of_fractions[] = {{"p = '2018-02-07T05:00:00.50Z'", 1},
                                             {"p < '2018-02-07T05:00:00.500Z'", 1},
                                             {"p >= '2018-02-07T07:00:00.5+02:00'", 2}},
                           of_numbers[] = {{"p = 7", 3},   {"p > 7", 4},   {"p < -5", 3},
                                           {"p <= -5", 4}, {"p >= -12", 8}, {"p = 1.0", 8},
                                           {"p != 12", 7}, {"p = ''", 0}};
    CHECK_LEFT("p", truths, of_truths);
    CHECK_LEFT("p", times, of_times);
    CHECK_LEFT("p", lengths, of_lengths);
    CHECK_LEFT("p", fractions, of_fractions);
    CHECK_LEFT("p", numbers, of_numbers);
}

/* Two parts of one column: what either rules out is ruled out. */
static void test_pushdown__several_parts_of_a_column_each_say_what_they_know(void **state)
{
    (void)state;
    static const char *const by[] = {"p=time:day", "q=time:hour"};
    static const char *const hours[] = {"00", "05", "23"};
    fixture fx;
    fixture_options options = {.partition_by = by, .partition_by_count = 2};
    fixture_open(&fx, NULL, &options);
    for (int day = 6; day < 9; day++) {
        for (size_t h = 0; h < 3; h++) {
            char partition[64];
            fixture_row row = {"a", 1, 1, false};
            snprintf(partition, sizeof partition, "p=2018-02-%02d/q=2018-02-%02dT%s", day, day, hours[h]);
            kit_write(&fx, partition, &row, 1);
        }
    }
    assert_int_equal(partitions_left(&fx, "time = '2018-02-07T05:30:00Z'"), 1);
    assert_int_equal(partitions_left(&fx, "time > '2018-02-07T05:30:00Z'"), 5);
    assert_int_equal(partitions_left(&fx, "not time > '2018-02-07T05:30:00Z'"), 5);
    assert_int_equal(partitions_left(&fx, "time != '2018-02-07T05:30:00Z'"), 9);
    fixture_close_clean(&fx);
}

/* Whoever hands in partitions that the parts of the dataset do not describe keeps them. */
static void test_pushdown__keys_of_another_shape_stay(void **state)
{
    (void)state;
    static const char *const by[] = {"p", "q"};
    static const char *const keys[] = {"p=1/q=1", "p=2/q=1", "p=2",        "p=2/r=1",
                                       "x=2/q=2", "p",       "pp=2/q=2"};
    s3store_error err;
    s3s_file_set set;
    s3s_arena arena;
    s3s_partition_files partitions[7] = {0};
    where *w = NULL;
    fixture fx;
    fixture_options options = {.partition_by = by, .partition_by_count = 2};
    fixture_open(&fx, NULL, &options);
    s3s_arena_init(&arena, fx.env);
    s3s_file_set_init(&set, fx.env);
    for (size_t i = 0; i < 7; i++)
        partitions[i] = (s3s_partition_files){.key = keys[i], .file_count = 1};
    set.partitions = partitions;
    set.partition_count = set.file_count = 7;
    assert_ok(s3s_where_parse(&arena, "p = 1 and q = 1", &w, &err));
    assert_ok(s3s_where_partitions(fx.env, w, &fx.target->settings, &set, &err));
    /* p=2 decides where it can be read; of the other three nothing is known. */
    assert_int_equal(set.partition_count, 4);
    assert_int_equal(set.file_count, 4);
    assert_string_equal(set.partitions[0].key, "p=1/q=1");
    assert_string_equal(set.partitions[1].key, "x=2/q=2");
    assert_string_equal(set.partitions[2].key, "p");
    set.partitions = NULL;
    set.partition_count = set.file_count = 0;
    s3s_file_set_deinit(&set);
    s3s_arena_deinit(&arena);
    fixture_close_clean(&fx);
}

static void check_narrowed(fixture *fx, const char *text, const char *pattern, const char *expected)
{
    s3store_error err;
    s3s_arena arena;
    char all[2048] = "";
    const char *const *patterns = &pattern;
    size_t count = 1;
    s3s_arena_init(&arena, fx->env);
    assert_ok(s3s_scan_narrow_patterns(fx->target, &arena, text, &patterns, &count, &err));
    for (size_t i = 0; i < count; i++)
        snprintf(all + strlen(all), sizeof all - strlen(all), "%s%s", i > 0 ? " " : "", patterns[i]);
    assert_string_equal(all, expected);
    s3s_arena_deinit(&arena);
}

static void test_pushdown__what_is_listed_narrows_with_the_predicate(void **state)
{
    (void)state;
    static const char *const by[] = {"p", "q"}, *const by_day[] = {"p=time:day", "q"};
    fixture fx;
    fixture_options options = {.partition_by = by, .partition_by_count = 2};
    fixture_open(&fx, NULL, &options);
    check_narrowed(&fx, "p = 'x'", "", ""); /* the caller names columns: nobody recorded it */
    fx.target->has_descriptor = true;
    check_narrowed(&fx, "p = 'x'", "", "p=x/*");
    check_narrowed(&fx, "p = 'x'", "p=y*/*", "p=y*/*");
    check_narrowed(&fx, "p = '2018-02-07'", "*", "p=2018-02-07*/*");
    check_narrowed(&fx, "p = '2018-02-07T00:00:00'", "*", "*/*");
    check_narrowed(&fx, "p = 'x' and q = 5", "*/*", "p=x/q=5");
    check_narrowed(&fx, "p = 'x' or q = 5", "*/*", "*/*");
    check_narrowed(&fx, "not p = 'x'", "*/*", "*/*");
    check_narrowed(&fx, "p in ('x', 'y')", "*/q=1", "p=x/q=1 p=y/q=1");
    check_narrowed(&fx, "p >= 'b' and p < 'd' and value = 1", "*/q=1", "p=b..d/q=1");
    check_narrowed(&fx, "p > 'b' and p <= 'd'", "", "p=b..e/*");
    check_narrowed(&fx, "p > 'd' and p < 'b'", "", "p=d..d/*");
    check_narrowed(&fx, "q > 5", "", "*/*"); /* texts of numbers have another order */
    check_narrowed(&fx, "p = 'a*' and q = 5", "", "*/q=5");
    check_narrowed(&fx, "p = 'a/b'", "", "*/*");
    check_narrowed(&fx, "p = true and q = false", "", "p=true/q=false");
    check_narrowed(&fx, "p = 007", "", "*/*"); /* no key writes 7 so */
    check_narrowed(&fx, "p != 'x' and q is not null", "", "*/*");
    check_narrowed(&fx, "p = 'x' and p = 'y'", "", "p=x/*"); /* the first one is enough */
    check_narrowed(&fx, "p >= 'b' and p >= 'c' and p < 'd' and p < 'e'", "", "p=b..d/*");
    check_narrowed(&fx, "p >= '2018-02-07T05:00:00Z'", "", "*/*"); /* as text or as time? */
    check_narrowed(&fx, "p >= ''", "", "*/*");
    check_narrowed(&fx, "p <= 'a~'", "", "*/*"); /* nothing follows ~ */
    check_narrowed(&fx, "p in ('x', 'y') and q in (1, 2)", "", "p=x/* p=y/*");
    check_narrowed(&fx, "p >= '2018-02-07'", "", "p=2018-02-07../*");
    /* What a pattern cannot say, or says otherwise. */
    check_narrowed(&fx, "p = 'a..b'", "", "*/*");
    check_narrowed(&fx, "p = '.a'", "", "*/*");
    check_narrowed(&fx, "p = 'a.'", "", "*/*");
    check_narrowed(&fx, "p = ''", "", "*/*");
    check_narrowed(&fx, "p > 'a..b'", "", "*/*");
    check_narrowed(&fx, "p <= 'a-'", "", "*/*"); /* '.' follows '-' */
    check_narrowed(&fx, "value = 1", "", "");    /* of no part */
    char wide[700];
    snprintf(wide, sizeof wide, "p = '%0300d'", 7);
    check_narrowed(&fx, wide, "", "*/*");
    snprintf(wide, sizeof wide, "p > '%0300d'", 7);
    check_narrowed(&fx, wide, "", "*/*");
    check_narrowed(&fx, NULL, "p=1/*", "p=1/*");
    char many[1024] = "p in (0", *end = many + strlen(many);
    for (int i = 1; i <= 64; i++)
        end += sprintf(end, ",%d", i);
    strcpy(end, ")");
    check_narrowed(&fx, many, "", "*/*"); /* 65 LISTs would cost more than one */
    fixture_close_clean(&fx);
    options.partition_by = by_day;
    fixture_open(&fx, NULL, &options);
    fx.target->has_descriptor = true;
    check_narrowed(&fx, "time = '2018-02-07T05:00:00Z'", "", "p=2018-02-07/*");
    check_narrowed(&fx, "time >= '2018-02-07T05:00:00Z' and time < '2018-02-08'", "",
                   "p=2018-02-07..2018-02-09/*");
    check_narrowed(&fx, "time = 'tomorrow' and q = 1", "", "*/q=1");
    check_narrowed(&fx, "time >= 'tomorrow'", "", "*/*");
    fixture_close_clean(&fx);
}

static void test_pushdown__mistakes_are_said_of_the_callers_patterns(void **state)
{
    (void)state;
    static const char *const by[] = {"p", "q"};
    s3store_error err;
    s3s_arena arena;
    fixture fx;
    fixture_options options = {.partition_by = by, .partition_by_count = 2};
    fixture_open(&fx, NULL, &options);
    fx.target->has_descriptor = true;
    const char *pattern = "p=1";
    const char *const *patterns = &pattern;
    size_t count = 1;
    s3s_arena_init(&arena, fx.env);
    assert_fails(s3s_scan_narrow_patterns(fx.target, &arena, "p = 'x'", &patterns, &count, &err),
                 S3STORE_INVALID_ARGUMENT, "pattern 0 \"p=1\"");
    pattern = "";
    assert_fails(s3s_scan_narrow_patterns(fx.target, &arena, "p = ", &patterns, &count, &err),
                 S3STORE_INVALID_ARGUMENT, "where");
    s3s_arena_deinit(&arena);
    fixture_close_clean(&fx);
}

static void test_pushdown__partitions_that_cannot_match_are_not_fetched(void **state)
{
    (void)state;
    static const char *const by[] = {"p"};
    s3store_error err;
    fixture fx;
    keys_seen seen = {0};
    char *text = malloc(KIT_TEXT);
    fixture_options options = {.partition_by = by, .partition_by_count = 1};
    fixture_open(&fx, NULL, &options);
    fx.target->has_descriptor = true;
    for (int i = 0; i < 5; i++) {
        char partition[16];
        fixture_row row = {"a", 1, i, false};
        snprintf(partition, sizeof partition, "p=%d", i);
        kit_write(&fx, partition, &row, 1);
    }
    assert_ok(s3s_mutex_init(&seen.mutex, fx.env, &err));
    fx.hook_ctx = &seen;
    fx.hook = note_key;
    s3s_scan_options o = kit_options(S3S_SCAN_LATEST);
    o.where = "value >= 0 or entity = 'a'";
    assert_ok(kit_scan(&fx, "", &o, text, &err));
    seen.text[0] = '\0';
    o.where = "p = '3' and value = 3";
    /* The files of this fixture lack the column p: nothing is true, but only p=3 is asked. */
    assert_fails(kit_scan(&fx, "", &o, text, &err), S3STORE_INVALID_ARGUMENT, "unknown column \"p\"");
    assert_non_null(strstr(seen.text, "GET ds/data/p=3/"));
    assert_null(strstr(seen.text, "GET ds/data/p=2/"));
    assert_null(strstr(seen.text, "GET ds/data/p=4/"));
    fx.hook = NULL;
    s3s_mutex_deinit(&seen.mutex);
    free(text);
    fixture_close_clean(&fx);
}

/* ---- row groups -------------------------------------------------------------------------------------- */

enum { GROUPS = 8, GROUP_ROWS = 20000 };

static uint64_t bytes_read(fixture *fx, s3s_scan_mode mode, const char *text, int64_t rows)
{
    s3store_error err;
    s3s_file_set files;
    s3s_scan *scan = NULL;
    struct ArrowArray batch = {0};
    s3store_request_counts before = {.size = sizeof before}, after = {.size = sizeof after};
    s3s_scan_options o = kit_options(mode);
    int64_t got = 0;
    o.where = text;
    kit_files(fx, "", &files);
    s3s_meter_read(fx->target->meter, &before);
    assert_ok(s3s_scan_open(fx->target, &files, &o, &scan, &err));
    s3store_status status;
    while ((status = s3s_scan_next(scan, &batch, NULL, &err)) == S3STORE_OK) {
        got += batch.length;
        s3s_array_release(&batch);
    }
    if (status != S3STORE_END || got != rows)
        fail_msg("%s: %d rows, %s: %s", text, (int)got, s3store_status_name(status), err.message);
    s3s_meter_read(fx->target->meter, &after);
    s3s_scan_free(scan);
    return after.bytes_received - before.bytes_received;
}

static void test_pushdown__row_groups_that_cannot_match_are_not_fetched(void **state)
{
    (void)state;
    fixture fx;
    fixture_options options = {.memory_bytes = 4 * 1024 * 1024};
    fixture_open(&fx, NULL, &options);
    kit_write_groups(&fx, "p=1", GROUPS, GROUP_ROWS);
    uint64_t all = bytes_read(&fx, S3S_SCAN_ROWS, "value >= 0", GROUPS * GROUP_ROWS);
    assert_true(all > 16 * S3S_DATAFILE_TAIL_BYTES); /* footers alone are not what is compared */
    assert_true(bytes_read(&fx, S3S_SCAN_ROWS, "value < 100.5", 101) < all / 2);
    assert_true(bytes_read(&fx, S3S_SCAN_ROWS, "value in (5, 150000) and version != 7", 2) < all / 2);
    assert_true(bytes_read(&fx, S3S_SCAN_ROWS, "value < 100 or version != 7", GROUPS * GROUP_ROWS) >=
                all);
    /* Merged rows: only what rules out all versions of an entity. */
    assert_true(bytes_read(&fx, S3S_SCAN_LATEST, "value < 100", 100) > all / 2);
    assert_true(bytes_read(&fx, S3S_SCAN_LATEST, "entity >= 'c' and entity < 'c0005000'", 5000) <
                all / 2);
    fixture_close_clean(&fx);
}

/* ---- bytes ahead (vectors 155 to 158) --------------------------------------------------------------- */

static uint64_t held_now(s3s_scan *scan)
{
    s3s_mutex_lock(&scan->mutex);
    uint64_t held = scan->locked.decoded_bytes;
    s3s_mutex_unlock(&scan->mutex);
    return held;
}

/* Decoded bytes that are held at most while the consumer dawdles over its first partition, where
 * at_least are waited for, and over the others. */
static uint64_t held_while_dawdling(fixture *fx, uint64_t bytes, uint64_t at_least)
{
    s3store_error err;
    s3s_file_set files;
    s3s_scan *scan = NULL;
    struct ArrowArray batch = {0};
    s3s_scan_options o = kit_options(S3S_SCAN_LATEST);
    o.read_ahead_partitions = 100;
    o.read_ahead_bytes = bytes;
    kit_files(fx, "", &files);
    assert_ok(s3s_scan_open(fx->target, &files, &o, &scan, &err));
    assert_ok(s3s_scan_next(scan, &batch, NULL, &err));
    uint64_t held = 0, most = 0, before = UINT64_MAX;
    /* Until it stands still; a busy machine may let threads wait for a while before that. */
    for (int i = 0, still = 0; i < 1500 && (still < 25 || most < at_least); i++) {
        still = held == before ? still + 1 : 0;
        before = held;
        assert_ok(s3s_sleep_us(fx->env, 20000, NULL, &err));
        held = held_now(scan);
        most = held > most ? held : most;
    }
    s3s_array_release(&batch);
    int rest = 0;
    while (s3s_scan_next(scan, &batch, NULL, &err) == S3STORE_OK) {
        rest++;
        s3s_array_release(&batch);
        for (int i = 0; i < 10; i++) { /* and at every later one, while others come */
            held = held_now(scan);
            most = held > most ? held : most;
            assert_ok(s3s_sleep_us(fx->env, 500, NULL, &err));
        }
    }
    assert_int_equal(rest, 9);
    s3s_scan_free(scan);
    return most;
}

static void test_budget__read_ahead_bytes_bound_what_is_decoded_ahead(void **state)
{
    (void)state;
    fixture fx;
    fixture_row rows[500];
    fixture_open(&fx, NULL, NULL);
    for (int i = 0; i < 10; i++) {
        char partition[16];
        for (int k = 0; k < 500; k++)
            rows[k] = (fixture_row){"entity", k, k, false};
        snprintf(partition, sizeof partition, "p=%d", i);
        for (int k = 0; k < 500; k++)
            rows[k].entity = k % 2 == 0 ? "a" : "b";
        kit_write(&fx, partition, rows, 500);
    }
    uint64_t all = held_while_dawdling(&fx, 0, 10 * 500 * 16);
    uint64_t one = held_while_dawdling(&fx, 1, 1);
    uint64_t three = held_while_dawdling(&fx, all / 10 * 3 + 100, one + 1);
    assert_true(all >= 10 * 500 * 16); /* as much as the partitions are */
    assert_true(one > 0 && one <= all / 10 + 100); /* one oversized partition always passes */
    /* The partition that the consumer waits for always passes, also when others came before it. */
    assert_true(three > one && three <= all / 10 * 4 + 200);
    /* Whatever the budget: never more than it and that one partition. */
    for (uint64_t parts = 1; parts < 9; parts += 2) {
        uint64_t budget = all / 20 * parts;
        uint64_t held = held_while_dawdling(&fx, budget, 1);
        assert_true(held <= budget + all / 10 + 100);
    }
    fixture_close_clean(&fx);
}

/* ---- the watchdog (vector 161) ----------------------------------------------------------------------- */

static s3s_fault_decision hold_gets(void *ctx, s3s_fault_verb verb, const char *key, uint64_t sequence)
{
    s3s_fault_decision d = S3S_FAULT_NONE;
    (void)key;
    (void)sequence;
    if (verb == S3S_VERB_GET)
        d.delay_us = *(const int64_t *)ctx;
    return d;
}

static uint64_t stalls_of(fixture *fx, int64_t delay_us, int64_t stall_us)
{
    s3store_error err;
    s3s_schema *fixed = NULL;
    s3s_file_set files;
    s3s_scan *scan = NULL;
    struct ArrowArray batch = {0};
    s3s_scan_options o = kit_options(S3S_SCAN_LATEST);
    assert_ok(s3s_record_schema(fx->env, &fixture_row_type, &fixed, &err));
    o.fixed = fixed;
    o.stall_us = stall_us;
    kit_files(fx, "", &files);
    fx->hook_ctx = &delay_us;
    fx->hook = hold_gets;
    assert_ok(s3s_scan_open(fx->target, &files, &o, &scan, &err));
    while (s3s_scan_next(scan, &batch, NULL, &err) == S3STORE_OK)
        s3s_array_release(&batch);
    uint64_t stalls = s3s_scan_stall_count(scan);
    s3s_scan_free(scan);
    fx->hook = NULL;
    s3s_schema_release(fixed);
    return stalls;
}

static void test_watchdog__says_what_is_waited_for_and_lets_it_go_on(void **state)
{
    (void)state;
    fixture fx;
    fixture_row row = {"a", 1, 1, false};
    fixture_open(&fx, NULL, NULL);
    for (int i = 0; i < 3; i++) {
        char partition[16];
        snprintf(partition, sizeof partition, "p=%d", i);
        kit_write(&fx, partition, &row, 1);
    }
    assert_true(stalls_of(&fx, 400000, 40000) >= 1);
    assert_non_null(strstr(fx.log, "reading makes no progress method=test waiting_for=ds/data/p=0/"));
    assert_int_equal(stalls_of(&fx, 1000, 60000000), 0);
    fixture_close_clean(&fx);
}

int run_pushdown_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pushdown__partitions_that_cannot_match_are_left_out),
        cmocka_unit_test(test_pushdown__formats_cut_times),
        cmocka_unit_test(test_pushdown__years_months_and_hours_cut_times_too),
        cmocka_unit_test(test_pushdown__values_of_every_type_are_compared_as_the_column_would),
        cmocka_unit_test(test_pushdown__several_parts_of_a_column_each_say_what_they_know),
        cmocka_unit_test(test_pushdown__keys_of_another_shape_stay),
        cmocka_unit_test(test_pushdown__what_is_listed_narrows_with_the_predicate),
        cmocka_unit_test(test_pushdown__mistakes_are_said_of_the_callers_patterns),
        cmocka_unit_test(test_pushdown__partitions_that_cannot_match_are_not_fetched),
        cmocka_unit_test(test_pushdown__row_groups_that_cannot_match_are_not_fetched),
        cmocka_unit_test(test_budget__read_ahead_bytes_bound_what_is_decoded_ahead),
        cmocka_unit_test(test_watchdog__says_what_is_waited_for_and_lets_it_go_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
