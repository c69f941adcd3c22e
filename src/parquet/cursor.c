/* parquet/cursor.c: which rows are read: of which row groups, and which of those. */
#include "base/error.h"
#include "parquet/cursor_private.h"

static s3store_status check_column(const s3s_parquet_file *file, size_t column, s3store_error *err)
{
    const s3s_schema *schema = file->schema.schema;
    if (column >= schema->field_count)
        return s3s_fail(err, S3STORE_INVALID_ARGUMENT, "%s: there is no column %zu", file->name,
                        column);
    return S3STORE_OK;
}

static s3store_status open_readers(s3s_parquet_cursor *c, const size_t *columns, size_t count,
                                   s3store_error *err)
{
    s3s_parquet_file *file = c->file;
    size_t all = 0;
    c->columns = s3s_calloc(file->env, count + 1, sizeof *c->columns);
    if (c->columns == NULL)
        return s3s_fail_memory(err, count * sizeof *c->columns);
    c->column_count = count;
    for (size_t i = 0; i < count; i++) {
        const size_t *first = &file->schema.first_leaf[columns[i]];
        c->columns[i] = (s3s_cursor_column){columns[i], all, first[1] - first[0]};
        all += first[1] - first[0];
    }
    c->readers = s3s_calloc(file->env, all + 1, sizeof *c->readers);
    c->leaves = s3s_calloc(file->env, all + 1, sizeof *c->leaves);
    c->order = s3s_calloc(file->env, all + 1, sizeof *c->order);
    c->costs = s3s_calloc(file->env, all + 1, sizeof *c->costs);
    if (all <= S3S_CHAINS_MAX)
        c->chains = s3s_calloc(file->env, all + 1, sizeof *c->chains);
    if (c->readers == NULL || c->leaves == NULL || c->order == NULL || c->costs == NULL ||
        (c->chains == NULL && all <= S3S_CHAINS_MAX))
        return s3s_fail_memory(err, all * sizeof *c->readers);
    for (size_t i = 0; i < count; i++) {
        const s3s_leaf *leaf = &file->schema.leaves[file->schema.first_leaf[columns[i]]];
        for (size_t k = 0; k < c->columns[i].reader_count; k++) {
            c->leaves[c->reader_count] = &leaf[k];
            s3s_leaf_reader *reader = &c->readers[c->reader_count++]; /* counted: to be undone */
            s3store_status status = s3s_leaf_reader_init(reader, file->env, &file->budget,
                                                         file->source, &leaf[k], err);
            reader->pages.blocks = &file->blocks;
            c->nested = c->nested || !leaf[k].flat;
            if (status != S3STORE_OK)
                return status;
        }
    }
    return S3STORE_OK;
}

s3store_status s3s_parquet_cursor_new(s3s_parquet_file *file, const size_t *columns,
                                      size_t column_count, int64_t max_rows,
                                      s3s_parquet_cursor **out, s3store_error *err)
{
    *out = NULL;
    size_t count = columns == NULL ? file->schema.schema->field_count : column_count;
    s3s_parquet_cursor *c = s3s_calloc(file->env, 1, sizeof *c);
    if (c == NULL)
        return s3s_fail_memory(err, sizeof *c);
    c->file = file;
    s3s_arena_init(&c->prune.arena, file->env);
    c->max_rows = max_rows > 0 ? max_rows : INT64_MAX;
    c->step_rows = S3S_CURSOR_STEP_FIRST;
    s3store_status status = S3STORE_OK;
    size_t *selected = s3s_calloc(file->env, count + 1, sizeof *selected);
    if (selected == NULL) {
        s3s_parquet_cursor_free(c);
        return s3s_fail_memory(err, count * sizeof *selected);
    }
    for (size_t i = 0; i < count && status == S3STORE_OK; i++) {
        selected[i] = columns == NULL ? i : columns[i];
        status = check_column(file, selected[i], err);
    }
    if (status == S3STORE_OK)
        status = s3s_schema_select(file->schema.schema, selected, count, &c->schema, err);
    if (status == S3STORE_OK)
        status = open_readers(c, selected, count, err);
    s3s_free(file->env, selected);
    if (status != S3STORE_OK)
        s3s_parquet_cursor_free(c);
    else
        *out = c;
    return status;
}

