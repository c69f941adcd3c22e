/* parquet/nest.c: levels into offsets and validity.
 *
 * Each node of the column's tree is computed from the levels of the first leaf below it; the other
 * leaves must tell the same. Nodes are made from the last to the first, so children wait on a stack
 * until their parent takes them.
 */
#include "parquet/nest.h"

#include "base/error.h"
#include "parquet/encoding/masks.h"

/* The levels of one leaf, up to the end of the batch. */
typedef struct part {
    const uint8_t *rep, *def;
    size_t count; /* entries */
} part;

typedef struct assembly {
    s3s_env *env;
    s3s_budget *budget;
    s3s_leaf_reader *readers;
    size_t first_leaf;
    part *parts;
    struct ArrowArray *stack;
    size_t depth;
    s3store_error *err;
} assembly;

static void measure_part(const s3s_leaf_reader *r, size_t rows, part *out)
{
    const s3s_levels *l = r->levels;
    *out = (part){.rep = l->rep.data, .def = l->def.data};
    for (size_t n; out->count < l->rep.size; out->count += n) {
        size_t left = l->rep.size - out->count;
        n = left < S3S_MASK_BITS ? left : S3S_MASK_BITS;
        uint64_t starts = ~s3s_mask_at_least_of(out->rep + out->count, n, 1) & s3s_mask_first(n);
        size_t begun = s3s_mask_count(starts);
        if (begun > rows) {
            out->count += s3s_mask_nth(starts, rows);
            break;
        }
        rows -= begun;
    }
}

/* What the levels of some entries say about a node, a bit for each. */
typedef struct look {
    size_t count; /* 1 to 64 */
    uint64_t slots;
    uint64_t present; /* of the slots: not null */
    uint64_t items;   /* 0 where the node is no list */
} look;

static look look_at(const s3s_nest *n, const part *p, size_t i)
{
    size_t count = p->count - i < S3S_MASK_BITS ? p->count - i : S3S_MASK_BITS;
    const uint8_t *rep = p->rep + i, *def = p->def + i;
    look out = {.count = count};
    out.slots = s3s_mask_at_least_of(def, count, n->slot_def) &
                ~s3s_mask_at_least_of(rep, count, (uint8_t)(n->rep + 1));
    out.present = out.slots & s3s_mask_at_least_of(def, count, n->present_def);
    if (n->items_def > 0)
        out.items = s3s_mask_at_least_of(def, count, n->items_def) &
                    ~s3s_mask_at_least_of(rep, count, (uint8_t)(n->rep + 2));
    return out;
}

static inline bool is_slot(const s3s_nest *n, const part *p, size_t i)
{
    return (p->rep[i] <= n->rep) & (p->def[i] >= n->slot_def);
}

static inline bool is_item(const s3s_nest *n, const part *p, size_t i)
{
    return (p->rep[i] <= n->rep + 1) & (p->def[i] >= n->items_def);
}

static s3store_status block_of(const assembly *a, size_t size, s3s_block *out)
{
    s3s_block_init(out, a->env, a->budget);
    s3store_status status = s3s_block_resize_empty(out, size > 0 ? size : 1, a->err);
    if (status == S3STORE_OK) {
        memset(out->data, 0, size > 0 ? size : 1);
        out->size = size;
    }
    return status;
}

/* Slots and nulls of a node. A null that is its own needs a field that allows it. */
static s3store_status count_slots(const assembly *a, const s3s_nest *n, const part *p,
                                  size_t *slots, size_t *nulls)
{
    size_t own = 0;
    *slots = *nulls = 0;
    for (size_t i = 0; i < p->count; i += S3S_MASK_BITS) {
        look at = look_at(n, p, i);
        uint64_t absent = at.slots & ~at.present;
        *slots += s3s_mask_count(at.slots);
        if (absent == 0)
            continue;
        *nulls += s3s_mask_count(absent);
        own += s3s_mask_count(
            absent & s3s_mask_at_least_of(p->def + i, at.count, n->parent_def));
    }
    if (n->field->nullable)
        return S3STORE_OK;
    *nulls = 0; /* those of its parents alone */
    if (own > 0)
        return s3s_fail(a->err, S3STORE_CORRUPT, "%zu nulls in \"%s\", which cannot be null (%s)",
                        own, n->field->name, "a key of a map");
    return S3STORE_OK;
}

