/* Random storms (storm.h), each by its world and seed.
 *
 *   test_sim_random                       the short form: the first seeds of each world
 *   test_sim_random seeds FROM COUNT [WORLD]
 *   test_sim_random long SECONDS PART OF  seeds PART, PART + OF ... beyond the short form, for so long:
 *                                         world by world
 *   test_sim_random replay SEED [MASK [WORLD]]   one storm again; says what it was made of
 *   test_sim_random museum [FILE]         the storms that found bugs: all must pass now
 *   test_sim_random worlds                their names
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

static void describe(storm_id id, uint64_t mask)
{
    char text[512];
    for (size_t i = 0; i < storm_element_count(id); i++) {
        storm_describe(id, i, text, sizeof text);
        if ((mask >> i & 1) != 0)
            printf("  %2zu  %s\n", i, text);
    }
}

static void report(storm_id id, const s3store_error *err)
{
    unsigned runs = 0;
    s3store_error last = {0};
    const char *where = storm_world_names[id.world];
    printf("FAILED: seed %" PRIu64 " (%s): %s\n", id.seed, where, err->message);
    fflush(stdout);
    uint64_t mask = storm_shrink(id, STORM_ALL, err, &runs);
    (void)storm_run(id, mask, NULL, &last);
    printf("%d of its %zu elements are enough (%u storms to find that): %s\n",
           __builtin_popcountll(mask), storm_element_count(id), runs, last.message);
    describe(id, mask);
    printf("replay: test_sim_random replay %" PRIu64 " 0x%" PRIx64 "%s%s\n", id.seed, mask,
           id.world == STORM_PLAIN ? "" : " ", id.world == STORM_PLAIN ? "" : where);
}

static void print_sums(const char *where, const storm_sums *s, int64_t took_us)
{
    printf("%s: %" PRIu64 " storms, %.1f s, %.0f seeds/s: %" PRIu64 " writes, %" PRIu64 " failed, %" PRIu64
           " crashed; %" PRIu64 " commits, %" PRIu64 " told of, %" PRIu64 " later chunks; %" PRIu64
           " polls, %" PRIu64 " entries, %" PRIu64 " snapshots; %" PRIu64 " faults, %" PRIu64
           " throttled; %" PRIu64 " orphans removed, %" PRIu64 " restamped\n",
           where, s->storms, (double)took_us / 1e6, (double)s->storms * 1e6 / (double)(took_us + 1),
           s->writes, s->failed, s->crashed, s->commits, s->acknowledged, s->chunks, s->polls,
           s->entries, s->snapshots, s->faults, s->throttled, s->removed, s->restamped);
    if (s->missed > 0)
        printf("  a reader missed a commit %" PRIu64 " times, until it was restamped\n", s->missed);
    if (s->damaged > 0)
        printf("  %" PRIu64 " damaged markers: %" PRIu64 " polls stopped, %" PRIu64
               " passes, %" PRIu64 " snapshots refused\n",
               s->damaged, s->stopped, s->skipped, s->refused);
}

static bool run_one(storm_id id, storm_sums *sums)
{
    s3store_error err = {0};
    bool ok = storm_run(id, STORM_ALL, sums, &err) == S3STORE_OK;
    if (!ok)
        report(id, &err);
    return ok;
}

static bool run_seeds(storm_world where, uint64_t from, uint64_t count, storm_sums *sums)
{
    int64_t begun = now_us();
    bool ok = true;
    for (uint64_t i = 0; ok && i < count; i++)
        ok = run_one((storm_id){where, from + i}, sums);
    print_sums(storm_world_names[where], sums, now_us() - begun);
    return ok;
}

/* A world that never shows what it is there for proves nothing. */
static bool has_shown(storm_world where, const storm_sums *s)
{
    bool shown = where == STORM_UNFENCED  ? s->missed > 0
                 : where == STORM_DAMAGED ? s->stopped > 0 && s->skipped > 0 && s->refused > 0
                                          : s->missed == 0;
    if (!shown)
        printf("FAILED: the storms of the %s world do not reach what it is there for\n",
               storm_world_names[where]);
    return shown;
}

static bool run_short(void)
{
    uint64_t storms = 0;
    bool ok = true;
    for (storm_world where = STORM_PLAIN; ok && where < STORM_WORLDS; where++) {
        storm_sums sums = {0};
        ok = run_seeds(where, 1, SHORT_COUNT, &sums) && has_shown(where, &sums);
        storms += sums.storms;
    }
    printf("storms %" PRIu64 "\n", storms);
    return ok;
}

