#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/tempfile.h"
#include "objstore/local/local.h"

#define DIRECTORY (O_RDONLY | O_DIRECTORY)

/* ---- the lock ------------------------------------------------------------------------------- */

#define LOCK_PATIENCE_US 10000000

static s3store_status is_stuck(const char *key, s3store_error *err)
{
    return s3s_fail_key(err, S3STORE_UNAVAILABLE, key,
                        "another process has held the lock %s of the dataset's directory for %d "
                        "seconds (is it stopped?): %.200s",
                        S3S_NAME_LOCK, LOCK_PATIENCE_US / 1000000, key);
}

/* flock in small steps, so that it can be cancelled. It is held for microseconds: waiting long
 * means that its holder was stopped. */
static s3store_status wait_for_lock(s3s_local *l, int fd, int how, int64_t begin_us,
                                    const s3store_call *call, const char *key, s3store_error *err)
{
    int64_t pause_us = 20;
    for (int tries = 0;; tries++) {
        if (flock(fd, how | LOCK_NB) == 0)
            return S3STORE_OK;
        if (errno == EINTR)
            continue;
        if (errno != EWOULDBLOCK)
            return s3s_local_fail(errno == EOPNOTSUPP || errno == EINVAL ? ENOLCK : errno,
                                  "lock the directory", key, err);
        s3store_status status = s3s_call_check(l->env, call, err);
        if (status != S3STORE_OK)
            return status;
        if (tries < 16) {
            sched_yield();
            continue;
        }
        int64_t now_us = s3s_mono_us(l->env);
        if (begin_us == 0)
            begin_us = now_us;
        if (now_us - begin_us > LOCK_PATIENCE_US)
            return is_stuck(key, err);
        status = s3s_sleep_us(l->env, pause_us, call != NULL ? call->cancel : NULL, err);
        if (status != S3STORE_OK)
            return status;
        pause_us = pause_us < 5000 ? pause_us * 2 : pause_us;
    }
}

s3store_status s3s_turns_init(s3s_turns *t, s3s_env *env, s3store_error *err)
{
    s3store_status status = s3s_mutex_init(&t->mutex, env, err);
    if (status != S3STORE_OK)
        return status;
    status = s3s_cond_init(&t->may_share, env, err);
    if (status == S3STORE_OK) {
        status = s3s_cond_init(&t->may_be_alone, env, err);
        if (status == S3STORE_OK)
            return status;
        s3s_cond_deinit(&t->may_share);
    }
    s3s_mutex_deinit(&t->mutex);
    return status;
}

void s3s_turns_deinit(s3s_turns *t)
{
    s3s_cond_deinit(&t->may_be_alone);
    s3s_cond_deinit(&t->may_share);
    s3s_mutex_deinit(&t->mutex);
}

/* Somebody is through, or gave up waiting. */
static void wake_locked(s3s_turns *t)
{
    if (t->locked.waiting == 0)
        s3s_cond_broadcast(&t->may_share);
    else if (t->locked.shared == 0)
        s3s_cond_signal(&t->may_be_alone);
}

static bool must_wait_locked(const s3s_turns *t, bool alone)
{
    return t->locked.alone || (alone ? t->locked.shared > 0 : t->locked.waiting > 0);
}

