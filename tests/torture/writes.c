/* Scenarios that write. What holds of each: a partition is there wholly or not at all, the result says
 * which, and the same write with the same token completes it. */
#include "torture/torture.h"

#include <stdlib.h>

#define COLUMNS "p:u id:u v:l value:l"
#define NESTED_COLUMNS "p:u id:u v:l value:list<struct<a:int32,t:list<string>>>"

/* ---- what a run writes -------------------------------------------------------------------------------- */

/* Partitions of their own for each run: "r7a", "r7b", ... with the same rows in each. */
static void expect_partitions(torture *t, size_t count, const char *rows)
{
    t->part_count = count;
    for (size_t i = 0; i < count; i++) {
        part *p = &t->parts[i];
        const char *at = rows;
        char value[32];
        snprintf(value, sizeof value, "r%u%c", t->run, (char)('a' + i));
        snprintf(p->key, sizeof p->key, "p=%s", value);
        p->rows[0] = '\0';
        while (*at != '\0') { /* "x 1 10;" becomes "r7a|x|1|10;" */
            size_t used = strlen(p->rows);
            size_t size = strcspn(at, ";");
            snprintf(p->rows + used, sizeof p->rows - used, "%s|%.*s;", value, (int)size, at);
            for (char *c = p->rows + used; *c != '\0'; c++)
                *c = *c == ' ' ? '|' : *c;
            at += size + 1;
        }
    }
    snprintf(t->token, sizeof t->token, "run%u", t->run);
}

/* The expected rows as an input, mixed over the partitions. */
static void make_input_of(torture *t, const char *columns)
{
    static char cells[4096];
    const char *at[PARTS_MAX] = {NULL};
    size_t used = 0, open = t->part_count;
    for (size_t i = 0; i < t->part_count; i++)
        at[i] = t->parts[i].rows;
    while (open > 0) {
        open = 0;
        for (size_t i = 0; i < t->part_count; i++) {
            size_t size = strcspn(at[i], ";");
            if (size == 0)
                continue;
            open++;
            used += (size_t)snprintf(cells + used, sizeof cells - used, "%s%.*s",
                                     used > 0 ? ";" : "", (int)size, at[i]);
            at[i] += size + 1;
        }
    }
    for (char *c = cells; *c != '\0'; c++)
        *c = *c == '|' ? ' ' : *c;
    make_stream(columns, cells, &t->input);
}

static void make_input(torture *t)
{
    make_input_of(t, COLUMNS);
}

static s3store_status run_write(torture *t, s3store_error *err)
{
    s3store_write_options options = S3STORE_WRITE_OPTIONS_INIT;
    options.token = t->token;
    s3store_status status = s3store_write(t->d.writer, &t->input, &options, &t->result, err);
    assert_null(t->input.release);
    return status;
}

/* ---- what has become of it ------------------------------------------------------------------------- */

static const s3store_commit *outcome_of(const torture *t, const char *partition)
{
    for (size_t i = 0; i < s3store_write_result_count(t->result); i++) {
        const s3store_commit *c = s3store_write_result_get(t->result, i);
        if (strcmp(c->partition, partition) == 0)
            return c;
    }
    return NULL;
}

static bool is_done(const s3store_commit *c)
{
    return c != NULL && (c->state == S3STORE_COMMIT_DONE || c->state == S3STORE_COMMIT_EXISTING ||
                         c->state == S3STORE_COMMIT_LATE);
}

static bool is_unknown(const s3store_commit *c)
{
    return c != NULL && c->state == S3STORE_COMMIT_FAILED && c->error->status == S3STORE_UNCERTAIN;
}

/* The partition's rows, all or none of them, as its outcome says. */
static void check_part(torture *t, const part *p)
{
    const s3store_commit *c = outcome_of(t, p->key);
    const char *seen = torture_rows(&t->d, p->key, true);
    bool all = strcmp(seen, p->rows) == 0;
    if (!all && seen[0] != '\0')
        fail_msg("%s is torn: \"%s\" of \"%s\"", p->key, seen, p->rows);
    if (is_done(c) && !all)
        fail_msg("%s was acknowledged and is not there", p->key);
    if (!is_done(c) && !is_unknown(c) && all)
        fail_msg("%s is there, told was: %s", p->key,
                 c == NULL || c->error == NULL ? "nothing" : s3store_status_name(c->error->status));
    if (c != NULL && c->state == S3STORE_COMMIT_FAILED) {
        assert_non_null(c->error);
        assert_true(c->error->message[0] != '\0');
    }
}

