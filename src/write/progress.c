/* What a caller who asked for it is told while a write runs. */
#include "write/write_private.h"

s3store_status s3s_progress_begin(s3s_write_call *c, s3store_error *err)
{
    s3s_progress *p = &c->progress;
    if (c->options->progress == NULL)
        return S3STORE_OK;
    s3store_status status = s3s_mutex_init(&p->mutex, c->env, err);
    p->is_on = status == S3STORE_OK;
    p->locked.now.size = sizeof p->locked.now;
    return status;
}

void s3s_progress_read(s3s_write_call *c)
{
    s3s_progress *p = &c->progress;
    if (!p->is_on)
        return;
    s3s_mutex_lock(&p->mutex);
    p->locked.now.rows_read = (uint64_t)c->input.row_count;
    p->locked.now.partitions = c->plan.count;
    c->options->progress(c->options->progress_ctx, &p->locked.now);
    s3s_mutex_unlock(&p->mutex);
}

void s3s_progress_commit(s3s_write_call *c, const s3s_chunk *chunk)
{
    s3s_progress *p = &c->progress;
    const s3store_commit *commit = &chunk->outcome->commit;
    if (!p->is_on)
        return;
    s3s_mutex_lock(&p->mutex);
    s3store_write_progress *now = &p->locked.now;
    now->rows_committed += commit->row_count > 0 ? (uint64_t)commit->row_count : 0;
    now->bytes_stored += commit->size_bytes;
    now->commits++;
    now->partitions_committed += chunk->number == 1;
    c->options->progress(c->options->progress_ctx, now);
    s3s_mutex_unlock(&p->mutex);
}

void s3s_progress_end(s3s_write_call *c)
{
    if (c->progress.is_on)
        s3s_mutex_deinit(&c->progress.mutex);
    c->progress.is_on = false;
}
