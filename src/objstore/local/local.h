/* local/local.h: the directory store, between its files.
 *
 * The *home* of a key is the directory of its first segment (the dataset's), or the root for a key
 * of one segment: there lie the temporary files and the lock. The lock is taken by every put for
 * the instant in which the object appears: exclusively when the put is fenced, so that "not
 * expired" and "exists" are one step, and by HEAD and LIST for no time at all before they look, so
 * that whoever reads the clock first and looks then sees everything that was accepted before.
 */
#ifndef S3S_LOCAL_LOCAL_H
#define S3S_LOCAL_LOCAL_H

#include <stdatomic.h>

#include "base/sync.h"
#include <sys/stat.h>
#include <sys/types.h>

#include "objstore/local/names.h"
#include "objstore/port.h"

#define S3S_DURABLE_SLOTS 1024

/* Who of this store's own puts may ask for the lock of a home: the kernel's lock cannot be waited for
 * with a time limit, so processes try again and again; threads need not. */
typedef struct s3s_turns {
    s3s_mutex mutex;
    s3s_cond may_share, may_be_alone; /* one waiter of the second is woken, or all of the first */
    struct {
        size_t shared, waiting; /* holders; those that wait to be alone, which go first */
        bool alone;
    } locked;
} s3s_turns;

typedef struct s3s_local {
    s3s_env *env; /* borrowed */
    char *root;
    bool fsync;
    atomic_bool doubt; /* a directory could not be synced: what is found is synced before it is told */
    s3s_turns turns;
    atomic_bool swept;               /* left-over temporary files were looked for */
    atomic_uint_fast64_t sequence;   /* of temporary names */
    /* Hashes of directories whose entry in their parent this process has synced. */
    atomic_uint_fast64_t durable[S3S_DURABLE_SLOTS];
} s3s_local;

/* ---- files (io.c) --------------------------------------------------------------------------- */

/* openat with O_CLOEXEC | O_NOFOLLOW | O_NOCTTY, again after EINTR; -1 and errno. */
int s3s_local_open(int dir, const char *name, int flags, mode_t mode);
void s3s_local_close(int *fd); /* -1 is nothing */
/* The error for errno: what was being done on which key. */
s3store_status s3s_local_fail(int errno_value, const char *what, const char *key,
                              s3store_error *err);
/* Up to size bytes from offset; *got is less only at the end of the file. */
s3store_status s3s_local_read(int fd, void *data, size_t size, uint64_t offset, size_t *got,
                              const char *key, s3store_error *err);
/* All of it, looking at call between pieces. */
s3store_status s3s_local_write(s3s_local *l, int fd, const void *data, size_t size,
                               const s3store_call *call, const char *key, s3store_error *err);
s3store_status s3s_local_fsync(s3s_local *l, int fd, const char *what, const char *key,
                               s3store_error *err);
/* Renames without replacing; -1 and errno (EEXIST). */
int s3s_local_rename_new(int from_dir, const char *from, int to_dir, const char *to);

/* ---- directories (tree.c) ------------------------------------------------------------------- */

/* Where a key lies. */
typedef struct s3s_place {
    int home; /* -1 = it does not exist */
    int dir;  /* that holds the object's name; -1 = it does not exist */
    char name[S3S_NAME_SIZE];
    char twin[S3S_NAME_SIZE];
} s3s_place;

/* Opens the directories of a key; create makes the missing ones, and moves objects that stand in
 * their way to their twins. Without create, missing ones leave -1 and the status OK. */
s3store_status s3s_local_resolve(s3s_local *l, const char *key, bool create,
                                 const s3store_call *call, s3s_place *place, s3store_error *err);
void s3s_place_close(s3s_place *place);
/* Syncs the directory of an object that is visible. Failing, with UNCERTAIN, the object may be gone
 * after a crash: the store remembers it, and s3s_local_settle() syncs again before one that is found
 * is said to be there; so it does for a call that asks for that. */
s3store_status s3s_local_fsync_visible(s3s_local *l, const s3s_place *place, const char *key,
                                       s3store_error *err);
s3store_status s3s_local_settle(s3s_local *l, const s3store_call *call, const s3s_place *place,
                                const char *key, s3store_error *err);

/* Opens the directory of prefix[0, size), which ends with '/' or is empty, and its home; *dir is -1
 * when there is none. */
s3store_status s3s_local_open_prefix(s3s_local *l, const char *prefix, size_t size, int *dir,
                                     int *home, s3store_error *err);

/* Opens the object's file for reading: its name, else its twin; *fd -1 and *st of the file. With fd
 * NULL only *st. NOT_FOUND. */
s3store_status s3s_local_open_object(const s3s_place *place, const char *key, const char *verb,
                                     int *fd, struct stat *st, s3store_error *err);

/* Takes the lock of a home, exclusive or shared, until s3s_local_unlock. */
s3store_status s3s_local_lock(s3s_local *l, int home, bool exclusive, const s3store_call *call,
                              const char *key, int *fd, s3store_error *err);
void s3s_local_unlock(s3s_local *l, bool exclusive, int *fd);
s3store_status s3s_turns_init(s3s_turns *turns, s3s_env *env, s3store_error *err);
void s3s_turns_deinit(s3s_turns *turns);

/* A home as LIST and HEAD see it. begin waits until the fenced puts under way are done, and notes
 * how many objects have moved to their twins so far; unmoved says that none has since then: what
 * was read of the home's directories in between was not caught in the middle. */
typedef struct s3s_guard {
    int home; /* -1 = none: begin and unmoved do nothing */
    int lock; /* -1 = there is no lock file yet: nobody has ever put here */
    int64_t moves;
} s3s_guard;
void s3s_guard_init(s3s_guard *guard, int home); /* takes home over; -1 allowed */
void s3s_guard_close(s3s_guard *guard);
/* With keep, nothing can move until the next begin or close. */
s3store_status s3s_guard_begin(s3s_local *l, s3s_guard *guard, bool keep, const s3store_call *call,
                               const char *key, s3store_error *err);
bool s3s_guard_unmoved(const s3s_guard *guard);

/* ---- one operation each --------------------------------------------------------------------- */

s3store_status s3s_local_put(void *impl, const s3store_call *call,
                             const s3store_put_request *request, s3store_put_reply *reply,
                             s3store_error *err);
s3store_status s3s_local_list(void *impl, const s3store_call *call,
                              const s3store_list_request *request, s3store_list_fn fn,
                              void *fn_ctx, s3store_list_reply *reply, s3store_error *err);

#endif
