/* LIST: a walk of the directories in byte order of the keys.
 *
 * A directory's names are sorted by the keys they stand for: an object by its text, a directory by
 * its text and '/', so that "a-b" comes before what is in "a/". What lies wholly outside of the
 * prefix, or below the place where the page begins, is never opened. Of a large directory only the
 * next `window` names are kept in memory; when they are used up, it is read again from there.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "objstore/local/local.h"
#include "objstore/local/object_file.h"

#define OPEN_FRAMES 48 /* directories kept open at once; those above are found again by ".." */
#define READ_SIZE 32768
#define TEXT_MAX (S3STORE_KEY_MAX_BYTES + S3S_NAME_SIZE + 2)

typedef struct entry {
    s3s_name_kind kind;
    bool is_dir;
    uint16_t text_at; /* in name */
    uint16_t text_size;
    char name[]; /* in the file system */
} entry;

/* One directory on the way down. */
typedef struct frame {
    int fd; /* -1 = closed for now */
    dev_t dev;
    ino_t ino;
    char chain;       /* 0, 'l' or 'h' */
    size_t text_size; /* of walk.text: the keys in here begin with it */
    entry **entries;  /* sorted, [pos, count) to come */
    size_t count, capacity, pos;
    bool more;        /* the directory has names after these */
    entry *resume;    /* those before and including this one are done */
} frame;

typedef struct walk {
    s3s_local *l;
    const s3store_call *call;
    s3s_page *page;
    size_t window;
    s3s_guard root, home; /* of the frames without and with a '/' in their text */
    frame *frames;
    size_t depth, capacity;
    char text[TEXT_MAX]; /* key bytes of the current frame, then scratch */
    char *buffer;        /* READ_SIZE */
} walk;

/* ---- order ---------------------------------------------------------------------------------- */

/* What follows the text in the sort order: nothing for an object. */
static int tail_of(const entry *e)
{
    if (e->kind == S3S_NAME_LOW)
        return 0x01;
    if (e->kind == S3S_NAME_HIGH)
        return '/' + 1;
    return e->is_dir ? '/' : -1;
}

static int byte_at(const entry *e, size_t i)
{
    if (i < e->text_size)
        return (unsigned char)e->name[e->text_at + i];
    return i == e->text_size ? tail_of(e) : -1;
}

static int compare(const entry *a, const entry *b)
{
    size_t common = a->text_size < b->text_size ? a->text_size : b->text_size;
    int order = memcmp(a->name + a->text_at, b->name + b->text_at, common);
    if (order != 0)
        return order;
    order = byte_at(a, common) - byte_at(b, common);
    if (order != 0)
        return order;
    return byte_at(a, common + 1) - byte_at(b, common + 1);
}

static int compare_entries(const void *a, const void *b)
{
    return compare(*(entry *const *)a, *(entry *const *)b);
}

/* Whether the entry can hold a key of the page. Leaves its text behind the frame's in walk.text. */
static bool wanted(walk *w, const frame *f, const entry *e, size_t *text_size)
{
    size_t size = f->text_size + e->text_size;
    memcpy(w->text + f->text_size, e->name + e->text_at, e->text_size);
    const s3s_page *page = w->page;
    if (!e->is_dir) {
        w->text[size] = '\0';
        *text_size = size;
        return size <= S3STORE_KEY_MAX_BYTES && size >= page->prefix_size &&
               memcmp(w->text, page->prefix, page->prefix_size) == 0 &&
               s3s_compare_bytes(w->text, size, page->lower, page->lower_size) >= 0;
    }
    if (e->kind == S3S_NAME_WHOLE)
        w->text[size++] = '/';
    w->text[size] = '\0';
    *text_size = size;
    size_t common = size < page->prefix_size ? size : page->prefix_size;
    return size <= S3STORE_KEY_MAX_BYTES && memcmp(w->text, page->prefix, common) == 0 &&
           !s3s_range_below(w->text, size, page->lower, page->lower_size);
}

/* ---- reading one directory ------------------------------------------------------------------ */

static void drop_entries(walk *w, frame *f, size_t from)
{
    while (f->count > from)
        s3s_free(w->l->env, f->entries[--f->count]);
}

/* Keeps the first `window` of what was collected. */
static void cut_to_window(walk *w, frame *f)
{
    if (f->count > 1)
        qsort(f->entries, f->count, sizeof *f->entries, compare_entries);
    if (f->count > w->window) {
        drop_entries(w, f, w->window);
        f->more = true;
    }
}

