/* One commit: its marker, its data object, its place in the stream, its footer. */
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "maintain/verify_private.h"

#define FILE_MEMORY_MIN (16u * 1024 * 1024)

typedef struct commit {
    s3s_verify *v;
    s3s_verify_item *item;
    s3s_marker marker;
    int64_t modified_us; /* of the marker */
    char marker_key[S3S_KEY_SIZE];
    char data_key[S3S_KEY_SIZE];
    const s3s_attempt *listed; /* the canonical data object, when it was listed */
} commit;

static void restamp_command(const commit *c, char *out, size_t size)
{
    snprintf(out, size, "put it into the stream again: s3store restamp %s '%s' '%s'",
             c->v->target->url, c->item->partition, c->item->token);
}

/* ---- data object ----------------------------------------------------------------------------- */

static s3store_status note_missing(commit *c, s3store_error *err)
{
    return s3s_verify_note_add(
        c->v, c->item, "data_missing", true, c->data_key, err,
        "restore the object from a backup; if that is not possible, remove the marker and write "
        "the "
        "data again: until then strict reads fail on it and tolerant ones skip it",
        "the commit has %lld rows, and its data object does not exist",
        (long long)c->marker.row_count);
}

/* *exists: it was listed, or is there now. */
static s3store_status check_data(commit *c, bool *exists, s3store_error *err)
{
    s3s_verify_item *item = c->item;
    s3store_object_info info;
    s3store_error why = {0};
    *exists = s3s_data_key(&c->v->target->layout, item->partition, item->token, c->marker.attempt,
                           c->data_key, &why) == S3STORE_OK;
    if (!*exists) /* a marker's key is shorter: its data's need not fit */
        return s3s_verify_note_add(
            c->v, item, "data_missing", true, c->marker_key, err,
            "no writer of this format made the marker: remove it",
            "the commit has %lld rows, and its data object cannot exist: %s",
            (long long)c->marker.row_count, why.message);
    for (size_t i = 0; i < item->attempt_count; i++)
        if (strcmp(item->attempts[i].id, c->marker.attempt) == 0)
            c->listed = &item->attempts[i];
    if (c->listed != NULL)
        return S3STORE_OK;
    s3store_status status = s3s_head(c->v->target->store, c->v->call, c->data_key, &info, err);
    if (status != S3STORE_NOT_FOUND)
        return status;
    *exists = false;
    return note_missing(c, err);
}

/* ---- the stream ------------------------------------------------------------------------------ */

/* *stamp: of the latest ref known. */
static s3store_status check_ref(commit *c, int64_t *stamp, s3store_error *err)
{
    const s3s_verify_item *item = c->item;
    s3s_slice partition = {item->partition, strlen(item->partition)};
    s3s_slice token = {item->token, strlen(item->token)};
    char key[S3S_KEY_SIZE], remedy[1400];
    s3store_object_info info;
    s3store_error why = {0};
    *stamp = c->marker.ref_micros;
    int64_t listed;
    if (s3s_attempt_set_has(c->v->refs, partition, token, c->marker.attempt, &listed)) {
        *stamp = listed > *stamp ? listed : *stamp;
        return S3STORE_OK;
    }
    restamp_command(c, remedy, sizeof remedy);
    if (s3s_ref_key(&c->v->target->layout, *stamp, item->token, c->marker.attempt, item->partition,
                    key, &why) != S3STORE_OK)
        return s3s_verify_note_add(c->v, c->item, "ref_missing", true, c->marker_key, err, remedy,
                                   "the marker's stamp is none that a ref can have: %s",
                                   why.message);
    s3store_status status = s3s_head(c->v->target->store, c->v->call, key, &info, err);
    if (status != S3STORE_NOT_FOUND)
        return status;
    return s3s_verify_note_add(c->v, c->item, "ref_missing", true, key, err, remedy,
                               "the commit has no ref: no reader of the stream sees it");
}

/* Readers of the stream pass a ref commit timeout and skew after its stamp. */
static s3store_status check_late(commit *c, int64_t stamp, s3store_error *err)
{
    char remedy[1400], at[S3STORE_TIME_TEXT_SIZE];
    if (c->modified_us == S3STORE_TIME_NONE ||
        c->modified_us - stamp <= c->v->target->commit_timeout_us)
        return S3STORE_OK;
    restamp_command(c, remedy, sizeof remedy);
    s3store_time_format(stamp, at, sizeof at);
    return s3s_verify_note_add(
        c->v, c->item, "commit_late", true, c->marker_key, err, remedy,
        "the marker came %.3f s after its stamp %s, later than the commit timeout of %.3f s: "
        "readers "
        "of the stream may have passed its place before it was there (a copied dataset looks so "
        "throughout: its objects have the times of the copy)",
        (double)(c->modified_us - stamp) / 1e6, at,
        (double)c->v->target->commit_timeout_us / 1e6);
}

/* ---- the footer ------------------------------------------------------------------------------ */

