/* Patterns and what they say must be listed. First line the pattern, further ones hive keys. A key
 * that matches lies in what is listed; a walk never skips it. */
#include "dataset/pattern.h"
#include "dataset/partition.h"
#include "fuzz/fuzz.h"

#define KEYS_MAX 64

static void check_key(const s3s_pattern *p, const char *key)
{
    if (!s3s_pattern_matches(p, (s3s_slice){key, strlen(key)}))
        return;
    /* Objects lie below the hive key: its last segment ends with '/'. */
    char object[4096];
    snprintf(object, sizeof object, "%.4000s/x", key);
    FUZZ_CHECK(strncmp(object, p->list_prefix, strlen(p->list_prefix)) == 0);
    FUZZ_CHECK(p->start_after == NULL || strcmp(object, p->start_after) > 0);
    FUZZ_CHECK(p->stop_at == NULL || strcmp(object, p->stop_at) < 0);
    const char *to = s3s_pattern_skip(p, object);
    (void)to;
    for (size_t i = 0; i < p->gap_count; i++)
        FUZZ_CHECK(strcmp(object, p->gaps[i].from) < 0 || strcmp(object, p->gaps[i].to) > 0);
}

/* From any key, the walk does not jump over one that matches. */
static void check_walk(const s3s_pattern *p, const char *from, const char *key)
{
    char at[4096], object[4096];
    snprintf(at, sizeof at, "%.4000s/x", from);
    snprintf(object, sizeof object, "%.4000s/x", key);
    const char *to = s3s_pattern_skip(p, at);
    if (to == NULL || strcmp(at, object) >= 0)
        return;
    if (s3s_pattern_matches(p, (s3s_slice){key, strlen(key)}))
        FUZZ_CHECK(strcmp(object, to) > 0);
}

static void check_spec(const char *text)
{
    s3s_arena arena;
    s3s_arena_init(&arena, fuzz_env());
    s3s_part_spec spec, again;
    s3store_error err = {0};
    if (s3s_part_spec_parse(&arena, text, &spec, &err) == S3STORE_OK) {
        FUZZ_CHECK(s3s_part_spec_parse(&arena, spec.text, &again, &err) == S3STORE_OK);
        FUZZ_CHECK(s3s_part_spec_equal(&spec, &again));
    } else {
        FUZZ_CHECK(err.message[0] != '\0' || err.status == S3STORE_OUT_OF_MEMORY);
    }
    s3s_arena_deinit(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const names[] = {"a", "b", "c"};
    char *text = fuzz_text(data, size);
    char *rest = text;
    const char *first = fuzz_line(&rest);
    const char *keys[KEYS_MAX];
    size_t count = 0;
    for (char *line = fuzz_line(&rest); line != NULL && count < KEYS_MAX; line = fuzz_line(&rest))
        if (strlen(line) <= S3STORE_KEY_MAX_BYTES)
            keys[count++] = line;
    if (first != NULL)
        check_spec(first);
    for (size_t parts = 1; first != NULL && parts <= 3; parts++) {
        s3s_pattern p;
        s3store_error err = {0};
        if (s3s_pattern_parse(fuzz_env(), names, parts, first, 0, &p, &err) != S3STORE_OK) {
            FUZZ_CHECK(err.message[0] != '\0');
            continue;
        }
        for (size_t i = 0; i < count; i++) {
            check_key(&p, keys[i]);
            for (size_t k = 0; k < count; k++)
                check_walk(&p, keys[i], keys[k]);
        }
        s3s_pattern_deinit(&p);
    }
    free(text);
    fuzz_check_leaks();
    return 0;
}
