/* dataset/partition.c: splitting batches by partition (partition.h), linear in the rows.
 *
 * Column by column, every row gets a small number: first that of its value in the first part's
 * column, then, for each further part, that of the pair (number so far, value of the part). Runs
 * of equal values cost one comparison, others one probe of a hash table. Text is made, and
 * checked, once for each distinct value; keys once for each distinct combination. A counting sort
 * then collects the rows.
 *
 * With threads, batches are numbered side by side as far as their values are known: those of the first
 * batch are. Where an unknown one comes, a batch is left, and gone on with in turn: so numbers, and
 * the error that is told, are the same.
 */
#include "dataset/partition.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/error.h"
#include "dataset/interning.h"
#include "dataset/quote.h"
#include "dataset/valuetext.h"

#define CHUNK_ROWS 4096
#define SIDE_BY_SIDE_MIN 65536 /* rows that are worth waking threads for */
#define RECENT_TEXTS 1024
#define STRIPES_MAX 16
#define ROWS_PER_PLACE 64 /* with fewer in a group, counting costs more than threads save */

/* One part of the key. */
typedef struct part {
    const s3s_part_spec *spec;
    s3s_text_form form;
    size_t position;        /* of its column */
    s3s_number_map numbers; /* reduced value to text id */
    s3s_text_set texts;
    /* From the second part on: distinct (combination of the earlier parts, text id), by number. */
    s3s_number_map pair_numbers;
    uint64_t *pairs;
    size_t pair_count, pair_capacity;
} part;

typedef struct grouping {
    s3s_env *env;
    const s3s_schema *schema;
    const struct ArrowArray *const *batches;
    size_t batch_count;
    bool allow_unaddressable;
    bool skip_nulls;  /* rows with a null have the number S3S_NO_ID */
    const char *what; /* the specs are, for messages */
    part *parts;
    size_t part_count;
    size_t row_count;
    uint32_t *combinations; /* of each row */
    size_t *before;         /* rows of the batches before each, and of all */
    int64_t *numbered;      /* rows of each batch that have their number, in the current part */
    s3s_arena texts;        /* of numbers */
    s3s_pool *pool;         /* NULL = one thread */
    s3s_fan_options fan;
} grouping;

/* Most texts are short, and few of them come again and again: these are found by one multiplication. */
typedef struct recent_text {
    uint64_t value;
    uint32_t size;
    uint32_t id;
} recent_text;

/* The numbering of one batch. */
typedef struct numbering {
    grouping *g;
    part *p;
    s3s_column column;
    size_t before;    /* rows of earlier batches */
    bool known_only;  /* nothing is added, nothing fails: */
    bool is_unknown;  /* it ends where it would have to */
    bool remembers;   /* texts in recent; not for a few rows: it is cleared first */
    recent_text recent[RECENT_TEXTS];
    uint32_t ids[CHUNK_ROWS];
} numbering;

/* ---- set-up ---------------------------------------------------------------------------------- */

static s3store_status missing_column(const grouping *g, const s3s_part_spec *spec,
                                     s3store_error *err)
{
    return s3s_fail(err, S3STORE_INVALID_ARGUMENT,
                    "the input has no column %s, which %s %s is made from%s",
                    s3s_quote_text(spec->column).text, g->what, s3s_quote_text(spec->name).text,
                    strchr(spec->name, ':') != NULL ? " (a format is given as part=column:format)"
                                                    : "");
}

static s3store_status open_parts(grouping *g, const s3s_part_spec *specs, size_t count,
                                 s3store_error *err)
{
    if (count == 0 || count > S3S_NAMES_MAX)
        return s3s_fail(err, S3STORE_INVALID_ARGUMENT,
                        "%zu %ss are given; there must be 1 to %d", count, g->what, S3S_NAMES_MAX);
    g->parts = s3s_calloc(g->env, count, sizeof *g->parts);
    if (g->parts == NULL)
        return s3s_fail_memory(err, count * sizeof *g->parts);
    g->part_count = count;
    for (size_t i = 0; i < count; i++) {
        part *p = &g->parts[i];
        p->spec = &specs[i];
        p->numbers.env = p->pair_numbers.env = p->texts.env = g->env;
        p->position = s3s_schema_find(g->schema, specs[i].column);
        if (p->position == SIZE_MAX)
            return missing_column(g, &specs[i], err);
        s3store_status status = s3s_text_form_init(
            &p->form, &g->schema->fields[p->position], &specs[i], err);
        if (status != S3STORE_OK)
            return status;
    }
    return S3STORE_OK;
}

