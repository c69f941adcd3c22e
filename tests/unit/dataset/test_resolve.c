/* From patterns to committed files: LIST walks, the commit gate, the file set. */
#include "support/alloc_sweep.h"
#include "support/race_chooser.h"
#include "target_support.h"

#include "base/hash.h"

static const char *const period_customer[] = {"period", "customer", NULL};

#define AUTO_TOKEN "11111111111111111111111111111111"

static s3store_target *open_parts(world *w, const char *const *parts)
{
    s3store_error err;
    s3store_target *t;
    s3store_target_config c = world_config(w, parts);

    put_timing(w, "1s", "0s");
    assert_ok(s3s_target_open(w->env, &c, &t, &err));
    return t;
}

/* "partition: key key; partition: ..." of what patterns resolve to, keys without path and
 * ending. */
static void resolve_text(s3store_target *t, const char *const *patterns, size_t count, char *out,
                         size_t out_size)
{
    s3store_error err;
    s3s_file_set set;
    size_t used = 0, files = 0;

    out[0] = '\0';
    assert_ok(s3s_resolve_patterns(t, NULL, patterns, count, &set, &err));
    for (size_t i = 0; i < set.partition_count; i++) {
        const s3s_partition_files *p = &set.partitions[i];

        used += (size_t)snprintf(out + used, out_size - used, "%s%s:", i > 0 ? "; " : "", p->key);
        for (size_t j = 0; j < p->file_count; j++) {
            const char *name = strrchr(p->files[j].key, '/') + 1;
            size_t token = strlen(p->files[j].token);

            assert_memory_equal(name, p->files[j].token, token);
            assert_int_equal(name[token], '-');
            assert_int_equal(p->files[j].size, 4);
            assert_true(p->files[j].last_modified_us > 0);
            used += (size_t)snprintf(out + used, out_size - used, " %.*s", (int)token + 2, name);
        }
        files += p->file_count;
    }
    assert_int_equal(files, set.file_count);
    s3s_file_set_deinit(&set);
}

static void check(s3store_target *t, const char *pattern, const char *expected)
{
    char text[4000];

    resolve_text(t, &pattern, 1, text, sizeof text);
    assert_string_equal(text, expected);
}

/* A committed write under an auto token: never in doubt. */
static void put_auto(world *w, const char *partition)
{
    put_data(w, partition, AUTO_TOKEN, '1');
    put_commit(w, partition, AUTO_TOKEN, '1');
}

/* ---- patterns ------------------------------------------------------------------------------- */

static size_t count_partitions(s3store_target *t, const char *const *patterns, size_t count)
{
    s3store_error err;
    s3s_file_set set;

    assert_ok(s3s_resolve_patterns(t, NULL, patterns, count, &set, &err));
    size_t result = set.partition_count;
    s3s_file_set_deinit(&set);
    return result;
}

static void test_resolve__each_form_of_pattern_finds_its_partitions(void **state)
{
    static const struct {
        const char *pattern;
        size_t count;
    } cases[] = {
        {"period=2026-03-17/customer=abc", 1}, {"*/customer=abc", 3},
        {"period=2026-03-17/*", 2},            {"period=2026-03-17/customer=*", 2},
        {"period=2026-03-*/customer=abc", 2},  {"period=2026-03-01..2026-04-01/customer=abc", 2},
        {"period=2026-04-01../*", 1},          {"*/customer=b..", 1},
        {"*", 4},                              {"", 4},
        {"*/*", 4},                            {"period=..2026-03-18/*", 3},
        {"period=x/customer=y", 0},            {"period=2026-03-17/customer=abc..abd", 1},
    };
    world *w = *state;
    s3store_target *t = open_parts(w, period_customer);

    put_auto(w, "period=2026-03-17/customer=abc");
    put_auto(w, "period=2026-03-17/customer=def");
    put_auto(w, "period=2026-03-16/customer=abc");
    put_auto(w, "period=2026-04-01/customer=abc");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        size_t count = count_partitions(t, &cases[i].pattern, 1);
        if (count != cases[i].count)
            fail_msg("\"%s\": %zu partitions", cases[i].pattern, count);
    }
    s3s_target_release(t);
}

