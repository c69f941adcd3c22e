/* The same write gives the same objects, byte for byte, when clock, randomness and insertion time are
 * the same; and what tells a retry from other data does not depend on how the rows came.
 */
#include "unit/write/stage.h"

#include <stdlib.h>

#include "base/bytes.h"

#define INSERTED_AT (STAGE_START_US - 5 * SECOND)

/* ---- everything that is in the store --------------------------------------------------------- */

typedef struct dump {
    const s3store_object_store *store;
    const char *suffix; /* only these, without their keys; NULL = all, with keys and metadata */
    char *bytes;
    size_t size, objects;
} dump;

static void add(dump *d, const void *bytes, size_t size)
{
    d->bytes = realloc(d->bytes, d->size + size + 1);
    assert_non_null(d->bytes);
    memcpy(d->bytes + d->size, bytes, size);
    d->size += size;
}

typedef struct body_sink {
    s3store_sink sink;
    dump *dump;
} body_sink;

static s3store_status begin_body(s3store_sink *sink, int64_t size, s3store_error *err)
{
    (void)sink;
    (void)size;
    (void)err;
    return S3STORE_OK;
}

static s3store_status write_body(s3store_sink *sink, const void *data, size_t size,
                                 s3store_error *err)
{
    (void)err;
    add(((body_sink *)sink)->dump, data, size);
    return S3STORE_OK;
}

static bool add_object(void *ctx, const s3store_list_entry *entry)
{
    dump *d = ctx;
    s3store_error err;
    s3store_object_info info;
    if (d->suffix != NULL && !s3s_ends_with(entry->key, d->suffix))
        return true;
    body_sink sink = {.sink = {.begin = begin_body, .write = write_body}, .dump = d};
    s3store_get_request get = {
        .size = sizeof get, .key = entry->key, .length = S3STORE_LENGTH_ALL};
    assert_ok(s3s_get(d->store, NULL, &get, &sink.sink, &info, &err));
    d->objects++;
    if (d->suffix != NULL)
        return true;
    add(d, entry->key, strlen(entry->key) + 1);
    add(d, &entry->last_modified_us, sizeof entry->last_modified_us);
    for (size_t i = 0; i < info.metadata.count; i++)
        add(d, info.metadata.text + info.metadata.entries[i].value,
            strlen(info.metadata.text + info.metadata.entries[i].value) + 1);
    return true;
}

static dump dump_store(const stage *s, const char *suffix)
{
    s3store_error err;
    dump d = {.store = &s->memory, .suffix = suffix};
    assert_ok(s3s_list_all(&s->memory, NULL, "ds/", NULL, 0, add_object, &d, NULL, &err));
    assert_true(d.objects > 0);
    return d;
}

/* Frees both. */
static void assert_same(dump *a, dump *b)
{
    assert_int_equal(a->objects, b->objects);
    assert_int_equal(a->size, b->size);
    assert_memory_equal(a->bytes, b->bytes, a->size);
    free(a->bytes);
    free(b->bytes);
}

/* ---- one write, in different ways ------------------------------------------------------------ */

typedef struct quake {
    const char *p, *id;
    int64_t v;
    double mag;
    bool mag_is_null;
} quake;

static const s3store_record_type quake_type = S3STORE_RECORD_TYPE(
    quake, ((const s3store_field[]){
               {"p", S3STORE_KIND_CSTRING, offsetof(quake, p)},
               {"id", S3STORE_KIND_CSTRING, offsetof(quake, id)},
               {"v", S3STORE_KIND_INT64, offsetof(quake, v)},
               {"mag", S3STORE_KIND_DOUBLE, offsetof(quake, mag), S3STORE_NULL_FLAG,
                offsetof(quake, mag_is_null)},
           }));
static const quake quakes[] = {
    {"a", "x", 1, 4.5, false}, {"b", "y", 2, 0, true},    {"a", "z", 3, 1.25, false},
    {"c", "x", 4, -1, false},  {"b", "w", 5, 2.5, false}, {"a", "x", 6, 0, true},
};
#define QUAKES (sizeof quakes / sizeof quakes[0])

static const char columns[] = "p:string;id:string;v:int64;mag:double?";
#define QUAKE_ROWS                                                                                 \
    ROWS("a|x|1|4.5", "b|y|2|null", "a|z|3|1.25", "c|x|4|-1", "b|w|5|2.5", "a|x|6|null")

typedef enum door { ARROW, ARROW_IN_BATCHES, STRUCTS } door;

static void write_quakes(stage *s, door by, const s3store_write_options *options)
{
    s3store_error err;
    s3store_write_result *result = NULL;
    struct ArrowArrayStream stream;
    stage_batches batches = {0};
    switch (by) {
    case ARROW:
        assert_ok(stage_write(s, columns, QUAKE_ROWS, options, NULL, &err));
        return;
    case ARROW_IN_BATCHES:
        stage_batches_add(s, &batches, columns, ROWS("a|x|1|4.5"));
        stage_batches_add(s, &batches, columns, ROWS("b|y|2|null", "a|z|3|1.25"));
        stage_batches_add(s, &batches, columns, ROWS("c|x|4|-1", "b|w|5|2.5", "a|x|6|null"));
        stage_batches_stream(&batches, &stream);
        assert_ok(s3s_write(s->writer, &stream, options, &result, &err));
        break;
    case STRUCTS:
        assert_ok(s3store_write_records(s->writer, &quake_type, quakes, QUAKES, options, &result,
                                        &err));
        break;
    }
    s3store_write_result_free(result);
}

