/* From a snapshot to the stream: what the stream may bring once more (docs/FORMAT.md "From a
 * snapshot to the stream"). A commit's ref is stored before its marker, so a ref behind data that
 * a snapshot found is in a LIST that begins after those of the snapshot. And a commit whose answer
 * came too late gets one more ref, when it may be in the snapshot already and its first ref before
 * the offset: so the LIST begins as much earlier as that can take. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "stream/place.h"
#include "stream/stream.h"

typedef struct handover {
    s3store_target *target;
    const s3s_file_set *files;
    s3s_place place;
    s3store_entries *entries;
    s3store_list_reply reply;
    s3store_status status; /* of the page */
    s3store_error err;
} handover;

static int compare_partition(const void *key, const void *item)
{
    return strcmp(key, ((const s3s_partition_files *)item)->key);
}

static int compare_file(const void *key, const void *item)
{
    return strcmp(key, ((const s3s_data_file *)item)->key);
}

static bool has_file(const s3s_file_set *set, const char *partition, const char *data_path)
{
    const s3s_partition_files *p = bsearch(partition, set->partitions, set->partition_count,
                                           sizeof *set->partitions, compare_partition);
    return p != NULL && bsearch(data_path, p->files, p->file_count, sizeof *p->files,
                                compare_file) != NULL;
}

static s3store_status take_ref(handover *h, const char *key)
{
    s3s_ref ref;
    char data_path[S3S_KEY_SIZE];
    const s3s_layout *layout = &h->target->layout;
    if (s3s_ref_parse(key, &ref, NULL) != S3STORE_OK ||
        s3s_data_key(layout, ref.partition, ref.token, ref.attempt, data_path, NULL) !=
            S3STORE_OK ||
        !has_file(h->files, ref.partition, data_path))
        return S3STORE_OK; /* no poll makes an entry of it, or the snapshot lacks it */
    s3store_entry entry = {
        .partition = ref.partition,
        .data_path = data_path,
        .ref_path = key,
        .inserted_at_us = ref.micros,
        .row_count = -1,
    };
    s3store_status status = s3s_place_add(&h->place, &ref, &h->err);
    return status == S3STORE_OK ? s3s_entries_add(h->entries, &entry, &h->err) : status;
}

static bool take_key(void *ctx, const s3store_list_entry *entry)
{
    handover *h = ctx;
    if (!entry->is_prefix)
        h->status = take_ref(h, entry->key);
    return h->status == S3STORE_OK;
}

static s3store_status list_refs(handover *h, const s3store_call *call, int64_t since_us,
                                s3store_error *err)
{
    char offset[S3S_KEY_SIZE];
    char prefix[S3S_KEY_SIZE], continuation[S3STORE_CONTINUATION_MAX];
    s3store_status status = s3s_offset_key(&h->target->layout, since_us, offset, err);
    snprintf(prefix, sizeof prefix, "%s/", h->target->layout.ref_path); /* shorter than offset */
    for (bool first = true; status == S3STORE_OK && (first || h->reply.truncated); first = false) {
        memcpy(continuation, h->reply.continuation, sizeof continuation);
        s3store_list_request request = {
            .size = sizeof request,
            .prefix = prefix,
            .start_after = offset,
            .continuation = first ? NULL : continuation,
            .max_keys = S3STORE_POLL_PAGE_MAX,
        };
        status = s3s_list(h->target->store, call, &request, take_key, h, &h->reply, err);
        if (status == S3STORE_OK && h->status != S3STORE_OK) {
            status = h->status;
            if (err != NULL)
                *err = h->err;
        }
        if (status == S3STORE_OK)
            status = s3s_call_check(h->target->env, call, err);
    }
    return status;
}

s3store_status s3s_handover(s3store_target *target, const s3store_call *call, int64_t settled_us,
                            const s3s_file_set *files, s3store_entries **out, s3store_error *err)
{
    handover *h = s3s_calloc(target->env, 1, sizeof *h);
    char offset[S3S_KEY_SIZE];
    const char *text = "";
    *out = NULL;
    if (h == NULL)
        return s3s_fail_memory(err, sizeof *h);
    h->target = target;
    h->files = files;
    s3s_place_init(&h->place, target->env, &target->layout);
    s3store_status status = s3s_entries_new(target->env, &h->entries, err);
    if (status == S3STORE_OK && files->file_count > 0)
        status = list_refs(h, call, settled_us - S3S_PLACE_HOLD_US, err);
    if (status == S3STORE_OK)
        status = s3s_offset_key(&target->layout, settled_us, offset, err);
    if (status == S3STORE_OK)
        status = s3s_place_text(&h->place, offset, &text, err);
    if (status == S3STORE_OK)
        status = s3s_entries_set_next(h->entries, text, err);
    if (status == S3STORE_OK) {
        *out = h->entries;
        h->entries = NULL;
    }
    s3store_entries_free(h->entries);
    s3s_place_deinit(&h->place);
    s3s_free(target->env, h);
    return status;
}