static s3store_status count_rows(grouping *g, s3store_error *err)
{
    bool fits = g->batch_count <= UINT32_MAX;
    for (size_t i = 0; i < g->batch_count && fits; i++) {
        int64_t length = g->batches[i]->length;
        fits = length >= 0 && length <= UINT32_MAX &&
               s3s_add(g->row_count, (size_t)length, &g->row_count);
    }
    size_t bytes = 0;
    if (!fits || !s3s_mul(g->row_count, sizeof(s3s_row), &bytes))
        return s3s_fail(err, S3STORE_LIMIT_EXCEEDED, "the input has too many rows for one call");
    g->combinations = s3s_alloc(g->env, g->row_count * sizeof *g->combinations);
    g->before = s3s_alloc(g->env, (g->batch_count + 1) * sizeof *g->before);
    g->numbered = s3s_alloc(g->env, (g->batch_count + 1) * sizeof *g->numbered);
    if (g->combinations == NULL || g->before == NULL || g->numbered == NULL)
        return s3s_fail_memory(err, bytes);
    s3s_expect_dense(g->combinations, g->row_count * sizeof *g->combinations);
    g->before[0] = 0;
    for (size_t i = 0; i < g->batch_count; i++)
        g->before[i + 1] = g->before[i] + (size_t)g->batches[i]->length;
    if (g->row_count < SIDE_BY_SIDE_MIN || g->batch_count < 2)
        g->pool = NULL;
    return S3STORE_OK;
}

static void close_grouping(grouping *g)
{
    for (size_t i = 0; i < g->part_count; i++) {
        s3s_number_map_deinit(&g->parts[i].numbers);
        s3s_number_map_deinit(&g->parts[i].pair_numbers);
        s3s_text_set_deinit(&g->parts[i].texts);
        s3s_free(g->env, g->parts[i].pairs);
    }
    s3s_free(g->env, g->parts);
    s3s_free(g->env, g->combinations);
    s3s_free(g->env, g->before);
    s3s_free(g->env, g->numbered);
    s3s_arena_deinit(&g->texts);
}

/* ---- values to numbers ----------------------------------------------------------------------- */

/* A text that was not seen in this part before. row: from 1, for messages. */
static s3store_status admit_text(grouping *g, part *p, s3s_slice text, size_t row, uint32_t *id,
                                 s3store_error *err)
{
    s3store_status status;
    if (text.size > S3STORE_KEY_MAX_BYTES)
        status = s3s_fail(err, S3STORE_INVALID_ARGUMENT,
                          "the value %s of column %s has %zu bytes; keys have at most %d",
                          s3s_quote(text.data, text.size).text,
                          s3s_quote_text(p->spec->column).text, text.size, S3STORE_KEY_MAX_BYTES);
    else
        status = s3s_value_check(p->spec->column, text.data, text.size, err);
    if (status == S3STORE_OK && !g->allow_unaddressable)
        status = s3s_value_addressable(p->spec->column, text.data, text.size, err);
    if (status != S3STORE_OK) {
        s3s_context(err, "row %zu", row);
        return status;
    }
    return s3s_text_set_add(&p->texts, text, id, err);
}

static s3store_status look_up_text(numbering *n, s3s_slice text, size_t row, uint32_t *id,
                                   s3store_error *err)
{
    /* Longer ones are not even hashed. */
    *id = text.size <= S3STORE_KEY_MAX_BYTES ? s3s_text_set_find(&n->p->texts, text) : S3S_NO_ID;
    if (*id != S3S_NO_ID)
        return S3STORE_OK;
    n->is_unknown = n->known_only;
    return n->is_unknown ? S3STORE_OK : admit_text(n->g, n->p, text, row, id, err);
}