/* *begin_us: since when is waited, 0 = not at all. */
static s3store_status take_turn(s3s_local *l, bool alone, const s3store_call *call,
                                int64_t *begin_us, const char *key, s3store_error *err)
{
    s3s_turns *t = &l->turns;
    s3store_status status = S3STORE_OK;
    s3s_mutex_lock(&t->mutex);
    bool waits = must_wait_locked(t, alone);
    if (waits)
        *begin_us = s3s_mono_us(l->env);
    t->locked.waiting += waits && alone;
    while (status == S3STORE_OK && must_wait_locked(t, alone)) {
        int64_t until_us = *begin_us + LOCK_PATIENCE_US;
        if (call != NULL && call->deadline_us != S3STORE_TIME_NONE && call->deadline_us < until_us)
            until_us = call->deadline_us;
        status = s3s_cond_wait(alone ? &t->may_be_alone : &t->may_share, &t->mutex, until_us,
                               call != NULL ? call->cancel : NULL);
    }
    t->locked.waiting -= waits && alone;
    if (status == S3STORE_OK) {
        t->locked.alone = alone;
        t->locked.shared += !alone;
    } else if (alone && !t->locked.alone) {
        wake_locked(t);
    }
    s3s_mutex_unlock(&t->mutex);
    if (status == S3STORE_OK)
        return status;
    status = s3s_call_check(l->env, call, err);
    return status != S3STORE_OK ? status : is_stuck(key, err);
}

static void end_turn(s3s_local *l, bool alone)
{
    s3s_turns *t = &l->turns;
    s3s_mutex_lock(&t->mutex);
    t->locked.alone = false;
    t->locked.shared -= !alone;
    wake_locked(t);
    s3s_mutex_unlock(&t->mutex);
}

void s3s_local_unlock(s3s_local *l, bool exclusive, int *fd)
{
    s3s_local_close(fd);
    end_turn(l, exclusive);
}

s3store_status s3s_local_lock(s3s_local *l, int home, bool exclusive, const s3store_call *call,
                              const char *key, int *fd, s3store_error *err)
{
    /* Network file systems want a lock for writing to be open for writing; others do not mind. */
    *fd = s3s_local_open(home, S3S_NAME_LOCK, O_RDWR, 0);
    if (*fd < 0 && errno == ENOENT)
        *fd = s3s_local_open(home, S3S_NAME_LOCK, O_RDWR | O_CREAT, 0666);
    if (*fd < 0 && errno == EACCES)
        *fd = s3s_local_open(home, S3S_NAME_LOCK, O_RDONLY, 0);
    if (*fd < 0)
        return s3s_local_fail(errno, "open the lock of the directory", key, err);
    int64_t begin_us = 0;
    s3store_status status = take_turn(l, exclusive, call, &begin_us, key, err);
    if (status == S3STORE_OK) {
        status =
            wait_for_lock(l, *fd, exclusive ? LOCK_EX : LOCK_SH, begin_us, call, key, err);
        if (status != S3STORE_OK)
            end_turn(l, exclusive);
    }
    if (status != S3STORE_OK)
        s3s_local_close(fd);
    return status;
}

/* The size of the lock file counts the objects that were moved: it is changed before each move,
 * with the lock held exclusively. */
static s3store_status count_move(int lock, const char *key, s3store_error *err)
{
    struct stat st;
    if (fstat(lock, &st) != 0 || ftruncate(lock, st.st_size + 1) != 0)
        return s3s_local_fail(errno == EINVAL || errno == EBADF ? EACCES : errno,
                              "put: count the move of an object", key, err);
    return S3STORE_OK;
}

void s3s_guard_init(s3s_guard *guard, int home)
{
    *guard = (s3s_guard){.home = home, .lock = -1, .moves = -1};
}

void s3s_guard_close(s3s_guard *guard)
{
    s3s_local_close(&guard->lock);
    s3s_local_close(&guard->home);
}

s3store_status s3s_guard_begin(s3s_local *l, s3s_guard *guard, bool keep, const s3store_call *call,
                               const char *key, s3store_error *err)
{
    if (guard->home < 0)
        return S3STORE_OK;
    if (guard->lock < 0) {
        guard->lock = s3s_local_open(guard->home, S3S_NAME_LOCK, O_RDONLY, 0);
        if (guard->lock < 0 && errno == ENOENT) /* whoever puts now reads the clock after us */
            return S3STORE_OK;
        if (guard->lock < 0)
            return s3s_local_fail(errno, "open the lock of the directory", key, err);
    }
    s3store_status status = wait_for_lock(l, guard->lock, LOCK_SH, 0, call, key, err);
    if (status != S3STORE_OK)
        return status;
    struct stat st;
    if (fstat(guard->lock, &st) != 0)
        return s3s_local_fail(errno, "stat the lock of the directory", key, err);
    guard->moves = st.st_size;
    if (!keep)
        flock(guard->lock, LOCK_UN);
    return S3STORE_OK;
}

