/* The directory store: what lies on the disk, what is refused, crashes, other processes. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/bytes.h"
#include "base/sim.h"
#include "objstore/objstore.h"
#include "support/tempdir.h"
#include "support/test.h"

typedef struct rig {
    s3s_env *env;
    s3store_object_store store;
    char dir[TEMPDIR_SIZE];
} rig;

static void open_store(rig *r, const char *root, bool fsync)
{
    s3store_error err;
    assert_ok(s3s_env_new_real(&r->env, &err));
    s3s_local_options options = {.root = root, .fsync = fsync};
    assert_ok(s3s_local_store_new(r->env, &options, &r->store, &err));
}

static void close_store(rig *r)
{
    s3s_store_deinit(&r->store);
    assert_int_equal(s3s_env_live_allocs(r->env), 0);
    s3s_env_release(r->env);
}

static int setup(void **state)
{
    rig *r = calloc(1, sizeof *r);
    tempdir_new(r->dir);
    open_store(r, r->dir, false);
    *state = r;
    return 0;
}

static int teardown(void **state)
{
    rig *r = *state;
    close_store(r);
    tempdir_remove(r->dir);
    free(r);
    return 0;
}

static s3store_status put(const rig *r, const char *key, const void *body, size_t size,
                          const char *note, s3store_error *err)
{
    s3store_metadata_entry entry = {"note", note};
    s3store_put_request request = {.size = sizeof request,
                                   .key = key,
                                   .body = body,
                                   .body_size = size,
                                   .metadata = note != NULL ? &entry : NULL,
                                   .metadata_count = note != NULL};
    return s3s_put(&r->store, NULL, &request, NULL, err);
}

static void put_text(const rig *r, const char *key, const char *text)
{
    s3store_error err;
    assert_ok(put(r, key, text, strlen(text), NULL, &err));
}

static s3store_status get(const rig *r, const char *key, s3s_buffer *buffer,
                          s3store_object_info *info, s3store_error *err)
{
    s3store_sink sink = s3s_buffer_sink(buffer);
    s3store_get_request request = {
        .size = sizeof request, .key = key, .length = S3STORE_LENGTH_ALL};
    return s3s_get(&r->store, NULL, &request, &sink, info, err);
}

static void expect_body(const rig *r, const char *key, const void *data, size_t size)
{
    s3store_error err;
    s3store_object_info info;
    s3s_buffer buffer;
    s3s_buffer_init(&buffer, r->env, SIZE_MAX);
    assert_ok(get(r, key, &buffer, &info, &err));
    assert_int_equal(buffer.size, size);
    assert_memory_equal(buffer.data, data, size);
    s3s_buffer_deinit(&buffer);
}

static bool join_keys(void *ctx, const s3store_list_entry *entry)
{
    char *text = ctx;
    size_t size = strlen(text);
    snprintf(text + size, 4096 - size, "%s%s", size > 0 ? " " : "", entry->key);
    return true;
}

static void expect_list(const rig *r, const char *prefix, uint32_t max_keys, const char *expected)
{
    s3store_error err;
    char text[4096] = "";
    assert_ok(s3s_list_all(&r->store, NULL, prefix, NULL, max_keys, join_keys, text, NULL, &err));
    assert_string_equal(text, expected);
}

static void expect_missing(const rig *r, const char *key)
{
    s3store_error err;
    s3store_object_info info;
    s3s_buffer buffer;
    s3s_buffer_init(&buffer, r->env, SIZE_MAX);
    assert_fails(s3s_head(&r->store, NULL, key, &info, &err), S3STORE_NOT_FOUND, key);
    assert_fails(get(r, key, &buffer, &info, &err), S3STORE_NOT_FOUND, key);
    s3s_buffer_deinit(&buffer);
}

static size_t count_files(const char *dir)
{
    char command[TEMPDIR_SIZE + 64];
    snprintf(command, sizeof command, "find '%s' -type f ! -name .s3store-lock | wc -l", dir);
    FILE *f = popen(command, "r");
    size_t n = 0;
    assert_int_equal(fscanf(f, "%zu", &n), 1);
    pclose(f);
    return n;
}

/* Runs fn in a process of its own, with its own store on the same directory; its exit code. */
static int in_child(const rig *r, int (*fn)(rig *own, void *ctx), void *ctx)
{
    fflush(NULL);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        rig own = {0};
        s3store_error err = {0};
        memcpy(own.dir, r->dir, sizeof own.dir);
        s3s_local_options options = {.root = own.dir};
        if (s3s_env_new_real(&own.env, &err) != S3STORE_OK ||
            s3s_local_store_new(own.env, &options, &own.store, &err) != S3STORE_OK)
            _exit(101);
        _exit(fn(&own, ctx));
    }
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

