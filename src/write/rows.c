/* The rows of a chunk: first those in the spill file, then those that are held; in pieces. */
#include <string.h>

#include "arrow/spill_file.h"
#include "write/write_private.h"

#define PIECE_BYTES_MAX (UINT64_C(4) << 20)
#define PIECE_BYTES_MIN (UINT64_C(64) << 10)
#define PIECE_SHARE 64 /* of the budget */

/* What the nested values of a row take: members that are null have their place too. */
static uint64_t nested_bytes(const s3s_input *input, s3s_row row)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < input->schema->field_count; i++) {
        const s3s_field *field = &input->schema->fields[i];
        const struct ArrowArray *batch = &input->batches[row.batch];
        s3s_column value;
        if (s3s_type_is_flat(field->type))
            continue;
        s3s_column_view(field, batch->children[i], batch->offset + (int64_t)row.row, 1, &value);
        bytes += s3s_column_held_bytes(&value);
    }
    return bytes;
}

/* How many of these rows are taken at once. */
static size_t piece_rows(const s3s_write_call *c, const s3s_row *rows, size_t count)
{
    uint64_t limit = c->target->memory_bytes / PIECE_SHARE, bytes = 0;
    limit = limit < PIECE_BYTES_MIN ? PIECE_BYTES_MIN : limit > PIECE_BYTES_MAX ? PIECE_BYTES_MAX : limit;
    size_t n = 0;
    for (; n < count && (n == 0 || bytes < limit); n++) {
        bytes += c->input.row_width + c->input.row_sizes[rows[n].batch][rows[n].row];
        if (c->input.has_nested)
            bytes += nested_bytes(&c->input, rows[n]);
    }
    return n;
}

static void release_nothing(struct ArrowArray *array)
{
    array->release = NULL;
}

/* All rows of a held batch in their order are that batch: lent until the chunk is published. */
static bool lend_batch(const s3s_write_call *c, const s3s_row *rows, size_t count,
                       struct ArrowArray *out)
{
    const struct ArrowArray *batch = c->plan.batches[rows[0].batch];
    if ((size_t)batch->length != count)
        return false;
    for (size_t i = 0; i < count; i++)
        if (rows[i].row != i || rows[i].batch != rows[0].batch)
            return false;
    *out = *batch;
    out->release = release_nothing;
    return true;
}

static s3store_status take_piece(const s3s_write_call *c, const s3s_chunk *chunk, size_t *at,
                                 struct ArrowArray *out, s3store_error *err)
{
    const s3s_row *rows = chunk->rows + *at;
    size_t count = piece_rows(c, rows, chunk->held_count - *at);
    *at += count;
    if (lend_batch(c, rows, count, out))
        return S3STORE_OK;
    return s3s_batch_take(c->env, c->input.schema, c->plan.batches, c->input.batch_count, rows,
                          count, NULL, 0, out, err);
}

static s3store_status read_extent(s3s_chunk_cursor *cursor, const s3s_extent *extent,
                                  struct ArrowArray *out, s3store_error *err)
{
    const s3s_write_call *c = cursor->call;
    const s3s_input *input = &c->input;
    struct ArrowArray batch = {0};
    if (cursor->offset < extent->from)
        cursor->offset = extent->from;
    s3store_status status =
        s3s_spill_file_read(c->env, c->spill, c->target->spill_dir,
                            extent->old_types ? input->spilled : input->schema, &cursor->offset,
                            &batch, err);
    if (status != S3STORE_OK || !extent->old_types) {
        *out = batch;
        return status;
    }
    status = s3s_batch_convert(c->env, input->spilled, &batch, input->schema, "the input", out, err);
    s3s_array_release(&batch);
    return status;
}

s3store_status s3s_chunk_next(s3s_chunk_cursor *cursor, struct ArrowArray *out, s3store_error *err)
{
    const s3s_chunk *chunk = cursor->chunk;
    memset(out, 0, sizeof *out);
    while (cursor->extent < chunk->extent_count) {
        const s3s_extent *extent = &chunk->extents[cursor->extent];
        if (cursor->offset < extent->to)
            return read_extent(cursor, extent, out, err);
        cursor->extent++;
    }
    if (cursor->held < chunk->held_count)
        return take_piece(cursor->call, chunk, &cursor->held, out, err);
    return S3STORE_END;
}

/* ---- spilling -------------------------------------------------------------------------------- */

static s3store_status add_extent(s3s_write_call *c, s3s_chunk *chunk, s3s_extent extent,
                                 s3store_error *err)
{
    if (chunk->extent_count == chunk->extent_capacity) {
        size_t capacity = chunk->extent_capacity == 0 ? 4 : 2 * chunk->extent_capacity;
        s3s_extent *grown = s3s_realloc(c->env, chunk->extents, capacity * sizeof *grown);
        if (grown == NULL)
            return s3s_fail_memory(err, capacity * sizeof *grown);
        chunk->extents = grown;
        chunk->extent_capacity = capacity;
    }
    chunk->extents[chunk->extent_count++] = extent;
    return S3STORE_OK;
}

static s3store_status spill_chunk(s3s_write_call *c, s3s_chunk *chunk, s3store_error *err)
{
    s3store_status status = S3STORE_OK;
    s3s_extent extent = {.from = c->spill->size};
    for (size_t at = 0; at < chunk->held_count && status == S3STORE_OK;) {
        struct ArrowArray piece = {0};
        status = s3s_call_check(c->env, &c->call, err);
        if (status == S3STORE_OK)
            status = take_piece(c, chunk, &at, &piece, err);
        if (status == S3STORE_OK)
            status = s3s_spill_file_write(c->env, c->spill, c->target->spill_dir, c->input.schema,
                                          &piece, err);
        s3s_array_release(&piece);
    }
    extent.to = c->spill->size;
    chunk->held_count = 0;
    return status == S3STORE_OK ? add_extent(c, chunk, extent, err) : status;
}

static s3store_status open_spill(s3s_write_call *c, s3store_error *err)
{
    if (c->spill != NULL)
        return S3STORE_OK;
    s3s_spill_file *file = s3s_calloc(c->env, 1, sizeof *file);
    if (file == NULL)
        return s3s_fail_memory(err, sizeof *file);
    file->fd = -1;
    c->spill = file;
    return s3s_spill_file_open(file, c->target->spill_dir, err);
}

static s3store_status spill_part(s3s_write_call *c, s3s_part *part, s3store_error *err)
{
    s3s_chunk *lists[] = {part->sealed, part->open};
    s3store_status status = S3STORE_OK;
    for (size_t i = 0; i < 2; i++)
        for (s3s_chunk *chunk = lists[i]; chunk != NULL && status == S3STORE_OK; chunk = chunk->next) {
            if (part->is_failed || c->options->dry_run)
                chunk->held_count = 0;
            else if (chunk->held_count > 0)
                status = spill_chunk(c, chunk, err);
        }
    return status;
}

s3store_status s3s_spill_held(s3s_write_call *c, s3store_error *err)
{
    s3store_status status = c->options->dry_run ? S3STORE_OK : open_spill(c, err);
    for (size_t i = 0; i < c->plan.count && status == S3STORE_OK; i++)
        status = spill_part(c, c->plan.parts[i], err);
    if (status == S3STORE_OK)
        s3s_input_drop(&c->input);
    return status;
}
