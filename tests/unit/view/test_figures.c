/* What views cost, in requests, bytes and round trips: figures that hold on every machine. */
#include <stdlib.h>

#include "datafile/datafile.h"
#include "unit/view/kit.h"

/* ---- a lookup of 100,000 markers -------------------------------------------------------------- */

enum { DAYS = 100, CUSTOMERS = 1000, LATENCY_US = 10000 };

typedef struct race {
    stage *s;
    int64_t serial_us, parallel_us;
    uint64_t serial_pages, count;
    s3store_lookup_stats stats;
    s3store_status status;
    s3store_error err;
} race;

static bool count_key(void *ctx, const s3store_list_entry *entry)
{
    (void)entry;
    ++*(uint64_t *)ctx;
    return true;
}

static void run_race(void *ctx)
{
    static const char *const all[] = {"*"};
    race *r = ctx;
    s3s_env *env = r->s->env;
    s3store_view *view = NULL;
    struct ArrowArrayStream stream = {0};
    int64_t began = s3s_mono_us(env);
    r->status = s3s_list_all(r->s->target->store, NULL, "ds/_matview/v/", NULL, 0, count_key,
                             &r->count, &r->serial_pages, &r->err);
    r->serial_us = s3s_mono_us(env) - began;
    s3store_lookup_options o = S3STORE_LOOKUP_OPTIONS_INIT;
    o.patterns = all;
    o.pattern_count = 1;
    if (r->status == S3STORE_OK)
        r->status = s3s_view_open(r->s->target, KIT_VIEW("v", "day", "customer"), NULL, &view,
                                  &r->err);
    faulty_reset(&r->s->faults);
    began = s3s_mono_us(env);
    if (r->status == S3STORE_OK)
        r->status = s3s_view_lookup(view, &o, &stream, &r->stats, &r->err);
    r->parallel_us = s3s_mono_us(env) - began;
    if (stream.release != NULL)
        stream.release(&stream);
    s3s_view_free(view);
}

static void test_lookup__of_100000_markers_is_lists_alone_and_eight_times_faster(void **state)
{
    (void)state;
    s3store_error err;
    stage s;
    const stage_rule slow = {
        .verb = S3S_VERB_LIST, .kind = FAULTY_OTHER, .from = 1, .fate = {.before_us = LATENCY_US}};
    stage_open(&s, NULL);
    for (int d = 0; d < DAYS; d++)
        for (int c = 0; c < CUSTOMERS; c++) {
            char key[80];
            snprintf(key, sizeof key, "ds/_matview/v/day=%03d/customer=%04d/m.matview", d, c);
            s3store_put_request put = {.size = sizeof put, .key = key};
            s3store_put_reply reply;
            assert_ok(s3s_put(&s.memory, NULL, &put, &reply, &err));
        }
    stage_rules(&s, &slow, 1);
    race r = {.s = &s};
    assert_ok(s3s_sim_add(s.sim, "a", 0, run_race, &r, &err));
    assert_ok(s3s_sim_run(s.sim, &err));
    if (r.status != S3STORE_OK)
        fail_msg("%s", r.err.message);
    print_message("lookup of %llu markers at 10 ms: %llu LISTs in %.0f ms; page after page: %llu "
                  "LISTs in %.0f ms (%.1f times)\n",
                  (unsigned long long)r.stats.markers, (unsigned long long)r.stats.lists,
                  (double)r.parallel_us / 1e3, (unsigned long long)r.serial_pages,
                  (double)r.serial_us / 1e3, (double)r.serial_us / (double)r.parallel_us);
    assert_int_equal(r.stats.markers, DAYS * CUSTOMERS);
    assert_int_equal(r.count, DAYS * CUSTOMERS);
    assert_int_equal(faulty_total(&s.faults), s.faults.counts[S3S_VERB_LIST][FAULTY_OTHER]);
    assert_int_equal(faulty_total(&s.faults), r.stats.lists);
    assert_true(r.serial_us >= 8 * r.parallel_us);
    stage_close(&s);
}

