/* Streams: our own, foreign ones, and what goes wrong in them. */
#include <errno.h>

#include "unit/arrow/kit.h"

#include "arrow/stream.h"
#include "base/error.h"

/* A source that counts, delivers batches of one row, and may fail. */
typedef struct counter {
    s3s_schema *schema;
    int delivered;
    int total;
    int fail_at; /* -1 = never */
    s3store_status failure;
    int asked;
    int freed;
} counter;

static s3store_status counter_next(void *impl, struct ArrowArray *out, s3store_error *err)
{
    counter *c = impl;
    char row[16];
    c->asked++;
    if (c->delivered == c->fail_at)
        return s3s_fail_key(err, c->failure, "some/key", "it broke at %d", c->delivered);
    if (c->delivered == c->total)
        return S3STORE_END;
    snprintf(row, sizeof row, "%d", c->delivered++);
    KIT_BATCH(c->schema, out, row);
    return S3STORE_OK;
}

static void counter_free(void *impl)
{
    ((counter *)impl)->freed++;
}

static void make(counter *c, struct ArrowArrayStream *stream)
{
    s3store_error err;
    assert_ok(s3s_stream_make(c->schema->env, c->schema,
                              (s3s_batch_source){c, counter_next, counter_free}, stream, &err));
}

static void test_stream__delivers_all_then_the_end_for_ever(void **state)
{
    s3s_env *env = *state;
    s3store_error err;
    counter c = {kit_schema(env, "a:int64"), 0, 3, -1, S3STORE_OK, 0, 0};
    struct ArrowArrayStream stream;
    s3s_stream_reader *reader;
    struct ArrowArray batch;
    make(&c, &stream);
    assert_ok(s3s_stream_reader_new(env, &stream, &reader, &err));
    assert_null(stream.release); /* moved in */
    assert_string_equal(s3s_stream_reader_schema(reader)->fields[0].name, "a");
    for (int i = 0; i < 3; i++) {
        assert_ok(s3s_stream_reader_next(reader, &batch, &err));
        assert_int_equal(batch.length, 1);
        s3s_array_release(&batch);
    }
    assert_int_equal(s3s_stream_reader_next(reader, &batch, &err), S3STORE_END);
    assert_int_equal(s3s_stream_reader_next(reader, &batch, &err), S3STORE_END);
    assert_int_equal(c.asked, 4);
    assert_int_equal(c.freed, 0);
    s3s_stream_reader_free(reader);
    assert_int_equal(c.freed, 1);
    s3s_schema_release(c.schema);
}

static void test_stream__released_half_way_frees_its_source_once(void **state)
{
    s3s_env *env = *state;
    counter c = {kit_schema(env, "a:int64"), 0, 3, -1, S3STORE_OK, 0, 0};
    struct ArrowArrayStream stream;
    struct ArrowArray batch;
    struct ArrowSchema schema;
    make(&c, &stream);
    s3s_schema_release(c.schema); /* the stream holds it */
    assert_int_equal(stream.get_next(&stream, &batch), 0);
    assert_int_equal(stream.get_schema(&stream, &schema), 0);
    assert_null(stream.get_last_error(&stream));
    assert_false(s3store_stream_error(&stream, NULL));
    stream.release(&stream);
    assert_null(stream.release);
    assert_int_equal(c.freed, 1);
    assert_string_equal(schema.children[0]->name, "a");
    schema.release(&schema);
    assert_int_equal(*(const int64_t *)batch.children[0]->buffers[1], 0);
    batch.release(&batch);
}

static void test_stream__failures_have_errno_text_and_the_whole_error(void **state)
{
    s3s_env *env = *state;
    static const struct {
        s3store_status status;
        int code;
    } cases[] = {{S3STORE_CANCELLED, ECANCELED},     {S3STORE_OUT_OF_MEMORY, ENOMEM},
                 {S3STORE_INVALID_ARGUMENT, EINVAL}, {S3STORE_SCHEMA_MISMATCH, EINVAL},
                 {S3STORE_CORRUPT, EIO},             {S3STORE_UNAVAILABLE, EIO}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        counter c = {kit_schema(env, "a:int64"), 0, 3, 1, cases[i].status, 0, 0};
        struct ArrowArrayStream stream;
        struct ArrowArray batch;
        s3store_error error;
        make(&c, &stream);
        assert_int_equal(stream.get_next(&stream, &batch), 0);
        batch.release(&batch);
        for (int again = 0; again < 2; again++) {
            assert_int_equal(stream.get_next(&stream, &batch), cases[i].code);
            assert_null(batch.release);
            assert_string_equal(stream.get_last_error(&stream), "it broke at 1");
        }
        assert_int_equal(c.asked, 2); /* a failure is kept */
        struct ArrowSchema schema;
        assert_int_equal(stream.get_schema(&stream, &schema), 0);
        schema.release(&schema);
        assert_true(s3store_stream_error(&stream, &error));
        assert_int_equal(error.status, cases[i].status);
        assert_string_equal(error.key, "some/key");
        stream.release(&stream);
        assert_false(s3store_stream_error(&stream, &error));
        s3s_schema_release(c.schema);
    }
    assert_false(s3store_stream_error(NULL, NULL));
}