static void fill_validity(const s3s_nest *n, const part *p, uint8_t *bits)
{
    size_t slot = 0;
    for (size_t i = 0; i < p->count; i += S3S_MASK_BITS) {
        look at = look_at(n, p, i);
        s3s_mask_put(s3s_mask_gather(at.present, at.slots), bits, slot);
        slot += s3s_mask_count(at.slots);
    }
}

static void fill_offsets(const s3s_nest *n, const part *p, int32_t *offsets)
{
    size_t slot = 0, items = 0;
    for (size_t i = 0; i < p->count; i += S3S_MASK_BITS) {
        look at = look_at(n, p, i);
        for (uint64_t left = at.slots; left != 0; left &= left - 1) {
            uint64_t before = at.items & ((left & -left) - 1);
            offsets[slot++] = (int32_t)(items + s3s_mask_count(before));
        }
        items += s3s_mask_count(at.items);
    }
    offsets[slot] = (int32_t)items;
}

/* Entry by entry; most leaves below a node have the same entries. */
static bool same_looks(const s3s_nest *n, const part *a, const part *b)
{
    for (size_t i = 0; i < a->count; i += S3S_MASK_BITS) {
        look one = look_at(n, a, i), other = look_at(n, b, i);
        if (one.slots != other.slots || one.present != other.present || one.items != other.items)
            return false;
    }
    return true;
}

/* Do two leaves tell the same of a node above both? */
static bool parts_agree(const s3s_nest *n, const part *a, const part *b)
{
    bool list = n->items_def > 0;
    size_t i = 0, k = 0;
    if (a->count == b->count && same_looks(n, a, b))
        return true;
    for (;; i++, k++) {
        while (i < a->count && !is_slot(n, a, i) && !(list && is_item(n, a, i)))
            i++;
        while (k < b->count && !is_slot(n, b, k) && !(list && is_item(n, b, k)))
            k++;
        if (i == a->count || k == b->count)
            return i == a->count && k == b->count;
        if (is_slot(n, a, i) != is_slot(n, b, k))
            return false;
        if (is_slot(n, a, i) && (a->def[i] >= n->present_def) != (b->def[k] >= n->present_def))
            return false;
        if (list && is_item(n, a, i) != is_item(n, b, k))
            return false;
    }
}

static s3store_status check_agreement(const assembly *a, const s3s_nest *n)
{
    const part *first = &a->parts[n->leaf - a->first_leaf];
    for (size_t leaf = n->leaf + 1; leaf < n->leaf_end; leaf++)
        if (!parts_agree(n, first, &a->parts[leaf - a->first_leaf]))
            return s3s_fail(a->err, S3STORE_CORRUPT,
                            "its columns \"%s\" and \"%s\" disagree about where \"%s\" begins, "
                            "ends or is null",
                            a->readers[n->leaf - a->first_leaf].leaf->path,
                            a->readers[leaf - a->first_leaf].leaf->path, n->field->name);
    return S3STORE_OK;
}

static s3store_status make_leaf(assembly *a, const s3s_nest *n, struct ArrowArray *out)
{
    s3s_sink *sink = &a->readers[n->leaf - a->first_leaf].sink;
    const part *p = &a->parts[n->leaf - a->first_leaf];
    size_t slots, nulls;
    s3store_status status = count_slots(a, n, p, &slots, &nulls);
    if (status != S3STORE_OK)
        return status;
    if ((size_t)sink->rows < slots)
        return s3s_fail(a->err, S3STORE_INTERNAL, "%zu slots, %lld values", slots,
                        (long long)sink->rows);
    if (!n->field->nullable && n->field->type != S3S_TYPE_NULL) {
        /* What is null is so because its parents are: nothing that the leaf has to tell. */
        sink->has_validity = false;
        sink->nulls = 0;
    }
    return s3s_sink_take(sink, (int64_t)slots, out, a->err);
}

