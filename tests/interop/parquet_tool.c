/* tests/interop/parquet_tool.c: the codec from outside, for comparison with other implementations.
 *
 *   parquet_tool dump FILE [max_rows]       types, then one JSON array for each row
 *   parquet_tool rewrite IN OUT [k=v]...    reads IN, writes OUT: compression, page_bytes,
 *                                           row_group_bytes, dictionary=0, batch_rows,
 *                                           bloom=COLUMN, sorted=COLUMN
 *   parquet_tool scan FILE [repeat [memory]] decodes everything, prints rows and batches
 *
 *   parquet_tool where FILE COLUMN VALUE...  for each value: how many rows a predicate "=" lets in
 *
 * Values are printed as support/rows_text.h says.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "arrow/array.h"
#include "base/error.h"
#include "parquet/parquet.h"
#include "support/rows_text.h"

static s3store_status read_file(void *ctx, uint64_t offset, void *data, size_t size,
                                s3store_error *err)
{
    char *to = data;
    while (size > 0) {
        ssize_t n = pread(*(int *)ctx, to, size, (off_t)offset);
        if (n <= 0)
            return s3s_fail_errno(err, n < 0 ? errno : EIO, "read", "the file");
        to += n;
        offset += (uint64_t)n;
        size -= (size_t)n;
    }
    return S3STORE_OK;
}

static s3store_status write_file(void *ctx, const void *data, size_t size, s3store_error *err)
{
    if (fwrite(data, 1, size, ctx) != size)
        return s3s_fail_errno(err, errno, "write", "the file");
    return S3STORE_OK;
}

typedef struct input {
    s3s_env *env;
    int fd;
    s3s_parquet_file *file;
    s3s_parquet_cursor *cursor;
} input;

static s3store_status open_input(input *in, const char *path, int64_t max_rows, uint64_t memory,
                                 s3store_error *err)
{
    s3s_parquet_limits limits = {.memory_bytes = memory};
    struct stat st;
    s3store_status status = s3s_env_new_real(&in->env, err);
    if (status != S3STORE_OK)
        return status;
    in->fd = open(path, O_RDONLY | O_CLOEXEC);
    if (in->fd < 0 || fstat(in->fd, &st) != 0)
        return s3s_fail_errno(err, errno, "open", path);
    s3s_parquet_source source = {&in->fd, (uint64_t)st.st_size, read_file};
    status = s3s_parquet_open(in->env, source, path, &limits, &in->file, err);
    if (status != S3STORE_OK)
        return status;
    return s3s_parquet_cursor_new(in->file, NULL, 0, max_rows, &in->cursor, err);
}

static void close_input(input *in)
{
    s3s_parquet_cursor_free(in->cursor);
    s3s_parquet_free(in->file);
    if (in->fd >= 0)
        close(in->fd);
    s3s_env_release(in->env);
}

static void print_schema(const s3s_schema *schema)
{
    char text[256];
    printf("[");
    for (size_t i = 0; i < schema->field_count; i++)
        printf("%s\"%s: %s%s\"", i == 0 ? "" : ", ", schema->fields[i].name,
               s3s_field_type_text(&schema->fields[i], text, sizeof text),
               schema->fields[i].nullable ? "" : " not null");
    printf("]\n");
}

static s3store_status dump(int argc, char **argv, s3store_error *err)
{
    input in = {.fd = -1};
    s3store_status status = open_input(&in, argv[2], argc > 3 ? atoll(argv[3]) : 0, 0, err);
    if (status == S3STORE_OK)
        print_schema(s3s_parquet_cursor_schema(in.cursor));
    while (status == S3STORE_OK) {
        struct ArrowArray batch;
        status = s3s_parquet_cursor_next(in.cursor, &batch, err);
        if (status != S3STORE_OK)
            break;
        const s3s_schema *schema = s3s_parquet_cursor_schema(in.cursor);
        status = s3s_batch_validate(schema, &batch, err);
        if (status == S3STORE_OK)
            rows_text(stdout, schema, &batch);
        s3s_array_release(&batch);
    }
    close_input(&in);
    return status == S3STORE_END ? S3STORE_OK : status;
}

static s3store_status scan(int argc, char **argv, s3store_error *err)
{
    s3store_status status = S3STORE_OK;
    for (int i = argc > 3 ? atoi(argv[3]) : 1; i > 0 && status == S3STORE_OK; i--) {
        int64_t rows = 0, batches = 0;
        input in = {.fd = -1};
        status = open_input(&in, argv[2], 0, argc > 4 ? strtoull(argv[4], NULL, 10) : 0, err);
        while (status == S3STORE_OK) {
            struct ArrowArray batch;
            status = s3s_parquet_cursor_next(in.cursor, &batch, err);
            rows += batch.length;
            batches++;
            s3s_array_release(&batch);
        }
        close_input(&in);
        status = status == S3STORE_END ? S3STORE_OK : status;
        printf("%" PRId64 " rows in %" PRId64 " batches\n", rows, batches - 1);
    }
    return status;
}

/* Rows of row groups and pages that may hold the value: an integer, or text. */
static s3store_status count_where(const char *path, const char *name, const char *text,
                                  s3store_error *err)
{
    input in = {.fd = -1};
    int64_t rows = 0, number = strtoll(text, NULL, 10);
    s3store_status status = open_input(&in, path, 0, 0, err);
    if (status == S3STORE_OK) {
        size_t column = s3s_schema_find(s3s_parquet_schema(in.file), name);
        const s3s_field *field = &s3s_parquet_schema(in.file)->fields[column];
        bool bytes = s3s_type_is_bytes(field->type);
        s3store_bytes value = {.data = bytes ? text : (const char *)&number,
                               .size = bytes ? strlen(text) : s3s_type_value_size(field)};
        s3s_parquet_predicate equal = {column, S3S_PREDICATE_EQ, &value, 1};
        status = s3s_parquet_cursor_where(in.cursor, &equal, 1, err);
    }
    while (status == S3STORE_OK) {
        struct ArrowArray batch;
        status = s3s_parquet_cursor_next(in.cursor, &batch, err);
        rows += batch.length;
        s3s_array_release(&batch);
    }
    close_input(&in);
    printf("%" PRId64 "\n", rows);
    return status == S3STORE_END ? S3STORE_OK : status;
}

