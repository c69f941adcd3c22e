/* test_torture alloc|store [SCENARIO|all [PLACE [WAY [POINT]]]]: README.md. */
#include "torture/torture.h"

#include <inttypes.h>
#include <stdlib.h>

/* Many points are swept in steps in the short form, and in a directory, where each run costs files;
 * each sweep begins elsewhere. */
#define SHORT_POINTS 40
#define FILE_POINTS 250

typedef enum way {
    WAY_ALLOC_ONCE,
    WAY_ALLOC_ON,
    WAY_STORE, /* + torture_fault */
} way;

typedef struct sweep {
    const scenario *scenario;
    const place *place;
    int way;
    int64_t only; /* this point alone; -1 = all */
    uint64_t points;
    uint64_t told; /* of them, those that made the call fail */
    uint64_t at;
    bool done;
} sweep;

static bool is_full;
static uint64_t all_points;

static const char *way_name(int w)
{
    return w == WAY_ALLOC_ONCE ? "once" : w == WAY_ALLOC_ON ? "from-then-on"
                                                            : torture_fault_name(w - WAY_STORE);
}

static void arm(torture *t, int w, uint64_t n)
{
    if (w < WAY_STORE)
        torture_alloc_arm(n, w == WAY_ALLOC_ON);
    else
        torture_store_arm(&t->faults, (torture_fault)(w - WAY_STORE), n);
}

static uint64_t disarm(torture *t, int w)
{
    return w < WAY_STORE ? torture_alloc_disarm() : torture_store_disarm(&t->faults);
}

/* Whether the status is one that this fault may lead to. */
static bool is_expected(const sweep *s, s3store_status status)
{
    bool writes = s->scenario->writes;
    if (status == S3STORE_OK || (writes && status == S3STORE_PARTIAL) ||
        (writes && s->place->on_file &&
         (status == S3STORE_COMMIT_AFTER_TIMEOUT || status == S3STORE_TIMEOUT)))
        return true;
    if (s->way < WAY_STORE)
        return status == S3STORE_OUT_OF_MEMORY;
    switch (s->way - WAY_STORE) {
    case FAULT_DENIED:
        return status == S3STORE_PERMISSION_DENIED ||
               (writes && status == S3STORE_UNCERTAIN);
    case FAULT_BUSY:
    case FAULT_CUT: /* but for the body of a GET, which a write does without, the same */
        return status == S3STORE_UNAVAILABLE ||
               (writes && (status == S3STORE_UNCERTAIN || status == S3STORE_TIMEOUT));
    case FAULT_LOST_ANSWER:
    case FAULT_LOST_REQUEST:
        return status == S3STORE_TIMEOUT || (writes && status == S3STORE_UNCERTAIN);
    default:
        return false; /* a retry helps */
    }
}

static void judge(const sweep *s, s3store_status status, const s3store_error *err, uint64_t hit)
{
    bool is_late = s->place->on_file && s->scenario->writes; /* may be, on a busy machine */
    if (!is_expected(s, status) || (hit == 0 && status != S3STORE_OK && !is_late))
        fail_msg("%" PRIu64 " failed, then: %s: %s (key %s)", hit, s3store_status_name(status),
                 err->message, err->key);
    if (status == S3STORE_OK)
        return;
    assert_int_equal(err->status, status);
    assert_true(err->message[0] != '\0');
}

/* One run: the n-th thing fails. False: there was no such thing. */
static bool run_at(torture *t, sweep *s, uint64_t n)
{
    static unsigned runs;
    const scenario *sc = s->scenario;
    s3store_error err = {0};
    s->at = n;
    if (sc->fresh) {
        torture_begin(t, s->place, sc);
        torture_make(t, sc);
        sc->prepare(t);
    }
    t->run = ++runs;
    t->text[0] = '\0';
    if (sc->begin != NULL)
        sc->begin(t);
    arm(t, s->way, n);
    s3store_status status = sc->run(t, &err);
    uint64_t hit = disarm(t, s->way);
    if (getenv("S3S_TORTURE_VERBOSE") != NULL)
        print_message("%s %s %s %" PRIu64 ": %" PRIu64 " failed: %s: %s\n", sc->name,
                      s->place->name, way_name(s->way), n, hit, s3store_status_name(status),
                      err.message);
    judge(s, status, &err, hit);
    sc->check(t, status, &err, hit > 0);
    if (sc->fresh)
        torture_end(t);
    s->told += status != S3STORE_OK;
    return hit > 0;
}