static s3store_status make_group(assembly *a, const s3s_nest *n, struct ArrowArray *out)
{
    const part *p = &a->parts[n->leaf - a->first_leaf];
    bool list = n->items_def > 0;
    size_t slots, nulls, children = n->field->child_count;
    s3s_block bits, offsets;
    s3s_block_init(&bits, a->env, a->budget);
    s3s_block_init(&offsets, a->env, a->budget);
    s3store_status status = count_slots(a, n, p, &slots, &nulls);
    if (status == S3STORE_OK)
        status = check_agreement(a, n);
    if (status == S3STORE_OK && nulls > 0) {
        status = block_of(a, slots / 8 + 9, &bits);
        if (status == S3STORE_OK)
            fill_validity(n, p, bits.data);
    }
    size_t inner = slots;
    if (status == S3STORE_OK && list) {
        status = block_of(a, (slots + 1) * sizeof(int32_t), &offsets);
        if (status == S3STORE_OK) {
            fill_offsets(n, p, (void *)offsets.data);
            inner = (size_t)((const int32_t *)(void *)offsets.data)[slots];
        }
    }
    for (size_t i = 0; i < children && status == S3STORE_OK; i++)
        if (a->stack[a->depth - 1 - i].length != (int64_t)inner)
            status = s3s_fail(a->err, S3STORE_CORRUPT,
                              "\"%s\" has %lld values, \"%s\" above it %zu",
                              n->field->children[i].name,
                              (long long)a->stack[a->depth - 1 - i].length, n->field->name, inner);
    struct ArrowArray *below = s3s_calloc(a->env, children, sizeof *below);
    if (status == S3STORE_OK && below == NULL)
        status = s3s_fail_memory(a->err, children * sizeof *below);
    if (status == S3STORE_OK) {
        for (size_t i = 0; i < children; i++)
            below[i] = a->stack[--a->depth];
        void *buffers[2] = {s3s_block_detach(&bits), s3s_block_detach(&offsets)};
        status = s3s_array_make(a->env, n->field, (int64_t)slots, (int64_t)nulls, buffers,
                                list ? 2 : 1, below, children, out, a->err);
    }
    s3s_free(a->env, below);
    s3s_block_deinit(&bits);
    s3s_block_deinit(&offsets);
    return status;
}

static void drop_entries(s3s_leaf_reader *r, size_t count, size_t rows)
{
    s3s_levels *l = r->levels;
    size_t left = l->rep.size - count;
    memmove(l->rep.data, l->rep.data + count, left);
    memmove(l->def.data, l->def.data + count, left);
    l->rep.size = l->def.size = left;
    l->rows -= rows;
    l->complete -= rows;
}

s3store_status s3s_nest_take(s3s_leaf_reader *readers, size_t reader_count, size_t first_leaf,
                             const s3s_nest *nests, size_t nest_count, size_t rows,
                             struct ArrowArray *out, s3store_error *err)
{
    assembly a = {.env = readers->pages.env, .budget = readers->pages.budget, .readers = readers,
                  .first_leaf = first_leaf, .err = err};
    s3store_status status = S3STORE_OK;
    a.parts = s3s_calloc(a.env, reader_count, sizeof *a.parts);
    a.stack = s3s_calloc(a.env, nest_count, sizeof *a.stack);
    if (a.parts == NULL || a.stack == NULL)
        status = s3s_fail_memory(err, nest_count * sizeof *a.stack);
    for (size_t i = 0; i < reader_count && status == S3STORE_OK; i++)
        measure_part(&readers[i], rows, &a.parts[i]);
    for (size_t i = nest_count; i-- > 0 && status == S3STORE_OK;) {
        struct ArrowArray made = {0};
        status = nests[i].field->child_count == 0 ? make_leaf(&a, &nests[i], &made)
                                                  : make_group(&a, &nests[i], &made);
        if (status == S3STORE_OK)
            a.stack[a.depth++] = made;
    }
    if (status == S3STORE_OK) {
        *out = a.stack[--a.depth];
        for (size_t i = 0; i < reader_count; i++)
            drop_entries(&readers[i], a.parts[i].count, rows);
    }
    while (a.depth > 0)
        s3s_array_release(&a.stack[--a.depth]);
    s3s_free(a.env, a.parts);
    s3s_free(a.env, a.stack);
    return status;
}
