/* What a plan lists never leaves out a match: random patterns against random keys of a small
 * alphabet that has the bytes on both sides of '/' in it, and the plan's bounds are not idle
 * either.
 */
#include <stdlib.h>

#include "dataset/pattern.h"
#include "support/test.h"

static s3store_error err;
static const char *const names[] = {"a", "b", "c"};

static uint64_t random_state = 88172645463325252u;

static uint32_t random_below(uint32_t n)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (uint32_t)(random_state >> 33) % n;
}

/* 0 to 4 bytes around '/', without "..": '-' '.' ' ' '!' sort below it, '0' and 'a' above. */
static const char *random_value(char *out)
{
    static const char alphabet[] = "-. !0a\xE6\x01";
    size_t size = random_below(5);
    for (size_t i = 0; i < size; i++)
        do
            out[i] = alphabet[random_below(sizeof alphabet - 1)];
        while (i > 0 && out[i] == '.' && out[i - 1] == '.');
    out[size] = '\0';
    return out;
}

static void random_segment(char *out, size_t out_size, const char *name)
{
    char from[8], to[8];
    random_value(from);
    random_value(to);
    switch (random_below(8)) {
    case 0:
        snprintf(out, out_size, "*");
        return;
    case 1:
        snprintf(out, out_size, "%s=%s*", name, from);
        return;
    case 2:
    case 3:
        snprintf(out, out_size, "%s=%s", name, from);
        return;
    default:
        if (from[0] != '\0' && to[0] != '\0' && strcmp(from, to) > 0) {
            char other[8];
            strcpy(other, from);
            strcpy(from, to);
            strcpy(to, other);
        }
        snprintf(out, out_size, "%s=%s..%s", name, from, to);
    }
}

/* What was listed and what was not, over all runs. */
static size_t match_count, pruned_count, skipped_count;

static void check_key(const s3s_pattern *p, const char *pattern, const char *hive)
{
    char key[128];
    snprintf(key, sizeof key, "%s/%s", hive, random_below(2) == 0 ? "t.commit" : "!");
    bool inside = strncmp(key, p->list_prefix, strlen(p->list_prefix)) == 0;
    bool above = p->start_after == NULL || strcmp(key, p->start_after) > 0;
    bool below = p->stop_at == NULL || strcmp(key, p->stop_at) < 0;
    bool matches = s3s_pattern_matches(p, (s3s_slice){hive, strlen(hive)});
    if (matches && !(inside && above && below))
        fail_msg("%s matches %s, but prefix \"%s\", start \"%s\", stop \"%s\" leave it out",
                 pattern, key, p->list_prefix, p->start_after != NULL ? p->start_after : "-",
                 p->stop_at != NULL ? p->stop_at : "-");
    const char *skip = s3s_pattern_skip(p, key);
    if (matches && skip != NULL)
        fail_msg("%s matches %s, which lies in the gap before \"%s\"", pattern, key, skip);
    if (skip != NULL && (strcmp(skip, key) <= 0 || strcmp(skip, p->stop_at) >= 0))
        fail_msg("%s: from %s the walk would go on at \"%s\"", pattern, key, skip);
    match_count += matches;
    pruned_count += inside && !(above && below);
    skipped_count += inside && above && below && skip != NULL;
}

static void test_plan__never_leaves_out_a_match(void **state)
{
    (void)state;
    for (int round = 0; round < 20000; round++) {
        char pattern[128], segments[3][24], hive[96];
        uint32_t count = 1 + random_below(3);
        pattern[0] = '\0';
        for (uint32_t i = 0; i < count; i++) {
            random_segment(segments[i], sizeof segments[i], names[i]);
            strcat(pattern, i > 0 ? "/" : "");
            strcat(pattern, segments[i]);
        }
        s3s_pattern p;
        if (s3s_pattern_parse(NULL, names, count, pattern, -1, &p, &err) != S3STORE_OK)
            continue; /* such as "a=.." */
        for (int k = 0; k < 30; k++) {
            hive[0] = '\0';
            for (uint32_t i = 0; i < count; i++) {
                char value[8];
                const char *text = random_value(value);
                /* often what the pattern itself says, to be near its edges */
                if (p.count > 0 && random_below(3) == 0)
                    text = random_below(2) == 0 ? p.segments[i].from : p.segments[i].to;
                snprintf(hive + strlen(hive), 32, "%s%s=%s", i > 0 ? "/" : "", names[i], text);
            }
            check_key(&p, pattern, hive);
        }
        s3s_pattern_deinit(&p);
    }
    assert_true(match_count > 10000);
    assert_true(pruned_count > 10000);
    assert_true(skipped_count > 1000);
}

/* All values of up to 3 bytes against all ranges of them: no randomness to miss a case. */
static void test_plan__every_small_range(void **state)
{
    (void)state;
    static const char alphabet[] = "-.0a";
    static char values[1 + 4 + 16 + 64][4];
    size_t count = 0;
    for (size_t size = 0; size <= 3; size++) {
        size_t combinations = (size_t)1 << (2 * size);
        for (size_t n = 0; n < combinations; n++) {
            char *value = values[count];
            for (size_t i = 0; i < size; i++)
                value[i] = alphabet[n >> (2 * i) & 3];
            value[size] = '\0';
            count += strstr(value, "..") == NULL;
        }
    }
    for (size_t from = 0; from < count; from++)
        for (size_t to = 0; to < count; to++) {
            char pattern[32];
            snprintf(pattern, sizeof pattern, "a=%s..%s", values[from], values[to]);
            s3s_pattern p;
            if (s3s_pattern_parse(NULL, names, 1, pattern, -1, &p, &err) != S3STORE_OK)
                continue;
            for (size_t v = 0; v < count; v++) {
                char hive[16];
                snprintf(hive, sizeof hive, "a=%s", values[v]);
                check_key(&p, pattern, hive);
            }
            s3s_pattern_deinit(&p);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plan__never_leaves_out_a_match),
        cmocka_unit_test(test_plan__every_small_range),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
