/* Random bytes into every parser, and every allocation failing once: no crash, no leak, and
 * nothing that claims to be well formed without being it.
 */
#include <stdlib.h>

#include "base/env_private.h"
#include "dataset/config.h"
#include "dataset/content_hash.h"
#include "dataset/marker.h"
#include "dataset/partition.h"
#include "dataset/pattern.h"
#include "table.h"

static s3store_error err;
static s3s_env *env;
static uint64_t random_state = 0x9E3779B97F4A7C15u;

static int setup(void **state)
{
    (void)state;
    return s3s_env_new_real(&env, &err) != S3STORE_OK;
}

static int teardown(void **state)
{
    (void)state;
    bool leaked = s3s_env_live_allocs(env) != 0;
    s3s_env_release(env);
    return leaked;
}

static uint32_t random_below(uint32_t n)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (uint32_t)(random_state >> 33) % n;
}

/* Pieces that get far into a parser, with noise between; at most 5 KB. */
static char *random_text(void)
{
    static const char *const pieces[] = {
        "p/data/",  "p/_ref/", "1710684000000000", "-",       "0190a8b4d3a87f4ab1c2d3e4f5a6b7c8",
        ";",        ".ref",    ".parquet",         ".commit", "%2F",
        "%",        "a=",      "b=",               "/",       "..",
        "*",        "=",       ":",                "%Y",      "day",
        "\xE6\x97", "?",       "tok",              "9223372036854775807"};
    size_t count = random_below(12);
    size_t noise = random_below(20) == 0 ? 3000 : 6;
    char *text = malloc(5000);
    size_t at = 0;
    for (size_t i = 0; i < count && at < 1500; i++) {
        if (random_below(4) != 0) {
            const char *piece = pieces[random_below(sizeof pieces / sizeof pieces[0])];
            memcpy(text + at, piece, strlen(piece));
            at += strlen(piece);
            continue;
        }
        for (size_t n = random_below((uint32_t)noise); n > 0; n--)
            text[at++] = (char)(1 + random_below(255));
    }
    text[at] = '\0';
    return realloc(text, at + 1); /* so that a step too far is seen */
}

static void parse_key(const s3s_layout *layout, const char *text)
{
    s3s_ref ref;
    if (s3s_ref_parse(text, &ref, &err) == S3STORE_OK) {
        char key[S3S_KEY_SIZE];
        s3s_ref again;
        assert_true(ref.token[0] != '\0' && strlen(ref.attempt) == S3S_ATTEMPT_ID_SIZE);
        if (s3s_ref_key(layout, ref.micros, ref.token, ref.attempt, ref.partition, key, NULL) ==
            S3STORE_OK) {
            assert_ok(s3s_ref_parse(key, &again, &err));
            assert_memory_equal(&ref, &again, sizeof ref);
        }
    }
    s3s_data_name name = s3s_data_name_parse(layout, text);
    if (name.kind != S3S_DATA_FOREIGN) {
        assert_true(name.token.size > 0 && name.partition.size > 0);
        assert_true(name.kind == S3S_DATA_COMMIT || name.attempt.size == S3S_ATTEMPT_ID_SIZE);
    }
}

static void parse_rules(const char *text)
{
    static const char *const names[] = {"a", "b"};
    s3store_status status = s3s_token_check(text, &err);
    assert_true(status == S3STORE_OK || status == S3STORE_INVALID_ARGUMENT);
    s3s_value_check(text, text, strlen(text), &err);
    s3s_value_addressable(text, text, strlen(text), &err);
    s3s_names_check(&text, 1, "partition column", &err);
    if (s3s_partition_check(names, 2, text, &err) == S3STORE_OK) {
        s3s_pattern pattern;
        /* what may be written and addressed can be read again by its own name */
        if (s3s_partition_addressable(names, 2, text, &err) == S3STORE_OK) {
            assert_ok(s3s_pattern_parse(env, names, 2, text, -1, &pattern, &err));
            assert_true(s3s_pattern_matches(&pattern, (s3s_slice){text, strlen(text)}));
            assert_memory_equal(pattern.list_prefix, text, strlen(text));
            s3s_pattern_deinit(&pattern);
        }
    }
}

static void test_hostile__random_text(void **state)
{
    (void)state;
    static const char *const names[] = {"a", "b"};
    s3s_layout layout;
    s3s_arena arena;
    assert_ok(s3s_layout_init(&layout, env, "p", &err));
    s3s_arena_init(&arena, env);
    for (int round = 0; round < 30000; round++) {
        char *text = random_text();
        s3s_pattern pattern;
        s3s_part_spec spec;
        parse_key(&layout, text);
        parse_rules(text);
        if (s3s_pattern_parse(env, names, 2, text, 0, &pattern, &err) == S3STORE_OK) {
            s3s_pattern_matches(&pattern, (s3s_slice){text, strlen(text)});
            s3s_pattern_skip(&pattern, text);
            s3s_pattern_deinit(&pattern);
        }
        if (s3s_part_spec_parse(&arena, text, &spec, &err) == S3STORE_OK) {
            s3s_part_spec again;
            assert_ok(s3s_part_spec_parse(&arena, spec.text, &again, &err));
            assert_true(s3s_part_spec_equal(&spec, &again));
        }
        s3s_arena_reset(&arena);
        free(text);
    }
    s3s_arena_deinit(&arena);
    s3s_layout_deinit(&layout);
}

