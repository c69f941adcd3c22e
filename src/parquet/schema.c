/* parquet/schema.c: from the flat list of schema elements to a tree of fields.
 *
 * The list is the tree in depth-first order. One pass forward finds for every element where its
 * subtree ends, and its levels; one pass backward builds fields, children before their parents. So
 * nothing recurses.
 */
#include "parquet/schema.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "base/error.h"

#define DEPTH_MAX 64

/* What a group is in Arrow. */
typedef enum shape {
    SHAPE_STRUCT,
    SHAPE_LIST_OF_REPEATED, /* its repeated child is the element */
    SHAPE_LIST_WRAPPED,     /* the only child of its repeated child is */
    SHAPE_MAP,
} shape;

/* What a node is to the group above it. */
typedef enum role {
    ROLE_MEMBER,
    ROLE_ITEM,    /* of a list or map: its repetition is theirs */
    ROLE_WRAPPER, /* nothing by itself */
} role;

typedef struct node {
    const s3s_pq_schema_element *element;
    const char *name;
    size_t parent;
    size_t end; /* one past its subtree */
    size_t child_count;
    unsigned def, rep;
    unsigned slot_def; /* definition level of the nearest repeated node, itself included */
    size_t leaf;       /* SIZE_MAX = a group */
    size_t leaves_before;
    shape shape;
    role role;
    /* What it is to its parent once its own repetition is left aside. */
    s3s_field item;
} node;

typedef struct tree {
    s3s_arena *arena; /* of the file: paths, leaves */
    s3s_arena *fields; /* of the schema */
    s3s_arena scratch;
    node *nodes;
    size_t node_count;
    s3s_leaf *leaves;
    size_t leaf_count;
    s3store_error *err;
} tree;

static bool is_repeated(const node *n)
{
    return n->element->repetition == S3S_PQ_REPEATED;
}

static s3store_status check_element(tree *t, node *n)
{
    const s3s_pq_schema_element *e = n->element;
    if (!s3s_utf8_valid(e->name.data, e->name.size) ||
        memchr(e->name.data, 0, e->name.size) != NULL)
        return s3s_fail(t->err, S3STORE_CORRUPT, "a column name is not valid text");
    n->name = s3s_arena_strndup(t->fields, (const char *)e->name.data, e->name.size);
    if (n->name == NULL)
        return s3s_fail_memory(t->err, e->name.size);
    bool is_root = n == t->nodes;
    if (is_root)
        return S3STORE_OK;
    if (!S3S_PQ_HAS(e, S3S_ELEMENT_REPETITION) || e->repetition < 0 ||
        e->repetition > S3S_PQ_REPEATED)
        return s3s_fail(t->err, S3STORE_CORRUPT, "column \"%s\": no repetition type", n->name);
    if (n->child_count == 0 && !S3S_PQ_HAS(e, S3S_ELEMENT_TYPE))
        return s3s_fail(t->err, S3STORE_CORRUPT, "column \"%s\": neither a type nor children",
                        n->name);
    return S3STORE_OK;
}

/* Forward: names, parents, levels, ends. */
static s3store_status link_nodes(tree *t)
{
    struct {
        size_t node, children_left;
    } stack[DEPTH_MAX];
    size_t depth = 0;
    for (size_t i = 0; i < t->node_count; i++) {
        node *n = &t->nodes[i];
        const s3s_pq_schema_element *e = n->element;
        if (i > 0 && depth == 0)
            return s3s_fail(t->err, S3STORE_CORRUPT, "schema: %zu elements lie outside the tree",
                            t->node_count - i);
        n->leaf = SIZE_MAX;
        if (S3S_PQ_HAS(e, S3S_ELEMENT_NUM_CHILDREN) && e->num_children > 0)
            n->child_count = (size_t)e->num_children;
        if (n->child_count >= t->node_count - i)
            return s3s_fail(t->err, S3STORE_CORRUPT,
                            "schema: a group claims %zu children, %zu elements follow",
                            n->child_count, t->node_count - i - 1);
        s3store_status status = check_element(t, n);
        if (status != S3STORE_OK)
            return status;
        if (i > 0) {
            n->parent = stack[depth - 1].node;
            stack[depth - 1].children_left--;
            n->def = t->nodes[n->parent].def + (e->repetition != S3S_PQ_REQUIRED);
            n->rep = t->nodes[n->parent].rep + (e->repetition == S3S_PQ_REPEATED);
            n->slot_def = is_repeated(n) ? n->def : t->nodes[n->parent].slot_def;
            n->leaves_before = t->leaf_count;
            if (n->child_count == 0)
                n->leaf = t->leaf_count++;
        }
        if (n->child_count > 0) {
            if (depth == DEPTH_MAX)
                return s3s_fail(t->err, S3STORE_LIMIT_EXCEEDED,
                                "schema: column \"%s\" is nested deeper than %d levels", n->name,
                                DEPTH_MAX);
            stack[depth].node = i;
            stack[depth++].children_left = n->child_count;
        }
        n->end = i + 1;
        while (depth > 0 && stack[depth - 1].children_left == 0)
            t->nodes[stack[--depth].node].end = i + 1;
    }
    if (depth > 0)
        return s3s_fail(t->err, S3STORE_CORRUPT, "schema: the tree is not complete");
    return S3STORE_OK;
}

