/* One unit of a parallel listing: a range of keys, page after page. */
#include <string.h>

#include "base/bytes.h"
#include "base/error.h"
#include "objstore/port.h"
#include "objstore/walk.h"

#define TINY_DIRECTORY 4

/* ---- pages ----------------------------------------------------------------------------------- */

s3s_walk_page *s3s_walk_page_new(s3s_env *env)
{
    s3s_walk_page *page = s3s_calloc(env, 1, sizeof *page);
    if (page != NULL)
        s3s_arena_init(&page->arena, env);
    return page;
}

void s3s_walk_page_free(s3s_walk_page *page, s3s_env *env)
{
    if (page == NULL)
        return;
    s3s_arena_deinit(&page->arena);
    s3s_free(env, page->entries);
    s3s_free(env, page);
}

bool s3s_walk_page_add(s3s_walk_page *page, const s3store_list_entry *entry)
{
    if (page->count == page->capacity) {
        size_t capacity = page->capacity == 0 ? 64 : page->capacity * 2;
        s3store_list_entry *more =
            s3s_realloc(page->arena.env, page->entries, capacity * sizeof *more);
        if (more == NULL)
            return false;
        page->entries = more;
        page->capacity = capacity;
    }
    s3store_list_entry *copy = &page->entries[page->count];
    *copy = *entry;
    copy->key = s3s_arena_strdup(&page->arena, entry->key);
    page->count += copy->key != NULL;
    return copy->key != NULL;
}

void s3s_walk_unit_add_page(s3s_walk_unit *unit, s3s_walk_page *page)
{
    if (unit->last_page != NULL)
        unit->last_page->next = page;
    else
        unit->first_page = page;
    unit->last_page = page;
    unit->page_count++;
}

s3s_walk_page *s3s_walk_unit_take_page(s3s_walk_unit *unit)
{
    s3s_walk_page *page = unit->first_page;
    if (page == NULL)
        return NULL;
    unit->first_page = page->next;
    unit->last_page = unit->first_page != NULL ? unit->last_page : NULL;
    unit->page_count--;
    return page;
}

/* ---- units ----------------------------------------------------------------------------------- */

static bool copy_text(s3s_env *env, const char *text, char **out)
{
    *out = text != NULL ? s3s_strdup(env, text) : NULL;
    return text == NULL || *out != NULL;
}

s3s_walk_unit *s3s_walk_unit_new(const s3s_walk *walk, const char *prefix, const char *after,
                                 const char *floor, const char *stop, size_t patience)
{
    s3s_walk_unit *u = s3s_calloc(walk->env, 1, sizeof *u);
    if (u == NULL)
        return NULL;
    u->walk = walk;
    u->patience = patience;
    if (copy_text(walk->env, prefix, &u->prefix) && copy_text(walk->env, after, &u->after) &&
        copy_text(walk->env, floor, &u->floor) && copy_text(walk->env, stop, &u->stop))
        return u;
    s3s_walk_unit_free(u);
    return NULL;
}

void s3s_walk_unit_free(s3s_walk_unit *unit)
{
    if (unit == NULL)
        return;
    s3s_env *env = unit->walk->env;
    while (unit->first_page != NULL) {
        s3s_walk_page *page = unit->first_page;
        unit->first_page = page->next;
        s3s_walk_page_free(page, env);
    }
    s3s_free(env, unit->prefix);
    s3s_free(env, unit->after);
    s3s_free(env, unit->floor);
    s3s_free(env, unit->stop);
    s3s_free(env, unit->continuation);
    s3s_free(env, unit->last);
    s3s_free(env, unit);
}

/* ---- one page -------------------------------------------------------------------------------- */

typedef struct taking {
    s3s_walk_unit *unit;
    s3s_walk_page *page;
    char last[S3STORE_KEY_MAX_BYTES + 1];
    bool has_last;
    bool passed_stop;
    size_t keys; /* of this page; of those in directories, and of how many */
    size_t in_directories;
    size_t directories;
    char directory[S3STORE_KEY_MAX_BYTES + 1];
    s3store_status status;
    s3store_error *err;
} taking;

static void count_directory(taking *t, const char *key)
{
    size_t start = strlen(t->unit->prefix);
    const char *slash = strlen(key) >= start ? strchr(key + start, '/') : NULL;
    if (slash == NULL)
        return;
    size_t size = (size_t)(slash - key) + 1;
    t->in_directories++;
    if (t->directories > 0 && strncmp(t->directory, key, size) == 0 && t->directory[size] == '\0')
        return;
    t->directories++;
    memcpy(t->directory, key, size);
    t->directory[size] = '\0';
}

/* A directory of which nothing is wanted is not walked. */
static bool is_skipped(const taking *t, const s3store_list_entry *entry)
{
    const s3s_walk_options *o = t->unit->walk->options;
    char to[S3STORE_KEY_MAX_BYTES + 1];
    return entry->is_prefix && o->skip != NULL && o->skip(o->skip_ctx, entry->key, to) &&
           s3s_range_below(entry->key, strlen(entry->key), to, strlen(to));
}

