/* Writing through both doors: Arrow streams and C structs. */
#include "api/api.h"
#include "api/options.h"
#include "arrow/builder.h"
#include "arrow/stream.h"
#include "write/write.h"

s3store_status s3store_writer_open(s3store_target *target, const s3store_writer_options *options,
                                   s3store_writer **out, s3store_error *err)
{
    S3S_REQUIRE(out);
    *out = NULL;
    S3S_REQUIRE(target);
    S3S_OPTIONS(s3store_writer_options, S3STORE_WRITER_OPTIONS_INIT, own, options);
    return s3s_writer_open(target, &own, out, err);
}

void s3store_writer_free(s3store_writer *writer)
{
    s3s_writer_free(writer);
}

s3store_target *s3store_writer_target(const s3store_writer *writer)
{
    return writer->target;
}

static s3store_status write_options(const s3store_write_options *from, s3store_write_options *to,
                                    s3store_error *err)
{
    return s3s_options_copy(to, sizeof *to, from, "s3store_write_options", err);
}

s3store_status s3store_write(s3store_writer *writer, struct ArrowArrayStream *input,
                             const s3store_write_options *options, s3store_write_result **out,
                             s3store_error *err)
{
    S3S_REQUIRE(out);
    *out = NULL;
    S3S_REQUIRE(writer);
    S3S_REQUIRE(input);
    s3store_write_options own = S3STORE_WRITE_OPTIONS_INIT;
    s3store_status status = write_options(options, &own, err);
    if (status == S3STORE_OK && own.partition_of_record != NULL)
        status = s3s_fail(err, S3STORE_INVALID_ARGUMENT,
                          "partition_of_record is for s3store_write_records: use partition_of");
    if (status != S3STORE_OK) {
        if (input->release != NULL)
            input->release(input);
        return status;
    }
    return s3s_write(writer, input, &own, out, err);
}

/* A stream over borrowed structs: one batch at a time, so that the copy stays small. */
typedef struct record_source {
    s3s_env *env;
    s3s_schema *schema;
    const s3store_record_type *type;
    const void *records;
    size_t count, next;
} record_source;

#define RECORDS_PER_BATCH 65536

static s3store_status next_records(void *impl, struct ArrowArray *out, s3store_error *err)
{
    record_source *s = impl;
    size_t rest = s->count - s->next;
    if (rest == 0)
        return S3STORE_END;
    size_t take = rest < RECORDS_PER_BATCH ? rest : RECORDS_PER_BATCH;
    s3store_status status = s3s_records_to_batch(s->env, s->schema, s->type, s->records, s->next,
                                                 take, out, err);
    if (status == S3STORE_OK)
        s->next += take;
    return status;
}

static void free_records(void *impl)
{
    record_source *s = impl;
    s3s_schema_release(s->schema);
    s3s_free(s->env, s);
}

/* The caller's function of a record, as one of a row. */
typedef struct record_key {
    const s3store_write_options *options;
    const s3store_record_type *type;
    const char *records;
} record_key;

static s3store_status key_of_record(void *ctx, const struct ArrowSchema *schema,
                                    const struct ArrowArray *rows, int64_t row, int64_t input_row,
                                    char *key, size_t key_size, s3store_error *err)
{
    const record_key *k = ctx;
    (void)schema;
    (void)rows;
    (void)row;
    return k->options->partition_of_record(
        k->options->partition_of_ctx, k->records + (size_t)input_row * k->type->record_size, key,
        key_size, err);
}

s3store_status s3store_write_records(s3store_writer *writer, const s3store_record_type *type,
                                     const void *records, size_t record_count,
                                     const s3store_write_options *options,
                                     s3store_write_result **out, s3store_error *err)
{
    S3S_REQUIRE(out);
    *out = NULL;
    S3S_REQUIRE(writer);
    S3S_REQUIRE(type);
    if (record_count > 0)
        S3S_REQUIRE(records);
    s3store_write_options own = S3STORE_WRITE_OPTIONS_INIT;
    s3s_schema *schema = NULL;
    s3store_status status = write_options(options, &own, err);
    if (status != S3STORE_OK)
        return status;
    status = s3s_record_schema(writer->env, type, &schema, err);
    if (status != S3STORE_OK)
        return status;
    record_source *source = s3s_alloc(writer->env, sizeof *source);
    if (source == NULL) {
        s3s_schema_release(schema);
        return s3s_fail_memory(err, sizeof *source);
    }
    *source = (record_source){.env = writer->env,
                              .schema = schema,
                              .type = type,
                              .records = records,
                              .count = record_count};
    record_key key = {.options = &own, .type = type, .records = records};
    s3store_write_options with_key = own;
    if (own.partition_of_record != NULL) {
        with_key.partition_of = key_of_record;
        with_key.partition_of_ctx = &key;
    }
    struct ArrowArrayStream stream = {0};
    s3s_batch_source batches = {
        .impl = source, .next = next_records, .free = free_records, .valid = true};
    status = s3s_stream_make(writer->env, schema, batches, &stream, err);
    return status == S3STORE_OK ? s3s_write(writer, &stream, &with_key, out, err) : status;
}

s3store_status s3store_group_by_partition(s3store_writer *writer, struct ArrowArrayStream *input,
                                          const s3store_write_options *options,
                                          s3store_groups **out, s3store_error *err)
{
    S3S_REQUIRE(out);
    *out = NULL;
    S3S_REQUIRE(writer);
    S3S_REQUIRE(input);
    s3store_write_options own = S3STORE_WRITE_OPTIONS_INIT;
    s3store_status status = write_options(options, &own, err);
    if (status != S3STORE_OK) {
        if (input->release != NULL)
            input->release(input);
        return status;
    }
    return s3s_group_by_partition(writer, input, &own, out, err);
}

s3store_status s3store_partition_key(const s3store_writer *writer,
                                     const struct ArrowSchema *schema,
                                     const struct ArrowArray *rows, int64_t row, char *key,
                                     size_t key_size, s3store_error *err)
{
    S3S_REQUIRE(writer);
    S3S_REQUIRE(schema);
    S3S_REQUIRE(rows);
    S3S_REQUIRE(key);
    return s3s_partition_key(writer, schema, rows, row, key, key_size, err);
}

s3store_status s3store_lookup_commit(s3store_target *target, const char *partition,
                                     const char *token, const s3store_call *call,
                                     s3store_write_result **out, s3store_error *err)
{
    S3S_REQUIRE(out);
    *out = NULL;
    S3S_REQUIRE(target);
    S3S_REQUIRE(partition);
    S3S_REQUIRE(token);
    return s3s_lookup_commit(target, partition, token, call, out, err);
}

s3store_status s3store_restamp(s3store_target *target, const char *partition, const char *token,
                               const s3store_call *call, s3store_write_result **out,
                               s3store_error *err)
{
    S3S_REQUIRE(out);
    *out = NULL;
    S3S_REQUIRE(target);
    S3S_REQUIRE(partition);
    S3S_REQUIRE(token);
    return s3s_restamp(target, partition, token, call, out, err);
}