/* ---- backward: fields ------------------------------------------------------------------------ */

static bool annotated(const node *n, unsigned logical, int32_t converted)
{
    const s3s_pq_schema_element *e = n->element;
    return (S3S_PQ_HAS(e, S3S_ELEMENT_LOGICAL) && S3S_PQ_HAS(&e->logical, logical)) ||
           (S3S_PQ_HAS(e, S3S_ELEMENT_CONVERTED) && e->converted == converted);
}

static s3s_field *one_child(tree *t, const s3s_field *child)
{
    s3s_field *copy = s3s_arena_alloc(t->fields, sizeof *copy);
    if (copy != NULL)
        *copy = *child;
    return copy;
}

/* The field of a node as a plain member of its parent: a repeated one is a list of required
 * items. */
static s3store_status member_field(tree *t, const node *n, s3s_field *out)
{
    *out = n->item;
    out->name = n->name;
    out->nullable = n->element->repetition == S3S_PQ_OPTIONAL;
    if (!is_repeated(n))
        return S3STORE_OK;
    s3s_field *item = one_child(t, out);
    if (item == NULL)
        return s3s_fail_memory(t->err, sizeof *item);
    item->name = "element";
    item->nullable = false;
    *out = (s3s_field){.name = n->name, .type = S3S_TYPE_LIST, .children = item, .child_count = 1};
    return S3STORE_OK;
}

static s3store_status struct_item(tree *t, size_t i, s3s_field *item)
{
    node *n = &t->nodes[i];
    s3s_field *children = s3s_arena_calloc(t->fields, n->child_count, sizeof *children);
    if (children == NULL)
        return s3s_fail_memory(t->err, n->child_count * sizeof *children);
    size_t k = 0;
    for (size_t c = i + 1; c < n->end; c = t->nodes[c].end) {
        s3store_status status = member_field(t, &t->nodes[c], &children[k++]);
        if (status != S3STORE_OK)
            return status;
    }
    *item = (s3s_field){.type = S3S_TYPE_STRUCT, .children = children, .child_count = k};
    return S3STORE_OK;
}

/* Backward-compatibility rules of the LIST annotation: is the repeated child itself the element,
 * or a wrapper around it? */
static bool repeated_is_element(const node *list, const node *repeated, const node *child)
{
    if (repeated->leaf != SIZE_MAX || repeated->child_count != 1)
        return true;
    if (is_repeated(child))
        return true;
    if (strcmp(repeated->name, "array") == 0)
        return true;
    size_t size = strlen(list->name);
    return strncmp(repeated->name, list->name, size) == 0 &&
           strcmp(repeated->name + size, "_tuple") == 0;
}