/* All bytes of a text of at most 8 as a number: with its size it is the text. */
static inline uint64_t short_value(s3s_slice text)
{
    const char *p = text.data;
    uint64_t value = 0;
    if (text.size >= 4)
        return s3s_le32(p) | (uint64_t)s3s_le32(p + text.size - 4) << 32;
    for (size_t i = 0; i < text.size; i++)
        value |= (uint64_t)(uint8_t)p[i] << (8 * i);
    return value;
}

static s3store_status intern_text(numbering *n, s3s_slice text, size_t row, uint32_t *id,
                                  s3store_error *err)
{
    if (!n->remembers || text.size == 0 || text.size > sizeof(uint64_t))
        return look_up_text(n, text, row, id, err);
    uint64_t value = short_value(text);
    size_t at = (value + text.size) * UINT64_C(0x9E3779B97F4A7C15) >> 32;
    recent_text *r = &n->recent[at % RECENT_TEXTS];
    if (r->value == value && r->size == text.size) {
        *id = r->id;
        return S3STORE_OK;
    }
    s3store_status status = look_up_text(n, text, row, id, err);
    if (status == S3STORE_OK && !n->is_unknown)
        *r = (recent_text){value, (uint32_t)text.size, *id};
    return status;
}

/* Several reduced values may share a text: the days of a month. */
static s3store_status intern_number(numbering *n, int64_t number, size_t row, uint32_t *id,
                                    s3store_error *err)
{
    part *p = n->p;
    *id = s3s_number_map_find(&p->numbers, (uint64_t)number);
    if (*id != S3S_NO_ID)
        return S3STORE_OK;
    n->is_unknown = n->known_only;
    if (n->is_unknown)
        return S3STORE_OK;

    char buffer[S3S_VALUE_TEXT_SIZE];
    s3s_slice text = {buffer, 0};
    s3store_status status = s3s_text_form_write(&p->form, number, buffer, &text.size, err);
    if (status != S3STORE_OK) {
        s3s_context(err, "row %zu", row);
        return status;
    }
    *id = s3s_text_set_find(&p->texts, text);
    if (*id == S3S_NO_ID) {
        text.data = s3s_arena_strndup(&n->g->texts, buffer, text.size);
        if (text.data == NULL)
            return s3s_fail_memory(err, text.size);
        status = admit_text(n->g, p, text, row, id, err);
        if (status != S3STORE_OK)
            return status;
    }
    return s3s_number_map_add(&p->numbers, (uint64_t)number, *id, err);
}

static s3store_status null_value(numbering *n, size_t row, s3store_error *err)
{
    n->is_unknown = n->known_only;
    return n->is_unknown
               ? S3STORE_OK
               : s3s_fail(err, S3STORE_INVALID_ARGUMENT,
                          "row %zu: column %s is null, and partition column %s is made from it",
                          row, s3s_quote_text(n->p->spec->column).text,
                          s3s_quote_text(n->p->spec->name).text);
}

/* Text ids of `count` rows of the column from `start` on. */
static s3store_status number_texts(numbering *n, int64_t start, int64_t count, s3store_error *err)
{
    s3s_slice last = {NULL, 0};
    uint32_t id = S3S_NO_ID;
    s3store_status status = S3STORE_OK;
    for (int64_t i = 0; i < count && status == S3STORE_OK && !n->is_unknown; i++) {
        size_t row = n->before + (size_t)(start + i) + 1;
        if (n->p->form.kind == S3S_TEXT_NULL || s3s_column_is_null(&n->column, start + i)) {
            if (!n->g->skip_nulls)
                status = null_value(n, row, err);
            n->ids[i] = S3S_NO_ID;
            continue;
        }
        s3store_bytes bytes = s3s_column_bytes(&n->column, start + i);
        s3s_slice text = {bytes.data, bytes.size};
        if (id == S3S_NO_ID || !s3s_slice_same(text, last)) {
            status = intern_text(n, text, row, &id, err);
            last = text;
        }
        n->ids[i] = id;
    }
    return status;
}

