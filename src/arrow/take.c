/* Gathering rows. Two ways in for every layout: single rows, with a loop for each width, and
 * runs of consecutive rows, with one copy each. Which one is used is decided once for a batch. */
#include "arrow/internal.h"
#include "base/error.h"

/* A run must be this long on average before copying runs beats gathering rows. */
#define MIN_RUN_LENGTH 4

/* Single rows come from anywhere: their offsets are fetched this many rows ahead, their bytes
 * half as many. */
#define PREFETCH_ROWS 32

/* Short values are copied by one move of this size, where both sides have the room. */
#define SHORT_COPY 16

/* ---- bits ------------------------------------------------------------------------------------ */

typedef struct bits_source {
    const uint8_t *bits; /* NULL = all ones */
    int64_t offset;
} bits_source;

static void take_bits(const bits_source *sources, const s3s_selection *selection, uint8_t *out)
{
    if (selection->rows == NULL) {
        int64_t at = 0;
        for (size_t i = 0; i < selection->run_count; i++) {
            const s3s_run *run = &selection->runs[i];
            const bits_source *source = &sources[run->batch];
            if (source->bits != NULL)
                s3s_bits_copy(out, at, source->bits, source->offset + run->start, run->length);
            else
                s3s_bits_fill(out, at, run->length, true);
            at += run->length;
        }
        return;
    }
    const s3s_row *rows = selection->rows;
    for (size_t i = 0; i < selection->count; i++) {
        const bits_source *source = &sources[rows[i].batch];
        unsigned bit = source->bits == NULL ||
                       s3s_bit(source->bits, source->offset + (int64_t)rows[i].row);
        out[i >> 3] |= (uint8_t)(bit << (i & 7));
    }
}

static s3store_status take_bitmap(const s3s_take *take, const s3s_column *views, bool validity,
                                  const s3s_selection *selection, void **out, s3store_error *err)
{
    size_t sources_size = take->source_count * sizeof(bits_source);
    bits_source *sources = s3s_alloc(take->env, sources_size);
    uint8_t *bits = s3s_calloc(take->env, 1, s3s_bits_size(selection->count));
    if (sources == NULL || bits == NULL) {
        s3s_free(take->env, sources);
        s3s_free(take->env, bits);
        return s3s_fail_memory(err, sources_size + s3s_bits_size(selection->count));
    }
    for (size_t i = 0; i < take->source_count; i++)
        sources[i] = (bits_source){validity ? views[i].validity : views[i].values,
                                   views[i].offset};
    take_bits(sources, selection, bits);
    s3s_free(take->env, sources);
    *out = bits;
    return S3STORE_OK;
}

s3store_status s3s_take_validity(const s3s_take *take, const s3s_column *views,
                                 const s3s_selection *selection, void **bits,
                                 int64_t *null_count, s3store_error *err)
{
    bool any = false;
    for (size_t i = 0; i < take->source_count; i++)
        any = any || views[i].validity != NULL;
    *bits = NULL;
    *null_count = 0;
    if (!any)
        return S3STORE_OK;
    s3store_status status = take_bitmap(take, views, true, selection, bits, err);
    if (status != S3STORE_OK)
        return status;
    int64_t count = (int64_t)selection->count;
    *null_count = count - (int64_t)s3s_bits_count(*bits, 0, count);
    if (*null_count == 0) {
        s3s_free(take->env, *bits);
        *bits = NULL;
    }
    return S3STORE_OK;
}

/* ---- fixed width ----------------------------------------------------------------------------- */

/* One loop for each width: the copies become single moves. */
#define GATHER(width)                                                                              \
    for (size_t i = 0; i < count; i++)                                                             \
    memcpy(out + i * (width), bases[rows[i].batch] + (size_t)rows[i].row * (width), (width))
#define GATHER_ONE(width)                                                                          \
    for (size_t i = 0; i < count; i++)                                                             \
    memcpy(out + i * (width), base + (size_t)rows[i].row * (width), (width))

static void gather_fixed(const uint8_t *const *bases, const s3s_row *rows, size_t count,
                         size_t width, uint8_t *out)
{
    switch (width) {
    case 1:
        GATHER(1);
        break;
    case 2:
        GATHER(2);
        break;
    case 4:
        GATHER(4);
        break;
    case 8:
        GATHER(8);
        break;
    case 16:
        GATHER(16);
        break;
    case 32:
        GATHER(32);
        break;
    default:
        GATHER(width);
        break;
    }
}

