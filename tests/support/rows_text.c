#include "support/rows_text.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/hash.h"

static void print_bytes(FILE *to, s3store_bytes bytes)
{
    const uint8_t *p = bytes.data;
    putc('"', to);
    for (size_t i = 0; i < bytes.size; i++)
        fprintf(to, "%02x", p[i]);
    putc('"', to);
}

static void print_value(FILE *to, const s3s_column *c, int64_t row);

/* Lists and maps as arrays of their items, structs as arrays of their members. */
static void print_nested(FILE *to, const s3s_column *c, int64_t row)
{
    s3s_column child;
    fprintf(to, "[");
    if (c->field->type == S3S_TYPE_STRUCT) {
        for (size_t i = 0; i < c->field->child_count; i++) {
            s3s_column_child(c, i, &child);
            fprintf(to, "%s", i == 0 ? "" : ", ");
            print_value(to, &child, row);
        }
    } else {
        int64_t start, end;
        s3s_column_list(c, row, &start, &end);
        s3s_column_child(c, 0, &child);
        for (int64_t i = start; i < end; i++) {
            fprintf(to, "%s", i == start ? "" : ", ");
            print_value(to, &child, i);
        }
    }
    fprintf(to, "]");
}

static void print_value(FILE *to, const s3s_column *c, int64_t row)
{
    if (!s3s_type_is_flat(c->field->type) && !s3s_column_is_null(c, row)) {
        print_nested(to, c, row);
        return;
    }
    size_t width = s3s_type_value_size(c->field);
    const uint8_t *at = NULL;
    if (width > 0)
        at = (const uint8_t *)c->values + (size_t)(c->offset + row) * width;
    if (s3s_column_is_null(c, row)) {
        fprintf(to, "null");
        return;
    }
    switch (c->field->type) {
    case S3S_TYPE_BOOL:
        fprintf(to, s3s_column_bool(c, row) ? "true" : "false");
        break;
    case S3S_TYPE_STRING:
    case S3S_TYPE_LARGE_STRING:
    case S3S_TYPE_BINARY:
    case S3S_TYPE_LARGE_BINARY:
        print_bytes(to, s3s_column_bytes(c, row));
        break;
    case S3S_TYPE_FLOAT16:
    case S3S_TYPE_FLOAT:
    case S3S_TYPE_DOUBLE:
    case S3S_TYPE_FIXED_BINARY:
    case S3S_TYPE_DECIMAL:
    case S3S_TYPE_INTERVAL:
        print_bytes(to, (s3store_bytes){.data = (const void *)at, .size = width});
        break;
    case S3S_TYPE_UINT64:
        fprintf(to, "%" PRIu64, (uint64_t)s3s_column_int(c, row));
        break;
    default:
        fprintf(to, "%" PRId64, s3s_column_int(c, row));
        break;
    }
}

void rows_text(FILE *to, const s3s_schema *schema, const struct ArrowArray *batch)
{
    s3s_column *columns = calloc(schema->field_count + 1, sizeof *columns);
    if (columns == NULL)
        abort();
    for (size_t c = 0; c < schema->field_count; c++)
        s3s_batch_column(schema, batch, c, &columns[c]);
    for (int64_t row = 0; row < batch->length; row++) {
        for (size_t c = 0; c < schema->field_count; c++) {
            fprintf(to, "%s", c == 0 ? "[" : ", ");
            print_value(to, &columns[c], row);
        }
        fprintf(to, "]\n");
    }
    free(columns);
}

static uint64_t hash_number(uint64_t hash, int64_t number)
{
    return s3s_xxh64(&number, sizeof number, hash);
}

static uint64_t hash_values(uint64_t hash, const s3s_column *c, int64_t start, int64_t end)
{
    const s3s_field *field = c->field;
    size_t width = s3s_type_value_size(field);
    bool nested = !s3s_type_is_flat(field->type), is_struct = field->type == S3S_TYPE_STRUCT;
    for (int64_t row = start; row < end; row++) {
        bool null = s3s_column_is_null(c, row);
        s3s_column child;
        int64_t from = row, to = row + 1;
        hash = hash_number(hash, null);
        if (null)
            continue;
        if (nested && !is_struct)
            s3s_column_list(c, row, &from, &to);
        if (nested)
            hash = hash_number(hash, to - from);
        for (size_t i = 0; nested && i < (is_struct ? field->child_count : 1); i++) {
            s3s_column_child(c, i, &child);
            hash = hash_values(hash, &child, from, to);
        }
        if (nested)
            continue;
        if (field->type == S3S_TYPE_BOOL) {
            hash = hash_number(hash, s3s_column_bool(c, row));
        } else if (s3s_type_is_bytes(field->type)) {
            s3store_bytes bytes = s3s_column_bytes(c, row);
            hash = s3s_xxh64(bytes.data, bytes.size, hash_number(hash, (int64_t)bytes.size));
        } else {
            hash = s3s_xxh64((const uint8_t *)c->values + (size_t)(c->offset + row) * width, width,
                             hash);
        }
    }
    return hash;
}

uint64_t rows_hash(const s3s_schema *schema, const struct ArrowArray *batch)
{
    uint64_t hash = 0;
    for (size_t i = 0; i < schema->field_count; i++) {
        s3s_column column;
        s3s_batch_column(schema, batch, i, &column);
        hash = hash_values(hash, &column, 0, batch->length);
    }
    return hash_number(hash, batch->length);
}