static void forget_selections(s3s_parquet_cursor *c)
{
    for (size_t g = 0; c->selections != NULL && g < s3s_parquet_row_group_count(c->file); g++)
        s3s_selection_deinit(&c->selections[g]);
    s3s_free(c->file->env, c->selections);
    c->selections = NULL;
}

void s3s_parquet_cursor_free(s3s_parquet_cursor *c)
{
    if (c == NULL)
        return;
    s3s_queue_free(c->queue); /* nobody reads ahead any more */
    for (size_t i = 0; i < c->reader_count; i++)
        s3s_leaf_reader_deinit(&c->readers[i]);
    s3s_env *env = c->file->env;
    forget_selections(c);
    s3s_selection_deinit(&c->current);
    s3s_prune_deinit(&c->prune);
    s3s_free(env, c->readers);
    s3s_free(env, c->leaves);
    s3s_free(env, c->order);
    s3s_free(env, c->chains);
    s3s_free(env, c->costs);
    s3s_free(env, c->columns);
    s3s_schema_release(c->schema);
    s3s_free(env, c);
}

s3store_status s3s_parquet_cursor_where(s3s_parquet_cursor *c,
                                        const s3s_parquet_predicate *predicates, size_t count,
                                        s3store_error *err)
{
    if (c->group > 0)
        return s3s_fail(err, S3STORE_INVALID_ARGUMENT, "%s: predicates after the first batch",
                        c->file->name);
    forget_selections(c);
    s3s_prune_deinit(&c->prune);
    return s3s_prune_init(&c->prune, c->file, predicates, count, err);
}

static s3store_status select_rows(s3s_parquet_cursor *c, size_t group, s3s_selection **out,
                                  s3store_error *err)
{
    size_t groups = s3s_parquet_row_group_count(c->file);
    if (c->selections == NULL)
        c->selections = s3s_calloc(c->file->env, groups + 1, sizeof *c->selections);
    if (c->selections == NULL)
        return s3s_fail_memory(err, groups * sizeof *c->selections);
    s3s_selection *s = *out = &c->selections[group];
    return s->known ? S3STORE_OK
                    : s3s_selection_make(s, &c->prune, c->file, group, c->leaves, c->reader_count,
                                         err);
}

s3store_status s3s_parquet_cursor_group_rows(s3s_parquet_cursor *c, size_t group, int64_t *rows,
                                             s3store_error *err)
{
    s3s_selection *s = NULL;
    s3store_status status = select_rows(c, group, &s, err);
    *rows = status == S3STORE_OK ? s3s_selection_rows(s) : 0;
    return status;
}

s3store_status s3s_parquet_cursor_ranges(s3s_parquet_cursor *c, size_t group, uint64_t gap_bytes,
                                         s3s_byte_range *ranges, size_t *range_count,
                                         size_t range_max, s3store_error *err)
{
    s3s_selection *s = NULL;
    s3s_buffer all;
    s3s_buffer_init(&all, c->file->env, SIZE_MAX);
    *range_count = 0;
    s3store_status status = select_rows(c, group, &s, err);
    if (status == S3STORE_OK)
        status = s3s_selection_bytes(s, c->file, group, c->leaves, c->reader_count, &all, err);
    s3s_byte_range *found = (void *)all.data;
    size_t count = all.size / sizeof *found;
    count = status == S3STORE_OK && count > 0 ? s3s_byte_ranges_merge(found, count, gap_bytes) : 0;
    /* Rather a few bytes too many than too many ranges. */
    for (; count > range_max && gap_bytes < UINT64_MAX / 4; gap_bytes = gap_bytes * 4 + 4096)
        count = s3s_byte_ranges_merge(found, count, gap_bytes);
    if (count > range_max)
        status = s3s_fail(err, S3STORE_LIMIT_EXCEEDED, "more than %zu byte ranges", range_max);
    else if (count > 0)
        memcpy(ranges, found, count * sizeof *ranges);
    *range_count = status == S3STORE_OK ? count : 0;
    s3s_buffer_deinit(&all);
    return status;
}

