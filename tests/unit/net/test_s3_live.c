/* The S3 store against a real server: what the contract suite does not ask. Skipped unless
 * S3STORE_TEST_URL is s3://bucket/... ; endpoint and credentials come from the environment
 * (AWS_ENDPOINT_URL_S3, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY).
 * S3STORE_TEST_S3_VIRTUAL_ENDPOINT: where the server answers to bucket names in its host name. */
#include "support/test.h"

#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/env.h"
#include "objstore/s3/s3.h"

typedef struct fixture {
    s3s_env *env;
    s3store_object_store store;
    char prefix[64];
} fixture;

static const char *endpoint(void)
{
    const char *url = getenv("AWS_ENDPOINT_URL_S3");
    return url != NULL ? url : getenv("AWS_ENDPOINT_URL");
}

static const char *bucket(void)
{
    static char name[128];
    const char *url = getenv("S3STORE_TEST_URL");
    if (url == NULL || strncmp(url, "s3://", 5) != 0)
        return NULL;
    snprintf(name, sizeof name, "%.*s", (int)strcspn(url + 5, "/"), url + 5);
    return name;
}

static int set_up(void **state)
{
    static fixture f;
    s3store_error err;
    *state = NULL;
    if (bucket() == NULL)
        return 0;
    memset(&f, 0, sizeof f);
    assert_ok(s3s_env_new_real(&f.env, &err));
    s3s_s3_options options = {.bucket = bucket(), .endpoint_url = endpoint()};
    assert_ok(s3s_s3_store_new(f.env, &options, &f.store, &err));
    snprintf(f.prefix, sizeof f.prefix, "live-%d-%lld/", (int)getpid(),
             (long long)s3s_wall_us(f.env));
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    fixture *f = *state;
    if (f == NULL)
        return 0;
    s3s_store_deinit(&f->store);
    s3s_env_release(f->env);
    return 0;
}

#define FIXTURE                                                                                    \
    fixture *f = *state;                                                                           \
    s3store_error err = {0};                                                                       \
    (void)err;                                                                                     \
    if (f == NULL) {                                                                               \
        print_message("S3STORE_TEST_URL is not set to s3://...\n");                                \
        skip();                                                                                    \
    }

static const char *key_of(const fixture *f, const char *name, char *out)
{
    snprintf(out, S3STORE_KEY_MAX_BYTES + 100, "%s%s", f->prefix, name);
    return out;
}

typedef char key_text[S3STORE_KEY_MAX_BYTES + 100];

static void put_text(fixture *f, const char *name, const char *text)
{
    s3store_error err;
    key_text key;
    s3store_put_reply reply;
    s3store_put_request request = {.size = sizeof request,
                                   .key = key_of(f, name, key),
                                   .body = text,
                                   .body_size = strlen(text)};
    assert_ok(s3s_put(&f->store, NULL, &request, &reply, &err));
    assert_true(reply.date_us != S3STORE_TIME_NONE);
}

static char *get_text(fixture *f, s3store_get_request *request, s3store_object_info *info,
                      s3s_buffer *buffer)
{
    s3store_error err;
    s3s_buffer_init(buffer, f->env, SIZE_MAX);
    s3store_sink sink = s3s_buffer_sink(buffer);
    request->size = sizeof *request;
    assert_ok(s3s_get(&f->store, NULL, request, &sink, info, &err));
    return s3s_buffer_text(buffer, &err);
}

/* ---- keys ------------------------------------------------------------------------------------ */

static char long_name[1000];

static const char *const nasty_names[] = {
    " leading blank", "!'()*", "\"quotes\"", "#hash", "$dollar", "%2F", "%252F", "&amp;<tag>",
    "+plus", ",comma", "./dot", "../dotdot", "//double", "0;period=1%2Fcustomer=2.ref", ":colon",
    "=equals", "?question", "@at", "[brackets]", "\\backslash", "^caret", "`tick", "a b",
    "a+b c%20d", "back/", "emoji \xf0\x9f\x90\x98", "k/./l", "k/../l", "tab\there",
    "trailing blank ", "{braces}", "|pipe", "~tilde", "\xc3\xa9t\xc3\xa9",
    "\xe6\x97\xa5\xe6\x9c\xac",
    long_name};

