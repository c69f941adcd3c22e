/* Memory, locks and numbers that run out: an error, never half a result, nothing left behind. */
#include "support/alloc_sweep.h"
#include "unit/scan/kit.h"

#include <errno.h>
#include <locale.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/random.h>

#include "arrow/builder.h"
#include "scan/spill.h"

/* ---- merges alone ---------------------------------------------------------------------------------- */

enum { BATCHES = 4, ROWS = 500, ALL = BATCHES * ROWS };

typedef struct keyed {
    s3store_bytes entity;
    uint64_t version;
    int64_t number; /* an entity too: narrow */
} keyed;
static const s3store_field keyed_fields[] = {
    {.name = "entity", .kind = S3STORE_KIND_BINARY, .offset = offsetof(keyed, entity)},
    {.name = "version", .kind = S3STORE_KIND_UINT64, .offset = offsetof(keyed, version)},
    {.name = "number", .kind = S3STORE_KIND_INT64, .offset = offsetof(keyed, number)},
};
static const s3store_record_type keyed_type = S3STORE_RECORD_TYPE(keyed, keyed_fields);

typedef struct merging {
    s3s_env *env;
    s3s_schema *schema;
    struct ArrowArray batches[BATCHES];
    size_t entity[2], entity_count;
    s3s_scan_mode mode;
    size_t distinct; /* entities */
} merging;

/* Row i is of entity i % distinct (of each a shuffled place), its version falls as i rises, from numbers
 * that no signed one is. prefix: zero bytes that all keys begin with. Of many the number is a part of the
 * entity, too: each of them takes twice as much then. */
static void merging_open(merging *m, size_t distinct, size_t prefix, size_t entity)
{
    s3store_error err;
    static uint8_t names[ALL][80];
    static keyed rows[ALL];
    memset(m, 0, sizeof *m);
    m->entity[0] = entity;
    m->entity[1] = 2;
    m->entity_count = prefix > 40 ? 2 : 1;
    m->distinct = distinct;
    assert_ok(s3s_env_new_real(&m->env, &err));
    assert_ok(s3s_record_schema(m->env, &keyed_type, &m->schema, &err));
    for (size_t i = 0; i < ALL; i++) {
        size_t key = (i % distinct) * 7919 % distinct;
        memset(names[i], 0, sizeof names[i]);
        int size = snprintf((char *)names[i] + prefix, sizeof names[i] - prefix, "%05zu", key);
        rows[i] = (keyed){.entity = {names[i], prefix + (size_t)size},
                          .version = UINT64_MAX - i,
                          .number = (int64_t)key};
    }
    for (size_t b = 0; b < BATCHES; b++)
        assert_ok(s3s_records_to_batch(m->env, m->schema, &keyed_type, rows, b * ROWS, ROWS,
                                       &m->batches[b], &err));
}

static void merging_close(merging *m)
{
    for (size_t b = 0; b < BATCHES; b++)
        s3s_array_release(&m->batches[b]);
    s3s_schema_release(m->schema);
    assert_int_equal(s3s_env_live_allocs(m->env), 0);
    s3s_env_release(m->env);
}

static size_t key_of(const merging *m, s3s_row row)
{
    size_t i = row.batch * (size_t)ROWS + row.row;
    return (i % m->distinct) * 7919 % m->distinct;
}

static s3store_status merge_once(void *ctx, s3store_error *err)
{
    merging *m = ctx;
    merged_rows merged = {0};
    scan_plan plan = {.out = m->schema, .merge = m->schema, .entity = m->entity, .entity_count = m->entity_count,
                      .version = 1};
    const struct ArrowArray **sources = s3s_calloc(m->env, BATCHES, sizeof *sources);
    if (sources == NULL) { /* the caller's */
        s3store_error own;
        err = err != NULL ? err : &own;
        err->status = S3STORE_OUT_OF_MEMORY;
        snprintf(err->message, sizeof err->message, "the test's own");
        return S3STORE_OUT_OF_MEMORY;
    }
    for (size_t b = 0; b < BATCHES; b++)
        sources[b] = &m->batches[b];
    s3store_status status = s3s_scan_merge(m->env, &plan, m->mode, sources, BATCHES, &merged, err);
    if (status == S3STORE_OK) {
        bool latest = m->mode == S3S_SCAN_LATEST;
        assert_int_equal(merged.row_count, latest ? m->distinct : ALL);
        for (size_t i = 0; i < merged.row_count; i++) {
            /* Versions fall: the first row of an entity is its latest; in the history the last. */
            size_t copies = latest ? 1 : ALL / m->distinct, place = i % copies;
            size_t row = merged.rows[i].batch * (size_t)ROWS + merged.rows[i].row;
            assert_int_equal(key_of(m, merged.rows[i]), i / copies);
            assert_int_equal(row / m->distinct, copies - 1 - place);
        }
    }
    s3s_scan_merged_deinit(m->env, &merged);
    return status;
}

