/* Small tables for tests: a schema and batches of it, made value by value. */
#ifndef S3S_TESTS_DATASET_TABLE_H
#define S3S_TESTS_DATASET_TABLE_H

#include "arrow/array.h"
#include "arrow/builder.h"
#include "support/test.h"

typedef struct table {
    s3s_env *env;
    s3s_schema *schema;
    s3store_builder *builder;
    struct ArrowArray batches[8];
    const struct ArrowArray *pointers[8];
    size_t batch_count;
} table;

/* types: names that s3s_type_from_text takes, columns are called c0, c1... */
static inline void table_open(table *t, s3s_env *env, const char *const *columns,
                              const char *const *types, size_t count)
{
    s3store_error err;
    memset(t, 0, sizeof *t);
    t->env = env;
    assert_ok(s3s_schema_new(env, count, &t->schema, &err));
    for (size_t i = 0; i < count; i++) {
        s3s_field *field = &t->schema->fields[i];
        assert_true(s3s_type_from_text(types[i], field));
        field->name = s3s_arena_strdup(&t->schema->arena, columns[i]);
        field->nullable = true;
        assert_non_null(field->name);
    }
    assert_ok(s3s_builder_new(env, t->schema, &t->builder, &err));
}

static inline void table_int(table *t, size_t column, int64_t value)
{
    s3store_error err;
    assert_ok(s3store_builder_append_int(t->builder, column, value, &err));
}

static inline void table_text(table *t, size_t column, const char *value)
{
    s3store_error err;
    assert_ok(s3store_builder_append_bytes(t->builder, column, value, strlen(value), &err));
}

static inline void table_null(table *t, size_t column)
{
    s3store_error err;
    assert_ok(s3store_builder_append_null(t->builder, column, &err));
}

/* Ends a batch. */
static inline void table_cut(table *t)
{
    s3store_error err;
    assert_true(t->batch_count < 8);
    struct ArrowArray *batch = &t->batches[t->batch_count];
    assert_ok(s3store_builder_finish(t->builder, batch, &err));
    t->pointers[t->batch_count++] = batch;
}

static inline void table_close(table *t)
{
    for (size_t i = 0; i < t->batch_count; i++)
        s3s_array_release(&t->batches[i]);
    s3store_builder_free(t->builder);
    s3s_schema_release(t->schema);
}

#endif
