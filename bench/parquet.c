/* The Parquet engine, to be measured beside others: bench/parquet.py asks, this answers.
 *
 *   parquet_bench make NAME FILE.parquet [ROWS]   one of the made-up tables
 *   parquet_bench names                           what they are called, and their rows
 *   parquet_bench figures                         encodings and codecs, one column at a time
 *   parquet_bench serve [THREADS]                 answers lines on stdin:
 *       read FILE             every value of every column, batch after batch;
 *                             "CPU-SECONDS SECONDS ARROW-BYTES ROWS"
 *       table FILE            the same, all of it kept until the end
 *       load FILE             into memory, for:
 *       write FILE CODEC      what was loaded, to a file, or with "-" to memory that is kept;
 *                             "CPU-SECONDS SECONDS FILE-BYTES ROWS"
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/env.h"
#include "base/pool.h"
#include "parquet/parquet.h"
#include "parquet_data.h"
#include "parquet_figures.h"

enum { BATCH_ROWS = 65536 };

typedef struct table {
    s3s_schema *schema;
    struct ArrowArray *batches;
    size_t count, room;
    int64_t rows;
    uint64_t bytes;
} table;

static s3s_env *env;
static s3s_pool *pool; /* NULL: one thread */

static int fail(const char *what, const s3store_error *err)
{
    fprintf(stderr, "parquet_bench: %s: %s\n", what, err->message);
    return 1;
}

static double seconds(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* ---- files ----------------------------------------------------------------------------------- */

static s3store_status read_at(void *ctx, uint64_t offset, void *data, size_t size,
                              s3store_error *err)
{
    const int *fd = ctx;
    for (size_t done = 0; done < size;) {
        ssize_t n = pread(*fd, (char *)data + done, size - done, (off_t)(offset + done));
        if (n <= 0) {
            snprintf(err->message, sizeof err->message, "the file cannot be read");
            return S3STORE_IO;
        }
        done += (size_t)n;
    }
    return S3STORE_OK;
}

/* What datasets write is in memory before it is stored. It has its size after the first file. */
static s3s_buffer memory;

static s3store_status append_to_memory(void *ctx, const void *data, size_t size, s3store_error *err)
{
    (void)ctx;
    return s3s_buffer_append(&memory, data, size, err);
}

static s3store_status append_to_file(void *ctx, const void *data, size_t size, s3store_error *err)
{
    const int *fd = ctx;
    for (size_t done = 0; done < size;) {
        ssize_t n = write(*fd, (const char *)data + done, size - done);
        if (n <= 0) {
            snprintf(err->message, sizeof err->message, "the file cannot be written");
            return S3STORE_IO;
        }
        done += (size_t)n;
    }
    return S3STORE_OK;
}

static void table_free(table *t)
{
    for (size_t i = 0; i < t->count; i++)
        s3s_array_release(&t->batches[i]);
    free(t->batches);
    s3s_schema_release(t->schema);
    *t = (table){0};
}

static int table_add(table *t, struct ArrowArray *batch, bool keep)
{
    if (keep && t->count == t->room) {
        t->room = t->room * 2 + 16;
        t->batches = realloc(t->batches, t->room * sizeof *t->batches);
        if (t->batches == NULL)
            return 1;
    }
    t->rows += batch->length;
    for (size_t i = 0; i < t->schema->field_count; i++)
        t->bytes += data_bytes(&t->schema->fields[i], batch->children[i]);
    if (keep)
        t->batches[t->count++] = *batch;
    else
        s3s_array_release(batch);
    return 0;
}

static s3store_status read_cursor(s3s_parquet_file *file, table *t, bool keep, s3store_error *err)
{
    s3s_parquet_cursor *cursor = NULL;
    s3store_status status = s3s_parquet_cursor_new(file, NULL, 0, BATCH_ROWS, &cursor, err);
    if (status == S3STORE_OK)
        s3s_parquet_cursor_use_pool(cursor, pool, 0);
    while (status == S3STORE_OK) {
        struct ArrowArray batch;
        status = s3s_parquet_cursor_next(cursor, &batch, err);
        if (status == S3STORE_OK && table_add(t, &batch, keep) != 0)
            status = S3STORE_OUT_OF_MEMORY;
    }
    s3s_parquet_cursor_free(cursor);
    return status == S3STORE_END ? S3STORE_OK : status;
}

static int read_file(const char *path, table *t, bool keep)
{
    s3store_error err = {0};
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) != 0) {
        perror(path);
        return 1;
    }
    s3s_parquet_source source = {.ctx = &fd, .file_size = (uint64_t)st.st_size, .read = read_at,
                                 .read_bytes = 1 << 16};
    s3s_parquet_file *file = NULL;
    s3store_status status = s3s_parquet_open(env, source, path, NULL, &file, &err);
    if (status == S3STORE_OK) {
        t->schema = s3s_schema_retain((s3s_schema *)s3s_parquet_schema(file));
        status = read_cursor(file, t, keep, &err);
        s3s_parquet_free(file);
    }
    close(fd);
    return status == S3STORE_OK ? 0 : fail(path, &err);
}

static s3store_compression codec_of(const char *name)
{
    return strcmp(name, "zstd") == 0   ? S3STORE_COMPRESSION_ZSTD
           : strcmp(name, "gzip") == 0 ? S3STORE_COMPRESSION_GZIP
           : strcmp(name, "none") == 0 ? S3STORE_COMPRESSION_UNCOMPRESSED
                                       : S3STORE_COMPRESSION_SNAPPY;
}

