/* dataset/descriptor.c: dataset.json (docs/FORMAT.md "Self-description"). */
#include "dataset/config.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "dataset/document.h"
#include "dataset/quote.h"

#define DESCRIPTOR_FORMAT 1
#define DESCRIPTOR_MAX_COLUMNS 1000 /* partition or entity columns: no key would hold more */

static const char *const compression_names[] = {
    [S3STORE_COMPRESSION_SNAPPY] = "snappy",
    [S3STORE_COMPRESSION_ZSTD] = "zstd",
    [S3STORE_COMPRESSION_GZIP] = "gzip",
    [S3STORE_COMPRESSION_UNCOMPRESSED] = "uncompressed",
};
#define COMPRESSION_COUNT (sizeof compression_names / sizeof compression_names[0])

static const char *compression_name(s3store_compression compression)
{
    size_t i = (size_t)compression;
    return i > 0 && i < COMPRESSION_COUNT ? compression_names[i] : "(default)";
}

void s3s_descriptor_deinit(s3s_descriptor *d)
{
    s3s_arena_deinit(&d->arena);
    *d = (s3s_descriptor){0};
}

/* ---- parsing -------------------------------------------------------------------------------- */

/* A member that must be non-empty text when it is there; out stays NULL when it is absent. */
static s3store_status read_text(const s3s_json *root, const char *member, const char *key,
                                const char **out, s3store_error *err)
{
    *out = NULL;
    for (size_t i = 0; i < s3s_json_member_count(root); i++) {
        if (strcmp(s3s_json_member_name(root, i), member) != 0)
            continue;
        *out = s3s_json_text(s3s_json_member_value(root, i));
        if (*out == NULL || (*out)[0] == '\0')
            return s3s_fail_key(err, S3STORE_BAD_CONFIG, key, "%s: \"%s\" is not a text", key,
                                member);
    }
    return S3STORE_OK;
}

/* A member that must be a non-empty list of distinct non-empty texts when it is there. */
static s3store_status read_names(s3s_arena *arena, const s3s_json *root, const char *member,
                                 const char *key, const char ***out, size_t *count,
                                 s3store_error *err)
{
    const s3s_json *list = s3s_json_get(root, member);
    size_t n;

    *out = NULL;
    *count = 0;
    if (list == NULL)
        return S3STORE_OK;
    n = s3s_json_is_array(list) ? s3s_json_count(list) : 0;
    if (n == 0 || n > DESCRIPTOR_MAX_COLUMNS)
        return s3s_fail_key(err, S3STORE_BAD_CONFIG, key,
                            "%s: \"%s\" is not a list of 1 to %d names", key, member,
                            DESCRIPTOR_MAX_COLUMNS);
    const char **names = s3s_arena_calloc(arena, n, sizeof *names);
    if (names == NULL)
        return s3s_fail_memory(err, n * sizeof *names);
    for (size_t i = 0; i < n; i++) {
        const char *text = s3s_json_text(s3s_json_at(list, i));
        if (text == NULL || text[0] == '\0')
            return s3s_fail_key(err, S3STORE_BAD_CONFIG, key,
                                "%s: element %zu of \"%s\" is not a text", key, i, member);
        for (size_t j = 0; j < i; j++) {
            if (strcmp(names[j], text) == 0)
                return s3s_fail_key(err, S3STORE_BAD_CONFIG, key, "%s: \"%s\" names \"%s\" twice",
                                    key, member, text);
        }
        names[i] = s3s_arena_strdup(arena, text);
        if (names[i] == NULL)
            return s3s_fail_memory(err, strlen(text));
    }
    *out = names;
    *count = n;
    return S3STORE_OK;
}

static s3store_status read_compression(const s3s_json *root, const char *key,
                                       s3store_compression *out, s3store_error *err)
{
    const char *text;
    s3store_status status = read_text(root, "compression", key, &text, err);

    if (status != S3STORE_OK || text == NULL)
        return status;
    for (size_t i = 1; i < COMPRESSION_COUNT; i++) {
        if (strcmp(compression_names[i], text) == 0) {
            *out = (s3store_compression)i;
            return S3STORE_OK;
        }
    }
    return s3s_fail_key(err, S3STORE_BAD_CONFIG, key,
                        "%s: unknown \"compression\" \"%s\" (snappy, zstd, gzip, uncompressed)",
                        key, text);
}

static s3store_status read_size(const s3s_json *root, const char *member, const char *key,
                                uint64_t *out, s3store_error *err)
{
    const s3s_json *value = s3s_json_get(root, member);
    int64_t number;

    if (value == NULL)
        return S3STORE_OK;
    if (!s3s_json_int(value, &number) || number < 1)
        return s3s_fail_key(err, S3STORE_BAD_CONFIG, key, "%s: \"%s\" is not a positive number", key,
                            member);
    *out = (uint64_t)number;
    return S3STORE_OK;
}

