/* LATEST of narrow keys: a row is its key and its rank, two numbers. The rank is the version above
 * the row's place, so of two rows of an entity the one of the higher rank remains, and of equal
 * versions that is the later one. Of the versions the lowest is subtracted, and places have as many
 * bits as they need.
 *
 * Rows are dealt out by the highest bits in which their keys differ, again and again, until few are
 * together; those are put in order one by one, and of the same entity only one stays. So nothing is
 * hashed and no row is looked for in memory that is anywhere: what is larger than the cache is
 * passed over from beginning to end, once to count and once to deal. Where the first buckets begin
 * and end is guessed by the keys of a few batches; keys beyond go to the first and the last. Each
 * further level takes LEAST_BITS of the bits that differ, at least, so DEPTH levels are enough for
 * any keys. */
#include <string.h>

#include "arrow/sortkey.h"
#include "base/error.h"
#include "scan/merge_private.h"

#define FEW_ROWS 4096     /* of fewer, sampling costs more than it gains */
#define SAMPLES 8         /* batches */
#define SAMPLE_BITS (1 << 20)
#define FEW 65536         /* entities, of which each has several rows */
#define LEAF 24           /* rows that are put in order one by one */
#define LEAF_BITS 3       /* a bucket has about 8 to 16 rows, where the bits are enough */
#define FIRST_ROWS 16384  /* a first bucket has half as many to as many: within the cache */
#define LEAST_BITS 4
#define MOST_BITS 11
#define DEPTH (64 / LEAST_BITS)

typedef struct pair {
    uint64_t key, rank;
} pair;

/* Which keys lie in which bucket. */
typedef struct split {
    uint64_t lowest;
    unsigned shift;
    size_t bucket_count;
} split;

/* Rows in buckets. */
typedef struct frame {
    pair *rows, *other; /* room for as many: where they are dealt out next */
    size_t next, bucket_count;
    uint32_t begin;                /* of bucket `next` */
    uint32_t ends[1 << MOST_BITS]; /* of the buckets */
} frame;

typedef struct narrow {
    s3s_env *env;
    const scan_plan *plan;
    bool nulls;
    const struct ArrowArray **batches;
    size_t batch_count, row_count;
    uint64_t *numbers, *versions; /* of the batch under way */
    uint64_t lowest_version;
    unsigned row_bits, place_bits; /* a place: the batch, and below it the row_bits of the row */
    pair *rows, *scratch;
    merged_rows *out;
    size_t depth;
    frame frames[DEPTH + 1];
} narrow;

static unsigned bit_length(uint64_t x)
{
    return x == 0 ? 0 : 64 - (unsigned)__builtin_clzll(x);
}

static split split_of(uint64_t lowest, uint64_t highest, unsigned bits)
{
    unsigned length = bit_length(highest - lowest);
    unsigned shift = length > bits ? length - bits : 0;
    return (split){lowest, shift, (size_t)((highest - lowest) >> shift) + 1};
}

/* The counts of buckets to where each of them begins. */
static void begin_buckets(uint32_t *counts, size_t bucket_count)
{
    uint32_t place = 0;
    for (size_t v = 0; v < bucket_count; v++) {
        uint32_t n = counts[v];
        counts[v] = place;
        place += n;
    }
}

/* ---- winners --------------------------------------------------------------------------------- */

static inline void take(narrow *n, uint64_t rank)
{
    uint64_t place = rank & ((UINT64_C(1) << n->place_bits) - 1);
    n->out->rows[n->out->row_count++] = (s3s_row){
        .batch = (uint32_t)(place >> n->row_bits),
        .row = (uint32_t)(place & ((UINT64_C(1) << n->row_bits) - 1)),
    };
}

static void take_leaf(narrow *n, pair *rows, size_t count)
{
    size_t kept = 1;
    for (size_t i = 1; i < count; i++) {
        pair row = rows[i];
        size_t at = kept;
        while (at > 0 && row.key < rows[at - 1].key)
            at--;
        if (at > 0 && row.key == rows[at - 1].key) {
            rows[at - 1].rank = row.rank > rows[at - 1].rank ? row.rank : rows[at - 1].rank;
            continue;
        }
        for (size_t to = kept++; to > at; to--)
            rows[to] = rows[to - 1];
        rows[at] = row;
    }
    for (size_t i = 0; i < kept; i++)
        take(n, rows[i].rank);
}