static void test_memory__a_merge_is_whole_or_fails_however_long_keys_are(void **state)
{
    (void)state;
    static const struct {
        size_t distinct, prefix, entity;
        s3s_scan_mode mode;
    } cases[] = {
        {ALL, 60, 0, S3S_SCAN_LATEST},     /* wide; zero bytes take more than was reserved for them */
        {ALL / 2, 20, 0, S3S_SCAN_LATEST}, /* wide */
        {ALL / 2, 20, 0, S3S_SCAN_HISTORY},
        {ALL / 50, 30, 0, S3S_SCAN_HISTORY}, /* 50 rows of each: more than are sorted by hand */
        {ALL, 0, 0, S3S_SCAN_LATEST},        /* packed: the table grows */
        {ALL, 0, 2, S3S_SCAN_LATEST},        /* narrow */
        {ALL / 2, 0, 2, S3S_SCAN_HISTORY},
        {ALL / 50, 0, 2, S3S_SCAN_HISTORY},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        merging m;
        merging_open(&m, cases[i].distinct, cases[i].prefix, cases[i].entity);
        m.mode = cases[i].mode;
        assert_true(alloc_sweep(m.env, 1, merge_once, &m) >= 5);
        merging_close(&m);
    }
}

static void test_memory__rows_beyond_what_places_count_are_refused(void **state)
{
    (void)state;
    merging m;
    s3store_error err;
    merged_rows merged;
    merging_open(&m, ALL, 0, 0);
    scan_plan plan = {.out = m.schema, .merge = m.schema, .entity = m.entity, .entity_count = m.entity_count,
                      .version = 1};
    const struct ArrowArray **sources = s3s_calloc(m.env, 2, sizeof *sources);
    struct ArrowArray huge = {.length = INT64_C(3) << 30}; /* nobody looks at its rows */
    sources[0] = sources[1] = &huge;
    assert_fails(s3s_scan_merge(m.env, &plan, S3S_SCAN_LATEST, sources, 2, &merged, &err),
                 S3STORE_LIMIT_EXCEEDED, "6442450944 rows in one partition");
    s3s_scan_merged_deinit(m.env, &merged);
    merging_close(&m);
}

/* ---- sorted runs ------------------------------------------------------------------------------------ */

typedef struct spilling {
    merging m;
    s3s_scan_mode mode;
    size_t piece;       /* rows of each batch that is added */
    uint64_t run_bytes; /* 1: each is a run */
    size_t total;       /* rows that are added, from the start again after the last */
} spilling;

