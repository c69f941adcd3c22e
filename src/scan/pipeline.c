/* Who works on which file next, and within what budget.
 *
 * Jobs: fetch a file, decode a file, merge a partition. Workers are tasks with their own
 * threads; the consumer does what it waits for itself when nobody has taken it, so a scan also
 * ends without any worker. A job and its share of the budget are taken together, under the
 * mutex, and files are taken in order: the file that the consumer waits for never stands behind
 * a later one.
 *
 * Budget: bytes of fetched objects (body_cap), decoded bytes ahead of the consumer (ahead_cap),
 * number of files open (open_max), partitions decoded ahead (read_ahead_partitions). What the
 * consumer waits for passes the last three always, and the first as soon as nothing else is
 * held. */
#include "scan/internal.h"

#include <string.h>

#include "base/error.h"

typedef enum job_kind { JOB_NONE = 0, JOB_FETCH, JOB_DECODE } job_kind;

typedef struct job {
    job_kind kind;
    size_t file;
    s3s_instrument obstacle; /* why there is none: EXHAUSTED of what; 0 = there is no more to do */
} job;

/* ---- admission of bodies --------------------------------------------------------------------- */

static bool reserve_locked(s3s_scan *scan, scan_file *f, uint64_t size)
{
    if (size <= f->reserved)
        return true;
    uint64_t others = scan->locked.body_bytes - f->reserved;
    if (size > scan->body_cap || (others > 0 && size > scan->body_cap - others))
        return false;
    scan->locked.body_bytes = others + size;
    f->reserved = size;
    return true;
}

static void unreserve_locked(s3s_scan *scan, scan_file *f)
{
    scan->locked.body_bytes -= f->reserved;
    f->reserved = 0;
}

bool s3s_scan_admit(void *ctx, uint64_t size)
{
    const scan_admission *a = ctx;
    s3s_mutex_lock(&a->scan->mutex);
    bool admitted = reserve_locked(a->scan, &a->scan->locked.files[a->file], size);
    s3s_mutex_unlock(&a->scan->mutex);
    return admitted;
}

void s3s_scan_withdraw(void *ctx, uint64_t size)
{
    (void)size; /* all that the file has */
    const scan_admission *a = ctx;
    s3s_mutex_lock(&a->scan->mutex);
    unreserve_locked(a->scan, &a->scan->locked.files[a->file]);
    s3s_mutex_unlock(&a->scan->mutex);
}

/* ---- dropping -------------------------------------------------------------------------------- */

static void close_locked(s3s_scan *scan, scan_file *f)
{
    if (f->state == FILE_FETCHING || f->state == FILE_FETCHED)
        scan->locked.open_count--;
    if (f->file != NULL) {
        atomic_fetch_add(&scan->fetched_bytes, s3s_datafile_fetched_bytes(f->file));
        atomic_fetch_add(&scan->fetched_files, 1);
    }
    s3s_datafile_free(f->file);
    f->file = NULL;
    unreserve_locked(scan, f);
}

static void drop_file_locked(s3s_scan *scan, scan_file *f)
{
    if (f->state == FILE_FETCHING || f->state == FILE_DECODING)
        return; /* whoever works on it sees that nobody waits, and drops it */
    close_locked(scan, f);
    for (size_t i = 0; i < f->batch_count; i++)
        s3s_array_release(&f->batches[i]);
    s3s_free(scan->env, f->batches);
    f->batches = NULL;
    f->batch_count = f->batch_capacity = 0;
    scan->locked.decoded_bytes -= f->decoded;
    f->decoded = 0;
    s3s_free(scan->env, f->error);
    f->error = NULL;
    f->state = FILE_TAKEN;
}

void s3s_scan_drop_file(s3s_scan *scan, size_t i)
{
    s3s_mutex_lock(&scan->mutex);
    drop_file_locked(scan, &scan->locked.files[i]);
    s3s_cond_signal(&scan->work);
    s3s_mutex_unlock(&scan->mutex);
}

