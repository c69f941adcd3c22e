/* The n-th mutex or condition that cannot be made, for every n: an error, and nothing is left; and a
 * system without randomness. What the linker (--wrap) puts in the place of pthread_mutex_init,
 * pthread_cond_init and getrandom. */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>

#include "arrow/builder.h"
#include "unit/maintain/kit.h"
#include "view/view.h"
#include "write/write.h"

static atomic_int left = -1; /* until one fails; negative = none does any more */
static atomic_bool hit;

int __real_pthread_mutex_init(pthread_mutex_t *mutex, const pthread_mutexattr_t *attr);
int __real_pthread_cond_init(pthread_cond_t *cond, const pthread_condattr_t *attr);
int __wrap_pthread_mutex_init(pthread_mutex_t *mutex, const pthread_mutexattr_t *attr);
int __wrap_pthread_cond_init(pthread_cond_t *cond, const pthread_condattr_t *attr);

ssize_t __real_getrandom(void *buffer, size_t size, unsigned flags);
ssize_t __wrap_getrandom(void *buffer, size_t size, unsigned flags);

static atomic_bool no_randomness;

ssize_t __wrap_getrandom(void *buffer, size_t size, unsigned flags)
{
    if (!atomic_load(&no_randomness))
        return __real_getrandom(buffer, size, flags);
    errno = EIO;
    return -1;
}

static bool must_fail(void)
{
    if (atomic_load(&left) < 0 || atomic_fetch_sub(&left, 1) != 0)
        return false;
    atomic_store(&hit, true);
    return true;
}

int __wrap_pthread_mutex_init(pthread_mutex_t *mutex, const pthread_mutexattr_t *attr)
{
    return must_fail() ? ENOMEM : __real_pthread_mutex_init(mutex, attr);
}

int __wrap_pthread_cond_init(pthread_cond_t *cond, const pthread_condattr_t *attr)
{
    return must_fail() ? ENOMEM : __real_pthread_cond_init(cond, attr);
}

typedef s3store_status (*step)(fixture *fx, s3store_error *err);

static s3store_target *own_target;

static s3store_status open_target(fixture *fx, s3store_error *err)
{
    static const char *const parts[] = {"p"};
    s3store_target_config config = S3STORE_TARGET_CONFIG_INIT;
    config.store = &fx->store;
    config.prefix = "ds";
    config.partition_by = parts;
    config.partition_by_count = 1;
    s3store_status status = s3s_target_open(fx->env, &config, &own_target, err);
    assert_true((own_target != NULL) == (status == S3STORE_OK));
    s3s_target_release(own_target);
    return status;
}

static s3store_write_options write_options = S3STORE_WRITE_OPTIONS_INIT;

static s3store_status write_rows(fixture *fx, s3store_error *err)
{
    static const fixture_row rows[] = {{"x", 1, 1, false}};
    s3store_error own;
    s3store_writer *writer;
    s3store_write_result *result = NULL;
    struct ArrowArrayStream stream;
    struct ArrowSchema abi;
    struct ArrowArray batch;
    s3s_schema *schema;
    s3store_write_options options = write_options;
    options.partition = "p=w";
    s3store_status status = s3s_writer_open(fx->target, NULL, &writer, err);
    if (status != S3STORE_OK)
        return status;
    int kept = atomic_exchange(&left, -1); /* the input is the caller's */
    assert_int_equal(s3s_record_schema(NULL, &fixture_row_type, &schema, &own), S3STORE_OK);
    assert_int_equal(
        s3s_records_to_batch(NULL, schema, &fixture_row_type, rows, 0, 1, &batch, &own),
        S3STORE_OK);
    assert_int_equal(s3s_schema_export(schema, &abi, &own), S3STORE_OK);
    assert_int_equal(s3store_stream_from_batches(&abi, &batch, 1, &stream, &own), S3STORE_OK);
    s3s_schema_release(schema);
    atomic_store(&left, kept);
    status = s3s_write(writer, &stream, &options, &result, err);
    s3store_write_result_free(result);
    s3s_writer_free(writer);
    return status;
}

