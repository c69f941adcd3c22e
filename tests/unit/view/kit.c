#include "unit/view/kit.h"

#include "support/dataset_fixture.h"

typedef struct marker_text {
    char text[KIT_TEXT];
    size_t size;
} marker_text;

static bool take_marker(void *ctx, const s3store_list_entry *entry)
{
    marker_text *t = ctx;
    const char *at = strstr(entry->key, "/_matview/");
    assert_non_null(at);
    at += strlen("/_matview/");
    size_t size = strlen(at);
    assert_true(size > strlen("/m.matview") && t->size + size < sizeof t->text);
    assert_string_equal(at + size - strlen("/m.matview"), "/m.matview");
    t->size += (size_t)snprintf(t->text + t->size, sizeof t->text - t->size, "%.*s ",
                                (int)(size - strlen("/m.matview")), at);
    assert_int_equal(entry->object_size, 0);
    return true;
}

const char *kit_markers(stage *s)
{
    static marker_text t;
    s3store_error err;
    memset(&t, 0, sizeof t);
    assert_ok(s3s_list_all(&s->memory, NULL, "ds/_matview/", NULL, 0, take_marker, &t, NULL,
                           &err));
    return t.text;
}

static size_t count_patterns(const char *const *patterns)
{
    size_t count = 0;
    while (patterns[count] != NULL)
        count++;
    return count;
}

static s3store_status run(stage *s, const s3store_view_def *def, const char *const *patterns,
                          char *text, size_t text_size, s3store_lookup_stats *stats,
                          s3store_error *err)
{
    s3store_view *view = NULL;
    struct ArrowArrayStream stream = {0};
    s3store_lookup_options o = S3STORE_LOOKUP_OPTIONS_INIT;
    o.patterns = patterns;
    o.pattern_count = count_patterns(patterns);
    s3store_status status = s3s_view_open(s->target, def, NULL, &view, err);
    if (status == S3STORE_OK)
        status = s3s_view_lookup(view, &o, &stream, stats, err);
    s3s_view_free(view); /* the stream lives on */
    if (status == S3STORE_OK)
        status = fixture_drain(&stream, text, text_size, err);
    return status;
}

const char *kit_lookup(stage *s, const s3store_view_def *def, const char *const *patterns,
                       s3store_lookup_stats *stats)
{
    static char text[KIT_TEXT];
    s3store_error err;
    assert_ok(run(s, def, patterns, text, sizeof text, stats, &err));
    return text;
}

s3store_status kit_lookup_status(stage *s, const s3store_view_def *def,
                                 const char *const *patterns, s3store_error *err)
{
    static char text[KIT_TEXT];
    return run(s, def, patterns, text, sizeof text, NULL, err);
}

s3store_backfill_options kit_backfill_options(const char *const *patterns)
{
    s3store_backfill_options o = S3STORE_BACKFILL_OPTIONS_INIT;
    o.patterns = patterns;
    o.pattern_count = count_patterns(patterns);
    return o;
}

void kit_reopen(stage *s, const s3store_view_def *const *views, size_t count)
{
    s3store_error err;
    s3store_writer_options o = S3STORE_WRITER_OPTIONS_INIT;
    o.views = views;
    o.view_count = count;
    s3s_writer_free(s->writer);
    s->writer = NULL;
    assert_ok(s3s_writer_open(s->target, &o, &s->writer, &err));
    faulty_reset(&s->faults);
}
