/* Walking the refs: LIST, cut, gate, entries. FORMAT "Stream": the cutoff is sampled first, then
 * the refs are listed, then the markers asked for; every step of that order matters. */
#include "stream/stream.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/error.h"
#include "metrics/scope.h"
#include "stream/gate.h"
#include "stream/place.h"

#define PAGE_MIN 100 /* a small max must not make many small pages */

typedef struct walk {
    s3store_target *target;
    const s3store_call *call;
    s3s_place place;           /* what a snapshot had of what is walked over */
    const char *since, *until; /* NULL = none */
    size_t max;
    bool skip_damaged;
    char cutoff[S3S_KEY_SIZE];
    char prefix[S3S_KEY_SIZE];

    s3s_gate gate;
    s3store_entries *entries;
    const char *last_key; /* in the entries' arena; NULL = nothing consumed */
    const s3store_error *damage; /* stopped before a damaged marker */

    /* the page */
    s3s_arena page_arena;
    const char **keys;
    size_t key_count, key_capacity;
    bool bound_reached;
    s3store_status page_status;
    s3store_error page_error;
    s3store_list_reply reply;
} walk;

/* ---- one page of keys ------------------------------------------------------------------------ */

static bool add_key(walk *w, const char *key)
{
    if (w->key_count == w->key_capacity) {
        size_t capacity = w->key_capacity == 0 ? 128 : w->key_capacity * 2;
        const char **keys = s3s_realloc(w->target->env, w->keys, capacity * sizeof *keys);
        if (keys == NULL)
            return false;
        w->keys = keys;
        w->key_capacity = capacity;
    }
    const char *copy = s3s_arena_strdup(&w->page_arena, key);
    if (copy == NULL)
        return false;
    w->keys[w->key_count++] = copy;
    return true;
}

static bool take_key(void *ctx, const s3store_list_entry *entry)
{
    walk *w = ctx;
    if (entry->is_prefix)
        return true;
    if (w->until != NULL && strcmp(entry->key, w->until) >= 0) {
        w->bound_reached = true;
        return false;
    }
    if (strcmp(entry->key, w->cutoff) > 0) {
        w->bound_reached = true;
        w->entries->pending++;
        return true;
    }
    if (!add_key(w, entry->key)) {
        w->page_status = s3s_fail_memory(&w->page_error, strlen(entry->key) + 1);
        return false;
    }
    return true;
}

static s3store_status list_page(walk *w, bool first, s3store_error *err)
{
    s3s_arena_reset(&w->page_arena);
    w->key_count = 0;
    w->entries->pending = 0;
    size_t page = w->max < S3STORE_POLL_PAGE_MAX ? w->max : S3STORE_POLL_PAGE_MAX;
    char continuation[S3STORE_CONTINUATION_MAX];
    memcpy(continuation, w->reply.continuation, sizeof continuation);
    s3store_list_request request = {
        .size = sizeof request,
        .prefix = w->prefix,
        .start_after = w->since[0] != '\0' ? w->since : NULL,
        .continuation = first ? NULL : continuation,
        .max_keys = (uint32_t)(page < PAGE_MIN ? PAGE_MIN : page),
    };
    s3store_status status = s3s_list(w->target->store, w->call, &request, take_key, w, &w->reply,
                                     err);
    if (status == S3STORE_OK && w->page_status != S3STORE_OK) {
        status = w->page_status;
        if (err != NULL)
            *err = w->page_error;
    }
    return status;
}

/* ---- refs to entries ------------------------------------------------------------------------- */

/* A ref of the wave under way. */
typedef struct candidate {
    const char *key;
    s3s_gate_slot *slot; /* NULL = malformed, or known */
    int64_t micros;
    char attempt[S3S_ATTEMPT_ID_SIZE + 1];
} candidate;

/* A data object of that name is in the snapshot that the offset comes from: no marker is asked
 * for. */
static bool is_known(const walk *w, const s3s_ref *ref)
{
    char data_path[S3S_KEY_SIZE];
    return w->place.known_count > 0 &&
           s3s_data_key(&w->target->layout, ref->partition, ref->token, ref->attempt, data_path,
                        NULL) == S3STORE_OK &&
           s3s_place_knows(&w->place, data_path);
}

