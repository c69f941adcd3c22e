/* A writer and a reader of one target. */
#include "api/api.h"

struct s3store_store {
    s3store_target *target;
    s3store_writer *writer;
    s3store_reader *reader;
};

s3store_status s3store_store_open(const s3store_target_config *config,
                                  const s3store_writer_options *writer_options,
                                  const s3store_reader_options *reader_options,
                                  s3store_store **out, s3store_error *err)
{
    S3S_REQUIRE(out);
    *out = NULL;
    S3S_REQUIRE(config);
    s3store_target *target = NULL;
    s3store_status status = s3store_target_open(config, &target, err);
    if (status != S3STORE_OK)
        return status;
    s3store_store *store = s3s_calloc(target->env, 1, sizeof *store);
    if (store == NULL) {
        s3store_target_free(target);
        return s3s_fail_memory(err, sizeof *store);
    }
    store->target = target;
    status = s3store_writer_open(target, writer_options, &store->writer, err);
    if (status == S3STORE_OK)
        status = s3store_reader_open(target, reader_options, &store->reader, err);
    if (status != S3STORE_OK) {
        s3store_store_free(store);
        return status;
    }
    *out = store;
    return S3STORE_OK;
}

s3store_target *s3store_store_target(const s3store_store *store)
{
    return store->target;
}

s3store_writer *s3store_store_writer(const s3store_store *store)
{
    return store->writer;
}

s3store_reader *s3store_store_reader(const s3store_store *store)
{
    return store->reader;
}

void s3store_store_free(s3store_store *store)
{
    if (store == NULL)
        return;
    s3store_target *target = store->target;
    s3store_reader_free(store->reader);
    s3store_writer_free(store->writer);
    s3s_free(target->env, store);
    s3store_target_free(target);
}