/* Half of them plain. */
static bool run_long(int64_t seconds, uint64_t part, uint64_t of)
{
    static const storm_world turns[] = {STORM_PLAIN, STORM_UNCONDITIONAL, STORM_PLAIN,
                                        STORM_UNFENCED, STORM_PLAIN, STORM_DAMAGED};
    storm_sums sums[STORM_WORLDS] = {{0}};
    int64_t begun = now_us();
    uint64_t storms = 0;
    bool ok = true;
    for (uint64_t i = 0; ok && now_us() < begun + seconds * 1000000; i++) {
        storm_id id = {turns[i % 6], 1 + SHORT_COUNT + part + i * of};
        ok = run_one(id, &sums[id.world]);
    }
    for (size_t i = 0; i < STORM_WORLDS; i++) {
        print_sums(storm_world_names[i], &sums[i], now_us() - begun);
        storms += sums[i].storms;
    }
    printf("storms %" PRIu64 "\n", storms);
    return ok;
}

static bool replay(storm_id id, uint64_t mask)
{
    s3store_error err = {0};
    storm_sums sums = {0};
    describe(id, mask);
    bool ok = storm_run(id, mask, &sums, &err) == S3STORE_OK;
    print_sums(storm_world_names[id.world], &sums, 0);
    printf("%s\n", ok ? "all held" : err.message);
    return ok;
}

/* "storm SEED MASK NAME", in another world "storm/WORLD SEED MASK NAME". NAME is the bug's. */
static bool parse_exhibit(const char *line, storm_id *id, uint64_t *mask)
{
    char where[32] = "plain";
    if (sscanf(line, "storm %" SCNu64 " %" SCNx64, &id->seed, mask) != 2 &&
        sscanf(line, "storm/%31[a-z] %" SCNu64 " %" SCNx64, where, &id->seed, mask) != 3)
        return false;
    id->world = storm_world_of(where);
    return true;
}

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
        storm_id id;
        uint64_t mask;
        s3store_error err = {0};
        if (!parse_exhibit(line, &id, &mask))
            continue;
        count++;
        if (id.world < STORM_WORLDS && storm_run(id, mask, NULL, &err) == S3STORE_OK)
            continue;
        printf("FAILED: %s%s\n", line, id.world < STORM_WORLDS ? err.message : "no such world");
        ok = false;
    }
    (void)fclose(file);
    printf("museum: %u storms\n", count);
    return ok && count > 0;
}

static int usage(void)
{
    fprintf(stderr, "usage: test_sim_random [seeds FROM COUNT [WORLD] | long SECONDS PART OF |"
                    " replay SEED [MASK [WORLD]] | museum [FILE] | worlds]\n");
    return 2;
}

int main(int argc, char **argv)
{
    const char *verb = argc > 1 ? argv[1] : "short";
    uint64_t first = argc > 2 ? strtoull(argv[2], NULL, 0) : 0;
    uint64_t second = argc > 3 ? strtoull(argv[3], NULL, 0) : STORM_ALL;
    storm_world where = argc == 5 && argv[1][0] != 'l' ? storm_world_of(argv[4]) : STORM_PLAIN;
    bool ok = true;
    if (where == STORM_WORLDS) {
        fprintf(stderr, "there is no world \"%s\"\n", argv[4]);
        return 2;
    }
    if (strcmp(verb, "short") == 0 && argc <= 2) {
        ok = run_short();
    } else if (strcmp(verb, "replay") == 0 && argc >= 3 && argc <= 5) {
        ok = replay((storm_id){where, first}, second);
    } else if (strcmp(verb, "seeds") == 0 && argc >= 4 && argc <= 5) {
        storm_sums sums = {0};
        ok = run_seeds(where, first, second, &sums);
        printf("storms %" PRIu64 "\n", sums.storms);
    } else if (strcmp(verb, "long") == 0 && argc == 5) {
        ok = run_long((int64_t)first, second, strtoull(argv[4], NULL, 10));
    } else if (strcmp(verb, "museum") == 0 && argc <= 3) {
        ok = run_museum(argc > 2 ? argv[2] : SIM_MUSEUM);
    } else if (strcmp(verb, "worlds") == 0 && argc == 2) {
        for (size_t i = 0; i < STORM_WORLDS; i++)
            printf("%s\n", storm_world_names[i]);
    } else {
        return usage();
    }
    return ok ? 0 : 1;
}
