/* Reading and the change stream: thin over read/ and stream/. */
#include "api/api.h"
#include "api/options.h"
#include "read/read.h"
#include "stream/stream.h"


s3store_status s3store_reader_open(s3store_target *target, const s3store_reader_options *options,
                                   s3store_reader **out, s3store_error *err)
{
    S3S_REQUIRE(out);
    *out = NULL;
    S3S_REQUIRE(target);
    S3S_OPTIONS(s3store_reader_options, S3STORE_READER_OPTIONS_INIT, own, options);
    return s3s_reader_open(target, &own, out, err);
}

void s3store_reader_free(s3store_reader *reader)
{
    s3s_reader_free(reader);
}

s3store_target *s3store_reader_target(const s3store_reader *reader)
{
    return reader->target;
}

s3store_status s3store_read(s3store_reader *reader, const s3store_read_options *options,
                            struct ArrowArrayStream *out, s3store_error *err)
{
    S3S_REQUIRE(out);
    *out = (struct ArrowArrayStream){0};
    S3S_REQUIRE(reader);
    S3S_OPTIONS(s3store_read_options, S3STORE_READ_OPTIONS_INIT, own, options);
    return s3s_read_stream(reader, &own, out, err);
}

s3store_status s3store_read_partitions(s3store_reader *reader, const s3store_read_options *options,
                                       s3store_partition_iter **out, s3store_error *err)
{
    S3S_REQUIRE(out);
    *out = NULL;
    S3S_REQUIRE(reader);
    S3S_OPTIONS(s3store_read_options, S3STORE_READ_OPTIONS_INIT, own, options);
    return s3s_read_partitions(reader, &own, out, err);
}

s3store_status s3store_read_iter(s3store_reader *reader, const s3store_record_type *type,
                                 const s3store_read_options *options, s3store_record_iter **out,
                                 s3store_error *err)
{
    S3S_REQUIRE(out);
    *out = NULL;
    S3S_REQUIRE(reader);
    S3S_REQUIRE(type);
    S3S_OPTIONS(s3store_read_options, S3STORE_READ_OPTIONS_INIT, own, options);
    return s3s_read_iter(reader, type, &own, out, err);
}

s3store_status s3store_read_records(s3store_reader *reader, const s3store_record_type *type,
                                    const s3store_read_options *options, s3store_records **out,
                                    s3store_error *err)
{
    S3S_REQUIRE(out);
    *out = NULL;
    S3S_REQUIRE(reader);
    S3S_REQUIRE(type);
    S3S_OPTIONS(s3store_read_options, S3STORE_READ_OPTIONS_INIT, own, options);
    return s3s_read_records(reader, type, &own, out, err);
}

s3store_status s3store_poll_records(s3store_reader *reader,
                                    const s3store_poll_options *poll_options,
                                    const s3store_read_options *read_options,
                                    s3store_entries **entries, struct ArrowArrayStream *rows,
                                    s3store_error *err)
{
    S3S_REQUIRE(entries);
    *entries = NULL;
    S3S_REQUIRE(rows);
    *rows = (struct ArrowArrayStream){0};
    S3S_REQUIRE(reader);
    S3S_OPTIONS(s3store_poll_options, S3STORE_POLL_OPTIONS_INIT, poll, poll_options);
    S3S_OPTIONS(s3store_read_options, S3STORE_READ_OPTIONS_INIT, read, read_options);
    return s3s_poll_records(reader, &poll, &read, entries, rows, err);
}

s3store_status s3store_list_files(s3store_target *target, const char *const *patterns,
                                  size_t pattern_count, const s3store_call *call,
                                  s3store_listing **out, s3store_error *err)
{
    S3S_REQUIRE(out);
    *out = NULL;
    S3S_REQUIRE(target);
    return s3s_list_files(target, patterns, pattern_count, call, out, err);
}

s3store_status s3store_poll(s3store_target *target, const s3store_poll_options *options,
                            s3store_entries **out, s3store_error *err)
{
    S3S_REQUIRE(out);
    *out = NULL;
    S3S_REQUIRE(target);
    S3S_OPTIONS(s3store_poll_options, S3STORE_POLL_OPTIONS_INIT, own, options);
    return s3s_poll(target, &own, out, err);
}

s3store_status s3store_poll_range(s3store_target *target, int64_t since_us, int64_t until_us,
                                  const s3store_call *call, s3store_entries **out,
                                  s3store_error *err)
{
    S3S_REQUIRE(out);
    *out = NULL;
    S3S_REQUIRE(target);
    return s3s_poll_range(target, since_us, until_us, call, out, err);
}

s3store_status s3store_offset_at(const s3store_target *target, int64_t time_us, char *buffer,
                                 size_t buffer_size, s3store_error *err)
{
    S3S_REQUIRE(target);
    S3S_REQUIRE(buffer);
    if (buffer_size < S3S_KEY_SIZE)
        return s3s_fail(err, S3STORE_INVALID_ARGUMENT, "the buffer holds %zu bytes, %d are needed",
                        buffer_size, S3S_KEY_SIZE);
    return s3s_offset_key(&target->layout, time_us, buffer, err);
}

s3store_status s3store_offset_validate(const s3store_target *target, const char *offset,
                                       s3store_error *err)
{
    S3S_REQUIRE(target);
    return s3s_offset_check(target, offset, "offset", err);
}

s3store_status s3store_settled_offset(s3store_target *target, char *buffer, size_t buffer_size,
                                      s3store_error *err)
{
    S3S_REQUIRE(target);
    S3S_REQUIRE(buffer);
    if (buffer_size < S3S_KEY_SIZE)
        return s3s_fail(err, S3STORE_INVALID_ARGUMENT, "the buffer holds %zu bytes, %d are needed",
                        buffer_size, S3S_KEY_SIZE);
    return s3s_settled_offset(target, buffer, err);
}