static int write_table(const char *name, s3s_parquet_sink sink, const char *codec, const table *t)
{
    s3store_error err = {0};
    s3s_parquet_write_options options = {.compression = codec_of(codec), .pool = pool};
    s3s_parquet_writer *writer = NULL;
    s3store_status status = s3s_parquet_writer_new(env, t->schema, &options, sink, &writer, &err);
    for (size_t i = 0; i < t->count && status == S3STORE_OK; i++)
        status = s3s_parquet_writer_add(writer, &t->batches[i], &err);
    if (status == S3STORE_OK)
        status = s3s_parquet_writer_finish(writer, &err);
    s3s_parquet_writer_free(writer);
    return status == S3STORE_OK ? 0 : fail(name, &err);
}

static int write_file(const char *path, const char *codec, const table *t)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0) {
        perror(path);
        return 1;
    }
    int code = write_table(path, (s3s_parquet_sink){.ctx = &fd, .write = append_to_file}, codec, t);
    close(fd);
    return code;
}

static int write_memory(const char *codec, const table *t)
{
    s3s_buffer_clear(&memory);
    return write_table("memory", (s3s_parquet_sink){.write = append_to_memory}, codec, t);
}

static int make(const char *name, const char *path, const char *rows)
{
    const data_set *set = data_find(name);
    if (set == NULL) {
        fprintf(stderr, "parquet_bench: there is no table \"%s\"\n", name);
        return 2;
    }
    table t = {.schema = set->schema(env)};
    int64_t count = rows != NULL ? atoll(rows) : set->rows;
    int code = 0;
    for (int64_t at = 0; at < count && code == 0; at += BATCH_ROWS) {
        struct ArrowArray batch;
        data_batch(env, t.schema, at, count - at < BATCH_ROWS ? count - at : BATCH_ROWS, &batch);
        code = table_add(&t, &batch, true);
    }
    if (code == 0)
        code = write_file(path, "snappy", &t);
    table_free(&t);
    return code;
}

/* ---- answering ------------------------------------------------------------------------------- */

typedef struct timing {
    double cpu, wall;
} timing;

static void begin_timing(timing *t)
{
    *t = (timing){seconds(CLOCK_PROCESS_CPUTIME_ID), seconds(CLOCK_MONOTONIC)};
}

static double end_timing(const timing *t, double *cpu)
{
    *cpu = seconds(CLOCK_PROCESS_CPUTIME_ID) - t->cpu;
    return seconds(CLOCK_MONOTONIC) - t->wall;
}

static int answer_read(const char *path, bool keep)
{
    table t = {0};
    timing time;
    begin_timing(&time);
    int code = read_file(path, &t, keep);
    double cpu, wall = end_timing(&time, &cpu);
    if (code == 0)
        printf("%.6f %.6f %" PRIu64 " %" PRId64 "\n", cpu, wall, t.bytes, t.rows);
    table_free(&t);
    return code;
}

static int answer_write(const char *path, const char *codec, const table *t)
{
    struct stat st = {0};
    bool to_memory = strcmp(path, "-") == 0;
    timing time;
    begin_timing(&time);
    int code = to_memory ? write_memory(codec, t) : write_file(path, codec, t);
    double cpu, wall = end_timing(&time, &cpu);
    if (code == 0 && (to_memory || stat(path, &st) == 0))
        printf("%.6f %.6f %lld %" PRId64 "\n", cpu, wall,
               to_memory ? (long long)memory.size : (long long)st.st_size, t->rows);
    return code;
}

static int serve(void)
{
    char line[4096];
    table t = {0};
    int code = 0;
    while (code == 0 && fgets(line, sizeof line, stdin) != NULL) {
        char *rest = line;
        const char *verb = strsep(&rest, " \n"), *path = strsep(&rest, " \n");
        const char *codec = strsep(&rest, " \n");
        if (path == NULL) {
            code = 2;
        } else if (strcmp(verb, "read") == 0 || strcmp(verb, "table") == 0) {
            code = answer_read(path, *verb == 't');
        } else if (strcmp(verb, "load") == 0) {
            table_free(&t);
            code = read_file(path, &t, true);
            printf("%.6f %.6f %" PRIu64 " %" PRId64 "\n", 0.0, 0.0, t.bytes, t.rows);
        } else if (strcmp(verb, "write") == 0 && codec != NULL && t.schema != NULL) {
            code = answer_write(path, codec, &t);
        } else {
            code = 2;
        }
        fflush(stdout);
    }
    table_free(&t);
    return code;
}

int main(int argc, char **argv)
{
    s3store_error err = {0};
    int code = 2;
    if (s3s_env_new_real(&env, &err) != S3STORE_OK)
        return fail("env", &err);
    s3s_env_keep_blocks(env, S3S_KEEP_BYTES);
    s3s_buffer_init(&memory, env, SIZE_MAX);
    if (argc >= 2 && strcmp(argv[1], "serve") == 0) {
        int threads = argc > 2 ? atoi(argv[2]) : 1;
        if (threads > 1 && s3s_pool_new(env, (size_t)threads - 1, &pool, &err) != S3STORE_OK)
            return fail("pool", &err);
        code = serve();
        s3s_pool_free(pool);
    } else if (argc >= 4 && strcmp(argv[1], "make") == 0) {
        code = make(argv[2], argv[3], argc > 4 ? argv[4] : NULL);
    } else if (argc == 2 && strcmp(argv[1], "names") == 0) {
        for (size_t i = 0; data_at(i) != NULL; i++)
            printf("%s %" PRId64 "\n", data_at(i)->name, data_at(i)->rows);
        code = 0;
    } else if (argc == 2 && strcmp(argv[1], "figures") == 0) {
        code = figures_run(env);
    } else {
        fprintf(stderr, "usage: parquet_bench make NAME FILE.parquet [ROWS] | names | figures |\n"
                        "       parquet_bench serve [THREADS]\n");
    }
    s3s_buffer_deinit(&memory);
    s3s_env_release(env);
    return code;
}