s3s_byte_range s3s_parquet_cursor_index_range(const s3s_parquet_cursor *c)
{
    return s3s_prune_index_range(&c->prune, c->file, c->leaves, c->reader_count);
}

void s3s_parquet_cursor_use_pool(s3s_parquet_cursor *c, s3s_pool *pool, size_t threads)
{
    c->pool = threads == 1 || s3s_env_is_simulated(c->file->env) ? NULL : pool;
    c->fan.limit = threads;
}

const s3s_schema *s3s_parquet_cursor_schema(const s3s_parquet_cursor *cursor)
{
    return cursor->schema;
}

/* ---- leaving rows out ------------------------------------------------------------------------ */

/* Rows of a column are decoded and dropped, at most as many as a step has. */
static s3store_status drop_rows(s3s_parquet_cursor *c, const s3s_cursor_column *column,
                                size_t *rows, s3store_error *err)
{
    size_t wanted = *rows < S3S_CURSOR_STEP_FIRST ? *rows : S3S_CURSOR_STEP_FIRST;
    for (size_t i = 0; i < column->reader_count; i++) {
        s3s_leaf_reader *r = &c->readers[column->first_reader + i];
        size_t have = s3s_leaf_reader_rows(r), got = 0;
        s3store_status status =
            have < wanted ? s3s_leaf_reader_read(r, wanted - have, &got, err) : S3STORE_OK;
        if (status != S3STORE_OK)
            return s3s_cursor_fail(c, r, status, err);
        wanted = have + got < wanted ? have + got : wanted;
    }
    struct ArrowArray dropped;
    s3store_status status = s3s_cursor_take_column(c, column, wanted, &dropped, err);
    if (status != S3STORE_OK)
        return s3s_parquet_in_column(err, c->file,
                                     c->readers[column->first_reader].leaf->path, status);
    s3s_array_release(&dropped);
    *rows -= wanted;
    return S3STORE_OK;
}

/* To the page that holds row `target`, where the pages are known; then only what is needed of the
 * chunk is fetched: the dictionary, and pages up to that of the row before `end`. */
static s3store_status jump(s3s_parquet_cursor *c, const s3s_cursor_column *column, int64_t target,
                           int64_t end, s3store_error *err)
{
    s3s_leaf_reader *r = &c->readers[column->first_reader];
    s3s_thrift_list pages = s3s_selection_pages(&c->current, column->first_reader);
    if (pages.count == 0 || column->reader_count != 1)
        return S3STORE_OK;
    const s3s_pq_page_location *l = pages.items;
    const s3s_pq_page_location *to = &l[s3s_selection_page_of(&pages, target)];
    const s3s_pq_page_location *last = &l[s3s_selection_page_of(&pages, end - 1)];
    s3store_status status = S3STORE_OK;
    if (to->first_row > r->row_at && s3s_leaf_reader_page_rows(r) == 0)
        status = s3s_leaf_reader_jump(r, (uint64_t)l[0].offset, (uint64_t)to->offset,
                                      to->first_row - r->row_at, err);
    s3s_page_reader_fetch_until(&r->pages,
                                (uint64_t)last->offset + (uint64_t)last->compressed_size);
    return status == S3STORE_OK ? status : s3s_cursor_fail(c, r, status, err);
}