#define NASTY_COUNT (sizeof nasty_names / sizeof nasty_names[0])

static void test_live__nasty_keys_come_back_as_they_were(void **state)
{
    FIXTURE
    memset(long_name, 'z', sizeof long_name);
    long_name[sizeof long_name - 1 - strlen(f->prefix)] = '\0';
    for (size_t i = 0; i < NASTY_COUNT; i++)
        put_text(f, nasty_names[i], nasty_names[i]);
    for (size_t i = 0; i < NASTY_COUNT; i++) {
        key_text key;
        s3s_buffer body;
        s3store_object_info info;
        s3store_get_request request = {.key = key_of(f, nasty_names[i], key),
                                       .length = S3STORE_LENGTH_ALL};
        assert_string_equal(get_text(f, &request, &info, &body), nasty_names[i]);
        assert_int_equal(info.object_size, strlen(nasty_names[i]));
        s3s_buffer_deinit(&body);
    }
}

typedef struct names {
    char *list[200];
    size_t count;
    size_t skip;
} names;

static bool take_name(void *ctx, const s3store_list_entry *entry)
{
    names *n = ctx;
    assert_true(n->count < 200);
    assert_true(entry->is_prefix || entry->last_modified_us != S3STORE_TIME_NONE);
    n->list[n->count++] = strdup(entry->key + n->skip);
    return true;
}

static void free_names(names *n)
{
    for (size_t i = 0; i < n->count; i++)
        free(n->list[i]);
    n->count = 0;
}

static int compare_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void list_all(fixture *f, uint32_t max_keys, const char *after, names *out)
{
    s3store_error err;
    key_text start;
    s3store_list_reply *reply = calloc(1, sizeof *reply);
    s3store_list_request request = {.size = sizeof request,
                                    .prefix = f->prefix,
                                    .max_keys = max_keys,
                                    .start_after = after ? key_of(f, after, start) : NULL};
    out->skip = strlen(f->prefix);
    do {
        assert_ok(s3s_list(&f->store, NULL, &request, take_name, out, reply, &err));
        request.continuation = reply->continuation;
    } while (reply->truncated);
    free(reply);
}

static void test_live__list_gives_every_key_in_byte_order(void **state)
{
    FIXTURE
    const char *sorted[NASTY_COUNT];
    memcpy(sorted, nasty_names, sizeof sorted);
    qsort(sorted, NASTY_COUNT, sizeof sorted[0], compare_text);
    static const uint32_t page_sizes[] = {0, 1, 7};
    for (size_t p = 0; p < 3; p++) {
        names found = {0};
        list_all(f, page_sizes[p], NULL, &found);
        assert_int_equal(found.count, NASTY_COUNT);
        for (size_t i = 0; i < NASTY_COUNT; i++)
            assert_string_equal(found.list[i], sorted[i]);
        free_names(&found);
    }
}

static void test_live__start_after_is_exclusive_for_every_key(void **state)
{
    FIXTURE
    const char *sorted[NASTY_COUNT];
    memcpy(sorted, nasty_names, sizeof sorted);
    qsort(sorted, NASTY_COUNT, sizeof sorted[0], compare_text);
    for (size_t i = 0; i < NASTY_COUNT; i++) {
        names found = {0};
        list_all(f, 10, sorted[i], &found);
        assert_int_equal(found.count, NASTY_COUNT - 1 - i);
        if (found.count > 0)
            assert_string_equal(found.list[0], sorted[i + 1]);
        free_names(&found);
    }
}

