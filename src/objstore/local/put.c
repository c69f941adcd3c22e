/* Put: a temporary file in the home, then one rename under the lock. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/error.h"
#include "objstore/local/local.h"
#include "objstore/local/object_file.h"

/* ---- the temporary file --------------------------------------------------------------------- */

typedef struct temp {
    int dir;
    int fd;
    char name[64];
    bool exists;
} temp;

static void temp_close(temp *t)
{
    if (t->exists)
        unlinkat(t->dir, t->name, 0);
    t->exists = false;
    s3s_local_close(&t->fd);
    s3s_local_close(&t->dir);
}

#define SWEEP_AGE_S 3600
#define SWEEP_MOST 1000

/* Removes what a crashed process left: old, and locked by nobody. Failures do not matter. */
static void sweep(s3s_local *l, int dir)
{
    if (atomic_exchange(&l->swept, true) || s3s_env_is_simulated(l->env))
        return;
    char *buffer = s3s_alloc(l->env, 32768);
    int64_t now_s = s3s_wall_us(l->env) / 1000000;
    int seen = 0;
    ssize_t n;
    while (buffer != NULL && seen < SWEEP_MOST && (n = getdents64(dir, buffer, 32768)) > 0) {
        for (ssize_t pos = 0; pos < n;) {
            struct dirent64 *d = (struct dirent64 *)(void *)(buffer + pos);
            pos += d->d_reclen;
            struct stat st;
            if (d->d_name[0] == '.' || fstatat(dir, d->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0 ||
                !S_ISREG(st.st_mode) || st.st_mtim.tv_sec > now_s - SWEEP_AGE_S)
                continue;
            seen++;
            int fd = s3s_local_open(dir, d->d_name, O_RDONLY | O_NONBLOCK, 0);
            if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0)
                unlinkat(dir, d->d_name, 0);
            s3s_local_close(&fd);
        }
    }
    s3s_free(l->env, buffer);
}

static s3store_status temp_open(s3s_local *l, int home, const char *key, temp *t,
                                s3store_error *err)
{
    t->dir = s3s_local_open(home, S3S_NAME_TMP, O_RDONLY | O_DIRECTORY, 0);
    if (t->dir < 0 && errno == ENOENT) {
        if (mkdirat(home, S3S_NAME_TMP, 0777) != 0 && errno != EEXIST)
            return s3s_local_fail(errno, "put: make the directory of temporary files", key, err);
        t->dir = s3s_local_open(home, S3S_NAME_TMP, O_RDONLY | O_DIRECTORY, 0);
    }
    if (t->dir < 0)
        return s3s_local_fail(errno, "put: open the directory of temporary files", key, err);
    sweep(l, t->dir);
    for (int tries = 0; tries < 16; tries++) {
        uint64_t random;
        s3store_status status = s3s_random(l->env, &random, sizeof random, err);
        if (status != S3STORE_OK)
            return status;
        snprintf(t->name, sizeof t->name, "%ld-%llu-%016llx", (long)getpid(),
                 (unsigned long long)atomic_fetch_add(&l->sequence, 1),
                 (unsigned long long)random);
        t->fd = s3s_local_open(t->dir, t->name, O_RDWR | O_CREAT | O_EXCL, 0666);
        if (t->fd >= 0) {
            t->exists = true;
            flock(t->fd, LOCK_SH | LOCK_NB); /* says to a sweep that its owner lives */
            return S3STORE_OK;
        }
        if (errno != EEXIST)
            break;
    }
    return s3s_local_fail(errno, "put: make a temporary file", key, err);
}

static s3store_status temp_fill(s3s_local *l, temp *t, const s3store_call *call,
                                const s3store_put_request *request, s3store_error *err)
{
    uint8_t header[S3S_OBJECT_HEADER_MAX];
    size_t header_size;
    s3s_object_header_encode(request, header, &header_size);
    s3store_status status =
        s3s_local_write(l, t->fd, header, header_size, call, request->key, err);
    if (status == S3STORE_OK)
        status = s3s_local_write(l, t->fd, request->body, request->body_size, call, request->key,
                                 err);
    if (status == S3STORE_OK)
        status = s3s_local_fsync(l, t->fd, "put: sync", request->key, err);
    return status;
}

/* ---- making it appear ----------------------------------------------------------------------- */

static s3store_status exists_already(const char *key, s3store_error *err)
{
    return s3s_fail_key(err, S3STORE_ALREADY_EXISTS, key,
                        "put: the object exists already: %.200s", key);
}