static bool take_entry(void *ctx, const s3store_list_entry *entry)
{
    taking *t = ctx;
    s3s_walk_unit *u = t->unit;
    size_t size = strnlen(entry->key, sizeof t->last);
    const char *before = t->has_last ? t->last : u->last;
    /* Everything relies on the order: a server that breaks it would lose keys silently. A directory
     * may be told of again, at a place inside it. */
    if (size == sizeof t->last ||
        (before != NULL && !entry->is_prefix && strcmp(entry->key, before) <= 0)) {
        t->status = s3s_fail_key(t->err, S3STORE_CORRUPT, entry->key,
                                 "the server lists \"%.200s\" after \"%.200s\": not in key order",
                                 entry->key, before != NULL ? before : "");
        return false;
    }
    memcpy(t->last, entry->key, size + 1);
    t->has_last = true;
    if (u->stop != NULL && strcmp(entry->key, u->stop) >= 0) {
        t->passed_stop = true;
        return false;
    }
    t->keys++;
    count_directory(t, entry->key);
    if ((u->floor != NULL && strcmp(entry->key, u->floor) < 0) || is_skipped(t, entry))
        return true;
    if (s3s_walk_page_add(t->page, entry))
        return true;
    t->status = s3s_fail_memory(t->err, size);
    return false;
}

static bool replace_text(s3s_env *env, char **place, const char *text)
{
    s3s_free(env, *place);
    return copy_text(env, text, place);
}

/* Where the next page begins: at the server's token, or behind a gap in what is wanted. */
static s3store_status prepare_next(s3s_walk_unit *u, const s3store_list_reply *reply, bool *ended,
                                   s3store_error *err)
{
    const s3s_walk_options *o = u->walk->options;
    s3s_env *env = u->walk->env;
    char to[S3STORE_KEY_MAX_BYTES + 1];
    bool same = u->continuation != NULL && strcmp(u->continuation, reply->continuation) == 0;
    if (u->last != NULL && !u->discovers && o->skip != NULL && o->skip(o->skip_ctx, u->last, to) &&
        strcmp(to, u->last) > 0) {
        *ended = u->stop != NULL && strcmp(to, u->stop) >= 0;
        if (!replace_text(env, &u->after, to) || !replace_text(env, &u->last, to) ||
            !replace_text(env, &u->continuation, NULL))
            return s3s_fail_memory(err, strlen(to));
        return S3STORE_OK;
    }
    if (reply->continuation[0] == '\0' || same)
        return s3s_fail_key(err, S3STORE_CORRUPT, u->prefix,
                            "list %.200s: the server says that more keys follow but not where",
                            u->prefix);
    return replace_text(env, &u->continuation, reply->continuation)
               ? S3STORE_OK
               : s3s_fail_memory(err, strlen(reply->continuation));
}

/* The first answer of a walk, from which nobody works beside us. */
static void note_first(const s3s_walk *w, const s3store_list_reply *reply, int64_t sent_wall_us,
                       int64_t sent_us)
{
    w->result->first_date_us = reply->date_us;
    w->result->first_sent_wall_us = sent_wall_us;
    w->result->first_took_us = s3s_mono_us(w->env) - sent_us;
}

static s3store_status take_page(s3s_walk_unit *u, taking *t, s3store_list_reply *reply,
                                s3s_walk_fetched *got, s3store_error *err)
{
    const s3s_walk *w = u->walk;
    s3store_list_request request = {.size = sizeof request,
                                    .prefix = u->prefix,
                                    .start_after = u->after,
                                    .continuation = u->continuation,
                                    .delimiter = u->discovers ? "/" : NULL,
                                    .max_keys = w->options->max_keys};
    int64_t sent_wall_us = s3s_wall_us(w->env), sent_us = s3s_mono_us(w->env);
    s3store_status status =
        s3s_list(w->store, w->call, &request, take_entry, t, reply, err);
    if (status == S3STORE_OK)
        status = t->status;
    if (status != S3STORE_OK)
        return status;
    got->asked = 1;
    if (u->is_first && u->fetched == 0)
        note_first(w, reply, sent_wall_us, sent_us);
    if (t->has_last && !replace_text(w->env, &u->last, t->last))
        return s3s_fail_memory(err, sizeof t->last);
    u->fetched++;
    if (!u->discovers) {
        u->page_keys = t->keys;
        u->keys_per_directory = t->directories > 0 ? t->in_directories / t->directories : 0;
    }
    got->ended = t->passed_stop || !reply->truncated;
    return got->ended ? S3STORE_OK : prepare_next(u, reply, &got->ended, err);
}

s3store_status s3s_walk_unit_fetch(s3s_walk_unit *unit, s3s_walk_page **out, s3s_walk_fetched *got,
                                   s3store_error *err)
{
    s3s_walk_unit *u = unit;
    s3s_env *env = u->walk->env;
    s3store_list_reply reply;
    *out = NULL;
    *got = (s3s_walk_fetched){0};
    reply.truncated = false;
    reply.continuation[0] = '\0';
    taking t = {.unit = u, .page = s3s_walk_page_new(env), .err = err};
    if (t.page == NULL)
        return s3s_fail_memory(err, sizeof *t.page);
    s3store_status status = take_page(u, &t, &reply, got, err);
    if (status != S3STORE_OK) {
        s3s_walk_page_free(t.page, env);
        return status;
    }
    *out = t.page;
    got->divide = u->discovers || (!got->ended && u->fetched >= u->patience);
    /* Without directories there is nothing to divide by, and to discover tiny ones takes as many
     * pages as they have. */
    if (!u->discovers && got->divide && u->keys_per_directory < TINY_DIRECTORY) {
        got->divide = false;
        u->patience = u->fetched + 8;
    }
    return S3STORE_OK;
}
