#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/error.h"
#include "objstore/local/local.h"

#define PIECE_SIZE ((size_t)4 << 20) /* between two looks at the call's limits */

int s3s_local_open(int dir, const char *name, int flags, mode_t mode)
{
    for (;;) {
        int fd = openat(dir, name, flags | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY, mode);
        if (fd >= 0 || errno != EINTR)
            return fd;
    }
}

void s3s_local_close(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

s3store_status s3s_local_fail(int errno_value, const char *what, const char *key,
                              s3store_error *err)
{
    static const struct {
        int value;
        s3store_status status;
        const char *text;
    } words[] = {
        {ENOSPC, S3STORE_IO, "no space left on the file system"},
        {EDQUOT, S3STORE_IO, "the disk quota is used up"},
        {EFBIG, S3STORE_IO, "the file would exceed the limit of file sizes"},
        {EACCES, S3STORE_PERMISSION_DENIED, "permission denied"},
        {EPERM, S3STORE_PERMISSION_DENIED, "the file system does not permit it"},
        {EROFS, S3STORE_PERMISSION_DENIED, "the file system is read-only"},
        {ELOOP, S3STORE_PERMISSION_DENIED, "a symbolic link is in the way and is not followed"},
        {EMFILE, S3STORE_UNAVAILABLE, "no file descriptors are left in this process (ulimit -n)"},
        {ENFILE, S3STORE_UNAVAILABLE, "no file descriptors are left on this machine"},
        {ENAMETOOLONG, S3STORE_INVALID_ARGUMENT, "the file system does not take names so long"},
        {EILSEQ, S3STORE_INVALID_ARGUMENT, "the file system does not take this name"},
        {EXDEV, S3STORE_IO, "part of the directory is another file system (a mount point)"},
        {ENOLCK, S3STORE_IO, "the file system does not support locks"},
    };
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (words[i].value == errno_value)
            return s3s_fail_key(err, words[i].status, key, "%s: %s: %.200s", what, words[i].text,
                                key);
    }
    char text[128];
    return s3s_fail_key(err, S3STORE_IO, key, "%s: %s: %.200s", what,
                        strerror_r(errno_value, text, sizeof text), key);
}

s3store_status s3s_local_read(int fd, void *data, size_t size, uint64_t offset, size_t *got,
                              const char *key, s3store_error *err)
{
    *got = 0;
    while (*got < size) {
        ssize_t n = pread(fd, (char *)data + *got, size - *got, (off_t)(offset + *got));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return s3s_local_fail(errno, "read", key, err);
        if (n == 0)
            break;
        *got += (size_t)n;
    }
    return S3STORE_OK;
}

s3store_status s3s_local_write(s3s_local *l, int fd, const void *data, size_t size,
                               const s3store_call *call, const char *key, s3store_error *err)
{
    const char *p = data;
    while (size > 0) {
        s3store_status status = s3s_call_check(l->env, call, err);
        if (status != S3STORE_OK)
            return status;
        ssize_t n = write(fd, p, size < PIECE_SIZE ? size : PIECE_SIZE);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return s3s_local_fail(errno, "put: write", key, err);
        p += n;
        size -= (size_t)n;
    }
    return S3STORE_OK;
}

s3store_status s3s_local_fsync(s3s_local *l, int fd, const char *what, const char *key,
                               s3store_error *err)
{
    if (!l->fsync)
        return S3STORE_OK;
    int result;
    do {
        result = fsync(fd);
    } while (result != 0 && errno == EINTR);
    /* A file system that cannot sync a directory says EINVAL; there is nothing better to do. */
    if (result != 0 && errno != EINVAL)
        return s3s_local_fail(errno, what, key, err);
    return S3STORE_OK;
}

int s3s_local_rename_new(int from_dir, const char *from, int to_dir, const char *to)
{
    const unsigned no_replace = 1; /* RENAME_NOREPLACE of linux/fs.h */
    if (syscall(SYS_renameat2, from_dir, from, to_dir, to, no_replace) == 0)
        return 0;
    if (errno != EINVAL && errno != ENOSYS && errno != ENOTSUP)
        return -1;
    /* The file system does not know the flag: a second name does the same. */
    if (linkat(from_dir, from, to_dir, to, 0) != 0)
        return -1;
    unlinkat(from_dir, from, 0); /* failing leaves a temporary file, which is swept later */
    return 0;
}