static s3store_status list_item(tree *t, size_t i, s3s_field *item)
{
    t->nodes[i].shape = SHAPE_LIST_WRAPPED;
    const node *repeated = &t->nodes[i + 1];
    const node *child = repeated->leaf == SIZE_MAX ? &t->nodes[i + 2] : NULL;
    s3s_field element;
    s3store_status status = S3STORE_OK;
    if (repeated_is_element(&t->nodes[i], repeated, child)) {
        element = repeated->item;
        element.name = repeated->name;
        element.nullable = false;
        t->nodes[i].shape = SHAPE_LIST_OF_REPEATED;
    } else {
        status = member_field(t, child, &element);
    }
    if (status != S3STORE_OK)
        return status;
    s3s_field *copy = one_child(t, &element);
    if (copy == NULL)
        return s3s_fail_memory(t->err, sizeof *copy);
    *item = (s3s_field){.type = S3S_TYPE_LIST, .children = copy, .child_count = 1};
    return S3STORE_OK;
}

static s3store_status map_item(tree *t, size_t i, s3s_field *item)
{
    t->nodes[i].shape = SHAPE_MAP;
    s3s_field *entries = s3s_arena_calloc(t->fields, 1, sizeof *entries);
    if (entries == NULL)
        return s3s_fail_memory(t->err, sizeof *entries);
    s3store_status status = struct_item(t, i + 1, entries);
    entries->name = t->nodes[i + 1].name;
    if (entries->child_count > 0)
        entries->children[0].nullable = false; /* keys, whatever the file says */
    *item = (s3s_field){.type = S3S_TYPE_MAP, .children = entries, .child_count = 1};
    return status;
}

static s3store_status group_item(tree *t, size_t i)
{
    node *n = &t->nodes[i];
    const node *only = n->child_count == 1 ? &t->nodes[i + 1] : NULL;
    bool wraps = only != NULL && is_repeated(only);
    if (wraps && annotated(n, S3S_LOGICAL_LIST, S3S_PQ_LIST))
        return list_item(t, i, &n->item);
    bool map = annotated(n, S3S_LOGICAL_MAP, S3S_PQ_MAP) ||
               annotated(n, S3S_LOGICAL_MAP, S3S_PQ_MAP_KEY_VALUE);
    if (wraps && map && only->leaf == SIZE_MAX && only->child_count == 2)
        return map_item(t, i, &n->item);
    /* A map without values is a list of its keys; any other odd shape is what it is by
     * structure. */
    if (wraps && map && only->leaf == SIZE_MAX && only->child_count == 1)
        return list_item(t, i, &n->item);
    return struct_item(t, i, &n->item);
}

/* For messages only, so it is cut: deep trees of long names would take quadratic memory. */
static const char *leaf_path(tree *t, size_t i)
{
    size_t above[DEPTH_MAX + 1], depth = 0, size = 0;
    for (size_t n = i; n != 0; n = t->nodes[n].parent)
        above[depth++] = n;
    char path[512];
    while (depth > 0 && size < sizeof path - 1) {
        const char *name = t->nodes[above[--depth]].name;
        int n = snprintf(path + size, sizeof path - size, "%s%s", size == 0 ? "" : ".", name);
        size += n < 0 ? 0 : (size_t)n;
    }
    return s3s_arena_strdup(t->arena, path);
}

static const uint8_t *list_levels(tree *t, size_t i)
{
    uint8_t *defs = s3s_arena_calloc(t->arena, (size_t)t->nodes[i].rep + 1, 1);
    for (size_t n = i; defs != NULL && n != 0; n = t->nodes[n].parent)
        if (is_repeated(&t->nodes[n]))
            defs[t->nodes[n].rep] = (uint8_t)t->nodes[n].def;
    return defs;
}

static s3store_status build_fields(tree *t)
{
    for (size_t i = t->node_count - 1; i > 0; i--) {
        node *n = &t->nodes[i];
        s3store_status status;
        if (n->leaf == SIZE_MAX) {
            status = group_item(t, i);
        } else {
            s3s_leaf *leaf = &t->leaves[n->leaf];
            leaf->path = leaf_path(t, i);
            leaf->list_defs = list_levels(t, i);
            if (leaf->path == NULL || leaf->list_defs == NULL)
                return s3s_fail_memory(t->err, 0);
            leaf->max_def = n->def;
            leaf->max_rep = n->rep;
            leaf->flat = n->parent == 0 && n->rep == 0;
            status = s3s_leaf_type(n->element, &n->item, leaf, t->err);
            if (status != S3STORE_OK)
                s3s_context(t->err, "column \"%s\"", leaf->path);
            s3s_field *field = s3s_arena_alloc(t->fields, sizeof *field);
            if (field == NULL)
                return s3s_fail_memory(t->err, sizeof *field);
            *field = n->item;
            field->name = n->name;
            field->nullable = n->element->repetition == S3S_PQ_OPTIONAL;
            leaf->field = field;
        }
        if (status != S3STORE_OK)
            return status;
    }
    return S3STORE_OK;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp((*(const s3s_field *const *)a)->name, (*(const s3s_field *const *)b)->name);
}