static void test_resolve__several_patterns_cost_a_list_each_and_give_each_file_once(void **state)
{
    static const char *const tuples[] = {"period=1/customer=a", "period=2/customer=b"};
    static const char *const overlapping[] = {"*", "period=1/*", "*", "period=1/customer=a"};
    world *w = *state;
    s3store_target *t = open_parts(w, period_customer);
    char text[2000];

    put_auto(w, "period=1/customer=a");
    put_auto(w, "period=1/customer=b");
    put_auto(w, "period=2/customer=a");
    put_auto(w, "period=2/customer=b");
    resolve_text(t, tuples, 2, text, sizeof text);
    assert_string_equal(text, "period=1/customer=a: " AUTO_TOKEN "-1; period=2/customer=b: "
                              AUTO_TOKEN "-1");
    assert_requests(t, 0, 3, 0, 2);
    assert_int_equal(count_partitions(t, overlapping, 4), 4);
    assert_requests(t, 0, 3, 0, 5);
    s3s_target_release(t);
}

static void test_resolve__no_pattern_is_nothing_without_a_request(void **state)
{
    world *w = *state;
    s3store_target *t = open_parts(w, period_customer);

    put_auto(w, "period=1/customer=a");
    assert_int_equal(count_partitions(t, NULL, 0), 0);
    assert_requests(t, 0, 3, 0, 0);
    s3s_target_release(t);
}

static void test_resolve__a_count_without_patterns_is_refused(void **state)
{
    static const char *const too_many[S3S_PATTERNS_MAX + 1] = {0};
    world *w = *state;
    s3store_error err;
    s3store_target *t = open_parts(w, period_customer);
    s3s_file_set set;

    assert_fails(s3s_resolve_patterns(t, NULL, NULL, 2, &set, &err), S3STORE_INVALID_ARGUMENT,
                 "a count of patterns without patterns");
    assert_fails(s3s_resolve_patterns(t, NULL, too_many, S3S_PATTERNS_MAX + 1, &set, &err),
                 S3STORE_INVALID_ARGUMENT, "patterns are given; at most");
    assert_requests(t, 0, 3, 0, 0);
    s3s_target_release(t);
}

/* No key has more than 1024 bytes: what a pattern asks for beyond that is not there, and what a range
 * begins with is only a bound. */
static void test_resolve__values_beyond_the_longest_key_match_nothing(void **state)
{
    static char exact[1200], from[1200];
    world *w = *state;
    s3store_target *t = open_parts(w, period_customer);
    const char *const none[] = {exact}, *const all[] = {from};

    put_auto(w, "period=2/customer=a");
    memset(exact, '1', 1100);
    memcpy(exact, "period=", 7);
    strcpy(exact + 1100, "/*");
    assert_int_equal(count_partitions(t, none, 1), 0);
    assert_requests(t, 0, 3, 0, 0);
    memset(from, '1', 1100);
    memcpy(from, "period=", 7);
    strcpy(from + 1100, "../*");
    assert_int_equal(count_partitions(t, all, 1), 1);
    s3s_target_release(t);
}

static void test_resolve__a_bad_pattern_is_named_before_any_list(void **state)
{
    static const char *const patterns[] = {"*", "*", "period=1/x=1"};
    world *w = *state;
    s3store_error err;
    s3store_target *t = open_parts(w, period_customer);
    s3s_file_set set;

    assert_fails(s3s_resolve_patterns(t, NULL, patterns, 3, &set, &err), S3STORE_INVALID_ARGUMENT,
                 "pattern 1");
    assert_requests(t, 0, 3, 0, 0);
    s3s_target_release(t);
}

static void test_resolve__pages_are_followed_and_ranges_start_and_stop(void **state)
{
    static const char *const by_n[] = {"n", NULL};
    world *w = *state;
    s3store_target *t = open_parts(w, by_n);
    const char *all = "*", *range = "n=20..25";
    char partition[20];

    w->max_keys = 10;
    for (int i = 0; i < 50; i++) {
        snprintf(partition, sizeof partition, "n=%02d", i);
        put_auto(w, partition);
    }
    assert_int_equal(count_partitions(t, &all, 1), 50);
    assert_requests(t, 0, 3, 0, 10);
    assert_int_equal(count_partitions(t, &range, 1), 5);
    assert_requests(t, 0, 3, 0, 12); /* 10 keys lie in it: not all 100 are listed */
    s3s_target_release(t);
}

/* The value 2026-04 is below 2026-04-02 but its keys would follow those of all of April: the walk
 * must look there, and need not list April. */
