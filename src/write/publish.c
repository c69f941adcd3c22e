/* One partition's way into the dataset: HEAD, encode, data, ref, commit. Many partitions side by
 * side. */
#include <string.h>

#include "datafile/datafile.h"
#include "write/write_private.h"

/* Checked after the stamp is taken, also on a clock that a suspended machine does not stop. */
#define TRY_BOUND_US S3S_TRY_BOUND_US
#define REF_BUDGET_US (30 * INT64_C(1000000))

typedef struct s3s_write_job {
    s3store_writer *writer;
    const s3s_input *input;
    const s3s_plan *plan;
    const s3store_write_options *options;
    const s3store_call *call;
    int64_t inserted_at_us;
    s3store_compression compression;
    bool conditional, fenced;
    const bool *hash_skip; /* columns that the content hash leaves out */
    s3store_write_result *result; /* each item writes its own commit alone */
    s3s_mutex mutex;
    s3s_cond changed;
    struct {
        size_t encodes; /* whose rows are taken, or whose bodies are not yet stored */
        uint64_t encode_bytes;
    } locked;
} s3s_write_job;

/* The way of one item. */
typedef struct item_work {
    s3s_write_job *job;
    const s3s_plan_item *item;
    s3s_publication publication;
    char auto_token[S3S_ATTEMPT_ID_SIZE + 1];
    uint64_t reserved; /* bytes; 0 = not yet */
    struct ArrowArray rows;
    s3s_buffer body;
    s3store_commit_state state;
    s3s_marker marker;
} item_work;

/* ---- back-pressure: rows taken and bodies encoded at once ------------------------------------ */

static uint64_t item_bytes(const s3s_write_job *job, const s3s_plan_item *item)
{
    const s3s_input *input = job->input;
    return input->byte_count / (uint64_t)input->row_count * item->row_count + 1;
}

/* Small bodies wait for the network together; large ones take turns within half the budget. */
static s3store_status reserve(item_work *w, s3store_error *err)
{
    s3s_write_job *job = w->job;
    uint64_t bytes = item_bytes(job, w->item);
    uint64_t budget = job->writer->target->memory_bytes / 2;
    s3store_status status = S3STORE_OK;
    if (w->reserved > 0)
        return S3STORE_OK;
    s3s_mutex_lock(&job->mutex);
    while (status == S3STORE_OK && job->locked.encodes > 0 &&
           job->locked.encode_bytes + bytes > budget)
        status = s3s_cond_wait(&job->changed, &job->mutex, job->call->deadline_us,
                               job->call->cancel);
    if (status == S3STORE_OK) {
        job->locked.encodes++;
        job->locked.encode_bytes += bytes;
        w->reserved = bytes;
    }
    s3s_mutex_unlock(&job->mutex);
    if (status == S3STORE_CANCELLED)
        return s3s_fail(err, status, "cancelled by the caller before a partition was encoded");
    if (status == S3STORE_TIMEOUT)
        return s3s_fail(err, status, "the deadline passed before a partition was encoded");
    return status;
}

static void unreserve(item_work *w)
{
    s3s_write_job *job = w->job;
    if (w->reserved == 0)
        return;
    s3s_mutex_lock(&job->mutex);
    job->locked.encodes--;
    job->locked.encode_bytes -= w->reserved;
    s3s_cond_broadcast(&job->changed);
    s3s_mutex_unlock(&job->mutex);
    w->reserved = 0;
}

/* ---- rows, and a commit that is there already ------------------------------------------------ */

static s3store_status take_rows(item_work *w, s3store_error *err)
{
    s3s_write_job *job = w->job;
    if (w->rows.release != NULL)
        return S3STORE_OK;
    s3store_status status = reserve(w, err);
    if (status == S3STORE_OK)
        status = s3s_batch_take(job->writer->env, job->input->schema, job->plan->batches,
                                job->input->batch_count, w->item->rows, w->item->row_count, NULL,
                                0, &w->rows, err);
    return status;
}

