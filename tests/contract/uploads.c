/* Large objects, and uploads in parts where the store has them. */
#include <stdlib.h>

#include "contract/words.h"

#define MIB (1024u * 1024)
#define PART (5 * MIB) /* the least that S3 takes for all parts but the last */

static char *make_body(size_t size)
{
    char *body = malloc(size);
    assert_non_null(body);
    for (size_t i = 0; i < size; i++)
        body[i] = (char)(i * 2654435761u >> 11);
    return body;
}

/* Ceph tells no ETag of an upload that it has completed. */
static void expect_etag(const char *told, const char *etag)
{
    assert_true(etag[0] != '\0');
    if (told[0] != '\0')
        assert_string_equal(told, etag);
}

static void test_put__bodies_of_any_size_come_back_whole(void **state)
{
    (void)state;
    static const size_t sizes[] = {999, 1000, 1001, 1998, 1999, 100000, PART, PART + 1,
                                   12 * MIB + 7};
    s3store_error err;
    char *body = make_body(12 * MIB + 7);
    for (size_t i = 0; i < COUNT(sizes); i++) {
        const char *key = key_of("sizes", "object");
        static const s3store_metadata_entry entries[] = {{"rowcount", "17"}};
        s3store_put_request put = put_request(key, body, sizes[i]);
        put.metadata = entries;
        put.metadata_count = 1;
        s3store_put_reply reply;
        assert_ok(s3s_put(the->store, NULL, &put, &reply, &err));
        s3store_get_request get = get_request(key);
        expect_body(&get, body, sizes[i]);
        expect_metadata(key, entries, 1);
        s3store_object_info info;
        assert_ok(s3s_head(the->store, NULL, key, &info, &err));
        assert_int_equal(info.object_size, sizes[i]);
        expect_etag(reply.etag, info.etag);
        get.offset = sizes[i] / 2;
        get.length = 10;
        expect_body(&get, body + sizes[i] / 2, 10);
    }
    free(body);
}

/* ---- uploads --------------------------------------------------------------------------------- */

typedef struct upload {
    const char *key;
    char id[S3STORE_UPLOAD_ID_MAX];
    char *body;
    s3store_put_reply parts[3];
} upload;

static void begin(upload *u, const char *name)
{
    static const s3store_metadata_entry entries[] = {{"rowcount", "3"}, {"other", "x y"}};
    s3store_error err;
    if (the->store->create_multipart == NULL)
        skip();
    u->key = key_of("uploads", name);
    u->body = make_body(PART + 100);
    s3store_put_request request = put_request(u->key, NULL, 0);
    request.metadata = entries;
    request.metadata_count = 2;
    assert_ok(s3s_create_multipart(the->store, NULL, &request, u->id, &err));
    assert_true(u->id[0] != '\0');
}

static s3store_status send(upload *u, uint32_t number, size_t offset, size_t size,
                           s3store_error *err)
{
    s3store_part_request part = {.size = sizeof part,
                                 .key = u->key,
                                 .upload_id = u->id,
                                 .number = number,
                                 .body = u->body + offset,
                                 .body_size = size};
    return s3s_put_part(the->store, NULL, &part, &u->parts[number - 1], err);
}

static s3store_status complete(upload *u, size_t count, s3store_put_reply *reply,
                               s3store_error *err)
{
    s3store_complete_request request = {.size = sizeof request,
                                        .key = u->key,
                                        .upload_id = u->id,
                                        .parts = u->parts,
                                        .part_count = count};
    return s3s_complete_multipart(the->store, NULL, &request, reply, err);
}

static void test_upload__is_there_when_completed_and_not_before(void **state)
{
    (void)state;
    s3store_error err;
    upload u;
    begin(&u, "whole");
    assert_ok(send(&u, 2, PART, 100, &err)); /* in any order */
    assert_ok(send(&u, 1, 0, PART, &err));
    expect_missing(u.key);
    listed *l = new_listed();
    list_pages(l, u.key, NULL, NULL, 0);
    assert_int_equal(l->count, 0);
    free_listed(l);
    s3store_put_reply reply;
    assert_ok(complete(&u, 2, &reply, &err));
    s3store_get_request get = get_request(u.key);
    expect_body(&get, u.body, PART + 100);
    static const s3store_metadata_entry entries[] = {{"rowcount", "3"}, {"other", "x y"}};
    expect_metadata(u.key, entries, 2);
    s3store_object_info info;
    assert_ok(s3s_head(the->store, NULL, u.key, &info, &err));
    expect_etag(reply.etag, info.etag);
    assert_non_null(strstr(info.etag, "-2"));
    free(u.body);
}

static void test_upload__a_part_that_is_sent_again_replaces_the_first(void **state)
{
    (void)state;
    s3store_error err;
    upload u;
    begin(&u, "again");
    assert_ok(send(&u, 1, 7, 50, &err));
    assert_ok(send(&u, 1, 0, 100, &err));
    assert_ok(complete(&u, 1, NULL, &err));
    s3store_get_request get = get_request(u.key);
    expect_body(&get, u.body, 100);
    free(u.body);
}

static void test_upload__replaces_an_object_wholly(void **state)
{
    (void)state;
    s3store_error err;
    put_text(key_of("uploads", "old"), "what was there");
    upload u;
    begin(&u, "old");
    assert_ok(send(&u, 1, 0, 5, &err));
    expect_text(u.key, "what was there");
    assert_ok(complete(&u, 1, NULL, &err));
    s3store_get_request get = get_request(u.key);
    expect_body(&get, u.body, 5);
    free(u.body);
}