static void gather_fixed_one(const uint8_t *base, const s3s_row *rows, size_t count, size_t width,
                             uint8_t *out)
{
    switch (width) {
    case 1:
        GATHER_ONE(1);
        break;
    case 2:
        GATHER_ONE(2);
        break;
    case 4:
        GATHER_ONE(4);
        break;
    case 8:
        GATHER_ONE(8);
        break;
    case 16:
        GATHER_ONE(16);
        break;
    default:
        GATHER_ONE(width);
        break;
    }
}

static void copy_fixed_runs(const uint8_t *const *bases, const s3s_selection *selection,
                            size_t width, uint8_t *out)
{
    for (size_t i = 0; i < selection->run_count; i++) {
        const s3s_run *run = &selection->runs[i];
        size_t size = (size_t)run->length * width;
        if (size > 0)
            memcpy(out, bases[run->batch] + (size_t)run->start * width, size);
        out += size;
    }
}

static s3store_status take_fixed(const s3s_take *take, const s3s_field *field,
                                 const s3s_column *views, const s3s_selection *selection,
                                 void **out, s3store_error *err)
{
    size_t width = s3s_type_value_size(field);
    size_t size;
    if (!s3s_mul(selection->count, width, &size))
        return s3s_fail_memory(err, SIZE_MAX);
    const uint8_t **bases = s3s_alloc(take->env, take->source_count * sizeof *bases);
    uint8_t *values = s3s_alloc(take->env, size);
    if (bases == NULL || values == NULL) {
        s3s_free(take->env, bases);
        s3s_free(take->env, values);
        return s3s_fail_memory(err, size);
    }
    for (size_t i = 0; i < take->source_count; i++)
        bases[i] = views[i].values == NULL
                       ? NULL
                       : (const uint8_t *)views[i].values + (size_t)views[i].offset * width;
    if (selection->rows == NULL)
        copy_fixed_runs(bases, selection, width, values);
    else if (take->source_count == 1)
        gather_fixed_one(bases[0], selection->rows, selection->count, width, values);
    else
        gather_fixed(bases, selection->rows, selection->count, width, values);
    s3s_free(take->env, bases);
    *out = values;
    return S3STORE_OK;
}

/* ---- strings and binaries -------------------------------------------------------------------- */

static inline void put_offset(void *offsets, bool wide, size_t i, int64_t value)
{
    if (wide)
        ((int64_t *)offsets)[i] = value;
    else
        ((int32_t *)offsets)[i] = (int32_t)(uint32_t)value;
}

/* Where the offsets of a row lie, for prefetching. */
static inline const void *offset_at(const s3s_column *views, const s3s_row *row, bool wide)
{
    const s3s_column *view = &views[row->batch];
    return (const uint8_t *)view->offsets +
           (size_t)(view->offset + (int64_t)row->row) * (wide ? 8 : 4);
}

/* Offsets of the taken values; their total size, or -1 when it overflows 64 bits. Nulls take no
 * room. */
static inline __attribute__((always_inline)) int64_t
size_rows(const s3s_column *views, const s3s_selection *selection, bool wide, void *offsets)
{
    int64_t total = 0;
    bool overflow = false;
    put_offset(offsets, wide, 0, 0);
    for (size_t i = 0; i < selection->count; i++) {
        const s3s_column *view = &views[selection->rows[i].batch];
        int64_t row = selection->rows[i].row;
        int64_t start;
        int64_t end;
        if (i + PREFETCH_ROWS < selection->count)
            __builtin_prefetch(offset_at(views, &selection->rows[i + PREFETCH_ROWS], wide));
        s3s_column_range(view, wide, row, &start, &end);
        bool null = view->validity != NULL && !s3s_bit(view->validity, view->offset + row);
        overflow |= __builtin_add_overflow(total, null ? 0 : end - start, &total);
        put_offset(offsets, wide, i + 1, total);
    }
    return overflow ? -1 : total;
}