/* All rows of the merging's batches, a piece at a time, through files. */
static s3store_status spill_once(void *ctx, s3store_error *err)
{
    spilling *s = ctx;
    merging *m = &s->m;
    scan_spill *spill = NULL;
    size_t delivered = 0;
    scan_plan plan = {.out = m->schema, .merge = m->schema, .entity = m->entity, .entity_count = m->entity_count,
                      .version = 1};
    scan_spill_options options = {.env = m->env, .plan = &plan, .mode = s->mode, .dir = "/tmp",
                                  .run_bytes = s->run_bytes};
    s3store_status status = s3s_scan_spill_new(&options, &spill, err);
    for (size_t at = 0; status == S3STORE_OK && at < s->total; at += s->piece) {
        struct ArrowArray batch = {0};
        const struct ArrowArray *from = &m->batches[at % ALL / ROWS];
        s3s_row rows[ROWS];
        for (size_t i = 0; i < s->piece; i++)
            rows[i] = (s3s_row){.row = (uint32_t)(at % ROWS + i)};
        status = s3s_batch_take(m->env, m->schema, &from, 1, rows, s->piece, NULL,
                                m->schema->field_count, &batch, err);
        if (status == S3STORE_OK)
            status = s3s_scan_spill_add(spill, &batch, err);
    }
    if (status == S3STORE_OK)
        status = s3s_scan_spill_finish(spill, err);
    uint64_t copies = s->mode == S3S_SCAN_LATEST ? 1 : ALL / m->distinct;
    while (status == S3STORE_OK) {
        struct ArrowArray batch = {0};
        s3s_column number, version;
        status = s3s_scan_spill_next(spill, &batch, err);
        if (status != S3STORE_OK)
            break;
        s3s_batch_column(m->schema, &batch, 2, &number);
        s3s_batch_column(m->schema, &batch, 1, &version);
        for (int64_t i = 0; i < batch.length; i++, delivered++) {
            uint64_t row = UINT64_MAX - (uint64_t)s3s_column_int(&version, i);
            assert_int_equal(s3s_column_int(&number, i), delivered / copies);
            assert_int_equal(row / m->distinct, copies - 1 - delivered % copies);
        }
        s3s_array_release(&batch);
    }
    s3s_scan_spill_free(spill);
    if (status != S3STORE_END)
        return status;
    assert_int_equal(delivered, m->distinct * copies);
    return S3STORE_OK;
}

static void test_memory__runs_on_disk_give_every_row_or_fail(void **state)
{
    (void)state;
    static const spilling cases[] = {
        {.mode = S3S_SCAN_LATEST, .piece = 50, .run_bytes = 1, .total = ALL}, /* 40 runs: 32 of them are joined */
        {.mode = S3S_SCAN_HISTORY, .piece = 500, .run_bytes = 1, .total = ALL},
        {.mode = S3S_SCAN_LATEST, .piece = 20, .run_bytes = 1 << 20, .total = ALL}, /* 100 batches in one run */
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        spilling s = cases[i];
        merging_open(&s.m, ALL / 20, 0, 0);
        assert_true(alloc_sweep(s.m.env, i == 0 ? 3 : 1, spill_once, &s) > 20);
        merging_close(&s.m);
    }
}

/* 3 + 31 + 31 runs of three levels are more than are merged at once: they are joined at the end. */
static void test_memory__runs_of_many_levels_are_joined_before_the_last_merge(void **state)
{
    (void)state;
    s3store_error err;
    spilling s = {.mode = S3S_SCAN_LATEST, .piece = 1, .run_bytes = 1,
                  .total = 3 * 32 * 32 + 31 * 32 + 31};
    merging_open(&s.m, ALL / 4, 0, 2);
    assert_ok(spill_once(&s, &err));
    merging_close(&s.m);
}

/* ---- predicates -------------------------------------------------------------------------------------- */

static const char long_predicate[] =
    "(p in ('a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j') and q >= 'b' and q < 'y') and "
    "not (\"c1\" = 1 or c2 = 2.5 or c3 is null or c4 is not null or c5 not in (1, 2) or c6 = true or "
    "c7 = 'x' or c8 = 7 or c9 = 9) and value >= 0 or entity = 'a' and p = 'a'";
static const char narrowing_predicate[] = "p in ('x', 'y') and q > 'b' and q <= 'd' and value = 1";

typedef struct predicates {
    fixture fx;
    const char *text;
    size_t bound; /* how often the patterns came out as narrow as they can be */
} predicates;