/* In a child: 0 when the put fails with this status and text and leaves nothing. */
static int expect_put_failure(rig *own, s3store_status expected, const char *text, const void *body,
                              size_t size)
{
    s3store_error err = {0};
    s3store_object_info info;
    s3store_status status = put(own, "ds/full", body, size, NULL, &err);
    if (status != expected || strstr(err.message, text) == NULL) {
        fprintf(stderr, "child: %s: %s\n", s3store_status_name(status), err.message);
        return 1;
    }
    return s3s_head(&own->store, NULL, "ds/full", &info, NULL) == S3STORE_NOT_FOUND ? 0 : 2;
}

/* ---- what lies on the disk ------------------------------------------------------------------ */

static void test_file__without_metadata_is_plain(void **state)
{
    rig *r = *state;
    char bytes[16];
    put_text(r, "ds/data/day=2026-03-17/x.parquet", "PAR1");
    assert_int_equal(tempdir_read(tempdir_path(r->dir, "ds/data/day=2026-03-17/x.parquet"), bytes,
                                  sizeof bytes),
                     4);
    assert_memory_equal(bytes, "PAR1", 4);
    /* And what another tool puts there is an object. */
    tempdir_write(tempdir_path(r->dir, "ds/data/day=2026-03-17/foreign"), "abc", 3);
    expect_body(r, "ds/data/day=2026-03-17/foreign", "abc", 3);
    expect_list(r, "ds/", 0, "ds/data/day=2026-03-17/foreign ds/data/day=2026-03-17/x.parquet");
}

static void test_file__with_metadata_is_one_file(void **state)
{
    rig *r = *state;
    s3store_error err;
    assert_ok(put(r, "ds/t.commit", "body", 4, "hello", &err));
    assert_int_equal(count_files(r->dir), 1);
    char bytes[256];
    size_t size = tempdir_read(tempdir_path(r->dir, "ds/t.commit"), bytes, sizeof bytes);
    assert_int_equal(size % 64, 61);
    assert_memory_equal(bytes, "\x93S3SOBJ\n", 8);
    assert_memory_equal(bytes + size - 4, "body", 4);
    expect_body(r, "ds/t.commit", "body", 4);
}

static void test_file__plain_bytes_that_look_like_a_header(void **state)
{
    rig *r = *state;
    s3store_error err;
    s3store_object_info info;
    char body[300] = "\x93S3SOBJ\n\1\0\0\0";
    for (size_t size = 0; size <= sizeof body; size++) {
        assert_ok(put(r, "ds/x", body, size, NULL, &err));
        expect_body(r, "ds/x", body, size);
        assert_ok(s3s_head(&r->store, NULL, "ds/x", &info, &err));
        assert_int_equal(info.object_size, size);
        assert_int_equal(info.metadata.count, 0);
    }
}