static s3store_status number_numbers(numbering *n, int64_t start, int64_t count,
                                     s3store_error *err)
{
    int64_t last = 0;
    uint32_t id = S3S_NO_ID;
    s3store_status status = S3STORE_OK;
    for (int64_t i = 0; i < count && status == S3STORE_OK && !n->is_unknown; i++) {
        size_t row = n->before + (size_t)(start + i) + 1;
        if (s3s_column_is_null(&n->column, start + i)) {
            if (!n->g->skip_nulls)
                status = null_value(n, row, err);
            n->ids[i] = S3S_NO_ID;
            continue;
        }
        int64_t number = s3s_text_form_reduce(&n->p->form, &n->column, start + i);
        if (id == S3S_NO_ID || number != last) {
            status = intern_number(n, number, row, &id, err);
            last = number;
        }
        n->ids[i] = id;
    }
    return status;
}

/* ---- combinations ---------------------------------------------------------------------------- */

static s3store_status add_pair(grouping *g, part *p, uint64_t pair, uint32_t *number,
                               s3store_error *err)
{
    if (p->pair_count == p->pair_capacity) {
        size_t capacity = p->pair_capacity == 0 ? 64 : 2 * p->pair_capacity;
        uint64_t *pairs = s3s_realloc(g->env, p->pairs, capacity * sizeof *pairs);
        if (pairs == NULL)
            return s3s_fail_memory(err, capacity * sizeof *pairs);
        p->pairs = pairs;
        p->pair_capacity = capacity;
    }
    if (p->pair_count >= S3S_NO_ID)
        return s3s_fail(err, S3STORE_LIMIT_EXCEEDED, "the input has too many partitions");
    *number = (uint32_t)p->pair_count;
    p->pairs[p->pair_count++] = pair;
    return s3s_number_map_add(&p->pair_numbers, pair, *number, err);
}

/* Replaces the text ids of rows by the numbers of (number so far, text id). */
static s3store_status combine(numbering *n, const uint32_t *numbers, int64_t count,
                              s3store_error *err)
{
    uint64_t last = 0;
    uint32_t number = S3S_NO_ID;
    for (int64_t i = 0; i < count; i++) {
        if (numbers[i] == S3S_NO_ID || n->ids[i] == S3S_NO_ID) {
            n->ids[i] = S3S_NO_ID;
            continue;
        }
        uint64_t pair = (uint64_t)numbers[i] << 32 | n->ids[i];
        if (number == S3S_NO_ID || pair != last) {
            number = s3s_number_map_find(&n->p->pair_numbers, pair);
            n->is_unknown = number == S3S_NO_ID && n->known_only;
            if (n->is_unknown)
                return S3STORE_OK;
            s3store_status status =
                number != S3S_NO_ID ? S3STORE_OK : add_pair(n->g, n->p, pair, &number, err);
            if (status != S3STORE_OK)
                return status;
            last = pair;
        }
        n->ids[i] = number;
    }
    return S3STORE_OK;
}

/* From where it was left; to its end, or with known_only to what is not known. */
static s3store_status number_batch(grouping *g, part *p, size_t batch, bool known_only,
                                   s3store_error *err)
{
    bool is_text = p->form.kind == S3S_TEXT_BYTES || p->form.kind == S3S_TEXT_NULL;
    int64_t length = g->batches[batch]->length;
    numbering *n = s3s_alloc(g->env, sizeof *n);
    if (n == NULL)
        return s3s_fail_memory(err, sizeof *n);
    n->g = g;
    n->p = p;
    n->before = g->before[batch];
    n->known_only = known_only;
    n->is_unknown = false;
    n->remembers = is_text && length >= CHUNK_ROWS;
    if (n->remembers)
        memset(n->recent, 0, sizeof n->recent);
    s3s_batch_column(g->schema, g->batches[batch], p->position, &n->column);
    s3store_status status = S3STORE_OK;
    while (g->numbered[batch] < length) {
        int64_t start = g->numbered[batch];
        int64_t count = length - start < CHUNK_ROWS ? length - start : CHUNK_ROWS;
        uint32_t *numbers = g->combinations + n->before + (size_t)start;
        status = is_text ? number_texts(n, start, count, err) : number_numbers(n, start, count, err);
        if (status == S3STORE_OK && !n->is_unknown && p != g->parts)
            status = combine(n, numbers, count, err);
        if (status != S3STORE_OK || n->is_unknown)
            break;
        memcpy(numbers, n->ids, (size_t)count * sizeof *numbers);
        g->numbered[batch] += count;
    }
    s3s_free(g->env, n);
    return status;
}