static s3store_status read_ref(walk *w, const char *key, candidate *c, s3store_error *err)
{
    s3s_ref ref;
    s3store_error why = {0};
    char commit_key[S3S_KEY_SIZE];
    c->key = key;
    c->slot = NULL;
    s3store_status status = s3s_ref_parse(key, &ref, &why);
    if (status == S3STORE_OK) /* a partition that makes too long a key cannot be committed */
        status = s3s_commit_key(&w->target->layout, ref.partition, ref.token, commit_key, &why);
    if (status != S3STORE_OK) { /* both fail for what the key says, and for nothing else */
        s3s_metric(s3s_env_metrics(w->target->env), S3S_METRIC_MALFORMED_REFS,
                   (s3s_labels){.method = S3S_METHOD_POLL}, 1);
        s3s_log(w->target->env, S3STORE_LOG_WARN, "skipping malformed ref", "key", key, "reason",
                why.message, NULL);
        return S3STORE_OK;
    }
    if (is_known(w, &ref))
        return S3STORE_OK;
    c->micros = ref.micros;
    memcpy(c->attempt, ref.attempt, sizeof c->attempt);
    return s3s_gate_slot_of(&w->gate, ref.partition, ref.token, &c->slot, err);
}

static s3store_status add_entry(walk *w, const candidate *c, s3store_error *err)
{
    char data_path[S3S_KEY_SIZE];
    s3store_status status = s3s_data_key(&w->target->layout, c->slot->partition, c->slot->token,
                                         c->attempt, data_path, err);
    if (status != S3STORE_OK) { /* a data object of that name cannot exist */
        s3s_log(w->target->env, S3STORE_LOG_WARN, "skipping malformed ref", "key", c->key, NULL);
        s3s_error_clear(err);
        return S3STORE_OK;
    }
    s3store_entry entry = {
        .partition = c->slot->partition,
        .data_path = data_path,
        .ref_path = c->key,
        .inserted_at_us = c->micros,
        .row_count = c->slot->row_count,
    };
    return s3s_entries_add(w->entries, &entry, err);
}

/* Consumes one ref whose marker was asked for. *stop: a damaged marker is next. */
static s3store_status judge(walk *w, const candidate *c, bool *stop, s3store_error *err)
{
    s3store_status status = S3STORE_OK;
    const s3s_gate_slot *slot = c->slot;
    if (slot != NULL && slot->state == S3S_GATE_DAMAGED) {
        if (!w->skip_damaged) {
            w->damage = slot->damage;
            *stop = true;
            return S3STORE_OK;
        }
        const char *key = slot->damage->key; /* of the marker */
        s3s_log(w->target->env, S3STORE_LOG_WARN, "skipping damaged commit marker", "key", key,
                "ref", c->key, "reason", slot->damage->message, NULL);
        status = s3s_entries_add_skipped(w->entries, key, err);
    } else if (slot != NULL && slot->state == S3S_GATE_PRESENT &&
               strcmp(slot->attempt, c->attempt) == 0) {
        status = add_entry(w, c, err);
    }
    if (status == S3STORE_OK)
        w->last_key = c->key;
    return status;
}

/* Refs of the page from *at on, at most as many as entries are still wanted: so no marker is
 * asked for that a walk ref by ref would not have asked for. */
static s3store_status run_wave(walk *w, size_t *at, candidate *wave, s3s_gate_slot **slots,
                               bool *stop, s3store_error *err)
{
    size_t wanted = w->max - w->entries->count;
    size_t count = w->key_count - *at < wanted ? w->key_count - *at : wanted;
    s3store_status status = S3STORE_OK;
    for (size_t i = 0; status == S3STORE_OK && i < count; i++) {
        status = read_ref(w, w->keys[*at + i], &wave[i], err);
        slots[i] = wave[i].slot;
    }
    if (status == S3STORE_OK)
        status = s3s_gate_settle(&w->gate, slots, count, err);
    for (size_t i = 0; status == S3STORE_OK && !*stop && i < count; i++)
        status = judge(w, &wave[i], stop, err);
    *at += count;
    return status;
}

