/* Opening a dataset: URL, config, the three GETs, what they are merged to. */
#include "target_support.h"

#include <stdlib.h>

#include "dataset/target_private.h"
#include "support/alloc_sweep.h"
#include "support/tempdir.h"

static const char *const by_a[] = {"a", NULL};

/* ---- URLs ----------------------------------------------------------------------------------- */

static void check_url(const char *text, const char *place, const char *prefix, bool fsync)
{
    s3store_error err;
    s3s_url url;

    assert_ok(s3s_url_parse(text, &url, &err));
    assert_int_equal(url.place.size, strlen(place));
    assert_memory_equal(url.place.data, place, strlen(place));
    assert_int_equal(url.prefix.size, strlen(prefix));
    assert_memory_equal(url.prefix.data, prefix, strlen(prefix));
    assert_int_equal(url.fsync, fsync);
}

static void test_url__both_forms_are_taken_apart_verbatim(void **state)
{
    (void)state;
    check_url("s3://bucket/prefix", "bucket", "prefix", false);
    check_url("s3://bucket/a/b%20c?d/", "bucket", "a/b%20c?d", false);
    check_url("s3://tenant:bucket/x//", "tenant:bucket", "x/", false);
    check_url("file:///a/b/ds", "/a/b", "ds", true);
    check_url("file:///a/b/ds/", "/a/b", "ds", true);
    check_url("file:///ds", "/", "ds", true);
    check_url("file:///a/ds?fsync=0", "/a", "ds", false);
    check_url("file:///a/ds/?fsync=1", "/a", "ds", true);
    check_url("file:///a/x", "/a", "x", true);
    check_url("file:///a/..x", "/a", "..x", true);
    check_url("s3://B.u-c_ket9/p", "B.u-c_ket9", "p", false);
}

static void test_url__bad_ones_are_named(void **state)
{
    static const char *const urls[] = {
        "ds",           "/a/b/ds",         "http://x/y",        "s3://",        "s3:///p",
        "s3://b",       "s3://b/",         "s3://b ucket/p",    "file://a/b",   "file:///",
        "file:///a//",  "file:///a/..",    "file:///a/.",       "file://",      "s3://b/a\nb",
        "file:///a?fsync=2", "file:///a/ds?x=1", "s3://b{/p",         "s3://b[/p",    "s3://b/\x7f",
        "s3://b\xC3\xA4/p",
    };
    s3store_error err;
    s3s_url url;

    (void)state;
    for (size_t i = 0; i < sizeof urls / sizeof urls[0]; i++) {
        assert_fails(s3s_url_parse(urls[i], &url, &err), S3STORE_INVALID_ARGUMENT, "the URL \"");
        if (strpbrk(urls[i], "\n\x7f") == NULL)
            assert_string_equal(err.key, urls[i]);
    }
    assert_fails(s3s_url_parse("", &url, &err), S3STORE_INVALID_ARGUMENT, "no URL");
    assert_fails(s3s_url_parse(NULL, &url, &err), S3STORE_INVALID_ARGUMENT, "no URL");
    char text[5000] = "s3://"; /* of any length: neither is cut off silently */
    memset(text + 5, 'b', 4092);
    assert_fails(s3s_url_parse(text, &url, &err), S3STORE_INVALID_ARGUMENT, "4096 bytes");
    strcpy(text + 5 + 300, "/p");
    assert_fails(s3s_url_parse(text, &url, &err), S3STORE_INVALID_ARGUMENT,
                 "a bucket name that is too long");
}

/* ---- config --------------------------------------------------------------------------------- */

static void check_config(void (*spoil)(s3store_target_config *c), const char *names)
{
    s3store_error err;
    s3store_target_config c = S3STORE_TARGET_CONFIG_INIT;
    static const char *const parts[] = {"a", "b=c:day"};

    c.url = "s3://bucket/p";
    c.partition_by = parts;
    c.partition_by_count = 2;
    assert_ok(s3s_target_config_check(&c, false, &err));
    spoil(&c);
    assert_fails(s3s_target_config_check(&c, false, &err), S3STORE_INVALID_ARGUMENT, names);
}

static const char *const twice[] = {"a", "a"};
static const char *const empty_name[] = {"a", ""};
static const char *const bad_spec[] = {"a=b:nonsense"};