static s3store_status parse_and_narrow(void *ctx, s3store_error *err)
{
    predicates *t = ctx;
    const char *pattern = "";
    const char *const *patterns = &pattern;
    size_t count = 1;
    where *w = NULL;
    s3s_arena arena;
    s3s_file_set set;
    s3s_partition_files partitions[] = {{.key = "p=a/q=c", .file_count = 1},
                                        {.key = "p=x/q=c", .file_count = 1},
                                        {.key = "p=z/q=z", .file_count = 1}};
    s3s_arena_init(&arena, t->fx.env);
    s3s_file_set_init(&set, t->fx.env);
    set.partitions = partitions;
    set.partition_count = set.file_count = 3;
    s3store_status status =
        s3s_scan_narrow_patterns(t->fx.target, &arena, t->text, &patterns, &count, err);
    if (status == S3STORE_OK)
        status = s3s_where_parse(&arena, t->text, &w, err);
    if (status == S3STORE_OK)
        status = s3s_where_partitions(t->fx.env, w, &t->fx.target->settings, &set, err);
    if (status == S3STORE_OK && t->text == narrowing_predicate) {
        if (count == 2) { /* else a bound was not made: more is listed, and nothing is left out */
            assert_non_null(strstr(patterns[0], "p=x/"));
            assert_non_null(strstr(patterns[1], "p=y/"));
            t->bound += strcmp(patterns[1], "p=y/q=b..e") == 0;
        } else {
            assert_int_equal(count, 1);
            assert_string_equal(patterns[0], "*/q=b..e");
        }
        assert_int_equal(set.partition_count, 1);
        assert_string_equal(set.partitions[0].key, "p=x/q=c");
    } else if (status == S3STORE_OK) {
        assert_int_equal(count, 1);
        assert_string_equal(patterns[0], "*/*");
        assert_int_equal(set.partition_count, 1);
        assert_string_equal(set.partitions[0].key, "p=a/q=c");
    }
    set.partitions = NULL;
    set.partition_count = set.file_count = 0;
    s3s_file_set_deinit(&set);
    s3s_arena_deinit(&arena);
    return status;
}

static void test_memory__a_predicate_narrows_or_fails_and_never_leaves_out_more(void **state)
{
    (void)state;
    static const char *const by[] = {"p", "q"};
    const char *const texts[] = {long_predicate, narrowing_predicate};
    for (size_t i = 0; i < 2; i++) {
        predicates t = {.text = texts[i]};
        fixture_options options = {.partition_by = by, .partition_by_count = 2};
        fixture_open(&t.fx, NULL, &options);
        t.fx.target->has_descriptor = true;
        size_t points = alloc_sweep(t.fx.env, 1, parse_and_narrow, &t);
        assert_true(points > 20 && t.bound < points);
        assert_true(i == 0 || t.bound >= 2); /* at the first and the last time, with all the memory */
        fixture_close_clean(&t.fx);
    }
}

/* ---- whole scans ------------------------------------------------------------------------------------- */

typedef struct scanning {
    fixture fx;
    s3s_scan_options o;
    const char *rows;
    s3store_status also; /* what goes wrong besides */
    bool much;           /* by the sizes that the listing says */
} scanning;

static s3store_status scan_once(void *ctx, s3store_error *err)
{
    static const char *const everything[] = {""};
    scanning *s = ctx;
    s3s_file_set files;
    s3s_scan *scan = NULL;
    char text[1024] = "";
    s3s_file_set_init(&files, s->fx.env);
    s3store_status status = s3s_resolve_patterns(s->fx.target, NULL, everything, 1, &files, err);
    if (status != S3STORE_OK) {
        s3s_file_set_deinit(&files);
        return status;
    }
    for (size_t p = 0; s->much && p < files.partition_count; p++)
        files.partitions[p].files[0].size = UINT64_MAX;
    status = s3s_scan_open(s->fx.target, &files, &s->o, &scan, err);
    while (status == S3STORE_OK) {
        struct ArrowArray batch = {0};
        status = s3s_scan_next(scan, &batch, NULL, err);
        if (status == S3STORE_OK)
            fixture_batch_text(s3s_scan_schema(scan), &batch, text, sizeof text);
        s3s_array_release(&batch);
    }
    s3s_scan_free(scan);
    if (status == S3STORE_END || (status == s->also && status != S3STORE_OK)) {
        assert_string_equal(text, s->rows);
        return S3STORE_OK;
    }
    assert_int_equal(strncmp(s->rows, text, strlen(text)), 0); /* what came before was right */
    return status;
}