static void test_file__damaged_header_is_corrupt(void **state)
{
    rig *r = *state;
    s3store_error err;
    s3store_object_info info;
    s3s_buffer buffer;
    s3s_buffer_init(&buffer, r->env, SIZE_MAX);
    char good[256], bad[320];
    assert_ok(put(r, "ds/t.commit", "body", 4, "hello", &err));
    const char *path = tempdir_path(r->dir, "ds/t.commit");
    size_t size = tempdir_read(path, good, sizeof good);
    /* Every byte of the header: an error, or (in the magic) a plain file; never other data. */
    for (size_t i = 0; i < size - 4; i++) {
        memcpy(bad, good, size);
        bad[i] ^= 0x20;
        tempdir_write(tempdir_path(r->dir, "ds/t.commit"), bad, size);
        s3store_status status = get(r, "ds/t.commit", &buffer, &info, &err);
        if (i < 8) {
            assert_int_equal(status, S3STORE_OK);
            assert_int_equal(buffer.size, size);
        } else {
            assert_int_equal(status, S3STORE_CORRUPT);
            assert_string_equal(err.key, "ds/t.commit");
            assert_fails(s3s_head(&r->store, NULL, "ds/t.commit", &info, &err), S3STORE_CORRUPT,
                         "header");
        }
        expect_list(r, "ds/", 0, "ds/t.commit"); /* one bad file does not hide the others */
    }
    /* Cut off, or longer by a whole block. */
    memset(bad, 0, sizeof bad);
    memcpy(bad, good, size);
    for (size_t other = 61; other < sizeof bad; other += 64) {
        if (other == size)
            continue;
        tempdir_write(tempdir_path(r->dir, "ds/t.commit"), bad, other);
        assert_fails(get(r, "ds/t.commit", &buffer, &info, &err), S3STORE_CORRUPT, "sizes");
    }
    s3s_buffer_deinit(&buffer);
}

static void test_names__escaped_on_disk(void **state)
{
    rig *r = *state;
    put_text(r, "/lead", "1");
    put_text(r, "..", "2");
    put_text(r, "../up", "3");
    put_text(r, ".s3store-lock", "4");
    char bytes[8];
    assert_int_equal(tempdir_read(tempdir_path(r->dir, ".s3store=e=/lead"), bytes, 8), 1);
    assert_int_equal(tempdir_read(tempdir_path(r->dir, ".s3store=o=.."), bytes, 8), 1);
    assert_int_equal(tempdir_read(tempdir_path(r->dir, ".s3store=e=../up"), bytes, 8), 1);
    assert_int_equal(access(tempdir_path(r->dir, "../up"), F_OK), -1);
    expect_body(r, "..", "2", 1);
    expect_body(r, "../up", "3", 1);
    expect_body(r, ".s3store-lock", "4", 1);
    expect_list(r, "", 0, ".. ../up .s3store-lock /lead");
    expect_list(r, "/", 0, "/lead");
    expect_list(r, "../", 0, "../up");
}

static void test_list__many_empty_directories_and_windows(void **state)
{
    rig *r = *state;
    put_text(r, "ds/d5000/x", "");
    for (int i = 0; i < 300; i++) {
        char name[64];
        snprintf(name, sizeof name, "ds/d%04d", i);
        assert_int_equal(mkdir(tempdir_path(r->dir, name), 0755), 0);
    }
    put_text(r, "ds/d0150/x", "");
    put_text(r, "ds/e", "");
    /* The window of a page is smaller than the number of directories without any object. */
    expect_list(r, "ds/", 1, "ds/d0150/x ds/d5000/x ds/e");
    expect_list(r, "ds/d0", 2, "ds/d0150/x");
    expect_list(r, "ds/d01", 2, "ds/d0150/x");
}

/* ---- what is refused ------------------------------------------------------------------------ */

static void test_links__are_not_followed_and_not_listed(void **state)
{
    rig *r = *state;
    s3store_error err;
    char outside[TEMPDIR_SIZE];
    tempdir_new(outside);
    tempdir_write(tempdir_path(outside, "secret"), "secret", 6);
    put_text(r, "ds/real", "x");
    assert_int_equal(symlink(outside, tempdir_path(r->dir, "ds/dir")), 0);
    assert_int_equal(symlink(tempdir_path(outside, "secret"), tempdir_path(r->dir, "ds/file")), 0);
    assert_int_equal(symlink("real", tempdir_path(r->dir, "ds/inside")), 0);
    assert_int_equal(mkfifo(tempdir_path(r->dir, "ds/fifo"), 0600), 0);
    expect_list(r, "", 0, "ds/real");
    expect_list(r, "ds/dir/", 0, "");
    expect_missing(r, "ds/file");
    expect_missing(r, "ds/inside");
    expect_missing(r, "ds/dir/secret");
    expect_missing(r, "ds/fifo");
    assert_fails(put(r, "ds/dir/new", "x", 1, NULL, &err), S3STORE_PERMISSION_DENIED,
                 "symbolic link");
    assert_int_equal(access(tempdir_path(outside, "new"), F_OK), -1);
    s3store_put_request request = {
        .size = sizeof request, .key = "ds/file", .if_none_match = true};
    assert_fails(s3s_put(&r->store, NULL, &request, NULL, &err), S3STORE_PERMISSION_DENIED,
                 "symbolic link");
    /* Removing keys leaves them alone; overwriting replaces the link, not what it points to. */
    assert_ok(s3s_remove(&r->store, NULL, "ds/file", &err));
    assert_ok(s3s_remove(&r->store, NULL, "ds/dir/secret", &err));
    struct stat st;
    assert_int_equal(lstat(tempdir_path(r->dir, "ds/file"), &st), 0);
    put_text(r, "ds/file", "mine");
    expect_body(r, "ds/file", "mine", 4);
    char bytes[16];
    assert_int_equal(tempdir_read(tempdir_path(outside, "secret"), bytes, sizeof bytes), 6);
    tempdir_remove(outside);
}