static s3store_status add_entry(walk *w, frame *f, const char *name, s3s_name_kind kind,
                                const char *text, size_t text_size, bool is_dir,
                                s3store_error *err)
{
    /* Most names of a large directory are not kept: look before anything is allocated. */
    _Alignas(entry) char room[sizeof(entry) + S3S_NAME_SIZE];
    entry *probe = (entry *)(void *)room;
    size_t name_size = strlen(name) + 1;
    probe->kind = kind;
    probe->is_dir = is_dir;
    probe->text_at = (uint16_t)(text - name);
    probe->text_size = (uint16_t)text_size;
    memcpy(probe->name, name, name_size);
    size_t ignored;
    if (!wanted(w, f, probe, &ignored))
        return S3STORE_OK;
    if (f->resume != NULL && compare(probe, f->resume) <= 0)
        return S3STORE_OK;
    if (f->more && f->count >= w->window && compare(probe, f->entries[w->window - 1]) >= 0)
        return S3STORE_OK; /* [0, window) is sorted since the last cut */
    if (f->count == f->capacity) {
        size_t capacity = f->capacity == 0 ? 32 : f->capacity * 2;
        entry **entries = s3s_realloc(w->l->env, f->entries, capacity * sizeof *entries);
        if (entries == NULL)
            return s3s_fail_memory(err, capacity * sizeof *entries);
        f->entries = entries;
        f->capacity = capacity;
    }
    entry *e = s3s_alloc(w->l->env, sizeof *e + name_size);
    if (e == NULL)
        return s3s_fail_memory(err, sizeof *e + name_size);
    memcpy(e, probe, sizeof *e + name_size);
    f->entries[f->count++] = e;
    if (f->count >= 2 * w->window)
        cut_to_window(w, f);
    return S3STORE_OK;
}