static void run_sweep(sweep *s)
{
    static torture t;
    const scenario *sc = s->scenario;
    int64_t live = torture_alloc_live();
    uint64_t stride = 1, first = 0;
    if (!sc->fresh) {
        torture_begin(&t, s->place, sc);
        torture_make(&t, sc);
        sc->prepare(&t);
    }
    if (s->only >= 0) {
        (void)run_at(&t, s, (uint64_t)s->only);
    } else {
        if (s->way < WAY_STORE && !sc->memory_only && (!is_full || s->place->on_file)) {
            /* From above: so many that the first one that is not there is found soon. */
            uint64_t low = 0, high = 16;
            while (run_at(&t, s, high)) {
                low = high;
                high *= 2;
            }
            while (high - low > 8) {
                uint64_t middle = low + (high - low) / 2;
                if (run_at(&t, s, middle))
                    low = middle;
                else
                    high = middle;
            }
            stride = high / (is_full ? FILE_POINTS : SHORT_POINTS) + 1;
            first = (uint64_t)s->way * (stride / 2);
        }
        /* Threads share the work out differently each time: the end is where nothing failed thrice. */
        unsigned misses = 0;
        for (uint64_t n = first; misses < 3; n += stride) {
            bool hit = run_at(&t, s, n);
            s->points += hit;
            misses = hit ? 0 : misses + 1;
            assert_true(n < 1000000);
        }
    }
    if (!sc->fresh) {
        if (sc->finish != NULL)
            sc->finish(&t);
        torture_end(&t);
    }
    if (torture_alloc_live() != live)
        fail_msg("%" PRId64 " blocks were not freed", torture_alloc_live() - live);
}

static void test_sweep(void **state)
{
    sweep *s = *state;
    run_sweep(s);
    s->done = true;
    all_points += s->points;
    print_message("%-17s %-6s %-12s %5" PRIu64 " points, %5" PRIu64 " made it fail\n",
                  s->scenario->name, s->place->name, way_name(s->way), s->points, s->told);
    assert_true(s->only >= 0 || s->points > 0);
}

/* What to give to this program to see the failure again. */
static int tell(void **state)
{
    const sweep *s = *state;
    if (!s->done)
        print_error("again: test_torture %s %s %s %s %" PRIu64 "\n",
                    s->way < WAY_STORE ? "alloc" : "store", s->scenario->name, s->place->name,
                    way_name(s->way), s->at);
    return 0;
}

int main(int argc, char **argv)
{
    static const scenario *const lists[] = {write_scenarios, read_scenarios, tool_scenarios,
                                            file_scenarios};
    static place places[] = {{.name = "memory"}, {.name = "file", .on_file = true}};
    static sweep sweeps[1000];
    static struct CMUnitTest tests[1000];
    static char names[1000][80];
    size_t count = 0;
    if (argc < 2 || (strcmp(argv[1], "alloc") != 0 && strcmp(argv[1], "store") != 0)) {
        fprintf(stderr, "usage: test_torture alloc|store [SCENARIO|all [PLACE [WAY [POINT]]]]\n");
        return 2;
    }
    bool alloc = strcmp(argv[1], "alloc") == 0;
    const char *full = getenv("S3S_FULL");
    is_full = full != NULL && full[0] != '\0' && strcmp(full, "0") != 0;
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
        for (const scenario *sc = lists[i]; sc->name != NULL; sc++) {
            for (size_t p = 0; p < 2; p++) {
                places[p].faults = !alloc;
                int from = alloc ? WAY_ALLOC_ONCE : WAY_STORE;
                int to = alloc ? WAY_STORE : WAY_STORE + FAULT_COUNT;
                for (int w = from; w < to; w++) {
                    /* Faults of a store are those of any store. In a directory the pauses before
                     * repetitions take their time: some suffice. */
                    bool slow = !alloc && p > 0 &&
                                (!is_full || !sc->writes || w - WAY_STORE == FAULT_BUSY ||
                                 w - WAY_STORE >= FAULT_CUT_ONCE);
                    if ((sc->memory_only && p > 0) || (!alloc && sc->no_store) || slow ||
                        (argc > 2 && strcmp(argv[2], sc->name) != 0 &&
                         strcmp(argv[2], "all") != 0) ||
                        (argc > 3 && strcmp(argv[3], places[p].name) != 0) ||
                        (argc > 4 && strcmp(argv[4], way_name(w)) != 0))
                        continue;
                    sweeps[count] = (sweep){.scenario = sc, .place = &places[p], .way = w,
                                            .only = argc > 5 ? atoll(argv[5]) : -1};
                    snprintf(names[count], sizeof names[count], "%s %s %s", sc->name,
                             places[p].name, way_name(w));
                    tests[count] = (struct CMUnitTest){.name = names[count],
                                                       .test_func = test_sweep,
                                                       .teardown_func = tell,
                                                       .initial_state = &sweeps[count]};
                    count++;
                }
            }
        }
    }
    int failed = _cmocka_run_group_tests("torture", tests, count, NULL, NULL);
    printf("%s points %" PRIu64 "\n", alloc ? "allocation" : "store operation", all_points);
    return failed > 0;
}