static void test_hostile__random_metadata(void **state)
{
    (void)state;
    static const char *const names[] = {"attemptid", "refmicrots", "insertedat", "rowcount",
                                        "contenthash"};
    static const char *const values[] = {"0190a8b4d3a87f4ab1c2d3e4f5a6b7c8", "1710684000000000",
                                         "-1", "0123456789abcdef"};
    for (int round = 0; round < 20000; round++) {
        s3store_metadata m = {0};
        for (size_t i = 0; i < 5; i++) {
            char *text = random_text();
            const char *value = random_below(4) == 0 ? text : values[random_below(4)];
            s3store_metadata_add(&m, names[i], value);
            free(text);
        }
        s3s_marker marker;
        s3store_status status = s3s_marker_parse(&m, "p/data/a=1/t.commit", &marker, &err);
        assert_true(status == S3STORE_OK || status == S3STORE_DAMAGED_MARKER);
        if (status == S3STORE_OK)
            assert_int_equal(strlen(marker.attempt), S3S_ATTEMPT_ID_SIZE);
    }
}

/* Runs step with the n-th allocation failing, for every n, until it passes. */
static void sweep(s3store_status (*step)(void *ctx), void *ctx)
{
    uint64_t before = s3s_env_live_allocs(env);
    for (uint64_t n = 0; n < 10000; n++) {
        memset(&err, 0, sizeof err);
        s3s_env_fail_any_alloc_at(env, n);
        s3store_status status = step(ctx);
        s3s_env_fail_alloc_at(env, UINT64_MAX);
        assert_int_equal(s3s_env_live_allocs(env), before);
        if (status == S3STORE_OK) {
            assert_true(n > 0);
            return;
        }
        assert_int_equal(status, S3STORE_OUT_OF_MEMORY);
        assert_int_equal(err.status, S3STORE_OUT_OF_MEMORY);
    }
    fail_msg("10,000 allocations are not enough");
}

static s3store_status make_layout(void *ctx)
{
    (void)ctx;
    s3s_layout layout;
    s3store_status status = s3s_layout_init(&layout, env, "prefix", &err);
    s3s_layout_deinit(&layout);
    return status;
}

static s3store_status parse_patterns(void *ctx)
{
    static const char *const names[] = {"a", "b"};
    static const char *const texts[] = {"*", "a=1/b=2", "a=1/b=2", "a=x*/*", "a=a..a-b-c/*",
                                        "a=1/b=b..c"};
    (void)ctx;
    s3s_patterns patterns;
    s3store_status status = s3s_patterns_parse(env, names, 2, texts, 6, &patterns, &err);
    s3s_patterns_deinit(&patterns);
    return status;
}

static s3store_status parse_specs(void *ctx)
{
    static const char *const texts[] = {"a", "b=c", "d=e:day", "f=g:%Y%m"};
    (void)ctx;
    s3s_arena arena;
    s3s_part_spec *specs;
    s3s_arena_init(&arena, env);
    s3store_status status = s3s_part_specs_parse(&arena, texts, 4, &specs, &err);
    s3s_arena_deinit(&arena);
    return status;
}

static s3store_status group_table(void *ctx)
{
    static const s3s_part_spec specs[] = {
        {"m", "t", S3S_FORMAT_MONTH, NULL, "m=t:month"},
        {"s", "s", S3S_FORMAT_NONE, NULL, "s"},
        {"d", "t", S3S_FORMAT_STRFTIME, "%d", "d=t:%d"},
    };
    const table *t = ctx;
    s3s_groups groups;
    s3s_group_options options = {0};
    s3store_status status = s3s_group_batches(env, t->schema, t->pointers, t->batch_count, specs, 3,
                                              &options, &groups, &err);
    s3s_groups_deinit(&groups);
    return status;
}

/* Names so long that an arena takes a block of its own for each copy. */
enum { LONG = 1024 * 1024 };
static char long_name[LONG + 1], other_long_name[LONG + 1];

static const char *join(char *out, const char *name, const char *rest)
{
    snprintf(out, LONG + 50, "%s%s", name, rest);
    return out;
}