static s3store_status read_name(walk *w, frame *f, const char *name, unsigned char type,
                                s3store_error *err)
{
    s3s_name_kind kind;
    const char *text;
    size_t size;
    if (!s3s_name_decode(name, f->chain, &kind, &text, &size))
        return S3STORE_OK;
    if (type == DT_UNKNOWN) {
        struct stat st;
        if (fstatat(f->fd, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
            return S3STORE_OK;
        type = S_ISREG(st.st_mode) ? DT_REG : S_ISDIR(st.st_mode) ? DT_DIR : DT_LNK;
    }
    bool may_be_file = kind == S3S_NAME_WHOLE || kind == S3S_NAME_TWIN;
    bool may_be_dir = kind != S3S_NAME_TWIN;
    if (!(type == DT_REG && may_be_file) && !(type == DT_DIR && may_be_dir))
        return S3STORE_OK; /* links, sockets...: not ours */
    return add_entry(w, f, name, kind, text, size, type == DT_DIR, err);
}

static s3store_status read_all(walk *w, frame *f, const char *key, s3store_error *err)
{
    f->pos = 0;
    f->more = false;
    drop_entries(w, f, 0);
    if (lseek(f->fd, 0, SEEK_SET) < 0)
        return s3s_local_fail(errno, "list: read the directory", key, err);
    for (;;) {
        s3store_status status = s3s_call_check(w->l->env, w->call, err);
        if (status != S3STORE_OK)
            return status;
        ssize_t n = getdents64(f->fd, w->buffer, READ_SIZE);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == ENOENT)
            break; /* removed meanwhile */
        if (n < 0)
            return s3s_local_fail(errno, "list: read the directory", key, err);
        if (n == 0)
            break;
        for (ssize_t pos = 0; pos < n;) {
            struct dirent64 *d = (struct dirent64 *)(void *)(w->buffer + pos);
            pos += d->d_reclen;
            status = read_name(w, f, d->d_name, d->d_type, err);
            if (status != S3STORE_OK)
                return status;
        }
    }
    cut_to_window(w, f);
    return S3STORE_OK;
}

/* Fills the frame with the next window of its directory: again when an object was moved to its twin
 * meanwhile, because it may have been seen at neither place. */
static s3store_status load(walk *w, frame *f, const char *key, s3store_error *err)
{
    s3s_guard *guard = memchr(w->text, '/', f->text_size) != NULL ? &w->home : &w->root;
    for (int tries = 0;; tries++) {
        bool keep = tries >= 3;
        s3store_status status = s3s_guard_begin(w->l, guard, keep, w->call, key, err);
        if (status == S3STORE_OK)
            status = read_all(w, f, key, err);
        if (status != S3STORE_OK || keep || s3s_guard_unmoved(guard)) {
            if (keep)
                s3s_local_close(&guard->lock); /* opened again by the next begin */
            return status;
        }
    }
}

/* ---- the walk ------------------------------------------------------------------------------- */

static void pop(walk *w)
{
    frame *f = &w->frames[w->depth - 1];
    drop_entries(w, f, 0);
    s3s_free(w->l->env, f->entries);
    s3s_free(w->l->env, f->resume);
    s3s_local_close(&f->fd);
    w->depth--;
}

/* Takes fd over. key: of the directory, for messages. */
static s3store_status push(walk *w, int fd, char chain, size_t text_size, s3store_error *err)
{
    struct stat st;
    if (fstat(fd, &st) != 0) {
        s3store_status status = s3s_local_fail(errno, "list: stat a directory", w->text, err);
        s3s_local_close(&fd);
        return status;
    }
    if (w->depth == w->capacity) {
        size_t capacity = w->capacity == 0 ? 8 : w->capacity * 2;
        frame *frames = s3s_realloc(w->l->env, w->frames, capacity * sizeof *frames);
        if (frames == NULL) {
            s3s_local_close(&fd);
            return s3s_fail_memory(err, capacity * sizeof *frames);
        }
        w->frames = frames;
        w->capacity = capacity;
    }
    if (w->depth >= OPEN_FRAMES)
        s3s_local_close(&w->frames[w->depth - OPEN_FRAMES].fd);
    frame *f = &w->frames[w->depth++];
    *f = (frame){.fd = fd,
                 .dev = st.st_dev,
                 .ino = st.st_ino,
                 .chain = chain,
                 .text_size = text_size};
    return load(w, f, w->text, err);
}

/* Leaves the top frame; the one below it may have to be opened again. */
static s3store_status leave(walk *w, s3store_error *err)
{
    int above = -1;
    if (w->depth >= 2 && w->frames[w->depth - 2].fd < 0) {
        frame *f = &w->frames[w->depth - 2];
        struct stat st;
        above = s3s_local_open(w->frames[w->depth - 1].fd, "..", O_RDONLY | O_DIRECTORY, 0);
        if (above < 0)
            return s3s_local_fail(errno, "list: go back up from", w->text, err);
        if (fstat(above, &st) != 0 || st.st_dev != f->dev || st.st_ino != f->ino) {
            s3s_local_close(&above);
            return s3s_fail_key(err, S3STORE_IO, w->text,
                                "list: the directory was moved while it was read: %.200s",
                                w->text);
        }
        f->fd = above;
    }
    pop(w);
    return S3STORE_OK;
}

/* The next window of the top frame, which is used up. */
static s3store_status reload(walk *w, s3store_error *err)
{
    frame *f = &w->frames[w->depth - 1];
    s3s_free(w->l->env, f->resume);
    f->resume = f->entries[--f->count];
    drop_entries(w, f, 0);
    w->text[f->text_size] = '\0';
    return load(w, f, w->text, err);
}

/* Size and time of one file; false = it is gone, or was never an object's. */
static bool describe_name(int dir, const char *name, const char *key, uint64_t *size,
                          int64_t *time_us)
{
    struct stat st;
    if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG(st.st_mode))
        return false;
    *size = (uint64_t)st.st_size;
    *time_us = s3s_object_time_us(&st);
    if (!s3s_object_header_possible(*size))
        return true;
    /* A damaged header does not spoil the list: GET will say it. */
    int fd = s3s_local_open(dir, name, O_RDONLY | O_NONBLOCK, 0);
    uint64_t header_size;
    if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode)) {
        *size = (uint64_t)st.st_size;
        *time_us = s3s_object_time_us(&st);
        if (s3s_object_header_read(fd, *size, key, &header_size, NULL, NULL) == S3STORE_OK)
            *size -= header_size;
    }
    s3s_local_close(&fd);
    return true;
}

/* The same of an entry, which may have moved to its twin since it was read. */
static bool describe(const frame *f, const entry *e, const char *key, uint64_t *size,
                     int64_t *time_us)
{
    if (describe_name(f->fd, e->name, key, size, time_us))
        return true;
    if (e->kind != S3S_NAME_WHOLE)
        return false;
    char twin[S3S_NAME_SIZE];
    s3s_name_twin(e->name + e->text_at, e->text_size, f->chain, twin);
    return describe_name(f->fd, twin, key, size, time_us);
}