static void test_live__delimiter_merges_prefixes_in_order(void **state)
{
    FIXTURE
    put_text(f, "tree/a", "1");
    put_text(f, "tree/b/1", "1");
    put_text(f, "tree/b/2", "1");
    put_text(f, "tree/c", "1");
    put_text(f, "tree/d+e f/1", "1");
    key_text prefix;
    names found = {.skip = strlen(f->prefix)};
    s3store_list_reply *reply = calloc(1, sizeof *reply);
    s3store_list_request request = {
        .size = sizeof request, .prefix = key_of(f, "tree/", prefix), .delimiter = "/"};
    assert_ok(s3s_list(&f->store, NULL, &request, take_name, &found, reply, &err));
    static const char *const expected[] = {"tree/a", "tree/b/", "tree/c", "tree/d+e f/"};
    assert_int_equal(found.count, 4);
    for (size_t i = 0; i < 4; i++)
        assert_string_equal(found.list[i], expected[i]);
    free_names(&found);
    free(reply);
}

/* XML cannot carry these: the listing is asked for percent-encoded. */
static void test_live__control_bytes_in_keys_are_listed(void **state)
{
    FIXTURE
    key_text prefix;
    names found = {.skip = strlen(f->prefix)};
    s3store_list_reply *reply = calloc(1, sizeof *reply);
    put_text(f, "control/\001\037\177", "x");
    s3store_list_request request = {.size = sizeof request,
                                    .prefix = key_of(f, "control/", prefix)};
    assert_ok(s3s_list(&f->store, NULL, &request, take_name, &found, reply, &err));
    assert_int_equal(found.count, 1);
    assert_string_equal(found.list[0], "control/\001\037\177");
    free_names(&found);
    free(reply);
}

/* Ceph's token is the last key as it is: pages go on after the key then. */
static void test_live__control_bytes_do_not_end_a_listing_of_many_pages(void **state)
{
    FIXTURE
    static const char *const sorted[] = {"paged/\001", "paged/\001\002", "paged/\002/a",
                                         "paged/\037", "paged/a\033b", "paged/b", "paged/c\001"};
    const size_t count = sizeof sorted / sizeof sorted[0];
    key_text prefix;
    for (size_t i = 0; i < count; i++)
        put_text(f, sorted[i], "x");
    for (uint32_t max_keys = 1; max_keys <= 4; max_keys++) {
        names found = {.skip = strlen(f->prefix)};
        assert_ok(s3s_list_all(&f->store, NULL, key_of(f, "paged/", prefix), NULL, max_keys,
                               take_name, &found, NULL, &err));
        assert_int_equal(found.count, count);
        for (size_t i = 0; i < count; i++)
            assert_string_equal(found.list[i], sorted[i]);
        free_names(&found);
    }
}

/* ---- objects --------------------------------------------------------------------------------- */

static void test_live__metadata_and_conditions(void **state)
{
    FIXTURE
    key_text key;
    static const s3store_metadata_entry entries[] = {
        {"attemptid", "0190a8b4d3a87f4ab1c2d3e4f5a6b7c8"},
        {"rowcount", "3"},
        {"chunk", "a  b, c=\"d\""}};
    s3store_put_reply reply;
    s3store_put_request request = {.size = sizeof request,
                                   .key = key_of(f, "meta", key),
                                   .metadata = entries,
                                   .metadata_count = 3,
                                   .if_none_match = true};
    assert_ok(s3s_put(&f->store, NULL, &request, &reply, &err));
    assert_string_equal(reply.etag, "d41d8cd98f00b204e9800998ecf8427e");
    s3store_object_info info;
    assert_ok(s3s_head(&f->store, NULL, key, &info, &err));
    for (size_t i = 0; i < 3; i++)
        assert_string_equal(s3store_metadata_get(&info.metadata, entries[i].name),
                            entries[i].value);
    assert_int_equal(info.object_size, 0);
    assert_string_equal(info.etag, reply.etag);
    assert_true(info.last_modified_us != S3STORE_TIME_NONE);
    assert_fails(s3s_put(&f->store, NULL, &request, &reply, &err), S3STORE_ALREADY_EXISTS,
                 "exists");
    assert_int_equal(err.http_status, 412);
    assert_true(err.server_date_us > 0);
    assert_string_equal(err.key, key);
}

