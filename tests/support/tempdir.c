#include "support/tempdir.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support/test.h"

void tempdir_new(char path[TEMPDIR_SIZE])
{
    const char *base = getenv("TMPDIR");
    snprintf(path, TEMPDIR_SIZE, "%s/s3store-test-XXXXXX",
             base != NULL && base[0] == '/' ? base : "/tmp");
    if (mkdtemp(path) == NULL)
        fail_msg("mkdtemp %s: %s", path, strerror(errno));
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

void tempdir_remove(const char *path)
{
    if (path[0] != '/' || strstr(path, "s3store-test-") == NULL)
        fail_msg("%s is not a temporary directory", path);
    nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
}

const char *tempdir_path(const char *dir, const char *name)
{
    static char ring[8][4096];
    static unsigned next;
    char *out = ring[next++ % 8];
    snprintf(out, sizeof ring[0], "%s/%s", dir, name);
    return out;
}

void tempdir_write(const char *path, const void *data, size_t size)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0)
        fail_msg("open %s: %s", path, strerror(errno));
    assert_int_equal(write(fd, data, size), (ssize_t)size);
    close(fd);
}

size_t tempdir_read(const char *path, void *data, size_t capacity)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        fail_msg("open %s: %s", path, strerror(errno));
    ssize_t n = read(fd, data, capacity);
    assert_true(n >= 0);
    char more;
    assert_int_equal(read(fd, &more, 1), 0);
    close(fd);
    return (size_t)n;
}