static void test_root__is_made_when_it_is_needed(void **state)
{
    rig *r = *state;
    s3store_error err;
    s3s_local_options options = {.root = "relative"};
    s3store_object_store other;
    assert_fails(s3s_local_store_new(r->env, &options, &other, &err), S3STORE_INVALID_ARGUMENT,
                 "absolute");
    rig deep = {0};
    open_store(&deep, tempdir_path(r->dir, "new/er/root"), true);
    expect_missing(&deep, "ds/x");
    expect_list(&deep, "", 0, "");
    assert_ok(s3s_remove(&deep.store, NULL, "ds/x", &err));
    assert_int_equal(access(tempdir_path(r->dir, "new"), F_OK), -1);
    put_text(&deep, "ds/x", "1");
    expect_body(&deep, "ds/x", "1", 1);
    assert_ok(s3s_remove(&deep.store, NULL, "ds/x", &err));
    close_store(&deep);

    tempdir_write(tempdir_path(r->dir, "plain"), "", 0);
    open_store(&deep, tempdir_path(r->dir, "plain"), false);
    assert_fails(put(&deep, "k", "", 0, NULL, &err), S3STORE_IO, "not a directory");
    close_store(&deep);
}

static int read_only_child(rig *own, void *ctx)
{
    (void)ctx;
    if (setegid(65534) != 0 || seteuid(65534) != 0)
        return 3;
    s3store_error err = {0};
    if (s3s_head(&own->store, NULL, "ds/there", &(s3store_object_info){0}, &err) != S3STORE_OK)
        return 4;
    return expect_put_failure(own, S3STORE_PERMISSION_DENIED, "permission denied", "x", 1);
}

static void test_disk__read_only_directory(void **state)
{
    rig *r = *state;
    put_text(r, "ds/there", "x");
    assert_int_equal(chmod(r->dir, 0755), 0);
    assert_int_equal(chmod(tempdir_path(r->dir, "ds"), 0555), 0);
    if (geteuid() == 0) {
        assert_int_equal(in_child(r, read_only_child, NULL), 0);
    } else {
        s3store_error err;
        chmod(tempdir_path(r->dir, "ds/.s3store-tmp"), 0555);
        assert_fails(put(r, "ds/x", "x", 1, NULL, &err), S3STORE_PERMISSION_DENIED, "denied");
    }
    chmod(tempdir_path(r->dir, "ds"), 0755);
    chmod(tempdir_path(r->dir, "ds/.s3store-tmp"), 0755);
    expect_list(r, "", 0, "ds/there");
}

static int full_child(rig *own, void *ctx)
{
    (void)ctx;
    signal(SIGXFSZ, SIG_IGN);
    struct rlimit limit = {100000, 100000};
    if (setrlimit(RLIMIT_FSIZE, &limit) != 0)
        return 3;
    static char body[300000];
    return expect_put_failure(own, S3STORE_IO, "limit of file sizes", body, sizeof body);
}