static void check_status(const torture *t, s3store_status status)
{
    size_t done = 0, late = 0;
    for (size_t i = 0; i < t->part_count; i++) {
        const s3store_commit *c = outcome_of(t, t->parts[i].key);
        done += is_done(c);
        late += c != NULL && c->state == S3STORE_COMMIT_LATE;
    }
    if (status == S3STORE_OK)
        assert_true(done == t->part_count && late == 0);
    else if (status == S3STORE_COMMIT_AFTER_TIMEOUT)
        assert_true(done == t->part_count && late > 0);
    else if (status == S3STORE_PARTIAL)
        assert_true(done > 0 && done < t->part_count);
    else
        assert_int_equal(done, 0);
}

static void repeat(torture *t)
{
    s3store_error err = {0};
    s3store_status status = S3STORE_PARTIAL;
    /* Where time is real, a commit may come too late, and is refused. */
    for (int i = 0; i < (t->place->on_file ? 5 : 1) && status == S3STORE_PARTIAL; i++) {
        s3store_write_result_free(t->result);
        t->result = NULL;
        t->scenario->begin(t);
        status = t->scenario->run(t, &err);
    }
    if (status != S3STORE_OK && status != S3STORE_COMMIT_AFTER_TIMEOUT)
        fail_msg("the same write again: %s: %s", s3store_status_name(status), err.message);
    for (size_t i = 0; i < t->part_count; i++) {
        assert_true(is_done(outcome_of(t, t->parts[i].key)));
        assert_string_equal(torture_rows(&t->d, t->parts[i].key, true), t->parts[i].rows);
    }
    s3store_write_result_free(t->result);
    t->result = NULL;
}

static void check_write(torture *t, s3store_status status, const s3store_error *err, bool hit)
{
    (void)err;
    (void)hit;
    for (size_t i = 0; i < t->part_count; i++)
        check_part(t, &t->parts[i]);
    check_status(t, status);
    repeat(t);
}

/* The stream has each committed data object, and no other; once, unless its commit came late, which
 * happens where time is real. */
static void finish_write(torture *t)
{
    s3store_error err;
    s3store_entries *entries;
    s3store_listing *listing;
    const char *all[] = {"*"};
    torture_settle(t);
    assert_ok(s3store_list_files(t->d.target, all, 1, NULL, &listing, &err));
    assert_ok(s3store_poll_range(t->d.target, S3STORE_TIME_NONE, S3STORE_TIME_NONE, NULL, &entries,
                                 &err));
    size_t of_listed = 0;
    for (size_t i = 0; i < s3store_listing_count(listing); i++) {
        size_t found = 0;
        const char *path = s3store_listing_get(listing, i)->data_path;
        for (size_t j = 0; j < s3store_entries_count(entries); j++)
            found += strcmp(s3store_entries_get(entries, j)->data_path, path) == 0;
        if (found == 0 || (found > 1 && !t->place->on_file))
            fail_msg("%s is in the stream %zu times", path, found);
        of_listed += found;
    }
    assert_int_equal(s3store_entries_count(entries), of_listed);
    s3store_entries_free(entries);
    s3store_listing_free(listing);
}

/* ---- the scenarios --------------------------------------------------------------------------------- */

static void prepare_empty(torture *t)
{
    (void)t;
}

static void begin_many(torture *t)
{
    expect_partitions(t, 3, "x 1 10;y 2 -;");
    make_input(t);
}

static void begin_one(torture *t)
{
    expect_partitions(t, 1, "x 1 10;x 2 11;y 1 -;");
    make_input(t);
}