/* Under the condition; 0, or errno. EISDIR: the name is a directory's. */
static int appear_new(const s3s_place *place, const temp *t, const char *name)
{
    if (s3s_local_rename_new(t->dir, t->name, place->dir, name) == 0)
        return 0;
    if (errno != EEXIST)
        return errno;
    struct stat st;
    if (fstatat(place->dir, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
        return errno == ENOENT ? EAGAIN : errno;
    if (S_ISDIR(st.st_mode))
        return EISDIR;
    return S_ISLNK(st.st_mode) ? ELOOP : EEXIST;
}

static int appear(const s3s_place *place, temp *t, bool new_only, const char *name)
{
    int result;
    if (new_only)
        result = appear_new(place, t, name);
    else
        result = renameat(t->dir, t->name, place->dir, name) == 0 ? 0 : errno;
    if (result == 0)
        t->exists = false;
    return result;
}

/* With the lock held: the object is at its twin if that exists or a directory has the name. */
static s3store_status publish_locked(s3s_local *l, const s3s_place *place, temp *t,
                                     const s3store_put_request *request, int64_t *now_us,
                                     struct stat *st, s3store_error *err)
{
    *now_us = s3s_server_wall_us(l->env);
    s3store_status status = s3s_port_check_fence(request, *now_us, err);
    if (status != S3STORE_OK)
        return status;
    struct timespec times[2] = {{.tv_sec = *now_us / 1000000,
                                 .tv_nsec = *now_us % 1000000 * 1000}};
    times[1] = times[0];
    if (futimens(t->fd, times) != 0 || fstat(t->fd, st) != 0)
        return s3s_local_fail(errno, "put: set the time of the file", request->key, err);
    int result = EAGAIN;
    for (int tries = 0; tries < 8 && result == EAGAIN; tries++) {
        struct stat twin;
        bool at_twin = fstatat(place->dir, place->twin, &twin, AT_SYMLINK_NOFOLLOW) == 0;
        result = appear(place, t, request->if_none_match, at_twin ? place->twin : place->name);
        if (result == EISDIR && !at_twin)
            result = appear(place, t, request->if_none_match, place->twin);
    }
    if (result == EEXIST)
        return exists_already(request->key, err);
    if (result != 0)
        return s3s_local_fail(result, "put: give the file its name", request->key, err);
    return S3STORE_OK;
}

static s3store_status store(s3s_local *l, const s3store_call *call,
                            const s3store_put_request *request, s3s_place *place, temp *t,
                            s3store_put_reply *reply, s3store_error *err)
{
    s3store_status status = s3s_local_resolve(l, request->key, true, call, place, err);
    if (status == S3STORE_OK)
        status = temp_open(l, place->home, request->key, t, err);
    if (status == S3STORE_OK)
        status = temp_fill(l, t, call, request, err);
    if (status == S3STORE_OK)
        status = s3s_call_check(l->env, call, err);
    if (status != S3STORE_OK)
        return status;

    int lock = -1;
    int64_t now_us = S3STORE_TIME_NONE;
    struct stat st;
    status = s3s_local_lock(l, place->home, request->fenced, call, request->key, &lock, err);
    if (status != S3STORE_OK)
        return status;
    status = publish_locked(l, place, t, request, &now_us, &st, err);
    s3s_local_unlock(l, request->fenced, &lock);
    if (reply != NULL)
        reply->date_us = now_us;
    /* "Exists" is what a writer's success may rest on, and who put it may not have come to the sync. */
    if (status == S3STORE_ALREADY_EXISTS) {
        s3store_status synced = s3s_local_fsync_visible(l, place, request->key, err);
        return synced == S3STORE_OK ? status : synced;
    }
    if (status != S3STORE_OK)
        return status;

    if (reply != NULL)
        s3s_object_etag(&st, reply->etag);
    return s3s_local_fsync_visible(l, place, request->key, err);
}

s3store_status s3s_local_put(void *impl, const s3store_call *call,
                             const s3store_put_request *request, s3store_put_reply *reply,
                             s3store_error *err)
{
    s3s_local *l = impl;
    s3s_put_reply_reset(reply);
    s3store_status status = s3s_port_check_put(request, err);
    if (status != S3STORE_OK)
        return status;
    s3s_env_point(l->env, S3S_POINT_STORE, s3s_port_label(S3S_VERB_PUT, request->key, false));
    status = s3s_call_check(l->env, call, err);
    if (status == S3STORE_OK) {
        s3s_place place = {.home = -1, .dir = -1};
        temp t = {.dir = -1, .fd = -1};
        status = store(l, call, request, &place, &t, reply, err);
        temp_close(&t);
        s3s_place_close(&place);
    }
    s3s_env_point(l->env, S3S_POINT_STORE, s3s_port_label(S3S_VERB_PUT, request->key, true));
    return status;
}
