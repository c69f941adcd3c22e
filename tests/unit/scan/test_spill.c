/* Partitions that are larger than the memory: the same rows, from sorted runs on disk. */
#include "unit/scan/kit.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

typedef struct record {
    const char *name, *text;
    int64_t version, value;
    double real;
    bool flag, no_flag, no_text;
    int64_t second; /* of the entity, in some tests */
} record;

static const s3store_field record_fields[] = {
    {.name = "entity", .kind = S3STORE_KIND_CSTRING, .offset = offsetof(record, name)},
    {.name = "version", .kind = S3STORE_KIND_INT64, .offset = offsetof(record, version)},
    {.name = "value", .kind = S3STORE_KIND_INT64, .offset = offsetof(record, value)},
    {"text", S3STORE_KIND_CSTRING, offsetof(record, text), S3STORE_NULL_FLAG,
     offsetof(record, no_text), 0},
    {"flag", S3STORE_KIND_BOOL, offsetof(record, flag), S3STORE_NULL_FLAG,
     offsetof(record, no_flag), 0},
    {.name = "real", .kind = S3STORE_KIND_DOUBLE, .offset = offsetof(record, real)},
};
static const s3store_record_type record_type = S3STORE_RECORD_TYPE(record, record_fields);

#define TEXT_SIZE (1u << 20)

static uint64_t state;
static uint64_t roll(uint64_t sides)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (state >> 11) % sides;
}

/* Files of random rows, replicas and ties among them. */
static void write_random(fixture *fx, const char *partition, size_t files, size_t rows,
                         uint64_t entities)
{
    char(*names)[24] = calloc(entities, sizeof *names);
    record *records = calloc(rows, sizeof *records);
    fixture_write write = {.partition = partition};
    for (uint64_t i = 0; i < entities; i++)
        snprintf(names[i], sizeof names[i], "%s%d", i % 3 == 0 ? "a-long-prefix-" : "e", (int)i);
    for (size_t f = 0; f < files; f++) {
        for (size_t i = 0; i < rows; i++)
            records[i] = (record){.name = names[roll(entities)],
                                  .text = names[roll(entities)],
                                  .version = (int64_t)roll(7) - 3,
                                  .value = (int64_t)(f * 1000 + i),
                                  .real = (double)roll(100) / 4,
                                  .flag = roll(2) == 0,
                                  .no_flag = roll(3) == 0,
                                  .no_text = roll(4) == 0};
        fixture_write_records(fx, &write, &record_type, records, rows);
    }
    free(records);
    free(names);
}

static s3store_status scan_with(fixture *fx, uint64_t memory, const s3s_scan_options *options,
                                char *text, s3store_error *err)
{
    s3s_scan_options own = *options, *o = &own;
    own.merge_bytes = memory;
    s3s_file_set files;
    s3s_scan *scan = NULL;
    const char *partition = NULL;
    text[0] = '\0';
    kit_files(fx, "", &files);
    s3store_status status = s3s_scan_open(fx->target, &files, o, &scan, err);
    while (status == S3STORE_OK) {
        struct ArrowArray batch = {0};
        status = s3s_scan_next(scan, &batch, &partition, err);
        if (status != S3STORE_OK)
            break;
        assert_true(batch.length > 0);
        fixture_batch_text(s3s_scan_schema(scan), &batch, text, TEXT_SIZE);
        s3s_array_release(&batch);
    }
    s3s_scan_free(scan);
    return status == S3STORE_END ? S3STORE_OK : status;
}

static size_t count_entries(const char *path)
{
    size_t count = 0;
    DIR *dir = opendir(path);
    assert_non_null(dir);
    while (readdir(dir) != NULL)
        count++;
    closedir(dir);
    return count;
}

/* Puts another directory in the target's place for a while. */
static char *swap_dir(fixture *fx, char *dir)
{
    char *old = fx->target->spill_dir;
    fx->target->spill_dir = dir;
    return old;
}

static void test_spill__rows_are_the_same_as_in_memory(void **unused)
{
    (void)unused;
    static const char *const two[] = {"entity", "flag"};
    static const char *const columns[] = {"value", "text"};
    char *expected = malloc(TEXT_SIZE), *text = malloc(TEXT_SIZE);
    char dir[] = "/tmp/s3store-test-spill-XXXXXX";
    s3store_error err = {0};
    size_t open_before = count_entries("/proc/self/fd");
    assert_non_null(mkdtemp(dir));
    state = 4711;
    for (int round = 0; round < 12; round++) {
        fixture fx;
        fixture_open(&fx, NULL, NULL);
        char *old = swap_dir(&fx, dir);
        write_random(&fx, "p=1", 1 + roll(6), 1 + roll(600), 1 + roll(400));
        write_random(&fx, "p=2", 1 + roll(3), 1 + roll(300), 1 + roll(20));
        for (int i = 0; i < 6; i++) {
            s3s_scan_options o = kit_options(i % 2 ? S3S_SCAN_LATEST : S3S_SCAN_HISTORY);
            o.read_ahead_partitions = (int)roll(3);
            if (roll(2) == 0) {
                o.entity = two;
                o.entity_count = 2;
            }
            if (roll(2) == 0) {
                o.columns = columns;
                o.column_count = 2;
            }
            o.limit = roll(3) == 0 ? (int64_t)roll(400) + 1 : 0;
            o.where = roll(3) == 0 ? "real > 5 or flag = true" : NULL;
            assert_ok(scan_with(&fx, 256u << 20, &o, expected, &err));
            for (uint64_t memory = 2048; memory <= 131072; memory *= 4) {
                assert_ok(scan_with(&fx, memory, &o, text, &err));
                assert_string_equal(text, expected);
            }
        }
        swap_dir(&fx, old);
        fixture_close_clean(&fx);
    }
    assert_int_equal(count_entries(dir), 2); /* . and .. */
    assert_int_equal(count_entries("/proc/self/fd"), open_before);
    assert_int_equal(rmdir(dir), 0);
    free(expected);
    free(text);
}