static s3s_fault_decision deny_the_last(void *ctx, s3s_fault_verb verb, const char *key,
                                        uint64_t sequence)
{
    s3s_fault_decision d = S3S_FAULT_NONE;
    (void)ctx;
    (void)sequence;
    if (verb == S3S_VERB_GET && strstr(key, "/p=2/") != NULL)
        d.before = S3STORE_PERMISSION_DENIED;
    return d;
}

static void sweep_scan(const s3s_scan_options *o, const fixture_options *options, const char *rows,
                       bool denied, bool much)
{
    scanning s = {.o = *o, .rows = rows, .much = much};
    fixture_open(&s.fx, NULL, options);
    kit_write(&s.fx, "p=1", (fixture_row[]){{"a", 1, 1, false}, {"a", 2, 2, false}}, 2);
    kit_write(&s.fx, "p=1", (fixture_row[]){{"b", 1, 3, false}, {"c", 1, 4, false}}, 2);
    kit_write(&s.fx, "p=2", (fixture_row[]){{"d", 1, 5, false}}, 1);
    if (denied) {
        s.fx.hook = deny_the_last;
        s.also = S3STORE_PERMISSION_DENIED;
    }
    assert_true(alloc_sweep(s.fx.env, 1, scan_once, &s) > 50);
    s.fx.hook = NULL;
    fixture_close_clean(&s.fx);
}

static void test_memory__a_scan_gives_what_is_right_before_it_fails(void **state)
{
    (void)state;
    static const char *const columns[] = {"value"};
    const fixture_options one = {.max_inflight = 1}, four = {.max_inflight = 4};
    s3s_schema *fixed = NULL;
    s3s_env *env = NULL;
    s3store_error err;
    s3s_scan_options o = kit_options(S3S_SCAN_LATEST);
    assert_ok(s3s_env_new_real(&env, &err));
    assert_ok(s3s_record_schema(env, &fixture_row_type, &fixed, &err));
    sweep_scan(&o, &one, "a|2|2;b|1|3;c|1|4;", true, false);
    sweep_scan(&o, &one, "a|2|2;b|1|3;c|1|4;d|1|5;", false, true); /* the footers first */
    o.columns = columns;
    o.column_count = 1;
    o.limit = 3;
    o.where = "value >= 2 and version is not null and entity in ('a', 'b', 'd')";
    sweep_scan(&o, &one, "2;3;5;", false, false);
    o.where = "entity != 'b'";
    sweep_scan(&o, &one, "2;4;5;", false, false); /* before the merge */
    o.merge_bytes = 1; /* on disk */
    o.where = "value != 3";
    sweep_scan(&o, &one, "2;4;5;", false, false);
    o = kit_options(S3S_SCAN_ROWS);
    o.limit = 3;
    sweep_scan(&o, &one, "a|1|1;a|2|2;b|1|3;", false, false);
    o.limit = 0;
    o.fixed = fixed; /* with workers: where one is not started, the others do it */
    sweep_scan(&o, &four, "a|1|1;a|2|2;b|1|3;c|1|4;", true, false);
    o = kit_options(S3S_SCAN_HISTORY);
    o.fixed = fixed;
    sweep_scan(&o, &four, "a|1|1;a|2|2;b|1|3;c|1|4;d|1|5;", false, false);
    o = kit_options(S3S_SCAN_LATEST);
    o.where = "another = 1"; /* the file that cannot be read may have it */
    sweep_scan(&o, &one, "", true, false);
    s3s_schema_release(fixed);
    s3s_env_release(env);
}