static s3store_status hash_rows(item_work *w, s3store_error *err)
{
    if (w->publication.has_content_hash || w->item->token == NULL)
        return S3STORE_OK;
    s3store_status status = take_rows(w, err);
    if (status == S3STORE_OK)
        status = s3s_content_hash(w->job->writer->env, w->job->input->schema, &w->rows,
                                  w->job->hash_skip, &w->publication.content_hash, err);
    w->publication.has_content_hash = status == S3STORE_OK;
    return status;
}

/* A commit of this token is there already: is it of the same data? */
static s3store_status adopt_existing(item_work *w, const s3s_marker *marker, s3store_error *err)
{
    const s3s_publication *p = &w->publication;
    if (marker->has_content_hash && w->item->token != NULL &&
        !w->job->options->accept_different) {
        s3store_status status = hash_rows(w, err);
        if (status != S3STORE_OK)
            return status;
        if (marker->content_hash != p->content_hash) {
            char key[S3S_KEY_SIZE] = "";
            (void)s3s_commit_key(&p->target->layout, p->partition, p->token, key, NULL);
            return s3s_fail_key(err, S3STORE_TOKEN_REUSED, key,
                                "token %s is already committed in partition %s with %lld rows of "
                                "other data; this write has %lld rows: use a new token",
                                p->token, p->partition, (long long)marker->row_count,
                                (long long)p->row_count);
        }
    }
    w->state = S3STORE_COMMIT_EXISTING;
    w->marker = *marker;
    return S3STORE_OK;
}

/* A commit of this token that is still on its way must show itself before it is asked for, where
 * the server will not arbitrate. */
static s3store_status wait_for_others(const s3s_write_job *job, s3store_error *err)
{
    s3s_env *env = job->writer->env;
    int64_t wait_us = s3s_settled_after_us(job->writer->target) + 1;
    if (job->conditional)
        return S3STORE_OK;
    if (job->call->deadline_us != S3STORE_TIME_NONE &&
        job->call->deadline_us - s3s_mono_us(env) < wait_us)
        return s3s_fail(err, S3STORE_TIMEOUT,
                        "this server does not arbitrate between writers, so that a write with a "
                        "token must wait for %.3f s first: the deadline is sooner",
                        (double)wait_us / 1e6);
    return s3s_sleep_us(env, wait_us, job->call->cancel, err);
}

/* The HEAD before a write with the caller's token. NOT_FOUND: go on. */
static s3store_status look_for_prior(item_work *w, s3store_error *err)
{
    s3s_write_job *job = w->job;
    s3s_marker marker;
    s3store_status status = wait_for_others(job, err);
    if (status == S3STORE_OK)
        status = s3s_commit_head(job->writer->target, job->call, w->publication.partition,
                                 w->publication.token, &marker, NULL, err);
    return status == S3STORE_OK ? adopt_existing(w, &marker, err) : status;
}

/* ---- data, ref, commit ----------------------------------------------------------------------- */

static s3store_status put_data(item_work *w, const s3store_call *call, const char *attempt,
                               s3store_error *err)
{
    s3store_target *target = w->publication.target;
    char key[S3S_KEY_SIZE];
    s3store_status status = s3s_data_key(&target->layout, w->publication.partition,
                                         w->publication.token, attempt, key, err);
    if (status != S3STORE_OK)
        return status;
    s3store_put_request put = {
        .size = sizeof put, .key = key, .body = w->body.data, .body_size = w->body.size};
    s3store_put_reply reply = {0};
    status = s3s_put(target->store, call, &put, &reply, err);
    if (status == S3STORE_UNCERTAIN) /* of an object that nobody can see: no doubt for the caller */
        status = s3s_restate(err, S3STORE_UNAVAILABLE);
    if (status != S3STORE_OK)
        s3s_context(err, "storing the data");
    return status;
}