/* ---- a backfill of 1,000 data objects --------------------------------------------------------- */

enum { OBJECTS = 1000, OBJECT_ROWS = 2000, PAYLOAD = 600 };

/* Every data object has the bytes of one. */
typedef struct same_bodies {
    s3store_object_store store;
    const s3store_object_store *inner;
    size_t body_size;
    s3store_list_fn fn;
    void *fn_ctx;
} same_bodies;

static s3store_status get_same(void *impl, const s3store_call *call,
                               const s3store_get_request *request, s3store_sink *sink,
                               s3store_object_info *info, s3store_error *err)
{
    const same_bodies *b = impl;
    s3store_get_request other = *request;
    if (strstr(request->key, ".parquet") != NULL)
        other.key = "body";
    return b->inner->get(b->inner->impl, call, &other, sink, info, err);
}

typedef struct listing {
    const same_bodies *bodies;
    s3store_list_fn fn;
    void *fn_ctx;
} listing;

static bool with_size(void *ctx, const s3store_list_entry *entry)
{
    listing *l = ctx;
    s3store_list_entry e = *entry;
    if (strstr(e.key, ".parquet") != NULL)
        e.object_size = l->bodies->body_size;
    return l->fn(l->fn_ctx, &e);
}

static s3store_status list_same(void *impl, const s3store_call *call,
                                const s3store_list_request *request, s3store_list_fn fn,
                                void *fn_ctx, s3store_list_reply *reply, s3store_error *err)
{
    const same_bodies *b = impl;
    listing l = {b, fn, fn_ctx};
    return b->inner->list(b->inner->impl, call, request, with_size, &l, reply, err);
}

static s3store_status put_same(void *impl, const s3store_call *call,
                               const s3store_put_request *request, s3store_put_reply *reply,
                               s3store_error *err)
{
    const same_bodies *b = impl;
    return b->inner->put(b->inner->impl, call, request, reply, err);
}

static s3store_status head_same(void *impl, const s3store_call *call, const char *key,
                                s3store_object_info *info, s3store_error *err)
{
    const same_bodies *b = impl;
    return b->inner->head(b->inner->impl, call, key, info, err);
}

static s3store_status remove_same(void *impl, const s3store_call *call, const char *key,
                                  s3store_error *err)
{
    const same_bodies *b = impl;
    return b->inner->remove(b->inner->impl, call, key, err);
}

/* "sku" with 50 values, and a payload that does not compress. */
static void make_body(s3s_env *env, s3s_buffer *out)
{
    s3store_error err;
    s3s_schema *schema = kit_schema(env, "payload:binary;sku:string?;more:binary");
    s3store_builder *builder;
    struct ArrowArray batch;
    uint64_t random = 7;
    assert_ok(s3s_builder_new(env, schema, &builder, &err));
    for (int i = 0; i < OBJECT_ROWS; i++) {
        char sku[16];
        uint64_t payload[PAYLOAD / 8];
        for (size_t k = 0; k < PAYLOAD / 8; k++)
            payload[k] = random = random * UINT64_C(6364136223846793005) + 1442695040888963407;
        snprintf(sku, sizeof sku, "s%02d", i % 50);
        assert_ok(s3store_builder_append_bytes(builder, 0, payload, PAYLOAD / 2, &err));
        assert_ok(s3store_builder_append_bytes(builder, 1, sku, strlen(sku), &err));
        assert_ok(s3store_builder_append_bytes(builder, 2, payload + PAYLOAD / 16, PAYLOAD / 2,
                                               &err));
    }
    assert_ok(s3store_builder_finish(builder, &batch, &err));
    const struct ArrowArray *batches[] = {&batch};
    assert_ok(s3s_datafile_encode(env, schema, batches, 1, S3STORE_COMPRESSION_SNAPPY, out, &err));
    s3s_array_release(&batch);
    s3store_builder_free(builder);
    s3s_schema_release(schema);
}

