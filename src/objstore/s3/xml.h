/* objstore/s3/xml.h: the documents of S3 that we read, listings, errors and the answers about
 * uploads, parsed while they arrive, bounded, without document types and entities of their own.
 */
#ifndef S3S_OBJSTORE_S3_XML_H
#define S3S_OBJSTORE_S3_XML_H

#include "objstore/s3/xml_reader.h"

#define S3S_XML_MAX_ENTRIES 10000u            /* of a page; S3 sends 1000 at most */
#define S3S_XML_MAX_TEXT 8192u /* of one element: an encoded key of 1024 bytes has 3072 */

typedef struct s3s_xml_entry {
    char *key;
    bool is_prefix;
    uint64_t object_size;
    int64_t last_modified_us; /* S3STORE_TIME_NONE = not said; of an upload, when it was begun */
    char *upload_id;          /* of an upload; else NULL */
} s3s_xml_entry;

typedef enum s3s_xml_root {
    S3S_XML_ROOT_NONE = 0, /* nothing, or something else */
    S3S_XML_ROOT_LIST = 1,
    S3S_XML_ROOT_ERROR = 2,
    S3S_XML_ROOT_CREATED = 3,   /* InitiateMultipartUploadResult */
    S3S_XML_ROOT_COMPLETED = 4, /* CompleteMultipartUploadResult */
    S3S_XML_ROOT_UPLOADS = 5,   /* ListMultipartUploadsResult: its entries are uploads */
} s3s_xml_root;

/* What was read. Texts are "" when absent. */
typedef struct s3s_xml_error {
    char code[64];
    char message[256];
    char request_id[64];
    char region[64];
    char bucket[256];
} s3s_xml_error;

typedef struct s3s_xml s3s_xml;

s3store_status s3s_xml_new(s3s_env *env, s3s_xml **out, s3store_error *err);
void s3s_xml_free(s3s_xml *xml); /* NULL allowed */

/* Forgets the last document; memory stays. */
void s3s_xml_begin(s3s_xml *xml);
/* CORRUPT: not well-formed, or beyond a bound; the message has the line. Sticky. */
s3store_status s3s_xml_feed(s3s_xml *xml, const void *data, size_t size, s3store_error *err);
/* UNAVAILABLE: the document broke off. After OK the root is known, and for a list: keys are
 * decoded, entries are in byte order of their keys, and the page is complete. May be called
 * again. */
s3store_status s3s_xml_end(s3s_xml *xml, s3store_error *err);

s3s_xml_root s3s_xml_kind(const s3s_xml *xml);
const s3s_xml_error *s3s_xml_get_error(const s3s_xml *xml);
size_t s3s_xml_count(const s3s_xml *xml);
const s3s_xml_entry *s3s_xml_get(const s3s_xml *xml, size_t i);
bool s3s_xml_is_truncated(const s3s_xml *xml);
const char *s3s_xml_continuation(const s3s_xml *xml); /* "" = none */
/* Of a list of uploads: where the next page begins. */
const char *s3s_xml_next_key(const s3s_xml *xml);
const char *s3s_xml_upload_id(const s3s_xml *xml); /* "" = none */
const char *s3s_xml_etag(const s3s_xml *xml);      /* of a completed upload, as it came */

#endif