void s3s_scan_drop_partition(s3s_scan *scan, size_t partition)
{
    scan_partition *p = &scan->locked.partitions[partition];
    s3s_mutex_lock(&scan->mutex);
    for (size_t i = 0; i < p->file_count; i++)
        drop_file_locked(scan, &scan->locked.files[p->first_file + i]);
    s3s_scan_merged_deinit(scan->env, &p->merged);
    s3s_free(scan->env, p->error);
    p->error = NULL;
    s3s_cond_signal(&scan->work);
    s3s_mutex_unlock(&scan->mutex);
}

void s3s_scan_set_current(s3s_scan *scan, size_t partition)
{
    s3s_mutex_lock(&scan->mutex);
    scan->locked.current = partition;
    if (partition < scan->locked.partition_count) {
        size_t first = scan->locked.partitions[partition].first_file;
        if (scan->locked.fetch_next < first)
            scan->locked.fetch_next = first;
        if (scan->locked.wanted_file < first)
            scan->locked.wanted_file = first;
    }
    s3s_cond_signal(&scan->work);
    s3s_mutex_unlock(&scan->mutex);
}

/* ---- choosing -------------------------------------------------------------------------------- */

static bool merges(const s3s_scan *scan)
{
    return scan->options.mode != S3S_SCAN_ROWS;
}

/* The consumer cannot go on without this file. */
static bool is_wanted_locked(const s3s_scan *scan, size_t i)
{
    return merges(scan) ? scan->locked.files[i].partition <= scan->locked.current
                        : i <= scan->locked.wanted_file;
}

static bool choose_decode_locked(s3s_scan *scan, bool only_wanted, job *out)
{
    size_t ahead = (size_t)scan->options.read_ahead_partitions;
    while (scan->locked.open_from < scan->locked.fetch_next) {
        file_state state = scan->locked.files[scan->locked.open_from].state;
        if (state == FILE_FETCHING || state == FILE_FETCHED)
            break;
        scan->locked.open_from++;
    }
    for (size_t i = scan->locked.open_from;
         i < scan->locked.fetch_next && i <= scan->locked.stop_file; i++) {
        scan_file *f = &scan->locked.files[i];
        bool wanted = is_wanted_locked(scan, i);
        if (!wanted && (only_wanted || f->partition > scan->locked.current + ahead))
            return false;
        if (f->state != FILE_FETCHED)
            continue;
        uint64_t estimate = s3s_scan_decoded_estimate(scan, f->file);
        uint64_t held = scan->locked.decoded_bytes;
        if (!wanted && held > 0 &&
            (estimate > scan->ahead_cap || held > scan->ahead_cap - estimate)) {
            out->obstacle = S3S_METRIC_BYTE_BUDGET_EXHAUSTED;
            return false;
        }
        if (!only_wanted && scan->locked.decoding >= scan->decode_max)
            return false;
        f->state = FILE_DECODING;
        scan->locked.decoding++;
        f->decoded = estimate < scan->ahead_cap ? estimate : scan->ahead_cap;
        scan->locked.decoded_bytes += f->decoded;
        scan->locked.open_count--;
        *out = (job){.kind = JOB_DECODE, .file = i};
        return true;
    }
    return false;
}

static bool choose_fetch_locked(s3s_scan *scan, bool only_wanted, job *out)
{
    size_t i = scan->locked.fetch_next;
    if (i >= scan->locked.file_count || i > scan->locked.stop_file)
        return false;
    scan_file *f = &scan->locked.files[i];
    bool wanted = is_wanted_locked(scan, i);
    if (!wanted) {
        bool may = f->partition == scan->locked.current || scan->options.read_ahead_partitions > 0;
        if (only_wanted || !may)
            return false;
        if (scan->locked.open_count >= scan->open_max) {
            out->obstacle = S3S_METRIC_BODY_SLOT_EXHAUSTED;
            return false;
        }
    }
    bool fits = f->info->size > scan->body_cap /* will be read by ranges */
                || reserve_locked(scan, f, f->info->size);
    if (!fits) {
        out->obstacle = S3S_METRIC_BODY_SLOT_EXHAUSTED;
        return false;
    }
    f->state = FILE_FETCHING;
    scan->locked.open_count++;
    scan->locked.fetch_next = i + 1;
    *out = (job){.kind = JOB_FETCH, .file = i};
    return true;
}

