/* One chunk's way into the dataset: HEAD, encode, data, ref, commit. Many partitions side by side; of one
 * partition the first chunk alone, then the others. */
#include <string.h>

#include "datafile/datafile.h"
#include "write/write_private.h"
#include "metrics/metrics.h"

/* Checked after the stamp is taken, also on a clock that a suspended machine does not stop. */
#define TRY_BOUND_US S3S_TRY_BOUND_US
#define REF_BUDGET_US (30 * INT64_C(1000000))

/* A chunk that is to be encoded, and waits for its turn. */
typedef struct waiter {
    struct waiter *next, **at; /* at: what points to it */
    uint64_t bytes;
    s3s_cond turn;
} waiter;

/* Everything that is sealed. */
typedef struct publishing {
    s3s_write_call *call;
    s3s_part **parts;
    s3store_compression compression;
    uint64_t budget; /* for rows taken and bodies encoded */
    size_t encoders_max;
    s3s_mutex mutex;
    struct {
        size_t encoders; /* at work */
        size_t encodes;  /* and whose bodies are not yet stored */
        size_t waiting;  /* chunks that did not come to be encoded yet */
        uint64_t encode_bytes;
        waiter *first, **end; /* in the order of their coming */
    } locked;
} publishing;

/* The way of one chunk. */
typedef struct chunk_work {
    publishing *job;
    s3s_chunk *chunk;
    s3s_publication publication;
    char auto_token[S3S_ATTEMPT_ID_SIZE + 1];
    uint64_t reserved; /* bytes; 0 = not yet */
    bool encodes;      /* counts as an encoder */
    bool has_arrived;  /* where chunks are encoded, or will not come there */
    size_t threads;    /* that encode it */
    s3s_body body;
    s3store_commit_state state;
    s3s_marker marker;
} chunk_work;

/* ---- back-pressure: rows taken and bodies encoded at once ------------------------------------ */

static void arrive_locked(chunk_work *w)
{
    w->job->locked.waiting -= !w->has_arrived;
    w->has_arrived = true;
}

static bool has_room_locked(const publishing *job, uint64_t bytes)
{
    return job->locked.encoders < job->encoders_max &&
           (job->locked.encodes == 0 || job->locked.encode_bytes + bytes <= job->budget);
}

/* Many wait for few turns: only the one that has it is woken. */
static void wake_first_locked(publishing *job)
{
    waiter *first = job->locked.first;
    if (first != NULL && has_room_locked(job, first->bytes))
        s3s_cond_signal(&first->turn);
}

static void leave_locked(publishing *job, waiter *w)
{
    *w->at = w->next;
    if (w->next != NULL)
        w->next->at = w->at;
    else
        job->locked.end = w->at;
}

static s3store_status wait_for_turn_locked(publishing *job, uint64_t bytes, s3store_error *err)
{
    const s3store_call *call = &job->call->call;
    waiter w = {.bytes = bytes};
    if (job->locked.first == NULL && has_room_locked(job, bytes))
        return S3STORE_OK;
    s3store_status status = s3s_cond_init(&w.turn, job->call->env, err);
    if (status != S3STORE_OK)
        return status;
    w.at = job->locked.end;
    *w.at = &w;
    job->locked.end = &w.next;
    while (status == S3STORE_OK && !(job->locked.first == &w && has_room_locked(job, bytes)))
        status = s3s_cond_wait(&w.turn, &job->mutex, call->deadline_us, call->cancel);
    leave_locked(job, &w);
    s3s_cond_deinit(&w.turn);
    if (status == S3STORE_CANCELLED)
        return s3s_fail(err, status, "cancelled by the caller before a partition was encoded");
    if (status == S3STORE_TIMEOUT)
        return s3s_fail(err, status, "the deadline passed before a partition was encoded");
    return status;
}

/* Encoders are as many as there are cores (where chunks are fewer, several threads are for one);
 * bodies wait for the network together, within the budget. One that is larger than all of it goes
 * alone. */
static s3store_status reserve(chunk_work *w, s3store_error *err)
{
    publishing *job = w->job;
    uint64_t bytes = w->chunk->byte_count + 1;
    s3s_mutex_lock(&job->mutex);
    job->locked.encode_bytes -= w->reserved;
    job->locked.encodes -= w->reserved > 0;
    w->reserved = 0;
    wake_first_locked(job);
    s3store_status status = wait_for_turn_locked(job, bytes, err);
    if (status == S3STORE_OK) {
        w->encodes = true;
        job->locked.encoders++;
        job->locked.encodes++;
        job->locked.encode_bytes += bytes;
        w->reserved = bytes;
        arrive_locked(w);
        size_t chunks = job->locked.encoders + job->locked.waiting;
        w->threads = chunks < job->encoders_max ? job->encoders_max / chunks : 1;
    }
    wake_first_locked(job);
    s3s_mutex_unlock(&job->mutex);
    return status;
}

