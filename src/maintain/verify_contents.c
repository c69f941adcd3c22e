/* verify --contents: are the rows of a data object those that were committed? Where the marker has
 * a content hash (that of a write with a token), it tells. Where it has none, rows whose columns
 * give another partition key are at least remarked: not damage, because a program may make keys as
 * it likes.
 *
 * The content hash leaves out the inserted-at column, and constant partition columns where the
 * writer was given the partition: which of the two it was is not recorded, so both are tried in
 * one pass. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "dataset/content_hash.h"
#include "dataset/partition.h"
#include "maintain/verify_private.h"

#define BATCH_ROWS 16384
enum { BY_COLUMNS, NAMED, WAYS };

typedef struct contents {
    s3s_verify *v;
    s3s_content_hasher *hashers[WAYS];
    bool *skip[WAYS];
} contents;

static void skip_column(const s3s_schema *schema, const char *name, bool *skip)
{
    size_t at = name != NULL ? s3s_schema_find(schema, name) : SIZE_MAX;
    if (at != SIZE_MAX)
        skip[at] = true;
}

static s3store_status begin(contents *c, const s3s_schema *schema, s3store_error *err)
{
    s3s_env *env = c->v->target->env;
    const s3s_descriptor *settings = &c->v->target->settings;
    s3store_status status = S3STORE_OK;
    for (int way = 0; status == S3STORE_OK && way < WAYS; way++) {
        c->skip[way] = s3s_calloc(env, schema->field_count + 1, sizeof **c->skip);
        if (c->skip[way] == NULL)
            return s3s_fail_memory(err, schema->field_count + 1);
        skip_column(schema, settings->inserted_at_column, c->skip[way]);
        for (size_t i = 0; way == NAMED && i < settings->part_count; i++)
            if (settings->parts[i].format == S3S_FORMAT_NONE)
                skip_column(schema, settings->parts[i].column, c->skip[way]);
        status = s3s_content_hasher_new(env, schema, c->skip[way], &c->hashers[way], err);
    }
    return status;
}

/* *found: the first row of a batch whose columns give another key than that of its partition is
 * what, as "column value". Only the ends of a batch are looked at. */
static s3store_status find_stray(const contents *c, const s3s_schema *schema,
                                 const struct ArrowArray *batch, const char *partition, char *what,
                                 size_t what_size, bool *found, s3store_error *err)
{
    const s3s_descriptor *settings = &c->v->target->settings;
    const char *key = partition;
    s3s_buffer text;
    s3store_status status = S3STORE_OK;
    *found = false;
    s3s_buffer_init(&text, c->v->target->env, S3S_KEY_SIZE);
    for (size_t i = 0; !*found && i < settings->part_count && *key != '\0'; i++) {
        size_t size = strcspn(key, "/"), name = strcspn(key, "=") + 1;
        size_t at = s3s_schema_find(schema, settings->parts[i].column);
        const int64_t rows[] = {0, batch->length - 1};
        for (size_t r = 0; !*found && at != SIZE_MAX && name <= size && r < 2; r++) {
            s3s_column column;
            s3s_batch_column(schema, batch, at, &column);
            s3s_buffer_clear(&text);
            status = s3s_value_text(&column, rows[r], &settings->parts[i], &text, err);
            if (status == S3STORE_OUT_OF_MEMORY)
                goto end;
            if (status != S3STORE_OK)
                continue; /* null, or without a text form: nothing is known */
            *found = text.size != size - name || memcmp(text.data, key + name, text.size) != 0;
            if (*found)
                snprintf(what, what_size, "column \"%s\" gives \"%.*s\"", settings->parts[i].column,
                         (int)(text.size < 100 ? text.size : 100), (const char *)text.data);
        }
        key += size + (key[size] == '/');
    }
    status = S3STORE_OK;
end:
    s3s_buffer_deinit(&text);
    return status;
}

static s3store_status add_rows(contents *c, s3s_verify_item *item, s3s_datafile *file, bool hashes,
                               s3store_error *err)
{
    char what[256];
    bool told = !c->v->target->has_descriptor;
    const s3s_schema *schema = s3s_datafile_schema(file);
    s3s_datafile_cursor *cursor = NULL;
    s3store_status status = s3s_datafile_cursor_new(file, NULL, 0, BATCH_ROWS, &cursor, err);
    while (status == S3STORE_OK) {
        struct ArrowArray batch = {0};
        status = s3s_call_check(c->v->target->env, c->v->call, err);
        if (status == S3STORE_OK)
            status = s3s_datafile_cursor_next(cursor, &batch, err);
        for (int way = 0; status == S3STORE_OK && hashes && way < WAYS; way++)
            s3s_content_hasher_add(c->hashers[way], &batch);
        bool is_first = false;
        if (status == S3STORE_OK && !told && !hashes)
            status = find_stray(c, schema, &batch, item->partition, what, sizeof what, &is_first,
                                err);
        told = told || is_first;
        if (status == S3STORE_OK && is_first)
            status = s3s_verify_note_add(
                c->v, item, "partition_differs", false, s3s_datafile_key(file), err,
                "unless the writer made its partition keys by a function, the object was swapped "
                "with another: restore it from a backup",
                "a row of partition \"%s\": %s", item->partition, what);
        s3s_array_release(&batch);
    }
    s3s_datafile_cursor_free(cursor);
    return status == S3STORE_END ? S3STORE_OK : status;
}

/* What stopped the reading is a finding where it is the file's fault. */
static s3store_status note_unread(contents *c, s3s_verify_item *item, const char *key,
                                  const s3store_error *why, s3store_error *err)
{
    if (why->status == S3STORE_CORRUPT)
        return s3s_verify_note_add(
            c->v, item, "data_unreadable", true, key, err,
            "restore the object from a backup: reads of its partition fail", "%s", why->message);
    if (why->status == S3STORE_LIMIT_EXCEEDED || why->status == S3STORE_UNSUPPORTED)
        return s3s_verify_note_add(c->v, item, "content_unchecked", false, key, err,
                                   "give verify more memory (--memory), where it is that", "%s",
                                   why->message);
    return s3s_fail_as(err, why->status, why);
}

s3store_status s3s_verify_contents(s3s_verify *v, s3s_verify_item *item, s3s_datafile *file,
                                   bool has_hash, uint64_t hash, s3store_error *err)
{
    contents c = {.v = v};
    s3store_error why = {0};
    const char *key = s3s_datafile_key(file);
    s3store_status status = has_hash ? begin(&c, s3s_datafile_schema(file), &why) : S3STORE_OK;
    if (status == S3STORE_OK)
        status = add_rows(&c, item, file, has_hash, &why);
    uint64_t found[WAYS] = {0};
    for (int way = 0; way < WAYS; way++) {
        if (status == S3STORE_OK && has_hash)
            found[way] = s3s_content_hasher_end(c.hashers[way]);
        s3s_content_hasher_free(c.hashers[way]);
        s3s_free(v->target->env, c.skip[way]);
    }
    if (status != S3STORE_OK)
        return note_unread(&c, item, key, &why, err);
    item->hashed = has_hash;
    if (!has_hash || found[BY_COLUMNS] == hash || found[NAMED] == hash)
        return S3STORE_OK;
    return s3s_verify_note_add(
        v, item, "content_differs", true, key, err,
        "the data object was replaced by something other than a writer, or swapped with another: "
        "restore it from a backup",
        "its rows have the content hash %016" PRIx64 ", the marker says %016" PRIx64,
        found[BY_COLUMNS], hash);
}
