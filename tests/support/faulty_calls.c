/* For LD_PRELOAD: system calls (and allocations) of which the n-th fails.
 *
 *   FAULTY_CALLS=CALL:FAULT:N[+|~]   the N-th (from 1) of CALL; with + every one from it on; with ~
 *                                  every second one, so that who tries again at once gets through
 *   FAULTY_CALLS_HIT=FILE          is made when a call has failed
 *   FAULTY_CALLS_COUNT=FILE        at the end: lines "CALL NUMBER", how many there were of each
 *
 * CALL    open read write sync rename mkdir alloc: the families below
 * FAULT   an errno's name (EINTR EIO ENOSPC EMFILE ENFILE), or "short": half of what was asked for
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { CALL_OPEN, CALL_READ, CALL_WRITE, CALL_SYNC, CALL_RENAME, CALL_MKDIR, CALL_ALLOC, CALLS };
#define FAULT_SHORT (-1)

static int wanted_call = CALLS, fault;
static long wanted_number;
static bool from_then_on, by_turns;
static const char *hit_file;
static atomic_long numbers[CALLS];

static const char *const calls[CALLS] = {"open",   "read",  "write", "sync",
                                         "rename", "mkdir", "alloc"};

static void __attribute__((constructor)) set_up(void)
{
    static const struct {
        const char *name;
        int value;
    } faults[] = {{"EINTR", EINTR},   {"EIO", EIO},       {"ENOSPC", ENOSPC},
                  {"EMFILE", EMFILE}, {"ENFILE", ENFILE}, {"ENOMEM", ENOMEM},
                  {"short", FAULT_SHORT}};
    const char *text = getenv("FAULTY_CALLS");
    if (text == NULL)
        return;
    hit_file = getenv("FAULTY_CALLS_HIT");
    const char *colon = strchr(text, ':'), *second = colon != NULL ? strchr(colon + 1, ':') : NULL;
    if (second == NULL)
        return;
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++)
        if (strncmp(faults[i].name, colon + 1, (size_t)(second - colon - 1)) == 0)
            fault = faults[i].value;
    char *end;
    wanted_number = strtol(second + 1, &end, 10);
    from_then_on = *end == '+';
    by_turns = *end == '~';
    for (int i = 0; i < CALLS; i++)
        if (strncmp(calls[i], text, (size_t)(colon - text)) == 0)
            wanted_call = i;
}

/* Whether this call is to fail; then errno is set, but for one that is cut short. */
static bool strikes(int call)
{
    long number = atomic_fetch_add(&numbers[call], 1) + 1;
    if (call != wanted_call)
        return false;
    bool later = from_then_on || (by_turns && (number - wanted_number) % 2 == 0);
    if (number < wanted_number || (number > wanted_number && !later))
        return false;
    if (hit_file != NULL) {
        long fd = syscall(SYS_openat, AT_FDCWD, hit_file, O_CREAT | O_WRONLY, 0600);
        if (fd >= 0)
            (void)syscall(SYS_close, fd);
    }
    if (fault != FAULT_SHORT)
        errno = fault;
    return true;
}

static void __attribute__((destructor)) tell(void)
{
    char text[256];
    int used = 0;
    const char *file = getenv("FAULTY_CALLS_COUNT");
    wanted_call = CALLS;
    if (file == NULL)
        return;
    for (int i = 0; i < CALLS; i++)
        used += snprintf(text + used, sizeof text - (size_t)used, "%s %ld\n", calls[i],
                         atomic_load(&numbers[i]));
    long fd = syscall(SYS_openat, AT_FDCWD, file, O_CREAT | O_WRONLY | O_TRUNC, 0600);
    if (fd >= 0) {
        (void)syscall(SYS_write, fd, text, used);
        (void)syscall(SYS_close, fd);
    }
}