static void no_size(s3store_target_config *c)
{
    c->size = 0;
}

static void large_size(s3store_target_config *c)
{
    c->size += 8;
}

static void no_url(s3store_target_config *c)
{
    c->url = NULL;
}

static void only_bucket(s3store_target_config *c)
{
    c->url = NULL;
    c->bucket = "b";
}

static void url_and_prefix(s3store_target_config *c)
{
    c->prefix = "x";
}

static void no_parts(s3store_target_config *c)
{
    c->partition_by_count = 0;
}

static void no_array(s3store_target_config *c)
{
    c->partition_by = NULL;
}

static void twice_parts(s3store_target_config *c)
{
    c->partition_by = twice;
}

static void empty_part(s3store_target_config *c)
{
    c->partition_by = empty_name;
}

static void bad_part(s3store_target_config *c)
{
    c->partition_by = bad_spec;
    c->partition_by_count = 1;
}

static void only_entity(s3store_target_config *c)
{
    c->entity = twice;
    c->entity_count = 1;
}

static void only_version(s3store_target_config *c)
{
    c->version = "v";
}

static void empty_inserted(s3store_target_config *c)
{
    c->inserted_at_column = "";
}

static void only_key(s3store_target_config *c)
{
    c->access_key_id = "x";
}

static void only_token(s3store_target_config *c)
{
    c->session_token = "x";
}

static void bad_endpoint(s3store_target_config *c)
{
    c->endpoint_url = "localhost:9000";
}

static void header_break(s3store_target_config *c)
{
    c->consistency = "all\r\nX: 1";
}

static void bad_fence(s3store_target_config *c)
{
    c->fence = (s3store_fence)7;
}

static void bad_timeout(s3store_target_config *c)
{
    c->timeout_ms = -1;
}

static void empty_version(s3store_target_config *c)
{
    only_entity(c);
    c->version = "";
}

static void bad_addressing(s3store_target_config *c)
{
    c->addressing = (s3store_addressing)9;
}

static void bad_log_level(s3store_target_config *c)
{
    c->log_level = (s3store_log_level)9;
}

static void low_addressing(s3store_target_config *c)
{
    c->addressing = (s3store_addressing)-1;
}

static void low_log_level(s3store_target_config *c)
{
    c->log_level = (s3store_log_level)-1;
}

static void low_fence(s3store_target_config *c)
{
    c->fence = (s3store_fence)-1;
}

static void null_part(s3store_target_config *c)
{
    static const char *const names[] = {NULL};
    c->partition_by = names;
    c->partition_by_count = 1;
}

static void only_prefix(s3store_target_config *c)
{
    c->url = NULL;
    c->prefix = "p";
}

static void deleted_char(s3store_target_config *c)
{
    c->consistency = "a\x7f";
}

static void empty_spill_dir(s3store_target_config *c)
{
    c->spill_dir = "";
}

static void test_config__each_mistake_is_named_before_any_request(void **state)
{
    s3store_error err;

    (void)state;
    check_config(no_size, "size");
    check_config(large_size, "newer");
    check_config(no_url, "url");
    check_config(only_bucket, "url");
    check_config(url_and_prefix, "prefix");
    check_config(no_parts, "partition_by");
    check_config(no_array, "partition_by");
    check_config(twice_parts, "twice");
    check_config(empty_part, "partition_by");
    check_config(bad_part, "nonsense");
    check_config(only_entity, "both or neither");
    check_config(only_version, "both or neither");
    check_config(empty_inserted, "inserted_at_column");
    check_config(only_key, "secret_access_key");
    check_config(only_token, "session_token");
    check_config(bad_endpoint, "localhost:9000");
    check_config(header_break, "consistency");
    check_config(bad_fence, "fence");
    check_config(bad_timeout, "timeout_ms");
    check_config(empty_version, "version is empty");
    check_config(bad_addressing, "addressing has an unknown value");
    check_config(bad_log_level, "log_level has an unknown value");
    check_config(empty_spill_dir, "spill_dir is empty");
    check_config(low_addressing, "addressing has an unknown value");
    check_config(low_log_level, "log_level has an unknown value");
    check_config(low_fence, "fence has an unknown value");
    check_config(null_part, "partition_by has an empty element");
    check_config(only_prefix, "url is required (bucket and prefix go with store)");
    check_config(deleted_char, "consistency is not printable ASCII");
    assert_fails(s3s_target_config_check(NULL, false, &err), S3STORE_INVALID_ARGUMENT, "config");
    s3store_target_config good = S3STORE_TARGET_CONFIG_INIT;
    good.url = "s3://b/p";
    good.partition_by = by_a;
    good.partition_by_count = 1;
    good.endpoint_url = "https://localhost:9000";
    good.access_key_id = good.secret_access_key = good.session_token = "x";
    assert_ok(s3s_target_config_check(&good, false, &err));
}