/* Columns are found by name, so a name must say which. */
static s3store_status check_distinct(tree *t, const s3s_schema *schema)
{
    const s3s_field **sorted =
        s3s_arena_calloc(&t->scratch, schema->field_count + 1, sizeof *sorted);
    if (sorted == NULL)
        return s3s_fail_memory(t->err, schema->field_count * sizeof *sorted);
    for (size_t i = 0; i < schema->field_count; i++)
        sorted[i] = &schema->fields[i];
    qsort(sorted, schema->field_count, sizeof *sorted, compare_names);
    for (size_t i = 1; i < schema->field_count; i++)
        if (strcmp(sorted[i - 1]->name, sorted[i]->name) == 0)
            return s3s_fail(t->err, S3STORE_UNSUPPORTED, "two columns are named \"%s\"",
                            sorted[i]->name);
    return S3STORE_OK;
}

static s3store_status make_columns(tree *t, s3s_file_schema *out)
{
    s3s_schema *schema = out->schema;
    size_t column = 0, leaf = 0;
    for (size_t i = 1; i < t->node_count; i = t->nodes[i].end, column++) {
        s3store_status status = member_field(t, &t->nodes[i], &schema->fields[column]);
        if (status != S3STORE_OK)
            return status;
        out->first_leaf[column] = leaf;
        for (size_t k = i; k < t->nodes[i].end; k++) {
            if (t->nodes[k].leaf != SIZE_MAX) {
                t->leaves[leaf].column = column;
                leaf++;
            }
        }
    }
    out->first_leaf[column] = leaf;
    return check_distinct(t, schema);
}

/* ---- levels of nested columns ---------------------------------------------------------------- */

/* Fields of a tree in depth-first order, like nodes. */
typedef struct field_walk {
    struct {
        const s3s_field *next;
        size_t left;
    } stack[2 * DEPTH_MAX + 2];
    size_t depth;
} field_walk;

static void walk_into(field_walk *walk, const s3s_field *fields, size_t count)
{
    walk->stack[walk->depth].next = fields;
    walk->stack[walk->depth++].left = count;
}

static const s3s_field *next_field(field_walk *walk)
{
    while (walk->stack[walk->depth - 1].left == 0)
        walk->depth--;
    const s3s_field *field = walk->stack[walk->depth - 1].next++;
    walk->stack[walk->depth - 1].left--;
    if (field->child_count > 0)
        walk_into(walk, field->children, field->child_count);
    return field;
}

/* Adds what a node is in Arrow: nothing, one field, or a list and its item. */
static size_t add_nests(tree *t, size_t i, field_walk *walk, s3s_nest *to)
{
    const node *n = &t->nodes[i], *parent = &t->nodes[n->parent];
    size_t count = 0;
    s3s_nest nest = {.leaf = n->leaves_before,
                     .leaf_end =
                         n->end < t->node_count ? t->nodes[n->end].leaves_before : t->leaf_count,
                     .parent_def = (uint8_t)parent->def};
    if (n->role == ROLE_WRAPPER)
        return 0;
    if (n->role == ROLE_MEMBER && is_repeated(n)) {
        nest.field = next_field(walk);
        nest.rep = (uint8_t)parent->rep;
        nest.slot_def = (uint8_t)parent->slot_def;
        nest.present_def = (uint8_t)parent->def;
        nest.items_def = (uint8_t)n->def;
        to[count++] = nest;
    }
    nest.field = next_field(walk);
    nest.rep = (uint8_t)n->rep;
    nest.slot_def = (uint8_t)n->slot_def;
    nest.present_def = (uint8_t)n->def;
    if (is_repeated(n))
        nest.parent_def = (uint8_t)n->def;
    nest.items_def = n->shape != SHAPE_STRUCT ? (uint8_t)t->nodes[i + 1].def : 0;
    to[count++] = nest;
    return count;
}