static void test_resolve__a_range_over_a_months_end_does_not_list_the_month(void **state)
{
    static const char *const by_n[] = {"n", NULL};
    world *w = *state;
    s3store_target *t = open_parts(w, by_n);
    const char *range = "n=2026-03-30..2026-04-02";
    char partition[20];

    w->max_keys = 10;
    put_auto(w, "n=2026-03-29");
    put_auto(w, "n=2026-03-30");
    put_auto(w, "n=2026-04-01");
    put_auto(w, "n=2026-04");
    for (int i = 2; i <= 30; i++) {
        snprintf(partition, sizeof partition, "n=2026-04-%02d", i);
        put_auto(w, partition);
    }
    put_auto(w, "n=2026-05-01");
    check(t, range, "n=2026-03-30: " AUTO_TOKEN "-1; n=2026-04: " AUTO_TOKEN
                    "-1; n=2026-04-01: " AUTO_TOKEN "-1");
    assert_requests(t, 0, 3, 0, 2);
    s3s_target_release(t);
}

static void test_resolve__strangers_in_the_data_tree_are_ignored(void **state)
{
    world *w = *state;
    s3store_target *t = open_parts(w, period_customer);

    put_auto(w, "period=1/customer=a");
    put_text(w, "p/data/abcd1234.parquet", "x");
    put_text(w, "p/data/period=1/customer=a/_SUCCESS", "x");
    put_text(w, "p/data/period=1/customer=a/part-0.parquet", "x");
    put_text(w, "p/data/period=1/customer=a/.commit", "x");
    put_text(w, "p/data2/period=1/customer=a/x.commit", "x");
    check(t, "*", "period=1/customer=a: " AUTO_TOKEN "-1");
    check(t, "period=1/*", "period=1/customer=a: " AUTO_TOKEN "-1");
    s3s_target_release(t);
}

static void test_resolve__keys_that_nobody_asked_for_are_ignored(void **state)
{
    static const char *const all[] = {"*"}, *const range[] = {"period=1..3/*"};
    world *w = *state;
    s3store_target *t = open_parts(w, period_customer);

    put_auto(w, "period=1/customer=a");
    put_auto(w, "period=2/customer=a");
    put_auto(w, "period=4/customer=a");
    w->strays = true;
    assert_int_equal(count_partitions(t, all, 1), 3);
    assert_int_equal(count_partitions(t, range, 1), 2);
    s3s_target_release(t);
}

static void test_resolve__partitions_come_in_byte_order_of_their_keys(void **state)
{
    static const char *const by_a[] = {"a", NULL};
    world *w = *state;
    s3store_target *t = open_parts(w, by_a);

    put_auto(w, "a=1");
    put_auto(w, "a=1-2"); /* lists before a=1/ */
    put_auto(w, "a=1.5");
    put_auto(w, "a=10");
    check(t, "*", "a=1: " AUTO_TOKEN "-1; a=1-2: " AUTO_TOKEN "-1; a=1.5: " AUTO_TOKEN
                  "-1; a=10: " AUTO_TOKEN "-1");
    s3s_target_release(t);
}

static void add_later(world *w)
{
    if (!has_object(w, "p/data/period=1/customer=zz/" AUTO_TOKEN ".commit"))
        put_auto(w, "period=1/customer=zz");
}

/* ---- the gate ------------------------------------------------------------------------------- */

static void test_gate__only_committed_files_survive_without_a_head(void **state)
{
    world *w = *state;
    s3store_target *t = open_parts(w, period_customer);

    put_auto(w, "period=1/customer=a");
    put_data(w, "period=1/customer=a", "open", '2');     /* no marker */
    put_data(w, "period=1/customer=b", "t", '3');        /* committed elsewhere */
    put_commit(w, "period=1/customer=c", "t", '3');      /* a marker without its file */
    put_auto(w, "period=1/customer=d");
    check(t, "*",
          "period=1/customer=a: " AUTO_TOKEN "-1; period=1/customer=d: " AUTO_TOKEN "-1");
    assert_requests(t, 0, 3, 0, 1);
    s3s_target_release(t);
}

static void test_gate__pairs_are_unambiguous(void **state)
{
    world *w = *state;
    s3store_target *t = open_parts(w, period_customer);

    /* "customer=a" and token "b:c" against "customer=a:b" and token "c". */
    put_data(w, "period=1/customer=a", "b:c", '1');
    put_commit(w, "period=1/customer=a:b", "c", '1');
    check(t, "*", "");
    s3s_target_release(t);
}