static s3store_status check_columns(commit *c, const s3s_schema *found, s3store_error *err)
{
    s3s_schema *evolved = NULL;
    s3store_error why = {0};
    bool grown = false;
    if (c->v->schema == NULL)
        return S3STORE_OK;
    s3store_status status = s3s_schema_evolve(c->v->target->env, c->v->schema, found, &evolved,
                                              &grown, &why);
    s3s_schema_release(evolved);
    if (status == S3STORE_OK && !grown)
        return S3STORE_OK;
    if (status == S3STORE_OK)
        return s3s_verify_note_add(
            c->v, c->item, "schema_unrecorded", false, c->data_key, err,
            "another library wrote it, or the newest schema version is gone: the next write "
            "records "
            "what its own input has, not this",
            "the data object has columns, or wider types, than the recorded schema");
    if (status != S3STORE_SCHEMA_MISMATCH && status != S3STORE_UNSUPPORTED)
        return s3s_fail_as(err, status, &why);
    return s3s_verify_note_add(
        c->v, c->item, "schema_mismatch", true, c->data_key, err,
        "reads of this column fail: find out who wrote it; the data can be written again with the "
        "recorded type under a new token",
        "%s", why.message);
}

static s3store_status check_file(commit *c, s3s_datafile *file, s3store_error *err)
{
    int64_t rows = s3s_datafile_row_count(file);
    s3store_status status = S3STORE_OK;
    c->item->rows = rows;
    if (rows != c->marker.row_count)
        status = s3s_verify_note_add(
            c->v, c->item, "row_count", true, c->data_key, err,
            "the data object or the marker was replaced by something other than a writer: restore "
            "the one that is wrong from a backup",
            "the marker says %lld rows, the footer %lld", (long long)c->marker.row_count,
            (long long)rows);
    if (status == S3STORE_OK)
        status = check_columns(c, s3s_datafile_schema(file), err);
    if (status == S3STORE_OK)
        status = s3s_verify_views(c->v, c->item, file, err);
    if (status == S3STORE_OK && c->v->options->contents)
        status = s3s_verify_contents(c->v, c->item, file, c->marker.has_content_hash,
                                     c->marker.content_hash, err);
    return status;
}

static s3store_status check_footer(commit *c, s3store_error *err)
{
    s3store_target *t = c->v->target;
    bool contents = c->v->options->contents;
    s3s_datafile *file = NULL;
    s3store_error why = {0};
    s3s_datafile_options options = {.key = c->data_key,
                                    .size = c->listed != NULL ? c->listed->size : 0,
                                    .memory_bytes = t->memory_bytes / 8 > FILE_MEMORY_MIN
                                                        ? t->memory_bytes / 8
                                                        : FILE_MEMORY_MIN,
                                    .columns = contents ? NULL : c->v->columns,
                                    .column_count = contents ? 0 : c->v->column_count,
                                    .footer_only = c->v->views.count == 0 && !contents};
    s3store_status status = s3s_datafile_open(t->env, t->store, c->v->call, &options, &file, &why);
    if (status == S3STORE_OK)
        status = check_file(c, file, err);
    else if (status == S3STORE_NOT_FOUND)
        status = note_missing(c, err);
    else if (status == S3STORE_CORRUPT || status == S3STORE_UNSUPPORTED)
        status = s3s_verify_note_add(
            c->v, c->item, "data_unreadable", true, c->data_key, err,
            "restore the object from a backup: reads of its partition fail", "%s", why.message);
    else
        s3s_fail_as(err, status, &why);
    s3s_datafile_free(file);
    return status;
}

/* ---- all ------------------------------------------------------------------------------------- */

static s3store_status note_damaged(commit *c, const char *why, s3store_error *err)
{
    return s3s_verify_note_add(
        c->v, c->item, "marker_damaged", true, c->marker_key, err,
        "put the marker again with its four metadata entries (a copied bucket must keep user "
        "metadata), or remove it and write the data again: until then stream readers stop before "
        "it, and a retry of its token fails",
        "%s", why);
}

s3store_status s3s_verify_commit(s3s_verify *v, s3s_verify_item *item, s3store_error *err)
{
    commit c = {.v = v, .item = item};
    s3store_object_info info;
    s3store_error why = {0};
    int64_t stamp;
    bool exists = false;
    s3store_status status =
        s3s_commit_key(&v->target->layout, item->partition, item->token, c.marker_key, &why);
    if (status == S3STORE_OK)
        status = s3s_commit_head(v->target, v->call, item->partition, item->token, &c.marker, &info,
                                 &why);
    if (status == S3STORE_NOT_FOUND)
        return S3STORE_OK; /* somebody removed it since it was listed: not committed any more */
    item->checked = true;
    if (status == S3STORE_DAMAGED_MARKER)
        return note_damaged(&c, why.message, err);
    if (status != S3STORE_OK)
        return s3s_fail_as(err, status, &why);
    c.modified_us = info.last_modified_us;
    status = check_data(&c, &exists, err);
    if (status == S3STORE_OK)
        status = check_ref(&c, &stamp, err);
    if (status == S3STORE_OK)
        status = check_late(&c, stamp, err);
    if (status == S3STORE_OK && exists && item->deep)
        status = check_footer(&c, err);
    return status;
}