/* Encoded: what is held from here on is the body. */
static void end_encoding(chunk_work *w)
{
    publishing *job = w->job;
    uint64_t bytes = w->body.file == NULL ? w->body.size + 1 : 1;
    if (!w->encodes)
        return;
    s3s_mutex_lock(&job->mutex);
    w->encodes = false;
    job->locked.encoders--;
    job->locked.encode_bytes += bytes - w->reserved;
    w->reserved = bytes;
    wake_first_locked(job);
    s3s_mutex_unlock(&job->mutex);
}

static void unreserve(chunk_work *w)
{
    publishing *job = w->job;
    end_encoding(w);
    s3s_mutex_lock(&job->mutex);
    arrive_locked(w);
    job->locked.encodes -= w->reserved > 0;
    job->locked.encode_bytes -= w->reserved;
    wake_first_locked(job);
    s3s_mutex_unlock(&job->mutex);
    w->reserved = 0;
}

/* ---- rows to bytes and hash ------------------------------------------------------------------ */

typedef struct row_walk {
    s3s_chunk_cursor cursor;
    s3s_content_hasher *hasher; /* NULL = not wanted */
    struct ArrowArray next;     /* piece */
    bool ended;
} row_walk;

/* Takes the next piece, and hashes it. */
static s3store_status walk_on(void *ctx, size_t item, s3store_error *err)
{
    row_walk *walk = ctx;
    const s3s_write_call *c = walk->cursor.call;
    (void)item;
    /* What is committed already is a first chunk's: those behind it are not in a hurry. */
    s3store_status status = s3s_call_check(c->env, &c->call, err);
    if (status == S3STORE_OK)
        status = s3s_chunk_next(&walk->cursor, &walk->next, err);
    walk->ended = status == S3STORE_END;
    if (status == S3STORE_OK && walk->hasher != NULL)
        s3s_content_hasher_add(walk->hasher, &walk->next);
    return walk->ended ? S3STORE_OK : status;
}

/* One walk over the rows; encoder NULL: for the hash alone. With several threads the next piece is
 * taken while this one is encoded. */
static s3store_status walk_rows(chunk_work *w, s3s_datafile_encoder *encoder, s3store_error *err)
{
    const s3s_write_call *c = w->job->call;
    row_walk walk = {.cursor = {.call = c, .chunk = w->chunk}};
    bool beside = encoder != NULL && w->threads > 1;
    s3store_status status = S3STORE_OK;
    if (w->chunk->token != NULL)
        status = s3s_content_hasher_new(c->env, c->input.schema, c->input.skip, &walk.hasher, err);
    if (status == S3STORE_OK)
        status = walk_on(&walk, 0, err);
    while (status == S3STORE_OK && !walk.ended) {
        struct ArrowArray piece = walk.next;
        walk.next.release = NULL;
        if (beside)
            status = s3s_datafile_encoder_add_beside(encoder, &piece, walk_on, &walk, err);
        else if (encoder != NULL)
            status = s3s_datafile_encoder_add(encoder, &piece, err);
        s3s_array_release(&piece);
        if (status == S3STORE_OK && !beside)
            status = walk_on(&walk, 0, err);
    }
    if (status == S3STORE_OK && walk.hasher != NULL) {
        w->publication.content_hash = s3s_content_hasher_end(walk.hasher);
        w->publication.has_content_hash = true;
    }
    s3s_array_release(&walk.next);
    s3s_content_hasher_free(walk.hasher);
    return status;
}