static void test_gate__several_attempts_of_a_token_are_settled_by_one_head(void **state)
{
    world *w = *state;
    s3store_target *t = open_parts(w, period_customer);

    put_data(w, "period=1/customer=a", "tok", '1');
    put_data(w, "period=1/customer=a", "tok", '2');
    put_commit(w, "period=1/customer=a", "tok", '2');
    put_data(w, "period=1/customer=a", "tok-x", '3'); /* a token that begins with another */
    put_data(w, "period=1/customer=b", AUTO_TOKEN, '1');
    put_data(w, "period=1/customer=b", AUTO_TOKEN, '2');
    put_commit(w, "period=1/customer=b", AUTO_TOKEN, '2');
    check(t, "*", "period=1/customer=a: tok-2; period=1/customer=b: " AUTO_TOKEN "-2");
    assert_requests(t, 0, 3, 2, 1);
    s3s_target_release(t);
}

static void test_gate__a_marker_that_names_no_listed_file_drops_all(void **state)
{
    world *w = *state;
    s3store_target *t = open_parts(w, period_customer);

    put_data(w, "period=1/customer=a", "tok", '1');
    put_data(w, "period=1/customer=a", "tok", '2');
    put_commit(w, "period=1/customer=a", "tok", '3');
    check(t, "*", "");
    s3s_target_release(t);
}

static void remove_marker(world *w)
{
    remove_object(w, "p/data/period=1/customer=a/tok.commit");
}

static void test_gate__a_marker_that_is_gone_since_the_list_drops_all(void **state)
{
    world *w = *state;
    s3store_target *t = open_parts(w, period_customer);

    put_data(w, "period=1/customer=a", "tok", '1');
    put_data(w, "period=1/customer=a", "tok", '2');
    put_commit(w, "period=1/customer=a", "tok", '2');
    w->after_list = remove_marker;
    check(t, "*", "");
    assert_requests(t, 0, 3, 1, 1);
    s3s_target_release(t);
}

static void test_gate__a_damaged_marker_fails_the_read(void **state)
{
    world *w = *state;
    s3store_error err;
    s3store_target *t = open_parts(w, period_customer);
    const char *all = "*";
    s3s_file_set set;

    put_data(w, "period=1/customer=a", "tok", '1');
    put_data(w, "period=1/customer=a", "tok", '2');
    put_text(w, "p/data/period=1/customer=a/tok.commit", "");
    assert_fails(s3s_resolve_patterns(t, NULL, &all, 1, &set, &err), S3STORE_DAMAGED_MARKER,
                 "tok.commit");
    s3s_file_set_deinit(&set); /* empty, and may be deinited */
    s3s_target_release(t);
}

static void test_gate__a_head_that_fails_fails_the_read(void **state)
{
    world *w = *state;
    s3store_error err;
    s3store_target *t = open_parts(w, period_customer);
    const char *all = "*";
    s3s_file_set set;

    put_data(w, "period=1/customer=a", "tok", '1');
    put_data(w, "period=1/customer=a", "tok", '2');
    put_commit(w, "period=1/customer=a", "tok", '2');
    w->fail_key_part = "tok.commit";
    w->fail_with = S3STORE_PERMISSION_DENIED;
    assert_fails(s3s_resolve_patterns(t, NULL, &all, 1, &set, &err), S3STORE_PERMISSION_DENIED,
                 "tok.commit");
    s3s_target_release(t);
}

/* One file of a caller's token: trusted only when its marker is surely older than the LIST. */
static void test_gate__a_young_marker_of_a_callers_token_is_asked(void **state)
{
    world *w = *state;
    s3store_target *t = open_parts(w, period_customer);

    put_data(w, "period=1/customer=a", "tok", '1');
    put_commit(w, "period=1/customer=a", "tok", '1');
    check(t, "*", "period=1/customer=a: tok-1");
    assert_requests(t, 0, 3, 1, 1);
    w->date_offset_us = 900000; /* not a second yet */
    check(t, "*", "period=1/customer=a: tok-1");
    assert_requests(t, 0, 3, 2, 2);
    w->date_offset_us = 30000000; /* the LIST is half a minute later, by the server's clock */
    check(t, "*", "period=1/customer=a: tok-1");
    assert_requests(t, 0, 3, 2, 3);
    t->max_clock_skew_us = 60000000; /* but its nodes may differ by a minute */
    check(t, "*", "period=1/customer=a: tok-1");
    assert_requests(t, 0, 3, 3, 4);
    t->max_clock_skew_us = 0;
    w->no_dates = true; /* by our clock then */
    check(t, "*", "period=1/customer=a: tok-1");
    assert_requests(t, 0, 3, 4, 5);
    s3s_target_release(t);
}