/* Rows of a bucket that are too many for a leaf. */
static void deal(narrow *n, pair *rows, pair *other, size_t count)
{
    uint64_t lowest = UINT64_MAX, highest = 0, best = 0;
    for (size_t i = 0; i < count; i++) {
        lowest = rows[i].key < lowest ? rows[i].key : lowest;
        highest = rows[i].key > highest ? rows[i].key : highest;
        best = rows[i].rank > best ? rows[i].rank : best;
    }
    if (lowest == highest) {
        take(n, best);
        return;
    }
    unsigned bits = bit_length(count >> (LEAF_BITS + 1));
    bits = bits < LEAST_BITS ? LEAST_BITS : bits > MOST_BITS ? MOST_BITS : bits;
    split s = split_of(lowest, highest, bits);
    frame *f = &n->frames[n->depth++];
    f->rows = other;
    f->other = rows;
    f->next = 0;
    f->begin = 0;
    f->bucket_count = s.bucket_count;
    memset(f->ends, 0, s.bucket_count * sizeof *f->ends);
    for (size_t i = 0; i < count; i++)
        f->ends[(rows[i].key - lowest) >> s.shift]++;
    begin_buckets(f->ends, s.bucket_count);
    for (size_t i = 0; i < count; i++)
        other[f->ends[(rows[i].key - lowest) >> s.shift]++] = rows[i];
}

/* The buckets of the first level are in frames[0]. */
static void take_all(narrow *n)
{
    n->depth = 1;
    while (n->depth > 0) {
        frame *f = &n->frames[n->depth - 1];
        if (f->next == f->bucket_count) {
            n->depth--;
            continue;
        }
        uint32_t begin = f->begin, end = f->ends[f->next++];
        pair *other = n->depth == 1 ? n->scratch : f->other + begin;
        f->begin = end;
        if (end - begin > LEAF)
            deal(n, f->rows + begin, other, end - begin);
        else if (end > begin)
            take_leaf(n, f->rows + begin, end - begin);
    }
}

/* ---- the first level ------------------------------------------------------------------------- */

static size_t fill_numbers(const narrow *n, size_t b)
{
    const scan_plan *p = n->plan;
    s3s_narrow_keys_fill(p->merge, n->batches[b], p->entity, p->entity_count, n->nulls, n->numbers);
    return (size_t)n->batches[b]->length;
}

typedef struct sample {
    uint64_t lowest, highest;
    size_t row_count, distinct; /* keys: about, from below */
} sample;

/* bits: SAMPLE_BITS of them, all 0. */
static sample take_sample(const narrow *n, uint64_t *bits)
{
    sample s = {.lowest = UINT64_MAX};
    size_t batches = n->batch_count < SAMPLES ? n->batch_count : SAMPLES;
    for (size_t k = 0; k < batches; k++) {
        size_t rows = fill_numbers(n, batches == 1 ? 0 : k * (n->batch_count - 1) / (batches - 1));
        for (size_t i = 0; i < rows; i++) {
            uint64_t key = n->numbers[i], bit = merge_mix(key) % SAMPLE_BITS;
            s.lowest = key < s.lowest ? key : s.lowest;
            s.highest = key > s.highest ? key : s.highest;
            s.distinct += (~bits[bit / 64] >> bit % 64) & 1;
            bits[bit / 64] |= UINT64_C(1) << bit % 64;
        }
        s.row_count += rows;
    }
    s.lowest = s.lowest < s.highest ? s.lowest : s.highest; /* of no rows */
    return s;
}

/* *many false: the entities are few, and a table finds them sooner. */
static s3store_status guess(const narrow *n, split *out, bool *many, s3store_error *err)
{
    uint64_t *bits = s3s_calloc(n->env, SAMPLE_BITS / 64, sizeof *bits);
    if (bits == NULL)
        return s3s_fail_memory(err, SAMPLE_BITS / 8);
    sample s = take_sample(n, bits);
    s3s_free(n->env, bits);
    unsigned wanted = 1 + bit_length(n->row_count / FIRST_ROWS);
    *out = split_of(s.lowest, s.highest, wanted < MOST_BITS ? wanted : MOST_BITS);
    *many = s.distinct > FEW || s.distinct > s.row_count / 2;
    return S3STORE_OK;
}

static inline size_t bucket_of(const split *s, uint64_t key)
{
    uint64_t above = key > s->lowest ? key - s->lowest : 0;
    size_t bucket = (size_t)(above >> s->shift);
    return bucket < s->bucket_count ? bucket : s->bucket_count - 1;
}

