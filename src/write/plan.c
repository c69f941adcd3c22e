/* Rows to partitions, tokens, and every key checked before the first request. */
#include <string.h>

#include "write/write_private.h"

/* The longest keys that the item will need; any attempt id and stamp have the same length. */
static s3store_status check_item_keys(const s3s_layout *layout, const s3s_plan_item *item,
                                      s3store_error *err)
{
    static const char attempt[] = "00000000000000000000000000000000";
    const char *token = item->token != NULL ? item->token : attempt;
    char key[S3S_KEY_SIZE];
    s3store_status status = s3s_data_key(layout, item->partition, token, attempt, key, err);
    if (status == S3STORE_OK)
        status = s3s_commit_key(layout, item->partition, token, key, err);
    if (status == S3STORE_OK)
        status = s3s_ref_key(layout, 0, token, attempt, item->partition, key, err);
    return status;
}

/* Where the input has a column of the partition key, every value must agree with the key. */
static s3store_status check_agreement(const s3s_input *input, const s3s_part_spec *spec,
                                      s3s_slice wanted, s3store_error *err)
{
    size_t at = s3s_schema_find(input->schema, spec->column);
    s3s_buffer text;
    s3store_status status = S3STORE_OK;
    int64_t first = 1;
    if (at == SIZE_MAX || s3s_schema_find(input->incoming, spec->column) == SIZE_MAX)
        return S3STORE_OK;
    s3s_buffer_init(&text, input->env, SIZE_MAX);
    for (size_t b = 0; b < input->batch_count && status == S3STORE_OK; b++) {
        s3s_column column;
        s3s_batch_column(input->schema, &input->batches[b], at, &column);
        for (int64_t r = 0; r < column.length && status == S3STORE_OK; r++) {
            s3s_buffer_clear(&text);
            if (!s3s_column_is_null(&column, r))
                status = s3s_value_text(&column, r, spec, &text, err);
            if (status == S3STORE_OK &&
                (text.size != wanted.size ||
                 (text.size > 0 && memcmp(text.data, wanted.data, text.size) != 0)))
                status = s3s_fail(err, S3STORE_INVALID_ARGUMENT,
                                  "row %lld: column %s does not agree with the partition's %s=%.*s",
                                  (long long)(first + r), spec->column, spec->name,
                                  (int)wanted.size, wanted.data);
        }
        first += column.length;
    }
    s3s_buffer_deinit(&text);
    return status;
}

static s3store_status check_partition(const s3store_writer *writer, const s3s_input *input,
                                      const char *partition, s3store_error *err)
{
    const s3s_descriptor *settings = &writer->target->settings;
    const char *const *names = writer->target->part_names;
    s3store_status status =
        writer->allow_unaddressable
            ? s3s_partition_check(names, settings->part_count, partition, err)
            : s3s_partition_addressable(names, settings->part_count, partition, err);
    const char *at = partition;
    for (size_t i = 0; i < settings->part_count && status == S3STORE_OK; i++) {
        size_t size = strcspn(at, "/"), name = strlen(settings->parts[i].name) + 1;
        s3s_slice value = {at + name, size - name};
        status = check_agreement(input, &settings->parts[i], value, err);
        at += size + 1;
    }
    return status;
}

static s3store_status one_partition(s3store_writer *writer, const s3s_input *input,
                                    const char *partition, s3s_plan *plan, s3store_error *err)
{
    s3store_status status = check_partition(writer, input, partition, err);
    if (status != S3STORE_OK)
        return status;
    plan->items = s3s_arena_calloc(&plan->arena, 1, sizeof *plan->items);
    plan->all_rows = s3s_alloc(writer->env, (size_t)input->row_count * sizeof *plan->all_rows);
    if (plan->items == NULL || plan->all_rows == NULL)
        return s3s_fail_memory(err, (size_t)input->row_count * sizeof *plan->all_rows);
    size_t at = 0;
    for (size_t b = 0; b < input->batch_count; b++)
        for (int64_t r = 0; r < input->batches[b].length; r++)
            plan->all_rows[at++] = (s3s_row){(uint32_t)b, (uint32_t)r};
    plan->items[0] = (s3s_plan_item){
        .partition = partition, .rows = plan->all_rows, .row_count = (size_t)input->row_count};
    plan->count = 1;
    return S3STORE_OK;
}

static s3store_status by_columns(s3store_writer *writer, const s3s_input *input, s3s_plan *plan,
                                 s3store_error *err)
{
    const s3s_descriptor *settings = &writer->target->settings;
    s3store_status status =
        s3s_group_batches(writer->env, input->schema, plan->batches, input->batch_count,
                          settings->parts, settings->part_count, writer->allow_unaddressable,
                          &plan->groups, err);
    if (status != S3STORE_OK)
        return status;
    plan->items = s3s_arena_calloc(&plan->arena, plan->groups.count, sizeof *plan->items);
    if (plan->items == NULL)
        return s3s_fail_memory(err, plan->groups.count * sizeof *plan->items);
    for (size_t i = 0; i < plan->groups.count; i++)
        plan->items[i] = (s3s_plan_item){.partition = plan->groups.items[i].key,
                                         .rows = plan->groups.items[i].rows,
                                         .row_count = plan->groups.items[i].row_count};
    plan->count = plan->groups.count;
    return S3STORE_OK;
}