static void test_gate__the_attempt_of_a_young_marker_decides_over_a_single_file(void **state)
{
    world *w = *state;
    s3store_target *t = open_parts(w, period_customer);

    /* The LIST passed the place of attempt 2 before it was there. */
    put_data(w, "period=1/customer=a", "tok", '1');
    put_commit(w, "period=1/customer=a", "tok", '2');
    check(t, "*", "");
    assert_requests(t, 0, 3, 1, 1);
    s3s_target_release(t);
}

/* A writer whose first attempt died, its second, and a reader whose LIST takes a page for each
 * key. */
typedef struct race {
    world *world;
    s3store_target *target;
    bool committed_before; /* the reader began after the commit */
    int done;
} race;

static void open_actor(void *ctx)
{
    race *r = ctx;

    r->target = open_parts(r->world, period_customer);
    r->world->max_keys = 1;
    put_data(r->world, "period=1/customer=a", "tok", '1');
}

static void write_actor(void *ctx)
{
    race *r = ctx;

    put_data(r->world, "period=1/customer=a", "tok", '2');
    put_commit(r->world, "period=1/customer=a", "tok", '2');
    r->committed_before = true;
    r->done++;
}

static void read_actor(void *ctx)
{
    race *r = ctx;
    const char *all = "*";
    char text[200];
    bool must_see = r->committed_before;

    resolve_text(r->target, &all, 1, text, sizeof text);
    if (must_see || text[0] != '\0')
        assert_string_equal(text, "period=1/customer=a: tok-2");
    r->done++;
}

static void close_actor(void *ctx)
{
    race *r = ctx;
    s3s_target_release(r->target);
}

static s3store_status one_history(void *ctx, s3s_explorer *ex, s3store_error *err)
{
    race r = {.world = ctx};
    race_chooser choose = {.explorer = ex};
    s3s_sim_options options = {.choose = race_choose, .choose_ctx = &choose,
                               .start_wall_us = INT64_C(1700000000000000)};
    s3s_sim *sim;
    s3store_status status = s3s_sim_new(&options, &sim, err);

    if (status != S3STORE_OK)
        return status;
    world_init_env(r.world, s3s_sim_env(sim));
    status = s3s_sim_add(sim, "open", 0, open_actor, &r, err);
    if (status == S3STORE_OK)
        status = s3s_sim_run(sim, err);
    if (status == S3STORE_OK)
        status = s3s_sim_add(sim, "write", 0, write_actor, &r, err);
    if (status == S3STORE_OK)
        status = s3s_sim_add(sim, "read", 0, read_actor, &r, err);
    choose.racing = true;
    if (status == S3STORE_OK)
        status = s3s_sim_run(sim, err);
    choose.racing = false;
    if (status == S3STORE_OK) {
        assert_int_equal(r.done, 2);
        status = s3s_sim_add(sim, "close", 0, close_actor, &r, err);
    }
    if (status == S3STORE_OK)
        status = s3s_sim_run(sim, err);
    world_deinit(r.world);
    s3s_sim_free(sim);
    return status;
}

static void test_gate__a_dead_attempt_is_never_read_in_any_history(void **state)
{
    static world w;
    s3store_error err;
    uint64_t histories = 0;

    (void)state;
    assert_ok(s3s_explore(one_history, &w, 50000, &histories, &err));
    assert_true(histories > 100);
}

/* ---- bad servers ---------------------------------------------------------------------------- */

static void test_resolve__a_list_out_of_order_or_without_end_is_an_error(void **state)
{
    world *w = *state;
    s3store_error err;
    s3store_target *t = open_parts(w, period_customer);
    const char *all = "*";
    s3s_file_set set;

    put_auto(w, "period=1/customer=a");
    put_auto(w, "period=1/customer=b");
    w->reversed_lists = true;
    assert_fails(s3s_resolve_patterns(t, NULL, &all, 1, &set, &err), S3STORE_CORRUPT, "order");
    w->reversed_lists = false;
    w->endless_list = true;
    assert_fails(s3s_resolve_patterns(t, NULL, &all, 1, &set, &err), S3STORE_CORRUPT, "more keys");
    w->endless_list = false;
    w->fail_key_part = "data/";
    w->fail_with = S3STORE_PERMISSION_DENIED;
    assert_fails(s3s_resolve_patterns(t, NULL, &all, 1, &set, &err), S3STORE_PERMISSION_DENIED,
                 NULL);
    s3s_target_release(t);
}