/* Stamps and puts the ref. *stale: too much time had passed since the data was sent; there is
 * none. */
static s3store_status put_ref(item_work *w, s3s_try *t, int64_t sent_wall_us, int64_t sent_boot_us,
                              bool *stale, s3store_error *err)
{
    s3store_target *target = w->publication.target;
    s3s_env *env = target->env;
    char key[S3S_KEY_SIZE];
    t->stamp_mono_us = s3s_mono_us(env);
    t->stamp_boot_us = s3s_boot_us(env);
    t->ref_micros = s3s_stamp_us(env);
    *stale = t->ref_micros - sent_wall_us > TRY_BOUND_US ||
             s3s_boot_us(env) - sent_boot_us > TRY_BOUND_US;
    if (*stale)
        return s3s_fail(err, S3STORE_TIMEOUT, "storing the data took longer than %d minutes",
                        (int)(TRY_BOUND_US / 60000000));
    s3store_status status = s3s_ref_key(&target->layout, t->ref_micros, w->publication.token,
                                        t->attempt, w->publication.partition, key, err);
    if (status != S3STORE_OK)
        return status;
    int64_t budget_us =
        target->commit_timeout_us < REF_BUDGET_US ? target->commit_timeout_us : REF_BUDGET_US;
    s3store_call call = {.deadline_us = t->stamp_mono_us + budget_us};
    s3store_put_request put = {.size = sizeof put, .key = key};
    s3store_put_reply reply = {0};
    status = s3s_put(target->store, &call, &put, &reply, err);
    if (status == S3STORE_UNCERTAIN)
        status = s3s_restate(err, S3STORE_UNAVAILABLE);
    if (status != S3STORE_OK)
        s3s_context(err, "storing the ref");
    return status;
}

/* Data, ref, commit under one attempt id. *again: nothing is known to be committed, but may be
 * under a fresh attempt id. */
static s3store_status run_try(item_work *w, const s3store_call *call, s3s_verdict *verdict,
                              bool *again, s3store_error *err)
{
    s3s_publication *p = &w->publication;
    s3s_env *env = p->target->env;
    s3s_try *t = &p->tries[p->try_count];
    s3store_status status = S3STORE_OK;
    *again = false;
    if (p->try_count == 0 && w->item->token == NULL)
        memcpy(t->attempt, w->auto_token, sizeof t->attempt);
    else
        status = s3s_attempt_id(env, t->attempt, err);
    if (status != S3STORE_OK)
        return status;
    p->try_count++;
    int64_t wall_us = s3s_wall_us(env), boot_us = s3s_boot_us(env);
    status = put_data(w, call, t->attempt, err);
    if (status == S3STORE_OK)
        status = put_ref(w, t, wall_us, boot_us, again, err);
    return status == S3STORE_OK ? s3s_commit_try(p, verdict, again, err) : status;
}

/* A commit of ours was found. In time for the stream if success was seen before the commit timeout.
 * err: with state LATE, why. */
static void settle(item_work *w, const s3s_verdict *verdict, s3store_error *err)
{
    s3s_publication *p = &w->publication;
    int64_t stamp_boot_us = verdict->seen_boot_us;
    for (size_t i = 0; i < p->try_count; i++)
        if (strcmp(p->tries[i].attempt, verdict->marker.attempt) == 0)
            stamp_boot_us = p->tries[i].stamp_boot_us;
    w->state = S3STORE_COMMIT_DONE;
    w->marker = verdict->marker;
    if (verdict->seen_boot_us - stamp_boot_us <= p->target->commit_timeout_us)
        return;
    int64_t ref_micros;
    s3store_error why = {0};
    if (s3s_restamp_ref(p->target, p->partition, p->token, &verdict->marker, p->fenced, &ref_micros,
                        &why) == S3STORE_OK)
        return;
    w->state = S3STORE_COMMIT_LATE;
    s3s_fail_key(err, S3STORE_COMMIT_AFTER_TIMEOUT, why.key,
                 "partition %.300s, token %s is committed, but that was seen only after the commit "
                 "timeout, and a fresh place in the stream could not be confirmed: stream readers "
                 "may miss it until it is restamped; %.300s",
                 p->partition, p->token, why.message);
    s3s_log(p->target->env, S3STORE_LOG_WARN, "commit after timeout", "partition", p->partition,
            "token", p->token, "reason", why.message, NULL);
}

