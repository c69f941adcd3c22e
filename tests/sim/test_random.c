/* Random storms (storm.h), each by its seed.
 *
 *   test_sim_random                       the short form: the first seeds, and the museum
 *   test_sim_random seeds FROM COUNT
 *   test_sim_random long SECONDS PART OF  seeds PART, PART + OF ... beyond the short form, for so long
 *   test_sim_random replay SEED [MASK]    one storm again; says what it was made of
 *   test_sim_random museum [FILE]         the storms that found bugs: all must pass now
 *
 * A storm that fails is made smaller, and its replay line is printed.
 */
#include "support/test.h"

#include <inttypes.h>
#include <stdlib.h>
#include <time.h>

#include "sim/storm.h"
#include "sim/world.h"

#define SHORT_COUNT (WORLD_SANITIZED ? 40 : 300)

static int64_t now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static void describe(uint64_t seed, uint64_t mask)
{
    char text[512];
    for (size_t i = 0; i < storm_element_count(seed); i++) {
        storm_describe(seed, i, text, sizeof text);
        if ((mask >> i & 1) != 0)
            printf("  %2zu  %s\n", i, text);
    }
}

static void report(uint64_t seed, const s3store_error *err)
{
    unsigned runs = 0;
    s3store_error last = {0};
    printf("FAILED: seed %" PRIu64 ": %s\n", seed, err->message);
    fflush(stdout);
    uint64_t mask = storm_shrink(seed, STORM_ALL, err, &runs);
    (void)storm_run(seed, mask, NULL, &last);
    printf("%d of its %zu elements are enough (%u storms to find that): %s\n",
           __builtin_popcountll(mask), storm_element_count(seed), runs, last.message);
    describe(seed, mask);
    printf("replay: test_sim_random replay %" PRIu64 " 0x%" PRIx64 "\n", seed, mask);
}

static void print_sums(const storm_sums *s, int64_t took_us)
{
    printf("%" PRIu64 " storms, %.1f s, %.0f seeds/s: %" PRIu64 " writes, %" PRIu64 " failed, %" PRIu64
           " crashed; %" PRIu64 " commits, %" PRIu64 " told of, %" PRIu64 " later chunks; %" PRIu64
           " polls, %" PRIu64 " entries, %" PRIu64 " snapshots; %" PRIu64 " faults, %" PRIu64
           " throttled; %" PRIu64 " orphans removed, %" PRIu64 " restamped\n",
           s->storms, (double)took_us / 1e6, (double)s->storms * 1e6 / (double)(took_us + 1),
           s->writes, s->failed, s->crashed, s->commits, s->acknowledged, s->chunks, s->polls,
           s->entries, s->snapshots, s->faults, s->throttled, s->removed, s->restamped);
}

/* count 0: until the time is over. */
static bool run_seeds(uint64_t from, uint64_t step, uint64_t count, int64_t end_us)
{
    storm_sums sums = {0};
    int64_t begun = now_us();
    bool ok = true;
    for (uint64_t i = 0; ok && (count == 0 || i < count) && (end_us == 0 || now_us() < end_us);
         i++) {
        s3store_error err = {0};
        ok = storm_run(from + i * step, STORM_ALL, &sums, &err) == S3STORE_OK;
        if (!ok)
            report(from + i * step, &err);
    }
    print_sums(&sums, now_us() - begun);
    printf("storms %" PRIu64 "\n", sums.storms);
    return ok;
}

static bool replay(uint64_t seed, uint64_t mask)
{
    s3store_error err = {0};
    storm_sums sums = {0};
    describe(seed, mask);
    bool ok = storm_run(seed, mask, &sums, &err) == S3STORE_OK;
    print_sums(&sums, 0);
    printf("%s\n", ok ? "all held" : err.message);
    return ok;
}

/* Lines "storm SEED MASK NAME": the rest is the bug's. */
static bool run_museum(const char *path)
{
    char line[512];
    unsigned count = 0;
    bool ok = true;
    FILE *file = fopen(path, "r");
    if (file == NULL) {
        printf("FAILED: %s cannot be read\n", path);
        return false;
    }
    while (fgets(line, sizeof line, file) != NULL) {
        uint64_t seed, mask;
        s3store_error err = {0};
        if (sscanf(line, "storm %" SCNu64 " %" SCNx64, &seed, &mask) != 2)
            continue;
        count++;
        if (storm_run(seed, mask, NULL, &err) == S3STORE_OK)
            continue;
        printf("FAILED: %s%s\n", line, err.message);
        ok = false;
    }
    (void)fclose(file);
    printf("museum: %u storms\n", count);
    return ok && count > 0;
}

int main(int argc, char **argv)
{
    const char *verb = argc > 1 ? argv[1] : "";
    if (strcmp(verb, "replay") == 0 && (argc == 3 || argc == 4))
        return replay(strtoull(argv[2], NULL, 0), argc == 4 ? strtoull(argv[3], NULL, 0)
                                                            : STORM_ALL)
                   ? 0 : 1;
    if (strcmp(verb, "seeds") == 0 && argc == 4)
        return run_seeds(strtoull(argv[2], NULL, 0), 1, strtoull(argv[3], NULL, 0), 0) ? 0 : 1;
    if (strcmp(verb, "museum") == 0)
        return run_museum(argc > 2 ? argv[2] : SIM_MUSEUM) ? 0 : 1;
    if (strcmp(verb, "long") == 0 && argc == 5) {
        int64_t end_us = now_us() + strtoll(argv[2], NULL, 10) * 1000000;
        return run_seeds(1 + SHORT_COUNT + strtoull(argv[3], NULL, 10), strtoull(argv[4], NULL, 10),
                         0, end_us)
                   ? 0 : 1;
    }
    if (argc != 1) {
        fprintf(stderr, "usage: test_sim_random [seeds FROM COUNT | long SECONDS PART OF |"
                        " replay SEED [MASK] | museum [FILE]]\n");
        return 2;
    }
    return run_seeds(1, 1, SHORT_COUNT, 0) ? 0 : 1;
}
