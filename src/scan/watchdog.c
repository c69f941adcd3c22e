/* Tells when a scan stands still: the consumer waits, and no file, partition or batch has got on for a
 * minute. It only says so, and says it again while that lasts; requests have their own time limits. */
#include "scan/internal.h"

#include <inttypes.h>
#include <stdio.h>

#define STALL_US 60000000

void s3s_scan_note_progress_locked(s3s_scan *scan)
{
    scan->locked.progress_us = s3s_mono_us(scan->env);
}

/* What the consumer waits for. */
static const char *waited_for_locked(const s3s_scan *scan)
{
    size_t i = scan->locked.wanted_file;
    return i < scan->locked.file_count ? scan->locked.files[i].info->key : "";
}

static void tell_locked(s3s_scan *scan, int64_t still_us)
{
    char seconds[32];
    snprintf(seconds, sizeof seconds, "%" PRId64, still_us / 1000000);
    scan->locked.stalls++;
    s3s_metric(scan->target->metrics, S3S_METRIC_STALLS,
               (s3s_labels){.method = (uint8_t)scan->options.counted_as}, 1);
    s3s_log(scan->env, S3STORE_LOG_WARN, "reading makes no progress", "method",
            scan->options.method != NULL ? scan->options.method : "scan", "waiting_for",
            waited_for_locked(scan), "seconds", seconds, NULL);
}

static void watch(void *ctx)
{
    s3s_scan *scan = ctx;
    int64_t stall_us = scan->options.stall_us > 0 ? scan->options.stall_us : STALL_US;
    s3s_mutex_lock(&scan->mutex);
    while (!scan->locked.stopping) {
        int64_t now = s3s_mono_us(scan->env);
        int64_t since = scan->locked.progress_us > scan->locked.waiting_us ? scan->locked.progress_us
                                                                          : scan->locked.waiting_us;
        if (scan->locked.waiting && now - since >= stall_us)
            tell_locked(scan, now - since);
        (void)s3s_cond_wait(&scan->quit, &scan->mutex, now + stall_us / 2, NULL);
    }
    s3s_mutex_unlock(&scan->mutex);
}

void s3s_scan_start_watchdog(s3s_scan *scan)
{
    /* The simulated clock would run for it alone. Without it, nothing is lost but the message. */
    if (!s3s_env_is_simulated(scan->env))
        (void)s3s_task_start(scan->target->pool, watch, scan, &scan->watchdog, NULL);
}

void s3s_scan_set_waiting(s3s_scan *scan, bool waiting)
{
    s3s_mutex_lock(&scan->mutex);
    scan->locked.waiting = waiting;
    scan->locked.waiting_us = s3s_mono_us(scan->env);
    s3s_mutex_unlock(&scan->mutex);
}

uint64_t s3s_scan_stall_count(const s3s_scan *scan)
{
    s3s_scan *s = (s3s_scan *)scan;
    s3s_mutex_lock(&s->mutex);
    uint64_t stalls = s->locked.stalls;
    s3s_mutex_unlock(&s->mutex);
    return stalls;
}