#define REAL(name)                                                                                 \
    static __typeof__(&name) real;                                                                 \
    if (real == NULL)                                                                              \
    *(void **)&real = dlsym(RTLD_NEXT, #name)

/* ---- files ------------------------------------------------------------------------------------------- */

static mode_t mode_of(int flags, va_list list)
{
    return (flags & (O_CREAT | O_TMPFILE)) != 0 ? (mode_t)va_arg(list, int) : 0;
}

int open64(const char *path, int flags, ...)
{
    REAL(open64);
    va_list list;
    va_start(list, flags);
    mode_t mode = mode_of(flags, list);
    va_end(list);
    return strikes(CALL_OPEN) ? -1 : real(path, flags, mode);
}

int openat64(int dir, const char *path, int flags, ...)
{
    REAL(openat64);
    va_list list;
    va_start(list, flags);
    mode_t mode = mode_of(flags, list);
    va_end(list);
    return strikes(CALL_OPEN) ? -1 : real(dir, path, flags, mode);
}

/* What makes a new file is not interrupted on any file system that people put temporary files on. */
int mkostemp64(char *template, int flags)
{
    REAL(mkostemp64);
    return fault != EINTR && strikes(CALL_OPEN) ? -1 : real(template, flags);
}

static size_t cut(size_t size)
{
    return size > 1 ? size / 2 : size;
}

ssize_t read(int fd, void *data, size_t size)
{
    REAL(read);
    bool struck = strikes(CALL_READ);
    return struck && fault != FAULT_SHORT ? -1 : real(fd, data, struck ? cut(size) : size);
}

ssize_t pread64(int fd, void *data, size_t size, off64_t offset)
{
    REAL(pread64);
    bool struck = strikes(CALL_READ);
    return struck && fault != FAULT_SHORT ? -1 : real(fd, data, struck ? cut(size) : size, offset);
}

ssize_t write(int fd, const void *data, size_t size)
{
    REAL(write);
    bool struck = strikes(CALL_WRITE);
    return struck && fault != FAULT_SHORT ? -1 : real(fd, data, struck ? cut(size) : size);
}

ssize_t pwrite64(int fd, const void *data, size_t size, off64_t offset)
{
    REAL(pwrite64);
    bool struck = strikes(CALL_WRITE);
    return struck && fault != FAULT_SHORT ? -1 : real(fd, data, struck ? cut(size) : size, offset);
}

int fallocate64(int fd, int mode, off64_t offset, off64_t size)
{
    REAL(fallocate64);
    return strikes(CALL_WRITE) ? -1 : real(fd, mode, offset, size);
}

int posix_fallocate64(int fd, off64_t offset, off64_t size)
{
    REAL(posix_fallocate64);
    return strikes(CALL_WRITE) ? errno : real(fd, offset, size);
}

int ftruncate64(int fd, off64_t size)
{
    REAL(ftruncate64);
    return strikes(CALL_WRITE) ? -1 : real(fd, size);
}

int fsync(int fd)
{
    REAL(fsync);
    return strikes(CALL_SYNC) ? -1 : real(fd);
}

int rename(const char *from, const char *to)
{
    REAL(rename);
    return strikes(CALL_RENAME) ? -1 : real(from, to);
}

int renameat(int from_dir, const char *from, int to_dir, const char *to)
{
    REAL(renameat);
    return strikes(CALL_RENAME) ? -1 : real(from_dir, from, to_dir, to);
}

int linkat(int from_dir, const char *from, int to_dir, const char *to, int flags)
{
    REAL(linkat);
    return strikes(CALL_RENAME) ? -1 : real(from_dir, from, to_dir, to, flags);
}

int mkdir(const char *path, mode_t mode)
{
    REAL(mkdir);
    return strikes(CALL_MKDIR) ? -1 : real(path, mode);
}

int mkdirat(int dir, const char *path, mode_t mode)
{
    REAL(mkdirat);
    return strikes(CALL_MKDIR) ? -1 : real(dir, path, mode);
}

/* ---- memory ------------------------------------------------------------------------------------------ */

/* glibc's own, which need no dlsym. */
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *p, size_t size);

void *malloc(size_t size)
{
    return strikes(CALL_ALLOC) ? NULL : __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
    return strikes(CALL_ALLOC) ? NULL : __libc_calloc(count, size);
}

void *realloc(void *p, size_t size)
{
    return strikes(CALL_ALLOC) ? NULL : __libc_realloc(p, size);
}