static s3store_status run_by_key(torture *t, s3store_error *err)
{
    s3store_write_options options = S3STORE_WRITE_OPTIONS_INIT;
    options.token = t->token;
    options.partition = t->parts[0].key;
    return s3store_write(t->d.writer, &t->input, &options, &t->result, err);
}

static s3store_status run_optimistic(torture *t, s3store_error *err)
{
    s3store_write_options options = S3STORE_WRITE_OPTIONS_INIT;
    options.token = t->token;
    options.optimistic = true;
    options.keep_going = true;
    return s3store_write(t->d.writer, &t->input, &options, &t->result, err);
}

typedef struct record {
    const char *p, *id;
    int64_t v, value;
} record;
static const s3store_record_type record_type = S3STORE_RECORD_TYPE(
    record, ((const s3store_field[]){
                {"p", S3STORE_KIND_CSTRING, offsetof(record, p)},
                {"id", S3STORE_KIND_CSTRING, offsetof(record, id)},
                {"v", S3STORE_KIND_INT64, offsetof(record, v)},
                {"value", S3STORE_KIND_INT64, offsetof(record, value)},
            }));

static void begin_records(torture *t)
{
    expect_partitions(t, 2, "x 1 7;");
}

static s3store_status run_records(torture *t, s3store_error *err)
{
    const record rows[] = {{t->parts[0].key + 2, "x", 1, 7}, {t->parts[1].key + 2, "x", 1, 7}};
    s3store_write_options options = S3STORE_WRITE_OPTIONS_INIT;
    options.token = t->token;
    return s3store_write_records(t->d.writer, &record_type, rows, 2, &options, &t->result, err);
}

/* Seven rows in chunks of two, more than memory holds. */
#define CHUNK_ROWS 2
static const char chunked_rows[] =
    "a 1 10;b 1 11;c 1 12;d 1 13;e 1 14;f 1 15;g 1 16;h 1 17;";

static void begin_chunked(torture *t)
{
    expect_partitions(t, 2, chunked_rows);
    make_input(t);
}

/* Each chunk is there wholly or not at all, and those that were acknowledged are. */
static void check_chunked(torture *t, s3store_status status, const s3store_error *err, bool hit)
{
    (void)err;
    (void)hit;
    size_t acknowledged = 0, seen_chunks = 0;
    bool unknown = false;
    for (size_t i = 0; i < s3store_write_result_count(t->result); i++) {
        acknowledged += is_done(s3store_write_result_get(t->result, i));
        unknown = unknown || is_unknown(s3store_write_result_get(t->result, i));
    }
    for (size_t i = 0; i < t->part_count; i++) {
        const char *seen = torture_rows(&t->d, t->parts[i].key, true);
        for (char first = 'a'; first <= 'g'; first += CHUNK_ROWS) {
            char one[16], two[16];
            snprintf(one, sizeof one, "|%c|", first);
            snprintf(two, sizeof two, "|%c|", first + 1);
            bool has_one = strstr(seen, one) != NULL, has_two = strstr(seen, two) != NULL;
            if (has_one != has_two)
                fail_msg("a chunk of %s is torn: %s", t->parts[i].key, seen);
            seen_chunks += has_one;
        }
    }
    assert_true(unknown ? seen_chunks >= acknowledged : seen_chunks == acknowledged);
    if (status == S3STORE_OK || status == S3STORE_COMMIT_AFTER_TIMEOUT)
        assert_int_equal(seen_chunks, 2 * 4);
    else if (status != S3STORE_PARTIAL)
        assert_int_equal(acknowledged, 0);
    repeat(t);
}

/* Into a recorded type that is wider: every part is converted. */
static void prepare_nested(torture *t)
{
    write_cells(&t->d, "p:u id:u v:l value:list<struct<a:int64,t:list<string>>>", "q x 1 [{1,-}]");
}

static void begin_nested(torture *t)
{
    expect_partitions(t, 2, "x 1 [{1,[b,-]},-];y 1 -;y 2 [{-,[]}];");
    make_input_of(t, NESTED_COLUMNS);
}

/* The first write of a dataset, which records its columns. */
static void begin_first(torture *t)
{
    begin_many(t);
}