static s3store_status encode(chunk_work *w, s3store_error *err)
{
    publishing *job = w->job;
    s3s_write_call *c = job->call;
    s3s_datafile_encoder *encoder = NULL;
    s3store_status status = reserve(w, err);
    bool in_memory = w->chunk->byte_count <= job->budget;
    if (status == S3STORE_OK)
        status = s3s_body_open(&w->body, c->writer, in_memory, err);
    if (status == S3STORE_OK) {
        s3s_parquet_write_options options = {.compression = job->compression,
                                             .pool = c->target->pool,
                                             .threads = w->threads,
                                             .bloom_columns = c->input.blooms,
                                             .bloom_column_count = c->options->bloom_column_count,
                                             .sorting_columns = c->input.sorting,
                                             .sorting_column_count =
                                                 c->options->sorting_column_count,
                                             .row_group_bytes =
                                                 in_memory ? 0 : (size_t)(job->budget / 2 + 1)};
        s3s_parquet_sink sink = {.ctx = &w->body, .write = s3s_body_write};
        status = s3s_encoder_take(c->writer, c->input.schema, &options, sink, &encoder, err);
    }
    if (status == S3STORE_OK)
        status = walk_rows(w, encoder, err);
    if (status == S3STORE_OK)
        status = s3s_datafile_encoder_finish(encoder, err);
    s3s_encoder_give(c->writer, encoder, status == S3STORE_OK);
    if (status == S3STORE_OK)
        status = s3s_body_close(&w->body, err);
    end_encoding(w);
    return status;
}

/* ---- a commit that is there already ---------------------------------------------------------- */

static s3store_status hash_rows(chunk_work *w, s3store_error *err)
{
    if (w->publication.has_content_hash)
        return S3STORE_OK;
    s3store_status status = reserve(w, err);
    if (status == S3STORE_OK)
        status = walk_rows(w, NULL, err);
    end_encoding(w);
    return status;
}

static s3store_status reused(const chunk_work *w, const s3s_marker *marker, const char *how,
                             s3store_error *err)
{
    const s3s_publication *p = &w->publication;
    char key[S3S_KEY_SIZE] = "";
    (void)s3s_commit_key(&p->target->layout, p->partition, p->token, key, NULL);
    return s3s_fail_key(err, S3STORE_TOKEN_REUSED, key,
                        "token %s is already committed in partition %s with %lld rows of %s; this "
                        "write has %lld rows: use a new token",
                        p->token, p->partition, (long long)marker->row_count, how,
                        (long long)p->row_count);
}

/* A prior first commit of a partition that was not asked for before it was cut. Are its chunks others
 * than ours? Then the partition is cut again. */
static bool is_cut_otherwise(const chunk_work *w, const s3s_marker *marker)
{
    const s3s_chunk *chunk = w->chunk;
    return chunk->number == 1 && !chunk->part->is_asked && chunk->token != NULL &&
           marker->chunk_rows > 0 &&
           (chunk->row_count > marker->chunk_rows || chunk->byte_count > marker->chunk_bytes) &&
           chunk->row_count > 1;
}

/* A commit of this token is there already: is it of the same data? */
static s3store_status adopt_existing(chunk_work *w, const s3s_marker *marker, s3store_error *err)
{
    const s3s_chunk *chunk = w->chunk;
    if (is_cut_otherwise(w, marker)) {
        chunk->part->prior = *marker;
        chunk->part->has_prior = chunk->part->is_asked = chunk->part->is_recut = true;
        return S3STORE_OK;
    }
    if (chunk->token != NULL && !w->job->call->options->accept_different) {
        if (chunk->number == 1 && marker->chunk_rows > 0 && !chunk->more)
            return reused(w, marker, "a longer input", err);
        s3store_status status = marker->has_content_hash ? hash_rows(w, err) : S3STORE_OK;
        if (status != S3STORE_OK)
            return status;
        if (marker->has_content_hash && marker->content_hash != w->publication.content_hash)
            return reused(w, marker, "other data", err);
    }
    w->state = S3STORE_COMMIT_EXISTING;
    w->marker = *marker;
    return S3STORE_OK;
}

/* A commit of this token that is still on its way must show itself before it is asked for, where
 * the server will not arbitrate. */
static s3store_status wait_for_others(const s3s_write_call *c, s3store_error *err)
{
    int64_t until_us = c->began_us + s3s_settled_after_us(c->target) + 1;
    int64_t wait_us = until_us - s3s_mono_us(c->env);
    if (c->conditional || wait_us <= 0)
        return S3STORE_OK;
    if (c->call.deadline_us != S3STORE_TIME_NONE && c->call.deadline_us < until_us)
        return s3s_fail(err, S3STORE_TIMEOUT,
                        "this server does not arbitrate between writers, so that a write with a "
                        "token must wait for %.3f s first: the deadline is sooner",
                        (double)wait_us / 1e6);
    return s3s_sleep_us(c->env, wait_us, c->call.cancel, err);
}

