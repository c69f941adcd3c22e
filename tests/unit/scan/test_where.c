/* Predicates: the language, and what they leave of a result, against a model that works row by row. */
#include "unit/scan/kit.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

#include "arrow/builder.h"
#include "datafile/datafile.h"
#include "scan/where.h"

/* ---- the language ---------------------------------------------------------------------------- */

static s3store_status try_where(fixture *fx, const char *text, s3s_scan_mode mode, char *out,
                                s3store_error *err)
{
    s3s_scan_options o = kit_options(mode);
    o.where = text;
    memset(err, 0, sizeof *err);
    return kit_scan(fx, "", &o, out, err);
}

static void test_where__mistakes_are_named_with_their_position(void **state)
{
    (void)state;
    static const struct {
        const char *where, *message;
    } cases[] = {
        {"", "the predicate is empty"},
        {"  ", "the predicate is empty"},
        {"value", "at the end: expected =, !=, <, <=, >, >=, in or is"},
        {"value =", "at the end: expected a value"},
        {"value = null", "at position 9 (null): nothing equals null"},
        {"value = = 1", "at position 9 (= 1): expected a value"},
        {"value = other", "at position 9 (other): expected a value"},
        {"value ~ 1", "at position 7 (~ 1): this has no meaning here"},
        {"value = 1 value", "at position 11 (value): expected and, or, ) or the end"},
        {"value = 1 and", "at the end: expected a column"},
        {"and value = 1", "at position 1 (and value = 1): expected a column"},
        {"(value = 1", "at the end: a ( is not closed"},
        {"value = 1)", "at position 10 ()): there is no ( for this )"},
        {"value in 1", "at position 10 (1): expected ( after in"},
        {"value in ()", "at position 11 ()): expected a value"},
        {"value in (1 2)", "at position 13 (2)): expected , or ) in the list"},
        {"value not 1", "at position 11 (1): expected in after not"},
        {"value is 1", "at position 10 (1): expected null after is or is not"},
        {"value = 1.", "at position 9 (1.): this is no number"},
        {"value = 1x", "at position 9 (1x): this is no number"},
        {"value = -", "at position 9 (-): this is no number"},
        {"value = .5", "at position 9 (.5): this has no meaning here"},
        {"value = -.", "at position 9 (-.): this is no number"},
        {"value = 1e", "at position 9 (1e): this is no number"},
        {"value = 1E+", "at position 9 (1E+): this is no number"},
        {"value = e1", "at position 9 (e1): expected a value"},
        {"value = 1.5e-", "at position 9 (1.5e-): this is no number"},
        {"value = 1.5.2", "at position 9 (1.5.2): this is no number"},
        {"value = 1e5x", "at position 9 (1e5x): this is no number"},
        {"value in (1, ~)", "at position 14 (~)): this has no meaning here"},
        {"value in ~", "at position 10 (~): this has no meaning here"},
        {"value is ~", "at position 10 (~): this has no meaning here"},
        {"value is not ~", "at position 14 (~): this has no meaning here"},
        {"value not ~", "at position 11 (~): this has no meaning here"},
        {"value = 1 and ~", "at position 15 (~): this has no meaning here"},
        {"not ~", "at position 5 (~): this has no meaning here"},
        {"(value = 1) ~", "at position 13 (~): this has no meaning here"},
        {"\xc3\xa4 = 1", "unknown column \"\xc3\xa4\""},
        {"{x = 1", "at position 1 ({x = 1): this has no meaning here"},
        {"entity = 'a", "at position 10 ('a): the text has no closing '"},
        {"\"entity = 'a'", "at position 1 (\"entity = 'a'): the name has no closing \""},
        {"entity = 1", "at position 10: column \"entity\" has type string: compare it with 'text'"},
        {"value = 'x'", "at position 9: column \"value\" has type int64: compare it with a number"},
        {"other = 1", "unknown column \"other\"; there are: entity, version, value"},
    };
    fixture fx;
    s3store_error err;
    char *text = malloc(KIT_TEXT);
    fixture_open(&fx, NULL, NULL);
    kit_write(&fx, "p=1", (fixture_row[]){{"a", 1, 10, false}}, 1);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        s3store_status status = try_where(&fx, cases[i].where, S3S_SCAN_LATEST, text, &err);
        assert_int_equal(status, S3STORE_INVALID_ARGUMENT);
        if (strstr(err.message, cases[i].message) == NULL)
            fail_msg("%s: %s", cases[i].where, err.message);
    }
    free(text);
    fixture_close_clean(&fx);
}