static s3store_status make_nests(tree *t, s3s_file_schema *out)
{
    size_t columns = out->schema->field_count, most = 1, count = 0, column = 0;
    for (size_t i = 1; i < t->node_count; i = t->nodes[i].end)
        if (t->nodes[i].leaf == SIZE_MAX || t->nodes[i].rep > 0)
            most += 2 * (t->nodes[i].end - i);
    out->nests = s3s_arena_calloc(t->arena, most, sizeof *out->nests);
    out->first_nest = s3s_arena_calloc(t->arena, columns + 1, sizeof *out->first_nest);
    if (out->nests == NULL || out->first_nest == NULL)
        return s3s_fail_memory(t->err, most * sizeof *out->nests);
    for (size_t i = 1; i < t->node_count; i = t->nodes[i].end, column++) {
        out->first_nest[column] = count;
        if (t->nodes[i].leaf != SIZE_MAX && t->nodes[i].rep == 0)
            continue;
        field_walk walk = {.depth = 0};
        walk_into(&walk, &out->schema->fields[column], 1);
        for (size_t k = i; k < t->nodes[i].end; k++) {
            const node *n = &t->nodes[k];
            if (n->shape != SHAPE_STRUCT)
                t->nodes[k + 1].role =
                    n->shape == SHAPE_LIST_WRAPPED ? ROLE_WRAPPER : ROLE_ITEM;
            count += add_nests(t, k, &walk, &out->nests[count]);
        }
    }
    out->first_nest[column] = count;
    return S3STORE_OK;
}

static s3store_status read_tree(s3s_env *env, tree *t, const s3s_thrift_list *elements,
                                s3s_file_schema *out)
{
    const s3s_pq_schema_element *list = elements->items;
    if (elements->count == 0)
        return s3s_fail(t->err, S3STORE_CORRUPT, "schema: no elements");
    size_t columns = S3S_PQ_HAS(&list[0], S3S_ELEMENT_NUM_CHILDREN) && list[0].num_children > 0
                         ? (size_t)list[0].num_children
                         : 0;
    if (columns >= elements->count)
        return s3s_fail(t->err, S3STORE_CORRUPT, "schema: %zu columns in %zu elements", columns,
                        elements->count);
    s3store_status status = s3s_schema_new(env, columns, &out->schema, t->err);
    if (status != S3STORE_OK)
        return status;
    t->fields = &out->schema->arena;
    t->node_count = elements->count;
    t->nodes = s3s_arena_calloc(&t->scratch, t->node_count, sizeof *t->nodes);
    if (t->nodes == NULL)
        return s3s_fail_memory(t->err, t->node_count * sizeof *t->nodes);
    for (size_t i = 0; i < t->node_count; i++)
        t->nodes[i].element = &list[i];
    status = link_nodes(t);
    if (status != S3STORE_OK)
        return status;
    t->leaves = s3s_arena_calloc(t->arena, t->leaf_count + 1, sizeof *t->leaves);
    out->first_leaf = s3s_arena_calloc(t->arena, columns + 1, sizeof *out->first_leaf);
    if (t->leaves == NULL || out->first_leaf == NULL)
        return s3s_fail_memory(t->err, t->leaf_count * sizeof *t->leaves);
    out->leaves = t->leaves;
    out->leaf_count = t->leaf_count;
    status = build_fields(t);
    if (status == S3STORE_OK)
        status = make_columns(t, out);
    if (status == S3STORE_OK)
        status = make_nests(t, out);
    return status;
}

s3store_status s3s_file_schema_read(s3s_env *env, s3s_arena *arena, const s3s_thrift_list *elements,
                                    s3s_file_schema *out, s3store_error *err)
{
    tree t = {.arena = arena, .err = err};
    memset(out, 0, sizeof *out);
    s3s_arena_init(&t.scratch, env);
    s3store_status status = read_tree(env, &t, elements, out);
    s3s_arena_deinit(&t.scratch);
    if (status != S3STORE_OK)
        s3s_file_schema_deinit(out);
    return status;
}

void s3s_file_schema_deinit(s3s_file_schema *schema)
{
    s3s_schema_release(schema->schema);
    memset(schema, 0, sizeof *schema);
}