static s3store_write_options options_of(const char *token, s3store_compression compression)
{
    s3store_write_options options = S3STORE_WRITE_OPTIONS_INIT;
    options.token = token;
    options.compression = compression;
    options.inserted_at_us = INSERTED_AT;
    return options;
}

/* A dataset with one write with a token and one without. */
static dump write_all(door by, s3store_compression compression)
{
    stage s;
    stage_open(&s, &(stage_options){.entity = true, .inserted_at_column = "seen"});
    s3store_write_options options = options_of("batch", compression);
    write_quakes(&s, by, &options);
    options.token = NULL;
    write_quakes(&s, by, &options);
    dump d = dump_store(&s, NULL);
    stage_close(&s);
    return d;
}

static const s3store_compression compressions[] = {
    S3STORE_COMPRESSION_SNAPPY, S3STORE_COMPRESSION_ZSTD, S3STORE_COMPRESSION_GZIP,
    S3STORE_COMPRESSION_UNCOMPRESSED};

static void test_determinism__keys_times_metadata_and_bodies_are_the_same(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof compressions / sizeof compressions[0]; i++) {
        dump a = write_all(ARROW, compressions[i]), b = write_all(ARROW, compressions[i]);
        assert_same(&a, &b);
    }
}

static void test_determinism__whichever_door_the_rows_came_through(void **state)
{
    (void)state;
    dump a = write_all(ARROW, S3STORE_COMPRESSION_SNAPPY);
    dump b = write_all(ARROW_IN_BATCHES, S3STORE_COMPRESSION_SNAPPY);
    dump c = write_all(STRUCTS, S3STORE_COMPRESSION_SNAPPY);
    dump d = write_all(ARROW, S3STORE_COMPRESSION_SNAPPY);
    assert_same(&a, &b);
    assert_same(&c, &d);
}

/* Attempt ids and stamps are of the moment; what is in the files is not. */
static void test_determinism__files_do_not_depend_on_clock_and_randomness(void **state)
{
    dump dumps[2];
    (void)state;
    for (int64_t i = 0; i < 2; i++) {
        stage s;
        stage_open(&s, &(stage_options){.entity = true, .inserted_at_column = "seen"});
        uint64_t drawn;
        s3store_error err;
        stage_wait(&s, i * 77 * SECOND + 1);
        if (i > 0)
            assert_ok(s3s_random(s.env, &drawn, sizeof drawn, &err));
        s3store_write_options options = options_of("batch", S3STORE_COMPRESSION_ZSTD);
        write_quakes(&s, ARROW, &options);
        dumps[i] = dump_store(&s, ".parquet");
        stage_close(&s);
    }
    assert_int_equal(dumps[0].objects, 3);
    assert_same(&dumps[0], &dumps[1]);
}

/* ---- the content hash, end to end ------------------------------------------------------------ */

/* The same rows as `quakes`, written again with their token. */
static s3store_status again(stage *s, const char *spec, const char *const *rows, size_t count,
                            s3store_error *err)
{
    s3store_write_options options = options_of("batch", S3STORE_COMPRESSION_DEFAULT);
    s3store_write_result *result = NULL;
    s3store_status status = stage_write(s, spec, rows, count, &options, &result, err);
    for (size_t i = 0; status == S3STORE_OK && i < s3store_write_result_count(result); i++)
        assert_int_equal(s3store_write_result_get(result, i)->state, S3STORE_COMMIT_EXISTING);
    s3store_write_result_free(result);
    return status;
}

static void test_determinism__a_retry_is_known_however_its_rows_come(void **state)
{
    stage s;
    s3store_error err;
    (void)state;
    stage_open(&s, &(stage_options){.entity = true});
    s3store_write_options options = options_of("batch", S3STORE_COMPRESSION_DEFAULT);
    write_quakes(&s, STRUCTS, &options);
    /* By the other door; by other columns in another order; with one more, of nulls; narrower. */
    assert_ok(again(&s, columns, QUAKE_ROWS, &err));
    assert_ok(again(&s, "mag:double?;v:int64?;id:string?;p:string?",
                    ROWS("4.5|1|x|a", "null|2|y|b", "1.25|3|z|a", "-1|4|x|c", "2.5|5|w|b",
                         "null|6|x|a"),
                    &err));
    assert_ok(again(&s, "p:string;id:string;v:int16;mag:float?;more:string?",
                    ROWS("a|x|1|4.5|null", "b|y|2|null|null", "a|z|3|1.25|null", "c|x|4|-1|null",
                         "b|w|5|2.5|null", "a|x|6|null|null"),
                    &err));
    assert_int_equal(stage_count(&s, ".parquet"), 3);
    /* One value of one row is other. */
    assert_fails(again(&s, columns,
                       ROWS("a|x|1|4.5", "b|y|2|null", "a|z|3|1.5", "c|x|4|-1", "b|w|5|2.5",
                            "a|x|6|null"),
                       &err),
                 S3STORE_PARTIAL, "already committed in partition p=a");
    stage_close(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_determinism__keys_times_metadata_and_bodies_are_the_same),
        cmocka_unit_test(test_determinism__whichever_door_the_rows_came_through),
        cmocka_unit_test(test_determinism__files_do_not_depend_on_clock_and_randomness),
        cmocka_unit_test(test_determinism__a_retry_is_known_however_its_rows_come),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