bool s3s_guard_unmoved(const s3s_guard *guard)
{
    if (guard->home < 0)
        return true;
    struct stat st;
    if (guard->lock < 0)
        return fstatat(guard->home, S3S_NAME_LOCK, &st, AT_SYMLINK_NOFOLLOW) != 0;
    return fstat(guard->lock, &st) == 0 && st.st_size == guard->moves;
}

/* ---- the root ------------------------------------------------------------------------------- */

static s3store_status sync_path(s3s_local *l, const char *path, s3store_error *err)
{
    int fd = s3s_open_file(path, DIRECTORY);
    if (fd < 0)
        return s3s_local_fail(errno, "open the directory above", path, err);
    s3store_status status = s3s_local_fsync(l, fd, "sync the directory above", path, err);
    s3s_local_close(&fd);
    return status;
}

/* Makes the missing directories of the root's path, which may contain links: it is the caller's. */
static s3store_status make_root(s3s_local *l, s3store_error *err)
{
    char *path = s3s_strdup(l->env, l->root);
    if (path == NULL)
        return s3s_fail_memory(err, strlen(l->root) + 1);
    s3store_status status = S3STORE_OK;
    size_t parent = 1; /* where the text of the directory above ends: "/" at first */
    for (size_t i = 1; status == S3STORE_OK; i++) {
        if (path[i] != '/' && path[i] != '\0')
            continue;
        char end = path[i];
        path[i] = '\0';
        bool made = mkdir(path, 0777) == 0;
        if (!made && errno != EEXIST)
            status = s3s_local_fail(errno, "make the directory", path, err);
        if (made && l->fsync) {
            char kept = path[parent];
            path[parent] = '\0';
            status = sync_path(l, path, err);
            path[parent] = kept;
        }
        path[i] = end;
        parent = i;
        if (end == '\0')
            break;
    }
    s3s_free(l->env, path);
    return status;
}

/* *fd is -1 when there is none and it is not to be created. */
static s3store_status open_root(s3s_local *l, bool create, int *fd, s3store_error *err)
{
    *fd = s3s_open_file(l->root, DIRECTORY);
    if (*fd < 0 && errno == ENOENT && create) {
        s3store_status status = make_root(l, err);
        if (status != S3STORE_OK)
            return status;
        *fd = s3s_open_file(l->root, DIRECTORY);
    }
    if (*fd >= 0 || (errno == ENOENT && !create))
        return S3STORE_OK;
    if (errno == ENOTDIR)
        return s3s_fail_key(err, S3STORE_IO, l->root, "%.300s is not a directory", l->root);
    return s3s_local_fail(errno, "open the directory", l->root, err);
}

/* ---- the directories of a key --------------------------------------------------------------- */

/* Remembers or syncs the entry of a directory in its parent: what is acknowledged can be found
 * after a crash. Made by this process or not: another may have made it an instant ago. */
static s3store_status make_durable(s3s_local *l, int parent, bool made, const char *key,
                                   size_t size, s3store_error *err)
{
    if (!l->fsync)
        return S3STORE_OK;
    uint64_t hash = s3s_xxh64(key, size, 0) | 1;
    atomic_uint_fast64_t *slot = &l->durable[(hash >> 1) % S3S_DURABLE_SLOTS];
    if (!made && atomic_load(slot) == hash)
        return S3STORE_OK;
    s3store_status status = s3s_local_fsync(l, parent, "put: sync the directory above", key, err);
    if (status == S3STORE_OK)
        atomic_store(slot, hash);
    return status;
}