static s3store_status fill_view(fixture *fx, s3store_error *err)
{
    static const char *const columns[] = {"entity"}, *const all[] = {"*"};
    s3store_view_def def = S3STORE_VIEW_DEF_INIT;
    s3store_backfill_options options = S3STORE_BACKFILL_OPTIONS_INIT;
    s3store_backfill_stats stats = {.size = sizeof stats};
    def.name = "v";
    def.columns = columns;
    def.column_count = 1;
    options.patterns = all;
    options.pattern_count = 1;
    return s3s_view_backfill(fx->target, &def, &options, &stats, err);
}

static s3store_status verify(fixture *fx, s3store_error *err)
{
    kit_told told;
    s3store_verify_report report;
    return kit_verify(fx, NULL, &told, &report, err);
}

static void sweep(step do_it)
{
    fixture fx;
    s3store_error err;
    int failures = 0;
    kit_open(&fx);
    kit_write(&fx, "p=a", "t", FIXTURE_ALL);
    assert_int_equal(do_it(&fx, &err), S3STORE_OK); /* what is made once is there */
    for (int n = 0;; n++) {
        assert_true(n < 1000);
        memset(&err, 0, sizeof err);
        atomic_store(&hit, false);
        atomic_store(&left, n);
        s3store_status status = do_it(&fx, &err);
        atomic_store(&left, -1);
        if (!atomic_load(&hit))
            break;
        failures += status != S3STORE_OK;
        if (status != S3STORE_OK) {
            assert_int_equal(status, S3STORE_OUT_OF_MEMORY);
            assert_int_equal(err.status, status);
            assert_non_null(strstr(err.message, "cannot create a "));
        }
    }
    assert_true(failures > 0);
    memset(&err, 0, sizeof err);
    assert_int_equal(do_it(&fx, &err), S3STORE_OK);
    fixture_close_clean(&fx);
}

static void test_sync__a_target_that_cannot_open_says_so(void **state)
{
    (void)state;
    sweep(open_target);
}

static void test_sync__a_write_says_so(void **state)
{
    (void)state;
    sweep(write_rows);
}

static void test_sync__a_backfill_says_so(void **state)
{
    (void)state;
    sweep(fill_view);
}

static void test_sync__verify_says_so(void **state)
{
    (void)state;
    sweep(verify);
}

static s3store_status examine(fixture *fx, s3store_error *err)
{
    static const char *const parts[] = {"p"};
    s3store_target_config config = S3STORE_TARGET_CONFIG_INIT;
    s3store_doctor_options options = S3STORE_DOCTOR_OPTIONS_INIT;
    s3store_doctor_report report = {.size = sizeof report};
    config.store = &fx->store;
    config.prefix = "ds";
    config.partition_by = parts;
    config.partition_by_count = 1;
    return s3s_doctor(fx->env, &config, &options, &report, err);
}

/* Attempt ids are made of it: without, nothing is written and nothing is tried. */
static void test_sync__a_system_without_randomness_says_so(void **state)
{
    static const step steps[] = {write_rows, write_rows, write_rows, examine};
    (void)state;
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        fixture fx;
        s3store_error err = {0};
        kit_open(&fx);
        write_options = (s3store_write_options)S3STORE_WRITE_OPTIONS_INIT;
        write_options.token = i == 1 ? "t" : NULL;
        write_options.dry_run = i == 2;
        assert_int_equal(write_rows(&fx, &err), S3STORE_OK); /* the schema, and what is made once */
        write_options.token = i == 1 ? "u" : NULL;
        fixture_reset_counts(&fx);
        atomic_store(&no_randomness, true);
        s3store_status status = steps[i](&fx, &err);
        atomic_store(&no_randomness, false);
        assert_int_equal(status, S3STORE_IO);
        assert_int_equal(err.status, S3STORE_IO);
        assert_true(err.message[0] != '\0');
        assert_int_equal(fixture_count(&fx, S3S_VERB_REMOVE), 0);
        fixture_close_clean(&fx);
    }
    write_options = (s3store_write_options)S3STORE_WRITE_OPTIONS_INIT;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sync__a_target_that_cannot_open_says_so),
        cmocka_unit_test(test_sync__a_write_says_so),
        cmocka_unit_test(test_sync__a_backfill_says_so),
        cmocka_unit_test(test_sync__verify_says_so),
        cmocka_unit_test(test_sync__a_system_without_randomness_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
