#include "support/dataset_fixture.h"

#include <inttypes.h>
#include <stdlib.h>

#include "arrow/builder.h"
#include "arrow/stream.h"
#include "datafile/datafile.h"

static const s3store_field row_fields[] = {
    {.name = "entity", .kind = S3STORE_KIND_CSTRING, .offset = offsetof(fixture_row, entity)},
    {.name = "version", .kind = S3STORE_KIND_INT64, .offset = offsetof(fixture_row, version)},
    {.name = "value",
     .kind = S3STORE_KIND_INT64,
     .offset = offsetof(fixture_row, value),
     .null = S3STORE_NULL_FLAG,
     .flag_offset = offsetof(fixture_row, value_is_null)},
};
const s3store_record_type fixture_row_type = S3STORE_RECORD_TYPE(fixture_row, row_fields);

/* ---- the store and the target ---------------------------------------------------------------- */

static s3s_fault_decision count_and_hook(void *ctx, s3s_fault_verb verb, const char *key,
                                         uint64_t sequence)
{
    fixture *fx = ctx;
    atomic_fetch_add(&fx->counts[verb], 1);
    return fx->hook != NULL ? fx->hook(fx->hook_ctx, verb, key, sequence) : S3S_FAULT_NONE;
}

static void keep_log(void *ctx, s3store_log_level level, const char *message,
                     const s3store_log_field *fields, size_t field_count)
{
    fixture *fx = ctx;
    if (level > S3STORE_LOG_WARN)
        return;
    s3s_mutex_lock(&fx->log_mutex);
    size_t used = strlen(fx->log);
    used += (size_t)snprintf(fx->log + used, sizeof fx->log - used, "%s", message);
    for (size_t i = 0; i < field_count && used < sizeof fx->log; i++)
        used += (size_t)snprintf(fx->log + used, sizeof fx->log - used, " %s=%s", fields[i].key,
                                 fields[i].value);
    if (used < sizeof fx->log)
        snprintf(fx->log + used, sizeof fx->log - used, "\n");
    s3s_mutex_unlock(&fx->log_mutex);
}

void fixture_open(fixture *fx, s3s_env *env, const fixture_options *options)
{
    static const fixture_options defaults = {0};
    static const char *const by_p[] = {"p"};
    static const char *const entity[] = {"entity"};
    const fixture_options *o = options != NULL ? options : &defaults;
    s3store_error err;
    memset(fx, 0, sizeof *fx);
    fx->env = env;
    if (env == NULL) {
        fx->owns_env = true;
        assert_ok(s3s_env_new_real(&fx->env, &err));
    }
    assert_ok(s3s_mutex_init(&fx->log_mutex, fx->env, &err));
    assert_ok(s3s_memory_store_new(fx->env, &fx->memory, &err));
    assert_ok(s3s_layer_fault_new(fx->env, &fx->memory, count_and_hook, fx, &fx->store, &err));
    const char *timeout = o->commit_timeout != NULL ? o->commit_timeout : "2s";
    const char *skew = o->max_clock_skew != NULL ? o->max_clock_skew : "1s";
    fixture_put(fx, "ds/_config/commit-timeout", timeout, strlen(timeout), NULL);
    fixture_put(fx, "ds/_config/max-clock-skew", skew, strlen(skew), NULL);
    s3store_target_config config = S3STORE_TARGET_CONFIG_INIT;
    config.store = &fx->store;
    config.bucket = "memory";
    config.prefix = "ds";
    config.partition_by = o->partition_by != NULL ? o->partition_by : by_p;
    config.partition_by_count = o->partition_by != NULL ? o->partition_by_count : 1;
    if (!o->no_entity) {
        config.entity = entity;
        config.entity_count = 1;
        config.version = "version";
    }
    config.memory_bytes = o->memory_bytes;
    config.max_inflight = o->max_inflight;
    config.log = keep_log;
    config.log_ctx = fx;
    config.log_level = S3STORE_LOG_WARN;
    assert_ok(s3s_target_open(fx->env, &config, &fx->target, &err));
    fx->next_stamp_us = s3s_wall_us(fx->env) - INT64_C(3600) * 1000000;
    fx->next_attempt = 1;
    fx->log[0] = '\0';
    fixture_reset_counts(fx);
}

