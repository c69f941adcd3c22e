#include "sim/world.h"

#include <stdio.h>
#include <string.h>

#include "arrow/stream.h"
#include "base/bytes.h"
#include "base/error.h"
#include "stream/stream.h"

typedef struct setup_step {
    world *w;
    const world_options *options;
    s3store_status status;
    s3store_error *err;
} setup_step;

typedef struct gate {
    s3s_explorer *explorer;
    bool open;
} gate;

/* Setting up offers no choices: only what follows is the history. An answer on its way back
 * commutes with every step of the others (the effect has happened, nothing is shared until the
 * next request), so it is delivered at once: this leaves out no distinct history. */
static size_t choose(void *ctx, size_t count, const char *const *names)
{
    gate *g = ctx;
    if (!g->open)
        return 0;
    for (size_t i = 0; i < count; i++)
        if (s3s_ends_with(names[i], " done"))
            return i;
    /* Readers that look at once after every step see all that a slower one could. */
    for (size_t i = 0; i < count; i++)
        if (strncmp(names[i], "eager", strlen("eager")) == 0)
            return i;
    return s3s_explore_choose(g->explorer, count, names);
}

static const char *const view_columns[] = {"id", "v"};
const s3store_view_def world_view_def = {.size = sizeof world_view_def,
                                         .name = WORLD_VIEW,
                                         .columns = view_columns,
                                         .column_count = 2};

static gate the_gate; /* one history at a time */

static s3store_status open_targets(world *w, const world_options *options, s3store_error *err)
{
    static const char *const parts[] = {"day"};
    static const char *const entity[] = {"id"};
    s3store_target_config config = S3STORE_TARGET_CONFIG_INIT;
    config.store = &w->store;
    config.bucket = "sim";
    config.prefix = "ds";
    config.partition_by = parts;
    config.partition_by_count = 1;
    config.entity = entity;
    config.entity_count = 1;
    config.version = "v";
    config.fence = options->fence;
    s3store_init_options init = S3STORE_INIT_OPTIONS_INIT;
    init.commit_timeout_us = options->timeout_us != 0 ? options->timeout_us : WORLD_TIMEOUT_US;
    init.max_clock_skew_us = WORLD_SKEW_US;
    bool created;
    s3store_status status = s3s_dataset_init(w->env, &config, &init, &created, err);
    for (size_t i = 0; i < WORLD_TARGETS && status == S3STORE_OK; i++) {
        config.store = &w->faults[i].store;
        status = s3s_target_open(w->env, &config, &w->targets[i], err);
    }
    if (status != S3STORE_OK)
        return status;
    s3store_write_result *result = NULL;
    const s3store_view_def *views[] = {&world_view_def};
    s3store_writer_options own = S3STORE_WRITER_OPTIONS_INIT;
    own.views = views;
    own.view_count = options->views ? 1 : 0;
    status = s3s_writer_open(w->targets[0], &own, &w->writers[0], err);
    if (status == S3STORE_OK)
        status = world_write(w, 0, "2099-01-01", "setup", 1, NULL, &result, err); /* sorts last */
    s3store_write_result_free(result);
    for (size_t i = 1; i < WORLD_WRITERS && status == S3STORE_OK; i++)
        status = s3s_writer_open(w->targets[i], &own, &w->writers[i], err);
    return status;
}

static void run_setup(void *ctx)
{
    setup_step *step = ctx;
    step->status = open_targets(step->w, step->options, step->err);
}

