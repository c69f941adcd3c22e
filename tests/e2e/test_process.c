/* Several processes, and processes that die: the command run as a program. */
#include "e2e/e2e.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { PARTITIONS = 24, ROWS_EACH = 20, WRITERS = 8, ROUNDS = 8 };

/* Timing that a busy machine cannot miss. */
static const dataset_options patient = {.commit_timeout_us = 60 * INT64_C(1000000)};

/* The output is there, and empty, whenever the process ends. */
static pid_t start(const char *const *argv, const char *input, const char *output)
{
    int in = open(input, O_RDONLY | O_CLOEXEC);
    int out = open(output, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    char log[TEMPDIR_SIZE + 16];
    snprintf(log, sizeof log, "%s/stderr", world.root);
    int err = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    assert_true(in >= 0 && out >= 0 && err >= 0);
    pid_t pid = fork();
    assert_int_not_equal(pid, -1);
    if (pid == 0) {
        if (dup2(in, 0) < 0 || dup2(out, 1) < 0 || dup2(err, 2) < 0)
            _exit(126);
        execv(world.command, (char *const *)argv);
        _exit(127);
    }
    close(in);
    close(out);
    close(err);
    return pid;
}

/* The exit code, or 128 + signal. */
static int finish(pid_t pid)
{
    int status;
    while (waitpid(pid, &status, 0) < 0)
        assert_int_equal(errno, EINTR);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* A feed of PARTITIONS x ROWS_EACH rows. */
static const char *make_feed(void)
{
    const char *path = tempdir_path(world.root, "feed.jsonl");
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    for (int p = 0; p < PARTITIONS; p++)
        for (int i = 0; i < ROWS_EACH; i++)
            fprintf(f,
                    "{\"id\":\"%d-%d\",\"time\":\"2018-02-%02dT0%d:00:00Z\","
                    "\"updated\":\"2018-03-01T00:00:00Z\",\"region\":\"r\",\"mag\":%d.5}\n",
                    p, i, p + 1, i % 10, i);
    assert_int_equal(fclose(f), 0);
    return path;
}

/* Reads a whole small file; in a static ring. */
static const char *contents(const char *path)
{
    static char ring[WRITERS][64 * 1024];
    static unsigned next;
    char *text = ring[next++ % WRITERS];
    size_t n = tempdir_read(path, text, sizeof ring[0] - 1);
    text[n] = '\0';
    return text;
}

static size_t occurrences(const char *text, const char *what)
{
    size_t count = 0;
    for (const char *at = text; (at = strstr(at, what)) != NULL; at += strlen(what))
        count++;
    return count;
}

/* Overwrites the value of "status" in every line, the one field that may differ. */
static void blank_status(char *text)
{
    for (char *at = text; (at = strstr(at, "\"status\":\"")) != NULL;) {
        at += strlen("\"status\":\"");
        char *end = strchr(at, '"');
        memmove(at, end, strlen(end) + 1);
    }
}

/* Every partition that a snapshot shows is there with all its rows; how many there are. */
static size_t whole_partitions(const dataset *d)
{
    static const char *const everything[] = {"*"};
    s3store_error err = {0};
    s3store_partition_iter *iter;
    struct ArrowArrayStream rows;
    const char *partition;
    size_t count = 0;
    s3store_status status;
    s3store_read_options options = S3STORE_READ_OPTIONS_INIT;
    options.patterns = everything;
    options.pattern_count = 1;
    options.history = true;
    assert_ok(s3store_read_partitions(d->reader, &options, &iter, &err));
    while ((status = s3store_partition_iter_next(iter, &partition, &rows, &err)) == S3STORE_OK) {
        assert_int_equal(stream_rows(&rows), ROWS_EACH);
        count++;
    }
    if (status != S3STORE_END)
        fail_msg("%s", err.message);
    s3store_partition_iter_free(iter);
    return count;
}

static void test_processes__of_one_token_agree_on_one_result(void **state)
{
    (void)state;
    dataset d;
    pid_t pids[WRITERS];
    char outputs[WRITERS][4096];
    const char *feed = make_feed();
    dataset_make(&d, "race", &patient);
    const char *argv[] = {"s3store", "write", d.url, "-", "--token", "race", NULL};
    for (int i = 0; i < WRITERS; i++) {
        snprintf(outputs[i], sizeof outputs[i], "%s/out-%d", world.root, i);
        pids[i] = start(argv, feed, outputs[i]);
    }
    for (int i = 0; i < WRITERS; i++)
        if (finish(pids[i]) != 0)
            fail_msg("writer %d: %s", i, contents(tempdir_path(world.root, "stderr")));
    char *first = strdup(contents(outputs[0]));
    assert_int_equal(occurrences(first, "\n"), PARTITIONS);
    size_t committed = occurrences(first, "\"status\":\"committed\"");
    blank_status(first);
    for (int i = 1; i < WRITERS; i++) {
        char *other = strdup(contents(outputs[i]));
        committed += occurrences(other, "\"status\":\"committed\"");
        blank_status(other);
        assert_string_equal(other, first);
        free(other);
    }
    free(first);
    assert_int_equal(committed, PARTITIONS); /* each by one of them */
    static const char *const everything[] = {"*"};
    s3store_error err;
    s3store_listing *listing;
    assert_ok(s3store_list_files(d.target, everything, 1, NULL, &listing, &err));
    assert_int_equal(s3store_listing_count(listing), PARTITIONS);
    s3store_listing_free(listing);
    assert_int_equal(whole_partitions(&d), PARTITIONS);
    dataset_close(&d);
}

static int64_t mono_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* How long an undisturbed write takes here and now. */
static int64_t measure(const char *feed)
{
    dataset d;
    dataset_make(&d, "measure", &patient);
    const char *argv[] = {"s3store", "write", d.url, "-", NULL};
    int64_t begun = mono_us();
    assert_int_equal(finish(start(argv, feed, "/dev/null")), 0);
    dataset_close(&d);
    return mono_us() - begun;
}

static void test_process__killed_at_any_point_leaves_whole_partitions_only(void **state)
{
    (void)state;
    const char *feed = make_feed();
    int64_t whole_us = measure(feed);
    for (int round = 0; round < ROUNDS; round++) {
        dataset d;
        dataset_make(&d, "killed", &patient);
        const char *argv[] = {"s3store", "write", d.url, "-", "--token", "k", NULL};
        pid_t pid = start(argv, feed, "/dev/null");
        sleep_us(whole_us * (round + 1) / (ROUNDS + 1));
        kill(pid, SIGKILL);
        (void)finish(pid);
        size_t before = whole_partitions(&d);
        assert_in_range(before, 0, PARTITIONS);
        /* The same write again completes it, and nothing is there twice. */
        if (finish(start(argv, feed, "/dev/null")) != 0)
            fail_msg("retry: %s", contents(tempdir_path(world.root, "stderr")));
        assert_int_equal(whole_partitions(&d), PARTITIONS);
        dataset_close(&d);
    }
}

static void test_process__interrupted_says_what_is_committed(void **state)
{
    (void)state;
    const char *feed = make_feed(), *output = tempdir_path(world.root, "interrupted");
    char out[4096];
    snprintf(out, sizeof out, "%s", output);
    int64_t whole_us = measure(feed);
    for (int round = 0; round < ROUNDS; round++) {
        dataset d;
        dataset_make(&d, "interrupted", &patient);
        const char *argv[] = {"s3store", "write", d.url, "-", NULL};
        pid_t pid = start(argv, feed, out);
        sleep_us(whole_us * (round + 1) / (ROUNDS + 1));
        kill(pid, SIGINT);
        int code = finish(pid);
        const char *text = contents(out);
        size_t committed = occurrences(text, "\"status\":\"committed\"");
        assert_int_equal(whole_partitions(&d), committed);
        /* Before the signal thread runs, the signal ends the process as it ends any. */
        if (code != 130 && code != 128 + SIGINT)
            assert_true(code == 0 && committed == PARTITIONS);
        dataset_close(&d);
    }
}

static void test_process__interrupted_while_it_waits_for_input_ends_at_once(void **state)
{
    (void)state;
    dataset d;
    int ends[2];
    char input[64];
    dataset_make(&d, "waiting", &patient);
    assert_int_equal(pipe(ends), 0);
    static const char line[] = "{\"id\":\"a\",\"time\":\"2018-02-01T00:00:00Z\","
                               "\"updated\":\"2018-03-01T00:00:00Z\",\"region\":\"r\"}\n";
    assert_int_equal(write(ends[1], line, sizeof line - 1), sizeof line - 1);
    snprintf(input, sizeof input, "/proc/self/fd/%d", ends[0]);
    const char *argv[] = {"s3store", "write", d.url, "-", NULL};
    pid_t pid = start(argv, input, "/dev/null");
    sleep_us(700000);
    kill(pid, SIGINT);
    assert_int_equal(finish(pid), 130);
    close(ends[0]);
    close(ends[1]);
    assert_int_equal(dataset_count(&d, "data/"), 0);
    dataset_close(&d);
}

int run_process_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_processes__of_one_token_agree_on_one_result),
        cmocka_unit_test(test_process__killed_at_any_point_leaves_whole_partitions_only),
        cmocka_unit_test(test_process__interrupted_says_what_is_committed),
        cmocka_unit_test(test_process__interrupted_while_it_waits_for_input_ends_at_once),
    };
    return cmocka_run_group_tests_name("process", tests, NULL, NULL);
}