void fixture_close(fixture *fx)
{
    s3s_target_release(fx->target);
    s3s_store_deinit(&fx->store);
    s3s_store_deinit(&fx->memory);
    s3s_mutex_deinit(&fx->log_mutex);
    if (fx->owns_env)
        s3s_env_release(fx->env);
}

void fixture_close_clean(fixture *fx)
{
    bool owns = fx->owns_env;
    fx->owns_env = false;
    fixture_close(fx);
    uint64_t live = s3s_env_live_allocs(fx->env);
    if (owns) {
        if (live != 0)
            fail_msg("%" PRIu64 " allocations were not freed", live);
        s3s_env_release(fx->env);
    }
}

uint64_t fixture_count(const fixture *fx, s3s_fault_verb verb)
{
    return atomic_load(&fx->counts[verb]);
}

void fixture_reset_counts(fixture *fx)
{
    for (size_t i = 0; i < S3S_VERB_COUNT; i++)
        atomic_store(&fx->counts[i], 0);
}

/* ---- writing --------------------------------------------------------------------------------- */

void fixture_attempt(uint64_t number, char out[S3S_ATTEMPT_ID_SIZE + 1])
{
    snprintf(out, S3S_ATTEMPT_ID_SIZE + 1, "%032" PRIx64, number);
}

void fixture_put(fixture *fx, const char *key, const void *body, size_t size,
                 const s3store_metadata *metadata)
{
    s3store_error err;
    s3store_metadata_entry entries[S3STORE_METADATA_MAX_ENTRIES];
    s3store_put_request request = {.size = sizeof request, .key = key, .body = body};
    request.body_size = size;
    for (size_t i = 0; metadata != NULL && i < metadata->count; i++) {
        entries[i].name = metadata->text + metadata->entries[i].name;
        entries[i].value = metadata->text + metadata->entries[i].value;
        request.metadata_count = i + 1;
    }
    request.metadata = entries;
    s3store_put_reply reply = {0};
    assert_ok(s3s_put(&fx->memory, NULL, &request, &reply, &err));
}

void fixture_remove(fixture *fx, const char *key)
{
    s3store_error err;
    assert_ok(s3s_remove(&fx->memory, NULL, key, &err));
}

uint8_t *fixture_get(fixture *fx, const char *key, size_t *size)
{
    s3store_error err;
    s3s_buffer buffer;
    s3s_buffer_init(&buffer, fx->env, SIZE_MAX);
    s3store_sink sink = s3s_buffer_sink(&buffer);
    s3store_get_request request = {
        .size = sizeof request, .key = key, .length = S3STORE_LENGTH_ALL};
    s3store_object_info info = {0};
    assert_ok(s3s_get(&fx->memory, NULL, &request, &sink, &info, &err));
    uint8_t *copy = malloc(buffer.size + 1);
    assert_non_null(copy);
    memcpy(copy, buffer.data, buffer.size);
    *size = buffer.size;
    s3s_buffer_deinit(&buffer);
    return copy;
}

fixture_written fixture_write_bytes(fixture *fx, const fixture_write *write, const void *body,
                                    size_t size, int64_t row_count)
{
    s3store_error err;
    fixture_written w = {0};
    const s3s_layout *layout = &fx->target->layout;
    unsigned steps = write->steps != 0 ? write->steps : FIXTURE_ALL;
    if (write->attempt != NULL)
        snprintf(w.attempt, sizeof w.attempt, "%s", write->attempt);
    else
        fixture_attempt(fx->next_attempt++, w.attempt);
    snprintf(w.token, sizeof w.token, "%s", write->token != NULL ? write->token : w.attempt);
    w.stamp_us = write->stamp_us != 0 ? write->stamp_us : fx->next_stamp_us;
    if (write->stamp_us == 0)
        fx->next_stamp_us += 1000000;
    assert_ok(s3s_data_key(layout, write->partition, w.token, w.attempt, w.data_key, &err));
    assert_ok(s3s_ref_key(layout, w.stamp_us, w.token, w.attempt, write->partition, w.ref_key,
                          &err));
    assert_ok(s3s_commit_key(layout, write->partition, w.token, w.commit_key, &err));
    if (steps & FIXTURE_DATA)
        fixture_put(fx, w.data_key, body, size, NULL);
    if (steps & FIXTURE_REF)
        fixture_put(fx, w.ref_key, NULL, 0, NULL);
    if (steps & FIXTURE_COMMIT) {
        s3s_marker marker = {
            .ref_micros = w.stamp_us, .inserted_at_us = w.stamp_us, .row_count = row_count};
        memcpy(marker.attempt, w.attempt, sizeof marker.attempt);
        s3store_metadata metadata = {0};
        s3s_marker_metadata(&marker, &metadata);
        fixture_put(fx, w.commit_key, NULL, 0, &metadata);
    }
    return w;
}