static void test_resolve__what_is_written_during_the_list_does_no_harm(void **state)
{
    world *w = *state;
    s3store_target *t = open_parts(w, period_customer);
    char text[2000];
    const char *all = "*";

    w->max_keys = 2;
    w->after_list = add_later;
    put_auto(w, "period=1/customer=a");
    put_auto(w, "period=1/customer=b");
    resolve_text(t, &all, 1, text, sizeof text);
    assert_non_null(strstr(text, "customer=a: "));
    assert_non_null(strstr(text, "customer=b: "));
    s3s_target_release(t);
}

static s3store_status resolve_again(void *ctx, s3s_env *env, s3store_error *err)
{
    static const char *const patterns[] = {"*", "period=1..5/*", "period=2026-03-01..2026-04-01/*"};
    s3s_file_set set;

    (void)env;
    s3store_status status = s3s_resolve_patterns(ctx, NULL, patterns, 3, &set, err);
    if (status != S3STORE_OK)
        return status;
    assert_int_equal(set.file_count, 2);
    s3s_file_set_deinit(&set);
    return status;
}

static void test_resolve__every_failed_allocation_is_an_error_and_nothing_leaks(void **state)
{
    world *w = *state;
    s3store_target *t = open_parts(w, period_customer);

    put_auto(w, "period=1/customer=a");
    put_data(w, "period=2/customer=a", "tok", '1');
    put_data(w, "period=2/customer=a", "tok", '2');
    put_commit(w, "period=2/customer=a", "tok", '2');
    alloc_steps_within(w->env, true, resolve_again, t);
    s3s_target_release(t);
}

/* ---- the file set --------------------------------------------------------------------------- */

static void add(s3s_file_set_builder *b, const char *partition, const char *key)
{
    s3store_error err;
    assert_ok(s3s_file_set_builder_add(b, partition, strlen(partition), key, "tok!", 3, 4, 5,
                                       &err));
}

static void test_file_set__sorts_groups_and_removes_duplicates(void **state)
{
    world *w = *state;
    s3store_error err;
    s3s_file_set_builder *b;
    s3s_file_set set;

    assert_ok(s3s_file_set_builder_new(w->env, &b, &err));
    add(b, "a=2", "k3");
    add(b, "a=1", "k2");
    add(b, "a=1", "k1");
    add(b, "a=2", "k3");
    add(b, "a=1", "k2");
    assert_ok(s3s_file_set_builder_finish(b, &set, &err));
    s3s_file_set_builder_free(b);
    assert_int_equal(set.partition_count, 2);
    assert_int_equal(set.file_count, 3);
    assert_string_equal(set.partitions[0].key, "a=1");
    assert_int_equal(set.partitions[0].file_count, 2);
    assert_string_equal(set.partitions[0].files[0].key, "k1");
    assert_string_equal(set.partitions[0].files[1].key, "k2");
    assert_string_equal(set.partitions[1].files[0].key, "k3");
    assert_string_equal(set.partitions[1].files[0].token, "tok");
    assert_int_equal(set.partitions[1].files[0].last_modified_us, 5);
    s3s_file_set_deinit(&set);
}

static void test_file_set__one_shard_of_one_is_everything(void **state)
{
    world *w = *state;
    s3store_error err;
    s3s_file_set_builder *b;
    s3s_file_set set;

    assert_ok(s3s_file_set_builder_new(w->env, &b, &err));
    add(b, "a=1", "k1");
    add(b, "a=2", "k2");
    assert_ok(s3s_file_set_builder_finish(b, &set, &err));
    s3s_file_set_builder_free(b);
    s3s_file_set_shard(&set, 0, 1);
    assert_int_equal(set.partition_count, 2);
    s3s_file_set_shard(&set, 0, 0);
    assert_int_equal(set.file_count, 2);
    s3s_file_set_deinit(&set);
}

