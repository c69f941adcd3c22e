#include "unit/write/chunk_kit.h"

#include <inttypes.h>

#include "base/error.h"

typedef struct source {
    s3s_env *env;
    s3s_schema *schema;
    chunk_input input;
    int next;
} source;

static s3store_status next_batch(void *impl, struct ArrowArray *out, s3store_error *err)
{
    enum { MAX = 512 };
    source *s = impl;
    char texts[MAX][40];
    const char *rows[MAX];
    int n = 0;
    memset(out, 0, sizeof *out);
    if (s->input.between != NULL)
        s->input.between(s->input.between_ctx, s->next);
    for (; n < s->input.batch_rows && n < MAX && s->next < s->input.count; n++, s->next++) {
        if (s->input.fails_at > 0 && s->next >= s->input.fails_at)
            return s3s_fail(err, S3STORE_IO, "the producer broke at row %d", s->next);
        bool other = s->input.other_from > 0 && s->next >= s->input.other_from;
        snprintf(texts[n], sizeof texts[n], "%c|%06d|%d", s->next % 5 == 4 ? 'b' : 'a', s->next,
                 other ? -1 : s->next);
        rows[n] = texts[n];
    }
    if (n == 0)
        return S3STORE_END;
    kit_batch(s->schema, rows, (size_t)n, out);
    return S3STORE_OK;
}

static void free_source(void *impl)
{
    source *s = impl;
    s3s_schema_release(s->schema);
    s3s_free(s->env, s);
}

void chunk_stream(stage *s, const chunk_input *input, struct ArrowArrayStream *out)
{
    s3store_error err;
    source *from = s3s_alloc(s->env, sizeof *from);
    assert_non_null(from);
    const char *columns = input->columns != NULL ? input->columns : CHUNK_COLUMNS;
    *from = (source){.env = s->env, .schema = kit_schema(s->env, columns), .input = *input};
    if (from->input.batch_rows == 0)
        from->input.batch_rows = 7;
    s3s_batch_source batches = {.impl = from, .next = next_batch, .free = free_source};
    assert_ok(s3s_stream_make(s->env, from->schema, batches, out, &err));
}

s3store_status chunk_write(stage *s, const chunk_input *input,
                           const s3store_write_options *options, s3store_write_result **out,
                           s3store_error *err)
{
    struct ArrowArrayStream stream;
    s3store_write_result *result = NULL;
    chunk_stream(s, input, &stream);
    s3store_status status = s3s_write(s->writer, &stream, options, &result, err);
    assert_null(stream.release);
    if (out != NULL)
        *out = result;
    else
        s3store_write_result_free(result);
    return status;
}

const char *chunk_states(const s3store_write_result *result)
{
    static char text[16384];
    size_t used = 0;
    text[0] = '\0';
    for (size_t i = 0; i < s3store_write_result_count(result); i++) {
        const s3store_commit *c = s3store_write_result_get(result, i);
        char chunk[16] = "";
        if (c->chunk > 0)
            snprintf(chunk, sizeof chunk, "#%u", (unsigned)c->chunk);
        used += (size_t)snprintf(text + used, sizeof text - used, "%s%s%s %s %lld",
                                 i > 0 ? ", " : "", c->partition + 2, chunk,
                                 s3store_commit_state_name(c->state), (long long)c->row_count);
        if (c->error != NULL)
            used += (size_t)snprintf(text + used, sizeof text - used, " %s",
                                     s3store_status_name(c->error->status));
        assert_true(used < sizeof text);
    }
    return text;
}

void chunk_check_rows(stage *s, int count)
{
    static char expected[65536];
    size_t used = 0;
    expected[0] = '\0';
    for (int part = 0; part < 2; part++)
        for (int i = 0; i < count; i++)
            if ((i % 5 == 4) == (part == 1))
                used += (size_t)snprintf(expected + used, sizeof expected - used, "%c|%06d|%d;",
                                         part == 1 ? 'b' : 'a', i, i);
    assert_true(used < sizeof expected);
    uint64_t memory_bytes = s->target->memory_bytes;
    s->target->memory_bytes = 64u << 20; /* of the read */
    assert_string_equal(stage_rows(s), expected);
    s->target->memory_bytes = memory_bytes;
}

typedef struct marker_list {
    stage *s;
    char text[16384];
    size_t used;
} marker_list;

static bool add_marker(void *ctx, const s3store_list_entry *entry)
{
    marker_list *list = ctx;
    s3s_marker m;
    if (strstr(entry->key, ".commit") == NULL)
        return true;
    assert_true(stage_marker(list->s, entry->key, &m));
    list->used += (size_t)snprintf(list->text + list->used, sizeof list->text - list->used,
                                   "%s %lld %016" PRIx64 " %" PRIu64 ",%" PRIu64 "\n",
                                   entry->key + strlen("ds/data/"), (long long)m.row_count,
                                   m.content_hash, m.chunk_rows, m.chunk_bytes);
    assert_true(list->used < sizeof list->text);
    return true;
}

const char *chunk_markers(stage *s)
{
    static marker_list list;
    s3store_error err;
    list.s = s;
    list.used = 0;
    list.text[0] = '\0';
    assert_ok(s3s_list_all(&s->memory, NULL, "ds/data/", NULL, 0, add_marker, &list, NULL, &err));
    return list.text;
}