/* Files that are known to be missing, or open, since the schema was looked for: those that are open can
 * be decoded from now on. */
static void pass_known_locked(s3s_scan *scan)
{
    size_t *next = &scan->locked.fetch_next;
    while (*next < scan->locked.file_count && scan->locked.files[*next].state != FILE_NEW)
        ++*next;
}

static bool choose_locked(s3s_scan *scan, bool only_wanted, job *out)
{
    pass_known_locked(scan); /* first: nobody would look for jobs once more because of it */
    return choose_decode_locked(scan, only_wanted, out) ||
           choose_fetch_locked(scan, only_wanted, out);
}

/* ---- working --------------------------------------------------------------------------------- */

static void fail_file_locked(s3s_scan *scan, size_t i, const s3store_error *why)
{
    scan_file *f = &scan->locked.files[i];
    if (s3s_scan_is_tolerable(scan, why->status, why)) {
        f->state = FILE_MISSING;
        scan->locked.missing++;
        scan->locked.partitions[f->partition].unfinished--;
        return;
    }
    f->error = s3s_alloc(scan->env, sizeof *f->error);
    if (f->error != NULL)
        *f->error = *why;
    f->state = FILE_FAILED;
    if (i < scan->locked.stop_file)
        scan->locked.stop_file = i;
}

static bool is_unwanted_locked(const s3s_scan *scan, const scan_file *f)
{
    return f->partition < scan->locked.current;
}

static void run_fetch(s3s_scan *scan, size_t i)
{
    scan_file *f = &scan->locked.files[i];
    s3s_datafile *file = NULL;
    s3store_error why = {0};
    s3store_status status = s3s_scan_open_file(scan, i, false, &file, &why);
    if (status == S3STORE_OK)
        status = s3s_scan_check_keys(scan, file, &why);
    why.status = status;
    if (status != S3STORE_OK && s3s_scan_is_tolerable(scan, status, &why))
        s3s_scan_log_missing(scan, f->info->key);
    s3s_mutex_lock(&scan->mutex);
    f->file = file;
    if (file == NULL || s3s_datafile_admitted_bytes(file) == 0)
        unreserve_locked(scan, f);
    if (status == S3STORE_OK) {
        f->state = FILE_FETCHED;
    } else {
        close_locked(scan, f);
        fail_file_locked(scan, i, &why);
    }
    if (is_unwanted_locked(scan, f))
        drop_file_locked(scan, f);
}

/* Puts a partition's rows together once the last of its files is there. With the mutex held,
 * which is given up meanwhile. */
static void merge_partition_locked(s3s_scan *scan, size_t partition)
{
    scan_partition *p = &scan->locked.partitions[partition];
    if (!merges(scan) || p->unfinished > 0 || p->state != PARTITION_OPEN ||
        partition < scan->locked.current || scan->locked.stopping)
        return;
    p->state = PARTITION_MERGING;
    s3s_mutex_unlock(&scan->mutex);
    size_t count = 0, at = 0;
    for (size_t i = 0; i < p->file_count; i++)
        count += scan->locked.files[p->first_file + i].batch_count;
    s3store_error why = {0};
    s3store_status status = S3STORE_OK;
    const struct ArrowArray **batches = s3s_calloc(scan->env, count, sizeof *batches);
    if (batches == NULL)
        status = s3s_fail_memory(&why, count * sizeof *batches);
    for (size_t i = 0; status == S3STORE_OK && i < p->file_count; i++) {
        const scan_file *f = &scan->locked.files[p->first_file + i];
        for (size_t b = 0; b < f->batch_count; b++)
            batches[at++] = &f->batches[b];
    }
    merged_rows merged = {0};
    int64_t begin_us = s3s_mono_us(scan->env);
    if (status == S3STORE_OK)
        status = s3s_scan_merge(scan->env, &scan->plan, scan->options.mode, batches, count, &merged,
                                &why);
    if (status == S3STORE_OK && scan->where != NULL && !scan->filters_early)
        status = s3s_scan_filter_merged(scan, &merged, &why);
    s3s_metric(s3s_env_metrics(scan->env), S3S_METRIC_PARTITION_DECODE, (s3s_labels){0},
               s3s_mono_us(scan->env) - begin_us);
    s3s_mutex_lock(&scan->mutex);
    p->merged = merged;
    p->state = status == S3STORE_OK ? PARTITION_MERGED : PARTITION_FAILED;
    if (status != S3STORE_OK) {
        why.status = status;
        p->error = s3s_alloc(scan->env, sizeof *p->error);
        if (p->error != NULL)
            *p->error = why;
    }
}