static void test_where__nesting_and_length_are_bounded(void **state)
{
    (void)state;
    fixture fx;
    s3store_error err;
    char *text = malloc(KIT_TEXT), *predicate = malloc(100002);
    fixture_open(&fx, NULL, NULL);
    kit_write(&fx, "p=1", (fixture_row[]){{"a", 1, 10, false}}, 1);
    for (int depth = 31; depth <= 34; depth++) { /* (a or (b and (a or ...)))) */
        predicate[0] = '\0';
        for (int i = 0; i < depth; i++)
            strcat(predicate, i % 2 ? "value = 1 and (" : "value = 10 or version = 1 and (");
        strcat(predicate, "value = 10");
        for (int i = 0; i < depth; i++)
            strcat(predicate, ")");
        s3store_status status = try_where(&fx, predicate, S3S_SCAN_LATEST, text, &err);
        assert_int_equal(status, depth <= 32 ? S3STORE_OK : S3STORE_INVALID_ARGUMENT);
        if (depth <= 32)
            assert_string_equal(text, "{p=1}a|1|10;");
        else
            assert_non_null(strstr(err.message, "more than 32 levels"));
    }
    predicate[0] = '\0';
    for (int i = 0; i < 33; i++)
        strcat(predicate, "not ");
    strcat(predicate, "value = 1");
    assert_int_equal(try_where(&fx, predicate, S3S_SCAN_ROWS, text, &err), S3STORE_INVALID_ARGUMENT);
    predicate[0] = '\0';
    for (size_t i = 0; i < 2500; i++) /* long is not deep */
        memcpy(predicate + i * 16, "value = 10  and ", 17);
    strcat(predicate, "version = 1");
    assert_ok(try_where(&fx, predicate, S3S_SCAN_LATEST, text, &err));
    assert_string_equal(text, "{p=1}a|1|10;");
    memset(predicate, ' ', 100000);
    predicate[100000] = '\0';
    assert_int_equal(try_where(&fx, predicate, S3S_SCAN_ROWS, text, &err), S3STORE_INVALID_ARGUMENT);
    assert_non_null(strstr(err.message, "65536 are allowed"));
    free(predicate);
    free(text);
    fixture_close_clean(&fx);
}

static void test_where__words_need_no_case_and_names_may_be_quoted(void **state)
{
    (void)state;
    fixture fx;
    s3store_error err;
    char *text = malloc(KIT_TEXT);
    fixture_open(&fx, NULL, NULL);
    kit_write(&fx, "p=1", (fixture_row[]){{"it's", 1, 10, false}, {"b", 1, 0, true}}, 2);
    assert_ok(try_where(&fx, "\"entity\" = 'it''s' AND NOT value IS NULL", S3S_SCAN_LATEST, text,
                        &err));
    assert_string_equal(text, "{p=1}it's|1|10;");
    assert_ok(try_where(&fx, "value Not In (1,10.0,+3e2) oR value is Null", S3S_SCAN_LATEST, text,
                        &err));
    assert_string_equal(text, "{p=1}b|1|-;");
    free(text);
    fixture_close_clean(&fx);
}

static void test_where__filters_the_result_and_not_the_versions(void **state)
{
    (void)state;
    fixture fx;
    s3store_error err;
    char *text = malloc(KIT_TEXT);
    fixture_open(&fx, NULL, NULL);
    kit_write(&fx, "p=1", (fixture_row[]){{"a", 1, 10, false}, {"b", 1, 10, false}}, 2);
    kit_write(&fx, "p=1", (fixture_row[]){{"a", 2, 20, false}}, 1);
    assert_ok(try_where(&fx, "value = 10", S3S_SCAN_LATEST, text, &err));
    assert_string_equal(text, "{p=1}b|1|10;"); /* a's latest is 20: version 1 must not come back */
    assert_ok(try_where(&fx, "value = 10", S3S_SCAN_HISTORY, text, &err));
    assert_string_equal(text, "{p=1}a|1|10;b|1|10;");
    assert_ok(try_where(&fx, "version = 1", S3S_SCAN_LATEST, text, &err));
    assert_string_equal(text, "{p=1}b|1|10;");
    assert_ok(try_where(&fx, "entity = 'a'", S3S_SCAN_LATEST, text, &err)); /* pushed down */
    assert_string_equal(text, "{p=1}a|2|20;");
    assert_ok(try_where(&fx, "entity = 'none'", S3S_SCAN_LATEST, text, &err));
    assert_string_equal(text, "");
    free(text);
    fixture_close_clean(&fx);
}

