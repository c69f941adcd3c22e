/* parquet/shred.c: the Arrow trees of a schema into leaves and their paths. */
#include "parquet/shred.h"

#include "base/bytes.h"
#include "base/error.h"
#include "parquet/schema.h"

#define DEPTH_MAX 64 /* groups above each other, as the reader allows */

typedef struct frame {
    s3s_shred_step step;
    size_t next_child;
    const char *name;
} frame;

typedef struct builder {
    s3s_arena *arena;
    s3s_pq_schema_element *elements;
    size_t element_count;
    s3s_shred *leaves;
    size_t leaf_count;
    size_t column;
    frame stack[DEPTH_MAX + 1];
    size_t depth;
    s3store_error *err;
} builder;

static bool is_list(s3s_type type)
{
    return type == S3S_TYPE_LIST || type == S3S_TYPE_LARGE_LIST || type == S3S_TYPE_MAP;
}

/* The repeated group of a map is its entries: they have no element of their own. */
static bool is_entries(const builder *b, size_t i)
{
    return i > 0 && b->stack[i - 1].step.field->type == S3S_TYPE_MAP;
}

static const char *repeated_name(const s3s_field *field)
{
    return field->type == S3S_TYPE_MAP ? "key_value" : "list";
}

static s3s_thrift_binary text_of(const char *text)
{
    return (s3s_thrift_binary){(const uint8_t *)text, strlen(text)};
}

static void add_group(builder *b, const char *name, s3s_repetition repetition, size_t children)
{
    s3s_pq_schema_element *e = &b->elements[b->element_count++];
    S3S_PQ_SET(e, S3S_ELEMENT_REPETITION);
    S3S_PQ_SET(e, S3S_ELEMENT_NAME);
    S3S_PQ_SET(e, S3S_ELEMENT_NUM_CHILDREN);
    e->repetition = repetition;
    e->name = text_of(name);
    e->num_children = (int32_t)children;
}

static void add_groups(builder *b, const frame *f)
{
    const s3s_field *field = f->step.field;
    s3s_repetition repetition = f->step.optional ? S3S_PQ_OPTIONAL : S3S_PQ_REQUIRED;
    if (!f->step.list) {
        add_group(b, f->name, repetition, field->child_count);
        return;
    }
    bool map = field->type == S3S_TYPE_MAP;
    add_group(b, f->name, repetition, 1);
    s3s_pq_schema_element *e = &b->elements[b->element_count - 1];
    S3S_PQ_SET(e, S3S_ELEMENT_CONVERTED);
    S3S_PQ_SET(e, S3S_ELEMENT_LOGICAL);
    S3S_PQ_SET(&e->logical, map ? S3S_LOGICAL_MAP : S3S_LOGICAL_LIST);
    e->converted = map ? S3S_PQ_MAP : S3S_PQ_LIST;
    add_group(b, repeated_name(field), S3S_PQ_REPEATED,
              map ? field->children[0].child_count : 1);
}

static s3store_status make_path(builder *b, s3s_shred *leaf)
{
    s3s_thrift_binary *path = s3s_arena_calloc(b->arena, 2 * b->depth, sizeof *path);
    if (path == NULL)
        return s3s_fail_memory(b->err, 2 * b->depth * sizeof *path);
    size_t count = 0;
    for (size_t i = 0; i < b->depth; i++) {
        const frame *f = &b->stack[i];
        if (!is_entries(b, i))
            path[count++] = text_of(f->name);
        if (f->step.list)
            path[count++] = text_of(repeated_name(f->step.field));
    }
    leaf->path = (s3s_thrift_list){path, count};
    return S3STORE_OK;
}

static s3store_status add_leaf(builder *b, const frame *f)
{
    s3s_pq_schema_element *e = &b->elements[b->element_count++];
    s3store_status status = s3s_element_for_field(f->step.field, e, b->err);
    if (status != S3STORE_OK)
        return status;
    e->name = text_of(f->name);
    e->repetition = f->step.optional ? S3S_PQ_OPTIONAL : S3S_PQ_REQUIRED;
    s3s_shred *leaf = &b->leaves[b->leaf_count++];
    s3s_shred_step *steps = s3s_arena_calloc(b->arena, b->depth, sizeof *steps);
    if (steps == NULL)
        return s3s_fail_memory(b->err, b->depth * sizeof *steps);
    *leaf = (s3s_shred){.column = b->column, .field = f->step.field, .steps = steps,
                        .step_count = b->depth, .element = e};
    for (size_t i = 0; i < b->depth; i++) {
        steps[i] = b->stack[i].step;
        leaf->max_def += (unsigned)steps[i].optional + (unsigned)steps[i].list;
        leaf->max_rep += steps[i].list;
    }
    return make_path(b, leaf);
}