static void test_config__an_injected_store_needs_prefix_and_functions(void **state)
{
    world *w = *state;
    s3store_error err;
    s3store_target_config c = world_config(w, NULL);

    assert_ok(s3s_target_config_check(&c, true, &err)); /* lookup needs no columns */
    assert_fails(s3s_target_config_check(&c, false, &err), S3STORE_INVALID_ARGUMENT,
                 "partition_by");
    c.prefix = "";
    assert_fails(s3s_target_config_check(&c, true, &err), S3STORE_INVALID_ARGUMENT, "prefix");
    c.prefix = "p";
    c.url = "s3://b/p";
    assert_fails(s3s_target_config_check(&c, true, &err), S3STORE_INVALID_ARGUMENT, "url");
    c.url = NULL;
    static char prefix[S3STORE_KEY_MAX_BYTES + 2];
    memset(prefix, 'p', sizeof prefix - 1);
    c.prefix = prefix;
    assert_fails(s3s_target_config_check(&c, true, &err), S3STORE_INVALID_ARGUMENT,
                 "prefix is longer than an object key can be");
    c.prefix = NULL;
    assert_fails(s3s_target_config_check(&c, true, &err), S3STORE_INVALID_ARGUMENT, "prefix");
    c.prefix = "p";
    for (int missing = 0; missing < 6; missing++) {
        s3store_object_store store = w->store;
        c.store = &store;
        if (missing == 0)
            store.put = NULL;
        else if (missing == 1)
            store.get = NULL;
        else if (missing == 2)
            store.head = NULL;
        else if (missing == 3)
            store.list = NULL;
        else if (missing == 4)
            store.remove = NULL;
        else
            store.size = offsetof(s3store_object_store, remove);
        assert_fails(s3s_target_config_check(&c, true, &err), S3STORE_INVALID_ARGUMENT,
                     "store lacks its size or one of its functions");
    }
}

/* ---- opening -------------------------------------------------------------------------------- */

static void test_open__costs_three_gets_and_knows_the_timing(void **state)
{
    world *w = *state;
    s3store_error err;
    s3store_target *t;
    s3store_target_config c = world_config(w, by_a);

    put_timing(w, "15s\n", "1500ns");
    assert_ok(s3s_target_open(w->env, &c, &t, &err));
    assert_requests(t, 0, 3, 0, 0);
    assert_int_equal(t->commit_timeout_us, 15000000);
    assert_int_equal(t->max_clock_skew_us, 2); /* never below what was asked */
    assert_false(t->has_descriptor);
    assert_int_equal(t->settings.part_count, 1);
    assert_string_equal(t->part_names[0], "a");
    assert_string_equal(t->consistency, "strong-global");
    assert_string_equal(t->layout.prefix, "p");
    assert_string_equal(t->bucket, "bucket");
    assert_string_equal(t->url, "memory://bucket/p");
    assert_int_equal(t->max_inflight, 32);
    assert_int_equal(t->memory_bytes, 256 * 1024 * 1024);
    assert_string_equal(w->log, "");
    assert_ptr_equal(s3s_target_retain(t), t);
    s3s_target_release(t);
    s3s_target_release(t);
}

static void test_open__a_prefix_of_an_injected_store_is_verbatim(void **state)
{
    world *w = *state;
    s3store_error err;
    s3store_target *t;
    s3store_target_config c = world_config(w, by_a);

    c.prefix = "p/";
    put_text(w, "p//_config/commit-timeout", "15s");
    put_text(w, "p//_config/max-clock-skew", "1s");
    assert_ok(s3s_target_open(w->env, &c, &t, &err));
    assert_string_equal(t->layout.data_path, "p//data");
    s3s_target_release(t);
}