static s3store_status consume_page(walk *w, bool *stop, s3store_error *err)
{
    if (w->key_count == 0)
        return S3STORE_OK;
    s3s_env *env = w->target->env;
    s3store_status status = S3STORE_OK;
    candidate *wave = s3s_calloc(env, w->key_count, sizeof *wave);
    s3s_gate_slot **slots = s3s_calloc(env, w->key_count, sizeof *slots);
    if (wave == NULL || slots == NULL)
        status = s3s_fail_memory(err, w->key_count * (sizeof *wave + sizeof *slots));
    size_t at = 0;
    while (status == S3STORE_OK && !*stop && at < w->key_count && w->entries->count < w->max)
        status = run_wave(w, &at, wave, slots, stop, err);
    s3s_free(env, wave);
    s3s_free(env, slots);
    if (status == S3STORE_OK && w->last_key != NULL) { /* the page's memory ends with the page */
        status = s3s_entries_set_next(w->entries, w->last_key, err);
        w->last_key = w->entries->next_offset;
    }
    return status;
}

static s3store_status run_walk(walk *w, s3store_error *err)
{
    s3store_status status = s3s_entries_set_next(w->entries, w->since, err);
    bool stop = false;
    for (bool first = true; status == S3STORE_OK && !stop; first = false) {
        status = s3s_call_check(w->target->env, w->call, err);
        if (status == S3STORE_OK)
            status = list_page(w, first, err);
        if (status == S3STORE_OK)
            status = consume_page(w, &stop, err);
        stop = stop || w->bound_reached || !w->reply.truncated || w->entries->count >= w->max;
    }
    return status;
}

/* The next offset of a poll: it still names what a snapshot had. */
static s3store_status carry_known(walk *w, const char *since, s3store_error *err)
{
    if (w->place.known_count == 0)
        return S3STORE_OK;
    if (w->last_key == NULL)
        return s3s_entries_set_next(w->entries, since, err);
    const char *text;
    s3store_status status = s3s_place_text(&w->place, w->last_key, &text, err);
    return status == S3STORE_OK ? s3s_entries_set_next(w->entries, text, err) : status;
}

static s3store_status walk_new(s3store_target *target, const s3store_call *call, walk **out,
                               s3store_error *err)
{
    walk *w = s3s_calloc(target->env, 1, sizeof *w);
    *out = NULL;
    if (w == NULL)
        return s3s_fail_memory(err, sizeof *w);
    w->target = target;
    w->call = call;
    w->since = "";
    w->max = SIZE_MAX;
    s3s_gate_init(&w->gate, target, call);
    s3s_place_init(&w->place, target->env, &target->layout);
    s3s_arena_init(&w->page_arena, target->env);
    *out = w;
    s3store_status status = s3s_settled_offset(target, w->cutoff, err);
    snprintf(w->prefix, sizeof w->prefix, "%s/", target->layout.ref_path); /* shorter than cutoff */
    return status == S3STORE_OK ? s3s_entries_new(target->env, &w->entries, err) : status;
}

static void walk_free(walk *w)
{
    if (w == NULL)
        return;
    s3s_env *env = w->target->env;
    s3s_gate_deinit(&w->gate);
    s3s_place_deinit(&w->place);
    s3s_arena_deinit(&w->page_arena);
    s3s_free(env, w->keys);
    s3store_entries_free(w->entries);
    s3s_free(env, w);
}

/* ---- the functions --------------------------------------------------------------------------- */

s3store_status s3s_offset_check(const s3store_target *target, const char *offset, const char *what,
                                s3store_error *err)
{
    s3s_place place;
    s3s_place_init(&place, target->env, &target->layout);
    s3store_status status = s3s_place_parse(&place, offset, what, err);
    s3s_place_deinit(&place);
    return status;
}

int64_t s3s_settled_us(const s3store_target *target)
{
    int64_t window_us = target->commit_timeout_us + target->max_clock_skew_us;
    return s3s_wall_us(target->env) - window_us;
}

s3store_status s3s_settled_offset(s3store_target *target, char *out, s3store_error *err)
{
    return s3s_offset_key(&target->layout, s3s_settled_us(target), out, err);
}