static void test_stream__errors_of_our_own_pass_through_a_reader_whole(void **state)
{
    s3s_env *env = *state;
    s3store_error err;
    counter c = {kit_schema(env, "a:int64"), 0, 3, 0, S3STORE_UNAVAILABLE, 0, 0};
    struct ArrowArrayStream stream;
    struct ArrowArray batch;
    s3s_stream_reader *reader;
    make(&c, &stream);
    assert_ok(s3s_stream_reader_new(env, &stream, &reader, &err));
    for (int again = 0; again < 2; again++) {
        assert_fails(s3s_stream_reader_next(reader, &batch, &err), S3STORE_UNAVAILABLE,
                     "it broke at 0");
        assert_string_equal(err.key, "some/key");
    }
    assert_int_equal(c.asked, 1);
    s3s_stream_reader_free(reader);
    s3s_stream_reader_free(NULL);
    s3s_schema_release(c.schema);
}

/* ---- foreign --------------------------------------------------------------------------------- */

typedef struct foreign {
    int schema_code;
    int next_code;
    const char *text;
    const char *format; /* of the schema's top */
    s3s_schema *schema;
    int released;
    bool bad_batch;
} foreign;

static int foreign_schema(struct ArrowArrayStream *stream, struct ArrowSchema *out)
{
    foreign *f = stream->private_data;
    s3store_error err;
    if (f->schema_code != 0)
        return f->schema_code;
    assert_ok(s3s_schema_export(f->schema, out, &err));
    if (f->format != NULL)
        out->format = f->format;
    return 0;
}

static int foreign_next(struct ArrowArrayStream *stream, struct ArrowArray *out)
{
    foreign *f = stream->private_data;
    memset(out, 0x5A, sizeof *out); /* garbage where it fails, as the interface allows */
    if (f->next_code != 0)
        return f->next_code;
    KIT_BATCH(f->schema, out, "1");
    if (f->bad_batch)
        out->children[0]->n_buffers = 1;
    return 0;
}

static const char *foreign_error(struct ArrowArrayStream *stream)
{
    return ((foreign *)stream->private_data)->text;
}

static void foreign_release(struct ArrowArrayStream *stream)
{
    ((foreign *)stream->private_data)->released++;
    stream->release = NULL;
}

static struct ArrowArrayStream foreign_stream(foreign *f)
{
    return (struct ArrowArrayStream){foreign_schema, foreign_next, foreign_error, foreign_release,
                                     f};
}

static void test_stream__foreign_errors_keep_their_text_and_kind(void **state)
{
    s3s_env *env = *state;
    s3store_error err;
    foreign f = {.schema = kit_schema(env, "a:int64"), .schema_code = EINVAL, .text = "no idea"};
    struct ArrowArrayStream stream = foreign_stream(&f);
    s3s_stream_reader *reader;
    struct ArrowArray batch;
    assert_fails(s3s_stream_reader_new(env, &stream, &reader, &err), S3STORE_INVALID_ARGUMENT,
                 "no idea");
    assert_null(reader);
    assert_null(stream.release);
    assert_int_equal(f.released, 1);
    f = (foreign){.schema = f.schema, .next_code = EIO};
    stream = foreign_stream(&f);
    assert_ok(s3s_stream_reader_new(env, &stream, &reader, &err));
    assert_fails(s3s_stream_reader_next(reader, &batch, &err), S3STORE_IO, "next batch (errno 5)");
    assert_null(batch.release);
    assert_fails(s3s_stream_reader_next(reader, &batch, &err), S3STORE_IO, "next batch");
    s3s_stream_reader_free(reader);
    assert_int_equal(f.released, 1);
    f = (foreign){.schema = f.schema, .format = "l"};
    stream = foreign_stream(&f);
    assert_fails(s3s_stream_reader_new(env, &stream, &reader, &err), S3STORE_INVALID_ARGUMENT,
                 "\"+s\"");
    assert_int_equal(f.released, 1);
    assert_fails(s3s_stream_reader_new(env, &stream, &reader, &err), S3STORE_INVALID_ARGUMENT,
                 "already released");
    s3s_schema_release(f.schema);
}