static void test_file_set__shards_are_a_partition_of_the_partitions(void **state)
{
    world *w = *state;
    s3store_error err;
    size_t total = 0, files = 0, largest = 0;

    for (uint32_t shard = 0; shard < 7; shard++) {
        s3s_file_set_builder *b;
        s3s_file_set set;
        char partition[20], key[40];

        assert_ok(s3s_file_set_builder_new(w->env, &b, &err));
        for (int i = 0; i < 700; i++) {
            snprintf(partition, sizeof partition, "a=%d", i);
            snprintf(key, sizeof key, "p/data/a=%d/x", i);
            add(b, partition, key);
        }
        assert_ok(s3s_file_set_builder_finish(b, &set, &err));
        s3s_file_set_builder_free(b);
        s3s_file_set_shard(&set, shard, 7);
        for (size_t i = 0; i < set.partition_count; i++) {
            const char *p = set.partitions[i].key;
            assert_int_equal(s3s_xxh64(p, strlen(p), 0) % 7, shard);
        }
        total += set.partition_count;
        files += set.file_count;
        largest = set.partition_count > largest ? set.partition_count : largest;
        s3s_file_set_deinit(&set);
    }
    assert_int_equal(total, 700);
    assert_int_equal(files, 700);
    assert_true(largest < 150);
}

static void test_commit_head__reads_a_marker_and_tells_absent_from_damaged(void **state)
{
    world *w = *state;
    s3store_error err;
    s3store_target *t = open_parts(w, period_customer);
    s3s_marker marker;
    s3store_object_info info;

    put_commit(w, "period=1/customer=a", "tok", '7');
    assert_ok(s3s_commit_head(t, NULL, "period=1/customer=a", "tok", &marker, &info, &err));
    assert_int_equal(marker.row_count, 3);
    assert_int_equal(marker.attempt[0], '7');
    assert_true(info.last_modified_us > 0);
    assert_fails(s3s_commit_head(t, NULL, "period=1/customer=a", "no", &marker, NULL, &err),
                 S3STORE_NOT_FOUND, NULL);
    put_text(w, "p/data/period=1/customer=a/bad.commit", "");
    assert_fails(s3s_commit_head(t, NULL, "period=1/customer=a", "bad", &marker, NULL, &err),
                 S3STORE_DAMAGED_MARKER, "bad.commit");
    assert_requests(t, 0, 3, 3, 0);
    s3s_target_release(t);
}

#define test(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(test_resolve__each_form_of_pattern_finds_its_partitions),
        test(test_resolve__several_patterns_cost_a_list_each_and_give_each_file_once),
        test(test_resolve__no_pattern_is_nothing_without_a_request),
        test(test_resolve__a_bad_pattern_is_named_before_any_list),
        test(test_resolve__values_beyond_the_longest_key_match_nothing),
        test(test_resolve__a_count_without_patterns_is_refused),
        test(test_resolve__pages_are_followed_and_ranges_start_and_stop),
        test(test_resolve__a_range_over_a_months_end_does_not_list_the_month),
        test(test_resolve__strangers_in_the_data_tree_are_ignored),
        test(test_resolve__keys_that_nobody_asked_for_are_ignored),
        test(test_resolve__partitions_come_in_byte_order_of_their_keys),
        test(test_gate__only_committed_files_survive_without_a_head),
        test(test_gate__pairs_are_unambiguous),
        test(test_gate__several_attempts_of_a_token_are_settled_by_one_head),
        test(test_gate__a_marker_that_names_no_listed_file_drops_all),
        test(test_gate__a_marker_that_is_gone_since_the_list_drops_all),
        test(test_gate__a_damaged_marker_fails_the_read),
        test(test_gate__a_head_that_fails_fails_the_read),
        test(test_gate__a_young_marker_of_a_callers_token_is_asked),
        test(test_gate__the_attempt_of_a_young_marker_decides_over_a_single_file),
        cmocka_unit_test(test_gate__a_dead_attempt_is_never_read_in_any_history),
        test(test_resolve__a_list_out_of_order_or_without_end_is_an_error),
        test(test_resolve__what_is_written_during_the_list_does_no_harm),
        test(test_resolve__every_failed_allocation_is_an_error_and_nothing_leaks),
        test(test_file_set__sorts_groups_and_removes_duplicates),
        test(test_file_set__one_shard_of_one_is_everything),
        test(test_file_set__shards_are_a_partition_of_the_partitions),
        test(test_commit_head__reads_a_marker_and_tells_absent_from_damaged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
