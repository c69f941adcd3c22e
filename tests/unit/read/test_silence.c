/* No silence (PROTOCOL W2): each request in turn fails, or is where the caller cancels, while the consumer
 * is slow. Whatever was delivered is the beginning of the truth, and the end says what happened. Meant for
 * ThreadSanitizer; S3S_FULL=1: many times. */
#include <stdlib.h>

#include "arrow/stream.h"
#include "base/cancel.h"
#include "unit/read/kit.h"

enum { PARTITIONS = 4, FILES = 4, FORMS = 6 };

/* What happens at the request number `at`. */
typedef struct fate {
    uint64_t at;
    s3store_cancel *cancel; /* NULL: the request fails */
    atomic_uint_fast64_t seen;
} fate;

static s3s_fault_decision decide(void *ctx, s3s_fault_verb verb, const char *key, uint64_t sequence)
{
    fate *f = ctx;
    s3s_fault_decision d = S3S_FAULT_NONE;
    (void)verb;
    (void)key;
    (void)sequence;
    if (atomic_fetch_add(&f->seen, 1) != f->at)
        return d;
    if (f->cancel != NULL)
        s3store_cancel_trigger(f->cancel);
    else
        d.before = S3STORE_PERMISSION_DENIED;
    return d;
}

static void write_dataset(kit *k)
{
    char partition[16], token[16];
    for (int p = 0; p < PARTITIONS; p++) {
        for (int f = 0; f < FILES; f++) {
            fixture_row rows[3];
            for (int i = 0; i < 3; i++)
                rows[i] = (fixture_row){i == 0 ? "a" : i == 1 ? "b" : "c", f, p * 100 + f * 10 + i, false};
            snprintf(partition, sizeof partition, "p=%d", p);
            snprintf(token, sizeof token, "t%d", f);
            fixture_write write = {.partition = partition, .token = f % 2 == 0 ? token : NULL};
            fixture_write_rows(&k->fx, &write, rows, 3);
        }
    }
}

static void dawdle(kit *k)
{
    s3store_error err;
    assert_ok(s3s_sleep_us(k->fx.env, 300, NULL, &err));
}

static s3store_status drain_slowly(kit *k, struct ArrowArrayStream *stream, s3store_error *err)
{
    s3s_stream_reader *reader = NULL;
    s3store_status status = s3s_stream_reader_new(NULL, stream, &reader, err);
    while (status == S3STORE_OK) {
        struct ArrowArray batch = {0};
        status = s3s_stream_reader_next(reader, &batch, err);
        if (status == S3STORE_OK)
            fixture_batch_text(s3s_stream_reader_schema(reader), &batch, k->text, KIT_TEXT);
        s3s_array_release(&batch);
        dawdle(k);
    }
    s3s_stream_reader_free(reader);
    return status == S3STORE_END ? S3STORE_OK : status;
}

static s3store_status partitions_slowly(kit *k, const s3store_read_options *o, s3store_error *err)
{
    s3store_partition_iter *iter = NULL;
    s3store_status status = s3s_read_partitions(k->reader, o, &iter, err);
    while (status == S3STORE_OK) {
        const char *partition = NULL;
        struct ArrowArrayStream rows;
        status = s3store_partition_iter_next(iter, &partition, &rows, err);
        if (status == S3STORE_OK)
            status = drain_slowly(k, &rows, err);
    }
    s3store_partition_iter_free(iter);
    return status == S3STORE_END ? S3STORE_OK : status;
}

static s3store_status iterate_slowly(kit *k, const s3store_read_options *o, s3store_error *err)
{
    s3store_record_iter *iter = NULL;
    s3store_status status = s3s_read_iter(k->reader, &fixture_row_type, o, &iter, err);
    for (int i = 0; status == S3STORE_OK; i++) {
        fixture_row row;
        status = s3store_record_iter_next(iter, &row, err);
        size_t used = strlen(k->text);
        if (status == S3STORE_OK)
            snprintf(k->text + used, KIT_TEXT - used, "%s|%d|%d;", row.entity, (int)row.version,
                     (int)row.value);
        if (i % 6 == 0)
            dawdle(k);
    }
    s3store_record_iter_free(iter);
    return status == S3STORE_END ? S3STORE_OK : status;
}