static s3store_status encode(item_work *w, s3store_error *err)
{
    s3s_write_job *job = w->job;
    s3store_status status = take_rows(w, err);
    if (status == S3STORE_OK)
        status = hash_rows(w, err);
    if (status != S3STORE_OK)
        return status;
    const struct ArrowArray *batch = &w->rows;
    status = s3s_datafile_encode(job->writer->env, job->input->schema, &batch, 1, job->compression,
                                 &w->body, err);
    s3s_array_release(&w->rows);
    return status;
}

/* The caller may stop the first try until its data is stored; later ones finish what may already
 * have been sent. */
static s3store_status run_tries(item_work *w, s3s_verdict *verdict, s3store_error *err)
{
    s3s_env *env = w->job->writer->env;
    s3store_status status;
    bool again;
    do {
        s3store_call own = {.deadline_us = s3s_mono_us(env) + TRY_BOUND_US};
        const s3store_call *call = w->publication.try_count == 0 ? w->job->call : &own;
        status = run_try(w, call, verdict, &again, err);
    } while (status != S3STORE_OK && again && w->publication.try_count < S3S_TRIES_MAX);
    return status == S3STORE_OK ? status
                                : s3s_commit_conclude(&w->publication, status, verdict, err);
}

static s3store_status publish(item_work *w, s3store_error *err)
{
    if (w->item->token != NULL && !w->job->options->optimistic) {
        s3store_status status = look_for_prior(w, err);
        if (status != S3STORE_NOT_FOUND)
            return status;
    }
    s3s_verdict verdict;
    s3store_status status = encode(w, err);
    if (status == S3STORE_OK)
        status = s3s_markers_put(w->job->writer, w->job->call, &w->item->markers, err);
    if (status == S3STORE_OK)
        status = run_tries(w, &verdict, err);
    if (status != S3STORE_OK)
        return status;
    if (!verdict.ours)
        return adopt_existing(w, &verdict.marker, err);
    settle(w, &verdict, err);
    return S3STORE_OK;
}

/* ---- one item -------------------------------------------------------------------------------- */

/* Takes kept over. */
static s3store_status record(item_work *w, size_t i, s3store_status status, s3store_error *kept,
                             s3store_error *err)
{
    s3store_write_result *result = w->job->result;
    if (status == S3STORE_OK)
        status = s3s_result_set(result, i, &w->publication.target->layout, w->state, &w->marker,
                                kept);
    if (status != S3STORE_OK) {
        *err = *kept;
        s3s_result_set_error(result, i, S3STORE_COMMIT_FAILED, kept);
    } else if (w->state == S3STORE_COMMIT_LATE) {
        s3s_result_set_error(result, i, S3STORE_COMMIT_LATE, kept);
    } else {
        s3s_free(result->env, kept);
    }
    if (status == S3STORE_OK && w->state != S3STORE_COMMIT_EXISTING)
        result->commits[i].size_bytes = w->body.size;
    return status;
}

static s3store_status prepare_item(item_work *w, s3s_write_job *job, size_t i, s3store_error *err)
{
    const s3s_plan_item *item = &job->plan->items[i];
    w->job = job;
    w->item = item;
    s3s_buffer_init(&w->body, job->writer->env, SIZE_MAX);
    w->publication = (s3s_publication){.target = job->writer->target,
                                       .partition = item->partition,
                                       .token = item->token,
                                       .inserted_at_us = job->inserted_at_us,
                                       .row_count = (int64_t)item->row_count,
                                       .conditional = job->conditional,
                                       .fenced = job->fenced};
    if (item->token != NULL)
        return S3STORE_OK;
    s3store_status status = s3s_attempt_id(job->writer->env, w->auto_token, err);
    w->publication.token = w->auto_token;
    if (status == S3STORE_OK)
        s3s_result_set_token(job->result, i, w->auto_token);
    return status;
}