/* Goes into a directory, if it is still there. */
static s3store_status enter(walk *w, const frame *f, const entry *e, size_t text_size,
                            s3store_error *err)
{
    int fd = s3s_local_open(f->fd, e->name, O_RDONLY | O_DIRECTORY, 0);
    if (fd < 0 && (errno == ENOENT || errno == ENOTDIR || errno == ELOOP))
        return S3STORE_OK;
    if (fd < 0)
        return s3s_local_fail(errno, "list: open a directory", w->text, err);
    /* The directory of a first segment is the home of what is in it. */
    if (e->kind == S3S_NAME_WHOLE && memchr(w->text, '/', text_size - 1) == NULL) {
        s3s_guard_close(&w->home);
        s3s_guard_init(&w->home, fcntl(fd, F_DUPFD_CLOEXEC, 0));
        if (w->home.home < 0) {
            s3store_status status =
                s3s_local_fail(errno, "list: open a directory", w->text, err);
            s3s_local_close(&fd);
            return status;
        }
    }
    char chain = e->kind == S3S_NAME_LOW ? 'l' : e->kind == S3S_NAME_HIGH ? 'h' : 0;
    return push(w, fd, chain, text_size, err);
}

static s3store_status fill_page(walk *w, s3store_error *err)
{
    while (w->depth > 0) {
        frame *f = &w->frames[w->depth - 1];
        s3store_status status = S3STORE_OK;
        if (f->pos == f->count) {
            status = f->more ? reload(w, err) : leave(w, err);
            if (status != S3STORE_OK)
                return status;
            continue;
        }
        const entry *e = f->entries[f->pos++];
        size_t text_size;
        if (!wanted(w, f, e, &text_size)) /* lower may have grown since it was read */
            continue;
        if (e->is_dir) {
            status = enter(w, f, e, text_size, err);
            if (status != S3STORE_OK)
                return status;
            continue;
        }
        uint64_t size;
        int64_t time_us;
        if (!describe(f, e, w->text, &size, &time_us))
            continue;
        s3s_page_verdict verdict = s3s_page_offer(w->page, w->text, size, time_us, err);
        if (verdict == S3S_PAGE_FAILED)
            return S3STORE_OUT_OF_MEMORY;
        if (verdict == S3S_PAGE_FULL)
            return S3STORE_OK;
    }
    return S3STORE_OK;
}

static s3store_status list_page(s3s_local *l, const s3store_call *call, s3s_page *page,
                                s3store_error *err)
{
    walk w = {.l = l, .call = call, .page = page, .window = page->max_keys + 8};
    size_t base_size = page->prefix_size;
    while (base_size > 0 && page->prefix[base_size - 1] != '/')
        base_size--;
    int dir = -1, home = -1;
    s3store_status status =
        s3s_local_open_prefix(l, page->prefix, base_size, &dir, &home, err);
    if (status != S3STORE_OK || dir < 0) {
        s3s_local_close(&home);
        return status;
    }
    s3s_guard_init(&w.root, base_size == 0 ? home : -1);
    s3s_guard_init(&w.home, base_size == 0 ? -1 : home);
    memcpy(w.text, page->prefix, base_size);
    w.text[base_size] = '\0';
    w.buffer = s3s_alloc(l->env, READ_SIZE);
    if (w.buffer == NULL) {
        status = s3s_fail_memory(err, READ_SIZE);
        s3s_local_close(&dir);
    } else {
        status = push(&w, dir, 0, base_size, err);
    }
    if (status == S3STORE_OK)
        status = fill_page(&w, err);
    while (w.depth > 0)
        pop(&w);
    s3s_guard_close(&w.root);
    s3s_guard_close(&w.home);
    s3s_free(l->env, w.frames);
    s3s_free(l->env, w.buffer);
    return status;
}

s3store_status s3s_local_list(void *impl, const s3store_call *call,
                              const s3store_list_request *request, s3store_list_fn fn,
                              void *fn_ctx, s3store_list_reply *reply, s3store_error *err)
{
    s3s_local *l = impl;
    s3s_page page;
    s3store_status status = s3s_page_init(&page, l->env, request, err);
    s3s_list_reply_reset(reply); /* after the request was read: it may point to the last reply */
    if (status == S3STORE_OK) {
        s3s_env_point(l->env, S3S_POINT_STORE,
                      s3s_port_label(S3S_VERB_LIST, page.prefix, false));
        status = s3s_call_check(l->env, call, err);
        int64_t now_us = s3s_server_wall_us(l->env);
        if (status == S3STORE_OK)
            status = list_page(l, call, &page, err);
        s3s_env_point(l->env, S3S_POINT_STORE,
                      s3s_port_label(S3S_VERB_LIST, page.prefix, true));
        if (status == S3STORE_OK) {
            if (reply != NULL)
                reply->date_us = now_us;
            s3s_page_deliver(&page, fn, fn_ctx, reply);
        }
    }
    s3s_page_deinit(&page);
    return status;
}