static void test_spill__many_runs_are_merged_in_several_passes(void **unused)
{
    (void)unused;
    char *expected = malloc(TEXT_SIZE), *text = malloc(TEXT_SIZE);
    s3store_error err = {0};
    fixture fx;
    state = 99;
    fixture_open(&fx, NULL, NULL);
    write_random(&fx, "p=1", 70, 64, 3000); /* a run for each file: more than twice the fan-in */
    for (s3s_scan_mode mode = S3S_SCAN_LATEST; mode <= S3S_SCAN_HISTORY; mode++) {
        s3s_scan_options o = kit_options(mode);
        assert_ok(scan_with(&fx, 256u << 20, &o, expected, &err));
        assert_ok(scan_with(&fx, 4096, &o, text, &err));
        assert_string_equal(text, expected);
    }
    fixture_close_clean(&fx);
    free(expected);
    free(text);
}

static void test_spill__a_missing_or_full_directory_is_named(void **unused)
{
    (void)unused;
    static char missing[] = "/tmp/s3store-there-is-no-such-directory";
    char *text = malloc(TEXT_SIZE);
    s3store_error err = {0};
    fixture fx;
    state = 5;
    fixture_open(&fx, NULL, NULL);
    write_random(&fx, "p=0", 1, 1, 1);
    write_random(&fx, "p=1", 3, 500, 100);
    char *old = swap_dir(&fx, missing);
    s3s_scan_options o = kit_options(S3S_SCAN_LATEST);
    assert_fails(scan_with(&fx, 8192, &o, text, &err), S3STORE_IO, missing);
    assert_non_null(strstr(err.message, "--spill-dir"));
    assert_non_null(strstr(err.message, strerror(ENOENT)));
    assert_string_not_equal(text, ""); /* p=0 was delivered */
    assert_ok(scan_with(&fx, 256u << 20, &o, text, &err)); /* enough memory: no file */
    swap_dir(&fx, old);
    struct rlimit limit, little; /* stands for a disk that is full */
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    little = limit;
    little.rlim_cur = 4096;
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &little), 0);
    s3store_status status = scan_with(&fx, 8192, &o, text, &err);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    signal(SIGXFSZ, handler);
    assert_int_equal(status, S3STORE_IO);
    assert_non_null(strstr(err.message, "cannot write a temporary file"));
    assert_non_null(strstr(err.message, fx.target->spill_dir));
    fixture_close_clean(&fx);
    free(text);
}

static void test_spill__leaving_early_leaves_nothing(void **unused)
{
    (void)unused;
    s3store_error err = {0};
    fixture fx;
    size_t open_before = count_entries("/proc/self/fd");
    state = 6;
    fixture_open(&fx, NULL, NULL);
    write_random(&fx, "p=1", 4, 500, 300);
    write_random(&fx, "p=2", 4, 500, 300);
    for (int way = 0; way < 3; way++) {
        s3s_scan_options o = kit_options(S3S_SCAN_LATEST);
        o.merge_bytes = 8192;
        s3s_file_set files;
        s3s_scan *scan = NULL;
        struct ArrowArray batch = {0};
        const char *partition = NULL;
        kit_files(&fx, "", &files);
        assert_ok(s3s_scan_open(fx.target, &files, &o, &scan, &err));
        assert_ok(s3s_scan_next(scan, &batch, &partition, &err));
        assert_string_equal(partition, "p=1");
        s3s_array_release(&batch);
        if (way == 1) {
            s3s_scan_skip_partition(scan);
            assert_ok(s3s_scan_next(scan, &batch, &partition, &err));
            assert_string_equal(partition, "p=2");
            s3s_array_release(&batch);
        } else if (way == 2) {
            while (s3s_scan_next_here(scan, &batch, &err) == S3STORE_OK)
                s3s_array_release(&batch);
        }
        s3s_scan_free(scan);
    }
    fixture_close_clean(&fx);
    assert_int_equal(count_entries("/proc/self/fd"), open_before);
}

int run_spill_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_spill__rows_are_the_same_as_in_memory),
        cmocka_unit_test(test_spill__many_runs_are_merged_in_several_passes),
        cmocka_unit_test(test_spill__a_missing_or_full_directory_is_named),
        cmocka_unit_test(test_spill__leaving_early_leaves_nothing),
    };
    return cmocka_run_group_tests_name("spill", tests, NULL, NULL);
}
