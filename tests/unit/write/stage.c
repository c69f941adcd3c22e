#include "unit/write/stage.h"

#include <inttypes.h>

#include "base/bytes.h"
#include "support/dataset_fixture.h"

static void keep_log(void *ctx, s3store_log_level level, const char *message,
                     const s3store_log_field *fields, size_t field_count)
{
    stage *s = ctx;
    (void)level;
    (void)fields;
    (void)field_count;
    size_t used = strlen(s->log);
    if (s->sim != NULL) /* the real env logs from many threads */
        snprintf(s->log + used, sizeof s->log - used, "%s\n", message);
}

static void open_env(stage *s, bool real)
{
    s3store_error err;
    if (real) {
        assert_ok(s3s_env_new_real(&s->env, &err));
        return;
    }
    s3s_sim_options options = {.seed = 1, .start_wall_us = STAGE_START_US};
    assert_ok(s3s_sim_new(&options, &s->sim, &err));
    s->env = s3s_sim_env(s->sim);
}

void stage_open(stage *s, const stage_options *options)
{
    static const char *const by_p[] = {"p", NULL};
    static const char *const entity[] = {"id"};
    static const stage_options defaults = {0};
    s3store_error err;
    const stage_options *o = options != NULL ? options : &defaults;
    memset(s, 0, sizeof *s);
    open_env(s, o->real);
    assert_ok(s3s_memory_store_new(s->env, &s->memory, &err));
    faulty_init(&s->faults, s->env, s->sim, &s->memory);
    s->faults.ignores_conditions = o->unconditional;
    s3store_target_config config = S3STORE_TARGET_CONFIG_INIT;
    config.store = &s->faults.store;
    config.bucket = "stage";
    config.prefix = "ds";
    config.partition_by = o->partition_by != NULL ? o->partition_by : by_p;
    while (config.partition_by[config.partition_by_count] != NULL)
        config.partition_by_count++;
    config.entity = o->entity ? entity : NULL;
    config.entity_count = o->entity;
    config.version = o->entity ? "v" : NULL;
    config.inserted_at_column = o->inserted_at_column;
    config.memory_bytes = o->memory_bytes;
    config.max_inflight = o->max_inflight;
    config.fence = o->fence;
    config.log = keep_log;
    config.log_ctx = s;
    config.log_level = S3STORE_LOG_WARN;
    s3store_init_options init = S3STORE_INIT_OPTIONS_INIT;
    init.commit_timeout_us = o->commit_timeout_us != 0 ? o->commit_timeout_us : STAGE_TIMEOUT_US;
    init.max_clock_skew_us = STAGE_SKEW_US;
    bool created;
    assert_ok(s3s_dataset_init(s->env, &config, &init, &created, &err));
    assert_ok(s3s_target_open(s->env, &config, &s->target, &err));
    if (o->serial) {
        s3s_pool_free(s->target->pool);
        assert_ok(s3s_pool_new(s->env, 0, &s->target->pool, &err));
    }
    s3store_writer_options writer = S3STORE_WRITER_OPTIONS_INIT;
    writer.allow_unaddressable = o->allow_unaddressable;
    writer.views = o->views;
    writer.view_count = o->view_count;
    assert_ok(s3s_writer_open(s->target, &writer, &s->writer, &err));
    s->log[0] = '\0';
    faulty_reset(&s->faults);
}

void stage_close(stage *s)
{
    s3store_error err;
    if (s->sim != NULL)
        assert_ok(s3s_sim_run(s->sim, &err)); /* late requests */
    stage_rules(s, NULL, 0);
    stage_check_refs(s);
    s3s_writer_free(s->writer);
    s3s_target_release(s->target);
    faulty_deinit(&s->faults);
    s3s_store_deinit(&s->memory);
    uint64_t live = s3s_env_live_allocs(s->env);
    if (s->sim != NULL)
        s3s_sim_free(s->sim);
    else
        s3s_env_release(s->env);
    if (live != 0)
        fail_msg("%" PRIu64 " allocations were not freed", live);
}