static s3store_status enter(builder *b, const s3s_field *field, size_t child)
{
    const s3s_field *top = b->depth > 0 ? b->stack[0].step.field : field;
    size_t groups = b->depth; /* a list or map is two: the entries of a map are its second */
    for (size_t i = 0; i < b->depth; i++)
        groups += (size_t)b->stack[i].step.list - (size_t)is_entries(b, i);
    if (groups >= DEPTH_MAX)
        return s3s_fail(b->err, S3STORE_LIMIT_EXCEEDED,
                        "column \"%s\" is nested deeper than %d levels", top->name, DEPTH_MAX);
    if (field->type == S3S_TYPE_STRUCT && field->child_count == 0)
        return s3s_fail(b->err, S3STORE_UNSUPPORTED,
                        "column \"%s\": Parquet has no structs without members", top->name);
    frame *f = &b->stack[b->depth++];
    *f = (frame){.step = {.field = field, .child = child, .list = is_list(field->type)},
                 .name = field->name};
    f->step.optional = field->nullable || field->type == S3S_TYPE_NULL;
    const frame *above = b->depth > 1 ? f - 1 : NULL;
    if (is_entries(b, b->depth - 1)) {
        f->step.optional = false;
        return S3STORE_OK;
    }
    if (b->depth > 2 && is_entries(b, b->depth - 2)) {
        f->name = child == 0 ? "key" : "value";
        f->step.optional = child == 0 ? false : f->step.optional;
    } else if (above != NULL && above->step.list) {
        f->name = "element";
    }
    if (!s3s_type_is_flat(field->type)) {
        add_groups(b, f);
        return S3STORE_OK;
    }
    s3store_status status = add_leaf(b, f);
    if (status != S3STORE_OK && top != field)
        s3s_context(b->err, "column \"%s\"", top->name);
    return status;
}

static s3store_status add_column(builder *b, const s3s_field *field)
{
    s3store_status status = enter(b, field, 0);
    while (status == S3STORE_OK && b->depth > 0) {
        frame *f = &b->stack[b->depth - 1];
        if (f->next_child == f->step.field->child_count) {
            b->depth--;
            continue;
        }
        size_t child = f->next_child++;
        status = enter(b, &f->step.field->children[child], child);
    }
    return status;
}

static s3store_status count_fields(const s3s_schema *schema, size_t *count, s3store_error *err)
{
    const s3s_field *stack[DEPTH_MAX * 2 + 2];
    size_t left[DEPTH_MAX * 2 + 2], depth = 1;
    stack[0] = schema->fields;
    left[0] = schema->field_count;
    *count = 0;
    while (depth > 0) {
        if (left[depth - 1] == 0) {
            depth--;
            continue;
        }
        const s3s_field *field = stack[depth - 1]++;
        left[depth - 1]--;
        ++*count;
        if (field->child_count == 0)
            continue;
        if (depth == DEPTH_MAX * 2 + 2)
            return s3s_fail(err, S3STORE_LIMIT_EXCEEDED,
                            "column \"%s\" is nested deeper than %d levels", field->name,
                            DEPTH_MAX);
        stack[depth] = field->children;
        left[depth++] = field->child_count;
    }
    return S3STORE_OK;
}

s3store_status s3s_shred_schema(const s3s_schema *schema, s3s_arena *arena,
                                s3s_thrift_list *elements, s3s_shred **leaves, size_t *leaf_count,
                                s3store_error *err)
{
    builder b = {.arena = arena, .err = err};
    size_t fields;
    s3store_status status = count_fields(schema, &fields, err);
    if (status != S3STORE_OK)
        return status;
    b.elements = s3s_arena_calloc(arena, 2 * fields + 1, sizeof *b.elements);
    b.leaves = s3s_arena_calloc(arena, fields, sizeof *b.leaves);
    if (b.elements == NULL || b.leaves == NULL)
        return s3s_fail_memory(err, (2 * fields + 1) * sizeof *b.elements);
    s3s_pq_schema_element *root = &b.elements[b.element_count++];
    S3S_PQ_SET(root, S3S_ELEMENT_NAME);
    S3S_PQ_SET(root, S3S_ELEMENT_NUM_CHILDREN);
    root->name = text_of("schema");
    root->num_children = (int32_t)schema->field_count;
    for (; b.column < schema->field_count && status == S3STORE_OK; b.column++)
        status = add_column(&b, &schema->fields[b.column]);
    *elements = (s3s_thrift_list){b.elements, b.element_count};
    *leaves = b.leaves;
    *leaf_count = b.leaf_count;
    return status;
}