/* The HEAD before a write with the caller's token. NOT_FOUND: go on. */
static s3store_status look_for_prior(chunk_work *w, s3store_error *err)
{
    const s3s_write_call *c = w->job->call;
    const s3s_part *part = w->chunk->part;
    s3s_marker marker;
    if (w->chunk->number == 1 && part->is_asked)
        return part->has_prior ? adopt_existing(w, &part->prior, err) : S3STORE_NOT_FOUND;
    s3store_status status = wait_for_others(c, err);
    if (status == S3STORE_OK)
        status = s3s_commit_confirm(c->target, &c->call, w->publication.partition,
                                    w->publication.token, &marker, err);
    return status == S3STORE_OK ? adopt_existing(w, &marker, err) : status;
}

/* ---- data, ref, commit ----------------------------------------------------------------------- */

static s3store_status put_data(chunk_work *w, const s3store_call *call, const char *attempt,
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
static s3store_status put_ref(chunk_work *w, s3s_try *t, int64_t sent_wall_us, int64_t sent_boot_us,
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
static s3store_status run_try(chunk_work *w, const s3store_call *call, s3s_verdict *verdict,
                              bool *again, s3store_error *err)
{
    s3s_publication *p = &w->publication;
    s3s_env *env = p->target->env;
    s3s_try *t = &p->tries[p->try_count];
    s3store_status status = S3STORE_OK;
    *again = false;
    if (p->try_count == 0 && w->chunk->token == NULL)
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
static void settle(chunk_work *w, const s3s_verdict *verdict, s3store_error *err)
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

/* The caller may stop the first try until its data is stored; later ones finish what may already
 * have been sent. */
static s3store_status run_tries(chunk_work *w, s3s_verdict *verdict, s3store_error *err)
{
    s3s_env *env = w->publication.target->env;
    s3store_status status;
    bool again;
    do {
        s3store_call own = {.deadline_us = s3s_mono_us(env) + TRY_BOUND_US};
        const s3store_call *call = w->publication.try_count == 0 ? &w->job->call->call : &own;
        status = run_try(w, call, verdict, &again, err);
    } while (status != S3STORE_OK && again && w->publication.try_count < S3S_TRIES_MAX);
    return status == S3STORE_OK ? status
                                : s3s_commit_conclude(&w->publication, status, verdict, err);
}

/* Whether the marker is asked for first. An optimistic write leaves that to the commit, where the
 * server refuses one that finds another there. */
static bool asks_first(const chunk_work *w)
{
    const s3s_write_call *c = w->job->call;
    return w->chunk->token != NULL && (w->chunk->number > 1 || w->chunk->part->is_asked ||
                                       !c->options->optimistic || !c->conditional);
}

static s3store_status publish(chunk_work *w, s3store_error *err)
{
    if (asks_first(w)) {
        s3store_status status = look_for_prior(w, err);
        if (status != S3STORE_NOT_FOUND)
            return status;
    }
    s3s_verdict verdict;
    const s3s_write_call *c = w->job->call;
    s3store_status status = encode(w, err);
    if (status == S3STORE_OK)
        status = s3s_markers_put(c->writer, &c->call, &w->chunk->markers, err);
    if (status == S3STORE_OK)
        status = run_tries(w, &verdict, err);
    if (status != S3STORE_OK)
        return status;
    if (!verdict.ours) {
        s3s_metric(s3s_env_metrics(w->job->call->env), S3S_METRIC_COLLISIONS, (s3s_labels){0}, 1);
        return adopt_existing(w, &verdict.marker, err);
    }
    settle(w, &verdict, err);
    return S3STORE_OK;
}

/* ---- one chunk ------------------------------------------------------------------------------- */

/* Takes kept over. */
static s3store_status record(chunk_work *w, s3store_status status, s3store_error *kept,
                             s3store_error *err)
{
    s3s_result_item *outcome = w->chunk->outcome;
    s3s_env *env = w->job->call->env;
    if (status == S3STORE_OK && w->chunk->part->is_recut) {
        s3s_free(env, kept);
        return status;
    }
    if (status == S3STORE_OK)
        status = s3s_outcome_set(outcome, &w->publication.target->layout, w->state, &w->marker,
                                 kept);
    if (status != S3STORE_OK) {
        *err = *kept;
        s3s_outcome_set_error(outcome, S3STORE_COMMIT_FAILED, kept);
    } else if (w->state == S3STORE_COMMIT_LATE) {
        s3s_outcome_set_error(outcome, S3STORE_COMMIT_LATE, kept);
    } else {
        s3s_free(env, kept);
    }
    if (status == S3STORE_OK && w->state != S3STORE_COMMIT_EXISTING)
        outcome->commit.size_bytes = w->body.size;
    if (status == S3STORE_OK)
        s3s_progress_commit(w->job->call, w->chunk);
    return status;
}

static s3store_status prepare_work(chunk_work *w, publishing *job, s3s_chunk *chunk,
                                   s3store_error *err)
{
    const s3s_write_call *c = job->call;
    bool announces = chunk->number == 1 && chunk->more;
    w->job = job;
    w->chunk = chunk;
    w->publication = (s3s_publication){.target = c->target,
                                       .partition = chunk->part->key,
                                       .token = chunk->token,
                                       .inserted_at_us = c->inserted_at_us,
                                       .row_count = (int64_t)chunk->row_count,
                                       .chunk_rows = announces ? chunk->part->limits.rows : 0,
                                       .chunk_bytes = announces ? chunk->part->limits.bytes : 0,
                                       .conditional = c->conditional,
                                       .fenced = c->fenced};
    if (chunk->token != NULL)
        return S3STORE_OK;
    s3store_status status = s3s_attempt_id(c->env, w->auto_token, err);
    w->publication.token = w->auto_token;
    if (status == S3STORE_OK)
        s3s_outcome_set_token(chunk->outcome, w->auto_token);
    return status;
}

static s3store_status publish_chunk(publishing *job, s3s_chunk *chunk, s3store_error *err)
{
    s3s_env *env = job->call->env;
    chunk_work *w = s3s_calloc(env, 1, sizeof *w);
    s3store_error *kept = s3s_alloc(env, sizeof *kept);
    if (w == NULL || kept == NULL) {
        s3s_free(env, w);
        s3s_free(env, kept);
        s3s_outcome_set_error(chunk->outcome, S3STORE_COMMIT_FAILED, NULL);
        return s3s_fail_memory(err, sizeof *w + sizeof *kept);
    }
    s3s_error_clear(kept);
    s3store_status status = prepare_work(w, job, chunk, kept);
    if (status == S3STORE_OK)
        status = publish(w, kept);
    unreserve(w);
    status = record(w, status, kept, err);
    s3s_body_free(&w->body, job->call->writer);
    if (!chunk->part->is_recut)
        s3s_chunk_clear(job->call, chunk);
    s3s_free(env, w);
    return status;
}

/* ---- partitions and their chunks ------------------------------------------------------------- */

typedef struct later_chunks {
    publishing *job;
    s3s_chunk **chunks;
} later_chunks;

static s3store_status publish_later(void *ctx, size_t i, s3store_error *err)
{
    later_chunks *later = ctx;
    return publish_chunk(later->job, later->chunks[i], err);
}

/* The first chunk is committed: the others go side by side. */
static s3store_status publish_rest(publishing *job, s3s_chunk *first, s3store_error *err)
{
    s3s_write_call *c = job->call;
    size_t count = 0;
    for (s3s_chunk *chunk = first; chunk != NULL; chunk = chunk->next)
        count++;
    if (count == 0)
        return S3STORE_OK;
    later_chunks later = {.job = job,
                          .chunks = s3s_calloc(c->env, count, sizeof *later.chunks)};
    if (later.chunks == NULL)
        return s3s_fail_memory(err, count * sizeof *later.chunks);
    count = 0;
    for (s3s_chunk *chunk = first; chunk != NULL; chunk = chunk->next)
        later.chunks[count++] = chunk;
    s3s_fan_options fan = {.keep_going = c->options->keep_going, .call = &c->call};
    s3store_status status = s3s_fan_out(c->target->pool, count, publish_later, &later, &fan, err);
    s3s_free(c->env, (void *)later.chunks);
    return status;
}

static s3store_status publish_part(void *ctx, size_t i, s3store_error *err)
{
    publishing *job = ctx;
    s3s_part *part = job->parts[i];
    s3s_chunk *chunk = part->sealed;
    if (!part->is_begun) {
        s3store_status status = publish_chunk(job, chunk, err);
        part->is_failed = status != S3STORE_OK;
        if (status != S3STORE_OK || part->is_recut)
            return status;
        part->is_begun = true;
        chunk = chunk->next;
    }
    return publish_rest(job, chunk, err);
}

/* What memory is left beside the input that is held. */
static uint64_t encode_budget(const s3s_write_call *c)
{
    uint64_t memory = c->target->memory_bytes, least = memory / 4;
    uint64_t taken = c->input.held_bytes + memory / S3S_MEMORY_SLACK;
    return taken < memory - least ? memory - taken : least;
}

static s3store_status run_job(publishing *job, size_t count, s3store_error *err)
{
    s3s_write_call *c = job->call;
    s3s_fan_options fan = {.keep_going = c->options->keep_going, .call = &c->call};
    job->locked.end = &job->locked.first;
    s3store_status status = s3s_mutex_init(&job->mutex, c->env, err);
    if (status != S3STORE_OK)
        return status;
    status = s3s_fan_out(c->target->pool, count, publish_part, job, &fan, err);
    s3s_mutex_deinit(&job->mutex);
    return status;
}

s3store_status s3s_publish_sealed(s3s_write_call *c, s3store_error *err)
{
    size_t count = 0;
    publishing job = {.call = c,
                      .budget = encode_budget(c),
                      .encoders_max = c->writer->encoders_max,
                      .compression = c->options->compression != S3STORE_COMPRESSION_DEFAULT
                                         ? c->options->compression
                                         : c->writer->compression};
    job.parts = s3s_calloc(c->env, c->plan.count + 1, sizeof *job.parts);
    if (job.parts == NULL)
        return s3s_fail_memory(err, c->plan.count * sizeof *job.parts);
    for (size_t i = 0; i < c->plan.count; i++)
        if (c->plan.parts[i]->sealed != NULL && !c->plan.parts[i]->is_failed) {
            job.parts[count++] = c->plan.parts[i];
            for (s3s_chunk *k = c->plan.parts[i]->sealed; k != NULL; k = k->next)
                job.locked.waiting++;
        }
    s3store_status status = run_job(&job, count, err);
    s3s_free(c->env, (void *)job.parts);
    for (size_t i = 0; i < c->plan.count; i++) {
        s3s_part *part = c->plan.parts[i];
        if (part->is_recut)
            continue;
        for (; part->sealed != NULL; part->sealed = part->sealed->next)
            s3s_chunk_clear(c, part->sealed);
        part->sealed_end = &part->sealed;
    }
    return status;
}

/* ---- asking first ---------------------------------------------------------------------------- */

typedef struct asking {
    s3s_write_call *call;
    s3s_part **parts;
} asking;

static s3store_status ask_part(void *ctx, size_t i, s3store_error *err)
{
    asking *a = ctx;
    s3s_write_call *c = a->call;
    s3s_part *part = a->parts[i];
    s3store_error why = {0};
    s3store_status status = wait_for_others(c, &why);
    if (status == S3STORE_OK)
        status = s3s_commit_confirm(c->target, &c->call, part->key, part->token, &part->prior,
                                    &why);
    part->is_asked = status == S3STORE_OK || status == S3STORE_NOT_FOUND;
    part->has_prior = status == S3STORE_OK;
    if (part->is_asked)
        return S3STORE_OK;
    s3store_error *kept = s3s_alloc(c->env, sizeof *kept);
    if (kept != NULL)
        *kept = why;
    *err = why;
    part->is_failed = true;
    s3s_outcome_set_error(part->open->outcome, S3STORE_COMMIT_FAILED, kept);
    return status;
}

s3store_status s3s_ask_prior(s3s_write_call *c, bool ends, s3store_error *err)
{
    size_t count = 0;
    asking a = {.call = c, .parts = s3s_calloc(c->env, c->plan.count + 1, sizeof *a.parts)};
    if (a.parts == NULL)
        return s3s_fail_memory(err, c->plan.count * sizeof *a.parts);
    for (size_t i = 0; i < c->plan.count; i++) {
        s3s_part *part = c->plan.parts[i];
        bool is_new = !part->is_asked && !part->is_begun && !part->is_failed && part->token != NULL;
        if (is_new && (!ends || s3s_plan_exceeds(part)))
            a.parts[count++] = part;
    }
    s3s_fan_options fan = {.keep_going = c->options->keep_going, .call = &c->call};
    s3store_status status = s3s_fan_out(c->target->pool, count, ask_part, &a, &fan, err);
    s3s_free(c->env, (void *)a.parts);
    return c->options->keep_going && status != S3STORE_CANCELLED && status != S3STORE_TIMEOUT
               ? S3STORE_OK
               : status;
}