static void run_decode(s3s_scan *scan, size_t i)
{
    scan_file *f = &scan->locked.files[i];
    uint64_t estimate = f->decoded;
    bool too_large = false;
    s3store_error why = {0};
    s3store_status status = s3s_scan_decode_file(scan, f, f->file, &too_large, &why);
    why.status = status;
    if (status != S3STORE_OK && s3s_scan_is_tolerable(scan, status, &why))
        s3s_scan_log_missing(scan, f->info->key);
    s3s_mutex_lock(&scan->mutex);
    scan->locked.decoded_bytes -= estimate;
    scan->locked.decoding--;
    if (status != S3STORE_OK || too_large)
        f->decoded = 0;
    scan->locked.decoded_bytes += f->decoded;
    if (too_large) {
        f->state = FILE_LAZY;
    } else {
        close_locked(scan, f);
        if (status == S3STORE_OK) {
            f->state = FILE_DECODED;
            scan->locked.partitions[f->partition].unfinished--;
        } else {
            fail_file_locked(scan, i, &why);
        }
    }
    if (is_unwanted_locked(scan, f))
        drop_file_locked(scan, f);
}

/* Runs a chosen job; the mutex is held before and after. Wakes one worker, who wakes the next:
 * no more are awake than there are jobs. */
static void run_locked(s3s_scan *scan, const job *j)
{
    size_t partition = scan->locked.files[j->file].partition;
    s3s_cond_signal(&scan->work);
    s3s_mutex_unlock(&scan->mutex);
    if (j->kind == JOB_FETCH)
        run_fetch(scan, j->file);
    else
        run_decode(scan, j->file);
    merge_partition_locked(scan, partition);
    s3s_scan_note_progress_locked(scan);
    s3s_cond_signal(&scan->work);
    s3s_cond_broadcast(&scan->changed);
}

/* Waits until something may have become possible. Waits for room are counted. */
static void wait_for_work_locked(s3s_scan *scan, s3s_instrument obstacle)
{
    s3s_metrics *m = s3s_env_metrics(scan->env);
    bool counted = obstacle != 0 && m != NULL;
    int64_t begin_us = counted ? s3s_mono_us(scan->env) : 0;
    (void)s3s_cond_wait(&scan->work, &scan->mutex, S3STORE_TIME_NONE, NULL);
    if (!counted)
        return;
    s3s_metric(m, obstacle, (s3s_labels){0}, 1);
    s3s_metric(m,
               obstacle == S3S_METRIC_BODY_SLOT_EXHAUSTED ? S3S_METRIC_BODY_SLOT_WAIT
                                                          : S3S_METRIC_BYTE_BUDGET_WAIT,
               (s3s_labels){0}, s3s_mono_us(scan->env) - begin_us);
}

static void work(void *ctx)
{
    s3s_scan *scan = ctx;
    s3s_mutex_lock(&scan->mutex);
    while (!scan->locked.stopping) {
        job j = {0};
        if (choose_locked(scan, false, &j))
            run_locked(scan, &j);
        else
            wait_for_work_locked(scan, j.obstacle);
    }
    s3s_mutex_unlock(&scan->mutex);
}

