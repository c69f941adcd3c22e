/* Scenarios of Parquet files by themselves: those of other programs are read, one of ours is written. */
#include "torture/torture.h"

#include <stdlib.h>
#include <unistd.h>

/* From tests/data: nested columns, dictionaries, statistics, every codec, pages of both versions. */
static const char *const paths[] = {
    "tests/data/parquet/nested_maps.snappy.parquet",
    "tests/data/parquet/alltypes_tiny_pages.parquet",
    "tests/data/foreign/08-brotli.parquet",
    "tests/data/parquet/datapage_v2.snappy.parquet",
    "tests/data/parquet/delta_encoding_optional_column.parquet",
    "tests/data/foreign/05-v2.parquet",
    "tests/data/foreign/07-gzip.parquet",
    "tests/data/foreign/09-lz4.parquet",
};
#define PATHS (sizeof paths / sizeof paths[0])

static void nothing(torture *t)
{
    (void)t;
}

static s3store_status read_one(torture *t, const char *path, s3store_error *err)
{
    struct ArrowArrayStream stream;
    int64_t rows = 0;
    s3store_parquet_options o = S3STORE_PARQUET_OPTIONS_INIT;
    o.limit = 50;
    s3store_status status = s3store_parquet_read(path, &o, &stream, err);
    if (status != S3STORE_OK)
        return status;
    status = stream_count(&stream, &rows, err);
    if (status == S3STORE_OK)
        torture_add(t, "%lld ", (long long)rows);
    return status;
}

static s3store_status run_read(torture *t, s3store_error *err)
{
    s3store_status status = S3STORE_OK;
    for (size_t i = 0; i < PATHS && status == S3STORE_OK; i++)
        status = read_one(t, paths[i], err);
    return status;
}

static bool count_text(void *ctx, const char *text, size_t size)
{
    torture *t = ctx;
    (void)text;
    t->number += size;
    return true;
}

static s3store_status run_describe(torture *t, s3store_error *err)
{
    s3store_status status = S3STORE_OK;
    t->number = 0;
    for (int what = S3STORE_PARQUET_SCHEMA; what <= S3STORE_PARQUET_PAGES; what++)
        for (int json = 0; json < 2 && status == S3STORE_OK; json++)
            status = s3store_parquet_describe(paths[0], (s3store_parquet_part)what, json == 1,
                                              NULL, count_text, t, err);
    if (status == S3STORE_OK)
        torture_add(t, "%llu", (unsigned long long)t->number);
    return status;
}

static void begin_write(torture *t)
{
    make_stream("id:u n:l x:g flag:b", "a 1 0.5 true;b 2 1.5 false;c - - -;d 4 4.5 true",
                &t->input);
}

static const char *written_path(const torture *t)
{
    static char path[URL_SIZE];
    snprintf(path, sizeof path, "%s/file-%u.parquet", t->dir, t->run);
    return path;
}

static s3store_status run_write(torture *t, s3store_error *err)
{
    static const char *const bloom[] = {"id"};
    s3store_parquet_write_options o = S3STORE_PARQUET_WRITE_OPTIONS_INIT;
    o.compression = S3STORE_COMPRESSION_ZSTD;
    o.page_bytes = 16;
    o.row_group_bytes = 64;
    o.bloom_columns = bloom;
    o.bloom_column_count = 1;
    s3store_status status = s3store_parquet_write(written_path(t), &t->input, &o, err);
    assert_null(t->input.release);
    return status;
}

/* The file is there, complete, or not at all. */
static void check_write(torture *t, s3store_status status, const s3store_error *e, bool hit)
{
    s3store_error err = {0};
    struct ArrowArrayStream stream;
    (void)e;
    (void)hit;
    assert_true((access(written_path(t), F_OK) == 0) == (status == S3STORE_OK));
    if (status != S3STORE_OK) {
        begin_write(t);
        assert_ok(run_write(t, &err));
    }
    assert_ok(s3store_parquet_read_file(written_path(t), &stream, &err));
    t->text[0] = '\0';
    assert_ok(torture_drain(t, &stream, &err));
    assert_string_equal(t->text, "a|1|0.5|true;b|2|1.5|false;c|-|-|-;d|4|4.5|true;");
    assert_int_equal(unlink(written_path(t)), 0);
}

static char whole_read[256], whole_description[64];

static void check_same(torture *t, s3store_status status,
                       s3store_status (*run)(torture *t, s3store_error *err), char *whole,
                       size_t whole_size)
{
    s3store_error err = {0};
    static char seen[sizeof t->text];
    memcpy(seen, t->text, sizeof seen);
    if (whole[0] == '\0') {
        t->text[0] = '\0';
        assert_ok(run(t, &err));
        assert_in_range(strlen(t->text), 1, whole_size - 1);
        strcpy(whole, t->text);
    }
    if (status == S3STORE_OK)
        assert_string_equal(seen, whole);
}

static void check_read(torture *t, s3store_status status, const s3store_error *err, bool hit)
{
    (void)err;
    (void)hit;
    check_same(t, status, run_read, whole_read, sizeof whole_read);
}

static void check_describe(torture *t, s3store_status status, const s3store_error *err, bool hit)
{
    (void)err;
    (void)hit;
    check_same(t, status, run_describe, whole_description, sizeof whole_description);
}

const scenario file_scenarios[] = {
    {.name = "parquet-read", .memory_only = true, .no_store = true, .prepare = nothing,
     .run = run_read, .check = check_read},
    {.name = "parquet-describe", .memory_only = true, .no_store = true, .prepare = nothing,
     .run = run_describe, .check = check_describe},
    {.name = "parquet-write", .memory_only = true, .no_store = true, .prepare = nothing,
     .begin = begin_write, .run = run_write, .check = check_write},
    {0},
};
