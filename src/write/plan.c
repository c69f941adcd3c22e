/* Rows to partitions, and partitions to chunks (docs/FORMAT.md "Chunks").
 *
 * This happens in rounds. In each the rows that are held are grouped, every group is appended to the
 * open chunk of its partition, and where a chunk is full and another row comes, it is sealed and the
 * next one is opened. Where an input is cut depends on its rows alone.
 */
#include <stdio.h>
#include <string.h>

#include "write/write_private.h"

#define UNLIMITED INT64_MAX
#define SIDE_BY_SIDE_MIN 65536 /* rows that are worth waking threads for */

void s3s_plan_init(s3s_plan *plan, s3s_env *env)
{
    memset(plan, 0, sizeof *plan);
    plan->env = env;
    s3s_arena_init(&plan->arena, env);
}

/* Where the input has a column of the partition key, every value must agree with the key. */
static s3store_status check_agreement(const s3s_input *input, const s3s_part_spec *spec,
                                      s3s_slice wanted, s3store_error *err)
{
    size_t at = s3s_schema_find(input->schema, spec->column);
    s3s_buffer text;
    s3store_status status = S3STORE_OK;
    int64_t first = input->row_count - input->held_rows + 1;
    if (at == SIZE_MAX || s3s_schema_find(input->asked, spec->column) == SIZE_MAX)
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

/* ---- partitions ------------------------------------------------------------------------------ */

static s3s_limits own_limits(const s3store_target *target)
{
    const s3s_descriptor *d = &target->settings;
    return (s3s_limits){d->chunk_rows > 0 ? d->chunk_rows : S3STORE_DEFAULT_CHUNK_ROWS,
                        d->chunk_bytes > 0 ? d->chunk_bytes : S3STORE_DEFAULT_CHUNK_BYTES};
}

static s3store_status new_chunk(s3s_write_call *c, s3s_part *part, uint32_t number,
                                const char *token, s3s_chunk **out, s3store_error *err)
{
    s3s_chunk *chunk = s3s_arena_calloc(&c->plan.arena, 1, sizeof *chunk);
    if (chunk == NULL)
        return s3s_fail_memory(err, sizeof *chunk);
    chunk->part = part;
    chunk->number = number;
    chunk->token = token;
    *out = chunk;
    s3store_status status = s3s_result_add(c->result, &c->target->layout, part->key, token, 0,
                                           &chunk->outcome, err);
    return status;
}

static s3store_status new_part(s3s_write_call *c, const char *key, s3s_part **out,
                               s3store_error *err)
{
    s3s_part *part = s3s_arena_calloc(&c->plan.arena, 1, sizeof *part);
    if (part == NULL)
        return s3s_fail_memory(err, sizeof *part);
    part->key = s3s_arena_strdup(&c->plan.arena, key);
    if (part->key == NULL)
        return s3s_fail_memory(err, strlen(key));
    part->limits = own_limits(c->target);
    part->sealed_end = &part->sealed;
    *out = part;
    return S3STORE_OK;
}

/* Merges the groups of a round (in key order) into the partitions known so far. */
static s3store_status merge_groups(s3s_write_call *c, const s3s_group *groups, size_t count,
                                   s3store_error *err)
{
    s3s_plan *plan = &c->plan;
    size_t known = 0, out = 0;
    s3store_status status = S3STORE_OK;
    s3s_part **merged = s3s_calloc(plan->env, plan->count + count + 1, sizeof(s3s_part *));
    if (merged == NULL)
        return s3s_fail_memory(err, (plan->count + count) * sizeof *merged);
    for (size_t i = 0; i < count; i++) {
        while (known < plan->count && strcmp(plan->parts[known]->key, groups[i].key) < 0)
            merged[out++] = plan->parts[known++];
        if (known < plan->count && strcmp(plan->parts[known]->key, groups[i].key) == 0)
            merged[out] = plan->parts[known++];
        else if ((status = new_part(c, groups[i].key, &merged[out], err)) != S3STORE_OK)
            break;
        merged[out]->rows = groups[i].rows;
        merged[out++]->row_count = groups[i].row_count;
    }
    while (status == S3STORE_OK && known < plan->count)
        merged[out++] = plan->parts[known++];
    if (status != S3STORE_OK) {
        s3s_free(plan->env, (void *)merged);
        return status;
    }
    s3s_free(plan->env, (void *)plan->parts);
    plan->parts = merged;
    plan->count = out;
    return S3STORE_OK;
}

static s3store_status one_partition(s3s_write_call *c, s3store_error *err)
{
    s3s_input *input = &c->input;
    s3s_plan *plan = &c->plan;
    const char *partition = c->options->partition;
    s3store_status status = check_partition(c->writer, input, partition, err);
    if (status != S3STORE_OK)
        return status;
    size_t size = (size_t)input->held_rows * sizeof *plan->all_rows;
    plan->all_rows = s3s_alloc(c->env, size);
    if (plan->all_rows == NULL)
        return s3s_fail_memory(err, size);
    size_t at = 0;
    for (size_t b = 0; b < input->batch_count; b++)
        for (int64_t r = 0; r < input->batches[b].length; r++)
            plan->all_rows[at++] = (s3s_row){(uint32_t)b, (uint32_t)r};
    s3s_group all = {.key = partition, .rows = plan->all_rows, .row_count = at};
    return merge_groups(c, &all, 1, err);
}

static s3store_status by_columns(s3s_write_call *c, s3store_error *err)
{
    const s3s_descriptor *settings = &c->target->settings;
    s3s_group_options options = {.allow_unaddressable = c->writer->allow_unaddressable,
                                 .pool = c->target->pool,
                                 .threads = c->writer->encoders_max,
                                 .call = &c->call};
    s3store_status status = s3s_group_batches(
        c->env, c->input.schema, c->plan.batches, c->input.batch_count, settings->parts,
        settings->part_count, &options, &c->plan.groups, err);
    if (status != S3STORE_OK)
        return status;
    return merge_groups(c, c->plan.groups.items, c->plan.groups.count, err);
}

/* Keys by the caller's function. */
typedef struct key_asking {
    const s3s_write_call *call;
    struct ArrowSchema schema;
    int64_t *first; /* number in the input of the first row of each held batch */
} key_asking;

static s3store_status ask_key(void *ctx, size_t batch, int64_t row, char *key, s3store_error *err)
{
    const key_asking *a = ctx;
    const s3store_write_options *o = a->call->options;
    s3store_error own = {0};
    int64_t number = a->first[batch] + row;
    memset(key, 0, S3S_KEY_SIZE);
    s3store_status status = o->partition_of(o->partition_of_ctx, &a->schema,
                                            &a->call->input.batches[batch], row, number, key,
                                            S3S_KEY_SIZE, &own);
    key[S3S_KEY_SIZE - 1] = '\0';
    if (status == S3STORE_OK)
        return status;
    if (own.status != status) /* it said that, but not why */
        s3s_fail(&own, status, "the partition function failed: %s", s3store_status_text(status));
    *err = own;
    s3s_context(err, "row %lld", (long long)number + 1);
    return status;
}

static s3store_status by_function(s3s_write_call *c, s3store_error *err)
{
    const s3s_input *input = &c->input;
    key_asking a = {.call = c};
    int64_t row = input->row_count - input->held_rows;
    a.first = s3s_alloc(c->env, input->batch_count * sizeof *a.first);
    if (a.first == NULL)
        return s3s_fail_memory(err, input->batch_count * sizeof *a.first);
    for (size_t i = 0; i < input->batch_count; i++) {
        a.first[i] = row;
        row += input->batches[i].length;
    }
    s3store_status status = s3s_schema_export(input->schema, &a.schema, err);
    if (status == S3STORE_OK)
        status = s3s_group_by_function(c->env, c->plan.batches, input->batch_count,
                                       c->target->part_names, c->target->settings.part_count,
                                       c->writer->allow_unaddressable, ask_key, &a,
                                       &c->plan.groups, err);
    s3s_schema_abi_release(&a.schema);
    s3s_free(c->env, a.first);
    if (status != S3STORE_OK)
        return status;
    return merge_groups(c, c->plan.groups.items, c->plan.groups.count, err);
}

/* ---- tokens ---------------------------------------------------------------------------------- */

/* Asks the caller's function for the token of some rows of one partition. */
static s3store_status ask_token(s3s_write_call *c, const s3s_part *part, char *token,
                                size_t token_size, s3store_error *err)
{
    struct ArrowArray rows = {0};
    struct ArrowSchema schema = {0};
    const s3s_input *input = &c->input;
    const s3store_write_options *options = c->options;
    memset(token, 0, token_size);
    s3store_error own = {0};
    s3store_status status =
        s3s_batch_take(c->env, input->schema, c->plan.batches, input->batch_count, part->rows,
                       part->row_count, NULL, 0, &rows, &own);
    if (status == S3STORE_OK)
        status = s3s_schema_export(input->schema, &schema, &own);
    if (status == S3STORE_OK) {
        status = options->token_of(options->token_of_ctx, part->key, &schema, &rows, token,
                                   token_size, &own);
        token[token_size - 1] = '\0';
        if (status != S3STORE_OK && own.status != status) /* it said that, but not why */
            s3s_fail(&own, status, "the token function failed: %s", s3store_status_text(status));
        else if (status == S3STORE_OK)
            status = s3s_token_check(token, &own);
    }
    s3s_schema_abi_release(&schema);
    s3s_array_release(&rows);
    if (status == S3STORE_OK && part->token != NULL && strcmp(token, part->token) != 0)
        status = s3s_fail(&own, S3STORE_INVALID_ARGUMENT,
                          "the function gave \"%.80s\" for its first rows and \"%.80s\" for later "
                          "ones; an input that memory does not hold needs one that all rows agree "
                          "on",
                          part->token, token);
    if (status != S3STORE_OK) {
        s3s_context(&own, "token of partition %.300s", part->key);
        *err = own;
    }
    return status;
}

/* A failure of one partition: with keep_going it is that partition's alone. */
static s3store_status fail_part(s3s_write_call *c, s3s_part *part, s3store_status status,
                                const s3store_error *why, s3store_error *err)
{
    s3store_error *kept = NULL;
    if (!c->options->keep_going || part->open == NULL || (kept = s3s_alloc(c->env, sizeof *kept)) == NULL) {
        *err = *why;
        return status;
    }
    *kept = *why;
    part->is_failed = true;
    s3s_outcome_set_error(part->open->outcome, S3STORE_COMMIT_FAILED, kept);
    return S3STORE_OK;
}

/* The token of a partition that has rows in this round, and its first chunk. */
static s3store_status name_part(s3s_write_call *c, s3s_part *part, s3store_error *err)
{
    char token[S3STORE_TOKEN_MAX_BYTES + 2];
    s3store_error why = {0};
    s3store_status status = S3STORE_OK;
    bool is_new = part->open == NULL;
    if (c->options->token_of != NULL && !part->is_failed)
        status = ask_token(c, part, token, sizeof token, &why);
    if (is_new && status == S3STORE_OK && c->options->token_of != NULL) {
        part->token = s3s_arena_strdup(&c->plan.arena, token);
        if (part->token == NULL)
            return s3s_fail_memory(err, sizeof token);
    } else if (is_new && status == S3STORE_OK) {
        part->token = c->options->token;
    }
    if (is_new) {
        s3store_status made = new_chunk(c, part, 1, part->token, &part->open, err);
        if (made != S3STORE_OK)
            return made;
        part->open->outcome->commit.row_count = (int64_t)part->row_count;
    }
    return status == S3STORE_OK ? status : fail_part(c, part, status, &why, err);
}

static uint64_t row_size(const s3s_write_call *c, s3s_row row)
{
    return c->input.row_sizes[row.batch][row.row];
}

static s3store_status measure_part(void *ctx, size_t i, s3store_error *err)
{
    s3s_write_call *c = ctx;
    s3s_part *part = c->plan.parts[i];
    uint64_t bytes = 0;
    (void)err;
    for (size_t k = 0; k < part->row_count; k++)
        bytes += row_size(c, part->rows[k]);
    part->row_bytes = bytes;
    return S3STORE_OK;
}

static s3store_status measure_parts(s3s_write_call *c, s3store_error *err)
{
    s3s_fan_options fan = {.limit = c->writer->encoders_max, .call = &c->call};
    if (c->input.held_rows >= SIDE_BY_SIDE_MIN)
        return s3s_fan_out(c->target->pool, c->plan.count, measure_part, c, &fan, err);
    for (size_t i = 0; i < c->plan.count; i++)
        (void)measure_part(c, i, err);
    return S3STORE_OK;
}

s3store_status s3s_plan_group(s3s_write_call *c, s3store_error *err)
{
    s3s_plan *plan = &c->plan;
    const s3s_input *input = &c->input;
    s3s_free(c->env, plan->batches);
    plan->batches = s3s_alloc(c->env, (input->batch_count + 1) * sizeof *plan->batches);
    if (plan->batches == NULL)
        return s3s_fail_memory(err, input->batch_count * sizeof *plan->batches);
    for (size_t i = 0; i < input->batch_count; i++)
        plan->batches[i] = &input->batches[i];
    if (plan->groups.env != NULL)
        s3s_groups_deinit(&plan->groups);
    s3s_free(c->env, plan->all_rows);
    plan->all_rows = NULL;
    s3s_found_markers_deinit(&plan->found);
    if (input->batch_count == 0)
        return S3STORE_OK;
    s3store_status status = c->options->partition != NULL      ? one_partition(c, err)
                            : c->options->partition_of != NULL ? by_function(c, err)
                                                               : by_columns(c, err);
    /* Views speak of rows by their numbers in the input. */
    if (status == S3STORE_OK && c->options->partition == NULL && c->writer->views.count == 0 &&
        !c->options->dry_run)
        status = s3s_arrange_held(c, err);
    if (status == S3STORE_OK)
        status = measure_parts(c, err);
    for (size_t i = 0; i < plan->count && status == S3STORE_OK; i++)
        if (plan->parts[i]->row_count > 0)
            status = name_part(c, plan->parts[i], err);
    return status == S3STORE_OK ? s3s_markers_find(c->writer, input->schema, plan->batches,
                                                   input->batch_count, &plan->found, err)
                                : status;
}

/* ---- chunks ---------------------------------------------------------------------------------- */

/* Whether a chunk that has rows takes one more of this size. */
static bool is_full(const s3s_chunk *chunk, uint64_t size)
{
    const s3s_limits *limits = &chunk->part->limits;
    return chunk->row_count >= limits->rows || chunk->byte_count + size > limits->bytes;
}

bool s3s_plan_exceeds(const s3s_part *part)
{
    return part->row_count > part->limits.rows ||
           (part->row_bytes > part->limits.bytes && part->row_count > 1);
}

/* Whether the open chunk takes all rows that are not yet cut. */
static bool takes_all(const s3s_part *part)
{
    const s3s_chunk *chunk = part->open;
    return chunk->row_count + part->row_count <= part->limits.rows &&
           chunk->byte_count + part->row_bytes <= part->limits.bytes;
}

/* A partition turns out to need several commits: is it said what is needed for that? */
static s3store_status check_several(const s3s_write_call *c, const s3s_part *part,
                                    s3store_error *err)
{
    if (c->options->token == NULL && c->options->token_of == NULL && !c->options->no_token)
        return s3s_fail(err, S3STORE_INVALID_ARGUMENT,
                        "partition %.300s has more than %llu rows or %llu bytes, and is written in "
                        "several commits: give a token (--token), so that the write can be repeated "
                        "when it is interrupted, or say that it never will be (no_token, --no-token)",
                        part->key, (unsigned long long)part->limits.rows,
                        (unsigned long long)part->limits.bytes);
    if (part->token != NULL && strlen(part->token) > S3STORE_TOKEN_CHUNKED_MAX_BYTES)
        return s3s_fail(err, S3STORE_INVALID_ARGUMENT,
                        "partition %.300s is written in several commits: its token may have %d bytes "
                        "then, and has %zu",
                        part->key, S3STORE_TOKEN_CHUNKED_MAX_BYTES, strlen(part->token));
    return S3STORE_OK;
}

static void seal(s3s_part *part, bool more)
{
    s3s_chunk *chunk = part->open;
    chunk->more = more;
    chunk->outcome->commit.row_count = (int64_t)chunk->row_count;
    if (more || chunk->number > 1)
        chunk->outcome->commit.chunk = chunk->number;
    *part->sealed_end = chunk;
    part->sealed_end = &chunk->next;
    part->open = NULL;
}

static s3store_status open_next(s3s_write_call *c, s3s_part *part, s3store_error *err)
{
    s3s_chunk *full = part->open, *next;
    const char *token = NULL;
    s3store_status status = check_several(c, part, err);
    if (status == S3STORE_OK && full->number >= S3S_CHUNKS_MAX)
        status = s3s_fail(err, S3STORE_LIMIT_EXCEEDED, "partition %.300s needs more than %d commits",
                          part->key, S3S_CHUNKS_MAX);
    if (status != S3STORE_OK)
        return status;
    if (part->token != NULL) {
        token = s3s_arena_printf(&c->plan.arena, S3S_CHUNK_TOKEN, part->token,
                                 (unsigned)full->number + 1);
        if (token == NULL)
            return s3s_fail_memory(err, S3STORE_TOKEN_MAX_BYTES);
    }
    status = new_chunk(c, part, full->number + 1, token, &next, err);
    if (status != S3STORE_OK)
        return status;
    next->outcome->commit.chunk = next->number;
    seal(part, true);
    part->open = next;
    return S3STORE_OK;
}

/* Of the open chunk nothing is held yet: what earlier rounds put there is spilled. */
static s3store_status cut_part(s3s_write_call *c, s3s_part *part, s3store_error *err)
{
    s3store_status status = S3STORE_OK;
    s3s_chunk *chunk = part->open;
    bool at_once = part->row_count > 0 && takes_all(part);
    if (at_once) {
        chunk->rows = part->rows;
        chunk->held_count = part->row_count;
        chunk->row_count += part->row_count;
        chunk->byte_count += part->row_bytes;
    }
    for (size_t i = 0; !at_once && i < part->row_count; i++) {
        uint64_t size = row_size(c, part->rows[i]);
        if (chunk->row_count > 0 && is_full(chunk, size)) {
            status = open_next(c, part, err);
            if (status != S3STORE_OK)
                break;
            chunk = part->open;
        }
        if (chunk->held_count == 0)
            chunk->rows = &part->rows[i];
        chunk->held_count++;
        chunk->row_count++;
        chunk->byte_count += size;
    }
    part->open->outcome->commit.row_count = (int64_t)part->open->row_count;
    part->row_count = part->row_bytes = 0;
    return status;
}

/* How the prior commit of a partition says that its input is cut. One without a word is all of it. */
static void obey_prior(s3s_part *part)
{
    const s3s_marker *prior = &part->prior;
    bool several = prior->chunk_rows > 0;
    part->limits = several ? (s3s_limits){prior->chunk_rows, prior->chunk_bytes}
                           : (s3s_limits){UNLIMITED, UNLIMITED};
}

/* What views need of the rows that were cut in this round. */
static s3store_status note_markers(s3s_write_call *c, s3s_part *part, s3store_error *err)
{
    s3s_chunk *lists[] = {part->sealed, part->open};
    s3store_status status = S3STORE_OK;
    for (size_t i = 0; i < 2; i++)
        for (s3s_chunk *chunk = lists[i]; chunk != NULL && status == S3STORE_OK; chunk = chunk->next)
            if (chunk->held_count > 0)
                status = s3s_markers_note(&c->plan.found, chunk->rows, chunk->held_count,
                                          &chunk->markers, err);
    return status;
}

s3store_status s3s_plan_cut(s3s_write_call *c, bool ends, s3store_error *err)
{
    s3store_status status = S3STORE_OK;
    for (size_t i = 0; i < c->plan.count && status == S3STORE_OK; i++) {
        s3s_part *part = c->plan.parts[i];
        s3store_error why = {0};
        if (part->is_failed) {
            part->row_count = 0;
            continue;
        }
        if (part->row_count > 0 && part->has_prior && part->open->number == 1 &&
            part->open->row_count == 0)
            obey_prior(part);
        status = cut_part(c, part, &why);
        if (status != S3STORE_OK)
            status = fail_part(c, part, status, &why, err);
        else if (ends)
            seal(part, false);
        if (status == S3STORE_OK && !part->is_failed)
            status = note_markers(c, part, err);
    }
    return status;
}

s3store_status s3s_plan_cut_again(s3s_write_call *c, s3s_part *part, s3store_error *err)
{
    s3s_chunk *only = part->sealed;
    part->rows = only->rows;
    part->row_count = only->held_count;
    part->row_bytes = only->byte_count;
    only->held_count = only->row_count = only->byte_count = 0;
    part->sealed = NULL;
    part->sealed_end = &part->sealed;
    part->open = only;
    part->is_recut = false;
    obey_prior(part);
    s3store_status status = cut_part(c, part, err);
    if (status == S3STORE_OK)
        seal(part, false);
    return status == S3STORE_OK ? note_markers(c, part, err) : status;
}

void s3s_chunk_clear(s3s_write_call *c, s3s_chunk *chunk)
{
    for (size_t i = 0; i < chunk->extent_count; i++)
        s3s_spill_file_discard(c->spill, chunk->extents[i].from, chunk->extents[i].to);
    s3s_marker_list_deinit(&chunk->markers);
    s3s_free(c->env, chunk->extents);
    chunk->extents = NULL;
    chunk->extent_count = chunk->extent_capacity = chunk->held_count = 0;
}

void s3s_plan_deinit(s3s_plan *plan)
{
    for (size_t i = 0; i < plan->count; i++) {
        s3s_part *part = plan->parts[i];
        s3s_chunk *lists[] = {part->sealed, part->open};
        for (size_t k = 0; k < 2; k++)
            for (s3s_chunk *chunk = lists[k]; chunk != NULL; chunk = chunk->next) {
                s3s_marker_list_deinit(&chunk->markers);
                s3s_free(plan->env, chunk->extents);
            }
    }
    s3s_found_markers_deinit(&plan->found);
    if (plan->groups.env != NULL)
        s3s_groups_deinit(&plan->groups);
    s3s_free(plan->env, (void *)plan->parts);
    s3s_free(plan->env, plan->all_rows);
    s3s_free(plan->env, plan->batches);
    s3s_arena_deinit(&plan->arena);
    memset(plan, 0, sizeof *plan);
}
