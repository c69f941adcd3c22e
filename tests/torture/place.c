/* Datasets of the scenarios: in memory, or in a directory. */
#include "torture/torture.h"

#include <stdlib.h>

static const char *const parts_of[] = {"p"};
static const char *const entity_of[] = {"id"};

void torture_begin(torture *t, const place *p, const scenario *s)
{
    s3store_error err;
    memset(t, 0, sizeof *t);
    t->scenario = s;
    t->place = p;
    torture_time_virtual(!p->on_file);
    t->config = (s3store_target_config)S3STORE_TARGET_CONFIG_INIT;
    t->config.partition_by = parts_of;
    t->config.partition_by_count = 1;
    t->config.entity = entity_of;
    t->config.entity_count = 1;
    t->config.version = "v";
    t->config.memory_bytes = s->memory_bytes;
    tempdir_new(t->dir);
    t->config.spill_dir = t->dir;
    if (p->on_file) {
        snprintf(t->url, sizeof t->url, "file://%s/ds?fsync=0", t->dir);
        t->config.url = t->url;
    } else {
        assert_ok(s3store_memory_store_new(&t->memory, &err));
        torture_store_init(&t->faults, t->memory);
        t->config.store = &t->faults.store;
        t->config.prefix = "ds";
        t->config.bucket = "memory";
    }
}

void torture_end(torture *t)
{
    s3store_write_result_free(t->result);
    s3store_entries_free(t->entries);
    s3store_view_free(t->view);
    s3store_records_free(t->records);
    if (t->d.target != NULL)
        dataset_close(&t->d);
    s3store_target_free(t->under);
    if (t->memory != NULL)
        s3store_memory_store_free(t->memory);
    tempdir_remove(t->dir);
    torture_time_virtual(false);
}

/* On file, the store that is to fail is that of a target of its own. */
static void put_faults_in_front(torture *t)
{
    s3store_error err;
    if (!t->place->on_file || !t->place->faults)
        return;
    assert_ok(s3store_target_open(&t->config, &t->under, &err));
    torture_store_init(&t->faults, s3store_target_store(t->under));
    t->config.url = NULL;
    t->config.store = &t->faults.store;
    t->config.prefix = "ds";
    t->config.bucket = t->dir;
}

/* What was written in little memory is looked at with plenty. */
static void read_with_plenty(torture *t)
{
    s3store_error err;
    s3store_target *target;
    s3store_target_config config = t->config;
    config.memory_bytes = 0;
    s3store_reader_free(t->d.reader);
    t->d.reader = NULL;
    assert_ok(s3store_target_open(&config, &target, &err));
    assert_ok(s3store_reader_open(target, NULL, &t->d.reader, &err));
    s3store_target_free(target); /* the reader holds it */
}

void torture_make(torture *t, const scenario *s)
{
    static const char *const view_columns[] = {"id"};
    s3store_error err;
    s3store_view_def view = S3STORE_VIEW_DEF_INIT;
    view.name = "by_id";
    view.columns = view_columns;
    view.column_count = 1;
    const s3store_view_def *views[] = {&view};
    s3store_init_options init = S3STORE_INIT_OPTIONS_INIT;
    init.commit_timeout_us = t->place->on_file ? FILE_TIMEOUT_US : 5000000;
    init.max_clock_skew_us = 0;
    init.views = views;
    init.view_count = 1;
    init.chunk_rows = s->chunk_rows;
    assert_ok(s3store_dataset_init(&t->config, &init, NULL, &err));
    put_faults_in_front(t);
    assert_ok(torture_open(t, &t->d, &err));
    if (s->memory_bytes > 0)
        read_with_plenty(t);
}

s3store_status torture_open(torture *t, dataset *d, s3store_error *err)
{
    memset(d, 0, sizeof *d);
    s3store_status status = s3store_target_open(&t->config, &d->target, err);
    if (status == S3STORE_OK)
        status = s3store_writer_open(d->target, NULL, &d->writer, err);
    if (status == S3STORE_OK)
        status = s3store_reader_open(d->target, NULL, &d->reader, err);
    if (status != S3STORE_OK) {
        assert_null(d->reader);
        s3store_writer_free(d->writer);
        s3store_target_free(d->target);
        memset(d, 0, sizeof *d);
        return status;
    }
    d->store = s3store_target_store(d->target);
    d->prefix = s3store_target_prefix(d->target);
    return S3STORE_OK;
}

void torture_settle(torture *t)
{
    int64_t us = s3store_target_settle_window_us(t->d.target) + 2000;
    if (t->place->on_file)
        sleep_us(us);
    else
        torture_time_pass(us);
}

void torture_fill(torture *t)
{
    static const char *const cells[] = {
        "a x 1 10;a y 1 12;b x 1 -",
        "a x 2 11;c q 1 15",
        "b z 3 14",
    };
    for (size_t i = 0; i < sizeof cells / sizeof cells[0]; i++) {
        s3store_error err;
        struct ArrowArrayStream stream;
        s3store_write_result *result;
        s3store_write_options options = S3STORE_WRITE_OPTIONS_INIT;
        options.token = i == 1 ? "second" : NULL;
        make_stream("p:u id:u v:l value:l", cells[i], &stream);
        s3store_status status = s3store_write(t->d.writer, &stream, &options, &result, &err);
        /* Where time is real, a machine that is busy makes commits late: they count all the same. */
        assert_true(status == S3STORE_OK || status == S3STORE_COMMIT_AFTER_TIMEOUT);
        s3store_write_result_free(result);
    }
    if (t->scenario->polls)
        torture_settle(t);
}

void torture_add(torture *t, const char *format, ...)
{
    va_list list;
    size_t used = strlen(t->text);
    va_start(list, format);
    int n = vsnprintf(t->text + used, sizeof t->text - used, format, list);
    va_end(list);
    assert_in_range(n, 0, sizeof t->text - used - 1);
}

const char *torture_rows(const dataset *d, const char *pattern, bool history)
{
    static char ring[4][8192];
    static unsigned next;
    char *text = ring[next++ % 4];
    s3store_error err;
    struct ArrowArrayStream stream;
    s3store_read_options o = S3STORE_READ_OPTIONS_INIT;
    o.patterns = &pattern;
    o.pattern_count = 1;
    o.history = history;
    text[0] = '\0';
    assert_ok(s3store_read(d->reader, &o, &stream, &err));
    assert_ok(stream_append(&stream, text, sizeof ring[0], &err));
    return text;
}

s3store_status torture_drain(torture *t, struct ArrowArrayStream *stream, s3store_error *err)
{
    return stream_append(stream, t->text, sizeof t->text, err);
}

void torture_check_answer(torture *t, s3store_status status,
                          s3store_status (*run)(torture *t, s3store_error *err), const char *wanted)
{
    s3store_error err = {0};
    if (status == S3STORE_OK)
        assert_string_equal(t->text, wanted);
    t->text[0] = '\0';
    assert_ok(run(t, &err));
    assert_string_equal(t->text, wanted);
}
