#include "base/tempfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int s3s_open_file(const char *path, int flags)
{
    for (;;) {
        int fd = open(path, flags | O_CLOEXEC, 0600);
        if (fd >= 0 || errno != EINTR)
            return fd;
    }
}

int s3s_temp_file(const char *dir)
{
    char path[4096];
    int fd = s3s_open_file(dir, O_TMPFILE | O_RDWR);
    if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR)) /* what file systems without it say */
        return fd;
    if (snprintf(path, sizeof path, "%s/s3store-spill-XXXXXX", dir) >= (int)sizeof path) {
        errno = ENAMETOOLONG;
        return -1;
    }
    fd = mkostemp(path, O_CLOEXEC);
    if (fd >= 0)
        unlink(path);
    return fd;
}