static inline __attribute__((always_inline)) int64_t
size_runs(const s3s_column *views, const s3s_selection *selection, bool wide, void *offsets)
{
    int64_t total = 0;
    size_t at = 0;
    bool overflow = false;
    put_offset(offsets, wide, 0, 0);
    for (size_t r = 0; r < selection->run_count; r++) {
        const s3s_run *run = &selection->runs[r];
        const s3s_column *view = &views[run->batch];
        for (int64_t row = run->start; row < run->start + run->length; row++) {
            int64_t start;
            int64_t end;
            s3s_column_range(view, wide, row, &start, &end);
            bool null =
                view->validity != NULL && !s3s_bit(view->validity, view->offset + row);
            overflow |= __builtin_add_overflow(total, null ? 0 : end - start, &total);
            put_offset(offsets, wide, ++at, total);
        }
    }
    return overflow ? -1 : total;
}

/* Where the bytes of each source end. */
static void find_limits(const s3s_column *views, size_t count, bool wide, int64_t *limits)
{
    for (size_t i = 0; i < count; i++) {
        int64_t unused;
        limits[i] = 0;
        if (views[i].length > 0)
            s3s_column_range(&views[i], wide, views[i].length - 1, &unused, &limits[i]);
    }
}

/* out has SHORT_COPY bytes to spare behind the last value. */
static inline __attribute__((always_inline)) void
copy_rows(const s3s_column *views, const int64_t *limits, const s3s_selection *selection,
          bool wide, uint8_t *out)
{
    const s3s_row *rows = selection->rows;
    for (size_t i = 0; i < selection->count; i++) {
        const s3s_column *view = &views[rows[i].batch];
        const uint8_t *values = view->values;
        int64_t row = rows[i].row;
        int64_t start;
        int64_t end;
        if (i + PREFETCH_ROWS < selection->count) {
            const s3s_row *next = &rows[i + PREFETCH_ROWS / 2];
            int64_t next_start;
            __builtin_prefetch(offset_at(views, &rows[i + PREFETCH_ROWS], wide));
            s3s_column_range(&views[next->batch], wide, next->row, &next_start, &end);
            if (views[next->batch].values != NULL)
                __builtin_prefetch((const uint8_t *)views[next->batch].values + next_start);
        }
        if (view->validity != NULL && !s3s_bit(view->validity, view->offset + row))
            continue;
        s3s_column_range(view, wide, row, &start, &end);
        size_t size = (size_t)(end - start);
        if (size <= SHORT_COPY && start + SHORT_COPY <= limits[rows[i].batch])
            memcpy(out, values + start, SHORT_COPY);
        else if (size > 0)
            memcpy(out, values + start, size);
        out += size;
    }
}

static inline __attribute__((always_inline)) void
copy_runs(const s3s_column *views, const s3s_selection *selection, bool wide, uint8_t *out)
{
    for (size_t r = 0; r < selection->run_count; r++) {
        const s3s_run *run = &selection->runs[r];
        const s3s_column *view = &views[run->batch];
        int64_t stop = run->start + run->length;
        for (int64_t row = run->start; row < stop;) {
            int64_t next = stop;
            int64_t start;
            int64_t end;
            int64_t unused;
            if (view->validity != NULL) { /* nulls may cover bytes: stop before each */
                next = row;
                while (next < stop && s3s_bit(view->validity, view->offset + next))
                    next++;
            }
            if (next > row) {
                s3s_column_range(view, wide, row, &start, &unused);
                s3s_column_range(view, wide, next - 1, &unused, &end);
                if (end > start)
                    memcpy(out, (const uint8_t *)view->values + start, (size_t)(end - start));
                out += end - start;
            }
            row = next == stop ? stop : next + 1;
        }
    }
}

static int64_t size_values(const s3s_column *views, const s3s_selection *selection, bool wide,
                           void *offsets)
{
    if (selection->rows != NULL)
        return wide ? size_rows(views, selection, true, offsets)
                    : size_rows(views, selection, false, offsets);
    return wide ? size_runs(views, selection, true, offsets)
                : size_runs(views, selection, false, offsets);
}