static s3store_status copy_text(s3s_arena *arena, const char *text, const char **out,
                                s3store_error *err)
{
    *out = NULL;
    if (text == NULL)
        return S3STORE_OK;
    *out = s3s_arena_strdup(arena, text);
    return *out != NULL ? S3STORE_OK : s3s_fail_memory(err, strlen(text) + 1);
}

static s3store_status read_parts(s3s_descriptor *d, const s3s_json *root, const char *key,
                                 s3store_error *err)
{
    const char **texts;
    s3store_error inner = {0};
    s3store_status status =
        read_names(&d->arena, root, "partition_by", key, &texts, &d->part_count, err);

    if (status != S3STORE_OK || d->part_count == 0)
        return status;
    status = s3s_part_specs_parse(&d->arena, texts, d->part_count, &d->parts, &inner);
    if (status == S3STORE_OUT_OF_MEMORY)
        return s3s_fail(err, status, "%s", inner.message);
    if (status != S3STORE_OK)
        return s3s_fail_key(err, S3STORE_BAD_CONFIG, key, "%s: \"partition_by\": %s", key,
                            inner.message);
    return S3STORE_OK;
}

static s3store_status read_members(s3s_descriptor *d, const s3s_json *root, const char *key,
                                   s3store_error *err)
{
    const char *text;
    s3store_status status = read_parts(d, root, key, err);

    if (status == S3STORE_OK)
        status = read_names(&d->arena, root, "entity", key, &d->entity, &d->entity_count, err);
    if (status == S3STORE_OK)
        status = read_text(root, "version", key, &text, err);
    if (status == S3STORE_OK)
        status = copy_text(&d->arena, text, &d->version, err);
    if (status == S3STORE_OK)
        status = read_text(root, "inserted_at_column", key, &text, err);
    if (status == S3STORE_OK)
        status = copy_text(&d->arena, text, &d->inserted_at_column, err);
    if (status == S3STORE_OK)
        status = read_compression(root, key, &d->compression, err);
    if (status == S3STORE_OK)
        status = read_text(root, "consistency", key, &text, err);
    if (status == S3STORE_OK)
        status = copy_text(&d->arena, text, &d->consistency, err);
    if (status == S3STORE_OK)
        status = read_size(root, "chunk_rows", key, &d->chunk_rows, err);
    if (status == S3STORE_OK)
        status = read_size(root, "chunk_bytes", key, &d->chunk_bytes, err);
    if (status == S3STORE_OK && (d->entity_count == 0) != (d->version == NULL))
        status = s3s_fail_key(err, S3STORE_BAD_CONFIG, key,
                              "%s: \"entity\" and \"version\" belong together: both or neither",
                              key);
    for (const char *p = d->consistency; status == S3STORE_OK && p != NULL && *p != '\0'; p++) {
        if (*p < 0x20 || *p > 0x7E) /* it becomes a header */
            status = s3s_fail_key(err, S3STORE_BAD_CONFIG, key,
                                  "%s: \"consistency\" is not printable ASCII", key);
    }
    return status;
}

s3store_status s3s_descriptor_parse(s3s_env *env, const char *text, size_t size, const char *key,
                                    s3s_descriptor *out, s3store_error *err)
{
    s3s_json *root = NULL;

    *out = (s3s_descriptor){0};
    s3s_arena_init(&out->arena, env);
    s3store_status status = s3s_document_open(text, size, key, DESCRIPTOR_FORMAT, &root, err);
    if (status == S3STORE_OK)
        status = read_members(out, root, key, err);
    s3s_json_free(root);
    if (status != S3STORE_OK)
        s3s_descriptor_deinit(out);
    return status;
}

/* ---- writing -------------------------------------------------------------------------------- */

