/* Whole objects, tails and single ranges: the requests. The plan of ranges is in ranges.c. */
#include "datafile/internal.h"

#include <stdio.h>

#include "base/bytes.h"
#include "base/error.h"

#define HOLD_MAX_BYTES (8u * 1024 * 1024)

s3store_status s3s_fetch_blame(const char *key, s3store_status status, s3store_error *err)
{
    if (err == NULL || status == S3STORE_OK || status == S3STORE_END)
        return status;
    if (strstr(err->message, key) == NULL)
        s3s_context(err, "reading \"%s\"", key);
    if (err->key[0] == '\0')
        snprintf(err->key, sizeof err->key, "%s", key);
    return status;
}

/* ---- the whole object ------------------------------------------------------------------------ */

/* A sink that may say no once the size is known: then the object is read by ranges instead. */
typedef struct whole_sink {
    s3s_fetch *fetch;
    const s3s_datafile_options *options;
    uint64_t max;     /* hard bound of what may be held */
    uint64_t all_max; /* bound by what the wanted columns make worth while */
    bool refused;
} whole_sink;

static bool admit(whole_sink *whole, uint64_t size)
{
    s3s_fetch *f = whole->fetch;
    if (size > whole->max || size > whole->all_max)
        return false;
    if (f->admitted >= size && f->admitted > 0)
        return true;
    const s3s_datafile_options *o = whole->options;
    if (f->admitted > 0 && o->withdraw != NULL) {
        o->withdraw(o->admit_ctx, f->admitted);
        f->admitted = 0;
    }
    if (o->admit != NULL && !o->admit(o->admit_ctx, size))
        return false;
    f->admitted = size;
    return true;
}

static s3store_status whole_refuse(whole_sink *whole, s3store_error *err)
{
    whole->refused = true;
    return s3s_fail(err, S3STORE_LIMIT_EXCEEDED, "the object is too large to be held whole");
}

static s3store_status whole_begin(struct s3store_sink *sink, int64_t total, s3store_error *err)
{
    whole_sink *whole = sink->ctx;
    s3s_buffer_clear(&whole->fetch->body);
    if (total < 0)
        return S3STORE_OK;
    if (!admit(whole, (uint64_t)total))
        return whole_refuse(whole, err);
    if (total > 0 && s3s_buffer_reserve(&whole->fetch->body, (size_t)total, err) == NULL)
        return S3STORE_OUT_OF_MEMORY;
    return S3STORE_OK;
}

static s3store_status whole_write(struct s3store_sink *sink, const void *data, size_t size,
                                  s3store_error *err)
{
    whole_sink *whole = sink->ctx;
    s3s_buffer *body = &whole->fetch->body;
    if (size > whole->max || body->size > whole->max - size)
        return whole_refuse(whole, err);
    return s3s_buffer_append(body, data, size, err);
}

/* *refused: nothing was fetched because of its size; the status is then OK. */
static s3store_status fetch_whole(s3s_fetch *f, const s3s_datafile_options *options, uint64_t max,
                                  bool *refused, s3store_error *err)
{
    whole_sink whole = {.fetch = f, .options = options, .max = max};
    whole.all_max = options->columns == NULL ? UINT64_MAX : S3S_DATAFILE_WHOLE_BYTES;
    *refused = false;
    if (options->size > 0 && !admit(&whole, options->size)) {
        *refused = true;
        return S3STORE_OK;
    }
    s3store_sink sink = {.begin = whole_begin, .write = whole_write, .ctx = &whole};
    s3store_get_request request = {
        .size = sizeof request, .key = f->key, .length = S3STORE_LENGTH_ALL};
    s3store_object_info info = {0};
    s3store_status status = s3s_get(f->store, &f->call, &request, &sink, &info, err);
    if (status != S3STORE_OK && whole.refused) {
        s3s_error_clear(err);
        s3s_buffer_deinit(&f->body);
        s3s_buffer_init(&f->body, f->env, SIZE_MAX);
        *refused = true;
        return S3STORE_OK;
    }
    if (status != S3STORE_OK)
        return status;
    f->is_whole = true;
    f->fetched_bytes += f->body.size;
    f->file_size = f->body.size;
    f->memory = (s3s_parquet_memory){.data = f->body.data, .size = f->body.size};
    return S3STORE_OK;
}

/* ---- the tail, and ranges -------------------------------------------------------------------- */

