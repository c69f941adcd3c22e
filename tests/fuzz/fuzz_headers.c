/* Header lines of an answer, one to a line ("Name: value"), for the first one the status. */
#include "fuzz/fuzz.h"
#include "objstore/s3/exchange.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static s3s_s3_exchange x;
    static s3store_metadata metadata;
    memset(&x, 0, sizeof x);
    memset(&metadata, 0, sizeof metadata);
    x.metadata = &metadata;
    x.key = "key";
    s3s_s3_on_status(&x, size > 0 ? 100 + data[0] * 2 : 200);
    for (size_t at = 0; at < size;) {
        const uint8_t *line = data + at;
        const uint8_t *end = memchr(line, '\n', size - at);
        size_t length = end != NULL ? (size_t)(end - line) : size - at;
        at += length + 1;
        const uint8_t *colon = memchr(line, ':', length);
        if (colon == NULL)
            continue;
        size_t name = (size_t)(colon - line);
        s3s_s3_on_header(&x, (const char *)line, name, (const char *)colon + 1,
                         length - name - 1);
    }
    const s3s_s3_answer *a = &x.answer;
    FUZZ_CHECK(memchr(a->etag, '\0', sizeof a->etag) != NULL);
    FUZZ_CHECK(memchr(a->region, '\0', sizeof a->region) != NULL);
    FUZZ_CHECK(memchr(a->request_id, '\0', sizeof a->request_id) != NULL);
    FUZZ_CHECK(!a->has_range || (a->range_first <= a->range_last && a->range_last < a->range_total));
    FUZZ_CHECK(a->content_length >= -1 && a->retry_after_us >= -1);
    FUZZ_CHECK(metadata.count <= S3STORE_METADATA_MAX_ENTRIES);
    for (size_t i = 0; i < metadata.count; i++) {
        FUZZ_CHECK(metadata.entries[i].name < sizeof metadata.text);
        FUZZ_CHECK(metadata.entries[i].value < sizeof metadata.text);
    }
    return 0;
}
