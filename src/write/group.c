/* What a write would divide its input into: the same rules, and no request. */
#include <string.h>

#include "base/bytes.h"
#include "write/write_private.h"

struct s3store_groups {
    s3s_env *env;
    s3s_schema *schema;
    s3s_arena arena; /* keys */
    const char **keys;
    s3s_shared_batch **rows;
    size_t count;
};

static s3store_status gather_all(s3s_write_call *c, s3store_error *err)
{
    s3store_status status = S3STORE_OK;
    while (status == S3STORE_OK) {
        status = s3s_input_next(&c->input, err);
        if (status == S3STORE_OK && c->input.held_bytes > c->target->memory_bytes)
            status = s3s_fail(err, S3STORE_LIMIT_EXCEEDED,
                              "the rows do not fit the memory budget of %llu bytes: group them in "
                              "parts, or raise memory_bytes (--memory)",
                              (unsigned long long)c->target->memory_bytes);
    }
    return status == S3STORE_END ? S3STORE_OK : status;
}

static s3store_status take_group(s3s_write_call *c, const s3s_part *part, s3store_groups *groups,
                                 s3store_error *err)
{
    struct ArrowArray rows = {0};
    s3store_status status =
        s3s_batch_take(c->env, c->input.schema, c->plan.batches, c->input.batch_count, part->rows,
                       part->row_count, NULL, 0, &rows, err);
    if (status == S3STORE_OK)
        status = s3s_batch_share(c->env, &rows, &groups->rows[groups->count], err);
    s3s_array_release(&rows);
    if (status != S3STORE_OK)
        return status;
    groups->keys[groups->count] = s3s_arena_strdup(&groups->arena, part->key);
    if (groups->keys[groups->count++] == NULL)
        return s3s_fail_memory(err, strlen(part->key));
    return S3STORE_OK;
}

static s3store_status take_groups(s3s_write_call *c, s3store_groups *groups, s3store_error *err)
{
    size_t count = c->plan.count + 1;
    groups->schema = c->input.schema != NULL ? s3s_schema_retain(c->input.schema) : NULL;
    groups->keys = s3s_calloc(c->env, count, sizeof *groups->keys);
    groups->rows = s3s_calloc(c->env, count, sizeof *groups->rows);
    if (groups->keys == NULL || groups->rows == NULL)
        return s3s_fail_memory(err, count * sizeof *groups->keys);
    s3store_status status = S3STORE_OK;
    for (size_t i = 0; i < c->plan.count && status == S3STORE_OK; i++)
        status = take_group(c, c->plan.parts[i], groups, err);
    return status;
}

s3store_status s3s_group_by_partition(s3store_writer *writer, struct ArrowArrayStream *input,
                                      const s3store_write_options *options, s3store_groups **out,
                                      s3store_error *err)
{
    s3store_write_options own = S3STORE_WRITE_OPTIONS_INIT;
    s3store_error unwanted;
    s3s_write_call c;
    *out = NULL;
    if (err == NULL)
        err = &unwanted;
    if (options != NULL) {
        own.partition = options->partition;
        own.partition_of = options->partition_of;
        own.partition_of_ctx = options->partition_of_ctx;
        own.cancel = options->cancel;
        own.timeout_ms = options->timeout_ms;
    }
    s3store_status status = s3s_write_call_begin(&c, writer, input, &own, err);
    if (status == S3STORE_OK)
        status = gather_all(&c, err);
    if (status == S3STORE_OK)
        status = s3s_plan_group(&c, err);
    s3store_groups *groups = s3s_calloc(writer->env, 1, sizeof *groups);
    if (status == S3STORE_OK && groups == NULL)
        status = s3s_fail_memory(err, sizeof *groups);
    if (groups != NULL) {
        groups->env = s3s_env_retain(writer->env);
        s3s_arena_init(&groups->arena, writer->env);
    }
    if (status == S3STORE_OK)
        status = take_groups(&c, groups, err);
    s3store_write_result_free(c.result);
    s3s_write_call_end(&c);
    if (status != S3STORE_OK) {
        s3store_groups_free(groups);
        return status;
    }
    *out = groups;
    return S3STORE_OK;
}

S3STORE_API size_t s3store_groups_count(const s3store_groups *groups)
{
    return groups == NULL ? 0 : groups->count;
}

S3STORE_API const char *s3store_groups_key(const s3store_groups *groups, size_t i)
{
    return i < s3store_groups_count(groups) ? groups->keys[i] : NULL;
}