/* Copies rows one by one; the only part that needs memory of its own. */
static s3store_status copy_single(const s3s_take *take, const s3s_column *views,
                                  const s3s_selection *selection, bool wide, uint8_t *out,
                                  s3store_error *err)
{
    int64_t *limits = s3s_alloc(take->env, take->source_count * sizeof *limits);
    if (limits == NULL)
        return s3s_fail_memory(err, take->source_count * sizeof *limits);
    find_limits(views, take->source_count, wide, limits);
    if (wide)
        copy_rows(views, limits, selection, true, out);
    else
        copy_rows(views, limits, selection, false, out);
    s3s_free(take->env, limits);
    return S3STORE_OK;
}

static s3store_status take_bytes(const s3s_take *take, const s3s_field *field,
                                 const s3s_column *views, const s3s_selection *selection,
                                 void **buffers, s3store_error *err)
{
    bool wide = s3s_type_layout(field->type) == S3S_LAYOUT_LARGE_BYTES;
    size_t size;
    if (!s3s_mul(selection->count + 1, wide ? 8 : 4, &size))
        return s3s_fail_memory(err, SIZE_MAX);
    buffers[1] = s3s_alloc(take->env, size);
    if (buffers[1] == NULL)
        return s3s_fail_memory(err, size);
    int64_t total = size_values(views, selection, wide, buffers[1]);
    if (total < 0 || (!wide && total > INT32_MAX))
        return s3s_fail(err, S3STORE_LIMIT_EXCEEDED,
                        "column \"%.200s\": %zu values hold more bytes than 32-bit offsets reach "
                        "(2 GiB): use smaller batches or its large type",
                        take->column, selection->count);
    size = (size_t)total + SHORT_COPY;
    buffers[2] = s3s_alloc(take->env, size);
    if (buffers[2] == NULL)
        return s3s_fail_memory(err, size);
    if (selection->rows != NULL)
        return copy_single(take, views, selection, wide, buffers[2], err);
    if (wide)
        copy_runs(views, selection, true, buffers[2]);
    else
        copy_runs(views, selection, false, buffers[2]);
    return S3STORE_OK;
}

/* ---- columns --------------------------------------------------------------------------------- */

s3store_status s3s_take_column(const s3s_take *take, const s3s_field *field,
                               const s3s_column *views, const s3s_selection *selection,
                               struct ArrowArray *out, s3store_error *err)
{
    s3s_layout layout = s3s_type_layout(field->type);
    if (layout == S3S_LAYOUT_STRUCT)
        return s3s_take_struct(take, field, views, selection, out, err);
    if (layout == S3S_LAYOUT_LIST || layout == S3S_LAYOUT_LARGE_LIST)
        return s3s_take_list(take, field, views, selection, out, err);
    void *buffers[S3S_MAX_BUFFERS] = {NULL, NULL, NULL};
    int64_t null_count = (int64_t)selection->count;
    s3store_status status = S3STORE_OK;
    memset(out, 0, sizeof *out);
    if (layout != S3S_LAYOUT_NULL)
        status = s3s_take_validity(take, views, selection, &buffers[0], &null_count, err);
    if (status == S3STORE_OK && layout == S3S_LAYOUT_BOOL)
        status = take_bitmap(take, views, false, selection, &buffers[1], err);
    else if (status == S3STORE_OK && layout == S3S_LAYOUT_FIXED)
        status = take_fixed(take, field, views, selection, &buffers[1], err);
    else if (status == S3STORE_OK && layout != S3S_LAYOUT_NULL)
        status = take_bytes(take, field, views, selection, buffers, err);
    if (status == S3STORE_OK)
        return s3s_array_make(take->env, field, (int64_t)selection->count, null_count, buffers,
                              s3s_type_buffer_count(field->type), NULL, 0, out, err);
    for (size_t i = 0; i < S3S_MAX_BUFFERS; i++)
        s3s_free(take->env, buffers[i]);
    return status;
}

s3store_status s3s_column_copy(s3s_env *env, const s3s_column *column, struct ArrowArray *out,
                               s3store_error *err)
{
    s3s_take take = {env, column->field->name, 1};
    s3s_run all = {0, 0, column->length};
    s3s_selection selection = {NULL, &all, 1, (size_t)column->length};
    return s3s_take_column(&take, column->field, column, &selection, out, err);
}

/* ---- batches --------------------------------------------------------------------------------- */