static s3store_status poll_slowly(kit *k, const s3store_read_options *from, s3store_error *err)
{
    s3store_entries *entries = NULL;
    struct ArrowArrayStream rows = {0};
    s3store_poll_options poll = S3STORE_POLL_OPTIONS_INIT;
    s3store_read_options o = S3STORE_READ_OPTIONS_INIT;
    poll.cancel = o.cancel = from->cancel;
    o.read_ahead_partitions = from->read_ahead_partitions;
    s3store_status status = s3s_poll_records(k->reader, &poll, &o, &entries, &rows, err);
    if (status == S3STORE_OK)
        status = drain_slowly(k, &rows, err);
    s3store_entries_free(entries);
    return status;
}

static s3store_status run_form(kit *k, int form, int ahead, bool history, s3store_cancel *cancel,
                               s3store_error *err)
{
    struct ArrowArrayStream stream;
    s3store_read_options o =
        form == 4 ? kit_range(S3STORE_TIME_NONE, S3STORE_TIME_NONE) : kit_pattern(kit_all);
    o.missing = S3STORE_MISSING_STRICT;
    o.read_ahead_partitions = ahead;
    o.history = history;
    o.cancel = cancel;
    k->text[0] = '\0';
    switch (form) {
    case 0:
    case 4: {
        s3store_status status = s3s_read_stream(k->reader, &o, &stream, err);
        return status == S3STORE_OK ? drain_slowly(k, &stream, err) : status;
    }
    case 1:
        return partitions_slowly(k, &o, err);
    case 2:
        return iterate_slowly(k, &o, err);
    case 3:
        return kit_records(k, &o, err);
    default:
        return poll_slowly(k, &o, err);
    }
}

/* Fails or cancels at every request of one way of reading; how many there were. */
static uint64_t every_request(kit *k, int form, int ahead, bool history, bool cancels)
{
    s3store_error err = {0};
    char *whole = test_malloc(KIT_TEXT);
    fate f = {.at = UINT64_MAX};
    k->fx.hook_ctx = &f;
    k->fx.hook = decide;
    assert_ok(run_form(k, form, ahead, history, NULL, &err));
    uint64_t count = atomic_load(&f.seen);
    snprintf(whole, KIT_TEXT, "%s", k->text);
    assert_true(strlen(whole) > 20);
    for (uint64_t at = 0; at < count; at++) {
        s3store_cancel *cancel = NULL;
        if (cancels)
            assert_ok(s3store_cancel_new(&cancel, &err));
        f.at = at;
        f.cancel = cancel;
        atomic_store(&f.seen, 0);
        memset(&err, 0, sizeof err);
        s3store_status status = run_form(k, form, ahead, history, cancel, &err);
        s3store_status expected = cancels ? S3STORE_CANCELLED : S3STORE_PERMISSION_DENIED;
        /* Markers that have become old enough meanwhile are asked for no more. */
        bool happened = atomic_load(&f.seen) > at;
        if (!happened)
            expected = S3STORE_OK;
        if (status != expected || err.status != expected ||
            strncmp(whole, k->text, happened ? strlen(k->text) : KIT_TEXT) != 0)
            fail_msg("form %d, ahead %d, history %d, request %d of %d: %s (%s)\n got %s\nwant %s", form,
                     ahead, history, (int)at, (int)count, s3store_status_name(status), err.message,
                     k->text, whole);
        s3store_cancel_free(cancel);
    }
    k->fx.hook = NULL;
    test_free(whole);
    return count;
}

static void run_all(bool cancels)
{
    static const int aheads[] = {S3STORE_READ_AHEAD_NONE, 1, 4};
    const char *full = getenv("S3S_FULL");
    int rounds = full != NULL && strcmp(full, "1") == 0 ? 20 : 1;
    uint64_t runs = 0;
    for (int inflight = 1; inflight <= 16; inflight *= 4) {
        const fixture_options options = {.max_inflight = inflight};
        kit *k = test_malloc(sizeof *k);
        kit_open(k, &options, NULL);
        write_dataset(k);
        for (int i = 0; i < rounds * FORMS * 3; i++)
            runs += every_request(k, i % FORMS, aheads[i / FORMS % 3], i / FORMS % 2 == 0, cancels);
        kit_close(k);
        test_free(k);
    }
    print_message("%d runs\n", (int)runs);
    assert_true(runs > 900);
}

static void test_silence__every_failed_request_surfaces_however_slow_the_consumer(void **state)
{
    (void)state;
    run_all(false);
}

static void test_silence__a_cancellation_at_every_request_surfaces(void **state)
{
    (void)state;
    run_all(true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_silence__every_failed_request_surfaces_however_slow_the_consumer),
        cmocka_unit_test(test_silence__a_cancellation_at_every_request_surfaces),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