static s3store_status where(int argc, char **argv, s3store_error *err)
{
    s3store_status status = S3STORE_OK;
    for (int i = 4; i < argc && status == S3STORE_OK; i++)
        status = count_where(argv[2], argv[3], argv[i], err);
    return status;
}

static s3store_compression compression_of(const char *name)
{
    static const char *const names[] = {"default", "snappy", "zstd", "gzip", "uncompressed"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(name, names[i]) == 0)
            return (s3store_compression)i;
    return (s3store_compression)-1;
}

static s3store_status rewrite(int argc, char **argv, s3store_error *err)
{
    s3s_parquet_write_options options = {0};
    int64_t batch_rows = 0;
    const char *bloom_name = NULL, *sorted_name = NULL;
    size_t bloom = 0, sorted = 0;
    for (int i = 4; i < argc; i++) {
        const char *value = strchr(argv[i], '=') + 1;
        if (strncmp(argv[i], "compression=", 12) == 0)
            options.compression = compression_of(value);
        else if (strncmp(argv[i], "page_bytes=", 11) == 0)
            options.page_bytes = (size_t)atoll(value);
        else if (strncmp(argv[i], "row_group_bytes=", 16) == 0)
            options.row_group_bytes = (size_t)atoll(value);
        else if (strncmp(argv[i], "dictionary=", 11) == 0)
            options.no_dictionary = atoi(value) == 0;
        else if (strncmp(argv[i], "batch_rows=", 11) == 0)
            batch_rows = atoll(value);
        else if (strncmp(argv[i], "bloom=", 6) == 0)
            bloom_name = value;
        else if (strncmp(argv[i], "sorted=", 7) == 0)
            sorted_name = value;
    }
    input in = {.fd = -1};
    s3s_parquet_writer *writer = NULL;
    FILE *out = fopen(argv[3], "wb");
    s3store_status status = out == NULL ? s3s_fail_errno(err, errno, "open", argv[3])
                                        : open_input(&in, argv[2], batch_rows, 0, err);
    s3s_schema *schema = NULL;
    if (status == S3STORE_OK) {
        const s3s_schema *from = s3s_parquet_cursor_schema(in.cursor);
        size_t *all = calloc(from->field_count + 1, sizeof *all);
        for (size_t i = 0; i < from->field_count; i++)
            all[i] = i;
        status = s3s_schema_select(from, all, from->field_count, &schema, err);
        free(all);
    }
    if (status == S3STORE_OK && bloom_name != NULL) {
        bloom = s3s_schema_find(schema, bloom_name);
        options.bloom_columns = &bloom;
        options.bloom_column_count = 1;
    }
    if (status == S3STORE_OK && sorted_name != NULL) {
        sorted = s3s_schema_find(schema, sorted_name);
        options.sorting_columns = &sorted;
        options.sorting_column_count = 1;
    }
    if (status == S3STORE_OK)
        status = s3s_parquet_writer_new(in.env, schema, &options,
                                        (s3s_parquet_sink){out, write_file}, &writer, err);
    while (status == S3STORE_OK) {
        struct ArrowArray batch;
        status = s3s_parquet_cursor_next(in.cursor, &batch, err);
        if (status == S3STORE_OK)
            status = s3s_parquet_writer_add(writer, &batch, err);
        s3s_array_release(&batch);
    }
    if (status == S3STORE_END)
        status = s3s_parquet_writer_finish(writer, err);
    s3s_parquet_writer_free(writer);
    s3s_schema_release(schema);
    close_input(&in);
    if (out != NULL && fclose(out) != 0 && status == S3STORE_OK)
        status = s3s_fail_errno(err, errno, "write", argv[3]);
    return status;
}

int main(int argc, char **argv)
{
    s3store_error err = {0};
    s3store_status status = S3STORE_INVALID_ARGUMENT;
    if (argc >= 3 && strcmp(argv[1], "dump") == 0)
        status = dump(argc, argv, &err);
    else if (argc >= 3 && strcmp(argv[1], "scan") == 0)
        status = scan(argc, argv, &err);
    else if (argc >= 5 && strcmp(argv[1], "where") == 0)
        status = where(argc, argv, &err);
    else if (argc >= 4 && strcmp(argv[1], "rewrite") == 0)
        status = rewrite(argc, argv, &err);
    else
        fprintf(stderr, "usage: parquet_tool dump FILE | scan FILE | rewrite IN OUT [k=v]...\n");
    if (status != S3STORE_OK)
        fprintf(stderr, "%s: %s\n", s3store_status_name(status), err.message);
    return status == S3STORE_OK ? 0 : 1;
}