static s3store_status fetch_tail(s3s_fetch *f, s3store_error *err)
{
    s3store_sink sink = s3s_buffer_sink(&f->body);
    s3store_get_request request = {
        .size = sizeof request, .key = f->key, .suffix = S3S_DATAFILE_TAIL_BYTES};
    s3store_object_info info = {0};
    s3store_error local = {0};
    s3store_status status = s3s_get(f->store, &f->call, &request, &sink, &info, &local);
    if (status != S3STORE_OK && local.http_status == 416) /* S3: no last bytes of nothing */
        return s3s_fail_key(err, S3STORE_CORRUPT, f->key,
                            "\"%s\" is no Parquet file: it is empty", f->key);
    if (status != S3STORE_OK) {
        if (err != NULL)
            *err = local;
        return status;
    }
    if (info.object_size < f->body.size || f->body.size > S3S_DATAFILE_TAIL_BYTES ||
        (info.object_size > f->body.size && f->body.size < S3S_DATAFILE_TAIL_BYTES))
        return s3s_fail_key(err, S3STORE_CORRUPT, f->key,
                            "the store answered %zu bytes as the end of \"%s\" with %llu bytes",
                            f->body.size, f->key, (unsigned long long)info.object_size);
    f->fetched_bytes += f->body.size;
    f->file_size = info.object_size;
    memcpy(f->etag, info.etag, sizeof f->etag);
    return S3STORE_OK;
}

/* Fills exactly the size bytes at data. */
typedef struct exact_sink {
    uint8_t *data;
    size_t size, got;
    bool overflow;
} exact_sink;

static s3store_status exact_begin(struct s3store_sink *sink, int64_t total, s3store_error *err)
{
    (void)total;
    (void)err;
    exact_sink *exact = sink->ctx;
    exact->got = 0;
    return S3STORE_OK;
}

static s3store_status exact_write(struct s3store_sink *sink, const void *data, size_t size,
                                  s3store_error *err)
{
    exact_sink *exact = sink->ctx;
    if (size > exact->size - exact->got) {
        exact->overflow = true;
        return s3s_fail(err, S3STORE_CORRUPT, "the store sent more bytes than were asked for");
    }
    memcpy(exact->data + exact->got, data, size);
    exact->got += size;
    return S3STORE_OK;
}

static s3store_status get_range(s3s_fetch *f, uint64_t offset, uint8_t *data, size_t size,
                                s3store_error *err)
{
    exact_sink exact = {.data = data, .size = size};
    s3store_sink sink = {.begin = exact_begin, .write = exact_write, .ctx = &exact};
    s3store_get_request request = {.size = sizeof request,
                                   .key = f->key,
                                   .offset = offset,
                                   .length = size,
                                   .if_match = f->etag[0] != '\0' ? f->etag : NULL};
    s3store_object_info info = {0};
    s3store_status status = s3s_get(f->store, &f->call, &request, &sink, &info, err);
    if (status == S3STORE_ALREADY_EXISTS)
        return s3s_fail_key(err, S3STORE_CORRUPT, f->key,
                            "\"%s\" was replaced while it was read", f->key);
    if (status != S3STORE_OK)
        return status;
    atomic_fetch_add_explicit(&f->fetched_bytes, exact.got, memory_order_relaxed);
    if (exact.got != size)
        return s3s_fail_key(err, S3STORE_CORRUPT, f->key,
                            "the store sent %zu of %zu bytes at offset %llu of \"%s\"", exact.got,
                            size, (unsigned long long)offset, f->key);
    return S3STORE_OK;
}

/* ---- random access --------------------------------------------------------------------------- */

static bool copy_from(const uint8_t *from, uint64_t from_offset, uint64_t from_size,
                      uint64_t offset, void *data, size_t size)
{
    if (from == NULL || offset < from_offset || size > from_size ||
        offset - from_offset > from_size - size)
        return false;
    memcpy(data, from + (offset - from_offset), size);
    return true;
}

static bool copy_held(const s3s_fetch *f, uint64_t offset, void *data, size_t size)
{
    uint64_t tail_offset = f->file_size - f->body.size;
    if (copy_from(f->body.data, tail_offset, f->body.size, offset, data, size))
        return true;
    if (copy_from(f->held.data, f->held.offset, f->held.size, offset, data, size))
        return true;
    for (size_t i = 0; i < f->region_count; i++) {
        const s3s_region *r = &f->regions[i];
        if (copy_from(r->data, r->offset, r->size, offset, data, size))
            return true;
    }
    return false;
}

static void free_regions(s3s_env *env, s3s_region *regions, size_t count)
{
    for (size_t i = 0; i < count; i++)
        s3s_free(env, regions[i].data);
    s3s_free(env, regions);
}

static void drop_regions(s3s_fetch *f)
{
    free_regions(f->env, f->regions, f->region_count);
    f->regions = NULL;
    f->region_count = 0;
}

typedef struct step_load {
    s3s_fetch *fetch;
    s3s_region *regions;
    size_t count;
} step_load;