S3STORE_API int64_t s3store_groups_rows(const s3store_groups *groups, size_t i)
{
    return i < s3store_groups_count(groups) ? s3s_shared_batch_get(groups->rows[i])->length : 0;
}

S3STORE_API s3store_status s3store_groups_stream(const s3store_groups *groups, size_t i,
                                                 struct ArrowArrayStream *out, s3store_error *err)
{
    struct ArrowSchema schema = {0};
    struct ArrowArray rows = {0};
    if (i >= s3store_groups_count(groups))
        return s3s_fail(err, S3STORE_INVALID_ARGUMENT, "there is no group %zu", i);
    s3store_status status =
        s3s_batch_slice(groups->rows[i], 0, s3store_groups_rows(groups, i), &rows, err);
    if (status == S3STORE_OK)
        status = s3s_schema_export(groups->schema, &schema, err);
    if (status != S3STORE_OK) {
        s3s_array_release(&rows);
        return status;
    }
    return s3store_stream_from_batches(&schema, &rows, 1, out, err);
}

S3STORE_API void s3store_groups_free(s3store_groups *groups)
{
    if (groups == NULL)
        return;
    s3s_env *env = groups->env;
    for (size_t i = 0; i < groups->count; i++)
        s3s_shared_batch_release(groups->rows[i]);
    s3s_free(env, (void *)groups->rows);
    s3s_free(env, (void *)groups->keys);
    s3s_schema_release(groups->schema);
    s3s_arena_deinit(&groups->arena);
    s3s_free(env, groups);
    s3s_env_release(env);
}

/* ---- one row --------------------------------------------------------------------------------- */

static s3store_status append_part(const s3s_schema *schema, const struct ArrowArray *batch,
                                  int64_t row, const s3s_part_spec *spec, s3s_buffer *key,
                                  s3store_error *err)
{
    s3s_column column;
    size_t at = s3s_schema_find(schema, spec->column);
    if (at == SIZE_MAX)
        return s3s_fail(err, S3STORE_INVALID_ARGUMENT,
                        "there is no column %.200s, which partition column %.200s is made from",
                        spec->column, spec->name);
    s3s_batch_column(schema, batch, at, &column);
    s3store_status status = key->size > 0 ? s3s_buffer_append(key, "/", 1, err) : S3STORE_OK;
    if (status == S3STORE_OK)
        status = s3s_buffer_append_text(key, spec->name, err);
    if (status == S3STORE_OK)
        status = s3s_buffer_append(key, "=", 1, err);
    return status == S3STORE_OK ? s3s_value_text(&column, row, spec, key, err) : status;
}

s3store_status s3s_partition_key(const s3store_writer *writer, const struct ArrowSchema *schema,
                                 const struct ArrowArray *rows, int64_t row, char *key,
                                 size_t key_size, s3store_error *err)
{
    const s3s_descriptor *settings = &writer->target->settings;
    const char *const *names = writer->target->part_names;
    s3s_schema *types = NULL;
    s3s_buffer text;
    key[0] = '\0';
    if (key_size < S3S_KEY_SIZE)
        return s3s_fail(err, S3STORE_INVALID_ARGUMENT, "the buffer is smaller than %d bytes",
                        S3S_KEY_SIZE);
    s3s_buffer_init(&text, writer->env, S3S_KEY_SIZE);
    s3store_status status = s3s_schema_import(writer->env, schema, &types, err);
    if (status == S3STORE_OK)
        status = s3s_batch_validate(types, rows, err);
    if (status == S3STORE_OK && (row < 0 || row >= rows->length))
        status = s3s_fail(err, S3STORE_INVALID_ARGUMENT, "there is no row %lld", (long long)row);
    for (size_t i = 0; i < settings->part_count && status == S3STORE_OK; i++)
        status = append_part(types, rows, row, &settings->parts[i], &text, err);
    if (status == S3STORE_OK && memchr(text.data, '\0', text.size) != NULL)
        status = s3s_fail(err, S3STORE_INVALID_ARGUMENT, "a partition value holds a NUL");
    if (status == S3STORE_OK && s3s_buffer_text(&text, err) == NULL)
        status = S3STORE_OUT_OF_MEMORY; /* the size is bounded: nothing else can be */
    if (status == S3STORE_OK)
        status = writer->allow_unaddressable
                     ? s3s_partition_check(names, settings->part_count, (char *)text.data, err)
                     : s3s_partition_addressable(names, settings->part_count, (char *)text.data,
                                                 err);
    if (status == S3STORE_OK)
        memcpy(key, text.data, text.size + 1);
    s3s_buffer_deinit(&text);
    s3s_schema_release(types);
    return status;
}
