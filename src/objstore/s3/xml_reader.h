/* objstore/s3/xml_reader.h: XML as storage servers send it: elements and their texts, told while
 * they arrive, in bounded memory. UTF-8 only; attributes are passed over; a document type, and with
 * it entities of its own, is refused.
 *
 * Control characters are taken as they come, also as references ("&#x01;"): XML 1.0 cannot carry
 * them, but keys have them, and some servers write them.
 */
#ifndef S3S_OBJSTORE_S3_XML_READER_H
#define S3S_OBJSTORE_S3_XML_READER_H

#include "base/buffer.h"

#define S3S_XML_MAX_BYTES (64u * 1024 * 1024) /* of a document */
#define S3S_XML_MAX_DEPTH 8
#define S3S_XML_MAX_NAME 128u /* of an element */
#define S3S_XML_MAX_TAG (64u * 1024)

typedef struct s3s_xml_handler {
    /* An element begins; name has no namespace prefix. Returns whether its text is wanted. */
    bool (*start)(void *ctx, const char *name, size_t name_size);
    /* It ends. text: all that stands in it, NUL-terminated, without NUL inside, lent for the call;
     * "" if it was not wanted, or elements were inside. */
    void (*end)(void *ctx, char *text, size_t size);
    size_t max_text; /* of one element whose text is wanted */
} s3s_xml_handler;

typedef struct s3s_xml_reader {
    const s3s_xml_handler *handler;
    void *ctx;
    s3s_buffer carry; /* fed, and not yet understood */
    s3s_buffer text;  /* of the innermost element, in front of a comment or a CDATA section */
    size_t fed;
    unsigned long lines; /* behind us */
    bool begun;          /* something other than a blank came */
    bool has_root;
    bool text_wanted; /* of the innermost element, as long as it has none inside */
    size_t depth;
    struct {
        size_t size;
        char name[S3S_XML_MAX_NAME]; /* with its prefix */
    } open[S3S_XML_MAX_DEPTH];
    s3store_status failed;
    const char *why; /* it is on line lines + 1 */
} s3s_xml_reader;

/* The handler is borrowed. */
void s3s_xml_reader_init(s3s_xml_reader *r, s3s_env *env, const s3s_xml_handler *handler,
                         void *ctx);
void s3s_xml_reader_deinit(s3s_xml_reader *r); /* overwrites what was read */
/* For the next document; memory stays. */
void s3s_xml_reader_begin(s3s_xml_reader *r);
/* CORRUPT: not well-formed, or beyond a bound. Sticky. */
s3store_status s3s_xml_reader_feed(s3s_xml_reader *r, const void *data, size_t size);
/* UNAVAILABLE: the document broke off. */
s3store_status s3s_xml_reader_end(s3s_xml_reader *r);
/* For the handler: nothing more is read. why is static. The first failure stays. */
s3store_status s3s_xml_reader_fail(s3s_xml_reader *r, s3store_status status, const char *why);

#endif
