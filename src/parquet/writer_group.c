/* parquet/writer_group.c: row groups are closed and go to the sink. */
#include "base/error.h"
#include "parquet/writer_private.h"

s3store_status s3s_parquet_writer_put(s3s_parquet_writer *w, const void *data, size_t size,
                                      s3store_error *err)
{
    if (size == 0)
        return S3STORE_OK;
    s3store_status status = w->later ? s3s_rope_append(&w->leaving, data, size, err)
                                     : w->sink.write(w->sink.ctx, data, size, err);
    if (status == S3STORE_OK)
        w->offset += size;
    return status;
}

/* ---- what leaves later ----------------------------------------------------------------------- */

/* With threads the bytes of a row group go to the sink while the next one is filled, all in one
 * item of the encoders: by whichever thread is free. */

static s3store_status write_leaving(void *owner, void *what, s3store_error *err)
{
    s3s_parquet_writer *w = owner;
    s3s_rope *leaving = what;
    s3store_status status = S3STORE_OK;
    for (size_t i = 0; i < leaving->count && status == S3STORE_OK; i++) {
        s3s_buffer *b = &leaving->blocks[i];
        if (b->size > 0)
            status = w->sink.write(w->sink.ctx, b->data, b->size, err);
        s3s_buffer_deinit(b);
    }
    s3s_rope_clear(leaving);
    return status;
}

/* Whatever was to leave has left. */
static s3store_status finish_leaving(s3s_parquet_writer *w, s3store_error *err)
{
    s3store_status status = S3STORE_OK;
    if (w->leaves_later)
        status = s3s_encoders_wait(&w->encoders, w->leaving_item, err);
    w->leaves_later = false;
    return status;
}

static s3store_status leave_later(s3s_parquet_writer *w, s3store_error *err)
{
    s3store_status status =
        s3s_encoders_push(&w->encoders, write_leaving, w, &w->leaving, &w->leaving_item, err);
    w->leaves_later = status == S3STORE_OK;
    return status;
}

/* ---- chunks ---------------------------------------------------------------------------------- */

static s3store_status put_chunk(s3s_parquet_writer *w, s3s_column_writer *c, s3store_error *err)
{
    const s3s_buffer *dictionary = &c->dictionary_page;
    s3store_status status = s3s_parquet_writer_put(w, dictionary->data, dictionary->size, err);
    if (w->later && status == S3STORE_OK) {
        w->offset += c->pages.size;
        return s3s_rope_join(&w->leaving, &c->pages, err);
    }
    for (size_t i = 0; i < c->pages.count && status == S3STORE_OK; i++)
        status = s3s_parquet_writer_put(w, c->pages.blocks[i].data, c->pages.blocks[i].size, err);
    return status;
}

static s3store_status write_chunk(s3s_parquet_writer *w, s3s_column_writer *c, s3s_pq_chunk *chunk,
                                  s3store_error *err)
{
    s3store_status status = s3s_parquet_writer_describe_chunk(w, c, chunk, err);
    if (status == S3STORE_OK)
        status = s3s_parquet_writer_keep_index(w, c, (uint64_t)chunk->column.data_page_offset, err);
    return status == S3STORE_OK ? put_chunk(w, c, err) : status;
}

/* Filters lie behind the chunks of their row group: nothing is kept until the file's end. */
static s3store_status write_bloom(s3s_parquet_writer *w, s3s_column_writer *c, s3s_pq_column *out,
                                  s3store_error *err)
{
    size_t size = s3s_bloom_finish(&c->bloom);
    if (size == 0)
        return S3STORE_OK;
    const s3s_pq_one_choice known = {.has = 1};
    s3s_pq_bloom_header header = {.has = 15, .bytes = (int32_t)size, .algorithm = known,
                                  .hash = known, .compression = known};
    s3s_buffer bytes;
    s3s_buffer_init(&bytes, w->env, 64);
    out->bloom_filter_offset = (int64_t)w->offset;
    s3store_status status = s3s_thrift_write(&s3s_pq_bloom_header_struct, &header, &bytes, err);
    if (status == S3STORE_OK)
        status = s3s_parquet_writer_put(w, bytes.data, bytes.size, err);
    if (status == S3STORE_OK)
        status = s3s_parquet_writer_put(w, c->bloom.data, size, err);
    out->bloom_filter_size = (int32_t)(bytes.size + size);
    S3S_PQ_SET(out, S3S_COLUMN_BLOOM_OFFSET);
    S3S_PQ_SET(out, S3S_COLUMN_BLOOM_SIZE);
    s3s_buffer_deinit(&bytes);
    return status;
}

/* ---- a row group ----------------------------------------------------------------------------- */

/* Chunks leave as soon as those before them have: pages of later ones are still being encoded. */
static s3store_status write_chunks(s3s_parquet_writer *w, s3s_pq_row_group *group,
                                   s3store_error *err)
{
    s3s_pq_chunk *chunks = group->columns.items;
    s3store_status status = S3STORE_OK;
    for (size_t i = 0; w->defers && i < w->column_count && status == S3STORE_OK; i++)
        status = s3s_column_writer_push_rest(&w->columns[i], err);
    if (status == S3STORE_OK)
        status = finish_leaving(w, err);
    for (size_t i = 0; i < w->column_count && status == S3STORE_OK; i++) {
        if (w->defers)
            status = s3s_column_writer_finish(&w->columns[i], err);
        if (status == S3STORE_OK)
            status = write_chunk(w, &w->columns[i], &chunks[i], err);
        group->total_byte_size += chunks[i].column.uncompressed_size;
        group->total_compressed_size += chunks[i].column.compressed_size;
    }
    for (size_t i = 0; i < w->column_count && status == S3STORE_OK; i++)
        status = write_bloom(w, &w->columns[i], &chunks[i].column, err);
    return status;
}

s3store_status s3s_parquet_writer_close_group(s3s_parquet_writer *w, bool last, s3store_error *err)
{
    int64_t rows = w->columns[0].rows;
    if (rows == 0)
        return finish_leaving(w, err);
    s3s_pq_chunk *chunks = s3s_arena_calloc(&w->arena, w->column_count, sizeof *chunks);
    if (chunks == NULL)
        return s3s_fail_memory(err, w->column_count * sizeof *chunks);
    size_t ordinal = w->groups.size / sizeof(s3s_pq_row_group);
    s3s_pq_row_group group = {.columns = {chunks, w->column_count},
                              .num_rows = rows,
                              .sorting = w->sorting,
                              .file_offset = (int64_t)w->offset};
    s3s_column_work close = {.writer = w};
    s3store_status status = s3s_parquet_writer_work(w, &close, err);
    w->later = !last && w->encoders.queue != NULL;
    if (status == S3STORE_OK)
        status = write_chunks(w, &group, err);
    if (status == S3STORE_OK && w->later)
        status = leave_later(w, err);
    w->later = false;
    if (status != S3STORE_OK)
        return status;
    for (size_t i = 0; i < w->column_count; i++)
        s3s_column_writer_reset(&w->columns[i]);
    for (unsigned bit = S3S_GROUP_COLUMNS; bit <= S3S_GROUP_COMPRESSED; bit++)
        if (bit != S3S_GROUP_SORTING || w->sorting.count > 0)
            S3S_PQ_SET(&group, bit);
    if (ordinal <= INT16_MAX) {
        S3S_PQ_SET(&group, S3S_GROUP_ORDINAL);
        group.ordinal = (int16_t)ordinal;
    }
    w->rows += rows;
    w->group_bytes = 0;
    w->defers = false;
    return s3s_buffer_append(&w->groups, &group, sizeof group, err);
}