/* Asks the caller's function for the token of one partition, with the partition's rows. */
static s3store_status ask_token(s3store_writer *writer, const s3s_input *input, s3s_plan *plan,
                                s3s_plan_item *item, const s3store_write_options *options,
                                s3store_error *err)
{
    struct ArrowArray rows = {0};
    struct ArrowSchema schema = {0};
    char token[S3STORE_TOKEN_MAX_BYTES + 2];
    memset(token, 0, sizeof token);
    s3store_error own = {0};
    s3store_status status =
        s3s_batch_take(writer->env, input->schema, plan->batches, input->batch_count, item->rows,
                       item->row_count, NULL, 0, &rows, &own);
    if (status == S3STORE_OK)
        status = s3s_schema_export(input->schema, &schema, &own);
    if (status == S3STORE_OK) {
        status = options->token_of(options->token_of_ctx, item->partition, &schema, &rows, token,
                                   sizeof token, &own);
        token[sizeof token - 1] = '\0';
        if (status != S3STORE_OK && own.status != status) /* it said that, but not why */
            s3s_fail(&own, status, "the token function failed: %s", s3store_status_text(status));
        else if (status == S3STORE_OK)
            status = s3s_token_check(token, &own);
    }
    s3s_schema_abi_release(&schema);
    s3s_array_release(&rows);
    if (status == S3STORE_OK) {
        item->token = s3s_arena_strdup(&plan->arena, token);
        if (item->token == NULL)
            status = s3s_fail_memory(&own, sizeof token);
    }
    if (status != S3STORE_OK && err != NULL) {
        s3s_context(&own, "token of partition %.300s", item->partition);
        *err = own;
    }
    return status;
}

static s3store_status name_tokens(s3store_writer *writer, const s3s_input *input, s3s_plan *plan,
                                  const s3store_write_options *options, s3store_error *err)
{
    for (size_t i = 0; i < plan->count; i++) {
        s3store_status status = S3STORE_OK;
        if (options->token_of != NULL)
            status = ask_token(writer, input, plan, &plan->items[i], options, err);
        else
            plan->items[i].token = options->token;
        if (status == S3STORE_OK)
            status = check_item_keys(&writer->target->layout, &plan->items[i], err);
        if (status != S3STORE_OK)
            return status;
    }
    return S3STORE_OK;
}

static s3store_status note_markers(const s3store_writer *writer, const s3s_input *input,
                                   s3s_plan *plan, s3store_error *err)
{
    s3s_found_markers found;
    s3store_status status = s3s_markers_find(writer, input->schema, plan->batches,
                                             input->batch_count, &found, err);
    for (size_t i = 0; i < plan->count && status == S3STORE_OK; i++)
        status = s3s_markers_note(&found, plan->items[i].rows, plan->items[i].row_count,
                                  &plan->items[i].markers, err);
    s3s_found_markers_deinit(&found);
    return status;
}

s3store_status s3s_plan_make(s3store_writer *writer, const s3s_input *input,
                             const s3store_write_options *options, s3s_plan *out,
                             s3store_error *err)
{
    memset(out, 0, sizeof *out);
    out->env = writer->env;
    s3s_arena_init(&out->arena, writer->env);
    out->batches = s3s_alloc(writer->env, (input->batch_count + 1) * sizeof *out->batches);
    if (out->batches == NULL) {
        s3s_plan_deinit(out);
        return s3s_fail_memory(err, input->batch_count * sizeof *out->batches);
    }
    for (size_t i = 0; i < input->batch_count; i++)
        out->batches[i] = &input->batches[i];
    s3store_status status = options->partition != NULL
                                ? one_partition(writer, input, options->partition, out, err)
                                : by_columns(writer, input, out, err);
    if (status == S3STORE_OK)
        status = name_tokens(writer, input, out, options, err);
    if (status == S3STORE_OK)
        status = note_markers(writer, input, out, err);
    if (status != S3STORE_OK)
        s3s_plan_deinit(out);
    return status;
}

void s3s_plan_deinit(s3s_plan *plan)
{
    if (plan->env == NULL)
        return;
    for (size_t i = 0; i < plan->count; i++)
        s3s_marker_list_deinit(&plan->items[i].markers);
    s3s_groups_deinit(&plan->groups);
    s3s_free(plan->env, plan->all_rows);
    s3s_free(plan->env, plan->batches);
    s3s_arena_deinit(&plan->arena);
    memset(plan, 0, sizeof *plan);
}