static s3store_status run_restamp(torture *t, s3store_error *err)
{
    s3store_write_result *found = NULL;
    s3store_status status =
        s3store_lookup_commit(t->d.target, t->parts[0].key, t->token, NULL, &found, err);
    assert_true((found != NULL) == (status == S3STORE_OK));
    s3store_write_result_free(found);
    if (status == S3STORE_OK)
        status = s3store_restamp(t->d.target, t->parts[0].key, t->token, NULL, &t->result, err);
    return status;
}

static void begin_restamp(torture *t)
{
    s3store_error err = {0};
    begin_one(t);
    s3store_status status = run_write(t, &err);
    assert_true(status == S3STORE_OK || status == S3STORE_COMMIT_AFTER_TIMEOUT);
    s3store_write_result_free(t->result);
    t->result = NULL;
}

static void check_restamp(torture *t, s3store_status status, const s3store_error *told, bool hit)
{
    s3store_error err;
    (void)told;
    (void)hit;
    assert_string_equal(torture_rows(&t->d, t->parts[0].key, true), t->parts[0].rows);
    if (status == S3STORE_OK)
        assert_int_equal(s3store_write_result_count(t->result), 1);
    s3store_write_result_free(t->result);
    t->result = NULL;
    assert_ok(s3store_lookup_commit(t->d.target, t->parts[0].key, t->token, NULL, &t->result,
                                    &err));
    assert_int_equal(s3store_write_result_get(t->result, 0)->row_count, 3);
    s3store_write_result_free(t->result);
    t->result = NULL;
}

static s3store_status run_group(torture *t, s3store_error *err)
{
    s3store_groups *groups = NULL;
    s3store_status status =
        s3store_group_by_partition(t->d.writer, &t->input, NULL, &groups, err);
    assert_true((groups != NULL) == (status == S3STORE_OK));
    for (size_t i = 0; status == S3STORE_OK && i < s3store_groups_count(groups); i++) {
        struct ArrowArrayStream rows;
        status = s3store_groups_stream(groups, i, &rows, err);
        if (status == S3STORE_OK)
            status = torture_drain(t, &rows, err);
    }
    s3store_groups_free(groups);
    return status;
}

static void check_group(torture *t, s3store_status status, const s3store_error *err, bool hit)
{
    (void)err;
    (void)hit;
    if (status != S3STORE_OK)
        return;
    char wanted[2048] = "";
    for (size_t i = 0; i < t->part_count; i++)
        strcat(wanted, t->parts[i].rows);
    assert_string_equal(t->text, wanted);
}

const scenario write_scenarios[] = {
    {.name = "write-key", .writes = true, .prepare = torture_fill, .begin = begin_one,
     .run = run_by_key, .check = check_write, .finish = finish_write},
    {.name = "write-many", .writes = true, .prepare = torture_fill, .begin = begin_many,
     .run = run_write, .check = check_write, .finish = finish_write},
    {.name = "write-optimistic", .writes = true, .prepare = torture_fill, .begin = begin_many,
     .run = run_optimistic, .check = check_write, .finish = finish_write},
    {.name = "write-records", .writes = true, .prepare = torture_fill, .begin = begin_records,
     .run = run_records, .check = check_write, .finish = finish_write},
    {.name = "write-first", .fresh = true, .writes = true, .prepare = prepare_empty,
     .begin = begin_first, .run = run_write, .check = check_write},
    {.name = "write-nested", .fresh = true, .writes = true, .prepare = prepare_nested,
     .begin = begin_nested, .run = run_write, .check = check_write},
    {.name = "write-chunked", .fresh = true, .writes = true, .memory_bytes = 4000,
     .chunk_rows = CHUNK_ROWS, .prepare = prepare_empty, .begin = begin_chunked,
     .run = run_write, .check = check_chunked},
    {.name = "restamp", .writes = true, .prepare = torture_fill, .begin = begin_restamp,
     .run = run_restamp, .check = check_restamp},
    {.name = "group", .no_store = true, .prepare = torture_fill, .begin = begin_many,
     .run = run_group, .check = check_group},
    {0},
};