fixture_written fixture_write_records(fixture *fx, const fixture_write *write,
                                      const s3store_record_type *type, const void *records,
                                      size_t record_count)
{
    s3store_error err;
    s3s_schema *schema = NULL;
    struct ArrowArray batch = {0};
    s3s_buffer body;
    s3s_buffer_init(&body, fx->env, SIZE_MAX);
    assert_ok(s3s_record_schema(fx->env, type, &schema, &err));
    assert_ok(s3s_records_to_batch(fx->env, schema, type, records, 0, record_count, &batch, &err));
    const struct ArrowArray *batches[] = {&batch};
    assert_ok(s3s_datafile_encode(fx->env, schema, batches, 1, S3STORE_COMPRESSION_DEFAULT, &body,
                                  &err));
    fixture_written w =
        fixture_write_bytes(fx, write, body.data, body.size, (int64_t)record_count);
    s3s_buffer_deinit(&body);
    s3s_array_release(&batch);
    s3s_schema_release(schema);
    return w;
}

fixture_written fixture_write_rows(fixture *fx, const fixture_write *write, const fixture_row *rows,
                                   size_t row_count)
{
    return fixture_write_records(fx, write, &fixture_row_type, rows, row_count);
}

/* ---- looking at results ---------------------------------------------------------------------- */

static size_t value_text(const s3s_column *column, int64_t row, char *text, size_t text_size)
{
    int n = 0;
    if (s3s_column_is_null(column, row)) {
        n = snprintf(text, text_size, "-");
    } else if (s3s_type_is_bytes(column->field->type)) {
        s3store_bytes bytes = s3s_column_bytes(column, row);
        n = snprintf(text, text_size, "%.*s", (int)bytes.size, (const char *)bytes.data);
    } else if (column->field->type == S3S_TYPE_BOOL) {
        n = snprintf(text, text_size, "%s", s3s_column_bool(column, row) ? "true" : "false");
    } else if (column->field->type >= S3S_TYPE_FLOAT16 && column->field->type <= S3S_TYPE_DOUBLE) {
        n = snprintf(text, text_size, "%g", s3s_column_double(column, row));
    } else {
        n = snprintf(text, text_size, "%" PRId64, s3s_column_int(column, row));
    }
    return n > 0 ? (size_t)n : 0;
}

void fixture_batch_text(const s3s_schema *schema, const struct ArrowArray *batch, char *text,
                        size_t text_size)
{
    size_t used = strlen(text);
    for (int64_t row = 0; row < batch->length; row++) {
        for (size_t c = 0; c < schema->field_count && used + 1 < text_size; c++) {
            s3s_column column;
            s3s_batch_column(schema, batch, c, &column);
            used += value_text(&column, row, text + used, text_size - used);
            if (used + 1 < text_size && c + 1 < schema->field_count) {
                text[used++] = '|';
                text[used] = '\0';
            }
        }
        if (used + 1 >= text_size)
            return;
        text[used++] = ';';
        text[used] = '\0';
    }
}

s3store_status fixture_drain(struct ArrowArrayStream *stream, char *text, size_t text_size,
                             s3store_error *err)
{
    s3s_stream_reader *reader = NULL;
    text[0] = '\0';
    s3store_status status = s3s_stream_reader_new(NULL, stream, &reader, err);
    while (status == S3STORE_OK) {
        struct ArrowArray batch = {0};
        status = s3s_stream_reader_next(reader, &batch, err);
        if (status == S3STORE_OK)
            fixture_batch_text(s3s_stream_reader_schema(reader), &batch, text, text_size);
        s3s_array_release(&batch);
    }
    s3s_stream_reader_free(reader);
    return status == S3STORE_END ? S3STORE_OK : status;
}
