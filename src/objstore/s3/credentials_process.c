/* A credential_process: a command of the shared files that prints credentials. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"
#include "objstore/s3/credentials_look.h"

/* How often the limits are looked at: a cancelled call ends within 100 ms. */
#define TURN_US 20000

#ifdef __GLIBC_PREREQ
#if __GLIBC_PREREQ(2, 34)
#define HAS_CLOSEFROM
#endif
#endif

extern char **environ;

typedef struct process {
    s3s_env *env;
    const s3store_call *call;
    int64_t limit_us;
    int64_t deadline_us;
    pid_t pid;
    int fd; /* its output */
    bool ended;
    bool lost; /* somebody else has reaped it: how it ended is not known */
    int result; /* of waitpid */
    char *out;
    size_t out_max;
    size_t out_size;
} process;

/* ---- starting -------------------------------------------------------------------------------- */

static int set_files(posix_spawn_file_actions_t *files, int output)
{
    int code = posix_spawn_file_actions_addopen(files, 0, "/dev/null", O_RDONLY, 0);
    if (code == 0)
        code = posix_spawn_file_actions_adddup2(files, output, 1);
    /* It may say secrets there; and this library prints nothing. */
    if (code == 0)
        code = posix_spawn_file_actions_addopen(files, 2, "/dev/null", O_WRONLY, 0);
#ifdef HAS_CLOSEFROM
    if (code == 0) /* the host's files are none of its business */
        code = posix_spawn_file_actions_addclosefrom_np(files, 3);
#endif
    return code;
}

/* Signals as a fresh program has them, whatever the host has blocked or ignores; and a group, so
 * that what the command starts ends with it. */
static int set_attributes(posix_spawnattr_t *attributes)
{
    sigset_t none;
    sigset_t all;
    sigemptyset(&none);
    sigfillset(&all);
    int code = posix_spawnattr_setsigmask(attributes, &none);
    if (code == 0)
        code = posix_spawnattr_setsigdefault(attributes, &all);
    if (code == 0)
        code = posix_spawnattr_setpgroup(attributes, 0);
    if (code == 0)
        code = posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSIGMASK |
                                                        POSIX_SPAWN_SETSIGDEF |
                                                        POSIX_SPAWN_SETPGROUP);
    return code;
}

static int spawn(process *p, const char *command, int output)
{
    char shell[] = "sh";
    char option[] = "-c";
    char *arguments[] = {shell, option, (char *)(uintptr_t)command, NULL};
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attributes;
    int code = posix_spawn_file_actions_init(&files);
    if (code != 0)
        return code;
    code = posix_spawnattr_init(&attributes);
    if (code == 0) {
        code = set_files(&files, output);
        if (code == 0)
            code = set_attributes(&attributes);
        if (code == 0)
            code = posix_spawn(&p->pid, "/bin/sh", &files, &attributes, arguments, environ);
        posix_spawnattr_destroy(&attributes);
    }
    posix_spawn_file_actions_destroy(&files);
    return code;
}

/* A descriptor above those that the child gets anew: /dev/null must not take the pipe's place. */
static int lift(int fd)
{
    if (fd > 2)
        return fd;
    int lifted = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    close(fd);
    return lifted;
}

static s3store_status start(process *p, const char *command, s3store_error *err)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0)
        return s3s_fail(err, S3STORE_NO_CREDENTIALS, "no pipe for its output: %s",
                        strerror(errno));
    int output = lift(ends[1]);
    p->fd = lift(ends[0]);
    int code = output < 0 || p->fd < 0 ? EMFILE : 0;
    /* Non-blocking is a property of the pipe's end: the child's end is an ordinary one. */
    if (code == 0 && fcntl(output, F_SETFL, 0) != 0)
        code = errno;
    if (code == 0)
        code = spawn(p, command, output);
    if (output >= 0)
        close(output);
    if (code == 0)
        return S3STORE_OK;
    if (p->fd >= 0)
        close(p->fd);
    return s3s_fail(err, S3STORE_NO_CREDENTIALS, "cannot start /bin/sh: %s", strerror(code));
}

