#include "unit/scan/kit.h"

#include <stdlib.h>

#include "arrow/builder.h"
#include "datafile/datafile.h"

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

static s3store_status append_to_buffer(void *ctx, const void *data, size_t size, s3store_error *err)
{
    return s3s_buffer_append(ctx, data, size, err);
}

fixture_written kit_write_groups(fixture *fx, const char *partition, int groups, int group_rows)
{
    s3store_error err;
    s3s_schema *schema = NULL;
    s3s_buffer body;
    s3s_parquet_writer *w = NULL;
    uint64_t random = 88172645463325252u; /* versions that no encoding makes small */
    fixture_row *rows = calloc((size_t)group_rows, sizeof *rows);
    char(*names)[16] = calloc((size_t)group_rows, sizeof *names);
    s3s_parquet_write_options options = {.compression = S3STORE_COMPRESSION_UNCOMPRESSED,
                                         .row_group_bytes = (uint64_t)group_rows * 20,
                                         .no_dictionary = true};
    s3s_buffer_init(&body, fx->env, SIZE_MAX);
    assert_ok(s3s_record_schema(fx->env, &fixture_row_type, &schema, &err));
    assert_ok(s3s_parquet_writer_new(fx->env, schema, &options,
                                     (s3s_parquet_sink){.ctx = &body, .write = append_to_buffer}, &w,
                                     &err));
    for (int g = 0; g < groups; g++) {
        struct ArrowArray batch = {0};
        for (int i = 0; i < group_rows; i++) {
            snprintf(names[i], sizeof names[i], "%c%07d", 'a' + g, i);
            random = random * 6364136223846793005u + 1442695040888963407u;
            rows[i] = (fixture_row){names[i], (int64_t)(random | 8), (int64_t)g * group_rows + i, false};
        }
        assert_ok(s3s_records_to_batch(fx->env, schema, &fixture_row_type, rows, 0, (size_t)group_rows,
                                       &batch, &err));
        assert_ok(s3s_parquet_writer_add(w, &batch, &err));
        s3s_array_release(&batch);
    }
    assert_ok(s3s_parquet_writer_finish(w, &err));
    s3s_parquet_writer_free(w);
    fixture_write write = {.partition = partition};
    fixture_written written =
        fixture_write_bytes(fx, &write, body.data, body.size, (int64_t)groups * group_rows);
    s3s_buffer_deinit(&body);
    s3s_schema_release(schema);
    free(names);
    free(rows);
    return written;
}