/* A failure whose own words found no room is one of memory, and still in its place. */
static void test_memory__an_error_that_nobody_could_keep_is_out_of_memory(void **state)
{
    (void)state;
    for (int way = 0; way < 4; way++) {
        fixture fx;
        s3store_error err;
        s3s_schema *fixed = NULL;
        s3s_file_set files;
        s3s_scan *scan = NULL;
        struct ArrowArray batch = {0};
        fixture_options options = {.max_inflight = 1};
        fixture_open(&fx, NULL, &options);
        kit_write(&fx, "p=1", (fixture_row[]){{"a", 1, 1, false}}, 1);
        assert_ok(s3s_record_schema(fx.env, &fixture_row_type, &fixed, &err));
        s3s_scan_options o = kit_options(way % 2 == 0 ? S3S_SCAN_LATEST : S3S_SCAN_ROWS);
        o.fixed = fixed;
        kit_files(&fx, "", &files);
        assert_ok(s3s_scan_open(fx.target, &files, &o, &scan, &err));
        if (way % 2 == 0)
            scan->locked.partitions[0].state = PARTITION_FAILED;
        else
            scan->locked.files[0].state = FILE_FAILED;
        if (way < 2)
            assert_fails(s3s_scan_next(scan, &batch, NULL, &err), S3STORE_OUT_OF_MEMORY, NULL);
        else
            assert_int_equal(s3s_scan_next(scan, &batch, NULL, NULL), S3STORE_OUT_OF_MEMORY);
        assert_int_equal(s3s_scan_next(scan, &batch, NULL, NULL), S3STORE_OUT_OF_MEMORY);
        s3s_scan_free(scan);
        s3s_schema_release(fixed);
        fixture_close_clean(&fx);
    }
}

/* ---- what the C library may refuse ---------------------------------------------------------------- */

/* The linker puts these in the place of the library's own (CMakeLists.txt). */
int __real_pthread_mutex_init(pthread_mutex_t *mutex, const pthread_mutexattr_t *attr);
int __real_pthread_mutex_destroy(pthread_mutex_t *mutex);
int __real_pthread_cond_init(pthread_cond_t *cond, const pthread_condattr_t *attr);
int __real_pthread_cond_destroy(pthread_cond_t *cond);
locale_t __real_newlocale(int mask, const char *name, locale_t base);
ssize_t __real_getrandom(void *buffer, size_t size, unsigned flags);
int __wrap_pthread_mutex_init(pthread_mutex_t *mutex, const pthread_mutexattr_t *attr);
int __wrap_pthread_mutex_destroy(pthread_mutex_t *mutex);
int __wrap_pthread_cond_init(pthread_cond_t *cond, const pthread_condattr_t *attr);
int __wrap_pthread_cond_destroy(pthread_cond_t *cond);
locale_t __wrap_newlocale(int mask, const char *name, locale_t base);
ssize_t __wrap_getrandom(void *buffer, size_t size, unsigned flags);

static atomic_int refusals = -1; /* the n-th from now is refused; < 0: none is */
static atomic_int made;          /* mutexes and conditions that are there */

static bool is_refused(void)
{
    return atomic_load(&refusals) >= 0 && atomic_fetch_sub(&refusals, 1) == 0;
}

int __wrap_pthread_mutex_init(pthread_mutex_t *mutex, const pthread_mutexattr_t *attr)
{
    if (is_refused())
        return EAGAIN;
    atomic_fetch_add(&made, 1);
    return __real_pthread_mutex_init(mutex, attr);
}

int __wrap_pthread_mutex_destroy(pthread_mutex_t *mutex)
{
    atomic_fetch_sub(&made, 1);
    return __real_pthread_mutex_destroy(mutex);
}

int __wrap_pthread_cond_init(pthread_cond_t *cond, const pthread_condattr_t *attr)
{
    if (is_refused())
        return EAGAIN;
    atomic_fetch_add(&made, 1);
    return __real_pthread_cond_init(cond, attr);
}

int __wrap_pthread_cond_destroy(pthread_cond_t *cond)
{
    atomic_fetch_sub(&made, 1);
    return __real_pthread_cond_destroy(cond);
}

locale_t __wrap_newlocale(int mask, const char *name, locale_t base)
{
    return is_refused() ? (locale_t)0 : __real_newlocale(mask, name, base);
}

ssize_t __wrap_getrandom(void *buffer, size_t size, unsigned flags)
{
    if (!is_refused())
        return __real_getrandom(buffer, size, flags);
    errno = ENOSYS;
    return -1;
}

/* Whoever could guess the seed of the table could choose keys that collide. */
static void test_memory__a_merge_without_randomness_fails(void **state)
{
    (void)state;
    static const size_t prefixes[] = {0, 20, 60};
    for (size_t i = 0; i < 3; i++) {
        merging m;
        s3store_error err = {0};
        merging_open(&m, ALL, prefixes[i], 0);
        m.mode = S3S_SCAN_LATEST;
        atomic_store(&refusals, 0);
        s3store_status status = merge_once(&m, &err);
        atomic_store(&refusals, -1);
        assert_int_equal(status, S3STORE_IO);
        assert_non_null(strstr(err.message, strerror(ENOSYS)));
        assert_ok(merge_once(&m, &err));
        merging_close(&m);
    }
}