static void put_object(const s3store_object_store *store, const char *key, const void *body,
                       size_t size, const s3store_metadata_entry *metadata, size_t count)
{
    s3store_error err;
    s3store_put_reply reply;
    s3store_put_request put = {.size = sizeof put,
                               .key = key,
                               .body = body,
                               .body_size = size,
                               .metadata = metadata,
                               .metadata_count = count};
    assert_ok(s3s_put(store, NULL, &put, &reply, &err));
}

static void put_objects(const s3store_object_store *store)
{
    for (int i = 0; i < OBJECTS; i++) {
        char key[200];
        int n = snprintf(key, sizeof key, "ds/data/p=%02d/%032x-%032x.parquet", i % 20, i + 1,
                         i + 1);
        assert_true(n > 0);
        put_object(store, key, NULL, 0, NULL, 0);
        snprintf(key, sizeof key, "ds/data/p=%02d/%032x.commit", i % 20, i + 1);
        put_object(store, key, NULL, 0, NULL, 0);
    }
}

static void test_backfill__of_1000_objects_reads_the_views_columns_alone(void **state)
{
    (void)state;
    static const char *const by_p[] = {"p"};
    s3store_error err;
    s3s_env *env;
    s3store_object_store memory;
    s3s_buffer body;
    s3store_target *target;
    bool created;
    assert_ok(s3s_env_new_real(&env, &err));
    assert_ok(s3s_memory_store_new(env, &memory, &err));
    s3s_buffer_init(&body, env, SIZE_MAX);
    make_body(env, &body);
    put_object(&memory, "body", body.data, body.size, NULL, 0);
    put_objects(&memory);
    same_bodies same = {.inner = &memory, .body_size = body.size};
    same.store = (s3store_object_store){.size = sizeof same.store,
                                        .impl = &same,
                                        .put = put_same,
                                        .get = get_same,
                                        .head = head_same,
                                        .list = list_same,
                                        .remove = remove_same,
                                        .name = "same"};
    s3store_target_config config = S3STORE_TARGET_CONFIG_INIT;
    config.store = &same.store;
    config.prefix = "ds";
    config.partition_by = by_p;
    config.partition_by_count = 1;
    assert_ok(s3s_dataset_init(env, &config, NULL, &created, &err));
    assert_ok(s3s_target_open(env, &config, &target, &err));
    s3store_request_counts before = {0}, after = {0};
    s3s_meter_read(target->meter, &before);
    s3store_backfill_options o = kit_backfill_options(KIT_ALL);
    s3store_backfill_stats stats;
    assert_ok(s3s_view_backfill(target, KIT_VIEW("v", "sku"), &o, &stats, &err));
    s3s_meter_read(target->meter, &after);
    uint64_t bytes = after.bytes_received - before.bytes_received;
    print_message("backfill of %d objects of %zu bytes: %llu GETs, %llu bytes each; %llu PUTs\n",
                  OBJECTS, body.size, (unsigned long long)(after.get - before.get),
                  (unsigned long long)(bytes / OBJECTS),
                  (unsigned long long)(after.put - before.put));
    assert_int_equal(stats.data_objects, OBJECTS);
    assert_int_equal(stats.records, OBJECTS * OBJECT_ROWS);
    assert_int_equal(stats.markers, OBJECTS * 50);
    assert_int_equal(stats.puts, 50);
    /* The tail with the footer, and the column; the definition. */
    assert_int_equal(after.get - before.get, 2 * OBJECTS + 1);
    assert_int_equal(after.put - before.put, 50);
    assert_true(bytes < (uint64_t)OBJECTS * (S3S_DATAFILE_TAIL_BYTES + 8192));
    assert_true(bytes * 10 < (uint64_t)OBJECTS * body.size);
    s3s_target_release(target);
    s3s_buffer_deinit(&body);
    s3s_store_deinit(&memory);
    assert_int_equal(s3s_env_live_allocs(env), 0);
    s3s_env_release(env);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lookup__of_100000_markers_is_lists_alone_and_eight_times_faster),
        cmocka_unit_test(test_backfill__of_1000_objects_reads_the_views_columns_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