s3store_status s3s_local_fsync_visible(s3s_local *l, const s3s_place *place, const char *key,
                                       s3store_error *err)
{
    s3store_status status = s3s_local_fsync(l, place->dir, "put: sync the directory", key, err);
    if (status != S3STORE_OK) {
        atomic_store(&l->doubt, true);
        s3s_context(err, "the object is visible, but may be gone after a crash");
        return s3s_restate(err, S3STORE_UNCERTAIN);
    }
    return S3STORE_OK;
}

s3store_status s3s_local_settle(s3s_local *l, const s3store_call *call, const s3s_place *place,
                                const char *key, s3store_error *err)
{
    if (!atomic_load(&l->doubt) && (call == NULL || !call->durable))
        return S3STORE_OK;
    return s3s_local_fsync_visible(l, place, key, err);
}

/* An object has the name that a directory needs: it moves to its twin. Everybody who looks for it
 * looks for the name first and for the twin then, so it is never missed; the exclusive lock keeps
 * puts of the object away. */
static s3store_status move_object_away(s3s_local *l, int home, int parent, const char *name,
                                       const char *twin, const s3store_call *call, const char *key,
                                       s3store_error *err)
{
    struct stat st;
    int lock = -1;
    s3store_status status = s3s_local_lock(l, home, true, call, key, &lock, err);
    if (status != S3STORE_OK)
        return status;
    if (fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW) != 0 || S_ISDIR(st.st_mode)) {
        /* gone, or done by somebody else */
    } else if (S_ISLNK(st.st_mode)) {
        status = s3s_local_fail(ELOOP, "put", key, err);
    } else if (!S_ISREG(st.st_mode) || twin[0] == '\0') {
        status = s3s_fail_key(err, S3STORE_IO, key,
                              "put: \"%.200s\" is in the way, which is not a directory: %.200s",
                              name, key);
    } else if ((status = count_move(lock, key, err)) != S3STORE_OK) {
        /* nothing has moved */
    } else if (s3s_local_rename_new(parent, name, parent, twin) != 0) {
        status = s3s_local_fail(errno, "put: make room for a directory", key, err);
    } else {
        status = s3s_local_fsync(l, parent, "put: sync the directory above", key, err);
    }
    s3s_local_unlock(l, true, &lock);
    return status;
}

/* Opens one directory below `parent`; -1 with OK when it is missing and not to be created. */
static s3store_status open_step(s3s_local *l, int home, int parent, const s3s_key_path *path,
                                bool create, const s3store_call *call, const char *key, int *fd,
                                s3store_error *err)
{
    bool made = false;
    for (int tries = 0; tries < 8; tries++) {
        *fd = s3s_local_open(parent, path->name, DIRECTORY, 0);
        if (*fd >= 0) {
            if (!create)
                return S3STORE_OK;
            s3store_status status = make_durable(l, parent, made, key, path->pos, err);
            if (status != S3STORE_OK)
                s3s_local_close(fd);
            return status;
        }
        if (!create && (errno == ENOENT || errno == ENOTDIR || errno == ELOOP))
            return S3STORE_OK;
        if (errno == ENOENT) {
            made = mkdirat(parent, path->name, 0777) == 0;
            if (!made && errno != EEXIST)
                return s3s_local_fail(errno, "put: make a directory", key, err);
        } else if (errno == ENOTDIR) {
            s3store_status status =
                move_object_away(l, home, parent, path->name, path->twin, call, key, err);
            if (status != S3STORE_OK)
                return status;
            made = true;
        } else {
            return s3s_local_fail(errno, "open a directory", key, err);
        }
    }
    return s3s_fail_key(err, S3STORE_CONFLICT, key,
                        "put: the directory \"%.200s\" is made and removed by others all the time",
                        path->name);
}

static int duplicate(int fd)
{
    return fcntl(fd, F_DUPFD_CLOEXEC, 0);
}