static void test_open__limits_have_defaults(void **state)
{
    world *w = *state;
    s3store_error err;
    s3store_target *t;
    static const int given[] = {0, -1, 64}, effective[] = {32, 32, 64};

    put_timing(w, "15s", "1s");
    for (size_t i = 0; i < 3; i++) {
        s3store_target_config c = world_config(w, by_a);
        c.max_inflight = given[i];
        assert_ok(s3s_target_open(w->env, &c, &t, &err));
        assert_int_equal(t->max_inflight, effective[i]);
        s3s_target_release(t);
    }
}

/* An environment variable without a value is none. */
static void test_open__the_spill_directory_has_a_default(void **state)
{
    world *w = *state;
    s3store_error err;
    s3store_target *t;
    static const char *const set[] = {"", "/var/tmp"}, *const effective[] = {"/tmp", "/var/tmp"};
    const char *before = getenv("TMPDIR");
    char *kept = before != NULL ? strdup(before) : NULL;

    put_timing(w, "15s", "1s");
    for (size_t i = 0; i < 2; i++) {
        s3store_target_config c = world_config(w, by_a);
        assert_int_equal(setenv("TMPDIR", set[i], 1), 0);
        assert_ok(s3s_target_open(w->env, &c, &t, &err));
        assert_string_equal(t->spill_dir, effective[i]);
        s3s_target_release(t);
    }
    if (kept != NULL)
        setenv("TMPDIR", kept, 1);
    else
        unsetenv("TMPDIR");
    free(kept);
}

/* It is called a store then; "" is no level. */
static void test_open__a_store_without_a_name_can_be_used(void **state)
{
    world *w = *state;
    s3store_error err;
    s3store_target *t;
    s3store_target_config c = world_config(w, by_a);

    w->store.name = NULL;
    c.consistency = "";
    assert_fails(s3s_target_open(w->env, &c, &t, &err), S3STORE_NOT_INITIALISED,
                 "s3store init store://bucket/p");
    put_timing(w, "15s", "1s");
    assert_ok(s3s_target_open(w->env, &c, &t, &err));
    assert_string_equal(t->url, "store://bucket/p");
    assert_string_equal(t->consistency, S3STORE_CONSISTENCY_STRONG_GLOBAL);
    assert_true(t->local);
    s3s_target_release(t);
}

static void test_open__a_missing_timing_object_says_how_to_create_it(void **state)
{
    world *w = *state;
    s3store_error err;
    s3store_target *t;
    s3store_target_config c = world_config(w, by_a);

    assert_fails(s3s_target_open(w->env, &c, &t, &err), S3STORE_NOT_INITIALISED,
                 "p/_config/commit-timeout");
    assert_non_null(strstr(err.message, "s3store init memory://bucket/p"));
    assert_string_equal(err.key, "p/_config/commit-timeout");
    assert_null(t);
    put_text(w, "p/_config/commit-timeout", "15s");
    assert_fails(s3s_target_open(w->env, &c, &t, &err), S3STORE_NOT_INITIALISED,
                 "p/_config/max-clock-skew");
}

static void test_open__errors_come_in_the_order_of_the_objects(void **state)
{
    world *w = *state;
    s3store_error err;
    s3store_target *t;
    s3store_target_config c = world_config(w, by_a);

    put_timing(w, "15", "-1s");
    put_text(w, "p/_config/dataset.json", "{");
    assert_fails(s3s_target_open(w->env, &c, &t, &err), S3STORE_BAD_CONFIG, "commit-timeout");
    put_text(w, "p/_config/commit-timeout", "15s");
    assert_fails(s3s_target_open(w->env, &c, &t, &err), S3STORE_BAD_CONFIG, "max-clock-skew");
    put_text(w, "p/_config/max-clock-skew", "1s");
    assert_fails(s3s_target_open(w->env, &c, &t, &err), S3STORE_BAD_CONFIG, "dataset.json");
}

static void test_open__other_errors_are_passed_on_with_the_place(void **state)
{
    world *w = *state;
    s3store_error err;
    s3store_target *t;
    s3store_target_config c = world_config(w, by_a);

    put_timing(w, "15s", "1s");
    w->fail_key_part = "max-clock-skew";
    w->fail_with = S3STORE_PERMISSION_DENIED;
    assert_fails(s3s_target_open(w->env, &c, &t, &err), S3STORE_PERMISSION_DENIED,
                 "memory://bucket/p");
    assert_string_equal(err.key, "p/_config/max-clock-skew");
    /* What the caller did needs no place. */
    w->fail_with = S3STORE_CANCELLED;
    assert_fails(s3s_target_open(w->env, &c, &t, &err), S3STORE_CANCELLED, NULL);
    assert_null(strstr(err.message, "opening"));
}

