/* test_e2e KIND COMMAND [SUITE]: KIND is file, file-fsync or s3. */
#include "e2e/e2e.h"

#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static bool set_up_world(const char *kind)
{
    tempdir_new(world.root);
    world.suffix = "";
    world.commit_timeout_us = 1000000;
    if (strcmp(kind, "s3") != 0) {
        if (strcmp(kind, "file-fsync") != 0)
            world.suffix = "?fsync=0";
        snprintf(world.base, sizeof world.base, "file://%s/", world.root);
        return true;
    }
    const char *url = getenv("S3STORE_TEST_URL");
    if (url == NULL || url[0] == '\0') {
        printf("SKIP: S3STORE_TEST_URL names no S3 server\n");
        return false;
    }
    world.is_s3 = true;
    /* A machine that is busy with other tests must not make commits late. */
    world.commit_timeout_us = 3000000;
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    snprintf(world.base, sizeof world.base, "%s/e2e-%lld-%d/", url, (long long)now.tv_sec,
             (int)getpid());
    return true;
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        int (*run)(void);
    } suites[] = {
        {"dataset", run_dataset_tests}, {"write", run_write_tests},   {"read", run_read_tests},
        {"schema", run_schema_tests},   {"stream", run_stream_tests}, {"budget", run_budget_tests},
        {"process", run_process_tests}, {"fence", run_fence_tests},   {"views", run_views_tests},
        {"vectors", run_vector_tests},  {"nested", run_nested_tests},
    };
    if (argc < 3) {
        fprintf(stderr, "usage: test_e2e file|file-fsync|s3 COMMAND [SUITE]\n");
        return 2;
    }
    world.command = argv[2];
    int failed = 0;
    if (!set_up_world(argv[1])) {
        tempdir_remove(world.root);
        return 77;
    }
    for (size_t i = 0; i < sizeof suites / sizeof suites[0]; i++)
        if (argc < 4 || strcmp(argv[3], suites[i].name) == 0)
            failed += suites[i].run();
    tempdir_remove(world.root);
    return failed > 0;
}
