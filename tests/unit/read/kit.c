#include "unit/read/kit.h"

const char *const kit_all[1] = {""};

void kit_open(kit *k, const fixture_options *options, const s3store_reader_options *reader)
{
    s3store_error err;
    memset(k, 0, sizeof *k);
    fixture_open(&k->fx, NULL, options);
    assert_ok(s3s_reader_open(k->fx.target, reader, &k->reader, &err));
}

void kit_close(kit *k)
{
    s3s_reader_free(k->reader);
    fixture_close_clean(&k->fx);
}

fixture_written kit_write(kit *k, const char *partition, const fixture_row *rows, size_t count)
{
    fixture_write write = {.partition = partition};
    return fixture_write_rows(&k->fx, &write, rows, count);
}

s3store_read_options kit_pattern(const char *const *pattern)
{
    s3store_read_options o = S3STORE_READ_OPTIONS_INIT;
    o.patterns = pattern;
    o.pattern_count = 1;
    return o;
}

s3store_read_options kit_range(int64_t since_us, int64_t until_us)
{
    s3store_read_options o = S3STORE_READ_OPTIONS_INIT;
    o.range = true;
    o.since_us = since_us;
    o.until_us = until_us;
    return o;
}

s3store_read_options kit_entries(const s3store_entries *entries)
{
    s3store_read_options o = S3STORE_READ_OPTIONS_INIT;
    o.entries = entries;
    return o;
}

s3store_status kit_stream(kit *k, const s3store_read_options *o, s3store_error *err)
{
    struct ArrowArrayStream stream;
    k->text[0] = '\0';
    s3store_status status = s3s_read_stream(k->reader, o, &stream, err);
    return status == S3STORE_OK ? fixture_drain(&stream, k->text, KIT_TEXT, err) : status;
}

s3store_status kit_partitions(kit *k, const s3store_read_options *o, s3store_error *err)
{
    s3store_partition_iter *iter = NULL;
    char *rows_text = test_malloc(KIT_TEXT);
    k->text[0] = '\0';
    s3store_status status = s3s_read_partitions(k->reader, o, &iter, err);
    while (status == S3STORE_OK) {
        const char *partition = NULL;
        struct ArrowArrayStream rows;
        status = s3store_partition_iter_next(iter, &partition, &rows, err);
        if (status != S3STORE_OK) {
            assert_null(partition);
            break;
        }
        size_t used = strlen(k->text);
        used += (size_t)snprintf(k->text + used, KIT_TEXT - used, "{%s}", partition);
        status = fixture_drain(&rows, rows_text, KIT_TEXT, err);
        snprintf(k->text + used, KIT_TEXT - used, "%s", rows_text);
    }
    s3store_partition_iter_free(iter);
    test_free(rows_text);
    return status == S3STORE_END ? S3STORE_OK : status;
}

static void add_row(kit *k, const fixture_row *row)
{
    size_t used = strlen(k->text);
    if (row->value_is_null)
        snprintf(k->text + used, KIT_TEXT - used, "%s|%lld|-;", row->entity,
                 (long long)row->version);
    else
        snprintf(k->text + used, KIT_TEXT - used, "%s|%lld|%lld;", row->entity,
                 (long long)row->version, (long long)row->value);
}

s3store_status kit_iter(kit *k, const s3store_read_options *o, s3store_error *err)
{
    s3store_record_iter *iter = NULL;
    k->text[0] = '\0';
    s3store_status status = s3s_read_iter(k->reader, &fixture_row_type, o, &iter, err);
    while (status == S3STORE_OK) {
        fixture_row row;
        status = s3store_record_iter_next(iter, &row, err);
        if (status == S3STORE_OK)
            add_row(k, &row);
    }
    s3store_record_iter_free(iter);
    return status == S3STORE_END ? S3STORE_OK : status;
}

s3store_status kit_records(kit *k, const s3store_read_options *o, s3store_error *err)
{
    s3store_records *records = NULL;
    k->text[0] = '\0';
    s3store_status status = s3s_read_records(k->reader, &fixture_row_type, o, &records, err);
    if (status != S3STORE_OK) {
        assert_null(records);
        return status;
    }
    const fixture_row *rows = s3store_records_data(records);
    for (size_t i = 0; i < s3store_records_count(records); i++)
        add_row(k, &rows[i]);
    s3store_records_free(records);
    return status;
}