static void test_open__a_missing_bucket_is_not_a_missing_object(void **state)
{
    world *w = *state;
    s3store_error err;
    s3store_target *t;
    s3store_target_config c = world_config(w, by_a);

    w->store.name = "s3";
    w->s3_code = "NoSuchBucket";
    assert_fails(s3s_target_open(w->env, &c, &t, &err), S3STORE_NOT_FOUND,
                 "the bucket \"bucket\" of s3://bucket/p does not exist");
    w->s3_code = "NoSuchKey";
    assert_fails(s3s_target_open(w->env, &c, &t, &err), S3STORE_NOT_INITIALISED,
                 "bucket/p/_config/commit-timeout");
    w->s3_code = "Whatever";
    assert_fails(s3s_target_open(w->env, &c, &t, &err), S3STORE_NOT_FOUND, "s3://bucket/p");
}

static void test_open__large_objects_are_refused(void **state)
{
    world *w = *state;
    s3store_error err;
    s3store_target *t;
    s3store_target_config c = world_config(w, by_a);
    char *large = malloc(2000001);

    memset(large, ' ', 2000000);
    large[2000000] = '\0';
    put_timing(w, "15s", "1s");
    put_text(w, "p/_config/dataset.json", large);
    assert_fails(s3s_target_open(w->env, &c, &t, &err), S3STORE_BAD_CONFIG, "dataset.json");
    large[70000] = '\0';
    put_text(w, "p/_config/commit-timeout", large);
    assert_fails(s3s_target_open(w->env, &c, &t, &err), S3STORE_BAD_CONFIG, "65536");
    free(large);
}

static void test_open__short_timeouts_are_warned_of_on_s3_only(void **state)
{
    world *w = *state;
    s3store_error err;
    s3store_target *t;
    s3store_target_config c = world_config(w, by_a);

    put_timing(w, "7999ms", "1s");
    assert_ok(s3s_target_open(w->env, &c, &t, &err));
    assert_string_equal(w->log, "");
    s3s_target_release(t);
    w->store.name = "s3";
    w->s3_code = "NoSuchKey";
    assert_ok(s3s_target_open(w->env, &c, &t, &err));
    assert_non_null(strstr(w->log, "commit_timeout=7.999s"));
    s3s_target_release(t);
}

static void test_open__an_unknown_consistency_level_is_kept_and_logged_once(void **state)
{
    world *w = *state;
    s3store_error err;
    s3store_target *t;
    s3store_target_config c = world_config(w, by_a);

    put_timing(w, "15s", "1s");
    c.consistency = "weak";
    assert_ok(s3s_target_open(w->env, &c, &t, &err));
    assert_string_equal(t->consistency, "weak");
    char *seen = strstr(w->log, "consistency=weak");
    assert_non_null(seen);
    assert_null(strstr(seen + 1, "consistency=weak"));
    s3s_target_release(t);
}

/* ---- the descriptor ------------------------------------------------------------------------- */

#define DESCRIPTOR                                                                                 \
    "{\"format\":1,\"partition_by\":[\"d=time:day\",\"a\"],\"entity\":[\"e\"],\"version\":\"v\","  \
    "\"compression\":\"zstd\",\"consistency\":\"all\"}"

static void test_open__the_descriptor_gives_what_the_caller_leaves_out(void **state)
{
    world *w = *state;
    s3store_error err;
    s3store_target *t;
    s3store_target_config c = world_config(w, NULL);

    put_timing(w, "15s", "1s");
    put_text(w, "p/_config/dataset.json", DESCRIPTOR);
    c.inserted_at_column = "at";
    assert_ok(s3s_target_open(w->env, &c, &t, &err));
    assert_true(t->has_descriptor);
    assert_int_equal(t->settings.part_count, 2);
    assert_string_equal(t->part_names[1], "a");
    assert_string_equal(t->settings.parts[0].text, "d=time:day");
    assert_string_equal(t->settings.entity[0], "e");
    assert_string_equal(t->settings.version, "v");
    assert_string_equal(t->settings.inserted_at_column, "at");
    assert_int_equal(t->settings.compression, S3STORE_COMPRESSION_ZSTD);
    assert_string_equal(t->consistency, "all");
    s3s_target_release(t);
}