/* ---- waiting --------------------------------------------------------------------------------- */

static void reap(process *p, int flags)
{
    pid_t got;
    do {
        got = p->ended ? p->pid : waitpid(p->pid, &p->result, flags);
    } while (got < 0 && errno == EINTR);
    if (got < 0) { /* the host ignores SIGCHLD, or waits for every child */
        p->lost = true;
        p->ended = true;
    }
    p->ended = p->ended || got == p->pid;
}

/* The process and what it started. Once reaped, its number may be somebody else's. */
static void kill_group(process *p)
{
    if (!p->ended)
        kill(-p->pid, SIGKILL);
    reap(p, 0);
}

static s3store_status check_limits(const process *p, s3store_error *err)
{
    s3store_status status = s3s_call_check(p->env, p->call, err);
    if (status != S3STORE_OK)
        return status;
    if (s3s_mono_us(p->env) >= p->deadline_us)
        return s3s_fail(err, S3STORE_NO_CREDENTIALS, "it did not end within %.1f s",
                        (double)p->limit_us / 1e6);
    return S3STORE_OK;
}

/* What is there to read. *closed: nothing more will come. */
static s3store_status drain(process *p, bool *closed, s3store_error *err)
{
    for (;;) {
        char beyond;
        bool full = p->out_size == p->out_max;
        ssize_t n = read(p->fd, full ? &beyond : p->out + p->out_size,
                         full ? 1 : p->out_max - p->out_size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            return S3STORE_OK;
        if (n <= 0) {
            *closed = true;
            return S3STORE_OK;
        }
        if (full) {
            s3s_wipe(&beyond, 1);
            return s3s_fail(err, S3STORE_NO_CREDENTIALS, "it printed more than %zu bytes",
                            p->out_max);
        }
        p->out_size += (size_t)n;
    }
}

/* Until it ended. What it has left behind in the background may hold the pipe open for ever, so
 * its end counts, not the pipe's. */
static s3store_status collect(process *p, s3store_error *err)
{
    bool closed = false;
    for (;;) {
        reap(p, WNOHANG);
        bool was_ended = p->ended; /* before reading: all that it printed is there */
        s3store_status status = closed ? S3STORE_OK : drain(p, &closed, err);
        if (status == S3STORE_OK && was_ended)
            return S3STORE_OK;
        if (status == S3STORE_OK)
            status = check_limits(p, err);
        if (status != S3STORE_OK)
            return status;
        struct pollfd wait = {.fd = closed ? -1 : p->fd, .events = POLLIN};
        (void)poll(&wait, 1, closed ? 1 : TURN_US / 1000);
    }
}

static s3store_status check_result(const process *p, s3store_error *err)
{
    static const char advice[] = "run it by hand to see what it says";
    if (p->lost || (WIFEXITED(p->result) && WEXITSTATUS(p->result) == 0))
        return S3STORE_OK;
    if (WIFEXITED(p->result))
        return s3s_fail(err, S3STORE_NO_CREDENTIALS, "it ended with code %d: %s",
                        WEXITSTATUS(p->result), advice);
    return s3s_fail(err, S3STORE_NO_CREDENTIALS, "it was ended by signal %d: %s",
                    WIFSIGNALED(p->result) ? WTERMSIG(p->result) : 0, advice);
}

s3store_status s3s_process_run(s3s_env *env, const s3store_call *call, const char *command,
                               int64_t timeout_us, char *out, size_t out_max, size_t *out_size,
                               s3store_error *err)
{
    process p = {.env = env,
                 .call = call,
                 .limit_us = timeout_us,
                 .deadline_us = s3s_mono_us(env) + timeout_us,
                 .out = out,
                 .out_max = out_max};
    *out_size = 0;
    s3store_status status = s3s_call_check(env, call, err);
    if (status == S3STORE_OK)
        status = start(&p, command, err);
    if (status != S3STORE_OK)
        return status;
    status = collect(&p, err);
    kill_group(&p);
    close(p.fd);
    if (status == S3STORE_OK)
        status = check_result(&p, err);
    *out_size = p.out_size;
    return status;
}
