/* Dividing a long unit: first into "its directories", which are discovered, then into walks of
 * single directories or of groups of small ones. */
#include <string.h>

#include "base/bytes.h"
#include "base/error.h"
#include "objstore/walk.h"

#define GROUP_PAGES 3 /* of a group of small directories, about */
#define GROUP_PATIENCE 8
/* The last character that a key can have at any place: what begins with "a/" lies below "a/" and
 * this one, but for keys with that character itself, which bounds keep apart. */
#define LAST_CHARACTER "\xf4\x8f\xbf\xbf"

typedef char key_text[S3STORE_KEY_MAX_BYTES + 8];

/* Units to take the place of another, in order. */
typedef struct chain {
    s3s_walk_unit *first;
    s3s_walk_unit *last;
} chain;

static void append(chain *c, s3s_walk_unit *u)
{
    if (c->last != NULL)
        c->last->next = u;
    else
        c->first = u;
    c->last = u;
}

static void insert(s3s_walk_unit *behind, chain *c)
{
    if (c->first == NULL)
        return;
    c->last->next = behind->next;
    behind->next = c->first;
}

static void free_chain(chain *c)
{
    while (c->first != NULL) {
        s3s_walk_unit *u = c->first;
        c->first = u->next;
        s3s_walk_unit_free(u);
    }
}

/* A LIST for each of them alone would fill less than half a page. */
static bool has_small_directories(const s3s_walk_unit *u)
{
    return u->keys_per_directory * 2 < u->page_keys;
}

static bool copy_key(key_text out, const char *text, size_t size, const char *end)
{
    size_t end_size = strlen(end);
    if (size + end_size > S3STORE_KEY_MAX_BYTES)
        return false;
    memcpy(out, text, size);
    memcpy(out + size, end, end_size + 1);
    return true;
}

/* Something to begin after so that a directory is listed wholly, its own key ("a/") included, and
 * little before it. What comes all the same is below the floor. */
static const char *just_before(const char *directory, key_text out)
{
    size_t size = strlen(directory);
    if (!copy_key(out, directory, size - 1, "." LAST_CHARACTER))
        (void)copy_key(out, directory, size - 1, ".");
    return out;
}

/* ---- a walk becomes: the rest of its directory, and the directories behind ------------------- */

static s3store_status discover(s3s_walk_unit *u, const char *after, const char *floor, chain *c,
                               s3store_error *err)
{
    s3s_walk_unit *d = s3s_walk_unit_new(u->walk, u->prefix, after, floor, u->stop, 0);
    if (d == NULL)
        return s3s_fail_memory(err, sizeof *d);
    d->discovers = true;
    d->page_keys = u->page_keys;
    d->keys_per_directory = u->keys_per_directory;
    append(c, d);
    return S3STORE_OK;
}

static s3store_status divide_walk(s3s_walk_unit *u, chain *c, s3store_error *err)
{
    key_text directory, behind, floor;
    size_t start = strlen(u->prefix);
    const char *slash = strlen(u->last) >= start ? strchr(u->last + start, '/') : NULL;
    if (slash == NULL || has_small_directories(u))
        return discover(u, u->last, u->floor, c, err);
    size_t size = (size_t)(slash - u->last) + 1;
    (void)copy_key(directory, u->last, size, "");
    (void)copy_key(floor, u->last, size - 1, "0"); /* the byte after '/' */
    s3s_walk_unit *rest = s3s_walk_unit_new(u->walk, directory, u->last, u->floor, u->stop, 1);
    if (rest == NULL)
        return s3s_fail_memory(err, sizeof *rest);
    append(c, rest);
    bool fits = copy_key(behind, directory, size, LAST_CHARACTER);
    return discover(u, fits ? behind : u->last, floor, c, err);
}

/* ---- a discovery becomes walks ---------------------------------------------------------------- */

/* The next page of the discovery. after and floor: where its first group begins. */
static s3store_status go_on(s3s_walk_unit *u, const char *after, const char *floor, chain *c,
                            s3store_error *err)
{
    if (u->done)
        return S3STORE_OK;
    s3store_status status = discover(u, after, floor, c, err);
    if (status != S3STORE_OK)
        return status;
    c->last->continuation = u->continuation;
    u->continuation = NULL;
    return S3STORE_OK;
}