static s3store_status poll_once(s3store_target *target, const s3store_poll_options *options,
                                s3store_entries **out, s3store_error *err)
{
    static const s3store_poll_options defaults = S3STORE_POLL_OPTIONS_INIT;
    const s3store_poll_options *o = options != NULL ? options : &defaults;
    *out = NULL;
    if (o->max_entries < 0)
        return s3s_fail(err, S3STORE_INVALID_ARGUMENT,
                        "max_entries is %" PRId32 ": it must be positive, or 0 for %d",
                        o->max_entries, S3STORE_DEFAULT_POLL_MAX);
    s3store_status status = s3s_offset_check(target, o->until, "until", err);
    if (status == S3STORE_OK && o->until != NULL && o->until[0] != '\0' &&
        !s3s_place_is_plain(&target->layout, o->until))
        status = s3s_fail(err, S3STORE_INVALID_ARGUMENT,
                          "until: an offset with exceptions is only a place to begin");
    if (status != S3STORE_OK)
        return status;
    s3store_call call = s3s_call_make(target->env, o->cancel, o->timeout_ms);
    walk *w = NULL;
    status = walk_new(target, &call, &w, err);
    if (status == S3STORE_OK)
        status = s3s_place_parse(&w->place, o->since, "since", err);
    if (status == S3STORE_OK) {
        w->since = w->place.offset;
        w->until = o->until != NULL && o->until[0] != '\0' ? o->until : NULL;
        w->max = o->max_entries > 0 ? (size_t)o->max_entries : S3STORE_DEFAULT_POLL_MAX;
        w->skip_damaged = o->skip_damaged;
        status = run_walk(w, err);
    }
    if (status == S3STORE_OK)
        status = carry_known(w, o->since, err);
    if (status == S3STORE_OK && w->damage != NULL && w->last_key == NULL) {
        status = S3STORE_DAMAGED_MARKER;
        if (err != NULL)
            *err = *w->damage;
    }
    if (status == S3STORE_OK) {
        *out = w->entries;
        w->entries = NULL;
    }
    walk_free(w);
    return status;
}

s3store_status s3s_poll(s3store_target *target, const s3store_poll_options *options,
                        s3store_entries **out, s3store_error *err)
{
    s3s_scope scope;
    s3store_error own = {0};
    s3store_error *e = err != NULL ? err : &own;
    s3s_scope_begin(&scope, target->env, S3S_METHOD_POLL);
    s3store_status status = poll_once(target, options, out, e);
    if (status == S3STORE_OK)
        s3s_scope_count(&scope, S3S_METRIC_READ_RECORDS, (*out)->count);
    return s3s_scope_end(&scope, status, e);
}

static s3store_status poll_range(s3store_target *target, int64_t since_us, int64_t until_us,
                                 const s3store_call *call, s3store_entries **out,
                                 s3store_error *err)
{
    *out = NULL;
    if (since_us != S3STORE_TIME_NONE && until_us != S3STORE_TIME_NONE && since_us > until_us) {
        char since[S3STORE_TIME_TEXT_SIZE], until[S3STORE_TIME_TEXT_SIZE];
        s3store_time_format(since_us, since, sizeof since);
        s3store_time_format(until_us, until, sizeof until);
        return s3s_fail(err, S3STORE_INVALID_ARGUMENT,
                        "the range is reversed: since %s is after until %s", since, until);
    }
    char since[S3S_KEY_SIZE] = "", until[S3S_KEY_SIZE];
    walk *w = NULL;
    s3store_status status = walk_new(target, call, &w, err);
    if (status == S3STORE_OK && since_us != S3STORE_TIME_NONE)
        status = s3s_offset_key(&target->layout, since_us, since, err);
    if (status == S3STORE_OK && until_us != S3STORE_TIME_NONE) {
        status = s3s_offset_key(&target->layout, until_us, until, err);
        w->until = until;
    }
    if (status == S3STORE_OK) {
        w->since = since;
        status = run_walk(w, err);
    }
    if (status == S3STORE_OK && w->damage != NULL) {
        status = S3STORE_DAMAGED_MARKER;
        if (err != NULL)
            *err = *w->damage;
    }
    if (status == S3STORE_OK) {
        *out = w->entries;
        w->entries = NULL;
    }
    walk_free(w);
    return status;
}

/* One poll, however many pages: that is what it costs. */
s3store_status s3s_poll_range(s3store_target *target, int64_t since_us, int64_t until_us,
                              const s3store_call *call, s3store_entries **out, s3store_error *err)
{
    s3s_scope scope;
    s3store_error own = {0};
    s3store_error *e = err != NULL ? err : &own;
    s3s_scope_begin(&scope, target->env, S3S_METHOD_POLL);
    s3store_status status = poll_range(target, since_us, until_us, call, out, e);
    if (status == S3STORE_OK)
        s3s_scope_count(&scope, S3S_METRIC_READ_RECORDS, (*out)->count);
    return s3s_scope_end(&scope, status, e);
}