s3store_status s3s_scan_start_workers(s3s_scan *scan, s3store_error *err)
{
    size_t useful = scan->locked.file_count;
    if (scan->options.read_ahead_partitions == 0) {
        useful = 0;
        for (size_t p = 0; p < scan->locked.partition_count; p++) {
            if (scan->locked.partitions[p].file_count > useful)
                useful = scan->locked.partitions[p].file_count;
        }
    }
    if ((size_t)scan->target->max_inflight < useful)
        useful = (size_t)scan->target->max_inflight;
    if (scan->locked.file_count > 0)
        s3s_scan_start_watchdog(scan);
    if (useful <= 1) /* the consumer does it */
        return S3STORE_OK;
    scan->workers = s3s_calloc(scan->env, useful - 1, sizeof(s3s_task *));
    if (scan->workers == NULL)
        return s3s_fail_memory(err, (useful - 1) * sizeof(s3s_task *));
    while (scan->worker_count < useful - 1) {
        s3store_error why = {0};
        if (s3s_task_start(scan->target->pool, work, scan, &scan->workers[scan->worker_count],
                           &why) != S3STORE_OK)
            break; /* fewer hands; the consumer's are enough */
        scan->worker_count++;
    }
    return S3STORE_OK;
}

void s3s_scan_stop_workers(s3s_scan *scan)
{
    s3s_mutex_lock(&scan->mutex);
    scan->locked.stopping = true;
    s3s_cond_broadcast(&scan->quit);
    s3s_cond_broadcast(&scan->work);
    s3s_mutex_unlock(&scan->mutex);
    s3store_cancel_trigger(scan->cancel);
}

/* ---- waiting --------------------------------------------------------------------------------- */

static bool has_ended(file_state state)
{
    return state != FILE_NEW && state != FILE_FETCHING && state != FILE_FETCHED &&
           state != FILE_DECODING;
}

/* Does a wanted job, or waits for news, once. */
static s3store_status help_or_wait_locked(s3s_scan *scan, s3store_error *err)
{
    job j;
    if (choose_locked(scan, true, &j)) {
        run_locked(scan, &j);
        return S3STORE_OK;
    }
    s3store_status status = s3s_cond_wait(&scan->changed, &scan->mutex, scan->call.deadline_us,
                                          scan->options.call.cancel);
    if (status == S3STORE_OK)
        return status;
    s3store_status why = s3s_call_check(scan->env, &scan->options.call, err);
    return why == S3STORE_OK ? s3s_fail(err, status, "%s", s3store_status_text(status)) : why;
}

s3store_status s3s_scan_wait_file(s3s_scan *scan, size_t i, bool *spills, s3store_error *err)
{
    scan_file *f = &scan->locked.files[i];
    const scan_partition *p = &scan->locked.partitions[f->partition];
    s3store_status status = S3STORE_OK;
    s3s_mutex_lock(&scan->mutex);
    if (scan->locked.wanted_file < i) {
        scan->locked.wanted_file = i;
        s3s_cond_signal(&scan->work);
    }
    while (status == S3STORE_OK && !has_ended(f->state) && !(spills != NULL && p->spills))
        status = help_or_wait_locked(scan, err);
    if (spills != NULL)
        *spills = p->spills;
    if (spills != NULL && p->spills) { /* its files will be waited for one by one */
        s3s_mutex_unlock(&scan->mutex);
        return status;
    }
    if (status == S3STORE_OK && f->state == FILE_FAILED) {
        status = f->error != NULL ? f->error->status : S3STORE_OUT_OF_MEMORY;
        if (f->error == NULL)
            s3s_fail_memory(err, sizeof *f->error);
        else if (err != NULL)
            *err = *f->error;
    }
    s3s_mutex_unlock(&scan->mutex);
    return status;
}

s3store_status s3s_scan_wait_merged(s3s_scan *scan, size_t partition, s3store_error *err)
{
    scan_partition *p = &scan->locked.partitions[partition];
    s3store_status status = S3STORE_OK;
    s3s_mutex_lock(&scan->mutex);
    merge_partition_locked(scan, partition); /* all its files were missing: nobody did */
    while (status == S3STORE_OK && p->state != PARTITION_MERGED && p->state != PARTITION_FAILED)
        status = help_or_wait_locked(scan, err);
    if (status == S3STORE_OK && p->state == PARTITION_FAILED) {
        status = p->error != NULL ? p->error->status : S3STORE_OUT_OF_MEMORY;
        if (p->error == NULL)
            s3s_fail_memory(err, sizeof *p->error);
        else if (err != NULL)
            *err = *p->error;
    }
    s3s_mutex_unlock(&scan->mutex);
    return status;
}