static s3store_status load_region(void *ctx, size_t item, s3store_error *err)
{
    step_load *load = ctx;
    s3s_fetch *f = load->fetch;
    s3s_region *r = &load->regions[item];
    r->data = s3s_alloc(f->env, (size_t)r->size);
    if (r->data == NULL)
        return s3s_fail_memory(err, (size_t)r->size);
    return get_range(f, r->offset, r->data, (size_t)r->size, err);
}

/* The regions of a step, which the caller makes the current ones. */
static s3store_status load_step(s3s_fetch *f, uint32_t step, step_load *load, s3store_error *err)
{
    size_t first = 0, count = 0;
    while (first < f->plan_count && f->plan[first].step != step)
        first++;
    while (first + count < f->plan_count && f->plan[first + count].step == step)
        count++;
    *load = (step_load){.fetch = f, .regions = s3s_calloc(f->env, count, sizeof *load->regions)};
    if (load->regions == NULL)
        return s3s_fail_memory(err, count * sizeof *load->regions);
    load->count = count;
    for (size_t i = 0; i < count; i++) {
        load->regions[i].offset = f->plan[first + i].range.offset;
        load->regions[i].size = f->plan[first + i].range.size;
    }
    s3store_status status = S3STORE_OK;
    if (f->pool != NULL && count > 1) {
        s3s_fan_options fan = {.call = &f->call};
        status = s3s_fan_out(f->pool, count, load_region, load, &fan, err);
    } else {
        for (size_t i = 0; status == S3STORE_OK && i < count; i++)
            status = load_region(load, i, err);
    }
    if (status != S3STORE_OK) {
        free_regions(f->env, load->regions, load->count);
        *load = (step_load){0};
    }
    return status;
}

s3store_status s3s_fetch_hold(s3s_fetch *f, s3s_byte_range range, s3store_error *err)
{
    uint64_t tail_offset = f->file_size - f->body.size;
    s3s_fetch_drop(f);
    if (f->is_whole || range.size == 0 || range.size > HOLD_MAX_BYTES ||
        range.size > f->memory_bytes / 8 || range.offset >= tail_offset)
        return S3STORE_OK;
    uint8_t *data = s3s_alloc(f->env, (size_t)range.size);
    if (data == NULL)
        return s3s_fail_memory(err, (size_t)range.size);
    s3store_status status = get_range(f, range.offset, data, (size_t)range.size, err);
    if (status == S3STORE_OK)
        f->held = (s3s_region){.offset = range.offset, .size = range.size, .data = data};
    else
        s3s_free(f->env, data);
    return status;
}

void s3s_fetch_drop(s3s_fetch *f)
{
    s3s_free(f->env, f->held.data);
    f->held = (s3s_region){0};
}

/* The step of the plan that has these bytes; UINT32_MAX = none. */
static uint32_t step_of(const s3s_fetch *f, uint64_t offset, size_t size)
{
    for (size_t i = 0; i < f->plan_count; i++) {
        const s3s_byte_range *r = &f->plan[i].range;
        if (offset >= r->offset && size <= r->size && offset - r->offset <= r->size - size)
            return f->plan[i].step;
    }
    return UINT32_MAX;
}

static s3store_status read_alone(s3s_fetch *f, uint64_t offset, void *data, size_t size,
                                 s3store_error *err)
{
    if (copy_held(f, offset, data, size))
        return S3STORE_OK;
    uint32_t step = step_of(f, offset, size);
    if (step == UINT32_MAX)
        return get_range(f, offset, data, size, err);
    step_load load;
    drop_regions(f);
    s3store_status status = load_step(f, step, &load, err);
    if (status != S3STORE_OK)
        return status;
    f->regions = load.regions;
    f->region_count = load.count;
    return copy_held(f, offset, data, size) ? status : get_range(f, offset, data, size, err);
}

/* *found: the bytes were there, or came with a step that this thread or another one fetched. Columns of
 * a row group ask for the same step at the same time. */
static s3store_status read_step_locked(s3s_fetch *f, uint64_t offset, void *data, size_t size,
                                       bool *found, s3store_error *err)
{
    uint32_t step = step_of(f, offset, size);
    s3store_status status = S3STORE_OK;
    for (;;) {
        *found = copy_held(f, offset, data, size);
        if (*found || step == UINT32_MAX || status != S3STORE_OK)
            return status;
        if (f->is_loading) {
            status = s3s_cond_wait(&f->loaded, &f->mutex, f->call.deadline_us, f->call.cancel);
            if (status != S3STORE_OK)
                return s3s_fail(err, status, "%s while bytes were waited for",
                                status == S3STORE_CANCELLED ? "cancelled" : "out of time");
            continue;
        }
        step_load load = {0};
        f->is_loading = true;
        drop_regions(f);
        s3s_mutex_unlock(&f->mutex);
        status = load_step(f, step, &load, err);
        s3s_mutex_lock(&f->mutex);
        f->regions = load.regions;
        f->region_count = load.count;
        f->is_loading = false;
        s3s_cond_broadcast(&f->loaded);
        if (status != S3STORE_OK)
            return status;
        *found = copy_held(f, offset, data, size);
        return S3STORE_OK;
    }
}