static void test_stream__foreign_batches_are_validated_and_counted(void **state)
{
    s3s_env *env = *state;
    s3store_error err;
    foreign f = {.schema = kit_schema(env, "a:int64")};
    struct ArrowArrayStream stream = foreign_stream(&f);
    s3s_stream_reader *reader;
    struct ArrowArray batch;
    assert_ok(s3s_stream_reader_new(env, &stream, &reader, &err));
    assert_ok(s3s_stream_reader_next(reader, &batch, &err));
    s3s_array_release(&batch);
    f.bad_batch = true;
    assert_fails(s3s_stream_reader_next(reader, &batch, &err), S3STORE_CORRUPT,
                 "batch 1 of the Arrow stream: column \"a\"");
    assert_null(batch.release);
    /* Who passes no error learns the same status. */
    assert_int_equal(s3s_stream_reader_next(reader, &batch, NULL), S3STORE_CORRUPT);
    assert_null(batch.release);
    s3s_stream_reader_free(reader);
    assert_int_equal(f.released, 1);
    s3s_schema_release(f.schema);
}

/* ---- from batches ---------------------------------------------------------------------------- */

static void test_stream__from_batches_takes_everything_over(void **state)
{
    s3s_env *env = *state;
    s3store_error err;
    s3s_schema *schema = kit_schema(env, "a:int64;b:string?");
    struct ArrowSchema abi;
    struct ArrowArray batches[3];
    struct ArrowArrayStream stream;
    struct ArrowArray batch;
    for (int round = 0; round < 2; round++) {
        assert_ok(s3s_schema_export(schema, &abi, &err));
        KIT_BATCH(schema, &batches[0], "1|x");
        KIT_BATCH(schema, &batches[1], "2|null", "3|z");
        KIT_BATCH(schema, &batches[2], "4|w");
        assert_ok(s3store_stream_from_batches(&abi, batches, 3, &stream, &err));
        assert_null(abi.release);
        for (int i = 0; i < 3; i++)
            assert_null(batches[i].release);
        assert_int_equal(stream.get_next(&stream, &batch), 0);
        assert_int_equal(batch.length, 1);
        batch.release(&batch);
        if (round == 0) { /* the second round leaves batches in it */
            assert_int_equal(stream.get_next(&stream, &batch), 0);
            assert_string_equal(kit_text(schema, &batch), "2|null\n3|z\n");
            batch.release(&batch);
            assert_int_equal(stream.get_next(&stream, &batch), 0);
            batch.release(&batch);
            assert_int_equal(stream.get_next(&stream, &batch), 0);
            assert_null(batch.release);
        }
        stream.release(&stream);
    }
    assert_ok(s3s_schema_export(schema, &abi, &err));
    assert_ok(s3store_stream_from_batches(&abi, NULL, 0, &stream, &err));
    assert_int_equal(stream.get_next(&stream, &batch), 0);
    assert_null(batch.release);
    stream.release(&stream);
    s3s_schema_release(schema);
}

static void test_stream__from_batches_releases_everything_on_failure(void **state)
{
    s3s_env *env = *state;
    s3store_error err;
    s3s_schema *schema = kit_schema(env, "a:int64");
    s3s_schema *two = kit_schema(env, "a:int64;b:int64");
    struct ArrowSchema abi;
    struct ArrowArray batches[2];
    struct ArrowArrayStream stream;
    assert_ok(s3s_schema_export(two, &abi, &err));
    KIT_BATCH(two, &batches[0], "1|2");
    KIT_BATCH(schema, &batches[1], "1");
    assert_fails(s3store_stream_from_batches(&abi, batches, 2, &stream, &err),
                 S3STORE_INVALID_ARGUMENT, "batch 1 has 1 columns");
    assert_null(abi.release);
    assert_null(batches[0].release);
    assert_null(stream.release);
    KIT_BATCH(schema, &batches[0], "1");
    assert_fails(s3store_stream_from_batches(NULL, batches, 1, &stream, &err),
                 S3STORE_INVALID_ARGUMENT, "NULL");
    assert_null(batches[0].release);
    assert_ok(s3s_schema_export(schema, &abi, &err));
    assert_fails(s3store_stream_from_batches(&abi, batches, 1, &stream, &err),
                 S3STORE_INVALID_ARGUMENT, "batch 0 is already released");
    assert_ok(s3s_schema_export(schema, &abi, &err));
    assert_fails(s3store_stream_from_batches(&abi, NULL, 0, NULL, &err), S3STORE_INVALID_ARGUMENT,
                 "NULL");
    assert_null(abi.release);
    s3s_schema_release(two);
    s3s_schema_release(schema);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, kit_setup, kit_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_stream__delivers_all_then_the_end_for_ever),
        TEST(test_stream__released_half_way_frees_its_source_once),
        TEST(test_stream__failures_have_errno_text_and_the_whole_error),
        TEST(test_stream__errors_of_our_own_pass_through_a_reader_whole),
        TEST(test_stream__foreign_errors_keep_their_text_and_kind),
        TEST(test_stream__foreign_batches_are_validated_and_counted),
        TEST(test_stream__from_batches_takes_everything_over),
        TEST(test_stream__from_batches_releases_everything_on_failure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