s3store_status world_open(world *w, s3s_explorer *explorer, const world_options *given,
                          s3store_error *err)
{
    static const world_options defaults = {0};
    const world_options *own = given != NULL ? given : &defaults;
    memset(w, 0, sizeof *w);
    the_gate = (gate){.explorer = explorer};
    s3s_sim_options options = {.seed = 1,
                               .start_wall_us = WORLD_START_US,
                               .choose = choose,
                               .choose_ctx = &the_gate,
                               .before_clock = own->before_clock,
                               .before_clock_ctx = own->before_clock_ctx};
    s3store_status status = s3s_sim_new(&options, &w->sim, err);
    if (status != S3STORE_OK)
        return status;
    w->env = s3s_sim_env(w->sim);
    status = s3s_memory_store_new(w->env, &w->store, err);
    for (size_t i = 0; i < WORLD_TARGETS; i++) {
        faulty_init(&w->faults[i], w->env, w->sim, &w->store);
        w->faults[i].coarse = own->s3;
        w->faults[i].ignores_conditions = own->unconditional;
        if (own->s3)
            w->faults[i].store.name = "s3";
    }
    setup_step step = {.w = w, .options = own, .err = err};
    if (status == S3STORE_OK)
        status = s3s_sim_add(w->sim, "setup", 0, run_setup, &step, err);
    if (status == S3STORE_OK)
        status = s3s_sim_run(w->sim, err);
    the_gate.open = !own->in_order;
    return status != S3STORE_OK ? status : step.status;
}

static void run_close(void *ctx)
{
    world *w = ctx;
    for (size_t i = 0; i < WORLD_WRITERS; i++)
        s3s_writer_free(w->writers[i]);
    for (size_t i = 0; i < WORLD_TARGETS; i++)
        if (w->targets[i] != NULL)
            s3s_target_release(w->targets[i]);
}

void world_close(world *w)
{
    the_gate.open = false;
    if (w->sim == NULL)
        return;
    if (s3s_sim_add(w->sim, "close", 0, run_close, w, NULL) == S3STORE_OK)
        (void)s3s_sim_run(w->sim, NULL);
    s3s_store_deinit(&w->store);
    s3s_sim_free(w->sim);
    for (size_t i = 0; i < WORLD_TARGETS; i++)
        faulty_deinit(&w->faults[i]);
}

s3store_status world_run(world *w, s3store_error *err)
{
    return s3s_sim_run(w->sim, err);
}

static s3store_status make_rows(const world_row *from, size_t count, struct ArrowSchema *schema,
                                struct ArrowArray *rows, s3store_error *err)
{
    s3store_builder *builder = NULL;
    s3store_status status = s3store_schema_new(3, schema, err);
    if (status == S3STORE_OK)
        status = s3store_schema_add(schema, "day", "u", true, err);
    if (status == S3STORE_OK)
        status = s3store_schema_add(schema, "id", "u", true, err);
    if (status == S3STORE_OK)
        status = s3store_schema_add(schema, "v", "l", true, err);
    if (status == S3STORE_OK)
        status = s3store_builder_new(schema, &builder, err);
    for (size_t i = 0; i < count && status == S3STORE_OK; i++) {
        status = s3store_builder_append_bytes(builder, 0, from[i].day, strlen(from[i].day), err);
        if (status == S3STORE_OK)
            status = s3store_builder_append_bytes(builder, 1, from[i].id, strlen(from[i].id), err);
        if (status == S3STORE_OK)
            status = s3store_builder_append_int(builder, 2, from[i].v, err);
    }
    if (status == S3STORE_OK)
        status = s3store_builder_finish(builder, rows, err);
    s3store_builder_free(builder);
    return status;
}

s3store_status world_stream_of(const world_row *rows, size_t count, struct ArrowArrayStream *out,
                               s3store_error *err)
{
    struct ArrowSchema schema = {0};
    struct ArrowArray batch = {0};
    s3store_status status = make_rows(rows, count, &schema, &batch, err);
    if (status == S3STORE_OK)
        status = s3store_stream_from_batches(&schema, &batch, 1, out, err);
    /* Before the write: it may crash, and only what belongs to the simulation goes with it. */
    if (schema.release != NULL)
        schema.release(&schema);
    return status;
}

