/* A Parquet footer alone (Thrift), put at the end of a file of a few pages' worth of bytes. */
#include "fuzz/fuzz.h"
#include "parquet/parquet.h"

#define FRONT 4096

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > (1u << 20))
        return 0;
    uint8_t *bytes = malloc(FRONT + size + 8);
    FUZZ_CHECK(bytes != NULL);
    memset(bytes, 0x15, FRONT);
    memcpy(bytes, "PAR1", 4);
    if (size > 0)
        memcpy(bytes + FRONT, data, size);
    uint32_t length = (uint32_t)size;
    memcpy(bytes + FRONT + size, &length, 4);
    memcpy(bytes + FRONT + size + 4, "PAR1", 4);
    s3s_parquet_memory memory = {bytes, FRONT + size + 8};
    s3s_parquet_limits limits = {16u << 20};
    s3s_parquet_file *file = NULL;
    s3s_parquet_cursor *cursor = NULL;
    s3store_error err = {0};
    s3store_status status = s3s_parquet_open(fuzz_env(), s3s_parquet_memory_source(&memory), "f",
                                             &limits, &file, &err);
    if (status == S3STORE_OK) {
        FUZZ_CHECK(s3s_parquet_row_count(file) >= 0);
        status = s3s_parquet_cursor_new(file, NULL, 0, 100, &cursor, &err);
    }
    struct ArrowArray batch;
    if (status == S3STORE_OK && s3s_parquet_cursor_next(cursor, &batch, &err) == S3STORE_OK)
        s3s_array_release(&batch);
    s3s_parquet_cursor_free(cursor);
    s3s_parquet_free(file);
    free(bytes);
    fuzz_check_leaks();
    return 0;
}