static int no_space_child(rig *own, void *ctx)
{
    (void)ctx;
    /* A tiny file system, seen by this process only. */
    if (unshare(CLONE_NEWNS) != 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
        mount("tmpfs", own->dir, "tmpfs", 0, "size=65536") != 0)
        return 77;
    static char body[300000];
    int failed = expect_put_failure(own, S3STORE_IO, "no space left", body, sizeof body);
    if (failed != 0)
        return failed;
    s3store_error err = {0}; /* and what fits goes through afterwards */
    return put(own, "ds/fits", body, 1000, NULL, &err) == S3STORE_OK ? 0 : 4;
}

static void test_disk__full(void **state)
{
    rig *r = *state;
    assert_int_equal(in_child(r, full_child, NULL), 0);
    assert_int_equal(count_files(r->dir), 0);
    int result = in_child(r, no_space_child, NULL);
    if (result == 77)
        print_message("no tmpfs may be mounted here: only the limit of file sizes was tried\n");
    else
        assert_int_equal(result, 0);
}

static int no_files_child(rig *own, void *ctx)
{
    (void)ctx;
    struct rlimit limit = {0, 0};
    int fd = dup(0);
    limit.rlim_cur = limit.rlim_max = (rlim_t)fd + 3;
    close(fd);
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
        return 3;
    s3store_error err = {0};
    s3store_status status = put(own, "ds/a/b/c", "x", 1, NULL, &err);
    if (status != S3STORE_UNAVAILABLE || strstr(err.message, "file descriptors") == NULL) {
        fprintf(stderr, "child: %s: %s\n", s3store_status_name(status), err.message);
        return 1;
    }
    return dup(0) == fd ? 0 : 2; /* nothing leaked */
}

static void test_process__without_file_descriptors(void **state)
{
    rig *r = *state;
    assert_int_equal(in_child(r, no_files_child, NULL), 0);
}

/* ---- crashes -------------------------------------------------------------------------------- */

static void test_crash__leftovers_are_invisible_and_swept(void **state)
{
    rig *r = *state;
    put_text(r, "ds/x", "x");
    static const char *const names[] = {"ds/.s3store-tmp/old", "ds/.s3store-tmp/young",
                                        "ds/.s3store-tmp/alive"};
    for (size_t i = 0; i < 3; i++) {
        tempdir_write(tempdir_path(r->dir, names[i]), "half of a body", 14);
        struct timespec old[2] = {{.tv_sec = time(NULL) - 7200}, {.tv_sec = time(NULL) - 7200}};
        if (i != 1)
            assert_int_equal(utimensat(AT_FDCWD, tempdir_path(r->dir, names[i]), old, 0), 0);
    }
    int alive = open(tempdir_path(r->dir, names[2]), O_RDONLY | O_CLOEXEC);
    assert_int_equal(flock(alive, LOCK_SH), 0);
    expect_list(r, "", 0, "ds/x");
    expect_list(r, "ds/.s3store-tmp/", 0, "");
    expect_missing(r, "ds/.s3store-tmp/old");
    /* A new process sweeps what is old and belongs to nobody. */
    rig other = {0};
    open_store(&other, r->dir, false);
    put_text(&other, "ds/y", "y");
    close_store(&other);
    assert_int_equal(access(tempdir_path(r->dir, names[0]), F_OK), -1);
    assert_int_equal(access(tempdir_path(r->dir, names[1]), F_OK), 0);
    assert_int_equal(access(tempdir_path(r->dir, names[2]), F_OK), 0);
    close(alive);
}

static void test_put__failure_leaves_no_temporary_file(void **state)
{
    rig *r = *state;
    s3store_error err;
    s3store_put_request request = {.size = sizeof request,
                                   .key = "ds/x",
                                   .if_none_match = true,
                                   .fenced = true,
                                   .valid_from_us = 0,
                                   .expires_at_us = 1};
    assert_fails(s3s_put(&r->store, NULL, &request, NULL, &err), S3STORE_PERMISSION_DENIED,
                 "expired");
    assert_int_equal(count_files(r->dir), 0);
    request.fenced = false;
    assert_ok(s3s_put(&r->store, NULL, &request, NULL, &err));
    assert_fails(s3s_put(&r->store, NULL, &request, NULL, &err), S3STORE_ALREADY_EXISTS, "ds/x");
    assert_int_equal(count_files(r->dir), 1);
}