typedef struct known_values {
    grouping *g;
    part *p;
} known_values;

static s3store_status number_known(void *ctx, size_t i, s3store_error *err)
{
    const known_values *known = ctx;
    return number_batch(known->g, known->p, i + 1, true, err);
}

static s3store_status number_rows(grouping *g, s3store_error *err)
{
    for (size_t i = 0; i < g->part_count; i++) {
        part *p = &g->parts[i];
        known_values known = {g, p};
        s3store_status status = S3STORE_OK;
        memset(g->numbered, 0, g->batch_count * sizeof *g->numbered);
        for (size_t batch = 0; batch < g->batch_count && status == S3STORE_OK; batch++) {
            status = number_batch(g, p, batch, false, err);
            if (status == S3STORE_OK && batch == 0 && g->pool != NULL)
                status = s3s_fan_out(g->pool, g->batch_count - 1, number_known, &known, &g->fan,
                                     err);
        }
        if (status != S3STORE_OK)
            return status;
    }
    return S3STORE_OK;
}

/* ---- keys and rows --------------------------------------------------------------------------- */

typedef struct named {
    const char *key;
    uint32_t number; /* of the combination */
} named;

static int compare_named(const void *a, const void *b)
{
    return strcmp(((const named *)a)->key, ((const named *)b)->key);
}

static size_t combination_count(const grouping *g)
{
    const part *last = &g->parts[g->part_count - 1];
    return g->part_count == 1 ? last->texts.count : last->pair_count;
}

static s3store_status make_key(const grouping *g, uint32_t number, s3s_arena *arena,
                               const char **out, s3store_error *err)
{
    char key[S3S_KEY_SIZE];
    size_t at = sizeof key - 1; /* from the right: the last part is known first */
    key[at] = '\0';
    for (size_t i = g->part_count; i-- > 0;) {
        const part *p = &g->parts[i];
        uint32_t id = i == 0 ? number : (uint32_t)p->pairs[number];
        s3s_slice value = p->texts.texts[id];
        size_t name_size = strlen(p->spec->name);
        size_t size = name_size + 1 + value.size + (i > 0);
        if (size > at)
            return s3s_fail(err, S3STORE_INVALID_ARGUMENT,
                            "the %s that ends with %s is longer than %d bytes",
                            g->skip_nulls ? "tuple" : "partition key",
                            s3s_quote_text(key + at).text, S3STORE_KEY_MAX_BYTES);
        at -= size;
        char *text = key + at;
        if (i > 0)
            *text++ = '/';
        memcpy(text, p->spec->name, name_size);
        text[name_size] = '=';
        memcpy(text + name_size + 1, value.data, value.size);
        if (i > 0)
            number = (uint32_t)(p->pairs[number] >> 32);
    }
    *out = s3s_arena_strndup(arena, key + at, sizeof key - 1 - at);
    return *out != NULL ? S3STORE_OK : s3s_fail_memory(err, sizeof key);
}

/* A counting sort by the rank of the combination, in input order. Each stripe is some batches in a
 * row; its rows of a group stand behind those of the stripes before it. */
typedef struct collecting {
    const grouping *g;
    s3s_groups *out;
    const size_t *rank;
    size_t *places; /* for each stripe and group: how many rows, then where the next one goes */
    size_t stripes;
} collecting;