/* Checks the rows and counts the runs they form. */
static s3store_status count_runs(const struct ArrowArray *const *batches, size_t batch_count,
                                 const s3s_row *rows, size_t row_count, size_t *runs,
                                 s3store_error *err)
{
    size_t count = 0;
    uint32_t batch = UINT32_MAX;
    uint64_t next = 0;
    for (size_t i = 0; i < row_count; i++) {
        if (rows[i].batch >= batch_count ||
            (int64_t)rows[i].row >= batches[rows[i].batch]->length)
            return s3s_fail(err, S3STORE_INTERNAL, "row %u of batch %u does not exist",
                            (unsigned)rows[i].row, (unsigned)rows[i].batch);
        count += rows[i].batch != batch || rows[i].row != next;
        batch = rows[i].batch;
        next = (uint64_t)rows[i].row + 1;
    }
    *runs = count;
    return S3STORE_OK;
}

static void fill_runs(const s3s_row *rows, size_t row_count, s3s_run *runs)
{
    size_t count = 0;
    for (size_t i = 0; i < row_count; i++) {
        s3s_run *last = count > 0 ? &runs[count - 1] : NULL;
        if (last != NULL && last->batch == rows[i].batch &&
            last->start + last->length == (int64_t)rows[i].row)
            last->length++;
        else
            /* runs holds what count_runs found.
             * NOLINTNEXTLINE(clang-analyzer-core.NullDereference) */
            runs[count++] = (s3s_run){rows[i].batch, rows[i].row, 1};
    }
}

typedef struct take_state {
    s3s_run *runs;
    s3s_column *views;
    struct ArrowArray *columns;
    size_t column_count;
} take_state;

static void state_free(s3s_env *env, take_state *state)
{
    for (size_t i = 0; state->columns != NULL && i < state->column_count; i++)
        s3s_array_release(&state->columns[i]);
    s3s_free(env, state->columns);
    s3s_free(env, state->views);
    s3s_free(env, state->runs);
}

static s3store_status state_init(s3s_env *env, size_t run_count, size_t batch_count,
                                 size_t column_count, take_state *state, s3store_error *err)
{
    *state = (take_state){.column_count = column_count};
    state->views = s3s_calloc(env, batch_count, sizeof *state->views);
    state->columns = s3s_calloc(env, column_count, sizeof *state->columns);
    if (run_count > 0)
        state->runs = s3s_calloc(env, run_count, sizeof *state->runs);
    if (state->views != NULL && state->columns != NULL && (run_count == 0 || state->runs != NULL))
        return S3STORE_OK;
    state_free(env, state);
    return s3s_fail_memory(err, run_count * sizeof *state->runs +
                                    batch_count * sizeof *state->views +
                                    column_count * sizeof *state->columns);
}

s3store_status s3s_batch_take(s3s_env *env, const s3s_schema *schema,
                              const struct ArrowArray *const *batches, size_t batch_count,
                              const s3s_row *rows, size_t row_count, const size_t *columns,
                              size_t column_count, struct ArrowArray *out, s3store_error *err)
{
    size_t run_count = 0;
    take_state state;
    memset(out, 0, sizeof *out);
    if (columns == NULL)
        column_count = schema->field_count;
    s3store_status status = count_runs(batches, batch_count, rows, row_count, &run_count, err);
    if (status != S3STORE_OK)
        return status;
    bool by_runs = run_count <= row_count / MIN_RUN_LENGTH;
    status = state_init(env, by_runs ? run_count : 0, batch_count, column_count, &state, err);
    if (status != S3STORE_OK)
        return status;
    s3s_selection selection = {rows, NULL, 0, row_count};
    if (by_runs) {
        fill_runs(rows, row_count, state.runs);
        selection = (s3s_selection){NULL, state.runs, run_count, row_count};
    }
    for (size_t c = 0; c < column_count && status == S3STORE_OK; c++) {
        size_t position = columns != NULL ? columns[c] : c;
        const s3s_field *field = &schema->fields[position];
        s3s_take take = {env, field->name, batch_count};
        for (size_t b = 0; b < batch_count; b++)
            s3s_batch_column(schema, batches[b], position, &state.views[b]);
        status = s3s_take_column(&take, field, state.views, &selection, &state.columns[c], err);
    }
    if (status == S3STORE_OK)
        status = s3s_batch_make(env, state.columns, column_count, (int64_t)row_count, out, err);
    state_free(env, &state);
    return status;
}
