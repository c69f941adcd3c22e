/* Late commits: what the store itself refuses. A store in front of the real one looks at every PUT, and
 * holds commits back.
 */
#include "e2e/e2e.h"

#include <stdlib.h>
#include <time.h>

/* Above this an S3 commit can be fenced with no skew allowed (docs/FORMAT.md "Fenced commit"). */
#define CT_S3 INT64_C(6000000)
#define CT_FILE INT64_C(500000)

typedef struct front {
    s3store_object_store store;
    const s3store_object_store *behind;
    int hold; /* commits still to be held back until they have expired */
    int commits, conditional, fenced, others_fenced;
    int64_t window_us; /* from now to the end of the last commit's validity */
} front;

static int64_t wall_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static bool is_commit(const char *key)
{
    size_t size = strlen(key);
    return size > 7 && strcmp(key + size - 7, ".commit") == 0;
}

static s3store_status front_put(void *impl, const s3store_call *call,
                                const s3store_put_request *request, s3store_put_reply *reply,
                                s3store_error *err)
{
    front *f = impl;
    if (strstr(request->key, "/_config/") != NULL)
        return f->behind->put(f->behind->impl, call, request, reply, err);
    if (!is_commit(request->key)) {
        f->others_fenced += request->fenced || request->if_none_match;
        return f->behind->put(f->behind->impl, call, request, reply, err);
    }
    f->commits++;
    f->conditional += request->if_none_match;
    f->fenced += request->fenced;
    f->window_us = request->expires_at_us - wall_us();
    if (f->hold > 0 && request->fenced) {
        f->hold--;
        /* The server's date has whole seconds. */
        sleep_us(f->window_us + (world.is_s3 ? 2100000 : 50000));
        call = NULL; /* a proxy knows nothing of the writer's deadline */
    }
    return f->behind->put(f->behind->impl, call, request, reply, err);
}

static s3store_status front_get(void *impl, const s3store_call *call,
                                const s3store_get_request *request, s3store_sink *sink,
                                s3store_object_info *info, s3store_error *err)
{
    front *f = impl;
    return f->behind->get(f->behind->impl, call, request, sink, info, err);
}

static s3store_status front_head(void *impl, const s3store_call *call, const char *key,
                                 s3store_object_info *info, s3store_error *err)
{
    front *f = impl;
    return f->behind->head(f->behind->impl, call, key, info, err);
}

static s3store_status front_list(void *impl, const s3store_call *call,
                                 const s3store_list_request *request, s3store_list_fn fn,
                                 void *fn_ctx, s3store_list_reply *reply, s3store_error *err)
{
    front *f = impl;
    return f->behind->list(f->behind->impl, call, request, fn, fn_ctx, reply, err);
}

static s3store_status front_remove(void *impl, const s3store_call *call, const char *key,
                                   s3store_error *err)
{
    front *f = impl;
    return f->behind->remove(f->behind->impl, call, key, err);
}

/* A second handle of the dataset, through the front. */
static void open_front(front *f, const dataset *d, dataset *out)
{
    s3store_error err;
    *f = (front){.behind = d->store,
                 .store = {.size = sizeof f->store,
                           .impl = f,
                           .put = front_put,
                           .get = front_get,
                           .head = front_head,
                           .list = front_list,
                           .remove = front_remove,
                           .name = world.is_s3 ? "s3" : "front"}};
    memset(out, 0, sizeof *out);
    s3store_target_config config = S3STORE_TARGET_CONFIG_INIT;
    config.store = &f->store;
    config.bucket = "front";
    config.prefix = d->prefix;
    assert_ok(s3store_target_open(&config, &out->target, &err));
    assert_ok(s3store_writer_open(out->target, NULL, &out->writer, &err));
}

static const quake row = {"a", T0, T0, "north", 1, false};

static void test_fence__commits_expire_and_are_conditional(void **state)
{
    (void)state;
    s3store_error err;
    dataset d, fronted;
    front f;
    dataset_options options = {.commit_timeout_us = 15000000, .max_clock_skew_us = 1000000};
    dataset_make(&d, "fenced", &options);
    open_front(&f, &d, &fronted);
    (void)write_quakes(&fronted, &row, 1, NULL, NULL, &err);
    (void)write_quakes(&fronted, &row, 1, "token", NULL, &err);
    assert_int_equal(f.commits, 2);
    assert_int_equal(f.conditional, 2);
    assert_int_equal(f.fenced, 2);
    assert_int_equal(f.others_fenced, 0);
    assert_in_range(f.window_us, 1000000, 15000000);
    dataset_close(&fronted);
    dataset_close(&d);
}

static void test_fence__a_commit_held_back_is_refused_and_the_write_completes_anew(void **state)
{
    (void)state;
    s3store_error err;
    dataset d, fronted;
    front f;
    s3store_write_result *result;
    s3store_entries *entries;
    dataset_options options = {.commit_timeout_us = world.is_s3 ? CT_S3 : CT_FILE};
    dataset_make(&d, "held", &options);
    open_front(&f, &d, &fronted);
    (void)write_quakes(&fronted, &row, 1, NULL, NULL, &err);
    f.hold = 1;
    f.commits = 0;
    assert_ok(write_quakes(&fronted, &row, 1, "late", &result, &err));
    assert_int_equal(f.commits, 2);
    const s3store_commit *c = s3store_write_result_get(result, 0);
    assert_int_equal(c->state, S3STORE_COMMIT_DONE);
    /* Two attempts left data and refs; one of them is committed, for every reader. */
    assert_int_equal(dataset_count(&d, "data/day=2018-02-07/region=north/late-"), 2);
    assert_int_equal(dataset_count(&d, "data/day=2018-02-07/region=north/late."), 1);
    assert_int_equal(dataset_count(&d, "_ref/"), 3);
    wait_settled(&d);
    assert_ok(s3store_poll(d.target, NULL, &entries, &err));
    assert_int_equal(s3store_entries_count(entries), 2);
    assert_string_equal(s3store_entries_get(entries, 1)->ref_path, c->ref_path);
    s3store_entries_free(entries);
    s3store_write_result_free(result);
    s3store_reader *raw;
    s3store_reader_options no_dedup = S3STORE_READER_OPTIONS_INIT;
    no_dedup.no_dedup = true;
    assert_ok(s3store_reader_open(d.target, &no_dedup, &raw, &err));
    s3store_reader_free(d.reader);
    d.reader = raw;
    assert_int_equal(count_rows(&d, "*", false), 2);
    dataset_close(&fronted);
    dataset_close(&d);
}

int run_fence_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fence__commits_expire_and_are_conditional),
        cmocka_unit_test(test_fence__a_commit_held_back_is_refused_and_the_write_completes_anew),
    };
    return cmocka_run_group_tests_name("fence", tests, NULL, NULL);
}
