/* Inputs that can be read twice, line by line. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli.h"
#include "records/lines.h"

s3store_status cli_source_fail(const cli_source *source, s3store_status status, s3store_error *err,
                               const char *format, ...)
{
    char text[sizeof err->message];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    memset(err, 0, sizeof *err);
    err->status = status;
    snprintf(err->key, sizeof err->key, "%s", source->name);
    if (source->line_number > 0)
        snprintf(err->message, sizeof err->message, "%s:%llu: %.900s", source->name,
                 (unsigned long long)source->line_number, text);
    else
        snprintf(err->message, sizeof err->message, "%s: %.900s", source->name, text);
    return status;
}

/* read() that a Ctrl-C ends, though nothing comes. */
static ssize_t read_or_cancel(int fd, void *buffer, size_t size, const s3store_cancel *cancel)
{
    struct pollfd wait = {.fd = fd, .events = POLLIN};
    while (cancel != NULL && poll(&wait, 1, 50) <= 0)
        if (s3store_cancel_is_triggered(cancel)) {
            errno = ECANCELED;
            return -1;
        }
    return read(fd, buffer, size);
}

/* A file without a name: nothing is left of it, however the process ends. Where the file system has no
 * such files, one whose name is removed at once. */
static int temporary_file(const char *dir)
{
    char path[4096];
    int fd;
    do
        fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    while (fd < 0 && errno == EINTR);
    if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR && errno != ENOENT))
        return fd;
    if (snprintf(path, sizeof path, "%s/s3store-input-XXXXXX", dir) >= (int)sizeof path) {
        errno = ENAMETOOLONG;
        return -1;
    }
    fd = mkostemp(path, O_CLOEXEC);
    if (fd >= 0)
        unlink(path);
    return fd;
}

/* Copies what can be read only once to a temporary file. */
static s3store_status spool(cli_source *s, int fd, const cli_input_options *options,
                            s3store_error *err)
{
    char *buffer = malloc(1 << 20);
    const char *dir = options->spill_dir;
    uint64_t spooled = 0;
    if (dir == NULL)
        dir = getenv("TMPDIR");
    if (dir == NULL || dir[0] == '\0')
        dir = "/tmp";
    int to = -1;
    ssize_t n = -1;
    if (buffer != NULL)
        to = temporary_file(dir);
    if (to < 0) {
        free(buffer);
        return cli_source_fail(s, S3STORE_IO, err, "cannot create a temporary file in %s: %s", dir,
                               strerror(errno));
    }
    while ((n = read_or_cancel(fd, buffer, 1 << 20, s->cancel)) != 0) {
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 || (s->cancel != NULL && s3store_cancel_is_triggered(s->cancel)))
            break;
        for (ssize_t done = 0; done < n;) {
            ssize_t w = write(to, buffer + done, (size_t)(n - done));
            if (w < 0 && errno != EINTR) {
                cli_source_fail(s, S3STORE_IO, err, "cannot spool to %s: %s", dir, strerror(errno));
                free(buffer);
                close(to);
                return S3STORE_IO;
            }
            done += w > 0 ? w : 0;
        }
        spooled += (uint64_t)n;
        if (options->progress != NULL)
            options->progress(options->progress_ctx, spooled, 0);
    }
    free(buffer);
    if (n == 0 && lseek(to, 0, SEEK_SET) == 0 && (s->file = fdopen(to, "rb")) != NULL)
        return S3STORE_OK;
    bool cancelled = n > 0 || errno == ECANCELED;
    s3store_status status = cancelled ? S3STORE_CANCELLED : S3STORE_IO;
    cli_source_fail(s, status, err, "%s", cancelled ? "interrupted" : strerror(errno));
    close(to);
    return status;
}

s3store_status cli_source_open(const char *path, const cli_input_options *options, cli_source *out,
                               s3store_error *err)
{
    struct stat st;
    memset(out, 0, sizeof *out);
    bool standard = strcmp(path, "-") == 0;
    out->name = standard ? "standard input" : path;
    out->cancel = options->cancel;
    int fd = standard ? STDIN_FILENO : cli_open(path);
    if (fd < 0 || fstat(fd, &st) != 0)
        return cli_source_fail(out, errno == ENOENT ? S3STORE_NOT_FOUND : S3STORE_IO, err, "%s",
                               strerror(errno));
    s3store_status status = S3STORE_OK;
    if (S_ISDIR(st.st_mode))
        status = cli_source_fail(out, S3STORE_INVALID_ARGUMENT, err, "is a directory");
    else if (standard || !S_ISREG(st.st_mode))
        status = spool(out, fd, options, err);
    else if ((out->file = fdopen(fd, "rb")) == NULL)
        status = cli_source_fail(out, S3STORE_IO, err, "%s", strerror(errno));
    if (out->file == NULL || (!standard && fileno(out->file) != fd)) {
        if (!standard)
            close(fd);
    }
    return status;
}

s3store_status cli_source_rewind(cli_source *source, s3store_error *err)
{
    source->line_number = 0;
    if (fseeko(source->file, 0, SEEK_SET) != 0)
        return cli_source_fail(source, S3STORE_IO, err, "%s", strerror(errno));
    return S3STORE_OK;
}

s3store_status cli_source_next(cli_source *s, bool keep_line_end, s3store_error *err)
{
    if ((s->line_number & 1023) == 0 && s->cancel != NULL && s3store_cancel_is_triggered(s->cancel))
        return cli_source_fail(s, S3STORE_CANCELLED, err, "interrupted");
    errno = 0;
    ssize_t n = getline(&s->line, &s->line_capacity, s->file);
    if (n < 0) {
        if (feof(s->file))
            return S3STORE_END;
        return cli_source_fail(s, S3STORE_IO, err, "%s", strerror(errno));
    }
    s->line_number++;
    if ((size_t)n > CLI_LINE_MAX)
        return cli_source_fail(s, S3STORE_LIMIT_EXCEEDED, err, "the line is longer than %u MiB",
                               CLI_LINE_MAX >> 20);
    s->line_size = (size_t)n;
    if (!keep_line_end) {
        while (s->line_size > 0 &&
               (s->line[s->line_size - 1] == '\n' || s->line[s->line_size - 1] == '\r'))
            s->line_size--;
        s->line[s->line_size] = '\0';
    }
    return S3STORE_OK;
}

void cli_source_close(cli_source *source)
{
    if (source->file != NULL)
        fclose(source->file);
    free(source->line);
    memset(source, 0, sizeof *source);
}