static void test_upload__that_is_aborted_leaves_nothing(void **state)
{
    (void)state;
    s3store_error err;
    upload u;
    begin(&u, "aborted");
    assert_ok(send(&u, 1, 0, 100, &err));
    assert_ok(s3s_abort_multipart(the->store, NULL, u.key, u.id, &err));
    assert_ok(s3s_abort_multipart(the->store, NULL, u.key, u.id, &err));
    s3store_put_reply part = u.parts[0];
    assert_fails(send(&u, 1, 0, 100, &err), S3STORE_NOT_FOUND, NULL);
    u.parts[0] = part;
    s3store_status status = complete(&u, 1, NULL, &err); /* Ceph: 500, already in progress */
    assert_true(status == S3STORE_NOT_FOUND || status == S3STORE_UNCERTAIN);
    expect_missing(u.key);
    free(u.body);
}

static void test_upload__uploads_of_one_key_do_not_meet(void **state)
{
    (void)state;
    s3store_error err;
    upload u, v;
    begin(&u, "two");
    begin(&v, "two");
    assert_string_not_equal(u.id, v.id);
    assert_ok(send(&u, 1, 0, 10, &err));
    assert_ok(send(&v, 1, 20, 30, &err));
    assert_ok(complete(&u, 1, NULL, &err));
    s3store_get_request get = get_request(u.key);
    expect_body(&get, u.body, 10);
    assert_ok(complete(&v, 1, NULL, &err));
    expect_body(&get, v.body + 20, 30);
    free(u.body);
    free(v.body);
}

/* ---- which uploads there are ---------------------------------------------------------------- */

#define OPEN_MAX 16

typedef struct open_uploads {
    struct {
        char key[1100];
        char id[S3STORE_UPLOAD_ID_MAX];
        int64_t initiated_us;
    } items[OPEN_MAX];
    size_t count, most;
} open_uploads;

static bool take_upload(void *ctx, const s3store_upload *told)
{
    open_uploads *o = ctx;
    assert_true(o->count < OPEN_MAX);
    snprintf(o->items[o->count].key, sizeof o->items[0].key, "%s", told->key);
    snprintf(o->items[o->count].id, sizeof o->items[0].id, "%s", told->upload_id);
    o->items[o->count].initiated_us = told->initiated_us;
    o->count++;
    return o->most == 0 || o->count < o->most;
}

static void list_uploads(open_uploads *o, const char *prefix)
{
    s3store_error err;
    o->count = 0;
    assert_ok(s3s_list_uploads_all(the->store, NULL, prefix, take_upload, o, &err));
}

static bool is_listed(const open_uploads *o, const upload *u)
{
    for (size_t i = 0; i < o->count; i++)
        if (strcmp(o->items[i].key, u->key) == 0 && strcmp(o->items[i].id, u->id) == 0)
            return true;
    return false;
}

static void test_upload__those_that_never_ended_can_be_listed(void **state)
{
    (void)state;
    s3store_error err;
    upload u[4];
    if (the->store->list_multipart == NULL)
        skip();
    open_uploads *o = calloc(1, sizeof *o);
    assert_non_null(o);
    begin(&u[0], "open/a b;%2F+");
    begin(&u[1], "open/a b;%2F+");
    begin(&u[2], "open/z");
    begin(&u[3], "shut");
    char prefix[1100];
    snprintf(prefix, sizeof prefix, "%.*s", (int)(strrchr(u[2].key, '/') + 1 - u[2].key), u[2].key);
    list_uploads(o, prefix);
    assert_int_equal(o->count, 3);
    for (size_t i = 0; i < 3; i++)
        assert_true(is_listed(o, &u[i]));
    for (size_t i = 0; i < o->count; i++) /* other clock */
        assert_true(o->items[i].initiated_us == S3STORE_TIME_NONE ||
                    o->items[i].initiated_us > INT64_C(1700000000000000));
    o->most = 1;
    list_uploads(o, prefix);
    assert_int_equal(o->count, 1);
    o->most = 0;
    assert_ok(send(&u[2], 1, 0, 10, &err));
    assert_ok(complete(&u[2], 1, NULL, &err));
    assert_ok(s3s_abort_multipart(the->store, NULL, u[0].key, u[0].id, &err));
    list_uploads(o, prefix);
    assert_int_equal(o->count, 1);
    assert_true(is_listed(o, &u[1]));
    assert_ok(s3s_abort_multipart(the->store, NULL, u[1].key, u[1].id, &err));
    assert_ok(s3s_abort_multipart(the->store, NULL, u[3].key, u[3].id, &err));
    list_uploads(o, prefix);
    assert_int_equal(o->count, 0);
    for (size_t i = 0; i < 4; i++)
        free(u[i].body);
    free(o);
}

int contract_uploads(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_put__bodies_of_any_size_come_back_whole),
        cmocka_unit_test(test_upload__is_there_when_completed_and_not_before),
        cmocka_unit_test(test_upload__a_part_that_is_sent_again_replaces_the_first),
        cmocka_unit_test(test_upload__replaces_an_object_wholly),
        cmocka_unit_test(test_upload__that_is_aborted_leaves_nothing),
        cmocka_unit_test(test_upload__uploads_of_one_key_do_not_meet),
        cmocka_unit_test(test_upload__those_that_never_ended_can_be_listed),
    };
    return cmocka_run_group_tests_name("uploads", tests, NULL, NULL);
}
