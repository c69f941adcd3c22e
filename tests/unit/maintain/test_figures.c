/* A million objects in flat memory: what verify --shallow and orphans hold does not grow with the
 * dataset. */
#include "maintain/maintain.h"
#include "support/dataset_store.h"
#include "support/test.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#else
#define SANITIZED 0
#endif

#define MILLION 1000000
#define DEAD_EVERY 500

typedef struct figures {
    uint64_t lists, heads, allocations, bytes;
    s3store_verify_report verify;
    s3store_orphans_report orphans;
} figures;

static void measure(uint64_t objects, bool orphans, figures *out)
{
    static const char *const parts[] = {"p"};
    s3store_error err;
    s3s_env *env;
    s3store_target *target;
    assert_ok(s3s_env_new_real(&env, &err));
    dataset_store d = {.env = env, .tokens = objects / 3, .dead_every = DEAD_EVERY};
    s3store_object_store store = dataset_store_make(&d);
    s3store_target_config config = S3STORE_TARGET_CONFIG_INIT;
    config.store = &store;
    config.prefix = "ds";
    config.partition_by = parts;
    config.partition_by_count = 1;
    assert_ok(s3s_target_open(env, &config, &target, &err));
    *out = (figures){.verify.size = sizeof out->verify, .orphans.size = sizeof out->orphans};
    if (orphans) {
        s3store_orphans_options options = S3STORE_ORPHANS_OPTIONS_INIT;
        assert_ok(s3s_orphans(target, &options, &out->orphans, &err));
    } else {
        s3store_verify_options options = S3STORE_VERIFY_OPTIONS_INIT;
        options.shallow = true;
        assert_ok(s3s_verify_dataset(target, &options, &out->verify, &err));
    }
    out->lists = d.lists;
    out->heads = d.heads;
    out->allocations = d.most_allocations;
    out->bytes = d.most_bytes;
    s3s_target_release(target);
    assert_int_equal(s3s_env_live_allocs(env), 0);
    s3s_env_release(env);
    print_message("%s of %llu objects: %llu LISTs, %llu HEADs, at most %llu allocations, %llu "
                  "KiB\n",
                  orphans ? "orphans" : "verify --shallow", (unsigned long long)objects,
                  (unsigned long long)out->lists, (unsigned long long)out->heads,
                  (unsigned long long)out->allocations, (unsigned long long)out->bytes / 1024);
}

/* What is held is pages that wait for their turn, whose number the walk bounds: a dataset ten
 * times as large may fill a few more of them, and nothing else. */
static void assert_flat(const figures *small, const figures *large)
{
    assert_true(large->allocations <= small->allocations * 2 + 1000);
    assert_true(large->allocations < 5000);
    if (!SANITIZED)
        assert_true(large->bytes <= small->bytes + 24u * 1024 * 1024);
}

static void test_figures__verify_shallow_of_a_million_objects_is_flat(void **state)
{
    (void)state;
    figures small, large;
    measure(MILLION / 10, false, &small);
    measure(MILLION, false, &large);
    uint64_t tokens = MILLION / 3, dead = (tokens + DEAD_EVERY - 1) / DEAD_EVERY;
    assert_int_equal(large.verify.commits, tokens - dead);
    assert_int_equal(large.verify.refs, tokens);
    assert_int_equal(large.verify.uncommitted, 2 * dead);
    assert_int_equal(large.verify.damages, 0);
    assert_int_equal(large.heads, 0);
    /* A page for each 1000 objects, and what dividing the listings costs. */
    assert_true(large.lists >= MILLION / 1000 && large.lists < MILLION / 1000 * 13 / 10);
    assert_flat(&small, &large);
}

static void test_figures__orphans_of_a_million_objects_is_flat(void **state)
{
    (void)state;
    figures small, large;
    measure(MILLION / 10, true, &small);
    measure(MILLION, true, &large);
    uint64_t tokens = MILLION / 3, dead = (tokens + DEAD_EVERY - 1) / DEAD_EVERY;
    assert_int_equal(large.orphans.data, 2 * dead);
    assert_int_equal(large.orphans.refs, dead);
    assert_int_equal(large.orphans.removable, 3 * dead);
    assert_int_equal(large.heads, dead + 1); /* of each suspicious ref; the clock */
    assert_true(large.lists >= MILLION / 1000 && large.lists < MILLION / 1000 * 13 / 10);
    assert_flat(&small, &large);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_figures__verify_shallow_of_a_million_objects_is_flat),
        cmocka_unit_test(test_figures__orphans_of_a_million_objects_is_flat),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