static s3store_status read_shared(s3s_fetch *f, uint64_t offset, void *data, size_t size,
                                  s3store_error *err)
{
    bool found = false;
    s3s_mutex_lock(&f->mutex);
    s3store_status status = read_step_locked(f, offset, data, size, &found, err);
    s3s_mutex_unlock(&f->mutex);
    return status != S3STORE_OK || found ? status : get_range(f, offset, data, size, err);
}

bool s3s_fetch_share(s3s_fetch *f)
{
    if (f->is_whole || f->is_shared)
        return true;
    if (s3s_mutex_init(&f->mutex, f->env, NULL) != S3STORE_OK)
        return false;
    f->is_shared = s3s_cond_init(&f->loaded, f->env, NULL) == S3STORE_OK;
    if (!f->is_shared)
        s3s_mutex_deinit(&f->mutex);
    return f->is_shared;
}

static s3store_status fetch_read(void *ctx, uint64_t offset, void *data, size_t size,
                                 s3store_error *err)
{
    s3s_fetch *f = ctx;
    if (size > f->file_size || offset > f->file_size - size)
        return s3s_fail_key(err, S3STORE_CORRUPT, f->key,
                            "\"%s\" has %llu bytes; its footer points to %zu bytes at %llu",
                            f->key, (unsigned long long)f->file_size, size,
                            (unsigned long long)offset);
    return f->is_shared ? read_shared(f, offset, data, size, err)
                        : read_alone(f, offset, data, size, err);
}

s3s_parquet_source s3s_fetch_source(s3s_fetch *fetch)
{
    if (fetch->is_whole)
        return s3s_parquet_memory_source(&fetch->memory);
    return (s3s_parquet_source){.ctx = fetch, .file_size = fetch->file_size, .read = fetch_read};
}

/* ---- life ------------------------------------------------------------------------------------ */

void s3s_fetch_unplan(s3s_fetch *f)
{
    drop_regions(f);
    s3s_free(f->env, f->plan);
    f->plan = NULL;
    f->plan_count = f->plan_capacity = 0;
}

void s3s_fetch_deinit(s3s_fetch *f)
{
    s3s_fetch_drop(f);
    s3s_fetch_unplan(f);
    if (f->is_shared) {
        s3s_cond_deinit(&f->loaded);
        s3s_mutex_deinit(&f->mutex);
    }
    s3s_buffer_deinit(&f->body);
    s3s_free(f->env, f->key);
    f->key = NULL;
}

static bool whole_is_worth_trying(const s3s_datafile_options *options, uint64_t max)
{
    if (options->footer_only)
        return false;
    if (options->size == 0) /* unknown: most objects are small */
        return true;
    return options->size <= max &&
           (options->columns == NULL || options->size <= S3S_DATAFILE_WHOLE_BYTES);
}

s3store_status s3s_fetch_open(s3s_env *env, const s3store_object_store *store,
                              const s3store_call *call, const s3s_datafile_options *options,
                              s3s_fetch *f, s3store_error *err)
{
    *f = (s3s_fetch){.env = env, .store = store, .pool = options->pool};
    f->call = call != NULL ? *call : (s3store_call){.deadline_us = S3STORE_TIME_NONE};
    f->memory_bytes =
        options->memory_bytes != 0 ? options->memory_bytes : S3STORE_DEFAULT_MEMORY_BYTES;
    s3s_buffer_init(&f->body, env, SIZE_MAX);
    f->key = s3s_strdup(env, options->key);
    if (f->key == NULL)
        return s3s_fail_memory(err, strlen(options->key) + 1);

    uint64_t max = options->whole_max != 0 ? options->whole_max : f->memory_bytes / 2;
    bool refused = true;
    s3store_status status = S3STORE_OK;
    if (whole_is_worth_trying(options, max))
        status = fetch_whole(f, options, max, &refused, err);
    if (status == S3STORE_OK && refused)
        status = fetch_tail(f, err);
    if (status == S3STORE_OK && !f->is_whole && f->admitted > 0) {
        if (options->withdraw != NULL)
            options->withdraw(options->admit_ctx, f->admitted);
        f->admitted = 0;
    }
    if (status != S3STORE_OK) {
        if (f->admitted > 0 && options->withdraw != NULL)
            options->withdraw(options->admit_ctx, f->admitted);
        s3s_fetch_blame(options->key, status, err);
        s3s_fetch_deinit(f);
    }
    return status;
}