static s3store_status publish_item(void *ctx, size_t i, s3store_error *err)
{
    s3s_write_job *job = ctx;
    s3s_env *env = job->writer->env;
    item_work *w = s3s_calloc(env, 1, sizeof *w);
    s3store_error *kept = s3s_calloc(env, 1, sizeof *kept);
    if (w == NULL || kept == NULL) {
        s3s_free(env, w);
        s3s_free(env, kept);
        s3s_result_set_error(job->result, i, S3STORE_COMMIT_FAILED, NULL);
        return s3s_fail_memory(err, sizeof *w + sizeof *kept);
    }
    s3store_status status = prepare_item(w, job, i, kept);
    if (status == S3STORE_OK)
        status = publish(w, kept);
    unreserve(w);
    status = record(w, i, status, kept, err);
    s3s_array_release(&w->rows);
    s3s_buffer_deinit(&w->body);
    s3s_free(env, w);
    return status;
}

/* The inserted-at column, and the constant columns of a partition that the caller named. */
static bool *hash_skips(const s3store_writer *writer, const s3s_input *input,
                        const s3store_write_options *options)
{
    const s3s_descriptor *settings = &writer->target->settings;
    bool *skip = s3s_calloc(writer->env, input->schema->field_count + 1, sizeof *skip);
    if (skip == NULL)
        return NULL;
    if (input->inserted_at != SIZE_MAX)
        skip[input->inserted_at] = true;
    for (size_t i = 0; options->partition != NULL && i < settings->part_count; i++) {
        size_t at = s3s_schema_find(input->schema, settings->parts[i].column);
        if (at != SIZE_MAX && settings->parts[i].format == S3S_FORMAT_NONE)
            skip[at] = true;
    }
    return skip;
}

static s3store_status run_job(s3s_write_job *job, s3store_error *err)
{
    s3store_error stopped = {0};
    s3s_env *env = job->writer->env;
    s3store_status status = s3s_mutex_init(&job->mutex, env, err);
    if (status != S3STORE_OK)
        return status;
    status = s3s_cond_init(&job->changed, env, err);
    if (status == S3STORE_OK) {
        s3s_fan_options fan = {.keep_going = job->options->keep_going, .call = job->call};
        (void)s3s_fan_out(job->writer->target->pool, job->plan->count, publish_item, job, &fan,
                          &stopped);
        status = s3s_result_status(job->result, &stopped, err);
        s3s_cond_deinit(&job->changed);
    }
    s3s_mutex_deinit(&job->mutex);
    return status;
}

s3store_status s3s_publish_all(s3store_writer *writer, const s3s_input *input,
                               const s3s_plan *plan, const s3store_write_options *options,
                               const s3store_call *call, int64_t inserted_at_us,
                               s3store_write_result *result, s3store_error *err)
{
    s3s_write_job job = {.writer = writer,
                         .input = input,
                         .plan = plan,
                         .options = options,
                         .call = call,
                         .inserted_at_us = inserted_at_us,
                         .compression = options->compression != S3STORE_COMPRESSION_DEFAULT
                                            ? options->compression
                                            : writer->compression,
                         .result = result};
    bool *skip = hash_skips(writer, input, options);
    if (skip == NULL)
        return s3s_fail_memory(err, input->schema->field_count);
    job.hash_skip = skip;
    s3store_status status =
        s3s_target_probe(writer->target, call, &job.conditional, &job.fenced, err);
    if (status == S3STORE_OK)
        status = run_job(&job, err);
    s3s_free(writer->env, skip);
    return status;
}