static void test_where__tested_columns_are_fetched_and_dropped_and_the_limit_counts_after_it(
    void **state)
{
    (void)state;
    static const char *const columns[] = {"entity"};
    fixture fx;
    s3store_error err;
    char *text = malloc(KIT_TEXT);
    fixture_open(&fx, NULL, NULL);
    kit_write(&fx, "p=1",
              (fixture_row[]){{"a", 1, 1, false}, {"b", 1, 2, false}, {"c", 1, 3, false},
                              {"d", 1, 4, false}},
              4);
    for (s3s_scan_mode mode = S3S_SCAN_ROWS; mode <= S3S_SCAN_HISTORY; mode++) {
        s3s_scan_options o = kit_options(mode);
        o.columns = columns;
        o.column_count = 1;
        o.where = "value >= 2 and version = 1";
        o.limit = 2;
        assert_ok(kit_scan(&fx, "", &o, text, &err));
        assert_string_equal(text, "{p=1}b;c;");
    }
    free(text);
    fixture_close_clean(&fx);
}

/* ---- against a model --------------------------------------------------------------------------- */

typedef struct wide {
    char entity[4];
    const char *name;
    int64_t version, big, time;
    uint64_t huge;
    double real;
    float small_real;
    int32_t day;
    int8_t small;
    bool flag, no_big, no_real, no_name, no_time, no_flag;
} wide;

#define WIDE(m) offsetof(wide, m)
static const s3store_field wide_fields[] = {
    {.name = "entity", .kind = S3STORE_KIND_CSTRING, .offset = WIDE(name)},
    {.name = "version", .kind = S3STORE_KIND_INT64, .offset = WIDE(version)},
    {"big", S3STORE_KIND_INT64, WIDE(big), S3STORE_NULL_FLAG, WIDE(no_big), 0},
    {"time", S3STORE_KIND_TIMESTAMP, WIDE(time), S3STORE_NULL_FLAG, WIDE(no_time),
     S3STORE_UNIT_MILLI},
    {.name = "huge", .kind = S3STORE_KIND_UINT64, .offset = WIDE(huge)},
    {"real", S3STORE_KIND_DOUBLE, WIDE(real), S3STORE_NULL_FLAG, WIDE(no_real), 0},
    {.name = "small_real", .kind = S3STORE_KIND_FLOAT, .offset = WIDE(small_real)},
    {.name = "day", .kind = S3STORE_KIND_DATE, .offset = WIDE(day)},
    {.name = "small", .kind = S3STORE_KIND_INT8, .offset = WIDE(small)},
    {"flag", S3STORE_KIND_BOOL, WIDE(flag), S3STORE_NULL_FLAG, WIDE(no_flag), 0},
};
static const s3store_record_type wide_type = S3STORE_RECORD_TYPE(wide, wide_fields);

typedef struct dice {
    uint64_t state;
} dice;

static uint64_t roll(dice *d, uint64_t sides)
{
    d->state ^= d->state << 13;
    d->state ^= d->state >> 7;
    d->state ^= d->state << 17;
    return (d->state >> 11) % sides;
}

static const int64_t bigs[] = {INT64_MIN, -2, -1, 0, 1, 2, INT64_MAX - 1, INT64_MAX};
static const uint64_t huges[] = {0, 1, 2, INT64_MAX, (uint64_t)INT64_MAX + 1, UINT64_MAX};
static const double reals[] = {-1e300, -1.5, -0.0, 0.0, 0.1, 1.0, 2.5, 1e300};
static const char *const names[] = {"a", "aa", "b", "it's", "\xc3\xa9"};
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define PICK(d, a) ((a)[roll(d, COUNT(a))])

static wide random_row(dice *d)
{
    return (wide){
        .name = PICK(d, names),
        .version = (int64_t)roll(d, 4),
        .big = PICK(d, bigs),
        .no_big = roll(d, 4) == 0,
        .time = (int64_t)roll(d, 5) * 500 - 1000,
        .no_time = roll(d, 4) == 0,
        .huge = PICK(d, huges),
        .real = PICK(d, reals),
        .no_real = roll(d, 4) == 0,
        .small_real = (float)PICK(d, reals) / 2,
        .day = (int32_t)roll(d, 4) - 2,
        .small = (int8_t)(roll(d, 6) - 3),
        .flag = roll(d, 2) == 0,
        .no_flag = roll(d, 4) == 0,
    };
}

