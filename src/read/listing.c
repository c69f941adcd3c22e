/* The committed data objects behind patterns, without reading them. */
#include "read/read.h"

#include "base/error.h"

struct s3store_listing {
    s3s_env *env; /* retained */
    s3s_file_set files;
    s3store_listed_file *items;
};

static s3store_status flatten(s3store_listing *listing, s3store_error *err)
{
    const s3s_file_set *set = &listing->files;
    listing->items = s3s_calloc(listing->env, set->file_count, sizeof *listing->items);
    if (listing->items == NULL)
        return s3s_fail_memory(err, set->file_count * sizeof *listing->items);
    size_t at = 0;
    for (size_t p = 0; p < set->partition_count; p++) {
        const s3s_partition_files *partition = &set->partitions[p];
        for (size_t i = 0; i < partition->file_count; i++) {
            const s3s_data_file *file = &partition->files[i];
            listing->items[at++] = (s3store_listed_file){
                .partition = partition->key,
                .token = file->token,
                .data_path = file->key,
                .size_bytes = file->size,
                .last_modified_us = file->last_modified_us,
            };
        }
    }
    return S3STORE_OK;
}

s3store_status s3s_list_files(s3store_target *target, const char *const *patterns,
                              size_t pattern_count, const s3store_call *call,
                              s3store_listing **out, s3store_error *err)
{
    *out = NULL;
    s3store_listing *listing = s3s_calloc(target->env, 1, sizeof *listing);
    if (listing == NULL)
        return s3s_fail_memory(err, sizeof *listing);
    listing->env = s3s_env_retain(target->env);
    s3s_file_set_init(&listing->files, target->env);
    s3store_status status = S3STORE_OK;
    if (pattern_count > 0)
        status =
            s3s_resolve_patterns(target, call, patterns, pattern_count, &listing->files, err);
    if (status == S3STORE_OK)
        status = flatten(listing, err);
    if (status != S3STORE_OK)
        s3store_listing_free(listing);
    else
        *out = listing;
    return status;
}

size_t s3store_listing_count(const s3store_listing *listing)
{
    return listing == NULL ? 0 : listing->files.file_count;
}

const s3store_listed_file *s3store_listing_get(const s3store_listing *listing, size_t i)
{
    return listing != NULL && i < listing->files.file_count ? &listing->items[i] : NULL;
}

void s3store_listing_free(s3store_listing *listing)
{
    if (listing == NULL)
        return;
    s3s_env *env = listing->env;
    s3s_file_set_deinit(&listing->files);
    s3s_free(env, listing->items);
    s3s_free(env, listing);
    s3s_env_release(env);
}
