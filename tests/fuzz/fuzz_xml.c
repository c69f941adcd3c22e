/* The answers of a server that are XML: listings and errors. The first byte says where the document
 * is cut in two, as a network would: that must not change what is understood. */
#include "fuzz/fuzz.h"
#include "objstore/s3/xml.h"

typedef struct outcome {
    s3store_status status;
    s3s_xml_root root;
    size_t count;
    bool truncated;
    uint64_t sum; /* of keys and sizes */
} outcome;

static outcome parse(s3s_xml *xml, const uint8_t *data, size_t size, size_t cut)
{
    outcome o = {0};
    s3s_xml_begin(xml);
    o.status = s3s_xml_feed(xml, data, cut, NULL);
    if (o.status == S3STORE_OK)
        o.status = s3s_xml_feed(xml, data + cut, size - cut, NULL);
    if (o.status == S3STORE_OK)
        o.status = s3s_xml_end(xml, NULL);
    if (o.status != S3STORE_OK)
        return o;
    o.root = s3s_xml_kind(xml);
    o.count = s3s_xml_count(xml);
    o.truncated = s3s_xml_is_truncated(xml);
    for (size_t i = 0; i < o.count; i++) {
        const s3s_xml_entry *e = s3s_xml_get(xml, i);
        size_t length = strlen(e->key);
        for (size_t k = 0; k < length; k++)
            o.sum = o.sum * 31 + (unsigned char)e->key[k];
        o.sum += e->object_size + e->is_prefix;
        if (i > 0)
            FUZZ_CHECK(strcmp(s3s_xml_get(xml, i - 1)->key, e->key) <= 0);
    }
    if (o.root == S3S_XML_ROOT_LIST && o.truncated)
        FUZZ_CHECK(s3s_xml_continuation(xml)[0] != '\0');
    if (o.root == S3S_XML_ROOT_ERROR)
        FUZZ_CHECK(strlen(s3s_xml_get_error(xml)->message) <
                   sizeof s3s_xml_get_error(xml)->message);
    return o;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    size_t cut = data[0] % size;
    s3s_xml *xml = NULL;
    FUZZ_CHECK(s3s_xml_new(fuzz_env(), &xml, NULL) == S3STORE_OK);
    data++;
    size--;
    outcome whole = parse(xml, data, size, size);
    outcome parts = parse(xml, data, size, cut < size ? cut : size);
    FUZZ_CHECK(whole.status == parts.status && whole.root == parts.root &&
               whole.count == parts.count && whole.truncated == parts.truncated &&
               whole.sum == parts.sum);
    s3s_xml_free(xml);
    fuzz_check_leaks();
    return 0;
}