static void test_alloc__every_failure_is_an_error_without_a_trace(void **state)
{
    rig *r = *state;
    s3store_error err;
    put_text(r, "ds/a/1", "1");
    put_text(r, "ds/b", "2");
    s3s_buffer buffer;
    s3s_buffer_init(&buffer, r->env, SIZE_MAX);
    for (int verb = 0; verb < 3; verb++) {
        for (uint64_t n = 0;; n++) {
            char text[4096] = "";
            s3store_object_info info;
            s3s_env_fail_alloc_at(r->env, n);
            s3store_status status;
            if (verb == 0)
                status = put(r, "ds/new", "x", 1, "note", &err);
            else if (verb == 1)
                status = get(r, "ds/b", &buffer, &info, &err);
            else
                status = s3s_list_all(&r->store, NULL, "ds/", NULL, 0, join_keys, text, NULL, &err);
            s3s_env_fail_alloc_at(r->env, UINT64_MAX);
            if (status == S3STORE_OK)
                break;
            assert_int_equal(status, S3STORE_OUT_OF_MEMORY);
            assert_string_equal(text, "");
        }
    }
    s3s_buffer_deinit(&buffer);
    expect_list(r, "ds/", 0, "ds/a/1 ds/b ds/new");
}

/* ---- other processes and threads ------------------------------------------------------------ */

#define ROUNDS 60

static int race_child(rig *own, void *ctx)
{
    int wins = 0;
    const char *who = ctx;
    for (int i = 0; i < ROUNDS; i++) {
        char key[64];
        snprintf(key, sizeof key, "ds/data/race-%d.commit", i);
        s3store_error err = {0};
        s3store_metadata_entry entry = {"who", who};
        s3store_put_request request = {.size = sizeof request,
                                       .key = key,
                                       .body = who,
                                       .body_size = 1,
                                       .metadata = &entry,
                                       .metadata_count = 1,
                                       .if_none_match = true,
                                       .fenced = i % 2 == 0,
                                       .expires_at_us = INT64_MAX};
        s3store_status status = s3s_put(&own->store, NULL, &request, NULL, &err);
        if (status == S3STORE_OK)
            wins++;
        else if (status != S3STORE_ALREADY_EXISTS)
            return 255;
    }
    return wins;
}

static void test_processes__one_wins_each_key(void **state)
{
    rig *r = *state;
    enum { PROCESSES = 4 };
    pid_t pids[PROCESSES];
    static const char *const names[PROCESSES] = {"0", "1", "2", "3"};
    int gate[2];
    assert_int_equal(pipe(gate), 0);
    fflush(NULL);
    for (int i = 0; i < PROCESSES; i++) {
        pids[i] = fork();
        assert_true(pids[i] >= 0);
        if (pids[i] == 0) {
            rig own = {0};
            char go;
            close(gate[1]);
            s3s_local_options options = {.root = r->dir};
            if (s3s_env_new_real(&own.env, NULL) != S3STORE_OK ||
                s3s_local_store_new(own.env, &options, &own.store, NULL) != S3STORE_OK)
                _exit(255);
            (void)!read(gate[0], &go, 1); /* ends when the parent closes it */
            _exit(race_child(&own, (void *)(uintptr_t)names[i]));
        }
    }
    close(gate[0]);
    close(gate[1]);
    int wins[PROCESSES], total = 0;
    for (int i = 0; i < PROCESSES; i++) {
        int status = 0;
        assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
        assert_true(WIFEXITED(status));
        wins[i] = WEXITSTATUS(status);
        assert_int_not_equal(wins[i], 255);
        total += wins[i];
    }
    assert_int_equal(total, ROUNDS);
    int seen[PROCESSES] = {0};
    for (int i = 0; i < ROUNDS; i++) {
        char key[64];
        s3store_error err;
        s3store_object_info info;
        snprintf(key, sizeof key, "ds/data/race-%d.commit", i);
        assert_ok(s3s_head(&r->store, NULL, key, &info, &err));
        const char *who = s3store_metadata_get(&info.metadata, "who");
        seen[who[0] - '0']++;
        expect_body(r, key, who, 1);
    }
    for (int i = 0; i < PROCESSES; i++)
        assert_int_equal(seen[i], wins[i]);
}