static void test_open__a_contradiction_to_the_descriptor_is_an_error(void **state)
{
    world *w = *state;
    s3store_error err;
    s3store_target *t;
    s3store_target_config c = world_config(w, by_a);

    put_timing(w, "15s", "1s");
    put_text(w, "p/_config/dataset.json", DESCRIPTOR);
    assert_fails(s3s_target_open(w->env, &c, &t, &err), S3STORE_BAD_CONFIG, "partition-by");
    assert_string_equal(err.key, "p/_config/dataset.json");
}

static void test_open__without_partition_columns_only_everything_can_be_read(void **state)
{
    world *w = *state;
    s3store_error err;
    s3store_target *t;
    s3store_target_config c = world_config(w, NULL);
    const char *const all[] = {"*"}, *const one[] = {"a=1"};
    s3s_file_set set;

    put_timing(w, "15s", "1s");
    put_data(w, "a=1", "t", '1');
    put_commit(w, "a=1", "t", '1');
    assert_ok(s3s_target_open(w->env, &c, &t, &err));
    assert_fails(s3s_target_need_parts(t, &err), S3STORE_BAD_CONFIG, "--partition-by");
    assert_ok(s3s_resolve_patterns(t, NULL, all, 1, &set, &err));
    assert_int_equal(set.file_count, 1);
    s3s_file_set_deinit(&set);
    assert_fails(s3s_resolve_patterns(t, NULL, one, 1, &set, &err), S3STORE_BAD_CONFIG,
                 "s3store init");
    s3s_target_release(t);
}

/* ---- the rest ------------------------------------------------------------------------------- */

static void test_open__cancelled_is_cancelled(void **state)
{
    world *w = *state;
    s3store_error err;
    s3store_target *t;
    s3store_target_config c = world_config(w, by_a);

    assert_ok(s3store_cancel_new(&c.cancel, &err));
    s3store_cancel_trigger(c.cancel);
    assert_fails(s3s_target_open(w->env, &c, &t, &err), S3STORE_CANCELLED, NULL);
    s3store_cancel_free(c.cancel);
}

static s3store_status open_again(void *ctx, s3s_env *env, s3store_error *err)
{
    s3store_target *t;
    s3store_status status = s3s_target_open(env, ctx, &t, err);

    assert_true((t != NULL) == (status == S3STORE_OK));
    s3s_target_release(t);
    return status;
}

static void test_open__every_failed_allocation_is_an_error_and_nothing_leaks(void **state)
{
    world *w = *state;
    s3store_target_config c = world_config(w, by_a);

    c.entity = by_a;
    c.entity_count = 1;
    c.version = "v";
    c.consistency = "all";
    c.inserted_at_column = "i";
    put_timing(w, "15s", "1s");
    put_text(w, "p/_config/dataset.json",
             "{\"format\":1,\"partition_by\":[\"a\"],\"entity\":[\"a\"],\"version\":\"v\"}");
    alloc_steps_within(w->env, false, open_again, &c);
    /* A name that fills a block of its own. */
    static char name[4000];
    const char *const parts[] = {name};
    memset(name, 'n', sizeof name - 1);
    remove_object(w, "p/_config/dataset.json");
    c.partition_by = parts;
    alloc_steps_within(w->env, false, open_again, &c);
}

static void test_target__needs_columns_and_says_where_objects_are(void **state)
{
    world *w = *state;
    s3store_error err;
    s3store_target *t;
    char place[100];
    s3store_target_config c = world_config(w, by_a);

    put_timing(w, "15s", "1s");
    assert_ok(s3s_target_open(w->env, &c, &t, &err));
    assert_ok(s3s_target_need_parts(t, &err));
    assert_fails(s3s_target_location(t, "p/data/x", place, sizeof place, &err),
                 S3STORE_UNSUPPORTED, "a store that was given by the caller");
    assert_string_equal(place, "");
    s3s_target_release(t);
    c = (s3store_target_config)S3STORE_TARGET_CONFIG_INIT;
    c.url = "s3://bucket/p";
    c.endpoint_url = "http://127.0.0.1:9";
    c.access_key_id = c.secret_access_key = "x";
    assert_ok(s3s_target_unopened(w->env, &c, &t, &err)); /* no request */
    assert_fails(s3s_target_need_parts(t, &err), S3STORE_BAD_CONFIG, "s3://bucket/p");
    assert_ok(s3s_target_location(t, "p/data/x", place, sizeof place, &err));
    assert_string_equal(place, "s3://bucket/p/data/x");
    assert_fails(s3s_target_location(t, "p/data/x", place, 10, &err), S3STORE_INVALID_ARGUMENT,
                 "the buffer holds 10 bytes, the place of the object has 20");
    s3s_target_release(t);
}