static void test_memory__locks_that_cannot_be_made_are_an_error_and_the_others_are_destroyed(
    void **state)
{
    (void)state;
    enum { LOCKS = 4 }; /* of a scan: a mutex and three conditions */
    fixture fx;
    s3store_error err;
    fixture_open(&fx, NULL, NULL);
    kit_write(&fx, "p=1", (fixture_row[]){{"a", 1, 1, false}}, 1);
    for (int n = 0; n < LOCKS; n++) {
        s3s_file_set files;
        s3s_scan *scan = NULL;
        s3s_scan_options o = kit_options(S3S_SCAN_LATEST);
        kit_files(&fx, "", &files);
        int before = atomic_load(&made);
        uint64_t live = s3s_env_live_allocs(fx.env);
        atomic_store(&refusals, n);
        s3store_status status = s3s_scan_open(fx.target, &files, &o, &scan, &err);
        atomic_store(&refusals, -1);
        assert_int_equal(status, err.status);
        assert_int_not_equal(status, S3STORE_OK);
        assert_non_null(strstr(err.message, n == 0 ? "create a mutex" : "create a condition"));
        assert_null(scan);
        assert_int_equal(atomic_load(&made), before);
        assert_true(s3s_env_live_allocs(fx.env) < live); /* the files are gone with it */
    }
    fixture_close_clean(&fx);
}

/* A number with a point is read in the locale "C", whatever the host's is. */
static void test_memory__a_number_without_a_locale_to_read_it_is_out_of_memory(void **state)
{
    (void)state;
    static const char *const texts[] = {"value > 1.5", "real > 1.5"};
    fixture fx;
    s3store_error err;
    fixture_open(&fx, NULL, NULL);
    for (size_t i = 0; i < 2; i++) {
        s3s_arena arena;
        s3s_schema *schema = NULL;
        where *w = NULL;
        s3s_arena_init(&arena, fx.env);
        assert_ok(s3s_schema_new(fx.env, 2, &schema, &err));
        assert_true(s3s_type_from_text("int64", &schema->fields[0]));
        assert_true(s3s_type_from_text("double", &schema->fields[1]));
        schema->fields[0].name = "value";
        schema->fields[1].name = "real";
        assert_ok(s3s_where_parse(&arena, texts[i], &w, &err));
        atomic_store(&refusals, 0);
        s3store_status status = s3s_where_bind(w, schema, &err);
        atomic_store(&refusals, -1);
        assert_int_equal(status, S3STORE_OUT_OF_MEMORY);
        assert_int_equal(err.status, S3STORE_OUT_OF_MEMORY);
        assert_ok(s3s_where_bind(w, schema, &err));
        s3s_schema_release(schema);
        s3s_arena_deinit(&arena);
    }
    fixture_close_clean(&fx);
}

int run_memory_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_memory__a_merge_is_whole_or_fails_however_long_keys_are),
        cmocka_unit_test(test_memory__rows_beyond_what_places_count_are_refused),
        cmocka_unit_test(test_memory__runs_on_disk_give_every_row_or_fail),
        cmocka_unit_test(test_memory__runs_of_many_levels_are_joined_before_the_last_merge),
        cmocka_unit_test(test_memory__a_predicate_narrows_or_fails_and_never_leaves_out_more),
        cmocka_unit_test(test_memory__a_scan_gives_what_is_right_before_it_fails),
        cmocka_unit_test(test_memory__an_error_that_nobody_could_keep_is_out_of_memory),
        cmocka_unit_test(
            test_memory__locks_that_cannot_be_made_are_an_error_and_the_others_are_destroyed),
        cmocka_unit_test(test_memory__a_merge_without_randomness_fails),
        cmocka_unit_test(test_memory__a_number_without_a_locale_to_read_it_is_out_of_memory),
    };
    return cmocka_run_group_tests_name("memory", tests, NULL, NULL);
}
