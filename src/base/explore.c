/* explore.c: all histories of a simulation, one after the other.
 *
 * A history is the list of its choices. After each run the last choice that has an untried
 * alternative is moved to it and everything after it is forgotten: a depth-first walk that needs no
 * saved state, only the same program again.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/bytes.h"
#include "base/error.h"
#include "base/sim.h"

typedef struct choice {
    uint32_t taken;
    uint32_t count; /* 0: given by a replay, not known yet */
} choice;

struct s3s_explorer {
    choice *choices;
    size_t size;
    size_t capacity;
    size_t at; /* in the running history */
    char *trace;
    size_t trace_size;
    size_t trace_used;
    s3store_status failed;
    s3store_error failure;
};

static void put_trace(s3s_explorer *ex, const char *name)
{
    if (ex->trace == NULL || ex->trace_used >= ex->trace_size)
        return;
    size_t room = ex->trace_size - ex->trace_used;
    int n = snprintf(ex->trace + ex->trace_used, room, "%s\n", name);
    ex->trace_used += n > 0 && (size_t)n < room ? (size_t)n : room;
}

static bool add_choice(s3s_explorer *ex, uint32_t taken, uint32_t count)
{
    if (ex->size == ex->capacity) {
        size_t capacity = ex->capacity * 2 + 64;
        choice *choices = realloc(ex->choices, capacity * sizeof *choices);
        if (choices == NULL) {
            if (ex->failed == S3STORE_OK)
                ex->failed = s3s_fail_memory(&ex->failure, capacity * sizeof *choices);
            return false;
        }
        ex->choices = choices;
        ex->capacity = capacity;
    }
    ex->choices[ex->size++] = (choice){taken, count};
    return true;
}

size_t s3s_explore_choose(void *explorer, size_t count, const char *const *names)
{
    s3s_explorer *ex = explorer;
    if (ex->at == ex->size && !add_choice(ex, 0, (uint32_t)count))
        return 0;
    choice *c = &ex->choices[ex->at++];
    if (c->count == 0)
        c->count = (uint32_t)count;
    if ((c->count != count || c->taken >= count) && ex->failed == S3STORE_OK)
        ex->failed = s3s_fail(&ex->failure, S3STORE_INTERNAL,
                              "choice %zu is %u of %zu actors where it was one of %u: the run is "
                              "not a function of its choices",
                              ex->at, c->taken, count, c->count);
    if (ex->failed != S3STORE_OK)
        return 0;
    put_trace(ex, names[c->taken]);
    return c->taken;
}

/* "0,2,1"; trailing zeros say nothing, since a replay continues with zeros. */
static void format_choices(const s3s_explorer *ex, char *out, size_t out_size)
{
    size_t size = ex->at < ex->size ? ex->at : ex->size;
    while (size > 0 && ex->choices[size - 1].taken == 0)
        size--;
    size_t n = 0;
    out[0] = '\0';
    for (size_t i = 0; i < size; i++) {
        int added = snprintf(out + n, out_size - n, i == 0 ? "%u" : ",%u", ex->choices[i].taken);
        if (added < 0 || (size_t)added >= out_size - n) {
            memcpy(out + out_size - 4, "...", 4);
            return;
        }
        n += (size_t)added;
    }
}

static s3store_status run_once(s3s_explorer *ex,
                               s3store_status (*run)(void *, s3s_explorer *, s3store_error *),
                               void *ctx, uint64_t number, s3store_error *err)
{
    s3store_error own;
    if (err == NULL)
        err = &own;
    s3s_error_clear(err);
    ex->at = 0;
    s3store_status status = run(ctx, ex, err);
    if (ex->failed != S3STORE_OK) {
        *err = ex->failure;
        status = ex->failed;
    }
    if (status == S3STORE_OK)
        return S3STORE_OK;
    if (err->status != status)
        s3s_fail(err, status, "%s", s3store_status_text(status));
    char choices[512];
    format_choices(ex, choices, sizeof choices);
    s3s_context(err, "history %llu, choices \"%s\"", (unsigned long long)number, choices);
    return status;
}

/* Forgets the choices that have been tried with everything after them; false when none is left. */
static bool move_on(s3s_explorer *ex)
{
    ex->size = ex->at;
    while (ex->size > 0) {
        choice *last = &ex->choices[ex->size - 1];
        if (last->taken + 1 < last->count) {
            last->taken++;
            return true;
        }
        ex->size--;
    }
    return false;
}

s3store_status s3s_explore(s3store_status (*run)(void *ctx, s3s_explorer *ex, s3store_error *err),
                           void *ctx, uint64_t max_histories, uint64_t *histories,
                           s3store_error *err)
{
    s3s_explorer ex = {0};
    uint64_t done = 0;
    s3store_status status;
    for (;;) {
        status = run_once(&ex, run, ctx, done, err);
        done++;
        if (status != S3STORE_OK || !move_on(&ex))
            break;
        if (max_histories != 0 && done >= max_histories) {
            status = s3s_fail(err, S3STORE_LIMIT_EXCEEDED,
                              "%llu histories were tried without a failure, but they are not all",
                              (unsigned long long)done);
            break;
        }
    }
    free(ex.choices);
    if (histories != NULL)
        *histories = done;
    return status;
}

/* "0,2,1" into the explorer. */
static s3store_status parse_choices(s3s_explorer *ex, const char *text, s3store_error *err)
{
    while (*text != '\0') {
        size_t size = strcspn(text, ",");
        int64_t value;
        if (!s3s_parse_i64(text, size, &value) || value < 0 || value > UINT32_MAX)
            return s3s_fail(err, S3STORE_INVALID_ARGUMENT,
                            "\"%.80s\" is not a list of choices: numbers with commas are expected",
                            text);
        if (!add_choice(ex, (uint32_t)value, 0))
            return s3s_fail_memory(err, sizeof(choice));
        text += size;
        text += *text == ',' ? 1 : 0;
    }
    return S3STORE_OK;
}

/* "#17": walks to the history of that number. */
static s3store_status walk_to(s3s_explorer *ex,
                              s3store_status (*run)(void *, s3s_explorer *, s3store_error *),
                              void *ctx, uint64_t number, s3store_error *err)
{
    for (uint64_t i = 0; i < number; i++) {
        run_once(ex, run, ctx, i, NULL);
        ex->failed = S3STORE_OK;
        if (!move_on(ex))
            return s3s_fail(err, S3STORE_INVALID_ARGUMENT, "there are only %llu histories",
                            (unsigned long long)i + 1);
    }
    return S3STORE_OK;
}

s3store_status s3s_explore_replay(s3store_status (*run)(void *ctx, s3s_explorer *ex,
                                                        s3store_error *err),
                                  void *ctx, const char *choices, char *trace, size_t trace_size,
                                  s3store_error *err)
{
    s3s_explorer ex = {0};
    int64_t number = 0;
    s3store_status status;
    if (trace != NULL && trace_size > 0)
        trace[0] = '\0';
    if (choices[0] == '#') {
        if (!s3s_parse_i64(choices + 1, strlen(choices + 1), &number) || number < 0)
            status = s3s_fail(err, S3STORE_INVALID_ARGUMENT, "\"%.80s\" is not a history's number",
                              choices);
        else
            status = walk_to(&ex, run, ctx, (uint64_t)number, err);
    } else {
        status = parse_choices(&ex, choices, err);
    }
    if (status == S3STORE_OK) {
        ex.trace = trace;
        ex.trace_size = trace_size;
        status = run_once(&ex, run, ctx, (uint64_t)number, err);
    }
    free(ex.choices);
    return status;
}