/* To row `target`, which is ahead or here. */
static s3store_status skip_column(s3s_parquet_cursor *c, const s3s_cursor_column *column,
                                  int64_t target, int64_t end, s3store_error *err)
{
    s3s_leaf_reader *r = &c->readers[column->first_reader];
    size_t rows = (size_t)(target - c->row_at);
    /* The rest of a page that was begun is dropped first: it may end before the target. */
    while (rows > 0 && r->levels == NULL && s3s_leaf_reader_page_rows(r) > 0) {
        size_t page = s3s_leaf_reader_page_rows(r);
        size_t left = page < rows ? page : rows;
        rows -= left;
        while (left > 0) {
            s3store_status status = drop_rows(c, column, &left, err);
            if (status != S3STORE_OK)
                return status;
        }
    }
    int64_t before = r->row_at;
    s3store_status status = jump(c, column, target, end, err);
    if (status != S3STORE_OK)
        return status;
    rows -= (size_t)(r->row_at - before);
    while (rows > 0) {
        size_t n = rows, page = r->levels == NULL ? s3s_leaf_reader_page_rows(r) : rows;
        if (page == 0) {
            status = s3s_leaf_reader_skip(r, rows, &n, err);
            if (status != S3STORE_OK)
                return s3s_cursor_fail(c, r, status, err);
            rows -= n;
            page = n = rows;
        }
        size_t left = page < n ? page : n;
        rows -= left;
        while (left > 0) {
            status = drop_rows(c, column, &left, err);
            if (status != S3STORE_OK)
                return status;
        }
    }
    return S3STORE_OK;
}

/* The selection of the next row group becomes the current one. */
static s3store_status next_group(s3s_parquet_cursor *c, s3store_error *err)
{
    s3s_selection *s = NULL;
    s3store_status status = select_rows(c, c->group, &s, err);
    if (status != S3STORE_OK || s == NULL)
        return status;
    s3s_selection_deinit(&c->current);
    c->current = *s;
    *s = (s3s_selection){0};
    c->range_at = 0;
    if (c->current.ranges.size > 0)
        return s3s_cursor_begin_group(c, err);
    c->group++;
    return S3STORE_OK;
}

/* Goes to the next range of rows, of this row group or a later one. */
static s3store_status next_range(s3s_parquet_cursor *c, s3store_error *err)
{
    while (!c->current.known || c->range_at == c->current.ranges.size / sizeof(s3s_row_range)) {
        if (c->group == s3s_parquet_row_group_count(c->file))
            return S3STORE_END;
        s3store_status status = next_group(c, err);
        if (status != S3STORE_OK)
            return status;
    }
    const s3s_row_range *range =
        (const s3s_row_range *)(const void *)c->current.ranges.data + c->range_at;
    for (size_t i = 0; i < c->column_count; i++) {
        s3store_status status =
            skip_column(c, &c->columns[i], range->begin, range->end, err);
        if (status != S3STORE_OK)
            return status;
    }
    c->range_at++;
    c->rows_left = range->end - range->begin;
    c->row_at = range->end;
    return S3STORE_OK;
}

static s3store_status next_batch(s3s_parquet_cursor *c, struct ArrowArray *out, s3store_error *err)
{
    while (c->rows_left == 0) {
        s3store_status status = next_range(c, err);
        if (status != S3STORE_OK)
            return status;
    }
    size_t rows = 0;
    s3s_cursor_allow_ahead(c, true);
    s3store_status status = s3s_cursor_fill_batch(c, &rows, err);
    if (status == S3STORE_OK)
        status = s3s_cursor_take_batch(c, rows, out, err);
    s3s_cursor_allow_ahead(c, false);
    if (status == S3STORE_OK)
        c->rows_left -= (int64_t)rows;
    return status;
}

s3store_status s3s_parquet_cursor_next(s3s_parquet_cursor *c, struct ArrowArray *out,
                                       s3store_error *err)
{
    memset(out, 0, sizeof *out);
    if (c->failed == S3STORE_OK) {
        s3store_error inner = {0};
        s3store_status status = next_batch(c, out, &inner);
        if (status == S3STORE_OK || status == S3STORE_END)
            return status;
        c->failed = status;
        c->error = inner;
    }
    if (err != NULL)
        *err = c->error;
    return c->failed;
}