static size_t first_batch(const collecting *c, size_t stripe)
{
    return c->g->batch_count * stripe / c->stripes;
}

static s3store_status count_stripe(void *ctx, size_t stripe, s3store_error *err)
{
    const collecting *c = ctx;
    const uint32_t *combinations = c->g->combinations;
    size_t *places = c->places + stripe * c->out->count;
    size_t end = c->g->before[first_batch(c, stripe + 1)];
    (void)err;
    for (size_t row = c->g->before[first_batch(c, stripe)]; row < end; row++)
        places[c->rank[combinations[row]]]++;
    return S3STORE_OK;
}

static s3store_status place_stripe(void *ctx, size_t stripe, s3store_error *err)
{
    const collecting *c = ctx;
    size_t *places = c->places + stripe * c->out->count;
    (void)err;
    for (size_t batch = first_batch(c, stripe); batch < first_batch(c, stripe + 1); batch++) {
        const uint32_t *combinations = c->g->combinations + c->g->before[batch];
        for (uint32_t i = 0; i < (uint32_t)c->g->batches[batch]->length; i++)
            c->out->rows[places[c->rank[combinations[i]]]++] =
                (s3s_row){.batch = (uint32_t)batch, .row = i};
    }
    return S3STORE_OK;
}

static s3store_status for_stripes(const collecting *c, s3s_item_fn fn, s3store_error *err)
{
    return c->stripes == 1 ? fn((void *)c, 0, err)
                           : s3s_fan_out(c->g->pool, c->stripes, fn, (void *)c, &c->g->fan, err);
}

/* From counts to places. */
static void begin_groups(const collecting *c, const named *order)
{
    s3s_groups *out = c->out;
    size_t place = 0;
    for (size_t i = 0; i < out->count; i++) {
        out->items[i].key = order[i].key;
        out->items[i].rows = out->rows + place;
        for (size_t stripe = 0; stripe < c->stripes; stripe++) {
            size_t *at = &c->places[stripe * out->count + i], rows = *at;
            *at = place;
            place += rows;
            out->items[i].row_count += rows;
        }
    }
}

static s3store_status collect_rows(const grouping *g, const named *order, s3s_groups *out,
                                   s3store_error *err)
{
    collecting c = {.g = g, .out = out, .stripes = 1};
    if (g->pool != NULL && out->count < g->row_count / ROWS_PER_PLACE)
        c.stripes = g->batch_count < STRIPES_MAX ? g->batch_count : STRIPES_MAX;
    size_t *rank = s3s_alloc(g->env, out->count * sizeof *rank);
    c.rank = rank;
    c.places = s3s_calloc(g->env, c.stripes * out->count, sizeof *c.places);
    s3store_status status = S3STORE_OK;
    if (rank == NULL || c.places == NULL)
        status = s3s_fail_memory(err, c.stripes * out->count * sizeof *c.places);
    for (size_t i = 0; i < out->count && status == S3STORE_OK; i++)
        rank[order[i].number] = i;
    if (status == S3STORE_OK)
        status = for_stripes(&c, count_stripe, err);
    if (status == S3STORE_OK) {
        begin_groups(&c, order);
        status = for_stripes(&c, place_stripe, err);
    }
    s3s_free(g->env, rank);
    s3s_free(g->env, c.places);
    return status;
}

static s3store_status make_groups(const grouping *g, s3s_groups *out, s3store_error *err)
{
    size_t count = combination_count(g);
    if (count == 0)
        return S3STORE_OK;
    s3store_status status = S3STORE_OK;
    named *order = s3s_calloc(g->env, count, sizeof *order);
    out->rows = s3s_alloc(g->env, g->row_count * sizeof *out->rows);
    out->items = s3s_calloc(g->env, count, sizeof *out->items);
    if (order == NULL || out->rows == NULL || out->items == NULL)
        status = s3s_fail_memory(err, g->row_count * sizeof *out->rows + count * sizeof *order);
    else
        s3s_expect_dense(out->rows, g->row_count * sizeof *out->rows);
    for (size_t i = 0; i < count && status == S3STORE_OK; i++) {
        order[i].number = (uint32_t)i;
        status = make_key(g, (uint32_t)i, &out->arena, &order[i].key, err);
    }
    if (status == S3STORE_OK) {
        out->count = count;
        qsort(order, count, sizeof *order, compare_named);
        status = collect_rows(g, order, out, err);
    }
    s3s_free(g->env, order);
    return status;
}

