/* dataset/data_walk.c: which of a pattern's LIST matches it. */
#include "dataset/data_walk.h"

#include <string.h>

#include "base/error.h"
#include "dataset/pattern_walk.h"

typedef struct walk {
    s3store_target *target;
    const s3s_pattern *pattern;
    s3s_data_fn fn;
    void *ctx;
    char partition[S3S_KEY_SIZE]; /* the last one that was matched, and the outcome */
    size_t partition_size;
    bool partition_matches;
} walk;

/* Neighbours are of the same partition, mostly: its match is asked for once. */
static bool matches(walk *w, s3s_slice partition)
{
    if (w->partition_size == partition.size &&
        memcmp(w->partition, partition.data, partition.size) == 0)
        return w->partition_matches;
    memcpy(w->partition, partition.data, partition.size);
    w->partition_size = partition.size;
    w->partition_matches = s3s_pattern_matches(w->pattern, partition);
    return w->partition_matches;
}

static s3store_status take_key(void *ctx, const s3store_list_entry *entry, const char *relative,
                               s3store_error *err)
{
    walk *w = ctx;
    s3s_data_name name = s3s_data_name_parse(&w->target->layout, entry->key);

    (void)relative;
    if (name.kind == S3S_DATA_FOREIGN ? !w->pattern->everything : !matches(w, name.partition))
        return S3STORE_OK;
    return w->fn(w->ctx, &name, entry, err);
}

s3store_status s3s_data_walk(s3store_target *target, const s3store_call *call,
                             const s3s_pattern *pattern, s3s_data_fn fn, void *ctx,
                             s3s_walk_result *result, s3store_error *err)
{
    walk w = {.target = target, .pattern = pattern, .fn = fn, .ctx = ctx,
              .partition_size = SIZE_MAX};

    return s3s_pattern_walk(target, call, target->layout.data_path, pattern, take_key, &w, result,
                            err);
}

s3store_status s3s_target_patterns(const s3store_target *target, const char *const *texts,
                                   size_t count, s3s_patterns *out, s3store_error *err)
{
    if (texts == NULL && count > 0)
        return s3s_fail(err, S3STORE_INVALID_ARGUMENT, "a count of patterns without patterns");
    for (size_t i = 0; i < count && target->settings.part_count == 0; i++) {
        if (texts[i] != NULL && texts[i][0] != '\0' && strcmp(texts[i], "*") != 0)
            return s3s_target_need_parts(target, err);
    }
    return s3s_patterns_parse(target->env, target->part_names, target->settings.part_count, texts,
                              count, out, err);
}
