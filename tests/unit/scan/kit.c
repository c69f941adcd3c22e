#include "unit/scan/kit.h"

s3s_scan_options kit_options(s3s_scan_mode mode)
{
    static const char *const entity[] = {"entity"};
    return (s3s_scan_options){
        .mode = mode,
        .entity = entity,
        .entity_count = 1,
        .version = "version",
        .method = "test",
        .read_ahead_partitions = 1,
        .call = {.deadline_us = S3STORE_TIME_NONE},
    };
}

void kit_files(fixture *fx, const char *pattern, s3s_file_set *out)
{
    s3store_error err;
    s3s_file_set_init(out, fx->env);
    assert_ok(s3s_resolve_patterns(fx->target, NULL, &pattern, 1, out, &err));
}

s3store_status kit_scan(fixture *fx, const char *pattern, const s3s_scan_options *options,
                        char *text, s3store_error *err)
{
    s3s_file_set files;
    s3s_scan *scan = NULL;
    const char *last = NULL;
    text[0] = '\0';
    kit_files(fx, pattern, &files);
    s3store_status status = s3s_scan_open(fx->target, &files, options, &scan, err);
    while (status == S3STORE_OK) {
        struct ArrowArray batch = {0};
        const char *partition = NULL;
        status = s3s_scan_next(scan, &batch, &partition, err);
        if (status != S3STORE_OK)
            break;
        assert_true(batch.length > 0);
        if (last == NULL || strcmp(last, partition) != 0) {
            size_t used = strlen(text);
            snprintf(text + used, KIT_TEXT - used, "{%s}", partition);
        }
        last = partition;
        fixture_batch_text(s3s_scan_schema(scan), &batch, text, KIT_TEXT);
        s3s_array_release(&batch);
    }
    if (scan != NULL) { /* what ended it comes again */
        struct ArrowArray batch = {0};
        s3store_error again = {0};
        assert_int_equal(s3s_scan_next(scan, &batch, NULL, &again), status);
        if (status != S3STORE_END && err != NULL)
            assert_string_equal(again.message, err->message);
    }
    s3s_scan_free(scan);
    return status == S3STORE_END ? S3STORE_OK : status;
}

void kit_write(fixture *fx, const char *partition, const fixture_row *rows, size_t count)
{
    fixture_write write = {.partition = partition};
    fixture_write_rows(fx, &write, rows, count);
}