static s3store_status number_all(grouping *g, const s3s_part_spec *specs, size_t spec_count,
                                 s3store_error *err)
{
    s3s_arena_init(&g->texts, g->env);
    s3store_status status = open_parts(g, specs, spec_count, err);
    if (status == S3STORE_OK)
        status = count_rows(g, err);
    return status == S3STORE_OK ? number_rows(g, err) : status;
}

s3store_status s3s_group_batches(s3s_env *env, const s3s_schema *schema,
                                 const struct ArrowArray *const *batches, size_t batch_count,
                                 const s3s_part_spec *specs, size_t spec_count,
                                 const s3s_group_options *options, s3s_groups *out,
                                 s3store_error *err)
{
    grouping g = {.env = env,
                  .schema = schema,
                  .batches = batches,
                  .batch_count = batch_count,
                  .allow_unaddressable = options->allow_unaddressable,
                  .what = "partition column",
                  .pool = options->threads > 1 ? options->pool : NULL,
                  .fan = {.limit = options->threads, .call = options->call}};

    memset(out, 0, sizeof *out);
    out->env = env;
    s3s_arena_init(&out->arena, env);
    s3store_status status = number_all(&g, specs, spec_count, err);
    if (status == S3STORE_OK)
        status = make_groups(&g, out, err);
    close_grouping(&g);
    if (status != S3STORE_OK)
        s3s_groups_deinit(out);
    return status;
}

void s3s_groups_deinit(s3s_groups *groups)
{
    s3s_free(groups->env, groups->rows);
    s3s_free(groups->env, groups->items);
    s3s_arena_deinit(&groups->arena);
    memset(groups, 0, sizeof *groups);
}

/* ---- tuples: the combinations without their rows --------------------------------------------- */

s3store_status s3s_tuple_batches(s3s_env *env, const s3s_schema *schema,
                                 const struct ArrowArray *const *batches, size_t batch_count,
                                 const s3s_part_spec *specs, size_t spec_count,
                                 bool allow_unaddressable, const char *what, s3s_tuples *out,
                                 s3store_error *err)
{
    grouping g = {.env = env,
                  .schema = schema,
                  .batches = batches,
                  .batch_count = batch_count,
                  .allow_unaddressable = allow_unaddressable,
                  .skip_nulls = true,
                  .what = what};

    memset(out, 0, sizeof *out);
    out->env = env;
    s3s_arena_init(&out->arena, env);
    s3store_status status = number_all(&g, specs, spec_count, err);
    size_t count = status == S3STORE_OK ? combination_count(&g) : 0;
    if (count > 0) {
        out->texts = s3s_calloc(env, count, sizeof *out->texts);
        if (out->texts == NULL)
            status = s3s_fail_memory(err, count * sizeof *out->texts);
    }
    for (size_t i = 0; i < count && status == S3STORE_OK; i++)
        status = make_key(&g, (uint32_t)i, &out->arena, &out->texts[i], err);
    if (status == S3STORE_OK) {
        out->count = count;
        out->row_count = g.row_count;
        out->ids = g.combinations; /* moved */
        g.combinations = NULL;
    }
    close_grouping(&g);
    if (status != S3STORE_OK)
        s3s_tuples_deinit(out);
    return status;
}

void s3s_tuples_deinit(s3s_tuples *tuples)
{
    if (tuples->env == NULL)
        return;
    s3s_free(tuples->env, tuples->texts);
    s3s_free(tuples->env, tuples->ids);
    s3s_arena_deinit(&tuples->arena);
    memset(tuples, 0, sizeof *tuples);
}
