#include "support/rows_text.h"

#include <inttypes.h>
#include <stdlib.h>

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