/* Counts the rows of each bucket. false: ranks do not fit. */
static bool count_rows(narrow *n, const split *s, uint32_t *counts)
{
    uint64_t lowest = UINT64_MAX, highest = 0;
    for (size_t b = 0; b < n->batch_count; b++) {
        size_t rows = fill_numbers(n, b);
        s3s_merge_versions(n->plan, n->batches[b], n->versions);
        for (size_t i = 0; i < rows; i++) {
            counts[bucket_of(s, n->numbers[i])]++;
            lowest = n->versions[i] < lowest ? n->versions[i] : lowest;
            highest = n->versions[i] > highest ? n->versions[i] : highest;
        }
    }
    n->lowest_version = lowest;
    return bit_length(highest - lowest) + n->place_bits < 64;
}

static void deal_batches(narrow *n, const split *s)
{
    uint32_t *places = n->frames[0].ends;
    for (size_t b = 0; b < n->batch_count; b++) {
        size_t rows = fill_numbers(n, b);
        s3s_merge_versions(n->plan, n->batches[b], n->versions);
        for (size_t i = 0; i < rows; i++) {
            uint64_t place = (uint64_t)b << n->row_bits | i;
            n->rows[places[bucket_of(s, n->numbers[i])]++] = (pair){
                .key = n->numbers[i],
                .rank = (n->versions[i] - n->lowest_version) << n->place_bits | place,
            };
        }
    }
}

static s3store_status make_rows(narrow *n, size_t largest, s3store_error *err)
{
    n->rows = s3s_alloc(n->env, n->row_count * sizeof *n->rows);
    n->scratch = s3s_alloc(n->env, largest * sizeof *n->scratch);
    n->out->rows = s3s_alloc(n->env, n->row_count * sizeof *n->out->rows);
    if (n->rows == NULL || n->scratch == NULL || n->out->rows == NULL)
        return s3s_fail_memory(err, n->row_count * sizeof *n->rows);
    s3s_expect_dense(n->rows, n->row_count * sizeof *n->rows);
    s3s_expect_dense(n->scratch, largest * sizeof *n->scratch);
    s3s_expect_dense(n->out->rows, n->row_count * sizeof *n->out->rows);
    return S3STORE_OK;
}

static s3store_status merge(narrow *n, bool *done, s3store_error *err)
{
    frame *first = &n->frames[0];
    split s = {0};
    s3store_status status = guess(n, &s, done, err);
    first->bucket_count = s.bucket_count;
    *done = status == S3STORE_OK && *done && count_rows(n, &s, first->ends);
    if (!*done)
        return status;
    size_t largest = 1;
    for (size_t v = 0; v < s.bucket_count; v++)
        largest = first->ends[v] > largest ? first->ends[v] : largest;
    status = make_rows(n, largest, err);
    if (status != S3STORE_OK)
        return status;
    first->rows = n->rows;
    begin_buckets(first->ends, s.bucket_count);
    deal_batches(n, &s);
    take_all(n);
    return S3STORE_OK;
}

s3store_status s3s_merge_narrow(s3s_env *env, const scan_plan *plan, bool nulls,
                                const struct ArrowArray **batches, size_t batch_count,
                                size_t row_count, size_t longest, merged_rows *out, bool *done,
                                s3store_error *err)
{
    *done = false;
    if (row_count < FEW_ROWS)
        return S3STORE_OK;
    narrow *n = s3s_calloc(env, 1, sizeof *n);
    if (n == NULL)
        return s3s_fail_memory(err, sizeof *n);
    n->env = env;
    n->plan = plan;
    n->nulls = nulls;
    n->batches = batches;
    n->batch_count = batch_count;
    n->row_count = row_count;
    n->out = out;
    n->row_bits = bit_length(longest - 1);
    n->place_bits = n->row_bits + bit_length(batch_count - 1);
    n->numbers = s3s_calloc(env, longest, sizeof *n->numbers);
    n->versions = s3s_calloc(env, longest, sizeof *n->versions);
    s3store_status status = n->numbers == NULL || n->versions == NULL
                                ? s3s_fail_memory(err, longest * sizeof *n->numbers)
                                : merge(n, done, err);
    s3s_free(env, n->rows);
    s3s_free(env, n->scratch);
    s3s_free(env, n->numbers);
    s3s_free(env, n->versions);
    s3s_free(env, n);
    return status;
}