static void test_lock__held_by_a_stopped_process_is_waited_for_within_limits(void **state)
{
    rig *r = *state;
    s3store_error err;
    s3store_object_info info;
    put_text(r, "ds/x", "x");
    int lock = open(tempdir_path(r->dir, "ds/.s3store-lock"), O_RDONLY | O_CLOEXEC);
    assert_true(lock >= 0);
    assert_int_equal(flock(lock, LOCK_EX), 0);
    s3store_call call = {.deadline_us = s3s_mono_us(r->env) + 30000};
    assert_fails(s3s_head(&r->store, &call, "ds/x", &info, &err), S3STORE_TIMEOUT, NULL);
    char text[4096] = "";
    call.deadline_us = s3s_mono_us(r->env) + 30000;
    assert_fails(s3s_list_all(&r->store, &call, "ds/", NULL, 0, join_keys, text, NULL, &err),
                 S3STORE_TIMEOUT, NULL);
    assert_fails(s3s_list_all(&r->store, &call, "", NULL, 0, join_keys, text, NULL, &err),
                 S3STORE_TIMEOUT, NULL);
    s3store_put_request request = {.size = sizeof request, .key = "ds/y"};
    call.deadline_us = s3s_mono_us(r->env) + 30000;
    assert_fails(s3s_put(&r->store, &call, &request, NULL, &err), S3STORE_TIMEOUT, NULL);
    expect_body(r, "ds/x", "x", 1); /* GET does not ask what is there */
    close(lock);
    assert_ok(s3s_head(&r->store, NULL, "ds/x", &info, &err));
    expect_list(r, "", 0, "ds/x");
}

typedef struct mover {
    const rig *r;
    int rounds;
    _Atomic int made; /* objects "ds/N" that exist */
    _Atomic int failed;
    _Atomic bool done;
} mover;

/* Objects that are pushed aside by directories of the same name. */
static void *move_thread(void *ctx)
{
    mover *m = ctx;
    for (int i = 0; i < m->rounds; i++) {
        char key[64];
        s3store_error err;
        snprintf(key, sizeof key, "ds/%04d", i);
        if (put(m->r, key, key, strlen(key), NULL, &err) != S3STORE_OK)
            m->failed++;
        m->made = i + 1;
        strcat(key, "/below");
        if (put(m->r, key, key, strlen(key), NULL, &err) != S3STORE_OK)
            m->failed++;
    }
    m->done = true;
    return NULL;
}

static bool count_short(void *ctx, const s3store_list_entry *entry)
{
    if (strchr(entry->key + 3, '/') == NULL)
        ++*(int *)ctx;
    return true;
}

static void test_move__object_is_never_missed(void **state)
{
    rig *r = *state;
    s3store_error err;
    mover m = {.r = r, .rounds = 300};
    put_text(r, "ds/zzz", "");
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, move_thread, &m), 0);
    bool last = false;
    while (!last) {
        last = m.done;
        int made = m.made, seen = 0;
        assert_ok(s3s_list_all(&r->store, NULL, "ds/", NULL, 0, count_short, &seen, NULL, &err));
        if (seen < made + 1)
            fail_msg("%d of %d objects are listed", seen - 1, made);
        if (made > 0) {
            char key[64];
            s3store_object_info info;
            snprintf(key, sizeof key, "ds/%04d", made - 1);
            assert_ok(s3s_head(&r->store, NULL, key, &info, &err));
            s3store_put_request request = {
                .size = sizeof request, .key = key, .if_none_match = true};
            assert_fails(s3s_put(&r->store, NULL, &request, NULL, &err), S3STORE_ALREADY_EXISTS,
                         key);
        }
    }
    pthread_join(thread, NULL);
    assert_int_equal(m.failed, 0);
}

/* ---- under the simulator -------------------------------------------------------------------- */