static void test_live__ranges(void **state)
{
    FIXTURE
    key_text key;
    put_text(f, "range", "0123456789");
    static const struct {
        uint64_t offset, length, suffix;
        const char *expected;
    } cases[] = {{0, S3STORE_LENGTH_ALL, 0, "0123456789"}, {3, S3STORE_LENGTH_ALL, 0, "3456789"},
                 {3, 4, 0, "3456"}, {8, 100, 0, "89"}, {9, 1, 0, "9"}, {4, 0, 0, ""},
                 {0, 0, 3, "789"}, {0, 0, 100, "0123456789"}, {1, UINT64_MAX - 1, 0, "123456789"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        s3s_buffer body;
        s3store_object_info info;
        s3store_get_request request = {.key = key_of(f, "range", key),
                                       .offset = cases[i].offset,
                                       .length = cases[i].length,
                                       .suffix = cases[i].suffix};
        assert_string_equal(get_text(f, &request, &info, &body), cases[i].expected);
        assert_int_equal(info.object_size, 10);
        s3s_buffer_deinit(&body);
    }
    s3s_buffer body;
    s3s_buffer_init(&body, f->env, SIZE_MAX);
    s3store_sink sink = s3s_buffer_sink(&body);
    s3store_object_info info;
    s3store_get_request behind = {.size = sizeof behind, .key = key, .offset = 10, .length = 1};
    assert_fails(s3s_get(&f->store, NULL, &behind, &sink, &info, &err), S3STORE_INVALID_ARGUMENT,
                 "range");
    put_text(f, "empty", "");
    s3store_get_request last = {.size = sizeof last, .key = key_of(f, "empty", key), .suffix = 8};
    assert_ok(s3s_get(&f->store, NULL, &last, &sink, &info, &err));
    assert_int_equal(body.size, 0);
    s3store_get_request match = {.size = sizeof match,
                                 .key = key_of(f, "range", key),
                                 .length = S3STORE_LENGTH_ALL,
                                 .if_match = "781e5e245d69b566979b86e28d23f2c7"};
    assert_ok(s3s_get(&f->store, NULL, &match, &sink, &info, &err));
    match.if_match = "00000000000000000000000000000000";
    assert_fails(s3s_get(&f->store, NULL, &match, &sink, &info, &err), S3STORE_ALREADY_EXISTS,
                 "condition");
    s3s_buffer_deinit(&body);
}

static void test_live__large_objects_and_removal(void **state)
{
    FIXTURE
    key_text key;
    size_t size = 5 * 1024 * 1024 + 17;
    char *data = malloc(size);
    for (size_t i = 0; i < size; i++)
        data[i] = (char)(i * 2654435761u >> 24);
    s3store_put_reply reply;
    s3store_put_request request = {
        .size = sizeof request, .key = key_of(f, "large", key), .body = data, .body_size = size};
    assert_ok(s3s_put(&f->store, NULL, &request, &reply, &err));
    s3s_buffer body;
    s3store_object_info info;
    s3store_get_request get = {.key = key, .length = S3STORE_LENGTH_ALL};
    get_text(f, &get, &info, &body);
    assert_int_equal(body.size, size);
    assert_memory_equal(body.data, data, size);
    s3s_buffer_deinit(&body);
    free(data);
    assert_ok(s3s_remove(&f->store, NULL, key, &err));
    assert_fails(s3s_head(&f->store, NULL, key, &info, &err), S3STORE_NOT_FOUND, "HEAD");
    s3s_buffer_init(&body, f->env, SIZE_MAX);
    s3store_sink sink = s3s_buffer_sink(&body);
    get.size = sizeof get;
    assert_fails(s3s_get(&f->store, NULL, &get, &sink, &info, &err), S3STORE_NOT_FOUND,
                 "NoSuchKey");
    assert_string_equal(err.s3_code, "NoSuchKey");
    assert_true(err.request_id[0] != '\0');
    s3s_buffer_deinit(&body);
    assert_ok(s3s_remove(&f->store, NULL, key, &err));
}

/* ---- the fence ------------------------------------------------------------------------------- */

static void test_live__fenced_put_is_stored_in_time_and_refused_after(void **state)
{
    FIXTURE
    key_text key;
    static const s3store_metadata_entry entries[] = {{"attemptid", "a b"}, {"rowcount", "3"}};
    int64_t now = s3s_wall_us(f->env);
    s3store_put_reply reply;
    s3store_put_request request = {.size = sizeof request,
                                   .key = key_of(f, "fenced;a=1%2Fb=2 +", key),
                                   .metadata = entries,
                                   .metadata_count = 2,
                                   .if_none_match = true,
                                   .fenced = true,
                                   .valid_from_us = now - 2000000,
                                   .expires_at_us = now + 30000000};
    assert_ok(s3s_put(&f->store, NULL, &request, &reply, &err));
    s3store_object_info info;
    assert_ok(s3s_head(&f->store, NULL, key, &info, &err));
    assert_string_equal(s3store_metadata_get(&info.metadata, "attemptid"), "a b");
    assert_fails(s3s_put(&f->store, NULL, &request, &reply, &err), S3STORE_ALREADY_EXISTS, NULL);

    request.key = key_of(f, "fenced-body", key);
    request.body = "some bytes";
    request.body_size = 10;
    assert_ok(s3s_put(&f->store, NULL, &request, &reply, &err));

    request.key = key_of(f, "expired", key);
    request.valid_from_us = now - 60000000;
    request.expires_at_us = now - 5000000;
    assert_fails(s3s_put(&f->store, NULL, &request, &reply, &err), S3STORE_PERMISSION_DENIED,
                 "time");
    assert_int_equal(err.http_status, 403);
    assert_true(reply.date_us != S3STORE_TIME_NONE);
    assert_true(err.server_date_us > 0);
    assert_fails(s3s_head(&f->store, NULL, key, &info, &err), S3STORE_NOT_FOUND, NULL);
}

/* ---- wrong settings -------------------------------------------------------------------------- */

static s3store_status head_with(fixture *f, s3s_s3_options *options, s3store_error *err)
{
    s3store_object_store other;
    s3store_object_info info;
    s3store_list_reply *reply = calloc(1, sizeof *reply);
    names none = {0};
    s3store_status status = s3s_s3_store_new(f->env, options, &other, err);
    assert_int_equal(status, S3STORE_OK);
    s3store_list_request request = {.size = sizeof request, .prefix = "p", .max_keys = 1};
    status = s3s_list(&other, NULL, &request, take_name, &none, reply, err);
    if (status == S3STORE_OK)
        status = s3s_head(&other, NULL, "k", &info, err);
    free_names(&none);
    free(reply);
    s3s_store_deinit(&other);
    return status;
}

static void test_live__wrong_settings_are_named(void **state)
{
    FIXTURE
    s3s_s3_options no_bucket = {.bucket = "no-such-bucket-here", .endpoint_url = endpoint()};
    assert_fails(head_with(f, &no_bucket, &err), S3STORE_NOT_FOUND, "no-such-bucket-here");
    assert_string_equal(err.s3_code, "NoSuchBucket");
    s3s_s3_options wrong_secret = {.bucket = bucket(),
                                   .endpoint_url = endpoint(),
                                   .access_key_id = getenv("AWS_ACCESS_KEY_ID"),
                                   .secret_access_key = "wrong"};
    assert_fails(head_with(f, &wrong_secret, &err), S3STORE_NO_CREDENTIALS, "the options");
    assert_null(strstr(err.message, "wrong"));
    s3s_s3_options nobody = {.bucket = bucket(),
                             .endpoint_url = endpoint(),
                             .access_key_id = "NOBODY",
                             .secret_access_key = "wrong"};
    assert_fails(head_with(f, &nobody, &err), S3STORE_NO_CREDENTIALS, "the options");
    s3s_s3_options anonymous = {
        .bucket = bucket(), .endpoint_url = endpoint(), .no_sign_request = true};
    assert_fails(head_with(f, &anonymous, &err), S3STORE_PERMISSION_DENIED, "anonymous");
}

static void test_live__bucket_in_the_host_name(void **state)
{
    FIXTURE
    const char *virtual_endpoint = getenv("S3STORE_TEST_S3_VIRTUAL_ENDPOINT");
    if (virtual_endpoint == NULL)
        skip();
    s3s_s3_options options = {.bucket = bucket(),
                              .endpoint_url = virtual_endpoint,
                              .addressing = S3STORE_ADDRESSING_VIRTUAL};
    s3store_object_store other = f->store;
    assert_ok(s3s_s3_store_new(f->env, &options, &f->store, &err));
    put_text(f, "//virtual/./a b+c", "text");
    key_text key;
    s3store_object_info info;
    assert_ok(s3s_head(&other, NULL, key_of(f, "//virtual/./a b+c", key), &info, &err));
    names found = {0};
    list_all(f, 0, NULL, &found);
    assert_true(found.count > 0);
    free_names(&found);
    s3s_store_deinit(&f->store);
    f->store = other;
}

/* ---- connections ----------------------------------------------------------------------------- */

static void test_live__connections_are_reused(void **state)
{
    FIXTURE
    s3s_http_counts before;
    s3s_http_counts after;
    key_text key;
    s3store_object_info info;
    put_text(f, "reuse", "x");
    s3s_s3_connection_counts(&f->store, &before);
    for (int i = 0; i < 50; i++)
        assert_ok(s3s_head(&f->store, NULL, key_of(f, "reuse", key), &info, &err));
    s3s_s3_connection_counts(&f->store, &after);
    assert_int_equal(after.opened, before.opened);
    assert_int_equal(after.reused, before.reused + 50);
}

static void *race(void *ctx)
{
    fixture *f = ctx;
    key_text key;
    s3store_put_reply reply;
    s3store_error err;
    s3store_put_request request = {
        .size = sizeof request, .key = key_of(f, "race", key), .if_none_match = true};
    return s3s_put(&f->store, NULL, &request, &reply, &err) == S3STORE_OK ? f : NULL;
}

static void test_live__one_of_sixteen_conditional_writers_wins(void **state)
{
    FIXTURE
    pthread_t threads[16];
    size_t won = 0;
    for (size_t i = 0; i < 16; i++)
        pthread_create(&threads[i], NULL, race, f);
    for (size_t i = 0; i < 16; i++) {
        void *result;
        pthread_join(threads[i], &result);
        won += result != NULL;
    }
    assert_int_equal(won, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_live__nasty_keys_come_back_as_they_were),
        cmocka_unit_test(test_live__list_gives_every_key_in_byte_order),
        cmocka_unit_test(test_live__start_after_is_exclusive_for_every_key),
        cmocka_unit_test(test_live__delimiter_merges_prefixes_in_order),
        cmocka_unit_test(test_live__control_bytes_in_keys_are_listed),
        cmocka_unit_test(test_live__control_bytes_do_not_end_a_listing_of_many_pages),
        cmocka_unit_test(test_live__metadata_and_conditions),
        cmocka_unit_test(test_live__ranges),
        cmocka_unit_test(test_live__large_objects_and_removal),
        cmocka_unit_test(test_live__fenced_put_is_stored_in_time_and_refused_after),
        cmocka_unit_test(test_live__wrong_settings_are_named),
        cmocka_unit_test(test_live__bucket_in_the_host_name),
        cmocka_unit_test(test_live__connections_are_reused),
        cmocka_unit_test(test_live__one_of_sixteen_conditional_writers_wins),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