static void test_open__a_directory_is_a_dataset(void **state)
{
    char root[TEMPDIR_SIZE], url[TEMPDIR_SIZE + 40];
    s3store_error err;
    s3store_target *t;
    s3store_target_config c = S3STORE_TARGET_CONFIG_INIT;
    bool created;

    (void)state;
    tempdir_new(root);
    snprintf(url, sizeof url, "file://%s/no/such/ds", root);
    c.url = url;
    c.partition_by = by_a;
    c.partition_by_count = 1;
    assert_fails(s3s_target_open(NULL, &c, &t, &err), S3STORE_NOT_INITIALISED, "does not exist");
    assert_non_null(strstr(err.message, "/no/such"));
    snprintf(url, sizeof url, "file://%s/ds/?fsync=0", root);
    assert_fails(s3s_target_open(NULL, &c, &t, &err), S3STORE_NOT_INITIALISED,
                 "ds/_config/commit-timeout");
    snprintf(url, sizeof url, "file://%s/new/er/ds?fsync=0", root);
    assert_ok(s3s_dataset_init(NULL, &c, NULL, &created, &err));
    assert_true(created);
    assert_ok(s3s_dataset_init(NULL, &c, NULL, &created, &err));
    assert_false(created);
    assert_ok(s3s_target_open(NULL, &c, &t, &err));
    assert_int_equal(t->commit_timeout_us, 1000000);
    assert_int_equal(t->max_clock_skew_us, 0);
    assert_string_equal(t->bucket, tempdir_path(root, "new/er"));
    assert_string_equal(t->url, url);
    char place[TEMPDIR_SIZE + 80]; /* where other programs find an object */
    assert_ok(s3s_target_location(t, "ds/data/a=1/x.parquet", place, sizeof place, &err));
    assert_string_equal(place, tempdir_path(root, "new/er/ds/data/a=1/x.parquet"));
    bool conditional, fenced;
    assert_ok(s3s_target_probe(t, NULL, &conditional, &fenced, &err));
    assert_true(conditional);
    assert_true(fenced);
    s3s_target_release(t);
    tempdir_remove(root);
}

#define test(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_url__both_forms_are_taken_apart_verbatim),
        cmocka_unit_test(test_url__bad_ones_are_named),
        cmocka_unit_test(test_config__each_mistake_is_named_before_any_request),
        test(test_config__an_injected_store_needs_prefix_and_functions),
        test(test_open__costs_three_gets_and_knows_the_timing),
        test(test_open__a_prefix_of_an_injected_store_is_verbatim),
        test(test_open__limits_have_defaults),
        test(test_open__the_spill_directory_has_a_default),
        test(test_open__a_store_without_a_name_can_be_used),
        test(test_open__a_missing_timing_object_says_how_to_create_it),
        test(test_open__errors_come_in_the_order_of_the_objects),
        test(test_open__other_errors_are_passed_on_with_the_place),
        test(test_open__a_missing_bucket_is_not_a_missing_object),
        test(test_open__large_objects_are_refused),
        test(test_open__short_timeouts_are_warned_of_on_s3_only),
        test(test_open__an_unknown_consistency_level_is_kept_and_logged_once),
        test(test_open__the_descriptor_gives_what_the_caller_leaves_out),
        test(test_open__a_contradiction_to_the_descriptor_is_an_error),
        test(test_open__without_partition_columns_only_everything_can_be_read),
        test(test_open__cancelled_is_cancelled),
        test(test_open__every_failed_allocation_is_an_error_and_nothing_leaks),
        cmocka_unit_test(test_open__a_directory_is_a_dataset),
        test(test_target__needs_columns_and_says_where_objects_are),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