static void sim_scene(void *ctx)
{
    rig *r = ctx;
    s3store_error err;
    s3store_object_info info;
    s3store_put_request request = {.size = sizeof request,
                                   .key = "ds/t.commit",
                                   .fenced = true,
                                   .valid_from_us = 1000000000,
                                   .expires_at_us = 1000000100};
    assert_ok(s3s_put(&r->store, NULL, &request, NULL, &err));
    assert_ok(s3s_head(&r->store, NULL, "ds/t.commit", &info, &err));
    assert_int_equal(info.last_modified_us, 1000000000);
    assert_ok(s3s_sleep_us(r->env, 101, NULL, &err));
    assert_fails(s3s_put(&r->store, NULL, &request, NULL, &err), S3STORE_PERMISSION_DENIED,
                 "expired");
}

static void test_sim__dates_and_fence_are_virtual(void **state)
{
    rig *r = *state;
    s3store_error err;
    s3s_sim *sim = NULL;
    s3s_sim_options options = {.start_wall_us = 1000000000};
    assert_ok(s3s_sim_new(&options, &sim, &err));
    rig own = {.env = s3s_sim_env(sim)};
    s3s_local_options local = {.root = r->dir};
    assert_ok(s3s_local_store_new(own.env, &local, &own.store, &err));
    assert_ok(s3s_sim_add(sim, "w", 5000000, sim_scene, &own, &err));
    assert_ok(s3s_sim_run(sim, &err));
    s3s_store_deinit(&own.store);
    s3s_sim_free(sim);
}

/* ---- durability ------------------------------------------------------------------------------ */

static unsigned syncs;
int __real_fsync(int fd);
int __wrap_fsync(int fd);

int __wrap_fsync(int fd)
{
    struct stat st;
    syncs += fstat(fd, &st) == 0 && S_ISDIR(st.st_mode);
    return __real_fsync(fd);
}

/* Who put it may have died before its directory was synced. */
static void test_durable__what_is_found_is_synced_where_the_call_asks_for_it(void **state)
{
    rig *r = *state;
    s3store_error err;
    s3store_call call = {.deadline_us = S3STORE_TIME_NONE};
    s3store_object_info info;
    rig own;
    open_store(&own, r->dir, true);
    s3store_put_request request = {.key = "a/b", .body = "x", .body_size = 1};
    assert_ok(s3s_put(&r->store, &call, &request, NULL, &err)); /* which does not sync */
    syncs = 0;
    assert_ok(s3s_head(&own.store, &call, "a/b", &info, &err));
    assert_int_equal(syncs, 0);
    call.durable = true;
    assert_ok(s3s_head(&own.store, &call, "a/b", &info, &err));
    assert_int_equal(syncs, 1);
    assert_fails(s3s_head(&own.store, &call, "a/c", &info, &err), S3STORE_NOT_FOUND, "a/c");
    assert_int_equal(syncs, 1);
    assert_ok(s3s_head(&r->store, &call, "a/b", &info, &err)); /* fsync=0 stays what it says */
    assert_int_equal(syncs, 1);
    close_store(&own);
}

int main(void)
{
#define CLAIM(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
    const struct CMUnitTest tests[] = {
        CLAIM(test_file__without_metadata_is_plain),
        CLAIM(test_file__with_metadata_is_one_file),
        CLAIM(test_file__plain_bytes_that_look_like_a_header),
        CLAIM(test_file__damaged_header_is_corrupt),
        CLAIM(test_names__escaped_on_disk),
        CLAIM(test_list__many_empty_directories_and_windows),
        CLAIM(test_links__are_not_followed_and_not_listed),
        CLAIM(test_root__is_made_when_it_is_needed),
        CLAIM(test_disk__read_only_directory),
        CLAIM(test_disk__full),
        CLAIM(test_process__without_file_descriptors),
        CLAIM(test_crash__leftovers_are_invisible_and_swept),
        CLAIM(test_put__failure_leaves_no_temporary_file),
        CLAIM(test_alloc__every_failure_is_an_error_without_a_trace),
        CLAIM(test_processes__one_wins_each_key),
        CLAIM(test_lock__held_by_a_stopped_process_is_waited_for_within_limits),
        CLAIM(test_move__object_is_never_missed),
        CLAIM(test_sim__dates_and_fence_are_virtual),
        CLAIM(test_durable__what_is_found_is_synced_where_the_call_asks_for_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