s3store_status s3s_descriptor_write(const s3s_descriptor *d, s3s_buffer *out, s3store_error *err)
{
    s3s_json_writer w;

    s3s_json_begin(&w, out);
    s3s_json_open(&w, '{');
    s3s_json_name(&w, "format");
    s3s_json_put_int(&w, DESCRIPTOR_FORMAT);
    if (d->part_count > 0) {
        s3s_json_name(&w, "partition_by");
        s3s_json_open(&w, '[');
        for (size_t i = 0; i < d->part_count; i++)
            s3s_json_put_text(&w, d->parts[i].text);
        s3s_json_close(&w, ']');
    }
    if (d->entity_count > 0) {
        s3s_json_name(&w, "entity");
        s3s_json_open(&w, '[');
        for (size_t i = 0; i < d->entity_count; i++)
            s3s_json_put_text(&w, d->entity[i]);
        s3s_json_close(&w, ']');
    }
    if (d->version != NULL) {
        s3s_json_name(&w, "version");
        s3s_json_put_text(&w, d->version);
    }
    if (d->inserted_at_column != NULL) {
        s3s_json_name(&w, "inserted_at_column");
        s3s_json_put_text(&w, d->inserted_at_column);
    }
    if (d->compression != S3STORE_COMPRESSION_DEFAULT) {
        s3s_json_name(&w, "compression");
        s3s_json_put_text(&w, compression_name(d->compression));
    }
    if (d->consistency != NULL) {
        s3s_json_name(&w, "consistency");
        s3s_json_put_text(&w, d->consistency);
    }
    if (d->chunk_rows > 0) {
        s3s_json_name(&w, "chunk_rows");
        s3s_json_put_int(&w, (int64_t)d->chunk_rows);
    }
    if (d->chunk_bytes > 0) {
        s3s_json_name(&w, "chunk_bytes");
        s3s_json_put_int(&w, (int64_t)d->chunk_bytes);
    }
    s3s_json_close(&w, '}');
    return s3s_json_end(&w, err);
}

/* ---- agreement ------------------------------------------------------------------------------ */

static s3store_status contradiction(const char *setting, const char *recorded, const char *wanted,
                                    const char *key, s3store_error *err)
{
    return s3s_fail_key(err, S3STORE_BAD_CONFIG, key,
                        "%s is \"%s\" in %s, but \"%s\" was given: leave it out or correct it",
                        setting, recorded, key, wanted);
}

static s3store_status agree_text(const char *setting, const char *recorded, const char *wanted,
                                 const char *key, s3store_error *err)
{
    if (recorded == NULL || wanted == NULL || strcmp(recorded, wanted) == 0)
        return S3STORE_OK;
    return contradiction(setting, recorded, wanted, key, err);
}

static s3store_status agree_size(const char *setting, uint64_t recorded, uint64_t wanted,
                                 const char *key, s3store_error *err)
{
    char have[24], want[24];

    if (recorded == 0 || wanted == 0 || recorded == wanted)
        return S3STORE_OK;
    snprintf(have, sizeof have, "%llu", (unsigned long long)recorded);
    snprintf(want, sizeof want, "%llu", (unsigned long long)wanted);
    return contradiction(setting, have, want, key, err);
}

s3store_status s3s_descriptor_agree(const s3s_descriptor *recorded, const s3s_descriptor *wanted,
                                    const char *key, s3store_error *err)
{
    s3s_name_list have = {0}, want = {0};
    bool same;
    s3store_status status;

    if (recorded->part_count > 0 && wanted->part_count > 0) {
        same = recorded->part_count == wanted->part_count;
        for (size_t i = 0; same && i < wanted->part_count; i++)
            same = s3s_part_spec_equal(&recorded->parts[i], &wanted->parts[i]);
        for (size_t i = 0; !same && i < recorded->part_count; i++)
            s3s_name_list_add(&have, recorded->parts[i].text);
        for (size_t i = 0; !same && i < wanted->part_count; i++)
            s3s_name_list_add(&want, wanted->parts[i].text);
        if (!same)
            return contradiction("partition-by", have.text, want.text, key, err);
    }
    if (recorded->entity_count > 0 && wanted->entity_count > 0) {
        same = recorded->entity_count == wanted->entity_count;
        for (size_t i = 0; same && i < wanted->entity_count; i++)
            same = strcmp(recorded->entity[i], wanted->entity[i]) == 0;
        for (size_t i = 0; !same && i < recorded->entity_count; i++)
            s3s_name_list_add(&have, recorded->entity[i]);
        for (size_t i = 0; !same && i < wanted->entity_count; i++)
            s3s_name_list_add(&want, wanted->entity[i]);
        if (!same)
            return contradiction("entity", have.text, want.text, key, err);
    }
    status = agree_text("version", recorded->version, wanted->version, key, err);
    if (status == S3STORE_OK)
        status = agree_text("inserted-at-column", recorded->inserted_at_column,
                            wanted->inserted_at_column, key, err);
    if (status == S3STORE_OK)
        status = agree_text("consistency", recorded->consistency, wanted->consistency, key, err);
    if (status == S3STORE_OK)
        status = agree_size("chunk-rows", recorded->chunk_rows, wanted->chunk_rows, key, err);
    if (status == S3STORE_OK)
        status = agree_size("chunk-bytes", recorded->chunk_bytes, wanted->chunk_bytes, key, err);
    if (status == S3STORE_OK && recorded->compression != S3STORE_COMPRESSION_DEFAULT &&
        wanted->compression != S3STORE_COMPRESSION_DEFAULT)
        status = agree_text("compression", compression_name(recorded->compression),
                            compression_name(wanted->compression), key, err);
    return status;
}