s3store_status world_write_rows(world *w, size_t writer, const char *day, const char *id,
                                int64_t v, size_t rows, const s3store_write_options *options,
                                s3store_write_result **out, s3store_error *err)
{
    world_row made[WORLD_ROWS_MAX];
    struct ArrowArrayStream stream = {0};
    *out = NULL;
    if (rows > WORLD_ROWS_MAX)
        return s3s_fail(err, S3STORE_INVALID_ARGUMENT, "more than %d rows", WORLD_ROWS_MAX);
    for (size_t i = 0; i < rows; i++)
        made[i] = (world_row){day, id, v + (int64_t)i};
    s3store_status status = world_stream_of(made, rows, &stream, err);
    return status != S3STORE_OK ? status
                                : s3s_write(w->writers[writer], &stream, options, out, err);
}

s3store_status world_write(world *w, size_t writer, const char *day, const char *id, int64_t v,
                           const char *token, s3store_write_result **out, s3store_error *err)
{
    s3store_write_options options = S3STORE_WRITE_OPTIONS_INIT;
    options.token = token;
    return world_write_rows(w, writer, day, id, v, 1, &options, out, err);
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

s3store_status world_count_keys(world *w, const char *suffix, size_t *count, s3store_error *err)
{
    key_count c = {.suffix = suffix};
    s3store_status status =
        s3s_list_all(&w->store, NULL, "ds/", NULL, 0, count_key, &c, NULL, err);
    *count = c.count;
    return status;
}

s3store_status world_count_rows(world *w, int64_t *rows, s3store_error *err)
{
    static const char *const everything[] = {"*"};
    s3store_reader *reader = NULL;
    struct ArrowArrayStream stream = {0};
    s3s_stream_reader *batches = NULL;
    s3store_read_options options = S3STORE_READ_OPTIONS_INIT;
    options.patterns = everything;
    options.pattern_count = 1;
    options.history = true;
    *rows = 0;
    s3store_status status = s3s_reader_open(w->targets[WORLD_READER], NULL, &reader, err);
    if (status == S3STORE_OK)
        status = s3s_read_stream(reader, &options, &stream, err);
    if (status == S3STORE_OK)
        status = s3s_stream_reader_new(w->env, &stream, &batches, err);
    while (status == S3STORE_OK) {
        struct ArrowArray batch = {0};
        status = s3s_stream_reader_next(batches, &batch, err);
        if (status == S3STORE_OK)
            *rows += batch.length;
        s3s_array_release(&batch);
    }
    s3s_stream_reader_free(batches);
    s3s_reader_free(reader);
    return status == S3STORE_END ? S3STORE_OK : status;
}

s3store_status world_poll(world *w, world_stream *stream, s3store_error *err)
{
    s3store_poll_options options = S3STORE_POLL_OPTIONS_INIT;
    s3store_entries *entries = NULL;
    options.since = stream->since;
    s3store_status status = s3s_poll(w->targets[WORLD_READER], &options, &entries, err);
    for (size_t i = 0; i < s3store_entries_count(entries) && status == S3STORE_OK; i++) {
        if (stream->count == WORLD_SEEN_MAX)
            status = s3s_fail(err, S3STORE_INTERNAL, "the stream has more than %d entries",
                              WORLD_SEEN_MAX);
        else
            snprintf(stream->paths[stream->count++], WORLD_PATH_SIZE, "%s",
                     s3store_entries_get(entries, i)->data_path);
    }
    if (status == S3STORE_OK)
        snprintf(stream->since, sizeof stream->since, "%s", s3store_entries_next_offset(entries));
    s3store_entries_free(entries);
    return status;
}

s3store_status world_replay(world *w, const world_stream *stream, s3store_error *err)
{
    static world_stream again; /* one history at a time */
    memset(&again, 0, sizeof again);
    s3store_status status = world_poll(w, &again, err);
    bool same = again.count == stream->count;
    for (size_t i = 0; same && i < again.count; i++)
        same = strcmp(again.paths[i], stream->paths[i]) == 0;
    if (status == S3STORE_OK && !same)
        status = s3s_fail(err, S3STORE_INTERNAL, "%zu entries were seen, a replay gives %zu others",
                          stream->count, again.count);
    return status;
}

size_t world_seen(const world_stream *stream, const char *text)
{
    size_t count = 0;
    for (size_t i = 0; i < stream->count; i++)
        count += strstr(stream->paths[i], text) != NULL;
    return count;
}
