/* A column chunk: page headers, levels, compressed bodies. First byte the physical type and codec,
 * second the levels, third how much is fetched at once; the rest is the chunk. */
#include "fuzz/fuzz.h"
#include "parquet/page.h"

static s3s_leaf leaf_of(unsigned what, unsigned levels)
{
    s3s_leaf leaf = {.path = "c", .physical = (s3s_physical)(what % S3S_PQ_PHYSICAL_COUNT),
                     .max_def = levels % 4, .max_rep = levels / 4 % 3};
    leaf.type_length = leaf.physical == S3S_PQ_FIXED ? 5 : 0;
    leaf.flat = leaf.max_rep == 0;
    return leaf;
}

static void read_pages(const s3s_leaf *leaf, const s3s_chunk_place *place,
                       s3s_parquet_source source, size_t window, bool skim)
{
    s3s_budget budget = {.max = 8u << 20};
    s3s_page_reader r;
    s3s_block keep;
    s3s_page_reader_init(&r, fuzz_env(), &budget, source, leaf);
    s3s_block_init(&keep, fuzz_env(), &budget);
    s3s_page_reader_begin(&r, place, window);
    s3store_status status = S3STORE_OK;
    s3store_error err = {0};
    while (status == S3STORE_OK) {
        uint64_t before = r.at;
        s3s_pq_page_header header;
        s3s_page page;
        size_t size = 0;
        status = skim ? s3s_page_reader_skim(&r, &header, &size, &err)
                      : s3s_page_reader_next(&r, &page, &keep, &err);
        if (status != S3STORE_OK)
            break;
        FUZZ_CHECK(r.at > before && r.at <= place->end);
        const s3s_span spans[] = {page.rep, page.def, page.values};
        unsigned sum = 0;
        for (size_t i = 0; !skim && i < 3; i++)
            for (size_t k = 0; k < spans[i].size; k++)
                sum += spans[i].data[k];
        (void)sum;
    }
    FUZZ_CHECK(status == S3STORE_END || err.message[0] != '\0');
    s3s_page_reader_deinit(&r);
    s3s_block_deinit(&keep);
    FUZZ_CHECK(budget.used == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 3)
        return 0;
    s3s_leaf leaf = leaf_of(data[0], data[1]);
    s3s_parquet_memory memory = {data + 3, size - 3};
    s3s_chunk_place place = {.end = size - 3, .codec = s3s_codec_by_id(data[0] / 8 % 8),
                             .num_values = INT32_MAX};
    if (place.codec == NULL)
        return 0;
    size_t window = 1 + (size_t)data[2] * 16;
    read_pages(&leaf, &place, s3s_parquet_memory_source(&memory), window, false);
    read_pages(&leaf, &place, s3s_parquet_memory_source(&memory), window, true);
    fuzz_check_leaks();
    return 0;
}