static s3store_status parse_long_patterns(void *ctx)
{
    static char texts[4][LONG + 50];
    const char *const names[] = {long_name};
    const char *const list[] = {join(texts[0], long_name, "=1*"), join(texts[1], long_name, "=1..2"),
                                join(texts[2], long_name, "=a..a-b-c"),
                                join(texts[3], long_name, "=x")};
    (void)ctx;
    s3s_patterns patterns;
    s3store_status status = s3s_patterns_parse(env, names, 1, list, 4, &patterns, &err);
    if (status == S3STORE_OK)
        assert_int_equal(patterns.count, 4);
    s3s_patterns_deinit(&patterns);
    return status;
}

static s3store_status parse_long_specs(void *ctx)
{
    static char text[2 * LONG + 50];
    s3s_part_spec spec;
    s3s_arena arena;
    (void)ctx;
    snprintf(text, sizeof text, "%s=%s:%%Y-%%m", long_name, other_long_name);
    s3s_arena_init(&arena, env);
    s3store_status status = s3s_part_spec_parse(&arena, text, &spec, &err);
    if (status == S3STORE_OK)
        assert_string_equal(spec.column, other_long_name);
    s3s_arena_deinit(&arena);
    return status;
}

static s3store_status parse_long_descriptor(void *ctx)
{
    static char text[LONG];
    s3s_descriptor d;
    (void)ctx;
    snprintf(text, sizeof text,
             "{\"format\":1,\"partition_by\":[\"p=%.200000s\"],\"entity\":[\"%.200000s\","
             "\"%.200000s\"],\"version\":\"%.200000s\",\"inserted_at_column\":\"i\","
             "\"consistency\":\"c\"}",
             long_name, long_name, other_long_name, long_name);
    s3store_status status = s3s_descriptor_parse(env, text, strlen(text), "k", &d, &err);
    if (status == S3STORE_OK)
        s3s_descriptor_deinit(&d);
    return status;
}

static s3s_schema *long_schema(s3s_type first, bool second)
{
    s3store_error e;
    s3s_schema *schema;
    assert_int_equal(s3s_schema_new(NULL, second ? 2 : 1, &schema, &e), S3STORE_OK);
    schema->fields[0].name = s3s_arena_strdup(&schema->arena, long_name);
    schema->fields[0].type = first;
    schema->fields[0].nullable = true;
    if (second) {
        schema->fields[1].name = s3s_arena_strdup(&schema->arena, other_long_name);
        schema->fields[1].type = S3S_TYPE_BOOL;
        schema->fields[1].nullable = true;
    }
    return schema;
}

static s3store_status evolve_long_schema(void *ctx)
{
    s3s_schema *have = long_schema(S3S_TYPE_INT32, false), *in = long_schema(S3S_TYPE_INT64, true);
    s3s_schema *out;
    bool grown;
    (void)ctx;
    s3store_status status = s3s_schema_evolve(env, have, in, &out, &grown, &err);
    if (status == S3STORE_OK)
        assert_int_equal(out->field_count, 2);
    s3s_schema_release(out);
    s3s_schema_release(have);
    s3s_schema_release(in);
    return status;
}

static s3store_status hash_long_columns(void *ctx)
{
    s3s_schema *schema = long_schema(S3S_TYPE_INT64, true);
    s3s_content_hasher *h;
    (void)ctx;
    s3store_status status = s3s_content_hasher_new(env, schema, NULL, &h, &err);
    assert_true((h != NULL) == (status == S3STORE_OK));
    s3s_content_hasher_free(h);
    s3s_schema_release(schema);
    return status;
}

static void test_allocation__of_long_names_every_failure_is_an_error(void **state)
{
    (void)state;
    memset(long_name, 'n', LONG);
    memset(other_long_name, 'o', LONG);
    sweep(parse_long_patterns, NULL);
    sweep(parse_long_specs, NULL);
    sweep(parse_long_descriptor, NULL);
    sweep(evolve_long_schema, NULL);
    sweep(hash_long_columns, NULL);
}

static void test_allocation__every_failure_is_an_error(void **state)
{
    (void)state;
    table t;
    const char *const columns[] = {"t", "s"}, *const types[] = {"date", "string"};
    sweep(make_layout, NULL);
    sweep(parse_patterns, NULL);
    sweep(parse_specs, NULL);
    table_open(&t, env, columns, types, 2);
    for (int i = 0; i < 500; i++) {
        char s[8];
        snprintf(s, sizeof s, "%d", i % 90);
        table_int(&t, 0, i % 200);
        table_text(&t, 1, s);
    }
    table_cut(&t);
    sweep(group_table, &t);
    table_close(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hostile__random_text),
        cmocka_unit_test(test_hostile__random_metadata),
        cmocka_unit_test(test_allocation__every_failure_is_an_error),
        cmocka_unit_test(test_allocation__of_long_names_every_failure_is_an_error),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