/* A random predicate: its text, and its truth for each row (0 false, 1 unknown, 2 true). */
typedef struct predicate {
    char text[4096];
    int truths[64];
} predicate;

static void say(predicate *p, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void say(predicate *p, const char *format, ...)
{
    va_list args;
    size_t used = strlen(p->text);
    va_start(args, format);
    vsnprintf(p->text + used, sizeof p->text - used, format, args);
    va_end(args);
}

static bool holds(int op, int order)
{
    return op == 0   ? order == 0
           : op == 1 ? order != 0
           : op == 2 ? order < 0
           : op == 3 ? order <= 0
           : op == 4 ? order > 0
                     : order >= 0;
}

static int sign(long double a, long double b)
{
    return a < b ? -1 : a > b;
}

/* Column c of a row against literal k of the column's own list: its text and the order. */
static bool is_null(const wide *r, int c)
{
    return c == 1 ? r->no_big : c == 2 ? r->no_time : c == 4 ? r->no_real : c == 8 && r->no_flag;
}

static const char *const column_names[] = {"entity", "big",  "time",  "huge",   "real",
                                           "small_real", "day", "small", "flag", "version"};

static const struct literal {
    const char *text;
    long double value; /* long double holds every int64 and uint64 */
} int_literals[] = {{"-9223372036854775808", -9223372036854775808.0L},
                    {"-99999999999999999999", -99999999999999999999.0L},
                    {"-1.5", -1.5L},
                    {"-1", -1},
                    {"0", 0},
                    {"+1e0", 1},
                    {"1.25", 1.25L},
                    {"9223372036854775806", 9223372036854775806.0L},
                    {"9223372036854775807", 9223372036854775807.0L},
                    {"9223372036854775808", 9223372036854775808.0L},
                    {"18446744073709551615", 18446744073709551615.0L},
                    {"18446744073709551616", 18446744073709551616.0L},
                    {"1e30", 1e30L}},
  real_literals[] = {{"-1.5", -1.5}, {"0", 0}, {"0.1", 0.1}, {"1", 1}, {"1e300", 1e300}},
  time_literals[] = {{"'1970-01-01T00:00:00Z'", 0},
                     {"'1969-12-31T23:59:59.5Z'", -500},
                     {"'1970-01-01T00:00:00.4999Z'", 499.9L},
                     {"'1970-01-01T01:00:00.500+01:00'", 500},
                     {"'1970-01-01'", 0}},
  day_literals[] = {{"'1970-01-01'", 0}, {"'1969-12-31'", -1}},
  name_literals[] = {{"'a'", 0}, {"'aaa'", 0}, {"'it''s'", 0}, {"'\xc3\xa9'", 0}, {"''", 0}},
  bool_literals[] = {{"true", 1}, {"FALSE", 0}};
static const char *const name_values[] = {"a", "aaa", "it's", "\xc3\xa9", ""};

static int order_of(const wide *r, int c, size_t k)
{
    switch (c) {
    case 0:
        return strcmp(r->name, name_values[k]);
    case 1:
        return sign(r->big, int_literals[k].value);
    case 2:
        return sign(r->time, time_literals[k].value);
    case 3:
        return sign(r->huge, int_literals[k].value);
    case 4:
        return sign(r->real, (double)real_literals[k].value);
    case 5:
        return sign(r->small_real, (float)(double)real_literals[k].value);
    case 6:
        return sign(r->day, day_literals[k].value);
    case 7:
        return sign(r->small, int_literals[k].value);
    case 8:
        return sign(r->flag, bool_literals[k].value);
    default:
        return sign(r->version, int_literals[k].value);
    }
}

static const struct literal *literals_of(int c, size_t *count)
{
    static const struct literal *const lists[] = {name_literals, int_literals,  time_literals,
                                                  int_literals,  real_literals, real_literals,
                                                  day_literals,  int_literals,  bool_literals,
                                                  int_literals};
    static const size_t counts[] = {COUNT(name_literals), COUNT(int_literals),
                                    COUNT(time_literals), COUNT(int_literals),
                                    COUNT(real_literals), COUNT(real_literals),
                                    COUNT(day_literals),  COUNT(int_literals),
                                    COUNT(bool_literals), COUNT(int_literals)};
    *count = counts[c];
    return lists[c];
}

static void random_test(dice *d, predicate *p, const wide *rows, size_t count, bool only_entity)
{
    static const char *const ops[] = {"=", "!=", "<", "<=", ">", ">="};
    static const char *const again[] = {"==", "<>"};
    int c = only_entity ? 0 : (int)roll(d, COUNT(column_names)), op = (int)roll(d, 6);
    size_t literals, what = roll(d, 6);
    const struct literal *list = literals_of(c, &literals);
    if (what == 0) {
        bool negated = roll(d, 2) == 0;
        say(p, "%s is %snull", column_names[c], negated ? "not " : "");
        for (size_t i = 0; i < count; i++)
            p->truths[i] = is_null(&rows[i], c) != negated ? 2 : 0;
        return;
    }
    size_t wanted = what == 1 ? 1 + roll(d, 3) : 1;
    bool negated = what == 1 && roll(d, 2) == 0;
    for (size_t i = 0; i < count; i++)
        p->truths[i] = 0;
    say(p, what == 1 ? "%s %s(" : "%s %s ", column_names[c],
        what == 1 ? (negated ? "not in " : "in ") : roll(d, 2) == 0 && op <= 1 ? again[op] : ops[op]);
    for (size_t n = 0; n < wanted; n++) {
        size_t k = roll(d, literals);
        say(p, "%s%s", n > 0 ? "," : "", list[k].text);
        for (size_t i = 0; i < count; i++) {
            if (holds(what == 1 ? 0 : op, order_of(&rows[i], c, k)))
                p->truths[i] = 2;
        }
    }
    say(p, "%s", what == 1 ? ")" : "");
    for (size_t i = 0; i < count; i++)
        p->truths[i] = is_null(&rows[i], c) ? 1 : negated ? 2 - p->truths[i] : p->truths[i];
}

static void random_predicate(dice *d, predicate *p, const wide *rows, size_t count, int depth,
                             bool only_entity)
{
    uint64_t what = depth == 0 ? 0 : roll(d, 4);
    if (what == 0) {
        random_test(d, p, rows, count, only_entity);
    } else if (what == 1) {
        say(p, "not (");
        random_predicate(d, p, rows, count, depth - 1, only_entity);
        say(p, ")");
        for (size_t i = 0; i < count; i++)
            p->truths[i] = 2 - p->truths[i];
    } else {
        int left[64];
        say(p, "(");
        random_predicate(d, p, rows, count, depth - 1, only_entity);
        memcpy(left, p->truths, sizeof left);
        say(p, what == 2 ? ") and (" : ") or (");
        random_predicate(d, p, rows, count, depth - 1, only_entity);
        say(p, ")");
        for (size_t i = 0; i < count; i++) {
            bool first = what == 2 ? left[i] < p->truths[i] : left[i] > p->truths[i];
            p->truths[i] = first ? left[i] : p->truths[i];
        }
    }
}

/* The rows that remain before the predicate, in order. */
static size_t model(const wide *rows, size_t count, s3s_scan_mode mode, size_t *kept)
{
    size_t n = 0;
    for (size_t i = 0; i < count; i++) {
        bool loses = false;
        for (size_t k = 0; mode != S3S_SCAN_ROWS && k < count; k++) {
            if (k == i || strcmp(rows[k].name, rows[i].name) != 0)
                continue;
            if (mode == S3S_SCAN_LATEST)
                loses = loses || rows[k].version > rows[i].version ||
                        (rows[k].version == rows[i].version && k > i);
            else
                loses = loses || (rows[k].version == rows[i].version && k < i);
        }
        if (loses)
            continue;
        size_t at = n++;
        for (; mode != S3S_SCAN_ROWS && at > 0; at--) {
            const wide *before = &rows[kept[at - 1]];
            int order = strcmp(before->name, rows[i].name);
            if (order < 0 || (order == 0 && before->version <= rows[i].version))
                break;
            kept[at] = kept[at - 1];
        }
        kept[at] = i;
    }
    return n;
}

static void check_against_model(fixture *fx, dice *d, const wide *rows, size_t count, char *text,
                                char *expected)
{
    static const char *const columns[] = {"version", "entity"};
    predicate p = {.text = ""};
    s3s_scan_mode mode = (s3s_scan_mode)roll(d, 3);
    size_t kept[64];
    s3store_error err;
    random_predicate(d, &p, rows, count, (int)roll(d, 4), roll(d, 4) == 0);
    s3s_scan_options o = kit_options(mode);
    o.where = p.text;
    o.columns = columns;
    o.column_count = 2;
    s3store_status status = kit_scan(fx, "", &o, text, &err);
    if (status != S3STORE_OK)
        fail_msg("%s: %s", p.text, err.message);
    size_t n = model(rows, count, mode, kept), used = 0;
    expected[0] = '\0';
    for (size_t i = 0; i < n; i++) {
        if (p.truths[kept[i]] == 2)
            used += (size_t)snprintf(expected + used, KIT_TEXT - used, "%s%" PRId64 "|%s;",
                                     used == 0 ? "{p=1}" : "", rows[kept[i]].version,
                                     rows[kept[i]].name);
    }
    if (strcmp(text, expected) != 0)
        fail_msg("mode %d, %s:\n%s\n%s", (int)mode, p.text, text, expected);
}

static void test_where__random_predicates_keep_what_the_model_keeps(void **state)
{
    (void)state;
    dice d = {.state = 20181107};
    char *text = malloc(KIT_TEXT), *expected = malloc(KIT_TEXT);
    for (int dataset = 0; dataset < 40; dataset++) {
        wide rows[64];
        fixture fx;
        fixture_write write = {.partition = "p=1"};
        size_t count = 1 + roll(&d, 40);
        for (size_t i = 0; i < count; i++)
            rows[i] = random_row(&d);
        fixture_open(&fx, NULL, NULL);
        fixture_write_records(&fx, &write, &wide_type, rows, count);
        for (int i = 0; i < 50; i++)
            check_against_model(&fx, &d, rows, count, text, expected);
        fixture_close_clean(&fx);
    }
    free(text);
    free(expected);
}

/* What no model rolls: types that only other writers use, and literals that do not fit. */
static void test_where__literals_bind_to_the_type_of_the_column(void **state)
{
    (void)state;
    static const struct {
        const char *type, *where, *message; /* message NULL = fits */
    } cases[] = {
        {"binary", "c = 'x'", "at position 5: column \"c\" has type binary, which can only be tested "
                              "with is null"},
        {"binary", "c is null", NULL},
        {"date", "c = 'x'", "at position 5: column \"c\" has type date: compare it with a date"},
        {"date", "c = 5", "compare it with a date like '2018-02-07'"},
        {"timestamp_us", "c > 'x'", "compare it with a time like '2018-02-07T01:26:13Z'"},
        {"timestamp_us", "c > 5", "compare it with a time like"},
        {"timestamp(us)", "c > '2018-02-07T01:26:13'", NULL}, /* without zone, as the column */
        {"timestamp_us", "c > '2018-02-07T01:26:13'", "compare it with a time like"},
        {"null", "c = 5 or c = 'x'", NULL}, /* unknown, whatever it is compared with */
        {"timestamp_ns", "c < '2500-01-01T00:00:00Z' and c > '1600-01-01'", NULL},
        {"double", "c = 'x'", "has type double: compare it with a number"},
        {"bool", "c = 1", "has type bool: compare it with true or false"},
        {"int8", "c = 99999999999999999999.5 or c = 999", NULL},
        {"int8", "c = true", "compare it with a number"},
        {"int64", "c = 9223372036854775808 or c > -9223372036854775809", NULL},
        {"int64", "c = 1e5 or c < 1.5E+3 or c > -2e-1 or c = +7", NULL},
        {"uint64", "c = -0 or c > -1 or c < 18446744073709551616", NULL},
        {"date64", "c = '2018-02-07'", NULL},
        {"timestamp(us)",
         "c = 'a text that is longer than any time that anybody could write, with a zone or without "
         "one, in whatever form'",
         "compare it with a time like"},
        {"int64", "d = 1", "at position 1: unknown column \"d\""},
    };
    fixture fx;
    fixture_open(&fx, NULL, NULL);
    for (size_t i = 0; i < COUNT(cases); i++) {
        s3store_error err;
        s3s_schema *schema = NULL;
        s3s_arena arena;
        where *w = NULL;
        s3s_arena_init(&arena, fx.env);
        assert_ok(s3s_schema_new(fx.env, 1, &schema, &err));
        assert_true(s3s_type_from_text(cases[i].type, &schema->fields[0]));
        schema->fields[0].name = "c";
        assert_ok(s3s_where_parse(&arena, cases[i].where, &w, &err));
        if (cases[i].message == NULL)
            assert_ok(s3s_where_bind(w, schema, &err));
        else
            assert_fails(s3s_where_bind(w, schema, &err), S3STORE_INVALID_ARGUMENT,
                         cases[i].message);
        s3s_schema_release(schema);
        s3s_arena_deinit(&arena);
    }
    fixture_close_clean(&fx);
}

typedef struct odd {
    const char *entity;
    int64_t version, time;
    double real;
    s3store_bytes blob;
} odd;

#define ODD(m) offsetof(odd, m)
static const s3store_field odd_fields[] = {
    {.name = "entity", .kind = S3STORE_KIND_CSTRING, .offset = ODD(entity)},
    {.name = "version", .kind = S3STORE_KIND_INT64, .offset = ODD(version)},
    {"time", S3STORE_KIND_TIMESTAMP, ODD(time), 0, 0, S3STORE_UNIT_NANO},
    {.name = "real", .kind = S3STORE_KIND_DOUBLE, .offset = ODD(real)},
    {.name = "blob", .kind = S3STORE_KIND_BINARY, .offset = ODD(blob)},
};
static const s3store_record_type odd_type = S3STORE_RECORD_TYPE(odd, odd_fields);

static void test_where__not_a_number_and_times_out_of_range_are_in_no_order(void **state)
{
    (void)state;
    static const char *const columns[] = {"entity"};
    static const struct {
        const char *where, *rows;
    } cases[] = {
        {"real != 1", "{p=1}nan;one;three;"}, /* one's real is 2 */
        {"real = 1 or real < 5 or real >= 5", "{p=1}one;three;"},
        {"not real < 5", "{p=1}nan;three;"},
        {"time < '2500-01-01T00:00:00Z'", "{p=1}nan;one;three;"}, /* after all nanoseconds */
        {"time > '2500-01-01T00:00:00Z'", ""},
        {"time > '1600-01-01'", "{p=1}nan;one;three;"},
        {"time = '1600-01-01'", ""},
        {"blob is not null and real = 2", "{p=1}one;"},
    };
    fixture fx;
    s3store_error err;
    fixture_write write = {.partition = "p=1"};
    char *text = malloc(KIT_TEXT);
    const odd rows[] = {{.entity = "nan", .version = 1, .time = INT64_MIN, .real = (double)NAN},
                        {.entity = "one", .version = 1, .time = 0, .real = 2},
                        {.entity = "three", .version = 1, .time = INT64_MAX, .real = 6}};
    fixture_open(&fx, NULL, NULL);
    fixture_write_records(&fx, &write, &odd_type, rows, 3);
    for (size_t i = 0; i < COUNT(cases); i++) {
        s3s_scan_options o = kit_options(S3S_SCAN_LATEST);
        o.where = cases[i].where;
        o.columns = columns;
        o.column_count = 1;
        s3store_status status = kit_scan(&fx, "", &o, text, &err);
        if (status != S3STORE_OK || strcmp(text, cases[i].rows) != 0)
            fail_msg("%s: %s, %s", cases[i].where, text, s3store_status_name(status));
    }
    free(text);
    fixture_close_clean(&fx);
}

/* ---- columns that only others write ------------------------------------------------------------- */

/* Halves, as other writers leave them: tested row by row, and never taken for something that statistics
 * could rule out. */
static void test_where__halves_are_tested_row_by_row(void **state)
{
    (void)state;
    static const char *const types[] = {"string", "int64", "float16"};
    static const char *const columns[] = {"entity", "version", "half"};
    static const struct {
        const char *where, *rows;
    } cases[] = {
        {"half > 1.5", "{p=1}c|2|2;"},
        {"half >= 1.5 and half is not null", "{p=1}b|1|1.5;c|2|2;"},
        {"half in (1, 2) or half is null", "{p=1}a|0|1;c|2|2;d|3|-;"},
        {"not half < 2", "{p=1}c|2|2;"},
    };
    static const double halves[] = {1, 1.5, 2};
    fixture fx;
    s3store_error err;
    s3s_schema *schema = NULL;
    s3store_builder *b = NULL;
    struct ArrowArray batch = {0};
    s3s_buffer body;
    char *text = malloc(KIT_TEXT);
    fixture_open(&fx, NULL, NULL);
    assert_ok(s3s_schema_new(fx.env, COUNT(types), &schema, &err));
    for (size_t i = 0; i < COUNT(types); i++) {
        assert_true(s3s_type_from_text(types[i], &schema->fields[i]));
        schema->fields[i].name = columns[i];
        schema->fields[i].nullable = i >= 2;
    }
    assert_ok(s3s_builder_new(fx.env, schema, &b, &err));
    for (size_t i = 0; i < 4; i++) {
        const char entity[] = {(char)('a' + i), '\0'};
        assert_ok(s3store_builder_append_bytes(b, 0, entity, 1, &err));
        assert_ok(s3store_builder_append_int(b, 1, (int64_t)i, &err));
        if (i < 3)
            assert_ok(s3store_builder_append_double(b, 2, halves[i], &err));
        else
            assert_ok(s3store_builder_append_null(b, 2, &err));
    }
    assert_ok(s3store_builder_finish(b, &batch, &err));
    s3store_builder_free(b);
    s3s_buffer_init(&body, fx.env, SIZE_MAX);
    const struct ArrowArray *batches[] = {&batch};
    assert_ok(s3s_datafile_encode(fx.env, schema, batches, 1, S3STORE_COMPRESSION_DEFAULT, &body, &err));
    fixture_write write = {.partition = "p=1"};
    fixture_write_bytes(&fx, &write, body.data, body.size, 4);
    s3s_buffer_deinit(&body);
    s3s_array_release(&batch);
    s3s_schema_release(schema);
    for (size_t i = 0; i < COUNT(cases); i++) {
        for (int mode = S3S_SCAN_ROWS; mode <= S3S_SCAN_LATEST; mode++) {
            assert_ok(try_where(&fx, cases[i].where, (s3s_scan_mode)mode, text, &err));
            if (strcmp(text, cases[i].rows) != 0)
                fail_msg("%s: %s", cases[i].where, text);
        }
    }
    free(text);
    fixture_close_clean(&fx);
}

/* Files that lack what is tested, or have it narrower, and lists too long to be looked up anywhere. */
static void test_where__files_of_other_schemas_and_long_lists_lose_no_row(void **state)
{
    (void)state;
    typedef struct older {
        const char *entity;
        int32_t version;
    } older;
    static const s3store_field fields[] = {
        {.name = "entity", .kind = S3STORE_KIND_CSTRING, .offset = offsetof(older, entity)},
        {.name = "version", .kind = S3STORE_KIND_INT32, .offset = offsetof(older, version)},
    };
    static const s3store_record_type type = S3STORE_RECORD_TYPE(older, fields);
    fixture fx;
    s3store_error err;
    char *text = malloc(KIT_TEXT), *list = malloc(KIT_TEXT), *end = list;
    fixture_write write = {.partition = "p=1"};
    fixture_open(&fx, NULL, NULL);
    fixture_write_records(&fx, &write, &type, &(older){"a", 7}, 1);
    kit_write(&fx, "p=2", (fixture_row[]){{"b", 8, 5, false}}, 1);
    assert_ok(try_where(&fx, "value is null", S3S_SCAN_ROWS, text, &err));
    assert_string_equal(text, "{p=1}a|7|-;");
    assert_ok(try_where(&fx, "version >= 7 and version < 100", S3S_SCAN_ROWS, text, &err));
    assert_string_equal(text, "{p=1}a|7|-;{p=2}b|8|5;");
    end += sprintf(end, "version in (-1");
    for (int i = 0; i < 1100; i++)
        end += sprintf(end, ",%d", 7 * i);
    strcpy(end, ")");
    assert_ok(try_where(&fx, list, S3S_SCAN_ROWS, text, &err));
    assert_string_equal(text, "{p=1}a|7|-;");
    free(list);
    free(text);
    fixture_close_clean(&fx);
}

int run_where_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_where__mistakes_are_named_with_their_position),
        cmocka_unit_test(test_where__nesting_and_length_are_bounded),
        cmocka_unit_test(test_where__words_need_no_case_and_names_may_be_quoted),
        cmocka_unit_test(test_where__filters_the_result_and_not_the_versions),
        cmocka_unit_test(
            test_where__tested_columns_are_fetched_and_dropped_and_the_limit_counts_after_it),
        cmocka_unit_test(test_where__literals_bind_to_the_type_of_the_column),
        cmocka_unit_test(test_where__not_a_number_and_times_out_of_range_are_in_no_order),
        cmocka_unit_test(test_where__halves_are_tested_row_by_row),
        cmocka_unit_test(test_where__files_of_other_schemas_and_long_lists_lose_no_row),
        cmocka_unit_test(test_where__random_predicates_keep_what_the_model_keeps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