static faulty_fate follow_rules(void *ctx, const faulty_request *r)
{
    const stage *s = ctx;
    for (size_t i = 0; i < s->rule_count; i++) {
        const stage_rule *rule = &s->rules[i];
        if ((rule->partition != NULL && strstr(r->key, rule->partition) == NULL) ||
            rule->verb != r->verb || rule->kind != r->kind || r->number < rule->from ||
            (rule->to != 0 && r->number > rule->to) ||
            (rule->until_us != 0 && s3s_mono_us(s->env) - s->rules_since_us >= rule->until_us))
            continue;
        if (rule->cancel != NULL)
            s3store_cancel_trigger(rule->cancel);
        return rule->fate;
    }
    return (faulty_fate){0};
}

void stage_rules(stage *s, const stage_rule *rules, size_t count)
{
    faulty_reset(&s->faults);
    s->rules = rules;
    s->rule_count = count;
    s->rules_since_us = s3s_mono_us(s->env);
    s->faults.fn = follow_rules;
    s->faults.ctx = s;
}

void stage_wait(stage *s, int64_t duration_us)
{
    s3store_error err;
    assert_ok(s3s_sleep_us(s->env, duration_us, NULL, &err));
    if (s->sim != NULL)
        assert_ok(s3s_sim_run(s->sim, &err));
}

/* ---- writing --------------------------------------------------------------------------------- */

void stage_batches_add(stage *s, stage_batches *b, const char *columns, const char *const *rows,
                       size_t row_count)
{
    if (b->schema == NULL)
        b->schema = kit_schema(s->env, columns);
    assert_true(b->count < sizeof b->items / sizeof b->items[0]);
    kit_batch(b->schema, rows, row_count, &b->items[b->count++]);
}

void stage_batches_stream(stage_batches *b, struct ArrowArrayStream *out)
{
    s3store_error err;
    struct ArrowSchema schema;
    assert_ok(s3s_schema_export(b->schema, &schema, &err));
    assert_ok(s3store_stream_from_batches(&schema, b->items, b->count, out, &err));
    s3s_schema_release(b->schema);
    b->schema = NULL;
}

void stage_stream(stage *s, const char *columns, const char *const *rows, size_t row_count,
                  struct ArrowArrayStream *out)
{
    stage_batches b = {0};
    stage_batches_add(s, &b, columns, rows, row_count);
    stage_batches_stream(&b, out);
}

s3store_status stage_write(stage *s, const char *columns, const char *const *rows,
                           size_t row_count, const s3store_write_options *options,
                           s3store_write_result **out, s3store_error *err)
{
    struct ArrowArrayStream stream;
    s3store_write_result *result = NULL;
    stage_stream(s, columns, rows, row_count, &stream);
    s3store_status status = s3s_write(s->writer, &stream, options, &result, err);
    assert_null(stream.release);
    if (out != NULL)
        *out = result;
    else
        s3store_write_result_free(result);
    return status;
}

s3store_status stage_write_one(stage *s, const char *token, s3store_write_result **out,
                               s3store_error *err)
{
    s3store_write_options options = S3STORE_WRITE_OPTIONS_INIT;
    options.token = token;
    return stage_write(s, "p:string?;id:string?;v:int64?", ROWS("a|x|1"), &options, out, err);
}

const char *stage_states(const s3store_write_result *result)
{
    static char text[8192];
    size_t used = 0;
    text[0] = '\0';
    for (size_t i = 0; i < s3store_write_result_count(result); i++) {
        const s3store_commit *c = s3store_write_result_get(result, i);
        used += (size_t)snprintf(text + used, sizeof text - used, "%s%s %s", i > 0 ? ", " : "",
                                 c->partition, s3store_commit_state_name(c->state));
        if (c->error != NULL)
            used += (size_t)snprintf(text + used, sizeof text - used, " %s",
                                     s3store_status_name(c->error->status));
        assert_true(used < sizeof text);
    }
    return text;
}

/* ---- looking --------------------------------------------------------------------------------- */

const char *stage_rows(stage *s)
{
    static const char *const everything[] = {"*"};
    static char text[65536];
    s3store_error err;
    s3store_reader *reader = NULL;
    struct ArrowArrayStream stream;
    s3store_read_options options = S3STORE_READ_OPTIONS_INIT;
    options.patterns = everything;
    options.pattern_count = 1;
    options.history = true;
    assert_ok(s3s_reader_open(s->target, NULL, &reader, &err));
    assert_ok(s3s_read_stream(reader, &options, &stream, &err));
    assert_ok(fixture_drain(&stream, text, sizeof text, &err));
    s3s_reader_free(reader);
    return text;
}