/* Each directory by itself; keys between them are known already. */
static s3store_status divide_singly(s3s_walk_unit *u, const s3s_walk_page *page, chain *c,
                                    s3store_error *err)
{
    s3s_env *env = u->walk->env;
    s3s_walk_unit *keys = NULL;
    for (size_t i = 0; i < page->count; i++) {
        const s3store_list_entry *e = &page->entries[i];
        if (e->is_prefix) {
            keys = NULL;
            s3s_walk_unit *single = s3s_walk_unit_new(u->walk, e->key, NULL, NULL, u->stop, 1);
            if (single == NULL)
                return s3s_fail_memory(err, sizeof *single);
            append(c, single);
            continue;
        }
        if (keys == NULL) {
            keys = s3s_walk_unit_new(u->walk, u->prefix, NULL, NULL, NULL, 0);
            s3s_walk_page *own = keys != NULL ? s3s_walk_page_new(env) : NULL;
            if (keys == NULL || own == NULL) {
                s3s_walk_unit_free(keys);
                return s3s_fail_memory(err, sizeof *keys);
            }
            keys->done = true;
            s3s_walk_unit_add_page(keys, own);
            append(c, keys);
        }
        if (!s3s_walk_page_add(keys->last_page, e))
            return s3s_fail_memory(err, strlen(e->key));
    }
    /* A server that tells of the last directory once more must not have it walked twice. */
    const s3store_list_entry *last = page->count > 0 ? &page->entries[page->count - 1] : NULL;
    key_text floor;
    bool has_floor =
        last != NULL && last->is_prefix && copy_key(floor, last->key, strlen(last->key) - 1, "0");
    return go_on(u, u->after, has_floor ? floor : u->floor, c, err);
}

static s3store_status add_group(s3s_walk_unit *u, const char *after, const char *floor,
                                const char *stop, chain *c, s3store_error *err)
{
    s3s_walk_unit *group =
        s3s_walk_unit_new(u->walk, u->prefix, after, floor, stop, GROUP_PATIENCE);
    if (group == NULL)
        return s3s_fail_memory(err, sizeof *group);
    append(c, group);
    return S3STORE_OK;
}

/* Ranges from one directory to another one some directories later. Keys between directories come
 * with them. */
static s3store_status divide_in_groups(s3s_walk_unit *u, const s3s_walk_page *page, chain *c,
                                       s3store_error *err)
{
    size_t per_group = GROUP_PAGES * u->page_keys / (u->keys_per_directory + 1) + 1;
    const char *after = u->after, *floor = u->floor;
    key_text begin;
    size_t seen = 0;
    const s3store_list_entry *last = NULL;
    for (size_t i = 0; i < page->count; i++) {
        const s3store_list_entry *e = &page->entries[i];
        if (!e->is_prefix)
            continue;
        last = e;
        if (seen++ < per_group)
            continue;
        s3store_status status = add_group(u, after, floor, e->key, c, err);
        if (status != S3STORE_OK)
            return status;
        after = just_before(e->key, begin);
        floor = e->key;
        seen = 1;
    }
    if (u->done || last == NULL) { /* without directories: page by page, to the end */
        u->done = true;
        return add_group(u, after, floor, u->stop, c, err);
    }
    if (floor != last->key && seen > 1) { /* the last one begins what the next page goes on with */
        s3store_status status = add_group(u, after, floor, last->key, c, err);
        if (status != S3STORE_OK)
            return status;
        after = just_before(last->key, begin);
        floor = last->key;
    }
    return go_on(u, after, floor, c, err);
}

s3store_status s3s_walk_divide(s3s_walk_unit *unit, s3store_error *err)
{
    s3s_walk_unit *u = unit;
    chain c = {0};
    s3store_status status;
    if (!u->discovers) {
        status = divide_walk(u, &c, err);
    } else {
        s3s_walk_page *page = u->first_page;
        status = has_small_directories(u) ? divide_in_groups(u, page, &c, err)
                                          : divide_singly(u, page, &c, err);
        s3s_walk_page_free(page, u->walk->env); /* it has become units */
        u->first_page = u->last_page = NULL;
        u->page_count = 0;
    }
    u->done = true;
    if (status != S3STORE_OK)
        free_chain(&c);
    else
        insert(u, &c);
    return status;
}