/* Goes down from *dir, the root, along the path. With whole, its last name is a directory too. */
static s3store_status descend(s3s_local *l, s3s_key_path *path, bool whole, bool create,
                              const s3store_call *call, int *dir, int *home, s3store_error *err)
{
    *home = duplicate(*dir);
    while (*home >= 0) {
        s3s_key_path_next(path);
        if (path->last && !whole)
            return S3STORE_OK;
        int next = -1;
        s3store_status status =
            open_step(l, *home, *dir, path, create, call, path->key, &next, err);
        s3s_local_close(dir);
        *dir = next;
        if (status != S3STORE_OK || next < 0)
            return status;
        if (path->first) {
            s3s_local_close(home);
            *home = duplicate(next);
        }
        if (path->last)
            break;
    }
    if (*home < 0)
        return s3s_local_fail(errno, "open a directory", path->key, err);
    return S3STORE_OK;
}

s3store_status s3s_local_resolve(s3s_local *l, const char *key, bool create,
                                 const s3store_call *call, s3s_place *place, s3store_error *err)
{
    place->home = -1;
    place->dir = -1;
    s3store_status status = open_root(l, create, &place->dir, err);
    if (status != S3STORE_OK || place->dir < 0)
        return status;
    s3s_key_path path;
    s3s_key_path_begin(&path, key, strlen(key));
    status = descend(l, &path, false, create, call, &place->dir, &place->home, err);
    if (status != S3STORE_OK) {
        s3s_place_close(place);
        return status;
    }
    memcpy(place->name, path.name, sizeof place->name);
    memcpy(place->twin, path.twin, sizeof place->twin);
    return S3STORE_OK;
}

void s3s_place_close(s3s_place *place)
{
    s3s_local_close(&place->home);
    s3s_local_close(&place->dir);
}

s3store_status s3s_local_open_prefix(s3s_local *l, const char *prefix, size_t size, int *dir,
                                     int *home, s3store_error *err)
{
    *home = -1;
    s3store_status status = open_root(l, false, dir, err);
    if (status != S3STORE_OK || *dir < 0)
        return status;
    if (size > 0) {
        s3s_key_path path;
        s3s_key_path_begin(&path, prefix, size - 1); /* without the final '/' */
        status = descend(l, &path, true, false, NULL, dir, home, err);
    } else {
        *home = duplicate(*dir);
        if (*home < 0)
            status = s3s_local_fail(errno, "open a directory", l->root, err);
    }
    if (status != S3STORE_OK) {
        s3s_local_close(dir);
        s3s_local_close(home);
    }
    return status;
}

/* ---- objects -------------------------------------------------------------------------------- */

/* 1 = it is an object's file, 0 = there is none of this name, -1 = errno. */
static int look(int dir, const char *name, int *fd, struct stat *st)
{
    if (fd == NULL) {
        if (fstatat(dir, name, st, AT_SYMLINK_NOFOLLOW) != 0)
            return errno == ENOENT ? 0 : -1;
        return S_ISREG(st->st_mode);
    }
    *fd = s3s_local_open(dir, name, O_RDONLY | O_NONBLOCK, 0); /* never wait for a FIFO's writer */
    if (*fd < 0)
        return errno == ENOENT || errno == ELOOP || errno == ENXIO ? 0 : -1;
    if (fstat(*fd, st) == 0 && S_ISREG(st->st_mode))
        return 1;
    s3s_local_close(fd);
    return 0;
}

s3store_status s3s_local_open_object(const s3s_place *place, const char *key, const char *verb,
                                     int *fd, struct stat *st, s3store_error *err)
{
    int found = 0;
    if (fd != NULL)
        *fd = -1;
    if (place->dir >= 0) {
        found = look(place->dir, place->name, fd, st);
        if (found == 0)
            found = look(place->dir, place->twin, fd, st);
    }
    if (found > 0)
        return S3STORE_OK;
    if (found < 0)
        return s3s_local_fail(errno, verb, key, err);
    return s3s_fail_key(err, S3STORE_NOT_FOUND, key, "%s: there is no object %.200s", verb, key);
}