const char *stage_entries(stage *s)
{
    static char text[16384];
    s3store_error err;
    s3store_entries *entries = NULL;
    size_t used = 0;
    stage_wait(s, STAGE_TIMEOUT_US + STAGE_SKEW_US + SECOND);
    assert_ok(s3s_poll(s->target, NULL, &entries, &err));
    text[0] = '\0';
    for (size_t i = 0; i < s3store_entries_count(entries); i++) {
        s3s_data_name name =
            s3s_data_name_parse(&s->target->layout, s3store_entries_get(entries, i)->data_path);
        used += (size_t)snprintf(text + used, sizeof text - used, "%.*s/%.*s ",
                                 (int)name.partition.size, name.partition.data,
                                 (int)name.token.size, name.token.data);
        assert_true(used < sizeof text);
    }
    s3store_entries_free(entries);
    return text;
}

typedef struct key_count {
    const char *suffix;
    size_t count;
} key_count;

static bool count_key(void *ctx, const s3store_list_entry *entry)
{
    key_count *c = ctx;
    c->count += s3s_ends_with(entry->key, c->suffix);
    return true;
}

size_t stage_count(stage *s, const char *suffix)
{
    s3store_error err;
    key_count c = {.suffix = suffix};
    assert_ok(s3s_list_all(&s->memory, NULL, "ds/", NULL, 0, count_key, &c, NULL, &err));
    return c.count;
}

void stage_put(stage *s, const char *key, const s3store_metadata *metadata)
{
    s3store_error err;
    s3store_metadata_entry entries[S3STORE_METADATA_MAX_ENTRIES];
    s3store_put_request put = {.size = sizeof put, .key = key, .metadata = entries};
    for (size_t i = 0; metadata != NULL && i < metadata->count; i++) {
        entries[i].name = metadata->text + metadata->entries[i].name;
        entries[i].value = metadata->text + metadata->entries[i].value;
        put.metadata_count = i + 1;
    }
    s3store_put_reply reply;
    assert_ok(s3s_put(&s->memory, NULL, &put, &reply, &err));
}

bool stage_marker(stage *s, const char *key, s3s_marker *out)
{
    s3store_error err;
    s3store_object_info info;
    s3store_status status = s3s_head(&s->memory, NULL, key, &info, &err);
    if (status == S3STORE_NOT_FOUND)
        return false;
    assert_int_equal(status, S3STORE_OK);
    assert_ok(s3s_marker_parse(&info.metadata, key, out, &err));
    return true;
}

#define REFS_MAX 2048

typedef struct ref_list {
    s3s_ref items[REFS_MAX];
    size_t count;
} ref_list;

static bool take_ref(void *ctx, const s3store_list_entry *entry)
{
    ref_list *list = ctx;
    assert_true(list->count < REFS_MAX);
    assert_int_equal(s3s_ref_parse(entry->key, &list->items[list->count++], NULL), S3STORE_OK);
    return true;
}

void stage_check_refs(stage *s)
{
    static ref_list list;
    s3store_error err;
    list.count = 0;
    assert_ok(s3s_list_all(&s->memory, NULL, "ds/_ref/", NULL, 0, take_ref, &list, NULL, &err));
    for (size_t i = 0; i < list.count; i++) {
        const s3s_ref *ref = &list.items[i];
        size_t same = 0;
        char key[S3S_KEY_SIZE];
        s3s_marker marker;
        for (size_t j = 0; j < list.count; j++)
            same += strcmp(list.items[j].attempt, ref->attempt) == 0;
        assert_ok(s3s_commit_key(&s->target->layout, ref->partition, ref->token, key, &err));
        if (same > 1 && (!stage_marker(s, key, &marker) ||
                         strcmp(marker.attempt, ref->attempt) != 0))
            fail_msg("attempt %s has %zu refs and is not committed", ref->attempt, same);
    }
}
